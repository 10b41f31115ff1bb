#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The protocols are those that a review has seen.

build/PRESET/generated/golden/NAME.txt, made from idl/NAME.capnp, must equal
idl/golden/NAME.txt. With --accept the new ones replace the old.
"""

import difflib
import glob
import os
import sys

import tree
from mkarchive import ROOT

GENERATED = os.path.join(ROOT, "build", "guest", "generated", "golden")
GOLDEN = os.path.join(ROOT, "idl", "golden")


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def difference(name, old, new):
    """What a review has to look at."""
    if old is None:
        return [f"idl/golden/{name} is missing"]
    if new is None:
        return [f"idl/golden/{name}: there is no such interface"]
    return [line.rstrip("\n") for line in difflib.unified_diff(
        old.splitlines(True), new.splitlines(True),
        f"idl/golden/{name}", f"generated/golden/{name}", n=0)]


def accept(names):
    os.makedirs(GOLDEN, exist_ok=True)
    for name in names:
        new = read(os.path.join(GENERATED, name))
        path = os.path.join(GOLDEN, name)
        if new is None:
            os.remove(path)
        elif new != read(path):
            with open(path, "w", encoding="utf-8") as file:
                file.write(new)
            print(f"accepted idl/golden/{name}")


def main():
    names = sorted({os.path.basename(path) for folder in (GENERATED, GOLDEN)
                    for path in glob.glob(os.path.join(folder, "*.txt"))})
    if not os.path.isdir(GENERATED):
        tree.end(["build the guest first: ./bennu build"], "")
    if sys.argv[1:] == ["--accept"]:
        accept(names)
    problems = []
    for name in names:
        problems += difference(name, read(os.path.join(GOLDEN, name)),
                               read(os.path.join(GENERATED, name)))
    if problems:
        problems.append("if that is meant: tools/check_interfaces.py --accept,"
                        " and say in the commit what callers have to do")
    tree.end(problems, f"{len(names)} interfaces")


if __name__ == "__main__":
    main()
