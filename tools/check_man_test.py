#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Options that only the code or only the page has are found."""

import unittest

import check_man
import ktap

PAGE = """.It Cm trace Ns =1
.It Cm kill Ns = Ns Ar service
"""


class OptionsTest(unittest.TestCase):
    def problems(self, options):
        return list(check_man.option_problems("page", PAGE, set(options)))

    def test_same_options_are_fine(self):
        self.assertEqual(self.problems(["kill", "trace"]), [])

    def test_option_that_the_page_lacks(self):
        self.assertEqual(self.problems(["crash", "kill", "trace"]),
                         ["page: the option crash is missing"])

    def test_option_that_the_code_lacks(self):
        self.assertEqual(self.problems(["trace"]),
                         ["page: nothing reads the option kill"])

    def test_code_without_options_is_a_lost_pattern(self):
        self.assertEqual(len(self.problems([])), 3)

    def test_options_of_this_tree_are_seen(self):
        self.assertLessEqual({"bench", "crash", "kill", "leakcheck", "trace"},
                             check_man.boot_options())


if __name__ == "__main__":
    ktap.main()
