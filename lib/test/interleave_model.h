/* SPDX-License-Identifier: MIT */
/*
 * The memory of the explorer: what has been written, who has seen how much of
 * it, and what a thread may do next. interleave.h has the idea.
 *
 * A state is plain bytes: it is copied, put back and compared by its hash. For
 * that it has one form only: writes lie in the order of their places and of
 * modification, and those that nobody can read any more are gone.
 */
#pragma once

#include <lib/test/interleave.h>
#include <lib/test/interleave_atomic.h>

#define MODEL_PLACES	64u
#define MODEL_WRITES	120u
/* The last is who looks at the end. */
#define MODEL_THREADS	(INTERLEAVE_THREADS + 1)

/*
 * What a thread knows: per place, the index of the newest write it has seen,
 * and of which threads it knows that they have read that data.
 */
struct model_view {
	uint8_t seen[MODEL_PLACES];
	uint8_t known[MODEL_PLACES];
};

struct model_write {
	uint64_t value;
	uint64_t attached;	/* by a read-modify-write of the one before */
	struct model_view view;	/* what who reads it with acquire knows */
};

struct model_place {
	uint8_t count;		/* writes kept; 0: what memory held at start */
	uint8_t readers;	/* threads that read the data since the last */
};

struct model {
	uint64_t writes;	/* used of write[] */
	struct model_place place[MODEL_PLACES];
	struct model_view common;		/* of full fences */
	struct model_view current[MODEL_THREADS];
	struct model_view acquired[MODEL_THREADS];	/* by acquire fence */
	struct model_view released[MODEL_THREADS];	/* at release fence */
	struct model_write write[MODEL_WRITES];	/* last: copied in part */
};

/* Forgets all places: a new program. */
void model_reset(struct model *model);
/* Bytes of the model in use. */
size_t model_size(const struct model *model);

/* In how many ways a thread may execute the access: 1 or more. */
unsigned model_options(struct model *model, unsigned thread,
    const struct interleave_access *access);
/* Executes one of them. Returns NULL, or what is wrong with it. */
const char *model_apply(struct model *model, unsigned thread,
    struct interleave_access *access, unsigned option);
/* What an access that read access->result writes. */
uint64_t model_updated_value(const struct interleave_access *access);
/* Drops what none of the threads (a bit each) can read. */
void model_tidy(struct model *model, unsigned threads);
/* Thread `to` learns what `from` knows. */
void model_learn(struct model *model, unsigned to, unsigned from);
/* Whether the access needs no place in the order of all others. */
bool model_is_local(const struct interleave_access *access);
