#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Goals become a table in C; each way in which figures of messages, goals and
page can disagree is found.
"""

import copy
import os
import tempfile
import unittest

import ipc_bench
import ktap
from figures import BadRow
from ipc_goals import BadGoal, c_table, load_goals

GOALS = {
    "fast": {"name": "fast", "text": "a fast one", "figure": "a.stream_64",
             "at_most": 10},
    "wide": {"name": "wide", "text": "a wide one", "figure": "b.x",
             "at_least": 2.5, "reason": "because", "plan": "soon"},
    "none": {"name": "none", "text": "one to come", "figure": "c.x",
             "at_most": 1, "reason": "not there", "plan": "later"},
}
RESULTS = {
    "machine": {"processor": "abacus", "kernel": "6", "cycles_per_ns": 2.6},
    "rounds": 3, "batch_ms": 4,
    "rows": [
        {"name": "a.stream_64", "text": "beads", "unit": "ns",
         "floor": "memcpy.stream_64", "ratio": 1.5, "size": 64,
         "median": 8, "best": 7, "low": 7.5, "high": 8.5},
        {"name": "b.x", "text": "more beads", "unit": "cycles", "size": 0,
         "median": 12345.6, "best": 12000, "low": 12345, "high": 12346},
        {"name": "channel-matrix.1x2", "text": "many", "unit": "ns",
         "size": 0, "median": 55.5, "best": 55.5, "low": 55.5, "high": 55.5},
    ],
    "absent": [{"name": "sun", "why": "night"}],
    "goals": [
        {"name": "fast", "verdict": "met", "at_most": 10, "value": 8},
        {"name": "wide", "verdict": "missed", "at_least": 2.5, "value": 2},
        {"name": "none", "verdict": "not measured", "at_most": 1,
         "value": None},
    ],
}
PAGE = "before\n" + ipc_bench.page_part(RESULTS, GOALS) + "behind\n"


class IpcBenchTest(unittest.TestCase):
    def setUp(self):
        self.results = copy.deepcopy(RESULTS)
        self.goals = copy.deepcopy(GOALS)

    def problems(self, page=PAGE):
        return list(ipc_bench.problems(self.results, self.goals, page))

    def test_what_agrees_is_fine(self):
        self.assertEqual(self.problems(), [])

    def test_page_has_figures_goals_and_misses(self):
        lines = PAGE.splitlines()
        self.assertIn("| `a.stream_64` | 8 | 7 | 12 | ns | 1.5 | 8 | beads |",
                      lines)
        self.assertIn("| `b.x` | 12 346 | 12 000 | 0 | cycles | - | - | more "
                      "beads |", lines)
        self.assertIn("| `wide` | 2 | ≥ 2.5 | missed | a wide one |", lines)
        self.assertIn("- `wide` (missed): because. *Plan:* soon.", lines)
        self.assertIn("- `none` (not measured): not there. *Plan:* later.",
                      lines)
        self.assertIn("Not measured: `sun` (night).", lines)
        self.assertIn("| senders | 2 receivers |", lines)
        self.assertIn("| 1 | 55.5 |", lines)
        self.assertNotIn("| `channel-matrix", PAGE)
        self.assertNotIn("- `fast`", PAGE)

    def test_missed_goal_needs_reason_and_plan(self):
        for key in ("reason", "plan"):
            for name in ("wide", "none"):
                self.goals = copy.deepcopy(GOALS)
                del self.goals[name][key]
                self.assertTrue([text for text in self.problems()
                                 if f"the goal {name} is" in text])

    def test_goal_that_moved(self):
        self.goals["fast"]["at_most"] = 9
        self.assertTrue([text for text in self.problems()
                         if "fast: measured against" in text])

    def test_goal_that_was_not_measured(self):
        del self.results["goals"][1]
        self.assertIn("differ", self.problems()[0])

    def test_page_edited_by_hand(self):
        self.assertEqual(len(self.problems(PAGE.replace("12 346", "346"))), 1)
        for mark in (ipc_bench.BEGIN, ipc_bench.END):
            self.assertEqual(len(self.problems(PAGE.replace(mark, ""))), 1)
        with self.assertRaises(BadRow):
            ipc_bench.split_page(ipc_bench.END + ipc_bench.BEGIN)

    def test_goals_in_c(self):
        text = "\n".join(c_table(GOALS))
        self.assertIn('{ .name = "wide", .text = "a wide one", .figure = '
                      '"b.x", .at_least = 2.5 },', text)
        self.assertNotIn("because", text)

    def load(self, text):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ipc.toml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            return load_goals(path)

    def test_bad_file_of_goals(self):
        head = '[[goal]]\nname = "a"\ntext = "b"\nfigure = "c.d"\n'
        good = head + "at_most = 1\n"
        self.assertEqual(self.load(good)["a"]["at_most"], 1)
        for bad in (head, good + good, good + "at_least = 1\n",
                    good + "at_mast = 1\n", good + "plus_cycles = 1\n",
                    head + "at_most = 0\n",
                    good + 'speed = true\nagainst = "d.e"\n'):
            with self.assertRaises(BadGoal):
                self.load(bad)


if __name__ == "__main__":
    ktap.main()
