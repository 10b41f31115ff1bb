#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/performance.md is what its figures say, and each goal that is missed has
a reason and a plan.
"""

import figures
import ipc_bench
import ipc_goals
import protection
import supervise_bench
import tree


def main():
    known = figures.load_rows()
    stored = figures.read_figures()
    page = tree.read_text("docs/performance.md")
    problems = list(figures.problems(stored, known, page))
    goals = ipc_goals.load_goals()
    messages = ipc_bench.read_json(ipc_bench.FIGURES)
    problems += ipc_bench.problems(messages, goals, page)
    problems += protection.problems(protection.read_figures(),
                                    protection.load_programs(), page)
    problems += supervise_bench.problems(supervise_bench.read_figures(), page)
    count = sum(figures.missed(row) for row in stored["rows"])
    count += sum(goal["verdict"] != "met" for goal in messages["goals"])
    tree.end(problems, f"{len(known)} rows and {len(goals)} goals of "
             f"messages, {count} are missed and say why")


if __name__ == "__main__":
    main()
