/* SPDX-License-Identifier: MIT */
/*
 * For programs that bennu-supervise runs as a place: with an arena, a warm
 * spare, or connections that outlive them. See bennu-place(7).
 *
 *	struct bennu_place place;
 *
 *	prepare what takes long;
 *	if (bennu_place_open(&place, &operations) != OK)	waits for its turn
 *		exit(1);
 *	arena = bennu_place_arena(&place, VERSION);	rolled back if need be
 *	bennu_place_ready(&place);
 *	for (;;)
 *		poll place.messages and the descriptors that were given;
 *		bennu_place_read(&place) when there are messages;
 *
 * One thread. Descriptors come through `take` and are the program's; the
 * supervisor keeps a copy of each until bennu_place_forget.
 */
#pragma once

#include <lib/arena/arena.h>

#include <hosted/supervise/protocol.h>

struct bennu_place_operations {
	/* A descriptor that was kept, or was accepted; non-blocking. */
	void (*take)(void *context, const char *name, int fd);
	/* Only a spare is told this: its copy is to be closed. */
	void (*forget)(void *context, const char *name);
	/* Take no new requests, or go on. NULL: never mind. */
	void (*drain)(void *context, bool on);
	void *context;
};

struct bennu_place {
	/* Set by bennu_place_open. */
	uint64_t incarnation;	/* from 1 */
	uint64_t cold;		/* cold starts so far */
	uint64_t refused_count;	/* requests that killed: to be refused */
	uint64_t refused[PLACE_REFUSED];
	int	 messages;	/* to poll */
	void	*memory;	/* of the arena; NULL: none */
	size_t	 size;

	/* Of the library. */
	struct bennu_place_operations operations;
	struct place_status *status;
	uint64_t began_ns;
};

/*
 * Maps memory, then waits until it is its turn; descriptors come meanwhile.
 * ERR_NOENT: this is no place. ERR_GONE: the supervisor went away.
 */
status_t bennu_place_open(struct bennu_place *place,
    const struct bennu_place_operations *operations);
/* Messages that are there; does not wait. ERR_GONE as above. */
status_t bennu_place_read(struct bennu_place *place);
/*
 * The arena, writable in transactions only. ERR_STATE: made by a program with
 * another layout version. Panics by abort().
 */
status_t bennu_place_arena(struct bennu_place *place, uint64_t layout_version,
    struct arena **out_arena);

/* READY=1, or any other message of sd_notify. ERR_GONE: not delivered. */
status_t bennu_place_ready(struct bennu_place *place);
status_t bennu_place_say(const char *message);
/* The supervisor keeps a copy of it, for this incarnation and the next. */
status_t bennu_place_keep(int fd, const char *name);
status_t bennu_place_forget(const char *name);

/*
 * Around each request, for what the supervisor says about a death. `order` names
 * the request: the same one, executed again, must have the same. False: it
 * killed two incarnations in the same way, refuse it.
 */
bool bennu_place_begin(struct bennu_place *place, uint64_t order, uint64_t tag);
void bennu_place_end(struct bennu_place *place, bool refused);
