/* SPDX-License-Identifier: MIT */
/*
 * The line ring, both ends in one thread: order, room, padding, staging, flags,
 * lossy use, and what is said to a peer that breaks the rules.
 */
#include <lib/ring/ring.h>

#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

#define LINES 8u

static struct {
	struct ring_memory *memory;
	struct ring_producer producer;
	struct ring_consumer consumer;
} pair;

static uint32_t random_state = 1;

static uint32_t
draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static void
start(uint32_t lines)
{
	free(pair.memory);
	pair.memory = aligned_alloc(RING_LINE, ring_size(lines));
	memset(pair.memory, 0xa5, ring_size(lines));
	ring_format(pair.memory, lines);
	EXPECT_EQ(ring_producer_open(&pair.producer, pair.memory, lines), OK);
	EXPECT_EQ(ring_consumer_open(&pair.consumer, pair.memory, lines), OK);
}

static status_t
send_number(uint64_t number, uint32_t length)
{
	uint8_t data[1024];

	for (uint32_t i = 0; i < length; i++)
		data[i] = (uint8_t)(number + i);
	return ring_send(&pair.producer, data, length, number);
}

/* Takes the next message and looks at each byte of it. */
static void
expect_number(uint64_t number, uint32_t length)
{
	struct ring_message message;

	EXPECT_EQ(ring_peek(&pair.consumer, &message), OK);
	EXPECT_EQ(message.tag, number);
	EXPECT_EQ(message.length, length);
	EXPECT_EQ(message.kind, RING_DATA);
	for (uint32_t i = 0; i < message.length; i++) {
		if (((const uint8_t *)message.data)[i] != (uint8_t)(number + i))
			EXPECT_EQ(i, length);
	}
	ring_release(&pair.consumer);
}

static status_t
peek(void)
{
	struct ring_message message;

	return ring_peek(&pair.consumer, &message);
}

TEST(test_only_a_power_of_two_of_aligned_lines_opens)
{
	struct ring_producer producer;
	struct ring_consumer consumer;

	start(LINES);
	for (uint32_t lines = 0; lines < 10; lines++) {
		status_t right = lines == 4 || lines == 8 ? OK : ERR_ARG;
		EXPECT_EQ(ring_producer_open(&producer, pair.memory, lines),
		    right);
		EXPECT_EQ(ring_consumer_open(&consumer, pair.memory, lines),
		    right);
	}
	EXPECT_EQ(ring_producer_open(&producer, pair.memory,
	    2 * RING_LINES_MAX), ERR_ARG);
	EXPECT_EQ(ring_producer_open(&producer, (char *)pair.memory + 8, LINES),
	    ERR_ARG);
}

TEST(test_messages_come_out_as_they_went_in)
{
	uint64_t sent = 0, received = 0;
	uint32_t lengths[64];

	for (uint32_t lines = RING_LINES_MIN; lines <= 32; lines *= 2) {
		start(lines);
		sent = received = 0;
		for (unsigned step = 0; step < 20000; step++) {
			uint32_t length = draw(ring_length_max(lines) + 1);
			if (draw(2) == 0 && send_number(sent, length) == OK)
				lengths[sent++ % 64] = length;
			if (draw(2) == 0 && received < sent) {
				expect_number(received, lengths[received % 64]);
				received++;
			}
			EXPECT_EQ(ring_depth(&pair.consumer), sent - received);
			EXPECT_EQ(peek(), received < sent ? OK : ERR_EMPTY);
		}
		EXPECT(sent > 5000);
	}
}

TEST(test_what_finds_the_ring_empty_fits_or_never_will)
{
	uint8_t data[1024] = { 0 };

	for (uint32_t lines = RING_LINES_MIN; lines <= 16; lines *= 2) {
		uint32_t most = ring_length_max(lines);
		start(lines);
		for (unsigned i = 0; i < 200; i++) {
			EXPECT_EQ(ring_send(&pair.producer, data, most + 1, 0),
			    ERR_ARG);
			EXPECT_EQ(send_number(i, most), OK);
			expect_number(i, most);
			EXPECT_EQ(send_number(i, draw(60)), OK);
			EXPECT_EQ(peek(), OK);
			ring_release(&pair.consumer);
		}
	}
}

