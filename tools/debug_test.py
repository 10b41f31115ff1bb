#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the gdb commands on a machine that runs, and of what coverage is
made from."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import coverage
import ktap
from machine import KERNEL

TOOLS = os.path.dirname(os.path.abspath(__file__))
SERVICES = ("init", "phoenix", "console", "storage", "proc")
SCRIPT = "echo the script runs; read line"
STATES = ("stopped|ready|running|blocked: call|blocked: reply|"
          "blocked: receive|blocked: notify|dead")
THREAD = re.compile(rf"^0x[0-9a-f]+ id (\d+) (\S+) ({STATES}), (\w+)", re.M)
PLACE = re.compile(r"^0x\S+ id \d+ (\w+) blocked.* rip 0x[0-9a-f]+ <\w+ at ",
                   re.M)


@unittest.skipUnless(os.path.exists(KERNEL), "no kernel was built")
class DebugTest(unittest.TestCase):
    def gdb(self, *commands):
        argv = [sys.executable, os.path.join(TOOLS, "debug.py"),
                "--when", "script runs"]
        for command in commands:
            argv += ["--batch", command]
        done = subprocess.run(argv + ["--", "/bin/sh", "-c", SCRIPT],
                              capture_output=True, text=True, timeout=100,
                              stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Error", done.stdout + done.stderr)
        return done.stdout

    def test_threads_have_names_and_states(self):
        out = self.gdb("bennu threads")
        # A spare has the name of its place as well, and never ran.
        threads = {name: (state, kind)
                   for _, name, state, kind in THREAD.findall(out)
                   if state != "stopped"}
        for name in SERVICES:
            self.assertIn(name, threads, out)
        self.assertEqual(threads["storage"][0], "blocked: receive", out)
        self.assertEqual(threads["init"][1], "recovery", out)
        self.assertIn("program", threads, out)
        self.assertIn("storage", PLACE.findall(out), out)
        count = int(re.search(r"^(\d+) threads$", out, re.M).group(1))
        self.assertEqual(count, len(THREAD.findall(out)), out)

    def test_tables_are_found_by_name_and_id(self):
        out = self.gdb("bennu table storage", "bennu table 4")
        storage, init = [part.splitlines() for part in
                         out.split(" capabilities\n")[:2]]
        for lines, slot, kind in ((storage, 2, "endpoint"),
                                  (storage, 3, "notification"),
                                  (init, 4, "system")):
            self.assertTrue(any(re.match(rf" +{slot} {kind} +[-rwxcvpm]{{7}} "
                                         r"trust \d+ badge 0x", line)
                                for line in lines), out)

    def test_replies_and_queues(self):
        out = self.gdb("bennu replies", "bennu queues")
        armed = re.findall(r"^0x\S+ id \d+ armed endpoint 0x\S+ server 0x\S+",
                           out, re.M)
        # One for each service that waits for a call.
        self.assertGreaterEqual(len(armed), 4, out)
        self.assertRegex(out, r"(?m)^\d+ reply objects$")
        self.assertRegex(out, r"(?m)^cpu 0:\n  (idle|runs )")

    def test_crash_shows_the_stack_of_the_program(self):
        done = subprocess.run(
            [sys.executable, os.path.join(TOOLS, "debug.py"), "--crash",
             "--batch", "list", "--batch", "bennu threads", "--", "/bin/sh",
             "-c", "/bin/true; /bin/tests/crash divide; exit 3"],
            capture_output=True, text=True, timeout=100,
            stdin=subprocess.DEVNULL)
        self.assertIn("/bin/tests/crash dies of signal 8\n", done.stdout,
                      done.stderr)
        self.assertRegex(done.stdout, r"(?s)#0 .*"
                         r"in crash_here .*at tests/programs/crash.c:\d+\n"
                         r".*in crash_outer ")
        # The line and what is around it are those of the program.
        self.assertRegex(done.stdout, r"(?m)^\d+\t.*\bcrash_here\(")
        # The kernel is still seen from the frame of a program.
        self.assertRegex(done.stdout, r"(?m)^0x\S+ id \d+ storage blocked")
        self.assertRegex(done.stdout, r"(?m)^\d+ threads$")

    def test_before_the_kernel_begins_there_is_nothing(self):
        done = subprocess.run(
            [sys.executable, os.path.join(TOOLS, "debug.py"), "--batch",
             "bennu threads"], capture_output=True, text=True, timeout=100,
            stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("before the kernel has begun", done.stderr)
        self.assertNotIn("Python", done.stderr)

    def test_a_wrong_name_is_an_error(self):
        done = subprocess.run(
            [sys.executable, os.path.join(TOOLS, "debug.py"), "--when",
             "script runs", "--batch", "bennu table 0x123", "--", "/bin/sh",
             "-c", SCRIPT], capture_output=True, text=True, timeout=100,
            stdin=subprocess.DEVNULL)
        self.assertIn("0x123 is no table and no thread", done.stderr)


class CoverageTest(unittest.TestCase):
    LOG = b"one\ncoverage: 10\ncoverage: 2f\ntwo\ncoverage: end\nthree"

    def test_lines_may_come_in_any_pieces(self):
        for size in (1, 2, 3, 7, 100):
            lines, rest = coverage.CoverageLines(), b""
            for at in range(0, len(self.LOG), size):
                rest += lines.take(self.LOG[at:at + size])
            self.assertEqual(rest, b"one\ntwo\nthree")
            self.assertEqual(lines.offsets, {0x10, 0x2f})
            with tempfile.NamedTemporaryFile() as file:
                self.assertTrue(lines.write(file.name))
                self.assertEqual(file.read().split(),
                                 [b"0xffffffff80100010",
                                  b"0xffffffff8010002f"])

    def test_a_cut_end_is_noticed(self):
        lines = coverage.CoverageLines()
        lines.take(b"coverage: 10\ncoverage: e")
        with tempfile.NamedTemporaryFile() as file:
            self.assertFalse(lines.write(file.name))

    def test_counts(self):
        where = {1: ("a.c", "1", "f"), 2: ("a.c", "1", "f"),
                 3: ("a.c", "9", "g"), 4: ("b.c", "1", "h")}
        files = coverage.count(where, {1, 4})
        self.assertEqual([counter.text().split() for counter in files["a.c"]],
                         [["1/3", "33%"], ["1/2", "50%"], ["1/2", "50%"]])
        self.assertEqual(files["total"][0].text().split(), ["2/4", "50%"])


if __name__ == "__main__":
    ktap.main()
