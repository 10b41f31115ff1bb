/* SPDX-License-Identifier: MIT */
/*
 * The ring of a socket in every interleaving of its accesses and under weak
 * memory (lib/test/interleave.h), also when the writer or the reader dies before
 * any access and another goes on. The ring is so small that it wraps, begins
 * anew and is full.
 *
 * Locks are not explored: there is one writer and one reader. Who takes over from
 * the dead wakes the other side, as the kernel does when an end is gone.
 */
#include "socketring.h"
#include "socketatomic.h"
#include "user.h"

#include <lib/test/interleave.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <string.h>

#define COUNT	3u

/* Shared. */
static struct socket_ring ring;
static struct socket_mark_words marks[SOCKET_MARKS];
static uint32_t data[SOCKET_RING / 4];

static uint32_t bells[2];		/* of the writer, of the reader */

static const struct socket_lane lane = { &ring, marks, (uint8_t *)data };

static struct {
	uint32_t sent;		/* as far as the writer knows */
} world;

/* Words of each: what is written at once. */
static const uint32_t lengths[COUNT] = { 2, 1, 2 };
/* With a parcel, if a stream. */
static const bool has_parcel[COUNT] = { true, false, true };

size_t
user_copy_raw(void *to, const void *from, size_t length)
{
	uint8_t *low = (uint8_t *)data;
	bool in = (uint8_t *)to >= low && (uint8_t *)to < low + SOCKET_RING;

	for (size_t i = 0; i < length; i += 4) {
		uint32_t *a = (uint32_t *)((uint8_t *)to + i);
		const uint32_t *b = (const uint32_t *)
		    ((const uint8_t *)from + i);
		if (in)
			ring_put(a, *b);
		else
			*a = ring_get(b);
	}
	return 0;
}

static void
start(void)
{
	memset(&ring, 0, sizeof(ring));
	memset(marks, 0, sizeof(marks));
	memset(data, 0, sizeof(data));
	memset(bells, 0, sizeof(bells));
	memset(&world, 0, sizeof(world));
}

static struct socket_pieces
pieces_of(uint32_t *words, uint32_t count)
{
	return (struct socket_pieces){
		.base = (uint64_t)words, .length = 4ul * count,
	};
}

/* The words of the whole stream are 1, 2, 3 ... */
static uint32_t
first_word(uint32_t number)
{
	uint32_t word = 1;

	for (uint32_t i = 0; i < number; i++)
		word += lengths[i];
	return word;
}

static struct socket_extra
extra_of(uint32_t number)
{
	struct socket_extra extra = { .flags = MARK_PARCEL };

	extra.token[0] = (uint8_t)(number + 1);
	return extra;
}

/* -- sleeping, as in socketmove.c -- */

static void
ring_bell(unsigned who)
{
	(void)ring_exchange(&bells[who], 1, __ATOMIC_SEQ_CST);
	interleave_wake(&bells[who]);
}

static void
wake(uint32_t *asleep, unsigned who)
{
	if (ring_load(asleep, __ATOMIC_SEQ_CST) == 0)
		return;
	SHARED_PUBLISH(asleep, 0);
	ring_bell(who);
}

static void
announce(uint32_t *asleep, unsigned who)
{
	(void)ring_exchange(&bells[who], 0, __ATOMIC_SEQ_CST);
	SHARED_PUBLISH(asleep, 1);
}

static void
wait_for_room(bool messages, uint32_t words)
{
	announce(&ring.writers_asleep, 0);
	uint64_t used = socket_lane_bytes(&lane, messages);
	uint64_t in_use = SHARED_LOAD(&ring.marks_written) -
	    SHARED_LOAD(&ring.marks_taken);
	if (SOCKET_RING - used < 4 * words || in_use >= SOCKET_MARKS)
		interleave_sleep(&bells[0], 0);
}

static void
wait_for_more(bool messages)
{
	announce(&ring.readers_asleep, 1);
	if (!socket_lane_readable(&lane, messages))
		interleave_sleep(&bells[1], 0);
}

/* -- messages -- */

static void
write_messages(void)
{
	/* Who takes over sees how many were committed. */
	world.sent = (uint32_t)SHARED_LOAD(&ring.marks_written);
	while (world.sent < COUNT) {
		uint32_t words[3], number = world.sent;
		for (uint32_t i = 0; i < lengths[number]; i++)
			words[i] = first_word(number) + i;
		struct socket_pieces pieces = pieces_of(words,
		    lengths[number]);
		const struct socket_extra extra = extra_of(number);
		long done = socket_put_message(&lane, &pieces,
		    4ul * lengths[number], SOCKET_RING, &extra);
		INTERLEAVE_EXPECT(done == RING_FULL ||
		    done == (long)(4 * lengths[number]));
		if (done == RING_FULL) {
			wait_for_room(true, lengths[number]);
			continue;
		}
		world.sent++;
		wake(&ring.readers_asleep, 1);
	}
}

static void
write_messages_again(void)
{
	ring_bell(1);
	write_messages();
}

