#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nobody packs messages by hand: words and tags are the generator's.

Who moves messages without knowing what is in them may name their type: the
transport of the libOS and the benchmark of bare calls.
"""

import re

import tree

AREAS = ("services/", "drivers/", "personality/", "commands/", "lib/")
TRANSPORT = ("lib/sys/", "lib/wire/", "lib/service/", "services/bench/")
WORD = re.compile(r"message(?:->|\.)word\[|\bTAG_REPLY_\w+")
TAG = re.compile(r"^#define\s+\w+\s+0x0[0-9a-f]{3}\b.*->", re.M)
MESSAGE = re.compile(r"\bstruct message\b")
CARRIERS = ("personality/service.c",)


def problems_of(path, text):
    """Yields what is wrong in one file."""
    for number, line in enumerate(text.split("\n"), 1):
        if path not in CARRIERS and MESSAGE.search(line):
            yield f"{path}:{number}: a message, use the generated functions"
        elif path not in CARRIERS and WORD.search(line):
            yield f"{path}:{number}: a word of a message by hand"


def checked(path):
    return (path.startswith(AREAS) and not path.startswith(TRANSPORT)
            and not tree.is_test(path))


def main():
    problems, count = [], 0
    for path in tree.files(".c", ".h"):
        text = tree.read_text(path)
        if path.startswith("idl/") and TAG.search(text):
            problems.append(f"{path}: requests belong in a schema")
        if checked(path):
            count += 1
            problems.extend(problems_of(path, text))
    tree.end(problems, f"{count} files without a word of a message")


if __name__ == "__main__":
    main()
