/* SPDX-License-Identifier: MIT */
/*
 * What a service finds when it starts in a place: capabilities, addresses,
 * struct place_info.
 */
#pragma once

#include <abi/object.h>
#include <idl/fault.h>
#include <stdint.h>

/* Well-known slots of a place's table; same in every incarnation. */
#define PLACE_TABLE		CAP_FIRST(0)
#define PLACE_CONTAINER		CAP_FIRST(1)
#define PLACE_ENDPOINT		CAP_FIRST(2)	/* own; receive, manage */
#define PLACE_NOTIFICATION	CAP_FIRST(3)	/* bound to the main thread */
#define PLACE_PHOENIX		CAP_FIRST(4)	/* badge = place index + 1 */
#define PLACE_ARENA		CAP_FIRST(5)	/* memory of the arena */
#define PLACE_CLOCK		CAP_FIRST(6)	/* clock page, read only */
#define PLACE_FREE_SLOT		8

/* Address layout of a service. */
#define PLACE_IMAGE_BASE	0x400000ul
#define PLACE_INFO		0x20000000ul	/* struct place_info, read only */
#define PLACE_UTCB		0x20001000ul
#define PLACE_CLOCK_PAGE	0x20002000ul	/* struct clock_page, read only */
#define PLACE_TRACE		0x20003000ul	/* struct trace_page, TRACE_SIZE bytes */
#define PLACE_STACK_TOP		0x30000000ul
#define PLACE_ARENA_BASE	0x100000000ul
#define PLACE_HEAP_BASE		0x200000000ul	/* free for mappings of the service */

#define PLACE_ARENA_PKEY	1u		/* protection key of arena pages */

#define PLACE_POISON_MAX	8u

/* Filled by phoenix before the first instruction of an incarnation. */
struct place_info {
	char	 name[16];
	uint64_t incarnation;	/* 1 = first */
	uint64_t place;		/* index */
	cap_t	 vspace;	/* own, of this incarnation */
	cap_t	 thread;	/* main thread, of this incarnation */
	uint64_t arena_size;	/* bytes, 0 = none */
	uint64_t cpu_features;	/* CPU_FEATURE_* */
	uint64_t cold;		/* cold starts so far: epoch of sessions */
	uint8_t	 seed[32];	/* fresh per incarnation */
	/*
	 * Order numbers of calls that killed incarnations in the same way: to
	 * be answered with an error, without a look at what they ask.
	 */
	uint64_t poison_count;
	uint64_t poison_order[PLACE_POISON_MAX];
	struct fault fault;	/* by the injector, at any time */
	uint64_t unprotected;	/* 1: arena always writable, to measure that */
};
