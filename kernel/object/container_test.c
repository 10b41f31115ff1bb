/* SPDX-License-Identifier: MIT */
/* Laws of containers, and of the life of objects in general. */
#include <kernel/arch/host/host.h>
#include <kernel/core/epoch.h>
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <kernel/object/memory.h>
#include <lib/test/ktap.h>
#include <pthread.h>

#define RAM	(16ul << 20)
#define NO_LIMIT	(~0ul)
#define THREADS	4u

static uint64_t
frames_free(void)
{
	struct frame_statistics statistics;

	frame_get_statistics(&statistics);
	return statistics.free;
}

static void
reap_all(void)
{
	while (object_reap_step())
		;
}

static struct container *
make(struct container *parent, uint64_t frames, uint64_t objects)
{
	struct container *container = NULL;

	EXPECT_EQ(container_create(parent, frames, objects, &container), OK);
	return container;
}

/* Everything is gone: the root carries no charge. */
static void
expect_empty(uint64_t frames)
{
	reap_all();
	EXPECT(!object_reap_pending());
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(root_container.objects_used, 0);
	EXPECT_EQ(object_live(OBJ_CONTAINER), 0);
	EXPECT_EQ(frames_free(), frames);
}

TEST(test_charge_counts_in_all_ancestors)
{
	uint64_t before = frames_free();
	struct container *outer = make(&root_container, NO_LIMIT, NO_LIMIT);
	struct container *inner = make(outer, NO_LIMIT, NO_LIMIT);
	struct container_info info;

	EXPECT_EQ(container_charge_frames(inner, 5), OK);
	EXPECT_EQ(container_charge_frames(outer, 2), OK);
	container_get_info(inner, &info);
	EXPECT_EQ(info.frames_used, 5);
	container_get_info(outer, &info);
	EXPECT_EQ(info.frames_used, 7);
	EXPECT_EQ(info.objects_used, 1);
	EXPECT_EQ(root_container.frames_used, 7);
	EXPECT_EQ(root_container.objects_used, 2);
	container_release_frames(inner, 5);
	container_release_frames(outer, 2);
	object_release(&inner->object);
	object_release(&outer->object);
	expect_empty(before);
}

TEST(test_refused_charge_leaves_no_trace)
{
	uint64_t before = frames_free();
	struct container *outer = make(&root_container, 10, NO_LIMIT);
	struct container *inner = make(outer, 100, NO_LIMIT);

	EXPECT_EQ(container_charge_frames(inner, 11), ERR_LIMIT);
	EXPECT_EQ(container_charge_frames(inner, ~0ul), ERR_LIMIT);
	EXPECT_EQ(inner->frames_used, 0);
	EXPECT_EQ(outer->frames_used, 0);
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(container_charge_frames(inner, 10), OK);
	EXPECT_EQ(container_charge_frames(outer, 1), ERR_LIMIT);
	EXPECT_EQ(container_charge_frames(inner, ~0ul - 5), ERR_LIMIT);
	container_release_frames(inner, 10);
	object_release(&inner->object);
	object_release(&outer->object);
	expect_empty(before);
}

TEST(test_limit_below_use_refuses_new_charges_only)
{
	uint64_t before = frames_free();
	struct container *container = make(&root_container, 10, 10);

	EXPECT_EQ(container_charge_frames(container, 8), OK);
	EXPECT_EQ(container_set_limits(container, 4, 10), OK);
	EXPECT_EQ(container_charge_frames(container, 1), ERR_LIMIT);
	EXPECT_EQ(container_charge_frames(container, 0), OK);
	container_release_frames(container, 5);
	EXPECT_EQ(container_charge_frames(container, 1), OK);
	EXPECT_EQ(container_charge_frames(container, 1), ERR_LIMIT);
	container_release_frames(container, 4);
	object_release(&container->object);
	expect_empty(before);
}

TEST(test_depth_is_limited)
{
	uint64_t before = frames_free();
	struct container *chain[CONTAINER_MAX_DEPTH] = { &root_container };
	struct container *extra;
	unsigned depth;

	for (depth = 1; depth < CONTAINER_MAX_DEPTH; depth++)
		chain[depth] = make(chain[depth - 1], NO_LIMIT, NO_LIMIT);
	EXPECT_EQ(container_create(chain[depth - 1], 1, 1, &extra), ERR_RANGE);
	/* Those above live on as husks until those below are gone. */
	for (unsigned i = 1; i < depth; i++)
		object_release(&chain[i]->object);
	expect_empty(before);
}

