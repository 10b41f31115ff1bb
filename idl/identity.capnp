# SPDX-License-Identifier: MIT
@0xbe4400000000b001;
# Who a process is: ids, groups, privileges. Requests to `proc`, through the
# session of a process; a pid of 0 is the caller. The rules are those of Linux
# (lib/proc/identity.h); the numbers of privileges are in idl/privilege.h.

using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".half;
using import "bennu.capnp".hex;
using import "bennu.capnp".max;
using import "bennu.capnp".optional;
using import "bennu.capnp".place;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;

# How SET_IDS changes ids.
const idsOne :UInt32 = 0;             # setuid
const idsTwo :UInt32 = 1;             # setreuid: real, effective
const idsThree :UInt32 = 2;           # setresuid: real, effective, saved
const idsFiles :UInt32 = 3;           # setfsuid; never fails
const idsGroup :UInt32 = 0x10 $hex;   # the same for groups

# Of CONTROL, and its argument.
const privilegeBoundingRead :UInt32 = 0;   # a privilege -> 0 or 1
const privilegeBoundingDrop :UInt32 = 1;   # a privilege
const privilegeAmbientRead :UInt32 = 2;    # a privilege -> 0 or 1
const privilegeAmbientRaise :UInt32 = 3;   # a privilege
const privilegeAmbientLower :UInt32 = 4;   # a privilege
const privilegeAmbientClear :UInt32 = 5;
const privilegeSecureSet :UInt32 = 6;      # all securebits
const privilegeKeep :UInt32 = 7;           # 0 or 1
const privilegeNoNew :UInt32 = 8;
const privilegeDumpable :UInt32 = 9;       # 0 or 1

interface Identity @0xbe4400000000b002 $place("proc") {
  const groupsMax :UInt32 = 1024;     # of one process
  const groupsBytes :UInt32 = 4096;
  const hostNameMax :UInt32 = 64;
  const hostNamesBytes :UInt32 = 130;

  setIds @0 (how :UInt32 $doc("IDS_*"), real :UInt32 $doc("or the only one"),
             effective :UInt32, saved :UInt32)
      -> (before :UInt32 $doc("IDS_FILES: the id that counted for files"))
      $tag(0x0370) $replay(never)
      $errors("E_PERM: not allowed; E_INVAL: no such way, or no id; E_AGAIN: storage has no room for one more subject; E_NOMEM: no memory");

  setGroups @1 (groups :Data $max(.Identity.groupsBytes) $optional) -> ()
      $tag(0x0371) $replay(never)
      $errors("E_PERM: not allowed; E_INVAL: no whole ids; E_AGAIN: storage has no room for one more subject; E_NOMEM: no memory");
  # UInt32s in any order.

  getGroups @2 () -> (groups :Data $max(.Identity.groupsBytes) $doc("ascending; cut if there is no room"),
             count :UInt32)
      $tag(0x0372) $replay(any) $errors("");

  privileges @3 (pid :Int32)
      -> (effective :UInt64, permitted :UInt64, inheritable :UInt64,
          bounding :UInt64, ambient :UInt64, secure :UInt32 $doc("securebits"),
          noNew :UInt32 $half, dumpable :UInt32)
      $tag(0x0373) $replay(any) $errors("E_SRCH: there is none");

  setPrivileges @4 (effective :UInt64, permitted :UInt64, inheritable :UInt64)
      -> ()
      $tag(0x0374) $replay(never)
      $errors("E_PERM: not allowed; E_AGAIN: storage has no room for one more subject; E_NOMEM: no memory");

  control @5 (what :UInt32 $doc("PRIVILEGE_*"), argument :UInt64)
      -> (value :UInt64)
      $tag(0x0375) $replay(never)
      $errors("E_PERM: not allowed; E_INVAL: no such privilege or value; E_NOMEM: no memory");

  setHostName @6 (domain :Bool, name :Data $max(.Identity.hostNameMax) $optional)
      -> ()
      $tag(0x0376) $replay(any)
      $errors("E_PERM: the caller does not administer the machine; E_INVAL: too long; E_NOMEM: no memory");
  # What uname tells as the name of the machine, or of its domain.

  hostNames @7 () -> (names :Data $max(.Identity.hostNamesBytes))
      $tag(0x0377) $replay(any) $errors("E_INVAL: no room");
  # Both, each with zeros up to 65 bytes.
}
