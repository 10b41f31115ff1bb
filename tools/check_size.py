#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Functions and files stay short enough to read in one go."""

import json
import os
import subprocess

import tree
from mkarchive import ROOT

FUNCTION_MAX = 100
FUNCTION_WARN = 60
FILE_MAX = 800
CODE = (".c", ".h", ".S", ".py", ".cmake", ".pml")


def functions(paths):
    """Yields (path, name, lines) for each C function."""
    if not paths:
        return
    out = subprocess.run(
        ["ctags", "--output-format=json", "--fields=+ne", "--c-kinds=f",
         "-f", "-", "-L", "-"], cwd=ROOT, input="\n".join(paths),
        check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "end" in tag:
            yield tag["path"], tag["name"], tag["end"] - tag["line"] + 1


def main():
    problems, long_ones = [], 0
    code = tree.files(*CODE)
    for path in code:
        lines = tree.read_text(path).count("\n")
        if lines > FILE_MAX:
            problems.append(f"{path}: {lines} lines, {FILE_MAX} allowed")
    count = 0
    for path, name, lines in functions(
            [path for path in code if path.endswith((".c", ".h"))]):
        count += 1
        if lines > FUNCTION_MAX:
            problems.append(f"{path}: {name} has {lines} lines, "
                            f"{FUNCTION_MAX} allowed")
        elif lines > FUNCTION_WARN:
            long_ones += 1
            print(f"warning: {path}: {name} has {lines} lines")
    tree.end(problems, f"{count} functions in {len(code)} files, "
             f"{long_ones} of more than {FUNCTION_WARN} lines")


if __name__ == "__main__":
    main()
