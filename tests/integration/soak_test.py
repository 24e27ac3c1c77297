#!/usr/bin/python3
"""A server under a mixed load for a while: does it answer every request once, blame nobody else, and keep its memory?

    soak_test.py SOURCE_DIR BIN_DIR [SECONDS]

α sweeps, new class lists, imports and deletions, cancelled calls, clients that vanish, and 1 % malformed images, from several threads
at a moderate pace. 60 seconds unless told otherwise; from 600 on the memory of the server must stay where it was after two minutes.
Needs protoc, grpc_python_plugin and python3-grpcio; exits 77 (skipped) without them or without the demo model.
"""

import collections
import glob
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import harness
from harness import DEADLINE_SECONDS

SOURCE_DIR, BIN_DIR = (os.path.abspath(path) for path in sys.argv[1:3])
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 60
MODEL_DIR = os.path.join(SOURCE_DIR, "deploy", "demo", "model")
IMAGES = sorted(glob.glob(os.path.join(SOURCE_DIR, "deploy", "demo", "images", "*.png")))
CLASSES = ["three", "four", "star", "square", "red", "yellow"]
PAUSE_SECONDS = 0.03
MALFORMED_SHARE = 0.01
# So little that the caches are full after two minutes, which is looked at, and then the memory may not grow.
MIXTURE_CACHE_BYTES, HEAD_CACHE_BYTES = 32_000_000, 1_000_000
SERVER_OPTIONS = ["--mixture-cache-bytes", str(MIXTURE_CACHE_BYTES), "--head-cache-bytes", str(HEAD_CACHE_BYTES),
                  "--model-cache-bytes", "64MB"]
FULL_SHARE = 0.75  # what does not fit leaves a gap; an eighth of the heads' bytes is for class lists
SETTLED_SECONDS = 120
MEMORY_SECONDS = 600
MEMORY_TOLERANCE = 0.02
# What a server may say to a correct request when it has too much to do.
REFUSALS = ("RESOURCE_EXHAUSTED",)
SERVERS_FAULT = ("UNKNOWN", "INTERNAL", "DATA_LOSS", "UNAVAILABLE", "UNIMPLEMENTED")

grpc = harness.import_grpc()


