#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the models of tests/model with SPIN, and replays real runs in one.

    model.py recovery|outbox|phoenix   search of a model; each seeded bug of it
                                       must be found
    model.py replay                    runs of the service loop (host test
                                       `service`) must be explained by the
                                       model recovery; spoiled ones must not

A model is compiled once; sizes and the seeded bug are parameters (MODEL_* in
the environment), so the model that is found good is the one the bugs are put
into. Output is KTAP. Files are in build/model. A counter-example is printed as
the events of its path: `model.py NAME --bug BUG` shows that of a seeded bug.
"""

import argparse
import os
import random
import re
import shutil
import subprocess
import sys

from mkarchive import ROOT

MODELS = os.path.join(ROOT, "tests", "model")
SCRATCH = os.path.join(ROOT, "build", "model")
LOOP_TEST = os.path.join(ROOT, "build", "host-asan", "tests", "service")
TIMEOUT = 300
MEMORY = 1900           # megabytes
BATCH = 600             # traces of one run of the verifier
SPOILED = 400           # of each kind
ERRORS = re.compile(r"errors: (\d+)")
STATES = re.compile(r"([\d.e+]+) states, stored")
BROKEN = re.compile(r"^pan:\d+: (.*?) \(at depth", re.M)
DEFINE = re.compile(r"^#define\s+(\w+)\s+(\d+)\b", re.M)
VERDICT = re.compile(r"^trace (\d+) (explained|refused) (\d+)$", re.M)
STEP = re.compile(r"proc +\d+ \((\w+)\) +(\S+) .*?\t?\[(.*)\]$", re.M)
SHOWN = 12              # events before the one that is not explained
STEPS = 100             # of a counter-example, its last ones


class Bad(Exception):
    """A tool failed: there is no verdict."""


def run(argv, folder, environment=None):
    done = subprocess.run(
        argv, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=TIMEOUT,
        env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout + done.stderr


class Model:
    """A verifier made of NAME.pml."""

    def __init__(self, name, use, spin=(), gcc=()):
        self.name = name
        self.folder = os.path.join(SCRATCH, f"{name}-{use}")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        for file in os.listdir(MODELS):
            if file.endswith(".pml"):
                shutil.copy(os.path.join(MODELS, file), self.folder)
        self.make(["spin", *spin, "-a", f"{name}.pml"])
        # Generated code, not ours: no warnings.
        self.make(["gcc", "-O1", "-w", f"-DMEMLIM={MEMORY}", *gcc, "-o",
                   "pan", "pan.c"])

    def make(self, argv):
        code, output = run(argv, self.folder)
        if code != 0:
            raise Bad(f"{' '.join(argv)}: {output}")

    def constants(self, prefix):
        """{name without prefix: value} of the #defines in its text."""
        with open(os.path.join(self.folder, f"{self.name}.pml"),
                  encoding="utf-8") as file:
            return {name[len(prefix):]: int(value)
                    for name, value in DEFINE.findall(file.read())
                    if name.startswith(prefix)}

    def verify(self, arguments, environment):
        """Returns (what is broken or None, states, output)."""
        code, output = run(["./pan", "-m1000000", "-w22", *arguments],
                           self.folder, environment)
        errors, states = ERRORS.search(output), STATES.search(output)
        broken = BROKEN.search(output)
        # A search that was cut short is no search.
        if code != 0 or errors is None or states is None or (
                broken is None and "Search not completed" in output):
            raise Bad(output)
        if (int(errors.group(1)) != 0) != (broken is not None):
            raise Bad(output)
        return (broken.group(1) if broken else None,
                int(float(states.group(1))), output)


def environment_of(parameters, bug=0):
    return {"MODEL_BUG": str(bug),
            **{f"MODEL_{name.upper()}": str(value)
               for name, value in parameters.items()}}


class Search:
    """A law: these parameters, this mistake (None: the model is good)."""

    def __init__(self, name, parameters, bug=None):
        self.name = name
        self.parameters = parameters
        self.bug = bug


def sizes(callers, requests, crashes, operations, cancels=0, poison=0,
          sweep=1, replies=2):
    return {"callers": callers, "requests": requests, "crashes": crashes,
            "operations": sum(1 << operation - 1 for operation in operations),
            "cancels": cancels, "poison": poison, "sweep": sweep,
            "replies": replies}


