#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures of restarts become a part of the page; a page that says something else
is found; missed goals are named.
"""

import unittest

import ktap
import supervise_bench as bench
from figures import BadRow


def figure(median):
    return {"median": median, "best": median / 2, "worst": median * 2}


RESULTS = {
    "kernel": "6.1", "absent": ["s6"],
    "rows": [
        {"name": "first", "text": "a spare", "count": 3,
         "detection_us": figure(150), "serving_us": figure(200)},
        {"name": "second", "text": "none", "count": 3,
         "began_us": figure(1000), "serving_us": figure(1500)},
    ],
}


def page(part):
    return "# Figures\n" + part + "the rest\n"


class PageTest(unittest.TestCase):
    def test_rows_have_medians_worst_and_ratio(self):
        part = bench.page_part(RESULTS)
        self.assertIn("| `first` | 150 | 300 | - | 200 | 400 | 1 | a spare |",
                      part)
        self.assertIn("| `second` | - | - | 1 000 | 1 500 | 3 000 | 7.5 |",
                      part)

    def test_missed_goals_are_named_and_met_ones_are_not(self):
        part = bench.page_part(RESULTS)
        self.assertIn("- `detection_us` of `first`: 150, goal 100", part)
        self.assertNotIn("`serving_us` of", part)

    def test_what_was_not_measured_is_said(self):
        self.assertIn("Not measured: `s6`", bench.page_part(RESULTS))

    def test_page_of_the_figures_has_no_problem(self):
        self.assertEqual(list(bench.problems(
            RESULTS, page(bench.page_part(RESULTS)))), [])

    def test_page_of_other_figures_is_found(self):
        part = bench.page_part(RESULTS).replace("1 500", "1 400")
        self.assertIn("rewrite-docs",
                      list(bench.problems(RESULTS, page(part)))[0])

    def test_page_without_the_part_is_found(self):
        self.assertIn("not exactly one",
                      list(bench.problems(RESULTS, "# Figures\n"))[0])
        with self.assertRaises(BadRow):
            bench.split_page(bench.BEGIN + bench.END + bench.BEGIN)

    def test_summary_is_of_all_values(self):
        self.assertEqual(bench.summary([3.0, 1.0, 2.0]),
                         {"median": 2.0, "best": 1.0, "worst": 3.0})


if __name__ == "__main__":
    ktap.main()
