/* SPDX-License-Identifier: MIT */
/*
 * Every access of rings and queues to shared memory. One place, so that the
 * interleaving explorer (lib/test/interleave.h) can stand behind each of them:
 * it compiles the same sources with RING_EXPLORED.
 *
 *	ring_load, ring_store	a word that says what other memory means
 *	ring_get, ring_put	data that such a word protects: never accessed
 *				by two ends at once if both are honest. Read
 *				once, because a hostile end does not care
 *	ring_copy_*		payload under the same promise
 *	ring_word_*		payload that may change while it is copied; the
 *				copy is thrown away then (lossy rings)
 *
 * All are macros: the type is that of *address, the order is written out where
 * it matters. Private to lib/ring.
 */
#pragma once

#include <lib/base/string.h>
#include <stdint.h>

#define RING_RELAXED	__ATOMIC_RELAXED
#define RING_ACQUIRE	__ATOMIC_ACQUIRE
#define RING_RELEASE	__ATOMIC_RELEASE
#define RING_FULL	__ATOMIC_SEQ_CST

#ifdef RING_EXPLORED
#include <lib/test/interleave_atomic.h>
#else

#define ring_load(address, order)	__atomic_load_n(address, order)
#define ring_store(address, value, order) \
	__atomic_store_n(address, value, order)
#define ring_exchange(address, value, order) \
	__atomic_exchange_n(address, value, order)
/* Strong; *expected is what was found. Relaxed if it fails. */
#define ring_swap_if(address, expected, value, order) \
	__atomic_compare_exchange_n(address, expected, value, false, order, \
	    __ATOMIC_RELAXED)
/* Return what was there before. */
#define ring_or(address, value, order)	__atomic_fetch_or(address, value, order)
#define ring_and(address, value, order) \
	__atomic_fetch_and(address, value, order)

#define ring_get(address)	__atomic_load_n(address, __ATOMIC_RELAXED)
#define ring_put(address, value) \
	__atomic_store_n(address, value, __ATOMIC_RELAXED)
#define ring_copy_in(line, data, length)	memcpy(line, data, length)
#define ring_copy_out(data, line, length)	memcpy(data, line, length)
#define ring_word_load(address)	__atomic_load_n(address, __ATOMIC_RELAXED)
#define ring_word_store(address, value) \
	__atomic_store_n(address, value, __ATOMIC_RELAXED)

#ifdef __SANITIZE_THREAD__
/*
 * The thread sanitizer knows no fences. It does not reorder either; a locked
 * operation keeps the processor from it.
 */
static inline void
ring_fence(int order)
{
	uint32_t word = 0;

	(void)order;
	__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
}
#else
#define ring_fence(order)	__atomic_thread_fence(order)
#endif

#endif
