/* SPDX-License-Identifier: MIT */
/* Laws of address spaces, seen through the TLBs of the host architecture. */
#include <kernel/object/vspace_host.h>

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

/* No copy of what can never be written, however much of it is left. */
TEST(test_clone_shares_what_cannot_be_written)
{
	begin();
	struct memory *memory = make_memory(8);
	struct vspace *parent = make_vspace(), *child = make_vspace();

	for (uint64_t i = 0; i < 8; i++)
		EXPECT_EQ(memory_write(memory, i * PAGE_SIZE, &i, 8), OK);
	EXPECT_EQ(vspace_map(parent, BASE, memory, 0, 8 * PAGE_SIZE, MAP_READ),
	    OK);
	EXPECT_EQ(memory_resize(memory, 4 * PAGE_SIZE), ERR_RETRY);
	EXPECT_EQ(memory_resize(memory, 4 * PAGE_SIZE), OK);
	EXPECT_EQ(fork_into(parent, child), OK);
	EXPECT(child->regions[0]->memory == memory);
	EXPECT_EQ(load(child, 3), load(parent, 3));
	EXPECT_EQ(try_load(child, 4), ERR_FAULT);
	EXPECT_EQ(vspace_protect(child, BASE, PAGE_SIZE, RW), ERR_RIGHT);
	drop_vspace(parent);
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

/* A clone of so many pages, each of which holds its number. */
static struct vspace *
clone_of_pages(uint64_t pages, struct vspace **out_child)
{
	struct memory *memory = make_memory(600);
	struct vspace *parent = make_vspace();

	/* Not from the start of a node, nor at the same place in the clone. */
	EXPECT_EQ(vspace_map(parent, BASE, memory, 7 * PAGE_SIZE,
	    500 * PAGE_SIZE, RW), OK);
	object_release(&memory->object);
	for (uint64_t i = 0; i < pages; i++)
		store(parent, 3 * i, i);
	*out_child = make_vspace();
	EXPECT_EQ(fork_into(parent, *out_child), OK);
	return parent;
}

TEST(test_clone_of_few_pages_needs_no_fault)
{
	begin();
	struct vspace *child, *parent = clone_of_pages(4, &child);
	uint64_t value;

	for (uint64_t i = 0; i < 4; i++) {
		vaddr_t address = BASE + 3 * i * PAGE_SIZE;

		EXPECT(host_store(parent, address, 100 + i));
		EXPECT(host_load(child, address, &value));
		EXPECT_EQ(value, i);
		EXPECT(host_store(child, address, 200 + i));
		EXPECT_EQ(load(parent, 3 * i), 100 + i);
	}
	EXPECT(!host_load(child, BASE + PAGE_SIZE, &value));
	drop_vspace(parent);
	drop_vspace(child);
	end();
}

TEST(test_clone_of_more_pages_shares_them)
{
	begin();
	uint64_t before = frames_free();
	struct vspace *child, *parent = clone_of_pages(5, &child);
	uint64_t value, used = before - frames_free();

	for (uint64_t i = 0; i < 5; i++) {
		vaddr_t address = BASE + 3 * i * PAGE_SIZE;

		EXPECT(!host_store(parent, address, 100 + i));
		EXPECT(host_load(child, address, &value));
		EXPECT_EQ(value, i);
		EXPECT(!host_store(child, address, 200 + i));
		store(parent, 3 * i, 100 + i);
		EXPECT_EQ(load(child, 3 * i), i);
	}
	EXPECT_EQ(before - frames_free(), used + 5);
	drop_vspace(parent);
	drop_vspace(child);
	end();
}

TEST(test_clone_has_the_shared_pages_that_its_parent_has_mapped)
{
	begin();
	struct memory *memory = make_memory(200);
	struct vspace *parent = make_vspace(), *child = make_vspace();
	uint64_t value;

	EXPECT_EQ(vspace_map(parent, BASE, memory, 0, 200 * PAGE_SIZE,
	    RW | MAP_SHARED), OK);
	object_release(&memory->object);
	for (uint64_t i = 0; i < 100; i++)
		store(parent, 2 * i, i);
	EXPECT_EQ(fork_into(parent, child), OK);
	for (uint64_t i = 0; i < 200; i++)
		EXPECT_EQ(host_load(child, BASE + i * PAGE_SIZE, &value),
		    i % 2 == 0 && i / 2 < COPIED_PAGES);
	for (uint64_t i = 0; i < 100; i++)
		EXPECT_EQ(load(child, 2 * i), i);
	EXPECT(host_store(child, BASE, 7));
	EXPECT_EQ(load(parent, 0), 7);
	drop_vspace(parent);
	drop_vspace(child);
	end();
}

TEST(test_contiguous_memory_is_mapped_at_once)
{
	begin();
	struct vspace *vspace = make_vspace();
	struct memory *memory;
	uint64_t value;

	EXPECT_EQ(memory_create(payer, 3 * PAGE_SIZE, MEMORY_CONTIGUOUS, 0,
	    &memory), OK);
	EXPECT_EQ(vspace_map(vspace, BASE, memory, 0, PAGE_SIZE, RW), OK);
	EXPECT_EQ(vspace_map(vspace, BASE + PAGE_SIZE, memory, PAGE_SIZE,
	    PAGE_SIZE, MAP_READ), OK);
	EXPECT(host_store(vspace, BASE, 1));
	EXPECT(host_load(vspace, BASE + PAGE_SIZE, &value));
	EXPECT(!host_store(vspace, BASE + PAGE_SIZE, 1));
	EXPECT(!host_load(vspace, BASE + 2 * PAGE_SIZE, &value));
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

TEST_MAIN(setup())
