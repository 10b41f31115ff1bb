#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ran of the kernel: reads what `./bennu run --coverage FILE` wrote.

A debug kernel notes each basic block that ran and prints their return addresses
at its end, as offsets from the start of the image. All there are can be seen in
the image: the calls of __sanitizer_cov_trace_pc. Several files add up.
"""

import argparse
import collections
import re
import subprocess
import sys

from machine import DEBUG_KERNEL

MARK = b"coverage: "
END = b"end"
IMAGE_START = 0xffffffff80100000
HOOK = re.compile(r"^\s*([0-9a-f]+):\s+call\s.*<__sanitizer_cov_trace_pc>$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s")
BUILD_FOLDER = re.compile(r"^build/[^/]+/")


class CoverageLines:
    """Takes the lines about coverage out of the kernel's log."""

    def __init__(self):
        self.partial = b""
        self.offsets = set()
        self.complete = False

    def take(self, data):
        """Returns the rest of the log; keeps a line that may be ours."""
        lines = (self.partial + data).split(b"\n")
        self.partial = b""
        last = lines.pop()
        if last.startswith(MARK) or MARK.startswith(last):
            self.partial, last = last, b""
        others = [line for line in lines if not self.take_line(line)]
        return b"".join(line + b"\n" for line in others) + last

    def take_line(self, line):
        if not line.startswith(MARK):
            return False
        for word in line[len(MARK):].split():
            if word == END:
                self.complete = True
            else:
                self.offsets.add(int(word, 16))
        self.offsets.discard(0)
        return True

    def write(self, path):
        """Returns whether all of it came."""
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{IMAGE_START + offset:#x}\n"
                            for offset in sorted(self.offsets))
        return self.complete


def blocks(image):
    """Return addresses of all calls of the hook."""
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", image], check=True,
        capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout
    found, called = [], False
    for line in listing.splitlines():
        instruction = INSTRUCTION.match(line)
        if called and instruction:
            found.append(int(instruction.group(1), 16))
            called = False
        called = called or HOOK.match(line) is not None
    return found


def places(image, addresses):
    """Returns {address: (file, line, function)} of the calls."""
    out = subprocess.run(
        ["addr2line", "-f", "-e", image], check=True, capture_output=True,
        text=True, input="".join(f"{address - 1:#x}\n"
                                 for address in addresses)).stdout.split("\n")
    result = {}
    for number, address in enumerate(addresses):
        function, place = out[2 * number:2 * number + 2]
        file, _, line = place.split(" ")[0].rpartition(":")
        result[address] = (BUILD_FOLDER.sub("", file), line, function)
    return result


class Count:
    """Covered and all of one kind."""

    def __init__(self):
        self.covered, self.all = set(), set()

    def add(self, item, covered):
        self.all.add(item)
        if covered:
            self.covered.add(item)

    def text(self):
        share = 100 * len(self.covered) // max(1, len(self.all))
        return f"{len(self.covered):5}/{len(self.all):<5}{share:4}%"


def count(where, ran):
    """Returns {file: (blocks, lines, functions)}, the sum under "total"."""
    files = collections.defaultdict(lambda: (Count(), Count(), Count()))
    for address, (file, line, function) in where.items():
        for name in (file, "total"):
            for counter, item in zip(
                    files[name], (address, (file, line), (file, function))):
                counter.add(item, address in ran)
    return files


def report(files, missed):
    print(f"{'blocks':>16} {'lines':>16} {'functions':>16}  file")
    for name in sorted(files, key=lambda name: (name == "total", name)):
        print(" ".join(f"{counter.text():>16}" for counter in files[name])
              + f"  {name}")
        functions = files[name][2]
        if missed and name != "total":
            for _, function in sorted(functions.all - functions.covered):
                print(f"{'':52}  never ran: {function}")


def main():
    parser = argparse.ArgumentParser(
        prog="tools/coverage.py", description=__doc__.split("\n")[0])
    parser.add_argument("--kernel", default=DEBUG_KERNEL, metavar="ELF")
    parser.add_argument("--missed", action="store_true",
                        help="name the functions that never ran")
    parser.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    ran = set()
    for path in arguments.files:
        with open(path, encoding="ascii") as file:
            ran.update(int(line, 16) for line in file)
    every = blocks(arguments.kernel)
    strange = ran - set(every)
    if strange:
        sys.exit(f"coverage: {len(strange)} addresses are no blocks of "
                 f"{arguments.kernel}; is it another build?")
    report(count(places(arguments.kernel, every), ran), arguments.missed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
