/* SPDX-License-Identifier: MIT */
/*
 * The operations of lib/ring/atomic.h as the explorer sees them, and how its
 * two halves talk: the memory model and the scheduler. Orders are those of the
 * compiler (__ATOMIC_*).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum interleave_kind {
	INTERLEAVE_LOAD, INTERLEAVE_STORE, INTERLEAVE_EXCHANGE, INTERLEAVE_OR,
	INTERLEAVE_AND, INTERLEAVE_SWAP_IF, INTERLEAVE_FENCE, INTERLEAVE_GET,
	INTERLEAVE_PUT, INTERLEAVE_SLEEP, INTERLEAVE_WAKE,
};

struct interleave_access {
	enum interleave_kind kind;
	void	*address;
	uint32_t size;
	int	 order;
	uint64_t value;		/* to write; SLEEP: the value to sleep at */
	uint64_t expected;	/* SWAP_IF */
	uint64_t result;	/* what was read */
};

/* Executes an access of the running thread; returns what was read. */
uint64_t interleave_access(enum interleave_kind kind, const void *address,
    uint32_t size, int order, uint64_t value);
_Bool interleave_swap_if(uint64_t *address, uint64_t *expected, uint64_t value,
    int order);
void interleave_copy_in(void *shared, const void *data, size_t length);
void interleave_copy_out(void *data, const void *shared, size_t length);

#define ring_load(address, order) \
	((__typeof__(*(address)))interleave_access(INTERLEAVE_LOAD, address, \
	    sizeof(*(address)), order, 0))
#define ring_store(address, value, order) \
	((void)interleave_access(INTERLEAVE_STORE, address, \
	    sizeof(*(address)), order, value))
#define ring_exchange(address, value, order) \
	((__typeof__(*(address)))interleave_access(INTERLEAVE_EXCHANGE, \
	    address, sizeof(*(address)), order, value))
#define ring_or(address, value, order) \
	((__typeof__(*(address)))interleave_access(INTERLEAVE_OR, address, \
	    sizeof(*(address)), order, value))
#define ring_and(address, value, order) \
	((__typeof__(*(address)))interleave_access(INTERLEAVE_AND, address, \
	    sizeof(*(address)), order, value))
#define ring_swap_if(address, expected, value, order) \
	interleave_swap_if(address, expected, value, order)
#define ring_fence(order) \
	((void)interleave_access(INTERLEAVE_FENCE, NULL, 0, order, 0))
#define ring_get(address) \
	((__typeof__(*(address)))interleave_access(INTERLEAVE_GET, address, \
	    sizeof(*(address)), 0, 0))
#define ring_put(address, value) \
	((void)interleave_access(INTERLEAVE_PUT, address, \
	    sizeof(*(address)), 0, value))
#define ring_word_load(address)		ring_load(address, __ATOMIC_RELAXED)
#define ring_word_store(address, value) \
	ring_store(address, value, __ATOMIC_RELAXED)
#define ring_copy_in(line, data, length) \
	interleave_copy_in(line, data, length)
#define ring_copy_out(data, line, length) \
	interleave_copy_out(data, line, length)
