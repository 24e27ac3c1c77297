#!/usr/bin/env python3
"""The include rule: which room may include which, and where libtorch and the server's libraries must not appear.

    include_rule.py ROOT        checks the tree; prints violations as FILE:LINE: what and why; exits 1 if there is any
    include_rule.py --self-test checks the rule against samples that break it
"""

import re
import sys

from source_tree import TORCH, SourceTree

# From the ground up (ARCHITECTURE.md has the picture). A room may include itself and what is listed here.
ROOMS_BELOW = {
    "base": (),
    "tensor": ("base",),
    "data": ("base",),
    "model": ("tensor", "data", "base"),
    "store": ("tensor", "data", "base"),
    "sched": ("store", "tensor", "data", "base"),
    "patch": ("model", "store", "tensor", "data", "base"),
    "serve": ("patch", "model", "store", "tensor", "data", "base"),
    "train": ("patch", "model", "store", "tensor", "data", "base"),
    # Programs that need core alone; nothing includes them.
    "tools": ("train", "patch", "model", "store", "tensor", "data", "base"),
}
TORCH_FREE_ROOMS = ("base", "data", "sched")
# What core knows nothing of: RPC, protobuf, HTTP, and the metrics client.
SERVER_LIBRARIES = re.compile(r"^(grpc|grpcpp|google/|prometheus|httplib\.h|modelpatch/|proto/)|\.pb\.h$")
CMAKE_LIBRARY = re.compile(r"^modelpatch_library\(\s*(\w+)(.*?)\)", re.MULTILINE | re.DOTALL)


def split(path):
    """("core", "base") for core/base/…, ("server", "") and so on for the rest."""
    parts = path.split("/")
    if parts[0] in ("core", "tests") and len(parts) > 2:
        return parts[0], parts[1]
    return parts[0], ""


def refusal(path, included):
    """Why `path` may not include `included`, or None."""
    part, room = split(path)
    to_part, to_room = split(included)
    if part == "core":
        if to_part == "core" and to_room != room and to_room not in ROOMS_BELOW.get(room, ()):
            below = ", ".join(ROOMS_BELOW.get(room, ())) or "nothing"
            return f"core/{room} may include only the rooms below it: {below}"
        if to_part in ("server", "client", "tests"):
            return f"core may not include {to_part}"
        if SERVER_LIBRARIES.search(included):
            return "core knows no gRPC, protobuf, HTTP or Prometheus; convert in server/"
        if room in TORCH_FREE_ROOMS and TORCH.match(included):
            return f"core/{room} is built without libtorch"
    if part == "server" and to_part in ("client", "tests"):
        return f"server may not include {to_part}"
    if part == "client" and to_part in ("core", "server", "tests"):
        return "client rests on proto alone"
    if part == "client" and TORCH.match(included):
        return "client is built without libtorch"
    of_server = to_part in ("server", "client") or SERVER_LIBRARIES.search(included)
    if part == "tests" and room in ROOMS_BELOW and of_server:
        return f"tests/{room} must build without the server (-DMODELPATCH_BUILD_SERVER=OFF)"
    if part != "tests" and path.endswith(".h") and included.startswith("torch/"):
        return "libtorch's large headers belong in .cc files; forward-declare at::Tensor"
    return None


def torch_free_sources(tree):
    """The sources of core's libraries that CMake builds without TORCH: parsers, and everything else fit for clang."""
    for listing in tree.paths(suffixes=("CMakeLists.txt",)):
        folder = listing.rpartition("/")[0]
        if not folder.startswith("core/"):
            continue
        for name, arguments in CMAKE_LIBRARY.findall(tree.text(listing)):
            words = arguments.split()
            if "TORCH" not in words:
                for word in words:
                    if word.endswith(".cc") and tree.exists(f"{folder}/{word}"):
                        yield name, f"{folder}/{word}"


def leads(chain):
    return "this leads to it: " + " -> ".join(chain[1:])


