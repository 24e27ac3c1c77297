#!/usr/bin/env python3
"""An α for each image (`classify --auto-alpha`, DaWin) against one α for all, on photographs, with the model and the job of patch_mnist.py.

    ./run build && deploy/real-images/automatic_alpha.py --data DIR [--work DIR] [--images 1000] [--json FILE]

What patch_mnist.py has left in WORK is used, and made first where it is missing: the model, the tasks and the job of the first seed.
Then the first test images of CIFAR-10 and of MNIST are classified, each among the ten classes of its task with the task's templates, at
each fixed α and at one that the server chooses for each image. Nothing here chooses anything by the labels.
"""

import gzip
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile

import patch_mnist

IMAGES_PER_CALL = 64  # as many as the server takes at an automatic α


def read(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
        return file.read()


def ppm(width, height, pixels):
    return b"P6 %d %d 255\n" % (width, height) + pixels


def mnist_images(directory, count):
    """(label, image file) of the first test images."""
    images = read(patch_mnist.find(directory, "t10k-images-idx3-ubyte"))
    labels = read(patch_mnist.find(directory, "t10k-labels-idx1-ubyte"))
    _, total, height, width = struct.unpack(">4I", images[:16])
    size = width * height
    for i in range(min(count, total)):
        grey = images[16 + i * size:16 + (i + 1) * size]
        yield labels[8 + i], ppm(width, height, bytes(value for value in grey for _ in range(3)))


def cifar10_images(directory, count):
    """(label, image file) of the first test images."""
    content = read(patch_mnist.find(directory, "test_batch.bin"))
    plane = 32 * 32
    record = 1 + 3 * plane
    for begin in range(0, min(count * record, len(content)), record):
        red, green, blue = (content[begin + 1 + channel * plane:begin + 1 + (channel + 1) * plane] for channel in range(3))
        yield content[begin], ppm(32, 32, bytes(value for pixel in zip(red, green, blue) for value in pixel))


class Task:
    """The first test images of a task as files, and how the server classifies them."""

    def __init__(self, client, name, images, directory):
        self.client = client
        task = client.call("task", "show", name)[0]
        self.class_names = task["classNames"]
        self.classes = [word for one in self.class_names for word in ("--class", one)]
        self.classes += [word for one in task["templates"] for word in ("--template", one)]
        self.labels, self.paths = [], []
        for label, image in images:
            self.labels.append(label)
            self.paths.append(os.path.join(directory, f"{name}-{len(self.paths)}.ppm"))
            with open(self.paths[-1], "wb") as file:
                file.write(image)

    def classify(self, checkpoint, *alpha):
        """The accuracy, and the α of each image where the server chose them."""
        right, alphas = 0, []
        for begin in range(0, len(self.paths), IMAGES_PER_CALL):
            answer = self.client.call("classify", "--model", "small-clip", "--checkpoint", checkpoint, *alpha, "--top-k", "1",
                                      *self.classes, *self.paths[begin:begin + IMAGES_PER_CALL])[0]
            for label, result in zip(self.labels[begin:], answer["results"]):
                right += result["scores"][0]["className"] == self.class_names[label]
                alphas += [result["alpha"]] if "alpha" in result else []
        return right / len(self.paths), alphas


def measure(checkpoint, tasks, fixed):
    rows = []
    for alpha in fixed:
        rows.append({"alpha": alpha, **{name: task.classify(checkpoint, "--alpha", str(alpha))[0] for name, task in tasks.items()}})
    row = {"alpha": "automatic"}
    for name, task in tasks.items():
        row[name], alphas = task.classify(checkpoint, "--alpha", "1", "--auto-alpha")
        row[name + "_mean_alpha"] = statistics.mean(alphas)
    return rows + [row]


def table(rows):
    lines = ["| α = | " + " | ".join(f"{row['alpha']}" for row in rows) + " |", "| --- " * (len(rows) + 1) + "|"]
    for name in ("cifar10", "mnist"):
        lines.append(f"| {name} | " + " | ".join(f"{100 * row[name]:.1f}" for row in rows) + " |")
    mean = [f"{100 * (row['cifar10'] + row['mnist']) / 2:.1f}" for row in rows]
    lines.append("| mean | " + " | ".join(mean) + " |")
    means = ", ".join(f"{rows[-1][name + '_mean_alpha']:.2f} on {name}" for name in ("cifar10", "mnist"))
    return "\n".join(lines) + f"\nautomatic α in the mean: {means}"


def main():
    parser = patch_mnist.argument_parser(__doc__)
    parser.add_argument("--images", type=int, default=1000, help="of each task")
    parser.add_argument("--fixed", default="0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1", help="α to compare with")
    arguments = parser.parse_args()
    data, work = os.path.realpath(arguments.data), os.path.realpath(arguments.work)
    os.makedirs(work, exist_ok=True)
    model = patch_mnist.pretrain(arguments, data, work)
    with patch_mnist.server(arguments, data, work) as address, tempfile.TemporaryDirectory() as directory:
        client = patch_mnist.Client(arguments, address)
        patch_mnist.import_what_is_missing(client, arguments, data, model)
        checkpoint = patch_mnist.checkpoint_of(patch_mnist.run_job(client, arguments, int(arguments.seeds.split(",")[0])))
        tasks = {"cifar10": Task(client, "cifar10", cifar10_images(os.path.join(data, "cifar10"), arguments.images), directory),
                 "mnist": Task(client, "mnist", mnist_images(os.path.join(data, "mnist"), arguments.images), directory)}
        rows = measure(checkpoint, tasks, [float(alpha) for alpha in arguments.fixed.split(",")])
    print(table(rows))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=2)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with exit code {error.returncode}: {' '.join(error.cmd)[:500]}")
