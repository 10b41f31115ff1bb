#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kernel stays small: lines of code, bytes of code, bytes of boot stage."""

import os
import re
import subprocess

import tree
from machine import KERNEL

LINES_MAX = 10000           # fewer than
BOOT_LINES_MAX = 1500       # of files that are boot stage as a whole
KERNEL_BYTES_MAX = 50000    # .text and .rodata
BOOT_BYTES_MAX = 16384      # thrown away after boot
# Checks that only debug kernels have: no release image holds any of it.
DEBUG = "kernel/debug/"
DEBUG_LINES_MAX = 350
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'
                   r"'(?:\\.|[^'\\\n])*'", re.S)
SECTION = re.compile(r"^\s*\[\s*\d+\]\s+(\S+)\s+(\S+)\s+[0-9a-f]+\s+"
                     r"[0-9a-f]+\s+([0-9a-f]+)", re.M)


def without_comments(text):
    def replace(match):
        token = match.group(0)
        return token if token[0] in "\"'" else "\n" * token.count("\n") + " "
    return TOKEN.sub(replace, text)


def code_lines(text):
    return sum(1 for line in without_comments(text).splitlines()
               if line.strip())


def is_boot_stage(path, text):
    """Whether all that the file defines is thrown away after boot."""
    if path.endswith(".S"):
        sections = re.findall(r"^\s*\.(?:section\s+(\S+)|text\b|data\b)",
                              text, re.M)
        return bool(sections) and all(name.startswith(".boot")
                                      for name in sections)
    functions = re.findall(r"^(.*)\n[a-z_0-9]+\(", without_comments(text), re.M)
    return bool(functions) and all("BOOT_CODE" in head for head in functions)


def kernel_lines():
    """Returns (kernel, boot stage, what only debug kernels have)."""
    kernel = boot = debug = 0
    for path in tree.files(*tree.C_FILES, ".ld"):
        if tree.is_hosted(path):
            continue
        if path.startswith(DEBUG):
            debug += code_lines(tree.read_text(path))
        elif path.startswith(("kernel/", "boot/")):
            text = tree.read_text(path)
            if is_boot_stage(path, text):
                boot += code_lines(text)
            else:
                kernel += code_lines(text)
    return kernel, boot, debug


def image_bytes(image):
    """Returns (kernel, boot stage) in bytes."""
    listing = subprocess.run(["readelf", "-SW", image], check=True,
                             capture_output=True, text=True).stdout
    kernel = boot = 0
    for name, kind, size in SECTION.findall(listing):
        if name.startswith(".boot") and kind != "NOBITS":
            boot += int(size, 16)
        elif name.startswith((".text", ".rodata")):
            kernel += int(size, 16)
    return kernel, boot


def main():
    problems = []
    lines, boot_lines, debug_lines = kernel_lines()
    if lines >= LINES_MAX:
        problems.append(f"{lines} code lines in kernel/ and boot/, "
                        f"fewer than {LINES_MAX} allowed")
    if boot_lines >= BOOT_LINES_MAX:
        problems.append(f"{boot_lines} code lines of the boot stage, "
                        f"fewer than {BOOT_LINES_MAX} allowed")
    if debug_lines >= DEBUG_LINES_MAX:
        problems.append(f"{debug_lines} code lines in {DEBUG}, "
                        f"fewer than {DEBUG_LINES_MAX} allowed")
    fine = (f"{lines} code lines, {boot_lines} of the boot stage, "
            f"{debug_lines} of debug kernels")
    if os.path.exists(KERNEL):
        kernel, boot = image_bytes(KERNEL)
        fine += f", {kernel} bytes of kernel, {boot} of boot stage"
        if kernel > KERNEL_BYTES_MAX:
            problems.append(f"{kernel} bytes of kernel .text and .rodata, "
                            f"{KERNEL_BYTES_MAX} allowed")
        if boot > BOOT_BYTES_MAX:
            problems.append(f"{boot} bytes of boot stage, "
                            f"{BOOT_BYTES_MAX} allowed")
    tree.end(problems, fine)


if __name__ == "__main__":
    main()
