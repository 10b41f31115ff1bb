#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu test: builds, then runs checks, host tests, fuzzers and scenarios.

Each job gives KTAP or an exit code; each KTAP line counts as a test. Output is
kept in build/test-logs. The last line is `N passed, N failed, N skipped`.
"""

import argparse
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time

import scenario
import terminal_scenario
from mkarchive import ROOT

TOOLS = os.path.join(ROOT, "tools")
BUILD = os.path.join(ROOT, "build")
LOGS = os.path.join(BUILD, "test-logs")
TIERS = ("quick", "full", "nightly")
RESULT = re.compile(r"^(ok|not ok) \d+(?: -)? ?(.*?)(?:\s+# SKIP\b(.*))?$")
PLAN = re.compile(r"^1\.\.(\d+)")
TAIL = 30
# Of the tier full, in seconds; "install" makes a Debian first.
SLOW_TOOLS = {"image": 120, "install": 600, "package": 300}
SHOWN = 6               # of the longest jobs
CHECKS = ("text", "size", "layering", "headers", "man", "compiled", "budget",
          "vector", "figures", "interfaces", "call_order", "messages",
          "exports", "layouts", "reliability")
FUZZ_SECONDS = {"full": 3, "nightly": 120}
ATTACK_SECONDS = 600    # nightly
EXCHANGED = {"quick": 1000, "full": 100000, "nightly": 1000000}
# Wrong messages for a reader, and as many for a builder: (number, seconds).
WRONG_MESSAGES = {"full": (60000, 900), "nightly": (50000000, 14400)}
# (faults, options, seconds) of ./bennu chaos.
CHAOS = {
    "quick": (12, ["--faults", "kill,exception,panic", "--repeat"], 120),
    # Damage of the class inside may make a program complain without end.
    "full": (1000, ["--timeout", "120"], 900),
    "nightly": (100000, ["--min-manifested", "20"], 14400),
}
CHAOS_BASELINE = {"full": (200, 300), "nightly": (5000, 7200)}
BUILD_TIMEOUT = 900
MUTATION_TIMEOUT = 1800
MODEL_TIMEOUT = 600


class Job:
    """One process whose output says what passed."""

    def __init__(self, name, argv, timeout=120, tier="quick", ktap=True,
                 environment=None):
        self.name = name
        self.argv = argv
        self.timeout = timeout
        self.tier = tier
        self.ktap = ktap
        self.environment = environment or {}

    def log_path(self):
        return os.path.join(LOGS, self.name.replace("/", "-") + ".log")


class Processes:
    """Every process that runs, so that an interrupt can end them all."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = set()
        self.stopping = False

    def run(self, job, output):
        """Returns the exit code, or None if time was up."""
        environment = dict(os.environ, BENNU_NO_BUILD="1", **job.environment)
        with self.lock:
            if self.stopping:
                return None
            process = subprocess.Popen(
                job.argv, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, cwd=ROOT, env=environment,
                start_new_session=True)
            self.running.add(process)
        try:
            return process.wait(timeout=job.timeout)
        except subprocess.TimeoutExpired:
            self.kill(process)
            return None
        finally:
            with self.lock:
                self.running.discard(process)

    @staticmethod
    def kill(process):
        """Ends a process and what it started."""
        try:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()

    def stop(self):
        with self.lock:
            self.stopping = True
            left = list(self.running)
        for process in left:
            self.kill(process)


class Report:
    """Counts and prints results."""

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.number = 0
        self.failures = []
        self.times = []         # (seconds, name of the job)

    def add(self, name, verdict, note=""):
        self.counts[verdict] += 1
        self.number += 1
        word = "not ok" if verdict == "failed" else "ok"
        skip = f" # SKIP {note}".rstrip() if verdict == "skipped" else ""
        if verdict == "failed":
            self.failures.append(name)
        print(f"{word} {self.number} {name}{skip}", flush=True)

    @staticmethod
    def tail(text):
        lines = text.splitlines()
        # A sanitizer says what is wrong first and dumps memory last.
        error = next((i for i, line in enumerate(lines)
                      if "==ERROR:" in line or "runtime error:" in line
                      or "WARNING: ThreadSanitizer:" in line),
                     None)
        start = max(0, len(lines) - TAIL) if error is None \
            else max(0, error - 3)
        for line in lines[start:start + TAIL]:
            print("#   " + line)

    def summary(self):
        if self.failures:
            print("# failed: " + " ".join(self.failures))
        counts = self.counts
        print(f"{counts['passed']} passed, {counts['failed']} failed, "
              f"{counts['skipped']} skipped", flush=True)
        return 1 if counts["failed"] or not counts["passed"] else 0


