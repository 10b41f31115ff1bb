#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of tools/text_table.py."""

import struct
import unittest

import ktap
import text_table
from text_table import BRANCH, NOP, OFFBYONE, OPERAND

LISTING = """
Disassembly of section .text:

0000000000400000 <main>:
  400000:\t55                   \tpush   %rbp
  400001:\t74 05                \tje     400008 <main+0x8>
  400003:\t0f 85 10 00 00 00    \tjne    400019 <main+0x19>
  400009:\t48 89 c3             \tmov    %rax,%rbx
  40000c:\t4c 89 c3             \tmov    %r8,%rbx
  40000f:\t83 c0 ff             \tadd    $0xffffffff,%eax
  400012:\t81 fb 00 01 00 00    \tcmp    $0x100,%ebx
  400018:\t48 b8 88 77 66 55 44 \tmovabs $0x1122334455667788,%rax
  40001f:\t33 22 11 
  400022:\t66 90                \tnop
"""


def entries(listing=LISTING):
    data = text_table.table(listing)
    return list(struct.iter_unpack("<IBBBB", data))


def of_kind(kind):
    return [(address, length, offset, value)
            for address, found, length, offset, value in entries()
            if found == kind]


class TextTableTest(unittest.TestCase):
    def test_conditions_become_their_opposite(self):
        self.assertEqual(of_kind(BRANCH), [(0x400001, 2, 0, 0x75),
                                           (0x400003, 6, 1, 0x84)])

    def test_registers_are_exchanged_unless_a_prefix_would_change(self):
        # MOV RAX, RBX: C3 names both; R8 needs another prefix.
        self.assertEqual(of_kind(OPERAND), [(0x400009, 3, 2, 0xd8)])

    def test_constants_grow_by_one_in_their_lowest_byte(self):
        self.assertEqual(of_kind(OFFBYONE), [(0x40000f, 3, 2, 0x00),
                                             (0x400012, 6, 2, 0x01)])

    def test_a_nop_is_nothing_to_remove(self):
        self.assertNotIn(0x400022, [entry[0] for entry in of_kind(NOP)])

    def test_a_long_instruction_is_one(self):
        self.assertIn((0x400018, 10, 0, 0x90), of_kind(NOP))

    def test_entries_are_in_the_order_of_addresses(self):
        addresses = [entry[0] for entry in entries()]
        self.assertEqual(addresses, sorted(addresses))


if __name__ == "__main__":
    ktap.main()
