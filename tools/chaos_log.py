# SPDX-License-Identifier: MIT
"""What ./bennu chaos makes of one boot: the log of the injector, the output of
the loads (tests/programs/load), and which fault is to blame for what.

Pure: text in, numbers out.

The log has lines

    chaos: inject N TIME_NS SERVICE KIND PARAMETERS
    chaos: result N activated=0|1 manifested=CAUSE ready_ns=T recovery_ns=T
    chaos: lost SERVICE
    chaos: done N

the output those of load.c, where every number of a round or line must come
once. What a load found is put down to the last fault before it that was
activated: the loads verify all they have in each round, so that is the one
in whose time it happened, or its successor.
"""

import math
import re
from dataclasses import dataclass, field

FAIL_STOP = ("kill", "exception", "panic", "stray-outside", "stray-arena",
             "bad-cap", "bad-reply", "hang", "loop", "leak", "slow")
INSIDE = ("flip-text", "flip-data", "flip-stack", "flip-register",
          "mutate-operand", "mutate-branch", "mutate-offbyone", "mutate-nop")
COMMITTED = ("flip-arena", "stray-open")
CLASSES = {"fail-stop": FAIL_STOP, "inside": INSIDE, "committed": COMMITTED}
# Those that a service cannot survive: one that was carried out and has not led
# to a death was not noticed. The others may be refused, or pass.
DEADLY = ("kill", "exception", "panic", "stray-outside", "stray-arena",
          "bad-cap", "hang", "loop")
KINDS = FAIL_STOP + INSIDE + COMMITTED

COUNTS = ("injected", "activated", "manifested", "recovered", "lost",
          "doubled", "silent")
KEYS = COUNTS + ("recovery_median", "recovery_p99", "recovery_worst")
ERRORS = ("lost", "doubled", "silent")

INJECT = re.compile(r"chaos: inject (\d+) (\d+) (\S+) (\S+)(?: (.*))?")
POINT = re.compile(r"\bpoint=(\S+)")
RESULT = re.compile(r"chaos: result (\d+) (.*)")
DONE = re.compile(r"chaos: done (\d+)")
GONE = re.compile(r"chaos: lost (\S+)")
# The injector itself just ends.
GIVEN_UP = re.compile(r"phoenix: (?!chaos )(\S+) is given up after "
                      r"\d+ deaths")
PANIC = re.compile(r"(?:\[[^\]]*\] ?)?(?:kernel )?panic\b")
SYSTEM = re.compile(r"phoenix: system: frames (\d+) objects (\d+) slots (\d+) "
                    r"threads (\d+)")
# A service that was restarted often may hold a few objects more or less, and
# what the loads leave in caches; a leak of one thing per fault is far beyond.
# One thread is the injector's, which has ended.
TOLERANCE = {"frames": 512, "objects": 24, "slots": 24, "threads": 1}

ROUND = re.compile(r"load (\w+) round (\d+) (\d+) (?:ok (\d+)|lost=(\d+) "
                   r"doubled=(\d+) silent=(\d+) error=(\d+) (.*))")
END = re.compile(r"load (\w+) end rounds=(\d+) operations=(\d+) lost=(\d+) "
                 r"doubled=(\d+) silent=(\d+) bytes=(\d+)")
STUCK = re.compile(r"load (\w+) stuck")
LINE = re.compile(r"line (\d+) ([0-9a-f]{16})")
MASK = (1 << 64) - 1
DEATHS = ("exception", "panic", "budget", "limit", "killed", "exit", "hang",
          "unknown")
NOTHING = ("none", "0", "-")


def class_of(kind):
    for name, kinds in CLASSES.items():
        if kind in kinds:
            return name
    raise ValueError(f"{kind}: no such fault")


def number_hash(number):
    """load_number_hash() of the loads."""
    x = (number + 0x9e3779b97f4a7c15) & MASK
    x = (x ^ x >> 33) * 0xff51afd7ed558ccd & MASK
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53 & MASK
    return x ^ x >> 33


@dataclass
class Injection:
    number: int
    time_ns: int
    service: str
    kind: str
    parameters: str
    hit: bool = False           # the injector saw that it was used
    died: bool = False          # a death came of it
    seen: bool = False          # or something else, such as slow answers
    ready: bool = False
    recovery_ns: int = 0
    answered: bool = False      # there is a result line
    lost: int = 0
    doubled: int = 0
    silent: int = 0

    def wrong(self):
        return self.lost + self.doubled + self.silent != 0

    def manifested(self):
        return self.died or self.seen or self.wrong()

    def activated(self):
        return self.hit or self.manifested()

    def recovered(self):
        return (not self.wrong() and (self.ready if self.died
                                      else self.seen))


