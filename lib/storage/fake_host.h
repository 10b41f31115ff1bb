/* SPDX-License-Identifier: MIT */
/*
 * The world of the storage core in tests: an arena and page objects in one
 * piece of memory, so that both can be shared with a child or copied.
 *
 * Like the service loop, it lists effects in the arena and carries them out
 * after the commit; the list stays until the next commit.
 */
#pragma once

#include <lib/storage/state.h>

#define FAKE_BASE	((uint8_t *)0x720000000000ul)
#define FAKE_EFFECTS	64u
#define FAKE_ANSWERS	64u
#define FAKE_WATCHES	16u	/* and so round again */

struct fake_effect {
	uint64_t file;
	uint64_t size;		/* UINT64_MAX: destroy */
};

struct fake_answer {
	struct storage_call call;
	unsigned error;
};

/* Root of the arena. */
struct fake_root {
	struct storage_root storage;
	uint64_t effects;
	struct fake_effect effect[FAKE_EFFECTS];
	uint64_t answers;	/* to calls that waited */
	struct fake_answer answer[FAKE_ANSWERS];	/* the last ones */
};

struct fake_file {
	uint64_t generation;
	bool	 used;
	uint64_t size;		/* pages above it are zero */
};

struct fake {
	size_t	 arena_size;
	unsigned files, pages;	/* page objects, pages of each */
	uint8_t	*base;		/* where the memory is */
	struct storage storage;
	bool	 listed;	/* the transaction has effects */
	bool	 created;	/* it created page objects */
	uint64_t clock;
	uint64_t incarnation;
	const uint8_t *archive;
	uint64_t fail_in;	/* n: the n-th preparation fails; 0 none */
};

size_t fake_size(const struct fake *fake);
struct fake_file *fake_files(const struct fake *fake);
uint8_t *fake_data(const struct fake *fake, uint64_t file);
uint64_t *fake_watches(const struct fake *fake);

struct fake_root *fake_root(const struct fake *fake);

/* Maps fresh memory and makes an empty tree. */
void fake_create(struct fake *fake, size_t arena_size, unsigned files,
    unsigned pages);
/* The arena in this memory, after a crash: undoes, redoes effects, sweeps. */
bool fake_resume(struct fake *fake);
void fake_begin(struct fake *fake);
/* For a user whose group has the same number; 0 is root. */
unsigned fake_attach(struct fake *fake, uint32_t id,
    struct description **out_description);
/* Commits and carries effects out if error is 0, else undoes; hands it on. */
unsigned fake_end(struct fake *fake, unsigned error);
/* Page objects in use, and those that the tree names. */
unsigned fake_used(const struct fake *fake);
unsigned fake_named(const struct fake *fake);
/* Hash of all that the tree holds, contents too, but no times. */
uint64_t fake_digest(const struct fake *fake);
