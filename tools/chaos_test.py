#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu chaos counts what the injector and the loads say, and the loads see
what is done to them. The loads run on this host here.
"""

import dataclasses
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from types import SimpleNamespace
from unittest import mock

import chaos
import chaos_log
import chaos_page
import chaos_plan
import chaos_store
import ktap
from mkarchive import GUEST

TOOLS = os.path.dirname(os.path.abspath(__file__))
LOAD = os.path.join(GUEST, "programs", "load")
# What a load must say of each thing that is done to it.
SABOTAGES = {
    "files": {"content": "silent", "end": "lost", "longer": "doubled",
              "name": "lost", "extra": "doubled"},
    "records": {"record-again": "doubled", "record-missing": "lost",
                "record-bytes": "silent", "counter-up": "doubled",
                "counter-down": "lost"},
    "pipes": {"word-bytes": "silent", "word-missing": "lost",
              "word-again": "doubled"},
    "processes": {"exit-code": "silent", "no-program": "lost", "child-fewer": "lost",
                  "child-more": "doubled"},
    "signals": {"signal-more": "doubled"},
    "lines": {"line-missing": "lost", "line-bytes": "silent",
              "line-again": "doubled"},
    "copy": {"copy-bytes": "silent"},
    "control": {"answer-cut": "lost", "answer-again": "doubled"},
    "clients": {"client-fewer": "lost", "client-more": "doubled",
                "client-cut": "silent"},
}
TOTALS = "phoenix: system: frames 9000 objects 100 slots 200 threads 5\n"
LOG = (TOTALS
       + "chaos: inject 1 1000000 storage kill\n"
       "chaos: result 1 activated=1 manifested=killed ready_ns=1050000 "
       "recovery_ns=110000\n"
       "chaos: inject 2 2000000 console hang point=1 countdown=3\n"
       "chaos: result 2 activated=0 manifested=none ready_ns=0 "
       "recovery_ns=0\n"
       "chaos: inject 3 3000000 storage kill\n"
       "chaos: result 3 activated=1 manifested=killed ready_ns=3050000 "
       "recovery_ns=130000\n"
       "chaos: done 3\n" + TOTALS)
END = "load files end rounds=%d operations=9 lost=0 doubled=0 silent=0 bytes=0"


def output(*rounds):
    """The lines of one load: texts behind the number of each round."""
    lines = [f"load files round {number} {text}"
             for number, text in enumerate(rounds, 1)]
    return "\n".join(lines + [END % len(rounds)]) + "\n"


def read(log=LOG, text=output("500 ok 4", "3500 ok 5"), **options):
    return chaos_log.read_boot(log, text, ["files"], **options)


def report_of(log, text, kinds, count=1, min_manifested=0):
    boot = chaos_plan.BootPlan(0, 1, kinds, ("storage",), count, 10000, 0)
    arguments = SimpleNamespace(
        command="./bennu chaos", seed=1, cpu="max", cpus=1, load=("files",),
        every=10.0, min_manifested=min_manifested)
    return chaos_page.make_report(arguments, [boot], [read(log, text)])


class LogTest(unittest.TestCase):
    def test_counts_are_what_the_log_says(self):
        boot = read()
        self.assertEqual(boot.problems, [])
        self.assertEqual((boot.rounds, boot.operations), (2, 9))
        total = chaos_log.summary(boot.injections)
        self.assertEqual(total, {
            "injected": 3, "activated": 2, "manifested": 2, "recovered": 2,
            "lost": 0, "doubled": 0, "silent": 0, "recovery_median": 110000,
            "recovery_p99": 130000, "recovery_worst": 130000})

    def test_each_fault_and_service_has_a_cell(self):
        cells = chaos_log.cells(read().injections)
        self.assertEqual(
            [(c["fault"], c["service"], c["injected"]) for c in cells],
            [("kill", "storage", 2), ("hang", "console", 1)])

    def test_fault_that_found_nothing_to_damage_is_none(self):
        boot = read(LOG.replace("countdown=3", "countdown=3 done=0"))
        self.assertEqual(len(boot.injections), 2)

    def test_each_point_of_the_loop_has_its_sum(self):
        points = chaos_log.points(read().injections)
        self.assertEqual({name: total["injected"] for name, total in
                          points.items()}, {"1": 1})

    def test_loss_is_put_down_to_the_last_activated_fault_before(self):
        boot = read(text=output(
            "500 ok 4", "2500 lost=2 doubled=1 silent=0 error=5 x",
            "3500 lost=0 doubled=0 silent=1 error=0 y"))
        self.assertEqual([(i.lost, i.doubled, i.silent)
                          for i in boot.injections],
                         [(2, 1, 0), (0, 0, 0), (0, 0, 1)])
        self.assertEqual(chaos_log.summary(boot.injections)["recovered"], 0)

    def test_loss_before_any_fault_is_a_problem_of_the_boot(self):
        boot = read(text=output("500 lost=1 doubled=0 silent=0 error=5 x",
                                "3500 ok 1"))
        self.assertIn("before any fault", boot.problems[0])

    def test_wrong_data_without_a_death_is_a_manifestation(self):
        log = LOG.replace("manifested=killed", "manifested=none")
        boot = read(log, output("500 ok 1", "3500 lost=0 doubled=0 silent=1 "
                                "error=0 x"))
        total = chaos_log.summary(boot.injections)
        self.assertEqual((total["manifested"], total["recovered"]), (1, 0))

    def test_service_that_is_not_ready_again_is_not_recovered(self):
        log = LOG.replace("ready_ns=3050000", "ready_ns=0")
        total = chaos_log.summary(read(log).injections)
        self.assertEqual((total["manifested"], total["recovered"]), (2, 1))

    def test_what_manifests_without_a_death_needs_no_recovery(self):
        log = LOG.replace("activated=0 manifested=none",
                          "activated=1 manifested=slow")
        total = chaos_log.summary(read(log).injections)
        self.assertEqual((total["manifested"], total["recovered"]), (3, 3))

    def test_gap_repeat_and_damage_of_output_are_seen(self):
        good = chaos_log.number_hash
        for numbers, found in (((1, 2, 3), (0, 0)), ((1, 3), (1, 0)),
                               ((1, 1, 2), (0, 1)), ((2, 3), (1, 0))):
            text = "".join(f"line {n} {good(n):016x}\n" for n in numbers)
            boot = read(text="load files round 1 3500 ok 1\n" + text
                        + END % 1 + "\n")
            total = chaos_log.summary(boot.injections)
            problems = sum(f.lost for f in boot.findings)
            self.assertEqual((problems, total["doubled"]), found, numbers)
        boot = read(text="load files round 1 3500 ok 1\n"
                    f"line 1 {good(2):016x}\n" + END % 1 + "\n")
        self.assertEqual(boot.injections[-1].silent, 1)

    def test_missing_round_is_lost_and_repeated_one_doubled(self):
        text = output("500 ok 4", "3500 ok 5", "3600 ok 5")
        boot = read(text=text.replace(
            "load files round 2 3500 ok 5\n", ""))
        self.assertEqual(sum(f.lost for f in boot.findings), 1)
        boot = read(text=text.replace("round 3", "round 2"))
        self.assertEqual(sum(f.doubled for f in boot.findings), 1)

    def test_load_without_end_is_lost(self):
        boot = read(text="load files round 1 3500 ok 1\n")
        self.assertEqual(boot.injections[-1].lost, 1)
        boot = read(text="load files round 1 3500 ok 1\nload files stuck\n")
        self.assertEqual(boot.injections[-1].lost, 1)

    def test_foreign_output_is_silent_damage(self):
        boot = read(text="load files round 1 3500 ok 1\nl\x00ad\n"
                    + END % 1 + "\n")
        self.assertEqual(boot.injections[-1].silent, 1)

    def test_panic_giving_up_and_no_end_are_problems(self):
        for line in ("kernel panic: frame 12", "phoenix: storage is given up "
                     "after 4 deaths", "chaos: lost storage"):
            self.assertEqual(len(read(LOG + line + "\n").problems), 1, line)
        self.assertEqual(len(read(LOG.replace("chaos: done 3\n", ""))
                             .problems), 1)

    def test_leak_is_a_problem(self):
        log = LOG[:-len(TOTALS)] + TOTALS.replace("objects 100",
                                                  "objects 160")
        self.assertEqual(len(read(log).problems), 1)
        self.assertEqual(len(read(LOG[:-len(TOTALS)]).problems), 1)

    def test_unknown_fault_and_orphan_result_are_refused(self):
        with self.assertRaises(ValueError):
            read(LOG.replace("storage kill", "storage kil"))
        with self.assertRaises(ValueError):
            read(LOG.replace("result 3", "result 4"))


class PromiseTest(unittest.TestCase):
    def broken(self, kind, error, **options):
        log = LOG.replace("console hang", f"storage {kind}").replace(
            "storage kill", f"storage {kind}")
        text = output("500 ok 4", f"3500 {error}" if error else "3500 ok 1")
        return report_of(log, text, (kind,), **options)["broken"]

    def test_fail_stop_fault_may_lose_double_and_damage_nothing(self):
        self.assertEqual(self.broken("panic", ""), [])
        for counts in ("lost=1 doubled=0 silent=0", "lost=0 doubled=1 "
                       "silent=0", "lost=0 doubled=0 silent=1"):
            self.assertTrue(self.broken("panic", f"{counts} error=0 x"))

    def test_deadly_fault_that_nobody_noticed_breaks_a_promise(self):
        log = LOG.replace("activated=0", "activated=1")
        broken = report_of(log, output("3500 ok 1"), ("kill",))["broken"]
        self.assertEqual(broken, ["hang in console: 1 carried out, 0 noticed"])
        log = log.replace("console hang", "console slow")
        self.assertEqual(report_of(log, output("3500 ok 1"), ("kill",))
                         ["broken"], [])

    def test_damaged_arena_may_lose_but_not_in_silence(self):
        self.assertEqual(self.broken("flip-arena", "lost=1 doubled=0 silent=0"
                                     " error=5 x"), [])
        self.assertTrue(self.broken("flip-arena", "lost=0 doubled=0 silent=1 "
                                    "error=0 x"))

    def test_nothing_is_promised_of_a_fault_inside(self):
        self.assertEqual(self.broken("flip-data", "lost=1 doubled=1 silent=1 "
                                     "error=5 x"), [])

    def test_kernel_panic_breaks_every_promise(self):
        for kind in ("kill", "flip-data", "flip-arena"):
            log = LOG.replace("console hang", f"storage {kind}").replace(
                "storage kill", f"storage {kind}") + "kernel panic: x\n"
            self.assertTrue(report_of(log, output("3500 ok 1"), (kind,))
                            ["broken"], kind)

    def test_init_may_turn_off_what_was_damaged(self):
        for kind, broken in (("kill", True), ("flip-arena", False)):
            log = LOG.replace("console hang", f"storage {kind}").replace(
                "storage kill", f"storage {kind}") + "panic: init died: x\n"
            self.assertEqual(bool(report_of(log, output("3500 ok 1"), (kind,))
                                  ["broken"]), broken, kind)

    def test_run_without_activation_proves_nothing(self):
        lines = [f"chaos: inject {n} {n}000 storage slow\nchaos: result {n} "
                 f"activated={int(n <= 20)} manifested=none ready_ns=0 "
                 "recovery_ns=0" for n in range(1, 101)]
        log = TOTALS + "\n".join(lines) + "\nchaos: done 100\n" + TOTALS
        broken = report_of(log, output("3500 ok 1"), ("slow",))["broken"]
        self.assertEqual(len(broken), 1)
        self.assertIn("20 of 100", broken[0])

    def test_too_few_manifestations_are_told(self):
        self.assertEqual(len(self.broken("kill", "", min_manifested=3)), 1)
        self.assertEqual(self.broken("kill", "", min_manifested=2), [])


class PlanTest(unittest.TestCase):
    def plan(self, kinds=chaos_log.KINDS, count=1000, seed=1):
        return chaos_plan.plan(kinds, chaos_plan.DEFAULT_SERVICES, count,
                               10000, seed)

    def test_faults_are_as_many_as_asked_for(self):
        for count in (10, 100, 1000, 100000):
            self.assertEqual(sum(boot.count for boot in
                                 self.plan(count=count)), count)
        self.assertEqual(sum(boot.count for boot in
                             self.plan(("kill",), 7)), 7)
        self.assertEqual(sum(boot.count for boot in self.plan(count=3)), 3)

    def test_every_kind_and_service_comes_first_some_time(self):
        boots = self.plan(count=3000)
        self.assertEqual({kind for boot in boots for kind in boot.kinds},
                         set(chaos_log.KINDS))
        firsts = {boot.services[0] for boot in boots if boot.count == 1}
        self.assertEqual(firsts, set(chaos_plan.DEFAULT_SERVICES))

    def test_boot_has_faults_of_one_class(self):
        for boot in self.plan():
            self.assertEqual(len({chaos_log.class_of(kind)
                                  for kind in boot.kinds}), 1)

    def test_what_a_boot_did_not_live_to_see_is_tried_again(self):
        boots = self.plan(("mutate-branch", "mutate-operand"), 20)
        more = chaos_plan.again(boots, [1, 4], 1)
        self.assertEqual([(boot.index, boot.count, boot.kinds[0])
                          for boot in more], [(2, 15, boots[0].kinds[1])])
        self.assertNotIn(more[0].seed, [boot.seed for boot in boots])
        self.assertEqual(chaos_plan.again(boots, [16, 4], 1), [])

    def test_slow_faults_of_a_large_run_are_enough_and_no_more(self):
        counts = {}
        for boot in self.plan(count=100000):
            counts[boot.kinds] = counts.get(boot.kinds, 0) + boot.count
        for group in chaos_plan.GROUPS:
            found = sum(count for kinds, count in counts.items()
                        if set(kinds) == set(group.kinds))
            if group.enough:
                self.assertEqual(found, group.enough * len(group.kinds) * 4)
            else:
                self.assertGreater(found, 30000)

    def test_cells_of_which_too_little_came_are_gone_on_with(self):
        cells = [{"fault": "leak", "service": "proc", "injected": 50,
                  "manifested": 10},
                 {"fault": "kill", "service": "proc", "injected": 50,
                  "manifested": 20},
                 {"fault": "flip-arena", "service": "proc", "injected": 9,
                  "manifested": 0}]
        boots = chaos_plan.more(cells, 20, 3000, 1, 7)
        self.assertEqual([boot.index for boot in boots],
                         list(range(7, 7 + len(boots))))
        count = {kind: sum(boot.count for boot in boots
                           if boot.kinds == (kind,))
                 for kind in ("leak", "kill", "flip-arena")}
        self.assertEqual(count, {"leak": 50, "kill": 0,
                                 "flip-arena": chaos_plan.MORE_MAX})
        self.assertEqual({boot.services for boot in boots}, {("proc",)})

    def test_first_half_of_a_run_has_half_of_each_kind(self):
        boots = self.plan(count=10000)
        half = chaos_plan.spread(boots)
        self.assertEqual(sorted(half, key=lambda boot: boot.index), boots)
        half = half[:len(half) // 2]
        for kind in chaos_log.KINDS:
            total, part = (sum(kind in boot.kinds for boot in some)
                           for some in (boots, half))
            self.assertAlmostEqual(part, total / 2, delta=1, msg=kind)

    def test_damage_of_an_arena_ends_the_boot(self):
        self.assertEqual({boot.count for boot in self.plan(("flip-arena",),
                                                           5)}, {1})

    def test_options_fit_into_the_archive(self):
        for boot in self.plan():
            self.assertEqual(chaos_plan.too_long(chaos_plan.options(boot)),
                             [])

    def test_seed_decides(self):
        self.assertEqual(self.plan(), self.plan())
        seeds = [boot.seed for boot in self.plan() + self.plan(seed=2)]
        self.assertEqual(len(set(seeds)), len(seeds))


class RepeatTest(unittest.TestCase):
    def test_other_lines_of_the_injector_are_a_difference(self):
        other = LOG.replace("130000", "130001")
        self.assertEqual(list(chaos.differences([read()], [read()])), [])
        self.assertEqual(list(chaos.differences([read()], [read(other)])), [
            "boot-0: line 6 of the injector differs when the same run is "
            "done again"])
        self.assertEqual(len(list(chaos.differences(
            [read()], [read(LOG.replace("chaos: done 3\n", ""))]))), 1)


class StoreTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "results.jsonl")

    def test_results_are_read_back_as_they_were(self):
        boot = read(text=output("500 ok 4", "2500 lost=2 doubled=1 silent=0 "
                                "error=5 x"))
        store = chaos_store.Store(self.path, {"seed": 1}, False)
        store.add(3, boot)
        store.add(1, read())
        again = chaos_store.Store(self.path, {"seed": 1}, True)
        self.assertEqual(again.known, {3: boot, 1: read()})

    def test_line_that_was_cut_off_counts_for_nothing(self):
        store = chaos_store.Store(self.path, {"seed": 1}, False)
        store.add(0, read())
        store.add(1, read())
        with open(self.path, "r+", encoding="utf-8") as file:
            file.truncate(os.path.getsize(self.path) - 10)
        again = chaos_store.Store(self.path, {"seed": 1}, True)
        self.assertEqual(set(again.known), {0})
        again.add(1, read())
        self.assertEqual(set(chaos_store.Store(self.path, {"seed": 1},
                                               True).known), {0, 1})

    def test_another_run_is_not_gone_on_with(self):
        chaos_store.Store(self.path, {"seed": 1}, False).add(0, read())
        with self.assertRaises(ValueError):
            chaos_store.Store(self.path, {"seed": 2}, True)
        # Who does not ask for it begins anew.
        self.assertEqual(chaos_store.Store(self.path, {"seed": 2},
                                           False).known, {})


class InterruptedRun(chaos.Run):
    """Is interrupted after its first boot."""

    def execute(self, boots, results):
        results[boots[0].index] = read()
        raise KeyboardInterrupt


class InterruptTest(unittest.TestCase):
    def test_interrupted_run_tells_what_was_run(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "json")
            arguments = chaos.parse(["--faults", "kill", "--count", "3000",
                                     "--load", "files", "--json", path,
                                     "--min-manifested", "1"])
            boots = chaos_plan.plan(("kill",), ("storage",), 3000, 2000, 1)
            run = InterruptedRun(arguments)
            run.all(boots)
            run.until_enough()
            with mock.patch("sys.stdout", io.StringIO()) as out, \
                    mock.patch("sys.stderr", io.StringIO()) as error:
                self.assertEqual(chaos.finish(arguments, run), 130)
            report = chaos_page.read_json(path)
        self.assertRegex(out.getvalue(), "kill +storage +2 +2 +2 +2 +0 +0 +0")
        self.assertIn("interrupted", error.getvalue())
        self.assertEqual((report["boots"], report["injected"]), (1, 3))
        self.assertIn("the run was interrupted", report["broken"])


class PageTest(unittest.TestCase):
    def setUp(self):
        self.report = report_of(LOG, output("3500 ok 1"), ("kill",))
        self.page = "# x\n" + chaos_page.page_part(self.report) + "y\n"

    def test_report_has_the_keys_at_the_top_and_in_each_cell(self):
        for part in [self.report, *self.report["cells"]]:
            self.assertLessEqual(set(chaos_log.KEYS), set(part))

    def test_page_that_says_what_was_measured_is_fine(self):
        self.assertEqual(list(chaos_page.problems(self.report, self.page)),
                         [])

    def test_changed_number_is_found_on_either_side(self):
        page = self.page.replace("130 000", "13 000")
        self.assertEqual(len(list(chaos_page.problems(self.report, page))), 1)
        self.report["cells"][0]["lost"] = 1
        self.assertTrue(list(chaos_page.problems(self.report, self.page)))

    def test_table_has_a_line_for_each_cell_class_and_the_sum(self):
        lines = list(chaos_page.table(self.report))
        self.assertEqual(len(lines), 1 + 2 + 1 + 1 + 1)


class ToolTest(unittest.TestCase):
    """./bennu chaos against scripts of fake_qemu.py."""

    def chaos(self, script, *options):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "json")
            done = subprocess.run(
                [sys.executable, os.path.join(TOOLS, "chaos.py"), "--program",
                 script, "--faults", "kill", "--services", "storage", "--load",
                 "files", "--json", path, "--count", "2", "--logs", folder,
                 *options],
                capture_output=True, text=True, timeout=60,
                stdin=subprocess.DEVNULL, env=dict(
                    os.environ,
                    BENNU_QEMU=os.path.join(TOOLS, "fake_qemu.py")))
            report = chaos_page.read_json(path) if os.path.exists(path) \
                else None
        return done, report

    def test_good_run_is_told_and_ends_with_0(self):
        done, report = self.chaos("chaos")
        self.assertEqual((done.returncode, report["broken"]), (0, []),
                         done.stderr)
        self.assertEqual([report[key] for key in chaos_log.COUNTS],
                         [2, 2, 2, 2, 0, 0, 0])
        self.assertEqual(report["recovery_worst"], 120000)
        self.assertRegex(done.stdout, "kill +storage +2 +2 +2 +2 +0 +0 +0")

    def test_broken_promise_is_told_and_ends_with_1(self):
        done, report = self.chaos("chaos_loses")
        self.assertEqual((done.returncode, report["lost"]), (1, 1))
        self.assertIn("kill in storage: 1 lost", done.stderr)
        self.assertIn("storage is delayed at the end", done.stderr)

    def test_panic_is_a_broken_promise(self):
        done, report = self.chaos("chaos_panics")
        self.assertEqual(done.returncode, 1)
        self.assertIn("panic", " ".join(report["broken"]))

    def test_silent_machine_is_left_and_lost(self):
        with mock.patch.dict(os.environ, BENNU_QEMU=os.path.join(
                    TOOLS, "fake_qemu.py")), \
                tempfile.TemporaryDirectory() as folder:
            arguments = chaos.parse(["--program", "hangs", "--logs", folder,
                                     "--faults", "kill", "--count", "1"])
            boot = dataclasses.replace(chaos_plan.plan(
                ("kill",), ("storage",), 1, 10000, 1)[0], patience_s=1)
            _, result = chaos.run_boot(arguments, boot)
        self.assertIn("nothing was heard", " ".join(result.problems))

    def test_interrupted_run_goes_on_where_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            # A machine that hangs shows that nothing is booted again.
            logs = ("--logs", folder, "--jobs", "1")
            done, report = self.chaos("chaos", *logs)
            self.assertEqual(done.returncode, 0, done.stderr)
            done, again = self.chaos("hangs", *logs, "--resume")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(report["cells"], again["cells"])

    def test_wrong_usage_says_what_is_wrong(self):
        for options, text in ((["--services", "init"], "services are"),
                              (["--faults", "rain"], "faults"),
                              (["--count", "0"], "at least 1"),
                              (["--every", "0"], "--every")):
            done, _ = self.chaos("chaos", *options)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)

    def test_interrupt_leaves_no_machine_behind(self):
        logs = tempfile.TemporaryDirectory()
        self.addCleanup(logs.cleanup)
        process = subprocess.Popen(
            [sys.executable, os.path.join(TOOLS, "chaos.py"), "--program",
             "hangs", "--count", "2", "--logs", logs.name],
            stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL, start_new_session=True, env=dict(
                os.environ, BENNU_QEMU=os.path.join(TOOLS, "fake_qemu.py")))
        time.sleep(2)
        started = members(process.pid)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=20)
        self.assertIn("interrupted", error)
        self.assertEqual(process.returncode, 130)
        self.assertGreater(len(started), 2)
        self.assertEqual(members(process.pid), [])


def members(session):
    """Processes of a session."""
    out = subprocess.run(["ps", "-s", str(session), "-o", "pid="],
                         capture_output=True, text=True, timeout=10).stdout
    return out.split()


class LoadTest(unittest.TestCase):
    """The loads themselves, where nothing else is broken."""

    def setUp(self):
        if not os.path.exists(LOAD):
            self.skipTest("the program load was not built")

    def run_load(self, *words):
        with tempfile.TemporaryDirectory() as folder:
            # Stands in for the device: a command overwrites itself.
            control = os.path.join(folder, "control")
            with open(control, "w", encoding="utf-8") as file:
                file.write("psSERVICE\n" + "".join(
                    f"{name} ready\n" for name in ("phoenix", "console",
                                                   "storage", "proc")))
            done = subprocess.run(
                [LOAD, "--control", control, "--folder", folder,
                 "--rounds", "6", "--for", "60000", *words], capture_output=True, text=True, timeout=60,
                stdin=subprocess.DEVNULL)
            self.assertEqual([name for name in os.listdir(folder)
                              if done.returncode == 0 and name != "control"],
                             [])
        boot = chaos_log.Boot()
        reader = chaos_log.OutputReader(
            boot, [word for word in words if word in SABOTAGES])
        reader.read(done.stdout)
        reader.finish()
        return done.returncode, boot

    def test_all_is_well_on_a_system_that_works(self):
        code, boot = self.run_load(*SABOTAGES)
        self.assertEqual(([f.text for f in boot.findings], code), ([], 0))
        self.assertGreater(boot.operations, 1000)

    def test_every_sabotage_is_seen_as_what_it_is(self):
        for name, kinds in SABOTAGES.items():
            for kind, expected in kinds.items():
                # On a busy host a client may die before it has done a thing.
                _, boot = self.run_load("--sabotage", kind, "--rounds",
                                        "60" if name == "clients" else "6",
                                        name)
                found = {key for finding in boot.findings
                         for key in chaos_log.ERRORS if getattr(finding, key)}
                self.assertIn(expected, found, kind)

    def test_no_sabotage_is_untested(self):
        text = subprocess.run([LOAD], capture_output=True, text=True,
                              timeout=10).stderr
        known = {}
        for line in text.splitlines()[1:]:
            name, _, kinds = line.strip().partition(", sabotage ")
            known[name] = set(kinds.split())
        self.assertEqual(known, {name: set(kinds) for name, kinds in
                                 SABOTAGES.items()})


if __name__ == "__main__":
    ktap.main()
