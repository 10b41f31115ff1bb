/* SPDX-License-Identifier: MIT */
/* Laws of address spaces, seen through the TLBs of the host architecture. */
#include <kernel/arch/host/host.h>
#include <kernel/core/epoch.h>
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <kernel/object/vspace.h>
#include <lib/test/ktap.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#define RAM		(64ul << 20)
#define CPUS		3u
#define BASE		0x7f0000000000ul
#define RW		(MAP_READ | MAP_WRITE)
#define RWX		(MAP_READ | MAP_WRITE | MAP_EXEC)

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
	host_become_cpu(0);
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
make_memory(uint64_t pages)
{
	struct memory *memory = NULL;

	EXPECT_EQ(memory_create(payer, pages * PAGE_SIZE, 0, 0, &memory), OK);
	return memory;
}

/* Loaded on every CPU. */
static void
enter_everywhere(struct vspace *vspace)
{
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		host_space_enter(vspace);
	}
	host_become_cpu(0);
}

static struct vspace *
make_vspace(void)
{
	struct vspace *vspace = NULL;

	EXPECT_EQ(vspace_create(payer, &vspace), OK);
	enter_everywhere(vspace);
	return vspace;
}

static void
drop_vspace(struct vspace *vspace)
{
	EXPECT(vspace_ok(vspace));
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		host_space_leave(vspace);
	}
	host_become_cpu(0);
	object_release(&vspace->object);
}

static status_t
unmap(struct vspace *vspace, vaddr_t address, uint64_t length)
{
	status_t status;

	while ((status = vspace_unmap(vspace, &address, &length)) == ERR_RETRY)
		;
	return status;
}

static status_t
fork_into(struct vspace *source, struct vspace *destination)
{
	vaddr_t cursor = 0;
	status_t status;

	while ((status = vspace_clone(source, destination, payer,
	    &cursor)) == ERR_RETRY)
		;
	return status;
}

static void
store(struct vspace *vspace, uint64_t page, uint64_t value)
{
	EXPECT_EQ(host_user_store(vspace, BASE + page * PAGE_SIZE, value), OK);
}

static uint64_t
load(struct vspace *vspace, uint64_t page)
{
	uint64_t value = ~0ul;

	EXPECT_EQ(host_user_load(vspace, BASE + page * PAGE_SIZE, &value), OK);
	return value;
}

static status_t
try_load(struct vspace *vspace, uint64_t page)
{
	uint64_t value;

	return host_user_load(vspace, BASE + page * PAGE_SIZE, &value);
}

static status_t
try_store(struct vspace *vspace, uint64_t page)
{
	return host_user_store(vspace, BASE + page * PAGE_SIZE, 99);
}

static status_t
resize(struct memory *memory, uint64_t pages)
{
	status_t status;

	while ((status = memory_resize(memory, pages * PAGE_SIZE)) ==
	    ERR_RETRY)
		;
	return status;
}

