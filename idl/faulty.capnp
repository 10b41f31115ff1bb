# SPDX-License-Identifier: MIT
@0xbe4400000000f001;
# Protocol of `faulty`: a service that does wrong what it is told to, for tests
# of whoever has to cope with it.

using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".max;
using import "bennu.capnp".numbers;
using import "bennu.capnp".parks;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;

interface Faulty @0xbe4400000000f002 $place("faulty") $numbers(status) {
  const panic :UInt32 = 1;          # the ways to end
  const exception :UInt32 = 2;
  const hang :UInt32 = 3;           # waits for what never comes
  const loop :UInt32 = 4;           # until its budget is used up
  const leave :UInt32 = 5;          # exits with 0

  const delayMax :UInt64 = 1000000000;
  const leakMax :UInt64 = 256;       # pages

  add @0 (number :UInt64) -> (sum :UInt64 $doc("of all so far"),
      incarnation :UInt64 $doc("that answers"),
      cold :UInt64 $doc("cold starts before its arena was made"))
      $tag(0x0500) $replay(any) $errors("");
  # Works as it should; the sum lies in the arena.

  fail @1 (how :UInt32, always :Bool) -> (incarnation :UInt64)
      $tag(0x0501) $replay(any) $errors("ERR_ARG: no such way");
  # Ends the incarnation. The next one answers, unless it shall always end.

  delay @2 (ns :UInt64 $max(.Faulty.delayMax)) -> ()
      $tag(0x0502) $replay(any) $errors("");
  # Computes that long for this call and each one after it.

  leak @3 (pages :UInt64 $max(.Faulty.leakMax)) -> ()
      $tag(0x0503) $replay(any) $errors("ERR_NOMEM: there is no more");
  # Takes memory and never gives it back.

  park @4 () -> () $tag(0x0504) $replay(any) $parks
      $errors("ERR_INTERRUPTED: the caller asked to stop; ERR_FULL: too many wait");
  # Waits for release.

  release @5 () -> (released :UInt64) $tag(0x0505) $replay(any) $errors("");
  # Answers those that are parked, not all at once: until released is 0.
}
