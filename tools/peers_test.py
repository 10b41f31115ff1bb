#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the other kernel prints is taken only if the benchmark ended well."""

import os
import subprocess
import tempfile
import unittest
from types import SimpleNamespace
from unittest import mock

import ktap
import peers
from peers import PeerFailed

# Stands in for QEMU: puts its text where COM1 goes.
FAKE = """#!/bin/sh
for word; do
    case $word in file,id=com1,path=*) path=${word#*path=} ;; esac
done
cat "$FAKE_TEXT" > "$path"
"""
END = "Kernel panic: Attempted to kill init! exitcode=0x%08x\r\n"
SHOWN = """Package: linux-image-cloud-amd64
Version: 6.1.2-1
Depends: linux-image-6.1.0-9-cloud-amd64 (= 6.1.2-1)
"""


class PeersTest(unittest.TestCase):
    def run_fake(self, text):
        machine = SimpleNamespace(
            cpus=1, memory="64M", cpu="max", machine="microvm", icount=True,
            append="", debug=False, image=None, firmware="bios", kernel=None,
            timeout=10)
        with tempfile.TemporaryDirectory() as folder:
            fake = os.path.join(folder, "qemu")
            with open(fake, "w", encoding="ascii") as file:
                file.write(FAKE)
            os.chmod(fake, 0o755)
            printed = os.path.join(folder, "text")
            with open(printed, "w", encoding="ascii", newline="") as file:
                file.write(text)
            with mock.patch.dict(os.environ, BENNU_QEMU=fake,
                                 FAKE_TEXT=printed), \
                    mock.patch.object(peers, "kernel",
                                      return_value=("vmlinuz", "Linux")), \
                    mock.patch.object(peers, "ram_disk", return_value=b""):
                return peers.run(machine, ["getpid"]), machine

    def test_lines_of_a_good_end(self):
        lines, machine = self.run_fake("row getpid 1 2 0\r\n" + END % 0)
        self.assertEqual(lines[0], "row getpid 1 2 0")
        self.assertTrue(machine.append.endswith(" -- getpid"))
        self.assertIn("mitigations=off", machine.append)

    def test_bad_end_is_an_error(self):
        for text in ("", "row getpid 1 2 0\r\n",
                     "row getpid 1 2 0\r\n" + END % 0x100):
            with self.assertRaises(PeerFailed):
                self.run_fake(text)

    def test_newest_package_is_found(self):
        with mock.patch.object(peers, "call", return_value=SHOWN):
            self.assertEqual(peers.find_package(), (
                "linux-image-6.1.0-9-cloud-amd64", "6.1.2-1"))
        with mock.patch.object(peers, "call", return_value=""):
            with self.assertRaises(PeerFailed):
                peers.find_package()

    def test_ram_disk_has_what_init_needs(self):
        out = subprocess.run(["cpio", "-tv", "--quiet"],
                             input=peers.ram_disk(), check=True,
                             capture_output=True).stdout.decode()
        self.assertRegex(out, r"(?m)^-rwxr-xr-x .* init$")
        self.assertRegex(out, r"(?m)^-rwxr-xr-x .* bin/busybox$")
        self.assertRegex(out, r"(?m)^crw-------.* 5, +1 .* dev/console$")


if __name__ == "__main__":
    ktap.main()
