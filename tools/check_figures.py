#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/performance.md is what its figures say, and each goal that is missed has
a reason and a plan.
"""

import figures
import tree


def main():
    known = figures.load_rows()
    stored = figures.read_figures()
    problems = list(figures.problems(stored, known,
                                     tree.read_text("docs/performance.md")))
    count = sum(figures.missed(row) for row in stored["rows"])
    tree.end(problems, f"{len(known)} rows, {count} miss their goal and say "
             f"why")


if __name__ == "__main__":
    main()
