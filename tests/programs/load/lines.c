/* SPDX-License-Identifier: MIT */
/*
 * Output: numbered lines `line N HASH`, which the reader checks, and a copy
 * of a stream, whose speed tells what restarts cost.
 */
#define _GNU_SOURCE
#include "load.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LINES		8u
#define BLOCK		16384u
#define BLOCKS		16u

static uint64_t line_number;
static uint64_t block[BLOCK / 8];

static void
print_line(uint64_t number, uint64_t flipped)
{
	load_print("line %lu %016lx\n", number,
	    load_number_hash(number) ^ flipped);
}

static void
lines_round(struct run *run)
{
	for (unsigned i = 0; i < LINES; i++) {
		line_number++;
		run->verdict.operations++;
		if (load_sabotages(run, "line-missing"))
			continue;
		print_line(line_number, load_sabotages(run, "line-bytes"));
		if (load_sabotages(run, "line-again"))
			print_line(line_number, 0);
	}
}

/* Words of the `index`-th block. */
static void
fill_block(uint64_t *to, uint64_t index)
{
	for (unsigned i = 0; i < BLOCK / 8; i++)
		to[i] = load_number_hash(index * BLOCK + i);
}

static void
copy_start(struct run *run)
{
	int source = open("source", O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (!load_did(run, "create", source))
		return;
	for (unsigned i = 0; i < BLOCKS; i++) {
		fill_block(block, i);
		load_did(run, "write", load_write(source, block, BLOCK));
	}
	load_did(run, "close", close(source));
}

static void
copy(struct run *run, int from, int to)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (!load_did(run, "read", load_read(from, block, BLOCK)) ||
		    !load_did(run, "write", load_write(to, block, BLOCK)))
			break;
		run->bytes += BLOCK;
	}
}

static void
verify_copy(struct run *run, int copied)
{
	static uint64_t expected[BLOCK / 8];

	if (!load_did(run, "lseek", lseek(copied, 0, SEEK_SET)))
		return;
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (!load_did(run, "read of the copy",
		    load_read(copied, block, BLOCK)))
			return;
		fill_block(expected, i);
		if (memcmp(block, expected, BLOCK) != 0)
			load_silent(run, "content of a copy");
	}
}

static void
copy_round(struct run *run)
{
	int source = open("source", O_RDONLY);
	int copied = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (load_did(run, "open", source) && load_did(run, "create", copied)) {
		copy(run, source, copied);
		if (load_sabotages(run, "copy-bytes"))
			pwrite(copied, "x", 1, BLOCK * 3 + 1);
		verify_copy(run, copied);
	}
	close(source);
	close(copied);
}

static void
copy_end(struct run *run)
{
	load_did(run, "unlink of the source", unlink("source"));
	load_did(run, "unlink of the copy", unlink("copy"));
}

static const char *const line_sabotages[] = {
	"line-missing", "line-bytes", "line-again", NULL,
};
static const char *const copy_sabotages[] = { "copy-bytes", NULL };

const struct load load_lines = {
	.name = "lines", .round = lines_round, .sabotages = line_sabotages,
};

const struct load load_copy = {
	.name = "copy", .start = copy_start, .round = copy_round,
	.end = copy_end, .sabotages = copy_sabotages,
};
