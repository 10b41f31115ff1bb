/* SPDX-License-Identifier: MIT */
/*
 * A caller and a server that die between any two steps, each with an arena of
 * its own: what the caller committed to is done once, and the answer is the one
 * of that time.
 */
#include "outbox.h"

#include <lib/test/ktap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE		(1ul << 18)
#define REQUESTS	3000u
#define BADGE		7u

struct caller {
	struct wire_outbox outbox;
	uint64_t wanted, listed;	/* sum and number of all requests */
	uint64_t answered, last_total;
};

struct server {
	struct wire_kept_table kept;
	uint64_t total, executed;
};

static struct {
	void	*memory;
	struct arena *arena;
} places[2];

enum { CALLER, SERVER };

static uint64_t random_state = 88172645463325252ul;
static uint64_t deaths;

static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

/* The next incarnation: an open transaction is undone. */
static void
open_place(unsigned which)
{
	static const struct arena_environment environment;

	EXPECT_EQ(arena_open(places[which].memory, SIZE, 1, &environment,
	    &places[which].arena), OK);
}

static void
make_place(unsigned which, size_t root_size)
{
	places[which].memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	open_place(which);
	struct arena *arena = places[which].arena;
	tx_begin(arena);
	void *root = arena_alloc(arena, root_size);
	EXPECT(root != NULL && arena_set_root(arena, root) == OK);
	tx_commit(arena);
}

static bool
dies(unsigned which)
{
	if (random_below(6) != 0)
		return false;
	deaths++;
	open_place(which);
	return true;
}

static struct caller *
caller(void)
{
	return arena_root(places[CALLER].arena);
}

static struct server *
server(void)
{
	return arena_root(places[SERVER].arena);
}

/* False: it died, and gets the call again. */
static bool
serve_once(struct message *message)
{
	struct arena *arena = places[SERVER].arena;
	struct server *s = server();
	uint64_t id = message->word[WIRE_ID_WORD];
	struct message reply;

	switch (wire_kept_find(&s->kept, BADGE, id, &reply)) {
	case WIRE_NEW:
		break;
	case WIRE_KEPT:
		*message = reply;
		return true;
	case WIRE_OLD:
		*message = (struct message){ { TAG_REPLY_ERROR } };
		return true;
	}
	tx_begin(arena);
	EXPECT_EQ(TX_SET(arena, s->total, s->total + message->word[1]), OK);
	EXPECT_EQ(TX_SET(arena, s->executed, s->executed + 1), OK);
	if (dies(SERVER))
		return false;
	reply = (struct message){ { TAG_REPLY_OK, s->total } };
	EXPECT_EQ(wire_kept_put(arena, &s->kept, BADGE, id, &reply), OK);
	if (dies(SERVER))
		return false;
	tx_commit(arena);
	if (dies(SERVER))
		return false;
	*message = reply;
	return true;
}

static void
list_request(void)
{
	struct arena *arena = places[CALLER].arena;
	struct caller *c = caller();
	struct message request = { { 1, 1 + random_below(100) } };

	tx_begin(arena);
	status_t status = wire_outbox_add(arena, &c->outbox,
	    random_below(1000), &request);
	if (status == ERR_FULL) {
		tx_abort(arena);
		return;
	}
	EXPECT_EQ(status, OK);
	EXPECT_EQ(TX_SET(arena, c->wanted, c->wanted + request.word[1]), OK);
	EXPECT_EQ(TX_SET(arena, c->listed, c->listed + 1), OK);
	if (!dies(CALLER))
		tx_commit(arena);
}

static void
call_first(void)
{
	const struct wire_outbox_entry *entry = wire_outbox_first(
	    &caller()->outbox);
	struct message message;

	if (entry == NULL)
		return;
	do
		message = entry->request;
	while (!serve_once(&message));
	EXPECT_EQ(message.word[0], TAG_REPLY_OK);
	if (dies(CALLER))
		return;
	struct arena *arena = places[CALLER].arena;
	struct caller *c = caller();
	tx_begin(arena);
	EXPECT_EQ(wire_outbox_done(arena, &c->outbox, entry->id), OK);
	EXPECT(message.word[1] > c->last_total);
	EXPECT_EQ(TX_SET(arena, c->last_total, message.word[1]), OK);
	EXPECT_EQ(TX_SET(arena, c->answered, c->answered + 1), OK);
	if (!dies(CALLER))
		tx_commit(arena);
}

TEST(test_what_is_listed_is_done_once_whoever_dies)
{
	make_place(CALLER, sizeof(struct caller));
	make_place(SERVER, sizeof(struct server));
	for (unsigned i = 0; i < REQUESTS; i++) {
		if (random_below(2) == 0)
			list_request();
		else
			call_first();
	}
	while (wire_outbox_first(&caller()->outbox) != NULL)
		call_first();
	EXPECT(deaths > 100 && caller()->listed > 100);
	EXPECT_EQ(server()->executed, caller()->listed);
	EXPECT_EQ(caller()->answered, caller()->listed);
	EXPECT_EQ(server()->total, caller()->wanted);
	EXPECT_EQ(caller()->last_total, server()->total);
}

TEST(test_an_acknowledged_call_is_not_done_again)
{
	struct message message = { { 1, 5, [WIRE_ID_WORD] = 1 } };
	uint64_t total = server()->total;

	EXPECT(serve_once(&message));
	EXPECT_EQ(message.word[0], TAG_REPLY_ERROR);
	message = (struct message){ { 1, 5 } };
	EXPECT(serve_once(&message));
	EXPECT_EQ(message.word[0], TAG_REPLY_ERROR);
	EXPECT_EQ(server()->total, total);
}

TEST(test_a_full_outbox_and_a_full_table_refuse)
{
	struct arena *arena = places[CALLER].arena;
	struct message message = { { 1 } };

	tx_begin(arena);
	for (unsigned i = 0; i < WIRE_OUTBOX_MAX; i++)
		EXPECT_EQ(wire_outbox_add(arena, &caller()->outbox, 0,
		    &message), OK);
	EXPECT_EQ(wire_outbox_add(arena, &caller()->outbox, 0, &message),
	    ERR_FULL);
	EXPECT_EQ(wire_outbox_done(arena, &caller()->outbox, 1), ERR_NOENT);
	tx_abort(arena);
	arena = places[SERVER].arena;
	tx_begin(arena);
	for (unsigned i = 1; i < WIRE_KEPT_MAX; i++)
		EXPECT_EQ(wire_kept_put(arena, &server()->kept, 100 + i, 1,
		    &message), OK);
	EXPECT_EQ(wire_kept_put(arena, &server()->kept, 99, 1, &message),
	    ERR_FULL);
	EXPECT_EQ(wire_kept_put(arena, &server()->kept, 101, 2, &message),
	    OK);
	tx_abort(arena);
}

TEST_MAIN(true)
