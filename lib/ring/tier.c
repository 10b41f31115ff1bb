/* SPDX-License-Identifier: MIT */
/*
 * In memory: the line of bits, then the queues, level by level, all of a level
 * of the same size.
 */
#include <lib/ring/tier.h>

#include <lib/ring/atomic.h>

struct tier_memory {
	/* A bit per queue each. */
	uint64_t may_hold[TIER_LEVELS];
	uint64_t in_doubt[TIER_LEVELS];		/* a thief may lower the other */
};

_Static_assert(sizeof(struct tier_memory) == 64, "one line");

/* One queue among the tiers. */
struct spot {
	enum tier_level level;
	uint32_t unit;
};

static bool
cells_are_valid(uint32_t cells)
{
	return cells >= QUEUE_CELLS_MIN && cells <= QUEUE_CELLS_MAX &&
	    (cells & (cells - 1)) == 0;
}

static bool
count_is_valid(uint32_t count)
{
	return count >= 1 && count <= TIER_UNITS_MAX;
}

static bool
topology_is_valid(const struct tier_topology *topology)
{
	if (!count_is_valid(topology->cpus) ||
	    !count_is_valid(topology->sockets) ||
	    !count_is_valid(topology->nodes))
		return false;
	for (uint32_t level = 0; level < TIER_LEVELS; level++) {
		if (!cells_are_valid(topology->cells[level]))
			return false;
	}
	for (uint32_t cpu = 0; cpu < topology->cpus; cpu++) {
		if (topology->places[cpu].socket >= topology->sockets ||
		    topology->places[cpu].node >= topology->nodes)
			return false;
	}
	return true;
}

static uint32_t
units_of(const struct tier_topology *topology, uint32_t level)
{
	const uint32_t units[TIER_LEVELS] = {
		topology->cpus, topology->sockets, topology->nodes, 1,
	};

	return units[level];
}

status_t
tier_size(const struct tier_topology *topology, size_t *out_bytes)
{
	size_t bytes = sizeof(struct tier_memory);

	if (!topology_is_valid(topology))
		return ERR_ARG;
	for (uint32_t level = 0; level < TIER_LEVELS; level++)
		bytes += units_of(topology, level) *
		    queue_size(topology->cells[level]);
	*out_bytes = bytes;
	return OK;
}

void
tier_format(void *memory, const struct tier_topology *topology)
{
	uint8_t *at = (uint8_t *)memory + sizeof(struct tier_memory);

	memset(memory, 0, sizeof(struct tier_memory));
	for (uint32_t level = 0; level < TIER_LEVELS; level++) {
		uint32_t cells = topology->cells[level];
		for (uint32_t i = 0; i < units_of(topology, level); i++) {
			queue_format(at, cells);
			at += queue_size(cells);
		}
	}
}

status_t
tier_open(struct tiers *tiers, void *memory,
    const struct tier_topology *topology)
{
	uint8_t *at = (uint8_t *)memory + sizeof(struct tier_memory);

	if (!topology_is_valid(topology) || (uintptr_t)memory % 64 != 0)
		return ERR_ARG;
	*tiers = (struct tiers){
		.memory = memory, .places = topology->places,
	};
	for (uint32_t level = 0; level < TIER_LEVELS; level++) {
		uint32_t cells = topology->cells[level];
		tiers->units[level] = units_of(topology, level);
		status_t status = queue_open(&tiers->first[level], at, cells);
		if (status != OK)
			return status;
		at += tiers->units[level] * queue_size(cells);
	}
	for (uint32_t cpu = 0; cpu < topology->cpus; cpu++) {
		const struct tier_place *place = &topology->places[cpu];
		tiers->near[place->socket][0] |= 1ul << cpu;
		tiers->near[place->node][1] |= 1ul << cpu;
	}
	return OK;
}

void
tier_producer_open(struct tier_producer *producer, const struct tiers *tiers,
    unsigned flags)
{
	*producer = (struct tier_producer){ .tiers = tiers, .flags = flags };
}

