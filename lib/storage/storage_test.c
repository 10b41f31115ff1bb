/* SPDX-License-Identifier: MIT */
/*
 * Laws of the storage core that a comparison with another file system does not
 * show: positions of listings, zeros behind the end, badges, removed folders,
 * loading, limits.
 */
#include "fake_host.h"

#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH(text)	((struct storage_path){ (text), strlen(text) })

static struct fake fake;
static struct description *top;

static struct storage *
core(void)
{
	return &fake.storage;
}

/* One operation in a transaction of its own. */
#define DO(call)	(fake_begin(&fake), fake_end(&fake, (call)))

static void
setup_with(size_t arena, unsigned files, unsigned pages)
{
	fake_create(&fake, arena, files, pages);
	EXPECT_EQ(DO(fake_attach(&fake, 0, &top)), 0);
}

static void
setup(void)
{
	setup_with(1ul << 20, 64, 8);
}

static void
finish(void)
{
	EXPECT(storage_ok(core()));
	EXPECT(arena_ok(core()->arena));
	EXPECT_EQ(fake_used(&fake), fake_named(&fake));
}

static struct description *
open_file(const char *path, unsigned flags)
{
	struct storage_opened opened;
	struct description *d = NULL;

	EXPECT_EQ(DO(storage_open(core(), top, PATH(path), flags, 0644, &d,
	    &opened)), 0);
	return d;
}

static unsigned
write_at(struct description *d, uint64_t offset, uint64_t length, int value)
{
	struct storage_transfer t;
	unsigned error = storage_write_begin(core(), d, offset, length, &t);

	if (error == 0)
		memset(fake_data(&fake, t.file) + t.offset, value, t.length);
	return error != 0 ? error :
	    storage_write_end(core(), d, &t, t.length);
}

/* Are all bytes of [from, to) that value? */
static bool
holds(struct description *d, uint64_t from, uint64_t to, int value)
{
	struct storage_transfer t;

	if (DO(storage_read_begin(core(), d, from, to - from, &t)) != 0 ||
	    t.length != to - from)
		return false;
	for (uint64_t i = 0; i < t.length; i++)
		if (fake_data(&fake, t.file)[t.offset + i] != (uint8_t)value)
			return false;
	return true;
}

TEST(test_devices_are_there_at_the_start)
{
	struct storage_stat stat;

	setup();
	EXPECT_EQ(storage_stat_at(core(), top, PATH("/dev/null"), 0, &stat), 0);
	EXPECT_EQ(stat.mode, KIND_CHARACTER << 12 | 0666);
	EXPECT_EQ(stat.device, DEVICE_NULL);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("dev/console"), 0, &stat),
	    0);
	EXPECT_EQ(stat.mode, KIND_CHARACTER << 12 | 0600);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("dev/ptmx"), 0, &stat), 0);
	EXPECT_EQ(stat.device, DEVICE_PTMX);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("/dev"), 0, &stat), 0);
	EXPECT_EQ(stat.links, 3);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("/dev/pts"), 0, &stat), 0);
	EXPECT_EQ(stat.links, 2);
	finish();
}

