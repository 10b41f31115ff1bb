#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The hosted library shows what its headers declare, and nothing else.

hosted/package/libbennu-ipc.map is the golden list of the functions that users
may call; a change of it is a change of the binary interface. It is held against
the installed headers and, when the package preset was built, against the shared
and the static library. --accept writes the list anew from the headers.
"""

import os
import re
import subprocess
import sys
import tempfile

import tree
from mkarchive import ROOT

FOLDER = "hosted/package"
HEADERS = os.path.join(FOLDER, "headers.txt")
MAP = os.path.join(FOLDER, "libbennu-ipc.map")
BUILT = os.path.join(ROOT, "build", "package", "lib")
VERSION = re.compile(r"^(\w+) \{$", re.M)
SYMBOL = re.compile(r"^\t\t(\w+);$", re.M)
DECLARED = re.compile(r"^/\* (?:\./)?(\S+):\d+:\w+ \*/ extern .*?\b(\w+) \(",
                      re.M)
INCLUDE = re.compile(r"^\s*#\s*include\s*<((?:abi|lib|idl)/[^>]+)>", re.M)


def headers():
    return tree.read_text(HEADERS).split()


def prototypes(header):
    """What gcc finds declared by a header, and by all that it includes."""
    with tempfile.NamedTemporaryFile("r", suffix=".aux") as output:
        subprocess.run(
            ["gcc", "-std=c17", "-I.", "-DBENNU_HOSTED", "-fsyntax-only",
             "-aux-info", output.name, "-x", "c", header],
            cwd=ROOT, check=True, stdin=subprocess.DEVNULL,
            capture_output=True)
        return output.read()


def declared(header):
    """Names of the functions that the header itself declares."""
    return {name for path, name in DECLARED.findall(prototypes(header))
            if path == header}


def all_declared():
    names = set()
    for header in headers():
        names |= declared(header)
    return names


def not_installed():
    """Headers that installed ones include but that are not installed."""
    every = set(headers())
    for header in sorted(every):
        for target in INCLUDE.findall(tree.read_text(header)):
            if target not in every:
                yield f"{HEADERS}: {header} includes {target}, which is " \
                      "not in the list"


def shown(library, options):
    """Symbols as (name, version or None) that a library defines for others."""
    listing = subprocess.run(
        ["nm", *options, "--defined-only", "--extern-only", "--format=posix",
         library], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) < 2 or fields[1] == "A":
            continue
        name, _, version = fields[0].partition("@@")
        yield name, version or None


def compare(expected, found, where):
    for name in sorted(expected - found):
        yield f"{where}: {name} is missing"
    for name in sorted(found - expected):
        yield f"{where}: {name} is not in {MAP}"


def library_problems(names, version):
    shared = os.path.join(BUILT, "libbennu-ipc.so")
    archive = os.path.join(BUILT, "libbennu-ipc.a")
    if not (os.path.exists(shared) and os.path.exists(archive)):
        return
    # A build from before the list changed says nothing; tools/package looks
    # at a fresh one.
    if os.path.getmtime(shared) < os.path.getmtime(os.path.join(ROOT, MAP)):
        return
    dynamic = dict(shown(shared, ["--dynamic", "--with-symbol-versions"]))
    yield from compare(names, set(dynamic), "libbennu-ipc.so")
    for name, found in sorted(dynamic.items()):
        if found != version:
            yield f"libbennu-ipc.so: {name} has the version {found}"
    yield from compare(names, {name for name, _ in shown(archive, [])},
                       "libbennu-ipc.a")


def accept(names):
    text = tree.read_text(MAP)
    first, last = SYMBOL.search(text), None
    for last in SYMBOL.finditer(text):
        pass
    body = "\n".join(f"\t\t{name};" for name in sorted(names))
    with open(os.path.join(ROOT, MAP), "w", encoding="utf-8") as file:
        file.write(text[:first.start()] + body + text[last.end():])


def main(argv):
    names = all_declared()
    if argv == ["--accept"]:
        accept(names)
        return
    text = tree.read_text(MAP)
    listed = SYMBOL.findall(text)
    versions = VERSION.findall(text)
    problems = list(not_installed())
    problems += compare(names, set(listed), MAP)
    if listed != sorted(listed):
        problems.append(f"{MAP}: not in order")
    if len(versions) != 1:
        problems.append(f"{MAP}: one version node expected")
    problems += library_problems(set(listed), versions[0])
    tree.end(problems, f"{len(listed)} functions in {len(headers())} headers")


if __name__ == "__main__":
    main(sys.argv[1:])
