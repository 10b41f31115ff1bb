#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The mutation gate: seeded bugs, each of which a named test must catch.

A file of tests/mutations is a class of bugs:

    about           one line
    [[mutant]]
    name            unique in its class
    file            the source that is changed
    old, new        the text that is replaced, found exactly once, and by what
    test            a host test (kernel_irq), scenario/NAME, or model/replay
    tier            full or nightly (default): when `./bennu test` runs it

The tree is copied to build/mutation. There each test is built and must pass
first. Then one mutant at a time is put in, what depends on it is built, the
test runs and must fail, and the mutant is taken out again. A mutant is

    caught      the test failed, crashed, or did not end
    SURVIVED    the test passed: a hole in the tests
    stale       the old text is not there once: the mutant must be written anew
    broken      it does not compile

Output is KTAP; the last line is `N passed, N failed, N skipped`. What a test
printed is in build/mutation/logs.
"""

import argparse
import concurrent.futures
import fcntl
import glob
import os
import re
import shutil
import signal
import sys
import threading
import time
import tomllib

import tree
from mkarchive import ROOT
from test import Job, Processes, Report

MUTATIONS = os.path.join(ROOT, "tests", "mutations")
SCRATCH = os.path.join(ROOT, "build", "mutation")
LOGS = os.path.join(SCRATCH, "logs")
KEYS = {"name", "file", "old", "new", "test"}
BUILD_TIMEOUT = 900
TEST_TIMEOUT = 300
FAILED = re.compile(r"^not ok \d+(?: -)? ?(.*)$", re.M)
# Host tests whose runs a model is asked about.
RECORDED = {"model/replay": "service"}
BROKEN, PASSED, FELL = "broken", "passed", "fell"


class Bad(Exception):
    """A file of mutants is wrong."""


class Mutant:
    def __init__(self, path, about, values):
        kind = os.path.basename(path)[:-5]
        wrong = (set(values) ^ KEYS) - {"tier"}
        if wrong:
            raise Bad(f"{path}: {', '.join(sorted(wrong))}: missing or "
                      "unknown")
        self.name = f"{kind}/{values['name']}"
        self.about = about
        self.file = values["file"]
        self.old, self.new = values["old"], values["new"]
        self.test = values["test"]
        self.tier = values.get("tier", "nightly")


def load():
    """All mutants; each name once."""
    mutants = []
    for path in sorted(glob.glob(os.path.join(MUTATIONS, "*.toml"))):
        with open(path, "rb") as file:
            info = tomllib.load(file)
        mutants += [Mutant(path, info["about"], values)
                    for values in info["mutant"]]
    names = [mutant.name for mutant in mutants]
    for name in names:
        if names.count(name) > 1:
            raise Bad(f"two mutants are called {name}")
    return mutants


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write_if_changed(path, data):
    """Leaves the time of a file alone whose content is right."""
    if not os.path.exists(path) or read(path) != data:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


class Copy:
    """A copy of the tree, where one worker builds."""

    def __init__(self, number, processes, width):
        self.root = os.path.join(SCRATCH, str(number))
        self.processes = processes
        self.width = width

    def path(self, *names):
        return os.path.join(self.root, *names)

    def sync(self):
        """Makes it equal to the tree, whatever was left in it."""
        wanted = set(tree.files())
        for name in wanted:
            source = os.path.join(ROOT, name)
            write_if_changed(self.path(name), read(source))
            shutil.copymode(source, self.path(name))
        for folder, folders, names in os.walk(self.root):
            if folder == self.root:
                folders[:] = [name for name in folders if name != "build"]
            for name in names:
                path = os.path.join(folder, name)
                if os.path.relpath(path, self.root) not in wanted:
                    os.unlink(path)

    def execute(self, name, argv, timeout):
        """Returns (exit code or None, output)."""
        log = os.path.join(LOGS, name.replace("/", "-") + ".log")
        job = Job(name, argv, timeout, environment={
            "BENNU_ROOT": self.root,
            "ASAN_OPTIONS": "detect_leaks=1:print_legend=0"})
        with open(log, "w+b") as output:
            code = self.processes.run(job, output)
            output.seek(0)
            return code, output.read().decode("utf-8", "replace")

    def build(self, name, test):
        """Whether what the test needs could be built."""
        preset = "guest" if test.startswith("scenario/") else "host-asan"
        folder = self.path("build", preset)
        if not os.path.exists(os.path.join(folder, "build.ninja")):
            code, _ = self.execute(
                name + "-configure",
                ["cmake", "-S", self.root, "--preset", preset], BUILD_TIMEOUT)
            if code != 0:
                return False
        target = "all" if preset == "guest" else \
            "test_" + RECORDED.get(test, test)
        code, _ = self.execute(
            name + "-build", ["cmake", "--build", folder, "-j",
                              str(self.width), "--target", target],
            BUILD_TIMEOUT)
        return code == 0

    def run(self, name, test, timeout):
        """Builds and runs: (BROKEN, PASSED or FELL, what fell)."""
        if not self.build(name, test):
            return BROKEN, "it does not build"
        if test.startswith("scenario/"):
            argv = [sys.executable, self.path("tools", "scenario.py"),
                    self.path("tests", "scenarios", test[9:] + ".toml")]
        elif test in RECORDED:
            argv = [sys.executable, self.path("tools", "model.py"),
                    test.partition("/")[2]]
        else:
            argv = [self.path("build", "host-asan", "tests", test)]
        code, text = self.execute(name, argv, timeout)
        if code == 0:
            return PASSED, ""
        if code is None:
            return FELL, f"no end within {timeout:.0f} s"
        failed = FAILED.search(text)
        return FELL, failed.group(1) if failed else f"exit code {code}"


class Gate:
    """The mutants, test by test, and what became of them."""

    def __init__(self, processes):
        self.processes = processes
        self.report = Report()
        self.lock = threading.Lock()

    def add(self, name, verdict, note):
        with self.lock:
            if self.processes.stopping:
                return
            if verdict != "skipped":
                print(f"# {name}: {note}")
            self.report.add(name, verdict,
                            note if verdict == "skipped" else "")

    def baseline(self, copy, test):
        """Seconds that the test takes without a mutant, None if it fails."""
        name = f"unmutated/{test}"
        copy.build(name, test)
        start = time.monotonic()
        verdict, note = copy.run(name, test, TEST_TIMEOUT)
        seconds = time.monotonic() - start
        self.add(name, "passed" if verdict == PASSED else "failed",
                 note or "passes")
        return seconds if verdict == PASSED else None

    def try_mutant(self, copy, mutant, timeout):
        path = copy.path(mutant.file)
        original = read(path) if os.path.exists(path) else b""
        count = original.count(mutant.old.encode())
        if count != 1:
            self.add(mutant.name, "failed", f"stale: its text is {count} "
                     f"times in {mutant.file}")
            return
        try:
            write_if_changed(path, original.replace(mutant.old.encode(),
                                                    mutant.new.encode()))
            verdict, note = copy.run(mutant.name, mutant.test, timeout)
        finally:
            write_if_changed(path, original)
        if verdict == FELL:
            self.add(mutant.name, "passed", f"caught by {mutant.test}: {note}")
        elif verdict == BROKEN:
            self.add(mutant.name, "failed", "broken: it does not compile")
        else:
            self.add(mutant.name, "failed", f"SURVIVED: {mutant.test} passed "
                     f"although {mutant.about}")

    def try_group(self, copies, test, mutants):
        with self.lock:
            copy = copies.pop()
        try:
            seconds = self.baseline(copy, test)
            for mutant in mutants:
                if self.processes.stopping:
                    break
                if seconds is None:
                    self.add(mutant.name, "skipped",
                             f"{test} fails without it")
                else:
                    self.try_mutant(copy, mutant, 10 * seconds + 10)
        finally:
            with self.lock:
                copies.append(copy)

    def run(self, mutants, jobs):
        groups = {}
        for mutant in sorted(mutants, key=lambda mutant: mutant.file):
            groups.setdefault(mutant.test, []).append(mutant)
        print(f"KTAP version 1\n1..{len(mutants) + len(groups)}", flush=True)
        width = max(1, (os.cpu_count() or 1) // jobs)
        copies = [Copy(i, self.processes, width) for i in range(jobs)]
        for copy in copies:
            copy.sync()
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            running = [pool.submit(self.try_group, copies, test, group)
                       for test, group in sorted(
                           groups.items(), key=lambda item: -len(item[1]))]
            try:
                for done in concurrent.futures.as_completed(running):
                    done.result()
            except BaseException:
                self.processes.stop()
                raise
        return self.report.summary()


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="tools/mutate.py",
        description="Puts seeded bugs into a copy of the tree; each must be "
        "caught by the test that it names.")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="mutants whose name or test contains it")
    parser.add_argument("--tier", choices=("full", "nightly"),
                        default="nightly",
                        help="full: the fast ones of every class")
    parser.add_argument("--list", action="store_true",
                        help="print the mutants and stop")
    parser.add_argument("--jobs", type=int, default=2, metavar="N",
                        help="copies of the tree to work in at a time")
    return parser.parse_args(argv)


def wanted(mutants, arguments):
    return [mutant for mutant in mutants
            if arguments.tier in ("nightly", mutant.tier)
            and (not arguments.names
                 or any(name in mutant.name or name in mutant.test
                        for name in arguments.names))]


def interrupted(number, _frame):
    raise KeyboardInterrupt(number)


def main(argv):
    arguments = parse(argv)
    mutants = wanted(load(), arguments)
    if arguments.list:
        for mutant in mutants:
            print(f"{mutant.tier:8} {mutant.name:36} {mutant.test:22} "
                  f"{mutant.file}")
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    os.makedirs(LOGS, exist_ok=True)
    with open(os.path.join(SCRATCH, ".lock"), "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            return Gate(Processes()).run(mutants, max(1, arguments.jobs))
        except KeyboardInterrupt:
            print("# interrupted")
            return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
