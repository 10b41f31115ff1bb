/* SPDX-License-Identifier: MIT */
/*
 * Descriptors that a service has stored, or that were accepted for it. They are
 * the supervisor's; processes get copies: those of a place by messages, when
 * they are there; others at their start.
 */
#pragma once

#include "manifest.h"
#include "protocol.h"

struct stored {
	int	 fd;
	char	 name[PLACE_NAME_MAX + 1];
	bool	 told_main, told_spare;	/* that process has a copy */
};

struct store {
	struct stored *entry;	/* the first `count` are in use, in order */
	unsigned count, limit;
	uint64_t refused;	/* descriptors, no room */
};

bool store_create(struct store *store, unsigned limit);
void store_destroy(struct store *store);
/* Takes the descriptor. False: no room, it is closed. */
bool store_put(struct store *store, int take_fd, const char *name);
/* There is room for one more; what the other side has left makes room. */
bool store_has_room(struct store *store);
/* The index of the next of that name from `from` on, or `count`. */
unsigned store_find(const struct store *store, const char *name,
    unsigned from);
void store_remove(struct store *store, unsigned index);
/* A new main process; what the spare was told it knows, if it is that. */
void store_renew(struct store *store, bool promoted);
