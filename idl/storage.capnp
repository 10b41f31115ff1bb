# SPDX-License-Identifier: MIT
@0xbe44000000003001;
# Protocol of `storage`: files by capability.
#
# Every open file description is an event pair; the client holds end A and
# calls through it, the badge names the description. fork copies the
# capability, so both share the position; close deletes it. A directory opened
# this way is the base of relative paths. Paths carry no NUL; an absolute path
# or an absolute link starts at the root of the attachment.
#
# proc serves a part of it for /proc (services/proc/files.c).

using import "bennu.capnp".clamp;
using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".half;
using import "bennu.capnp".hex;
using import "bennu.capnp".layout;
using import "bennu.capnp".count;
using import "bennu.capnp".lengthOf;
using import "bennu.capnp".max;
using import "bennu.capnp".optional;
using import "bennu.capnp".parks;
using import "bennu.capnp".place;
using import "bennu.capnp".prefix;
using import "bennu.capnp".refuse;
using import "bennu.capnp".replay;
using import "bennu.capnp".short;
using import "bennu.capnp".size;
using import "bennu.capnp".tag;
using import "bennu.capnp".trust;

# Flags of OPEN.
const openRead :UInt32 = 0x001 $hex;
const openWrite :UInt32 = 0x002 $hex;
const openCreate :UInt32 = 0x004 $hex;
const openExclusive :UInt32 = 0x008 $hex;
const openTruncate :UInt32 = 0x010 $hex;
const openAppend :UInt32 = 0x020 $hex;
const openDirectory :UInt32 = 0x040 $hex;   # fail unless a directory
const openNofollow :UInt32 = 0x080 $hex;
const openPath :UInt32 = 0x100 $hex;        # no reading or writing
const openExecute :UInt32 = 0x200 $hex;     # fail unless the user may execute it

const atNofollow :UInt32 = 0x1 $hex;        # act on the link itself
const atHandle :UInt32 = 0x2 $hex;          # path may be empty: the handle itself
const atReal :UInt32 = 0x4 $hex;            # of ACCESS_AT: for the real ids

const renameNoreplace :UInt32 = 0x1 $hex;
const renameExchange :UInt32 = 0x2 $hex;

const fifoCounts :UInt32 = 2048;            # offset of StorageFifoCounts
const fifoSize :UInt32 = 69632;             # bytes of the memory of a named pipe

# Types and flags of LOCK.
const lockRead :UInt32 = 0;
const lockWrite :UInt32 = 1;
const lockUnlock :UInt32 = 2;
const lockWhole :UInt32 = 0x1 $hex;         # as flock, apart from records
const lockWait :UInt32 = 0x2 $hex;

const timeNow :UInt64 = 0xffffffffffffffff $hex;
const timeOmit :UInt64 = 0xfffffffffffffffe $hex;

# Kinds, as in the file type bits of a mode: kind << 12.
const kindFifo :UInt32 = 1;
const kindCharacter :UInt32 = 2;
const kindDirectory :UInt32 = 4;
const kindBlock :UInt32 = 6;
const kindRegular :UInt32 = 8;
const kindSymlink :UInt32 = 10;
const kindSocket :UInt32 = 12;

struct StorageStatfs $layout(fixed) $size(32) {
  blocks @0 :UInt64;        # of 4096 bytes
  blocksFree @1 :UInt64;
  files @2 :UInt64;
  filesFree @3 :UInt64;
}

struct StorageSubject $layout(fixed) $size(32) {
  uid @0 :UInt32;           # that count for files
  gid @1 :UInt32;
  realUid @2 :UInt32;       # for ACCESS_AT with AT_REAL
  realGid @3 :UInt32;
  privileges @4 :UInt64;    # PRIVILEGE_BIT of idl/privilege.h
  realPrivileges @5 :UInt64;
}

struct StorageName $layout(fixed) $size(16) {
  # A description as the kernel tells it of a capability.
  badge @0 :UInt64;
  object @1 :UInt64;
}

struct StorageEntry $layout(fixed) $size(24) {
  # READDIR packs these, each 8-byte aligned; layout of getdents64.
  inode @0 :UInt64;
  next @1 :UInt64;          # position after this entry
  length @2 :UInt16;        # of this record
  kind @3 :UInt8;           # KIND_*
  name @4 :Text $count(0);  # NUL terminated
}

struct StorageFifoCounts $layout(fixed) $size(16) {
  # In the memory of a named pipe, at FIFO_COUNTS.
  readers @0 :UInt32;
  writers @1 :UInt32;
  readerOpenings @2 :UInt32;    # so far
  writerOpenings @3 :UInt32;
}