class Tally:
    """What was asked and what came back, counted by kind of client. Thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.asked = collections.Counter()
        self.ended = collections.Counter()
        self.wrong = []

    def ask(self, kind):
        with self.lock:
            self.asked[kind] += 1

    def end(self, kind, code, expected, details=""):
        with self.lock:
            self.ended[kind, code] += 1
            if code not in expected and len(self.wrong) < 20:
                self.wrong.append(f"{kind}: {code} where {' or '.join(expected)} was due: {details}")

    def of_code(self, code, kinds=None):
        return sum(count for (kind, one), count in self.ended.items() if one == code and (kinds is None or kind in kinds))


class Soak:
    def __init__(self, directory, server):
        from modelpatch.v1 import inference_service_pb2, inference_service_pb2_grpc, model_service_pb2, model_service_pb2_grpc
        self.pb, self.model_pb = inference_service_pb2, model_service_pb2
        self.stub_of = inference_service_pb2_grpc.InferenceServiceStub
        self.directory, self.server = directory, server
        self.channel = server.channel()
        self.inference = self.stub_of(self.channel)
        self.models = model_service_pb2_grpc.ModelServiceStub(self.channel)
        self.images = [open(path, "rb").read() for path in IMAGES]
        self.tally = Tally()
        self.stop = threading.Event()
        self.crashed = []

    def request(self, alpha, classes, generator, model=None):
        """A Classify request, and the codes that its answer may have."""
        request = self.pb.ClassifyRequest()
        if model is None:
            request.mixture.terms.add(checkpoint="checkpoints/digits", coefficient=alpha)
        else:
            request.mixture.model = model
        request.class_prompts.names.class_names.extend(classes)
        image = generator.choice(self.images)
        if generator.random() < MALFORMED_SHARE:
            request.images.add(encoded=generator.choice([image[:len(image) // 2], b"no image", b"\x89PNG\r\n\x1a\n"]))
            return request, ("INVALID_ARGUMENT",)
        request.images.add(encoded=image)
        return request, ("OK",) + REFUSALS

    def call(self, kind, function, request, expected):
        self.tally.ask(kind)
        try:
            response = function(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            self.tally.end(kind, error.code().name, expected, error.details())
            return None
        self.tally.end(kind, "OK", expected)
        return response

    def check(self, response, classes):
        if response is None:
            return
        total = sum(score.probability for score in response.results[0].scores)
        if len(response.results) != 1 or len(response.results[0].scores) != len(classes) or abs(total - 1) > 1e-3:
            self.tally.wrong.append(f"a wrong answer: {response}")

    def sweep_alpha(self, generator):
        for step in range(10 ** 9):
            yield
            request, expected = self.request(step % 101 / 100, CLASSES, generator)
            self.check(self.call("classify", self.inference.Classify, request, expected), CLASSES)

    def ask_new_classes(self, generator):
        for number in range(10 ** 9):
            yield
            classes = [f"thing {number} of kind {kind}" for kind in range(generator.randint(1, 12))]
            request, expected = self.request(0.5, classes, generator)
            self.check(self.call("classify", self.inference.Classify, request, expected), classes)

    def import_and_delete(self, generator):
        for number in range(10 ** 9):
            yield
            name = f"models/soak-{number}"
            self.call("import", self.models.ImportModel, self.model_pb.ImportModelRequest(model_id=name[7:], path=MODEL_DIR), ("OK",))
            request, expected = self.request(0, CLASSES, generator, model=name)
            self.check(self.call("classify", self.inference.Classify, request, expected), CLASSES)
            self.call("delete", self.models.DeleteModel, self.model_pb.DeleteModelRequest(name=name), ("OK",))
            request, _ = self.request(0, CLASSES, generator, model=name)
            self.call("classify", self.inference.Classify, request, ("NOT_FOUND", "INVALID_ARGUMENT"))

    def cancel(self, generator):
        while True:
            yield
            request, expected = self.request(generator.random(), CLASSES, generator)
            self.tally.ask("cancelled")
            call = self.inference.Classify.future(request, timeout=DEADLINE_SECONDS)
            time.sleep(generator.random() * 0.01)
            call.cancel()
            self.tally.end("cancelled", call.code().name, expected + ("CANCELLED",), call.details())

    def vanish(self, generator):
        """The process is killed in the middle of its call."""
        while True:
            for _ in range(20):
                yield
            client = subprocess.Popen(
                [os.path.join(BIN_DIR, "modelpatch"), "--server", self.server.ready["grpc"], "classify", "--checkpoint", "digits",
                 "--alpha", f"{generator.random():.3f}", "--class", "a", "--class", "b", *IMAGES], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
            self.tally.ask("vanished")
            time.sleep(generator.random() * 0.05)
            client.send_signal(signal.SIGKILL)
            client.wait()
            self.tally.end("vanished", "gone", ("gone",))

    def run(self, index, client):
        try:
            for _ in client(random.Random(index)):
                if self.stop.wait(PAUSE_SECONDS):
                    return
        except Exception as error:  # a thread's own would be lost
            self.crashed.append(repr(error))
            self.stop.set()

    def memory(self):
        with open(f"/proc/{self.server.ready['pid']}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024

    def metrics(self):
        url = f"http://{self.server.ready['http']}/metrics"
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=DEADLINE_SECONDS) as page:
            return page.read().decode()

    def served(self):
        """How many calls of each method the server says it ended, by code."""
        served = collections.Counter()
        calls = re.findall(r'modelpatch_grpc_calls_total\{code="(\w+)",method="(\w+)",[^}]*\} (\S+)', self.metrics())
        for code, method, count in calls:
            served[method, code] += int(float(count))
        return served

    def cache_bytes(self):
        """Of mixtures and of heads."""
        text = self.metrics()
        return [float(re.search(rf"\nmodelpatch_{cache}_cache_bytes (\S+)", text).group(1)) for cache in ("mixture", "head")]

    def measure(self):
        """Runs the load. The memory and the caches' bytes of each second."""
        clients = [self.sweep_alpha, self.sweep_alpha, self.ask_new_classes, self.import_and_delete, self.cancel, self.vanish]
        threads = [threading.Thread(target=self.run, args=(index, client)) for index, client in enumerate(clients)]
        for thread in threads:
            thread.start()
        begin, memory, caches = time.monotonic(), [], []
        while time.monotonic() - begin < SECONDS and not self.stop.wait(1):
            memory.append(self.memory())
            caches.append(self.cache_bytes())
        self.stop.set()
        for thread in threads:
            thread.join()
        return memory, caches

    def judge(self, before, memory, caches):
        """What is not as it should be."""
        found = self.crashed + self.tally.wrong
        tally = self.tally
        for kind, asked in tally.asked.items():
            ended = sum(count for (one, _), count in tally.ended.items() if one == kind)
            if asked != ended:
                found.append(f"{kind}: {asked} calls, {ended} answers")
        # A call is counted when it is over, which may be an instant after its answer.
        limit = time.monotonic() + DEADLINE_SECONDS
        while True:
            served = self.served()
            classified = served["Classify", "OK"] - before["Classify", "OK"]
            answered = tally.of_code("OK", ("classify", "cancelled"))
            if classified >= answered or time.monotonic() > limit:
                break
            time.sleep(0.1)
        unseen = tally.of_code("CANCELLED") + tally.asked["vanished"]
        if not answered <= classified <= answered + unseen:
            found.append(f"the server answered {classified} Classify calls; clients saw {answered}, and {unseen} were given up")
        found += [f"{method} ended {count} times with {code}" for (method, code), count in served.items() if code in SERVERS_FAULT]
        if len(memory) >= MEMORY_SECONDS - 1:
            # Of the last half minute before: a model that is deleted may empty a cache for a moment.
            mixtures, heads = (max(values) for values in zip(*caches[SETTLED_SECONDS - 30:SETTLED_SECONDS]))
            if mixtures < FULL_SHARE * MIXTURE_CACHE_BYTES or heads < FULL_SHARE * HEAD_CACHE_BYTES:
                found.append(f"after two minutes the caches hold {mixtures / 1e6:.1f} MB of mixtures and {heads / 1e6:.2f} MB of heads: "
                             "they are not full, and the memory cannot stand still yet")
            settled = statistics.mean(memory[SETTLED_SECONDS:SETTLED_SECONDS + 30])
            last = statistics.mean(memory[-30:])
            if abs(last - settled) > MEMORY_TOLERANCE * settled:
                found.append(f"memory went from {settled / 1e6:.1f} MB after two minutes to {last / 1e6:.1f} MB")
        return found


