#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu run: boots the machine, runs a Linux program in it, returns its exit
code. Output and input pass byte for byte.

Exit codes of the tool itself: 124 time is up, 125 the machine failed, 130 and
the like when a signal ended the tool.
"""

import argparse
import io
import os
import re
import select
import signal
import sys
import tempfile
import time

import debian
import events
from channel import ChannelError, Receiver, Sender, words
from coverage import CoverageLines
from host_terminal import Quit, Terminal
from image import wants_terminal
from machine import (Machine, add_arguments, add_image_arguments,
                     check_arguments, kernel_image, printable_command)
from mkarchive import (boot_module, give_terminal, host_file,
                       service_file)
from symbolize import Symbolizer

EXIT_TIMEOUT = 124
EXIT_MACHINE = 125
DEFAULT_TIMEOUT = 600
BOOT_TIMEOUT = float(os.environ.get("BENNU_BOOT_TIMEOUT", "60"))
LOG_TAIL = 64 * 1024
LOG_LINES = 60
CHUNK = 1 << 16
BACKLOG = 1024          # frames of input read ahead
# After its exit frame the guest powers off; after a panic it prints the rest.
EXIT_GRACE = 0.5
PANIC_GRACE = 1.0
COVERAGE_GRACE = 60.0   # it prints its coverage last
PANIC = re.compile(rb"^(?:\[[^\]\n]*\] ?)?(?:kernel )?panic\b[: ]",
                   re.M | re.I)
# One death alone: a service that is not to come back, such as a benchmark.
GIVEN_UP = re.compile(rb"^phoenix: (\S+ is given up after (?!1 )\d+ deaths)"
                      rb"\r?\n", re.M)


class MachineFailed(Exception):
    """The machine ended, or will never end, without an exit status."""


class TimeUp(Exception):
    """The time given by --timeout is over."""


def write_all(line, data):
    while data:
        try:
            data = data[os.write(line, data):]
        except BlockingIOError:
            select.select([], [line], [])
class KernelLog:
    """Keeps the end of the kernel's log, and all of it in a file if asked,
    with functions and lines added to addresses."""

    def __init__(self, path, image, root=None, coverage=None):
        self.symbols = Symbolizer(image, service_file,
                                  lambda name: host_file(name, root))
        self.coverage = coverage
        self.tail = b""
        self.line = b""         # the last one, not yet complete
        self.panicked = False
        self.given_up = []      # what was said of services, until told
        self.file = open(path, "wb", buffering=0) if path else None

    def put(self, data):
        if self.coverage:
            data = self.coverage.take(data)
        # A line that came in two parts is looked at again.
        start = self.tail.rfind(b"\n") + 1
        fresh = self.tail[start:] + data
        self.panicked = self.panicked or PANIC.search(fresh) is not None
        self.look(fresh)
        self.put_service(data)

    def look(self, lines):
        """Programs could write such a line too: it is told, no more."""
        self.given_up += GIVEN_UP.findall(lines)

    def put_service(self, data):
        """A service's line can speak of panic without being one."""
        self.tail = (self.tail + data)[-LOG_TAIL:]
        if self.file:
            *lines, self.line = (self.line + data).split(b"\n")
            for line in lines:
                self.write(line + b"\n")

    def write(self, line):
        if b"0x" in line:
            text = line.decode("utf-8", "replace").replace("\r", "")
            line = self.symbols.text(text).encode() + b"\n"
        self.file.write(line)

    def close(self):
        """Writes what the last line has so far."""
        if self.file and self.line:
            self.file.write(self.line)

    def report(self):
        text = self.tail.decode("utf-8", "replace").replace("\r", "")
        lines = self.symbols.text(text).splitlines()[-LOG_LINES:]
        if not lines:
            return "the kernel log is empty"
        return "end of the kernel log:\n" + "\n".join(lines)


