# SPDX-License-Identifier: MIT
@0xbe44000000004001;
# Protocol of `phoenix`. A place calls it through PLACE_PHOENIX, whose badge
# names the place; holders of "phoenix:control" have a badge of their own.

using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".inWords;
using import "bennu.capnp".max;
using import "bennu.capnp".numbers;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;
using import "bennu.capnp".word;

interface Phoenix @0xbe44000000004002 $place("phoenix") $numbers(status) {
  const nameMax :UInt32 = 47;       # bytes of a name and of a value
  const commandMax :UInt32 = 255;   # bytes of a command
  const textMax :UInt32 = 32768;    # bytes of a piece of its text

  request @0 (name :Text $inWords(48) $word(2)) -> (granted :Capability)
      $tag(0x0400) $replay(any)
      $errors("ERR_RIGHT: the manifest does not list it, which is logged; ERR_NOENT: nobody provides it; ERR_LIMIT: the table or container is full");
  # Asks for what the manifest says the place needs.

  ready @1 () -> ()
      $tag(0x0401) $replay(any) $errors("");
  # The caller serves from now on.

  option @2 (key :Text $inWords(48) $word(2))
      -> (value :Text $inWords(48) $word(2))
      $tag(0x0402) $replay(any)
      $errors("ERR_NOENT: there is no such option");
  # An option of the boot command line.

  report @3 () -> ()
      $tag(0x0403) $replay(any) $errors("");
  # Logs how many objects, slots, frames and threads there are.

  command @4 (cursor :UInt64, command :Data $max(.Phoenix.commandMax))
      -> (text :Data $max(.Phoenix.textMax),
          next :UInt64 $doc("cursor of the next piece, 0 if that was all"),
          result :UInt64 $doc("0 or ERR_* of the command"))
      $tag(0x0404) $replay(any)
      $errors("ERR_RIGHT: not a holder of phoenix:control; ERR_STALE: somebody else's command came in between; ERR_RANGE: the command is too long");
  # A command of ctl (ctl.1). Cursor 0 executes it and answers the first piece
  # of its text, the cursor that came with a piece asks for the next.

  victim @5 (name :Text $inWords(48) $word(2))
      -> (thread :Capability, vspace :Capability)
      $tag(0x0405) $replay(any)
      $errors("ERR_RIGHT: the manifest does not need chaos; ERR_NOENT: there is no such place, or nobody lives there; ERR_LIMIT: the table or container is full");
  # The incarnation of a place, or of phoenix itself, to do it harm.

  evidence @6 (name :Text $inWords(48) $word(2))
      -> (info :Capability $doc("memory, to write"),
          death :Capability $doc("its death record, to read"))
      $tag(0x0406) $replay(any)
      $errors("ERR_RIGHT: the manifest does not need chaos; ERR_NOENT: there is no such place; ERR_LIMIT: the table or container is full");
  # What stays of a place when an incarnation dies.
}
