"""What the include rule and the lint share: the project's C++ files, and who includes whom."""

import functools
import os
import re

FOLDERS = ("core", "server", "client", "tests")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
TORCH = re.compile(r"^(torch|ATen|c10|caffe2)/")


class SourceTree:
    """The files below `root`, or those of `files` (path -> text) for the tests of the rule itself."""

    def __init__(self, root, files=None):
        self.root = root
        self._files = files

    def paths(self, suffixes=(".h", ".cc")):
        if self._files is not None:
            return sorted(path for path in self._files if path.endswith(suffixes))
        found = []
        for folder in FOLDERS:
            for directory, _, names in os.walk(os.path.join(self.root, folder)):
                inside = os.path.relpath(directory, self.root)
                found += [f"{inside}/{name}" for name in names if name.endswith(suffixes)]
        return sorted(found)

    def exists(self, path):
        return path in self._files if self._files is not None else os.path.isfile(os.path.join(self.root, path))

    def text(self, path):
        if self._files is not None:
            return self._files[path]
        with open(os.path.join(self.root, path), encoding="utf-8") as file:
            return file.read()

    @functools.lru_cache(maxsize=None)
    def includes(self, path):
        """[(line, included path)] of one file, as written."""
        text = self.text(path)
        return [(text.count("\n", 0, match.start(2)) + 1, match.group(2)) for match in INCLUDE.finditer(text)]

    def closure(self, path):
        """The project's files that `path` includes, at any depth, each with the one that led to it; itself first."""
        came_from = {path: None}
        waiting = [path]
        while waiting:
            current = waiting.pop()
            for _, included in self.includes(current):
                if included not in came_from and self.exists(included):
                    came_from[included] = current
                    waiting.append(included)
        return came_from

    def torch_include(self, path):
        """How `path` comes to include a libtorch header: the chain of files, ending with that header; or None."""
        came_from = self.closure(path)
        for file in came_from:
            for _, included in self.includes(file):
                if TORCH.match(included):
                    chain = [included]
                    while file is not None:
                        chain.append(file)
                        file = came_from[file]
                    return chain[::-1]
        return None