TEST(test_one_line_stays_free)
{
	start(LINES);
	for (unsigned i = 0; i < LINES - 1; i++)
		EXPECT_EQ(send_number(i, RING_INLINE), OK);
	EXPECT_EQ(send_number(7, 1), ERR_FULL);
	expect_number(0, RING_INLINE);
	EXPECT_EQ(send_number(7, RING_INLINE + 1), ERR_FULL);
	EXPECT_EQ(send_number(7, RING_INLINE), OK);
	EXPECT_EQ(send_number(8, 0), ERR_FULL);
}

/* Payload that looks like headers must not become messages a lap later. */
TEST(test_payload_is_never_taken_for_a_message)
{
	uint32_t forged[LINES / 2 * 16];
	void *room;
	struct ring_message message;

	start(LINES);
	for (unsigned lap = 0; lap < 2000; lap++) {
		uint32_t length = draw(ring_length_max(LINES) + 1);
		uint64_t next = ring_position(&pair.producer);
		for (unsigned i = 0; i < sizeof(forged) / 4; i++)
			forged[i] = ring_sequence_of(next + RING_LINE *
			    (draw(4 * LINES) - 1ul));
		EXPECT_EQ(ring_reserve(&pair.producer, length, &room), OK);
		memcpy(room, forged, length);
		ring_commit(&pair.producer, length, RING_DATA, lap);
		EXPECT_EQ(ring_peek(&pair.consumer, &message), OK);
		EXPECT_EQ(message.tag, lap);
		EXPECT_EQ(message.length, length);
		ring_release(&pair.consumer);
		EXPECT_EQ(peek(), ERR_EMPTY);
	}
}

TEST(test_staged_is_seen_all_at_once)
{
	void *room;

	for (unsigned first = 0; first < LINES; first++) {
		start(LINES);
		for (unsigned i = 0; i < first; i++) {
			EXPECT_EQ(send_number(0, 1), OK);
			expect_number(0, 1);
		}
		for (unsigned i = 0; i < 3; i++) {
			EXPECT_EQ(ring_reserve(&pair.producer, 50, &room), OK);
			for (unsigned j = 0; j < 50; j++)
				((uint8_t *)room)[j] = (uint8_t)(i + j);
			ring_stage(&pair.producer, 50, RING_DATA, i);
			EXPECT_EQ(peek(), ERR_EMPTY);
			if (i == 1 && first % 2 == 0)
				break;
		}
		ring_publish(&pair.producer);
		for (unsigned i = 0; i < (first % 2 == 0 ? 2u : 3u); i++)
			expect_number(i, 50);
		EXPECT_EQ(peek(), ERR_EMPTY);
	}
}

TEST(test_commit_may_be_shorter_than_reserve)
{
	void *room;

	for (unsigned length = 0; length <= 240; length += 16) {
		start(LINES);
		for (unsigned i = 0; i < 3 * LINES; i++) {
			EXPECT_EQ(ring_reserve(&pair.producer, 240, &room), OK);
			for (unsigned j = 0; j < length; j++)
				((uint8_t *)room)[j] = (uint8_t)(i + j);
			ring_commit(&pair.producer, length, RING_DATA, i);
			expect_number(i, length);
		}
	}
}

TEST(test_reserved_but_not_committed_does_not_exist)
{
	void *room;

	start(LINES);
	for (unsigned i = 0; i < 3 * LINES; i++) {
		EXPECT_EQ(ring_reserve(&pair.producer, 200, &room), OK);
		memset(room, 0xff, 200);
		EXPECT_EQ(peek(), ERR_EMPTY);
		EXPECT_EQ(send_number(i, 10), OK);
		expect_number(i, 10);
	}
}

TEST(test_release_gives_back_what_was_shown_once)
{
	struct ring_message message;

	start(LINES);
	EXPECT_EQ(send_number(0, 8), OK);
	EXPECT_EQ(send_number(1, 8), OK);
	ring_release(&pair.consumer);
	EXPECT_EQ(peek(), OK);
	EXPECT_EQ(peek(), OK);
	ring_release(&pair.consumer);
	ring_release(&pair.consumer);
	EXPECT_EQ(ring_peek(&pair.consumer, &message), OK);
	EXPECT_EQ(message.position, 1);
	expect_number(1, 8);
	EXPECT_EQ(peek(), ERR_EMPTY);
}

