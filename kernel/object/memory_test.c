/* SPDX-License-Identifier: MIT */
/* Laws of memory objects. */
#include <kernel/arch/host/access.h>
#include <kernel/arch/host/host.h>
#include <kernel/core/epoch.h>
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <kernel/object/memory.h>
#include <lib/test/ktap.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define RAM		(32ul << 20)
#define THREADS		3u
#define OBJECTS		12u
#define PAGES		1100u	/* more than two leaf nodes */
#define WORDS		4u	/* per page, spread over it */

static uint64_t random_state = 1;
static struct container *payer;
static uint64_t frames_at_start;

static uint64_t
random_below(uint64_t limit)
{
	random_state = random_state * 6364136223846793005ul +
	    1442695040888963407ul;
	return (random_state >> 33) % limit;
}

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

static void
begin(void)
{
	frames_at_start = frames_free();
	EXPECT_EQ(container_create(&root_container, ~0ul, ~0ul, &payer), OK);
}

/* The leak check of every test. */
static void
end(void)
{
	reap_all();
	EXPECT_EQ(payer->frames_used, 0);
	EXPECT_EQ(payer->objects_used, 0);
	object_release(&payer->object);
	reap_all();
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(frames_free(), frames_at_start);
	EXPECT(frame_ok());
}

static struct memory *
make(uint64_t pages)
{
	struct memory *memory = NULL;

	EXPECT_EQ(memory_create(payer, pages * PAGE_SIZE, 0, 0, &memory), OK);
	return memory;
}

static void
put(struct memory *memory, uint64_t offset, uint64_t value)
{
	EXPECT_EQ(memory_write(memory, offset, &value, sizeof(value)), OK);
}

static uint64_t
get(struct memory *memory, uint64_t offset)
{
	uint64_t value = ~0ul;

	EXPECT_EQ(memory_read(memory, offset, &value, sizeof(value)), OK);
	return value;
}

static status_t
resize(struct memory *memory, uint64_t size)
{
	status_t status;

	while ((status = memory_resize(memory, size)) == ERR_RETRY)
		;
	return status;
}

TEST(test_untouched_pages_read_zero_and_cost_nothing)
{
	begin();
	struct memory *memory = make(1ul << 30);

	EXPECT_EQ(get(memory, (1ul << 42) - 8), 0);
	EXPECT_EQ(memory->resident, 0);
	EXPECT_EQ(payer->frames_used, 0);
	object_release(&memory->object);
	end();
}

TEST(test_every_page_and_node_is_paid_for)
{
	static const uint64_t pages[] = {
		0, 1, 511, 512, 1ul << 18, 1ul << 27, (1ul << 30) - 1, 5,
	};
	begin();
	struct memory *memory = make(1ul << 30);

	for (unsigned i = 0; i < 8; i++) {
		uint64_t before = frames_free();
		uint64_t charged = payer->frames_used;

		put(memory, pages[i] * PAGE_SIZE + 16, i + 1);
		EXPECT_EQ(payer->frames_used - charged,
		    before - frames_free());
		EXPECT_EQ(payer->frames_used,
		    memory->resident + memory->table_frames);
		EXPECT(memory_ok(memory));
	}
	for (unsigned i = 0; i < 8; i++)
		EXPECT_EQ(get(memory, pages[i] * PAGE_SIZE + 16), i + 1);
	EXPECT_EQ(memory->resident, 8);
	object_release(&memory->object);
	end();
}

TEST(test_clone_keeps_snapshot_when_source_is_written)
{
	begin();
	struct memory *source = make(600), *clone;

	for (unsigned i = 0; i < 600; i++)
		put(source, i * PAGE_SIZE, i + 1);
	EXPECT_EQ(memory_clone(source, 10 * PAGE_SIZE, 580 * PAGE_SIZE, payer,
	    &clone), OK);
	uint64_t before = frames_free();
	for (unsigned i = 0; i < 600; i++)
		put(source, i * PAGE_SIZE, 5000 + i);
	EXPECT_EQ(before - frames_free(), 580);	/* unshared, not more */
	for (unsigned i = 0; i < 580; i++)
		EXPECT_EQ(get(clone, i * PAGE_SIZE), i + 11);
	EXPECT(memory_ok(source) && memory_ok(clone));
	object_release(&source->object);
	reap_all();
	EXPECT_EQ(get(clone, 0), 11);
	put(clone, 0, 1);
	object_release(&clone->object);
	end();
}

