#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The packages on a clean Debian: installed, used as the README and the manual
say, and removed without a trace.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import unittest

import chroot
import ktap
import package
import tree

README = "README.md"
SECTION = "Use the parts on Linux"
EXAMPLE = "lib/channel/README.md"
MANUAL = "docs/man/bennu-ipc.7"
PYTHON = "hosted/python/bennu_ipc_test.py"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
LITERAL = re.compile(r"^\.Bd -literal(?: -offset indent)?\n(.*?)^\.Ed$",
                     re.M | re.S)
# What only the machine that builds can run.
ELSEWHERE = ("./bennu ",)
SHELL = ("sh", "-euc")
SOCKET = "/tmp/broker"
PATIENCE = 60                   # seconds, on a busy machine
# A client of the example of bennu-supervise, over the death of its server.
LEDGER_CLIENT = """
import socket, struct, subprocess
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.connect("/run/ledger")
for number in range(1, 31):
    line.send(struct.pack("QQQ", 7, number, number))
    if number % 10 == 0:
        subprocess.run(["bennu-supervise", "ctl", "kill", "ledger"], check=True)
    answer = (0, 0, 0)
    while answer[0] < number:
        answer = struct.unpack("QQQ", line.recv(24))
print("sum", answer[1])
"""
PLACE = """
#include <hosted/supervise/place.h>
#include <stdio.h>

int
main(void)
{
	static const struct bennu_place_operations none;
	struct bennu_place place;

	printf("status %lu\\n", bennu_place_open(&place, &none));
	return 0;
}
"""
TOTALS = f"""
import bennu_ipc, json
with bennu_ipc.Domain.hosted("{SOCKET}") as domain:
    print(json.dumps(domain.totals()))
"""
SCHEMA = """@0xd1c5a2b8e4f60973;
struct Point { x @0 :UInt32; name @1 :Text; }
"""
SCHEMA_USER = """
#include <idl/point.capnp.h>
#include <stdio.h>

int
main(void)
{
	uint64_t words[16];
	struct capnp_builder builder;
	struct capnp_reader reader;
	uint32_t count;
	const struct capnp_segment *segments;

	capnp_builder_init(&builder, words, 16);
	struct point_point_builder made = point_point_init_root(&builder);
	point_point_set_x(made, 42);
	point_point_set_name(made, "here", 4);
	segments = capnp_builder_segments(&builder, &count);
	capnp_reader_init(&reader, segments, count, 0, 0);
	struct point_point seen = point_point_root(&reader);
	struct capnp_blob name = point_point_get_name(seen);
	printf("%u %.*s\\n", point_point_get_x(seen), (int)name.length,
	    (const char *)name.bytes);
	return capnp_status(&reader) == OK &&
	    capnp_builder_status(&builder) == OK ? 0 : 1;
}
"""


def section(path, title):
    text = tree.read_text(path)
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text,
                      re.M | re.S)
    return found.group(1)


def readme_commands():
    """Each block of commands in the section, as root would type it."""
    for kind, text in BLOCK.findall(section(README, SECTION)):
        if kind == "sh":
            yield "".join(line.replace("sudo ", "")
                          for line in text.splitlines(True)
                          if not line.startswith(ELSEWHERE))


def manual_displays():
    """The displays of bennu-ipc(7) as a reader sees them."""
    return [text.replace("\\e", "\\").replace("\\&", "")
            for text in LITERAL.findall(tree.read_text(MANUAL))]


def first_c(path):
    return next(text for kind, text in BLOCK.findall(tree.read_text(path))
                if kind == "c")


class InstallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.debs = sorted(package.make(package.DEBS))
        cls.clean = chroot.Machine("clean")
        cls.machine = chroot.Machine("installed")
        cls.machine.install(cls.debs)

    def run_in(self, machine, *words, **options):
        try:
            return machine.run(*words, **options)
        except subprocess.CalledProcessError as error:
            self.fail(f"{words}: {error.returncode}\n{error.output}")

    def write(self, machine, name, text):
        folder = machine.path("/src")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def test_commands_of_the_readme_work(self):
        machine = chroot.Machine("readme")
        debs = machine.path("/src/build/package/debs")
        os.makedirs(debs)
        for path in self.debs:
            shutil.copy(path, debs)
        self.write(machine, "ten.c", first_c(EXAMPLE))
        script = "cd /src\n" + "".join(readme_commands())
        output = self.run_in(machine, *SHELL, script)
        self.assertIn("sensor 1: 42", output)

    def test_example_of_the_manual_talks_between_processes(self):
        cmake, program, usage = manual_displays()
        self.write(self.machine, "hello.c", program)
        self.write(self.machine, "CMakeLists.txt",
                   "cmake_minimum_required(VERSION 3.25)\n"
                   "project(hello C)\nadd_executable(hello hello.c)\n"
                   + cmake)
        self.run_in(self.machine, *SHELL,
                    "cd /src\ncmake -S . -B out\ncmake --build out\n"
                    "cp out/hello .\n")
        output = self.run_in(self.machine, *SHELL, "cd /src\n" + usage +
                             "wait %1\n")
        self.assertIn("it rains\n", output)

    def test_program_needs_nothing_with_the_static_library(self):
        self.write(self.machine, "ten.c", first_c(EXAMPLE))
        output = self.run_in(
            self.machine, *SHELL, "cd /src\n"
            "cc -static ten.c -o ten-static "
            "$(pkg-config --static --cflags --libs bennu-ipc)\n./ten-static")
        self.assertIn("sensor 1: 42", output)

    def test_python_module_works(self):
        for path in (PYTHON, "tools/ktap.py"):
            self.write(self.machine, os.path.basename(path),
                       tree.read_text(path))
        output = self.run_in(
            self.machine, "env", "BENNU_INSTALLED=1",
            "PYTHONDONTWRITEBYTECODE=1", "python3",
            "/src/" + os.path.basename(PYTHON))
        self.assertNotIn("not ok", output)
        self.assertGreater(output.count("\nok "), 10)

    def test_programs_say_what_they_are_for(self):
        names = os.listdir(self.machine.path("/usr/bin"))
        before = os.listdir(self.clean.path("/usr/bin"))
        for name in sorted(set(names) - set(before)):
            if name.startswith("capnpc-"):
                continue        # a plug-in: only capnp(1) starts it
            output = self.run_in(self.machine, name, "--help")
            self.assertRegex(output, rf"usage: {name}\b")

    def begin(self, *words):
        process = self.machine.start(*words)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        process.kill()
        process.wait()
        process.stdout.close()

    def shown(self):
        """Names of the channels that bennu-top shows."""
        text = self.run_in(self.machine, "bennu-top", "--once", "--json",
                           "--socket", SOCKET)
        try:
            return {each["name"] for each in json.loads(text)["channels"]}
        except json.JSONDecodeError:
            self.fail("bennu-top printed: " + text)

    def await_shown(self, names):
        end = time.monotonic() + PATIENCE
        while self.shown() != names:
            self.assertLess(time.monotonic(), end, self.shown())
            time.sleep(0.2)

    def test_death_of_one_demo_leaves_the_other(self):
        self.begin("bennu-broker", "--foreground", "--socket", SOCKET)
        while not os.path.exists(self.machine.path(SOCKET)):
            time.sleep(0.05)
        parcels = self.begin(
            "demo-producer-consumer", "--broker", SOCKET, "--processes",
            "--quiet", "--seconds", "600")
        tasks = self.begin(
            "demo-distributed-compute", "--broker", SOCKET, "--quiet",
            "--workers", "2", "--size", "15000000", "primes")
        self.await_shown({"demo.parcels", "demo.tasks"})
        parcels.kill()
        self.await_shown({"demo.tasks"})
        output, _ = tasks.communicate(timeout=2 * PATIENCE)
        self.assertEqual(tasks.returncode, 0, output)
        self.assertIn("as computed alone", output)
        self.await_shown(set())
        totals = json.loads(self.run_in(self.machine, "python3", "-B", "-c",
                                        TOTALS))
        self.assertEqual(totals.pop("processes"), 1)
        self.assertEqual(totals.pop("accounts"), 1)
        # One descriptor for who asks; what remains is the broker's own.
        self.assertLess(totals.pop("descriptors"), 16)
        totals.pop("refused")
        self.assertEqual(set(totals.values()), {0}, totals)

    def test_supervised_ledger_outlives_its_deaths(self):
        examples = "/usr/share/doc/bennu-supervise/examples/ledger.toml"
        self.begin("bennu-supervise", examples)
        while not os.path.exists(self.machine.path("/run/ledger")):
            time.sleep(0.05)
        output = self.run_in(self.machine, "python3", "-B", "-c",
                             LEDGER_CLIENT)
        self.assertIn("sum 465\n", output)
        output = self.run_in(self.machine, "bennu-supervise", "ctl", "--json",
                             "ps")
        self.assertEqual(json.loads(output)[0]["deaths"], 3)

    def test_program_of_a_place_is_built(self):
        self.write(self.machine, "place.c", PLACE)
        output = self.run_in(
            self.machine, *SHELL, "cd /src\ncc -Wall -Werror place.c -o place "
            "$(pkg-config --cflags --libs bennu-place)\n./place")
        self.assertIn("status 8\n", output)    # ERR_NOENT

    def test_c_is_made_from_a_schema(self):
        self.write(self.machine, "point.capnp", SCHEMA)
        self.write(self.machine, "point.c", SCHEMA_USER)
        output = self.run_in(
            self.machine, *SHELL, "cd /src\n"
            "capnp compile -obennu:. point.capnp\n"
            "cc -I. point.c -o point "
            "$(pkg-config --cflags --libs bennu-ipc)\n./point")
        self.assertIn("42 here", output)

    def test_nothing_is_left_after_a_purge(self):
        machine = chroot.Machine("purged")
        before = machine.files()
        machine.install(self.debs)
        self.assertGreater(len(machine.files() - before), 50)
        # Compiled Python must not stay behind either.
        self.run_in(machine, "python3", "-c", "import bennu_ipc")
        names = [os.path.basename(path).split("_")[0] for path in self.debs]
        self.run_in(machine, "apt-get", "purge", "-y", "-q", *names)
        self.assertEqual(machine.files() ^ before, set())


def skip(reason):
    print("KTAP version 1\n1..1")
    print(f"ok 1 install # SKIP {reason}")
    sys.exit(0)


def main():
    reason = chroot.unavailable()
    if reason is None:
        try:
            chroot.make_base()
        except chroot.Unavailable as error:
            reason = str(error)
    if reason is not None:
        skip(reason)
    chroot.enter()
    ktap.main()


if __name__ == "__main__":
    main()