TEST(test_consumer_is_woken_once_per_sleep)
{
	uint32_t *word;

	start(LINES);
	word = ring_consumer_word(pair.memory);
	EXPECT(!ring_producer_must_wake(&pair.producer));
	EXPECT(ring_consumer_prepare_sleep(&pair.consumer));
	EXPECT_EQ(*word, 1);
	EXPECT_EQ(send_number(0, 8), OK);
	EXPECT(ring_producer_must_wake(&pair.producer));
	EXPECT_EQ(*word, 0);
	EXPECT(!ring_producer_must_wake(&pair.producer));
	ring_consumer_awake(&pair.consumer);
	EXPECT(!ring_consumer_prepare_sleep(&pair.consumer));
	EXPECT_EQ(*word, 0);
	expect_number(0, 8);
	EXPECT(ring_consumer_prepare_sleep(&pair.consumer));
	ring_close(&pair.producer);
	EXPECT(ring_producer_must_wake(&pair.producer));
	EXPECT(!ring_consumer_prepare_sleep(&pair.consumer));
	EXPECT_EQ(*word, 0);
}

TEST(test_producer_sleeps_until_its_message_fits)
{
	uint32_t *word;

	start(LINES);
	word = ring_producer_word(pair.memory);
	for (unsigned i = 0; i < LINES - 1; i++)
		EXPECT_EQ(send_number(i, 8), OK);
	EXPECT(ring_producer_prepare_sleep(&pair.producer, 60));
	EXPECT_EQ(*word, 1);
	expect_number(0, 8);
	EXPECT(ring_consumer_must_wake(&pair.consumer));
	EXPECT(!ring_consumer_must_wake(&pair.consumer));
	EXPECT_EQ(*word, 0);
	ring_producer_awake(&pair.producer);
	EXPECT(!ring_producer_prepare_sleep(&pair.producer, 8));
	EXPECT_EQ(*word, 0);
	EXPECT(ring_producer_prepare_sleep(&pair.producer, 60));
	expect_number(1, 8);
	expect_number(2, 8);
	EXPECT(ring_consumer_must_wake(&pair.consumer));
	EXPECT(!ring_producer_prepare_sleep(&pair.producer, 60));
	EXPECT(!ring_producer_prepare_sleep(&pair.producer, 100000));
}

TEST(test_close_is_seen_behind_the_last_message)
{
	void *room;

	start(LINES);
	EXPECT(!ring_is_closed(&pair.consumer));
	EXPECT_EQ(send_number(0, 8), OK);
	EXPECT_EQ(ring_reserve(&pair.producer, 4, &room), OK);
	memcpy(room, "\1\2\3\4", 4);
	ring_stage(&pair.producer, 4, RING_DATA, 1);
	ring_close(&pair.producer);
	EXPECT(!ring_is_closed(&pair.consumer));
	expect_number(0, 8);
	EXPECT(!ring_is_closed(&pair.consumer));
	expect_number(1, 4);
	EXPECT(ring_is_closed(&pair.consumer));
	EXPECT(ring_is_closed(&pair.consumer));
}

TEST(test_lossy_keeps_the_newest_and_counts_the_rest)
{
	uint8_t data[256], got[256];
	struct ring_message message;
	uint64_t sent, received, lost;

	for (uint32_t lines = RING_LINES_MIN; lines <= 16; lines *= 2) {
		start(lines);
		sent = received = 0;
		for (unsigned step = 0; step < 20000; step++) {
			uint32_t length = draw(ring_length_max(lines) - 7);
			length = length < 200 ? length : 200;
			memset(data, (int)sent, length);
			if (draw(3) != 0) {
				EXPECT_EQ(ring_overwrite(&pair.producer, data,
				    length, sent ^ length), OK);
				sent++;
				continue;
			}
			status_t status = ring_take(&pair.consumer, got,
			    sizeof(got), &message, &lost);
			EXPECT_EQ(status, received < sent ? OK : ERR_EMPTY);
			if (status != OK)
				continue;
			EXPECT_EQ(message.position, received + lost);
			EXPECT_EQ(message.tag, message.position ^
			    message.length);
			for (unsigned i = 0; i < message.length; i++)
				EXPECT_EQ(got[i], (uint8_t)message.position);
			received = message.position + 1;
		}
		EXPECT(received + 64 > sent);
	}
}