ADD, GET, FAIL, PARK, WAKE, SELF, MAKE, DROP = range(1, 9)
EVERY = range(1, 9)
ANSWERS = (ADD, PARK, WAKE, SELF)
CAPABILITIES = (FAIL, MAKE, DROP)
ALL_SLOTS = 13          # SLOTS of recovery.pml

RECOVERY = [
    Search("any_call_once_with_one_death", sizes(2, 2, 1, EVERY)),
    Search("any_call_once_after_a_whole_sweep",
           sizes(2, 1, 2, EVERY, sweep=ALL_SLOTS)),
    Search("answers_once_with_three_deaths", sizes(2, 2, 3, ANSWERS)),
    Search("two_sleepers_are_woken_once",
           sizes(3, 1, 2, ANSWERS, replies=3)),
    Search("killed_and_kicked_callers_leave_nothing",
           sizes(2, 2, 1, (ADD, GET, PARK, WAKE), cancels=2)),
    Search("capabilities_are_not_leaked_and_not_lost",
           sizes(2, 1, 3, CAPABILITIES)),
    Search("poison_is_refused_unless_it_was_done",
           sizes(2, 2, 2, (ADD, PARK, WAKE), poison=1)),
] + [Search(bug.lower(), sizes(*arguments[:4], **arguments[4]), bug)
     for bug, arguments in {
    "ANSWER_BEFORE_COMMIT": (2, 1, 1, ANSWERS, {}),
    "NO_UNDO": (2, 1, 1, ANSWERS, {}),
    "NO_REDO": (2, 1, 1, ANSWERS, {}),
    "LIST_CLEARED_EARLY": (2, 1, 1, ANSWERS, {}),
    "ORDER_NOT_COMPARED": (3, 1, 2, ANSWERS, {"replies": 3}),
    "PARKED_DROPPED": (2, 1, 0, ANSWERS, {}),
    "SWEEP_IN_TRANSACTION": (2, 1, 0, CAPABILITIES, {}),
    "SWEEP_TRAVELLING": (2, 1, 1, CAPABILITIES, {"sweep": ALL_SLOTS}),
    "SWEEP_FORGOTTEN": (2, 1, 1, CAPABILITIES, {}),
    "NO_REARM": (2, 1, 1, ANSWERS, {"cancels": 1}),
    "VOID_FORGOTTEN": (2, 1, 1, ANSWERS, {"cancels": 1}),
    "IDLE_BEFORE_ANSWER": (2, 1, 1, ANSWERS, {}),
    "POISON_BEFORE_REDO": (2, 1, 1, ANSWERS, {"poison": 1}),
    "PENDING_FORGOTTEN": (2, 1, 1, ANSWERS, {}),
}.items()]

SERVICES = {"crashes": 3, "colds": 1, "refusals": 1}
OUTBOX = [Search("what_is_listed_is_done_once_whoever_dies", SERVICES)] + [
    Search(bug.lower(), SERVICES, bug)
    for bug in ("NO_KEPT_REPLY", "KEPT_APART", "KEPT_BEFORE",
                "DONE_BEFORE_CALL", "DONE_BEFORE_USE", "ID_AT_CALL",
                "LAST_FIRST", "ERROR_KEPT", "ID_FROM_ONE",
                "REPLY_FORGOTTEN")]

RESTARTS = {"crashes": 3, "deaths": 3, "hangs": 2}
PHOENIX = [Search("one_incarnation_runs_and_no_death_is_lost", RESTARTS)] + [
    Search(bug.lower(), RESTARTS, bug)
    for bug in ("START_IN_TRANSACTION", "DEATH_BY_EVENT", "COUNT_APART",
                "STARTED_KEPT", "OLD_NOT_KILLED", "NO_SWEEP", "SWEEP_SPARE",
                "SPARE_TWICE", "BURIED_NOT_DROPPED")]

# Name of a model: its searches, the parameters with which every run must end,
# and a mistake with which one does not.
CHECKED = {
    "recovery": (RECOVERY, sizes(2, 1, 2, EVERY, cancels=1),
                 "PENDING_FORGOTTEN"),
    "outbox": (OUTBOX, SERVICES, "REPLY_FORGOTTEN"),
    "phoenix": (PHOENIX, RESTARTS, "STARTED_KEPT"),
}


class Report:
    def __init__(self, planned):
        self.count = self.failed = 0
        print(f"KTAP version 1\n1..{planned}", flush=True)

    def add(self, name, good, note=""):
        self.count += 1
        self.failed += not good
        for line in note.splitlines():
            print(f"# {line}")
        print(f"{'ok' if good else 'not ok'} {self.count} {name}", flush=True)


