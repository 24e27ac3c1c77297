#!/usr/bin/env python3
"""Compares strategies and coefficient searches on real photographs, through the server.

    ./run build && deploy/real-images/strategies.py --data DIR [--work DIR] [--seeds 1,2,3]

The small CLIP of patch_mnist.py is patched on three tasks at once, MNIST, traffic signs (GTSRB) and half of CIFAR-100's classes, with
CIFAR-10 as the supported task:
1. jointly, one after the other, and in parallel, each with its own α or the uniform search;
2. the checkpoints of the sequence and of the parallel job again, with the exhaustive, the black-box and the gradient search;
3. the table has the combined accuracy on test data, what the search spent, and its time. A joint job has one checkpoint, for which
   all searches are one. Then the combined accuracy of what stands beside each strategy, and what each search gains on validation data.
And how the patch on one half of CIFAR-100 carries over to the other half, whose classes it never saw (broad transfer).

DIR holds `mnist`, `cifar10`, `cifar100` and `gtsrb` (folders `train` and `test` with a folder for each class).
"""

import json
import os
import statistics
import subprocess
import sys

import patch_mnist
from patch_mnist import Client, find

PATCHING = ["mnist-part", "gtsrb", "cifar100-0"]
SUPPORTED = "cifar10"
TRANSFER = "cifar100-1"
SEARCHES = {
    "exhaustive": ["--search", "exhaustive"],
    "black-box": ["--search", "black-box", "--search-evaluations", "50"],
    # 4 × 64 of about 1,500 validation examples a step: 30 steps, backward passes and all, cost about 16 evaluations.
    "gradient": ["--search", "gradient", "--search-batch-size", "64"],
}


def import_what_is_missing(client, data, model):
    def create(name, *options):
        if not client.is_there("task", "show", name):
            client.call("task", "create", name, *options)

    if not client.is_there("model", "show", "small-clip"):
        client.call("model", "import", "small-clip", model)
    mnist, gtsrb = os.path.join(data, "mnist"), os.path.join(data, "gtsrb")
    cifar10, cifar100 = os.path.join(data, "cifar10"), os.path.join(data, "cifar100")
    # About as many validation examples of each task.
    create("mnist-part", "--format", "idx", "--train", mnist, "--test", mnist, "--class", "builtin:mnist", "--template", "builtin:mnist",
           "--validation-fraction", "0.007")
    create("gtsrb", "--format", "image-folder", "--train", os.path.join(gtsrb, "train"), "--test", os.path.join(gtsrb, "test"),
           "--class", "builtin:gtsrb", "--template", "builtin:gtsrb", "--validation-fraction", "0.25")
    for part in ("0", "1"):
        create(f"cifar100-{part}", "--format", "cifar", "--train", find(cifar100, "data_batch_1.bin"), "--test",
               find(cifar100, "test_batch.bin"), "--class", "builtin:cifar100", "--template", "builtin:cifar100",
               "--class-part", f"{part}/2", "--validation-fraction", "0.08")
    create(SUPPORTED, "--format", "cifar", "--train", find(cifar10, "data_batch_1.bin"), "--test", find(cifar10, "test_batch.bin"),
           "--class", "builtin:cifar10", "--template", "builtin:cifar10", "--validation-fraction", "0.04")


def submit(client, name, *options):
    """The finished job of that name, which is submitted if it is not there."""
    if not client.is_there("job", "show", name):
        tasks = [part for task in PATCHING for part in ("--patch-task", task)]
        client.call("job", "submit", "--name", name, "--model", "small-clip", *tasks, "--supported-task", SUPPORTED, *options)
    return client.call("job", "watch", name)[-1]


def trained(client, arguments, name, seed, *options):
    return submit(client, name, "--steps", str(arguments.steps), "--batch-size", str(arguments.batch_size), "--learning-rate",
                  str(arguments.learning_rate), "--seed", str(seed), *options)


def searched(client, arguments, name, job, search):
    grid = ["--search-grid", arguments.grid] if search == "exhaustive" else []
    checkpoints = [part for checkpoint in job["result"]["checkpoints"] for part in ("--checkpoint", checkpoint.split("/")[1])]
    return submit(client, name, "--strategy", "parallel", *checkpoints, *SEARCHES[search], *grid)


def jobs_of(client, arguments, seed):
    """All jobs of a seed: (strategy, search, job)."""
    jobs = [("joint", "one α", trained(client, arguments, f"joint-{seed}", seed, "--strategy", "joint", "--task-balance", "even",
                                       "--skip-comparisons"))]
    sequence = trained(client, arguments, f"sequential-{seed}", seed, "--strategy", "sequential", "--order-seed", str(seed))
    jobs.append(("sequential", "one α each", sequence))
    apart = trained(client, arguments, f"parallel-{seed}", seed, "--strategy", "parallel")
    jobs.append(("parallel", "uniform", apart))
    for strategy, job in (("sequential", sequence), ("parallel", apart)):
        for search in SEARCHES if strategy in arguments.search_among else ():
            jobs.append((strategy, search, searched(client, arguments, f"{strategy}-{search}-{seed}", job, search)))
    return jobs