interface Storage @0xbe44000000003002 $place("storage") {
  const pathMax :UInt32 = 4096;             # with its NUL
  const nameMax :UInt32 = 255;
  const linksMax :UInt32 = 40;              # symbolic links in one resolution
  const transferMax :UInt64 = 16777216;     # bytes of one READ or WRITE; of more, these are done
  const groupsMax :UInt32 = 1024;           # of one subject
  const groupsBytes :UInt32 = 4096;
  const renounceBytes :UInt32 = 1024;       # of 64 StorageNames
  const listingMax :UInt32 = 32768;         # bytes of one READDIR
  const atPosition :UInt64 = 0xffffffffffffffff $hex;
  # Offset of READ and WRITE: use and move the position of the description.

  # Watches: a memory object of 64-bit words. That of a file changes before
  # anything of the file does but its bytes: size, owners, times. While it shows
  # the version that came with a size, the size is right, and a read of the
  # memory object needs no request (docs/design/storage.md). 0: no watch is
  # free, or the next READ has something to note.
  const watches :UInt32 = 4096;

  open @0 (flags :UInt32 $doc("OPEN_*"), mode :UInt32,
           path :Text $max(4095) $refuse("E_NAMETOOLONG") $short)
      -> (kind :UInt32 $doc("KIND_*"), device :UInt64, size :UInt64,
          inode :UInt64, file :Capability)
      $tag(0x0001) $replay(never)
      $errors("E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_NAMETOOLONG: of the path; E_ACCES: the user may not; E_EXIST: with OPEN_EXCLUSIVE; E_ISDIR: a directory to write; E_NFILE: no room; E_NOSPC: no room; E_REMOTE: the path leads out of /proc");

  read @1 (offset :UInt64) -> (data :Data $max(.Storage.transferMax),
           size :UInt64, version :UInt64 $doc("of the file's watch, 0 = none"))
      $tag(0x0003) $replay(never)
      $errors("E_BADF: not open for reading; E_ISDIR: a directory; E_FAULT: the window cannot be written");

  write @2 (offset :UInt64, data :Data $max(.Storage.transferMax) $clamp)
      -> (done :UInt64, position :UInt64 $doc("after"))
      $tag(0x0004) $replay(never)
      $errors("E_BADF: not open for writing; E_FBIG: too large; E_NOSPC: no room; E_FAULT: the window cannot be read");

  seek @3 (offset :Int64, whence :UInt32 $doc("0 set, 1 current, 2 end"))
      -> (position :UInt64)
      $tag(0x0005) $replay(never)
      $errors("E_INVAL: before the beginning, or no such whence; E_OVERFLOW: too far");

  statAt @4 (flags :UInt32 $doc("AT_*"),
             path :Text $max(4095) $refuse("E_NAMETOOLONG") $short)
      -> (inode :UInt64, mode :UInt32 $doc("kind << 12 | permission bits"),
          links :UInt32 $half, uid :UInt32, gid :UInt32 $half,
          sizeOrDevice :UInt64 $doc("the device of a device node"),
          atimeNs :UInt64 $doc("since 1970"), mtimeNs :UInt64, ctimeNs :UInt64)
      $tag(0x0007) $replay(any)
      $errors("E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_NAMETOOLONG: of the path; E_ACCES: of the path; E_REMOTE: the path leads out of /proc");

  readdir @5 () -> (entries :Data $max(.Storage.listingMax) $doc("packed StorageEntry; 0: the end"))
      $tag(0x0008) $replay(never)
      $errors("E_NOTDIR: no directory; E_INVAL: no room for one entry; E_FAULT: the window cannot be written");

  mkdirAt @6 (mode :UInt32, path :Text $max(4095) $refuse("E_NAMETOOLONG") $short) -> ()
      $tag(0x0009) $replay(never)
      $errors("E_EXIST: the name is there; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path; E_NOSPC: no room");

  unlinkAt @7 (directory :Bool, path :Text $max(4095) $refuse("E_NAMETOOLONG") $short) -> ()
      $tag(0x000a) $replay(never)
      $errors("E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path; E_ISDIR: the other kind; E_NOTDIR: the other kind; E_NOTEMPTY: not now; E_BUSY: not now");