TEST(test_lossy_message_stays_if_there_is_no_room)
{
	uint8_t got[64];
	struct ring_message message;
	uint64_t lost;

	start(LINES);
	EXPECT_EQ(ring_take(&pair.consumer, got, 64, &message, &lost),
	    ERR_EMPTY);
	EXPECT_EQ(ring_overwrite(&pair.producer, "12345678901234567", 17, 3),
	    OK);
	EXPECT_EQ(ring_take(&pair.consumer, got, 16, &message, &lost),
	    ERR_RANGE);
	EXPECT_EQ(message.length, 17);
	EXPECT_EQ(ring_take(&pair.consumer, got, 17, &message, &lost), OK);
	EXPECT_EQ(memcmp(got, "12345678901234567", 17), 0);
	EXPECT_EQ(lost, 0);
	EXPECT_EQ(ring_overwrite(&pair.producer, got,
	    ring_length_max(LINES) - 7, 0), ERR_ARG);
}

TEST(test_consumer_says_corrupt_and_keeps_saying_it)
{
	static const uint32_t shapes[] = {
		RING_PADDING,		/* at line 0 */
		RING_LENGTH_MAX,
		LINES * RING_LINE - RING_HEADER + 1,
		15u << 28 | (RING_LENGTH_MAX - 1),
	};

	for (unsigned i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		start(LINES);
		EXPECT_EQ(send_number(0, 8), OK);
		uint32_t good = pair.memory->lines[0].shape;
		pair.memory->lines[0].shape = shapes[i];
		EXPECT_EQ(peek(), ERR_CORRUPT);
		pair.memory->lines[0].shape = good;
		EXPECT_EQ(peek(), ERR_CORRUPT);
		EXPECT(!ring_consumer_prepare_sleep(&pair.consumer));
	}
}

TEST(test_producer_says_corrupt_and_keeps_saying_it)
{
	for (unsigned kind = 0; kind < 3; kind++) {
		start(LINES);
		for (unsigned i = 0; i < LINES - 1; i++)
			EXPECT_EQ(send_number(i, 8), OK);
		expect_number(0, 8);
		expect_number(1, 8);
		EXPECT_EQ(send_number(7, 8), OK);
		EXPECT_EQ(send_number(8, 8), OK);
		/* Taken back, more than was sent, half a line. */
		pair.memory->head = kind == 0 ? RING_LINE :
		    kind == 1 ? (LINES + 2) * RING_LINE : 3 * RING_LINE + 8;
		EXPECT_EQ(send_number(9, 8), ERR_CORRUPT);
		pair.memory->head = 3 * RING_LINE;
		EXPECT_EQ(send_number(9, 8), ERR_CORRUPT);
		EXPECT_EQ(ring_overwrite(&pair.producer, "", 0, 0),
		    ERR_CORRUPT);
		EXPECT(!ring_producer_prepare_sleep(&pair.producer, 8));
	}
}

/* The message that was reserved before has its room, whatever the peer says. */
TEST(test_a_lie_of_the_peer_takes_no_room_away)
{
	void *room;

	start(LINES);
	for (unsigned i = 0; i < LINES - 2; i++)
		EXPECT_EQ(send_number(i, 8), OK);
	EXPECT_EQ(ring_reserve(&pair.producer, 8, &room), OK);
	pair.memory->head = 2 * LINES * RING_LINE;
	EXPECT(!ring_producer_prepare_sleep(&pair.producer, 60));
	ring_commit(&pair.producer, 8, RING_DATA, 0);
	EXPECT_EQ(send_number(0, 8), ERR_CORRUPT);
}

static void
release_memory(void)
{
	free(pair.memory);
}

TEST_MAIN(atexit(release_memory))
