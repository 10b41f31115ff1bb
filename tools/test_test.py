#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Names that pick no test are refused, and what --list cannot know is said."""

import contextlib
import io
import os
import tempfile
import unittest
from unittest import mock

import ktap
import test


class NamesTest(unittest.TestCase):
    """The lists of the builds are those of a folder of ours."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = folder.name
        for name, value in (("BUILD", self.build),
                            ("LOGS", os.path.join(self.build, "logs"))):
            patch = mock.patch.object(test, name, value)
            patch.start()
            self.addCleanup(patch.stop)

    def built(self, preset, file, *names):
        folder = os.path.join(self.build, preset)
        os.mkdir(folder)
        with open(os.path.join(folder, file), "w", encoding="utf-8") as list_:
            list_.write("\n".join(names))

    def main(self, *argv):
        """Returns (exit code, output, errors); nothing is built or run."""
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), \
                contextlib.redirect_stderr(error), \
                mock.patch.object(test, "build") as self.builds, \
                mock.patch.object(test, "run_jobs") as self.runs, \
                mock.patch.object(test.signal, "signal"):
            code = test.main(list(argv))
        return code, out.getvalue(), error.getvalue()

    def test_a_list_shows_what_the_build_knows(self):
        self.built("host-asan", "tests.list", "one_test", "two_test")
        self.built("host-tsan", "tests.list", "two_test")
        code, out, error = self.main("--list", "quick", "_test")
        self.assertEqual((code, error), (0, ""))
        self.assertIn("host/one_test\nhost/two_test\nthreads/two_test\n",
                      out)

    def test_a_slow_test_is_none_of_quick(self):
        self.built("host-asan", "tests.list", "one_test", "two_test:full")
        self.built("host-tsan", "tests.list")
        self.built("fuzz", "fuzz.list")
        _, quick, _ = self.main("--list", "quick", "_test")
        _, full, _ = self.main("--list", "full", "_test")
        self.assertNotIn("two_test", quick)
        self.assertIn("host/one_test\nhost/two_test\n", full)

    def test_a_list_says_what_is_known_after_a_build(self):
        code, out, error = self.main("--list", "full", "kernel_table")
        self.assertEqual((code, out), (0, ""))
        for kind in ("host/", "threads/", "fuzz/"):
            self.assertIn(f"the names of {kind} are known after", error)

    def test_an_unknown_name_is_refused_before_anything_is_built(self):
        self.built("host-asan", "tests.list", "one_test")
        self.built("host-tsan", "tests.list")
        code, _, error = self.main("quick", "scenario/ctl", "nothing_such")
        self.assertEqual(code, 2)
        self.assertIn("no test of the tier quick has 'nothing_such'", error)
        self.assertNotIn("'scenario/ctl'", error)
        self.builds.assert_not_called()
        self.runs.assert_not_called()

    def test_a_name_that_only_a_build_tells_is_built_for(self):
        code, _, error = self.main("quick", "nothing_such")
        self.assertEqual(code, 2)
        self.assertIn("'nothing_such'", error)
        self.builds.assert_called_once()
        self.runs.assert_not_called()

    def test_a_known_name_runs(self):
        self.main("quick", "scenario/ctl")
        jobs = self.runs.call_args.args[2]
        self.assertEqual([job.name for job in jobs], ["scenario/ctl"])


if __name__ == "__main__":
    ktap.main()
