# SPDX-License-Identifier: MIT
@0xbe4400000000a001;
# Timers of a process (timer_create), served by `proc` through the session of
# the process. They go with exec and are not passed on by fork.

using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".hex;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;

interface Timers @0xbe4400000000a002 $place("proc") {
  create @0 (signal :UInt32 $doc("0: none"), thread :UInt32 $doc("0: any"),
             value :UInt64, ownValue :Bool $doc("the value is the id"))
      -> (id :UInt32)
      $tag(0x03d0) $replay(never)
      $errors("E_AGAIN: too many; E_INVAL: no such signal; E_NOMEM: no memory");

  set @1 (id :UInt32, due :UInt64 $doc("ns since boot; 0: stop"),
          interval :UInt64 $doc("or 0"))
      -> (left :UInt64 $doc("ns, before; 0: it did not run"), interval :UInt64)
      $tag(0x03d1) $replay(never)
      $errors("E_INVAL: no such timer; E_NOMEM: no memory");

  get @2 (id :UInt32)
      -> (left :UInt64, interval :UInt64,
          overrun :UInt32 $doc("of the signal that was fetched last"))
      $tag(0x03d2) $replay(any) $errors("E_INVAL: no such timer");

  delete @3 (id :UInt32) -> ()
      $tag(0x03d3) $replay(never)
      $errors("E_INVAL: no such timer; E_NOMEM: no memory");
}
