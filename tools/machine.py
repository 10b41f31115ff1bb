# SPDX-License-Identifier: MIT
"""The virtual machine: QEMU's command line, and its process.

COM1 carries the kernel log out, COM2 the control channel both ways. Each is a
pair of FIFOs: QEMU writes a serial line byte by byte, and a FIFO, unlike a
socket, packs single bytes densely.
"""

import ctypes
import fcntl
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile

from mkarchive import ROOT, write_parts

KERNEL = os.path.join(ROOT, "build", "guest", "bennu.elf")
DEBUG_KERNEL = os.path.join(ROOT, "build", "guest-debug", "bennu.elf")
MACHINES = ("microvm", "pc", "q35")
FIRMWARE = ("bios", "uefi")
UEFI = "/usr/share/ovmf/OVMF.fd"
# What the published figures were measured on; ERMS would change the count of
# instructions of a string copy, the others do not exist in the emulator.
BENCH_CPU = ("Haswell-v4,+fsgsbase,+pdpe1gb,+rdtscp,-erms,-pcid,-invpcid,"
             "-x2apic,-tsc-deadline,-spec-ctrl")
PR_SET_PDEATHSIG = 1
PIPE_BYTES = 1 << 20


def add_arguments(parser):
    """The options that describe a machine, shared by run, bench and debug."""
    parser.add_argument("--cpus", type=int, default=1, metavar="N")
    parser.add_argument("--memory", default="256M", metavar="SIZE",
                        help="such as 64M or 4G (default 256M)")
    parser.add_argument("--machine", choices=MACHINES,
                        help="default microvm, pc with --image")
    parser.add_argument("--cpu", default="max", metavar="MODEL",
                        help="QEMU CPU model (default max)")
    parser.add_argument("--numa", type=int, default=0, metavar="N",
                        help="N nodes with equal shares of memory and CPUs, "
                        "not on microvm")
    parser.add_argument("--icount", action="store_true",
                        help="count instructions as time: deterministic")
    parser.add_argument("--append", default="", metavar="TEXT",
                        help="kernel command line")
    parser.add_argument("--debug", action="store_true",
                        help="boot the debug kernel: addresses are checked")
    parser.set_defaults(image=None, firmware="bios", kernel=None)


def megabytes(memory):
    number = int(memory.rstrip("MG"))
    return number * 1024 if memory.endswith("G") else number


def numa_options(arguments):
    """QEMU's options for nodes: farther in number is farther away."""
    nodes, argv = getattr(arguments, "numa", 0), []
    for node in range(nodes):
        share = megabytes(arguments.memory) // nodes
        first = arguments.cpus * node // nodes
        last = arguments.cpus * (node + 1) // nodes - 1
        cpus = f",cpus={first}-{last}" if last >= first else ""
        argv += ["-object", f"memory-backend-ram,id=node{node},size={share}M",
                 "-numa", f"node,nodeid={node},memdev=node{node}{cpus}"]
    for node in range(nodes):
        for other in range(nodes):
            distance = 10 + 10 * abs(node - other)
            argv += ["-numa", f"dist,src={node},dst={other},val={distance}"]
    return argv


def add_image_arguments(parser):
    parser.add_argument("--image", metavar="FILE",
                        help="boot this disk made by ./bennu image; a name in "
                        ".qcow2 is one, any other a CD")
    parser.add_argument("--firmware", choices=FIRMWARE,
                        help="what starts the image (default bios)")


def check_arguments(parser, arguments):
    if not 1 <= arguments.cpus <= 64:
        parser.error("--cpus: 1 to 64")
    if not re.fullmatch(r"[1-9][0-9]*[MG]?", arguments.memory):
        parser.error("--memory: a number of megabytes, or with suffix M or G")
    if arguments.image is None and arguments.firmware != "bios":
        parser.error("--firmware: only with --image")
    if arguments.image is not None and arguments.machine == "microvm":
        parser.error("--machine microvm: has no firmware for an image")
    if arguments.machine is None:
        arguments.machine = "pc" if arguments.image else "microvm"
    if not 0 <= arguments.numa <= 8 or (
            arguments.numa and megabytes(arguments.memory) % arguments.numa):
        parser.error("--numa: at most 8, and a divisor of the megabytes")
    if arguments.numa and arguments.machine == "microvm":
        parser.error("--numa: microvm has no tables that tell of nodes")


