#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu debug: boots the machine stopped at its first instruction, under gdb
with the helpers of tools/gdb/bennu.py. The program's output goes to the
terminal, the kernel log to build/debug.log.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading

from channel import ChannelError
from machine import (KERNEL, Machine, add_arguments, check_arguments,
                     command_line)
from mkarchive import ROOT, boot_module
from run import KernelLog, MachineFailed, Session

LOG = os.path.join(ROOT, "build", "debug.log")
HELPERS = os.path.join(ROOT, "tools", "gdb", "bennu.py")


class PatientSession(Session):
    """Gives up on nothing: a stopped machine is not a lost one."""

    def __init__(self, machine):
        super().__init__(machine, KernelLog(LOG), None, 0)
        self.boot_deadline = None
        self.input_open = False

    def over(self):
        return False

    def run_quietly(self):
        try:
            self.run()
        except (MachineFailed, ChannelError, OSError) as error:
            sys.stderr.write(f"bennu: {error}\n")


def debugger(socket, commands):
    argv = ["gdb", "-q", "-nx", "-iex", "set confirm off",
            "-iex", "set pagination off", "-iex", f"directory {ROOT}",
            KERNEL, "-ex", f"source {HELPERS}",
            "-ex", f"target remote {socket}"]
    if commands:
        argv.insert(1, "-batch")
        for command in commands:
            argv += ["-ex", command]
    return argv


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu debug",
        usage="%(prog)s [options] [-- PROGRAM ARGS...]",
        description="Boots under gdb. The helpers are `bennu threads`, "
        "`bennu table ADDRESS`, `bennu replies` and `bennu queues`.")
    add_arguments(parser)
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
    print(shlex.join(argv + stub(socket)))
    print(shlex.join(debugger(socket, arguments.batch)))


def stub(socket):
    return ["-S", "-gdb", f"unix:{socket},server=on,wait=off"]


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
    module = boot_module(arguments.program, root=arguments.root,
                         deterministic=arguments.icount)
    socket = f"/tmp/bennu-gdb-{os.getpid()}"
    machine = Machine(arguments, module, stub(socket))
    # Ctrl-C in the terminal is for gdb.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    session = PatientSession(machine)
    follower = threading.Thread(target=session.run_quietly, daemon=True)
    try:
        if not wait_for(socket, machine.process):
            sys.stderr.write(f"bennu: {machine.complaints()}\n")
            return 125
        follower.start()
        return subprocess.call(debugger(socket, arguments.batch))
    finally:
        machine.process.kill()
        if follower.is_alive():
            follower.join(timeout=5)
        machine.close()
        if os.path.exists(socket):
            os.unlink(socket)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
