/* SPDX-License-Identifier: MIT */
/*
 * Objects of one size with handles: taking, finding and giving back cost the
 * same however many there are. Objects never move. A handle says which place
 * and which use of it, so that of a freed object finds nothing.
 */
#pragma once

#include <lib/arena/arena.h>

struct arena_slab;

/* Up to `limit` objects; memory comes as they do. ERR_ARG: none, too many. */
status_t arena_slab_create(struct arena *arena, uint64_t object_size,
    uint64_t limit, struct arena_slab **out_slab);
status_t arena_slab_destroy(struct arena *arena, struct arena_slab *slab);
/*
 * A zeroed object, saved until the end of the transaction. Handles are never 0.
 * ERR_FULL at the limit.
 */
status_t arena_slab_take(struct arena *arena, struct arena_slab *slab,
    uint64_t *out_handle);
/* NULL if the handle is stale. */
void *arena_slab_get(const struct arena_slab *slab, uint64_t handle);
/* ERR_NOENT if it is stale. */
status_t arena_slab_free(struct arena *arena, struct arena_slab *slab,
    uint64_t handle);
uint64_t arena_slab_count(const struct arena_slab *slab);
bool arena_slab_ok(const struct arena_slab *slab);
