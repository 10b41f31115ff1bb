/* SPDX-License-Identifier: MIT */
/* Queue of a fixed number of records of one size, first in, first out. */
#pragma once

#include <lib/arena/arena.h>

struct arena_ring;

/* ERR_ARG: a ring of nothing, or too large. */
status_t arena_ring_create(struct arena *arena, uint64_t capacity,
    uint64_t record_size, struct arena_ring **out_ring);
status_t arena_ring_destroy(struct arena *arena, struct arena_ring *ring);
/* Copies the record; ERR_FULL. */
status_t arena_ring_put(struct arena *arena, struct arena_ring *ring,
    const void *record);
/* Takes the oldest, copies it unless record is NULL; ERR_EMPTY. */
status_t arena_ring_take(struct arena *arena, struct arena_ring *ring,
    void *record);
uint64_t arena_ring_count(const struct arena_ring *ring);
/* The record that was put in as number `index` of those there; or NULL. */
const void *arena_ring_at(const struct arena_ring *ring, uint64_t index);
bool arena_ring_ok(const struct arena_ring *ring);
