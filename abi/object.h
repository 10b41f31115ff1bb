/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects as seen from outside: handles, types, rights, trust.
 *
 * A handle is a slot index (low 24 bits) and the generation of that slot (high
 * 40 bits). Deleting a capability advances the generation of its slot, so a
 * stale handle never names another object. Generations start at 1, hence
 * handle 0 is never valid. A slot in a fresh table has generation 1: that makes
 * handles of well-known slots constants.
 */
#pragma once

#include <stdint.h>

typedef uint64_t cap_t;

#define CAP_NONE		0ul
#define CAP_INDEX_BITS		24
#define CAP_INDEX_MASK		((1ul << CAP_INDEX_BITS) - 1)
#define CAP_INDEX(cap)		((cap) & CAP_INDEX_MASK)
#define CAP_GENERATION(cap)	((cap) >> CAP_INDEX_BITS)
#define CAP_MAKE(index, gen)	(((uint64_t)(gen) << CAP_INDEX_BITS) | (index))
#define CAP_FIRST(index)	CAP_MAKE(index, 1)	/* never deleted before */
#define CAP_ANY_SLOT		(~0ul)			/* kernel picks the slot */

/* Object types. */
#define OBJ_NONE		0u
#define OBJ_TABLE		1u	/* capability table */
#define OBJ_VSPACE		2u	/* address space */
#define OBJ_THREAD		3u
#define OBJ_MEMORY		4u
#define OBJ_ENDPOINT		5u
#define OBJ_REPLY		6u
#define OBJ_NOTIFICATION	7u
#define OBJ_EVENTPAIR_A		8u	/* client end; may be called through */
#define OBJ_EVENTPAIR_B		9u	/* server end */
#define OBJ_DEATH		10u	/* death record of a place */
#define OBJ_IRQ			11u
#define OBJ_TIMER		12u
#define OBJ_IOPORT		13u
#define OBJ_CONTAINER		14u
#define OBJ_SYSTEM		15u	/* authority over the machine; boot only */
#define OBJ_TYPE_COUNT		16u

/*
 * Rights. Derivation only removes them.
 *
 *	READ	map readable, wait on, read state
 *	WRITE	map writable, signal, set, write to
 *	EXEC	map executable
 *	CALL	call an endpoint
 *	RECEIVE	receive from an endpoint; create event pairs that call it
 *	COPY	derive copies, pass in a message
 *	MANAGE	configure, start, stop, clear, charge to
 */
#define RIGHT_READ		0x01u
#define RIGHT_WRITE		0x02u
#define RIGHT_EXEC		0x04u
#define RIGHT_CALL		0x08u
#define RIGHT_RECEIVE		0x10u
#define RIGHT_COPY		0x20u
#define RIGHT_MANAGE		0x40u
#define RIGHT_ALL		0x7fu

/* Trust levels. Derivation only lowers them. */
#define TRUST_MAX		0xfu
#define TRUST_SERVICE		0xeu	/* raw messages from here up */
#define TRUST_LIBOS		0x8u	/* lite messages from here up */
#define TRUST_USER		0x0u

/* Memory object flags for object_create(OBJ_MEMORY). */
#define MEMORY_PHYSICAL		0x1u	/* a2 = physical address; needs OBJ_SYSTEM */
#define MEMORY_UNCACHED		0x2u
#define MEMORY_CONTIGUOUS	0x4u	/* one block, filled at creation (DMA) */

/* Mapping flags for vspace_map and vspace_protect. */
#define MAP_READ		0x01u
#define MAP_WRITE		0x02u
#define MAP_EXEC		0x04u
#define MAP_SHARED		0x08u	/* vspace_clone shares instead of copying */
#define MAP_NOCLONE		0x10u	/* vspace_clone leaves this region out */
#define MAP_PKEY_SHIFT		8	/* bits 8..11: protection key, if any */
#define MAP_PKEY_MASK		0xf00u

#define PAGE_SHIFT		12
#define PAGE_SIZE		4096ul
#define PAGE_MASK		(PAGE_SIZE - 1)

/* User addresses lie in [USER_LOW, USER_HIGH). */
#define USER_LOW		0x1000ul
#define USER_HIGH		0x7ffffffff000ul

/* Scheduling classes, lowest first. RECOVERY runs phoenix and resumes. */
#define CLASS_IDLE		0u
#define CLASS_LOW		1u
#define CLASS_NORMAL		2u
#define CLASS_HIGH		3u
#define CLASS_REALTIME		4u
#define CLASS_RECOVERY		5u
#define CLASS_COUNT		6u
#define WEIGHT_DEFAULT		1024u	/* share inside CLASS_NORMAL: 1..65535 */

/* Where a thread is in its life (thread_info). */
#define STATE_STOPPED		0u	/* not started yet */
#define STATE_READY		1u	/* waits for a CPU */
#define STATE_RUNNING		2u
#define STATE_BLOCKED		3u
#define STATE_DEAD		4u

/* Notification wait modes. */
#define WAIT_BITS		0u	/* take and clear the word when not 0 */
#define WAIT_COUNT		1u	/* until the signal count differs from seen */
#define WAIT_POLL		2u	/* return word and count, never block */
#define DEADLINE_NEVER		(~0ul)

/* Events that a notification lists (event_next). */
#define EVENT_PEER_GONE		1u	/* other end of an event pair was dropped */
#define EVENT_DEATH		2u	/* a death record was filled */
#define EVENT_CANCEL		3u	/* a held call was cancelled or its caller died */

/* Causes in a death record. */
#define DEATH_NONE		0u
#define DEATH_EXCEPTION		1u
#define DEATH_PANIC		2u	/* the thread stopped itself with a reason */
#define DEATH_BUDGET		3u	/* CPU time of one request exceeded */
#define DEATH_LIMIT		4u	/* a fault could not be served: no memory left */
#define DEATH_KILLED		5u	/* thread_kill by a holder of the capability */
#define DEATH_EXIT		6u
