#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Packs the boot module: two `newc` cpio archives, one behind the other.

The first is ours and ends on a page boundary:

    bennu/manifest/NAME.toml  what each service is and may use
    bennu/image/NAME.elf      its image
    bennu/command             arguments of the program, each ended by a NUL
    bennu/environment         the same for its environment
    bennu/options             lines of key=value
    bennu/text/NAME           with the options chaos.*: where the text of that
                              image can be changed

The second is the root file system of the program: a folder packed here, or a
file that is passed through untouched.
"""

import argparse
import hashlib
import os
import stat
import subprocess
import sys

import text_table as text_table_module

ROOT = os.environ.get("BENNU_ROOT") or os.path.dirname(
    os.path.dirname(os.path.abspath(__file__)))
PAGE = 4096
GUEST = os.path.join(ROOT, "build", "guest")
BUSYBOX = "/bin/busybox"
BASH = "/bin/bash-static"
ZSH = "/bin/zsh-static"
PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"
GROUP = b"root:x:0:\n"
# Interpreters of dynamic programs and the C libraries, as this host has them.
LIBRARIES = ("lib/ld-musl-x86_64.so.1", "lib64/ld-linux-x86-64.so.2",
             "lib/x86_64-linux-gnu/libc.so.6", "lib/x86_64-linux-gnu/libm.so.6")
DEFAULT_ENVIRONMENT = {
    "PATH": "/bin:/sbin:/usr/bin:/usr/sbin",
    "HOME": "/root",
    "TERM": "dumb",
}


class CpioWriter:
    """Builds one archive, in memory or in a file that is open."""

    def __init__(self, file=None):
        self.parts = []
        self.out = file
        self.size = 0
        self.inode = 0

    def append(self, data):
        if self.out:
            self.out.write(data)
        else:
            self.parts.append(data)
        self.size += len(data)

    def align(self, unit):
        self.append(bytes(-self.size % unit))

    def entry(self, name, mode, data=b"", mtime=0, device=(0, 0),
              owner=(0, 0), links=1, inode=None):
        """Files of several links share an `inode` that is given; the last of
        them brings the data."""
        name = os.fsencode(name)
        self.inode += 1
        fields = (self.inode if inode is None else inode, mode, *owner, links,
                  mtime, len(data), 0, 0, device[0], device[1], len(name) + 1,
                  0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.append(header + name + b"\0")
        self.align(4)
        self.append(data)
        self.align(4)

    def finish(self, unit):
        self.inode = -1
        self.entry("TRAILER!!!", 0)
        self.align(unit)
        return b"".join(self.parts)

    def file(self, name, data, mode=0o644):
        self.entry(name, stat.S_IFREG | mode, data)

    def folder(self, name, mode=0o755):
        self.entry(name, stat.S_IFDIR | mode)

    def link(self, name, target):
        self.entry(name, stat.S_IFLNK | 0o777, os.fsencode(target))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def pack_tree(writer, folder):
    """Adds everything below `folder`; owners become root, hard links copies."""
    for where, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(where, name)
            info = os.lstat(path)
            data, device = b"", (0, 0)
            if stat.S_ISLNK(info.st_mode):
                data = os.fsencode(os.readlink(path))
            elif stat.S_ISREG(info.st_mode):
                data = read(path)
            elif stat.S_ISBLK(info.st_mode) or stat.S_ISCHR(info.st_mode):
                device = (os.major(info.st_rdev), os.minor(info.st_rdev))
            elif stat.S_ISSOCK(info.st_mode):
                continue
            writer.entry(os.path.relpath(path, folder), info.st_mode, data,
                         int(info.st_mtime), device)


def programs():
    folder = os.path.join(GUEST, "programs")
    if not os.path.isdir(folder):
        return []
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if os.access(os.path.join(folder, name), os.X_OK)]


def applets():
    out = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True,
                         text=True, stdin=subprocess.DEVNULL).stdout
    names = set(out.split()) - {"busybox", "bash"}
    return sorted(names | {"sh"})


def libraries():
    return [name for name in LIBRARIES if os.path.isfile("/" + name)]


# Programs of ours that are for use; the others are for tests.
COMMANDS = ("ctl",)


def pack_default_root(writer):
    for name in ("bin", "bin/tests", "dev", "etc", "lib",
                 "lib/x86_64-linux-gnu", "lib64", "proc", "root"):
        writer.folder(name)
    writer.folder("tmp", 0o1777)
    writer.file("etc/passwd", PASSWD)
    writer.file("etc/group", GROUP)
    writer.file("bin/busybox", read(BUSYBOX), 0o755)
    writer.file("bin/bash", read(BASH), 0o755)
    writer.file("bin/zsh", read(ZSH), 0o755)
    for name in libraries():
        writer.file(name, read("/" + name), 0o755)
    for name in applets():
        writer.link("bin/" + name, "busybox")
    for path in programs():
        name = os.path.basename(path)
        folder = "bin/" if name in COMMANDS else "bin/tests/"
        writer.file(folder + name, read(path), 0o755)


def host_file(path, root=None):
    """The file on the host that the guest has at an absolute path, or None."""
    name = os.path.basename(path)
    if root is not None:
        found = os.path.join(root, path.lstrip("/"))
    elif path in ("/bin/busybox", "/bin/bash", "/bin/zsh"):
        found = {"busybox": BUSYBOX, "bash": BASH, "zsh": ZSH}[name]
    else:
        found = os.path.join(GUEST, "programs", name)
    return found if os.path.isfile(found) else None


def shell_of(root):
    """bash where the root has it."""
    name = "bin/bash"
    if root is None:
        found = True
    elif os.path.isdir(root):
        found = os.path.lexists(os.path.join(root, name))
    else:
        with open(root, "rb") as file:
            found = name.encode() + b"\0" in file.read()
    return ["/bin/bash", "-l"] if found else ["/bin/busybox", "ash", "-l"]


def give_terminal(arguments, kind):
    """The program gets the console as its terminal, of that kind; without a
    program a shell does."""
    # LINES and COLUMNS would be believed before the terminal's own size.
    arguments.env.insert(0, "TERM=" + kind)
    arguments.option.append("terminal=1")
    if not arguments.program:
        arguments.env.insert(0, r"PS1=\w \$ ")
        arguments.program = shell_of(arguments.root)


def service_file(name):
    found = os.path.join(GUEST, "bin", name + ".elf")
    return found if os.path.isfile(found) else None


def fingerprint(paths):
    lines = [read(os.path.abspath(__file__)).hex()]
    for path in paths:
        info = os.stat(path)
        lines.append(f"{path} {info.st_size} {info.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def default_root():
    """The default root archive, packed again only when a part changed."""
    cache = os.path.join(ROOT, "build", "root.cpio")
    mark = fingerprint([BUSYBOX, BASH, ZSH] + programs()
                       + ["/" + name for name in libraries()]).encode()
    try:
        data = read(cache)
        if data.endswith(mark):
            return data[:-len(mark)]
    except FileNotFoundError:
        pass
    writer = CpioWriter()
    pack_default_root(writer)
    data = writer.finish(512)
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    temporary = f"{cache}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(data + mark)
    os.replace(temporary, cache)
    return data


def user_root(path):
    if path is None:
        return default_root()
    if os.path.isdir(path):
        writer = CpioWriter()
        pack_tree(writer, path)
        return writer.finish(512)
    return read(path)


# Services that are there only when one of these boot options asks for them.
OPTIONAL = {
    "bench": {"bench"},
    "monkey": {"monkey"},
    "chaos": {"chaos", "chaos.count", "chaos.every_us", "chaos.faults",
              "chaos.seed", "chaos.services", "chaos.start_us"},
    "broker": {"bench", "broker", "demo"},
    "demo": {"demo"},
    "echo": {"demo"},
    "faulty": {"bench", "faulty"},
    "faulty2": {"faulty"},
    "faulty3": {"faulty"},
    "faulty4": {"faulty"},
    "faulty5": {"faulty"},
    "faulty6": {"faulty"},
    "probe": {"faulty"},
    "worker": {"demo"},
    "worker1": {"demo"},
    "worker2": {"demo"},
    "worker3": {"demo"},
}


def component_files(options):
    """Yields (name in the archive, path) of all manifests and images wanted."""
    wanted = {option.split("=", 1)[0] for option in options}
    for name, path in all_component_files():
        service = os.path.basename(name).rsplit(".", 1)[0]
        if service not in OPTIONAL or OPTIONAL[service] & wanted:
            yield name, path


def all_component_files():
    for area in ("services", "drivers", "personality"):
        top = os.path.join(ROOT, area)
        for where, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                if name.endswith(".toml"):
                    yield ("bennu/manifest/" + name,
                           os.path.join(where, name))
    images = os.path.join(GUEST, "bin")
    if os.path.isdir(images):
        for name in sorted(os.listdir(images)):
            if name.endswith(".elf") and name != "init.elf":
                yield "bennu/image/" + name, os.path.join(images, name)


def text_table(path):
    """Where the text of an image can be changed; made again when it changed."""
    name = os.path.basename(path).rsplit(".", 1)[0]
    cache = os.path.join(ROOT, "build", "text", name)
    mark = fingerprint([path, text_table_module.__file__]).encode()
    try:
        data = read(cache)
        if data.endswith(mark):
            return data[:-len(mark)]
    except FileNotFoundError:
        pass
    data = text_table_module.table_of(path)
    os.makedirs(os.path.dirname(cache), exist_ok=True)
    temporary = f"{cache}.{os.getpid()}"
    with open(temporary, "wb") as file:
        file.write(data + mark)
    os.replace(temporary, cache)
    return data


def text_tables(options):
    """Yields (name in the archive, data) for the images that chaos may hurt."""
    wanted = {option.split("=", 1)[0] for option in options}
    if not OPTIONAL["chaos"] & wanted:
        return
    for name, path in component_files(options):
        service, kind = os.path.basename(name).rsplit(".", 1)
        # libos.elf is no place.
        if kind == "elf" and service not in ("chaos", "libos"):
            yield "bennu/text/" + service, text_table(path)


def strings(items):
    return b"".join(os.fsencode(item) + b"\0" for item in items)


def boot_archive(command, environment, options):
    writer = CpioWriter()
    writer.file("bennu/command", strings(command))
    writer.file("bennu/environment", strings(
        f"{key}={value}" for key, value in environment.items()))
    writer.file("bennu/options",
                "".join(line + "\n" for line in options).encode())
    for name, path in component_files(options):
        writer.file(name, read(path), 0o755)
    for name, data in text_tables(options):
        writer.file(name, data)
    return writer.finish(PAGE)


def boot_module(command, environment=(), options=(), root=None):
    """Returns the whole module; the same input gives the same bytes.
    `environment` holds K=V strings."""
    merged = dict(DEFAULT_ENVIRONMENT)
    merged.update(item.split("=", 1) for item in environment)
    return boot_archive(command, merged, options) + user_root(root)


def main():
    parser = argparse.ArgumentParser(
        description="Packs a boot module for the kernel.")
    parser.add_argument("--root", metavar="DIR|CPIO")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    parser.add_argument("--option", action="append", default=[],
                        metavar="K=V")
    parser.add_argument("--output", required=True)
    parser.add_argument("command", nargs="*", default=["/bin/sh"])
    arguments = parser.parse_args()
    module = boot_module(arguments.command, arguments.env, arguments.option,
                         arguments.root)
    with open(arguments.output, "wb") as file:
        file.write(module)
    return 0


if __name__ == "__main__":
    sys.exit(main())
