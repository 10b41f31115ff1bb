#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu debug: boots the machine under gdb with the helpers of
tools/gdb/bennu.py, stopped at its first instruction, or with --when as soon as
the program has printed something. The program's output goes to the terminal,
the kernel log to build/debug.log.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading

from channel import ChannelError
from machine import (Machine, add_arguments, check_arguments, command_line,
                     kernel_image)
from mkarchive import GUEST, ROOT, boot_parts
from run import KernelLog, MachineFailed, Session

LOG = os.path.join(ROOT, "build", "debug.log")
HELPERS = [os.path.join(ROOT, "tools", "gdb", name)
           for name in ("bennu.py", "program.py")]
IMAGES = os.path.join(GUEST, "bin")
WHEN_TIMEOUT = 120


class PatientSession(Session):
    """Gives up on nothing: a stopped machine is not a lost one."""

    def __init__(self, machine, image, awaited):
        super().__init__(machine, KernelLog(LOG, image), None, 0)
        self.boot_deadline = None
        self.input_open = False
        self.ending = False
        self.awaited = awaited
        self.printed = b""
        self.seen = threading.Event()

    def over(self):
        return False

    def take_frames(self, frames):
        super().take_frames(frames)
        if self.awaited and not self.seen.is_set():
            self.printed += b"".join(data for kind, data in frames
                                     if kind in "OE")
            if self.awaited in self.printed:
                self.seen.set()

    def run_quietly(self):
        try:
            self.run()
        except (MachineFailed, ChannelError, OSError) as error:
            if self.ending:
                return
            sys.stderr.write(f"bennu: {error}\n")


def debugger(socket, arguments):
    argv = ["gdb", "-q", "-nx", "-iex", "set confirm off",
            "-iex", "set pagination off", "-iex", f"directory {ROOT}",
            kernel_image(arguments)]
    for path in HELPERS:
        argv += ["-ex", f"source {path}"]
    argv += ["-ex", f"set bennu-images {arguments.symbols}"]
    if arguments.root:
        argv += ["-ex", f"set bennu-root {arguments.root}"]
    argv += ["-ex", f"target remote {socket}"]
    if arguments.crash:
        argv += ["-ex", "bennu crash"]
    if arguments.batch:
        argv.insert(1, "-batch")
        for command in arguments.batch:
            argv += ["-ex", command]
    return argv


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu debug",
        usage="%(prog)s [options] [-- PROGRAM ARGS...]",
        description="Boots under gdb. The helpers are `bennu threads`, "
        "`bennu table THREAD|ADDRESS`, `bennu replies`, `bennu queues` "
        "and `bennu crash`.")
    add_arguments(parser)
    parser.add_argument("--when", metavar="TEXT",
                        help="let the machine run until the program has "
                        "printed TEXT, then stop it")
    parser.add_argument("--crash", action="store_true",
                        help="let the machine run until a program dies of a "
                        "fault or abort, then show its stack")
    parser.add_argument("--symbols", metavar="DIR", default=IMAGES,
                        help="images that threads may run (default "
                        "build/guest/bin)")
    parser.add_argument("--root", metavar="DIR|CPIO")
    parser.add_argument("--print", action="store_true",
                        help="print the command lines and stop")
    parser.add_argument("--batch", action="append", metavar="COMMAND",
                        help="run gdb commands and end, for tests")
    split = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_args(argv[:split])
    check_arguments(parser, arguments)
    arguments.program = argv[split + 1:] or ["/bin/sh"]
    return arguments


def print_commands(arguments):
    socket = os.path.join(ROOT, "build", "gdb.socket")
    argv = command_line(arguments, os.path.join(ROOT, "build", "module.cpio"),
                        "pipe,id=com2,path=COM2", f"file,id=com1,path={LOG}")
    print(shlex.join(argv + stub(socket, arguments)))
    print(shlex.join(debugger(socket, arguments)))


def stub(socket, arguments):
    start = [] if arguments.when else ["-S"]
    return start + ["-gdb", f"unix:{socket},server=on,wait=off"]


def wait_for(path, process):
    while not os.path.exists(path):
        try:
            process.wait(timeout=0.05)
            return False
        except subprocess.TimeoutExpired:
            pass
    return True


def main(argv):
    arguments = parse(argv)
    if arguments.print:
        print_commands(arguments)
        return 0
    module = boot_parts(arguments.program, root=arguments.root)
    socket = f"/tmp/bennu-gdb-{os.getpid()}"
    machine = Machine(arguments, module, stub(socket, arguments))
    # Ctrl-C in the terminal is for gdb.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    session = PatientSession(machine, kernel_image(arguments),
                             (arguments.when or "").encode())
    follower = threading.Thread(target=session.run_quietly, daemon=True)
    try:
        if not wait_for(socket, machine.process):
            sys.stderr.write(f"bennu: {machine.complaints()}\n")
            return 125
        follower.start()
        if arguments.when and not session.seen.wait(WHEN_TIMEOUT):
            sys.stderr.write(f"bennu: the program has not printed "
                             f"{arguments.when!r}\n")
            return 125
        return subprocess.call(debugger(socket, arguments))
    finally:
        session.ending = True
        machine.process.kill()
        if follower.is_alive():
            follower.join(timeout=5)
        machine.close()
        if os.path.exists(socket):
            os.unlink(socket)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
