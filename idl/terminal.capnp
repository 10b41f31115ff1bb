# SPDX-License-Identifier: MIT
@0xbe44000000006001;
# Protocols of terminals, served by `proc` (docs/design/terminals.md).
#
# Terminals goes through the session of a process, for what depends on who
# asks; its OPEN gives an event pair, the open description, shared by whoever
# inherits it, and that one speaks Terminal. A terminal is named by its number:
# 0 is the console, 1 + N the pseudo-terminal /dev/pts/N.
#
# sid and pgid in requests are who asks, as the info page tells them. They are
# believed: a process that lies can read in the background, which it could also
# do by joining the group. With 0 nothing is checked: for callers that may go
# on in the background.

using import "bennu.capnp".clamp;
using import "bennu.capnp".count;
using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".half;
using import "bennu.capnp".hex;
using import "bennu.capnp".layout;
using import "bennu.capnp".lengthOf;
using import "bennu.capnp".max;
using import "bennu.capnp".parks;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".shift;
using import "bennu.capnp".size;
using import "bennu.capnp".tag;

const characterDisabled :UInt8 = 0;   # in most places: no such character

enum Character @0xbe44000000006004 {
  interrupt @0;
  quit @1;
  erase @2;
  kill @3;
  end @4;
  time @5;
  minimum @6;
  switch @7;
  start @8;
  stop @9;
  suspend @10;
  line @11;
  reprint @12;
  discard @13;
  wordErase @14;
  literal @15;
  line2 @16;
}

# Of input.
const modeIgnbrk :UInt32 = 0x0001 $hex;
const modeBrkint :UInt32 = 0x0002 $hex;
const modeIgnpar :UInt32 = 0x0004 $hex;
const modeParmrk :UInt32 = 0x0008 $hex;
const modeInpck :UInt32 = 0x0010 $hex;
const modeIstrip :UInt32 = 0x0020 $hex;
const modeInlcr :UInt32 = 0x0040 $hex;
const modeIgncr :UInt32 = 0x0080 $hex;
const modeIcrnl :UInt32 = 0x0100 $hex;
const modeIuclc :UInt32 = 0x0200 $hex;
const modeIxon :UInt32 = 0x0400 $hex;
const modeIxany :UInt32 = 0x0800 $hex;
const modeIxoff :UInt32 = 0x1000 $hex;
const modeImaxbel :UInt32 = 0x2000 $hex;
const modeIutf8 :UInt32 = 0x4000 $hex;

# Of output.
const modeOpost :UInt32 = 0x0001 $hex;
const modeOlcuc :UInt32 = 0x0002 $hex;
const modeOnlcr :UInt32 = 0x0004 $hex;
const modeOcrnl :UInt32 = 0x0008 $hex;
const modeOnocr :UInt32 = 0x0010 $hex;
const modeOnlret :UInt32 = 0x0020 $hex;
const modeXtabs :UInt32 = 0x1800 $hex;

# Of control: kept and told, without effect on the line.
const modeB38400 :UInt32 = 0x000f $hex;
const modeCs8 :UInt32 = 0x0030 $hex;
const modeCread :UInt32 = 0x0080 $hex;

# Of local.
const modeIsig :UInt32 = 0x0001 $hex;
const modeIcanon :UInt32 = 0x0002 $hex;
const modeEcho :UInt32 = 0x0008 $hex;
const modeEchoe :UInt32 = 0x0010 $hex;
const modeEchok :UInt32 = 0x0020 $hex;
const modeEchonl :UInt32 = 0x0040 $hex;
const modeNoflsh :UInt32 = 0x0080 $hex;
const modeTostop :UInt32 = 0x0100 $hex;
const modeEchoctl :UInt32 = 0x0200 $hex;
const modeEchoprt :UInt32 = 0x0400 $hex;
const modeEchoke :UInt32 = 0x0800 $hex;
const modeFlusho :UInt32 = 0x1000 $hex;
const modePendin :UInt32 = 0x4000 $hex;
const modeIexten :UInt32 = 0x8000 $hex;

