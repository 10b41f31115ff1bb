# SPDX-License-Identifier: MIT
@0xbe44000000009001;
# Protocol of watches, served by `proc` (docs/design/polling.md).
#
# Watches goes through the session of a process; its OPEN gives an event pair,
# a watcher, shared by whoever inherits it, and that one speaks Watcher. A key is
# random and names an object to whoever knows it; proc knows nothing of the
# object.

using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".hex;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;

interface Watches @0xbe44000000009002 $place("proc") {
  open @0 (notification :Capability) -> (watcher :Capability)
      $tag(0x03c0) $replay(never)
      $errors("E_INVAL: no capability came; E_NFILE: too many watchers; E_NOMEM: no memory");

  wake @1 (keyLow :UInt64, keyHigh :UInt64)
      -> (left :Bool $doc("of exclusive watches one was chosen: the watch stays armed"))
      $tag(0x03c1) $replay(any) $errors("E_NOMEM: no memory");
  # Signals the notifications of all that watch the key; nobody does: no error.

  console @2 () -> (keyLow :UInt64, keyHigh :UInt64)
      $tag(0x03c2) $replay(any)
      $errors("E_NOMEM: no memory; E_IO: the console does not tell");
  # The key that is woken when input comes to a console without a terminal.
}

interface Watcher @0xbe44000000009003 $place("proc") {
  const flagExclusive :UInt32 = 0x1 $hex;   # one of those is woken, not all

  # Beside those that were asked for: something died that may have owed a wake.
  const bitLook :UInt64 = 0x8000000000000000 $hex;

  add @0 (keyLow :UInt64, keyHigh :UInt64,
          bits :UInt64 $doc("what the notification is signalled with"),
          flags :UInt32 $doc("WATCHER_FLAG_*")) -> ()
      $tag(0x03c8) $replay(never)
      $errors("E_INVAL: no bits, or the key is 0; E_NOSPC: too many watches; E_PERM: half a key; E_NOMEM: no memory");
  # Counts: as many are to be removed as were added.

  remove @1 (keyLow :UInt64, keyHigh :UInt64, bits :UInt64,
             flags :UInt32) -> ()
      $tag(0x03c9) $replay(never)
      $errors("E_NOENT: there is none; E_NOMEM: no memory");

  name @2 (keyLow :UInt64, keyHigh :UInt64) -> ()
      $tag(0x03ca) $replay(any) $errors("E_NOMEM: no memory");
  # Whoever watches this key is woken whenever the watcher is.
}
