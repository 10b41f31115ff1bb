#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Dependencies point down, and the portable kernel knows no architecture.

    abi <- kernel
    abi, idl <- lib/sys <- lib/service <- services, drivers, commands

Engines (all other libraries) never include lib/sys or lib/service. Only the
kernel includes kernel/. A service includes no other service. Code that runs in
the machine uses the headers of the compiler and <string.h>, nothing else;
commands and test programs are ordinary POSIX programs.
"""

import re

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:el)?if(?:n?def)?\b.*"
                       r"(?:__x86_64|__aarch64|__riscv|__powerpc|__linux"
                       r"|BENNU_HOSTED|ARCH)", re.M)
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h",
                "stdatomic.h", "stdalign.h", "stdnoreturn.h", "limits.h",
                "string.h", "cpuid.h"}
AREAS = ("abi", "boot", "kernel", "idl", "lib", "services", "drivers",
         "personality", "commands", "tests", "hosted", "lisp")
# Libraries that stand on the system, and what they may include of it. Those
# not named are engines: pure, with injected input and output.
SYSTEM_LIBRARIES = {
    "lib/sys": {"lib/sys"},
    "lib/arena": {"lib/sys", "lib/arena"},
    "lib/service": {"lib/sys", "lib/service"},
    "lib/place": {"lib/sys"},
    "lib/peer": {"lib/sys"},
    "lib/wire": {"lib/sys", "lib/service"},
    "lib/channel/guest": {"lib/sys"},
}
USERS = ("services", "drivers", "personality", "commands")


def component(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def library_allows(own, target):
    # Generated calls and dispatchers stand on the system; codecs do not.
    if target.startswith("idl/") and target.endswith(("_client.h",
                                                      "_server.h")):
        return own in SYSTEM_LIBRARIES
    if not target.startswith("lib/"):
        return target.startswith(("abi/", "idl/"))
    other = component(target)
    if other not in ("lib/sys", "lib/service"):
        return True
    return other in SYSTEM_LIBRARIES.get(own, {own})


def library(path):
    """A folder guest/ of an engine may be a library on the system."""
    folder = path.rsplit("/", 1)[0]
    return folder if folder in SYSTEM_LIBRARIES else component(path)


def allows(path, target):
    area = path.split("/")[0]
    if area in ("tests", "hosted"):
        return True
    if area == "abi":
        return target.startswith("abi/")
    if area == "idl":
        return target.startswith(("abi/", "idl/"))
    if area in ("kernel", "boot"):
        return target.startswith(("abi/", "kernel/", "boot/")) or (
            tree.is_hosted(path) and target.startswith("lib/"))
    if area == "lib":
        return library_allows(library(path), target) or (
            tree.is_test(path) and target.startswith("lib/"))
    if target.split("/")[0] in USERS:
        return component(target) == component(path)
    return target.startswith(("abi/", "idl/", "lib/"))


def check_include(path, quote, target, own_headers):
    if quote == "<" and "/" not in target:
        if not (tree.is_hosted(path) or target in FREESTANDING
                or (component(path), target) in own_headers):
            return f"{path}: <{target}> does not exist in the machine"
        return None
    if target.split("/")[0] in AREAS and not allows(path, target):
        return f"{path}: must not include {target}"
    return None


def main():
    problems = []
    sources = [path for path in tree.files(*tree.C_FILES)
               if path.split("/")[0] in AREAS
               and not path.startswith(("tests/programs/", "commands/"))]
    # A component may pick one of several headers of a name by include path.
    own_headers = {(component(path), path.split("/")[-1]) for path in sources}
    for path in sources:
        text = tree.read_text(path)
        for quote, target in INCLUDE.findall(text):
            problem = check_include(path, quote, target, own_headers)
            if problem:
                problems.append(problem)
        if path.startswith(("kernel/core/", "kernel/object/")):
            problems += [f"{path}: condition on the architecture: "
                         f"{match.group(0).strip()}"
                         for match in CONDITION.finditer(text)]
    tree.end(problems, f"{len(sources)} files")


if __name__ == "__main__":
    main()
