/* SPDX-License-Identifier: MIT */
#include <lib/pool/state.h>

#include <lib/base/string.h>

#define STACK_CHANGE	((uint64_t)1 << 32)

static void
count(uint64_t *counter, uint64_t by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static uint32_t
buffers_of(const struct pool_layout *layout)
{
	uint32_t buffers = 0;

	for (unsigned i = 0; i < layout->classes; i++)
		buffers += layout->class[i].count;
	return buffers;
}

static size_t
row_of(uint32_t buffers)
{
	return (buffers + LEDGER_BITS - 1) / LEDGER_BITS;
}

size_t
pool_size(const struct pool_config *config)
{
	if (pool_layout_size(&config->layout) == 0 ||
	    config->lanes > POOL_LANES_MAX)
		return 0;
	size_t buffers = buffers_of(&config->layout);
	return sizeof(struct pool) +
	    config->lanes * row_of((uint32_t)buffers) * sizeof(uint64_t) +
	    2 * buffers * sizeof(uint32_t) + config->lanes * sizeof(uint32_t);
}

/* A stack with the lowest number on top. */
static void
fill_range(struct pool *pool, struct pool_range *range)
{
	for (uint32_t i = 0; i < range->count; i++)
		pool->next[range->first + i] = i + 1 < range->count ?
		    range->first + i + 2 : 0;
	range->free = range->first + 1;
}

static void
lay_out(struct pool *pool, const struct pool_config *config)
{
	size_t offset = 0;

	pool->buffers = buffers_of(&config->layout);
	pool->row = row_of(pool->buffers);
	pool->ledger = (uint64_t *)(pool + 1);
	pool->references = (uint32_t *)(pool->ledger + config->lanes *
	    pool->row);
	pool->next = pool->references + pool->buffers;
	pool->lies = pool->next + pool->buffers;
	pool->buffers = 0;
	for (unsigned i = 0; i < config->layout.classes; i++) {
		const struct pool_class *class = &config->layout.class[i];

		pool->range[i] = (struct pool_range){ .offset = offset,
		    .first = pool->buffers, .size = class->size,
		    .count = class->count };
		fill_range(pool, &pool->range[i]);
		pool->buffers += class->count;
		offset += (size_t)class->size * class->count;
	}
}

status_t
pool_create(void *memory, size_t size, const struct pool_config *config,
    struct pool **out_pool)
{
	struct pool *pool = memory;
	size_t needed = pool_size(config);

	if (memory == NULL || (uintptr_t)memory % POOL_ALIGNMENT != 0 ||
	    config->shared == NULL ||
	    (uintptr_t)config->shared % POOL_ALIGNMENT != 0)
		return ERR_ARG;
	if (needed == 0 || size < needed)
		return ERR_RANGE;
	if (config->bind != NULL && config->node != POOL_ANY_NODE) {
		status_t status = config->bind(config->context, config->shared,
		    pool_layout_size(&config->layout), config->node);
		if (status != OK)
			return status;
	}
	memset(memory, 0, needed);
	pool->classes = config->layout.classes;
	pool->lanes = config->lanes;
	pool->node = config->node;
	pool->shared = config->shared;
	lay_out(pool, config);
	*out_pool = pool;
	return OK;
}

/* NULL: no such buffer. */
static const struct pool_range *
range_of(const struct pool *pool, uint32_t buffer)
{
	for (unsigned i = 0; i < pool->classes; i++) {
		if (buffer - pool->range[i].first < pool->range[i].count)
			return &pool->range[i];
	}
	return NULL;
}

void *
pool_data(const struct pool *pool, uint32_t buffer)
{
	const struct pool_range *range = range_of(pool, buffer);

	return range == NULL ? NULL : pool->shared + range->offset +
	    (size_t)(buffer - range->first) * range->size;
}

uint32_t
pool_buffer_size(const struct pool *pool, uint32_t buffer)
{
	const struct pool_range *range = range_of(pool, buffer);

	return range == NULL ? 0 : range->size;
}

static bool
pop(struct pool *pool, struct pool_range *range, uint32_t *out_buffer)
{
	uint64_t head = __atomic_load_n(&range->free, __ATOMIC_ACQUIRE), next;

	do {
		if ((uint32_t)head == 0)
			return false;
		next = __atomic_load_n(&pool->next[(uint32_t)head - 1],
		    __ATOMIC_RELAXED);
		next |= (head + STACK_CHANGE) >> 32 << 32;
	} while (!__atomic_compare_exchange_n(&range->free, &head, next, true,
	    __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
	*out_buffer = (uint32_t)head - 1;
	return true;
}

static void
push(struct pool *pool, struct pool_range *range, uint32_t buffer)
{
	uint64_t head = __atomic_load_n(&range->free, __ATOMIC_RELAXED), next;

	do {
		__atomic_store_n(&pool->next[buffer], (uint32_t)head,
		    __ATOMIC_RELAXED);
		next = (head + STACK_CHANGE) >> 32 << 32 | (buffer + 1);
	} while (!__atomic_compare_exchange_n(&range->free, &head, next, true,
	    __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

status_t
pool_allocate(struct pool *pool, uint32_t size, uint32_t *out_buffer)
{
	unsigned i = 0;

	while (i < pool->classes && pool->range[i].size < size)
		i++;
	if (i == pool->classes)
		return ERR_RANGE;
	for (; i < pool->classes; i++) {
		if (!pop(pool, &pool->range[i], out_buffer))
			continue;
		__atomic_store_n(&pool->references[*out_buffer], 1,
		    __ATOMIC_RELAXED);
		count(&pool->counters.allocated, 1);
		return OK;
	}
	count(&pool->counters.exhausted, 1);
	return ERR_FULL;
}

status_t
pool_retain(struct pool *pool, uint32_t buffer)
{
	if (buffer >= pool->buffers)
		return ERR_RANGE;
	uint32_t *references = &pool->references[buffer];
	uint32_t seen = __atomic_load_n(references, __ATOMIC_RELAXED);
	do {
		if (seen == 0)
			return ERR_STATE;
		if (seen == UINT32_MAX)
			return ERR_LIMIT;
	} while (!__atomic_compare_exchange_n(references, &seen, seen + 1,
	    true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return OK;
}

/* What was read or written through this reference comes before the reuse. */
status_t
pool_release(struct pool *pool, uint32_t buffer)
{
	const struct pool_range *range = range_of(pool, buffer);

	if (range == NULL)
		return ERR_RANGE;
	uint32_t *references = &pool->references[buffer];
	uint32_t seen = __atomic_load_n(references, __ATOMIC_RELAXED);
	do {
		if (seen == 0)
			return ERR_STATE;
	} while (!__atomic_compare_exchange_n(references, &seen, seen - 1,
	    true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (seen > 1)
		return OK;
	count(&pool->counters.freed, 1);
	push(pool, &pool->range[range - pool->range], buffer);
	return OK;
}

/*
 * One reference is the caller's own: nobody else can add one, so it stays the
 * only one while the caller writes.
 */
status_t
pool_writable(struct pool *pool, uint32_t buffer, uint32_t length,
    uint32_t *out_buffer)
{
	uint32_t copy;

	if (buffer >= pool->buffers || length > pool_buffer_size(pool, buffer))
		return ERR_RANGE;
	uint32_t seen = __atomic_load_n(&pool->references[buffer],
	    __ATOMIC_ACQUIRE);
	if (seen == 0)
		return ERR_STATE;
	if (seen == 1) {
		*out_buffer = buffer;
		return OK;
	}
	status_t status = pool_allocate(pool, pool_buffer_size(pool, buffer),
	    &copy);
	if (status != OK)
		return status;
	memcpy(pool_data(pool, copy), pool_data(pool, buffer), length);
	count(&pool->counters.copied_bytes, length);
	*out_buffer = copy;
	return pool_release(pool, buffer);
}