static void
read_messages(void)
{
	uint64_t number = SHARED_LOAD(&ring.marks_taken);

	while (number < COUNT) {
		uint32_t words[3] = { 0 };
		struct socket_pieces pieces = pieces_of(words, 3);
		const struct socket_look look = { .peek = false };
		struct socket_taken taken;
		long done = socket_take_message(&lane, &pieces, sizeof(words),
		    &look, &taken);
		if (done == RING_EMPTY) {
			wait_for_more(true);
			continue;
		}
		INTERLEAVE_EXPECT(done == (long)(4 * lengths[number]));
		INTERLEAVE_EXPECT(taken.token[0] == number + 1);
		for (uint32_t i = 0; i < lengths[number]; i++)
			INTERLEAVE_EXPECT(words[i] ==
			    first_word((uint32_t)number) + i);
		number++;
		wake(&ring.writers_asleep, 0);
	}
}

static void
read_messages_again(void)
{
	ring_bell(0);
	read_messages();
}

/* -- streams -- */

/* A writer may die between mark and bytes: then they are written again. */
static void
write_stream(void)
{
	uint64_t written = SHARED_LOAD(&ring.written) / 4;

	while (written < first_word(COUNT) - 1) {
		uint32_t words[3], number = 0;
		while (first_word(number + 1) - 1 <= written)
			number++;
		uint32_t skip = (uint32_t)written + 1 - first_word(number);
		uint32_t left = lengths[number] - skip;
		for (uint32_t i = 0; i < left; i++)
			words[i] = (uint32_t)written + 1 + i;
		struct socket_pieces pieces = pieces_of(words, left);
		const struct socket_extra extra = extra_of(number);
		/* As send_stream(): with the first byte only. */
		long done = socket_put_stream(&lane, &pieces, 4ul * left,
		    SOCKET_RING, skip == 0 && has_parcel[number] ? &extra :
		    NULL);
		INTERLEAVE_EXPECT(done == RING_FULL || done > 0);
		if (done == RING_FULL) {
			wait_for_room(false, 1);
			continue;
		}
		written += (uint64_t)done / 4;
		wake(&ring.readers_asleep, 1);
	}
}

static void
write_stream_again(void)
{
	ring_bell(1);
	write_stream();
}

/* Word `first` to `last` were read at once, with that parcel or none. */
static void
check_parcel(uint64_t first, uint64_t last, const struct socket_taken *taken)
{
	uint32_t token = (taken->flags & MARK_PARCEL) != 0 ?
	    taken->token[0] : 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		bool begins = has_parcel[i] && first_word(i) >= first &&
		    first_word(i) <= last;
		INTERLEAVE_EXPECT(begins == (token == i + 1));
	}
}

static void
read_stream(void)
{
	uint64_t at = SHARED_LOAD(&ring.taken) / 4;

	while (at < first_word(COUNT) - 1) {
		uint32_t words[3] = { 0 };
		struct socket_pieces pieces = pieces_of(words, 3);
		const struct socket_look look = { .peek = false };
		struct socket_taken taken;
		long done = socket_take_stream(&lane, &pieces, sizeof(words),
		    &look, &taken);
		if (done == RING_EMPTY) {
			wait_for_more(false);
			continue;
		}
		INTERLEAVE_EXPECT(done > 0 && done % 4 == 0);
		for (long i = 0; i < done / 4; i++)
			INTERLEAVE_EXPECT(words[i] == at + 1 + (uint64_t)i);
		check_parcel(at + 1, at + (uint64_t)done / 4, &taken);
		at += (uint64_t)done / 4;
		wake(&ring.writers_asleep, 0);
	}
}

static void
read_stream_again(void)
{
	ring_bell(0);
	read_stream();
}

static void
explore(struct interleave_program program)
{
	struct interleave_result result;

	/* One more of each takes minutes, all of it hours. */
	program.preemptions = program.deaths == 0 ? 2 : 1;
	program.start = start;
	program.threads = 2;
	program.world = &world;
	program.world_size = sizeof(world);
	result = interleave_run(&program);
	printf("# %s: %llu states, %llu steps, %llu ends\n", program.name,
	    (unsigned long long)result.states,
	    (unsigned long long)result.steps,
	    (unsigned long long)result.ends);
	EXPECT(result.failure == NULL);
	EXPECT(result.ends > 0);
}

TEST(test_messages_arrive_whole_and_in_order)
{
	explore((struct interleave_program){ .name = "messages",
		.body = { write_messages, read_messages } });
}

TEST(test_messages_outlive_writer_and_reader)
{
	explore((struct interleave_program){ .name = "messages, deaths",
		.body = { write_messages, read_messages },
		.again = { write_messages_again, read_messages_again }, .deaths = 1 });
}

TEST(test_bytes_arrive_in_order_with_their_parcels)
{
	explore((struct interleave_program){ .name = "stream",
		.body = { write_stream, read_stream } });
}

TEST(test_a_stream_outlives_writer_and_reader)
{
	explore((struct interleave_program){ .name = "stream, deaths",
		.body = { write_stream, read_stream },
		.again = { write_stream_again, read_stream_again }, .deaths = 1 });
}

TEST_MAIN(0)
