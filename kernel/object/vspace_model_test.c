/* SPDX-License-Identifier: MIT */
/*
 * Address spaces against a model, under failing allocations, and used by several
 * CPUs at once.
 */
#include <kernel/object/vspace_host.h>

/* --- Against a model: each page is a cell; spaces name cells. --- */

#define SPACES		4u
#define MEMORIES	4u
#define SPACE_PAGES	96u
#define MEMORY_PAGES	64u

struct cell {
	uint64_t value;
	unsigned names;		/* pages of spaces, and the memory */
	bool	 cut;		/* beyond the size of its memory */
};

struct model_page {
	struct cell *cell;	/* NULL: not mapped */
	unsigned flags, limit;
};

struct model_space {
	struct vspace *vspace;
	struct model_page pages[SPACE_PAGES];
};

struct model_memory {
	struct memory *memory;
	uint64_t pages;
	struct cell *cells[MEMORY_PAGES];
};

static struct model_space spaces[SPACES];
static struct model_memory memories[MEMORIES];
static struct cell cell_pool[SPACES * SPACE_PAGES + MEMORIES * MEMORY_PAGES];

static struct cell *
cell_new(uint64_t value)
{
	struct cell *cell = cell_pool;

	while (cell->names != 0)
		cell++;
	*cell = (struct cell){ .value = value, .names = 1 };
	return cell;
}

static void
page_set(struct model_page *page, struct cell *cell, unsigned flags,
    unsigned limit)
{
	if (cell != NULL)
		cell->names++;
	if (page->cell != NULL)
		page->cell->names--;
	*page = (struct model_page){ cell, flags, limit };
}

static vaddr_t
page_address(uint64_t page)
{
	/* Two page tables, so that ranges cross from one to the next. */
	return BASE + (512 - SPACE_PAGES / 2 + page) * PAGE_SIZE;
}

static void
memory_new(struct model_memory *model)
{
	uint64_t pages = 1 + random_below(MEMORY_PAGES - 1);

	if (memory_create(payer, pages * PAGE_SIZE, 0, 0, &model->memory) !=
	    OK) {
		model->memory = NULL;
		return;
	}
	model->pages = pages;
	for (unsigned i = 0; i < MEMORY_PAGES; i++) {
		model->cells[i] = cell_new(0);
		model->cells[i]->cut = i >= pages;
	}
}

static void
memory_drop(struct model_memory *model)
{
	object_release(&model->memory->object);
	model->memory = NULL;
	for (unsigned i = 0; i < MEMORY_PAGES; i++)
		model->cells[i]->names--;
}

/*
 * A cut cell that comes back is zero. Cells of a dropped memory keep their
 * state, as the regions keep the object.
 */
static void
memory_change_size(struct model_memory *model)
{
	uint64_t pages = random_below(MEMORY_PAGES);

	EXPECT_EQ(resize(model->memory, pages), OK);
	for (unsigned i = 0; i < MEMORY_PAGES; i++) {
		model->cells[i]->cut = i >= pages;
		if (i >= pages)
			model->cells[i]->value = 0;
	}
	model->pages = pages;
}

static void
space_drop(struct model_space *space)
{
	drop_vspace(space->vspace);
	space->vspace = NULL;
	for (unsigned i = 0; i < SPACE_PAGES; i++)
		page_set(&space->pages[i], NULL, 0, 0);
}

static void
space_new(struct model_space *space)
{
	if (vspace_create(payer, &space->vspace) != OK)
		space->vspace = NULL;
	else
		enter_everywhere(space->vspace);
}

