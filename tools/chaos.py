#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu chaos: breaks services while loads verify what they do.

Plans boots (chaos_plan.py), runs them, reads what came of each (chaos_log.py),
and says for every fault and service what was injected, used, noticed, healed,
lost, doubled or silently wrong.
"""

import argparse
import functools
import hashlib
import multiprocessing
import os
import re
import shlex
import signal
import sys
import time
from types import SimpleNamespace

import chaos_log
import chaos_page
import chaos_plan
import chaos_store
from channel import ChannelError
from machine import BENCH_CPU, Machine, kernel_image
from mkarchive import (BUSYBOX, GUEST, ROOT, boot_module, boot_parts,
                       service_file)
from run import KernelLog, MachineFailed, Session, TimeUp

LOGS = os.path.join(ROOT, "build", "chaos")
PROGRAM = "/bin/tests/load"
LOADS = ("files", "records", "pipes", "processes", "signals", "lines", "copy",
         "clients", "control")
DEFAULT_LOAD = ("files", "records", "processes", "lines", "clients",
                "control")
PAGE_SIZE = 4096
FOREVER_MS = 3600000
# Nothing but the seed decides: not the host's time, not its random numbers.
EXTRA = ("-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed")
# CPU time of QEMU after a service was given up, or after the last fault: some
# loads may wait, or complain, for ever.
GONE_S = 3
LAST_S = 15
IDLE = 20               # less than such a part of a CPU is none
# How often faults are tried again that a boot did not live to see.
ROUNDS = 3
# Machine time of one boot of the copy, and what the goal is stated for.
COPY_MS = 1500
COPY_EVERY_MS = 20
STORAGE_DIED = re.compile(r"^phoenix: storage \d+ died: ", re.M)


class ChaosLog(KernelLog):
    """Keeps all of the log."""

    def __init__(self, path, image):
        super().__init__(path, image)
        self.text = bytearray()

    def put_service(self, data):
        self.text += data
        super().put_service(data)

    def done(self):
        return b"\nchaos: done " in self.tail


class ChaosSession(Session):
    """Keeps the output. The guest gets no byte before all faults are done, as
    nobody could say at which instruction it would arrive."""

    def __init__(self, machine, log, timeout, patience_s):
        super().__init__(machine, log, None, timeout)
        self.patience_s = patience_s
        self.output = {"O": bytearray(), "E": bytearray()}
        self.heard = (time.monotonic(), 0)
        self.last = None        # when the guest was told to come to its end

    def over(self):
        """A machine whose loads will never say anything again, or will never
        end, is left."""
        if self.status is None and self.is_past(self.heard, self.patience_s):
            raise TimeUp(f"nothing was heard for {self.patience_s} s")
        left = GONE_S if self.gone() else LAST_S
        if self.status is None and self.last and self.is_past(self.last, left):
            raise TimeUp(f"no end within {left} s of the last fault")
        return super().over()

    def now(self):
        """Of the host, and what QEMU has used."""
        return time.monotonic(), self.cpu_seconds()

    def is_past(self, start, seconds):
        """So much CPU time of QEMU, or of the host where it uses none."""
        passed = time.monotonic() - start[0]
        if passed <= seconds:
            return False
        used = self.cpu_seconds() - start[1]
        return used > seconds or used < passed / IDLE

    def cpu_seconds(self):
        """What QEMU has used."""
        with open(f"/proc/{self.machine.process.pid}/stat",
                  encoding="ascii") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def hear(self, more):
        if more:
            self.heard = self.now()

    def gone(self):
        """Whether a service was given up; the injector just ends."""
        return any(not text.startswith(b"chaos ")
                   for text in self.log.given_up)

    def read_log(self):
        more = super().read_log()
        self.hear(more)
        if self.input_open and (self.log.done() or self.gone()):
            self.end_input()
            self.last = self.now()
        return more

    def read_control(self):
        more = super().read_control()
        self.hear(more)
        return more

    def input_wanted(self):
        return False

    def flush(self, pending, kind):
        self.output[kind] += b"".join(pending[kind])
        pending[kind] = []

    def tell_given_up(self):
        """chaos_log reads it."""


def guest_command(arguments, boot):
    """The loads, and then the state of all services, as errors."""
    if arguments.program:
        return [arguments.program]
    words = [PROGRAM, "--until", "end", "--for", str(FOREVER_MS), "--seed",
             str(boot.seed), "--pause", str(boot.pause_us), *arguments.load]
    return ["/bin/busybox", "sh", "-c",
            shlex.join(words) + "; code=$?; /bin/ctl ps >&2; exit $code"]


def machine_arguments(arguments):
    return SimpleNamespace(
        cpus=arguments.cpus, memory=arguments.memory, cpu=arguments.cpu,
        machine=arguments.machine, icount=arguments.cpus == 1, append="",
        debug=arguments.debug, image=None, firmware="bios", kernel=None,
        numa=0)


def run_machine(arguments, name, boot, command, options):
    """Boots once. Returns (log, output, errors, exit code or None, why)."""
    machine_of = machine_arguments(arguments)
    module = boot_parts(command, (), ["leakcheck=1"] + options)
    log = ChaosLog(os.path.join(arguments.logs, name + ".kernel.log"),
                   kernel_image(machine_of))
    machine = Machine(machine_of, module, EXTRA + (str(boot.seed % (1 << 31)),))
    session = ChaosSession(machine, log, arguments.timeout,
                           boot.patience_s)
    why = None
    try:
        session.run()
    except (MachineFailed, ChannelError, TimeUp) as error:
        session.drain_log()
        why = str(error)
    finally:
        machine.close()
        log.close()
    texts = [bytes(data).decode("utf-8", "replace") for data in
             (log.text, session.output["O"], session.output["E"])]
    with open(os.path.join(arguments.logs, name + ".output"), "w",
              encoding="utf-8") as file:
        file.write(texts[1])
    return (*texts, session.status, why)


def state_problems(errors):
    """What `ctl ps` says of services that are not ready."""
    rows = [line.split() for line in errors.splitlines()]
    states = {row[0]: row[1] for row in rows
              if len(row) > 2 and row[2].isdigit()}
    if "phoenix" not in states:
        return ["the state of the services is not known at the end: "
                + errors.strip()[-200:]]
    return [f"{name} is {state} at the end"
            for name, state in states.items()
            if state != "ready" and name not in ("chaos", "bench")]


@functools.cache
def frames_of_programs():
    """What storage copies out of the archive when these are first used."""
    programs = os.path.join(GUEST, "programs")
    return sum(-(-os.path.getsize(path) // PAGE_SIZE) for path in (
        BUSYBOX, os.path.join(programs, "load"),
        os.path.join(programs, "ctl")))


def run_boot(arguments, boot):
    """Returns (index, what was read)."""
    name = f"boot-{boot.index}"
    log, output, errors, status, why = run_machine(
        arguments, name, boot, guest_command(arguments, boot),
        chaos_plan.options(boot))
    result = chaos_log.read_boot(log, output, arguments.load,
                                 ended=status is not None,
                                 frames=frames_of_programs())
    if why:
        result.problems.append(why)
    else:
        result.problems += state_problems(errors)
    result.problems = [f"{name}: {text}" for text in result.problems]
    return boot.index, result


def end_at_once(number, _frame):
    sys.exit(128 + number)


def prepare_worker():
    """A worker ends its machine when its parent tells it to."""
    signal.signal(signal.SIGTERM, end_at_once)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def say(text):
    print(f"bennu chaos: {text}", file=sys.stderr, flush=True)


class Run:
    """What was booted so far and what came of it."""

    def __init__(self, arguments, store=None):
        self.arguments, self.store = arguments, store
        self.boots, self.results = [], []
        self.interrupted = False

    def boots_of(self, boots):
        """Adds boots and their results, in the order of the boots: those that
        there are, if it is interrupted."""
        results = dict(self.store.known) if self.store else {}
        results = {boot.index: results[boot.index] for boot in boots
                   if boot.index in results}
        try:
            self.execute(boots, results)
        except KeyboardInterrupt:
            self.interrupted = True
        boots = [boot for boot in boots if boot.index in results]
        self.boots += boots
        self.results += [results[boot.index] for boot in boots]

    def execute(self, boots, results):
        by_index = {boot.index: boot for boot in boots}
        start = time.monotonic()
        # Leaving the block ends what still runs.
        with multiprocessing.Pool(self.arguments.jobs, prepare_worker) as pool:
            for index, result in pool.imap_unordered(
                    functools.partial(run_boot, self.arguments),
                    chaos_plan.spread([boot for boot in boots
                                       if boot.index not in results])):
                results[index] = result
                if self.store:
                    self.store.add(index, result)
                if not self.arguments.quiet:
                    tell_progress(by_index[index], result,
                                  f"{len(results)}/{len(boots)}",
                                  time.monotonic() - start)
            # Who is told to end while it waits for work may not hear it.
            pool.close()
            pool.join()

    def all(self, boots):
        """And those that the faults took which a boot did not live to see."""
        for _ in range(ROUNDS + 1):
            self.boots_of(boots)
            if self.interrupted:
                return
            boots = chaos_plan.again(boots, [
                len(result.injections) for result in
                self.results[-len(boots):]], self.arguments.seed)
            if not boots:
                return

    def until_enough(self):
        """Goes on with the faults of which too little came."""
        for _ in range(ROUNDS):
            cells = chaos_log.cells([injection for result in self.results
                                     for injection in result.injections])
            boots = chaos_plan.more(
                cells, self.arguments.min_manifested,
                int(self.arguments.every * 1000), self.arguments.seed,
                self.boots[-1].index + 1 if self.boots else 0)
            if not boots or self.interrupted:
                return
            self.all(boots)


def differences(results, repeated):
    """What the same boots did otherwise the second time."""
    for number, (first, second) in enumerate(zip(results, repeated)):
        at = next((i for i, pair in enumerate(zip(first.lines, second.lines))
                   if pair[0] != pair[1]), len(first.lines))
        if first.lines != second.lines:
            yield f"boot-{number}: line {at + 1} of the injector differs " \
                "when the same run is done again"


def tell_progress(boot, result, count, seconds):
    total = chaos_log.summary(result.injections)
    say(f"boot {boot.index} ({count}, {seconds:.0f} s): "
        f"{boot.kinds[0]}{'...' if len(boot.kinds) > 1 else ''}: " + " ".join(
            f"{key} {total[key]}" for key in chaos_log.COUNTS))
    for text in result.problems:
        say(text)


def copy_speed(arguments, name, boot, options):
    """Bytes copied in a second of machine time."""
    command = [PROGRAM, "--for", str(COPY_MS), "copy"]
    log, output, _, status, why = run_machine(arguments, name, boot, command,
                                              options)
    times = [int(match.group(3)) for match in
             map(chaos_log.ROUND.fullmatch, output.splitlines()) if match]
    end = chaos_log.END.search(output)
    if status != 0 or end is None or len(times) < 2:
        raise MachineFailed(f"the copy failed: {why or output[-300:]}")
    return (int(end.group(7)) * 1000000 // (max(times) - min(times)),
            len(STORAGE_DIED.findall(log)))


def measure_copy(arguments):
    """What killing storage every 20 ms costs a program that copies."""
    boot = chaos_plan.BootPlan(0, arguments.seed, ("kill",), ("storage",),
                               COPY_MS // COPY_EVERY_MS, COPY_EVERY_MS * 1000, 0)
    calm, _ = copy_speed(arguments, "copy-calm", boot, [])
    killed, deaths = copy_speed(arguments, "copy-killed", boot,
                                chaos_plan.options(boot))
    return {"bytes_per_second": calm, "bytes_per_second_killed": killed,
            "every_ms": COPY_EVERY_MS, "kills": deaths,
            "cost_percent": round(100 - 100 * killed / calm, 2)}


def name_list(known, what):
    def parse(text):
        names = tuple(text.split(","))
        wrong = [name for name in names if name not in known]
        if wrong or len(set(names)) != len(names):
            raise argparse.ArgumentTypeError(
                f"{what} are {', '.join(known)}; each once")
        return names
    return parse


def fault_list(text):
    """Kinds, or classes of them."""
    names = []
    for name in text.split(","):
        names += chaos_log.CLASSES.get(name, (name,))
    return name_list(chaos_log.KINDS, "faults (or classes: "
                     + ", ".join(chaos_log.CLASSES) + ")")(",".join(names))


def positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu chaos",
        description="Boots the machine again and again, runs programs that "
        "verify all they do, and breaks services meanwhile. Prints for each "
        "fault and service how often it was injected, activated, manifested, "
        "recovered; what the programs found lost, doubled or silently wrong; "
        "and instructions from a death to the first answer after it.",
        epilog="Exit code 1: a promise of docs/design/resurrection.md was "
        "broken. The same arguments give the same run.")
    parser.add_argument("--services", metavar="LIST",
                        default=chaos_plan.DEFAULT_SERVICES,
                        type=name_list(chaos_plan.DEFAULT_SERVICES,
                                       "services"),
                        help="default: all of "
                        + ",".join(chaos_plan.DEFAULT_SERVICES))
    parser.add_argument("--faults", metavar="LIST", type=fault_list,
                        default=chaos_log.KINDS,
                        help="kinds or classes (fail-stop, inside, committed);"
                        " default: all")
    parser.add_argument("--every", type=float, default=2, metavar="MS",
                        help="machine time between faults (default 2)")
    parser.add_argument("--count", type=positive, default=100, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--load", metavar="LIST", default=DEFAULT_LOAD,
                        type=name_list(LOADS, "loads"),
                        help="of " + ",".join(LOADS) + "; default: "
                        + ",".join(DEFAULT_LOAD))
    parser.add_argument("--json", metavar="FILE",
                        help="also write the numbers as JSON")
    parser.add_argument("--logs", metavar="DIR", default=LOGS,
                        help="log and output of each boot (default "
                        "build/chaos)")
    parser.add_argument("--copy", action="store_true",
                        help="measure what kills every 20 ms cost a copy")
    parser.add_argument("--write-docs", action="store_true",
                        help="store the numbers in docs and write "
                        "docs/reliability.md")
    add_machine(parser)
    parser.add_argument("--min-manifested", type=int, default=0, metavar="N",
                        help="go on with those that did not, and fail unless "
                        "each fault manifested so often in each service")
    parser.add_argument("--repeat", action="store_true",
                        help="do all of it twice; fail unless the second time "
                        "is the same, line by line")
    parser.add_argument("--resume", action="store_true",
                        help="go on with a run of the same arguments and "
                        "build that was interrupted; its results are in DIR "
                        "of --logs")
    parser.add_argument("--print-plan", action="store_true",
                        help="print the boots and stop")
    parser.add_argument("--program", help=argparse.SUPPRESS)
    parser.add_argument("--quiet", action="store_true",
                        help="no progress on standard error")
    arguments = parser.parse_args(argv)
    if not 0.1 <= arguments.every <= 100000:
        parser.error("--every: 0.1 to 100000 ms")
    if not 1 <= arguments.cpus <= 64:
        parser.error("--cpus: 1 to 64")
    if arguments.resume and arguments.repeat:
        parser.error("--resume: what is repeated is run as a whole")
    # How often it was interrupted makes no difference to what came of it.
    arguments.command = shlex.join(["./bennu", "chaos", *(
        word for word in argv if word != "--resume")])
    return arguments


def add_machine(parser):
    parser.add_argument("--cpu", default=BENCH_CPU, metavar="MODEL",
                        help="QEMU CPU model (default: that of ./bennu bench)")
    parser.add_argument("--cpus", type=int, default=1, metavar="N",
                        help="more than one: no instruction counter, so no "
                        "two runs are the same (default 1)")
    parser.add_argument("--memory", default="256M", metavar="SIZE")
    parser.add_argument("--machine", default="microvm")
    parser.add_argument("--debug", action="store_true",
                        help="boot the debug kernel")
    parser.add_argument("--timeout", type=float, default=600, metavar="S",
                        help="of one boot (default 600)")
    parser.add_argument("--jobs", type=positive, metavar="N",
                        default=os.cpu_count() or 1,
                        help="boots at a time")


def run_key(arguments, boots):
    """What makes a run this one and no other: what --resume may go on with."""
    build = hashlib.sha256(boot_module(guest_command(arguments, boots[0])))
    with open(kernel_image(machine_arguments(arguments)), "rb") as file:
        build.update(file.read())
    return {"seed": arguments.seed, "cpu": arguments.cpu,
            "cpus": arguments.cpus, "memory": arguments.memory,
            "machine": arguments.machine, "load": list(arguments.load),
            "plan": hashlib.sha256(repr(boots).encode()).hexdigest(),
            "build": build.hexdigest()}


def open_store(arguments, boots):
    path = os.path.join(arguments.logs, "results.jsonl")
    # A script in place of the guest is no build.
    run = {} if arguments.program else run_key(arguments, boots)
    return chaos_store.Store(path, run, arguments.resume)


def finish(arguments, run):
    """Says what came of it; returns the exit code."""
    report = chaos_page.make_report(arguments, run.boots, run.results)
    if run.interrupted:
        report["broken"].append("the run was interrupted")
    elif arguments.repeat:
        again = Run(arguments)
        again.boots_of(run.boots)
        report["broken"] += differences(run.results, again.results)
    if arguments.copy and not run.interrupted:
        report["copy"] = measure_copy(arguments)
    print("\n".join(chaos_page.table(report)), flush=True)
    if arguments.json:
        chaos_page.write_json(arguments.json, report)
    if arguments.write_docs and not run.interrupted:
        chaos_page.write_docs(report)
    for text in report["broken"]:
        say(text)
    if run.interrupted:
        return 130
    return 1 if report["broken"] else 0


def chaos(arguments):
    boots = chaos_plan.plan(arguments.faults, arguments.services,
                            arguments.count, int(arguments.every * 1000),
                            arguments.seed)
    if arguments.print_plan:
        for boot in boots:
            print(" ".join(chaos_plan.options(boot)))
        return 0
    if not arguments.program and service_file("chaos") is None:
        raise ValueError("there is no service chaos: ./bennu build guest")
    os.makedirs(arguments.logs, exist_ok=True)
    run = Run(arguments, open_store(arguments, boots))
    run.all(boots)
    run.until_enough()
    return finish(arguments, run)


def main(argv):
    signal.signal(signal.SIGTERM, end_at_once)
    try:
        return chaos(parse(argv))
    except (MachineFailed, ValueError) as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
