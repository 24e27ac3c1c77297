"""What the Python tests of the real programs share: a server of their own, and Python code made of the protos.

Skips the test (exit code 77) where a program or a package is missing.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

SKIPPED = 77
DEADLINE_SECONDS = 60


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def require(*paths):
    for path in paths:
        if not os.path.exists(path):
            skip(f"there is no {path}")


def find_program(*names):
    for name in names:
        path = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin") or shutil.which(name)
        if path:
            return path
    skip(f"there is no {' or '.join(names)}")


def import_grpc():
    try:
        import grpc
        from google.protobuf import json_format  # what the generated code needs
    except ImportError as error:
        skip(f"{error} (python3-grpcio, python3-protobuf)")
    return grpc


def generate(source_dir, directory, folders):
    """Python code of the protos in these folders, importable from now on. Not of gRPC's own, whose package the grpc module has."""
    root = os.path.join(source_dir, "proto")
    protos = []
    for folder in folders:
        protos += [f"{folder}/{name}" for name in sorted(os.listdir(os.path.join(root, folder))) if name.endswith(".proto")]
    subprocess.run(
        [find_program("protoc"), "-I", root, f"--python_out={directory}", f"--grpc_out={directory}",
         f"--plugin=protoc-gen-grpc={find_program('grpc_python_plugin')}", *protos],
        check=True)
    sys.path.insert(0, directory)


class Server:
    """modelpatch-server on free ports, with a data directory of its own."""

    def __init__(self, bin_dir, directory, *arguments):
        ready_file = os.path.join(directory, "ready.json")
        self.log_path = os.path.join(directory, "server.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [os.path.join(bin_dir, "modelpatch-server"), "--data-dir", os.path.join(directory, "data"), "--grpc-address",
                 "127.0.0.1:0", "--http-address", "127.0.0.1:0", "--ready-file", ready_file, *arguments],
                stdout=log, stderr=subprocess.STDOUT)
        limit = time.monotonic() + DEADLINE_SECONDS
        while not os.path.exists(ready_file) or not os.path.getsize(ready_file):
            if self.process.poll() is not None or time.monotonic() > limit:
                raise RuntimeError(f"the server does not serve:\n{self.log()}")
            time.sleep(0.02)
        with open(ready_file, encoding="utf-8") as file:
            self.ready = json.load(file)

    def channel(self):
        return import_grpc().insecure_channel(self.ready["grpc"], options=[("grpc.enable_http_proxy", 0)])

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self):
        """Ends it gracefully; an AssertionError with its log if it does not end well."""
        self.process.send_signal(signal.SIGTERM)
        try:
            exit_code = self.process.wait(DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        if exit_code != 0:
            raise AssertionError(f"the server ended with {exit_code}:\n{self.log()}")
