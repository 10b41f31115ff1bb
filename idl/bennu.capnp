# SPDX-License-Identifier: MIT
#
# Annotations of our interfaces, for capnpc-bennu (docs/design/interfaces.md).
# The generator knows them by their numbers.
@0xbe44000000000000;

# What a service says about an interface.

annotation place @0xbe44000000000001 (interface) :Text;
# The place that provides it; tools/check_call_order.py knows who may call whom.

annotation numbers @0xbe44000000000002 (interface) :Numbers;
# Which numbers its errors are.

enum Numbers @0xbe44000000000003 {
  posix @0;     # E_* of idl/errno.h
  status @1;    # ERR_* of abi/status.h
}

annotation prefix @0xbe44000000000004 (file, interface, struct, enum) :Text;
# What names in C begin with, instead of the name of the declaration. Of a file:
# what the names of its ordinary structs and enums begin with.

# Of a method; tag, errors and replay must be there.

annotation tag @0xbe44000000000010 (method) :UInt16;
# Word 0 of the request. Stays with the method for ever.

annotation trust @0xbe44000000000011 (method) :UInt8;
# Least trust level of the capability it is called through; 0 if not said.

annotation errors @0xbe44000000000012 (method) :Text;
# "E_IO: why; E_NXIO: why". "" if it has no errors of its own.

annotation replay @0xbe44000000000013 (method) :Replay;
# What a caller that dies and does not know the answer may do.

enum Replay @0xbe44000000000014 {
  any @0;       # call again: twice is as good as once
  keyed @1;     # call again with the same number
  never @2;     # not call again
}

annotation parks @0xbe44000000000015 (method) :Void;
# The server may keep the call and answer it later.

# Of parameters and results.

annotation max @0xbe44000000000020 (param, field) :UInt64;
# Of text and data: bytes. Of a number: the greatest. More is refused.

annotation clamp @0xbe44000000000021 (param, field) :Void;
# Of more bytes than the maximum, only so many are taken, and none refused.

annotation refuse @0xbe44000000000022 (param, field) :Text;
# The error for more than the maximum, instead of E_INVAL or ERR_ARG.

annotation half @0xbe44000000000023 (param, field) :Void;
# Shares the word of the one before it: upper 32 bits.

annotation shift @0xbe44000000000024 (param, field) :UInt8;
# Shares the word of the one before it, from this bit on.

annotation word @0xbe44000000000025 (param, field) :UInt8;
# Travels in this word (1 to 7), and the next ones behind it.

annotation short @0xbe44000000000026 (param, field) :Void;
# A text that may travel in words 3 to 6, see WIRE_SHORT.

annotation inWords @0xbe44000000000027 (param, field) :UInt8;
# A text of fewer than so many bytes, in words, padded with NUL.

annotation lengthOf @0xbe44000000000028 (param, field) :Text;
# This word is the length of the window of that parameter or result.

annotation into @0xbe44000000000029 (param, field) :Text;
# A result that is written over that parameter, in the same window.

annotation optional @0xbe4400000000002a (param, field) :Void;
# A capability or window that need not come along.

annotation type @0xbe4400000000002b (param, field) :Text;
# Its type in C, for numbers that have one of their own (cap_t, status_t).

annotation doc @0xbe4400000000002c (param, field) :Text;
# What it means; the compiler keeps no comments of parameters.

# Of structs that are the same bytes here and in C.

annotation layout @0xbe44000000000030 (struct) :Layout;

enum Layout @0xbe44000000000031 {
  capnp @0;
  fixed @1;     # a C struct; travels in a window
}

annotation count @0xbe44000000000032 (field) :UInt32;
# Elements of a list, bytes of a text, in a fixed struct. 0: as many as follow.

annotation size @0xbe44000000000033 (struct) :UInt32;
# Bytes of a fixed struct, checked.

annotation hex @0xbe44000000000034 (const) :Void;
# Written in hexadecimal.
