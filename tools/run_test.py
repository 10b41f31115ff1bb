#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the control channel and of ./bennu run against a fake machine."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import channel
import ktap
from channel import ChannelError, Receiver, Sender, encode_frame

TOOLS = os.path.dirname(os.path.abspath(__file__))
RUN = [sys.executable, os.path.join(TOOLS, "run.py")]


class CobsTest(unittest.TestCase):
    def test_round_trip(self):
        chance = random.Random(1)
        for length in list(range(600)) + [1024, 1033]:
            for zeros in (1, 2, 40, 256):
                data = bytes(chance.randrange(zeros) for _ in range(length))
                wire = channel.cobs_encode(data)
                self.assertNotIn(0, wire)
                self.assertEqual(channel.cobs_decode(wire), data)

    def test_cut_frame_is_refused(self):
        wire = channel.cobs_encode(b"hello")
        self.assertIsNone(channel.cobs_decode(wire[:-1]))

    def test_every_damaged_byte_is_noticed(self):
        wire = encode_frame(ord("O"), 3, b"text\0more")[:-1]
        for at in range(len(wire)):
            for value in range(1, 256):
                if value != wire[at]:
                    bad = wire[:at] + bytes([value]) + wire[at + 1:]
                    self.assertIsNone(channel.decode_frame(bad))


class ReceiverTest(unittest.TestCase):
    def test_bytes_may_come_in_any_pieces(self):
        wire = b"".join(encode_frame(ord("O"), i, b"%d\0" % i)
                        for i in range(20))
        for size in (1, 2, 3, 7, 100):
            receiver = Receiver()
            got = []
            for at in range(0, len(wire), size):
                got += receiver.feed(wire[at:at + size])
            self.assertEqual(got, [("O", b"%d\0" % i) for i in range(20)])

    def test_sequence_wraps(self):
        receiver = Receiver()
        receiver.expected = channel.WORD - 1
        wire = encode_frame(ord("O"), channel.WORD - 1, b"a") \
            + encode_frame(ord("O"), 0, b"b") \
            + encode_frame(ord("O"), channel.WORD - 1, b"a")
        self.assertEqual(receiver.feed(wire), [("O", b"a"), ("O", b"b")])
        self.assertEqual(receiver.duplicates, 1)

    def test_gap_is_an_error(self):
        with self.assertRaises(ChannelError):
            Receiver().feed(encode_frame(ord("E"), 1, b"late"))

    def test_hello_has_no_place_in_the_sequence(self):
        receiver = Receiver()
        wire = encode_frame(ord("H"), 99, bytes(8))
        self.assertEqual(receiver.feed(wire), [("H", bytes(8))])
        self.assertEqual(receiver.expected, 0)


class SenderTest(unittest.TestCase):
    def frames(self, wire):
        return [channel.decode_frame(piece)
                for piece in wire.split(b"\0") if piece]

    def filled(self, count):
        sender = Sender()
        for i in range(count):
            sender.put_input(b"%d" % i)
        return sender

    def test_silent_before_hello(self):
        sender = self.filled(2)
        self.assertEqual(sender.take(), b"")
        sender.hello(0)
        self.assertEqual(len(self.frames(sender.take())), 2)

    def test_what_was_sent_before_a_hello_may_be_acknowledged_after_it(self):
        sender = self.filled(3)
        sender.hello(0)
        sender.take()
        # One console died before it took the frames, the next one has two.
        sender.hello(0)
        sender.hello(2)
        self.assertEqual([f[1] for f in self.frames(sender.take())], [2])
        with self.assertRaises(channel.ChannelError):
            sender.hello(4)

    def test_window_limits_what_is_on_the_way(self):
        sender = self.filled(10)
        sender.hello(0)
        self.assertEqual([f[1] for f in self.frames(sender.take())],
                         [0, 1, 2, 3])
        self.assertEqual(sender.take(), b"")
        sender.acknowledge(3)
        self.assertEqual([f[1] for f in self.frames(sender.take())],
                         [4, 5, 6])

    def test_hello_sends_again(self):
        sender = self.filled(6)
        sender.hello(0)
        sender.take()
        sender.hello(2)
        self.assertEqual([f[1:] for f in self.frames(sender.take())],
                         [(i, b"%d" % i) for i in (2, 3, 4, 5)])

    def test_old_acknowledgement_is_ignored(self):
        sender = self.filled(6)
        sender.hello(0)
        sender.take()
        sender.acknowledge(4)
        sender.acknowledge(2)
        self.assertEqual(sender.first, 4)

    def test_acknowledgement_of_the_unsent_is_an_error(self):
        sender = self.filled(6)
        sender.hello(0)
        sender.take()
        with self.assertRaises(ChannelError):
            sender.acknowledge(5)

    def test_input_is_cut_into_frames(self):
        sender = Sender()
        sender.put_input(bytes(1000))
        sender.put_end()
        sender.put_end()
        self.assertEqual([(chr(k), len(d)) for k, d in sender.waiting],
                         [("I", 256), ("I", 256), ("I", 256), ("I", 232),
                          ("Z", 0)])


