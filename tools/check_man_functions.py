# SPDX-License-Identifier: MIT
"""Pages of section 3 against the headers: each function that is installed has a
page, whose synopsis has its types, and each page is found by its name.
"""

import os
import re

import check_exports
import tree

# The letter before the end of the comment: C a declaration, F a definition.
PROTOTYPE = re.compile(r"^/\* (?:\./)?(\S+):\d+:\w(\w) \*/ "
                       r"(?:extern|static) (.*?)\b(\w+) \((.*?)\);", re.M)
NAMES = re.compile(r"^\.Nm (\w+)", re.M)
CONSTANTS = re.compile(r"^\.(?:Pq |It )?Dv (.*)$", re.M)
WORD = re.compile(r"\b[A-Z][A-Z_0-9]+\b")
PART = re.compile(r"^\.(In|Ft|Fo|Fa|Fc|Fn) ?(.*)$", re.M)
LAST_NAME = re.compile(r"\w+$")


def prototype(result, name, types, have_names=True):
    """One way to write it, without names and blanks."""
    if have_names and types != ["void"]:
        types = [LAST_NAME.sub("", text) for text in types]
    text = f"{result}{name}({','.join(types) or 'void'})"
    return text.replace("_Bool", "bool").replace("unsigned int", "unsigned") \
        .replace(" ", "")


def prototypes(header):
    """{name: prototype} of what the header declares itself."""
    found = PROTOTYPE.findall(check_exports.prototypes(header))
    return {name: prototype(result, name, types.split(", "), kind == "F")
            for path, kind, result, name, types in found if path == header}


def between(text, title):
    """The lines of one section of a page."""
    found = re.search(rf"^\.Sh {title}$(.*?)(?=^\.Sh )", text, re.M | re.S)
    return found.group(1) if found else ""


def synopsis(text):
    """Yields (header, name, prototype)."""
    header, result, name, types = None, "", None, []
    for part, rest in PART.findall(between(text, "SYNOPSIS")):
        value = rest.strip('"')
        if part == "In":
            header = value
        elif part == "Ft":
            result = value
        elif part == "Fo":
            name, types = value, []
        elif part == "Fa":
            types.append(value)
        elif part == "Fc":
            yield header, name, prototype(result, name, types)


def page_problems(path, text, declared):
    """declared: {header: {name: prototype}}; collects what is described."""
    shown = list(synopsis(text))
    names = NAMES.findall(between(text, "NAME"))
    if os.path.basename(path)[:-2] not in names:
        yield f"{path}: is named after none of its functions"
    if sorted(names) != sorted(name for _, name, _ in shown):
        yield f"{path}: NAME and SYNOPSIS differ"
    for header, name, written in shown:
        expected = declared.get(header, {}).get(name)
        if expected is None:
            yield f"{path}: <{header}> does not declare {name}"
        elif expected != written:
            yield f"{path}: {written}, the header has {expected}"


def constant_problems(path, text, known):
    """known: all words of the headers."""
    for line in CONSTANTS.findall(text):
        for name in WORD.findall(line):
            if name not in known:
                yield f"{path}: no installed header has {name}"


def problems(pages):
    """pages: {path: text} of section 3."""
    known = set()
    for header in check_exports.headers():
        known |= set(WORD.findall(tree.read_text(header)))
    declared = {header: prototypes(header)
                for header in check_exports.headers()}
    described = set()
    for path, text in pages.items():
        yield from page_problems(path, text, declared)
        yield from constant_problems(path, text, known)
        described |= {name for _, name, _ in synopsis(text)}
    for name in sorted(check_exports.all_declared() - described):
        yield f"docs/man: no page of section 3 has {name}"
