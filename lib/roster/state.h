/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the roster. A change of the arena that finds no room sets
 * roster->failed and is left out: the operation goes on without looking at each,
 * and its end tells the caller, who aborts. Loops look at `failed`.
 */
#pragma once

#include <lib/roster/roster.h>

#include <lib/base/string.h>

#define ROSTER_BY_CLIENT	0u
#define ROSTER_BY_MEMBER	1u
#define ROSTER_BY_LANE		2u

#define ROSTER_OF(node, type, field) \
	((type *)(void *)((char *)(node) - offsetof(type, field)))

/* The node may go meanwhile, no other. */
#define ROSTER_EACH(head, node, following) \
	for (struct arena_list *node = (head)->next, \
	    *following = node->next; node != (head); \
	    node = following, following = node->next)

#define ROSTER_SET(roster, field, value) \
	do { \
		if (tx_add((roster)->arena, &(field), sizeof(field)) == OK) \
			(field) = (value); \
		else \
			(roster)->failed = ERR_NOMEM; \
	} while (0)

static inline void
roster_note(struct roster *roster, status_t status)
{
	if (status != OK && roster->failed == OK)
		roster->failed = status;
}

static inline bool
roster_is_empty(const struct arena_list *head)
{
	return head->next == head;
}

static inline uint64_t
roster_number(struct roster *roster)
{
	uint64_t number = roster->root->numbers + 1;

	ROSTER_SET(roster, roster->root->numbers, number);
	return number;
}

/* The words of the authority and the edges are not those of before. */
static inline void
roster_changed(struct roster *roster)
{
	ROSTER_SET(roster, roster->root->version, roster->root->version + 1);
	roster->version++;
}

static inline uint32_t
roster_index(const struct roster_channel *channel)
{
	return (uint32_t)channel->object;
}

/* Something happened to the client's members; once in a transaction. */
static inline void
roster_post(struct roster *roster, const struct roster_client *client)
{
	if (client->gone || roster->posted[client->slot])
		return;
	roster->posted[client->slot] = true;
	roster_note(roster, roster->environment.post(
	    roster->environment.context, client));
}

/* tokens.c: the object of a channel; the shadow follows. */
status_t roster_object_create(struct roster *roster,
    struct roster_channel *channel);
void roster_object_close(struct roster *roster,
    struct roster_channel *channel);
status_t roster_token_for(struct roster *roster, uint64_t object,
    unsigned rights, unsigned trust, struct token *out_token);
void roster_remove_edges(struct roster *roster, struct roster_member *member);
const struct roster_channel *roster_channel_of(const struct roster *roster,
    uint64_t object);
struct roster_channel *roster_channel_named(const struct roster *roster,
    const char *name);

/* roster.c: the memory of a pool goes with its last holder. NULL: nothing. */
void roster_pool_put(struct roster *roster, struct roster_pool *pool);
/* What a client caused is not there any more. */
void roster_uncharge(struct roster *roster, uint64_t client, uint64_t bytes);

/* lanes.c */
status_t roster_lanes_join(struct roster *roster, struct roster_member *member);
void roster_lanes_leave(struct roster *roster, struct roster_member *member);
void roster_lanes_tell_again(struct roster *roster,
    struct roster_member *member);
void roster_lanes_move(struct roster *roster, struct roster_member *member,
    struct roster_client *from, struct roster_client *to);
void roster_lanes_revoke(struct roster *roster, struct roster_member *member);