TEST(test_shrunk_and_regrown_memory_is_zero)
{
	begin();
	struct memory *memory = make(2000);

	for (unsigned i = 0; i < 2000; i++)
		put(memory, i * PAGE_SIZE, i + 1);
	EXPECT_EQ(memory_resize(memory, 3 * PAGE_SIZE), ERR_RETRY);
	EXPECT_EQ(memory->size, 3 * PAGE_SIZE);
	/* Growth waits until all that was cut off is gone. */
	EXPECT_EQ(memory_resize(memory, 2000 * PAGE_SIZE), ERR_RETRY);
	EXPECT_EQ(memory->size, 3 * PAGE_SIZE);
	EXPECT_EQ(resize(memory, 2000 * PAGE_SIZE), OK);
	for (unsigned i = 0; i < 2000; i++)
		EXPECT_EQ(get(memory, i * PAGE_SIZE), i < 3 ? i + 1 : 0);
	EXPECT_EQ(memory->resident, 3);
	EXPECT_EQ(memory->table_frames, 2);
	EXPECT_EQ(resize(memory, 0), OK);
	EXPECT_EQ(payer->frames_used, 0);
	object_release(&memory->object);
	end();
}

TEST(test_bad_arguments_are_refused)
{
	begin();
	struct memory *memory = make(4), *other;
	uint64_t word = 0, done;

	EXPECT_EQ(memory_create(payer, 100, 0, 0, &other), ERR_ARG);
	EXPECT_EQ(memory_create(payer, MEMORY_MAX_SIZE + PAGE_SIZE, 0, 0,
	    &other), ERR_RANGE);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE, MEMORY_UNCACHED, 0, &other),
	    ERR_ARG);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE, 0x80, 0, &other), ERR_ARG);
	EXPECT_EQ(memory_create(payer, 0, MEMORY_CONTIGUOUS, 0, &other),
	    ERR_RANGE);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE << 12, MEMORY_CONTIGUOUS, 0,
	    &other), ERR_RANGE);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE, MEMORY_PHYSICAL, 1,
	    &other), ERR_ARG);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE, MEMORY_PHYSICAL,
	    ~PAGE_MASK, &other), ERR_RANGE);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE, MEMORY_PHYSICAL,
	    0xfee00000, &other), ERR_ARG);	/* device, cached */
	EXPECT_EQ(memory_read(memory, 4 * PAGE_SIZE, &word, 1), ERR_RANGE);
	EXPECT_EQ(memory_read(memory, ~0ul, &word, 8), ERR_RANGE);
	EXPECT_EQ(memory_write(memory, 4 * PAGE_SIZE - 4, &word, 8),
	    ERR_RANGE);
	EXPECT_EQ(memory_write(memory, 8, &word, ~0ul - 4), ERR_RANGE);
	EXPECT_EQ(memory_clone(memory, PAGE_SIZE, 4 * PAGE_SIZE, payer,
	    &other), ERR_RANGE);
	EXPECT_EQ(memory_clone(memory, PAGE_SIZE, ~PAGE_MASK, payer, &other),
	    ERR_RANGE);
	EXPECT_EQ(memory_clone(memory, 1, PAGE_SIZE, payer, &other), ERR_ARG);
	EXPECT_EQ(memory_copy_step(memory, 0, memory, 4 * PAGE_SIZE, 1,
	    &done), ERR_RANGE);
	EXPECT_EQ(memory_resize(memory, 5), ERR_ARG);
	object_release(&memory->object);
	EXPECT_EQ(memory_read(memory, 0, &word, 8), ERR_HANDLE);
	EXPECT_EQ(memory_clone(memory, 0, 0, payer, &other), ERR_HANDLE);
	EXPECT_EQ(memory_resize(memory, 0), ERR_HANDLE);
	end();
}

