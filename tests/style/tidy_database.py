#!/usr/bin/env python3
"""Prepares clang-tidy: prints the sources that it can check and has not passed yet, and writes their compile commands.

    tidy_database.py ROOT BUILD_DIR OUT_DIR                 prints one path a line; `clang-tidy -p OUT_DIR` checks it
    tidy_database.py ROOT BUILD_DIR OUT_DIR --passed PATH   remembers that PATH passed, as it and its headers are now

Left out are tests and what includes libtorch: clang cannot compile libtorch 1.13's headers as C++20. The compile
commands are those of the build with g++, less its precompiled header, plus clang's thread-safety analysis.
"""

import hashlib
import json
import os
import shlex
import sys

from source_tree import SourceTree

CHECKED_FOLDERS = ("core/", "server/", "client/")
TORCH_NAMES = ("torch::", "c10::", "at::Tensor(", "at::empty")


def clang_command(command):
    words = shlex.split(command)
    if "ccache" in " ".join(words[:8]):
        words = words[next(i for i, word in enumerate(words) if word.endswith("ccache")) + 1:]
    kept = []
    skip = 0
    for i, word in enumerate(words):
        if skip:
            skip -= 1
        elif word == "-include" and "cmake_pch" in words[i + 1]:
            skip = 1
        elif word not in ("-fpch-preprocess", "-Winvalid-pch"):
            kept.append(word)
    return kept + ["-Wthread-safety"]


def fingerprint(tree, path, command):
    digest = hashlib.sha256(" ".join(command).encode())
    for file in [".clang-tidy"] + sorted(tree.closure(path)):
        digest.update(file.encode() + b"\0" + tree.text(file).encode() + b"\0")
    return digest.hexdigest()


def main(arguments):
    root, build, out = (os.path.abspath(argument) for argument in arguments[:3])
    tree = SourceTree(root)
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = {os.path.relpath(entry["file"], root): entry for entry in json.load(file)}
    commands = {}
    for path, entry in sorted(entries.items()):
        if not path.startswith(CHECKED_FOLDERS) or not tree.exists(path) or tree.torch_include(path) is not None:
            continue
        if not any(name in tree.text(path) for name in TORCH_NAMES):
            commands[path] = clang_command(entry["command"])

    stamps = os.path.join(out, "passed")
    os.makedirs(stamps, exist_ok=True)

    def stamp(path):
        return os.path.join(stamps, fingerprint(tree, path, commands[path]))

    if arguments[3:4] == ["--passed"]:
        open(stamp(os.path.relpath(arguments[4], root)), "w", encoding="utf-8").close()
        return
    database = [{"directory": entries[path]["directory"], "file": os.path.join(root, path), "arguments": command}
                for path, command in commands.items()]
    with open(os.path.join(out, "compile_commands.json"), "w", encoding="utf-8") as file:
        json.dump(database, file, indent=1)
    waiting = [path for path in commands if not os.path.exists(stamp(path))]
    print(f"clang-tidy: {len(commands)} files without libtorch, {len(waiting)} to check", file=sys.stderr)
    print("\n".join(waiting))


if __name__ == "__main__":
    main(sys.argv[1:])
