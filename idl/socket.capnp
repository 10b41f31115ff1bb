# SPDX-License-Identifier: MIT
@0xbe44000000007101;
# Protocols of local sockets, served by `proc` (docs/design/sockets.md).
#
# Sockets goes through the session of a process: names, connections, and what is
# passed along with bytes. BIND gives an event pair, held by all who have the
# socket, and that one speaks Socket; when its last holder is gone, so is the
# name. Bytes never come here.
#
# A connection is memory, a notification, an end that the side holds as long as
# it lives, and the other half of the pair of its peer's end, by which it learns
# that the peer is gone.

using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".half;
using import "bennu.capnp".max;
using import "bennu.capnp".optional;
using import "bennu.capnp".parks;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;

interface Sockets @0xbe44000000007102 $place("proc") {
  # Names. Of a node: 16 bytes that storage gives to who may write it
  # (RENDEZVOUS), then the text that it was bound with.
  const abstract :UInt32 = 0;
  const node :UInt32 = 1;
  const automatic :UInt32 = 2;      # BIND chooses an abstract one
  const keyBytes :UInt32 = 16;
  const nameMax :UInt32 = 126;

  const contentMax :UInt32 = 256;   # bytes that say what an entry is
  const entriesMax :UInt32 = 253;   # of one parcel
  const nobody :UInt32 = 65534;

  bind @0 (kind :UInt32, type :UInt32 $doc("SOCK_*"), name :Data $max(126),
           memory :Capability $optional $doc("datagrams: where to send"),
           note :Capability $optional, watch :Capability $optional)
      -> (chosen :UInt64 $doc("number that SOCKETS_AUTOMATIC chose"),
          session :Capability)
      $tag(0x0100) $replay(never)
      $errors("E_ADDRINUSE: the name is taken; E_INVAL: no such name; E_NFILE: too many; E_NOMEM: no memory");

  connect @1 (kind :UInt32, type :UInt32, wait :Bool, name :Data $max(126),
              memory :Capability, note :Capability,
              end :Capability $doc("of the side that accepts"),
              watch :Capability)
      -> (pid :UInt32 $doc("of who listens"), uid :UInt32, gid :UInt32)
      $tag(0x0101) $replay(never) $parks
      $errors("E_CONNREFUSED: nobody listens there; E_PROTOTYPE: another type; E_AGAIN: too many wait already; E_INTR: the caller asked to stop; E_INVAL: no such name, or memory that cannot be written; E_NFILE: too many; E_NOMEM: no memory");
  # Parks while too many wait to be accepted.

  find @2 (kind :UInt32, type :UInt32, name :Data $max(126))
      -> (memory :Capability, note :Capability, watch :Capability)
      $tag(0x0102) $replay(any)
      $errors("E_CONNREFUSED: nobody has it; E_PROTOTYPE: another type; E_NOTSUP: it listens; E_INVAL: no such name; E_NFILE: no room");
  # Of datagrams.

  pack @3 (pid :UInt32 $doc("0: all three are the caller's"),
           uid :UInt32 $half, gid :UInt32,
           watch :Capability $optional $doc("of who will get it"))
      -> (low :UInt64, high :UInt64)
      $tag(0x0103) $replay(never)
      $errors("E_PERM: not who the caller is; E_TOOMANYREFS: too many in flight; E_NOMEM: no memory");
  # Makes a parcel. Who knows its number may have what is in it.

  add @4 (low :UInt64, high :UInt64, content :Data $max(256),
          first :Capability $optional, second :Capability $optional,
          third :Capability $optional, fourth :Capability $optional) -> ()
      $tag(0x0104) $replay(never)
      $errors("E_NOENT: no such parcel; E_TOOMANYREFS: too many in flight; E_NOMEM: no memory");

  look @5 (low :UInt64, high :UInt64)
      -> (entries :UInt32, pid :UInt32, uid :UInt32, gid :UInt32)
      $tag(0x0105) $replay(any) $errors("E_NOENT: no such parcel");

  take @6 (low :UInt64, high :UInt64, index :UInt32)
      -> (content :Data $max(256), count :UInt32 $doc("of capabilities"),
          first :Capability, second :Capability, third :Capability,
          fourth :Capability)
      $tag(0x0106) $replay(any)
      $errors("E_NOENT: no such parcel or entry; E_NFILE: no room");
  # A copy: it stays until DROP.

  drop @7 (low :UInt64, high :UInt64) -> ()
      $tag(0x0107) $replay(any) $errors("E_NOENT: no such parcel");

  collect @8 () -> ()
      $tag(0x0108) $replay(any) $errors("E_NOMEM: no memory");
  # Looks for parcels that nobody can get any more.

  listen @9 (low :UInt64 $doc("key of the watch of who polls"),
             high :UInt64, backlog :UInt32, socket :Capability $doc("what BIND gave"),
             note :Capability $doc("signalled when one waits")) -> ()
      $tag(0x0109) $replay(any)
      $errors("E_BADF: no socket with a name; E_NOTSUP: of datagrams; E_NOMEM: no memory");
}

interface Socket @0xbe44000000007103 $place("proc") {
  accept @0 ()
      -> (pid :UInt32 $doc("of who connects"), uid :UInt32, gid :UInt32,
          memory :Capability, note :Capability, end :Capability,
          watch :Capability)
      $tag(0x0121) $replay(never)
      $errors("E_AGAIN: none waits; E_INVAL: it does not listen");

  waiting @1 () -> (count :UInt32)
      $tag(0x0122) $replay(any) $errors("");
}
