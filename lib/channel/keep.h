/* SPDX-License-Identifier: MIT */
/*
 * Members that outlive their owner. A kept member does not end when its process
 * or incarnation dies: its lanes stay as they are, senders go on until they are
 * full, callers wait until their deadlines, and the successor resumes it. Then no
 * message was lost and none is received twice, if the owner says what belongs
 * together:
 *
 *	receive or peek, answer, send ...	nobody sees any of it yet
 *	begin a transaction of the own memory
 *		change the own state
 *		channel_keep			where the member stands now
 *	commit
 *	channel_settle				what was sent is seen, what was
 *						received is given back
 *
 * A death before the commit: the successor receives the same messages again, and
 * nobody saw what was sent. A death behind it: the successor finds what was
 * committed, and channel_resume does what the dead one's channel_settle did not.
 * Several members can be kept in one transaction. After a transaction that was
 * given up channel_undo takes the member back to the last one that was not.
 *
 * A request of a SYNC channel is answered once: it is received again unless its
 * answer was committed. One that was received in a committed transaction without
 * its answer is still to be answered by the successor, before it receives again
 * (what it asked is for the owner to keep).
 *
 * What is staged takes room in its lane: an owner that sends more in one
 * transaction than a lane holds waits for itself, until its deadline.
 *
 * Where the member stands is kept in memory of the caller, which survives it and
 * changes in transactions (lib/arena, or any other). create, open, resume and
 * close with a keeper save there, too: they belong into a transaction, and
 * channel_enter behind its commit. Only then others get to know the member: one
 * whose number was not committed ends with its owner, and nothing was sent to it.
 *
 * Kept can be senders and receivers of ASYNC, BROADCAST and MULTICAST channels and
 * receivers of SYNC ones, of at most CHANNEL_KEPT_LANES lanes; not with
 * DROP_OLDEST, not senders with buffers of their own (zero_copy): ERR_ARG.
 * ERR_NOSYS: the domain has no resume.
 *
 * Not kept are statistics, groups, session, and what keeps a token other than
 * that of the open; a message that is received again is counted again.
 */
#pragma once

#include <lib/channel/channel.h>

LINKAGE_BEGIN

#define CHANNEL_KEPT_SIZE	2048u	/* bytes */
#define CHANNEL_KEPT_LANES	20u

struct channel_keeper {
	/* CHANNEL_KEPT_SIZE bytes, aligned to 8; all zero: no member yet. */
	void	*memory;
	/* Called before a range of it is changed; as tx_add of an arena. */
	status_t (*save)(void *context, void *address, size_t length);
	void	*context;
};

/*
 * Takes over the member that the keeper's memory names; options as for open.
 * ERR_NOENT: there is none (create or open then), ERR_GONE: its channel or
 * domain is not there any more, and the memory names none from here on,
 * ERR_RIGHT: it is somebody else's, ERR_CORRUPT: the memory makes no sense.
 */
status_t channel_resume(const char *name,
    const struct channel_options *options, struct channel **out_channel);

/*
 * Behind the commit of a create, open or resume: the member has its lanes.
 * ERR_LIMIT, ERR_NOMEM and the like: close it, or try again.
 */
status_t channel_enter(struct channel *channel);

/* In the transaction. ERR_STATE: not kept; what `save` said: give it up. */
status_t channel_keep(struct channel *channel);
/* Behind the commit; cannot fail. Doing it twice is doing it once. */
void channel_settle(struct channel *channel);
/*
 * For receivers, kept or not: a number that changes when the sender of what peek
 * shows came back after its death; 0 if nothing is shown.
 */
uint64_t channel_sender_generation(const struct channel *channel);
/* Behind an abort. A peek, a reservation, an unanswered request are over. */
void channel_undo(struct channel *channel);

LINKAGE_END
