#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu bench --supervise: from the death of a service to the next one.

The same tiny service is killed under bennu-supervise, with and without a warm
spare, and under other supervisors of Debian. It takes the times itself
(hosted/supervise/bench_probe.c); this program only kills and collects.
docs/performance-supervise.json keeps the figures, the third generated part of
docs/performance.md is made from them.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from figures import PAGE, BadRow
from mkarchive import ROOT

BIN = os.path.join(ROOT, "build", "host", "bin")
PROBE = os.path.join(BIN, "supervise-probe")
SUPERVISE = os.path.join(BIN, "bennu-supervise")
FIGURES = os.path.join(ROOT, "docs", "performance-supervise.json")
BEGIN = "<!-- begin: ./bennu bench --supervise --write-docs -->\n"
END = "<!-- end of restarts -->\n"
PATIENCE = 30           # seconds for one restart
# runit and s6 start nothing twice within a second: each life is longer.
LIFE = 1.3
GOALS = {"detection_us": 100, "serving_us": 1000}
REASONS = {
    "detection_us": "the death of the process is in it, and the wake-up of "
    "who sleeps until it is dead, which is what the floor measures. *Plan:* "
    "measure on a machine that is not virtual",
    "serving_us": "a wake-up of the spare comes on top. *Plan:* the same",
}


class Way:
    """One supervisor. Its folder holds what it needs, and goes away."""
    name = text = program = None

    def __init__(self, folder):
        self.folder = folder
        self.process = None

    def missing(self):
        return None if shutil.which(self.program) else self.program

    def command(self):
        raise NotImplementedError

    def start(self, environment):
        argv = self.command()
        self.process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def noticed_ns(self):
        """When the last death was noticed; None: it does not say."""
        return None

    def path(self, *words):
        return os.path.join(self.folder, *words)

    def write(self, text, *words, mode=0o644):
        os.makedirs(os.path.dirname(self.path(*words)), exist_ok=True)
        with open(self.path(*words), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(*words), mode)


class Bennu(Way):
    name, text = "bennu-supervise", "a new process each time"
    more = "ready = \"notify\"\n"

    def missing(self):
        return None

    def command(self):
        self.write(f'name = "probe"\ncommand = ["{PROBE}"]\nlog = "inherit"\n'
                   f'max_restarts = 100000\ndelay_ms = 0\n{self.more}',
                   "services", "probe.toml")
        return [SUPERVISE, "--runtime", self.path("run"),
                self.path("services")]

    def noticed_ns(self):
        done = subprocess.run(
            [SUPERVISE, "--runtime", self.path("run"), "ctl", "--json",
             "events", "probe"], check=True, capture_output=True)
        return [event["time_ns"] for event in json.loads(done.stdout)
                if event["event"] == "restarting"][-1]


class BennuSpare(Bennu):
    name = "bennu-supervise-spare"
    text = "with a warm spare and an arena of 1 MiB"
    more = 'ready = "notify"\nspare = true\narena = "1M"\n'


class Floor(Way):
    name, text = "floor", "a parent that sleeps on the pidfd, and vfork"

    def missing(self):
        return None

    def command(self):
        return [PROBE, "--floor"]

    def stop(self):
        # Its child knows nobody else.
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Runit(Way):
    name, text, program = "runit", "runsvdir", "runsvdir"

    def command(self):
        os.makedirs(self.path("services", "probe"))
        os.symlink(PROBE, self.path("services", "probe", "run"))
        return [self.program, self.path("services")]

    def stop(self):
        # The services as well; SIGTERM would leave them.
        self.process.send_signal(signal.SIGHUP)
        self.process.wait(timeout=PATIENCE)
        time.sleep(0.5)


class S6(Runit):
    name, program = "s6", "s6-svscan"
    text = "s6-svscan; waits a second, by design"

    def stop(self):
        Way.stop(self)
        time.sleep(0.5)


class Supervisor(Way):
    name, program = "supervisor", "supervisord"
    text = "supervisord; looks once a second, by design"

    def command(self):
        self.write(
            "[supervisord]\nnodaemon=true\nlogfile=/dev/null\n"
            "logfile_maxbytes=0\n"
            f"pidfile={self.path('pid')}\n"
            f"[program:probe]\ncommand={PROBE}\nautorestart=true\n",
            "supervisord.conf")
        return [self.program, "-c", self.path("supervisord.conf")]


WAYS = (BennuSpare, Bennu, Floor, Runit, S6, Supervisor)


class Collector:
    """What probes say: pid, when it began, when it could serve, and, under
    the floor, when the last death was noticed.
    """

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(PATIENCE)

    def next(self):
        words = self.socket.recv(128).split()
        return [int(word) for word in words]