class Session:
    """One program in one machine, until its exit status is known."""

    def __init__(self, machine, log, trace, timeout, terminal=None):
        self.machine = machine
        self.terminal = terminal
        self.log = log
        self.trace = trace
        self.receiver = Receiver()
        self.sender = Sender()
        self.unsent = b""
        self.status = None
        self.input_open = True
        self.start = time.monotonic()
        self.deadline = self.start + timeout if timeout else None
        self.timeout = timeout
        self.boot_deadline = self.start + BOOT_TIMEOUT
        self.grace = None       # when to stop waiting for QEMU's end

    def run(self):
        process = os.pidfd_open(self.machine.process.pid)
        try:
            while not self.over():
                if self.terminal:
                    self.terminal.step(self)
                ready = self.wait(process)
                if self.machine.log_in in ready:
                    self.read_log()
                if self.machine.control_in in ready:
                    self.read_control()
                if 0 in ready:
                    self.read_input()
                self.tell_given_up()
                self.send()
                if process in ready:
                    self.drain()
                    break
        finally:
            os.close(process)
        self.finish()

    def wait(self, process):
        """Returns the lines on which something happened."""
        poll = select.poll()
        for line in (process, self.machine.log_in):
            poll.register(line, select.POLLIN)
        if self.terminal:
            poll.register(self.terminal.wake, select.POLLIN)
        if not (self.terminal and self.terminal.full()):
            poll.register(self.machine.control_in, select.POLLIN)
        if self.input_wanted():
            poll.register(0, select.POLLIN)
        if self.unsent:
            poll.register(self.machine.control_out, select.POLLOUT)
        return {line for line, _ in poll.poll(self.wait_ms())}

    def wait_ms(self):
        times = [t for t in (self.deadline, self.boot_deadline, self.grace)
                 if t is not None]
        wait = min(times) - time.monotonic() if times else 1.0
        return max(0, min(wait, 1.0)) * 1000

    def over(self):
        """Whether to stop before QEMU closes its lines."""
        now = time.monotonic()
        if self.grace is None:
            if self.log.panicked or self.status is not None:
                self.grace = now + (
                    COVERAGE_GRACE if self.log.coverage else
                    PANIC_GRACE if self.log.panicked else EXIT_GRACE)
        if self.grace is not None:
            return now >= self.grace
        if self.deadline and now >= self.deadline:
            raise TimeUp(f"timeout: stopped after {self.timeout:g} s")
        if self.boot_deadline and now >= self.boot_deadline:
            raise MachineFailed(f"boot lost: no word from the console within "
                                f"{BOOT_TIMEOUT:g} s")
        return False

    def drain(self):
        """QEMU is gone: takes what it left behind."""
        while self.read_log():
            pass
        while self.read_control():
            pass

    def drain_log(self):
        """For the report: the kernel may still be printing why."""
        limit = time.monotonic() + PANIC_GRACE
        while self.read_log() and time.monotonic() < limit:
            pass

    def finish(self):
        if self.log.panicked:
            raise MachineFailed("kernel panic")
        if self.status is None:
            code = self.machine.process.wait()
            raise MachineFailed(f"the machine stopped (QEMU's code {code}) "
                                f"before the program ended")

    def read_log(self):
        data = self.read_line(self.machine.log_in)
        self.log.put(data)
        return data != b""

    def read_control(self):
        data = self.read_line(self.machine.control_in)
        self.take_frames(self.receiver.feed(data))
        # Bytes come one by one: let some gather before the next look.
        if 0 < len(data) < 4096 and self.status is None:
            time.sleep(0.0005)
        return data != b""

    @staticmethod
    def read_line(line):
        """Returns b"" if there is nothing now, or no writer."""
        try:
            return os.read(line, CHUNK)
        except BlockingIOError:
            return b""

    def input_wanted(self):
        return (self.input_open and self.sender.open and self.status is None
                and self.sender.backlog() < BACKLOG)

    def read_input(self):
        try:
            data = os.read(0, CHUNK)
        except OSError:
            data = b""          # a terminal that went away ends the input
        if not data and self.terminal:
            self.terminal.hang_up()
        elif not data:
            self.end_input()
        elif self.terminal:
            self.sender.put_input(self.terminal.typed(data, self))
        else:
            self.sender.put_input(data)

    def tell_given_up(self):
        """Without a service programs may wait for ever."""
        end = b"\r\n" if self.terminal else b"\n"
        for text in self.log.given_up:
            write_all(2, b"bennu: %s; --kernel-log FILE tells why%s"
                      % (text, end))
        self.log.given_up.clear()

    def end_input(self):
        self.input_open = False
        self.sender.put_end()

    def end_within(self, seconds):
        """Nobody is there any more: the machine may not stay."""
        self.deadline = time.monotonic() + seconds
        self.timeout = self.deadline - self.start

    def send(self):
        self.unsent += self.sender.take()
        if self.unsent:
            try:
                done = os.write(self.machine.control_out, self.unsent)
                self.unsent = self.unsent[done:]
            except BlockingIOError:
                pass

    def take_frames(self, frames):
        pending = {"O": [], "E": []}
        for kind, data in frames:
            if kind in pending:
                # Each stream in bulk, but never one past the other.
                other = "E" if kind == "O" else "O"
                self.flush(pending, other)
                pending[kind].append(data)
            else:
                self.take_other(kind, data)
        self.flush(pending, "O")
        self.flush(pending, "E")

    def flush(self, pending, kind):
        data = b"".join(pending[kind])
        pending[kind] = []
        if self.terminal:
            # Only O has passed the guest's own terminal.
            self.terminal.write(data if kind == "O" else
                                data.replace(b"\n", b"\r\n"))
        elif data:
            write_all(1 if kind == "O" else 2, data)

    def take_other(self, kind, data):
        if kind == "T":
            if self.trace:
                self.trace.write(data)
        elif kind == "L":
            line = data if data.endswith(b"\n") else data + b"\n"
            self.log.put_service(line)
            self.log.look(line)
        elif kind == "R":
            if self.terminal:
                self.terminal.answer(data)
        elif kind == "X":
            self.take_exit(words(data, 1)[0])
        elif kind == "H":
            self.boot_deadline = None
            self.machine.forget_folder()
            self.sender.hello(words(data, 2)[1])
        elif kind == "A":
            self.sender.acknowledge(words(data, 1)[0])
        else:
            raise ChannelError(f"frame of unknown type {kind!r}")

    def take_exit(self, status):
        if status > 255:
            raise ChannelError(f"exit status {status:#x}")
        if self.status is None:
            self.status = status


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu run",
        usage="%(prog)s [options] [-- PROGRAM ARGS...]",
        description="Boots Bennu in QEMU and runs a Linux program (default "
        "/bin/sh) in it. Input, output and exit code are the program's. "
        "Exit 124: time is up. Exit 125: the machine failed.")
    add_arguments(parser)
    add_image_arguments(parser)
    parser.add_argument("--root", metavar="DIR|CPIO",
                        help="root file system instead of the default one")
    parser.add_argument("--debian", nargs="*", metavar="PACKAGE",
                        help="a root of Debian with these packages, built "
                        "once; memory is sized by it unless --memory is given")
    parser.add_argument("--timeout", type=float, metavar="S",
                        help=f"end after S seconds, 0 never (default: "
                        f"{DEFAULT_TIMEOUT}, never if input is a terminal)")
    parser.add_argument("--trace", metavar="FILE",
                        help="write a trace of system calls to FILE")
    parser.add_argument("--events", metavar="JSON",
                        help="record what services do meanwhile, for "
                        "https://ui.perfetto.dev")
    parser.add_argument("--kill", action="append", default=[],
                        metavar="SERVICE:COUNT:EVERY_US",
                        help="kill a service COUNT times meanwhile")
    parser.add_argument("--coverage", metavar="FILE",
                        help="write what ran of the kernel's code to FILE, "
                        "for tools/coverage.py; takes the debug kernel")
    parser.add_argument("--option", action="append", default=[],
                        metavar="K=V", help="boot option, see bennu-boot(7)")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    parser.add_argument("--kernel-log", metavar="FILE")
    parser.add_argument("--terminal", action=argparse.BooleanOptionalAction,
                        help="the guest gets this terminal, raw (default if "
                        "all three streams are one); Ctrl-A ? lists the keys "
                        "of this tool")
    parser.add_argument("--print-command", action="store_true",
                        help="print QEMU's command line and do not run it")
    parser.add_argument("program", nargs="*", metavar="PROGRAM ARGS")
    # argparse would look for its options behind "--" of an empty program.
    split = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_args(argv[:split])
    if arguments.coverage:
        arguments.debug = True
        arguments.append = f"{arguments.append} coverage=1".strip()
    check_debian(parser, arguments)
    check_arguments(parser, arguments)
    arguments.program += argv[split + 1:]
    check_image(parser, arguments)
    check_texts(parser, arguments)
    settle_terminal(parser, arguments)
    arguments.program = arguments.program or [
        "/bin/sh" if arguments.debian is None else "/bin/bash"]
    if arguments.events:
        arguments.program = ["/bin/ctl", "trace", "run", *arguments.program]
    return arguments


