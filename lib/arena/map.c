/* SPDX-License-Identifier: MIT */
/*
 * Hash map in an arena: open addressing, linear probing, at most 3/4 full, at
 * least 1/8 unless it is small.
 *
 * A slot without a value is free. Removal closes the gap by moving later slots
 * of the same run back, so there are no marks that only a rebuild removes. A
 * rebuild fills fresh memory, which needs no log.
 */
#include <lib/arena/arena.h>

#include <lib/base/hash.h>

#define CAPACITY_MIN	16u

struct map_slot {
	uint64_t key;
	void	*value;		/* NULL: free */
};

static const struct map_slot free_slot;

struct arena_map {
	uint64_t count;
	uint64_t capacity;	/* a power of two */
	struct map_slot *slot;
};

static uint64_t
home_of(const struct arena_map *map, uint64_t key)
{
	return hash_mix(key) & (map->capacity - 1);
}

static uint64_t
after(const struct arena_map *map, uint64_t index)
{
	return (index + 1) & (map->capacity - 1);
}

/* The slot of the key, or the free one where it would go. */
static uint64_t
find(const struct arena_map *map, uint64_t key)
{
	uint64_t index = home_of(map, key);

	while (map->slot[index].value != NULL && map->slot[index].key != key)
		index = after(map, index);
	return index;
}

status_t
arena_map_create(struct arena *arena, struct arena_map **out_map)
{
	struct arena_map *map = arena_alloc(arena, sizeof(*map));

	if (map == NULL)
		return ERR_NOMEM;
	map->capacity = CAPACITY_MIN;
	map->slot = arena_alloc(arena, CAPACITY_MIN * sizeof(*map->slot));
	if (map->slot == NULL)
		return ERR_NOMEM;
	*out_map = map;
	return OK;
}

void *
arena_map_get(const struct arena_map *map, uint64_t key)
{
	return map->slot[find(map, key)].value;
}

/* The map is saved. */
static status_t
rebuild(struct arena *arena, struct arena_map *map, uint64_t capacity)
{
	struct map_slot *old = map->slot;
	uint64_t old_capacity = map->capacity;
	struct map_slot *slot = arena_alloc(arena, capacity * sizeof(*slot));

	if (slot == NULL)
		return ERR_NOMEM;
	map->slot = slot;
	map->capacity = capacity;
	for (uint64_t i = 0; i < old_capacity; i++)
		if (old[i].value != NULL)
			slot[find(map, old[i].key)] = old[i];
	return arena_free(arena, old);
}

status_t
arena_map_put(struct arena *arena, struct arena_map *map, uint64_t key,
    void *value)
{
	if (map->slot[find(map, key)].value != NULL)
		return ERR_EXIST;
	if (value == NULL)
		return ERR_ARG;
	if (tx_add(arena, map, sizeof(*map)) != OK)
		return ERR_NOMEM;
	if ((map->count + 1) * 4 > map->capacity * 3 &&
	    rebuild(arena, map, map->capacity * 2) != OK)
		return ERR_NOMEM;
	struct map_slot *slot = &map->slot[find(map, key)];
	if (tx_add(arena, slot, sizeof(*slot)) != OK)
		return ERR_NOMEM;
	*slot = (struct map_slot){ key, value };
	map->count++;
	return OK;
}

/* May the content of slot `from` move to the gap, at or after its home? */
static bool
may_move(const struct arena_map *map, uint64_t gap, uint64_t from)
{
	uint64_t mask = map->capacity - 1;
	uint64_t home = home_of(map, map->slot[from].key);

	return ((from - home) & mask) >= ((from - gap) & mask);
}

static status_t
close_gap(struct arena *arena, struct arena_map *map, uint64_t gap)
{
	for (uint64_t i = after(map, gap); map->slot[i].value != NULL;
	    i = after(map, i)) {
		if (!may_move(map, gap, i))
			continue;
		if (TX_SET(arena, map->slot[gap], map->slot[i]) != OK)
			return ERR_NOMEM;
		gap = i;
	}
	return TX_SET(arena, map->slot[gap], free_slot);
}

status_t
arena_map_remove(struct arena *arena, struct arena_map *map, uint64_t key)
{
	uint64_t index = find(map, key);

	if (map->slot[index].value == NULL)
		return ERR_NOENT;
	if (tx_add(arena, map, sizeof(*map)) != OK ||
	    close_gap(arena, map, index) != OK)
		return ERR_NOMEM;
	map->count--;
	if (map->capacity > CAPACITY_MIN && map->count * 8 < map->capacity)
		return rebuild(arena, map, map->capacity / 2);
	return OK;
}

uint64_t
arena_map_count(const struct arena_map *map)
{
	return map->count;
}

bool
arena_map_ok(const struct arena_map *map)
{
	uint64_t used = 0;

	if (map->capacity < CAPACITY_MIN ||
	    (map->capacity & (map->capacity - 1)) != 0 ||
	    map->count * 4 > map->capacity * 3)
		return false;
	/* There is a free slot, so find() ends. */
	for (uint64_t i = 0; i < map->capacity; i++)
		used += map->slot[i].value != NULL;
	if (used != map->count)
		return false;
	for (uint64_t i = 0; i < map->capacity; i++)
		if (map->slot[i].value != NULL &&
		    find(map, map->slot[i].key) != i)
			return false;
	return true;
}
