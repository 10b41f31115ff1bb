/* SPDX-License-Identifier: MIT */
/* What was lent to which lane. */
#include <lib/pool/state.h>

static void
count(uint64_t *counter, uint64_t by)
{
	__atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

status_t
pool_lend(struct pool *pool, uint32_t lane, uint32_t buffer)
{
	if (lane >= pool->lanes)
		return ERR_RANGE;
	status_t status = pool_retain(pool, buffer);
	if (status != OK)
		return status;
	uint64_t before = __atomic_fetch_or(ledger_word(pool, lane, buffer),
	    ledger_bit(buffer), __ATOMIC_ACQ_REL);
	if ((before & ledger_bit(buffer)) == 0) {
		count(&pool->counters.lent, 1);
		return OK;
	}
	(void)pool_release(pool, buffer);
	return ERR_EXIST;
}

static status_t
lie(struct pool *pool, uint32_t lane)
{
	__atomic_fetch_add(&pool->lies[lane], 1, __ATOMIC_RELAXED);
	count(&pool->counters.lies, 1);
	return ERR_CORRUPT;
}

status_t
pool_return(struct pool *pool, uint32_t lane, uint32_t buffer)
{
	if (lane >= pool->lanes)
		return ERR_RANGE;
	if (buffer >= pool->buffers)
		return lie(pool, lane);
	uint64_t before = __atomic_fetch_and(ledger_word(pool, lane, buffer),
	    ~ledger_bit(buffer), __ATOMIC_ACQ_REL);
	if ((before & ledger_bit(buffer)) == 0)
		return lie(pool, lane);
	count(&pool->counters.returned, 1);
	return pool_release(pool, buffer);
}

/* The bits of one word were cleared by the caller. */
static uint32_t
release_word(struct pool *pool, uint32_t first, uint64_t bits)
{
	uint32_t released = 0;

	for (; bits != 0; bits &= bits - 1) {
		(void)pool_release(pool, first +
		    (uint32_t)__builtin_ctzl(bits));
		released++;
	}
	return released;
}

uint32_t
pool_reclaim(struct pool *pool, uint32_t lane)
{
	uint32_t released = 0;

	if (lane >= pool->lanes)
		return 0;
	for (uint32_t first = 0; first < pool->buffers; first += LEDGER_BITS) {
		uint64_t bits = __atomic_exchange_n(ledger_word(pool, lane,
		    first), 0, __ATOMIC_ACQ_REL);
		released += release_word(pool, first, bits);
	}
	__atomic_store_n(&pool->lies[lane], 0, __ATOMIC_RELAXED);
	count(&pool->counters.reclaimed, released);
	return released;
}

uint32_t
pool_lies(const struct pool *pool, uint32_t lane)
{
	return lane < pool->lanes ? __atomic_load_n(&pool->lies[lane],
	    __ATOMIC_RELAXED) : 0;
}
