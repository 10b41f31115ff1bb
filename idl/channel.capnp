# SPDX-License-Identifier: MIT
@0xbe44000000007001;
# Protocol of `broker`: where members of channels meet (docs/design/channels.md).
# A place connects through "broker:open" and has a session then; the rest goes
# through that. No message passes here.

using import "bennu.capnp".count;
using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".half;
using import "bennu.capnp".inWords;
using import "bennu.capnp".layout;
using import "bennu.capnp".max;
using import "bennu.capnp".numbers;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".size;
using import "bennu.capnp".tag;
using import "bennu.capnp".trust;
using import "bennu.capnp".word;

interface Channels @0xbe44000000007002 $place("broker") $numbers(status) {
  const zeroCopy :UInt32 = 1;       # flags of Join
  const pollable :UInt32 = 2;
  const hasToken :UInt32 = 4;
  const kept :UInt32 = 8;           # the member outlives its session

  const eventNone :UInt32 = 0;      # there is no more
  const eventLaneOut :UInt32 = 1;   # memory, bell of the receiver
  const eventLaneIn :UInt32 = 2;    # memory, bell of the sender unless it left
  const eventGone :UInt32 = 3;      # the other end of the lane left
  const eventPeerRevoked :UInt32 = 4;
  const eventRevoked :UInt32 = 5;   # the own token

  const slotSize :UInt32 = 64;      # bytes of the page for one session

  struct Join @0xbe44000000007003 $layout(fixed) $size(160) {
    # What create and open ask for; the configuration is only looked at by
    # create, and comes back from open in the same place.
    name @0 :Text $count(48);
    token @1 :List(UInt64) $count(4);
    schema @2 :UInt64;              # of the channel
    spinNs @3 :UInt64;
    type @4 :UInt32;
    overflow @5 :UInt32;
    serializer @6 :UInt32;
    messageMax @7 :UInt32;
    bufferSize @8 :UInt32;
    buffers @9 :UInt32;
    batch @10 :UInt32;
    flags @11 :UInt32;              # CHANNELS_*
    role @12 :UInt32;
    ownSerializer @13 :UInt32;
    ownSchema @14 :UInt64;
    groups @15 :UInt64;
    reserved @16 :UInt64;
  }

  struct Joined @0xbe44000000007004 $layout(fixed) $size(112) {
    member @0 :UInt64;
    channel @1 :UInt64;
    identity @2 :UInt64;
    token @3 :List(UInt64) $count(4);
    schema @4 :UInt64;
    spinNs @5 :UInt64;
    type @6 :UInt32;
    overflow @7 :UInt32;
    serializer @8 :UInt32;
    messageMax @9 :UInt32;
    bufferSize @10 :UInt32;
    buffers @11 :UInt32;
    batch @12 :UInt32;
    flags @13 :UInt32;
    rights @14 :UInt32;             # TOKEN_*
    trust @15 :UInt32;
  }

  struct Listed @0xbe44000000007005 $layout(fixed) $size(88) {
    name @0 :Text $count(48);
    number @1 :UInt64;
    members @2 :UInt32;
    receivers @3 :UInt32;
    lanes @4 :UInt32;
    type @5 :UInt32;
    place @6 :UInt32;               # index of its creator's
    named @7 :UInt32;               # 0: the creator left
    edges @8 :UInt64;
  }

  connect @0 (bits :UInt64 $doc("that the bell is signalled with"),
              bell :Capability $doc("a notification; peers may signal it"))
      -> (slot :UInt32 $doc("the word of the session in the page"),
          session :Capability, page :Capability)
      $tag(0x0700) $replay(never)
      $errors("ERR_ARG: no capability came; ERR_LIMIT: too many sessions; ERR_NOMEM: no memory");
  # When the last copy of the session is gone, so are its members.

  create @1 (join :Join) -> (joined :Data $max(112), statistics :Capability,
                             pool :Capability)
      $tag(0x0701) $replay(never)
      $errors("ERR_EXIST: there is a channel of that name; ERR_ARG: what does not go together; ERR_RIGHT: the session has too little trust; ERR_LIMIT: too many; ERR_NOMEM: no memory");
  # The pool only comes to senders of zero_copy channels.