def comparison(job, kind):
    return next((one for one in job["result"]["comparisons"] if one["kind"] == "COMPARISON_KIND_" + kind), None)


def transfer(client, arguments, checkpoint):
    """A line for each half of CIFAR-100 along α, on test data: the patched one, and the one whose classes were never patched."""
    points = client.call("sweep", "--checkpoint", checkpoint, "--patch-task", "cifar100-0", "--supported-task", TRANSFER, "--alphas",
                         arguments.alphas, "--split", "test")
    points = [line["point"] for line in points if "point" in line]
    lines = ["| α | " + " | ".join(f"{point['alpha']:g}" for point in points) + " |", "| --- " * (len(points) + 1) + "|"]
    for index, name in enumerate(("patched half", "unseen half")):
        lines.append(f"| {name} | " + " | ".join(f"{100 * point['accuracies'][index]['accuracy']:.1f}" for point in points) + " |")
    return "\n".join(lines)


def mean_text(values):
    values = list(values)
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def row(jobs):
    """A line of the table, out of the jobs of all seeds."""
    patched = [comparison(job, "PATCHED") for job in jobs]
    # A sequence tells its tasks in the order in which it took them.
    accuracies = [{accuracy["task"].split("/")[1]: 100 * accuracy["accuracy"] for accuracy in one["accuracies"]} for one in patched]
    by_task = [" | ".join(mean_text(one[task] for one in accuracies) for task in PATCHING + [SUPPORTED])]
    searches = [job["result"]["search"] for job in jobs]
    spent = [search["evaluations"] + search["gradientEvaluations"] for search in searches]
    return " | ".join([mean_text(100 * one["combinedAccuracy"] for one in patched), *by_task,
                       mean_text(100 * search["objective"] for search in searches), f"{statistics.mean(spent):.0f}",
                       f"{statistics.mean(search['seconds'] for search in searches):.0f}"])


def table(by_seed):
    lines = ["| strategy | search | combined | " + " | ".join(PATCHING + [SUPPORTED]) + " | validation objective | evaluations | seconds |",
             "| --- " * (len(PATCHING) + 7) + "|"]
    first = next(iter(by_seed.values()))
    for index, (strategy, search, _) in enumerate(first):
        lines.append(f"| {strategy} | {search} | {row([jobs[index][2] for jobs in by_seed.values()])} |")
    return "\n".join(lines)


def beside(by_seed):
    """The combined accuracy, on test data, of what each strategy is compared with: the mean over the seeds."""
    lines = []
    first = next(iter(by_seed.values()))
    for index, (strategy, search, _) in enumerate(first):
        if search in SEARCHES:
            continue
        jobs = [jobs[index][2] for jobs in by_seed.values()]
        for kind in ("UNPATCHED", "FINE_TUNED", "AVERAGE", "SPECIALISED"):
            found = [100 * one["combinedAccuracy"] for one in (comparison(job, kind) for job in jobs) if one]
            if found:
                lines.append(f"{strategy}, {kind.lower().replace('_', '-')}: {mean_text(found)}")
    return "\n".join(lines)


def gains(by_seed):
    """Of each seed and search: the validation objective, and what it has over the best uniform mixture."""
    lines = []
    for seed, jobs in by_seed.items():
        for strategy, name, job in jobs:
            if name not in SEARCHES:
                continue
            search = job["result"]["search"]
            gain = search["objective"] - search["uniformObjective"]
            lines.append(f"seed {seed}, {strategy}, {name}: {100 * search['objective']:.1f}, {100 * gain:+.2f} over uniform, "
                         f"{search['evaluations']} evaluations and {search['gradientEvaluations']:.0f} for gradients")
    return "\n".join(lines)


def main():
    parser = patch_mnist.argument_parser(__doc__)
    parser.set_defaults(steps=150, batch_size=64, learning_rate=3e-4, alphas="0:1:0.1")
    parser.add_argument("--grid", default="0,0.2,0.4,0.6,0.8,1", help="of the exhaustive search")
    parser.add_argument("--search-among", default=["sequential", "parallel"], nargs="*",
                        help="the strategies whose checkpoints the searches mix")
    arguments = parser.parse_args()
    data, work = os.path.realpath(arguments.data), os.path.realpath(arguments.work)
    os.makedirs(work, exist_ok=True)
    model = patch_mnist.pretrain(arguments, data, work)
    with patch_mnist.server(arguments, data, work) as address:
        client = Client(arguments, address)
        import_what_is_missing(client, data, model)
        by_seed = {}
        for seed in arguments.seeds.split(","):
            by_seed[seed] = jobs_of(client, arguments, int(seed))
            print(table(by_seed), flush=True)
        print(f"beside them, combined:\n{beside(by_seed)}\nvalidation objectives:\n{gains(by_seed)}")
        for seed in by_seed:
            print(f"broad transfer, seed {seed}:\n{transfer(client, arguments, f'parallel-{seed}-{len(PATCHING)}')}")
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({seed: [{"strategy": s, "search": m, "job": job} for s, m, job in jobs] for seed, jobs in by_seed.items()}, file)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with exit code {error.returncode}: {' '.join(error.cmd)}")
