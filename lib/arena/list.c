/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked rings in an arena; the head is a node like the others. A node
 * that is in no list points to itself, so removing it twice changes nothing.
 */
#include <lib/arena/arena.h>

static status_t
save(struct arena *arena, struct arena_list *node)
{
	return tx_add(arena, node, sizeof(*node));
}

status_t
arena_list_init(struct arena *arena, struct arena_list *head)
{
	status_t status = save(arena, head);

	if (status == OK)
		head->next = head->prev = head;
	return status;
}

status_t
arena_list_append(struct arena *arena, struct arena_list *head,
    struct arena_list *node)
{
	struct arena_list *last = head->prev;

	if (save(arena, head) != OK || save(arena, node) != OK ||
	    save(arena, last) != OK)
		return ERR_NOMEM;
	*node = (struct arena_list){ .next = head, .prev = last };
	last->next = node;
	head->prev = node;
	return OK;
}

status_t
arena_list_remove(struct arena *arena, struct arena_list *node)
{
	struct arena_list *next = node->next, *prev = node->prev;

	if (save(arena, next) != OK || save(arena, prev) != OK ||
	    save(arena, node) != OK)
		return ERR_NOMEM;
	prev->next = next;
	next->prev = prev;
	/* A second removal changes nothing. */
	node->next = node->prev = node;
	return OK;
}

bool
arena_list_ok(const struct arena_list *head, uint64_t limit)
{
	const struct arena_list *node = head;

	do {
		if (node->next == NULL || node->next->prev != node ||
		    limit-- == 0)
			return false;
		node = node->next;
	} while (node != head);
	return true;
}