interface Terminals @0xbe44000000006002 $place("proc") {
  open @0 (what :UInt32 $doc("TERMINALS_CONSOLE ..."),
           slave :UInt32 $doc("number of the pseudo-terminal"),
           how :UInt32 $doc("TERMINALS_OPEN_*"))
      -> (number :UInt32, slave :UInt32 $doc("of a new master"),
          description :Capability)
      $tag(0x0380) $replay(never)
      $errors("E_NXIO: no such terminal; E_IO: a slave that is locked or without master; E_INVAL: no such kind; E_NFILE: too many are open; E_NOSPC: no pair is free; E_NOMEM: no memory");

  setGroup @1 (number :UInt32, pgid :UInt32) -> ()
      $tag(0x0390) $replay(any)
      $errors("E_NOTTY: not the caller's terminal; E_PERM: no group of its session");
  # To the foreground.

  acquire @2 (number :UInt32, steal :Bool) -> ()
      $tag(0x0391) $replay(any)
      $errors("E_NOTTY: no such terminal; E_PERM: the caller leads no session, or has a terminal, or that has a session");
  # It becomes the controlling terminal of the calling leader.

  release @3 (number :UInt32) -> ()
      $tag(0x0392) $replay(never) $errors("E_NOTTY: not the caller's terminal");
  # Gives the controlling terminal up.

  stopGroup @4 (signal :UInt32 $doc("SIGTTIN or SIGTTOU")) -> ()
      $tag(0x0393) $replay(never)
      $errors("E_IO: the group is orphaned; E_INVAL: another signal");
  # Raises it for the caller's group.

  # What OPEN opens.
  const console :UInt32 = 0;
  const controlling :UInt32 = 1;    # /dev/tty; E_NXIO without one
  const master :UInt32 = 2;         # /dev/ptmx: a new pair, its slave locked
  const slave :UInt32 = 3;          # pseudo-terminal of that number

  const openNoctty :UInt32 = 0x1 $hex;  # never becomes the controlling terminal
  const openRead :UInt32 = 0x2 $hex;
  const openWrite :UInt32 = 0x4 $hex;
}

interface Terminal @0xbe44000000006003 $place("proc") {
  # Beside their own errors: E_IO the terminal was hung up (reads then answer 0
  # bytes on a slave, E_IO on a master whose slaves are all closed).

  const nonblock :UInt32 = 0x1 $hex;

  const readyIn :UInt32 = 0x1 $hex;     # a read would not wait
  const readyOut :UInt32 = 0x2 $hex;
  const readyHangup :UInt32 = 0x4 $hex;

  # When SET_MODES takes effect.
  const now :UInt32 = 0;
  const afterDrain :UInt32 = 1;
  const afterFlush :UInt32 = 2;         # drained, then input flushed

  # As TCFLSH has them.
  const flushInput :UInt32 = 0;
  const flushOutput :UInt32 = 1;
  const flushBoth :UInt32 = 2;

  # As TCXONC has them.
  const flowOutOff :UInt32 = 0;
  const flowOutOn :UInt32 = 1;
  const flowInOff :UInt32 = 2;
  const flowInOn :UInt32 = 3;

  # What SET_PTY sets.
  const ptyLock :UInt32 = 0;
  const ptyPacket :UInt32 = 1;

  # The caller's group is not in the foreground: STOP_GROUP, then try again.
  const eBackground :UInt32 = 4000;

  const ptyMax :UInt32 = 64;            # pseudo-terminals at once
  const lineMax :UInt32 = 4096;         # a line in canonical mode, newline included
  const transferMax :UInt32 = 8192;     # bytes of one READ or WRITE
  const characters :UInt32 = 19;

  struct Modes @0xbe44000000006005 $layout(fixed) $size(36) {
    # As programs on x86-64 know it (struct termios of the system call).
    input @0 :UInt32;                   # MODE_*
    output @1 :UInt32;
    control @2 :UInt32;
    local @3 :UInt32;
    discipline @4 :UInt8;               # 0
    character @5 :Data $count(.Terminal.characters);  # by CHARACTER_*
  }

