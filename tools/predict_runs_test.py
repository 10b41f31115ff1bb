#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The runs in tests/predict that are simulated are what simulate.py writes."""

import os
import sys
import unittest

import ktap
from mkarchive import ROOT

RUNS = os.path.join(ROOT, "tests", "predict")
sys.path.insert(0, RUNS)

import simulate  # noqa: E402


class RunsTest(unittest.TestCase):
    def test_runs_are_those_of_the_simulation(self):
        for name, text in simulate.runs(1):
            with open(os.path.join(RUNS, name), encoding="ascii") as file:
                self.assertTrue(file.read() == text, name)

    def test_another_seed_is_another_run(self):
        one, two = dict(simulate.runs(1)), dict(simulate.runs(2))
        for name in one:
            self.assertNotEqual(one[name], two[name])

    def test_trouble_begins_before_the_end(self):
        for name, text in simulate.runs(3):
            end = text.splitlines()[-1].split()
            if end[0] == "failed":
                self.assertLessEqual(int(end[3]), int(end[1]), name)
            else:
                self.assertEqual(end, ["healthy"], name)


if __name__ == "__main__":
    ktap.main()
