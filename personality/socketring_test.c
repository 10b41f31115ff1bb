/* SPDX-License-Identifier: MIT */
#include "socketring.h"
#include "user.h"

#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

static struct socket_memory memory;
static uint8_t outside[400000], back[400000];
static struct socket_lane lane;

size_t
user_copy_raw(void *to, const void *from, size_t length)
{
	memcpy(to, from, length);
	return 0;
}

static void
begin(void)
{
	memset(&memory, 0, sizeof(memory));
	lane = socket_lane(&memory, 0);
	for (unsigned i = 0; i < sizeof(outside); i++)
		outside[i] = (uint8_t)(i * 7 % 251);
}

static struct socket_pieces
piece(void *at, uint64_t size)
{
	return (struct socket_pieces){ .base = (uint64_t)at, .length = size };
}

static long
put(uint64_t from, uint64_t size, uint64_t limit, bool message,
    uint8_t parcel)
{
	struct socket_pieces p = piece(outside + from, size);
	struct socket_extra extra = { .flags = MARK_PARCEL };

	extra.token[0] = parcel;
	return message ?
	    socket_put_message(&lane, &p, size, limit,
	    parcel != 0 ? &extra : NULL) :
	    socket_put_stream(&lane, &p, size, limit,
	    parcel != 0 ? &extra : NULL);
}

static struct socket_taken taken;

static long
take(uint64_t size, bool message, bool peek, bool apart)
{
	struct socket_pieces p = piece(back, size);
	const struct socket_look look = { .peek = peek, .apart = apart };

	return message ? socket_take_message(&lane, &p, size, &look, &taken) :
	    socket_take_stream(&lane, &p, size, &look, &taken);
}

static unsigned
parcel(void)
{
	return (taken.flags & MARK_PARCEL) != 0 ? taken.token[0] : 0;
}

TEST(test_an_empty_ring_begins_anew_at_its_first_byte)
{
	begin();
	for (unsigned i = 0; i < 100; i++) {
		EXPECT_EQ(put(i, 5000, SOCKET_RING, false, 0), 5000);
		EXPECT_EQ(take(6000, false, false, false), 5000);
		EXPECT(memcmp(back, outside + i, 5000) == 0);
	}
	for (unsigned i = 5000; i < SOCKET_RING; i++)
		EXPECT(memory.data[0][i] == 0);
}

TEST(test_a_stream_fills_to_its_limit_and_wraps)
{
	uint64_t at = 0, got = 0;

	begin();
	EXPECT_EQ(put(0, 100, 60, false, 0), 60);
	EXPECT_EQ(put(0, 100, 60, false, 0), RING_FULL);
	EXPECT_EQ(take(100, false, false, false), 60);
	while (at < 390000) {
		long done = put(at, 390000 - at, SOCKET_RING, false, 0);
		EXPECT(done > 0 || done == RING_FULL);
		if (done > 0)
			at += (uint64_t)done;
		done = take(7777, false, false, false);
		EXPECT(done > 0);
		EXPECT(memcmp(back, outside + got, (size_t)done) == 0);
		got += (uint64_t)done;
	}
	while (got < at) {
		long done = take(7777, false, false, false);
		EXPECT(memcmp(back, outside + got, (size_t)done) == 0);
		got += (uint64_t)done;
	}
	EXPECT_EQ(take(1, false, false, false), RING_EMPTY);
}

TEST(test_a_parcel_comes_with_its_first_byte_and_ends_a_read)
{
	begin();
	put(0, 3, SOCKET_RING, false, 0);
	put(3, 3, SOCKET_RING, false, 1);
	put(6, 3, SOCKET_RING, false, 0);
	put(9, 3, SOCKET_RING, false, 2);
	EXPECT_EQ(take(2, false, false, false), 2);
	EXPECT_EQ(parcel(), 0);
	EXPECT_EQ(take(100, false, true, false), 4);
	EXPECT_EQ(parcel(), 1);
	EXPECT_EQ(take(2, false, false, false), 2);
	EXPECT_EQ(parcel(), 1);
	EXPECT_EQ(take(100, false, false, false), 2);
	EXPECT_EQ(parcel(), 0);
	/* What came apart is read apart, if that is asked for. */
	EXPECT_EQ(take(100, false, false, true), 3);
	EXPECT_EQ(parcel(), 0);
	EXPECT_EQ(take(100, false, false, true), 3);
	EXPECT_EQ(parcel(), 2);
	EXPECT(memory.ring[0].marks_taken == memory.ring[0].marks_written);
}

