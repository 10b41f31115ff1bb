# SPDX-License-Identifier: MIT
@0xbe44000000005001;
# Protocol of `proc`: processes, their relations, signals.
#
# A process calls through end A of its event pair (idl/process.h); the badge
# names it. In requests a pid of 0 is the caller. Through the same session it
# sends requests of storage, with paths relative to /proc (OPEN, STAT_AT,
# READLINK_AT, ACCESS_AT, and what would change something), and those of
# Terminals.

using import "bennu.capnp".clamp;
using import "bennu.capnp".doc;
using import "bennu.capnp".errors;
using import "bennu.capnp".half;
using import "bennu.capnp".hex;
using import "bennu.capnp".into;
using import "bennu.capnp".lengthOf;
using import "bennu.capnp".max;
using import "bennu.capnp".optional;
using import "bennu.capnp".parks;
using import "bennu.capnp".place;
using import "bennu.capnp".refuse;
using import "bennu.capnp".replay;
using import "bennu.capnp".tag;

const namesMax :UInt32 = 1024;    # bytes of EXEC_DONE

# Resources of LIMIT.
const limitCpu :UInt32 = 0;
const limitFileSize :UInt32 = 1;
const limitData :UInt32 = 2;
const limitStack :UInt32 = 3;
const limitCore :UInt32 = 4;
const limitProcesses :UInt32 = 6;
const limitFiles :UInt32 = 7;
const limitSpace :UInt32 = 9;
const limitSignals :UInt32 = 11;
const limitNice :UInt32 = 13;
const limitPriority :UInt32 = 14;
const limitCount :UInt32 = 16;
const limitNone :UInt64 = 0xffffffffffffffff $hex;
const limitFilesMax :UInt32 = 1024;   # as many numbers as a libOS has

const ignoreNoZombies :UInt32 = 0x1 $hex;   # children need no wait
const ignoreNoStops :UInt32 = 0x2 $hex;     # no SIGCHLD when they stop or go on

const forkVfork :UInt32 = 0x1 $hex;   # answer when the child execs or ends

const forkSpawn :UInt32 = 0x2 $hex;   # no memory but the libOS's; see FORK

# Whose nice value.
const niceProcess :UInt32 = 0;
const niceGroup :UInt32 = 1;
const niceUser :UInt32 = 2;
const niceMin :Int32 = -20;
const niceMax :Int32 = 19;

const waitOptionNohang :UInt32 = 0x1 $hex;
const waitOptionUntraced :UInt32 = 0x2 $hex;
const waitOptionContinued :UInt32 = 0x8 $hex;
const waitOptionNowait :UInt32 = 0x1000000 $hex;
const waitOptionNotExited :UInt32 = 0x2000000 $hex;   # ended ones do not count

# States of GET.
const processRunning :UInt32 = 1;
const processStopped :UInt32 = 2;
const processZombie :UInt32 = 3;

interface Proc @0xbe44000000005002 $place("proc") {
  fork @0 (rip :UInt64, rsp :UInt64, rdi :UInt64, flags :UInt32 $doc("FORK_*"))
      -> (pid :UInt32)
      $tag(0x0300) $replay(never) $parks
      $errors("E_AGAIN: too many processes, or no memory for one more; E_NOMEM: no memory; E_IO: it cannot be made");
  # The child runs in a clone, from those registers on. With FORK_SPAWN it has
  # the libOS's memory only; the answer waits as with FORK_VFORK, is the error of
  # SPAWN_FAILED if that comes, and is not given up for a signal.

  exit @1 (status :UInt32 $doc("of wait")) -> ()
      $tag(0x0301) $replay(any) $parks $errors("E_NOMEM: no memory");
  # Never answered.

  wait @2 (selector :Int64 $doc("pid; -1 all; 0 own group; -pgid"),
           options :UInt32 $doc("WAIT_OPTION_*"))
      -> (pid :UInt32 $doc("0: none"), status :UInt32, uid :UInt32 $half,
          spentNs :UInt64 $doc("CPU time"))
      $tag(0x0302) $replay(never) $parks
      $errors("E_CHILD: none is selected; E_SRCH: no such selector; E_INVAL: no such option; E_INTR: the caller asked to stop");

  kill @3 (selector :Int64 $doc("as of wait; -1 all but the caller"),
           signal :UInt32 $doc("0 probes"), code :Int32 $doc("0 or SI_TKILL"))
      -> ()
      $tag(0x0303) $replay(never)
      $errors("E_SRCH: nobody is selected; E_PERM: not allowed; E_INVAL: no such signal or code; E_AGAIN: the queue is full");

  signalFetch @4 (blocked :UInt64)
      -> (signal :UInt32 $doc("0: none"), code :Int32, pid :UInt32,
          uid :UInt32, value :UInt64, left :UInt64 $doc("set of what is pending"))
      $tag(0x0304) $replay(never) $errors("E_NOMEM: no memory");

  signalPending @5 () -> (pending :UInt64)
      $tag(0x0305) $replay(any) $errors("");