def search(report, model, law):
    bug = model.constants("BUG_")[law.bug] if law.bug else 0
    broken, states, _ = model.verify(
        [], environment_of(law.parameters, bug))
    if law.bug:
        report.add(f"{law.bug.lower()}_is_found", broken is not None,
                   f"{states} states: {broken}")
    else:
        report.add(law.name, broken is None, f"{states} states"
                   + (f": {broken}\n{path(model, law, 0)}" if broken else ""))


def path(model, law, bug):
    """The steps that led to the mistake that was found last."""
    _, output = run(["./pan", "-r", "-v"], model.folder,
                    environment_of(law.parameters, bug))
    return "\n".join(f"{process} {where}: {text}"
                     for process, where, text in STEP.findall(output)[-STEPS:])


def check_search(name):
    laws, parameters, stuck = CHECKED[name]
    report = Report(len(laws) + 2)
    model = Model(name, "search", gcc=("-DSAFETY", "-DNOCLAIM"))
    for law in laws:
        search(report, model, law)
    # Whether it ends: what is asserted on the way was looked at above.
    model = Model(name, "end")
    broken, states, _ = model.verify(["-a", "-A"], environment_of(parameters))
    report.add("every_run_ends", broken is None, f"{states} states: {broken}")
    broken, states, _ = model.verify(
        ["-a", "-A"],
        environment_of(parameters, model.constants("BUG_")[stuck]))
    report.add(f"{stuck.lower()}_does_not_end", broken == "acceptance cycle",
               f"{states} states: {broken}")
    return report.failed


def show_bug(name, bug):
    """Prints the counter-example of a seeded bug."""
    law = next((law for law in CHECKED[name][0] if law.bug == bug), None)
    if law is None:
        raise Bad(f"{name} has no bug {bug}")
    model = Model(name, "search", gcc=("-DSAFETY", "-DNOCLAIM"))
    number = model.constants("BUG_")[bug]
    broken, _, _ = model.verify([], environment_of(law.parameters, number))
    print(path(model, law, number))
    print(f"broken: {broken}")
    return broken is None


# -- replay --

def read_traces(path):
    """Lists of (word, a, b, c), as lib/service/fake/events.h describes."""
    traces, trace = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line == ".\n":
                traces.append(trace)
                trace = []
            else:
                word, *numbers = line.split()
                trace.append((word, *map(int, numbers)))
    if trace:
        raise Bad(f"{path}: a trace has no end")
    return traces


def record(folder):
    path = os.path.join(folder, "events")
    code, output = run([LOOP_TEST], ROOT, {"BENNU_LOOP_EVENTS": path})
    if code != 0:
        raise Bad(output)
    return read_traces(path)


class Replay:
    """The model recovery, asked what it thinks of traces."""

    def __init__(self):
        self.model = Model("recovery", "replay", ["-DREPLAY"],
                           ["-DSAFETY", "-DNOCLAIM"])
        self.words = {name.lower(): value for name, value in
                      self.model.constants("EVENT_").items()}

    def write(self, path, traces):
        with open(path, "w", encoding="utf-8") as file:
            for trace in traces:
                for word, *numbers in trace:
                    file.write(f"{self.words[word]} {numbers[0]} {numbers[1]} "
                               f"{numbers[2]}\n")
                file.write("0 0 0 0\n")

    def explain(self, traces):
        """How far each was explained; None: to its end."""
        path = os.path.join(self.model.folder, "traces")
        reached = []
        for start in range(0, len(traces), BATCH):
            batch = traces[start:start + BATCH]
            self.write(path, batch)
            # Dead ends are paths that do not explain the trace.
            broken, _, output = self.model.verify(
                ["-E"], {"MODEL_TRACES": path, "MODEL_REQUESTS": "12"})
            if broken is not None:
                raise Bad(f"on the way of a trace: {broken}")
            told = VERDICT.findall(output)
            if len(told) != len(batch):
                raise Bad(output)
            reached += [None if verdict == "explained" else int(furthest)
                        for _, verdict, furthest in told]
        return reached


def shown(trace, reached):
    lines = [" ".join(map(str, event)) for event in trace]
    return "\n".join([f"event {reached} of {len(trace)} has no explanation:"]
                     + lines[max(0, reached - SHOWN):reached]
                     + [f"{line}   <---" for line in
                        lines[reached:reached + 1]])


FATE = ("crash", "kick", "kill")