static struct queue
queue_at(const struct tiers *tiers, struct spot spot)
{
	struct queue queue = tiers->first[spot.level];
	size_t size = queue_size((uint32_t)queue.mask + 1);

	queue.memory = (struct queue_memory *)
	    ((uint8_t *)queue.memory + spot.unit * size);
	return queue;
}

/* The queue of a level that is nearest to a CPU. */
static struct spot
spot_of(const struct tiers *tiers, enum tier_level level, uint32_t cpu)
{
	const struct tier_place *place = &tiers->places[cpu];
	const uint32_t units[TIER_LEVELS] = {
		cpu, place->socket, place->node, 0,
	};

	return (struct spot){ level, units[level] };
}

/* Consumers seldom move: they remember where their queues are. */
static void
settle(struct tier_consumer *consumer, uint32_t cpu)
{
	const struct tiers *tiers = consumer->tiers;

	consumer->cpu = cpu;
	for (uint32_t level = 0; level < TIER_LEVELS; level++)
		consumer->own[level] = queue_at(tiers,
		    spot_of(tiers, level, cpu));
}

void
tier_consumer_open(struct tier_consumer *consumer, const struct tiers *tiers)
{
	*consumer = (struct tier_consumer){ .tiers = tiers };
	settle(consumer, 0);
}

static void
raise_bit(const struct tiers *tiers, struct spot spot)
{
	uint64_t *word = &tiers->memory->may_hold[spot.level];
	uint64_t bit = 1ul << spot.unit;

	/*
	 * Who lowered the bit looks again behind a barrier: it finds the item,
	 * or the bit is found low here.
	 */
	ring_fence(RING_FULL);
	if ((ring_load(word, RING_RELAXED) & bit) == 0)
		ring_or(word, bit, RING_RELAXED);
}

static status_t
put_at(struct tier_producer *producer, struct spot spot,
    const struct queue_item *item)
{
	struct queue queue = queue_at(producer->tiers, spot);
	status_t status = queue_put(&queue, item, &producer->number);

	if (status != OK)
		return status;
	producer->last = queue;
	producer->last_level = spot.level;
	producer->last_unit = spot.unit;
	producer->has_last = true;
	producer->put[spot.level]++;
	/* The spill is everybody's own: nobody steals from it. */
	if (spot.level != TIER_SPILL)
		raise_bit(producer->tiers, spot);
	return OK;
}

static bool
must_stay(const struct tier_producer *producer)
{
	return (producer->flags & TIER_ANY_ORDER) == 0 && producer->has_last &&
	    !queue_is_taken(&producer->last, producer->number);
}

status_t
tier_put(struct tier_producer *producer, uint32_t cpu,
    const struct queue_item *item)
{
	const struct tiers *tiers = producer->tiers;
	status_t status = ERR_FULL;

	if (cpu >= tiers->units[TIER_CPU])
		return ERR_ARG;
	if (must_stay(producer))
		status = put_at(producer, (struct spot){ producer->last_level,
		    producer->last_unit }, item);
	else
		for (uint32_t level = 0; level < TIER_LEVELS &&
		    status == ERR_FULL; level++)
			status = put_at(producer, spot_of(tiers, level, cpu),
			    item);
	producer->refused += status == ERR_FULL;
	return status;
}

/* By the one thief that has the queue in doubt: lowers its bit if it is empty. */
static status_t
take_or_lower_bit(const struct tiers *tiers, struct spot spot,
    const struct queue *queue, struct queue_item *out_item)
{
	uint64_t *word = &tiers->memory->may_hold[spot.level];
	status_t status = queue_get(queue, out_item);

	if (status == OK)
		return OK;
	/* Release: who sees it low sees the doubt. */
	ring_and(word, ~(1ul << spot.unit), RING_RELEASE);
	/* What was put before is found now, or raises the bit. */
	ring_fence(RING_FULL);
	status = queue_get(queue, out_item);
	if (status == OK)
		raise_bit(tiers, spot);
	return status;
}

