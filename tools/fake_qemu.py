#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands in for QEMU in run_test.py: a guest that follows a script.

The first argument of the program names the script, one function below. The
lines are found on the command line, and the program in the boot module, as in
the real machine.
"""

import os
import sys
import time

from channel import Receiver, U32, encode_frame
from chaos import frames_of_programs


class FakeGuest:
    def __init__(self, argv):
        lines = {}
        for option in argv:
            if option.startswith("pipe,id="):
                name, path = option[len("pipe,id="):].split(",path=")
                lines[name] = path
        self.log = os.open(lines["com1"] + ".out", os.O_RDWR)
        self.control_out = os.open(lines["com2"] + ".out", os.O_RDWR)
        self.control_in = os.open(lines["com2"] + ".in", os.O_RDWR)
        self.command = self.read_command(argv[argv.index("-initrd") + 1])
        self.sequence = 0
        self.receiver = None
        self.pending = []

    @staticmethod
    def read_command(path):
        with open(path, "rb") as file:
            module = file.read()
        at = module.index(b"bennu/command\0") - 110
        size = int(module[at + 54:at + 62], 16)
        start = (at + 110 + len("bennu/command\0") + 3) // 4 * 4
        return module[start:start + size].split(b"\0")[:-1]

    def raw(self, data):
        while data:
            data = data[os.write(self.control_out, data):]

    def frame(self, kind, data=b"", sequence=None):
        if sequence is None:
            sequence = self.sequence
            self.sequence += 1
        self.raw(encode_frame(ord(kind), sequence, data))

    def hello(self, incarnation=1, expected=0):
        self.receiver = HostReceiver(expected)
        self.raw(b"\0")
        self.frame("H", U32.pack(incarnation) + U32.pack(expected), 0)

    def acknowledge(self):
        self.frame("A", U32.pack(self.receiver.expected), 0)

    def exit(self, status):
        self.frame("X", U32.pack(status))

    def print_log(self, text):
        os.write(self.log, text.encode())

    def read_frames(self):
        """Blocks for the next frames of the host that are in order."""
        while not self.pending:
            self.pending = self.receiver.feed(os.read(self.control_in, 4096))
        frames, self.pending = self.pending, []
        return frames


class HostReceiver(Receiver):
    """As the guest: what is not next is dropped, it will come again."""

    def __init__(self, expected):
        super().__init__()
        self.expected = expected

    def is_next(self, frame):
        if frame[1] != self.expected:
            return False
        self.expected += 1
        return True


def script_plain(guest):
    guest.hello()
    guest.frame("O", bytes(range(256)))
    guest.frame("E", b"err\0or")
    guest.frame("O", b"")
    guest.frame("O", b"end")
    guest.exit(7)


def script_duplicates(guest):
    guest.hello()
    guest.frame("O", b"one ")
    guest.frame("O", b"two ")
    guest.hello(2)
    guest.frame("O", b"one ", sequence=0)
    guest.frame("O", b"two ", sequence=1)
    guest.frame("O", b"three")
    guest.exit(0)


def script_gap(guest):
    guest.hello()
    guest.frame("O", b"one ")
    guest.frame("O", b"three", sequence=2)
    time.sleep(30)


def script_partial(guest):
    """Dies inside a frame, and once more with noise behind it."""
    guest.hello()
    guest.frame("O", b"one ")
    whole = encode_frame(ord("O"), 1, b"two ")
    guest.raw(whole[:7])
    guest.hello(2)
    guest.raw(b"\x07noise\0" + whole[:-3] + b"\0")
    guest.frame("O", b"two ")
    guest.exit(0)


def script_echo(guest):
    """Returns its input; restarts often, with input on the way."""
    restart_every = int(guest.command[1])
    guest.hello()
    taken = 0
    while True:
        for kind, data in guest.read_frames():
            taken += 1
            if kind == "Z":
                guest.acknowledge()
                guest.exit(0)
                return
            for at in range(0, len(data), 1024):
                guest.frame("O", data[at:at + 1024])
        if restart_every and taken >= restart_every:
            taken = 0
            expected = guest.receiver.expected
            guest.hello(2, expected)
        else:
            guest.acknowledge()


def script_bulk(guest):
    guest.hello()
    block = os.urandom(512) + bytes(512)
    for _ in range(10 * 1024):
        guest.frame("O", block)
    guest.exit(0)


def script_panic(guest):
    guest.hello()
    guest.print_log("starting\npanic: table.c:12: broken\n"
                    "backtrace: 0xffffffff80100010\n")
    time.sleep(30)


def script_dies(guest):
    guest.hello()
    guest.frame("O", b"some")
    guest.print_log("last words\n")


def script_gives_up(guest):
    """One service early, on the log of the kernel, one with the console."""
    guest.print_log("phoenix: bench is given up after 1 deaths\n"
                    "phoenix: one is given up after 4 deaths\n"
                    "phoenix: one is given up afterwards\n")
    guest.hello()
    guest.frame("L", b"phoenix: two is given up after 11 deaths")
    guest.exit(0)


def script_hangs(guest):
    guest.hello()
    time.sleep(30)


def script_silent(guest):
    guest.print_log("only the log speaks\n")
    time.sleep(30)


def script_trace(guest):
    guest.hello()
    guest.frame("T", b"write(1, ...) = 3\n")
    guest.frame("L", b"a line of storage")
    guest.exit(0)


def script_terminal(guest):
    """Tells what comes; "!" ends the machine."""
    guest.hello()
    guest.frame("O", b"ready\r\n")
    while True:
        for kind, data in guest.read_frames():
            guest.acknowledge()
            if kind == "Z":
                guest.exit(42)
                return
            if kind == "C":
                guest.frame("R", b"\0answer ")
                guest.frame("R", b"\0to " + data + b"?\x1b[2J\nno ")
                guest.frame("R", b"\1end")
            elif kind == "W":
                rows, columns = data[0] + 256 * data[1], data[2]
                guest.frame("O", f"size {rows} {columns}\r\n".encode())
            elif data == b"!":
                return
            else:
                guest.frame("O", b"key " + data.hex().encode() + b".\r\n")


def script_bench(guest):
    guest.hello()
    guest.frame("O", b"warming up\nrow null 78 80 80\n"
                b"row ipc_call_reply 500 510 420 cr3=2 msr=1\n"
                b"row getpid 90 91 0\nskip futex_round_trip no answer\n")
    guest.exit(0)


def script_badgoal(guest):
    guest.hello()
    guest.frame("O", b"row null 70 71 81\n")
    guest.exit(0)


def script_strange(guest):
    guest.hello()
    guest.frame("O", b"row dance 70 71 0\n")
    guest.exit(0)


def script_badrow(guest):
    guest.hello()
    guest.frame("O", b"row null few\n")
    guest.exit(0)


CHAOS_SYSTEM = "phoenix: system: frames {} objects 100 slots 200 threads 5\n"
CHAOS_FRAMES = 9000     # before a program was used


def chaos_ends(guest, verdict):
    """Two faults, a load that says the verdict, and the state at the end."""
    guest.print_log(CHAOS_SYSTEM.format(CHAOS_FRAMES))
    guest.hello()
    for number in (1, 2):
        guest.print_log(
            f"chaos: inject {number} {number}000000 storage kill\n"
            f"chaos: result {number} activated=1 manifested=killed "
            f"ready_ns={number}200000 recovery_ns=120000\n")
    guest.frame("O", f"load files round 1 2500 {verdict}\n".encode())
    guest.print_log("chaos: done 2\n")
    # Input before this would make no two runs the same.
    assert [kind for kind, _ in guest.read_frames()] == ["Z"]
    guest.acknowledge()
    guest.frame("O", b"load files end rounds=1 operations=4 lost=0 doubled=0 "
                b"silent=0 bytes=0\n")


def script_chaos(guest):
    chaos_ends(guest, "ok 4")
    guest.frame("E", b"SERVICE STATE INCARNATION\nphoenix ready 1\n"
                b"storage ready 3\n")
    guest.print_log(CHAOS_SYSTEM.format(
        CHAOS_FRAMES + frames_of_programs()))
    guest.exit(0)


def script_chaos_loses(guest):
    chaos_ends(guest, "lost=1 doubled=0 silent=0 error=5 read")
    guest.frame("E", b"SERVICE STATE INCARNATION\nphoenix ready 1\n"
                b"storage delayed 3\n")
    guest.print_log(CHAOS_SYSTEM.format(
        CHAOS_FRAMES + frames_of_programs()))
    guest.exit(1)


def script_chaos_panics(guest):
    chaos_ends(guest, "ok 4")
    guest.print_log("kernel panic: table.c:12: broken\n")
    time.sleep(30)


def main():
    guest = FakeGuest(sys.argv)
    name = guest.command[0].decode()
    globals()["script_" + name](guest)


if __name__ == "__main__":
    main()
