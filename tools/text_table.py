#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where the text of an image can be changed, for the fault injector.

Writes one entry of 8 bytes for each way to change an instruction, by address:

    address   u32
    kind      u8    1 branch, 2 operand, 3 offbyone, 4 nop
    length    u8    of the instruction
    offset    u8    of the byte that becomes
    value     u8    this; for nop all bytes become 0x90

Only changes that leave an instruction of the same length: a conditional branch
with the opposite condition, two registers exchanged, a constant that is one
larger, an instruction that does nothing.
"""

import argparse
import re
import struct
import subprocess
import sys

BRANCH, OPERAND, OFFBYONE, NOP = 1, 2, 3, 4
LINE = re.compile(r"^\s*([0-9a-f]+):\t((?:[0-9a-f]{2} )+)\s*(?:\t(.*))?$")
IMMEDIATE = re.compile(r"\s\$(-?0x[0-9a-f]+)")
PREFIXES = {0x66, 0xf2, 0xf3, 0x2e, 0x3e, 0x64, 0x65}
# Opcodes with ModRM and a register on both sides, both of which may be swapped.
TWO_OPERANDS = {base + low for base in (0x00, 0x08, 0x10, 0x18, 0x20, 0x28,
                                        0x30, 0x38) for low in range(4)}
TWO_OPERANDS |= {0x84, 0x85, 0x88, 0x89, 0x8a, 0x8b}
SHORT_IMMEDIATE = {0x80, 0x83, 0xc0, 0xc1, 0xc6, 0x6a, 0x6b, 0xf6, 0xa8, 0x04,
                   0x0c, 0x24, 0x2c, 0x34, 0x3c} | set(range(0xb0, 0xb8))
LONG_IMMEDIATE = {0x81, 0xc7, 0x68, 0x69, 0xf7, 0xa9, 0x05, 0x0d, 0x25, 0x2d,
                  0x35, 0x3d} | set(range(0xb8, 0xc0))


def opcode_at(code):
    """(index of the opcode, REX prefix or 0); the index may be at the end."""
    at = 0
    while at < len(code) and code[at] in PREFIXES:
        at += 1
    if at < len(code) and code[at] & 0xf0 == 0x40:
        return at + 1, code[at]
    return at, 0


def branch(code):
    """(offset, value) of the opposite condition."""
    if 0x70 <= code[0] <= 0x7f:
        return 0, code[0] ^ 1
    if len(code) == 6 and code[0] == 0x0f and code[1] & 0xf0 == 0x80:
        return 1, code[1] ^ 1
    return None


def operand(code):
    """(offset, value) of the byte that names the two registers."""
    at, rex = opcode_at(code)
    if at + 2 != len(code) or code[at] not in TWO_OPERANDS:
        return None
    names = code[at + 1]
    first, second = names >> 3 & 7, names & 7
    # Both from the same half: then the prefix stays as it is.
    if names >> 6 != 3 or first == second or bool(rex & 4) != bool(rex & 1):
        return None
    return at + 1, 0xc0 | second << 3 | first


def offbyone(code, text):
    """(offset, value) of the lowest byte of the constant."""
    found = IMMEDIATE.search(text)
    at, _ = opcode_at(code)
    if not found or at >= len(code):
        return None
    value = int(found[1], 16) & 0xffffffff
    size = 1 if code[at] in SHORT_IMMEDIATE else \
        4 if code[at] in LONG_IMMEDIATE else 0
    if size == 4 and code[0] == 0x66:
        size = 2
    # MOV with REX.W and B8..BF has eight bytes.
    if size == 0 or len(code) <= at + size:
        return None
    mask = (1 << 8 * size) - 1
    tail = int.from_bytes(code[-size:], "little")
    if tail != value & mask:
        return None
    return len(code) - size, (code[-size] + 1) & 0xff


def changes(code, text):
    """Yields (kind, offset, value)."""
    for kind, found in ((BRANCH, branch(code)), (OPERAND, operand(code)),
                        (OFFBYONE, offbyone(code, text))):
        if found:
            yield kind, *found
    if not text.startswith(("nop", "data16", "cs nop", "xchg   %ax,%ax")):
        yield NOP, 0, 0x90


def instructions(listing):
    """(address, code, text) of each instruction that objdump names."""
    address, code, text = 0, b"", ""
    for line in listing.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        part = bytes.fromhex(match[2])
        if match[3] is None:        # the rest of a long one
            code += part
            continue
        if code:
            yield address, code, text
        address, code, text = int(match[1], 16), part, match[3]
    if code:
        yield address, code, text


def table(listing):
    """The table of what objdump -d printed."""
    entries = []
    for address, code, text in instructions(listing):
        if "(bad)" in text:
            continue
        entries += [(address, kind, len(code), offset, value)
                    for kind, offset, value in changes(code, text)]
    return b"".join(struct.pack("<IBBBB", *entry) for entry in entries)


def table_of(path):
    listing = subprocess.run(["objdump", "-d", "-j", ".text", path],
                             check=True, capture_output=True, text=True,
                             stdin=subprocess.DEVNULL).stdout
    return table(listing)


def main():
    parser = argparse.ArgumentParser(
        description="Lists where the text of an image can be changed.")
    parser.add_argument("image")
    parser.add_argument("output")
    arguments = parser.parse_args()
    with open(arguments.output, "wb") as file:
        file.write(table_of(arguments.image))
    return 0


if __name__ == "__main__":
    sys.exit(main())
