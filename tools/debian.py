#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Root file systems of Debian, for ./bennu run --debian.

The base of a suite is made once by debootstrap. A root is a copy of it with
packages installed, packed as a cpio archive in build/debian/KEY/root.cpio,
where KEY names suite and packages. A folder is built under another name and
gets its own at the end, so what is there is complete; what a build that was
ended left behind is removed by the next one.

Only root can do this; other users are asked for it by sudo.
"""

import argparse
import collections
import contextlib
import ctypes
import fcntl
import glob
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys

from chroot import PATH, SUITE, mirror, reachable
from mkarchive import ROOT, CpioWriter, read

FOLDER = os.path.join(ROOT, "build", "debian")
LOG = os.path.join(FOLDER, "log")
UNFINISHED = ".unfinished"
NAME = re.compile(r"[a-z0-9][a-z0-9+.:-]*")
# A change of what is below makes other roots.
RECIPE = 1
# Manuals and translations are a quarter of a small system, and only read.
LEFT_OUT = ("usr/share/doc", "usr/share/info", "usr/share/locale",
            "usr/share/man", "var/cache/apt", "var/lib/apt/lists", "var/log")
# The machine makes its own nodes and has its own processes.
NOT_PACKED = ("proc", "sys")
ENVIRONMENT = {
    "PATH": PATH,
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SHELL": "/bin/bash",
    "USER": "root",
}
HARD_LINK = 1 << 24     # inode numbers from here on: not those of the writer
MEMORY_FREE = 768       # megabytes beside two copies of what is used
NO_SERVICES = "#!/bin/sh\nexit 101\n"
PR_SET_PDEATHSIG = 1
LINES_SHOWN = 15


class Failed(Exception):
    """Why there is no such root, in a line or several."""


def key_of(packages):
    text = " ".join([SUITE, str(RECIPE), *sorted(set(packages))])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def archive_path(packages):
    return os.path.join(FOLDER, key_of(packages), "root.cpio")


def memory_for(path):
    """Megabytes for a machine that holds the archive and what is used of it."""
    return 2 * (os.path.getsize(path) >> 20) + MEMORY_FREE


def say(text):
    print(f"bennu: {text}", file=sys.stderr, flush=True)


# -- packing --

def walk(folder):
    """Yields (name in the archive, path, status) of all below, sorted."""
    for where, folders, files in os.walk(folder):
        folders.sort()
        inside = os.path.relpath(where, folder)
        if inside in NOT_PACKED:
            folders.clear()
            continue
        for name in sorted(folders + files):
            path = os.path.join(where, name)
            info = os.lstat(path)
            # Nodes are the machine's own; sockets belong to processes.
            if not (stat.S_ISBLK(info.st_mode) or stat.S_ISCHR(info.st_mode)
                    or stat.S_ISSOCK(info.st_mode)):
                yield os.path.relpath(path, folder), path, info


def pack(folder, file):
    """Writes all below the folder, owners and hard links as they are."""
    entries = list(walk(folder))
    left = collections.Counter(info.st_ino for _, _, info in entries
                               if stat.S_ISREG(info.st_mode))
    count, numbers = dict(left), {}
    writer = CpioWriter(file)
    for name, path, info in entries:
        data, inode, links = b"", None, 1
        if stat.S_ISLNK(info.st_mode):
            data = os.fsencode(os.readlink(path))
        elif stat.S_ISREG(info.st_mode):
            links = count[info.st_ino]
            left[info.st_ino] -= 1
            data = b"" if left[info.st_ino] else read(path)
            if links > 1:
                inode = numbers.setdefault(info.st_ino,
                                           HARD_LINK + len(numbers))
        writer.entry(name, info.st_mode, data, int(info.st_mtime),
                     owner=(info.st_uid, info.st_gid), links=links,
                     inode=inode)
    writer.finish(512)


# -- building, as root --

def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def run(argv, note):
    """Runs what may take minutes, in namespaces that end with it; its output
    goes to the log, and the end of it into the error."""
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child",
            "--propagation", "private", *argv]
    lines = collections.deque(maxlen=LINES_SHOWN)
    show = sys.stderr.isatty()
    with open(LOG, "a", encoding="utf-8") as log, subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
            env=dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive"),
            preexec_fn=die_with_parent) as child:
        try:
            for line in child.stdout:
                log.write(line)
                lines.append(line.rstrip())
                if show:
                    print(f"\r\033[K{note}: {lines[-1][:60]}", end="",
                          file=sys.stderr, flush=True)
        finally:
            child.kill()
            if show:
                print("\r\033[K", end="", file=sys.stderr, flush=True)
    if child.returncode:
        raise Failed(f"{note} failed; {LOG} has all of it, its end is\n"
                     + "\n".join(lines))


def make_base(folder):
    if shutil.which("debootstrap") is None:
        raise Failed("debootstrap is not installed")
    address = mirror()
    if not reachable(address):
        raise Failed(f"{address} does not answer: without network only roots "
                     "that were built before can be used")
    say(f"building the base of {SUITE} from {address}, which takes some "
        "minutes, once")
    run(["debootstrap", "--variant=minbase", SUITE, folder, address],
        "debootstrap")


@contextlib.contextmanager
def helpers(root):
    """What a chroot needs meanwhile: names of hosts, and nothing started."""
    policy = os.path.join(root, "usr/sbin/policy-rc.d")
    resolver = os.path.join(root, "etc/resolv.conf")
    with open(policy, "w", encoding="ascii") as file:
        file.write(NO_SERVICES)
    os.chmod(policy, 0o755)
    if os.path.exists("/etc/resolv.conf"):
        shutil.copy("/etc/resolv.conf", resolver)
    try:
        yield
    finally:
        for path in (policy, resolver):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def install(root, packages):
    say(f"installing {' '.join(packages)}")
    script = ('mount -t proc proc "$1/proc" && root=$1 && shift && '
              'exec chroot "$root" /usr/bin/env PATH="$0" "$@"')
    inside = ["sh", "-c", script, PATH, root]
    with helpers(root):
        run(inside + ["apt-get", "update", "-q"], "apt-get update")
        run(inside + ["apt-get", "install", "-q", "-y",
                      "--no-install-recommends", *packages],
            "apt-get install")


def slim(root):
    for name in LEFT_OUT:
        for path in glob.glob(os.path.join(root, name, "*")):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)


@contextlib.contextmanager
def only_one():
    os.makedirs(FOLDER, exist_ok=True)
    with open(os.path.join(FOLDER, "lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waits for another build of a root")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for path in glob.glob(os.path.join(FOLDER, "*" + UNFINISHED)):
            shutil.rmtree(path)
        yield


@contextlib.contextmanager
def finished_or_gone(folder):
    """A folder to fill, which gets its name when all went well."""
    unfinished = folder + UNFINISHED
    os.mkdir(unfinished)
    try:
        yield unfinished
        os.rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def build(packages):
    base = os.path.join(FOLDER, f"{SUITE}-base")
    target = os.path.dirname(archive_path(packages))
    with only_one():
        if not os.path.isdir(base):
            with finished_or_gone(base) as folder:
                make_base(folder)
        if os.path.isdir(target):
            return
        with finished_or_gone(target) as folder:
            root = os.path.join(folder, "root")
            subprocess.run(["cp", "-a", base, root], check=True)
            if packages:
                install(root, packages)
            slim(root)
            say("packing")
            with open(os.path.join(folder, "root.cpio"), "wb") as file:
                pack(root, file)
            shutil.rmtree(root)
            with open(os.path.join(folder, "packages"), "w",
                      encoding="ascii") as file:
                file.write(" ".join([SUITE, *packages]) + "\n")


# -- asking for it --

def check_packages(packages):
    for name in packages:
        if not NAME.fullmatch(name):
            raise Failed(f"{name!r} is no name of a package")


def archive(packages):
    """Path of the root with these packages; built if it is not there."""
    check_packages(packages)
    path = archive_path(packages)
    if os.path.exists(path):
        return path
    if os.geteuid() == 0:
        build(packages)
        return path
    if shutil.which("sudo") is None:
        raise Failed("only root can build a root file system, and there is "
                     "no sudo")
    argv = ["sudo", "--", sys.executable, os.path.abspath(__file__), *packages]
    if subprocess.run(argv, check=False).returncode or \
            not os.path.exists(path):
        raise Failed("the root file system was not built")
    return path


def main():
    parser = argparse.ArgumentParser(
        description="Builds a root file system of Debian, prints where it is.")
    parser.add_argument("packages", nargs="*", metavar="PACKAGE")
    packages = parser.parse_args().packages
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        print(archive(packages))
    except Failed as problem:
        say(problem)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
