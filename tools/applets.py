#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the applets of busybox in Bennu and on this host and compares.

tests/applets/commands.toml says what is run for each applet, and which applets
are left out and why. Both sides get the same root file system, environment and
shell script; on the host it runs in a chroot with namespaces of its own, which
needs root. docs/compatibility.md is the result.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

from mkarchive import (BUSYBOX, DEFAULT_ENVIRONMENT, GROUP, PASSWD, ROOT,
                       applets)

COMMANDS = os.path.join(ROOT, "tests", "applets", "commands.toml")
TABLE = os.path.join(ROOT, "docs", "compatibility.md")
LOGS = os.path.join(ROOT, "build", "test-logs")
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8),
           "urandom": (1, 9), "tty": (5, 0)}
KEYS = {"inputs", "excluded", "commands", "differs"}
BATCH_SECONDS = 100
LOST_MAX = 5
INPUT_TIME = 1577836800  # 2020
SAME = "same"
# Each case runs as a program of its own; sizes make the output binary clean.
# What a case left behind may go on writing: it has files of its own, and what
# comes after the look at their sizes does not count.
RUNNER = """\
for number in "$@"; do
	cd /work/$number
	out=/work/$number.out err=/work/$number.err
	sh /cases/$number </dev/null >$out 2>$err
	code=$?
	sizes=$(stat -c %s $out $err)
	echo case $number $code $sizes
	head -c ${sizes%[!0-9]*} $out
	head -c ${sizes#*[!0-9]} $err
done
echo end
"""
HOST = """\
mount -t proc proc "$1/proc" && hostname bennu && exec chroot "$@"
"""
HEADING = re.compile(rb"case (\d+) (\d+) (\d+) (\d+)\n")


class Bad(Exception):
    """The list of commands is wrong, or a side cannot run."""


class Case:
    """One command of one applet, and what came out on each side."""

    def __init__(self, applet, command):
        self.applet = applet
        self.command = command
        self.host = self.guest = None

    def same(self):
        return self.host is not None and self.host == self.guest


def load():
    with open(COMMANDS, "rb") as file:
        info = tomllib.load(file)
    unknown = set(info) - KEYS
    if unknown:
        raise Bad(f"unknown parts {', '.join(sorted(unknown))}")
    info.setdefault("differs", {})
    there = set(applets()) | {"busybox"}
    listed = set(info["excluded"]) | set(info["commands"])
    if there - listed:
        raise Bad("no commands for " + ", ".join(sorted(there - listed)))
    # Another build of busybox may lack some.
    for part in ("excluded", "commands"):
        info[part] = {name: value for name, value in info[part].items()
                      if name in there}
    return info


def write(path, data, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    os.chmod(path, mode)


def make_root(folder, info, cases):
    """The root file system that both sides get."""
    os.chmod(folder, 0o755)
    for name in ("dev", "proc", "root", "tmp", "work"):
        os.makedirs(os.path.join(folder, name))
    os.chmod(os.path.join(folder, "tmp"), 0o1777)
    write(os.path.join(folder, "etc", "passwd"), PASSWD)
    write(os.path.join(folder, "etc", "group"), GROUP)
    write(os.path.join(folder, "run"), RUNNER)
    for name, text in info["inputs"].items():
        path = os.path.join(folder, "in", name)
        write(path, text)
        # Older than what a case makes, however fast it is.
        os.utime(path, (INPUT_TIME, INPUT_TIME))
    for number, case in enumerate(cases):
        write(os.path.join(folder, "cases", str(number)), case.command + "\n")
        os.makedirs(os.path.join(folder, "work", str(number)))
    os.makedirs(os.path.join(folder, "bin"))
    shutil.copy(BUSYBOX, os.path.join(folder, "bin", "busybox"))
    for name in applets():
        os.symlink("busybox", os.path.join(folder, "bin", name))


def run_host(folder, numbers):
    """Changes `folder`, as the guest changes its copy in memory."""
    for name, device in DEVICES.items():
        path = os.path.join(folder, "dev", name)
        if not os.path.exists(path):
            os.mknod(path, 0o020666, os.makedev(*device))
            os.chmod(path, 0o666)
    environment = [f"{key}={value}"
                   for key, value in DEFAULT_ENVIRONMENT.items()]
    # In a session of its own: a case may signal its whole group.
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--uts", "--net", "--fork",
         "--kill-child", "sh", "-c", HOST, "sh", folder, "/bin/busybox",
         "env", "-i", *environment, "/bin/sh", "/run", *numbers],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=BATCH_SECONDS,
        start_new_session=True)


def run_guest(folder, numbers):
    return subprocess.run(
        [os.path.join(ROOT, "bennu"), "run", "--root", folder, "--timeout",
         str(BATCH_SECONDS), "--kernel-log",
         os.path.join(LOGS, f"applets-{numbers[0]}.kernel.log"), "--", "/bin/sh", "/run",
         *numbers], env=dict(os.environ, BENNU_NO_BUILD="1"),
        stdin=subprocess.DEVNULL, capture_output=True,
        timeout=BATCH_SECONDS + 15)


def parse(data):
    """Returns {number: (code, output, errors)} and what follows the last."""
    results, at = {}, 0
    while match := HEADING.match(data, at):
        number, code, out, err = map(int, match.groups())
        start = match.end()
        results[number] = (code, data[start:start + out],
                           data[start + out:start + out + err])
        at = start + out + err
    return results, data[at:]