TEST(test_a_mark_without_its_bytes_never_was)
{
	begin();
	put(0, 3, SOCKET_RING, false, 1);
	/* The writer died before it published the bytes. */
	put(3, 3, SOCKET_RING, false, 2);
	memory.ring[0].written -= 3;
	EXPECT_EQ(put(10, 4, SOCKET_RING, false, 3), 4);
	EXPECT_EQ(take(100, false, false, false), 3);
	EXPECT_EQ(parcel(), 1);
	EXPECT_EQ(take(100, false, false, false), 4);
	EXPECT_EQ(parcel(), 3);
	EXPECT(memcmp(back, outside + 10, 4) == 0);
}

TEST(test_messages_keep_their_borders_also_empty_ones)
{
	static const uint64_t sizes[] = { 5, 0, 70000, 1, 0, 0, 9 };

	begin();
	for (unsigned round = 0; round < 9; round++) {
		for (unsigned i = 0; i < 7; i++)
			EXPECT_EQ(put(i, sizes[i], SOCKET_RING, true, 0),
			    sizes[i]);
		EXPECT_EQ(socket_lane_first(&lane), 5);
		EXPECT_EQ(socket_lane_bytes(&lane, true), 70015);
		for (unsigned i = 0; i < 7; i++) {
			EXPECT_EQ(take(4, true, true, false),
			    sizes[i] < 4 ? sizes[i] : 4);
			EXPECT_EQ(take(80000, true, false, false), sizes[i]);
			EXPECT_EQ(taken.length, sizes[i]);
			EXPECT(memcmp(back, outside + i, sizes[i]) == 0);
		}
		EXPECT_EQ(take(1, true, false, false), RING_EMPTY);
	}
	EXPECT_EQ(put(0, 300000, SOCKET_RING, true, 0), RING_FULL);
	for (unsigned i = 0; i < SOCKET_MARKS; i++)
		EXPECT_EQ(put(0, 1, SOCKET_RING, true, 0), 1);
	EXPECT_EQ(put(0, 1, SOCKET_RING, true, 0), RING_FULL);
	EXPECT(!socket_lane_writable(&lane, true, SOCKET_RING));
}

TEST(test_a_vector_is_one_message)
{
	struct linux_iovec v[4] = { { (uint64_t)outside, 3 }, { 0, 0 },
		{ (uint64_t)outside + 10, 4 }, { (uint64_t)outside + 3, 1 } };
	struct socket_pieces p = { .from = v, .left = 4 };

	begin();
	EXPECT_EQ(socket_pieces_total(&p), 8);
	EXPECT_EQ(socket_put_message(&lane, &p, 8, SOCKET_RING, NULL), 8);
	EXPECT_EQ(take(100, true, false, false), 8);
	EXPECT(memcmp(back, outside, 3) == 0 && back[3] == outside[10] &&
	    back[7] == outside[3]);
}

/*
 * Another writes anything into the words of the ring, between any two
 * operations: nothing outside of it is touched, and no call hangs.
 */
static uint64_t state = 1;

static uint64_t
draw(uint64_t limit)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (state >> 33) % limit;
}

static void
lie(void)
{
	uint64_t *words = (uint64_t *)&memory.ring[0];
	uint64_t value = draw(2) == 0 ? draw(600000) :
	    (uint64_t)(int64_t)(draw(40) - 20) + words[draw(4)];

	if (draw(3) == 0)
		memory.marks[0][draw(SOCKET_MARKS)].word[draw(4)] = draw(4) ==
		    0 ? draw(UINT32_MAX) << 32 | draw(UINT32_MAX) : value;
	else if (draw(2) == 0)
		words[draw(3)] = value;
	else
		words[16 + draw(2)] = value;
}

TEST(test_lies_in_the_ring_spoil_contents_only)
{
	begin();
	for (unsigned i = 0; i < 300000; i++) {
		bool message = draw(2) == 0;
		uint64_t size = draw(8) == 0 ? draw(300000) : draw(50);
		long done = draw(2) == 0 ?
		    put(draw(1000), size, SOCKET_RING, message,
		    (uint8_t)draw(3)) :
		    take(size, message, draw(4) == 0, draw(2) == 0);
		EXPECT(done >= RING_EMPTY && done <= (long)SOCKET_RING);
		if (message && done >= 0)
			EXPECT(taken.name_length <= SOCKET_NAME_MAX);
		EXPECT(socket_lane_bytes(&lane, message) <= SOCKET_RING);
		EXPECT(socket_lane_first(&lane) <= SOCKET_RING);
		if (draw(3) == 0)
			lie();
		if (draw(5000) == 0)
			begin();
	}
}

TEST_MAIN(0)