def violations(tree):
    found = []
    for path in tree.paths():
        for line, included in tree.includes(path):
            beside = f"{path.rpartition('/')[0]}/{included}"
            why = f'write "{beside}", from the root' if tree.exists(beside) else refusal(path, included)
            if why is not None:
                found.append(f"{path}:{line}: includes {included}: {why}")
        part, room = split(path)
        if part == "core" and room not in ROOMS_BELOW:
            found.append(f"{path}:1: core/{room} is no known room: add it to ROOMS_BELOW in include_rule.py")
        if part == "core" and room in TORCH_FREE_ROOMS:
            chain = tree.torch_include(path)
            if chain is not None and len(chain) > 2:
                found.append(f"{path}:1: core/{room} is built without libtorch; {leads(chain)}")
    for name, path in torch_free_sources(tree):
        chain = tree.torch_include(path)
        if chain is not None and split(path)[1] not in TORCH_FREE_ROOMS:
            found.append(f"{path}:1: modelpatch_{name} is built without libtorch; {leads(chain)}")
    return found


# Each sample is one tree, and what its only violation must say (None: it is allowed).
SAMPLES = [
    ({"core/base/a.h": "#include <vector>\n",
      "core/tensor/b.cc": '#include "core/base/a.h"\n#include <torch/torch.h>\n'}, None),
    ({"core/base/a.cc": '\n#include "core/tensor/b.h"\n'},
     "core/base/a.cc:2: includes core/tensor/b.h: core/base may include only"),
    ({"core/serve/a.cc": '#include "core/train/b.h"\n'}, "core/serve may include only"),
    ({"core/train/a.cc": '#include "core/sched/b.h"\n'}, "core/train may include only"),
    ({"core/sched/a.cc": '#include "core/patch/b.h"\n'}, "core/sched may include only"),
    ({"core/patch/a.cc": '#include "server/b.h"\n'}, "core may not include server"),
    ({"core/patch/a.cc": '#include "proto/modelpatch/v1/resources.pb.h"\n'}, "core knows no gRPC"),
    ({"core/store/a.h": "#include <grpcpp/grpcpp.h>\n"}, "core knows no gRPC"),
    ({"core/data/a.cc": "#  include <ATen/core/Tensor.h>\n"}, "core/data is built without libtorch"),
    ({"core/sched/a.cc": '#include "core/tensor/b.h"\n', "core/tensor/b.h": "#include <c10/core/Device.h>\n"},
     "this leads to it: core/tensor/b.h -> c10/core/Device.h"),
    ({"core/tensor/a.h": "#include <torch/torch.h>\n"}, "large headers belong in .cc files"),
    ({"core/tensor/CMakeLists.txt": "modelpatch_library(format\n  SOURCES a.cc)\n",
      "core/tensor/a.cc": "#include <ATen/ATen.h>\n"},
     "modelpatch_format is built without libtorch"),
    ({"core/tensor/CMakeLists.txt": "modelpatch_library(t\n  SOURCES a.cc\n  TORCH)\n",
      "core/tensor/a.cc": "#include <ATen/ATen.h>\n"}, None),
    ({"client/a.cc": '#include "core/base/text.h"\n'}, "client rests on proto alone"),
    ({"server/a.cc": '#include "client/b.h"\n'}, "server may not include client"),
    ({"server/a.cc": '#include "core/serve/b.h"\n#include "proto/modelpatch/v1/resources.pb.h"\n'}, None),
    ({"tests/train/a.cc": '#include "server/b.h"\n'}, "tests/train must build without the server"),
    ({"tests/integration/a.cc": '#include "client/b.h"\n#include "core/base/c.h"\n'}, None),
    ({"core/base/a.cc": '#include "a.h"\n', "core/base/a.h": "\n"}, 'write "core/base/a.h", from the root'),
    ({"core/attic/a.cc": "\n"}, "core/attic is no known room"),
]


def self_test():
    failures = 0
    for files, expected in SAMPLES:
        found = violations(SourceTree("", files))
        right = not found if expected is None else len(found) == 1 and expected in found[0]
        if not right:
            failures += 1
            print(f"expected {expected or 'no violation'} of {files}\n     got {found}")
    print(f"include rule: {len(SAMPLES) - failures} of {len(SAMPLES)} samples judged rightly")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    tree = SourceTree(arguments[0])
    found = violations(tree)
    for violation in found:
        print(violation)
    count = len(tree.paths())
    if count == 0:
        print(f"no sources below {arguments[0]}: is this the project's root?")
        return 1
    print(f"include rule: {count} files, " + (f"{len(found)} violations" if found else "all in order"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
