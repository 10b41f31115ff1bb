#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual pages are well-formed, each system call and each function of the
hosted library has one, and each option at boot has a line.
"""

import glob
import os
import re
import subprocess

import check_man_functions
import tree
from mkarchive import OPTIONAL, ROOT

PAGE = re.compile(r"\.[1-9]$")
CALL = re.compile(r"^#define\s+SYS_(\w+)\s+(\d+)\b", re.M)
TITLE = re.compile(r"^\.Dt (\S+) 2$", re.M)
SYNOPSIS = re.compile(r"^Call SYS_(\w+) \((\d+)\)$", re.M)
BOOT_OPTION = re.compile(r'\b(?:service|archive)_option\("(\w+)"')
KERNEL_OPTION = re.compile(r'^\t\[OPTION_\w+\] = \{ "(\w+)="', re.M)
DESCRIBED_OPTION = re.compile(r"^\.It Cm ([\w.]+) Ns =", re.M)
GENERATED = "build/guest/generated/man"     # from idl/
BOOT_PAGE = "docs/man/bennu-boot.7"
KERNEL_PAGE = "docs/man/bennu-kernel.7"
KERNEL_OPTIONS = "kernel/debug/options.c"


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


def option_problems(path, text, options):
    """The page names each option that the code has, and no other."""
    described = set(DESCRIBED_OPTION.findall(text))
    if not options:
        yield f"{path}: the code has no options"
    for name in sorted(described - options):
        yield f"{path}: nothing reads the option {name}"
    for name in sorted(options - described):
        yield f"{path}: the option {name} is missing"


def boot_options():
    """What a service asks for, and what starts one."""
    options = set().union(*OPTIONAL.values())
    for path in tree.files(".c"):
        if not tree.is_test(path):
            options |= set(BOOT_OPTION.findall(tree.read_text(path)))
    return options


def main():
    pages = [path for path in tree.files()
             if PAGE.search(path) and not path.startswith("tests/")]
    made = sorted(glob.glob(os.path.join(ROOT, GENERATED, "*.3")))
    calls = dict(CALL.findall(tree.read_text("abi/syscall.h")))
    problems = [] if calls else ["abi/syscall.h: no calls found"]
    problems += lint(pages + made)
    problems += match(calls, {path: tree.read_text(path) for path in pages
                              if os.path.dirname(path) == "docs/man"
                              and path.endswith(".2")})
    problems += check_man_functions.problems(
        {path: tree.read_text(path) for path in pages
         if path.startswith("docs/man/") and path.endswith(".3")})
    boot = boot_options()
    kernel = set(KERNEL_OPTION.findall(tree.read_text(KERNEL_OPTIONS)))
    problems += option_problems(BOOT_PAGE, tree.read_text(BOOT_PAGE), boot)
    problems += option_problems(KERNEL_PAGE, tree.read_text(KERNEL_PAGE),
                                kernel)
    tree.end(problems, f"{len(pages)} pages, {len(made)} of protocols, {len(calls)} system calls, "
             f"{len(boot | kernel)} options")


if __name__ == "__main__":
    main()