def check_debian(parser, arguments):
    """Builds the root if it is wanted and not there."""
    if arguments.debian is None:
        return
    if arguments.root or arguments.image:
        parser.error("--debian: is a root of its own")
    try:
        arguments.root = debian.archive(arguments.debian)
    except debian.Failed as problem:
        parser.exit(EXIT_MACHINE, f"bennu: --debian: {problem}\n")
    if arguments.memory == parser.get_default("memory"):
        arguments.memory = f"{debian.memory_for(arguments.root)}M"
    arguments.env = [f"{name}={value}" for name, value in
                     debian.ENVIRONMENT.items()] + arguments.env


def check_image(parser, arguments):
    """What the boot archive or the loader of an image says is fixed."""
    if not arguments.image:
        return
    if not os.path.isfile(arguments.image):
        parser.error(f"--image {arguments.image}: no such file")
    fixed = ("program", "root", "env", "option", "append", "kill", "trace",
             "events", "debug", "coverage")
    for name in fixed:
        if getattr(arguments, name):
            parser.error(f"{name}: an image has its own, see ./bennu image")


def settle_terminal(parser, arguments):
    """Decides whether there is one, and what it needs."""
    both = os.isatty(0) and os.isatty(1)
    if arguments.terminal and not both:
        parser.error("--terminal: input and output are no terminal")
    if arguments.terminal is None:
        # Who sends errors elsewhere wants them apart from the output.
        arguments.terminal = both and os.isatty(2)
    if arguments.image:
        arguments.terminal = arguments.terminal and wants_terminal(
            arguments.image)
    elif arguments.terminal:
        give_terminal(arguments, os.environ.get("TERM") or "linux")


