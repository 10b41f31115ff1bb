#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every source file is part of some preset: none rots unseen."""

import fcntl
import json
import os
import subprocess

import tree
from mkarchive import ROOT

PRESETS = ("guest", "guest-debug", "host-asan", "fuzz")


def configure(preset):
    """Looks at the build files anew, one process at a time per folder."""
    folder = os.path.join(ROOT, "build", preset)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, ".lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            ["cmake", "--preset", preset], cwd=ROOT, capture_output=True,
            text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        tree.end([f"preset {preset} cannot be configured", done.stderr], "")


def sources(preset):
    folder = os.path.join(ROOT, "build", preset)
    database = os.path.join(folder, "compile_commands.json")
    if os.path.exists(database):
        with open(database, encoding="utf-8") as file:
            for entry in json.load(file):
                yield entry["file"]
    with open(os.path.join(folder, "sources.list"), encoding="utf-8") as file:
        yield from file.read().split()


def main():
    compiled = set()
    for preset in PRESETS:
        configure(preset)
        compiled.update(os.path.relpath(path, ROOT)
                        for path in sources(preset))
    # A stand-in that only trees without services/init use.
    compiled.add("cmake/init_stub.S")
    every = tree.files(".c", ".S")
    tree.end([f"{path}: part of no preset" for path in every
              if path not in compiled], f"{len(every)} sources")


if __name__ == "__main__":
    main()
