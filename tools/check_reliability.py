#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/reliability.md says what ./bennu chaos measured, and which promises that
run broke.
"""

import chaos_page
import tree


def main():
    report = chaos_page.read_json()
    problems = list(chaos_page.problems(
        report, tree.read_text("docs/reliability.md")))
    tree.end(problems, f"{report['injected']} faults in {report['boots']} "
             f"boots, {len(report['broken'])} promises broken")


if __name__ == "__main__":
    main()
