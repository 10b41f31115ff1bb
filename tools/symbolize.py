# SPDX-License-Identifier: MIT
"""Adds function and line to the addresses of a log: those of the kernel
anywhere, those of services and programs in the back trace of their death.
"""

import os
import re
import subprocess

KERNEL = re.compile(r"0x(ffffffff[89a-f][0-9a-f]{7})\b")
USER = re.compile(r"0x([0-9a-f]{4,16})\b")
RETURN_LINE = re.compile(r"back ?trace", re.I)
SERVICE = re.compile(r"^phoenix: ([a-z][a-z0-9_-]*) \d+ back trace: ")
DEATH = re.compile(r"^libos: process (\d+) died: (/\S+) signal ")
PROGRAM = re.compile(r"^libos: process (\d+) back trace[^:]*: ")


ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = re.compile(r" at (\S+?)(:[0-9?]+.*)$")


def in_tree(place):
    """The build folder goes from a path of a source of ours."""
    found = SOURCE.search(place)
    if found:
        parts = found.group(1).split("/")
        for i in range(1, len(parts)):
            rest = "/".join(parts[i:])
            if os.path.exists(os.path.join(ROOT, rest)):
                return f"{place[:found.start(1)]}{rest}{found.group(2)}"
    return place


def lookup(image, addresses):
    """Returns {address: "function at file:line"} for those that have one."""
    if not addresses or image is None or not os.path.exists(image):
        return {}
    try:
        out = subprocess.run(
            ["addr2line", "-f", "-p", "-e", image]
            + [f"{address:#x}" for address in addresses],
            capture_output=True, text=True, check=True,
            stdin=subprocess.DEVNULL, timeout=20).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return {}
    return {address: in_tree(place) for address, place in zip(addresses, out)
            if not place.startswith("??")}


class Symbolizer:
    """Knows the images, and which program a process of the log runs.

    kernel: path of the kernel's image; service: function from the name of a
    service to a path; program: the same from a path in the guest.
    """

    def __init__(self, kernel, service=None, program=None):
        self.kernel = kernel
        self.service = service or (lambda name: None)
        self.program = program or (lambda path: None)
        self.paths = {}

    def user_addresses(self, line):
        """Returns (image, pairs of text and address to look up)."""
        death = DEATH.match(line)
        if death:
            self.paths[death.group(1)] = death.group(2)
        service, program = SERVICE.match(line), PROGRAM.match(line)
        if service:
            image = self.service(service.group(1))
        elif program:
            image = self.program(self.paths.get(program.group(1), ""))
        else:
            return None, []
        found = USER.findall(line[(service or program).end():])
        # The first is where it stopped, the others are return addresses.
        return image, [(text, int(text, 16) - (i > 0))
                       for i, text in enumerate(found)]

    def line(self, line):
        image, pairs = self.user_addresses(line)
        if not pairs:
            image = self.kernel
            # A return address is behind the call, maybe in the next function.
            back = 1 if RETURN_LINE.search(line) else 0
            pairs = [(text, int(text, 16) - back)
                     for text in KERNEL.findall(line)]
        places = lookup(image, sorted({address for _, address in pairs}))
        return line + "".join(f"  <{places[address]}>" for _, address in pairs
                              if address in places)

    def text(self, text):
        return "\n".join(self.line(line) for line in text.splitlines())


def symbolize(text, image):
    return Symbolizer(image).text(text)