TEST(test_contiguous_memory_is_one_block_and_exactly_paid)
{
	begin();
	struct memory *memory, *clone;
	uint64_t before;

	EXPECT_EQ(memory_create(payer, 1000 * PAGE_SIZE, MEMORY_CONTIGUOUS, 0,
	    &memory), OK);
	before = frames_free();
	EXPECT_EQ(payer->frames_used, 1000);
	EXPECT_EQ(get(memory, 999 * PAGE_SIZE), 0);
	for (unsigned i = 0; i < 1000; i++) {
		paddr_t frame;
		bool writable;

		EXPECT_EQ(memory_page(memory, i * PAGE_SIZE, true, &frame,
		    &writable), OK);
		EXPECT_EQ(frame, memory->base + i * PAGE_SIZE);
		put(memory, i * PAGE_SIZE + 8, i);
	}
	EXPECT(memory_ok(memory));
	EXPECT_EQ(memory_clone(memory, 0, PAGE_SIZE, payer, &clone),
	    ERR_STATE);
	EXPECT_EQ(memory_resize(memory, PAGE_SIZE), ERR_STATE);
	reap_all();
	EXPECT_EQ(frames_free(), before);
	EXPECT_EQ(get(memory, 77 * PAGE_SIZE + 8), 77);
	object_release(&memory->object);
	end();
}

TEST(test_physical_memory_is_never_counted_or_freed)
{
	begin();
	struct memory *ram, *device, *other = make(1);
	paddr_t frame = frame_alloc();
	uint64_t word = 0, done;

	*(uint64_t *)arch_frame_pointer(frame) = 42;
	EXPECT_EQ(memory_create(payer, PAGE_SIZE, MEMORY_PHYSICAL, frame,
	    &ram), OK);
	EXPECT_EQ(get(ram, 0), 42);
	EXPECT_EQ(memory_copy_step(other, 0, ram, 0, 8, &done), OK);
	EXPECT_EQ(get(other, 0), 42);
	EXPECT_EQ(frame_references(frame), 1);
	EXPECT_EQ(memory_create(payer, PAGE_SIZE,
	    MEMORY_PHYSICAL | MEMORY_UNCACHED, 0xfee00000, &device), OK);
	/* The kernel has no mapping of device registers. */
	EXPECT_EQ(memory_read(device, 0, &word, 8), ERR_STATE);
	EXPECT_EQ(memory_write(device, 0, &word, 8), ERR_STATE);
	EXPECT_EQ(memory_copy_step(other, 0, device, 0, 8, &done), ERR_STATE);
	EXPECT_EQ(memory_copy_step(device, 0, other, 0, 8, &done), ERR_STATE);
	object_release(&ram->object);
	object_release(&device->object);
	object_release(&other->object);
	reap_all();
	EXPECT_EQ(frame_references(frame), 1);
	frame_release(frame);
	end();
}

TEST(test_held_page_outlives_truncation)
{
	begin();
	struct memory *memory = make(2);
	struct held_page page;

	put(memory, PAGE_SIZE, 1234);
	EXPECT_EQ(memory_hold(memory, PAGE_SIZE, &page), OK);
	/* While it is held a write goes to a copy. */
	put(memory, PAGE_SIZE, 99);
	EXPECT_EQ(resize(memory, 0), OK);
	object_release(&memory->object);
	reap_all();
	EXPECT_EQ(frame_references(page.frame), 1);
	EXPECT_EQ(*(const uint64_t *)page.data, 1234);
	memory_let_go(&page);
	end();
}

TEST(test_write_without_all_its_pages_writes_nothing)
{
	begin();
	struct memory *memory = make(2);
	uint64_t words[2] = { 5, 6 };

	put(memory, PAGE_SIZE - 8, 1);
	container_set_limits(payer, payer->frames_used, ~0ul);
	EXPECT_EQ(memory_write(memory, PAGE_SIZE - 8, words, 16), ERR_LIMIT);
	EXPECT_EQ(get(memory, PAGE_SIZE - 8), 1);
	container_set_limits(payer, ~0ul, ~0ul);
	EXPECT_EQ(memory_write(memory, PAGE_SIZE - 8, words, 16), OK);
	EXPECT_EQ(get(memory, PAGE_SIZE), 6);
	object_release(&memory->object);
	end();
}

