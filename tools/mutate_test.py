#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mutants fit the sources, and the gate tells caught from survived."""

import contextlib
import io
import os
import tempfile
import unittest

import ktap
import mutate
from test import Processes

CLASSES = 13


class MutantsTest(unittest.TestCase):
    def test_every_class_has_a_fast_mutant(self):
        kinds = {mutant.name.split("/")[0] for mutant in mutate.load()}
        fast = {mutant.name.split("/")[0] for mutant in mutate.load()
                if mutant.tier == "full"}
        self.assertGreaterEqual(len(kinds), CLASSES)
        self.assertEqual(kinds, fast)

    def test_every_mutant_changes_one_place(self):
        for mutant in mutate.load():
            with open(os.path.join(mutate.ROOT, mutant.file),
                      encoding="utf-8") as file:
                self.assertEqual(file.read().count(mutant.old), 1,
                                 f"{mutant.name} is stale: {mutant.file}")
            self.assertNotEqual(mutant.old, mutant.new)


class FakeCopy:
    """Notes what a file holds when its test runs, and ends as it is told."""

    def __init__(self, folder, verdict):
        self.folder, self.verdict, self.seen = folder, verdict, None

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, _name, _test, _timeout):
        self.seen = mutate.read(self.path("a.c"))
        return self.verdict, "test_law"


class GateTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        mutate.write_if_changed(os.path.join(self.folder.name, "a.c"),
                                b"lock(); use();")

    def tearDown(self):
        self.folder.cleanup()

    def outcome(self, verdict, old="lock(); "):
        """Returns (passed, what was printed, the text that was tested)."""
        mutant = mutate.Mutant(
            "06.toml", "there is no lock",
            {"name": "m", "file": "a.c", "old": old, "new": "", "test": "t"})
        gate = mutate.Gate(Processes())
        copy = FakeCopy(self.folder.name, verdict)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            gate.try_mutant(copy, mutant, 1)
        self.assertEqual(mutate.read(copy.path("a.c")), b"lock(); use();")
        return gate.report.counts["passed"] == 1, out.getvalue(), copy.seen

    def test_mutant_whose_test_fails_is_caught(self):
        passed, text, seen = self.outcome(mutate.FELL)
        self.assertTrue(passed)
        self.assertIn("caught by t: test_law", text)
        self.assertEqual(seen, b"use();")

    def test_mutant_whose_test_passes_has_survived(self):
        passed, text, _ = self.outcome(mutate.PASSED)
        self.assertFalse(passed)
        self.assertIn("SURVIVED", text)

    def test_mutant_that_does_not_compile_is_an_error(self):
        passed, text, _ = self.outcome(mutate.BROKEN)
        self.assertFalse(passed)
        self.assertIn("broken", text)

    def test_mutant_whose_text_is_gone_is_an_error(self):
        passed, text, seen = self.outcome(mutate.FELL, old="unlock();")
        self.assertFalse(passed)
        self.assertIn("stale", text)
        self.assertIsNone(seen)


if __name__ == "__main__":
    ktap.main()
