#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Recordings of services become what the viewer of Perfetto takes."""

import io
import json
import unittest

import events
import ktap

GOOD = """\
1000 3500 storage 1 call replied storage.open 1 8000000000000002 7
2000 0 storage 1 notified - - 1 0 0
4000 0 storage 2 start - - 2 0 0
5000 6000 proc 1 call open - 2f0 3 9
end 4 5
"""


def converted(text):
    out = io.StringIO()
    events.write(io.StringIO(text), out)
    return json.loads(out.getvalue())


class Recordings(unittest.TestCase):
    def found(self, phase):
        return [event for event in converted(GOOD)["traceEvents"]
                if event["ph"] == phase]

    def refused(self, text):
        with self.assertRaises(events.BadEvents):
            converted(text)

    def test_a_call_is_a_slice_of_its_time(self):
        call = self.found("X")[0]
        self.assertEqual((call["name"], call["ts"], call["dur"]),
                         ("storage.open", 1.0, 2.5))

    def test_incarnations_are_threads_of_their_service(self):
        names = {(event["pid"], event.get("tid")): event["args"]["name"]
                 for event in self.found("M")}
        self.assertEqual(names, {
            (1, None): "storage", (2, None): "proc", (1, 1): "incarnation 1",
            (1, 2): "incarnation 2", (2, 1): "incarnation 1"})

    def test_what_has_no_length_is_a_mark(self):
        marks = self.found("i")
        self.assertEqual([event["name"] for event in marks],
                         ["notified 0x1", "incarnation 2"])
        self.assertFalse(any("dur" in event for event in marks))

    def test_a_request_without_a_name_has_its_number(self):
        self.assertEqual(self.found("X")[1]["name"], "0x2f0")

    def test_lost_events_are_told(self):
        self.assertEqual(converted(GOOD)["otherData"]["lost"], 5)

    def test_a_recording_that_was_cut_is_refused(self):
        lines = GOOD.splitlines(keepends=True)
        self.refused("".join(lines[:-1]))
        self.refused("".join(lines[1:]))
        self.refused("")

    def test_nonsense_is_refused(self):
        for change in (("1000", "soon"), ("call replied", "dance replied"),
                       (" 7\n", "\n"), ("end 4 5", "end 4"),
                       ("8000000000000002", "xyz")):
            self.refused(GOOD.replace(*change))


if __name__ == "__main__":
    ktap.main()