def above_others():
    """All that is measured runs before what else the machine does, if it may:
    children inherit it.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        print("not as root: other work of the machine disturbs",
              file=sys.stderr)


def kill_once(way, collector, pid):
    time.sleep(LIFE)
    start = time.monotonic_ns()
    os.kill(pid, signal.SIGKILL)
    pid, began, serves, *more = collector.next()
    noticed = more[0] if more else way.noticed_ns()
    figures = {"serving_us": (serves - start) / 1000}
    # A spare began long before.
    if began > start:
        figures["began_us"] = (began - start) / 1000
    if noticed is not None:
        figures["detection_us"] = (noticed - start) / 1000
    return pid, figures


def measure(kind, count):
    """{figure: [microseconds]}"""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        way = kind(folder)
        collector = Collector(way.path("report"))
        way.start(dict(os.environ, BENNU_PROBE=way.path("report")))
        samples = {}
        try:
            pid = collector.next()[0]
            for _ in range(count):
                pid, figures = kill_once(way, collector, pid)
                for name, value in figures.items():
                    samples.setdefault(name, []).append(value)
        finally:
            way.stop()
    return samples


def summary(values):
    values = sorted(values)
    return {"median": round(statistics.median(values), 1),
            "best": round(values[0], 1), "worst": round(values[-1], 1)}


def measure_all(count, names):
    rows, absent = [], []
    for kind in WAYS:
        if names and kind.name not in names:
            continue
        missing = kind(None).missing()
        if missing:
            print(f"{kind.name}: {missing} is not installed", file=sys.stderr)
            absent.append(kind.name)
            continue
        samples = measure(kind, count)
        rows.append({"name": kind.name, "text": kind.text, "count": count,
                     **{name: summary(values)
                        for name, values in samples.items()}})
        print(line(rows[-1], rows[0]), flush=True)
    return {"kernel": os.uname().release.split("-")[0], "rows": rows,
            "absent": absent}


def number(value):
    return f"{value:,.0f}".replace(",", " ")


def cells(row, figure):
    if figure not in row:
        return ["-", "-"]
    return [number(row[figure]["median"]), number(row[figure]["worst"])]


def line(row, first):
    ratio = row["serving_us"]["median"] / first["serving_us"]["median"]
    return "| " + " | ".join([
        f"`{row['name']}`", *cells(row, "detection_us"),
        *cells(row, "began_us")[:1], *cells(row, "serving_us"),
        f"{ratio:.3g}", row["text"]]) + " |"


def goal_lines(row):
    for name, limit in GOALS.items():
        median = row[name]["median"]
        if median > limit:
            yield f"- `{name}` of `{row['name']}`: {number(median)}, goal " \
                f"{limit}: {REASONS[name]}."


def page_part(results):
    rows = results["rows"]
    lines = [f"Linux {results['kernel']}; {rows[0]['count']} deaths by "
             "SIGKILL, each after more than a second of life, in "
             "microseconds from just before the signal was sent. `noticed` is "
             "when the supervisor read its clock, `began` the first line of "
             "the new process, `serves` when it could serve.", "",
             "| supervisor | noticed | worst | began | serves | worst | "
             "× first | |", "|---|--:|--:|--:|--:|--:|--:|---|",
             *[line(row, rows[0]) for row in rows], "",
             *goal_lines(rows[0])]
    lines += [f"Not measured: `{name}`." for name in results["absent"]]
    return BEGIN + "\n".join(lines).rstrip() + "\n" + END


def split_page(text):
    if text.count(BEGIN) != 1 or text.count(END) != 1 \
            or text.index(BEGIN) > text.index(END):
        raise BadRow("docs/performance.md: not exactly one part on restarts")
    before, rest = text.split(BEGIN)
    inside, behind = rest.split(END)
    return before, BEGIN + inside + END, behind


def read_figures():
    with open(FIGURES, encoding="utf-8") as file:
        return json.load(file)


def problems(results, page):
    """What is wrong with the part of the page."""
    try:
        inside = split_page(page)[1]
    except BadRow as error:
        yield str(error)
        return
    if inside != page_part(results):
        yield "docs/performance.md is not what the figures of restarts say: " \
            "run ./bennu bench --supervise --rewrite-docs"


def write_page(results):
    with open(PAGE, encoding="utf-8") as file:
        before, _, behind = split_page(file.read())
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + page_part(results) + behind)


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu bench --supervise",
        description="Times from the death of a service to the next one, under "
        "bennu-supervise and other supervisors. Those that are not installed "
        "(Debian packages runit, s6, supervisor) are left out.")
    parser.add_argument("--supervise", action="store_true", required=True)
    parser.add_argument("--count", type=int, default=20, metavar="N",
                        help="deaths of each (20)")
    parser.add_argument("--write-docs", action="store_true",
                        help="store the figures in docs")
    parser.add_argument("--rewrite-docs", action="store_true",
                        help="write docs/performance.md from those stored, "
                        "measure nothing")
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="only these")
    return parser.parse_args(argv)


def main(argv):
    arguments = parse(argv)
    if arguments.rewrite_docs:
        write_page(read_figures())
        return 0
    above_others()
    results = measure_all(arguments.count, arguments.names)
    if arguments.write_docs:
        with open(FIGURES, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
        write_page(results)
    return 0 if results["rows"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
