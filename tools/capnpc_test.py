#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The interface compiler refuses what breaks a rule, and costs nothing."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

import ktap
from mkarchive import ROOT

GENERATOR = os.path.join(ROOT, "build", "host-asan", "tools", "capnpc-bennu")
SAMPLE = os.path.join(ROOT, "build", "host-asan", "sample")
TESTS = os.path.join(ROOT, "tools", "capnpc", "test")
FLAGS = ["-Wall", "-Wextra", "-Werror", f"-I{SAMPLE}", f"-I{ROOT}"]
SYSTEM = "/usr/include/capnp"
GOLDEN = os.path.join(TESTS, "tiny.golden")

HEAD = """@0xbe44000000003001;
using B = import "/bennu.capnp";
"""
FINE = '$B.tag(0x7201) $B.replay(any) $B.errors("")'
# (what is in the interface, what the generator says)
REFUSED = [
    (f"m @0 () -> () $B.replay(any) $B.errors(\"\");", "needs $tag"),
    ('m @0 () -> () $B.tag(0x9000) $B.replay(any) $B.errors("");',
     "needs $tag"),
    ('m @0 () -> () $B.tag(1) $B.errors("");', "needs $replay"),
    ('m @0 () -> () $B.tag(1) $B.replay(keyed) $B.errors("");',
     r"it needs \$trust\(0xe\)"),
    ('m @0 (d :Data $B.max(1)) -> () $B.tag(1) $B.replay(keyed) '
     '$B.trust(0xe) $B.errors("");', "has words only"),
    ('m @0 (x :UInt64 $B.word(7)) -> () $B.tag(1) $B.replay(keyed) '
     '$B.trust(0xe) $B.errors("");', "has words only"),
    ("m @0 () -> () $B.tag(1) $B.replay(any);", "needs $errors"),
    ('m @0 () -> () $B.tag(1) $B.replay(any) $B.errors("bad things");',
     r"\$errors is not"),
    ('m @0 () -> () $B.tag(1) $B.replay(any) $B.errors("ERR_ARG: x");',
     r"\$errors is not"),
    (f"m @0 () -> () {FINE} $B.trust(16);", "trust goes to 15"),
    (f"m @0 (data :Data) -> () {FINE};", "data needs $max"),
    (f"m @0 () -> (text :Text) {FINE};", "text needs $max"),
    (f"m @0 (a :UInt64, b :UInt64, c :UInt64, d :UInt64, e :UInt64, "
     f"f :UInt64, g :UInt64, h :UInt64) -> () {FINE};", "h does not fit"),
    (f"m @0 (a :UInt64 $B.word(2), b :UInt64 $B.word(2)) -> () {FINE};",
     "word 2 is used already"),
    (f"m @0 (a :UInt64, b :UInt32 $B.half) -> () {FINE};",
     "b does not fit into the word of the one before"),
    (f"m @0 (b :UInt32 $B.half) -> () {FINE};", "b does not fit"),
    (f"m @0 (a :UInt32, b :UInt64 $B.half) -> () {FINE};", "b does not fit"),
    (f"m @0 (a :Int32, b :UInt32 $B.half) -> () {FINE};", "b does not fit"),
    (f"m @0 (a :Data $B.max(1), b :Data $B.max(1), c :Data $B.max(1)) -> () "
     f"{FINE};", "has 3 windows"),
    (f"m @0 (a :UInt64 $B.word(7), b :Data $B.max(1)) -> () {FINE};",
     "b: word 7, for its length, is used already"),
    (f"m @0 (a :UInt64 $B.word(4), p :Text $B.max(9) $B.short) -> () {FINE};",
     r"p: \$short needs words 3 to 6"),
    (f"m @0 (p :Text $B.max(9) $B.short, d :Data $B.max(9)) -> () {FINE};",
     r"p: \$short needs the only window"),
    (f"m @0 (n :UInt64 $B.lengthOf(\"x\")) -> () {FINE};",
     r"n: \$lengthOf names no window"),
    (f"m @0 () -> (d :Data $B.max(9) $B.into(\"x\")) {FINE};",
     r"d: \$into names no window"),
    (f"m @0 (s :Loose) -> () {FINE};", r"s: its struct needs \$layout"),
    (f"m @0 (l :List(UInt8)) -> () {FINE};", "l has a type that no register"),
    (f"m @0 (f :Float64) -> () {FINE};", "f has a type that no register"),
    (f"m @0 (a :UInt32 = 5) -> () {FINE};", "groups and defaults"),
    (f"m @0 (t :Text $B.inWords(12)) -> () {FINE};", "takes 8 to 56"),
    (f"m @0 (a :Capability $B.optional, b :Capability) -> () {FINE};",
     "optional capabilities come last"),
    (f"m @0 () -> (s :Fixed) {FINE} $B.parks;",
     "a call that parks has no struct"),
    (f"m @0 () -> () {FINE}; n @1 () -> () {FINE};", "has the tag of m"),
    (f"m @0 (d :Data $B.max(1)) -> (d :Data $B.max(1)) {FINE};",
     "d: a parameter has that name"),
    ("const half :Float32 = 0.5;", "constants are numbers or texts"),
]
STRUCTS = """
struct Loose { a @0 :UInt8; }
struct Fixed $B.layout(fixed) $B.size(8) { a @0 :UInt64; }
"""
FILES_REFUSED = [
    ("interface I { }", "needs $place"),
    ("struct S $B.layout(fixed) { a @0 :UInt8; }", "needs $size"),
    ("struct S $B.layout(fixed) $B.size(4) { a @0 :Data; }",
     "a needs $count"),
    ("struct S $B.layout(fixed) $B.size(4) { a @0 :Float32; }",
     "a has no fixed layout"),
    ("interface I $B.place(\"x\") { m @0 () -> () $B.tag(1) $B.replay(any) "
     "$B.errors(\"\"); } interface J $B.place(\"x\") { n @0 () -> () "
     "$B.tag(1) $B.replay(any) $B.errors(\"\"); }", "has the tag of .*I.m"),
]


