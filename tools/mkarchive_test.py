#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The boot module is what cpio(1) reads, and begins with our own archive."""

import os
import stat
import subprocess
import tempfile
import unittest

import ktap
import mkarchive


def listing(archive):
    out = subprocess.run(["cpio", "-t", "--quiet"], input=archive,
                         check=True, capture_output=True).stdout
    return out.decode().split()


class ArchiveTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def test_first_archive_ends_on_a_page(self):
        root = os.path.join(self.folder.name, "root")
        with open(root, "wb") as file:
            file.write(b"not an archive")
        module = mkarchive.boot_module(["/bin/x", ""], ["A=b=c"], ["trace=1"],
                                       root)
        first = module[:-len(b"not an archive")]
        self.assertEqual(len(first) % mkarchive.PAGE, 0)
        self.assertTrue(module.endswith(b"not an archive"))
        names = listing(first)
        for name in ("command", "environment", "options"):
            self.assertIn("bennu/" + name, names)
        self.assertIn(b"/bin/x\0\0", first)
        self.assertIn(b"A=b=c\0", first)
        self.assertIn(b"trace=1\n", first)

    def test_a_module_repeats(self):
        root = os.path.join(self.folder.name, "root")
        with open(root, "wb"):
            pass
        one, two, three = (mkarchive.boot_module(["x"], root=root,
                                                 options=options)
                           for options in ((), (), ("a=b",)))
        self.assertEqual(one, two)
        self.assertNotEqual(one, three)

    def test_folder_survives_packing(self):
        source = os.path.join(self.folder.name, "tree")
        target = os.path.join(self.folder.name, "back")
        os.makedirs(os.path.join(source, "a", "b"))
        os.mkdir(target)
        with open(os.path.join(source, "a", "file"), "wb") as file:
            file.write(bytes(range(256)))
        os.chmod(os.path.join(source, "a", "file"), 0o4750)
        os.symlink("../file", os.path.join(source, "a", "b", "link"))
        subprocess.run(["cpio", "-id", "--quiet", "--no-absolute-filenames"],
                       input=mkarchive.user_root(source), check=True,
                       cwd=target)
        path = os.path.join(target, "a", "file")
        self.assertEqual(mkarchive.read(path), bytes(range(256)))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode) & 0o777, 0o750)
        self.assertEqual(os.readlink(os.path.join(target, "a", "b", "link")),
                         "../file")

    def test_default_root_has_the_shell(self):
        names = listing(mkarchive.default_root())
        for name in ("bin/busybox", "bin/bash", "bin/sh", "bin/ls",
                     "etc/passwd", "dev", "tmp", "proc", "root"):
            self.assertIn(name, names)


if __name__ == "__main__":
    ktap.main()