/* --- Against a model. --- */

struct model {
	struct memory *memory;
	uint64_t pages;
	uint64_t words[PAGES][WORDS];
};

static struct model models[OBJECTS];

static uint64_t
word_offset(uint64_t page, unsigned word)
{
	return page * PAGE_SIZE + word * (PAGE_SIZE / WORDS) + 8;
}

static void
model_create(struct model *model)
{
	memset(model, 0, sizeof(*model));
	model->pages = 1 + random_below(PAGES - 1);
	if (memory_create(payer, model->pages * PAGE_SIZE, 0, 0,
	    &model->memory) != OK)
		model->memory = NULL;
}

static void
model_clone(struct model *from, struct model *to)
{
	uint64_t first = random_below(from->pages);
	uint64_t count = 1 + random_below(from->pages - first);
	struct memory *clone;

	if (memory_clone(from->memory, first * PAGE_SIZE, count * PAGE_SIZE,
	    payer, &clone) != OK)
		return;
	memset(to, 0, sizeof(*to));
	to->memory = clone;
	to->pages = count;
	memcpy(to->words, from->words[first], count * sizeof(to->words[0]));
}

static void
model_resize(struct model *model)
{
	uint64_t pages = 1 + random_below(PAGES - 1);

	EXPECT_EQ(resize(model->memory, pages * PAGE_SIZE), OK);
	for (uint64_t i = pages; i < model->pages; i++)
		memset(model->words[i], 0, sizeof(model->words[0]));
	model->pages = pages;
}

static void
model_access(struct model *model)
{
	uint64_t page = random_below(model->pages);
	unsigned word = (unsigned)random_below(WORDS);

	if (random_below(2) == 0) {
		uint64_t value = random_below(1ul << 30) + 1;

		if (memory_write(model->memory, word_offset(page, word),
		    &value, sizeof(value)) == OK)
			model->words[page][word] = value;
	}
	EXPECT_EQ(get(model->memory, word_offset(page, word)),
	    model->words[page][word]);
}

/* A copy of some bytes around one word to the same place of another page. */
static void
model_copy(struct model *from, struct model *to)
{
	uint64_t source = random_below(from->pages);
	uint64_t target = random_below(to->pages), done;
	unsigned word = (unsigned)random_below(WORDS);

	if (memory_copy_step(to->memory, word_offset(target, word),
	    from->memory, word_offset(source, word), 8, &done) != OK)
		return;
	EXPECT_EQ(done, 8);
	to->words[target][word] = from->words[source][word];
}

static void
model_check(struct model *model)
{
	for (uint64_t page = 0; page < model->pages; page++)
		for (unsigned word = 0; word < WORDS; word++)
			EXPECT_EQ(get(model->memory, word_offset(page, word)),
			    model->words[page][word]);
	EXPECT(memory_ok(model->memory));
}

static void
model_step(void)
{
	struct model *model = &models[random_below(OBJECTS)];
	struct model *other = &models[random_below(OBJECTS)];
	uint64_t what = random_below(400);

	if (model->memory == NULL) {
		if (other->memory != NULL)
			model_clone(other, model);
		else
			model_create(model);
	} else if (what == 0) {
		model_check(model);
	} else if (what < 10) {
		object_release(&model->memory->object);
		model->memory = NULL;
	} else if (what < 12) {
		model_resize(model);
	} else if (what < 60 && other->memory != NULL) {
		model_copy(model, other);
	} else {
		model_access(model);
	}
	if (random_below(4) == 0)
		object_reap_step();
}

static void
run_model(unsigned steps, bool failures)
{
	begin();
	for (unsigned i = 0; i < steps; i++) {
		if (failures)
			frame_fail_nth(random_below(8));
		model_step();
	}
	frame_fail_nth(0);
	for (unsigned i = 0; i < OBJECTS; i++) {
		if (models[i].memory == NULL)
			continue;
		model_check(&models[i]);
		object_release(&models[i].memory->object);
		models[i].memory = NULL;
	}
	end();
}