static void
space_map(struct model_space *space, struct model_memory *memory)
{
	static const unsigned rights[] = { RW, RW, MAP_READ, RWX, 0 };
	uint64_t page = random_below(SPACE_PAGES);
	uint64_t count = 1 + random_below(SPACE_PAGES - page);
	uint64_t offset = random_below(MEMORY_PAGES);
	unsigned flags = rights[random_below(5)];
	unsigned limit = random_below(2) ? RWX : flags;
	bool taken = false;
	status_t status;

	if (random_below(6) == 0)
		flags |= MAP_SHARED;
	if (random_below(8) == 0)
		flags |= MAP_NOCLONE;
	if (count > 24)
		count = 24;
	for (uint64_t i = 0; i < count; i++)
		taken |= space->pages[page + i].cell != NULL;
	status = vspace_map(space->vspace, page_address(page), memory->memory,
	    offset * PAGE_SIZE, count * PAGE_SIZE, flags | MAP_LIMIT(limit));
	if (taken)
		EXPECT_EQ(status, ERR_EXIST);
	else if (status != ERR_NOMEM)
		EXPECT_EQ(status, offset + count > memory->pages ?
		    ERR_RANGE : OK);
	for (uint64_t i = 0; status == OK && i < count; i++)
		page_set(&space->pages[page + i], memory->cells[offset + i],
		    flags, limit == 0 ? flags & RWX : limit);
}

static void
space_unmap(struct model_space *space)
{
	uint64_t page = random_below(SPACE_PAGES);
	uint64_t count = 1 + random_below(SPACE_PAGES - page);

	if (count > 16)
		count = 16;
	if (unmap(space->vspace, page_address(page), count * PAGE_SIZE) == OK)
		for (uint64_t i = 0; i < count; i++)
			page_set(&space->pages[page + i], NULL, 0, 0);
}

static void
space_protect(struct model_space *space)
{
	static const unsigned choices[] = { RW, MAP_READ, RWX, 0, RW };
	uint64_t page = random_below(SPACE_PAGES);
	uint64_t count = 1 + random_below(SPACE_PAGES - page);
	unsigned flags = choices[random_below(5)];
	status_t expected = OK, status;

	if (count > 12)
		count = 12;
	for (uint64_t i = 0; expected == OK && i < count; i++) {
		if (space->pages[page + i].cell == NULL)
			expected = ERR_FAULT;
		else if ((flags & ~space->pages[page + i].limit) != 0)
			expected = ERR_RIGHT;
	}
	status = vspace_protect(space->vspace, page_address(page),
	    count * PAGE_SIZE, flags);
	if (status != ERR_NOMEM)
		EXPECT_EQ(status, expected);
	for (uint64_t i = 0; status == OK && i < count; i++)
		space->pages[page + i].flags = flags;
}

static void
space_clone(struct model_space *from, struct model_space *to)
{
	if (to->vspace != NULL)
		space_drop(to);
	space_new(to);
	if (to->vspace == NULL)
		return;
	if (fork_into(from->vspace, to->vspace) != OK) {
		space_drop(to);
		return;
	}
	for (unsigned i = 0; i < SPACE_PAGES; i++) {
		struct model_page *page = &from->pages[i];
		struct cell *cell = page->cell;

		if (cell == NULL || (page->flags & MAP_NOCLONE) != 0)
			continue;
		if ((page->flags & MAP_SHARED) == 0 &&
		    (page->limit & MAP_WRITE) != 0) {
			cell = cell_new(cell->cut ? 0 : cell->value);
			cell->names--;
		}
		page_set(&to->pages[i], cell, page->flags, page->limit);
	}
}

static void
space_access(struct model_space *space)
{
	uint64_t page = random_below(SPACE_PAGES), value = ~0ul;
	struct model_page *model = &space->pages[page];
	vaddr_t address = page_address(page) + 0x128;
	unsigned access = random_below(2) == 0 ? MAP_READ : MAP_WRITE;
	bool allowed = model->cell != NULL && !model->cell->cut &&
	    (model->flags & access) != 0;
	bool by_kernel = random_below(4) == 0;
	status_t status;

	host_become_cpu((unsigned)random_below(CPUS));
	if (access == MAP_READ) {
		status = by_kernel ?
		    vspace_read(space->vspace, address, &value, 8) :
		    host_user_load(space->vspace, address, &value);
		if (status == OK && allowed)
			EXPECT_EQ(value, model->cell->value);
	} else {
		value = random_below(1ul << 30);
		status = by_kernel ?
		    vspace_write(space->vspace, address, &value, 8) :
		    host_user_store(space->vspace, address, value);
		if (status == OK && allowed)
			model->cell->value = value;
	}
	if (status != ERR_NOMEM)
		EXPECT_EQ(status, allowed ? OK : ERR_FAULT);
	host_become_cpu(0);
}

