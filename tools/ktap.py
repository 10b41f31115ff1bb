# SPDX-License-Identifier: MIT
"""Runs a module's unittest cases and prints them as KTAP."""

import sys
import unittest


class KtapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def line(self, verdict, test):
        self.count += 1
        name = test.id().split(".", 1)[-1]
        print(f"{verdict} {self.count} {name}", flush=True)

    def comment(self, text):
        for line in text.rstrip().splitlines():
            print("# " + line)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.comment(self.failures[-1][1])
        self.line("not ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.comment(self.errors[-1][1])
        self.line("not ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.count += 1
        print(f"ok {self.count} {test.id()} # SKIP {reason}", flush=True)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(
        sys.modules["__main__"])
    print("KTAP version 1")
    print(f"1..{suite.countTestCases()}", flush=True)
    result = KtapResult()
    suite.run(result)
    sys.exit(0 if result.wasSuccessful() else 1)
