/* SPDX-License-Identifier: MIT */
/* What cost_test.c counts, compiled with the options of guest code. */
#include <lib/ring/cost_host.h>

/* The stack protector of guest code looks for it. */
extern uintptr_t __stack_chk_guard;
uintptr_t __stack_chk_guard = 0x5bd1e995;

__attribute__((always_inline)) static inline bool
pass_one(struct ring_producer *producer, struct ring_consumer *consumer,
    uint64_t value)
{
	struct ring_message message;
	void *data;

	if (ring_reserve(producer, sizeof(value), &data) != OK)
		return false;
	*(uint64_t *)data = value;
	ring_commit(producer, sizeof(value), RING_DATA, value);
	if (ring_peek(consumer, &message) != OK)
		return false;
	uint64_t received = *(const volatile uint64_t *)message.data;
	ring_release(consumer);
	return received == value;
}

bool
cost_pass(struct ring_producer *producer, struct ring_consumer *consumer,
    uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		if (!pass_one(producer, consumer, i))
			return false;
	}
	return true;
}

bool
cost_pass_and_ask(struct ring_producer *producer,
    struct ring_consumer *consumer, uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		if (!pass_one(producer, consumer, i) ||
		    ring_producer_must_wake(producer))
			return false;
	}
	return true;
}

bool
cost_copy(volatile uint64_t *word, uint64_t rounds)
{
	for (uint64_t i = 0; i < rounds; i++) {
		*word = i;
		if (*word != i)
			return false;
	}
	return true;
}
