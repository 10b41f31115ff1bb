/* SPDX-License-Identifier: MIT */
#include <lib/pool/state.h>

static uint64_t
load(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void
pool_counters(const struct pool *pool, struct pool_counters *out_counters)
{
	const struct pool_counters *from = &pool->counters;

	*out_counters = (struct pool_counters){
		.allocated = load(&from->allocated),
		.freed = load(&from->freed),
		.lent = load(&from->lent),
		.returned = load(&from->returned),
		.reclaimed = load(&from->reclaimed),
		.copied_bytes = load(&from->copied_bytes),
		.exhausted = load(&from->exhausted),
		.lies = load(&from->lies),
		.node = pool->node,
	};
}

/* Each once, of the class, without references: then the list has an end. */
static bool
stack_ok(const struct pool *pool, const struct pool_range *range,
    uint32_t *out_length)
{
	uint32_t length = 0;

	for (uint32_t at = (uint32_t)range->free; at != 0;
	    at = pool->next[at - 1]) {
		if (at - 1 - range->first >= range->count ||
		    pool->references[at - 1] != 0 || length == range->count)
			return false;
		length++;
	}
	*out_length = length;
	return true;
}

static bool
range_ok(const struct pool *pool, const struct pool_range *range)
{
	uint32_t free, used = 0;

	if (!stack_ok(pool, range, &free))
		return false;
	for (uint32_t i = 0; i < range->count; i++)
		used += pool->references[range->first + i] != 0;
	return free + used == range->count;
}

/* How many lanes hold it; each holds a reference. */
static uint32_t
holders(const struct pool *pool, uint32_t buffer)
{
	uint32_t lanes = 0;

	for (uint32_t lane = 0; lane < pool->lanes; lane++)
		lanes += (*ledger_word(pool, lane, buffer) &
		    ledger_bit(buffer)) != 0;
	return lanes;
}

bool
pool_ok(const struct pool *pool)
{
	const struct pool_counters *c = &pool->counters;
	uint64_t used = 0, lent = 0;

	for (unsigned i = 0; i < pool->classes; i++) {
		if (!range_ok(pool, &pool->range[i]))
			return false;
	}
	for (uint32_t buffer = 0; buffer < pool->buffers; buffer++) {
		uint32_t lanes = holders(pool, buffer);

		if (pool->references[buffer] < lanes)
			return false;
		used += pool->references[buffer] != 0;
		lent += lanes;
	}
	return c->allocated - c->freed == used &&
	    c->lent - c->returned - c->reclaimed == lent;
}
