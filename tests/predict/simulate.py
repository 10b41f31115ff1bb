#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs of services with known ends, for the test of the failure predictor.

    simulate.py FOLDER [--seed N]       writes one NAME.csv for each run
    simulate.py --check FOLDER          are those in FOLDER the ones written?

A run is one line per second: what struct predict_sample holds, in its order,
eight whole numbers with commas between. Lines that begin with # are comments.
The last line is how it ended:

    healthy             nothing was wrong with the service
    failed N since M    it failed after sample N; what made it fail began with
                        sample M. An alarm before M is a false one.

Runs recorded from a machine have the same form; M is 0 if nobody knows.

The service of the simulation is one queue: requests arrive by chance, each
needs some CPU time, and the mean wait follows from how much of the CPU is in
use. It fails when its memory or its queue is full, or when its story says so.
Chance is Random(seed).random() only, which gives the same numbers everywhere.
"""

import argparse
import os
import random
import sys
import zlib

QUEUE_FULL = 400
MEMORY_FULL = 6000      # frames
COLUMNS = ("latency_ns,queue,memory,errors,cpu_permille,faults,restarts,"
           "jitter_ns")


class Service:
    """One second after the other; what a story changes are its fields."""

    def __init__(self, chance):
        self.chance = chance
        self.rate = 300             # requests a second
        self.cost = 800             # us of CPU each
        self.base = 1200            # frames that it needs
        self.leak = 0.0             # frames lost a second
        self.leaked = 0.0
        self.fault_rate = 0.02      # page faults of a request
        self.error_rate = 0.0005
        self.jitter = 30            # us
        self.wait = 0               # us more for each request
        self.restarts = 0
        self.backlog = 0.0
        self.warm = 0.0             # part of its cache that is filled

    def spread(self, value, part):
        """A value with noise of the given relative size."""
        bell = sum(self.chance.random() for _ in range(12)) - 6
        return max(0.0, value * (1 + part * bell))

    def count(self, mean):
        """How many of many rare things happen."""
        if mean > 30:
            return int(self.spread(mean, mean ** -0.5))
        number, left = 0, 1.0
        limit = 2.718281828459045 ** -mean
        while True:
            left *= self.chance.random()
            if left < limit:
                return number
            number += 1

    def restart(self):
        self.restarts += 1
        self.leaked, self.backlog, self.warm = 0.0, 0.0, 0.0

    def second(self):
        arrived = self.count(self.rate)
        cost = self.spread(self.cost, 0.03)
        busy = arrived * cost / 1e6
        self.backlog = max(0.0, self.backlog + arrived - 1e6 / cost)
        used = min(busy, 0.98)
        wait = cost / (1 - used) + self.wait + self.backlog * cost / 2
        queue = self.count(used / (1 - used)) + self.backlog
        queue += self.rate * self.wait / 1e6
        self.warm += (1 - self.warm) * 0.5 if arrived else 0
        self.leaked += self.spread(self.leak, 0.2)
        memory = self.base * (0.6 + 0.4 * self.warm) + self.leaked
        memory += queue / 4
        errors = self.count(arrived * self.error_rate)
        if queue > QUEUE_FULL / 2:
            errors += int(queue - QUEUE_FULL / 2)
        sample = (int(self.spread(wait, 0.05) * 1000) if arrived else 0,
                  int(queue), int(memory), errors, int(used * 1000),
                  self.count(arrived * self.fault_rate), self.restarts,
                  int(self.spread(self.jitter / (1 - used), 0.3) * 1000))
        self.restarts = 0
        full = queue > QUEUE_FULL or memory > MEMORY_FULL
        return sample, full


# Stories of healthy services: called before each second with its number.

def steady(service, second):
    pass


def busy(service, second):
    service.rate = 800


def idle(service, second):
    service.rate = 0.3


def bursty(service, second):
    if service.chance.random() < 0.1:
        service.rate = 200 + 600 * service.chance.random()


def diurnal(service, second):
    """A day in half an hour."""
    phase = second % 1800 / 900
    wave = 4 * (phase * (1 - phase) if phase < 1 else
                -(phase - 1) * (2 - phase))
    service.rate = 400 + 250 * wave


def batch(service, second):
    """A job of ten seconds every two minutes."""
    service.rate = 900 if second % 120 >= 110 else 250


def jitter(service, second):
    """Whoever shares its CPU is in the way now and then."""
    service.jitter = 30 if service.chance.random() < 0.8 else 400


def outlier(service, second):
    service.wait = 200000 if second == 200 else 0


def outliers(service, second):
    service.wait = 60000 if service.chance.random() < 0.02 else 0


def load_step(service, second):
    service.rate = 250 if second < 200 else 850


def load_steps(service, second):
    service.rate = (200, 600, 400, 900, 300)[second // 80 % 5]


def load_restart(service, second):
    """Its clients go away, and all of them come back."""
    service.rate = 0 if 150 <= second < 250 else 500


def replaced(service, second):
    """It was restarted for some other reason; its cache is cold."""
    if second == 200:
        service.restart()


def fills(service, second):
    """New work needs more memory, for ten seconds."""
    service.base = 1200 + 40 * min(max(0, second - 200), 10)


def mistakes(service, second):
    """A client that asks for what there is not, for two seconds."""
    service.error_rate = 0.2 if second in (200, 201) else 0.0005


# Stories that end badly; the trouble begins with SINCE.

SINCE = 150


def leak_slow(service, second):
    service.leak = 12 if second >= SINCE else 0


def leak_fast(service, second):
    service.leak = 150 if second >= SINCE else 0


def leak_bursty(service, second):
    bursty(service, second)
    service.leak = service.rate / 8 if second >= SINCE else 0


def leak_daily(service, second):
    diurnal(service, second + 1200)
    service.leak = 25 if second >= SINCE else 0


def creep(service, second):
    """Each request costs more: an index that is not used any more."""
    service.cost = 800 + 14 * max(0, second - SINCE)


def creep_slow(service, second):
    service.cost = 800 + 4 * max(0, second - SINCE)


def creep_wait(service, second):
    """Something below it gets slower; its own CPU does not show it."""
    service.wait = 60 * 1.06 ** max(0, second - SINCE) \
        if second >= SINCE else 0


def error_storm(service, second):
    service.error_rate = 0.3 if second >= SINCE else 0.0005


def thrash(service, second):
    late = max(0, second - SINCE)
    service.fault_rate = 0.02 * 1.1 ** min(late, 80)
    service.cost = 800 + 3 * min(service.fault_rate, 100) * 20


def convoy(service, second):
    """A lock that is held longer and longer."""
    late = max(0, second - SINCE)
    service.wait = 40 * late * late
    service.jitter = 30 + 3 * late


def dying_beats(service, second):
    late = max(0, second - SINCE)
    service.jitter = 30 + 60 * late


def refusals(service, second):
    """It runs out of something, and more and more requests find none."""
    service.error_rate = 0.0005 * 1.08 ** max(0, second - SINCE)


def sudden(service, second):
    """Nothing shows before it falls."""


# Name: story, seconds, and whether it fails at their end at the latest.
HEALTHY = {
    "steady": (steady, 600), "busy": (busy, 600), "idle": (idle, 600),
    "bursty": (bursty, 600), "diurnal": (diurnal, 1800),
    "batch": (batch, 600), "jitter": (jitter, 600),
    "outlier": (outlier, 400), "outliers": (outliers, 600),
    "load-step": (load_step, 400), "load-steps": (load_steps, 400),
    "load-restart": (load_restart, 400), "replaced": (replaced, 400),
    "fills": (fills, 400), "mistakes": (mistakes, 400),
}
FAILING = {
    "leak-slow": (leak_slow, 600), "leak-fast": (leak_fast, 600),
    "leak-bursty": (leak_bursty, 600), "leak-daily": (leak_daily, 600),
    "creep": (creep, 600), "creep-slow": (creep_slow, 600),
    "creep-wait": (creep_wait, 280), "error-storm": (error_storm, 190),
    "thrash": (thrash, 260), "convoy": (convoy, 300),
    "dying-beats": (dying_beats, 220), "refusals": (refusals, 240),
    "sudden": (sudden, 240),
}


def run(name, story, seconds, fails, seed):
    service = Service(random.Random(seed ^ zlib.crc32(name.encode())))
    lines = [f"# {name}: {COLUMNS}"]
    for second in range(seconds):
        story(service, second)
        sample, full = service.second()
        lines.append(",".join(map(str, sample)))
        if full:
            break
    if full and not fails:
        raise ValueError(f"{name}: a healthy service fails at {second}")
    # Who falls without a sign has nothing that began.
    since = second if story is sudden else SINCE
    lines.append(f"failed {second} since {since}" if fails else "healthy")
    return "\n".join(lines) + "\n"


def runs(seed):
    for stories, fails in ((HEALTHY, False), (FAILING, True)):
        for name, (story, seconds) in stories.items():
            yield f"{name}.csv", run(name, story, seconds, fails, seed)


def main():
    parser = argparse.ArgumentParser(prog="simulate.py",
                                     description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", action="store_true",
                        help="compare instead of writing")
    arguments = parser.parse_args()
    wrong = []
    for name, text in runs(arguments.seed):
        path = os.path.join(arguments.folder, name)
        if not arguments.check:
            with open(path, "w", encoding="ascii") as file:
                file.write(text)
            continue
        with open(path, encoding="ascii") as file:
            if file.read() != text:
                wrong.append(name)
    if wrong:
        sys.exit(f"{arguments.folder}: not what the simulation gives: "
                 f"{', '.join(wrong)}")


if __name__ == "__main__":
    main()
