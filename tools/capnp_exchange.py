#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Exchanges random Cap'n Proto messages with the reference implementation.

Ours is the host test `capnp_exchange`, which has modes for this; the other
sides are tests/capnp/peer.cpp, built here against Debian's libcapnp, and the
tool `capnp`. Prints KTAP. The argument is the number of messages each way.
"""

import concurrent.futures
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile

from mkarchive import ROOT

FOLDER = os.path.join(ROOT, "tests", "capnp")
SCHEMA = os.path.join(FOLDER, "everything.capnp")
PEER_SOURCE = os.path.join(FOLDER, "peer.cpp")
BUILD = os.path.join(ROOT, "build", "capnp")
OURS = os.path.join(ROOT, "build", "host-asan", "tests", "capnp_exchange")
PEER = os.path.join(BUILD, "peer")
BATCH = 10000


def build_peer():
    """Builds it anew only when its source changed: that takes a while."""
    if os.path.exists(PEER) and \
            os.path.getmtime(PEER) > os.path.getmtime(PEER_SOURCE):
        return
    subprocess.run(["g++", "-std=c++17", "-O1", "-o", PEER + ".new",
                    PEER_SOURCE, "-lcapnpc", "-lcapnp", "-lkj"], check=True)
    os.replace(PEER + ".new", PEER)


class Batch:
    """Files of one batch, made of each other by the modes of a side."""

    def __init__(self, folder, seed, count):
        self.folder, self.seed, self.count = folder, seed, count

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, out, argv, source=None):
        with open(self.path(source) if source else os.devnull, "rb") as data, \
                open(self.path(out), "wb") as output:
            subprocess.run(argv, stdin=data, stdout=output, check=True)
        return out

    def ours(self, out, source, *mode):
        return self.make(out, [OURS, *mode], source)

    def peers(self, out, source, *mode):
        return self.make(out, [PEER, *mode], source)

    def text(self, source):
        return self.make(source + "-text",
                         ["capnp", "convert", "binary:text", "--short",
                          SCHEMA, "Everything"], source)

    def same(self, one, other):
        paths = self.path(one), self.path(other)
        return os.path.getsize(paths[0]) > 0 and \
            filecmp.cmp(*paths, shallow=False)


def check_forms(batch, messages):
    """What both sides must make of any messages. Yields (law, good)."""
    forms = batch.ours(messages + "-form", messages, "canonical")
    peers = batch.peers(messages + "-form2", messages, "canonical")
    yield "canonical_form_is_that_of_the_reference", batch.same(forms, peers)
    verdicts = [[getattr(batch, side)(f"{messages}-{side}-{n}", source,
                                      "judge") for side in ("ours", "peers")]
                for n, source in enumerate((messages, forms))]
    yield "canonical_is_what_the_reference_says_is", \
        all(batch.same(*pair) for pair in verdicts)
    packed = batch.ours(messages + "-packed", messages, "pack")
    theirs = batch.peers(messages + "-packed2", messages, "pack")
    yield "packed_as_the_reference_packs", batch.same(packed, theirs)
    yield "reference_unpacks_what_was_packed", batch.same(
        batch.peers(messages + "-back", packed, "unpack"), messages)
    yield "what_the_reference_packed_unpacks", batch.same(
        batch.ours(messages + "-back2", theirs, "unpack"), messages)


def check_ours(batch):
    numbers = str(batch.seed), str(batch.count)
    built = batch.ours("built", None, "make", *numbers)
    copy = batch.peers("copy", built, "rewrite")
    batch.ours("verdict", copy, "verify", *numbers)
    yield "reference_reads_all_that_was_built", True
    yield "text_by_the_reference_is_that_of_its_copy", batch.same(
        batch.text(built), batch.text(copy))
    yield from check_forms(batch, built)


def check_peers(batch):
    theirs = batch.peers("theirs", None, "make", str(batch.seed),
                         str(batch.count), SCHEMA)
    again = batch.ours("again", theirs, "rewrite")
    yield "all_that_the_reference_built_is_read", batch.same(
        batch.peers("again-form", again, "canonical"),
        batch.peers("first-form", theirs, "canonical"))
    yield "text_of_what_was_read_is_that_of_the_source", batch.same(
        batch.text(theirs), batch.text(again))
    yield from check_forms(batch, theirs)


def check_spoiled(batch):
    """Wrong messages: refused by both, or the same to both."""
    spoiled = batch.ours("spoiled", None, "spoil", str(batch.seed),
                         str(max(batch.count // 5, 1)))
    yield "what_the_reference_refuses_is_refused_and_no_more", batch.same(
        batch.ours("survived", spoiled, "survive"),
        batch.peers("survived2", spoiled, "survive"))


def run_batch(seed, count):
    """Returns {law: good}. A process that fails ends the laws there."""
    results = {}
    for prefix, check in (("ours", check_ours), ("theirs", check_peers),
                          ("spoiled", check_spoiled)):
        with tempfile.TemporaryDirectory(dir=BUILD) as folder:
            try:
                for law, good in check(Batch(folder, seed, count)):
                    results[f"{prefix}_{law}"] = good
            except subprocess.CalledProcessError as error:
                print(f"# seed {seed}: {error}")
                results[f"{prefix}_complete"] = False
    return results


def main(argv):
    count = int(argv[0]) if argv else 2000
    missing = [tool for tool in ("capnp", "g++") if not shutil.which(tool)]
    if missing or not os.path.exists("/usr/include/capnp/schema-parser.h"):
        print("KTAP version 1\n1..1\nok 1 exchange # SKIP no reference "
              "implementation installed")
        return 0
    os.makedirs(BUILD, exist_ok=True)
    build_peer()
    results = {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in pool.map(lambda seed: run_batch(seed, min(
                BATCH, count - seed)), range(0, count, BATCH)):
            for law, good in batch.items():
                results[law] = results.get(law, True) and good
    print(f"KTAP version 1\n1..{len(results)}")
    for number, (law, good) in enumerate(results.items(), 1):
        print(f"{'ok' if good else 'not ok'} {number} {law}")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