/* Takes from a queue of others. */
static status_t
steal(struct tier_consumer *consumer, struct spot spot,
    struct queue_item *out_item)
{
	const struct tiers *tiers = consumer->tiers;
	struct queue queue = queue_at(tiers, spot);
	uint64_t *doubt = &tiers->memory->in_doubt[spot.level];
	uint64_t bit = 1ul << spot.unit;
	status_t status = queue_get(&queue, out_item);

	if (status != OK && (ring_or(doubt, bit, RING_ACQUIRE) & bit) == 0) {
		status = take_or_lower_bit(tiers, spot, &queue, out_item);
		/* Release: who sees no doubt sees the bit that was raised. */
		ring_and(doubt, ~bit, RING_RELEASE);
	}
	consumer->stolen[spot.level] += status == OK;
	return status;
}

/*
 * The queues of a level that may hold items. A bit can be low for a moment
 * though there are some: while that is so the queue is in doubt, and after it
 * the bit is up again.
 */
static uint64_t
look_at_level(const struct tiers *tiers, enum tier_level level)
{
	const struct tier_memory *memory = tiers->memory;
	uint64_t queues = ring_load(&memory->may_hold[level], RING_ACQUIRE);

	queues |= ring_load(&memory->in_doubt[level], RING_ACQUIRE);
	return queues | ring_load(&memory->may_hold[level], RING_RELAXED);
}

/* Tries the queues of `units`, the next after `from` first. */
static status_t
steal_among(struct tier_consumer *consumer, struct spot from, uint64_t units,
    struct queue_item *out_item)
{
	uint64_t behind = units & ~((2ul << from.unit) - 1);

	while (units != 0) {
		uint64_t choice = (behind & units) != 0 ? behind & units :
		    units;
		struct spot spot = { from.level,
		    (uint32_t)__builtin_ctzl(choice) };
		if (steal(consumer, spot, out_item) == OK)
			return OK;
		units &= ~(1ul << spot.unit);
	}
	return ERR_EMPTY;
}

static status_t
steal_level(struct tier_consumer *consumer, struct spot own, uint32_t cpu,
    struct queue_item *out_item)
{
	const struct tiers *tiers = consumer->tiers;
	const struct tier_place *place = &tiers->places[cpu];
	uint64_t all = look_at_level(tiers, own.level) & ~(1ul << own.unit);

	if (all == 0)
		return ERR_EMPTY;
	uint64_t near[2] = {
		tiers->near[place->socket][0], tiers->near[place->node][1],
	};
	/* Nobody but a program error sets bits of queues that do not exist. */
	if (tiers->units[own.level] < 64)
		all &= (1ul << tiers->units[own.level]) - 1;
	for (uint32_t i = 0; i < 2 && own.level == TIER_CPU; i++) {
		if (steal_among(consumer, own, all & near[i], out_item) == OK)
			return OK;
		all &= ~near[i];
	}
	return steal_among(consumer, own, all, out_item);
}

status_t
tier_get(struct tier_consumer *consumer, uint32_t cpu,
    struct queue_item *out_item)
{
	const struct tiers *tiers = consumer->tiers;

	if (cpu >= tiers->units[TIER_CPU])
		return ERR_ARG;
	if (cpu != consumer->cpu)
		settle(consumer, cpu);
	for (uint32_t level = 0; level < TIER_LEVELS; level++) {
		if (queue_get(&consumer->own[level], out_item) == OK) {
			consumer->got[level]++;
			return OK;
		}
	}
	for (uint32_t level = 0; level < TIER_SPILL; level++) {
		if (steal_level(consumer, spot_of(tiers, level, cpu), cpu,
		    out_item) == OK)
			return OK;
	}
	consumer->idle++;
	return ERR_EMPTY;
}
