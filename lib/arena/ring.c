/* SPDX-License-Identifier: MIT */
/*
 * Ring of records. Two numbers count what was ever put in and taken out; they
 * never go back, so full and empty differ. The place of a record is its number
 * modulo the capacity.
 *
 * The place of a new record is saved like anything else before it is written:
 * this transaction may have taken a record out of it.
 */
#include <lib/arena/ring.h>

#include <lib/base/checked.h>
#include <lib/base/string.h>

struct arena_ring {
	uint64_t capacity;	/* constant, as is size */
	uint64_t size;		/* of a record */
	uint64_t put, taken;	/* taken <= put <= taken + capacity */
	uint8_t	 record[];
};

static uint8_t *
place_of(const struct arena_ring *ring, uint64_t number)
{
	return (uint8_t *)ring + sizeof(*ring) +
	    number % ring->capacity * ring->size;
}

status_t
arena_ring_create(struct arena *arena, uint64_t capacity,
    uint64_t record_size, struct arena_ring **out_ring)
{
	uint64_t bytes;
	struct arena_ring *ring;

	if (capacity == 0 || record_size == 0 ||
	    !checked_multiply(capacity, record_size, &bytes) ||
	    !checked_add(bytes, sizeof(*ring), &bytes))
		return ERR_ARG;
	ring = arena_alloc(arena, bytes);
	if (ring == NULL)
		return ERR_NOMEM;
	ring->capacity = capacity;
	ring->size = record_size;
	*out_ring = ring;
	return OK;
}

status_t
arena_ring_destroy(struct arena *arena, struct arena_ring *ring)
{
	return arena_free(arena, ring);
}

status_t
arena_ring_put(struct arena *arena, struct arena_ring *ring,
    const void *record)
{
	uint8_t *place = place_of(ring, ring->put);

	if (ring->put - ring->taken == ring->capacity)
		return ERR_FULL;
	if (tx_add(arena, place, ring->size) != OK)
		return ERR_NOMEM;
	memcpy(place, record, ring->size);
	return TX_SET(arena, ring->put, ring->put + 1);
}

status_t
arena_ring_take(struct arena *arena, struct arena_ring *ring, void *record)
{
	if (ring->put == ring->taken)
		return ERR_EMPTY;
	if (record != NULL)
		memcpy(record, place_of(ring, ring->taken), ring->size);
	return TX_SET(arena, ring->taken, ring->taken + 1);
}

uint64_t
arena_ring_count(const struct arena_ring *ring)
{
	return ring->put - ring->taken;
}

const void *
arena_ring_at(const struct arena_ring *ring, uint64_t index)
{
	return index < arena_ring_count(ring) ?
	    place_of(ring, ring->taken + index) : NULL;
}

bool
arena_ring_ok(const struct arena_ring *ring)
{
	return ring->capacity != 0 && ring->size != 0 &&
	    ring->taken <= ring->put &&
	    ring->put - ring->taken <= ring->capacity;
}
