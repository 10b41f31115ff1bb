/* SPDX-License-Identifier: MIT */
#include "store.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool
store_create(struct store *store, unsigned limit)
{
	*store = (struct store){ .limit = limit };
	if (limit == 0)
		return true;
	store->entry = calloc(limit, sizeof(*store->entry));
	return store->entry != NULL;
}

void
store_destroy(struct store *store)
{
	while (store->count > 0)
		store_remove(store, store->count - 1);
	free(store->entry);
	*store = (struct store){ 0 };
}

void
store_remove(struct store *store, unsigned index)
{
	close(store->entry[index].fd);
	store->count--;
	memmove(&store->entry[index], &store->entry[index + 1],
	    (store->count - index) * sizeof(*store->entry));
}

/* Nobody is at the other end any more, and nothing is left to be read. */
static bool
is_left(int fd)
{
	struct pollfd look = { .fd = fd, .events = POLLIN };
	char byte;

	if (poll(&look, 1, 0) != 1 || (look.revents & (POLLHUP | POLLERR)) == 0)
		return false;
	return (look.revents & POLLIN) == 0 ||
	    recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

bool
store_has_room(struct store *store)
{
	if (store->count < store->limit)
		return true;
	for (unsigned i = store->count; i-- > 0;)
		if (is_left(store->entry[i].fd))
			store_remove(store, i);
	return store->count < store->limit;
}

bool
store_put(struct store *store, int take_fd, const char *name)
{
	struct stored *entry;

	if (!store_has_room(store)) {
		store->refused++;
		close(take_fd);
		return false;
	}
	entry = &store->entry[store->count++];
	*entry = (struct stored){ .fd = take_fd };
	memcpy(entry->name, name, strnlen(name, PLACE_NAME_MAX));
	return true;
}

unsigned
store_find(const struct store *store, const char *name, unsigned from)
{
	while (from < store->count &&
	    strcmp(store->entry[from].name, name) != 0)
		from++;
	return from;
}

void
store_renew(struct store *store, bool promoted)
{
	for (unsigned i = 0; i < store->count; i++) {
		struct stored *entry = &store->entry[i];

		entry->told_main = promoted && entry->told_spare;
		entry->told_spare = false;
	}
}
