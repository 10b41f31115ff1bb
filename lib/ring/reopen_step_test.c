/* SPDX-License-Identifier: MIT */
/*
 * An end dies after every single instruction of a few messages; its successor
 * opens the ring from what was committed by then. The arena is two copies and a
 * word that says which one counts.
 */
#include <lib/ring/ring.h>

#include <lib/test/ktap.h>
#include <lib/test/step.h>

#include <string.h>

#define LINES		8u
#define MESSAGES	12u
#define RING_BYTES	((4 + LINES + 1) * RING_LINE)

struct committed {
	struct ring_mark mark;
	uint64_t number;	/* messages sent, or received */
};

struct arena {
	struct committed copy[2];
	uint64_t counts;	/* which copy; the commit is this store */
};

struct world {
	_Alignas(RING_LINE) uint8_t memory[RING_BYTES];
	struct arena producer, consumer;
};

static struct world *shared;
static uint64_t deaths;

static const struct committed *
committed(const struct arena *arena)
{
	return &arena->copy[__atomic_load_n(&arena->counts,
	    __ATOMIC_ACQUIRE) & 1];
}

static void
commit(struct arena *arena, const struct ring_mark *mark, uint64_t number)
{
	uint64_t next = arena->counts + 1;

	arena->copy[next & 1] = (struct committed){ *mark, number };
	__atomic_store_n(&arena->counts, next, __ATOMIC_RELEASE);
}

static uint32_t
length_of(uint64_t number)
{
	return (uint32_t)(8 + number * 29 % 90);
}

/* Until the ring is full or all are sent; two in a transaction. */
static void
produce(struct world *world, struct ring_producer *producer)
{
	uint64_t number = committed(&world->producer)->number;
	struct ring_mark mark;
	void *room;

	while (number < MESSAGES && ring_reserve(producer, length_of(number),
	    &room) == OK) {
		memset(room, (int)number, length_of(number));
		ring_stage(producer, length_of(number), RING_DATA, number);
		number++;
		if (number % 2 != 0)
			continue;
		ring_producer_mark(producer, &mark);
		commit(&world->producer, &mark, number);
		ring_publish(producer);
	}
}

static bool
is_message(const struct ring_message *message, uint64_t number)
{
	const uint8_t *bytes = message->data;

	if (message->tag != number || message->position != number ||
	    message->length != length_of(number))
		return false;
	for (uint32_t i = 0; i < message->length; i++)
		if (bytes[i] != (uint8_t)number)
			return false;
	return true;
}

/* False: something that is not the next message. */
static bool
consume(struct world *world, struct ring_consumer *consumer)
{
	uint64_t number = committed(&world->consumer)->number;
	struct ring_message message;
	struct ring_mark mark;

	while (ring_peek(consumer, &message) == OK) {
		if (!is_message(&message, number))
			return false;
		number++;
		ring_pass(consumer);
		ring_consumer_mark(consumer, &mark);
		commit(&world->consumer, &mark, number);
		ring_give_back(consumer);
	}
	return !consumer->corrupt;
}

static bool
come_back(struct world *world, struct ring_producer *producer,
    struct ring_consumer *consumer)
{
	return ring_producer_open_at(producer, world->memory, LINES,
	    &committed(&world->producer)->mark, 2) == OK &&
	    ring_consumer_open_at(consumer, world->memory, LINES,
	    &committed(&world->consumer)->mark, 2) == OK;
}

/* The next incarnations, in a copy of the world. */
static bool
successors_finish(void *context, uint64_t n)
{
	static struct world world;
	struct ring_producer producer;
	struct ring_consumer consumer;

	(void)context, (void)n;
	memcpy(&world, shared, sizeof(world));
	deaths++;
	for (unsigned turn = 0; turn < MESSAGES; turn++) {
		/* Both come back each time. */
		if (!come_back(&world, &producer, &consumer))
			break;
		produce(&world, &producer);
		if (!consume(&world, &consumer))
			break;
	}
	if (committed(&world.consumer)->number != MESSAGES)
		EXPECT_EQ(committed(&world.consumer)->number, MESSAGES);
	return committed(&world.consumer)->number == MESSAGES;
}

/* The ring begins at the end of a lap, so that all that is rare happens. */
static void
start(void)
{
	const struct ring_mark mark = {
		.first = (LINES - 2) * RING_LINE,
		.position = (LINES - 2) * RING_LINE,
	};
	struct ring_memory *ring = (struct ring_memory *)shared->memory;

	memset(shared, 0, sizeof(*shared));
	ring_format(shared->memory, LINES);
	ring->head = mark.position;
	ring->lines[LINES - 2].sequence = (uint32_t)mark.position + 1;
	shared->producer.copy[0].mark = mark;
	shared->consumer.copy[0].mark = mark;
}

static void
run_producer(void *context)
{
	struct ring_producer producer;

	(void)context;
	(void)ring_producer_open_at(&producer, shared->memory, LINES,
	    &committed(&shared->producer)->mark, 1);
	produce(shared, &producer);
}

static void
run_consumer(void *context)
{
	struct ring_consumer consumer;

	(void)context;
	(void)ring_consumer_open_at(&consumer, shared->memory, LINES,
	    &committed(&shared->consumer)->mark, 1);
	(void)consume(shared, &consumer);
}

static void
run(void (*body)(void *context))
{
	enum step_end end;
	uint64_t count;

	deaths = 0;
	end = step_run(body, successors_finish, NULL, &count);
	if (end == STEP_IMPOSSIBLE) {
		printf("# single steps are not allowed here\n");
		return;
	}
	EXPECT_EQ(end, STEP_OK);
	EXPECT(deaths == count && deaths > 200);
	printf("# %llu deaths\n", (unsigned long long)deaths);
}

TEST(test_producer_dies_after_each_instruction)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	EXPECT(shared != MAP_FAILED);
	start();
	run(run_producer);
}

TEST(test_consumer_dies_after_each_instruction)
{
	start();
	run_producer(NULL);
	run(run_consumer);
}

TEST_MAIN(0)