TEST(test_pages_appear_on_first_touch_with_the_rights_of_the_region)
{
	begin();
	struct memory *memory = make_memory(8);
	struct vspace *vspace = make_vspace();

	EXPECT_EQ(try_load(vspace, 0), ERR_FAULT);
	EXPECT_EQ(vspace_map(vspace, BASE, memory, 0, 4 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace_map(vspace, BASE + 4 * PAGE_SIZE, memory,
	    4 * PAGE_SIZE, 4 * PAGE_SIZE, MAP_READ), OK);
	EXPECT_EQ(load(vspace, 0), 0);
	store(vspace, 1, 11);
	EXPECT_EQ(load(vspace, 1), 11);
	EXPECT_EQ(load(vspace, 5), 0);
	EXPECT_EQ(try_store(vspace, 5), ERR_FAULT);
	EXPECT_EQ(vspace_fault(vspace, BASE, MAP_EXEC), ERR_FAULT);
	EXPECT_EQ(try_load(vspace, 8), ERR_FAULT);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_bad_ranges_are_refused)
{
	begin();
	struct memory *memory = make_memory(8);
	struct vspace *vspace = make_vspace();
	uint64_t word = 0, length = ~PAGE_MASK, done;
	vaddr_t address = BASE;

#define MAP(at, offset, length, flags) \
	vspace_map(vspace, at, memory, offset, length, flags)
	EXPECT_EQ(MAP(BASE + 1, 0, PAGE_SIZE, RW), ERR_ARG);
	EXPECT_EQ(MAP(BASE, 1, PAGE_SIZE, RW), ERR_ARG);
	EXPECT_EQ(MAP(BASE, 0, 0, RW), ERR_ARG);
	EXPECT_EQ(MAP(BASE, 0, PAGE_SIZE, 0x20), ERR_ARG);
	EXPECT_EQ(MAP(0, 0, PAGE_SIZE, RW), ERR_RANGE);
	EXPECT_EQ(MAP(USER_HIGH, 0, PAGE_SIZE, RW), ERR_RANGE);
	EXPECT_EQ(MAP(USER_HIGH - PAGE_SIZE, 0, 2 * PAGE_SIZE, RW), ERR_RANGE);
	EXPECT_EQ(MAP(BASE, 0, ~PAGE_MASK, RW), ERR_RANGE);
	EXPECT_EQ(MAP(BASE, 8 * PAGE_SIZE, PAGE_SIZE, RW), ERR_RANGE);
	EXPECT_EQ(MAP(BASE, ~PAGE_MASK, PAGE_SIZE, RW), ERR_RANGE);
	EXPECT_EQ(MAP(BASE, 0, 4 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(MAP(BASE + 3 * PAGE_SIZE, 0, PAGE_SIZE, RW), ERR_EXIST);
	EXPECT_EQ(MAP(BASE - PAGE_SIZE, 0, 2 * PAGE_SIZE, RW), ERR_EXIST);
#undef MAP
	EXPECT_EQ(vspace_unmap(vspace, &address, &length), ERR_RANGE);
	EXPECT_EQ(vspace_protect(vspace, BASE, 5 * PAGE_SIZE, RW), ERR_FAULT);
	EXPECT_EQ(vspace_protect(vspace, BASE - PAGE_SIZE, 2 * PAGE_SIZE, RW),
	    ERR_FAULT);
	EXPECT_EQ(vspace_protect(vspace, USER_HIGH - PAGE_SIZE, PAGE_SIZE,
	    RW), ERR_FAULT);
	EXPECT_EQ(vspace_read(vspace, BASE + 4 * PAGE_SIZE - 4, &word, 8),
	    ERR_FAULT);
	EXPECT_EQ(vspace_write(vspace, BASE + 4 * PAGE_SIZE - 4, &word, 8),
	    ERR_FAULT);
	EXPECT_EQ(vspace_read(vspace, ~0ul - 3, &word, 8), ERR_FAULT);
	EXPECT_EQ(vspace_write(vspace, BASE, &word, ~0ul - 8), ERR_FAULT);
	EXPECT_EQ(vspace_memory_step(vspace, ~0ul - 3, memory, 0, 8, true,
	    &done), ERR_FAULT);
	EXPECT_EQ(vspace_memory_step(vspace, BASE, memory, 8 * PAGE_SIZE, 8,
	    true, &done), ERR_RANGE);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_right_taken_is_gone_on_every_cpu)
{
	begin();
	struct memory *memory = make_memory(4);
	struct vspace *vspace = make_vspace();

	EXPECT_EQ(vspace_map(vspace, BASE, memory, 0, 4 * PAGE_SIZE, RW), OK);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		store(vspace, 1, 5);
	}
	EXPECT_EQ(vspace_protect(vspace, BASE + PAGE_SIZE, PAGE_SIZE,
	    MAP_READ), OK);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		EXPECT_EQ(try_store(vspace, 1), ERR_FAULT);
		EXPECT_EQ(load(vspace, 1), 5);
	}
	EXPECT_EQ(vspace_protect(vspace, BASE + PAGE_SIZE, PAGE_SIZE, 0), OK);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		EXPECT_EQ(try_load(vspace, 1), ERR_FAULT);
	}
	EXPECT_EQ(vspace_protect(vspace, BASE, 3 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(load(vspace, 1), 5);
	EXPECT_EQ(unmap(vspace, BASE + PAGE_SIZE, PAGE_SIZE), OK);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		EXPECT_EQ(try_load(vspace, 1), ERR_FAULT);
	}
	host_become_cpu(0);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_protect_never_exceeds_the_limit_of_the_mapping)
{
	begin();
	struct memory *memory = make_memory(4);
	struct vspace *vspace = make_vspace();

	EXPECT_EQ(vspace_map(vspace, BASE, memory, 0, PAGE_SIZE, MAP_READ),
	    OK);
	EXPECT_EQ(vspace_protect(vspace, BASE, PAGE_SIZE, RW), ERR_RIGHT);
	EXPECT_EQ(vspace_map(vspace, BASE + PAGE_SIZE, memory, 0, PAGE_SIZE,
	    MAP_LIMIT(RIGHT_READ | RIGHT_WRITE)), OK);
	EXPECT_EQ(try_load(vspace, 1), ERR_FAULT);
	EXPECT_EQ(vspace_protect(vspace, BASE, 2 * PAGE_SIZE, RW), ERR_RIGHT);
	EXPECT_EQ(vspace_protect(vspace, BASE + PAGE_SIZE, PAGE_SIZE, RW), OK);
	store(vspace, 1, 3);
	EXPECT_EQ(load(vspace, 0), 3);
	EXPECT_EQ(vspace_protect(vspace, BASE + PAGE_SIZE, PAGE_SIZE, RWX),
	    ERR_RIGHT);
	EXPECT_EQ(vspace_map(vspace, BASE + 2 * PAGE_SIZE, memory, 0,
	    PAGE_SIZE, RW | MAP_LIMIT(RIGHT_READ)), ERR_RIGHT);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_regions_split_and_join_again)
{
	begin();
	struct memory *memory = make_memory(64);
	struct vspace *vspace = make_vspace();

	for (unsigned i = 0; i < 64; i++)
		EXPECT_EQ(vspace_map(vspace, BASE + i * PAGE_SIZE, memory,
		    i * PAGE_SIZE, PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace->region_count, 1);
	for (unsigned i = 0; i < 64; i += 2)
		EXPECT_EQ(vspace_protect(vspace, BASE + i * PAGE_SIZE,
		    PAGE_SIZE, MAP_READ), OK);
	EXPECT_EQ(vspace->region_count, 64);
	EXPECT(vspace_ok(vspace) && memory_ok(memory));
	EXPECT_EQ(vspace_protect(vspace, BASE, 64 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace->region_count, 1);
	EXPECT_EQ(unmap(vspace, BASE + 5 * PAGE_SIZE, PAGE_SIZE), OK);
	EXPECT_EQ(vspace->region_count, 2);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_many_regions_are_kept_sorted_and_paid)
{
	begin();
	struct memory *memory = make_memory(1);
	struct vspace *vspace = make_vspace();
	uint64_t count = 3000;

	for (uint64_t i = 0; i < count; i++)
		EXPECT_EQ(vspace_map(vspace, BASE + (i * 7919 % count) *
		    2 * PAGE_SIZE, memory, 0, PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace->region_count, count);
	EXPECT(vspace_ok(vspace));
	EXPECT(payer->frames_used > count * sizeof(struct region) / PAGE_SIZE);
	EXPECT_EQ(unmap(vspace, BASE, USER_HIGH - BASE), OK);
	EXPECT_EQ(vspace->region_count, 0);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_clone_is_a_snapshot_both_ways)
{
	begin();
	struct memory *memory = make_memory(600);
	struct vspace *parent = make_vspace(), *child = make_vspace();

	EXPECT_EQ(vspace_map(parent, BASE, memory, 0, 600 * PAGE_SIZE, RW),
	    OK);
	for (unsigned i = 0; i < 600; i++)
		store(parent, i, i + 1);
	EXPECT_EQ(fork_into(parent, child), OK);
	EXPECT(vspace_ok(parent) && vspace_ok(child));
	for (unsigned i = 0; i < 600; i += 2)
		store(parent, i, 7000);
	for (unsigned i = 0; i < 600; i += 3)
		store(child, i, 8000);
	for (unsigned i = 0; i < 600; i++) {
		EXPECT_EQ(load(parent, i), i % 2 == 0 ? 7000 : i + 1);
		EXPECT_EQ(load(child, i), i % 3 == 0 ? 8000 : i + 1);
	}
	drop_vspace(parent);
	reap_all();
	for (unsigned i = 0; i < 600; i++)
		EXPECT_EQ(load(child, i), i % 3 == 0 ? 8000 : i + 1);
	drop_vspace(child);
	object_release(&memory->object);
	end();
}

TEST(test_clone_shares_or_leaves_out_as_told)
{
	begin();
	struct memory *memory = make_memory(8), *pinned;
	struct vspace *parent = make_vspace(), *child = make_vspace();

	EXPECT_EQ(memory_create(payer, PAGE_SIZE, MEMORY_CONTIGUOUS, 0,
	    &pinned), OK);
	EXPECT_EQ(vspace_map(parent, BASE, memory, 0, PAGE_SIZE,
	    RW | MAP_SHARED), OK);
	EXPECT_EQ(vspace_map(parent, BASE + PAGE_SIZE, memory, PAGE_SIZE,
	    PAGE_SIZE, RW | MAP_NOCLONE), OK);
	EXPECT_EQ(vspace_map(parent, BASE + 2 * PAGE_SIZE, pinned, 0,
	    PAGE_SIZE, RW), OK);
	store(parent, 0, 1);
	store(parent, 1, 2);
	store(parent, 2, 3);
	EXPECT_EQ(fork_into(parent, child), OK);
	EXPECT_EQ(load(child, 0), 1);
	EXPECT_EQ(try_load(child, 1), ERR_FAULT);
	store(child, 0, 10);
	store(child, 2, 30);
	EXPECT_EQ(load(parent, 0), 10);
	EXPECT_EQ(load(parent, 2), 30);
	EXPECT_EQ(fork_into(parent, parent), ERR_ARG);
	EXPECT_EQ(fork_into(parent, child), ERR_EXIST);
	drop_vspace(parent);
	drop_vspace(child);
	object_release(&pinned->object);
	object_release(&memory->object);
	end();
}

TEST(test_last_holder_of_a_page_writes_without_a_copy)
{
	begin();
	struct memory *memory = make_memory(4);
	struct vspace *parent = make_vspace(), *child = make_vspace();
	uint64_t before;

	EXPECT_EQ(vspace_map(parent, BASE, memory, 0, 4 * PAGE_SIZE, RW), OK);
	for (unsigned i = 0; i < 4; i++)
		store(parent, i, i);
	EXPECT_EQ(fork_into(parent, child), OK);
	drop_vspace(child);
	reap_all();
	before = frames_free();
	for (unsigned i = 0; i < 4; i++)
		store(parent, i, 50 + i);
	EXPECT_EQ(frames_free(), before);
	drop_vspace(parent);
	object_release(&memory->object);
	end();
}

TEST(test_read_fault_maps_present_neighbours)
{
	begin();
	struct memory *memory = make_memory(32);
	struct vspace *vspace = make_vspace();
	uint64_t value = 1;

	for (unsigned i = 0; i < 32; i += 2)
		EXPECT_EQ(memory_write(memory, i * PAGE_SIZE, &value, 8), OK);
	EXPECT_EQ(vspace_map(vspace, BASE, memory, 0, 32 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(load(vspace, 6), 1);
	for (unsigned i = 0; i < 32; i++)
		EXPECT_EQ(host_load(vspace, BASE + i * PAGE_SIZE, &value),
		    i < 16 && i % 2 == 0);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_mapped_neighbours_keep_their_rights)
{
	begin();
	struct memory *memory = make_memory(4);
	struct vspace *vspace = make_vspace();
	struct held_page page;
	uint64_t value = 1;

	EXPECT_EQ(vspace_map(vspace, BASE, memory, 0, 4 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(memory_write(memory, PAGE_SIZE, &value, 8), OK);
	store(vspace, 0, 5);
	/* A copy in flight makes page 0 look shared. */
	EXPECT_EQ(memory_hold(memory, 0, &page), OK);
	EXPECT_EQ(load(vspace, 1), 1);
	EXPECT(host_store(vspace, BASE, 6));
	memory_let_go(&page);
	drop_vspace(vspace);
	object_release(&memory->object);
	end();
}

TEST(test_truncated_pages_vanish_from_all_spaces)
{
	begin();
	struct memory *memory = make_memory(200);
	struct vspace *one = make_vspace(), *two = make_vspace();

	EXPECT_EQ(vspace_map(one, BASE, memory, 0, 200 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace_map(two, BASE, memory, 10 * PAGE_SIZE,
	    100 * PAGE_SIZE, RW), OK);
	for (unsigned i = 0; i < 200; i++)
		store(one, i, i + 1);
	for (unsigned i = 0; i < 100; i++)
		EXPECT_EQ(load(two, i), i + 11);
	EXPECT_EQ(resize(memory, 20), OK);
	for (unsigned i = 0; i < 200; i++) {
		EXPECT_EQ(try_load(one, i), i < 20 ? OK : ERR_FAULT);
		if (i < 100)
			EXPECT_EQ(try_store(two, i), i < 10 ? OK : ERR_FAULT);
	}
	EXPECT_EQ(resize(memory, 200), OK);
	EXPECT_EQ(load(one, 30), 0);
	drop_vspace(one);
	drop_vspace(two);
	object_release(&memory->object);
	end();
}

TEST(test_long_unmap_and_clone_give_way)
{
	begin();
	struct memory *memory = make_memory(4000);
	struct vspace *parent = make_vspace(), *child = make_vspace();
	vaddr_t address = BASE, cursor = 0;
	uint64_t length = 4000 * PAGE_SIZE;

	EXPECT_EQ(vspace_map(parent, BASE, memory, 0, length, RW), OK);
	for (unsigned i = 0; i < 4000; i++)
		store(parent, i, i);
	EXPECT_EQ(vspace_clone(parent, child, payer, &cursor), ERR_RETRY);
	EXPECT(cursor > BASE && cursor < BASE + length);
	EXPECT_EQ(vspace_unmap(parent, &address, &length), ERR_RETRY);
	EXPECT_EQ(unmap(parent, address, length), OK);
	EXPECT(vspace_ok(parent) && vspace_ok(child));
	drop_vspace(parent);
	drop_vspace(child);
	object_release(&memory->object);
	end();
}

TEST(test_copies_obey_rights_and_cross_pages)
{
	begin();
	struct memory *memory = make_memory(4), *other = make_memory(4);
	struct vspace *one = make_vspace(), *two = make_vspace();
	char text[] = "twelve bytes", back[sizeof(text)];
	vaddr_t edge = BASE + PAGE_SIZE - 5;
	uint64_t done;

	EXPECT_EQ(vspace_map(one, BASE, memory, 0, 2 * PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace_map(two, BASE, other, 0, 2 * PAGE_SIZE, MAP_READ),
	    OK);
	EXPECT_EQ(vspace_map(two, BASE + 2 * PAGE_SIZE, other, 0,
	    2 * PAGE_SIZE, MAP_WRITE), OK);
	EXPECT_EQ(vspace_write(one, edge, text, sizeof(text)), OK);
	EXPECT_EQ(vspace_read(one, edge, back, sizeof(text)), OK);
	EXPECT(memcmp(text, back, sizeof(text)) == 0);
	EXPECT_EQ(vspace_write(two, edge, text, sizeof(text)), ERR_FAULT);
	EXPECT_EQ(vspace_read(two, edge + 2 * PAGE_SIZE, back, 3), ERR_FAULT);
	EXPECT_EQ(vspace_vspace_step(two, edge, one, edge, 13, &done),
	    ERR_FAULT);
	EXPECT_EQ(vspace_vspace_step(two, BASE + 2 * PAGE_SIZE + 1, one, edge,
	    13, &done), OK);
	EXPECT_EQ(done, 5);
	EXPECT_EQ(vspace_vspace_step(two, BASE + 2 * PAGE_SIZE + 6, one,
	    edge + 5, 8, &done), OK);
	EXPECT_EQ(done, 8);
	EXPECT_EQ(vspace_read(two, BASE + 1, back, sizeof(text)), OK);
	EXPECT(memcmp(text, back, sizeof(text)) == 0);
	EXPECT_EQ(vspace_memory_step(two, BASE, memory, 0, 8, true, &done),
	    ERR_FAULT);
	EXPECT_EQ(vspace_memory_step(two, BASE, memory, PAGE_SIZE - 4, 8,
	    false, &done), OK);
	EXPECT_EQ(done, 4);
	EXPECT_EQ(vspace_query(two, 0, &edge, &done, &(unsigned){ 0 }), OK);
	EXPECT_EQ(edge, BASE);
	drop_vspace(one);
	drop_vspace(two);
	object_release(&memory->object);
	object_release(&other->object);
	end();
}

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
		if ((page->flags & MAP_SHARED) == 0) {
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

static int
setup(void)
{
	host_boot(RAM, CPUS);
	return 0;
}

TEST_MAIN(setup())
