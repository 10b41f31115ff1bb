/* SPDX-License-Identifier: MIT */
/*
 * Slab: chunks of SLAB_CHUNK places each, made when the first place of them is
 * needed and kept; a table of fixed size leads to them. Free places of the
 * chunks there are form a list, the last freed first.
 *
 * A place has a generation, odd while it is used. Handle: generation in the
 * upper half, place + 1 in the lower. After 2^31 uses of one place its old
 * handles mean something again.
 */
#include <lib/arena/slab.h>

#include <lib/base/checked.h>
#include <lib/base/string.h>

#define SLAB_CHUNK	32u
#define LIMIT_MAX	(1ul << 31)

struct place {
	uint32_t generation;	/* odd: used */
	uint32_t next;		/* of a free one: next free place + 1 */
	uint8_t	 object[];
};

struct arena_slab {
	uint64_t object_size;	/* constant, rounded to words */
	uint64_t limit;		/* constant */
	uint64_t count;		/* used places */
	uint64_t ready;		/* places below were used before */
	uint64_t free;		/* first free one below ready, + 1 */
	uint8_t	*chunk[];
};

static uint64_t
place_size(const struct arena_slab *slab)
{
	return sizeof(struct place) + slab->object_size;
}

static struct place *
place_at(const struct arena_slab *slab, uint64_t index)
{
	return (struct place *)(void *)(slab->chunk[index / SLAB_CHUNK] +
	    index % SLAB_CHUNK * place_size(slab));
}

status_t
arena_slab_create(struct arena *arena, uint64_t object_size, uint64_t limit,
    struct arena_slab **out_slab)
{
	uint64_t chunks = (limit + SLAB_CHUNK - 1) / SLAB_CHUNK, whole;
	struct arena_slab *slab;

	if (limit == 0 || limit >= LIMIT_MAX || object_size == 0 ||
	    !checked_round_up(object_size, sizeof(uint64_t), &object_size) ||
	    !checked_add(object_size, sizeof(struct place), &whole) ||
	    !checked_multiply(whole, SLAB_CHUNK, &whole))
		return ERR_ARG;
	slab = arena_alloc(arena, sizeof(*slab) + chunks * sizeof(uint8_t *));
	if (slab == NULL)
		return ERR_NOMEM;
	slab->object_size = object_size;
	slab->limit = limit;
	*out_slab = slab;
	return OK;
}

status_t
arena_slab_destroy(struct arena *arena, struct arena_slab *slab)
{
	for (uint64_t i = 0; i < slab->ready; i += SLAB_CHUNK) {
		status_t status = arena_free(arena,
		    slab->chunk[i / SLAB_CHUNK]);
		if (status != OK)
			return status;
	}
	return arena_free(arena, slab);
}

/* A place that was never used. */
static status_t
take_new(struct arena *arena, struct arena_slab *slab, uint64_t *out_index)
{
	uint8_t **chunk = &slab->chunk[slab->ready / SLAB_CHUNK];

	if (slab->ready == slab->limit)
		return ERR_FULL;
	if (slab->ready % SLAB_CHUNK == 0) {
		uint8_t *memory = arena_alloc(arena, SLAB_CHUNK *
		    place_size(slab));
		if (memory == NULL || TX_SET(arena, *chunk, memory) != OK)
			return ERR_NOMEM;
	}
	*out_index = slab->ready;
	return TX_SET(arena, slab->ready, slab->ready + 1);
}

static status_t
take_index(struct arena *arena, struct arena_slab *slab, uint64_t *out_index)
{
	if (slab->free == 0)
		return take_new(arena, slab, out_index);
	*out_index = slab->free - 1;
	return TX_SET(arena, slab->free, place_at(slab, *out_index)->next);
}

status_t
arena_slab_take(struct arena *arena, struct arena_slab *slab,
    uint64_t *out_handle)
{
	uint64_t index;
	status_t status = take_index(arena, slab, &index);

	if (status != OK)
		return status;
	struct place *place = place_at(slab, index);
	if (tx_add(arena, place, place_size(slab)) != OK ||
	    TX_SET(arena, slab->count, slab->count + 1) != OK)
		return ERR_NOMEM;
	place->generation++;
	place->next = 0;
	memset(place->object, 0, slab->object_size);
	*out_handle = (uint64_t)place->generation << 32 | (index + 1);
	return OK;
}

static struct place *
find(const struct arena_slab *slab, uint64_t handle)
{
	uint64_t index = (uint32_t)handle - 1ul;

	if (index >= slab->ready || (handle >> 32 & 1) == 0)
		return NULL;
	struct place *place = place_at(slab, index);
	return place->generation == handle >> 32 ? place : NULL;
}

void *
arena_slab_get(const struct arena_slab *slab, uint64_t handle)
{
	struct place *place = find(slab, handle);

	return place == NULL ? NULL : place->object;
}

status_t
arena_slab_free(struct arena *arena, struct arena_slab *slab, uint64_t handle)
{
	struct place *place = find(slab, handle);

	if (place == NULL)
		return ERR_NOENT;
	if (tx_add(arena, place, sizeof(*place)) != OK ||
	    tx_add(arena, &slab->free, sizeof(slab->free)) != OK ||
	    TX_SET(arena, slab->count, slab->count - 1) != OK)
		return ERR_NOMEM;
	place->generation++;
	place->next = (uint32_t)slab->free;
	slab->free = (uint32_t)handle;
	return OK;
}

uint64_t
arena_slab_count(const struct arena_slab *slab)
{
	return slab->count;
}

bool
arena_slab_ok(const struct arena_slab *slab)
{
	uint64_t used = 0, listed = 0;

	if (slab->ready > slab->limit)
		return false;
	for (uint64_t i = 0; i < slab->ready; i++)
		used += place_at(slab, i)->generation & 1;
	for (uint64_t next = slab->free; next != 0; listed++) {
		if (next > slab->ready || listed == slab->ready ||
		    (place_at(slab, next - 1)->generation & 1) != 0)
			return false;
		next = place_at(slab, next - 1)->next;
	}
	return used == slab->count && used + listed == slab->ready;
}
