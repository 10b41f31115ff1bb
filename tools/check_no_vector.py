#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails if an ELF file holds instructions on vector or x87 registers.

Services and the kernel keep the vector state of the calling program in the
registers; one stray SSE copy would corrupt it. Saving and restoring that state
(XSAVE and friends) names no such register and is allowed.
"""

import re
import subprocess
import sys

VECTOR = re.compile(r"%(?:[xyzt]mm\d|mm[0-7]|st\b|k[0-7]\b)")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")


def offending_lines(path):
    """Yields (function, instruction) for each use of a vector register."""
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", path],
        check=True, capture_output=True, text=True).stdout
    function = "?"
    for line in listing.splitlines():
        match = FUNCTION.match(line)
        if match:
            function = match.group(1)
        elif VECTOR.search(line):
            yield function, line.strip()


def main(paths):
    bad = 0
    for path in paths:
        for function, line in offending_lines(path):
            if bad < 10:
                print(f"{path}: {function}: {line}", file=sys.stderr)
            bad += 1
    if bad:
        print(f"{bad} instructions use vector registers", file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