def kernel_image(arguments):
    return arguments.kernel or (DEBUG_KERNEL if arguments.debug else KERNEL)


def boot_source(arguments, module):
    """QEMU's options for what is booted."""
    if not arguments.image:
        append = ["-append", arguments.append] if arguments.append else []
        return ["-kernel", kernel_image(arguments), "-initrd", module] + append
    disk = arguments.image.endswith(".qcow2")
    # A comma ends a value, and is doubled inside one. Nothing is written to
    # the file, so that its checksum stays true.
    path = arguments.image.replace(",", ",,")
    argv = ["-drive", f"if=none,id=image,file={path},"
            f"format={'qcow2' if disk else 'raw'},"
            f"{'snapshot=on' if disk else 'readonly=on'}",
            "-device", f"ide-{'hd' if disk else 'cd'},drive=image"]
    return (["-bios", UEFI] if arguments.firmware == "uefi" else []) + argv


def command_line(arguments, module, control, log):
    """QEMU's argv. `control` and `log` are the texts of two chardevs."""
    threads = "multi" if arguments.cpus > 1 and not arguments.icount \
        else "single"
    argv = [
        os.environ.get("BENNU_QEMU", "qemu-system-x86_64"),
        "-accel", f"tcg,thread={threads}",
        "-machine", arguments.machine,
        "-cpu", arguments.cpu,
        "-smp", str(arguments.cpus),
        "-m", arguments.memory,
        "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        "-chardev", log, "-device", "isa-serial,chardev=com1,index=0",
        "-chardev", control, "-device", "isa-serial,chardev=com2,index=1",
    ] + boot_source(arguments, module)
    argv += numa_options(arguments)
    if arguments.icount:
        argv += ["-icount", "shift=0,sleep=off"]
    return argv


def stored_module(module):
    """Writes the boot module where a command run by hand finds it."""
    path = os.path.join(ROOT, "build", "module.cpio")
    with open(path, "wb") as file:
        write_parts(module, file)
    return path


def printable_command(arguments, module):
    control = os.path.join(ROOT, "build", "control.socket")
    return shlex.join(command_line(
        arguments, module and stored_module(module),
        f"socket,id=com2,path={control},server=on,wait=off",
        "stdio,id=com1"))


def die_with_parent():
    """In the child: no QEMU outlives this process, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # A terminal's Ctrl-C is for this tool, which then ends QEMU.
    os.setpgid(0, 0)


class Machine:
    """A running QEMU with both lines open."""

    def __init__(self, arguments, module, extra=()):
        self.folder = tempfile.mkdtemp(prefix="bennu-")
        self.process = None
        self.messages = tempfile.TemporaryFile()
        self.log_in = self.control_in = self.control_out = -1
        self.module = os.memfd_create("boot-module")
        try:
            self.start(arguments, module, extra)
        except BaseException:
            self.close()
            raise

    def start(self, arguments, module, extra):
        with open(self.module, "wb", closefd=False) as file:
            write_parts(module or [], file)
        for line in ("com1", "com2"):
            for end in ("in", "out"):
                os.mkfifo(os.path.join(self.folder, f"{line}.{end}"))
        self.log_in = self.open_line("com1.out", os.O_RDONLY)
        self.control_in = self.open_line("com2.out", os.O_RDONLY)
        # Opened for both: there is no reader yet.
        self.control_out = self.open_line("com2.in", os.O_RDWR)
        argv = command_line(
            arguments, f"/proc/self/fd/{self.module}",
            f"pipe,id=com2,path={self.folder}/com2",
            f"pipe,id=com1,path={self.folder}/com1")
        self.process = subprocess.Popen(
            argv + list(extra), stdin=subprocess.DEVNULL,
            stdout=self.messages, stderr=self.messages,
            pass_fds=(self.module,), preexec_fn=die_with_parent)

    def open_line(self, name, flags):
        line = os.open(os.path.join(self.folder, name),
                       flags | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(line, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass                # over the user's limit: slower, no harm
        return line

    def forget_folder(self):
        """The lines are open on both sides: their names can go."""
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def complaints(self):
        """What QEMU itself printed."""
        self.messages.seek(0)
        return self.messages.read().decode("utf-8", "replace").strip()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        for line in (self.log_in, self.control_in, self.control_out,
                     self.module):
            if line >= 0:
                os.close(line)
        self.log_in = self.control_in = self.control_out = self.module = -1
        self.messages.close()
        self.forget_folder()