def execute(job, processes):
    """Returns (job, exit code or None, output, seconds)."""
    start = time.monotonic()
    with open(job.log_path(), "w+b") as output:
        try:
            code = processes.run(job, output)
        except OSError as error:
            output.write(str(error).encode())
            code = 127
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return job, code, text, time.monotonic() - start


def report_ktap(report, job, code, text):
    """Returns whether the output must be shown."""
    planned, seen, bad = None, 0, False
    for line in text.splitlines():
        plan = PLAN.match(line)
        result = RESULT.match(line)
        if plan:
            planned = int(plan.group(1))
        elif result:
            seen += 1
            name = f"{job.name}/{result.group(2)}"
            if result.group(1) == "not ok":
                bad = True
                report.add(name, "failed")
            elif result.group(3) is not None:
                report.add(name, "skipped", result.group(3).strip())
            else:
                report.add(name, "passed")
    if seen == 0 or seen != planned or (code != 0 and not bad):
        print(f"# {job.name}: {seen} results of {planned}, {ending(code)}")
        report.add(f"{job.name}/completes", "failed")
        bad = True
    return bad


def ending(code):
    if code is None:
        return "time was up"
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def report_job(report, job, code, text, seconds):
    report.times.append((seconds, job.name))
    if job.ktap:
        bad = report_ktap(report, job, code, text)
    else:
        bad = code != 0
        if bad:
            print(f"# {job.name}: {ending(code)} after {seconds:.1f} s")
        elif job.name.startswith("check/") and text:
            print("# " + text.splitlines()[-1])
        report.add(job.name, "failed" if bad else "passed")
    if bad:
        report.tail(text)


