# SPDX-License-Identifier: MIT
"""Adds function and line to the kernel addresses of a log."""

import re
import subprocess

ADDRESS = re.compile(r"0x(ffffffff[89a-f][0-9a-f]{7})\b")
RETURN_LINE = re.compile(r"back ?trace", re.I)


def lookup(image, addresses):
    """Returns {address: "function at file:line"} for those that have one."""
    if not addresses:
        return {}
    try:
        out = subprocess.run(
            ["addr2line", "-f", "-p", "-e", image]
            + [f"{address:#x}" for address in addresses],
            capture_output=True, text=True, check=True,
            stdin=subprocess.DEVNULL, timeout=20).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return {}
    return {address: place for address, place in zip(addresses, out)
            if not place.startswith("??")}


def line_addresses(line):
    """Pairs of (text, address to look up) in a log line."""
    # A return address is behind the call, maybe in the next function.
    back = 1 if RETURN_LINE.search(line) else 0
    return [(text, int(text, 16) - back) for text in ADDRESS.findall(line)]


def symbolize(text, image):
    lines = text.splitlines()
    wanted = sorted({address for line in lines
                     for _, address in line_addresses(line)})
    places = lookup(image, wanted)
    result = []
    for line in lines:
        found = [places[address] for _, address in line_addresses(line)
                 if address in places]
        result.append(line + "".join(f"  <{place}>" for place in found))
    return "\n".join(result)
