#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The Debian packages: the same bytes each time, nothing of the machine that
built them, headers for C and C++, programs with the usual protections.
"""

import glob
import gzip
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import check_exports
import ktap
import package
import tree

HERE = package.ROOT
FIELDS = ("Package", "Version", "Architecture", "Maintainer", "Section",
          "Priority", "Description", "Installed-Size")
# Both take pedantic warnings as errors: headers must not spoil a user's build.
COMPILERS = (["gcc", "-std=c11", "-x", "c"], ["gcc", "-std=c17", "-x", "c"],
             ["g++", "-std=c++11", "-x", "c++"],
             ["g++", "-std=c++20", "-x", "c++"])


# A use of what only macros make, in both languages.
TYPED = """
#include <lib/channel/domain.h>
#include <lib/channel/typed.h>

struct point {
	uint64_t x, y;
};

CHANNEL_TYPED(point, struct point, 0x1234)

int
main(void)
{
	struct channel_domain *domain;
	struct channel_config config = {};
	struct point_channel to, from;
	struct point *made = NULL, room;
	const struct point *seen = NULL;

	if (channel_domain_private(&domain) != OK)
		return 1;
	channel_domain_set_default(domain);
	if (point_create("points", &config, NULL, NULL, &from) != OK ||
	    point_open("points", NULL, NULL, &to) != OK ||
	    point_reserve(&to, CHANNEL_NOW, &made) != OK)
		return 2;
	made->x = 3;
	made->y = 4;
	if (point_commit(&to) != OK ||
	    point_peek(&from, CHANNEL_NOW, &room, &seen) != OK ||
	    seen->x != 3 || seen->y != 4 || point_release(&from) != OK)
		return 3;
	point_close(&to);
	point_close(&from);
	channel_domain_private_close(domain);
	return 0;
}
"""


def output(*argv, **options):
    if "input" not in options:
        options["stdin"] = subprocess.DEVNULL
    return subprocess.run(argv, check=True, capture_output=True, text=True,
                          **options).stdout


def files(folder):
    for where, _, names in os.walk(folder):
        for name in names:
            yield os.path.join(where, name)


def is_elf(path):
    if os.path.islink(path):
        return False
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


class PackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="bennu-package-test-")
        cls.root = os.path.join(cls.folder, "root")
        cls.debs = sorted(package.make(os.path.join(cls.folder, "debs")))
        cls.trees = {}
        os.mkdir(os.path.join(cls.folder, "each"))
        for path in cls.debs:
            name = os.path.basename(path).split("_")[0]
            cls.trees[name] = os.path.join(cls.folder, "each", name)
            output("dpkg-deb", "-R", path, cls.trees[name])
            output("dpkg-deb", "-x", path, cls.root)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def elf_files(self):
        found = [path for path in files(self.root) if is_elf(path)]
        self.assertTrue(found)
        return found

    def libraries(self):
        return os.path.dirname(glob.glob(
            self.root + "/usr/lib/*/libbennu-ipc.so")[0])

    def field(self, name, field):
        path = os.path.join(self.trees[name], "DEBIAN", "control")
        match = re.search(rf"^{field}: (.*)$", tree.read_text(path), re.M)
        return match.group(1) if match else None

    def test_same_tree_same_bytes(self):
        before = dict(os.environ)
        mask = os.umask(0o077)
        try:
            os.environ.update(TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
            again = sorted(package.make(os.path.join(self.folder, "again")))
        finally:
            os.umask(mask)
            os.environ.clear()
            os.environ.update(before)
        self.assertEqual([package.checksum(path) for path in self.debs],
                         [package.checksum(path) for path in again])

    def test_control_files_are_complete(self):
        for name in self.trees:
            for field in FIELDS:
                self.assertIsNotNone(self.field(name, field), (name, field))
            self.assertLessEqual(len(self.field(name, "Description")), 80)

    def test_binaries_depend_on_what_they_are_linked_with(self):
        for name, folder in self.trees.items():
            if any(is_elf(path) for path in files(folder)):
                self.assertRegex(self.field(name, "Depends"),
                                 r"\blibc6 \(>= 2\.\d+\)", name)

    def test_copyright_and_changes_are_there(self):
        licence = " ".join(tree.read_text("LICENSE").split("\n\n", 2)[2]
                           .split())
        for name, folder in self.trees.items():
            place = os.path.join(folder, "usr", "share", "doc", name)
            text = tree.read_text(os.path.join(place, "copyright"))
            self.assertIn(licence, " ".join(
                line.strip() for line in text.splitlines()
                if line.strip() != ".").replace("  ", " "))
            with gzip.open(os.path.join(place, "changelog.gz"), "rt") as file:
                self.assertIn(f"({self.field(name, 'Version')})", file.read())

    def test_no_place_of_the_building_machine(self):
        for path in files(os.path.join(self.folder, "each")):
            if os.path.islink(path):
                self.assertFalse(os.readlink(path).startswith("/"), path)
                continue
            with open(path, "rb") as file:
                data = file.read()
            if path.endswith(".gz"):
                data = gzip.decompress(data)
            self.assertNotIn(HERE.encode(), data, path)

    def test_files_have_modes_of_their_kind(self):
        for path in files(self.root):
            mode = os.lstat(path).st_mode & 0o7777
            if os.path.islink(path):
                continue
            runs = "/bin/" in path or "/sbin/" in path
            self.assertEqual(mode, 0o755 if runs else 0o644, path)

    def test_binaries_are_hardened_and_stripped(self):
        for path in self.elf_files():
            text = output("readelf", "-WldS", path)
            self.assertIn("GNU_RELRO", text, path)
            self.assertRegex(text, r"\(FLAGS(_1)?\).*NOW", path)
            self.assertIn("DYN ", output("readelf", "-h", path))
            self.assertRegex(text, r"GNU_STACK .* RW ", path)
            self.assertNotRegex(text, r"\(R(UN)?PATH\)", path)
            self.assertNotIn("TEXTREL", text, path)
            self.assertNotIn(".debug_info", text, path)

    def test_libraries_show_the_golden_list_and_no_more(self):
        text = tree.read_text(check_exports.MAP)
        names = set(check_exports.SYMBOL.findall(text))
        version = check_exports.VERSION.search(text).group(1)
        shared = glob.glob(self.root + "/usr/lib/*/libbennu-ipc.so.0")[0]
        archive = glob.glob(self.root + "/usr/lib/*/libbennu-ipc.a")[0]
        found = dict(check_exports.shown(
            shared, ["--dynamic", "--with-symbol-versions"]))
        self.assertEqual(found, dict.fromkeys(names, version))
        self.assertEqual({name for name, _ in
                          check_exports.shown(archive, [])}, names)

    def test_library_has_its_name_and_version(self):
        found = glob.glob(self.root + "/usr/lib/*/libbennu-ipc.so.0")
        self.assertEqual(len(found), 1)
        self.assertIn("[libbennu-ipc.so.0]", output("readelf", "-d",
                                                    found[0]))

    def test_each_header_alone_compiles_in_c_and_cpp(self):
        include = os.path.join(self.root, "usr", "include", "bennu")
        headers = sorted(os.path.relpath(path, include)
                         for path in files(include))
        self.assertEqual(headers, sorted(check_exports.headers()))
        for header in headers:
            for compiler in COMPILERS:
                done = subprocess.run(
                    [*compiler, "-fsyntax-only", "-Wall", "-Wextra",
                     "-Wpedantic", "-Werror", "-I" + include,
                     "-"], input=f"#include <{header}>\nextern int unused;\n",
                    capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_cpp_program_links_to_both_libraries(self):
        source = os.path.join(self.folder, "all.cc")
        names = sorted(check_exports.all_declared())
        with open(source, "w", encoding="utf-8") as file:
            for header in check_exports.headers():
                file.write(f"#include <{header}>\n")
            file.write("const void *all[] = {\n")
            file.writelines(f"\t(const void *)&::{name},\n" for name in names)
            file.write("};\nint main() { return all[0] == nullptr; }\n")
        libraries = self.libraries()
        for library in ("-lbennu-ipc", "-l:libbennu-ipc.a"):
            program = os.path.join(self.folder, "all")
            output("g++", "-I" + self.root + "/usr/include/bennu", source,
                   "-o", program, "-L" + libraries, library)
            output(program, env={"LD_LIBRARY_PATH": libraries})

    def test_typed_channels_work_in_c_and_cpp(self):
        libraries = self.libraries()
        program = os.path.join(self.folder, "typed")
        for compiler in (["gcc", "-x", "c"], ["g++", "-x", "c++"]):
            output(*compiler, "-Wall", "-Wextra", "-Wno-unused-function",
                   "-Werror", "-I" + self.root + "/usr/include/bennu", "-",
                   "-o", program, "-L" + libraries, "-lbennu-ipc",
                   input=TYPED)
            output(program, env={"LD_LIBRARY_PATH": libraries})

    def test_manual_pages_are_compressed_and_in_their_section(self):
        pages = [path for path in files(self.root) if "/man/" in path]
        self.assertTrue(pages)
        for path in pages:
            section = re.search(r"/man(\d)/[^/]+\.(\d)\.gz$", path)
            self.assertTrue(section, path)
            self.assertEqual(section.group(1), section.group(2))


if __name__ == "__main__":
    ktap.main()
