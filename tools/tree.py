# SPDX-License-Identifier: MIT
"""What the checks share: the files of the tree, and how a check ends."""

import os
import subprocess
import sys

from mkarchive import ROOT

C_FILES = (".c", ".h", ".S")


def read_text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8",
              errors="replace") as file:
        return file.read()


def files(*suffixes, under=""):
    """Paths from the root of all files of the project, new ones included."""
    out = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "-c", "-o",
         "--exclude-standard", "--", under or "."],
        check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout
    names = {os.fsdecode(name) for name in out.split(b"\0") if name}
    return sorted(name for name in names
                  if (not suffixes or name.endswith(suffixes))
                  and os.path.isfile(os.path.join(ROOT, name)))


def is_test(path):
    return path.endswith(("_test.c", "_fuzz.c")) or path.startswith("tests/")


def is_hosted(path):
    """Code that runs as a Linux program and may use its C library."""
    return (is_test(path) or path.startswith(("kernel/arch/host/", "hosted/",
                                              "lib/ktap/", "lib/test/"))
            or path.endswith(("_host.c", "_host.h"))
            or "/host/" in path or "/hosted/" in path)


def end(problems, fine):
    """Prints the problems, or what was found fine; ends the check."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{len(problems)} problems")
        sys.exit(1)
    print(fine)
    sys.exit(0)
