#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu doctor: one line about each thing the project needs of a machine.

The arguments are the names of missing packages.
"""

import os
import re
import shutil
import subprocess
import sys

from mkarchive import ROOT

DISK_MB = 2000
MEMORY_MB = 2000


def first_line(argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0] if done.returncode == 0 and lines else None


def check_version(name, argv, least):
    line = first_line(argv)
    if line is None:
        return False, f"{name}: does not run"
    match = re.search(r"\d+\.\d+(?:\.\d+)?", line)
    version = tuple(int(n) for n in match.group(0).split(".")) if match \
        else (0,)
    text = f"{name}: {match.group(0) if match else line}"
    if version < least:
        wanted = ".".join(str(n) for n in least)
        return False, f"{text}, {wanted} or later needed"
    return True, text


def check_accelerator():
    try:
        out = subprocess.run(["qemu-system-x86_64", "-accel", "help"],
                             capture_output=True, text=True, timeout=20,
                             stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False, "emulator: QEMU does not run"
    if "tcg" not in out.split():
        return False, "emulator: QEMU was built without TCG"
    return True, "emulator: TCG (hardware virtualisation is not used)"


def amount(have, want):
    """Too little may still do, so it is no failure."""
    return True if have >= want else None


def check_disk():
    free = shutil.disk_usage(ROOT).free // (1 << 20)
    return amount(free, DISK_MB), f"disk: {free} MB free"


def check_memory():
    with open("/proc/meminfo", encoding="ascii") as file:
        match = re.search(r"MemAvailable:\s+(\d+)", file.read())
    free = int(match.group(1)) // 1024 if match else 0
    return amount(free, MEMORY_MB), f"memory: {free} MB available"


def check_packages(missing):
    if missing:
        return False, "packages: missing " + " ".join(missing)
    if not shutil.which("dpkg-query"):
        return True, "packages: not a Debian system, not checked"
    return True, "packages: all installed"


def main(missing):
    results = [
        check_packages(missing),
        check_version("gcc", ["gcc", "--version"], (12,)),
        check_version("clang", ["clang", "--version"], (14,)),
        check_version("cmake", ["cmake", "--version"], (3, 25)),
        check_version("ninja", ["ninja", "--version"], (1, 10)),
        check_version("python3", [sys.executable, "--version"], (3, 11)),
        check_version("gdb", ["gdb", "--version"], (12,)),
        check_version("qemu", ["qemu-system-x86_64", "--version"], (7, 2)),
        check_accelerator(),
        (True, f"processors: {os.cpu_count()}"),
        check_memory(),
        check_disk(),
    ]
    for good, text in results:
        print({True: "ok    ", None: "low   ", False: "FAIL  "}[good] + text)
    return 1 if any(good is False for good, _ in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
