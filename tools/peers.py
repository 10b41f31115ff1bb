# SPDX-License-Identifier: MIT
"""Runs the benchmark on Debian's Linux kernel, in the same machine as Bennu.

The kernel is the cloud flavour, fetched by apt-get (which checks it) into
build/peers and never installed. The program is its init, in an initial RAM
disk with busybox; what it prints comes out of COM1.
"""

import os
import re
import stat
import subprocess
import tempfile

from machine import command_line
from mkarchive import BUSYBOX, GUEST, ROOT, CpioWriter, read

FOLDER = os.path.join(ROOT, "build", "peers")
PACKAGE = "linux-image-cloud-amd64"
DEPENDS = re.compile(r"^Depends: (linux-image-\S+) \(= (\S+)\)", re.M)
OPTIONS = "console=ttyS0 quiet panic=-1 reboot=t mitigations=off"
GOOD_END = "exitcode=0x00000000"


class PeerFailed(Exception):
    """The other kernel cannot be had or did not run to its end."""


def call(argv, folder=None):
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise PeerFailed(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout


def find_package():
    """Returns (package, version) of the newest kernel that apt knows."""
    match = DEPENDS.search(call(["apt-cache", "show", PACKAGE]))
    if not match:
        raise PeerFailed(f"apt knows no {PACKAGE}: apt-get update may help")
    return match.groups()


def fetch(folder):
    package, version = find_package()
    call(["apt-get", "download", f"{package}={version}"], folder)
    archive, = [name for name in os.listdir(folder) if name.endswith(".deb")]
    call(["dpkg-deb", "-x", archive, "unpacked"], folder)
    image = package.replace("linux-image-", "vmlinuz-")
    os.replace(os.path.join(folder, "unpacked", "boot", image),
               os.path.join(FOLDER, "vmlinuz"))
    with open(os.path.join(FOLDER, "version"), "w",
              encoding="ascii") as file:
        file.write(f"Debian's {package} {version}")


def kernel():
    """Returns (path, version); fetched once."""
    path = os.path.join(FOLDER, "vmlinuz")
    version = os.path.join(FOLDER, "version")
    if not os.path.exists(version):
        os.makedirs(FOLDER, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            fetch(folder)
    return path, read(version).decode("ascii")


def ram_disk():
    writer = CpioWriter()
    for name in ("bin", "dev", "tmp"):
        writer.folder(name)
    writer.entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    writer.file("bin/busybox", read(BUSYBOX), 0o755)
    writer.file("init", read(os.path.join(GUEST, "programs", "linux-bench")),
                0o755)
    return writer.finish(512)


def run(arguments, words):
    """Boots once with the arguments of a machine; `words` are the program's.
    Returns the lines that it printed.
    """
    arguments.kernel = kernel()[0]
    arguments.append = f"{OPTIONS} -- {' '.join(words)}"
    with tempfile.TemporaryDirectory(prefix="bennu-peer-") as folder:
        disk = os.path.join(folder, "initrd")
        console = os.path.join(folder, "console")
        with open(disk, "wb") as file:
            file.write(ram_disk())
        argv = command_line(arguments, disk, "null,id=com2",
                            f"file,id=com1,path={console}")
        try:
            subprocess.run(argv, stdin=subprocess.DEVNULL, check=True,
                           timeout=arguments.timeout)
        except (subprocess.SubprocessError, OSError) as error:
            raise PeerFailed(f"Linux: {error}") from error
        text = read(console).decode("utf-8", "replace").replace("\r", "")
    if GOOD_END not in text:
        raise PeerFailed("Linux: the benchmark failed:\n" + text[-2000:])
    return text.splitlines()
