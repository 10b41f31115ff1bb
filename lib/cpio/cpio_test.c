/* SPDX-License-Identifier: MIT */
/*
 * The reader against archives that a small writer here makes, whole, cut at
 * every length, and with every field damaged.
 */
#include <lib/cpio/cpio.h>
#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

static char archive[65536];
static size_t used;

static void
pad(size_t unit)
{
	while (used % unit != 0)
		archive[used++] = 0;
}

static void
add(const char *name, unsigned mode, const void *data, size_t size)
{
	used += (size_t)sprintf(archive + used,
	    "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X",
	    7u, mode, 1u, 2u, 1u, 1000u, size, 3u, 4u, 5u, 6u,
	    strlen(name) + 1, 0u);
	memcpy(archive + used, name, strlen(name) + 1);
	used += strlen(name) + 1;
	pad(4);
	memcpy(archive + used, data, size);
	used += size;
	pad(4);
}

static void
make(void)
{
	memset(archive, 0, sizeof(archive));
	used = 0;
	add("bin", CPIO_DIRECTORY | 0755, "", 0);
	add("./bin/sh", CPIO_REGULAR | 0755, "hello", 5);
	add("/etc", CPIO_SYMLINK | 0777, "bin", 3);
	add("TRAILER!!!", 0, "", 0);
}

/* A copy of exactly that size, so that any access behind it is seen. */
static status_t
read_all(const void *data, size_t size, unsigned *out_count)
{
	void *copy = malloc(size + (size == 0));
	struct cpio_entry entry;
	struct cpio cpio;
	status_t status;

	memcpy(copy, data, size);
	cpio_open(&cpio, copy, size);
	*out_count = 0;
	while ((status = cpio_next(&cpio, &entry)) == OK)
		++*out_count;
	free(copy);
	return status;
}

TEST(test_entries_come_back_as_written)
{
	struct cpio_entry entry;
	struct cpio cpio;

	make();
	cpio_open(&cpio, archive, used);
	EXPECT_EQ(cpio_next(&cpio, &entry), OK);
	EXPECT(strcmp(entry.name, "bin") == 0);
	EXPECT_EQ(entry.mode, CPIO_DIRECTORY | 0755);
	EXPECT_EQ(cpio_next(&cpio, &entry), OK);
	EXPECT(strcmp(entry.name, "bin/sh") == 0);
	EXPECT_EQ(entry.name_length, 6);
	EXPECT_EQ(entry.size, 5);
	EXPECT(memcmp(entry.data, "hello", 5) == 0);
	EXPECT(entry.data == (uint8_t *)archive + entry.data_offset);
	EXPECT(entry.inode == 7 && entry.uid == 1 && entry.gid == 2 &&
	    entry.links == 1 && entry.mtime == 1000);
	EXPECT(entry.device_major == 3 && entry.device_minor == 4 &&
	    entry.special_major == 5 && entry.special_minor == 6);
	EXPECT_EQ(cpio_next(&cpio, &entry), OK);
	EXPECT(strcmp(entry.name, "etc") == 0);
	EXPECT_EQ(cpio_next(&cpio, &entry), ERR_EMPTY);
	EXPECT_EQ(cpio_next(&cpio, &entry), ERR_EMPTY);
	EXPECT_EQ(cpio_find(archive, used, "bin/sh", &entry), OK);
	EXPECT_EQ(cpio_find(archive, used, "bin/csh", &entry), ERR_NOENT);
}

TEST(test_second_archive_is_found_behind_the_padding)
{
	struct cpio_entry entry;
	struct cpio cpio;
	size_t offset, first;

	make();
	cpio_open(&cpio, archive, used);
	EXPECT_EQ(cpio_archive_end(&cpio, &offset), ERR_EMPTY);
	pad(4096);
	cpio_open(&cpio, archive, used);
	EXPECT_EQ(cpio_archive_end(&cpio, &offset), ERR_EMPTY);
	first = used;
	add("second", CPIO_REGULAR, "x", 1);
	add("TRAILER!!!", 0, "", 0);
	cpio_open(&cpio, archive, used);
	EXPECT_EQ(cpio_archive_end(&cpio, &offset), OK);
	EXPECT_EQ(offset, first);
	cpio_open(&cpio, archive + offset, used - offset);
	EXPECT_EQ(cpio_next(&cpio, &entry), OK);
	EXPECT(strcmp(entry.name, "second") == 0);
	EXPECT_EQ(cpio_next(&cpio, &entry), ERR_EMPTY);
}

TEST(test_every_cut_gives_a_named_error_or_fewer_entries)
{
	unsigned count;

	make();
	for (size_t size = 0; size < used; size++) {
		status_t status = read_all(archive, size, &count);

		EXPECT(status == ERR_EMPTY || status == ERR_RANGE);
		EXPECT(count <= 3);
	}
	EXPECT_EQ(read_all(archive, used, &count), ERR_EMPTY);
	EXPECT_EQ(count, 3);
}

TEST(test_every_damaged_byte_of_a_header_is_survived)
{
	static const char bytes[] = { 0, 'F', 'g', '0', (char)0xff };
	unsigned count;

	for (size_t at = 0; at < 110; at++) {
		for (unsigned i = 0; i < sizeof(bytes); i++) {
			make();
			archive[at] = bytes[i];
			status_t status = read_all(archive, used, &count);
			EXPECT(status == ERR_EMPTY || status == ERR_CORRUPT ||
			    status == ERR_RANGE || status == ERR_ARG);
		}
	}
}

TEST(test_sizes_near_the_limit_do_not_wrap)
{
	unsigned count;

	make();
	memcpy(archive + 6 + 6 * 8, "FFFFFFFF", 8);
	EXPECT_EQ(read_all(archive, used, &count), ERR_RANGE);
	make();
	memcpy(archive + 6 + 11 * 8, "FFFFFFFF", 8);
	EXPECT_EQ(read_all(archive, used, &count), ERR_RANGE);
	make();
	memcpy(archive + 6 + 11 * 8, "00000000", 8);
	EXPECT_EQ(read_all(archive, used, &count), ERR_ARG);
	make();
	archive[111] = 0;
	EXPECT_EQ(read_all(archive, used, &count), ERR_ARG);
}

TEST_MAIN(0)
