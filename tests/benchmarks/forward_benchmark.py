"""Runs the forwards of forward_benchmark.cc and of its references in turn, in one run, and prints a table.

    ./run bench forward [--rounds N] [--architectures A,B] [--batches 1,8,32] [--threads 1,2]

References: the same network in torch.nn (forward_networks.py, Debian's python3-torch), in ONNX Runtime (npm's
onnxruntime-node, fetched into the build folder), and the machine's own matrix product of 1536 x 1536 in fp32. What is
not installed is left out. All of them must give the same features.
"""

import argparse
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GEMM_SIZE = 1536
TOLERANCE = 2e-3  # of the largest feature: three libraries sum in three orders


class Child:
    """A process that answers a line of its input with a line of JSON."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended")
        return json.loads(line)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def torch_child(architecture, weights):
    """The other side of Child, in torch.nn."""
    import time

    import torch

    sys.path.insert(0, HERE)
    import forward_networks

    network = forward_networks.load(architecture, weights)
    print("{}", flush=True)
    with torch.no_grad():
        for line in sys.stdin:
            what, *numbers = line.split()
            if what == "export":
                export_onnx(torch, network, forward_networks.pixels(architecture, 2), numbers[0])
                print("{}", flush=True)
                continue
            batch, threads, repeats = (int(number) for number in numbers)
            torch.set_num_threads(threads)
            pixels = forward_networks.pixels(architecture, batch)
            features = network(pixels)[-1, :8].tolist()
            seconds = []
            for _ in range(repeats):
                begin = time.perf_counter()
                network(pixels)
                seconds.append(time.perf_counter() - begin)
            print(json.dumps({"seconds": seconds, "features": features}), flush=True)


def export_onnx(torch, network, pixels, path):
    torch.onnx.export(network, (pixels,), path, input_names=["pixels"], output_names=["features"], opset_version=16,
                      dynamic_axes={"pixels": {0: "batch"}, "features": {0: "batch"}})


def fetch_onnx_runtime(folder):
    """The folder with onnxruntime-node, or None."""
    if os.path.isdir(os.path.join(folder, "node_modules", "onnxruntime-node")):
        return folder
    if not shutil.which("npm"):
        return None
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["npm", "install", "--ignore-scripts", "--no-save", "onnxruntime-node"], cwd=folder,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return folder if done.returncode == 0 else None


def flops(architecture, batch):
    """Of the matrix products of one forward; None for a ResNet, whose convolutions are no matrix products."""
    sizes = {"small": (64, 4, 192, 6, 256), "ViT-B-32-quickgelu": (49, 32, 768, 12, 512)}.get(architecture)
    if sizes is None:
        return None
    patches, patch, width, layers, embedding = sizes
    tokens = patches + 1
    # The last block needs queries, output and MLP of one token alone, but a reference computes all: count as it does.
    block = 24 * tokens * width * width + 4 * tokens * tokens * width
    return batch * (2 * patches * 3 * patch * patch * width + layers * block + 2 * width * embedding)


def check(features, name):
    reference = features["ours"]
    scale = max(abs(value) for value in reference)
    worst = max(abs(a - b) for a, b in zip(features[name], reference))
    if not worst <= TOLERANCE * scale:
        raise RuntimeError(f"{name} differs from ours by {worst} (features up to {scale})")


def measure(children, batch, threads, rounds):
    """Median seconds by name, the children computing in turn."""
    seconds = {name: [] for name in children}
    features = {}
    for _ in range(rounds):
        for name, child in children.items():
            what, size = ("gemm", GEMM_SIZE) if name == "gemm" else ("forward", batch)
            answer = child.ask(what, size, threads, 3)
            seconds[name] += answer["seconds"]
            features[name] = answer["features"]
    for name in set(children) - {"ours", "gemm"}:
        check(features, name)
    return {name: statistics.median(values) for name, values in seconds.items()}


def run(architecture, options, folder):
    weights = os.path.join(folder, architecture)
    children = {"ours": Child([options.binary, "--child", architecture, weights])}
    children["gemm"] = children["ours"]
    if importlib.util.find_spec("torch"):
        children["torch"] = Child(["/usr/bin/python3", "-B", __file__, "--torch-child", architecture, weights])
        runtime = fetch_onnx_runtime(os.path.join(os.path.dirname(options.binary), "..", "onnxruntime"))
        if runtime and shutil.which("node"):
            children["torch"].ask("export", weights + ".onnx")
            side = 32 if architecture == "small" else 224
            children["onnx"] = Child(["node", os.path.join(HERE, "forward_benchmark.mjs"), os.path.abspath(runtime),
                                      weights + ".onnx", str(side)])
    for threads in options.threads:
        for batch in options.batches:
            median = measure(children, batch, threads, options.rounds)
            peak = 2 * GEMM_SIZE ** 3 / median["gemm"]
            work = flops(architecture, batch)
            cells = [architecture, threads, batch, f"{batch / median['ours']:.1f}"]
            for name in ("torch", "onnx"):
                cells.append(f"{batch / median[name]:.1f} ({median[name] / median['ours']:.2f} ×)" if name in median else "–")
            cells.append(f"{100 * work / median['ours'] / peak:.0f} %" if work else "–")
            print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)
    for child in set(children.values()):
        child.close()


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "--torch-child":
        return torch_child(sys.argv[2], sys.argv[3])
    numbers = lambda text: [int(number) for number in text.split(",")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--architectures", default="small,ViT-B-32-quickgelu,RN50-quickgelu")
    parser.add_argument("--batches", type=numbers, default=[1, 8, 32])
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print("| network | threads | batch | images/s | torch.nn (ours is) | ONNX Runtime (ours is) | of the sgemm peak |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for architecture in options.architectures.split(","):
            run(architecture, options, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
