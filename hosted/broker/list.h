/* SPDX-License-Identifier: MIT */
/*
 * Doubly linked list, linked through its members. An element knows by itself
 * how to leave: list_remove needs no list and may be called twice.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *previous;
};

#define LIST_ENTRY(link, type, field) \
	((type *)(void *)((char *)(link) - offsetof(type, field)))

/* The element of `link` may be removed meanwhile, no other. */
#define LIST_EACH(head, link, following) \
	for (struct list *link = (head)->next, *following = link->next; \
	    link != (head); link = following, following = link->next)

static inline void
list_clear(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool
list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void
list_append(struct list *list, struct list *element)
{
	element->next = list;
	element->previous = list->previous;
	list->previous->next = element;
	list->previous = element;
}

static inline void
list_prepend(struct list *list, struct list *element)
{
	list_append(list->next, element);
}

static inline void
list_remove(struct list *element)
{
	element->previous->next = element->next;
	element->next->previous = element->previous;
	list_clear(element);
}
