/* SPDX-License-Identifier: MIT */
/*
 * Rings, queues and tiers between real threads, which sleep in the kernel when
 * they find nothing. The thread sanitizer runs the same (preset host-tsan).
 * With BENNU_TEST_MORE in the environment it takes fifty times as long.
 */
#include <lib/ring/queue.h>
#include <lib/ring/ring.h>
#include <lib/ring/tier.h>

#include <lib/test/ktap.h>

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LINES		64u
#define PRODUCERS	2u
#define CPUS		4u

static void *memory;
static uint64_t messages;
static uint64_t sleeps;		/* of both sides; relaxed */

static void
setup(void)
{
	/* Enough for either; tiers need most. */
	memory = aligned_alloc(64, 1 << 20);
	messages = getenv("BENNU_TEST_MORE") != NULL ? 2500000 : 50000;
}

static void
word_sleep(uint32_t *word)
{
	__atomic_fetch_add(&sleeps, 1, __ATOMIC_RELAXED);
	syscall(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0);
}

static void
word_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static uint32_t
length_of(uint64_t number)
{
	uint32_t mixed = (uint32_t)(number * 2654435761u >> 8);

	return mixed % 16 == 0 ? mixed % 1000 : mixed % 48;
}

static void *
send_messages(void *unused)
{
	struct ring_producer producer;
	uint8_t data[1024];

	EXPECT_EQ(ring_producer_open(&producer, memory, LINES), OK);
	for (uint64_t i = 0; i < messages; i++) {
		uint32_t length = length_of(i);
		memset(data, (int)i, length);
		while (ring_send(&producer, data, length, i) != OK) {
			if (ring_producer_prepare_sleep(&producer, length)) {
				word_sleep(ring_producer_word(memory));
				ring_producer_awake(&producer);
			}
		}
		if (ring_producer_must_wake(&producer))
			word_wake(ring_consumer_word(memory));
	}
	ring_close(&producer);
	if (ring_producer_must_wake(&producer))
		word_wake(ring_consumer_word(memory));
	return unused;
}

/* How many bytes are not what they should be. */
static unsigned
count_wrong(const uint8_t *data, uint32_t length, uint64_t number)
{
	unsigned wrong = 0;

	for (uint32_t i = 0; i < length; i++)
		wrong += data[i] != (uint8_t)number;
	return wrong;
}

static uint64_t
receive_messages(struct ring_consumer *consumer)
{
	struct ring_message message;
	uint64_t received = 0, wrong = 0;

	while (!ring_is_closed(consumer)) {
		if (ring_peek(consumer, &message) == OK) {
			wrong += message.tag != received;
			wrong += message.length != length_of(received);
			wrong += count_wrong(message.data, message.length,
			    received);
			received++;
			ring_release(consumer);
			if (ring_consumer_must_wake(consumer))
				word_wake(ring_producer_word(memory));
		} else if (ring_consumer_prepare_sleep(consumer)) {
			word_sleep(ring_consumer_word(memory));
			ring_consumer_awake(consumer);
		}
	}
	EXPECT_EQ(wrong, 0);
	return received;
}

TEST(test_all_messages_arrive_between_threads_that_sleep)
{
	struct ring_consumer consumer;
	pthread_t thread;

	ring_format(memory, LINES);
	EXPECT_EQ(ring_consumer_open(&consumer, memory, LINES), OK);
	pthread_create(&thread, NULL, send_messages, NULL);
	EXPECT_EQ(receive_messages(&consumer), messages);
	pthread_join(thread, NULL);
	EXPECT(sleeps > 0);
}

static void *
overwrite_messages(void *unused)
{
	struct ring_producer producer;
	uint8_t data[1024];

	EXPECT_EQ(ring_producer_open(&producer, memory, LINES), OK);
	for (uint64_t i = 0; i < messages; i++) {
		memset(data, (int)i, length_of(i));
		EXPECT_EQ(ring_overwrite(&producer, data, length_of(i), i),
		    OK);
	}
	ring_close(&producer);
	return unused;
}