  renameAt @8 (flags :UInt32 $doc("RENAME_*"),
               old :Text $max(4095) $refuse("E_NAMETOOLONG"),
               new :Text $max(4095) $refuse("E_NAMETOOLONG"),
               newBase :Capability $optional $doc("a directory; else that of the call")) -> ()
      $tag(0x000b) $replay(never)
      $errors("E_NOENT: of a path; E_NOTDIR: of a path; E_LOOP: of a path; E_ACCES: of a path; E_BADF: no directory of this server; E_EXIST: it cannot go there; E_NOTEMPTY: it cannot go there; E_ISDIR: it cannot go there; E_INVAL: it cannot go there");

  linkAt @9 (flags :UInt32 $doc("AT_*"),
             old :Text $max(4095) $refuse("E_NAMETOOLONG"),
             new :Text $max(4095) $refuse("E_NAMETOOLONG"),
             newBase :Capability $optional $doc("a directory; else that of the call")) -> ()
      $tag(0x000c) $replay(never)
      $errors("E_NOENT: of a path; E_NOTDIR: of a path; E_LOOP: of a path; E_ACCES: of a path; E_BADF: no directory of this server; E_EXIST: the name is there; E_PERM: a directory; E_MLINK: too many");

  symlinkAt @10 (target :Text $max(4095) $refuse("E_NAMETOOLONG"),
                 path :Text $max(4095) $refuse("E_NAMETOOLONG")) -> ()
      $tag(0x000d) $replay(never)
      $errors("E_EXIST: the name is there; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path; E_NOSPC: no room");

  readlinkAt @11 (path :Text $max(4095) $refuse("E_NAMETOOLONG"))
      -> (target :Data $max(.Storage.pathMax) $doc("cut if there is no room"))
      $tag(0x000e) $replay(any)
      $errors("E_INVAL: no link; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path; E_REMOTE: the path leads out of /proc");

  chmodAt @12 (mode :UInt32, flags :UInt32 $doc("AT_*"),
               path :Text $max(4095) $refuse("E_NAMETOOLONG") $short) -> ()
      $tag(0x000f) $replay(any)
      $errors("E_PERM: not the owner; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path");

  chownAt @13 (uid :UInt32, gid :UInt32 $half, flags :UInt32 $doc("AT_*"),
               path :Text $max(4095) $refuse("E_NAMETOOLONG") $short) -> ()
      $tag(0x0010) $replay(any)
      $errors("E_PERM: the user may not; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path");

  utimensAt @14 (atimeNs :UInt64 $doc("or TIME_NOW, TIME_OMIT"), mtimeNs :UInt64,
                 flags :UInt32 $doc("AT_*"),
                 path :Text $max(4095) $refuse("E_NAMETOOLONG")) -> ()
      $tag(0x0011) $replay(any)
      $errors("E_PERM: the user may not; E_ACCES: the user may not; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path");

  truncate @15 (size :UInt64) -> ()
      $tag(0x0012) $replay(any)
      $errors("E_BADF: not open for writing, or no file; E_INVAL: not open for writing, or no file; E_FBIG: too large; E_NOSPC: no room");

  sync @16 () -> ()
      $tag(0x0013) $replay(any) $errors("");

  map @17 () -> (size :UInt64, memory :Capability $doc("to read and execute"))
      $tag(0x0014) $replay(any)
      $errors("E_ACCES: not open for reading; E_BADF: not open for reading; E_NODEV: no regular file; E_NOMEM: no room");

  mknodAt @18 (mode :UInt32, device :UInt64,
               path :Text $max(4095) $refuse("E_NAMETOOLONG") $short) -> ()
      $tag(0x0015) $replay(never)
      $errors("E_EXIST: the name is there; E_PERM: no such kind; E_INVAL: no such kind; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_ACCES: of the path; E_NOSPC: no room");

  accessAt @19 (mode :UInt32 $doc("4 read, 2 write, 1 execute"),
                flags :UInt32 $doc("AT_*"),
                path :Text $max(4095) $refuse("E_NAMETOOLONG") $short) -> ()
      $tag(0x0016) $replay(any)
      $errors("E_ACCES: the user may not; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_REMOTE: the path leads out of /proc");

  statfs @20 () -> (status :StorageStatfs)
      $tag(0x0017) $replay(any) $errors("");

  setFlags @21 (flags :UInt32 $doc("OPEN_APPEND or 0")) -> ()
      $tag(0x0018) $replay(any) $errors("E_INVAL: another flag");

  path @22 () -> (path :Data $max(.Storage.pathMax) $doc("of the open directory or file"))
      $tag(0x0019) $replay(any)
      $errors("E_RANGE: no room; E_NOENT: it has no name any more");

