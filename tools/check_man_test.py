#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Options that only the code or only the page has are found."""

import unittest

import check_exports
import check_man
import check_man_functions
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


FUNCTION = """\
.Sh NAME
.Nm {name}
.Nd a page
.Sh SYNOPSIS
.In lib/token/token.h
.Ft status_t
.Fo token_revoke
.Fa "struct token_authority *authority"
.Fa "{type} object"
.Fc
.Sh DESCRIPTION
"""


class FunctionTest(unittest.TestCase):
    HEADER = "lib/token/token.h"

    def problems(self, name="token_revoke", kind="uint64_t",
                 path="docs/man/token_revoke.3"):
        declared = {self.HEADER:
                    check_man_functions.prototypes(self.HEADER)}
        return list(check_man_functions.page_problems(
            path, FUNCTION.format(name=name, type=kind), declared))

    def test_page_with_the_types_of_the_header_is_fine(self):
        self.assertEqual(self.problems(), [])

    def test_other_type_than_in_the_header(self):
        self.assertEqual(len(self.problems(kind="uint32_t")), 1)

    def test_name_without_synopsis(self):
        self.assertIn("differ", " ".join(self.problems(name="token_mint")))

    def test_page_that_its_name_does_not_find(self):
        self.assertEqual(len(self.problems(path="docs/man/token.3")), 1)

    def test_constant_that_no_header_has(self):
        found = check_man_functions.constant_problems(
            "page", ".It Dv ERR_FULL , ERR_NEVER\n", {"ERR_FULL"})
        self.assertEqual(len(list(found)), 1)

    def test_function_that_no_page_has(self):
        names = check_exports.all_declared()
        left = list(check_man_functions.problems({}))
        self.assertEqual(len(left), len(names))


if __name__ == "__main__":
    ktap.main()