class RunTest(unittest.TestCase):
    """./bennu run against scripts of fake_qemu.py."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = os.path.join(self.folder.name, "root.cpio")
        with open(self.root, "wb"):
            pass
        self.environment = dict(
            os.environ, BENNU_QEMU=os.path.join(TOOLS, "fake_qemu.py"),
            BENNU_BOOT_TIMEOUT="5", TMPDIR=self.folder.name,
            PYTHONDONTWRITEBYTECODE="1")

    def tearDown(self):
        left = [name for name in os.listdir(self.folder.name)
                if name.startswith("bennu-")]
        self.folder.cleanup()
        self.assertEqual(left, [])

    def argv(self, script, options=()):
        return RUN + ["--root", self.root, *options, "--", *script]

    def run_script(self, *script, options=(), data=b""):
        return subprocess.run(
            self.argv(script, options), env=self.environment, input=data,
            capture_output=True, timeout=60)

    def test_output_and_status_are_exact(self):
        done = self.run_script("plain")
        self.assertEqual(done.stdout, bytes(range(256)) + b"end")
        self.assertEqual(done.stderr, b"err\0or")
        self.assertEqual(done.returncode, 7)

    def test_duplicates_are_dropped(self):
        done = self.run_script("duplicates")
        self.assertEqual((done.stdout, done.returncode),
                         (b"one two three", 0))

    def test_gap_ends_with_125(self):
        done = self.run_script("gap")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"lost", done.stderr)

    def test_partial_frame_is_dropped(self):
        done = self.run_script("partial")
        self.assertEqual((done.stdout, done.returncode), (b"one two ", 0))

    def test_input_comes_back(self):
        data = os.urandom(100000)
        done = self.run_script("echo", "0", data=data)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout == data)

    def test_input_survives_restarts(self):
        data = os.urandom(50000)
        done = self.run_script("echo", "3", data=data)
        self.assertEqual(done.returncode, 0)
        self.assertTrue(done.stdout == data)

    def test_ten_megabytes_fast_enough(self):
        start = time.monotonic()
        done = self.run_script("bulk")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout), 10 << 20)
        # Loose, for a busy machine; idle it takes well under two seconds.
        self.assertLess(time.monotonic() - start, 20)

    def test_panic_ends_with_125_and_log(self):
        done = self.run_script("panic")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"panic: table.c:12", done.stderr)

    def test_death_of_the_machine_ends_with_125_and_log(self):
        done = self.run_script("dies")
        self.assertEqual(done.returncode, 125)
        self.assertEqual(done.stdout, b"some")
        self.assertIn(b"last words", done.stderr)

    def test_services_that_were_given_up_are_named(self):
        done = self.run_script("gives_up")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(
            sorted(line for line in done.stderr.splitlines()),
            [b"bennu: %s deaths; --kernel-log FILE tells why" % what
             for what in (b"one is given up after 4",
                          b"two is given up after 11")])

    def test_timeout_ends_with_124(self):
        done = self.run_script("hangs", options=["--timeout", "0.5"])
        self.assertEqual(done.returncode, 124)
        self.assertIn(b"timeout", done.stderr)

    def test_lost_boot_ends_with_125(self):
        self.environment["BENNU_BOOT_TIMEOUT"] = "1"
        done = self.run_script("silent")
        self.assertEqual(done.returncode, 125)
        self.assertIn(b"boot lost", done.stderr)
        self.assertIn(b"only the log speaks", done.stderr)

    def test_missing_machine_ends_with_125(self):
        self.environment["BENNU_QEMU"] = "/nonexistent/qemu"
        self.assertEqual(self.run_script("plain").returncode, 125)

    def test_trace_and_log_go_to_their_files(self):
        trace = os.path.join(self.folder.name, "trace")
        log = os.path.join(self.folder.name, "log")
        done = self.run_script("trace", options=[
            "--trace", trace, "--kernel-log", log])
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        with open(trace, "rb") as file:
            self.assertEqual(file.read(), b"write(1, ...) = 3\n")
        with open(log, "rb") as file:
            self.assertEqual(file.read(), b"a line of storage\n")

    def test_closed_reader_ends_the_machine(self):
        tool = subprocess.Popen(
            self.argv(["bulk"]), env=self.environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        tool.stdout.close()
        self.assertEqual(tool.wait(timeout=30), 128 + signal.SIGPIPE)
        tool.stderr.close()

    def end_by_signal(self, number):
        tool = subprocess.Popen(
            self.argv(["hangs"]), env=self.environment,
            stdin=subprocess.DEVNULL)
        guests = []
        while not guests:
            time.sleep(0.05)
            guests = children(tool.pid)
        time.sleep(0.3)
        tool.send_signal(number)
        code = tool.wait(timeout=30)
        time.sleep(0.2)
        self.assertFalse(any(alive(guest) for guest in guests))
        return code

    def test_interrupt_ends_the_machine(self):
        self.assertEqual(self.end_by_signal(signal.SIGINT), 130)

    def test_kill_leaves_no_orphan(self):
        self.assertEqual(self.end_by_signal(signal.SIGKILL), -9)
        # Nobody was left to remove the names of the lines.
        for name in os.listdir(self.folder.name):
            if name.startswith("bennu-"):
                subprocess.run(["rm", "-r", os.path.join(
                    self.folder.name, name)], check=True)

    def test_help_and_bad_usage(self):
        for options, code in ((["--help"], 0), (["--machine", "vax"], 2),
                              (["--kill", "storage"], 2),
                              (["--memory", "lots"], 2)):
            done = subprocess.run(RUN + options, env=self.environment,
                                  capture_output=True, timeout=30)
            self.assertEqual(done.returncode, code)


def children(parent):
    try:
        with open(f"/proc/{parent}/task/{parent}/children",
                  encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return []


def alive(process):
    try:
        with open(f"/proc/{process}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    ktap.main()
