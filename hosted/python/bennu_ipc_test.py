#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Python binding: its layouts are those of C, and two processes talk.

Takes the library and the broker of build/package, or those that are installed
if BENNU_INSTALLED is set.
"""

import ctypes
import gc
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
if os.environ.get("BENNU_INSTALLED"):
    INCLUDE = "/usr/include/bennu"
    BROKER = shutil.which("bennu-broker")
else:
    BUILT = os.path.join(ROOT, "build", "package")
    INCLUDE = ROOT
    BROKER = os.path.join(BUILT, "bin", "bennu-broker")
    os.environ["BENNU_IPC_LIBRARY"] = os.path.join(BUILT, "lib",
                                                   "libbennu-ipc.so.0")
    sys.path[:0] = [os.path.join(ROOT, "tools")]

import bennu_ipc as ipc         # noqa: E402
import ktap                     # noqa: E402

MANY = 2000
HEADERS = ("channel/hosted/hosted.h", "token/token.h")


class LayoutTest(unittest.TestCase):
    def c_layouts(self):
        """{struct: [(field, offset, size)]} as the compiler sees them."""
        lines = [f"#include <lib/{header}>" for header in HEADERS]
        lines += ["#include <stdio.h>", "int main(void) {"]
        for name, layout in ipc.LAYOUTS.items():
            for field, _ in layout._fields_:
                lines.append(
                    f'printf("{name} {field} %zu %zu\\n", '
                    f"offsetof(struct {name}, {field}), "
                    f"sizeof(((struct {name} *)0)->{field}));")
            lines.append(f'printf("{name} - 0 %zu\\n", '
                         f"sizeof(struct {name}));")
        lines.append("}")
        with tempfile.TemporaryDirectory() as folder:
            program = os.path.join(folder, "layouts")
            subprocess.run(["gcc", "-I" + INCLUDE, "-x", "c", "-", "-o",
                            program], input="\n".join(lines), text=True,
                           check=True)
            return subprocess.run([program], check=True, text=True,
                                  capture_output=True).stdout.splitlines()

    def test_layouts_are_those_of_c(self):
        mine = []
        for name, layout in ipc.LAYOUTS.items():
            for field, _ in layout._fields_:
                place = getattr(layout, field)
                mine.append(f"{name} {field} {place.offset} {place.size}")
            mine.append(f"{name} - 0 {ctypes.sizeof(layout)}")
        self.assertEqual(mine, self.c_layouts())

    def test_statuses_are_those_of_c(self):
        with open(os.path.join(INCLUDE, "abi", "status.h"),
                  encoding="utf-8") as file:
            found = re.findall(r"^#define\s+(OK|ERR_\w+)\s+(\d+)ul",
                               file.read(), re.M)
        self.assertEqual([(status.name, str(status.value))
                          for status in ipc.Status], found)

    def test_constants_are_those_of_c(self):
        with open(os.path.join(INCLUDE, "lib", "channel", "channel.h"),
                  encoding="utf-8") as file:
            text = file.read()
        for kind in ("type", "overflow", "serializer"):
            body = re.search(rf"^enum channel_{kind} {{(.*?)}};", text,
                             re.M | re.S).group(1)
            names = re.findall(r"CHANNEL_(\w+)", body)
            self.assertEqual([getattr(ipc, name) for name in names],
                             list(range(len(names))))


class PrivateTest(unittest.TestCase):
    def setUp(self):
        self.domain = ipc.Domain.private()
        self.addCleanup(self.domain.close)

    def pair(self, **config):
        sender = self.domain.create("pair", role=ipc.SENDER, **config)
        return sender, self.domain.open("pair", role=ipc.RECEIVER)

    def test_bytes_arrive_as_they_were(self):
        sender, receiver = self.pair()
        for message in (b"", b"x", bytes(range(256)) * 16,
                        bytearray(b"mutable"), memoryview(b"abcdef")[1:3]):
            sender.send(message)
            self.assertEqual(receiver.receive(1), bytes(message))

    def test_message_longer_than_the_room_is_received_whole(self):
        sender, receiver = self.pair(message_max=20000)
        sender.send(b"y" * 20000)
        self.assertEqual(receiver.receive(1), b"y" * 20000)

    def test_status_is_an_exception_of_its_name(self):
        sender, receiver = self.pair(overflow=ipc.ERROR)
        with self.assertRaises(ipc.Timeout) as caught:
            receiver.receive(0)
        self.assertIsInstance(caught.exception, TimeoutError)
        self.assertEqual(caught.exception.status, ipc.Status.ERR_TIMEOUT)
        self.assertIn("ERR_TIMEOUT", str(caught.exception))
        with self.assertRaises(ipc.Full):
            for _ in range(100000):
                sender.send(b"z" * 100, timeout=0)
        with self.assertRaises(FileNotFoundError):
            self.domain.open("nobody")
        with self.assertRaises(ipc.State):
            receiver.send(b"")
        with self.assertRaises(ipc.Range):
            sender.send(bytes(100000))

    def test_timeout_lasts_as_long_as_it_says(self):
        _, receiver = self.pair()
        for wait in (receiver.receive, receiver.peek):
            start = time.monotonic()
            with self.assertRaises(ipc.Timeout):
                wait(0.5)
            self.assertGreaterEqual(time.monotonic() - start, 0.5)

    def test_message_is_made_and_read_in_place(self):
        sender, receiver = self.pair(zero_copy=True, message_max=65536,
                                     buffer_size=1 << 18)
        with sender.reserve(60000) as view:
            view.data[:] = b"v" * 60000
        with receiver.peek(1) as view:
            self.assertTrue(view.data.readonly)
            self.assertEqual(view.data, b"v" * 60000)
        self.assertEqual(sender.statistics()["bytes_copied"], 0)
        self.assertEqual(receiver.statistics()["bytes_copied"], 0)
        with self.assertRaises(ipc.Timeout):
            receiver.peek(0)

    def test_reservation_is_given_up_by_an_exception(self):
        sender, receiver = self.pair()
        with self.assertRaises(KeyError):
            with sender.reserve(10):
                raise KeyError("on the way")
        with self.assertRaises(ipc.Timeout):
            receiver.receive(0)
        with sender.reserve(10) as view:
            view.data[:3] = b"abc"
            view.commit(3)
        self.assertEqual(receiver.receive(1), b"abc")

    def test_no_part_of_a_message_outlives_it(self):
        sender, receiver = self.pair()
        sender.send(b"message")
        view = receiver.peek(1)
        part = view.data[1:3]
        self.assertRaises(BufferError, view.release)
        self.assertRaises(BufferError, receiver.close)
        self.assertEqual(bytes(part), b"es")
        del part
        gc.collect()
        data = view.data
        view.release()
        self.assertRaises(ValueError, bytes, data)

    def test_private_domain_has_no_broker(self):
        self.assertRaises(TypeError, self.domain.totals)
        self.assertRaises(TypeError, next, self.domain.channels())

    def test_closed_is_closed(self):
        sender, receiver = self.pair()
        sender.send(b"last")
        sender.close()
        self.assertEqual(list(receiver), [b"last"])
        self.assertRaises(ValueError, sender.send, b"")
        self.domain.close()
        self.assertRaises(ValueError, receiver.receive)
        self.assertRaises(ValueError, self.domain.create, "more")


def child_broadcast(domain):
    with domain.open("numbers", role=ipc.RECEIVER) as channel:
        print("ready", flush=True)
        numbers = [int(message) for message in channel]
    sys.exit(0 if numbers == list(range(MANY)) else 1)


def child_serve(domain):
    with domain.open("questions", role=ipc.RECEIVER) as channel:
        print("ready", flush=True)
        while True:
            channel.answer(channel.receive().upper())


CHILDREN = {"broadcast": child_broadcast, "serve": child_serve}


class ProcessTest(unittest.TestCase):
    """With a broker of its own and a second process."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="bennu-ipc-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.socket = os.path.join(self.folder, "broker")
        self.broker = self.started([BROKER, "--foreground", "--socket",
                                    self.socket])
        self.domain = self.connected()
        self.addCleanup(self.domain.close)

    def started(self, argv, **options):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, **options)
        self.addCleanup(self.ended, process)
        return process

    @staticmethod
    def ended(process):
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()

    def connected(self):
        for _ in range(100):
            try:
                return ipc.Domain.hosted(self.socket)
            except ipc.Gone:
                time.sleep(0.05)
        raise AssertionError("no broker")

    def child(self, name):
        process = self.started(
            [sys.executable, os.path.abspath(__file__), name, self.socket],
            stdout=subprocess.PIPE, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        return process

    def test_two_processes_see_each_message_once_in_order(self):
        with self.domain.create("numbers", role=ipc.SENDER,
                                type=ipc.BROADCAST) as channel:
            process = self.child("broadcast")
            for number in range(MANY):
                channel.send(b"%d" % number, timeout=10)
        self.assertEqual(process.wait(30), 0)

    def test_call_is_answered_until_the_other_dies(self):
        with self.domain.create("questions", role=ipc.SENDER,
                                type=ipc.SYNC) as channel:
            process = self.child("serve")
            for _ in range(100):
                self.assertEqual(channel.call(b"why", timeout=10), b"WHY")
            process.send_signal(signal.SIGKILL)
            process.wait()
            with self.assertRaises((ipc.Gone, ipc.Empty, ipc.Timeout)):
                channel.call(b"why", timeout=1)

    def test_broker_lists_what_there_is(self):
        self.assertEqual(list(self.domain.channels()), [])
        names = [f"listed-{number}" for number in range(20)]
        for name in names:
            self.domain.create(name, type=ipc.BROADCAST, role=ipc.SENDER)
        found = list(self.domain.channels())
        self.assertEqual(sorted(each["name"] for each in found),
                         sorted(names))
        self.assertEqual({each["pid"] for each in found}, {os.getpid()})
        totals = self.domain.totals()
        self.assertEqual((totals["channels"], totals["members"],
                          totals["processes"]), (20, 20, 1))

    def test_descriptor_tells_of_messages(self):
        with self.domain.create("watched", pollable=True,
                                role=ipc.RECEIVER) as channel, \
                self.domain.open("watched", role=ipc.SENDER) as sender:
            self.assertRaises(ipc.Timeout, channel.receive, 0)
            sender.send(b"look")
            readable, _, _ = select.select([channel], [], [], 10)
            self.assertEqual(readable, [channel])
            self.assertEqual(channel.receive(0), b"look")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        with ipc.Domain.hosted(sys.argv[2]) as connected:
            CHILDREN[sys.argv[1]](connected)
    else:
        ktap.main()
