/* SPDX-License-Identifier: MIT */
/*
 * How the ring of a socket touches shared memory, so that lib/test/interleave.h
 * can try all orders (RING_EXPLORED).
 */
#pragma once

#ifdef RING_EXPLORED
#include <lib/test/interleave_atomic.h>
#define SHARED_LOAD(address)		ring_load(address, __ATOMIC_ACQUIRE)
#define SHARED_PEEK(address)		ring_load(address, __ATOMIC_RELAXED)
#define SHARED_STORE(address, value) \
	ring_store(address, value, __ATOMIC_RELAXED)
/* What a store is on x86-64: an exchange, a full barrier. */
#define SHARED_PUBLISH(address, value) \
	((void)ring_exchange(address, value, __ATOMIC_SEQ_CST), \
	    ring_fence(__ATOMIC_SEQ_CST))
#else
#define SHARED_LOAD(address)	__atomic_load_n(address, __ATOMIC_ACQUIRE)
#define SHARED_PEEK(address)	__atomic_load_n(address, __ATOMIC_RELAXED)
#define SHARED_STORE(address, value) \
	__atomic_store_n(address, value, __ATOMIC_RELAXED)
/* Full barrier: who sleeps is asked for after this. */
#define SHARED_PUBLISH(address, value) \
	__atomic_store_n(address, value, __ATOMIC_SEQ_CST)
#endif
