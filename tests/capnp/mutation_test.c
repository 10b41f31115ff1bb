/* SPDX-License-Identifier: MIT */
/*
 * Messages with wrong words: whatever they say, no access leaves their memory.
 * Each segment is an allocation of its own, whose ends the address checks
 * guard. The argument is how many; without it a few are tried.
 */
#include <stdlib.h>
#include <string.h>

#include <lib/capnp/build.h>
#include <lib/ktap/ktap.h>
#include <tests/capnp/everything.h>
#include <tests/capnp/walk.h>

#define SEGMENTS	256u
#define PER_MESSAGE	64u	/* mutations of one message */
#define CHANGES_MAX	4u
#define ROOM		64u	/* behind a message that is built on */

static uint64_t mutations = 10000;
static struct capnp_segment segments[SEGMENTS];
static size_t sizes[SEGMENTS];
static uint64_t *memory[SEGMENTS];
static uint32_t memory_count;
static size_t least;

static uint64_t *
allocate(void *context, size_t need, size_t *out_words)
{
	*out_words = need > least ? need : least;
	uint64_t *at = malloc(*out_words * sizeof(*at));
	if (at == NULL || memory_count == SEGMENTS)
		abort();
	least += least / 2;
	return memory[memory_count++] = at;
}

static void
release(void)
{
	while (memory_count > 0)
		free(memory[--memory_count]);
}

/* Builds a message whose segments end where their memory does. */
static uint32_t
build(struct everything_random *random)
{
	struct capnp_builder builder;

	least = (size_t)1 << everything_next(random) % 10;
	capnp_builder_init_pool(&builder, &(struct capnp_pool){
		.segment = segments,
		.size = sizes,
		.room = SEGMENTS,
		.allocate = allocate,
	});
	random->density = everything_next(random) % 8;
	everything_build(random, capnp_builder_root(&builder));
	KTAP_EQUAL(capnp_builder_status(&builder), OK);
	for (uint32_t i = 0; i < memory_count; i++) {
		size_t bytes = segments[i].count * sizeof(uint64_t);
		uint64_t *exact = malloc(bytes > 0 ? bytes : 1);
		if (exact == NULL)
			abort();
		memcpy(exact, memory[i], bytes);
		free(memory[i]);
		memory[i] = exact;
		segments[i].words = exact;
	}
	return memory_count;
}

/* Makes other pointers of pointers: near ones are likely to lead somewhere. */
static uint64_t
mutate(struct everything_random *random, uint64_t word)
{
	uint64_t chance = everything_next(random);
	uint64_t small = chance >> 40;

	switch (chance % 8) {
	case 0:
		return everything_next(random);
	case 1:		/* far pointers */
		return small % SEGMENTS << 32 | small % 512 << 3 |
		    (chance >> 32 & 4) | 2;
	case 2:		/* other offsets */
		return word + small % 16 * 4 - 32;
	case 3:		/* other sizes */
		return (word & 0xffffffff) | (small % 4096) << 32;
	case 4:
		return word ^ 1ul << small % 3;
	case 5:
		return small % 2 == 0 ? 0 : ~0ul;
	default:
		return word ^ 1ul << small % 64;
	}
}

struct change {
	uint64_t *at;
	uint64_t word;
};

static uint32_t
mutate_some(struct everything_random *random, struct change *out)
{
	uint32_t count = 1 + everything_next(random) % CHANGES_MAX;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t segment = everything_next(random) % memory_count;
		if (segments[segment].count == 0)
			segment = 0;
		out[i].at = memory[segment] + everything_next(random) %
		    segments[segment].count;
		out[i].word = *out[i].at;
		*out[i].at = mutate(random, out[i].word);
	}
	return count;
}

static void
undo(const struct change *changes, uint32_t count)
{
	while (count-- > 0)
		*changes[count].at = changes[count].word;
}

static void
test_reader_stays_inside_any_message(void)
{
	struct everything_random random = { .state = 1 };
	struct change changes[CHANGES_MAX];

	for (uint64_t i = 0; i < mutations; i++) {
		if (i % PER_MESSAGE == 0) {
			release();
			build(&random);
		}
		uint32_t count = mutate_some(&random, changes);
		walk_message(segments, memory_count);
		undo(changes, count);
	}
	release();
}

static void
test_builder_stays_inside_memory_that_others_change(void)
{
	struct everything_random random = { .state = 2 };
	struct change changes[CHANGES_MAX];

	for (uint64_t i = 0; i < mutations; i++) {
		if (i % PER_MESSAGE == 0) {
			release();
			do {
				release();
				build(&random);
			} while (memory_count != 1);
		}
		uint32_t count = mutate_some(&random, changes);
		size_t used = segments[0].count;
		size_t room = used + everything_next(&random) % ROOM;
		uint64_t *words = malloc(room * sizeof(*words));
		if (words == NULL)
			abort();
		memcpy(words, memory[0], used * sizeof(*words));
		undo(changes, count);
		walk_builder(words, used, room, everything_next(&random));
		free(words);
	}
	release();
}

int
main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_reader_stays_inside_any_message),
		KTAP_TEST(test_builder_stays_inside_memory_that_others_change),
	};

	if (argc > 1)
		mutations = strtoul(argv[1], NULL, 0);
	return KTAP_RUN(tests);
}
