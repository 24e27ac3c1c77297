#!/usr/bin/env python3
"""Patches a small CLIP of real photographs on MNIST, through the server, as the paper's demonstration does with ViT-B/32.

    ./run build && deploy/real-images/patch_mnist.py --data DIR [--work DIR] [--seeds 1,2,3]

1. modelpatch-pretrain trains a CLIP on captions of CIFAR-10 and CIFAR-100 and of a few MNIST digits, so that its
   zero-shot accuracy on MNIST is weak and not chance (20 to 40 minutes on two cores; skipped if WORK/model is there).
2. modelpatch-server imports it; MNIST becomes the patching task and CIFAR-10 the supported one.
3. One patch job per seed fine-tunes on MNIST and chooses α on validation data.
4. A sweep on test data, which is never used for choosing, gives the table α -> (CIFAR-10, MNIST).

DIR holds `mnist` (the IDX files), `cifar10` (data_batch_1.bin, test_batch.bin) and `cifar100` (data_batch_1.bin),
each file as it is or with gzip.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_DIR = os.path.dirname(os.path.dirname(HERE))
START_SECONDS = 60


def argument_parser(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder with mnist, cifar10 and cifar100")
    parser.add_argument("--work", default=os.path.join(SOURCE_DIR, "build", "real-images"),
                        help="where the model and the server's data go; what is there already is not made again")
    parser.add_argument("--bin", default=os.path.join(SOURCE_DIR, "build", "release", "bin"), help="the programs")
    parser.add_argument("--seeds", default="1,2,3", help="of the jobs")
    parser.add_argument("--json", help="write the figures to this file")
    pretraining = parser.add_argument_group("pretraining")
    pretraining.add_argument("--spec", default=os.path.join(HERE, "pretrain.json"), help="paths in it are below DATA")
    pretraining.add_argument("--threads", type=int, default=os.cpu_count(), help="inside one operator")
    job = parser.add_argument_group("the jobs")
    job.add_argument("--steps", type=int, default=300)
    job.add_argument("--batch-size", type=int, default=128)
    job.add_argument("--learning-rate", type=float, default=1e-4)
    job.add_argument("--alphas", default="0:1:0.1", help="of the search and of the table")
    job.add_argument("--mnist-validation-fraction", type=float, default=0.05)
    return parser


def find(directory, name):
    """The file, as it is or with gzip."""
    for path in (os.path.join(directory, name), os.path.join(directory, name + ".gz")):
        if os.path.exists(path):
            return path
    sys.exit(f"there is no {name} or {name}.gz in {directory}")


def pretrain(arguments, data, work):
    model = os.path.join(work, "model")
    if os.path.exists(os.path.join(model, "model.safetensors")):
        print(f"using the model in {model}")
        return model
    with open(arguments.spec, encoding="utf-8") as file:
        spec = json.load(file)
    for task in spec["tasks"]:
        source = task["source"]
        path = os.path.join(data, source["train"])
        source["train"] = path if os.path.isdir(path) else find(*os.path.split(path))
    resolved = os.path.join(work, "pretrain.json")
    with open(resolved, "w", encoding="utf-8") as file:
        json.dump(spec, file, indent=2)
    subprocess.run([os.path.join(arguments.bin, "modelpatch-pretrain"), "--threads", str(arguments.threads), "--spec",
                    resolved, "--output", model], check=True)
    return model


@contextlib.contextmanager
def server(arguments, data, work):
    """Yields the address of a server that runs on free ports until the end of the block."""
    ready_file = os.path.join(work, "ready.json")
    with contextlib.suppress(FileNotFoundError):
        os.remove(ready_file)
    command = [os.path.join(arguments.bin, "modelpatch-server"), "--data-dir", os.path.join(work, "data"),
               "--grpc-address", "127.0.0.1:0", "--http-address", "127.0.0.1:0", "--ready-file", ready_file,
               "--import-root", data, "--import-root", work]
    with open(os.path.join(work, "server.log"), "ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        limit = time.monotonic() + START_SECONDS
        while not os.path.exists(ready_file) or not os.path.getsize(ready_file):
            if process.poll() is not None or time.monotonic() > limit:
                sys.exit(f"the server does not serve; see {log.name}")
            time.sleep(0.05)
        with open(ready_file, encoding="utf-8") as file:
            yield json.load(file)["grpc"]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


class Client:
    """The `modelpatch` command, with its answers as JSON."""

    def __init__(self, arguments, address):
        self.prefix = [os.path.join(arguments.bin, "modelpatch"), "--server", address, "--output", "json"]

    def call(self, *command):
        output = subprocess.run([*self.prefix, *command], check=True, stdout=subprocess.PIPE, text=True).stdout
        return [json.loads(line) for line in output.splitlines()]

    def is_there(self, *command):
        return subprocess.run([*self.prefix, *command], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0


def import_what_is_missing(client, arguments, data, model):
    if not client.is_there("model", "show", "small-clip"):
        client.call("model", "import", "small-clip", model)
    if not client.is_there("task", "show", "mnist"):
        mnist = os.path.join(data, "mnist")
        client.call("task", "create", "mnist", "--format", "idx", "--train", mnist, "--test", mnist,
                    "--class", "builtin:mnist", "--template", "builtin:mnist",
                    "--validation-fraction", str(arguments.mnist_validation_fraction))
    if not client.is_there("task", "show", "cifar10"):
        cifar10 = os.path.join(data, "cifar10")
        client.call("task", "create", "cifar10", "--format", "cifar", "--train", find(cifar10, "data_batch_1.bin"),
                    "--test", find(cifar10, "test_batch.bin"), "--class", "builtin:cifar10",
                    "--template", "builtin:cifar10")


def run_job(client, arguments, seed):
    """The finished job of a seed."""
    name = f"mnist-seed-{seed}"
    if not client.is_there("job", "show", name):
        client.call("job", "submit", "--name", name, "--model", "small-clip", "--patch-task", "mnist",
                    "--supported-task", "cifar10", "--alpha-policy", "mean", "--alphas", arguments.alphas,
                    "--steps", str(arguments.steps), "--batch-size", str(arguments.batch_size),
                    "--learning-rate", str(arguments.learning_rate), "--seed", str(seed))
    return client.call("job", "watch", name)[-1]


def checkpoint_of(job):
    return job["result"]["checkpoints"][0].split("/")[1]


def patch(client, arguments, seed):
    """The job's chosen α, and the accuracies at each α on test data."""
    job = run_job(client, arguments, seed)
    points = client.call("sweep", "--checkpoint", checkpoint_of(job), "--patch-task", "mnist", "--supported-task", "cifar10",
                         "--alphas", arguments.alphas, "--split", "test")
    curve = []
    for point in (line["point"] for line in points if "point" in line):
        accuracies = {accuracy["task"].split("/")[1]: accuracy["accuracy"] for accuracy in point["accuracies"]}
        curve.append({"alpha": point["alpha"], **accuracies})
    return {"seed": seed, "alpha": job["result"]["alpha"], "curve": curve}


def table(results):
    """Markdown; the chosen α in bold."""
    lines = ["| seed | α = | " + " | ".join(f"{point['alpha']:g}" for point in results[0]["curve"]) + " |"]
    lines.append("| --- " * (len(results[0]["curve"]) + 2) + "|")
    for result in results:
        for task in ("cifar10", "mnist"):
            cells = []
            for point in result["curve"]:
                cell = f"{100 * point[task]:.1f}"
                cells.append(f"**{cell}**" if abs(point["alpha"] - result["alpha"]) < 1e-9 else cell)
            lines.append(f"| {result['seed']} | {task} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    arguments = argument_parser(__doc__).parse_args()
    data, work = os.path.realpath(arguments.data), os.path.realpath(arguments.work)
    os.makedirs(work, exist_ok=True)
    model = pretrain(arguments, data, work)
    with server(arguments, data, work) as address:
        client = Client(arguments, address)
        import_what_is_missing(client, arguments, data, model)
        results = [patch(client, arguments, int(seed)) for seed in arguments.seeds.split(",")]
    print(table(results))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with exit code {error.returncode}: {' '.join(error.cmd)}")
