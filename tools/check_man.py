#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages are well-formed, and each system call has one."""

import os
import re
import subprocess

import tree
from mkarchive import ROOT

PAGE = re.compile(r"\.[1-9]$")
CALL = re.compile(r"^#define\s+SYS_(\w+)\s+(\d+)\b", re.M)
TITLE = re.compile(r"^\.Dt (\S+) 2$", re.M)
SYNOPSIS = re.compile(r"^Call SYS_(\w+) \((\d+)\)$", re.M)


def lint(pages):
    """Returns what mandoc has to say about the pages."""
    if not pages:
        return []
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *pages], cwd=ROOT,
        capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return []
    return done.stdout.splitlines() or [done.stderr]


def match(calls, pages):
    """calls: {name: number}. pages: {path: text} of section 2."""
    problems, described = [], set()
    for path, text in pages.items():
        name = os.path.basename(path)[:-2].upper()
        described.add(name)
        if name not in calls:
            problems.append(f"{path}: there is no SYS_{name}")
            continue
        if TITLE.findall(text) != [name]:
            problems.append(f"{path}: the title is not {name} 2")
        if SYNOPSIS.findall(text) != [(name, calls[name])]:
            problems.append(f"{path}: no line 'Call SYS_{name} "
                            f"({calls[name]})'")
    problems += [f"docs/man/{name.lower()}.2 is missing"
                 for name in calls if name not in described]
    return problems


def main():
    pages = [path for path in tree.files()
             if PAGE.search(path) and not path.startswith("tests/")]
    calls = dict(CALL.findall(tree.read_text("abi/syscall.h")))
    problems = [] if calls else ["abi/syscall.h: no calls found"]
    problems += lint(pages)
    problems += match(calls, {path: tree.read_text(path) for path in pages
                              if path.startswith("docs/man/")
                              and path.endswith(".2")})
    tree.end(problems, f"{len(pages)} pages, {len(calls)} system calls")


if __name__ == "__main__":
    main()