  read @0 (length :UInt64 $lengthOf("data"),
           flags :UInt32 $doc("TERMINAL_NONBLOCK"),
           sid :UInt32, pgid :UInt32 $half)
      -> (data :Data $max(.Terminal.transferMax))
      $tag(0x0381) $replay(never) $parks
      $errors("E_BADF: not open for reading; E_IO: hung up; E_AGAIN: it would wait; E_INTR: the caller asked to stop; E_FAULT: the window cannot be written; TERMINAL_E_BACKGROUND: not in the foreground");

  write @1 (length :UInt64 $lengthOf("data"),
            flags :UInt32 $doc("TERMINAL_NONBLOCK"),
            sid :UInt32, pgid :UInt32 $half,
            data :Data $max(.Terminal.transferMax) $clamp)
      -> (done :UInt64 $doc("1 to length"))
      $tag(0x0382) $replay(never) $parks
      $errors("E_BADF: not open for writing; E_IO: hung up; E_AGAIN: it would wait; E_INTR: the caller asked to stop; E_FAULT: the window cannot be read; TERMINAL_E_BACKGROUND: not in the foreground");

  poll @2 () -> (ready :UInt32 $doc("TERMINAL_READY_*"), readable :UInt32,
                 pending :UInt32 $doc("bytes not yet out"))
      $tag(0x0383) $replay(any) $errors("");

  getModes @3 () -> (modes :Modes)
      $tag(0x0384) $replay(any)
      $errors("E_IO: hung up; E_FAULT: the window cannot be written");

  setModes @4 (when :UInt32 $doc("TERMINAL_NOW ...") $max(2),
               sid :UInt32, pgid :UInt32 $half, modes :Modes) -> ()
      $tag(0x0385) $replay(any) $parks
      $errors("E_IO: hung up; E_INVAL: no such time; E_INTR: the caller asked to stop; E_FAULT: the window cannot be read; TERMINAL_E_BACKGROUND: not in the foreground");

  getSize @5 () -> (rows :UInt16, columns :UInt16)
      $tag(0x0386) $replay(any) $errors("E_IO: hung up");

  setSize @6 (rows :UInt16, columns :UInt16) -> ()
      $tag(0x0387) $replay(any) $errors("E_IO: hung up");
  # SIGWINCH to the foreground if it changed.

  flush @7 (which :UInt32 $doc("TERMINAL_FLUSH_*") $max(2), sid :UInt32,
            pgid :UInt32 $half) -> ()
      $tag(0x0388) $replay(any)
      $errors("E_IO: hung up; TERMINAL_E_BACKGROUND: not in the foreground");

  flow @8 (action :UInt32 $doc("TERMINAL_FLOW_*") $max(3), sid :UInt32,
           pgid :UInt32 $half) -> ()
      $tag(0x0389) $replay(any)
      $errors("E_IO: hung up; TERMINAL_E_BACKGROUND: not in the foreground");

  drain @9 (sid :UInt32, pgid :UInt32 $half) -> ()
      $tag(0x038a) $replay(any) $parks
      $errors("E_IO: hung up; E_INTR: the caller asked to stop; TERMINAL_E_BACKGROUND: not in the foreground");
  # Parks until all output is out.

  insert @10 (byte :UInt8) -> ()
      $tag(0x038b) $replay(never)
      $errors("E_IO: hung up; E_PERM: neither the console nor a master");
  # As if typed.

  getInfo @11 ()
      -> (number :UInt32, foreground :UInt32 $doc("pgid"), sid :UInt32,
          master :Bool, locked :Bool $shift(1), packet :Bool $shift(2))
      $tag(0x038c) $replay(any) $errors("E_IO: hung up");

  setPty @12 (what :UInt32 $doc("TERMINAL_PTY_*"), on :Bool) -> ()
      $tag(0x038d) $replay(any)
      $errors("E_IO: hung up; E_NOTTY: no master; E_INVAL: no such thing");

  watch @13 () -> (keyLow :UInt64, keyHigh :UInt64)
      $tag(0x038e) $replay(any) $errors("E_NOMEM: no memory");
  # The key of idl/watch.capnp that is woken once, when POLL says something else.
}
