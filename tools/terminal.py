# SPDX-License-Identifier: MIT
"""Drives a program on a pseudo-terminal, as a person would.

    with Terminal([...], rows=24, columns=80) as t:
        t.expect(r"\\$ ")
        t.type("echo hi\\r")
        t.expect(r"hi\\r\\n")

Everything that came is kept in `seen`; expect() looks behind the last match.
Screen is as much of a terminal's screen as full-screen programs need.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

PATIENCE = 30.0


class Missed(Exception):
    """What was expected did not come."""


def set_size(line, rows, columns):
    fcntl.ioctl(line, termios.TIOCSWINSZ,
                struct.pack("<4H", rows, columns, 0, 0))


class Terminal:
    def __init__(self, argv, rows=24, columns=80, environment=None,
                 patience=PATIENCE):
        self.patience = patience
        self.seen = b""
        self.at = 0             # end of the last match
        self.closed = False     # by us
        self.over = False       # by the program
        self.code = None
        self.pid, self.line = pty.fork()
        if self.pid == 0:
            self.child(argv, environment, (rows, columns))
        os.set_blocking(self.line, False)

    @staticmethod
    def child(argv, environment, size):
        try:
            # Here, so that it is right from the first moment.
            set_size(0, *size)
            os.execvpe(argv[0], argv, environment or os.environ)
        finally:
            os._exit(127)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        if self.code is None:
            try:
                self.wait(5)
            except Missed:
                os.kill(self.pid, signal.SIGKILL)
                self.wait(5)

    def resize(self, rows, columns):
        set_size(self.line, rows, columns)

    def modes(self):
        return termios.tcgetattr(self.line)

    def close(self):
        """Takes the terminal away."""
        if not self.closed:
            self.closed = True
            os.close(self.line)

    def read(self, seconds):
        """Takes what comes within that time; False: nothing came."""
        if self.closed or self.over:
            return False
        if not select.select([self.line], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.line, 1 << 16)
        except OSError:
            data = b""          # the last holder of the other side is gone
        self.seen += data
        self.over = not data
        return data != b""

    def type(self, keys):
        """Types, and takes output meanwhile so that neither side waits."""
        data = keys.encode() if isinstance(keys, str) else keys
        limit = time.monotonic() + self.patience
        while data:
            if time.monotonic() > limit:
                raise Missed(f"{len(data)} bytes could not be typed")
            ready = select.select([self.line], [self.line], [], 1.0)
            if ready[0]:
                self.read(0)
            if ready[1]:
                try:
                    data = data[os.write(self.line, data):]
                except BlockingIOError:
                    pass

    def expect(self, pattern, seconds=None):
        """Waits for a match behind the last one; returns the match."""
        limit = time.monotonic() + (seconds or self.patience)
        compiled = re.compile(pattern.encode() if isinstance(pattern, str)
                              else pattern, re.S)
        while True:
            match = compiled.search(self.seen, self.at)
            if match:
                self.at = match.end()
                return match
            left = limit - time.monotonic()
            if left <= 0 or self.closed or self.over:
                raise Missed(f"no {pattern!r} in {self.seen[self.at:]!r}")
            self.read(min(left, 1.0))

    def quiet(self, seconds=0.5):
        """Waits until nothing has come for that long; returns what came."""
        start = len(self.seen)
        while self.read(seconds):
            pass
        return self.seen[start:]

    def refuse(self, pattern, seconds=0.5):
        """Nothing that matches may come within that time."""
        self.quiet(seconds)
        if re.compile(pattern.encode(), re.S).search(self.seen, self.at):
            raise Missed(f"unexpected {pattern!r} in {self.seen[self.at:]!r}")

    def wait(self, seconds=None):
        """Returns the exit code, negative for a signal."""
        limit = time.monotonic() + (seconds or self.patience)
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > limit:
                raise Missed("the program does not end")
            elif not self.read(0.05):
                time.sleep(0.02)
        while self.read(0):
            pass
        return self.code

    def screen(self, rows=24, columns=80):
        screen = Screen(rows, columns)
        screen.feed(self.seen)
        return screen


class Screen:
    """Text and cursor after a stream of output; colours are left out."""

    SEQUENCE = re.compile(rb"\x1b\[([?>=]?)([0-9;]*)([@-~])")
    OTHER = re.compile(rb"\x1b([()][A-Z0-9]|[=>78MDEHc]|\][^\x07]*\x07)")

    def __init__(self, rows, columns):
        self.rows = rows
        self.columns = columns
        self.row = self.column = 0
        self.cells = [[" "] * columns for _ in range(rows)]

    def lines(self):
        return ["".join(line).rstrip() for line in self.cells]

    def feed(self, data):
        at = 0
        while at < len(data):
            match = self.SEQUENCE.match(data, at)
            if match:
                self.sequence(*match.groups())
                at = match.end()
                continue
            match = self.OTHER.match(data, at)
            if match:
                at = match.end()
                continue
            self.put(data[at])
            at += 1

    def put(self, byte):
        if byte == 13:
            self.column = 0
        elif byte == 10:
            self.line_feed()
        elif byte == 8:
            self.column = max(0, self.column - 1)
        elif byte == 9:
            self.column = min(self.columns - 1, self.column // 8 * 8 + 8)
        elif byte >= 32 and byte != 127:
            if self.column == self.columns:
                self.column = 0
                self.line_feed()
            self.cells[self.row][self.column] = chr(byte)
            self.column += 1

    def line_feed(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.cells = self.cells[1:] + [[" "] * self.columns]

    def sequence(self, private, text, final):
        if private:
            return
        numbers = [int(n) if n else 0 for n in text.split(b";")]
        count = max(1, numbers[0])
        if final in b"ABCD":
            down = {b"A": -count, b"B": count}.get(final, 0)
            right = {b"C": count, b"D": -count}.get(final, 0)
            self.move(self.row + down, self.column + right)
        elif final in b"Hf":
            self.move(count - 1, (numbers + [1])[1] - 1)
        elif final == b"G":
            self.move(self.row, count - 1)
        elif final == b"J":
            self.erase_screen(numbers[0])
        elif final == b"K":
            self.erase(self.row, numbers[0])

    def move(self, row, column):
        self.row = min(max(row, 0), self.rows - 1)
        self.column = min(max(column, 0), self.columns - 1)

    def erase(self, row, how):
        low = self.column if how == 0 else 0
        high = self.column + 1 if how == 1 else self.columns
        for column in range(low, min(high, self.columns)):
            self.cells[row][column] = " "

    def erase_screen(self, how):
        if how != 2:
            self.erase(self.row, how)
        rows = range(self.rows) if how == 2 else \
            range(self.row) if how == 1 else range(self.row + 1, self.rows)
        for row in rows:
            self.erase(row, 2)