@dataclass
class Finding:
    """Something that a load or the reader of its output found wrong."""
    time_ns: int
    text: str
    lost: int = 0
    doubled: int = 0
    silent: int = 0


@dataclass
class Boot:
    """What one boot gave."""
    injections: list = field(default_factory=list)
    findings: list = field(default_factory=list)
    problems: list = field(default_factory=list)    # of the system itself
    lines: list = field(default_factory=list)       # of the injector
    operations: int = 0
    rounds: int = 0
    done: bool = False


class LogReader:
    """Lines of the kernel's log become injections and problems."""

    def __init__(self, boot):
        self.boot = boot
        self.by_number = {}
        self.skipped = set()
        self.totals = []

    def read(self, text):
        for line in text.replace("\r", "").splitlines():
            self.take(line)

    def take(self, line):
        if line.startswith("chaos: "):
            self.boot.lines.append(line)
        if match := INJECT.fullmatch(line):
            number, time, service, kind, rest = match.groups()
            injection = Injection(int(number), int(time), service, kind,
                                  rest or "")
            class_of(kind)
            if " done=0" in " " + injection.parameters:
                self.skipped.add(injection.number)
                return          # there was nothing to be damaged
            if injection.number in self.by_number:
                raise ValueError(f"injected twice: {line}")
            self.by_number[injection.number] = injection
            self.boot.injections.append(injection)
        elif match := RESULT.fullmatch(line):
            self.take_result(int(match.group(1)), match.group(2))
        elif match := DONE.fullmatch(line):
            self.boot.done = True
        elif match := GONE.fullmatch(line):
            self.boot.problems.append(f"{match.group(1)} did not come back")
        elif match := GIVEN_UP.match(line):
            self.boot.problems.append(f"{match.group(1)} was given up")
        elif PANIC.match(line):
            self.boot.problems.append(line)
        elif match := SYSTEM.fullmatch(line):
            self.totals.append([int(word) for word in match.groups()])

    def take_result(self, number, text):
        words = dict(word.split("=", 1) for word in text.split()
                     if "=" in word)
        injection = self.by_number.get(number)
        if injection is None and number in self.skipped:
            return
        if injection is None:
            raise ValueError(f"a result without a fault: {number} {text}")
        injection.answered = True
        injection.died = words["manifested"] in DEATHS
        injection.seen = words["manifested"] not in NOTHING
        injection.hit = words["activated"] == "1"
        injection.ready = int(words["ready_ns"]) > 0
        injection.recovery_ns = int(words["recovery_ns"])

    def compare_totals(self, frames):
        """What is in use at the end is what was at the start, and so many
        frames."""
        if len(self.totals) < 2:
            self.boot.problems.append("no report of what is in use at the end")
            return
        start = [self.totals[0][0] + frames, *self.totals[0][1:]]
        for key, first, last in zip(TOLERANCE, start, self.totals[-1]):
            if abs(last - first) > TOLERANCE[key]:
                self.boot.problems.append(
                    f"{last} {key} in use at the end, {first} are right")


