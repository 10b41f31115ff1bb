# SPDX-License-Identifier: MIT
"""gdb commands for Linux programs in the guest.

    bennu crash     runs until a program dies of a fault or abort, and shows
                    its stack as if gdb had been there all the time

The libOS calls crash_report() then, with the registers of the program. They
are put in place of its own, so that all commands of gdb (up, print, info
locals) see the program. It cannot go on after that.
"""

import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from mkarchive import host_file  # noqa: E402

REGISTERS = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9",
             "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags", "rsp")
PATH_MAX = 4096
PAGE_SIZE = 4096


def read_u64(address):
    data = gdb.selected_inferior().read_memory(address, 8)
    return int.from_bytes(bytes(data), "little")


def read_string(address):
    """Page by page: what lies behind the end may not be there."""
    text = b""
    while b"\0" not in text and len(text) < PATH_MAX:
        length = PAGE_SIZE - (address + len(text)) % PAGE_SIZE
        text += bytes(gdb.selected_inferior().read_memory(
            address + len(text), length))
    return text.split(b"\0", 1)[0].decode("utf-8", "replace")


def symbol(name):
    return int(gdb.parse_and_eval(f"(unsigned long)&'{name}'"))


def load_libos():
    folder = gdb.parameter("bennu-images") or ""
    path = os.path.join(folder, "libos.elf")
    if not os.path.exists(path):
        raise gdb.GdbError(f"{path}: no such file; build first")
    gdb.execute(f"add-symbol-file {path}", to_string=True)


def load_program(path, bias):
    found = host_file(path, gdb.parameter("bennu-root") or None)
    if found is None:
        print(f"{path}: its file is not known here, so there are no symbols")
        return
    gdb.execute(f"add-symbol-file {found} -o {bias:#x}", to_string=True)


def take_registers(frame):
    """From a struct user_frame of the guest."""
    values = [read_u64(frame + 8 * i) for i in range(len(REGISTERS))]
    for name, value in zip(REGISTERS, values):
        register = "eflags" if name == "rflags" else name
        gdb.execute(f"set ${register} = {value:#x}")


class Crash(gdb.Command):
    """Runs until a Linux program dies of a fault, and shows its stack."""

    def __init__(self):
        super().__init__("bennu crash", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        load_libos()
        entry = symbol("crash_report")
        stop = gdb.Breakpoint(f"*{entry:#x}", gdb.BP_HARDWARE_BREAKPOINT)
        try:
            gdb.execute("continue", to_string=True)
            if int(gdb.parse_and_eval("$rip")) != entry:
                raise gdb.GdbError("stopped before a program died")
        finally:
            stop.delete()
        self.show()

    @staticmethod
    def show():
        frame = int(gdb.parse_and_eval("$rdi"))
        number = read_u64(int(gdb.parse_and_eval("$rsi"))) & 0xffffffff
        path = read_string(symbol("process_path"))
        load_program(path, read_u64(symbol("crash_load_bias")))
        take_registers(frame)
        gdb.execute("maintenance flush register-cache", to_string=True)
        print(f"{path} dies of signal {number}")
        gdb.execute("backtrace")
        # The line itself; "list" then begins there, not in the libOS.
        lines = gdb.execute("frame 0", to_string=True).splitlines()
        print("\n".join(lines[1:]))


gdb.Parameter("bennu-root", gdb.COMMAND_DATA, gdb.PARAM_STRING)
Crash()
