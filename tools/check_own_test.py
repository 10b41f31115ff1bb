#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each way in which list, header, pages and tests may differ is found."""

import unittest

import check_own
import ktap

NUMBERS = sorted(set(range(1, check_own.LAST_ERROR + 1)) - check_own.UNUSED)
ROWS = [(number, "EIO" if number == 5 else f"E{number}", "some text")
        for number in NUMBERS]
FILES = {
    "lib/own/bennu/calls.def":
        'CALL(0, EXIT, exit, "d", ADAPTED)\nCALL(1, DUP, dup, "d", 32)\n',
    "lib/own/bennu/errors.def":
        "".join(f'ERROR({number}, {name}, "{text}")\n'
                for number, name, text in ROWS),
    "lib/own/bennu/abi.h":
        "_Noreturn void exit(int status);\nint dup(int oldfd);\n",
    "personality/own.c": "\tADAPTER(EXIT, exit),\n",
    "personality/calls.def": 'CALL(32, dup, "d", linux_dup)\n',
    "idl/errno.h": "#define E_IO\t5\n",
    "docs/man/bennu-errors.7":
        "".join(f".It {number} Dv {name}\n{text}\n"
                for number, name, text in ROWS),
}
PAGES = {
    name: f".Dt {name.upper()} 2\n.Nm {name}\n.Ft {result}\n.Fo {name}\n"
          f'.Fa "{argument}"\n.Fc\nOwn call {number}, BENNU_{name.upper()}\n'
          "\n.Sh SYNOPSIS\n.Sh DESCRIPTION\n.Sh RETURN VALUES\n"
          ".It Dv EIO\n.Sh SEE ALSO\n"
    for number, name, result, argument in (
        (0, "exit", "_Noreturn void", "int status"),
        (1, "dup", "int", "int oldfd"))
}
TESTS = "exit(dup(0));"


class OwnTest(unittest.TestCase):
    def problems(self, path=None, old="", new="", pages=None, tests=TESTS):
        def read(name):
            text = FILES[name]
            if name == path:
                self.assertIn(old, text)
                text = text.replace(old, new)
            return text
        return list(check_own.find_problems(
            read, PAGES if pages is None else pages, tests))

    def changed(self, name, old, new):
        self.assertIn(old, PAGES[name])
        return self.problems(
            pages=dict(PAGES, **{name: PAGES[name].replace(old, new)}))

    def test_what_agrees_is_fine(self):
        self.assertEqual(self.problems(), [])

    def test_gap_in_the_numbers(self):
        self.assertTrue(self.problems("lib/own/bennu/calls.def", "(1, DUP",
                                      "(2, DUP"))

    def test_adapter_that_is_missing_or_too_many(self):
        self.assertTrue(self.problems("personality/own.c", "EXIT", "DUP"))

    def test_other_arguments_than_the_call_of_linux(self):
        self.assertTrue(self.problems("personality/calls.def", '"d"', '"x"'))

    def test_declaration_that_differs(self):
        self.assertTrue(self.problems("lib/own/bennu/abi.h", "int oldfd",
                                      "long oldfd"))

    def test_page_that_is_missing_or_too_many(self):
        self.assertTrue(self.problems(pages={"exit": PAGES["exit"]}))
        self.assertTrue(self.problems(pages=dict(PAGES, more="")))

    def test_page_with_a_wrong_number_title_or_error(self):
        self.assertTrue(self.changed("dup", "call 1", "call 2"))
        self.assertTrue(self.changed("dup", ".Dt DUP", ".Dt EXIT"))
        self.assertTrue(self.changed("dup", "EIO", "EOI"))

    def test_page_that_was_cut(self):
        self.assertTrue(self.changed("dup", ".Sh SEE ALSO\n", ""))

    def test_error_that_the_system_numbers_otherwise(self):
        self.assertTrue(self.problems("idl/errno.h", "5", "6"))

    def test_error_that_the_page_tells_otherwise(self):
        self.assertTrue(self.problems("docs/man/bennu-errors.7",
                                      "Dv EIO\nsome", "Dv EIO\nother"))

    def test_error_that_is_missing(self):
        self.assertTrue(self.problems("lib/own/bennu/errors.def",
                                      'ERROR(131, E131, "some text")\n', ""))

    def test_call_that_no_test_makes(self):
        self.assertTrue(self.problems(tests="exit(0);"))

    def test_lost_patterns(self):
        self.assertTrue(self.problems("lib/own/bennu/calls.def", "CALL",
                                      "CALLS"))


if __name__ == "__main__":
    ktap.main()
