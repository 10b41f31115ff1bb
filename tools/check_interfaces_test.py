#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A protocol that is not the one reviewed is shown, line by line."""

import unittest

import check_interfaces
import ktap

OLD = "interface a\n0x0001 open() -> ()\n0x0002 close() -> ()\n"


class InterfacesTest(unittest.TestCase):
    def test_the_same_is_fine(self):
        self.assertEqual(check_interfaces.difference("a.txt", OLD, OLD), [])

    def test_a_changed_method_is_shown_alone(self):
        new = OLD.replace("open()", "open(flags:uint32_t@1)")
        found = check_interfaces.difference("a.txt", OLD, new)
        self.assertIn("-0x0001 open() -> ()", found)
        self.assertIn("+0x0001 open(flags:uint32_t@1) -> ()", found)
        self.assertFalse([line for line in found if "close" in line])

    def test_new_and_gone_interfaces_are_shown(self):
        self.assertTrue(check_interfaces.difference("a.txt", None, OLD))
        self.assertTrue(check_interfaces.difference("a.txt", OLD, None))


if __name__ == "__main__":
    ktap.main()