  open @2 (join :Join) -> (joined :Data $max(112), statistics :Capability,
                           pool :Capability)
      $tag(0x0702) $replay(never)
      $errors("ERR_NOENT: no such channel; ERR_RIGHT: the token does not allow it; ERR_STALE: the channel is not the one of the token; ERR_BUSY: a STREAM has its receiver; ERR_TYPE: another schema; ERR_LIMIT: too many; ERR_NOMEM: no memory");

  close @3 (member :UInt64) -> ()
      $tag(0x0703) $replay(any) $errors("ERR_NOENT: no such member");

  event @4 (member :UInt64)
      -> (kind :UInt32 $doc("CHANNELS_EVENT_*"), trust :UInt32 $half,
          lane :UInt64, peer :UInt64, groups :UInt64,
          bits :UInt64 $doc("for the bell"),
          memory :Capability, bell :Capability)
      $tag(0x0704) $replay(never)
      $errors("ERR_NOENT: no such member");
  # What the member was not told yet, each once.

  pool @5 (member :UInt64, lane :UInt64) -> (pool :Capability)
      $tag(0x0705) $replay(any)
      $errors("ERR_NOENT: no such lane, or its sender has no pool");
  # Of the sender of a lane that comes in; read only.

  drop @6 (member :UInt64, lane :UInt64) -> ()
      $tag(0x0706) $replay(any) $errors("ERR_NOENT: no such lane");
  # The member does not use the lane any more.

  mint @7 (rights :UInt32, trust :UInt32 $half,
           name :Text $inWords(48) $word(2))
      -> (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64)
      $tag(0x0707) $replay(any)
      $errors("ERR_NOENT: no such channel; ERR_RIGHT: more than the session may have");
  # A token (lib/token/token.h), as four words.

  derive @8 (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64,
             rights :UInt32, trust :UInt32 $half, holder :UInt32)
      -> (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64)
      $tag(0x0708) $replay(any)
      $errors("ERR_RIGHT: more than the parent, or it may not grant; ERR_ARG: out of range");

  revoke @9 (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64)
      -> (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64)
      $tag(0x0709) $replay(never)
      $errors("ERR_RIGHT: not the owner; ERR_NOENT: the channel is gone");
  # All tokens of the channel; members of the session go on with new ones.

  rights @10 (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64,
              member :UInt64) -> (rights :UInt32)
      $tag(0x070a) $replay(any) $errors("ERR_NOENT: no such member");
  # What a token allows now: TOKEN_* or 0.

  depend @11 (parent :UInt64, child :UInt64) -> ()
      $tag(0x070b) $replay(never)
      $errors("ERR_STATE: somebody could wait in a circle; ERR_ARG: not a receiver and a sender; ERR_NOENT: no such member; ERR_FULL: too many edges");
  # Whoever handles a message of the parent may wait for an answer of the child.

  list @12 (after :UInt64 $doc("number of a channel, 0: from the first"))
      -> (listed :Data $max(88))
      $tag(0x070c) $replay(any) $errors("ERR_EMPTY: there is no more");

  watch @13 (after :UInt64 $doc("number of a member, 0: from the first"))
      -> (member :UInt64, statistics :Capability)
      $tag(0x070d) $trust(0xe) $replay(any)
      $errors("ERR_EMPTY: there is no more");
  # Statistics pages (lib/channel/statistics.h), read only.

  resume @14 (object :UInt64, access :UInt64, nonce :UInt64, tag :UInt64,
              member :UInt64)
      -> (joined :Data $max(112), statistics :Capability, pool :Capability)
      $tag(0x070e) $replay(any)
      $errors("ERR_NOENT: no such member; ERR_RIGHT: not a kept one of this place, or another token; ERR_ARG: other bits than before; ERR_LIMIT: too many; ERR_NOMEM: no memory");
  # A kept member goes on in this session. All its lanes are events again.

  enter @15 (member :UInt64) -> ()
      $tag(0x070f) $replay(any)
      $errors("ERR_NOENT: no such member; ERR_LIMIT: too many; ERR_NOMEM: no memory");
  # A kept member has its lanes from here on, and outlives its session.
}
