#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No image of the machine touches vector registers (see check_no_vector)."""

import glob
import os

import tree
from check_no_vector import offending_lines
from machine import KERNEL
from mkarchive import GUEST


def main():
    images = sorted(glob.glob(os.path.join(GUEST, "bin", "*.elf")))
    if os.path.exists(KERNEL):
        images.append(KERNEL)
    problems = [f"{os.path.basename(image)}: {function}: {line}"
                for image in images
                for function, line in offending_lines(image)]
    tree.end(problems, f"{len(images)} images")


if __name__ == "__main__":
    main()