  window @23 () -> (size :UInt64, watch :UInt32, version :UInt64,
           memory :Capability $doc("to read"),
           watches :Capability $doc("to read"))
      $tag(0x001a) $replay(any)
      $errors("E_BADF: not open for reading; E_NODEV: no regular file; E_NOMEM: no room");

  retire @24 () -> ()
      $tag(0x001b) $replay(any)
      $errors("E_BADF: it cannot be");
  # Closes, keeps the handle: now one of the base it was opened from, as with
  # OPEN_PATH.

  reopen @25 (flags :UInt32 $doc("OPEN_*"), mode :UInt32,
              path :Text $max(4095) $refuse("E_NAMETOOLONG") $short)
      -> (kind :UInt32 $doc("KIND_*"), device :UInt64, size :UInt64,
          inode :UInt64)
      $tag(0x001c) $replay(never)
      $errors("E_STALE: not retired; E_NOENT: and the others of OPEN");
  # As OPEN, into the retired handle itself.

  describe @26 (badge :UInt64, object :UInt64)
      -> (path :Data $max(.Storage.pathMax))
      $tag(0x001d) $trust(0xe) $replay(any)
      $errors("E_STALE: no such description; E_RANGE: no room; E_NOENT: it has no name any more");
  # The path of a description, by its badge and the kernel's object number.

  lock @28 (type :UInt32 $doc("LOCK_READ, LOCK_WRITE, LOCK_UNLOCK"),
            flags :UInt32 $half $doc("LOCK_WHOLE, LOCK_WAIT"),
            pid :UInt32 $doc("told to who asks; 0 without an owner"),
            first :UInt64, last :UInt64,
            owner :Capability $optional $doc("a description; else that of the call"))
      -> (granted :Bool $doc("false: somebody is in the way"))
      $tag(0x001e) $replay(never) $parks
      $errors("E_BADF: not open for that; E_INVAL: no such range or type; E_DEADLK: it would wait for ever; E_NOLCK: too many; E_INTR: the wait was given up");
  # Bytes first to last of the file, for the owner; over its own locks there.
  # They end with their owner.

  lockTest @29 (type :UInt32, flags :UInt32 $half $doc("LOCK_WHOLE"),
                first :UInt64, last :UInt64, owner :Capability $optional)
      -> (type :UInt32 $doc("LOCK_UNLOCK: nobody is in the way"),
          pid :UInt32 $half, first :UInt64, last :UInt64)
      $tag(0x001f) $replay(any)
      $errors("E_BADF: not open; E_INVAL: no such range or type");

  fifo @30 (nowait :Bool $doc("a writer without readers is refused"))
       -> (readers :UInt32, writers :UInt32 $half,
           readerOpenings :UInt32, writerOpenings :UInt32 $half,
           memory :Capability,
           moved :Capability $doc("notification: readers and writers wait"))
      $tag(0x0021) $replay(any)
      $errors("E_BADF: not open; E_INVAL: no named pipe; E_NXIO: nobody reads; E_NOSPC: no room");
  # Joins its readers, writers or both until it is closed, and tells how many. The memory tells how
  # many there are; the notification moves whenever that changes.

  attach @27 (who :StorageSubject, groups :Data $max(.Storage.groupsBytes) $optional)
      -> (root :Capability)
      $tag(0x0020) $trust(0xe) $replay(never)
      $errors("E_NFILE: no room; E_NOSPC: no room; E_INVAL: too many groups, or they do not ascend");
  # The root directory as that subject sees it. Groups are UInt32s.

  renounce @31 () -> ()
      $tag(0x0070) $replay(any) $errors("E_PERM: it came from ATTACH");
  # From now on this description has no subject, whoever holds it: it reads
  # and writes as it was opened, but paths below it and changes of attributes
  # are E_KEYREVOKED. The answer to that is ADOPT (docs/design/credentials.md).

  adopt @32 (place :Capability $doc("a description")) -> (file :Capability)
      $tag(0x0071) $replay(never)
      $errors("E_BADF: none of this server; E_NFILE: no room; E_NOSPC: no room; E_KEYREVOKED: this one was renounced itself");
  # What place is of, opened with OPEN_PATH for the own subject.

  renounceAll @33 (descriptions :Data $max(.Storage.renounceBytes))
      -> (changed :UInt64 $doc("how many"),
          attached :UInt64 $doc("bit n: entry n came from ATTACH, and stays"))
      $tag(0x0072) $trust(0xe) $replay(any)
      $errors("E_INVAL: no whole entries; E_NOSPC: no room");
  # RENOUNCE of all that these StorageNames name; others are left out.
}
