#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What must not compile does not, and the example of the manual runs.

Each case is a line that uses a typed channel wrongly, its corrected twin, and a
word of the complaint: so it fails for the reason that is meant.
"""

import os
import re
import subprocess
import tempfile
import unittest

import ktap
from mkarchive import ROOT

README = os.path.join(ROOT, "lib", "channel", "README.md")
BUILD = os.path.join(ROOT, "build", "host-asan", "lib")
LIBRARIES = ("channel/libchannel.a", "channel/libchannel_graph.a",
             "wire/liblite.a", "capnp/libcapnp.a", "ring/libring.a",
             "token/libtoken.a", "pool/libpool.a", "base/libbase.a")
FLAGS = ["-std=c17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
         "-I.", "-D_GNU_SOURCE", "-DBENNU_HOSTED"]
EXAMPLE = re.compile(r"^```c\n(.*?)^```$", re.M | re.S)
PROGRAM = """
#include <lib/channel/typed.h>
struct apple {{ uint64_t a; }};
struct pear {{ uint64_t a; }};
CHANNEL_TYPED(apple, struct apple, 1)
CHANNEL_TYPED(pear, struct pear, 2)
void f(struct apple_channel *apples, struct pear_channel *pears,
    struct apple *apple, struct pear *pear, const struct apple *fixed);
void f(struct apple_channel *apples, struct pear_channel *pears,
    struct apple *apple, struct pear *pear, const struct apple *fixed)
{{
    (void)apples; (void)pears; (void)apple; (void)pear; (void)fixed;
    {line}
}}
"""
CASES = {
    "send of another struct": (
        "apple_send(apples, pear, NULL);",
        "apple_send(apples, apple, NULL);", "incompatible"),
    "send on the channel of another type": (
        "apple_send(pears, apple, NULL);",
        "pear_send(pears, pear, NULL);", "incompatible"),
    "send on an untyped channel": (
        "apple_send(apples->typed.channel, apple, NULL);",
        "channel_send(apples->typed.channel, apple, 8, NULL);",
        "incompatible"),
    "send of a value": (
        "apple_send(apples, *apple, NULL);",
        "apple_send(apples, apple, NULL);", "incompatible"),
    "send of bytes": (
        'apple_send(apples, "bytes", NULL);',
        'channel_send(apples->typed.channel, "bytes", 5, NULL);',
        "incompatible"),
    "receive of another struct": (
        "pear_receive(pears, apple, NULL);",
        "pear_receive(pears, pear, NULL);", "incompatible"),
    "receive into what is constant": (
        "apple_receive(apples, fixed, NULL);",
        "apple_send(apples, fixed, NULL);", "discards"),
    "reserve of another struct": (
        "apple_reserve(apples, 0, &pear);",
        "apple_reserve(apples, 0, &apple);", "incompatible"),
    "peek at what may be written": (
        "apple_peek(apples, 0, apple, &apple);",
        "apple_peek(apples, 0, apple, &fixed);", "incompatible"),
    "a type without a schema": (
        "} CHANNEL_TYPED(fig, struct apple, 0) void g(void); void g(void) {",
        "} CHANNEL_TYPED(fig, struct apple, 3) void g(void); void g(void) {",
        "a type has a schema"),
}


def compile_line(line):
    """Returns what the compiler complains about, or ""."""
    done = subprocess.run(
        ["gcc", *FLAGS, "-Wno-unused-function", "-fsyntax-only", "-x", "c",
         "-"], cwd=ROOT, input=PROGRAM.format(line=line),
        capture_output=True, text=True)
    return done.stderr if done.returncode else ""


class NegativeTest(unittest.TestCase):
    def test_wrong_type_does_not_compile(self):
        for name, (wrong, _, complaint) in CASES.items():
            with self.subTest(name):
                self.assertIn(complaint, compile_line(wrong))

    def test_corrected_twin_compiles(self):
        for name, (_, right, _) in CASES.items():
            with self.subTest(name):
                self.assertEqual(compile_line(right), "")


class ExampleTest(unittest.TestCase):
    def test_example_of_the_manual_runs_as_written(self):
        with open(README, encoding="utf-8") as file:
            examples = EXAMPLE.findall(file.read())
        self.assertEqual(len(examples), 1)
        libraries = [os.path.join(BUILD, name) for name in LIBRARIES]
        if not all(map(os.path.exists, libraries)):
            self.skipTest("needs the build of host-asan")
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "example")
            subprocess.run(
                ["gcc", *FLAGS, "-fsanitize=address,undefined", "-x", "c",
                 "-", "-x", "none", *libraries, "-lpthread", "-o", program],
                cwd=ROOT, input=examples[0], text=True, check=True)
            done = subprocess.run([program], capture_output=True, text=True,
                                  timeout=30, check=True)
        self.assertEqual(done.stdout, "sensor 1: 42\n")


if __name__ == "__main__":
    ktap.main()
