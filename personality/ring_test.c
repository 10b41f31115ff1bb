/* SPDX-License-Identifier: MIT */
#include "ring.h"

#include <lib/ktap/ktap.h>

#include <pthread.h>
#include <string.h>

static struct ring ring;

static void
test_span_wraps_in_two_pieces(void)
{
	struct ring_span span;

	ring_span(&ring, 3 * RING_SIZE - 10, 30, &span);
	KTAP_EQUAL(span.length[0], 10);
	KTAP_EQUAL(span.length[1], 20);
	KTAP_CHECK(span.piece[0] == ring.data + RING_SIZE - 10);
	KTAP_CHECK(span.piece[1] == ring.data);
	ring_span(&ring, 0, RING_SIZE, &span);
	KTAP_EQUAL(span.length[0], RING_SIZE);
	KTAP_EQUAL(span.length[1], 0);
}

static void
test_nonsense_indices_are_noticed(void)
{
	uint64_t used;

	ring.taken = 5;
	ring.written = 5 + RING_SIZE;
	KTAP_CHECK(ring_used(&ring, &used));
	ring.written++;
	KTAP_CHECK(!ring_used(&ring, &used));
	ring.written = 4;
	KTAP_CHECK(!ring_used(&ring, &used));
	memset(&ring, 0, sizeof(ring));
}

static void
test_lock_of_a_dead_owner_is_taken_once(void)
{
	uint64_t lock = 0, owner;

	KTAP_CHECK(ring_try_lock(&lock, 7, &owner));
	KTAP_CHECK(!ring_try_lock(&lock, 8, &owner));
	KTAP_EQUAL(owner, 7);
	KTAP_CHECK(ring_take_over(&lock, 8, 7));
	KTAP_CHECK(!ring_take_over(&lock, 9, 7));
	/* The former owner cannot release it any more. */
	ring_unlock(&lock, 7);
	KTAP_EQUAL(lock, 8);
	ring_unlock(&lock, 8);
	KTAP_EQUAL(lock, 0);
}

#define TOTAL	(8u << 20)

static void *
producer(void *unused)
{
	uint64_t sent = 0;

	while (sent < TOTAL) {
		struct ring_span span;
		uint64_t used, count = 1 + sent * 2654435761u % 5000;
		if (!ring_used(&ring, &used))
			return NULL;
		if (count > RING_SIZE - used)
			count = RING_SIZE - used;
		if (count > TOTAL - sent)
			count = TOTAL - sent;
		ring_span(&ring, sent, count, &span);
		for (unsigned p = 0; p < 2; p++) {
			for (uint64_t i = 0; i < span.length[p]; i++)
				span.piece[p][i] = (uint8_t)((sent + i) * 31 %
				    251);
			sent += span.length[p];
		}
		ring_publish(&ring.written, sent);
	}
	return unused;
}

static void
test_bytes_arrive_in_order_between_threads(void)
{
	pthread_t thread;
	uint64_t got = 0;
	bool good = true;

	memset(&ring, 0, sizeof(ring));
	pthread_create(&thread, NULL, producer, NULL);
	while (got < TOTAL) {
		struct ring_span span;
		uint64_t used;
		if (!ring_used(&ring, &used)) {
			good = false;
			break;
		}
		ring_span(&ring, got, used, &span);
		for (unsigned p = 0; p < 2; p++) {
			for (uint64_t i = 0; i < span.length[p]; i++)
				good = good && span.piece[p][i] ==
				    (uint8_t)((got + i) * 31 % 251);
			got += span.length[p];
		}
		ring_publish(&ring.taken, got);
	}
	pthread_join(thread, NULL);
	KTAP_CHECK(good);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_span_wraps_in_two_pieces),
		KTAP_TEST(test_nonsense_indices_are_noticed),
		KTAP_TEST(test_lock_of_a_dead_owner_is_taken_once),
		KTAP_TEST(test_bytes_arrive_in_order_between_threads),
	};
	return KTAP_RUN(tests);
}
