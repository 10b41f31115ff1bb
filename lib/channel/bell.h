/* SPDX-License-Identifier: MIT */
/*
 * The bell of a member, for ports: what it sleeps on when it waits for one of
 * many words (of lanes) or for an event. 1 while it is about to sleep.
 *
 * Who sleeps raises the bell, then looks at the generation and its words; who
 * changed one of these then looks at the bell. A full barrier stands between
 * the two on either side, so at least one sees the other (model_test.c tries
 * every interleaving). There is no second word for "has events": with two, one
 * can be seen without the other, and who sleeps goes round until both are. Like
 * the rings this uses the operations of lib/ring/atomic.h, which the test
 * stands behind.
 */
#pragma once

#include <lib/channel/port.h>
#include <lib/ring/ring.h>

/*
 * true: sleep while *bell is 1, then call bell_lower. false: there is
 * something, and the bell is down.
 */
static inline bool
bell_raise(uint32_t *bell, const struct channel_domain *domain,
    const struct channel_member *member, uint32_t *const *words,
    uint32_t count)
{
	ring_store(bell, 1, RING_RELAXED);
	ring_fence(RING_FULL);
	bool quiet = ring_load(domain->generation, RING_ACQUIRE) ==
	    member->generation_seen;
	for (uint32_t i = 0; i < count && quiet; i++)
		quiet = ring_load(words[i], RING_ACQUIRE) != 0;
	if (!quiet)
		ring_store(bell, 0, RING_RELAXED);
	return quiet;
}

static inline void
bell_lower(uint32_t *bell)
{
	ring_store(bell, 0, RING_RELAXED);
}

/* Behind what it is about. true: wake who sleeps on it; it is down by now. */
static inline bool
bell_must_ring(uint32_t *bell)
{
	return ring_must_wake(bell);
}