def listed(preset, name):
    try:
        with open(os.path.join(BUILD, preset, name),
                  encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def python_job(name, script, arguments=(), **options):
    return Job(name, [sys.executable, os.path.join(TOOLS, script),
                      *arguments], **options)


def check_jobs():
    return [python_job(f"check/{name}", f"check_{name}.py", ktap=False)
            for name in CHECKS]


def host_jobs(tier):
    jobs = []
    for kind, preset in (("host", "host-asan"), ("threads", "host-tsan")):
        for name in listed(preset, "tests.list"):
            name, _, slow = name.partition(":")
            jobs.append(Job(
                f"{kind}/{name}",
                [os.path.join(BUILD, preset, "tests", name)],
                # Leaks are looked for unless the test itself says no.
                environment={"ASAN_OPTIONS": "print_legend=0",
                             "UBSAN_OPTIONS": "print_stacktrace=1",
                             **({} if tier == "quick"
                                else {"BENNU_TEST_MORE": "1"})},
                tier=slow or "quick"))
    return jobs


def tool_jobs():
    jobs = []
    for path in sorted(glob.glob(os.path.join(TOOLS, "*_test.py"))):
        name = os.path.basename(path)[:-8]
        jobs.append(python_job(f"tools/{name}", path,
                               tier="full" if name in SLOW_TOOLS else "quick",
                               timeout=SLOW_TOOLS.get(name, 120)))
    return jobs


def package_jobs():
    """What is in the packages, used from other languages than C."""
    return [Job("package/python", [sys.executable, os.path.join(
        ROOT, "hosted", "python", "bennu_ipc_test.py")], tier="full")]


def fuzz_jobs(tier):
    seconds = FUZZ_SECONDS[tier]
    jobs = []
    for name in listed("fuzz", "fuzz.list"):
        # A fixed seed in CI: a finding belongs to the change that made it.
        seed = ["-seed=1"] if tier == "full" else []
        jobs.append(Job(
            f"fuzz/{name}",
            [os.path.join(BUILD, "fuzz", "fuzzers", name), *seed,
             f"-max_total_time={seconds}", "-rss_limit_mb=2048",
             "-artifact_prefix=" + os.path.join(LOGS, f"fuzz-{name}-")],
            timeout=seconds + 60, ktap=False, tier="full"))
    return jobs


def mutation_jobs(tier):
    return [python_job("mutation", "mutate.py",
                       ["--tier", tier, "--jobs", "1"], tier="full",
                       timeout=MUTATION_TIMEOUT)]


def scenario_jobs():
    jobs = []
    for path in sorted(glob.glob(os.path.join(ROOT, "tests", "scenarios",
                                              "*.toml"))):
        info = scenario.load(path)
        jobs.append(python_job(
            f"scenario/{info['name']}", "scenario.py", [path],
            tier=info["tier"], timeout=scenario.total_timeout(info)))
    return jobs


def terminal_jobs():
    return [python_job(
        f"terminal/{os.path.basename(path)[:-3]}", "terminal_scenario.py",
        [path], tier="full", timeout=terminal_scenario.total_timeout(path))
        for path in sorted(glob.glob(os.path.join(
            terminal_scenario.FOLDER, "*.py")))]


def applet_jobs():
    return [python_job("applets", "applets.py", ["--check"], tier="full",
                       timeout=300)]


def attack_jobs():
    """Live attackers, for longer than a host test may take."""
    return [Job("attack/broker",
                [os.path.join(BUILD, "host-asan", "tests", "broker_hostile")],
                timeout=ATTACK_SECONDS + 120, tier="nightly",
                environment={"BENNU_HOSTILE_SECONDS": str(ATTACK_SECONDS)})]


def exchange_jobs(tier):
    return [python_job("exchange/capnp", "capnp_exchange.py",
                       [str(EXCHANGED[tier])],
                       timeout=7200 if tier == "nightly" else 600)]


def wrong_message_jobs(tier):
    count, seconds = WRONG_MESSAGES[tier]
    return [Job("wrong-messages/capnp",
                [os.path.join(BUILD, "host-asan", "tests", "capnp_mutation"),
                 str(count)], timeout=seconds, tier="full")]


def chaos_jobs(tier):
    """Services broken at random, on a CPU with protection keys or so, and on
    the least one."""
    count, options, seconds = CHAOS[tier]
    jobs = [python_job("chaos", "chaos.py",
                       ["--quiet", "--count", str(count), *options,
                        "--logs", os.path.join(LOGS, "chaos")],
                       ktap=False, timeout=seconds)]
    if tier in CHAOS_BASELINE:
        count, seconds = CHAOS_BASELINE[tier]
        jobs.append(python_job(
            "chaos/qemu64", "chaos.py",
            ["--quiet", "--cpu", "qemu64", "--count", str(count), "--seed",
             "2", "--logs", os.path.join(LOGS, "chaos-qemu64")],
            ktap=False, timeout=seconds))
    return jobs


def model_jobs():
    """Searches by SPIN, and runs of the service loop replayed in its model."""
    return [python_job(f"model/{name}", "model.py", [name], tier=tier,
                       timeout=MODEL_TIMEOUT)
            for name, tier in (("outbox", "quick"), ("phoenix", "quick"),
                               ("recovery", "full"), ("replay", "full"))]


def gate_jobs():
    """Instruction counts that must not grow."""
    return [python_job("bench/gates", "bench.py", ["--gate"], ktap=False,
                       tier="full")]


def wanted(jobs, tier, names):
    level = TIERS.index(tier)
    return [job for job in jobs if TIERS.index(job.tier) <= level
            and (not names or any(name in job.name for name in names))]


def unknown(jobs, names):
    """Names that pick no test."""
    return [name for name in names
            if not any(name in job.name for job in jobs)]


def unbuilt(tier):
    """Kinds of tests whose names only a build tells."""
    return [kind for kind, preset, name in (
        ("host/", "host-asan", "tests.list"),
        ("threads/", "host-tsan", "tests.list"),
        ("fuzz/", "fuzz", "fuzz.list"))
        if preset in presets(tier)
        and not os.path.exists(os.path.join(BUILD, preset, name))]


def presets(tier):
    return ["guest", "host-asan", "host-tsan"] + (
        [] if tier == "quick" else ["guest-debug", "fuzz", "package"])


def build(report, processes, tier):
    for preset in presets(tier):
        job = Job(f"build/{preset}", [os.path.join(ROOT, "bennu"), "build",
                                      preset],
                  timeout=BUILD_TIMEOUT, ktap=False)
        report_job(report, *execute(job, processes))


def all_jobs(tier):
    jobs = check_jobs() + tool_jobs() + package_jobs() + host_jobs(tier)
    if tier != "quick":
        jobs += (mutation_jobs(tier) + fuzz_jobs(tier)
                 + wrong_message_jobs(tier))
    return (jobs + scenario_jobs() + terminal_jobs() + applet_jobs()
            + exchange_jobs(tier) + model_jobs() + attack_jobs()
            + chaos_jobs(tier) + gate_jobs())


def write_times(report):
    """Seconds of each job, the longest first."""
    with open(os.path.join(LOGS, "times"), "w", encoding="utf-8") as file:
        for seconds, name in sorted(report.times, reverse=True):
            file.write(f"{seconds:8.1f} {name}\n")


def run_jobs(report, processes, jobs, width):
    with concurrent.futures.ThreadPoolExecutor(width) as pool:
        running = [pool.submit(execute, job, processes) for job in jobs]
        try:
            for done in concurrent.futures.as_completed(running):
                report_job(report, *done.result())
        except BaseException:
            for future in running:
                future.cancel()
            processes.stop()
            raise


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu test",
        description="Builds and tests. quick takes a minute or two; full, the "
        "default, is what CI runs; nightly takes hours. NAME picks tests whose "
        "name contains it, such as host/ or scenario/linux. Output of each "
        "test is kept in build/test-logs.")
    parser.add_argument("words", nargs="*", metavar="TIER|NAME")
    parser.add_argument("--list", action="store_true",
                        help="print the names of the jobs and stop")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2,
                        metavar="N", help="run N at a time")
    parser.add_argument("--no-build", action="store_true",
                        help="take the build as it is")
    arguments = parser.parse_intermixed_args(argv)
    arguments.tier = "full"
    if arguments.words and arguments.words[0] in TIERS:
        arguments.tier = arguments.words.pop(0)
    return arguments