TEST(test_holes_and_shrunk_parts_read_zero)
{
	struct description *d;

	setup();
	d = open_file("f", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	EXPECT_EQ(DO(write_at(d, 9000, 1000, 7)), 0);
	EXPECT(holds(d, 0, 9000, 0) && holds(d, 9000, 10000, 7));
	EXPECT_EQ(DO(storage_truncate(core(), d, 9500)), 0);
	EXPECT_EQ(DO(storage_truncate(core(), d, 12000)), 0);
	EXPECT(holds(d, 9000, 9500, 7) && holds(d, 9500, 12000, 0));
	EXPECT_EQ(DO(storage_truncate(core(), d, 100)), 0);
	EXPECT_EQ(DO(write_at(d, 200, 10, 8)), 0);
	EXPECT(holds(d, 100, 200, 0) && holds(d, 200, 210, 8));
	finish();
}

TEST(test_a_write_that_was_undone_leaves_nothing_behind_the_end)
{
	struct description *d;

	setup();
	d = open_file("f", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	EXPECT_EQ(DO(write_at(d, 0, 100, 1)), 0);
	for (unsigned crash = 0; crash < 2; crash++) {
		fake_begin(&fake);
		EXPECT_EQ(write_at(d, 50, 20000, 9), 0);
		if (crash)
			EXPECT(fake_resume(&fake));
		else
			fake_end(&fake, E_INTR);
		EXPECT_EQ(DO(storage_truncate(core(), d, 25000)), 0);
		EXPECT(holds(d, 100, 25000, 0));
		EXPECT_EQ(DO(storage_truncate(core(), d, 100)), 0);
	}
	finish();
}

TEST(test_mapped_page_is_zero_behind_the_end)
{
	struct description *d;
	uint64_t size, file;

	setup();
	d = open_file("f", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	EXPECT_EQ(DO(storage_map(core(), d, &size, &file)), 0);
	EXPECT_EQ(size, 0);
	EXPECT_EQ(DO(write_at(d, 0, 4000, 1)), 0);
	EXPECT_EQ(DO(storage_truncate(core(), d, 1000)), 0);
	EXPECT_EQ(DO(storage_map(core(), d, &size, &file)), 0);
	EXPECT_EQ(size, 1000);
	for (unsigned i = 1000; i < 4096; i++)
		EXPECT(fake_data(&fake, file)[i] == 0);
	finish();
}

TEST(test_stale_badges_find_nothing)
{
	struct description *d;
	uint64_t badge;

	setup();
	d = open_file("f", OPEN_READ | OPEN_CREATE);
	badge = storage_badge(d);
	EXPECT(storage_find(core(), badge) == d);
	EXPECT_EQ(DO(storage_close(core(), d)), 0);
	EXPECT(storage_find(core(), badge) == NULL);
	EXPECT(open_file("f", OPEN_READ) == d);
	EXPECT(storage_find(core(), badge) == NULL);
	EXPECT(storage_badge(d) != badge);
	EXPECT(storage_find(core(), 0) == NULL);
	EXPECT(storage_find(core(), ~0ul) == NULL);
	finish();
}

TEST(test_unlinked_files_live_until_the_last_close)
{
	struct description *d;

	setup();
	d = open_file("f", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	EXPECT_EQ(DO(write_at(d, 0, 10, 3)), 0);
	uint64_t inodes = core()->root->inodes;
	EXPECT_EQ(DO(storage_unlink(core(), top, PATH("f"), false)), 0);
	EXPECT(holds(d, 0, 10, 3));
	EXPECT_EQ(fake_used(&fake), 1);
	EXPECT_EQ(DO(storage_close(core(), d)), 0);
	EXPECT_EQ(fake_used(&fake), 0);
	EXPECT_EQ(core()->root->inodes, inodes - 1);
	finish();
}

TEST(test_removed_folders_keep_their_way_up)
{
	struct description *d;
	struct storage_stat stat;
	char text[64];
	size_t length;

	setup();
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("a"), 0755)), 0);
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("a/b"), 0755)), 0);
	d = open_file("a/b", OPEN_READ);
	EXPECT_EQ(storage_path_of(core(), d, text, 64, &length), 0);
	EXPECT(length == 4 && memcmp(text, "/a/b", 4) == 0);
	EXPECT_EQ(storage_path_of(core(), d, text, 3, &length), E_RANGE);
	EXPECT_EQ(DO(storage_unlink(core(), top, PATH("a/b"), true)), 0);
	EXPECT_EQ(DO(storage_unlink(core(), top, PATH("a"), true)), 0);
	EXPECT_EQ(storage_path_of(core(), d, text, 64, &length), E_NOENT);
	EXPECT_EQ(storage_stat_at(core(), d, PATH("../.."), 0, &stat), 0);
	EXPECT_EQ(stat.inode, core()->root->top->number);
	EXPECT_EQ(DO(storage_mkdir(core(), d, PATH("x"), 0755)), E_NOENT);
	EXPECT_EQ(DO(storage_readdir(core(), d, text, 64, &length)), 0);
	EXPECT_EQ(length, 0);
	uint64_t inodes = core()->root->inodes;
	EXPECT_EQ(DO(storage_close(core(), d)), 0);
	EXPECT_EQ(core()->root->inodes, inodes - 2);
	finish();
}

/* --- Listings. --- */

#define NAMES 400u

static unsigned seen[2 * NAMES];

