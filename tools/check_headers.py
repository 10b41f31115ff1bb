#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles alone: it includes what it uses."""

import concurrent.futures
import glob
import os
import subprocess

import tree
from mkarchive import ROOT

GUEST = ["-ffreestanding", "-mgeneral-regs-only", "-fno-pie"]
# What the interface compiler makes of idl/.
GENERATED = "build/guest/generated"
STRICT = ["-Wextra", "-Wno-unused-parameter", "-Wshadow", "-Wvla", "-Werror"]
HOSTED = ["-DBENNU_HOSTED", "-D_GNU_SOURCE"]


def flags(path):
    if path.startswith(GENERATED):
        return GUEST + STRICT
    if tree.is_hosted(path):
        return HOSTED + (["-Ikernel/arch/host"]
                         if path.startswith("kernel/") else [])
    if path.startswith(("kernel/", "boot/")):
        return GUEST + ["-mcmodel=kernel", "-Ikernel/arch/x86_64"]
    return GUEST


def compile_alone(path):
    """Returns the first complaint, or None."""
    done = subprocess.run(
        ["gcc", "-std=c17", "-fsyntax-only", "-Wall", "-Wno-unused",
         f"-I{GENERATED}", "-I.", *flags(path), "-x", "c", "-include", path,
         os.devnull], cwd=ROOT,
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    return f"{path}: {(errors or [done.stderr])[0]}"


def main():
    headers = [path for path in tree.files(".h")
               if not path.startswith("tests/programs/")]
    headers += sorted(os.path.relpath(path, ROOT) for path in glob.glob(
        os.path.join(ROOT, GENERATED, "idl", "*.h")))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(compile_alone, headers))
    tree.end([problem for problem in results if problem],
             f"{len(headers)} headers")


if __name__ == "__main__":
    main()
