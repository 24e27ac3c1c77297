#!/usr/bin/env python3
"""Holds interpolation against other ways to fine-tune without forgetting, on real photographs, through the server.

    ./run build && deploy/real-images/frontier.py --data DIR [--work DIR] [--seeds 1]

The small CLIP of patch_mnist.py is fine-tuned on MNIST, with CIFAR-10 as the supported task, as the paper does in its figure 4:
1. once with snapshots on the way (early stopping) and a moving average of the weights;
2. with other learning rates, with L2 penalties towards θ_zs, and with elastic ones (EWC), whose Fisher matrix comes from CIFAR-10;
3. `modelpatch report` draws all of them over the interpolation curve of the first, on test data: WORK/frontier-SEED/report.html.

DIR is that of patch_mnist.py. The figures are those of the report's `comparisons.csv`.
"""

import os
import subprocess
import sys

import patch_mnist
from patch_mnist import Client

ALTERNATIVES = {
    "rate-low": ["--learning-rate", "3e-5"],
    "rate-high": ["--learning-rate", "3e-4"],
    "l2-weak": ["--l2-penalty", "0.1"],
    "l2-strong": ["--l2-penalty", "1"],
    "ewc-weak": ["--ewc-weight", "1e4", "--ewc-task", "cifar10"],
    "ewc-strong": ["--ewc-weight", "1e6", "--ewc-task", "cifar10"],
}


def submit(client, arguments, name, seed, *options):
    """The name of the finished job, which is submitted if it is not there."""
    if not client.is_there("job", "show", name):
        client.call("job", "submit", "--name", name, "--model", "small-clip", "--patch-task", "mnist", "--supported-task", "cifar10",
                    "--alphas", arguments.alphas, "--steps", str(arguments.steps), "--batch-size", str(arguments.batch_size),
                    "--seed", str(seed), *options)
    client.call("job", "watch", name)
    return name


def jobs_of(client, arguments, seed):
    rate = ["--learning-rate", str(arguments.learning_rate)]
    interval = str(max(1, arguments.steps // 6))
    jobs = [submit(client, arguments, f"trajectory-{seed}", seed, *rate, "--snapshot-interval-steps", interval, "--ema-decay", "0.98")]
    for name, options in ALTERNATIVES.items():
        jobs.append(submit(client, arguments, f"{name}-{seed}", seed, *([] if "--learning-rate" in options else rate), *options))
    return jobs


def main():
    arguments = patch_mnist.argument_parser(__doc__).parse_args()
    data, work = os.path.realpath(arguments.data), os.path.realpath(arguments.work)
    os.makedirs(work, exist_ok=True)
    model = patch_mnist.pretrain(arguments, data, work)
    with patch_mnist.server(arguments, data, work) as address:
        client = Client(arguments, address)
        patch_mnist.import_what_is_missing(client, arguments, data, model)
        for seed in arguments.seeds.split(","):
            report = os.path.join(work, f"frontier-{seed}")
            jobs = jobs_of(client, arguments, int(seed))
            subprocess.run([os.path.join(arguments.bin, "modelpatch"), "--server", address, "report", *jobs, "--test-curve", "--out",
                            report], check=True)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with exit code {error.returncode}: {' '.join(error.cmd)}")
