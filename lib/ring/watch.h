/* SPDX-License-Identifier: MIT */
/*
 * The watch of an object in shared memory: how those who wait for it learn that
 * its state has changed, at the price of one load for who changes it while
 * nobody waits.
 *
 * Who waits: has the key of the object registered for a notification of its
 * own, arms, looks at the object, and only then sleeps on the notification.
 * Who changes: stores the new state, then asks whether the watch is armed. If
 * so it counts the wake, has whoever keeps the registrations signal them, and
 * disarms last.
 *
 * armed is a counter whose lowest bit says armed; each arming makes a number
 * that never was. Who disarms names the number it saw, so an arming that came
 * after it stays. Who dies before it disarms leaves the watch armed, and the
 * next to change the object wakes.
 *
 * wakes tells a waiter with many objects which of them to look at: it was armed
 * at one number and finds another. It is counted before the signal.
 *
 * The peer is not trusted: both words are hints, a wrong one costs a look too
 * many or a wake-up that the peer did not want to give anyway.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Of their own, for who has rings of another kind includes this, too. */
#ifdef RING_EXPLORED
#include <lib/test/interleave_atomic.h>
#define WATCH_LOAD(address, order)	ring_load(address, order)
#define WATCH_SWAP_IF(address, expected, value) \
	ring_swap_if(address, expected, value, __ATOMIC_SEQ_CST)
#define WATCH_FENCE()			ring_fence(__ATOMIC_SEQ_CST)
#else
#define WATCH_LOAD(address, order)	__atomic_load_n(address, order)
#define WATCH_SWAP_IF(address, expected, value) \
	__atomic_compare_exchange_n(address, expected, value, false, \
	    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)
#define WATCH_FENCE()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

#define WATCH_ARMED	1ul

struct watch {
	uint64_t key[2];	/* random; who knows it may wait, or wake */
	uint64_t armed;
	uint64_t wakes;
};

/* The caller looks at the object after that. Returns the wakes so far. */
static inline uint64_t
watch_arm(struct watch *watch)
{
	uint64_t seen = WATCH_LOAD(&watch->armed, __ATOMIC_RELAXED);

	while (!WATCH_SWAP_IF(&watch->armed, &seen, (seen | WATCH_ARMED) + 2))
		;
	WATCH_FENCE();
	return WATCH_LOAD(&watch->wakes, __ATOMIC_ACQUIRE);
}

/*
 * The caller has stored the new state with a full barrier behind it. Not 0: what
 * watch_disarm() wants to know.
 */
static inline uint64_t
watch_is_armed(const struct watch *watch)
{
	uint64_t armed = WATCH_LOAD(&watch->armed, __ATOMIC_SEQ_CST);

	return (armed & WATCH_ARMED) != 0 ? armed : 0;
}

/* Before the registered are signalled. */
static inline void
watch_count(struct watch *watch)
{
	uint64_t wakes = WATCH_LOAD(&watch->wakes, __ATOMIC_RELAXED);

	while (!WATCH_SWAP_IF(&watch->wakes, &wakes, wakes + 1))
		;
}

/* After the registered were signalled. */
static inline void
watch_disarm(struct watch *watch, uint64_t armed)
{
	WATCH_SWAP_IF(&watch->armed, &armed, armed & ~WATCH_ARMED);
}
