# SPDX-License-Identifier: MIT
"""Results of boots of ./bennu chaos in a file, one line each as they come, so
that a run that was interrupted goes on where it was (--resume).

The first line says which run it is: its arguments and what it boots. A line that
was cut off by the end of the writer counts for nothing.
"""

import dataclasses
import json
import os

import chaos_log


def boot_from(words):
    """The opposite of dataclasses.asdict()."""
    return chaos_log.Boot(**{
        **words,
        "injections": [chaos_log.Injection(**each)
                       for each in words["injections"]],
        "findings": [chaos_log.Finding(**each) for each in words["findings"]],
    })


class Store:
    """The results of one run, by the index of the boot."""

    def __init__(self, path, run, resume):
        self.path = path
        self.known = read(path, run) if resume else {}
        lines = [run] + [line_of(index, boot) for index, boot in
                         self.known.items()]
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        os.replace(path + ".new", path)

    def add(self, index, boot):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line_of(index, boot)) + "\n")


def line_of(index, boot):
    return {"index": index, **dataclasses.asdict(boot)}


def read(path, run):
    """Returns {index: boot} of the same run; ValueError if it was another."""
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        first, *lines = file.read().split("\n")
    if json.loads(first) != run:
        raise ValueError(f"--resume: {path} is of a run with other arguments "
                         "or of another build")
    known = {}
    for line in lines[:-1]:         # what follows the last end of line is cut
        words = json.loads(line)
        index = words.pop("index")
        known[index] = boot_from(words)
    return known
