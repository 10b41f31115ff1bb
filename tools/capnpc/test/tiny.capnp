# SPDX-License-Identifier: MIT
@0xbe44000000002101;
# The smallest protocol, whose C a review can read.

using B = import "/bennu.capnp";

interface Tiny $B.place("tiny") {
  # Keeps one text.

  const textMax :UInt32 = 100;

  keep @0 (version :UInt32, text :Text $B.max(.Tiny.textMax) $B.short)
      -> (version :UInt32 $B.doc("from now on"), old :UInt32 $B.half)
      $B.tag(0x7101) $B.trust(0xe) $B.replay(any)
      $B.errors("E_STALE: another version is there");
  # Replaces it.
}
