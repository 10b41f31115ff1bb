#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages are well-formed."""

import re
import subprocess

import tree
from mkarchive import ROOT

PAGE = re.compile(r"\.[1-9]$")


def main():
    pages = [path for path in tree.files()
             if PAGE.search(path) and not path.startswith("tests/")]
    problems = []
    if pages:
        done = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning", *pages], cwd=ROOT,
            capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            problems = done.stdout.splitlines() or [done.stderr]
    tree.end(problems, f"{len(pages)} pages")


if __name__ == "__main__":
    main()
