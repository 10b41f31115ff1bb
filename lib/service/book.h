/* SPDX-License-Identifier: MIT */
/*
 * What the service loop remembers across incarnations, and the bookkeeping of
 * the open transaction. No system calls: the loop carries out what is listed
 * here, tests drive it alone.
 *
 * struct book_state is the root of the arena; the service's own root hangs
 * below it. It changes only inside transactions. struct book is the ordinary
 * memory of one incarnation.
 *
 * The effect list is the one of the last commit that had effects. All of them
 * were carried out before the next transaction began, so the list is not
 * cleared afterwards: it is replaced by the next commit, and doing it again
 * changes nothing. There are two, used in turn: the one that is not the last
 * commit's needs no saving when it is written.
 */
#pragma once

#include <lib/service/service.h>

#define BOOK_LAYOUT		3u	/* version of struct book_state */
#define BOOK_EFFECTS		256u	/* per transaction, without answers */
#define BOOK_ANSWERS		64u
#define BOOK_REQUESTS		32u
#define BOOK_CHUNK		512u	/* named handles per chunk */
#define BOOK_FRESH		64u
#define BOOK_REPLIES_MAX	12288u	/* reply objects of one service */

#define EFFECT_SIGNAL	1u	/* target notification, value bits */
#define EFFECT_DELETE	2u	/* target handle */
#define EFFECT_RESIZE	3u	/* target memory, value size */

struct book_effect {
	uint64_t kind;		/* EFFECT_* */
	cap_t	 target;
	uint64_t value;
};

struct book_answer {
	struct parked_call id;
	struct message message;
	uint64_t caps;		/* how many of cap[] go with it */
	uint64_t drop;		/* 1: delete them here after that */
	cap_t	 cap[4];
};

struct book_list {
	struct book_effect effect[BOOK_EFFECTS];
	struct book_answer answer[BOOK_ANSWERS];
};

/*
 * At most one reply object is active: it takes the next call, or holds the one
 * that is being executed. All others are parked or idle, so that whoever resumes
 * looks into one, however many there are.
 */
struct book_reply {
	cap_t	 cap;
	uint64_t parked;	/* order number of the parked call, 0 = none */
	uint64_t next;		/* idle: number of the next idle one, 0 = none */
};

struct book_request {
	char	 name[48];
	cap_t	 cap;
};

struct book_state {
	uint8_t	 apart[PAGE_SIZE];	/* shares no page with other things */
	void	 *root;		/* of the service */
	uint64_t reply_count;	/* reply objects made so far */
	uint64_t active;	/* number (index + 1) of the active one, 0 =
				 * none: all are parked */
	uint64_t idle;		/* number of the first idle one, 0 = none */
	uint64_t request_count;
	struct book_reply *replies;
	cap_t	 **named;	/* chunks of handles, indexed by slot */
	struct {
		uint32_t effects, answers;
		uint64_t which;		/* of list[] */
	} listed;
	struct book_list list[2];
	struct book_request request[BOOK_REQUESTS];
	uint8_t	 apart_too[PAGE_SIZE];
};

struct book {
	struct arena *arena;
	struct book_state *state;
	uint32_t reply_limit, slot_limit;

	/* The open transaction. */
	bool	 list_begun;	/* the list of the last commit was emptied */
	struct parked_call current;	/* call being handled; order 0: none */
	bool	 current_answered;	/* by service_answer */
	uint32_t fresh_count;	/* capabilities named by it: */
	cap_t	 fresh[BOOK_FRESH];
	bool	 fresh_lost;	/* there were more */
};

/* What is listed. */
static inline const struct book_list *
book_list(const struct book_state *state)
{
	return &state->list[state->listed.which & 1];
}

/* In a transaction on an empty arena. */
status_t book_create(struct book *book, size_t root_size);
/* Takes the state of an arena that has one. */
void book_open(struct book *book);

/* First thing in every transaction. */
static inline void
book_begin(struct book *book, struct parked_call current)
{
	book->list_begun = false;
	book->current = current;
	book->current_answered = false;
	book->fresh_count = 0;
	book->fresh_lost = false;
}

/* Inside a transaction; ERR_NOMEM when a list or the undo log is full. */
status_t book_keep(struct book *book, cap_t cap);
status_t book_drop(struct book *book, cap_t cap);
status_t book_effect(struct book *book, unsigned kind, cap_t target,
    uint64_t value);
/* ERR_NOENT unless that call is parked, or is the current one. */
status_t book_answer(struct book *book, struct parked_call id,
    const struct message *message);
/* The answer of the current call; capabilities as the call says. */
status_t book_reply(struct book *book, const struct service_call *call);
status_t book_park(struct book *book, struct parked_call id);
/* Takes a new reply object into the table; there is no active one, it is. */
status_t book_add_reply(struct book *book, cap_t cap);
status_t book_add_request(struct book *book, const char name[48], cap_t cap);

/* CAP_NONE if it was never granted. */
cap_t book_find_request(const struct book *book, const char name[48]);
/* Named by the service, or travelling with a listed answer. */
bool book_is_named(const struct book *book, cap_t cap);
/* Each reply object is parked, idle, or the active one. */
bool book_ok(const struct book *book);
bool book_is_parked(const struct book *book, struct parked_call id);
