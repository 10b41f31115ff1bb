# SPDX-License-Identifier: MIT
@0xbe44000000002001;
# An interface with every way to carry a parameter, for the tests of capnpc.

using import "/bennu.capnp".clamp;
using import "/bennu.capnp".count;
using import "/bennu.capnp".doc;
using import "/bennu.capnp".errors;
using import "/bennu.capnp".half;
using import "/bennu.capnp".hex;
using import "/bennu.capnp".inWords;
using import "/bennu.capnp".into;
using import "/bennu.capnp".layout;
using import "/bennu.capnp".lengthOf;
using import "/bennu.capnp".max;
using import "/bennu.capnp".optional;
using import "/bennu.capnp".parks;
using import "/bennu.capnp".place;
using import "/bennu.capnp".refuse;
using import "/bennu.capnp".replay;
using import "/bennu.capnp".shift;
using import "/bennu.capnp".short;
using import "/bennu.capnp".size;
using import "/bennu.capnp".tag;
using import "/bennu.capnp".trust;
using import "/bennu.capnp".type;
using import "/bennu.capnp".word;

const openRead :UInt32 = 1;
const openWrite :UInt32 = 2;
const timeOmit :UInt64 = 0xfffffffffffffffe $hex;
# Leave it as it is.
const lowest :Int32 = -20;
const greeting :Text = "hello";

enum Kind {
  fifo @0;
  regular @1;   # with contents
}

struct Modes $layout(fixed) $size(16) {
  # As programs know them.
  input @0 :UInt32;     # MODE_*
  flags @1 :UInt16;
  kind @2 :Kind;
  character @3 :Data $count(7);
  ready @4 :Bool;
}

struct Entry $layout(fixed) $size(24) {
  number @0 :UInt64;
  size @1 :List(UInt32) $count(2);
  modesAt @2 :Int16 $type("int16_t");
  name @3 :Text $count(0);      # NUL terminated
}

interface Sample $place("sample") {
  # Files, more or less.

  const pathMax :UInt32 = 4096;

  read @0 (offset :UInt64, length :UInt64 $lengthOf("data"))
      -> (data :Data $max(16777216), size :UInt64, version :UInt64)
      $tag(0x7003) $replay(any) $errors("E_IO: the file cannot be read");
  # From offset on.

  write @1 (offset :UInt64, length :UInt64 $lengthOf("data"),
            data :Data $max(65536) $clamp)
      -> (done :UInt64, position :UInt64)
      $tag(0x7004) $replay(never) $errors("E_NOSPC: no room; E_IO: broken");

  seek @2 (offset :Int64, whence :UInt32 $max(2)) -> (position :UInt64)
      $tag(0x7005) $replay(never) $errors("E_INVAL: before the beginning");

  open @3 (flags :UInt32, mode :UInt32,
           path :Text $max(4095) $refuse("E_NAMETOOLONG") $short)
      -> (kind :Kind, device :UInt32, size :UInt64, inode :UInt64,
          file :Capability)
      $tag(0x7001) $replay(never) $errors("E_NOENT: no such file");

  rename @4 (flags :UInt32, old :Text $max(4095) $refuse("E_NAMETOOLONG"),
             new :Text $max(4095) $refuse("E_NAMETOOLONG"),
             newBase :Capability $optional) -> ()
      $tag(0x700b) $replay(never) $errors("E_XDEV: another server");

  readlink @5 (path :Text $max(4095) $refuse("E_NAMETOOLONG"))
      -> (target :Text $max(4095))
      $tag(0x700e) $replay(any) $errors("E_INVAL: no link");

  stat @6 () -> (inode :UInt64, mode :UInt32, links :UInt32 $half,
                 rows :UInt16, columns :Int16 $shift(16),
                 last :Bool $shift(63), nice :Int32, low :Int8)
      $tag(0x7006) $replay(any) $errors("");

  setModes @7 (when :UInt32, modes :Modes) -> ()
      $tag(0x7020) $replay(any) $parks $errors("E_INTR: asked to stop");

  getModes @8 () -> (modes :Modes)
      $tag(0x7021) $replay(any) $errors("");

  ask @9 (name :Text $inWords(48) $word(2)) -> (name :Text $inWords(16) $word(4),
          thing :Capability, count :UInt64 $word(1))
      $tag(0x7022) $trust(0xe) $replay(any) $errors("E_NOENT: unknown");

  leave @10 (length :UInt64 $lengthOf("path"), room :UInt64 $lengthOf("out"),
             path :Data $max(4096)) -> (out :Data $max(4096) $into("path"))
      $tag(0x7023) $replay(any) $errors("");

  note @11 (length :UInt64 $lengthOf("names"), names :Data $max(64) $optional,
            signal :Int32, default :Bool) -> ()
      $tag(0x7024) $replay(any) $errors("");

  both @12 (first :Capability, second :Capability, id :UInt64 $type("cap_t"))
      -> (a :Capability, b :Capability)
      $tag(0x7025) $replay(never) $errors("");

  end @13 (status :UInt64) -> ()
      $tag(0x7026) $replay(never) $parks $errors("");
  # Never answered.

  wait @14 (pid :Int64, options :UInt32) -> (pid :Int64, status :UInt32,
            uid :UInt32 $half, spent :UInt64)
      $tag(0x7027) $replay(never) $parks $errors("E_CHILD: none");

  pay @18 (amount :UInt64) -> (total :UInt64)
      $tag(0x702b) $trust(0xe) $replay(keyed) $errors("E_NOSPC: not so much");
  # Done once, whoever dies.

  # Names that the generated code has for itself, or C.

  symlink @15 (target :Text $max(100), in :Text $max(100)) -> ()
      $tag(0x7028) $replay(never) $errors("");

  register @16 (call :Modes, error :Capability, message :UInt32)
      -> (out :UInt32)
      $tag(0x7029) $replay(never) $errors("");

  struct @17 (window :Text $inWords(16), context :UInt32) -> (in :Modes)
      $tag(0x702a) $replay(never) $errors("");
}