/* Reads on; counts names of numbers, and returns false at the end. */
static bool
list_some(struct description *d, size_t room)
{
	_Alignas(8) char buffer[512];
	size_t length;

	EXPECT_EQ(DO(storage_readdir(core(), d, buffer, room, &length)), 0);
	for (size_t at = 0; at < length;) {
		struct storage_entry *e = (void *)(buffer + at);
		char *end;
		unsigned long number = strtoul(e->name, &end, 10);

		EXPECT(e->length % 8 == 0 && (int64_t)e->next > 0);
		if (*end == '\0' && end != e->name && number < 2 * NAMES)
			seen[number]++;
		at += e->length;
	}
	return length != 0;
}

static const char *
name_of(unsigned number)
{
	static char name[16];

	snprintf(name, sizeof(name), "d/%u", number);
	return name;
}

TEST(test_listing_while_names_come_and_go_gives_the_others_once)
{
	struct description *d;
	unsigned step = 0;

	setup();
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0755)), 0);
	for (unsigned i = 0; i < NAMES; i++)
		EXPECT_EQ(DO(storage_mknod(core(), top, PATH(name_of(i)),
		    KIND_FIFO << 12, 0)), 0);
	d = open_file("d", OPEN_READ);
	memset(seen, 0, sizeof(seen));
	while (list_some(d, 100)) {
		/* Odd ones go, new ones come. */
		unsigned odd = 2 * step + 1, new = NAMES + step;

		if (odd < NAMES)
			EXPECT_EQ(DO(storage_unlink(core(), top,
			    PATH(name_of(odd)), false)), 0);
		if (new < 2 * NAMES)
			EXPECT_EQ(DO(storage_mknod(core(), top,
			    PATH(name_of(new)), KIND_FIFO << 12, 0)), 0);
		step++;
	}
	for (unsigned i = 0; i < NAMES; i += 2)
		EXPECT_EQ(seen[i], 1);
	for (unsigned i = 1; i < NAMES; i += 2)
		EXPECT(seen[i] <= 1);
	finish();
}

TEST(test_listing_can_be_resumed_at_any_position)
{
	_Alignas(8) char buffer[8192], again[8192];
	struct description *d;
	size_t length, rest;
	uint64_t position;

	setup();
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0755)), 0);
	for (unsigned i = 0; i < 50; i++)
		EXPECT_EQ(DO(storage_mknod(core(), top, PATH(name_of(i)),
		    KIND_FIFO << 12, 0)), 0);
	d = open_file("d", OPEN_READ);
	EXPECT_EQ(DO(storage_readdir(core(), d, buffer, 8192, &length)), 0);
	for (size_t at = 0; at < length;) {
		struct storage_entry *e = (void *)(buffer + at);

		at += e->length;
		EXPECT_EQ(DO(storage_seek(core(), d, e->next, 0, &position)),
		    0);
		EXPECT_EQ(DO(storage_readdir(core(), d, again, 8192, &rest)),
		    0);
		EXPECT_EQ(rest, length - at);
		EXPECT(memcmp(again, buffer + at, rest) == 0);
	}
	EXPECT_EQ(DO(storage_seek(core(), d, 0, 0, &position)), 0);
	EXPECT_EQ(DO(storage_readdir(core(), d, again, 16, &rest)), E_INVAL);
	finish();
}

/* --- Limits. --- */

TEST(test_forty_links_are_followed_and_no_more)
{
	struct storage_stat stat;
	char name[8], target[8];

	setup();
	EXPECT_EQ(DO(storage_mknod(core(), top, PATH("l0"), KIND_FIFO << 12,
	    0)), 0);
	for (unsigned i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "l%u", i);
		snprintf(target, sizeof(target), "l%u", i - 1);
		EXPECT_EQ(DO(storage_symlink(core(), top, PATH(target),
		    PATH(name))), 0);
	}
	EXPECT_EQ(storage_stat_at(core(), top, PATH("l40"), 0, &stat), 0);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("l41"), 0, &stat), E_LOOP);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("l41"), AT_NOFOLLOW,
	    &stat), 0);
	finish();
}

