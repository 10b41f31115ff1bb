# SPDX-License-Identifier: MIT
"""Full-screen programs, sizes, and pastes larger than any buffer."""

import hashlib
import random

ASH = ["/bin/busybox", "ash"]
ZSH = ["/bin/zsh", "-f"]
END, INTERRUPT, ESCAPE = "\x04", "\x03", "\x1b"
PASTE = 65536


def show(t, first, last=None):
    """Waits until the screen has this line, and says what the last one is."""
    for _ in range(100):
        lines = t.screen().lines()
        if any(first in line for line in lines) and \
                (last is None or last in lines[-1]):
            return
        t.read(0.2)
    assert False, t.screen().lines()


def vi(t):
    t.prompt()
    t.enter("cd /tmp; rm -f text; vi text")
    show(t, "~", "text")
    t.type("ione\rtwo\rthree" + ESCAPE)
    show(t, "three")
    t.type("kkddp")
    show(t, "one")
    t.type("OZero\x7f\x7f\x7f\x7fzero" + ESCAPE)
    show(t, "zero")
    t.type(":wq\r")
    t.prompt()
    t.ask("cat text", "two\r\nzero\r\none\r\nthree")
    t.ask("rm text; echo go''ne", "gone\r\n")


def less(t):
    t.prompt()
    t.enter("seq 1000 | less")
    show(t, "23")
    assert t.screen().lines()[0] == "1", t.screen().lines()
    t.type(" ")
    show(t, "46")
    t.type("/777\r")
    show(t, "777")
    t.type("G")
    show(t, "1000")
    t.type("q")
    t.prompt()
    t.ask("echo a''live", "alive\r\n")


def resize(t):
    t.prompt()
    t.ask("stty size", "24 80\r\n")
    t.resize(40, 100)
    t.quiet(0.3)
    t.ask("stty size", "40 100\r\n")
    t.start("sh -c 'trap \"echo new; stty size\" WINCH; "
            "while :; do sleep 0.1; done'")
    t.resize(30, 90)
    t.expect("new\r\n30 90\r\n")
    t.type(INTERRUPT)
    t.prompt()
    t.ask("stty rows 10 columns 20; stty size", "10 20\r\n")


def paste(t):
    """Lines through cat: every byte is echoed and every byte arrives."""
    line = "".join(chr(97 + i % 26) for i in range(63)) + "\n"
    data = (line * (PASTE // len(line))).encode()
    t.prompt()
    t.start("cat >/tmp/pasted")
    t.paste(data)
    t.expect("(" + line.replace("\n", "\r\n") + "){64}")
    t.paste(END.encode())
    t.prompt()
    t.ask("md5sum </tmp/pasted", hashlib.md5(data).hexdigest())


def paste_raw(t):
    """Every value of a byte, to a program that takes them all."""
    data = random.Random(7).randbytes(PASTE)
    t.prompt()
    t.start(f"stty raw -echo; head -c {PASTE} | md5sum; stty sane")
    t.paste(data)
    t.expect(hashlib.md5(data).hexdigest())
    t.prompt()
    t.start(f"stty raw -echo; dd bs=1000 iflag=fullblock count=64 2>/dev/null"
            " | md5sum; stty sane")
    t.paste(data[:64000])
    t.expect(hashlib.md5(data[:64000]).hexdigest())
    t.prompt()


def settings(t):
    """What stty sets is what it tells, and what happens."""
    t.prompt()
    t.ask("stty erase '#' intr '^X'; stty -a", "intr = \\^X;.*erase = #;")
    t.start("cat")
    t.enter("ab#c")
    t.expect("ac\r\n")
    t.type("\x18")
    t.prompt()
    t.ask("stty sane; stty -echo; cat </dev/null; stty -a", " -echo ")
    t.ask("stty sane; stty -a", "intr = \\^C;.*erase = \\^\\?;.* echo ")
    t.ask("tty", "/dev/(console|pts/\\d+)\r\n")
    t.ask("tty </dev/tty; echo hi >/dev/tty", "/dev/tty\r\nhi\r\n")


def timed(t):
    """read -t and a wait for a key with a limit (VTIME)."""
    t.prompt()
    t.ask("read -t 1 x || echo la''te", "late\r\n")
    t.ask("stty -icanon min 0 time 5; dd bs=1 count=1 2>/dev/null | wc -c; "
          "stty sane", "[\r\n]0\r\n")


def zsh(t):
    t.prompt()
    t.enter("echo ze''ro")
    t.expect("zero\r\n")
    t.prompt()
    t.start("sleep 100")
    t.type("\x1a")
    t.expect("suspended")
    t.prompt()
    t.enter("fg")
    t.expect("continued")
    t.quiet(0.3)
    t.type(INTERRUPT)
    t.prompt()
    t.type("\x1b[A\x1b[A")
    t.expect("sleep 100")
    t.type(INTERRUPT)
    t.prompt()
    t.type(END)
    code = t.wait()
    assert code in (0, 1, 130), code


TESTS = [(function.__name__, ASH, function)
         for function in (vi, less, resize, paste, paste_raw, settings, timed)]
TESTS += [("zsh", ZSH, zsh)]
KILLED = ("vi", "paste", "paste_raw")
