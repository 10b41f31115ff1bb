#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Images are the same each time, and what --print-command prints boots."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import ktap
import machine
import image
import mkarchive

TOOLS = os.path.dirname(os.path.abspath(__file__))
IMAGES = ("bennu.iso", "bennu.qcow2")
PASSED = 33                 # what QEMU makes of a program's exit code 0


def tool(name, *words, **environment):
    return subprocess.run(
        [sys.executable, os.path.join(TOOLS, name), *words],
        env=dict(os.environ, **environment), capture_output=True, text=True,
        timeout=100, stdin=subprocess.DEVNULL)


class ImageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # A space, a comma and a quote: nothing may split or end a name.
        cls.folder = tempfile.mkdtemp(prefix="bennu image, it's ")
        cls.root = os.path.join(cls.folder, "root")
        os.mkdir(cls.root)
        shutil.copy(mkarchive.BUSYBOX, cls.root)
        cls.first = cls.make("first")
        cls.made = time.monotonic()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    @classmethod
    def make(cls, name, *options, **environment):
        out = os.path.join(cls.folder, name)
        done = tool("image.py", "--output", out, "--root", cls.root, *options,
                    "--", "/busybox", "true", **environment)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return out

    def test_an_image_says_whether_its_program_has_a_terminal(self):
        other = self.make("other", "--terminal")
        for name in ("bennu.iso", "bennu.qcow2"):
            self.assertFalse(
                image.wants_terminal(os.path.join(self.first, name)))
            self.assertTrue(image.wants_terminal(os.path.join(other, name)))

    def contents(self, folder):
        return {name: mkarchive.read(os.path.join(folder, name))
                for name in os.listdir(folder)}

    def test_same_input_same_bytes(self):
        first = self.contents(self.first)
        # FAT keeps times to two seconds.
        time.sleep(max(0, 2.1 - (time.monotonic() - self.made)))
        second = self.contents(self.make("second", TZ="Asia/Tokyo"))
        self.assertEqual(sorted(first), sorted(second))
        for name, data in first.items():
            self.assertTrue(data == second[name], name)

    def test_date_and_options_are_in_the_image(self):
        first = self.contents(self.first)
        for other in (self.make("dated", SOURCE_DATE_EPOCH="86400"),
                      self.make("other", "--append", "word")):
            data = self.contents(other)["bennu.iso"]
            self.assertFalse(data == first["bennu.iso"])

    def test_checksums_are_those_of_the_files(self):
        def check():
            return subprocess.run(
                ["sha256sum", "-c", "--quiet", "--strict", "SHA256SUMS"],
                cwd=self.first, capture_output=True).returncode
        self.assertEqual(check(), 0)
        with open(os.path.join(self.first, "SHA256SUMS"),
                  encoding="ascii") as file:
            self.assertEqual(len(file.readlines()),
                             len(os.listdir(self.first)) - 1)
        path = os.path.join(self.first, "bennu.elf")
        data = mkarchive.read(path)
        with open(path, "wb") as file:
            file.write(data[:-1] + bytes([data[-1] ^ 1]))
        self.assertNotEqual(check(), 0)
        with open(path, "wb") as file:
            file.write(data)

    def boot(self, line):
        """Runs a printed line as a shell would."""
        done = subprocess.run(["sh", "-c", "exec " + line], timeout=60,
                              capture_output=True, stdin=subprocess.DEVNULL)
        self.assertIn(b"phoenix: all services are ready", done.stdout,
                      done.stderr)
        self.assertEqual(done.returncode, PASSED, done.stdout)
        return done.stdout

    def test_loader_passes_the_tables_of_the_firmware(self):
        done = tool("run.py", "--print-command", "--cpus", "4", "--image",
                    os.path.join(self.first, "bennu.iso"))
        # CPUs of their own sockets are only found in ACPI's tables.
        self.assertIn(" -smp 4 ", done.stdout)
        line = done.stdout.strip().replace(" -smp 4 ", " -smp 4,sockets=4 ")
        self.assertIn(b"bennu: 4 CPUs", self.boot(line))

    def test_printed_lines_boot(self):
        sources = [("--root", self.root, "--", "/busybox", "true")]
        sources += [("--image", os.path.join(self.first, name))
                    for name in IMAGES]
        for words in sources:
            done = tool("run.py", "--print-command", *words)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.boot(done.stdout.strip())

    def test_printed_line_of_an_image_names_it(self):
        image = os.path.join(self.first, "bennu.iso")
        done = tool("run.py", "--print-command", "--firmware", "uefi",
                    "--image", image)
        words = shlex.split(done.stdout)
        self.assertEqual(words[words.index("-machine") + 1], "pc")
        self.assertEqual(words[words.index("-bios") + 1], machine.UEFI)
        self.assertNotIn("-kernel", words)
        self.assertTrue([word for word in words
                         if image.replace(",", ",,") in word])

    def test_what_cannot_be_is_refused(self):
        image = os.path.join(self.first, "bennu.iso")
        for words in (["--firmware", "uefi"],
                      ["--image", image, "--machine", "microvm"],
                      ["--image", image, "--option", "trace=1"],
                      ["--image", image, "--", "/bin/sh"],
                      ["--image", image + ".none"]):
            done = tool("run.py", "--print-command", *words)
            self.assertEqual(done.returncode, 2, words)
        done = tool("image.py", "--append", "a;b")
        self.assertEqual(done.returncode, 2)

    def test_loader_that_fails_is_told(self):
        done = tool("image.py", "--output", os.path.join(self.folder, "bad"),
                    "--root", self.root, SOURCE_DATE_EPOCH="now")
        self.assertEqual(done.returncode, 1)
        self.assertTrue(re.match("bennu image: SOURCE_DATE_EPOCH now",
                                 done.stderr))


if __name__ == "__main__":
    ktap.main()
