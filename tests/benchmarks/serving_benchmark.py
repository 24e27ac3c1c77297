"""Measures a modelpatch-server on loopback, and prints one table of ratios.

    ./run bench serving [--quick] [--json FILE] [--seconds N]

The model is a small CLIP (ViT of width 192, six layers, 32 pixels in patches of 4), the images are JPEGs of 500 x 375, the classes ten.
References: the same network behind a gRPC server in Python (python_server.py: PyTorch, head cached, 2 workers with one thread each, and
with PyTorch's default threads), the same work without a server (serving_benchmark --direct), and the floor: decoding and preprocessing
as they are, and the forward's matrix products as fast as this machine multiplies two large matrices. What is compared is measured in turn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_DIR = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE_DIR, "tests", "integration"))

import harness

CLIENTS = 32
OTHERS = 16
OPEN_LOOP_SHARE = 0.7
IMAGES = 16
GEMM_SIZE = 1536
PRETRAIN = {
    "image_size": 32, "patch_size": 4, "width": 192, "layers": 6, "heads": 3, "text_width": 128, "text_layers": 2, "text_heads": 2,
    "embedding_width": 256, "merges": 100, "epochs": 1, "batch_size": 32, "warmup_steps": 1, "dtype": "F32", "seed": 1,
    "tasks": [{"name": "digits", "source": {"format": "generator", "generator": "digits", "generator_seed": 1, "generated_train": 64,
                                            "generated_validation": 32, "templates": ["a photo of the number {c}."]}}]}


def make_images(directory):
    """JPEGs of smooth colours with some grain, about as large as photographs."""
    import numpy
    from PIL import Image
    paths = []
    for seed in range(IMAGES):
        generator = numpy.random.default_rng(seed)
        coarse = Image.fromarray(generator.integers(0, 256, (12, 16, 3), numpy.uint8), "RGB").resize((500, 375), Image.BICUBIC)
        pixels = numpy.asarray(coarse, numpy.int16) + generator.integers(-8, 9, (375, 500, 3), numpy.int16)
        paths.append(os.path.join(directory, f"{seed}.jpg"))
        Image.fromarray(numpy.clip(pixels, 0, 255).astype(numpy.uint8), "RGB").save(paths[-1], quality=85)
    return paths


class Bench:
    """The servers, and `modelpatch bench` against them."""

    def __init__(self, bin_dir, directory, seconds):
        self.bin_dir, self.directory, self.seconds = bin_dir, directory, seconds
        self.images = make_images(directory)
        self.model_dir = os.path.join(directory, "model")
        spec = os.path.join(directory, "spec.json")
        with open(spec, "w", encoding="utf-8") as file:
            json.dump(PRETRAIN, file)
        self.program("modelpatch-pretrain", "--spec", spec, "--output", self.model_dir)
        self.direct_process = subprocess.Popen(
            [os.path.join(bin_dir, "serving_benchmark"), "--direct", self.model_dir, os.path.join(directory, "weights"), *self.images],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.direct_process.stdout.readline()
        self.server = harness.Server(bin_dir, directory, "--import-root", self.model_dir)
        self.ours = self.server.ready["grpc"]
        self.modelpatch("model", "import", "small", self.model_dir)
        self.modelpatch("task", "create", "digits", "--generator", "digits", "--train-examples", "2000", "--validation-examples", "50",
                        "--test-examples", "50")
        self.modelpatch(*self.job("digits", 3), "--watch")
        self.python_servers = []

    def program(self, name, *arguments):
        done = subprocess.run([os.path.join(self.bin_dir, name), *arguments], check=True, stdout=subprocess.PIPE)
        return done.stdout.decode()

    def modelpatch(self, *arguments):
        return self.program("modelpatch", "--server", self.ours, *arguments)

    @staticmethod
    def job(name, steps):
        return ["job", "submit", "--model", "small", "--patch-task", "digits", "--alphas", "0,1", "--alpha-policy", "fixed",
                "--alpha", "1", "--steps", str(steps), "--batch-size", "32", "--warmup-steps", "1", "--name", name]

    def start_python_server(self, workers, threads):
        generated = os.path.join(self.directory, "generated")
        if not os.path.exists(generated):
            os.mkdir(generated)
            harness.generate(SOURCE_DIR, generated, ["google/rpc", "modelpatch/v1"])
        process = subprocess.Popen(
            ["/usr/bin/python3", "-B", os.path.join(HERE, "python_server.py"), generated, os.path.join(self.directory, "weights"),
             str(workers), str(threads)], stdout=subprocess.PIPE, text=True)
        self.python_servers.append(process)
        return f"127.0.0.1:{int(process.stdout.readline())}"

    def start(self, server, *load):
        """A load that runs by itself; `finish` has its figures."""
        images = [argument for path in self.images for argument in ("--image", path)]
        command = [os.path.join(self.bin_dir, "modelpatch"), "--server", server, "--output", "json", "bench", "--model", "small",
                   "--checkpoint", "digits", "--duration", str(self.seconds), "--warmup", "1", *images, *load]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def finish(process):
        out, _ = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{process.args} ended with {process.returncode}")
        figures = json.loads(out)
        failed = {code: count for code, count in figures["codes"].items() if code != "OK"}
        if failed:
            print(f"  not all answers were OK: {failed}", file=sys.stderr)
        return figures

    def load(self, server, *load):
        return self.finish(self.start(server, *load))

    def direct(self, what, size):
        """A rate, as serving_benchmark.cc says."""
        self.direct_process.stdin.write(f"{what} {size} {self.seconds}\n")
        self.direct_process.stdin.flush()
        return float(self.direct_process.stdout.readline())

    def close(self):
        for process in [*self.python_servers, self.direct_process]:
            process.terminate()
            process.communicate()
        self.server.stop()


class Table:
    def __init__(self):
        self.rows = []
        print("| what | ours | reference | ratio |\n| --- | --- | --- | --- |", flush=True)

    def add(self, what, ours, reference, unit):
        """`ours` and `reference` are lists, one figure a round; the ratio is that of the medians."""
        ours, reference = statistics.median(ours), statistics.median(reference)
        self.rows.append({"what": what, "ours": ours, "reference": reference, "unit": unit, "ratio": ours / reference})
        print(f"| {what} | {ours:.3g} {unit} | {reference:.3g} {unit} | {ours / reference:.2f} |", flush=True)


def p(figures, which):
    return figures["latencyMilliseconds"][which]


def in_turn(rounds, *measures):
    """For each measure, its figures of all rounds."""
    results = [[] for _ in measures]
    for _ in range(rounds):
        for result, measure in zip(results, measures):
            result.append(measure())
    return results


def against_python(bench, table, rounds):
    closed = ("--clients", str(CLIENTS), "--alpha", "0.5")
    for name, workers, threads in (("2 workers of one thread", 2, 1), ("default threads", 2, 0)):
        server = bench.start_python_server(workers, threads)
        ours, python = in_turn(rounds, lambda: bench.load(bench.ours, *closed), lambda: bench.load(server, *closed))
        table.add(f"throughput at {CLIENTS} clients, against Python ({name})", [one["requestsPerSecond"] for one in ours],
                  [one["requestsPerSecond"] for one in python], "/s")
        table.add(f"p99 at {CLIENTS} clients, against Python ({name})", [p(one, "p99") for one in ours], [p(one, "p99") for one in python],
                  "ms")
        if threads == 1:
            rate = OPEN_LOOP_SHARE * statistics.median(one["requestsPerSecond"] for one in ours)
            loads = [bench.load(bench.ours, "--rate", f"{rate:.3f}", "--alpha", "0.5") for _ in range(rounds)]
            table.add(f"p99 against p50 at 70 % load ({rate:.0f}/s, open loop)", [p(one, "p99") for one in loads],
                      [p(one, "p50") for one in loads], "ms")
        process = bench.python_servers.pop()
        process.terminate()
        process.communicate()


def beside(bench, table, rounds, what, disturb):
    """The p99 of 16 clients beside something, against their p99 alone."""
    load = ("--clients", str(OTHERS), "--alpha", "0.5")

    def disturbed():
        process = bench.start(bench.ours, *load)
        disturb(process)
        return bench.finish(process)

    with_it, alone = in_turn(rounds, disturbed, lambda: bench.load(bench.ours, *load))
    table.add(f"p99 of {OTHERS} clients beside {what}, against alone", [p(one, "p99") for one in with_it],
              [p(one, "p99") for one in alone], "ms")


def imports(bench):
    """Imports and deletes a model while the load runs."""
    def disturb(process):
        while process.poll() is None:
            bench.modelpatch("model", "import", "other", bench.model_dir)
            bench.modelpatch("model", "delete", "other")
    return lambda process: run_beside(disturb, process)


def run_beside(disturb, process):
    # The load's output is read meanwhile, or its pipe might fill.
    thread = threading.Thread(target=disturb, args=(process,))
    thread.start()
    process.wait()
    thread.join()


def training(bench):
    number = iter(range(10 ** 6))

    def disturb(process):
        name = f"beside-{next(number)}"
        bench.modelpatch(*bench.job(name, 1_000_000))
        process.wait()
        bench.modelpatch("job", "cancel", name)
        subprocess.run([os.path.join(bench.bin_dir, "modelpatch"), "--server", bench.ours, "job", "watch", name], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return disturb


def moving_alpha(bench, table, rounds):
    def with_seventeenth(*alphas):
        others = bench.start(bench.ours, "--clients", str(OTHERS), "--alpha", "0.5")
        seventeenth = bench.start(bench.ours, "--clients", "1", *alphas)
        bench.finish(seventeenth)
        return bench.finish(others)

    moving, still = in_turn(rounds, lambda: with_seventeenth("--alphas", "0:1:0.01"), lambda: with_seventeenth("--alpha", "0.5"))
    table.add(f"p99 of {OTHERS} clients while a seventeenth moves α by 0.01, against holding it", [p(one, "p99") for one in moving],
              [p(one, "p99") for one in still], "ms")


def forward_flop():
    """Of the matrix products that one image needs: in the last block keys and values of all tokens, and the rest of one alone."""
    width, layers = PRETRAIN["width"], PRETRAIN["layers"]
    patches = (PRETRAIN["image_size"] // PRETRAIN["patch_size"]) ** 2
    tokens = patches + 1
    block = 24 * tokens * width ** 2 + 4 * tokens ** 2 * width
    last_block = 4 * tokens * width ** 2 + 20 * width ** 2 + 4 * tokens * width
    embedding = 2 * patches * 3 * PRETRAIN["patch_size"] ** 2 * width + 2 * width * PRETRAIN["embedding_width"]
    return (layers - 1) * block + last_block + embedding


def against_no_server(bench, table, rounds):
    batches = {batch: bench.direct("images", batch) for batch in (8, 16, 32, 64)}
    best = max(batches, key=batches.get)
    served, direct, pixels, products = in_turn(
        rounds, lambda: bench.load(bench.ours, "--clients", str(CLIENTS), "--alpha", "0.5")["imagesPerSecond"],
        lambda: bench.direct("images", best), lambda: bench.direct("pixels", best), lambda: bench.direct("gemm", GEMM_SIZE))
    table.add(f"images a second, against decoding, preprocessing and encoding without a server (batch {best})", served, direct, "/s")
    floor = [1 / (1 / images + forward_flop() / (2 * GEMM_SIZE ** 3 * rate)) for images, rate in zip(pixels, products)]
    table.add("images a second, against the floor (decoding and preprocessing, and the forward at the sgemm peak)", served, floor, "/s")


def class_lists(bench, table, rounds):
    one = ("--clients", "1", "--alpha", "0.5")
    repeated, fresh = in_turn(rounds, lambda: p(bench.load(bench.ours, *one), "p50"),
                              lambda: p(bench.load(bench.ours, *one, "--fresh-classes"), "p50"))
    table.add("p50 of a repeated class list, against a new one in each request", repeated, fresh, "ms")
    # The head is made by the first request, before the load.
    many, ten = in_turn(rounds, lambda: p(bench.load(bench.ours, *one, "--classes", "10000", "--top-k", "5"), "p50"),
                        lambda: p(bench.load(bench.ours, *one, "--top-k", "5"), "p50"))
    table.add("p50 of one image and 10,000 cached classes, against ten (the best five answered)", many, ten, "ms")
    everything, = in_turn(rounds, lambda: p(bench.load(bench.ours, *one, "--classes", "10000"), "p50"))
    table.add("p50 of one image and 10,000 cached classes, all answered, against ten", everything, ten, "ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="this benchmark's own program, which `./run bench` fills in")
    parser.add_argument("--quick", action="store_true", help="one round of 3 seconds each: whether it works, not how fast it is")
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement (default: 20)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the rows to this file as well")
    options = parser.parse_args()
    seconds, rounds = (3, 1) if options.quick else (options.seconds, options.rounds)
    harness.import_grpc()
    with tempfile.TemporaryDirectory(prefix="modelpatch-serving-") as directory:
        bench = Bench(os.path.dirname(os.path.abspath(options.binary)), directory, seconds)
        try:
            table = Table()
            against_python(bench, table, rounds)
            moving_alpha(bench, table, rounds)
            beside(bench, table, rounds, "imports of a model", imports(bench))
            beside(bench, table, rounds, "a training job", training(bench))
            against_no_server(bench, table, rounds)
            class_lists(bench, table, rounds)
        finally:
            bench.close()
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(table.rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
