# SPDX-License-Identifier: MIT
"""A small Debian 12 to install packages in.

The base is made once by debootstrap, under build/chroot, and never changes: a
Machine is an overlay on it whose changes lie in memory. All happens in mount and
process namespaces of its own: when the test ends, however it does, the kernel
ends every process in there and undoes every mount.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from mkarchive import ROOT

SUITE = "bookworm"
PACKAGES = ("gcc", "libc6-dev", "make", "cmake", "pkgconf", "python3",
            "capnproto",
            # What programs of the packages need.
            "libzmq5", "libnng1", "liburing2", "libcapnp-0.9.2")
FOLDER = os.path.join(ROOT, "build", "chroot")
BASE = os.path.join(FOLDER, "base")
# Written last; says what the base was made of.
READY = os.path.join(FOLDER, "ready")
DEFAULT_MIRROR = "http://deb.debian.org/debian"
URIS = re.compile(r"^(?:URIs:|deb(?: \[[^]]*\])?) *(https?://\S+/debian)/?(?:\s|$)",
                  re.M)
INSIDE = "BENNU_INSIDE"
# No network: what a package needs and does not bring is missed at once.
UNSHARE = ("unshare", "--mount", "--pid", "--net", "--fork", "--kill-child",
           "--propagation", "private")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Unavailable(Exception):
    """Why there can be no such machine here."""


def mirror():
    """Where this machine has its packages from."""
    for path in ["/etc/apt/sources.list",
                 *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        try:
            with open(path, encoding="utf-8") as file:
                found = URIS.search(file.read())
        except FileNotFoundError:
            continue
        if found:
            return found.group(1)
    return DEFAULT_MIRROR


def reachable(address):
    try:
        with urllib.request.urlopen(f"{address}/dists/{SUITE}/InRelease",
                                    timeout=15):
            return True
    except (urllib.error.URLError, OSError):
        return False


def made_of():
    return " ".join([SUITE, *PACKAGES]) + "\n"


def is_ready():
    try:
        with open(READY, encoding="utf-8") as file:
            return file.read() == made_of()
    except FileNotFoundError:
        return False


def make_base():
    """Makes the base if it is not there."""
    if is_ready():
        return
    if shutil.which("debootstrap") is None:
        raise Unavailable("debootstrap is not installed")
    address = mirror()
    if not reachable(address):
        raise Unavailable(f"no base in build/chroot, and {address} does not "
                          "answer")
    shutil.rmtree(BASE, ignore_errors=True)
    os.makedirs(FOLDER, exist_ok=True)
    # What it mounts goes with it, also if it is killed.
    subprocess.run(
        ["unshare", "--mount", "--propagation", "private",
         "debootstrap", "--variant=minbase", "--include=" + ",".join(PACKAGES),
         SUITE, BASE, address], check=True, stdin=subprocess.DEVNULL)
    for path in glob.glob(BASE + "/var/cache/apt/archives/*.deb"):
        os.unlink(path)
    with open(READY, "w", encoding="utf-8") as file:
        file.write(made_of())


def unavailable():
    """Why no machine can be made here, or None."""
    if os.geteuid() != 0:
        return "only root can make a chroot"
    done = subprocess.run([*UNSHARE, "true"], check=False, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    return f"no namespaces here: {done.stderr.strip()}" \
        if done.returncode else None


def enter():
    """Starts this program again in namespaces of its own, as process 1."""
    if INSIDE in os.environ:
        return
    os.execvpe(UNSHARE[0], [*UNSHARE, sys.executable, *sys.argv],
               dict(os.environ, **{INSIDE: "1"}))


class Machine:
    """An overlay on the base, with its own /proc and the host's /dev."""

    def __init__(self, name):
        self.root = os.path.join(FOLDER, name)
        self.upper = self.root + ".changes"
        for folder in (self.root, self.upper):
            os.makedirs(folder, exist_ok=True)
        self.mount("tmpfs", self.upper, "-t", "tmpfs", "-o", "mode=755")
        for part in ("upper", "work"):
            os.mkdir(os.path.join(self.upper, part))
        self.mount("overlay", self.root, "-t", "overlay", "-o",
                   f"lowerdir={BASE},upperdir={self.upper}/upper,"
                   f"workdir={self.upper}/work")
        self.mount("proc", self.path("/proc"), "-t", "proc")
        self.mount("/dev", self.path("/dev"), "--rbind")

    @staticmethod
    def mount(source, target, *options):
        subprocess.run(["mount", *options, source, target], check=True,
                       stdin=subprocess.DEVNULL)

    def path(self, inside):
        return self.root + inside

    def argv(self, words):
        return ["chroot", self.root, "/usr/bin/env", "-i", "PATH=" + PATH,
                "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive",
                *words]

    def run(self, *words, timeout=120, **options):
        """Runs a program; its output, or CalledProcessError."""
        return subprocess.run(
            self.argv(words), check=True, timeout=timeout, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, **options).stdout

    def start(self, *words, **options):
        """Starts a program; the caller ends it."""
        return subprocess.Popen(
            self.argv(words), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)

    def files(self):
        """What there is, except what every package manager keeps."""
        listing = self.run(
            "find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path",
            "/var/lib/dpkg", "-o", "-path", "/var/lib/apt", "-o", "-path",
            "/var/log", "-o", "-path", "/var/cache", ")", "-prune", "-o", "-printf", "%p %y %m\n")
        return set(listing.splitlines())

    def install(self, paths):
        """Installs packages from files (paths outside)."""
        folder = self.path("/tmp/debs")
        os.makedirs(folder)
        for path in paths:
            shutil.copy(path, folder)
        names = [f"/tmp/debs/{os.path.basename(path)}" for path in paths]
        self.run("apt-get", "install", "-q", "-y", "--no-install-recommends",
                 *names)
        shutil.rmtree(folder)