TEST(test_husk_lives_until_its_last_charge_is_released)
{
	uint64_t before = frames_free();
	struct container *container = make(&root_container, NO_LIMIT, 1);
	struct memory *memory, *second;
	uint64_t word = 7;

	EXPECT_EQ(memory_create(container, PAGE_SIZE, 0, 0, &memory), OK);
	EXPECT_EQ(memory_create(container, PAGE_SIZE, 0, 0, &second),
	    ERR_LIMIT);
	EXPECT_EQ(memory_write(memory, 0, &word, sizeof(word)), OK);
	object_release(&container->object);
	reap_all();
	EXPECT_EQ(object_live(OBJ_CONTAINER), 1);
	EXPECT(root_container.frames_used > 0);
	object_release(&memory->object);
	expect_empty(before);
}

TEST(test_failed_creation_charges_nothing)
{
	uint64_t before = frames_free();
	struct container *container = make(&root_container, NO_LIMIT, 0);
	struct container *inner;

	EXPECT_EQ(container_create(container, 1, 1, &inner), ERR_LIMIT);
	EXPECT_EQ(container_set_limits(container, 0, 9), OK);
	struct memory *memory;
	frame_fail_nth(1);
	EXPECT_EQ(memory_create(container, PAGE_SIZE, 0, 0, &memory),
	    ERR_NOMEM);
	EXPECT_EQ(container->objects_used, 0);
	object_release(&container->object);
	expect_empty(before);
}

TEST(test_object_stays_until_every_cpu_left_the_kernel)
{
	uint64_t before = frames_free();
	struct container *container = make(&root_container, 1, 1);

	epoch_enter(&cpu_table[1]);
	epoch_enter(&cpu_table[2]);
	object_release(&container->object);
	EXPECT(object_is_dying(&container->object));
	EXPECT(!object_try_reference(&container->object));
	reap_all();
	EXPECT(object_reap_pending());
	EXPECT_EQ(object_live(OBJ_CONTAINER), 1);
	epoch_leave(&cpu_table[1]);
	epoch_enter(&cpu_table[1]);	/* a new entry: it was outside */
	reap_all();
	EXPECT_EQ(object_live(OBJ_CONTAINER), 1);
	EXPECT_EQ(container->object.type, OBJ_CONTAINER);
	epoch_leave(&cpu_table[2]);
	reap_all();
	/* Taken apart, but CPU 1 entered before that: a second period. */
	EXPECT_EQ(object_live(OBJ_CONTAINER), 1);
	EXPECT(container->object.apart);
	epoch_leave(&cpu_table[1]);
	expect_empty(before);
}

TEST(test_object_retired_during_a_grace_period_waits_for_the_next)
{
	uint64_t before = frames_free();
	struct container *first = make(&root_container, 1, 1);
	struct container *second = make(&root_container, 1, 1);

	epoch_enter(&cpu_table[1]);
	object_release(&first->object);
	reap_all();
	/* CPU 2 enters after the period of the first began. */
	epoch_enter(&cpu_table[2]);
	object_release(&second->object);
	reap_all();
	epoch_leave(&cpu_table[1]);
	reap_all();
	EXPECT_EQ(object_live(OBJ_CONTAINER), 2);
	EXPECT(first->object.apart);
	EXPECT(!second->object.apart);
	epoch_leave(&cpu_table[2]);
	expect_empty(before);
}

static struct container *shared[3];

static void *
stress(void *argument)
{
	unsigned cpu = (unsigned)(uintptr_t)argument;
	uint64_t seed = cpu + 7;

	host_become_cpu(cpu);
	for (unsigned step = 0; step < 5000; step++) {
		struct container *fresh;
		uint64_t count;

		seed = seed * 6364136223846793005ul + 1;
		count = (seed >> 40) % 40;
		epoch_enter(this_cpu());
		struct container *paying = shared[seed >> 50 & 1 ? 1 : 2];
		if (container_charge_frames(paying, count) == OK) {
			EXPECT(root_container.frames_used >= count);
			container_release_frames(paying, count);
		}
		if (container_create(paying, 5, 5, &fresh) == OK)
			object_release(&fresh->object);
		object_reap_step();
		epoch_leave(this_cpu());
	}
	return NULL;
}

TEST(test_concurrent_charges_add_up)
{
	uint64_t before = frames_free();
	pthread_t threads[THREADS];

	shared[0] = make(&root_container, 100, 100);
	shared[1] = make(shared[0], 60, 50);
	shared[2] = make(shared[0], 60, 50);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, stress, (void *)i);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	reap_all();
	for (unsigned i = 0; i < 3; i++) {
		EXPECT_EQ(shared[i]->frames_used, 0);
		EXPECT_EQ(shared[i]->objects_used, i == 0 ? 2 : 0);
		object_release(&shared[i]->object);
	}
	expect_empty(before);
}

static int
setup(void)
{
	host_boot(RAM, THREADS);
	return 0;
}

TEST_MAIN(setup())
