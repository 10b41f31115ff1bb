#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Addresses of the kernel's half get names, others are left alone."""

import os
import subprocess
import tempfile
import unittest

import ktap
from symbolize import Symbolizer, symbolize

SOURCE = """
void first(void) { __asm__ volatile("nop; nop; nop; nop"); }
void _start(void) { first(); first(); }
"""


class SymbolizeTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        source = os.path.join(self.folder.name, "image.c")
        self.image = os.path.join(self.folder.name, "image.elf")
        with open(source, "w", encoding="ascii") as file:
            file.write(SOURCE)
        subprocess.run(
            ["gcc", "-g", "-O0", "-ffreestanding", "-nostdlib", "-static",
             "-no-pie", "-fno-pie", "-mcmodel=kernel", "-Wl,--build-id=none",
             "-Wl,-Ttext-segment=0xffffffff80100000", source,
             "-o", self.image], check=True)
        out = subprocess.run(["nm", self.image], check=True, text=True,
                             capture_output=True).stdout
        self.symbols = {words[2]: int(words[0], 16) for words in
                        (line.split() for line in out.splitlines())}

    def tearDown(self):
        self.folder.cleanup()

    def test_instruction_address_is_named(self):
        text = f"rip {self.symbols['first']:#x} cr2 0x10"
        got = symbolize(text, self.image)
        self.assertTrue(got.startswith(text))
        self.assertIn("first at", got)
        self.assertIn("image.c:2", got)

    def test_return_address_names_the_caller(self):
        # The first byte of _start, seen as a return address, is in first.
        text = f"backtrace: {self.symbols['_start']:#x}"
        self.assertIn("<first at", symbolize(text, self.image))

    def test_addresses_of_a_service_come_from_its_image(self):
        at = self.symbols["first"]
        lines = f"phoenix: disk 3 back trace: {at:#x} {at + 1:#x}"
        symbols = Symbolizer("/nonexistent", {"disk": self.image}.get)
        self.assertEqual(symbols.text(lines).count("<first at"), 2)
        self.assertNotIn("<", Symbolizer("/nonexistent").text(lines))

    def test_addresses_of_a_program_come_from_the_file_it_ran(self):
        at = self.symbols["first"]
        lines = (f"libos: process 7 died: /bin/it signal 11 code 1 address\n"
                 f"libos: process 8 back trace: {at:#x}\n"
                 f"libos: process 7 back trace: {at:#x}")
        symbols = Symbolizer("/nonexistent", None, {"/bin/it": self.image}.get)
        got = symbols.text(lines).splitlines()
        self.assertNotIn("<", got[1])
        self.assertIn("<first at", got[2])

    def test_other_text_is_untouched(self):
        text = "no address\n0x400000\n0xffffffff00000000"
        self.assertEqual(symbolize(text, self.image), text)

    def test_missing_image_does_no_harm(self):
        text = "rip 0xffffffff80100000"
        self.assertEqual(symbolize(text, "/nonexistent"), text)


if __name__ == "__main__":
    ktap.main()
