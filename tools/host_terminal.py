# SPDX-License-Identifier: MIT
"""The terminal that ./bennu run was started on, when it is the guest's.

It is raw while the machine runs: every key goes to the guest, but those after
Ctrl-A. Output of programs comes as the guest's terminal made it. Keys and
Prompt are pure; Terminal touches the descriptors.
"""

import os
import signal
import struct
import termios
import tty

ESCAPE = b"\x01"            # Ctrl-A
HELD_MAX = 1 << 20          # output kept back while the prompt is open
ANSWER_LAST = 1             # flag of a piece of an answer
HANG_UP_SECONDS = 5.0       # for the programs to end after a hang-up
SIZE = struct.Struct("<HH")
HELP = ("Ctrl-A x  end the machine\r\n"
        "Ctrl-A c  send a control command\r\n"
        "Ctrl-A Ctrl-A  Ctrl-A itself\r\n"
        "Ctrl-A ?  this list\r\n")


class Quit(Exception):
    """Ctrl-A x."""


class Keys:
    """Finds the keys that are for us."""

    def __init__(self):
        self.escaped = False

    def feed(self, data):
        """Returns a list of (what, bytes): input, quit, help, or prompt with
        all that was typed behind it."""
        events = []
        while data:
            if self.escaped:
                key, data = data[:1], data[1:]
                self.escaped = False
                if key in (b"c", b"C"):
                    return events + [("prompt", data)]
                events.append(self.command(key))
                continue
            plain, escape, data = data.partition(ESCAPE)
            if plain:
                events.append(("input", plain))
            self.escaped = escape != b""
        return events

    @staticmethod
    def command(key):
        if key in (b"x", b"X"):
            return ("quit", b"")
        if key == ESCAPE:
            return ("input", ESCAPE)
        return ("help", b"")


class Prompt:
    """A line typed for a control command."""

    TEXT = b"\r\n(bennu) "

    def __init__(self):
        self.line = b""
        self.done = False       # entered, or given up: then line is empty

    def feed(self, data):
        """Returns (what to show, what was typed behind the end)."""
        show = b""
        for at in range(len(data)):
            key = data[at:at + 1]
            if key in (b"\r", b"\n"):
                self.done = True
                show += b"\r\n"
            elif key in (b"\x03", b"\x07", b"\x1b"):
                self.done = True
                self.line = b""
                show += b"\r\n"
            elif key in (b"\x7f", b"\x08"):
                show += b"\b \b" if self.line else b""
                self.line = self.line[:-1]
            elif key == b"\x15":
                show += b"\b \b" * len(self.line)
                self.line = b""
            elif b" " <= key < b"\x7f" and len(self.line) < 200:
                show += key
                self.line += key
            if self.done:
                return show, data[at + 1:]
        return show, b""


def visible(data):
    """A line of an answer with nothing in it that moves the cursor."""
    text = data.decode("utf-8", "replace").rstrip("\n")
    return "".join(c if c.isprintable() else "?" if c != "\t" else " "
                   for c in text)


class Terminal:
    """Descriptors 0 and 1, raw between enter() and leave()."""

    def __init__(self):
        self.keys = Keys()
        self.prompt = None
        self.held = b""
        self.partial = b""      # of an answer: a line not yet complete
        self.size = None
        self.hung_up = False
        self.before = None
        self.wake, self.wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def enter(self):
        self.before = termios.tcgetattr(0)
        tty.setraw(0, termios.TCSADRAIN)
        # Both only have to end a wait; step() looks for what changed.
        signal.set_wakeup_fd(self.wake_in, warn_on_full_buffer=False)
        signal.signal(signal.SIGWINCH, lambda number, frame: None)
        signal.signal(signal.SIGHUP, self.hang_up)

    def leave(self):
        if self.before is None:
            return
        signal.set_wakeup_fd(-1)
        # No second signal may come between.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        try:
            termios.tcsetattr(0, termios.TCSADRAIN, self.before)
        except termios.error:
            pass                # it is gone
        self.before = None
        self.release()

    def hang_up(self, _number=0, _frame=None):
        self.hung_up = True

    def step(self, session):
        """Once in each round: a new size, the end of the terminal."""
        try:
            while os.read(self.wake, 64):
                pass
        except BlockingIOError:
            pass
        if self.hung_up:
            if session.input_open:
                session.end_input()
                session.end_within(HANG_UP_SECONDS)
            return
        try:
            size = os.get_terminal_size(0)
        except OSError:
            return
        if size != self.size:
            self.size = size
            session.sender.put_size(SIZE.pack(min(size.lines, 65535),
                                              min(size.columns, 65535)))

    def typed(self, data, session):
        """Returns what of it is for the guest."""
        out = b""
        while data:
            if self.prompt:
                data = self.prompt_typed(data, session)
                continue
            events = self.keys.feed(data)
            data = b""
            for what, part in events:
                if what == "input":
                    out += part
                elif what == "quit":
                    raise Quit
                elif what == "help":
                    self.write(b"\r\n" + HELP.encode())
                else:
                    self.prompt = Prompt()
                    self.put(Prompt.TEXT)
                    data = part
        return out

    def prompt_typed(self, data, session):
        show, rest = self.prompt.feed(data)
        self.put(show)
        if self.prompt.done:
            line, self.prompt = self.prompt.line, None
            self.release()
            if line:
                session.sender.put_control(line)
        return rest

    def release(self):
        held, self.held = self.held, b""
        self.write(held)

    def full(self):
        return len(self.held) >= HELD_MAX

    def write(self, data):
        """Output of the guest waits while a command is typed."""
        if self.prompt and self.before is not None:
            self.held += data
        else:
            self.put(data)

    def put(self, data):
        try:
            while data:
                data = data[os.write(1, data):]
        except OSError:
            self.hung_up = True

    def answer(self, data):
        """A piece of the text of a command: flags, then bytes."""
        *lines, self.partial = (self.partial + data[1:]).split(b"\n")
        if data[:1] and data[0] & ANSWER_LAST and self.partial:
            lines.append(self.partial)
            self.partial = b""
        for line in lines:
            self.write(visible(line).encode() + b"\r\n")