def generate(folder, schema):
    return subprocess.run(
        ["capnp", "compile", f"-o{GENERATOR}:{folder}",
         "-I" + os.path.join(ROOT, "idl"),
         "--src-prefix=" + os.path.dirname(schema), schema],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)


def tiny_text(folder):
    """All C of the tiny schema, and its summary."""
    text = ""
    for name in ("idl/tiny.h", "idl/tiny_client.h", "idl/tiny_server.h",
                 "golden/tiny.txt"):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            text += f"==== {name}\n{file.read()}"
    return text


FUNCTION = re.compile(r"^(schema_\w+)\([^{]*?\)\n\{\n\s*return ([^;]*);",
                      re.M)
CALL = re.compile(r"capnp_get_(\w+)\(\w+(?:\.at)?, (\w+)")
# Accessors that serve several structs: any of them has the same place.
SAME = {
    "schema_request_": "schema_code_generator_request_",
    "schema_member_": "schema_field_",
    "schema_node_get_members": "schema_node_struct_get_fields",
    "schema_type_get_type_id": "schema_type_struct_get_type_id",
}


def accessors(text):
    """{function: (kind, offset)} of those that read one field."""
    found = {}
    for name, body in FUNCTION.findall(text):
        call = CALL.search(body)
        if call:
            found[name] = call.groups()
    return found


