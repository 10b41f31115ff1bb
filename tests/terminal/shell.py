# SPDX-License-Identifier: MIT
"""Editing, signals from keys, and jobs in ash and bash."""

INTERRUPT, QUIT, SUSPEND, END, LITERAL = "\x03", "\x1c", "\x1a", "\x04", "\x16"
ERASE, KILL, WORD = "\x7f", "\x15", "\x17"
UP = "\x1b[A"

ASH = ["/bin/busybox", "ash"]
BASH = ["/bin/bash", "--norc", "--noprofile"]


def edits(t):
    t.prompt()
    t.ask("echo hel''lo", "hello\r\n")
    t.ask("echo abX" + ERASE + "c''d", "abcd\r\n")
    t.ask("false garbage" + KILL + "echo ke''pt", "kept\r\n")
    t.ask("echo first''line", "firstline\r\n")
    t.type(UP)
    t.expect("echo first''line")
    t.enter("")
    t.expect("[\r\n]firstline\r\n")
    t.prompt()
    t.type("cd /roo\t")
    t.expect("cd /root/")
    t.enter("")
    t.prompt()
    t.ask("pwd", "[\r\n]/root\r\n")


def early(t):
    """Signals from the terminal while the first program is being loaded."""
    for i in range(1000):
        t.resize(24 + i % 2, 80)
        t.read(0.005)
        if b"ready> " in t.seen:
            break
    t.prompt()
    t.ask("echo th''ere", "there\r\n")


def canonical(t):
    """The terminal's own line editing, under cat."""
    t.prompt()
    t.start("cat")
    t.enter("abX" + ERASE + "c")
    t.expect("abX\x08 \x08c\r\nabc\r\n")
    t.enter("junk" + KILL + "good")
    t.expect("good\r\ngood\r\n")
    t.enter("one two" + WORD + "three")
    t.expect("three\r\none three\r\n")
    t.enter("a" + LITERAL + INTERRUPT + "b")
    t.expect("a(\\^\x08)?\\^Cb\r\na\x03b\r\n")
    t.type("par" + END)
    t.expect("parpar")
    t.enter("tial")
    t.expect("tial\r\ntial\r\n")
    t.type(END)
    t.prompt()
    t.ask("echo $?", "[\r\n]0\r\n")


def interrupts(t):
    t.prompt()
    t.job("sleep 100")
    t.type(INTERRUPT)
    t.expect("\\^C")
    t.prompt()
    t.ask("echo $?", "[\r\n]130\r\n")
    t.start("while :; do :; done")
    t.type(INTERRUPT)
    t.prompt()
    t.type(INTERRUPT)
    t.prompt()
    t.type("echo w''rong")
    t.expect("rong")
    t.type(INTERRUPT)
    t.prompt()
    t.ask("echo rig''ht", "(?<!w)right\r\n")
    assert b"\nwrong" not in t.seen and b"\rwrong" not in t.seen
    # Shells ignore QUIT until they execute the program, busybox's own applets
    # for ever: a program that says itself that it runs.
    t.enter("echo be''gun > /tmp/begun; /bin/tail -f /tmp/begun")
    t.expect("[\r\n]begun\r\n")
    t.type(QUIT)
    t.expect("\\^\\\\")
    t.prompt()
    t.ask("echo $?", "[\r\n]131\r\n")


def jobs(t):
    t.prompt()
    t.job("sleep 100")
    t.type(SUSPEND)
    t.expect("Stopped")
    t.prompt()
    t.ask("jobs", "Stopped[^\n]*sleep 100")
    t.ask("bg", "sleep 100")
    t.ask("jobs", "Running[^\n]*sleep 100")
    t.start("fg")
    t.type(INTERRUPT)
    t.prompt()
    t.start("cat")
    t.enter("before")
    t.expect("before\r\nbefore\r\n")
    t.type(SUSPEND)
    t.expect("Stopped")
    t.prompt()
    t.start("fg")
    t.enter("after")
    t.expect("after\r\nafter\r\n")
    t.type(END)
    t.prompt()


def pipeline(t):
    """A job of several processes stops and goes on as one."""
    t.prompt()
    t.enter("(while :; do echo tick; sleep 0.2; done) | cat")
    t.expect("tick\r\ntick\r\n")
    t.type(SUSPEND)
    t.expect("Stopped")
    t.prompt()
    t.refuse("tick")
    t.enter("fg")
    t.expect("tick\r\ntick\r\n")
    t.type(INTERRUPT)
    t.prompt()
    t.refuse("tick")


def background(t):
    t.prompt()
    t.enter("cat &")
    t.prompt()
    t.quiet(0.5)
    t.ask("jobs", "Stopped[^\n]*cat")
    t.ask("kill -KILL %1; wait; echo go''ne", "gone\r\n")
    t.ask("(sleep 0.3; echo lo''ud) & wait; echo qui''et",
          "loud\r\n.*quiet\r\n")
    t.enter("stty tostop")
    t.prompt()
    t.enter("(sleep 0.3; echo ba''ck) &")
    t.prompt()
    t.refuse("back", 1.0)
    t.ask("jobs", "Stopped[^\n]*")
    t.enter("fg")
    t.expect("[\r\n]back\r\n")
    t.prompt()


def leaves(t):
    t.prompt()
    t.ask("(exit 3)", "")
    t.type(END)
    code = t.wait()
    assert code == 3, code


def hangs_up(t):
    """bash dies of it. The first process takes no signal without a handler,
    so that ash reads the end of the input and leaves."""
    t.prompt()
    t.close()
    code = t.wait()
    assert code in ((0, 129) if t.guest else (-1, 129)), code


def hangs_up_job(t):
    """The job in the foreground is told; else the shell would wait for it."""
    t.prompt()
    t.start("sleep 1000")
    t.close()
    code = t.wait(15)
    assert code != 124, code


TESTS = [(f"{shell}-{function.__name__}", command, function)
         for shell, command in (("ash", ASH), ("bash", BASH))
         for function in (early, edits, canonical, interrupts, jobs, pipeline,
                          background, leaves, hangs_up, hangs_up_job)]
KILLED = ("ash-canonical", "bash-edits", "bash-jobs")