def prepare(server):
    """The demo model as models/demo and a checkpoint of it."""
    def modelpatch(*arguments):
        subprocess.run([os.path.join(BIN_DIR, "modelpatch"), "--server", server.ready["grpc"], *arguments], check=True,
                       stdout=subprocess.DEVNULL, timeout=5 * DEADLINE_SECONDS)
    modelpatch("model", "import", "demo", MODEL_DIR)
    modelpatch("task", "create", "digits", "--generator", "digits", "--train-examples", "200", "--validation-examples", "20",
               "--test-examples", "20")
    modelpatch("job", "submit", "--model", "demo", "--patch-task", "digits", "--alphas", "0,1", "--alpha-policy", "fixed",
               "--alpha", "1", "--steps", "3", "--batch-size", "16", "--learning-rate", "1e-3", "--warmup-steps", "1",
               "--name", "digits", "--watch")


def main():
    harness.require(MODEL_DIR, *(os.path.join(BIN_DIR, name) for name in ("modelpatch", "modelpatch-server", "modelpatch-worker")))
    with tempfile.TemporaryDirectory(prefix="modelpatch-soak-") as directory:
        generated = os.path.join(directory, "generated")
        os.mkdir(generated)
        harness.generate(SOURCE_DIR, generated, ["google/rpc", "modelpatch/v1"])
        server = harness.Server(BIN_DIR, directory, "--import-root", MODEL_DIR, *SERVER_OPTIONS)
        prepare(server)
        soak = Soak(directory, server)
        before = soak.served()
        memory, caches = soak.measure()
        found = soak.judge(before, memory, caches)
        soak.channel.close()
        server.stop()
        for (kind, code), count in sorted(soak.tally.ended.items()):
            print(f"{kind:10} {code:20} {count}")
        print("memory in MB, every half minute:", " ".join(f"{size / 1e6:.1f}" for size in memory[::30]))
        for name, values in zip(("mixtures", "heads"), zip(*caches)):
            print(f"{name} in MB, every half minute:", " ".join(f"{size / 1e6:.2f}" for size in values[::30]))
        if found:
            print("\n".join(found))
            print(server.log()[-4000:])
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
