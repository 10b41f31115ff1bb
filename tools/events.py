#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu events FILE: what services did, for the viewer of Perfetto.

Reads what `ctl trace dump` wrote, or `./bennu run --events`, and writes the JSON
that https://ui.perfetto.dev and chrome://tracing open: a process for each
service, a thread for each of its incarnations, a slice for each call, a mark
for each start, notification and kernel event.

A line of the input has ten words:

    START_NS END_NS SERVICE INCARNATION KIND OUTCOME NAME A B ORDER

and the last one of all is `end EVENTS LOST`.
"""

import argparse
import json
import sys

FIELDS = ("start", "end", "service", "incarnation", "kind", "outcome", "name",
          "a", "b", "order")
KINDS = ("call", "notified", "event", "start")


class BadEvents(Exception):
    """The input is not a recording."""


def parse_line(number, line):
    words = line.split()
    if len(words) != len(FIELDS):
        raise BadEvents(f"line {number}: {len(words)} words, "
                        f"{len(FIELDS)} expected")
    event = dict(zip(FIELDS, words))
    try:
        for field in ("start", "end", "incarnation", "order"):
            event[field] = int(event[field])
        for field in ("a", "b"):
            event[field] = int(event[field], 16)
    except ValueError as error:
        raise BadEvents(f"line {number}: {error}") from error
    if event["kind"] not in KINDS:
        raise BadEvents(f"line {number}: unknown kind {event['kind']}")
    return event


def parse(lines):
    """Returns (events, number of events that were lost)."""
    events = []
    for number, line in enumerate(lines, 1):
        if line.startswith("end "):
            words = line.split()
            if len(words) != 3 or not all(w.isdigit() for w in words[1:]):
                raise BadEvents(f"line {number}: end EVENTS LOST expected")
            if int(words[1]) != len(events):
                raise BadEvents(f"{len(events)} events, {words[1]} promised")
            return events, int(words[2])
        events.append(parse_line(number, line))
    raise BadEvents("the end is missing")


def slice_of(event, process):
    """One event as the format has it; its times are microseconds."""
    out = {"pid": process, "tid": event["incarnation"],
           "ts": event["start"] / 1000, "cat": event["kind"]}
    if event["kind"] == "call":
        name = event["name"] if event["name"] != "-" else f"{event['a']:#x}"
        out |= {"name": name, "ph": "X",
                "dur": max(event["end"] - event["start"], 0) / 1000,
                "args": {"outcome": event["outcome"], "order": event["order"],
                         "badge": f"{event['b']:#x}"}}
        return out
    names = {"start": f"incarnation {event['incarnation']}",
             "notified": f"notified {event['a']:#x}",
             "event": f"event {event['a']} {event['b']:#x}"}
    out |= {"name": names[event["kind"]], "ph": "i",
            "s": "p" if event["kind"] == "start" else "t"}
    return out


def convert(events, lost):
    services, out = {}, []
    for event in events:
        process = services.setdefault(event["service"], len(services) + 1)
        out.append(slice_of(event, process))
    for service, process in services.items():
        out.append({"pid": process, "name": "process_name", "ph": "M",
                    "args": {"name": service}})
    threads = {(event["service"], event["incarnation"]) for event in events}
    for service, incarnation in sorted(threads):
        out.append({"pid": services[service], "tid": incarnation,
                    "name": "thread_name", "ph": "M",
                    "args": {"name": f"incarnation {incarnation}"}})
    return {"displayTimeUnit": "ns", "traceEvents": out,
            "otherData": {"lost": lost}}


def write(source, target):
    """Returns (events, lost)."""
    events, lost = parse(source)
    json.dump(convert(events, lost), target, indent=None,
              separators=(",", ":"))
    target.write("\n")
    return len(events), lost


def main(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu events", description="Turns a recording of services "
        "(ctl trace dump) into JSON that https://ui.perfetto.dev opens.")
    parser.add_argument("file", metavar="FILE", help="the recording, - is "
                        "standard input")
    parser.add_argument("--output", "-o", metavar="JSON",
                        help="default: standard output")
    arguments = parser.parse_args(argv)
    try:
        source = sys.stdin if arguments.file == "-" else open(
            arguments.file, encoding="utf-8", errors="replace")
        target = open(arguments.output, "w", encoding="utf-8") \
            if arguments.output else sys.stdout
        count, lost = write(source, target)
    except (OSError, BadEvents) as error:
        print(f"./bennu events: {error}", file=sys.stderr)
        return 1
    print(f"{count} events, {lost} lost", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
