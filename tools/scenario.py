#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one file of tests/scenarios: boots, runs a program, compares.

Keys of a scenario:

    about           one line
    tier            quick, full (default) or nightly
    command         list: the program and its arguments
    stdin           text for its input
    options         list of options for ./bennu run
    variants        list of such lists: one test for each, after `options`
    programs        names under tests/programs that must have been built
    image           true: `command` is put into disk images, and the options
                    boot one of them as {image}/bennu.iso or so
    timeout         seconds for one run (default 60)
    exit            expected code (default 0)
    exit_not        list of codes: any other is expected
    stdout, stderr  exact text
    stdout_regex, stderr_regex
                    list of patterns, each found somewhere
    kernel_log, kernel_log_not
                    list of patterns found, or not found, in the kernel's log
    compare_host    true: output and code as of the same program on this host
    compare_options list: output and code as of a run with these options
    compare_command list: what that run executes instead of `command`
    kill            "SERVICE:COUNT:EVERY_US": that service is killed meanwhile,
                    and the kernel log must tell of the last incarnation; the
                    compared run is left alone
    same_system     true: objects, slots, threads and frames in use at the end
                    are those of the compared run
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib

from mkarchive import DEFAULT_ENVIRONMENT, GUEST, ROOT

KEYS = {"about", "name", "tier", "command", "stdin", "options", "variants",
        "programs", "image", "timeout", "exit", "exit_not", "stdout", "stderr",
        "stdout_regex", "stderr_regex", "kernel_log", "kernel_log_not",
        "compare_host", "compare_options", "compare_command", "kill",
        "same_system"}
# A service that was restarted often may hold a few reply objects more or less.
# A leak of one thing per kill is far beyond this, kills come by the hundred.
TOLERANCE = {"frames": 64, "objects": 12, "slots": 12, "threads": 0}
SYSTEM = re.compile(r"system: frames (\d+) objects (\d+) slots (\d+) "
                    r"threads (\d+)")
LOGS = os.path.join(ROOT, "build", "test-logs")


class Bad(Exception):
    """The scenario file itself is wrong."""


def load(path):
    with open(path, "rb") as file:
        info = tomllib.load(file)
    unknown = set(info) - KEYS
    if unknown:
        raise Bad(f"{path}: unknown keys {', '.join(sorted(unknown))}")
    if "command" not in info:
        raise Bad(f"{path}: no command")
    info.setdefault("name", os.path.basename(path)[:-5])
    info.setdefault("tier", "full")
    info.setdefault("timeout", 60)
    info.setdefault("options", [])
    info.setdefault("variants", [[]])
    return info


def total_timeout(info):
    runs = len(info["variants"]) * (2 if "compare_options" in info else 1)
    return (info["timeout"] + 15) * (runs + 1)


class Run:
    """What came out of one run."""

    def __init__(self, done, log=""):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        self.log = log


def image_folder(info):
    return os.path.join(ROOT, "build", "test-images", info["name"])


def make_images(info):
    """Returns the list of what is wrong."""
    done = subprocess.run(
        [os.path.join(ROOT, "bennu"), "image", "--output", image_folder(info),
         "--", *info["command"]], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=info["timeout"],
        env=dict(os.environ, BENNU_NO_BUILD="1"))
    return [] if done.returncode == 0 else done.stderr.splitlines()


def run_guest(info, options, log_name, command=None):
    log = os.path.join(LOGS, log_name + ".kernel.log")
    options = [option.replace("{image}", image_folder(info))
               for option in info["options"] + options]
    if not info.get("image"):
        options += ["--", *(command or info["command"])]
    argv = [os.path.join(ROOT, "bennu"), "run", "--timeout",
            str(info["timeout"]), "--kernel-log", log, *options]
    done = subprocess.run(
        argv, input=info.get("stdin", "").encode(), capture_output=True,
        timeout=info["timeout"] + 15,
        env=dict(os.environ, BENNU_NO_BUILD="1"))
    text = ""
    if os.path.exists(log):
        with open(log, "rb") as file:
            text = file.read().decode("utf-8", "replace")
    return Run(done, text)


def host_path(word):
    """Where this host has a program of the default root."""
    if word.startswith("/bin/tests/"):
        return os.path.join(GUEST, "programs", os.path.basename(word))
    return "/bin/bash-static" if word == "/bin/bash" else word


