#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rows of the guest become a table and JSON."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

import bench
import ktap

TOOLS = os.path.dirname(os.path.abspath(__file__))


class BenchTest(unittest.TestCase):
    def bench(self, program, *options):
        environment = dict(
            os.environ, BENNU_QEMU=os.path.join(TOOLS, "fake_qemu.py"))
        return subprocess.run(
            [sys.executable, os.path.join(TOOLS, "bench.py"), "--program",
             program, *options], env=environment, capture_output=True,
            text=True, timeout=60, stdin=subprocess.DEVNULL)

    def test_rows_become_table_and_json(self):
        with tempfile.NamedTemporaryFile("r+", encoding="utf-8") as file:
            done = self.bench("bench", "--json", file.name)
            self.assertEqual(done.returncode, 0)
            rows = json.load(file)["rows"]
        self.assertEqual(rows[1], {
            "name": "ipc_call_reply", "unit": "instructions", "median": 500,
            "p99": 510, "goal": 420, "ledger": {"cr3": 2, "msr": 1}})
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 5)
        self.assertIn("met", lines[1])
        self.assertIn("1.19 x", lines[2])
        self.assertIn("1.50 x", lines[3])       # the goal of the file
        self.assertIn("not yet", lines[4])
        self.assertIn("no answer", lines[4])
        self.assertIn("warming up", done.stderr)

    def test_bad_row_is_an_error(self):
        done = self.bench("badrow")
        self.assertEqual(done.returncode, 1)
        self.assertIn("bad row", done.stderr)

    def test_goal_of_the_guest_must_be_that_of_the_file(self):
        done = self.bench("badgoal")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the goal of null is 81", done.stderr)

    def test_row_must_be_in_the_file(self):
        done = self.bench("strange")
        self.assertEqual(done.returncode, 1)
        self.assertIn("dance is not in tests/bench/rows.toml", done.stderr)
        done = self.bench("bench", "dance")
        self.assertEqual(done.returncode, 1)

    def test_count_over_its_limit_is_a_problem(self):
        known = {"wake": {"limits": {"worst": 50}}, "other": {}}
        for ledger, found in (({"worst": 50}, 0), ({"worst": 51}, 1),
                              ({}, 1)):
            rows = [{"name": "wake", "ledger": ledger}]
            self.assertEqual(len(list(bench.limit_problems(rows, known))),
                             found)

    def test_no_rows_is_an_error(self):
        self.assertEqual(self.bench("plain").returncode, 7)
        self.assertNotEqual(self.bench("trace").returncode, 0)


if __name__ == "__main__":
    ktap.main()
