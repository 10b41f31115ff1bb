#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each way in which figures, rows and page can disagree is found."""

import copy
import os
import tempfile
import unittest

import figures
import ktap
from figures import BadRow

KNOWN = {
    "fast": {"name": "fast", "text": "a fast one", "goal": 10},
    "slow": {"name": "slow", "text": "a slow one", "goal": 1000,
             "peers": "seL4 7", "reason": "because", "plan": "soon"},
    "none": {"name": "none", "text": "one to come", "goal": 5,
             "reason": "not there", "plan": "later"},
}
FIGURES = {
    "linux": "Linux 1", "linux_options": "quiet", "machine": "qemu",
    "rows": [
        {"name": "fast", "median": 10, "p99": 11, "goal": 10, "ledger": {},
         "linux": 40},
        {"name": "slow", "median": 12345, "p99": 12346, "goal": 1000,
         "ledger": {"cr3": 2}, "linux": None},
        {"name": "none", "median": None, "p99": None, "goal": 5,
         "ledger": {}, "skipped": "no such call", "linux": 9},
    ],
}
PAGE = "before\n" + figures.page_part(FIGURES, KNOWN) + "behind\n"


class FiguresTest(unittest.TestCase):
    def setUp(self):
        self.figures = copy.deepcopy(FIGURES)
        self.known = copy.deepcopy(KNOWN)

    def problems(self, page=PAGE):
        return list(figures.problems(self.figures, self.known, page))

    def test_what_agrees_is_fine(self):
        self.assertEqual(self.problems(), [])

    def test_table_has_ratio_and_verdict(self):
        lines = PAGE.splitlines()
        self.assertIn("| `fast` a fast one | 10 | 11 | 10 | 40 | 0.25 | met "
                      "| - |", lines)
        self.assertIn("| `slow` a slow one | 12 345 | 12 346 | 1 000 | - | - "
                      "| 12.35 x | seL4 7; cr3=2 |", lines)
        self.assertIn("- `none` (not yet): not there. *Plan:* later.", lines)
        self.assertNotIn("- `fast`", PAGE)

    def test_missed_goal_needs_reason_and_plan(self):
        for key in ("reason", "plan"):
            for name in ("slow", "none"):
                self.known = copy.deepcopy(KNOWN)
                del self.known[name][key]
                self.assertTrue([text for text in self.problems()
                                 if f"{name} misses its goal" in text])

    def test_goal_that_moved(self):
        self.known["fast"]["goal"] = 9
        self.assertTrue([text for text in self.problems()
                         if "fast: measured against" in text])

    def test_row_that_was_not_measured(self):
        del self.figures["rows"][1]
        self.assertIn("differ in slow", self.problems()[0])

    def test_row_that_nobody_knows(self):
        del self.known["slow"]
        self.assertIn("differ in slow", self.problems()[0])

    def test_page_edited_by_hand(self):
        self.assertEqual(len(self.problems(PAGE.replace("12 345", "345"))), 1)
        for mark in (figures.BEGIN, figures.END):
            self.assertEqual(len(self.problems(PAGE.replace(mark, ""))), 1)
        self.assertEqual(len(self.problems(PAGE + figures.BEGIN)), 1)
        self.assertEqual(len(self.problems(
            figures.END + figures.BEGIN)), 1)

    def load(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "rows.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            return figures.load_rows(path)

    def test_bad_file_of_rows(self):
        good = '[[row]]\nname = "a"\ntext = "b"\n'
        self.assertEqual(self.load(good)["a"]["part"], "main")
        for bad in (good + good, good + 'gaol = 1\n', '[[row]]\nname = "a"\n',
                    good + 'part = "other"\n'):
            with self.assertRaises(BadRow):
                self.load(bad)


if __name__ == "__main__":
    ktap.main()
