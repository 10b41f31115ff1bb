#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Structs and enums of the installed headers are as hosted/package/layouts.txt
says: with the functions of libbennu-ipc.map that is the binary interface of the
hosted library. --accept writes the file anew.
"""

import difflib
import json
import os
import subprocess
import sys
import tempfile

import check_exports
import tree
from mkarchive import ROOT

GOLDEN = os.path.join(check_exports.FOLDER, "layouts.txt")


def tags(headers):
    """Yields (kind, name, struct or None), in the order of the text."""
    out = subprocess.run(
        ["ctags", "--output-format=json", "--fields=+nsK", "--sort=no",
         "--c-kinds=sme", "-f", "-", "--language-force=C", *headers],
        cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for line in out.splitlines():
        tag = json.loads(line)
        if tag.get("_type") == "tag" and "__anon" not in tag.get("scope", ""):
            yield tag["kind"], tag["name"], tag.get("scope")


def program(headers):
    """C that prints a line for each struct, member and enumerator."""
    lines = [f"#include <{header}>" for header in headers]
    lines += ["#include <stdio.h>", "#include <stddef.h>",
              "int main(void) {"]
    for kind, name, scope in tags(headers):
        if kind == "struct":
            lines.append(f'printf("struct {name} size %zu align %zu\\n", '
                         f"sizeof(struct {name}), "
                         f"_Alignof(struct {name}));")
        elif kind == "member":
            lines.append(
                f'printf("struct {scope} %s at %zu size %zu\\n", "{name}", '
                f"offsetof(struct {scope}, {name}), "
                f"sizeof(((struct {scope} *)0)->{name}));")
        elif kind == "enumerator":
            lines.append(f'printf("{name} %d\\n", (int){name});')
    return "\n".join(lines + ["}", ""])


def layouts(headers):
    with tempfile.TemporaryDirectory() as folder:
        binary = os.path.join(folder, "layouts")
        subprocess.run(["gcc", "-std=c17", "-I.", "-DBENNU_HOSTED", "-x", "c",
                        "-", "-o", binary], cwd=ROOT, check=True, text=True,
                       input=program(headers))
        out = subprocess.run([binary], check=True, capture_output=True,
                             text=True).stdout
    return sorted(set(out.splitlines()))


def main(argv):
    found = layouts(check_exports.headers())
    path = os.path.join(ROOT, GOLDEN)
    if argv == ["--accept"]:
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(found) + "\n")
        return
    expected = tree.read_text(GOLDEN).splitlines()
    problems = [f"{GOLDEN}: {line}" for line in difflib.unified_diff(
        expected, found, "golden", "headers", lineterm="", n=0)]
    tree.end(problems, f"{len(found)} structs, members and enumerators")


if __name__ == "__main__":
    main(sys.argv[1:])
