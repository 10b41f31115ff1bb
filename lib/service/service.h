/* SPDX-License-Identifier: MIT */
/*
 * The service loop: receive, prepare, commit, effects.
 *
 * A service fills a table and calls service_run(). For each call the loop opens
 * an arena transaction and runs the handler, which ends in exactly one of
 *
 *	REPLY	the words (and capabilities) in the call are the answer
 *	ERROR	the transaction is undone, the answer is TAG_REPLY_ERROR, code
 *	PARK	the call stays in its reply object; the handler has recorded it
 *
 * The loop then commits. Effects are listed in the arena by that commit and
 * carried out after it; all are idempotent and are redone by the next
 * incarnation when this one dies in between:
 *
 *	reply	answers a reply object if it still holds the call of that order
 *	signal	sets bits of a notification
 *	delete	deletes a capability handle
 *	resize	sets the size of a memory object (truncate)
 *
 * The reply to the current call is an effect like the others.
 *
 * Capabilities that must survive are named in the arena (service_cap_keep)
 * inside the transaction; at resume every slot above PLACE_FREE_SLOT that is
 * not named is deleted. Naming is undone with the transaction, and dropping a
 * name lists a delete effect.
 */
#pragma once

#include <idl/message.h>
#include <lib/arena/arena.h>
#include <lib/sys/sys.h>
#include <stdbool.h>

/* How a call that is parked is named in the arena. */
struct parked_call {
	uint32_t reply;		/* index of the reply object */
	uint64_t order;
};

struct service_call {
	struct message message;	/* request, then the reply */
	uint64_t badge;
	unsigned trust;
	unsigned caps, windows;	/* how many came with the request */
	bool	 cancelled;	/* the caller asked to stop, or is dead */
	bool	 resumed;	/* executed before by a dead incarnation */
	struct parked_call id;
	cap_t	 reply;		/* for sys_window_copy, sys_reply_take_cap */
	unsigned reply_caps;	/* capabilities of the reply: */
	cap_t	 reply_cap[4];	/* copied to the caller; own copies are deleted
				 * after the reply when reply_cap_drop is set */
	bool	 reply_cap_drop;
};

typedef enum { SERVICE_REPLY, SERVICE_ERROR, SERVICE_PARK } service_outcome;

/*
 * Badges of sessions (service_give_session): what the service chose in the low
 * bits, a flag, and the epoch: how often the place was started cold. Handlers
 * see the low bits; a call or event of another epoch never gets there. Badges
 * without the flag (of places) are passed on as they are.
 */
#define SERVICE_EPOCH_SHIFT	56
#define SERVICE_SESSION		(1ul << 55)
#define SERVICE_BADGE_MASK	(SERVICE_SESSION - 1)

struct service {
	const char *name;
	uint64_t layout_version;	/* of the root, below 2^32 */
	bool	 status_numbers;	/* errors are ERR_*, else E_* */
	size_t	 root_size;	/* bytes of the service's root structure */
	uint32_t reply_objects;	/* calls held at once: running + parked */
	uint32_t table_slots;	/* slots of the own table, for naming */
	uint32_t fixed_slots;	/* from PLACE_FREE_SLOT on, never swept */
	/* First boot of a fresh arena, in a transaction; root is zeroed. */
	status_t (*start)(void *root);
	/* Every start after that, not in a transaction: map things, check. */
	void (*resume)(void *root, bool first);
	/*
	 * One call. For ERROR the handler puts the code into message.word[1].
	 * The arena transaction is open.
	 */
	service_outcome (*handle)(void *root, struct service_call *call);
	/*
	 * Bits of the place's notification, in a transaction: interrupts,
	 * timers. May list effects, answer parked calls.
	 */
	void (*notified)(void *root, uint64_t bits);
	/* A kernel event (EVENT_PEER_GONE, EVENT_DEATH), in a transaction. */
	void (*event)(void *root, uint64_t kind, uint64_t badge);
	/*
	 * A parked call was cancelled: answer it (service_answer), in a tx. Who
	 * parks none needs none.
	 */
	void (*cancel)(void *root, struct parked_call id);
	/*
	 * Called outside transactions before the loop blocks; may be NULL. The
	 * last answer may still wait for that: a transaction sends it first.
	 */
	void (*idle)(void *root);
	/*
	 * The arena has the layout of an older version: makes it that of this
	 * one, in a transaction that also notes the new version. NULL, or not
	 * OK: this image cannot run on that arena. It is committed with the
	 * first transaction after it, or when the service is READY: who dies
	 * in resume() leaves the old version.
	 */
	status_t (*upgrade)(void *root, uint64_t from);
};

_Noreturn void service_run(const struct service *service);

struct arena *service_arena(void);
const struct place_info *service_info(void);
uint64_t service_now_ns(void);		/* since boot, from the clock page */
uint64_t service_wall_ns(void);		/* since 1970 */
uint64_t service_ticks_ns(uint64_t ticks);	/* of the time stamp counter */
/* Since boot, from a time stamp; 0 if that lies before the boot or ahead. */
uint64_t service_stamp_ns(uint64_t tsc);

/* All inside a transaction; ERR_NOMEM when the effect list or log is full. */
status_t service_cap_keep(cap_t cap);
status_t service_cap_drop(cap_t cap);
/* Answers a parked call; message as it shall arrive. No capabilities. */
status_t service_answer(struct parked_call id, const struct message *message);
status_t service_answer_error(struct parked_call id, uint64_t code);
status_t service_effect_signal(cap_t notification, uint64_t bits);
status_t service_effect_resize(cap_t memory, uint64_t size);
/* Reply object of a parked call, for window copies before answering it. */
cap_t service_reply_cap(struct parked_call id);
/* The words, badge and windows of a parked call, read again. */
status_t service_parked_read(struct parked_call id, struct service_call *out_call);

/* Asks phoenix; keeps the capability in the arena (own transaction). */
status_t service_request(const char *name, cap_t *out_cap);
/*
 * Opens a session for the caller, in a transaction: the reply takes end A of a
 * new event pair along, calls through it carry the badge, and the event when
 * its last holder is gone too. End B, *out_session, is kept; service_cap_drop
 * closes it. On failure what was kept goes with the transaction.
 */
status_t service_give_session(struct service_call *call, cap_t container,
    uint64_t badge, cap_t *out_session);
/* For sessions that a service makes itself: what their badge must be. */
uint64_t service_session_badge(uint64_t badge);
/* Boot option, NUL terminated; ERR_NOENT. */
status_t service_option(const char *key, char value[48]);
/*
 * Tells phoenix that the place serves. The loop does it after the calls of the
 * dead incarnation were served, unless the service did before.
 */
void service_ready(void);

/* One line into the kernel log: "name: text". %s %d %u %x %lu %lx %c. */
void service_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A broken invariant: logs, dies, is restarted. */
_Noreturn void service_panic(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
/*
 * A point of the service's own where the boot option crash= may kill it. Those
 * of the loop, where faults are injected as well, are in idl/fault.h.
 */
void service_crash_point(const char *name);
