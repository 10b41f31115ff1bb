# SPDX-License-Identifier: MIT
#
# What benchmark-ipc asks of the remote calls of Cap'n Proto.
@0xb7d3a1c5e94f2086;

interface Bench {
  echo @0 (message :Data) -> (message :Data);
  push @1 (message :Data) -> stream;
  flush @2 () -> ();
}