static void
model_step(void)
{
	struct model_space *space = &spaces[random_below(SPACES)];
	struct model_space *other = &spaces[random_below(SPACES)];
	struct model_memory *memory = &memories[random_below(MEMORIES)];
	uint64_t what = random_below(1000);

	if (space->vspace == NULL)
		space_new(space);
	else if (memory->memory == NULL)
		memory_new(memory);
	else if (what < 3)
		space_drop(space);
	else if (what < 6)
		memory_drop(memory);
	else if (what < 10)
		memory_change_size(memory);
	else if (what < 20 && other != space)
		space_clone(space, other);
	else if (what < 80)
		space_map(space, memory);
	else if (what < 120)
		space_unmap(space);
	else if (what < 180)
		space_protect(space);
	else if (what < 190)
		EXPECT(vspace_ok(space->vspace) && memory_ok(memory->memory));
	else
		space_access(space);
	if (random_below(4) == 0)
		object_reap_step();
}

static void
run_model(unsigned steps, bool failures)
{
	begin();
	for (unsigned i = 0; i < steps; i++) {
		if (failures)
			frame_fail_nth(random_below(12));
		model_step();
	}
	frame_fail_nth(0);
	for (unsigned i = 0; i < SPACES; i++)
		if (spaces[i].vspace != NULL)
			space_drop(&spaces[i]);
	for (unsigned i = 0; i < MEMORIES; i++)
		if (memories[i].memory != NULL)
			memory_drop(&memories[i]);
	end();
}

TEST(test_random_operations_agree_with_model)
{
	run_model(250000, false);
}

TEST(test_random_failures_change_nothing)
{
	run_model(100000, true);
}

/* --- Every allocation fails once. --- */

struct scenario {
	struct memory *memory;
	struct vspace *parent, *child;
};

static status_t
scenario_run(struct scenario *all)
{
	uint64_t length = PAGE_SIZE;
	vaddr_t hole = BASE + 4 * PAGE_SIZE;
	status_t status = memory_create(payer, 1ul << 32, 0, 0, &all->memory);

	if (status == OK)
		status = vspace_create(payer, &all->parent);
	if (status == OK)
		status = vspace_create(payer, &all->child);
	if (status == OK)
		status = vspace_map(all->parent, BASE, all->memory, 0,
		    1ul << 32, RW);
	if (status == OK)
		status = vspace_fault(all->parent, BASE, MAP_WRITE);
	if (status == OK)
		status = vspace_fault(all->parent, BASE + (1ul << 31),
		    MAP_WRITE);
	if (status == OK)
		status = vspace_protect(all->parent, BASE + PAGE_SIZE,
		    PAGE_SIZE, MAP_READ);
	if (status == OK)
		status = vspace_unmap(all->parent, &hole, &length);
	if (status == OK)
		status = fork_into(all->parent, all->child);
	if (status == OK)
		status = vspace_fault(all->child, BASE, MAP_WRITE);
	return status;
}

static bool
scenario_ends(status_t expected)
{
	struct scenario all = { NULL, NULL, NULL };
	status_t status = scenario_run(&all);

	EXPECT(status == OK || status == expected);
	if (all.child != NULL) {
		EXPECT(vspace_ok(all.child));
		object_release(&all.child->object);
	}
	if (all.parent != NULL) {
		EXPECT(vspace_ok(all.parent));
		object_release(&all.parent->object);
	}
	if (all.memory != NULL) {
		EXPECT(memory_ok(all.memory));
		object_release(&all.memory->object);
	}
	reap_all();
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
	while (!scenario_ends(ERR_NOMEM));
	frame_fail_nth(0);
	EXPECT(n > 20);
	end();
}

TEST(test_any_frame_limit_is_kept_and_leaks_nothing)
{
	uint64_t limit = 0;

	begin();
	do
		container_set_limits(payer, limit++, ~0ul);
	while (!scenario_ends(ERR_LIMIT));
	EXPECT(limit > 20);
	end();
}

