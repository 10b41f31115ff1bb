#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""./bennu package: Debian packages of the parts that run on Linux.

The same tree gives the same bytes: times in the packages are that of the last
commit, or SOURCE_DATE_EPOCH.
"""

import argparse
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

from mkarchive import ROOT

BUILD = os.path.join(ROOT, "build", "package")
DEBS = os.path.join(BUILD, "debs")
CHANGES = os.path.join(ROOT, "hosted", "package", "changelog.in")
DATE = re.compile(r"^ -- .*>  (.*)$", re.M)


class Problem(Exception):
    """Something the caller can be told in one line."""


def run(argv, **options):
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False,
                          **options)
    if done.returncode != 0:
        raise Problem(f"{argv[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def epoch():
    """Seconds: of the caller, of the last commit, of the last release."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    try:
        return run(["git", "log", "-1", "--format=%ct"]).strip()
    except (Problem, FileNotFoundError):
        with open(CHANGES, encoding="utf-8") as file:
            date = DATE.search(file.read()).group(1)
        return run(["date", "--utc", "+%s", "--date", date]).strip()


def make(folder):
    """Packs what is built into `folder`; yields the paths."""
    os.makedirs(folder, exist_ok=True)
    # Two at once in one folder would tread on each other.
    with tempfile.TemporaryDirectory(prefix="bennu-package-") as work:
        run(["cpack", "--config", os.path.join(BUILD, "CPackConfig.cmake"),
             "-B", work],
            umask=0o022, env=dict(os.environ, SOURCE_DATE_EPOCH=epoch()))
        for path in glob.glob(os.path.join(work, "*.deb")):
            target = os.path.join(folder, os.path.basename(path))
            shutil.move(path, target)
            yield target


def checksum(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def main(argv):
    parser = argparse.ArgumentParser(
        prog="./bennu package",
        description="Builds Debian packages of the parts that run on Linux, "
        "prints their checksums and paths. The same tree gives the same "
        "bytes; SOURCE_DATE_EPOCH sets the times in them.")
    parser.add_argument("--output", metavar="FOLDER", default=DEBS,
                        help="where to; build/package/debs if not given")
    arguments = parser.parse_args(argv)
    try:
        paths = sorted(make(os.path.abspath(arguments.output)))
    except Problem as problem:
        print(f"./bennu package: {problem}", file=sys.stderr)
        return 1
    for path in paths:
        print(f"{checksum(path)}  {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