class CompilerTest(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(GENERATOR):
            self.skipTest("build host-asan first")
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def refuse(self, body, message):
        schema = os.path.join(self.folder.name, "bad.capnp")
        with open(schema, "w", encoding="utf-8") as file:
            file.write(HEAD + body)
        done = generate(self.folder.name, schema)
        # What is meant literally has a $.
        pattern = message.replace("needs $", r"needs \$")
        self.assertRegex(done.stderr, "bad.capnp:.*" + pattern, body)
        self.assertNotEqual(done.returncode, 0, body)
        self.assertFalse(os.path.exists(
            os.path.join(self.folder.name, "idl")), body)

    def test_each_broken_rule_is_named_with_file_and_method(self):
        for body, message in REFUSED:
            with self.subTest(body=body):
                self.refuse(f'interface I $B.place("x") {{ {body} }}'
                            + STRUCTS, message)

    def test_each_broken_rule_of_a_file_is_named(self):
        for body, message in FILES_REFUSED:
            with self.subTest(body=body):
                self.refuse(body, message)

    def test_own_accessors_are_those_it_generates_of_schema_capnp(self):
        done = generate(self.folder.name, os.path.join(SYSTEM, "schema.capnp"))
        self.assertEqual(done.stderr, "")
        with open(os.path.join(self.folder.name, "idl", "schema.capnp.h"),
                  encoding="utf-8") as file:
            made = accessors(file.read())
        with open(os.path.join(ROOT, "tools", "capnpc", "schema.h"),
                  encoding="utf-8") as file:
            own = accessors(file.read())
        self.assertGreater(len(own), 25)
        for name, place in own.items():
            for short, full in SAME.items():
                name = name.replace(short, full)
            self.assertEqual(made.get(name), place, name)

    def compiles(self, header):
        subprocess.run(
            ["gcc", "-std=c17", "-fsyntax-only", *FLAGS[:3], "-Wshadow",
             "-Wno-unused-function", f"-I{self.folder.name}", f"-I{ROOT}",
             "-x", "c", "-include", f"idl/{header}", os.devnull], check=True,
            timeout=60)

    def test_schemas_of_others_become_c_that_compiles(self):
        every = [os.path.join(SYSTEM, name + ".capnp") for name in
                 ("rpc", "rpc-twoparty", "persistent", "schema", "c++",
                  "stream")]
        subprocess.run(
            ["capnp", "compile", f"-o{GENERATOR}:{self.folder.name}",
             f"--src-prefix={SYSTEM}", *every], check=True, timeout=60,
            capture_output=True)
        for name in ("rpc", "rpc_twoparty", "persistent", "schema", "c__",
                     "stream"):
            self.compiles(name + ".capnp.h")

    def test_comments_and_texts_cannot_leave_their_place(self):
        schema = os.path.join(self.folder.name, "odd.capnp")
        with open(schema, "w", encoding="utf-8") as file:
            file.write(HEAD + """
interface Odd $B.place("x") {
  # A comment */ int x = ; /* that ends.
  const text :Text = "a\\"b\\\\c\\n";
  m @0 (a :UInt32 $B.doc("*/ int y = ;")) -> ()
      $B.tag(1) $B.replay(any) $B.errors("E_IO: */ int z = ;");
  # And */ another.
}
""")
        done = generate(self.folder.name, schema)
        self.assertEqual(done.stderr, "")
        for header in ("odd.h", "odd_client.h", "odd_server.h"):
            self.compiles(header)

    def test_what_is_no_request_is_refused(self):
        for data in (b"", b"1234567", b"\xff" * 64, b"\0" * 4096):
            done = subprocess.run([GENERATOR], input=data, timeout=60,
                                  capture_output=True,
                                  cwd=self.folder.name)
            self.assertEqual(done.returncode, 1, data[:8])
            self.assertIn(b"capnpc-bennu: ", done.stderr)

    def test_the_generated_text_is_the_one_reviewed(self):
        done = generate(self.folder.name, os.path.join(TESTS, "tiny.capnp"))
        self.assertEqual(done.stderr, "")
        with open(GOLDEN, encoding="utf-8") as file:
            self.assertEqual(tiny_text(self.folder.name), file.read(),
                             "if that is meant: tools/capnpc_test.py --accept")

    def test_files_that_stay_the_same_are_not_written(self):
        schema = os.path.join(TESTS, "tiny.capnp")
        path = os.path.join(self.folder.name, "idl", "tiny.h")
        generate(self.folder.name, schema)
        os.utime(path, (1, 1))
        generate(self.folder.name, schema)
        self.assertEqual(os.stat(path).st_mtime, 1)

    def test_generated_code_costs_no_instruction_more(self):
        objects = os.path.join(self.folder.name, "cost.o")
        program = os.path.join(self.folder.name, "steps")
        subprocess.run(
            ["gcc", "-std=c17", "-O2", "-ffreestanding",
             "-mgeneral-regs-only", "-fcf-protection=none",
             "-fno-omit-frame-pointer", "-fno-pie", *FLAGS, "-c",
             os.path.join(TESTS, "cost.c"), "-o", objects], check=True,
            timeout=60)
        subprocess.run(
            ["gcc", "-std=gnu17", "-O2", "-no-pie", *FLAGS,
             os.path.join(TESTS, "steps.c"), objects, "-o", program],
            check=True, timeout=60)
        done = subprocess.run([program], capture_output=True, text=True,
                              timeout=60)
        lines = re.findall(r"^(client|server) (\d+) (\d+)$", done.stdout, re.M)
        self.assertEqual(len(lines), 2, done)
        for side, hand, made in lines:
            self.assertGreater(int(hand), 30, side)
            self.assertLessEqual(int(made), int(hand), side)


if __name__ == "__main__":
    if sys.argv[1:] == ["--accept"]:
        with tempfile.TemporaryDirectory() as target:
            generate(target, os.path.join(TESTS, "tiny.capnp"))
            with open(GOLDEN, "w", encoding="utf-8") as golden:
                golden.write(tiny_text(target))
    else:
        ktap.main()
