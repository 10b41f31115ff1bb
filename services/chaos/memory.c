/* SPDX-License-Identifier: MIT */
/*
 * Single bits of a victim's memory and registers. Where it hits is drawn among
 * all words of the kind that hold something; of the stack among those in use.
 */
#include "chaos.h"

#include <lib/base/string.h>
#include <lib/service/service.h>

#define WORDS_TRIED	1024u
#define ARENA_TRIED	16384u	/* arenas are mostly empty */
#define SCALES		8u	/* they fill from the beginning */
#define WAIT_NS		50000ul	/* for a thread that waits for a CPU */
#define WAITS_MAX	40u
#define SAMPLES		8u	/* of registers, until one points at data */
#define USED_WORDS	8u	/* from there on */
#define REGISTERS	16u	/* RAX .. R15 in the order of the frame, RSP */

struct region {
	uint64_t start, length;
	unsigned flags;
};

/* The region at or above the address; false if there is none. */
static bool
find_region(const struct victim *victim, uint64_t address,
    struct region *out_region)
{
	struct sys_result r = sys_invoke(SYS_VSPACE_QUERY, victim->vspace,
	    address, 0, 0, 0, 0);

	*out_region = (struct region){ r.value[0], r.value[1],
	    (unsigned)r.value[2] };
	return r.status == OK;
}

/* The n-th word of the writable part of the image, by address; 0 = none. */
static uint64_t
data_word(const struct victim *victim, uint64_t random)
{
	struct region region;
	uint64_t words = 0, at;

	for (at = PLACE_IMAGE_BASE; find_region(victim, at, &region) &&
	    region.start < PLACE_INFO; at = region.start + region.length)
		if ((region.flags & MAP_WRITE) != 0)
			words += region.length / 8;
	if (words == 0)
		return 0;
	random %= words;
	for (at = PLACE_IMAGE_BASE; find_region(victim, at, &region) &&
	    region.start < PLACE_INFO; at = region.start + region.length) {
		if ((region.flags & MAP_WRITE) == 0)
			continue;
		if (random < region.length / 8)
			return region.start + random * 8;
		random -= region.length / 8;
	}
	return 0;
}

static void
flip_word(struct injection *injection, uint64_t address)
{
	const struct victim *victim = injection->victim;
	uint64_t word;

	injection->address = address;
	injection->bit = (unsigned)(injection->random >> 58);
	if (address == 0 || !victim_read_word(victim, address, &word))
		return;
	injection->written = word ^ 1ul << injection->bit;
	injection->done = victim_write_word(victim, address,
	    injection->written);
}

static uint64_t *
register_of(struct user_frame *frame, unsigned reg)
{
	return reg < REGISTERS - 1 ? &frame->rax + reg : &frame->rsp;
}

static bool
is_data(const struct victim *victim, uint64_t address)
{
	struct region region;

	return address >= PLACE_IMAGE_BASE && address < PLACE_INFO &&
	    find_region(victim, address, &region) &&
	    region.start <= address && (region.flags & MAP_WRITE) != 0;
}

/* What a register points at is in use now, and so is what follows; 0 = none. */
static uint64_t
used_word(const struct victim *victim, uint64_t random)
{
	struct user_frame frame;

	if (!victim_read_frame(victim, &frame))
		return 0;
	for (unsigned i = 0; i < REGISTERS; i++) {
		unsigned reg = (unsigned)((random + i) % REGISTERS);
		uint64_t address = *register_of(&frame, reg) & ~7ul;

		if (is_data(victim, address))
			return address + random / REGISTERS % USED_WORDS * 8;
	}
	return 0;
}

/*
 * A word that is in use: most of the writable part are tables for more than
 * there is, and buffers for what seldom comes. Where no register tells, one
 * that holds something.
 */
void
flip_data(struct injection *injection)
{
	const struct victim *victim = injection->victim;
	uint64_t random = injection->random, word = 0;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t used = used_word(victim, random_next(&random));

		if (used != 0 && is_data(victim, used)) {
			flip_word(injection, used);
			return;
		}
		chaos_sleep(WAIT_NS);
	}
	for (unsigned i = 0; i < WORDS_TRIED && word == 0; i++) {
		uint64_t address = data_word(victim,
		    random_next(&random) & 0xffffffff);

		if (address != 0 && victim_read_word(victim, address, &word) &&
		    word != 0)
			flip_word(injection, address);
	}
}

void
flip_stack(struct injection *injection)
{
	struct user_frame frame;

	if (!victim_read_frame(injection->victim, &frame) ||
	    frame.rsp >= PLACE_STACK_TOP || frame.rsp % 8 != 0)
		return;
	uint64_t words = (PLACE_STACK_TOP - frame.rsp) / 8;
	flip_word(injection, frame.rsp + injection->random % words * 8);
}

/*
 * A word that holds something: nobody looks at the free part of an arena. Each
 * power of two of the distance from its beginning is as likely.
 */
void
flip_arena(struct injection *injection)
{
	const struct victim *victim = injection->victim;
	uint64_t size = victim->info->arena_size, word = 0;
	uint64_t random = injection->random, address = 0;

	for (unsigned i = 0; i < ARENA_TRIED && word == 0; i++) {
		uint64_t words = size / 8 >> random_next(&random) % SCALES;

		address = PLACE_ARENA_BASE + random_next(&random) % words * 8;
		if (!victim_read_word(victim, address, &word))
			word = 0;
	}
	if (word != 0)
		flip_word(injection, address);
}

/* Registers of a thread that waits for a call are about to be replaced. */
void
flip_register(struct injection *injection)
{
	const struct victim *victim = injection->victim;
	struct user_frame frame;

	injection->reg = (unsigned)(injection->random % REGISTERS);
	injection->bit = (unsigned)(injection->random >> 58);
	for (unsigned i = 0; i < WAITS_MAX && !injection->done; i++) {
		if (victim_read_frame(victim, &frame)) {
			uint64_t *reg = register_of(&frame, injection->reg);
			*reg ^= 1ul << injection->bit;
			injection->written = *reg;
			injection->address = frame.rip;
			injection->done = victim_write_frame(victim, &frame);
		}
		if (!injection->done)
			chaos_sleep(WAIT_NS);
	}
}

bool
flip_is_gone(const struct injection *injection)
{
	const struct victim *victim = injection->victim;
	struct user_frame frame;
	uint64_t word;

	if (!injection->done)
		return false;
	if (injection->kind == KIND_FLIP_REGISTER)
		return victim_read_frame(victim, &frame) &&
		    *register_of(&frame, injection->reg) != injection->written;
	return victim_read_word(victim, injection->address, &word) &&
	    word != injection->written;
}
