/* SPDX-License-Identifier: MIT */
#include <lib/service/book.h>

#define CHUNKS(slots)	(((slots) + BOOK_CHUNK - 1) / BOOK_CHUNK)

status_t
book_create(struct book *book, size_t root_size)
{
	struct book_state *state = arena_alloc(book->arena, sizeof(*state));

	if (state == NULL)
		return ERR_NOMEM;
	state->root = arena_alloc(book->arena, root_size);
	state->replies = arena_alloc(book->arena,
	    book->reply_limit * sizeof(struct book_reply));
	state->named = arena_alloc(book->arena,
	    CHUNKS(book->slot_limit) * sizeof(cap_t *));
	if (state->root == NULL || state->replies == NULL ||
	    state->named == NULL)
		return ERR_NOMEM;
	if (arena_set_plain(book->arena, state->list, sizeof(state->list)) !=
	    OK)
		return ERR_NOMEM;
	book->state = state;
	return arena_set_root(book->arena, state);
}

void
book_open(struct book *book)
{
	book->state = arena_root(book->arena);
}

/* The first effect of a transaction replaces the list of the last one. */
static status_t
list_begin(struct book *book)
{
	struct book_state *state = book->state;

	if (book->list_begun)
		return OK;
	if (tx_add(book->arena, &state->listed, sizeof(state->listed)) != OK)
		return ERR_NOMEM;
	state->listed.effects = 0;
	state->listed.answers = 0;
	state->listed.which ^= 1;
	book->list_begun = true;
	return OK;
}

status_t
book_effect(struct book *book, unsigned kind, cap_t target, uint64_t value)
{
	struct book_state *state = book->state;

	if (list_begin(book) != OK || state->listed.effects == BOOK_EFFECTS)
		return ERR_NOMEM;
	struct book_effect *effect = &state->list[state->listed.which].
	    effect[state->listed.effects];
	if (tx_unused(book->arena, effect, sizeof(*effect)) != OK)
		return ERR_NOMEM;
	*effect = (struct book_effect){ kind, target, value };
	state->listed.effects++;
	return OK;
}

/* A new entry of the answer list, in the transaction; NULL if there is none. */
static struct book_answer *
answer_entry(struct book *book)
{
	struct book_state *state = book->state;

	if (list_begin(book) != OK || state->listed.answers == BOOK_ANSWERS)
		return NULL;
	struct book_answer *answer = &state->list[state->listed.which].
	    answer[state->listed.answers];
	if (tx_unused(book->arena, answer, sizeof(*answer)) != OK)
		return NULL;
	state->listed.answers++;
	return answer;
}

bool
book_is_parked(const struct book *book, struct parked_call id)
{
	return id.order != 0 && id.reply < book->state->reply_count &&
	    book->state->replies[id.reply].parked == id.order;
}

/*
 * It takes calls again some day. Its answer leaves before the next call is
 * received, so it holds none then.
 */
static status_t
unpark(struct book *book, uint32_t index)
{
	struct book_state *state = book->state;
	struct book_reply *reply = &state->replies[index];
	uint64_t *head = state->active == 0 ? &state->active : &state->idle;

	if (tx_add(book->arena, reply, sizeof(*reply)) != OK ||
	    tx_add(book->arena, head, sizeof(*head)) != OK)
		return ERR_NOMEM;
	reply->parked = 0;
	reply->next = *head;
	*head = index + 1;
	return OK;
}

status_t
book_answer(struct book *book, struct parked_call id,
    const struct message *message)
{
	bool current = id.order != 0 && id.order == book->current.order &&
	    id.reply == book->current.reply && !book->current_answered;

	if (!current && !book_is_parked(book, id))
		return ERR_NOENT;
	struct book_answer *answer = answer_entry(book);
	if (answer == NULL)
		return ERR_NOMEM;
	*answer = (struct book_answer){ .id = id, .message = *message };
	if (current) {
		book->current_answered = true;
		return OK;
	}
	return unpark(book, id.reply);
}

/* After the answer its capabilities are no longer named here. */
static status_t
unname(struct book *book, cap_t cap)
{
	uint64_t slot = CAP_INDEX(cap);

	if (slot >= book->slot_limit)
		return OK;
	cap_t *chunk = book->state->named[slot / BOOK_CHUNK];
	if (chunk == NULL || chunk[slot % BOOK_CHUNK] != cap)
		return OK;
	return TX_SET(book->arena, chunk[slot % BOOK_CHUNK], CAP_NONE);
}

status_t
book_reply(struct book *book, const struct service_call *call)
{
	struct book_answer *answer = answer_entry(book);

	if (answer == NULL)
		return ERR_NOMEM;
	answer->id = call->id;
	answer->message = call->message;
	answer->caps = call->reply_caps;
	answer->drop = call->reply_cap_drop;
	for (unsigned i = 0; i < call->reply_caps; i++) {
		answer->cap[i] = call->reply_cap[i];
		if (call->reply_cap_drop &&
		    unname(book, call->reply_cap[i]) != OK)
			return ERR_NOMEM;
	}
	return OK;
}

