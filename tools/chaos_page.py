# SPDX-License-Identifier: MIT
"""The report of ./bennu chaos: as a table, as JSON, as docs/reliability.md, and
which promises of docs/design/resurrection.md it breaks.
"""

import json
import os

import chaos_log
from chaos_log import CLASSES, COUNTS, DEADLY, ERRORS
from figures import number
from mkarchive import ROOT

FIGURES = os.path.join(ROOT, "docs", "reliability.json")
PAGE = os.path.join(ROOT, "docs", "reliability.md")
BEGIN = "<!-- begin: ./bennu chaos --write-docs -->\n"
END = "<!-- end -->\n"
# Of faults with a promise: a run in which nothing happens proves nothing.
ACTIVATED_SHARE = 0.3
ENOUGH = 100            # faults for that to mean something
COPY_PERCENT = 1.0      # what kills every 20 ms may cost
SHOWN = 40              # problems of boots in a report


def class_of_boot(boot):
    return chaos_log.class_of(boot.kinds[0])


def make_report(arguments, boots, results):
    """A dictionary with the ten keys, and one with them for each cell."""
    injections = [i for result in results for i in result.injections]
    cells = chaos_log.cells(injections)
    report = {
        **chaos_log.summary(injections),
        "command": arguments.command,
        "seed": arguments.seed, "cpu": arguments.cpu, "cpus": arguments.cpus,
        "load": ",".join(arguments.load), "every_ms": arguments.every,
        "boots": len(boots),
        "rounds": sum(result.rounds for result in results),
        "operations": sum(result.operations for result in results),
        "classes": {
            name: chaos_log.summary([i for i in injections
                                     if i.kind in kinds])
            for name, kinds in CLASSES.items()
            if any(i.kind in kinds for i in injections)},
        "points": chaos_log.points(injections),
        "cells": cells,
        "problems": [text for result in results
                     for text in result.problems][:SHOWN],
    }
    report["broken"] = broken(report, boots, results,
                              arguments.min_manifested)
    return report


def broken_cells(cells):
    for cell in cells:
        for key in ERRORS:
            promised = cell["class"] == "fail-stop" or (
                cell["class"] == "committed" and key == "silent")
            if promised and cell[key]:
                yield f"{cell['fault']} in {cell['service']}: " \
                    f"{cell[key]} {key}"
        if cell["fault"] in DEADLY and cell["manifested"] < cell["activated"]:
            yield f"{cell['fault']} in {cell['service']}: " \
                f"{cell['activated']} carried out, {cell['manifested']} noticed"
        if cell["class"] == "fail-stop" and \
                cell["recovered"] != cell["manifested"]:
            yield f"{cell['fault']} in {cell['service']}: " \
                f"{cell['manifested']} manifested, {cell['recovered']} " \
                "recovered"


def broken_boots(boots, results):
    """A boot with fail-stop faults must be as good as one without any; in
    others init may turn the machine off, saying so, but the kernel has to
    stand."""
    for boot, result in zip(boots, results):
        gave_up = any("panic: init died" in text for text in result.problems)
        for text in result.problems:
            if class_of_boot(boot) == "fail-stop" or (
                    "panic" in text and not gave_up):
                yield text


def broken(report, boots, results, min_manifested):
    """The list of promises that were broken."""
    out = list(broken_cells(report["cells"]))
    out += broken_boots(boots, results)
    done = {cell["fault"] for cell in report["cells"]}
    out += [f"{kind} was never injected" for kind in sorted(
        {kind for boot in boots for kind in boot.kinds
         if boot.count >= len(boot.kinds) * len(boot.services)} - done)]
    if report["injected"] == 0:
        out.append("nothing was injected")
    if report["rounds"] == 0:
        out.append("no load did anything")
    total = report["classes"].get("fail-stop")
    if total and total["injected"] >= ENOUGH and \
            total["activated"] < ACTIVATED_SHARE * total["injected"]:
        out.append(f"{total['activated']} of {total['injected']} fail-stop "
                   f"faults were activated, {ACTIVATED_SHARE:.0%} wanted")
    out += [f"{cell['fault']} in {cell['service']} manifested "
            f"{cell['manifested']} times, {min_manifested} wanted"
            for cell in report["cells"]
            if cell["manifested"] < min_manifested]
    return out[:SHOWN]