def missing(arguments):
    """Complains about names that pick nothing: whether there are any."""
    jobs = wanted(all_jobs(arguments.tier), arguments.tier, [])
    names = unknown(jobs, arguments.words)
    for name in names:
        print(f"./bennu test: no test of the tier {arguments.tier} has "
              f"'{name}' in its name; --list lists them", file=sys.stderr)
    return names != []


def show(arguments):
    tier = arguments.tier
    for kind in unbuilt(tier):
        print(f"# the names of {kind} are known after a build",
              file=sys.stderr)
    if not unbuilt(tier) and missing(arguments):
        return 2
    for job in wanted(all_jobs(tier), tier, arguments.words):
        print(job.name)
    return 0


def interrupted(number, _frame):
    raise KeyboardInterrupt(number)


def main(argv):
    arguments = parse(argv)
    tier = arguments.tier
    if arguments.list:
        return show(arguments)
    os.makedirs(LOGS, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    report, processes = Report(), Processes()
    start = time.monotonic()
    try:
        if not unbuilt(tier) and missing(arguments):
            return 2
        if not arguments.no_build:
            build(report, processes, tier)
        if missing(arguments):
            return 2
        jobs = wanted(all_jobs(tier), tier, arguments.words)
        run_jobs(report, processes, jobs, max(1, arguments.jobs))
    except KeyboardInterrupt:
        processes.stop()
        print("# interrupted")
        report.summary()
        return 130
    write_times(report)
    print("# longest: " + ", ".join(
        f"{name} {seconds:.0f} s"
        for seconds, name in sorted(report.times, reverse=True)[:SHOWN]))
    print(f"# {tier}: {time.monotonic() - start:.0f} s, logs and "
          f"times in build/test-logs")
    return report.summary()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