def run_some(run, folder, first, end):
    """A case that never ends, or takes the machine along, has no result; the
    run goes on behind it."""
    results, lost_count = {}, 0
    while first < end:
        done = run(folder, [str(n) for n in range(first, end)])
        found, rest = parse(done.stdout)
        results.update(found)
        if rest == b"end\n":
            break
        lost = max(found, default=first - 1) + 1
        sys.stderr.write(f"applets: case {lost} has no result: {rest[:200]!r} "
                         f"{done.stderr[-500:].decode('utf-8', 'replace')}\n")
        first = lost + 1
        lost_count += 1
        if lost_count > LOST_MAX:
            raise Bad("too many commands without a result")
    return results


def run_all(info, names):
    cases = [Case(applet, command)
             for applet, commands in sorted(info["commands"].items())
             for command in commands if not names or applet in names]
    os.makedirs(LOGS, exist_ok=True)
    count = len(cases)
    with tempfile.TemporaryDirectory() as ours, \
            tempfile.TemporaryDirectory() as theirs, \
            concurrent.futures.ThreadPoolExecutor() as pool:
        make_root(ours, info, cases)
        make_root(theirs, info, cases)
        guest = [pool.submit(run_some, run_guest, ours, first, end)
                 for first, end in ((0, count // 2), (count // 2, count))]
        host = pool.submit(run_some, run_host, theirs, 0, count)
        results = guest[0].result() | guest[1].result()
        for number, case in enumerate(cases):
            case.guest = results.get(number)
            case.host = host.result().get(number)
    return cases


def show(case):
    command = case.command.strip().replace("\n", "\n#   ")
    print(f"# {case.applet}: {command}")
    for side, result in (("host ", case.host), ("guest", case.guest)):
        if result is None:
            print(f"#   {side} no result")
            continue
        code, out, err = result
        print(f"#   {side} {code} {out[-1500:]!r} {err[-500:]!r}")


def verdicts(cases):
    """{applet: number of commands that differ}"""
    result = {}
    for case in cases:
        result[case.applet] = result.get(case.applet, 0) + (not case.same())
    return result


def cell(command):
    """A command in a table of Markdown: one line, no bar that ends a cell."""
    lines = command.strip().splitlines()
    text = lines[0] + (" ..." if len(lines) > 1 else "")
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|")


def table(info, cases):
    differ = verdicts(cases)
    rows = [(name, None) for name in info["excluded"]]
    rows += [(name, number) for name, number in differ.items()]
    bad = [case for case in cases if not case.same()]
    lines = [
        "# Compatibility with busybox",
        "",
        f"{len(rows)} applets: **{len(differ) - sum(map(bool, differ.values()))}"
        f" same, {sum(map(bool, differ.values()))} differ, "
        f"{len(info['excluded'])} excluded**; {len(cases) - len(bad)} of "
        f"{len(cases)} commands same.",
        "",
        "Generated by `tools/applets.py`, which runs each command of "
        "`tests/applets/commands.toml` in Bennu",
        "and, with the same binary and root file system, on Linux, and "
        "compares output, errors and exit code.",
        "`tools/applets.py --check` tells whether this table still holds.",
        "",
    ]
    if bad:
        lines += ["## Commands that differ", "",
                  "| applet | command | reason |", "|---|---|---|"]
        lines += [f"| {case.applet} | {cell(case.command)} | "
                  f"{info['differs'].get(case.applet, 'not known')} |"
                  for case in bad]
        lines.append("")
    lines += ["## All applets", "", "| applet | commands tried | result |",
              "|---|---|---|"]
    for name, number in sorted(rows):
        if number is None:
            lines.append(f"| `{name}` | | excluded: "
                         f"{info['excluded'][name]} |")
            continue
        tried = "<br>".join(cell(case.command) for case in cases
                            if case.applet == name)
        word = f"differs in {number}" if number else SAME
        lines.append(f"| `{name}` | {tried} | {word} |")
    return "\n".join(lines) + "\n"


def listed_as_same():
    with open(TABLE, encoding="utf-8") as file:
        return set(re.findall(r"^\| `([^`]+)` \|.*\| same \|$", file.read(),
                              re.M))


def check(cases):
    """Fails only for what the table promises. The output is KTAP."""
    promised = listed_as_same()
    broken = [case for case in cases
              if case.applet in promised and not case.same()]
    for case in broken:
        show(case)
    better = {name for name, number in verdicts(cases).items()
              if not number} - promised
    if better:
        print("# same, but not in the table: " + " ".join(sorted(better)))
    print(f"# {len(promised)} applets are promised to be same, "
          f"{len({case.applet for case in broken})} differ")
    print(f"KTAP version 1\n1..1\n{'not ok' if broken else 'ok'} 1 "
          "as in the table")
    return 1 if broken else 0


def main(argv):
    parser = argparse.ArgumentParser(
        description="Compares the applets of busybox in Bennu with this host "
        "and writes docs/compatibility.md.")
    parser.add_argument("--check", action="store_true",
                        help="fail if an applet that the table calls same "
                        "differs; write nothing")
    parser.add_argument("names", nargs="*", metavar="APPLET",
                        help="run these only, print the differences")
    arguments = parser.parse_args(argv)
    if os.geteuid() != 0:
        if arguments.check:
            print("KTAP version 1\n1..1\nok 1 as in the table # SKIP not root")
            return 0
        raise Bad("a chroot needs root")
    info = load()
    cases = run_all(info, arguments.names)
    if arguments.check:
        return check(cases)
    for case in cases:
        if not case.same():
            show(case)
    if not arguments.names:
        with open(TABLE, "w", encoding="utf-8") as file:
            file.write(table(info, cases))
    print(f"{sum(case.same() for case in cases)} of {len(cases)} commands "
          f"same")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Bad, OSError, subprocess.TimeoutExpired) as problem:
        print(f"applets: {problem}", file=sys.stderr)
        sys.exit(2)
