#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs programs of Debian in Bennu and on this host's Linux and compares.

tests/compat/programs.toml says what is run. Both sides get the same root file
system (tools/debian.py) and environment; on the host it is unpacked, and run in
a chroot with namespaces of its own, which needs root. docs/compatibility-debian.md
is the result: what is the same, and what differs and why.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import tomllib

import debian
from mkarchive import ROOT

COMMANDS = os.path.join(ROOT, "tests", "compat", "programs.toml")
TABLE = os.path.join(ROOT, "docs", "compatibility-debian.md")
LOGS = os.path.join(ROOT, "build", "test-logs")
KEYS = {"packages", "commands", "differs"}
CASE_SECONDS = 60
GUEST_SECONDS = 1200
UNKNOWN = "not known"
RUNNER = """\
run() {
	mkdir -p /tmp/compat/$1
	cd /tmp/compat/$1
	timeout -k 1 %d bash -c "$2" </dev/null >../$1.out 2>../$1.err
	code=$?
	sizes=$(stat -c %%s ../$1.out ../$1.err | tr '\\n' ' ')
	echo case $1 $code $sizes
	head -c ${sizes%%%% *} ../$1.out
	sizes=${sizes#* }
	head -c ${sizes%%%% *} ../$1.err
}
""" % CASE_SECONDS
HOST = """\
mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" &&
exec chroot "$0" "$@"
"""
HEADING = re.compile(rb"case (\d+) (\d+) (\d+) (\d+) ?\n")


class Bad(Exception):
    """The list of commands is wrong, or a side cannot run."""


class Case:
    """One command of one program, and what came out on each side."""

    def __init__(self, program, command):
        self.program = program
        self.command = command
        self.host = self.guest = None   # (code, output, errors)

    def same(self):
        return self.host is not None and self.host == self.guest


def load():
    with open(COMMANDS, "rb") as file:
        info = tomllib.load(file)
    if set(info) - KEYS:
        raise Bad("unknown parts " + ", ".join(sorted(set(info) - KEYS)))
    info.setdefault("differs", {})
    return info


def script(cases):
    return RUNNER + "".join(f"run {number} {shlex.quote(case.command)}\n"
                            for number, case in enumerate(cases))


def results(output):
    """The results by number; a cut one at the end is left out."""
    found, at = {}, 0
    while heading := HEADING.match(output, at):
        number, code, out, err = map(int, heading.groups())
        at = heading.end()
        if at + out + err > len(output):
            break
        found[number] = (code, output[at:at + out],
                         output[at + out:at + out + err])
        at += out + err
    return found


def run_host(archive, text):
    """In a chroot of the unpacked archive."""
    words = [f"{name}={value}" for name, value in debian.ENVIRONMENT.items()]
    with tempfile.TemporaryDirectory(dir=debian.FOLDER) as folder:
        with open(archive, "rb") as file:
            subprocess.run(["cpio", "-idm", "--quiet"], stdin=file,
                           cwd=folder, check=True)
        for name in ("proc", "dev"):
            os.makedirs(os.path.join(folder, name), exist_ok=True)
        return subprocess.run(
            ["unshare", "--mount", "--pid", "--net", "--uts", "--fork",
             "--kill-child", "--propagation", "private", "sh", "-c", HOST,
             folder, "/usr/bin/env", "-i", "TERM=dumb", *words, "bash", "-c",
             text], check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, timeout=GUEST_SECONDS).stdout


def run_guest(packages, text, options):
    os.makedirs(LOGS, exist_ok=True)
    return subprocess.run(
        [os.path.join(ROOT, "bennu"), "run", "--timeout", str(GUEST_SECONDS),
         "--kernel-log", os.path.join(LOGS, "compat.kernel.log"), *options,
         "--debian", *packages, "--", "/bin/bash", "-c", text], check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        timeout=GUEST_SECONDS + 60).stdout


def run_all(info, names, options):
    cases = [Case(program, command)
             for program, commands in info["commands"].items()
             for command in commands if not names or program in names]
    if not cases:
        raise Bad("no such program: " + " ".join(names))
    text = script(cases)
    host = results(run_host(debian.archive(info["packages"]), text))
    guest = results(run_guest(info["packages"], text, options))
    for number, case in enumerate(cases):
        case.host, case.guest = host.get(number), guest.get(number)
    return cases


def show(case):
    print(f"# {case.program}: {case.command}")
    for side, result in (("Linux", case.host), ("Bennu", case.guest)):
        if result is None:
            print(f"#   {side}: no result")
            continue
        code, out, err = result
        print(f"#   {side}: code {code}, {out[-300:]!r} {err[-300:]!r}")


def cell(text):
    text = text.replace("|", "\\|").replace("\n", " ")
    return f"`{text}`" if "`" not in text else f"`` {text} ``"


def table(info, cases):
    same = sum(case.same() for case in cases)
    lines = [
        "# Compatibility with programs of Debian", "",
        f"**{same} of {len(cases)} commands** do the same as on Linux.", "",
        "Generated by `tools/compat.py`, which runs each command of "
        "`tests/compat/programs.toml` in a root",
        "file system of Debian 12 in Bennu and, in a chroot, on Linux, and "
        "compares output, errors and",
        "exit code. What differs is listed with the reason.", "",
        "| program | command | result |", "|---|---|---|"]
    for case in cases:
        word = "same" if case.same() else "**differs**: " + \
            info["differs"].get(case.program, UNKNOWN)
        lines.append(f"| {case.program} | {cell(case.command)} | {word} |")
    return "\n".join(lines) + "\n"


def main(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu compat",
        description="Compares programs of Debian in Bennu with this host's "
        "Linux and writes docs/compatibility-debian.md.")
    parser.add_argument("--option", action="append", default=[],
                        metavar="WORD", help="passed on to ./bennu run")
    parser.add_argument("names", nargs="*", metavar="PROGRAM",
                        help="run these only, write nothing")
    arguments = parser.parse_args(argv)
    if os.geteuid() != 0:
        raise Bad("a chroot needs root")
    info = load()
    cases = run_all(info, arguments.names, arguments.option)
    for case in cases:
        if not case.same():
            show(case)
    if not arguments.names:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(table(info, cases))
    print(f"{sum(case.same() for case in cases)} of {len(cases)} commands "
          "same")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Bad, debian.Failed, OSError, subprocess.SubprocessError) \
            as problem:
        print(f"compat: {problem}", file=sys.stderr)
        sys.exit(2)