TEST(test_lossy_messages_are_whole_between_threads)
{
	struct ring_consumer consumer;
	struct ring_message message;
	uint8_t data[1024];
	uint64_t next = 0, wrong = 0, lost;
	pthread_t thread;

	ring_format(memory, LINES);
	EXPECT_EQ(ring_consumer_open(&consumer, memory, LINES), OK);
	pthread_create(&thread, NULL, overwrite_messages, NULL);
	while (!ring_is_closed(&consumer)) {
		status_t status = ring_take(&consumer, data, sizeof(data),
		    &message, &lost);
		if (status == ERR_EMPTY || status == ERR_BUSY)
			continue;
		wrong += status != OK;
		wrong += message.position != next + lost;
		wrong += message.tag != message.position;
		wrong += message.length != length_of(message.position);
		wrong += count_wrong(data, message.length, message.position);
		next = message.position + 1;
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(next, messages);
}

static struct queue queue;
static struct tiers tiers;
static uint64_t left;		/* items that nobody took yet; relaxed */
static uint8_t *taken;		/* times each item was taken; relaxed */
static uint64_t disorder;	/* relaxed */

static struct queue_item
item_of(uint64_t number)
{
	struct queue_item item;

	for (unsigned i = 0; i < QUEUE_WORDS; i++)
		item.words[i] = number + i;
	return item;
}

/* Item i of producer p is number i * PRODUCERS + p. */
static void *
put_items(void *which)
{
	for (uint64_t i = (uintptr_t)which; i < messages; i += PRODUCERS) {
		struct queue_item item = item_of(i);
		uint64_t number;
		while (queue_put(&queue, &item, &number) != OK)
			sched_yield();
	}
	return NULL;
}

/* Items of one producer come to one consumer in order, with gaps. */
static void
note_item(const struct queue_item *item, uint64_t *last)
{
	uint64_t number = item->words[0];

	for (unsigned i = 1; i < QUEUE_WORDS; i++)
		if (item->words[i] != number + i)
			__atomic_fetch_add(&disorder, 1, __ATOMIC_RELAXED);
	if (number + 1 <= last[number % PRODUCERS])
		__atomic_fetch_add(&disorder, 1, __ATOMIC_RELAXED);
	last[number % PRODUCERS] = number + 1;
	if (number < messages)
		__atomic_fetch_add(&taken[number], 1, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&left, 1, __ATOMIC_RELAXED);
}

static void *
get_items(void *unused)
{
	struct queue_item item;
	uint64_t last[PRODUCERS] = { 0 };

	while (__atomic_load_n(&left, __ATOMIC_RELAXED) > 0) {
		if (queue_get(&queue, &item) == OK)
			note_item(&item, last);
		else
			sched_yield();
	}
	return unused;
}

static void *
tier_put_items(void *which)
{
	struct tier_producer producer;
	uint64_t first = (uintptr_t)which;

	tier_producer_open(&producer, &tiers, 0);
	for (uint64_t i = first; i < messages; i += PRODUCERS) {
		struct queue_item item = item_of(i);
		/* It moves to another CPU every now and then. */
		while (tier_put(&producer, (uint32_t)(i / 7 + first) % CPUS,
		    &item) != OK)
			sched_yield();
	}
	return NULL;
}

static void *
tier_get_items(void *which)
{
	struct tier_consumer consumer;
	struct queue_item item;
	uint64_t last[PRODUCERS] = { 0 };

	tier_consumer_open(&consumer, &tiers);
	while (__atomic_load_n(&left, __ATOMIC_RELAXED) > 0) {
		if (tier_get(&consumer, (uint32_t)(uintptr_t)which, &item) ==
		    OK)
			note_item(&item, last);
		else
			sched_yield();
	}
	return NULL;
}

static void
run_four(void *(*put)(void *), void *(*get)(void *))
{
	pthread_t threads[2 * PRODUCERS];
	uint64_t wrong = 0;

	taken = calloc(messages, 1);
	left = messages;
	disorder = 0;
	for (uintptr_t i = 0; i < PRODUCERS; i++) {
		pthread_create(&threads[2 * i], NULL, put, (void *)i);
		pthread_create(&threads[2 * i + 1], NULL, get, (void *)i);
	}
	for (unsigned i = 0; i < 2 * PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	for (uint64_t i = 0; i < messages; i++)
		wrong += taken[i] != 1;
	EXPECT_EQ(wrong, 0);
	EXPECT_EQ(disorder, 0);
	free(taken);
}

TEST(test_each_item_of_a_queue_is_taken_once_and_in_order)
{
	queue_format(memory, 16);
	EXPECT_EQ(queue_open(&queue, memory, 16), OK);
	run_four(put_items, get_items);
}

TEST(test_each_item_of_the_tiers_is_taken_once_and_in_order)
{
	static const struct tier_place places[CPUS] = {
		{ 0, 0 }, { 0, 0 }, { 1, 1 }, { 1, 1 },
	};
	const struct tier_topology topology = {
		.cpus = CPUS, .sockets = 2, .nodes = 2, .places = places,
		.cells = { 4, 8, 16, 32 },
	};
	size_t size = 0;

	EXPECT_EQ(tier_size(&topology, &size), OK);
	EXPECT(size <= 1 << 20);
	tier_format(memory, &topology);
	EXPECT_EQ(tier_open(&tiers, memory, &topology), OK);
	run_four(tier_put_items, tier_get_items);
	free(memory);
}

TEST_MAIN(setup())