/* An idle one takes its place. */
status_t
book_park(struct book *book, struct parked_call id)
{
	struct book_state *state = book->state;
	uint64_t next = state->idle;

	/* A commit without effects has an empty list as well. */
	if (list_begin(book) != OK ||
	    tx_add(book->arena, &state->active, sizeof(state->active)) != OK ||
	    tx_add(book->arena, &state->idle, sizeof(state->idle)) != OK)
		return ERR_NOMEM;
	state->active = next;
	if (next != 0)
		state->idle = state->replies[next - 1].next;
	return TX_SET(book->arena, state->replies[id.reply].parked, id.order);
}

status_t
book_keep(struct book *book, cap_t cap)
{
	uint64_t slot = CAP_INDEX(cap);
	struct book_state *state = book->state;

	if (cap == CAP_NONE || slot >= book->slot_limit)
		return ERR_RANGE;
	cap_t **chunk = &state->named[slot / BOOK_CHUNK];
	if (*chunk == NULL) {
		cap_t *fresh = arena_alloc(book->arena,
		    BOOK_CHUNK * sizeof(cap_t));
		if (fresh == NULL || TX_SET(book->arena, *chunk, fresh) != OK)
			return ERR_NOMEM;
	}
	cap_t *place = &(*chunk)[slot % BOOK_CHUNK];
	if (*place == cap)
		return OK;
	if (TX_SET(book->arena, *place, cap) != OK)
		return ERR_NOMEM;
	if (book->fresh_count < BOOK_FRESH)
		book->fresh[book->fresh_count++] = cap;
	else
		book->fresh_lost = true;
	return OK;
}

status_t
book_drop(struct book *book, cap_t cap)
{
	if (unname(book, cap) != OK)
		return ERR_NOMEM;
	return book_effect(book, EFFECT_DELETE, cap, 0);
}

status_t
book_add_reply(struct book *book, cap_t cap)
{
	struct book_state *state = book->state;

	if (state->reply_count == book->reply_limit)
		return ERR_FULL;
	if (book_keep(book, cap) != OK ||
	    TX_SET(book->arena, state->replies[state->reply_count].cap,
	    cap) != OK)
		return ERR_NOMEM;
	if (TX_SET(book->arena, state->reply_count, state->reply_count + 1) !=
	    OK)
		return ERR_NOMEM;
	return TX_SET(book->arena, state->active, state->reply_count);
}

static bool
names_equal(const char a[48], const char b[48])
{
	for (unsigned i = 0; i < 48; i++) {
		if (a[i] != b[i])
			return false;
		if (a[i] == 0)
			break;
	}
	return true;
}

status_t
book_add_request(struct book *book, const char name[48], cap_t cap)
{
	struct book_state *state = book->state;

	if (state->request_count == BOOK_REQUESTS)
		return ERR_FULL;
	struct book_request *request = &state->request[state->request_count];
	if (book_keep(book, cap) != OK ||
	    tx_add(book->arena, request, sizeof(*request)) != OK)
		return ERR_NOMEM;
	for (unsigned i = 0; i < sizeof(request->name); i++)
		request->name[i] = name[i];
	request->cap = cap;
	return TX_SET(book->arena, state->request_count,
	    state->request_count + 1);
}

cap_t
book_find_request(const struct book *book, const char name[48])
{
	const struct book_state *state = book->state;

	for (uint64_t i = 0; i < state->request_count; i++)
		if (names_equal(state->request[i].name, name))
			return state->request[i].cap;
	return CAP_NONE;
}

bool
book_is_named(const struct book *book, cap_t cap)
{
	const struct book_state *state = book->state;
	uint64_t slot = CAP_INDEX(cap);

	if (slot < book->slot_limit) {
		const cap_t *chunk = state->named[slot / BOOK_CHUNK];
		if (chunk != NULL && chunk[slot % BOOK_CHUNK] == cap)
			return true;
	}
	/* Only the answer to the current call has any, and that is the last. */
	if (state->listed.answers == 0)
		return false;
	const struct book_answer *answer =
	    &book_list(state)->answer[state->listed.answers - 1];
	for (unsigned i = 0; i < answer->caps; i++)
		if (answer->cap[i] == cap)
			return true;
	return false;
}

bool
book_ok(const struct book *book)
{
	const struct book_state *state = book->state;
	uint64_t parked = 0, idle = 0;

	for (uint64_t i = 0; i < state->reply_count; i++)
		parked += state->replies[i].parked != 0;
	for (uint64_t at = state->idle; at != 0 && idle < state->reply_count;
	    at = state->replies[at - 1].next) {
		if (at > state->reply_count || at == state->active ||
		    state->replies[at - 1].parked != 0)
			return false;
		idle++;
	}
	if (state->active == 0)
		return idle == 0 && parked == state->reply_count;
	return state->active <= state->reply_count &&
	    state->replies[state->active - 1].parked == 0 &&
	    parked + idle + 1 == state->reply_count;
}
