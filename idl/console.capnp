# SPDX-License-Identifier: MIT
@0xbe44000000001001;
# Protocol of `console`: the control channel to the outside and the terminal
# input. Everything written leaves in sequence-numbered frames, so a restart
# of the console neither loses nor repeats a byte
# (docs/design/control-channel.md).

using import "bennu.capnp".clamp;
using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".lengthOf;
using import "bennu.capnp".max;
using import "bennu.capnp".parks;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".shift;
using import "bennu.capnp".tag;
using import "bennu.capnp".trust;

interface Console @0xbe44000000001002 $place("console") {
  const streamOut :UInt32 = 1;
  const streamErr :UInt32 = 2;
  const streamTrace :UInt32 = 3;
  const streamLog :UInt32 = 4;

  const writeMax :UInt32 = 65536;   # larger writes are done in part
  const readMax :UInt32 = 4096;     # so are larger reads

  write @0 (stream :UInt32 $doc("CONSOLE_STREAM_*"),
            length :UInt64 $lengthOf("data"),
            data :Data $max(.Console.writeMax) $clamp)
      -> (done :UInt64 $doc("1 to length"))
      $tag(0x0210) $replay(never) $parks
      $errors("E_INVAL: no such stream; E_FAULT: the window cannot be read; E_INTR: the caller asked to stop, nothing was done");
  # Parks while there is no room.

  read @1 (length :UInt64 $lengthOf("data"))
      -> (data :Data $max(.Console.readMax) $doc("0 at the end of input"))
      $tag(0x0211) $replay(never) $parks
      $errors("E_FAULT: the window cannot be written; E_INTR: the caller asked to stop, nothing was done");
  # Parks until there is input.

  exit @2 (status :UInt32) -> ()
      $tag(0x0212) $trust(0xe) $replay(any) $parks
      $errors("E_INTR: the caller asked to stop");
  # Answered when the frame is out.

  poll @3 () -> (waiting :UInt64 $doc("bytes of input"),
                 ended :Bool $doc("nothing comes after them"))
      $tag(0x0213) $replay(any) $errors("");

  # The console as a terminal, for the service that runs its line discipline.
  # Both directions are counted in bytes since boot, so that a request repeated
  # after a restart of either side moves nothing twice. A host without a
  # terminal has size 0.

  listen @4 (bits :UInt64, listener :Capability $doc("a notification")) -> ()
      $tag(0x0214) $trust(0xe) $replay(any)
      $errors("E_INVAL: no capability came; E_NOMEM: it cannot be kept");
  # The notification is signalled with the bits when input comes, output makes
  # room, the size changes, input ends. It replaces the one before.

  put @5 (position :UInt64, length :UInt64 $lengthOf("data"),
          data :Data $max(.Console.writeMax))
      -> (position :UInt64 $doc("reached"))
      $tag(0x0215) $trust(0xe) $replay(any)
      $errors("E_INVAL: a position that was never reached; E_FAULT: the window cannot be read");
  # Takes what there is room for; never parks.

  take @6 (position :UInt64, length :UInt64 $lengthOf("data"))
      -> (data :Data $max(.Console.readMax), rows :UInt16,
          columns :UInt16 $shift(16), ended :Bool,
          position :UInt64 $doc("of the first byte: as asked, unless the console lost it"))
      $tag(0x0216) $trust(0xe) $replay(any)
      $errors("E_FAULT: the window cannot be written");
  # Frees what lies before position.
}