TEST(test_random_operations_agree_with_model)
{
	run_model(150000, false);
}

TEST(test_random_failures_change_nothing)
{
	run_model(50000, true);
}

/* --- Every allocation fails once. --- */

static status_t
scenario(struct memory **objects)
{
	uint64_t word = 9;
	status_t status;

	status = memory_create(payer, 1ul << 40, 0, 0, &objects[0]);
	if (status == OK)
		status = memory_write(objects[0], 0, &word, 8);
	if (status == OK)
		status = memory_write(objects[0], 1ul << 39, &word, 8);
	if (status == OK)
		status = memory_clone(objects[0], 0, 1ul << 40, payer,
		    &objects[1]);
	if (status == OK)
		status = memory_write(objects[1], 1ul << 39, &word, 8);
	if (status == OK)
		status = memory_create(payer, 5 * PAGE_SIZE,
		    MEMORY_CONTIGUOUS, 0, &objects[2]);
	return status;
}

static bool
run_scenario(status_t expected)
{
	struct memory *objects[3] = { NULL };
	status_t status = scenario(objects);

	for (unsigned i = 0; i < 3; i++) {
		if (objects[i] == NULL)
			continue;
		EXPECT(memory_ok(objects[i]));
		object_release(&objects[i]->object);
	}
	reap_all();
	EXPECT(status == OK || status == expected);
	EXPECT_EQ(payer->frames_used, 0);
	EXPECT_EQ(payer->objects_used, 0);
	return status == OK;
}

TEST(test_any_failing_allocation_is_reported_and_leaks_nothing)
{
	unsigned n = 1;

	begin();
	do
		frame_fail_nth(n++);
	while (!run_scenario(ERR_NOMEM));
	frame_fail_nth(0);
	EXPECT(n > 10);
	end();
}

TEST(test_any_frame_limit_is_kept_and_leaks_nothing)
{
	uint64_t limit = 0;

	begin();
	do
		container_set_limits(payer, limit++, ~0ul);
	while (!run_scenario(ERR_LIMIT));
	EXPECT(limit > 10);
	end();
}

/* --- Several CPUs. --- */

static struct memory *shared;

/*
 * Linux may stop a thread inside "the kernel", and no dead object is freed
 * meanwhile. Waits outside, until there is room again.
 */
static void
wait_for_reaper(void)
{
	while (object_live(OBJ_MEMORY) > 64) {
		epoch_enter(this_cpu());
		reap_all();
		epoch_leave(this_cpu());
		sched_yield();
	}
}

/* Each CPU owns a word of every page; snapshots show what it wrote last. */
static void *
stress(void *argument)
{
	unsigned cpu = (unsigned)(uintptr_t)argument;
	uint64_t words[16] = { 0 }, seed = cpu + 1;

	host_become_cpu(cpu);
	for (unsigned step = 0; step < 6000; step++) {
		struct memory *clone;
		uint64_t page, at;

		seed = seed * 6364136223846793005ul + 1;
		page = (seed >> 40) % 16;
		at = page * PAGE_SIZE + cpu * 64;
		wait_for_reaper();
		epoch_enter(this_cpu());
		if (step % 8 == 0 && memory_clone(shared, 0, 16 * PAGE_SIZE,
		    payer, &clone) == OK) {
			EXPECT_EQ(get(clone, at), words[page]);
			put(clone, at, 1);
			EXPECT_EQ(get(shared, at), words[page]);
			object_release(&clone->object);
		}
		put(shared, at, step + 1);
		words[page] = step + 1;
		EXPECT_EQ(get(shared, at), step + 1);
		object_reap_step();
		epoch_leave(this_cpu());
	}
	return NULL;
}

TEST(test_snapshots_of_concurrent_writers_are_exact)
{
	pthread_t threads[THREADS];

	begin();
	shared = make(16);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, stress, (void *)i);
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT(memory_ok(shared));
	object_release(&shared->object);
	end();
}

static int
setup(void)
{
	host_boot(RAM, THREADS);
	return 0;
}

TEST_MAIN(setup())
