#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The system's own calls are told the same everywhere: the list of calls has no
gap; each is declared, has a page whose synopsis is the declaration and whose
errors exist, and is called by a test. The errors are those of idl/errno.h and
of their page.
"""

import os
import re

import tree

LIBRARY = "lib/own/bennu/"
PAGES = "docs/man/own/"
ERROR_PAGE = "docs/man/bennu-errors.7"
TESTS = "tests/programs/own/"
# Called by the system, when a handler returns; signals.c has handlers.
NOT_CALLED = {"sigreturn"}
ADAPTED = "ADAPTED"

CALL = re.compile(r'^CALL\((\d+), (\w+), (\w+), "(\w*)", (\w+)\)$', re.M)
ERROR = re.compile(r'^ERROR\((\d+), (\w+), "([^"]+)"\)$', re.M)
ALIAS = re.compile(r"^ALIAS\((\w+), (\w+)\)$", re.M)
ERRNO = re.compile(r"^#define E_(\w+)\s+(\d+)", re.M)
DECLARATION = re.compile(r"^((?:_Noreturn )?(?:\w+ )+\**)(\w+)\(([^;]*?)\);",
                         re.M)
ADAPTER = re.compile(r"^\tADAPTER\((\w+), (\w+)\),$", re.M)
PART = re.compile(r"^\.(In|Ft|Fo|Fa) ?(.*)$", re.M)
NUMBER = re.compile(r"^Own call (\d+), BENNU_(\w+)$", re.M)
DESCRIBED = re.compile(r"^\.It Dv (E\w+)$", re.M)
ERROR_ROW = re.compile(r"^\.It (\d+) Dv (\w+)\n(.*)$", re.M)
SECTIONS = ("SYNOPSIS", "DESCRIPTION", "RETURN VALUES", "SEE ALSO")
# Defined by the page and nowhere else.
LAST_ERROR = 131
UNUSED = {41, 58}


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def declarations(header):
    """{name: (result, arguments)} of the calls and the library."""
    return {name: plain(f"{result}({arguments})")
            for result, name, arguments in DECLARATION.findall(header)}


def shown(page):
    """What the page declares, written as declarations() does."""
    parts = PART.findall(page)
    result = next((rest for part, rest in parts if part == "Ft"), "")
    arguments = [rest.strip('"') for part, rest in parts if part == "Fa"
                 and rest.startswith('"')]
    joint = "" if result.endswith("*") else " "
    return plain(f"{result}{joint}({', '.join(arguments)})")


def list_problems(calls):
    for place, (number, name, lower, _, _) in enumerate(calls):
        if int(number) != place:
            yield f"{LIBRARY}calls.def: {place} expected, {number} {lower}"
        if name != lower.upper():
            yield f"{LIBRARY}calls.def: {name} is not {lower}"


def served_problems(calls, source, linux):
    """linux: {number: arguments} of the calls of Linux."""
    adapters = {name for name, _ in ADAPTER.findall(source)}
    wanted = {name for _, name, _, _, same in calls if same == ADAPTED}
    for name in sorted(adapters ^ wanted):
        yield f"personality/own.c: {name} is adapted in one place only"
    for _, _, name, arguments, same in calls:
        if same != ADAPTED and linux.get(same, arguments) != arguments:
            yield (f"{LIBRARY}calls.def: {name} has other arguments than "
                   f"call {same} of Linux")


def page_problems(call, page, declared, errors):
    number, name, lower, _, _ = call
    path = f"{PAGES}{lower}.2"
    if page is None:
        yield f"{path} is missing"
        return
    if NUMBER.findall(page) != [(number, name)]:
        yield f"{path}: no line 'Own call {number}, BENNU_{name}'"
    for section in SECTIONS:
        if f"\n.Sh {section}\n" not in page:
            yield f"{path}: no section {section}"
    if f".Dt {name} 2\n" not in page or f".Nm {lower}\n" not in page:
        yield f"{path}: title and name are not {lower}"
    if shown(page) != declared:
        yield f"{path}: {shown(page)}, the header has {declared}"
    for error in DESCRIBED.findall(page):
        if error not in errors:
            yield f"{path}: there is no {error}"


def error_problems(errors, aliases, errno, page):
    """errors: [(number, name, text)]; errno: of idl/."""
    numbers = {int(number) for number, _, _ in errors}
    if numbers != set(range(1, LAST_ERROR + 1)) - UNUSED:
        yield f"{LIBRARY}errors.def: the numbers are not those of the table"
    value = {name: int(number) for number, name, _ in errors}
    value.update({name: value.get(other) for name, other in aliases})
    for name, number in errno:
        if value.get("E" + name) != int(number):
            yield f"idl/errno.h: E_{name} is not {number} in the table"
    # A line that begins with a dot is no text to the page.
    if ERROR_ROW.findall(page.replace("\n\\&", "\n")) != errors:
        yield f"{ERROR_PAGE}: is not the list of {LIBRARY}errors.def"


def test_problems(calls, tests):
    for _, _, name, _, _ in calls:
        if name not in NOT_CALLED and \
                not re.search(rf"\b{name}\(", tests):
            yield f"{TESTS}: nothing calls {name}"


def find_problems(read, pages, tests):
    """read: the text of a path. pages: {name: text}. tests: all texts."""
    calls = CALL.findall(read(LIBRARY + "calls.def"))
    errors = ERROR.findall(read(LIBRARY + "errors.def"))
    aliases = ALIAS.findall(read(LIBRARY + "errors.def"))
    declared = declarations(read(LIBRARY + "abi.h"))
    linux = {number: arguments for number, arguments in re.findall(
        r'^CALL\((\d+), \w+, "(\w*)"', read("personality/calls.def"), re.M)}
    if not calls or not errors:
        yield f"{LIBRARY}: no calls or no errors found"
    yield from list_problems(calls)
    yield from served_problems(calls, read("personality/own.c"), linux)
    names = {name for _, name, _ in errors} | {name for name, _ in aliases}
    for call in calls:
        name = call[2]
        if name not in declared:
            yield f"{LIBRARY}abi.h: does not declare {name}"
        yield from page_problems(call, pages.get(name), declared.get(name),
                                 names)
    for name in sorted(set(pages) - {call[2] for call in calls}):
        yield f"{PAGES}{name}.2: there is no such call"
    yield from error_problems(errors, aliases,
                              ERRNO.findall(read("idl/errno.h")),
                              read(ERROR_PAGE))
    yield from test_problems(calls, tests)


def main():
    paths = tree.files(".2", under=PAGES)
    pages = {os.path.basename(path)[:-2]: tree.read_text(path)
             for path in paths}
    tests = "".join(tree.read_text(path) for path in
                    tree.files(".c", under=TESTS) if "/host/" not in path)
    problems = list(find_problems(tree.read_text, pages, tests))
    tree.end(problems, f"{len(pages)} calls of the system's own")


if __name__ == "__main__":
    main()
