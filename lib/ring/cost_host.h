/* SPDX-License-Identifier: MIT */
/* Operations whose instructions are counted. */
#pragma once

#include <lib/ring/ring.h>

/* Passes a word from one to the other so many times; false: it went wrong. */
bool cost_pass(struct ring_producer *producer, struct ring_consumer *consumer,
    uint64_t rounds);
/* The same, and asks after each message whether to wake. */
bool cost_pass_and_ask(struct ring_producer *producer,
    struct ring_consumer *consumer, uint64_t rounds);
/* What is left without a ring: the loop, the copies, the comparison. */
bool cost_copy(volatile uint64_t *word, uint64_t rounds);