def rows(report):
    """Cells, points, classes and the total under names of their own."""
    for cell in report["cells"]:
        yield cell["fault"], cell["service"], cell
    for name, total in report["points"].items():
        yield "at " + name, "all", total
    for name, total in report["classes"].items():
        yield name, "all", total
    yield "all", "all", report


def row_texts(row):
    return [str(row[key]) for key in COUNTS] + [
        number(row[key]) for key in ("recovery_median", "recovery_p99",
                                     "recovery_worst")]


HEAD = ["fault", "service", *COUNTS, "median", "p99", "worst"]


def table(report):
    """Lines for a terminal."""
    lines = [HEAD] + [[fault, service, *row_texts(row)]
                      for fault, service, row in rows(report)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    for line in lines:
        yield "  ".join([line[0].ljust(widths[0]), line[1].ljust(widths[1])]
                        + [text.rjust(width) for text, width in
                           zip(line[2:], widths[2:])])
    yield from copy_lines(report)


def copy_lines(report):
    if "copy" not in report:
        return
    copy = report["copy"]
    yield f"copy: {number(copy['bytes_per_second'])} bytes per second, " \
        f"{number(copy['bytes_per_second_killed'])} with " \
        f"{copy['kills']} kills, one each {copy['every_ms']} ms: " \
        f"{copy['cost_percent']} % less"


def page_part(report):
    """The generated part of the page, marks included."""
    unit = "instructions" if report["cpus"] == 1 else "ns of the host"
    lines = [
        f"    {report['command']}", "",
        f"Seed {report['seed']}, CPU `{report['cpu']}`, {report['cpus']} "
        f"CPU(s), loads {report['load']}, a fault each "
        f"{report['every_ms']:g} ms of machine time: {report['boots']} boots, "
        f"{number(report['rounds'])} rounds of loads, "
        f"{number(report['operations'])} operations verified.", "",
        f"Times from a death to the first answer are in {unit}.", "",
        "| " + " | ".join(HEAD) + " |",
        "|---|---|" + "--:|" * (len(HEAD) - 2),
    ]
    lines += ["| " + " | ".join([fault, service, *row_texts(row)]) + " |"
              for fault, service, row in rows(report)]
    lines += ["", *copy_lines(report)]
    lines += ["", "### Promises broken in this run", ""]
    lines += [f"- {text}" for text in report["broken"]] or ["None."]
    return BEGIN + "\n".join(lines) + "\n" + END


def split_page(text):
    """Returns what is before, inside and behind the marks."""
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError("docs/reliability.md: not exactly one generated part")
    before, rest = text.split(BEGIN)
    inside, behind = rest.split(END)
    return before, BEGIN + inside + END, behind


def problems(report, page):
    """What is wrong with the stored report and the page."""
    missing = set(chaos_log.KEYS + ("seed", "command", "cpu")) - set(report)
    if missing:
        yield "docs/reliability.json: no " + ", ".join(sorted(missing))
        return
    for key in COUNTS:
        if report[key] != sum(cell[key] for cell in report["cells"]):
            yield f"docs/reliability.json: {key} is not the sum of its cells"
    if list(broken_cells(report["cells"])) and not report["broken"]:
        yield "docs/reliability.json: broken promises are not listed"
    if split_page(page)[1] != page_part(report):
        yield "docs/reliability.md is not what docs/reliability.json says: " \
            "run ./bennu chaos --write-docs"


def write_json(path, report):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")


def read_json(path=FIGURES):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_docs(report):
    with open(PAGE, encoding="utf-8") as file:
        before, _, behind = split_page(file.read())
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(before + page_part(report) + behind)
    write_json(FIGURES, report)
