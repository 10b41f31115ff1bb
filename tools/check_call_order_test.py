#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Calls that go up or sideways are found, those that go down are not."""

import unittest

import check_call_order
import ktap

SCHEMAS = {"idl/a.capnp": """
interface Storage @0x1 $place("storage") {
}
interface DiskDriver @0x2
    $B.place("disk") {
}
interface Phoenix @0x3 $place("phoenix") {}
interface Proc @0x4 $place("proc") {}
"""}


def service(name, needs=(), includes=(), folder="services"):
    text = "".join(f"#include <idl/{client}_client.h>\n"
                   for client in includes)
    return folder, name, {"needs": list(needs)}, {f"{name}.c": text}


def problems(*services):
    return check_call_order.check(list(services), SCHEMAS)


class CallOrderTest(unittest.TestCase):
    def test_names_are_those_in_c(self):
        self.assertEqual(check_call_order.interfaces(SCHEMAS),
                         {"storage": "storage", "disk_driver": "disk",
                          "phoenix": "phoenix", "proc": "proc"})

    def test_calls_down_are_fine(self):
        self.assertEqual(problems(
            service("proc", ["storage:open"], ["storage", "phoenix"]),
            service("storage", ["clock"], ["disk_driver"]),
            service("disk", folder="drivers")), [])

    def test_a_need_that_goes_up_is_found(self):
        found = problems(service("proc"), service("storage", ["proc:x"]))
        self.assertEqual(len(found), 1)
        self.assertIn("services/storage is not above proc", found[0])

    def test_a_client_that_goes_up_is_found(self):
        found = problems(service("storage"),
                         service("disk", [], ["storage"], "drivers"))
        self.assertEqual(len(found), 1)
        self.assertIn("disk.c includes storage_client.h", found[0])

    def test_nobody_calls_its_own_layer(self):
        self.assertEqual(len(problems(service("net"),
                                      service("storage", ["net:tcp"]))), 1)

    def test_phoenix_and_init_call_nobody(self):
        for name in ("phoenix", "init"):
            self.assertEqual(len(problems(service(name, [], ["storage"]),
                                          service("storage"))), 1)

    def test_an_unknown_interface_is_found(self):
        self.assertEqual(len(problems(service("proc", [], ["nothing"]))), 1)


if __name__ == "__main__":
    ktap.main()
