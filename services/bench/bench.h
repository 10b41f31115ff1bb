/* SPDX-License-Identifier: MIT */
/* What the two address spaces of the native benchmark share. */
#pragma once

#include <lib/peer/peer.h>

#define UTCB	((struct utcb *)PLACE_UTCB)

/* Objects of a measurement. The peer has its copy of this structure. */
struct objects {
	cap_t	endpoint, reply;
	cap_t	notification;	/* the peer waits for it */
	cap_t	answer;		/* the peer signals it */
};

extern struct objects objects;

static inline uint64_t
ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline struct sys_result
sys3(long number, uint64_t a, uint64_t b, uint64_t c)
{
	return sys_invoke(number, a, b, c, 0, 0, 0);
}

void sort(uint64_t *values, unsigned count);
/* Runs `prepare` (or NULL) unmeasured and `operation` measured; one row. */
void measure(const char *name, uint64_t goal, void (*prepare)(void),
    void (*operation)(void));
void clear_answer(void);
void measure_recovery(cap_t vspace);
void measure_wakeups(cap_t vspace);
void measure_channels(cap_t vspace, cap_t broker);

/* Peer code. */
void peer_serve(void);		/* answers calls */
void peer_echo(void);		/* signals back what it is signalled */
void peer_fault(void);		/* raises exceptions and measures them */
void peer_fault_upcall(void);

/* Results of peer_fault, in a memory object both map. */
#define SHARED_PAGE	(PLACE_HEAP_BASE + 0x10000000ul)
#define SAMPLES		512u

struct shared {
	uint64_t deliver[SAMPLES], resume[SAMPLES];
};
