#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu image: writes what boots without this tree.

    bennu.iso     GRUB, the kernel and the boot archive; a CD or a raw disk, for
                  BIOS and UEFI alike
    bennu.qcow2   the same disk for a virtual machine
    bennu.elf     the kernel alone, for `qemu -kernel` (PVH) or any Multiboot2
                  loader
    boot.cpio     the boot archive alone, for `qemu -initrd`
    SHA256SUMS    the checksums of these four

The same input gives the same bytes: every time, serial number and uuid is made
from SOURCE_DATE_EPOCH, by default a fixed day.
"""

import argparse
import gzip
import hashlib
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from mkarchive import ROOT, boot_module, give_terminal
from machine import KERNEL

GRUB = "/usr/lib/grub"
BIOS, EFI = "i386-pc", "x86_64-efi"
MODULES = ("iso9660", "part_gpt", "part_msdos", "search", "search_fs_file",
           "normal", "multiboot2", "gzio", "boot")
FILES = ("bennu.iso", "bennu.qcow2", "bennu.elf", "boot.cpio")
EPOCH = 1767225600              # the first second of 2026
EFI_BLOCKS = 2048               # of 512 bytes, for GRUB's 600 KiB
# GRUB's language would take the other bytes as its own.
PLAIN = re.compile(r"[\w.,:=+/@ -]*")

# Finds the disk that it is on, whatever that is called.
EARLY = """search --no-floppy --file --set=root /boot/bennu.elf
normal ($root)/boot/grub/grub.cfg
"""
MENU = """# {mark}
set timeout=0
menuentry Bennu {{
	multiboot2 /boot/bennu.elf {append}
	module2 /boot/boot.cpio.gz
}}
"""
# How an image says whether its program has the console as its terminal; GRUB's
# file lies in one piece in it.
MARK_TERMINAL = "bennu: the program has a terminal"
MARK_STREAMS = "bennu: the program has streams of bytes"


class ImageFailed(Exception):
    """One of the tools that make the image did not work."""


def epoch():
    text = os.environ.get("SOURCE_DATE_EPOCH", str(EPOCH))
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ImageFailed(f"SOURCE_DATE_EPOCH {text}: seconds expected")
    return int(text)


def call(argv, seconds):
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(seconds), TZ="UTC",
                       LC_ALL="C")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, env=environment)
    if done.returncode != 0:
        raise ImageFailed(f"{argv[0]}: {done.stderr.strip()}")


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def make_loader(work, form, platform, extra, name):
    """GRUB in one file, with what it needs to read the disk and the kernel."""
    path = os.path.join(work, name)
    call(["grub-mkimage", "-O", form, "-d", os.path.join(GRUB, platform),
          "-c", os.path.join(work, "early.cfg"), "-p", "/boot/grub",
          "-o", path, *extra, *MODULES], EPOCH)
    return path


def make_efi_disk(work, path, seconds):
    """The system partition in which UEFI looks for a loader."""
    loader = make_loader(work, EFI, EFI, (), "BOOTX64.EFI")
    os.utime(loader, (seconds, seconds))
    write(path, bytes(EFI_BLOCKS * 512))
    call(["mformat", "-i", path, "-N", "42454e55", "-T", str(EFI_BLOCKS),
          "-h", "2", "-s", "32", "::"], seconds)
    call(["mmd", "-i", path, "::/EFI", "::/EFI/BOOT"], seconds)
    call(["mcopy", "-m", "-i", path, loader, "::/EFI/BOOT/BOOTX64.EFI"],
         seconds)


def fill(work, tree, kernel, module, arguments):
    boot = os.path.join(tree, "boot")
    write(os.path.join(work, "early.cfg"), EARLY.encode())
    write(os.path.join(boot, "bennu.elf"), kernel)
    write(os.path.join(boot, "boot.cpio.gz"),
          gzip.compress(module, 9, mtime=0))
    write(os.path.join(boot, "grub", "grub.cfg"),
          MENU.format(append=arguments.append,
                      mark=MARK_TERMINAL if arguments.terminal
                      else MARK_STREAMS).encode())
    shutil.copyfile(
        make_loader(work, BIOS + "-eltorito", BIOS, ("biosdisk",),
                    "bios.img"), os.path.join(boot, "grub", "bios.img"))
    make_efi_disk(work, os.path.join(boot, "grub", "efi.img"), epoch())
    for where, folders, files in os.walk(tree):
        for name in folders + files:
            os.utime(os.path.join(where, name), (epoch(), epoch()))
    os.utime(tree, (epoch(), epoch()))


def make_iso(tree, path):
    seconds = epoch()
    stamp = time.strftime("%Y%m%d%H%M%S00", time.gmtime(seconds))
    call(["xorriso", "-as", "mkisofs", "-r", "-V", "BENNU", "-o", path,
          f"--modification-date={stamp}",
          "-b", "boot/grub/bios.img", "-no-emul-boot", "-boot-load-size", "4",
          "-boot-info-table", "--grub2-boot-info", "--grub2-mbr",
          os.path.join(GRUB, BIOS, "boot_hybrid.img"),
          "--efi-boot", "boot/grub/efi.img", "-efi-boot-part",
          "--efi-boot-image", tree], seconds)


def stripped_kernel(work):
    path = os.path.join(work, "kernel")
    call(["objcopy", "--strip-debug", KERNEL, path], EPOCH)
    with open(path, "rb") as file:
        return file.read()


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make(arguments, work):
    """Writes all files into work/out."""
    out = os.path.join(work, "out")
    iso, disk, elf, archive = (os.path.join(out, name) for name in FILES)
    module = boot_module(arguments.program, arguments.env, arguments.option,
                         arguments.root)
    kernel = stripped_kernel(work)
    write(elf, kernel)
    write(archive, module)
    tree = os.path.join(work, "tree")
    fill(work, tree, kernel, module, arguments)
    make_iso(tree, iso)
    call(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", iso, disk],
         EPOCH)
    write(os.path.join(out, "SHA256SUMS"), "".join(
        f"{checksum(os.path.join(out, name))}  {name}\n"
        for name in FILES).encode())
    return out


def install(out, folder):
    """Each file appears whole or not at all; the checksums come last."""
    os.makedirs(folder, exist_ok=True)
    for name in (*FILES, "SHA256SUMS"):
        path = os.path.join(folder, name)
        temporary = f"{path}.{os.getpid()}"
        shutil.copyfile(os.path.join(out, name), temporary)
        os.replace(temporary, path)
        print(f"{os.path.getsize(path):>10}  {path}")


def wants_terminal(path):
    """Whether the program of an image has the console as its terminal."""
    with open(path, "rb") as file, \
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data.find(MARK_TERMINAL.encode()) >= 0


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu image",
        usage="%(prog)s [options] [-- PROGRAM ARGS...]",
        description="Writes disk images that boot Bennu and run a Linux "
        "program (default a shell) in it: bennu.iso, bennu.qcow2, bennu.elf, "
        "boot.cpio and SHA256SUMS. `./bennu run --image FILE` boots one.")
    parser.add_argument("--output", metavar="DIR",
                        default=os.path.join(ROOT, "build", "image"),
                        help="where to (default build/image)")
    parser.add_argument("--root", metavar="DIR|CPIO",
                        help="root file system instead of the default one")
    parser.add_argument("--env", action="append", default=[], metavar="K=V")
    parser.add_argument("--option", action="append", default=[],
                        metavar="K=V", help="boot option, see bennu-boot(7)")
    parser.add_argument("--terminal", action=argparse.BooleanOptionalAction,
                        help="the program gets the console as its terminal "
                        "(default if none is named); else it has streams")
    parser.add_argument("--append", default="", metavar="TEXT",
                        help="kernel command line")
    split = argv.index("--") if "--" in argv else len(argv)
    arguments = parser.parse_args(argv[:split])
    arguments.program = argv[split + 1:]
    for text in arguments.env + arguments.option:
        if not re.match(r"[^=\n]+=", text):
            parser.error(f"{text}: NAME=VALUE expected")
    if not PLAIN.fullmatch(arguments.append):
        parser.error("--append: letters, digits and .,:=+/@- only")
    if arguments.root and not os.path.exists(arguments.root):
        parser.error(f"--root {arguments.root}: no such file or folder")
    if arguments.terminal is None:
        arguments.terminal = not arguments.program
    if arguments.terminal:
        give_terminal(arguments, "linux")
    arguments.program = arguments.program or ["/bin/sh"]
    return arguments


def main(argv):
    arguments = parse(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="bennu-image-") as work:
            install(make(arguments, work), arguments.output)
    except (ImageFailed, OSError) as error:
        print(f"bennu image: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