def check_texts(parser, arguments):
    for text in arguments.kill:
        if not re.fullmatch(r"[a-z][a-z0-9_-]*:[0-9]+:[0-9]+(us)?", text):
            parser.error(f"--kill {text}: SERVICE:COUNT:EVERY_US expected")
    for text in arguments.env + arguments.option:
        if not re.match(r"[^=\n]+=", text):
            parser.error(f"{text}: NAME=VALUE expected")
    if arguments.events and arguments.root:
        parser.error("--events: needs ctl, which --root does not have")
    if arguments.events and arguments.trace:
        parser.error("--events and --trace: one of them")
    if arguments.root and not os.path.exists(arguments.root):
        parser.error(f"--root {arguments.root}: no such file or folder")


def options(arguments):
    lines = list(arguments.option)
    if arguments.trace:
        lines.append("trace=1")
    for text in arguments.kill:
        lines.append("kill=" + (text if text.endswith("us") else text + "us"))
    return lines


def complain(text):
    try:
        sys.stderr.write(f"bennu: {text}\n")
        sys.stderr.flush()
    except OSError:
        pass                    # a terminal that is gone


def boot(arguments, module, log, trace):
    timeout = arguments.timeout
    if timeout is None:
        timeout = 0 if os.isatty(0) else DEFAULT_TIMEOUT
    terminal = Terminal() if arguments.terminal else None
    machine = Machine(arguments, module)
    session = Session(machine, log, trace, timeout, terminal)
    try:
        with_terminal(terminal, session)
        return session.status
    except Quit:
        return 0
    except TimeUp as error:
        complain(f"{error}\n{log.report()}")
        return EXIT_TIMEOUT
    except (MachineFailed, ChannelError) as error:
        session.drain_log()
        said = machine.complaints()
        complain(f"{error}\n{log.report()}"
                 + (f"\nQEMU says: {said}" if said else ""))
        return EXIT_MACHINE
    finally:
        machine.close()


def with_terminal(terminal, session):
    """Whatever ends the session, the terminal is as it was before."""
    if not terminal:
        session.run()
        return
    try:
        terminal.enter()
        session.run()
    finally:
        terminal.leave()


def end_on(number, _frame):
    sys.exit(128 + number)


def open_trace(arguments):
    """The file for what the guest says on its trace stream."""
    if arguments.events:
        return tempfile.TemporaryFile()
    return open(arguments.trace, "wb") if arguments.trace else None


def close_trace(arguments, trace):
    """Events become what the viewer opens."""
    with trace:
        if not arguments.events:
            return
        trace.seek(0)
        lines = io.TextIOWrapper(trace, encoding="utf-8", errors="replace")
        try:
            with open(arguments.events, "w", encoding="utf-8") as target:
                events.write(lines, target)
        except events.BadEvents as error:
            complain(f"--events: {error}")


def main(argv):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT,
                   signal.SIGQUIT):
        signal.signal(number, end_on)
    arguments = parse(argv)
    try:
        os.fstat(0)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)
    module = None if arguments.image else boot_module(
        arguments.program, arguments.env, options(arguments), arguments.root)
    if arguments.print_command:
        print(printable_command(arguments, module))
        return 0
    trace = open_trace(arguments)
    coverage = CoverageLines() if arguments.coverage else None
    log = KernelLog(arguments.kernel_log, kernel_image(arguments),
                    arguments.root, coverage)
    try:
        return boot(arguments, module, log, trace)
    except BrokenPipeError:
        # As a program whose reader is gone.
        return 128 + signal.SIGPIPE
    finally:
        log.close()
        if trace:
            close_trace(arguments, trace)
        if coverage and not coverage.write(arguments.coverage):
            complain("coverage: the machine stopped before it told all")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as problem:
        complain(str(problem))
        sys.exit(EXIT_MACHINE)
