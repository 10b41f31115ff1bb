#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every source names its licence, and no file names a place of one machine."""

import os
import re

import tree

SOURCES = (".c", ".h", ".S", ".ld", ".py", ".cmake", ".sh", ".toml", ".pml",
           "CMakeLists.txt")
SCRIPTS = ("bennu", ".ci/run")
TAG = "SPDX-License-Identifier: MIT"
# Written so that this file does not match itself.
PLACES = re.compile(r"(?<![\w.}])/(?:wor[k]|hom[e])/[a-z]")


def needs_licence(path):
    return path in SCRIPTS or os.path.basename(path).endswith(SOURCES)


def main():
    problems = []
    every = tree.files()
    for path in every:
        text = tree.read_text(path)
        if needs_licence(path) and TAG not in "".join(
                text.splitlines(True)[:5]):
            problems.append(f"{path}: no line '{TAG}' at the top")
        for number, line in enumerate(text.splitlines(), 1):
            if PLACES.search(line):
                problems.append(f"{path}:{number}: names a place of one "
                                f"machine")
    tree.end(problems, f"{len(every)} files")


if __name__ == "__main__":
    main()