def run_host(info):
    command = [host_path(info["command"][0])] + info["command"][1:]
    with tempfile.TemporaryDirectory() as folder:
        return Run(subprocess.run(
            command, input=info.get("stdin", "").encode(),
            capture_output=True, timeout=info["timeout"], cwd=folder,
            env=DEFAULT_ENVIRONMENT))


def patterns_problems(what, text, patterns, should):
    return [f"{what}: {'no match' if should else 'match'} for {pattern!r}"
            for pattern in patterns
            if bool(re.search(pattern, text, re.M)) != should]


def difference(what, expected, got):
    if expected == got:
        return []
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b),
              min(len(expected), len(got)))
    near = slice(max(0, at - 40), at + 80)
    return [f"{what} differs at byte {at} ({len(expected)} expected, "
            f"{len(got)} got)",
            f"  expected ...{expected[near]!r}", f"  got      ...{got[near]!r}"]


def system_totals(log):
    """What was in use at the end, by the last report in the log."""
    found = SYSTEM.findall(log)
    if not found:
        return None
    return dict(zip(TOLERANCE, map(int, found[-1])))


def system_problems(run, other):
    got, expected = system_totals(run.log), system_totals(other.log)
    if got is None or expected is None:
        return ["no report of the system's totals in the kernel log"]
    return [f"{got[key]} {key} in use at the end, {expected[key]} without "
            "kills" for key, most in TOLERANCE.items()
            if abs(got[key] - expected[key]) > most]


def kill_problems(info, run):
    service, count = info["kill"].split(":")[:2]
    return patterns_problems(
        "kernel log", run.log,
        [f"chaos done {service} incarnation {int(count) + 1}$"], True)


def judge(info, run, other):
    problems = []
    if "kill" in info:
        problems += kill_problems(info, run)
    if info.get("same_system"):
        problems += system_problems(run, other)
    expected = other.code if other and "exit" not in info \
        else info.get("exit", 0)
    if "exit_not" in info:
        if run.code in info["exit_not"]:
            problems.append(f"exit code {run.code}")
    elif run.code != expected:
        problems.append(f"exit code {run.code}, {expected} expected")
    for key, got in (("stdout", run.out), ("stderr", run.err)):
        if key in info:
            problems += difference(key, info[key].encode(), got)
        problems += patterns_problems(
            key, got.decode("utf-8", "replace"),
            info.get(key + "_regex", []), True)
    if other:
        problems += difference("stdout", other.out, run.out)
    problems += patterns_problems("kernel log", run.log,
                                  info.get("kernel_log", []), True)
    problems += patterns_problems("kernel log", run.log,
                                  info.get("kernel_log_not", []), False)
    return problems


def missing_programs(info):
    return [name for name in info.get("programs", [])
            if not os.path.exists(os.path.join(GUEST, "programs", name))]


def run_variant(info, number, options):
    """Returns the list of what is wrong."""
    other = None
    log_name = f"scenario-{info['name']}-{number}"
    try:
        if info.get("compare_host"):
            other = run_host(info)
        elif "compare_options" in info:
            other = run_guest(info, info["compare_options"] + options,
                              log_name + "-compared",
                              info.get("compare_command"))
        if "kill" in info:
            options = options + ["--kill", info["kill"]]
        run = run_guest(info, options, log_name)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [str(error)]
    problems = judge(info, run, other)
    if problems:
        problems += ["stderr:", *run.err.decode("utf-8", "replace")
                     .splitlines()[-15:]]
    return problems


def main(argv):
    if len(argv) != 1:
        print("usage: scenario.py FILE", file=sys.stderr)
        return 2
    info = load(argv[0])
    os.makedirs(LOGS, exist_ok=True)
    print(f"KTAP version 1\n1..{len(info['variants'])}", flush=True)
    failed = False
    unfit = [f"program {name} was not built"
             for name in missing_programs(info)]
    if info.get("image") and not unfit:
        unfit = make_images(info)
    for number, options in enumerate(info["variants"], 1):
        problems = list(unfit)
        problems = problems or run_variant(info, number, options)
        for problem in problems:
            print("# " + problem)
        title = " ".join(options) or "runs"
        print(f"{'not ok' if problems else 'ok'} {number} {title}",
              flush=True)
        failed = failed or bool(problems)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