/* --- Several CPUs in one address space. --- */

#define STRESS_PAGES	24u

static struct vspace *shared;

/* Words of one CPU in a page; other CPUs use other words. */
static vaddr_t
own_word(unsigned cpu, uint64_t page)
{
	return BASE + page * PAGE_SIZE + cpu * 128;
}

/* A fork by one thread shows what that thread wrote before. */
static void
stress_clone(unsigned cpu, const uint64_t *words)
{
	struct vspace *child;
	uint64_t value;

	if (vspace_create(payer, &child) != OK)
		return;
	host_space_leave(shared);
	host_space_enter(child);
	if (fork_into(shared, child) == OK) {
		for (uint64_t page = 0; page < STRESS_PAGES; page++) {
			vaddr_t at = own_word(cpu, page);

			EXPECT_EQ(host_user_load(child, at, &value), OK);
			EXPECT_EQ(value, words[page]);
			if (page % 3 == 0)
				EXPECT_EQ(host_user_store(child, at, ~0ul),
				    OK);
		}
	}
	host_space_leave(child);
	host_space_enter(shared);
	object_release(&child->object);
}

/*
 * Linux may stop a thread inside "the kernel", and no dead object is freed
 * meanwhile. Waits outside, until there is room again.
 */
static void
wait_for_reaper(void)
{
	while (object_live(OBJ_VSPACE) + object_live(OBJ_MEMORY) > 64) {
		epoch_enter(this_cpu());
		reap_all();
		epoch_leave(this_cpu());
		sched_yield();
	}
}

static void *
stress(void *argument)
{
	unsigned cpu = (unsigned)(uintptr_t)argument;
	uint64_t words[STRESS_PAGES] = { 0 }, seed = cpu + 1, value;
	vaddr_t private = BASE + (100 + cpu * 10) * PAGE_SIZE;

	host_become_cpu(cpu);
	host_space_enter(shared);
	for (unsigned step = 0; step < 4000; step++) {
		seed = seed * 6364136223846793005ul + 1;
		uint64_t page = (seed >> 40) % STRESS_PAGES;
		vaddr_t at = own_word(cpu, page);

		wait_for_reaper();
		epoch_enter(this_cpu());
		EXPECT_EQ(host_user_load(shared, at, &value), OK);
		EXPECT_EQ(value, words[page]);
		EXPECT_EQ(host_user_store(shared, at, step), OK);
		words[page] = step;
		if (step % 32 == 0)
			stress_clone(cpu, words);
		if (step % 8 == 0) {
			struct memory *memory = make_memory(3);

			EXPECT_EQ(vspace_map(shared, private, memory, 0,
			    3 * PAGE_SIZE, RW | MAP_NOCLONE), OK);
			EXPECT_EQ(host_user_load(shared, private, &value), OK);
			EXPECT_EQ(value, 0);
			EXPECT_EQ(host_user_store(shared, private, 1), OK);
			EXPECT_EQ(unmap(shared, private, 3 * PAGE_SIZE), OK);
			EXPECT(!host_load(shared, private, &value));
			object_release(&memory->object);
		}
		object_reap_step();
		epoch_leave(this_cpu());
	}
	host_space_leave(shared);
	return NULL;
}

TEST(test_threads_of_one_space_keep_their_words_through_forks)
{
	pthread_t threads[CPUS];
	struct memory *memory;

	begin();
	memory = make_memory(STRESS_PAGES);
	EXPECT_EQ(vspace_create(payer, &shared), OK);
	EXPECT_EQ(vspace_map(shared, BASE, memory, 0,
	    STRESS_PAGES * PAGE_SIZE, RW), OK);
	for (uintptr_t i = 0; i < CPUS; i++)
		pthread_create(&threads[i], NULL, stress, (void *)i);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	EXPECT(vspace_ok(shared) && memory_ok(memory));
	object_release(&shared->object);
	object_release(&memory->object);
	end();
}

TEST_MAIN(setup())