TEST(test_paths_and_names_have_their_limits)
{
	static char path[5000];
	struct storage_stat stat;
	struct storage_path p = { path, 4096 };

	setup();
	for (unsigned i = 0; i < sizeof(path); i += 2)
		memcpy(path + i, "./", 2);
	EXPECT_EQ(storage_stat_at(core(), top, p, 0, &stat), E_NAMETOOLONG);
	p.length = 4095;
	EXPECT_EQ(storage_stat_at(core(), top, p, 0, &stat), 0);
	memset(path, 'n', 256);
	p.length = 256;
	EXPECT_EQ(DO(storage_mkdir(core(), top, p, 0755)), E_NAMETOOLONG);
	p.length = 255;
	EXPECT_EQ(DO(storage_mkdir(core(), top, p, 0755)), 0);
	path[3] = '\0';
	EXPECT_EQ(storage_stat_at(core(), top, p, 0, &stat), E_INVAL);
	EXPECT_EQ(storage_stat_at(core(), top, PATH(""), 0, &stat), E_NOENT);
	EXPECT_EQ(storage_stat_at(core(), top, PATH(""), AT_HANDLE, &stat), 0);
	finish();
}

TEST(test_sizes_have_their_limits)
{
	struct description *d;
	struct storage_transfer t;
	uint64_t position;

	setup();
	d = open_file("f", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	EXPECT_EQ(DO(storage_truncate(core(), d, STORAGE_FILE_MAX + 1)),
	    E_FBIG);
	EXPECT_EQ(DO(storage_truncate(core(), d, ~0ul)), E_INVAL);
	EXPECT_EQ(DO(storage_write_begin(core(), d, STORAGE_FILE_MAX, 1, &t)),
	    E_FBIG);
	EXPECT_EQ(DO(storage_write_begin(core(), d, 1ul << 40, 1, &t)),
	    E_NOSPC);
	EXPECT_EQ(DO(storage_seek(core(), d, INT64_MAX, 0, &position)), 0);
	EXPECT_EQ(DO(storage_seek(core(), d, 1, 1, &position)), E_INVAL);
	EXPECT_EQ(DO(storage_seek(core(), d, ~0ul, 0, &position)), E_INVAL);
	EXPECT_EQ(DO(storage_seek(core(), d, 0, 3, &position)), E_INVAL);
	finish();
}

TEST(test_append_writes_at_the_end_whatever_the_position)
{
	struct description *d;

	setup();
	d = open_file("f", OPEN_READ | OPEN_WRITE | OPEN_CREATE | OPEN_APPEND);
	EXPECT_EQ(DO(write_at(d, STORAGE_AT_POSITION, 10, 1)), 0);
	EXPECT_EQ(DO(write_at(d, 3, 10, 2)), 0);
	EXPECT(holds(d, 0, 10, 1) && holds(d, 10, 20, 2));
	EXPECT_EQ(DO(storage_set_flags(core(), d, 0)), 0);
	EXPECT_EQ(DO(write_at(d, 3, 10, 4)), 0);
	EXPECT(holds(d, 3, 13, 4));
	finish();
}

TEST(test_twenty_thousand_files_fit_into_64_megabytes)
{
	char name[32];

	setup_with(64ul << 20, 16, 1);
	for (unsigned i = 0; i < 20000; i++) {
		if (i % 1000 == 0) {
			snprintf(name, sizeof(name), "%u", i / 1000);
			EXPECT_EQ(DO(storage_mkdir(core(), top, PATH(name),
			    0755)), 0);
		}
		snprintf(name, sizeof(name), "%u/name of file %u", i / 1000,
		    i);
		if (DO(storage_mknod(core(), top, PATH(name), 0644, 0)) != 0)
			EXPECT(!"room for a file");
	}
	printf("# %lu bytes of arena\n", arena_bytes_used(core()->arena));
	finish();
}

/* --- Loading. --- */

static char archive[65536];
static size_t used;

static void
align(void)
{
	while (used % 4 != 0)
		archive[used++] = 0;
}

static void
add(const char *name, unsigned mode, unsigned inode, unsigned links,
    const char *data)
{
	used += (size_t)sprintf(archive + used,
	    "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
	    inode, mode, 3u, 4u, links, 100u, strlen(data), 0u, 0u, 1u, 3u,
	    strlen(name) + 1, 0u);
	memcpy(archive + used, name, strlen(name) + 1);
	used += strlen(name) + 1;
	align();
	memcpy(archive + used, data, strlen(data));
	used += strlen(data);
	align();
}

static void
make_archive(void)
{
	char name[32];

	memset(archive, 0, sizeof(archive));
	used = 0;
	add(".", 0040711, 1, 2, "");
	add("bin", 0040755, 2, 2, "");
	add("bin/one", 0104755, 7, 3, "");
	add("bin/two", 0104755, 7, 3, "");
	add("lib/deep/three", 0104755, 7, 3, "shared data");
	add("bin/sh", 0120777, 8, 1, "one");
	add("bin/file", 0100600, 9, 1, "first");
	add("bin/file", 0100644, 10, 1, "second");
	add("bin/sh/through", 0100644, 11, 1, "cannot be");
	add("dev/null", 0020666, 12, 1, "");
	add("empty", 0100444, 13, 1, "");
	for (unsigned i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "many/%u", i);
		add(name, 0100644, 100 + i, 1, i % 2 == 0 ? "x" : "");
	}
	add("TRAILER!!!", 0, 0, 1, "");
	fake.archive = (const uint8_t *)archive;
}

