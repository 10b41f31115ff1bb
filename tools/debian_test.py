#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Roots of Debian: packed as they are, and whole or not there. Programs that
would fetch anything are replaced by small scripts."""

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import debian
import ktap

TOOLS = os.path.dirname(os.path.abspath(__file__))
# A base of few files; `$3` is the folder to fill.
DEBOOTSTRAP = """#!/bin/sh
echo "I: Retrieving nothing"
mkdir -p "$3/etc" "$3/usr/share/doc/x" "$3/var/log/daemon" "$3/proc"
echo made > "$3/etc/hostname"
echo old > "$3/var/log/daemon/log"
echo long > "$3/usr/share/doc/x/manual"
ln "$3/etc/hostname" "$3/etc/second"
ln -s hostname "$3/etc/link"
%s
"""


def names(archive):
    out = subprocess.run(["cpio", "-t", "--quiet"], input=archive, check=True,
                         capture_output=True).stdout
    return out.decode().split()


class PackTest(unittest.TestCase):
    def test_links_owners_and_modes_survive_and_nodes_stay_behind(self):
        with tempfile.TemporaryDirectory() as folder, \
                tempfile.TemporaryFile() as file, \
                tempfile.TemporaryDirectory() as out:
            root = os.path.join(folder, "root")
            os.makedirs(os.path.join(root, "proc/1"))
            for name in ("a", "plain"):
                with open(os.path.join(root, name), "w",
                          encoding="ascii") as one:
                    one.write("content of " + name)
            os.link(os.path.join(root, "a"), os.path.join(root, "z"))
            os.symlink("a", os.path.join(root, "link"))
            os.mkfifo(os.path.join(root, "fifo"))
            os.chmod(os.path.join(root, "a"), 0o4750)
            debian.pack(root, file)
            file.seek(0)
            subprocess.run(["cpio", "-idm", "--quiet"], stdin=file, cwd=out,
                           check=True)
            one, two = (os.lstat(os.path.join(out, name)) for name in "az")
            self.assertEqual(one.st_ino, two.st_ino)
            self.assertEqual(stat.S_IMODE(one.st_mode), 0o4750)
            with open(os.path.join(out, "z"), encoding="ascii") as got:
                self.assertEqual(got.read(), "content of a")
            self.assertEqual(os.readlink(os.path.join(out, "link")), "a")
            self.assertTrue(stat.S_ISFIFO(os.lstat(
                os.path.join(out, "fifo")).st_mode))
            self.assertEqual(os.listdir(os.path.join(out, "proc")), [])


@unittest.skipIf(os.geteuid() != 0, "only root builds roots")
class BuildTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.bin = os.path.join(self.folder.name, "bin")
        os.makedirs(os.path.join(self.folder.name, "build"))
        os.mkdir(self.bin)

    def tearDown(self):
        self.folder.cleanup()

    def debootstrap(self, end):
        path = os.path.join(self.bin, "debootstrap")
        with open(path, "w", encoding="ascii") as file:
            file.write(DEBOOTSTRAP % end)
        os.chmod(path, 0o755)

    def start(self, *packages):
        code = "import sys, debian; debian.reachable = lambda address: True; " \
            "sys.exit(debian.main())"
        return subprocess.Popen(
            [sys.executable, "-c", code, *packages], cwd=TOOLS, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=dict(os.environ, BENNU_ROOT=self.folder.name,
                     PATH=self.bin + ":" + os.environ["PATH"]))

    def left(self):
        return sorted(os.listdir(os.path.join(self.folder.name, "build",
                                              "debian")))

    def test_a_root_is_built_once_without_what_is_only_read(self):
        self.debootstrap("")
        child = self.start()
        path, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 0, said)
        with open(path.strip(), "rb") as file:
            inside = names(file.read())
        self.assertIn("etc/second", inside)
        self.assertIn("var/log/daemon", inside)
        self.assertNotIn("var/log/daemon/log", inside)
        self.assertNotIn("usr/share/doc/x", inside)
        self.debootstrap("exit 1")
        again = self.start()
        self.assertEqual(again.communicate(timeout=60)[0], path)

    def test_a_failure_names_its_cause_and_leaves_nothing(self):
        self.debootstrap("echo 'E: no such suite'; exit 3")
        child = self.start()
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 1)
        self.assertIn("E: no such suite", said)
        self.assertEqual([name for name in self.left()
                          if name not in ("lock", "log")], [])

    def test_an_interrupt_leaves_nothing_half_built(self):
        self.debootstrap("touch \"$3/started\"; sleep 60")
        child = self.start()
        limit = time.monotonic() + 30
        while not any(name.endswith(debian.UNFINISHED) for name in (
                self.left() if os.path.isdir(os.path.join(
                    self.folder.name, "build", "debian")) else ())):
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
        self.assertEqual(child.returncode, 128 + signal.SIGINT)
        self.assertEqual([name for name in self.left()
                          if name not in ("lock", "log")], [])

    def test_a_bad_name_is_refused_before_anything_is_done(self):
        child = self.start("--", "a b")
        _, said = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 1)
        self.assertIn("no name of a package", said)


class KeyTest(unittest.TestCase):
    def test_the_order_of_packages_makes_no_other_root(self):
        self.assertEqual(debian.key_of(["a", "b"]),
                         debian.key_of(["b", "a", "a"]))
        self.assertNotEqual(debian.key_of(["a"]), debian.key_of([]))


if __name__ == "__main__":
    ktap.main()
