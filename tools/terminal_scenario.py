#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one file of tests/terminal: a person at a shell, on 1 and on 4 CPUs.

A file defines TESTS, a list of (name, command, function): the function gets a
Shell on which the command runs, and raises if something is wrong. Those that
its list KILLED names run also while services are killed. With --host the same
happens on this host, to see whether the test itself is right.
"""

import importlib.util
import os
import sys
import tempfile
import traceback

from mkarchive import BASH, ROOT, ZSH
from terminal import Missed, Terminal

LOGS = os.path.join(ROOT, "build", "test-logs")
FOLDER = os.path.join(ROOT, "tests", "terminal")
VARIANTS = (["--cpus", "1"], ["--cpus", "4"])
KILLS = (["--kill", "proc:40:3000"], ["--kill", "console:40:3000"])
PROMPT = "ready> "
SECONDS = 60            # for one test, booting included
TAIL = 600
HOST_PROGRAMS = {"/bin/bash": BASH, "/bin/zsh": ZSH}


class Shell(Terminal):
    """A program on a terminal whose prompt is known."""

    def __init__(self, argv, environment, guest):
        super().__init__(argv, environment=environment)
        self.guest = guest

    def prompt(self):
        self.expect(PROMPT)

    def enter(self, text):
        """A whole line, when the shell waits for one."""
        self.type(text + "\r")

    def ask(self, text, pattern):
        """A command, its output, and the prompt behind it."""
        self.enter(text)
        match = self.expect(pattern)
        self.prompt()
        return match

    def start(self, text):
        """A command that will read: its own modes must hold before it does,
        or what is typed is still the shell's."""
        self.enter(text)
        self.expect("\n")
        self.quiet(0.3)

    def job(self, text):
        """A program in the foreground, known to run there: a key that comes
        earlier is the shell's, and does nothing on any system."""
        self.enter(f"sh -c 'echo be\"\"gun; exec {text}'")
        self.expect("[\r\n]begun\r\n")

    def paste(self, data):
        """Bytes as they are: Ctrl-A is the one that the tool takes."""
        self.type(data.replace(b"\x01", b"\x01\x01") if self.guest else data)


def guest_shell(command, options, log):
    argv = [os.path.join(ROOT, "bennu"), "run", "--terminal", "--timeout",
            str(SECONDS), "--kernel-log", log, "--env", f"PS1={PROMPT}",
            *options, "--", *command]
    return Shell(argv, dict(os.environ, BENNU_NO_BUILD="1", TERM="linux"),
                 True)


def host_shell(command, folder):
    command = [HOST_PROGRAMS.get(command[0], command[0])] + command[1:]
    return Shell(command, {"PS1": PROMPT, "TERM": "linux", "HOME": folder,
                           "PATH": os.path.join(folder, "bin")}, False)


def on_host(command, function):
    with tempfile.TemporaryDirectory() as folder:
        names = os.path.join(folder, "bin")
        os.mkdir(names)
        for name in os.popen("/bin/busybox --list").read().split():
            os.symlink("/bin/busybox", os.path.join(names, name))
        with host_shell(command, folder) as shell:
            function(shell)


def on_guest(name, command, function, options):
    last = options[-1].replace(":", "-")
    log = os.path.join(LOGS, f"terminal-{name}-{last}.kernel.log")
    with guest_shell(command, options, log) as shell:
        try:
            function(shell)
        except BaseException:
            print("# the last of the terminal:",
                  ascii(shell.seen[-TAIL:].decode("utf-8", "replace")))
            raise
    if options in KILLS:
        check_kills(options[-1], log)


def check_kills(kill, log):
    """All of them must have happened, or the test has shown nothing."""
    service, count = kill.split(":")[:2]
    with open(log, "rb") as file:
        text = file.read()
    line = f"chaos done {service} incarnation {int(count) + 1}\n"
    assert line.encode() in text, f"{log}: no {line!r}"


def load(path):
    name = os.path.basename(path)[:-3]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def jobs(path, host):
    """Yields (title, function without arguments)."""
    module = load(path)
    for name, command, function in module.TESTS:
        if host:
            yield f"{name} on the host", \
                lambda c=command, f=function: on_host(c, f)
            continue
        killed = name in getattr(module, "KILLED", ())
        for options in VARIANTS + (KILLS if killed else ()):
            yield f"{name} {' '.join(options)}", \
                lambda n=name, c=command, f=function, o=options: \
                on_guest(n, c, f, o)


def total_timeout(path):
    return (SECONDS + 15) * len(list(jobs(path, False)))


def run(function):
    try:
        function()
        return True
    except (Missed, AssertionError, OSError):
        for line in traceback.format_exc().splitlines():
            print("# " + line)
        return False


def main(argv):
    host = "--host" in argv
    names = [word for word in argv if word != "--host"]
    if not names:
        print("usage: terminal_scenario.py [--host] FILE [TEST]",
              file=sys.stderr)
        return 2
    os.makedirs(LOGS, exist_ok=True)
    todo = [job for job in jobs(names[0], host)
            if len(names) < 2 or names[1] in job[0]]
    print(f"KTAP version 1\n1..{len(todo)}", flush=True)
    failed = False
    for number, (title, function) in enumerate(todo, 1):
        good = run(function)
        print(f"{'ok' if good else 'not ok'} {number} {title}", flush=True)
        failed = failed or not good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