static bool
file_is(const char *path, const char *text)
{
	struct description *d = open_file(path, OPEN_READ);
	struct storage_transfer t;
	bool same;

	EXPECT_EQ(DO(storage_read_begin(core(), d, 0, 1000, &t)), 0);
	same = t.length == strlen(text) && (t.length == 0 ||
	    memcmp(fake_data(&fake, t.file), text, t.length) == 0);
	EXPECT_EQ(DO(storage_close(core(), d)), 0);
	return same;
}

static void
check_loaded(void)
{
	struct storage_stat a, b;

	EXPECT(storage_is_loaded(core()));
	EXPECT(file_is("bin/one", "shared data"));
	EXPECT(file_is("bin/sh", "shared data"));
	EXPECT(file_is("bin/file", "second"));
	EXPECT(file_is("empty", ""));
	EXPECT(file_is("many/68", "x"));
	EXPECT_EQ(storage_stat_at(core(), top, PATH("bin/one"), 0, &a), 0);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("lib/deep/three"), 0, &b),
	    0);
	EXPECT(a.inode == b.inode && a.links == 3 && a.mode == 0104755);
	EXPECT(a.uid == 3 && a.gid == 4 && a.mtime_ns == 100000000000);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("/"), 0, &a), 0);
	EXPECT_EQ(a.mode, 0040711);
	EXPECT_EQ(storage_stat_at(core(), top, PATH("dev/null"), 0, &a), 0);
	EXPECT_EQ(a.device, DEVICE_NULL);
	EXPECT_EQ(arena_map_count(core()->root->loading), 0);
	finish();
}

TEST(test_an_archive_is_loaded_with_links_and_replacements)
{
	bool more = true;

	setup_with(1ul << 20, 128, 1);
	make_archive();
	while (more)
		EXPECT_EQ(DO(storage_load(core(), archive, used, &more)), 0);
	check_loaded();
}

/* The event pair of the first may still be there, and its event. */
TEST(test_an_undone_opening_shares_no_badge_with_the_next)
{
	struct storage_opened opened;
	struct description *d;
	uint64_t badge;

	setup();
	fake_begin(&fake);
	EXPECT_EQ(storage_open(core(), top, PATH("a"), OPEN_READ | OPEN_CREATE,
	    0644, &d, &opened), 0);
	badge = storage_badge(d);
	EXPECT(fake_resume(&fake));
	d = open_file("a", OPEN_READ | OPEN_CREATE);
	EXPECT(storage_badge(d) != badge);
	EXPECT(storage_find(core(), badge) == NULL);
	EXPECT(storage_find(core(), storage_badge(d)) == d);
	EXPECT(storage_is_badge(badge));
	finish();
}

/* Each part is undone, cut off, then done. */
TEST(test_loading_goes_on_after_a_crash)
{
	bool more = true;
	unsigned parts = 0;

	setup_with(1ul << 20, 256, 1);
	make_archive();
	while (more) {
		fake_begin(&fake);
		EXPECT_EQ(storage_load(core(), archive, used, &more), 0);
		EXPECT(fake_resume(&fake));
		EXPECT_EQ(DO(storage_load(core(), archive, used, &more)), 0);
		EXPECT(fake_resume(&fake));
		parts++;
	}
	EXPECT(parts > 2);
	check_loaded();
}

TEST(test_a_damaged_archive_is_named)
{
	bool more = true;

	setup();
	make_archive();
	archive[3] = 'x';
	EXPECT_EQ(DO(storage_load(core(), archive, used, &more)), E_IO);
	finish();
}

TEST_MAIN(0)
