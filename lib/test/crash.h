/* SPDX-License-Identifier: MIT */
/*
 * Crashes after every store of a service's methods, table-driven.
 *
 * A world is an arena at a fixed place, a core in it, and some ordinary memory.
 * Each case starts from the same world, runs one transaction in a child
 * (store.h), and after each store the parent recovers a copy:
 *
 *	- the arena opens, is consistent, and so is the core
 *	- what is in use in it, byte by byte, is what it was before the
 *	  transaction or what it is after it; once it was the latter, always
 *	- where it was before, executing again gives what it is after
 *
 * Every method of the protocol has a case, or a reason why it needs none.
 */
#pragma once

#include <idl/names.h>
#include <lib/arena/state.h>
#include <lib/base/hash.h>
#include <lib/test/ktap.h>
#include <lib/test/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CRASH_PLAIN	4u
#define CRASH_PROTOCOLS	4u

struct crash_case {
	uint64_t tag;		/* of the method; 0: none of the protocol */
	const char *name;
	/* Within begin() and end(). 0, or an error that undoes it. */
	int	 (*run)(void);
	const char *reason;	/* run NULL: why no store can come of it */
	bool	 refused;	/* it ends in an error on purpose */
};

#define CRASH_CASE(method, function) \
	{ .tag = (method), .name = #function, .run = (function) }
#define CRASH_REFUSED(function) \
	{ .name = #function, .run = (function), .refused = true }
#define CRASH_NONE(method, why) \
	{ .tag = (method), .name = #method, .reason = (why) }

struct crash_world {
	const char *protocols[CRASH_PROTOCOLS];	/* as in names.h; NULL: none */
	struct store_region region;
	void	(*make)(void);
	/* After a crash: opens the arena, sets up what is not in it. */
	bool	(*resume)(void);
	bool	(*ok)(void);
	struct arena *(*arena)(void);
	void	(*begin)(void);
	void	(*end)(int error);
	/* Ordinary memory that a case changes. */
	struct { void *start; size_t size; } plain[CRASH_PLAIN];
};

/* Of all that is in use: what transactions must keep. */
static inline uint64_t
crash_digest(const struct arena *arena)
{
	const struct arena_header *header = arena->header;
	const uint8_t *base = (const uint8_t *)header;
	uint64_t hash = hash_bytes(1, base + HEADER_CHANGES, sizeof(*header) -
	    HEADER_CHANGES);
	uint64_t offset = header->heap_start + WORD, size;

	for (; offset < header->size - WORD; offset += size) {
		uint64_t word = *(const uint64_t *)(const void *)(base +
		    offset);

		size = word & ~15ul;
		if (size == 0 || size > header->size - offset)
			return 0;
		hash = (word & 1) != 0 ?
		    hash_bytes(hash, base + offset, size) : hash_mix(hash ^
		    word);
	}
	return hash;
}

static struct crash_run {
	const struct crash_world *world;
	const struct crash_case *test;
	uint8_t	*alias;
	void	*plain[CRASH_PLAIN];	/* as before the case */
	uint64_t before, after;
	uint64_t wrong;
	bool	 seen_after;
} crash_run;

static inline void
crash_execute(void *context)
{
	const struct crash_run *run = (struct crash_run *)context;

	run->world->begin();
	run->world->end(run->test->run());
}

static inline void
crash_restore(const struct crash_run *run)
{
	for (unsigned i = 0; i < CRASH_PLAIN; i++)
		if (run->plain[i] != NULL)
			memcpy(run->world->plain[i].start, run->plain[i],
			    run->world->plain[i].size);
}

static inline bool
crash_recovered(struct crash_run *run)
{
	const struct crash_world *world = run->world;

	crash_restore(run);
	if (!world->resume() || !arena_ok(world->arena()) || !world->ok())
		return false;
	uint64_t found = crash_digest(world->arena());
	if (found == run->after) {
		run->seen_after = true;
		return true;
	}
	if (found != run->before || run->seen_after)
		return false;
	crash_execute(run);
	return world->ok() && crash_digest(world->arena()) == run->after;
}

static inline bool
crash_look(void *context, uint64_t n)
{
	struct crash_run *run = (struct crash_run *)context;
	const struct store_region *region = &run->world->region;

	if (n == 1 && !store_own(*region, run->alias))
		abort();
	memcpy(region->base, run->alias, region->size);
	if (!crash_recovered(run)) {
		printf("# %s, store %lu\n", run->test->name, n);
		run->wrong++;
	}
	return run->wrong == 0;
}

/* The world as it is before; after; then in the child. */
static inline uint64_t
crash_case_run(struct crash_run *run)
{
	const struct crash_world *world = run->world;
	uint8_t *content = (uint8_t *)malloc(world->region.size);
	uint64_t count;

	world->make();
	run->before = crash_digest(world->arena());
	memcpy(content, world->region.base, world->region.size);
	for (unsigned i = 0; i < CRASH_PLAIN; i++) {
		if (world->plain[i].start == NULL)
			continue;
		run->plain[i] = malloc(world->plain[i].size);
		memcpy(run->plain[i], world->plain[i].start,
		    world->plain[i].size);
	}
	crash_execute(run);
	run->after = crash_digest(world->arena());
	crash_restore(run);
	run->alias = store_share(world->region, content);
	enum step_end end = run->alias == NULL ? STEP_IMPOSSIBLE :
	    store_run(world->region, crash_execute, crash_look, run, &count);
	if (!store_own(world->region, content))
		abort();
	EXPECT(end == STEP_OK);
	EXPECT_EQ(run->wrong, 0);
	munmap(run->alias, world->region.size);
	for (unsigned i = 0; i < CRASH_PLAIN; i++)
		free(run->plain[i]);
	free(content);
	return count;
}

static inline void
crash_run_case(const struct crash_world *world, const struct crash_case *test)
{
	crash_run = (struct crash_run){ .world = world, .test = test };
	uint64_t count = crash_case_run(&crash_run);
	printf("# %s: %lu stores\n", test->name, count);
	/* A case that changes nothing tests nothing. */
	EXPECT((crash_run.before != crash_run.after) == !test->refused);
	EXPECT(test->refused || crash_run.seen_after);
}

static inline bool
crash_is_of(const struct crash_world *world, const char *name)
{
	for (unsigned i = 0; i < CRASH_PROTOCOLS; i++) {
		const char *protocol = world->protocols[i];
		size_t length = protocol == NULL ? 0 : strlen(protocol);

		if (length != 0 && strncmp(name, protocol, length) == 0 &&
		    name[length] == '.')
			return true;
	}
	return false;
}

/* Each method of the schemas has a case or a reason. */
static inline void
crash_check_methods(const struct crash_world *world,
    const struct crash_case *cases, unsigned count)
{
	for (uint64_t tag = 1; tag < 1ul << 16; tag++) {
		const char *name = idl_request_name(tag);
		bool found = name == NULL || !crash_is_of(world, name);

		for (unsigned i = 0; i < count && !found; i++)
			found = cases[i].tag == tag && (cases[i].run != NULL ||
			    cases[i].reason != NULL);
		if (!found)
			printf("# %s has no crash case\n", name);
		EXPECT(found);
	}
}