class OutputReader:
    """Lines of the loads become findings."""

    def __init__(self, boot, loads):
        self.boot = boot
        self.expected = {name: 1 for name in loads}
        self.ended = set()
        self.line = 1
        self.time_ns = 0

    def read(self, text):
        *lines, partial = text.split("\n")
        for line in lines:
            self.take(line)
        if partial:
            self.find(f"output ends in {partial[:60]!r}", lost=1)

    def finish(self):
        for name in sorted(set(self.expected) - self.ended):
            self.find(f"load {name} did not end", lost=1)

    def find(self, text, **counts):
        self.boot.findings.append(Finding(self.time_ns, text, **counts))

    def take(self, line):
        if match := LINE.fullmatch(line):
            self.take_line(int(match.group(1)), int(match.group(2), 16))
        elif match := ROUND.fullmatch(line):
            self.take_round(match)
        elif match := END.fullmatch(line):
            self.take_end(match)
        elif match := STUCK.fullmatch(line):
            self.find(line, lost=1)
            self.ended.add(match.group(1))
        else:
            self.find(f"output that nobody wrote: {line[:60]!r}", silent=1)

    def in_order(self, what, expected, number):
        """Returns the number expected next."""
        if number < expected:
            self.find(f"{what} {number} again", doubled=1)
            return expected
        if number > expected:
            self.find(f"{what} {expected} to {number - 1} missing",
                      lost=number - expected)
        return number + 1

    def take_line(self, number, digest):
        if digest != number_hash(number):
            self.find(f"line {number} has wrong bytes", silent=1)
            # Its number means nothing either; it has its place.
            self.line += 1
            return
        self.line = self.in_order("line", self.line, number)

    def take_round(self, match):
        name, number, time, operations, *counts = match.groups()
        if name not in self.expected:
            self.find(f"output that nobody wrote: {match.group()}", silent=1)
            return
        self.time_ns = max(self.time_ns, int(time) * 1000)
        self.expected[name] = self.in_order(
            f"load {name} round", self.expected[name], int(number))
        self.boot.rounds += 1
        if operations is not None:
            self.boot.operations += int(operations)
            return
        lost, doubled, silent, error = map(int, counts[:4])
        note = f" (errno {error})" if error else ""
        self.boot.findings.append(Finding(
            int(time) * 1000, f"load {name} round {number}: {counts[4]}{note}",
            lost, doubled, silent))

    def take_end(self, match):
        name, rounds = match.group(1), int(match.group(2))
        if self.expected.get(name) != rounds + 1:
            self.find(f"load {name} ends after {rounds} rounds, "
                      f"{self.expected.get(name, 1) - 1} were seen", lost=1)
        if name in self.ended:
            self.find(f"load {name} ends again", doubled=1)
        self.ended.add(name)


def blame(boot):
    """Adds each finding to an injection; returns those from before any."""
    early = []
    for finding in boot.findings:
        before = [injection for injection in boot.injections
                  if injection.time_ns <= finding.time_ns]
        active = [injection for injection in before if injection.activated()]
        if not before:
            early.append(finding)
            continue
        guilty = (active or before)[-1]
        for key in ERRORS:
            setattr(guilty, key,
                    getattr(guilty, key) + getattr(finding, key))
    return early


def read_boot(log, output, loads, ended=True, frames=0):
    """Returns a Boot. `ended`: the machine ended by itself, so that what is
    in use at the end can be compared; so many frames more are right."""
    boot = Boot()
    reader = LogReader(boot)
    reader.read(log)
    lines = OutputReader(boot, loads)
    lines.read(output)
    if boot.injections:
        # Whoever did not end had the last fault, too.
        lines.time_ns = max(lines.time_ns, boot.injections[-1].time_ns)
    lines.finish()
    if ended:
        reader.compare_totals(frames)
    if not boot.done:
        boot.problems.append("the injector did not come to its end")
    for finding in blame(boot):
        boot.problems.append(f"before any fault: {finding.text}")
    return boot


def rank(values, share):
    """The smallest value that so large a share does not exceed."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def summary(injections):
    """The ten keys for a set of injections."""
    times = [injection.recovery_ns for injection in injections
             if injection.died and injection.recovery_ns > 0]
    out = {
        "injected": len(injections),
        "activated": sum(i.activated() for i in injections),
        "manifested": sum(i.manifested() for i in injections),
        "recovered": sum(i.recovered() for i in injections),
    }
    for key in ERRORS:
        out[key] = sum(getattr(i, key) for i in injections)
    out["recovery_median"] = rank(times, 0.5)
    out["recovery_p99"] = rank(times, 0.99)
    out["recovery_worst"] = rank(times, 1)
    return out


def points(injections):
    """A summary for each point of the loop that faults were armed at."""
    groups = {}
    for injection in injections:
        match = POINT.search(injection.parameters)
        if match:
            groups.setdefault(match.group(1), []).append(injection)
    return {point: summary(groups[point]) for point in sorted(groups)}


def cells(injections):
    """A summary for each fault and service, in the order of KINDS."""
    groups = {}
    for injection in injections:
        groups.setdefault((injection.kind, injection.service),
                          []).append(injection)
    order = sorted(groups, key=lambda key: (KINDS.index(key[0]), key[1]))
    return [{"fault": kind, "service": service, "class": class_of(kind),
             **summary(groups[kind, service])} for kind, service in order]