  signalIgnore @6 (set :UInt64, flags :UInt32 $doc("IGNORE_*")) -> ()
      $tag(0x0306) $replay(any) $errors("E_NOMEM: no memory");

  setpgid @7 (pid :Int32, pgid :Int32 $doc("0: the pid")) -> ()
      $tag(0x0307) $replay(any)
      $errors("E_SRCH: neither the caller nor a child; E_PERM: it leads a session, or the group is of another; E_INVAL: a negative group; E_ACCES: the child has called exec; E_NOMEM: no memory");

  setsid @8 () -> (sid :UInt32)
      $tag(0x0308) $replay(never)
      $errors("E_PERM: the caller leads a group; E_NOMEM: no memory");

  get @9 (pid :Int32)
      -> (pid :UInt32, ppid :UInt32, pgid :UInt32, sid :UInt32,
          state :UInt32 $doc("PROCESS_*"))
      $tag(0x0309) $replay(any) $errors("E_SRCH: there is none");

  execDone @10 (length :UInt64 $lengthOf("names"),
                names :Data $max(.namesMax) $clamp $optional) -> ()
      $tag(0x030a) $replay(any) $errors("E_NOMEM: no memory");
  # Releases the parent of a vfork. Name, path and arguments, each with a NUL,
  # cut at NAMES_MAX; what makes no sense is left out.

  signalWait @11 (blocked :UInt64) -> ()
      $tag(0x030b) $replay(any) $parks
      $errors("E_INTR: an unblocked signal is pending, or the caller asked to stop");
  # Parks until then (pause, sigsuspend).

  alarm @12 (set :Bool, ns :UInt64 $doc("from now; 0 none"),
             intervalNs :UInt64 $doc("or 0"))
      -> (leftNs :UInt64 $doc("before; 0 none"), intervalNs :UInt64)
      $tag(0x030c) $replay(never) $errors("E_NOMEM: no memory");
  # Raises SIGALRM.

  nice @13 (set :Bool, kind :UInt32 $doc("NICE_*"), id :Int32 $doc("0 own"),
            value :Int32) -> (value :Int32)
      $tag(0x030d) $replay(any)
      $errors("E_INVAL: no such kind; E_SRCH: nobody is meant; E_PERM: another user's; E_ACCES: only root lowers it; E_NOMEM: no memory");

  stop @14 (signal :UInt32 $doc("a stop signal, fetched")) -> ()
      $tag(0x030e) $replay(any) $parks
      $errors("E_INVAL: no stop signal; E_INTR: the caller asked to stop: it asks again; E_NOMEM: no memory");
  # Parks until continued; answered at once if it does not stop.

  queue @15 (pid :Int32, signal :UInt32, code :Int32, value :UInt64,
             tellPid :UInt32, tellUid :UInt32 $half) -> ()
      $tag(0x030f) $replay(never)
      $errors("E_SRCH: there is none; E_PERM: not allowed, or a code of the system; E_INVAL: no such signal; E_AGAIN: the queue is full");

  times @16 () -> (childrenNs :UInt64 $doc("CPU time of those waited for"))
      $tag(0x0310) $replay(any) $errors("");

  limit @17 (pid :Int32, resource :UInt32 $doc("LIMIT_*"), set :Bool,
             soft :UInt64, hard :UInt64)
      -> (soft :UInt64 $doc("before"), hard :UInt64)
      $tag(0x0311) $replay(never)
      $errors("E_INVAL: no such resource, or soft above hard; E_SRCH: there is none; E_PERM: only root raises the hard one; E_NOMEM: no memory");

  affinity @18 (pid :Int32, set :Bool, mask :UInt64 $doc("CPUs"))
      -> (mask :UInt64 $doc("before"))
      $tag(0x0312) $replay(never)
      $errors("E_SRCH: there is none; E_PERM: another user's; E_INVAL: no CPU; E_NOMEM: no memory");

  leave @19 (length :UInt64 $lengthOf("path"), room :UInt64 $lengthOf("target"),
             path :Text $max(4095) $refuse("E_NAMETOOLONG"))
      -> (target :Data $max(4096) $into("path") $doc("where the path leads"))
      $tag(0x0340) $replay(any)
      $errors("E_ACCES: it stays in /proc, or the caller may not; E_NOENT: of the path; E_NOTDIR: of the path; E_LOOP: of the path; E_NAMETOOLONG: no room");
  # Of a path relative to /proc.

  machine @20 ()
      -> (pages :UInt64, freePages :UInt64, processes :UInt32, cpus :UInt32)
      $tag(0x0341) $replay(any) $errors("E_IO: the kernel does not say");

  spawnFailed @21 (error :UInt32 $doc("E_*, for the parent")) -> ()
      $tag(0x0342) $replay(any) $parks
      $errors("E_INVAL: not from a FORK_SPAWN, or its program runs already; E_NOMEM: no memory");
  # Not answered: the caller ends, and leaves no zombie.
}