def find(trace, word, start=0):
    return next((i for i in range(start, len(trace))
                 if trace[i][0] == word), None)


# Each takes a trace and gives a wrong one, or None if it cannot.

def answer_before_commit(trace, _):
    """The answer of a call that changed something."""
    for i, event in enumerate(trace):
        if event[0] != "handle":
            continue
        commit, answer = find(trace, "commit", i), find(trace, "answer", i)
        crash = find(trace, "crash", i)
        if commit is None or answer is None or commit > answer or (
                crash is not None and crash < answer):
            continue
        if trace[answer][1:3] == event[1:3]:
            return (trace[:commit] + [trace[answer]] + trace[commit:answer]
                    + trace[answer + 1:])
    return None


def effect_not_redone(trace, _):
    """Of a death between the commit and its effects."""
    for i in range(2, len(trace)):
        if trace[i][0] == "crash" and trace[i - 1][0] == "commit":
            resize = find(trace, "resize", i)
            rearm = find(trace, "rearm", i)
            if resize is not None and rearm is not None and (
                    resize < rearm and trace[resize + 1][0] != "crash"):
                return trace[:resize] + trace[resize + 1:]
    return None


def named_slot_swept(trace, _):
    """Slot 0 is the first reply object."""
    start = find(trace, "start", find(trace, "ready") or len(trace))
    if start is None or find(trace, "answer") is None:
        return None
    return trace[:start + 1] + [("delete", 0, 0, 1)] + trace[start + 1:]


def answered_twice(trace, _):
    answer = find(trace, "answer")
    return answer and trace[:answer + 1] + trace[answer:]


def one_left_out(trace, chance):
    """
    Not the last before a crash: that is a crash which came earlier. Nor that
    bits were taken: the look at events after a start may have come later.
    """
    at = chance.randrange(len(trace) - 1)
    if trace[at + 1][0] == "crash" or trace[at][0] == "notified":
        return None
    return trace[:at] + trace[at + 1:]


def one_doubled(trace, chance):
    """Not what fate does: it may do that twice."""
    at = chance.randrange(len(trace))
    if trace[at][0] in FATE:
        return None
    return trace[:at + 1] + trace[at:]


def two_exchanged(trace, chance):
    """Neighbours. A kick or a kill may come at any time."""
    at = chance.randrange(len(trace) - 1)
    pair = trace[at:at + 2]
    if pair[0] == pair[1] or any(event[0] in ("kick", "kill")
                                 for event in pair):
        return None
    return trace[:at] + pair[::-1] + trace[at + 2:]


WRONG = (answer_before_commit, effect_not_redone, named_slot_swept,
         answered_twice, one_left_out, one_doubled, two_exchanged)


def check_refused(report, replay, traces, spoil):
    chance = random.Random(spoil.__name__)
    wrong = []
    for trace in chance.sample(traces, len(traces)):
        spoiled = spoil(trace, chance)
        if spoiled is not None:
            wrong.append(spoiled)
        if len(wrong) == SPOILED:
            break
    passed = [trace for trace, reached in zip(wrong, replay.explain(wrong))
              if reached is None]
    report.add(f"{spoil.__name__}_is_refused", len(wrong) > 20 and not passed,
               f"{len(wrong)} traces, {len(passed)} of them explained")


def check_replay():
    report = Report(1 + len(WRONG))
    replay = Replay()
    traces = record(replay.model.folder)
    reached = replay.explain(traces)
    refused = [(trace, at) for trace, at in zip(traces, reached)
               if at is not None]
    report.add("runs_of_the_loop_are_runs_of_the_model",
               len(traces) > 1000 and not refused,
               f"{len(traces)} traces, {sum(map(len, traces))} events, "
               f"{len(refused)} refused\n"
               + (shown(*refused[0]) if refused else ""))
    for spoil in WRONG:
        check_refused(report, replay, traces, spoil)
    return report.failed


def main(argv):
    parser = argparse.ArgumentParser(
        description="Checks the models of tests/model with SPIN.")
    parser.add_argument("what", choices=[*CHECKED, "replay"])
    parser.add_argument("--bug", help="show how a seeded bug does harm")
    arguments = parser.parse_args(argv)
    try:
        if arguments.bug and arguments.what in CHECKED:
            return show_bug(arguments.what, arguments.bug)
        if arguments.what == "replay":
            return check_replay()
        return check_search(arguments.what)
    except (Bad, OSError, subprocess.TimeoutExpired) as problem:
        print(f"model.py: {problem}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
