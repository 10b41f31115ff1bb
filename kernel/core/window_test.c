/* SPDX-License-Identifier: MIT */
/*
 * Windows: a server reaches the memory that the caller named, as long as the
 * caller waits, in the direction it allowed, and not one byte beside it. And
 * the kernel reaches no memory for anybody that is not mapped to that end.
 */
#include <kernel/arch/host/access.h>
#include <kernel/core/call_host.h>
#include <kernel/object/memory.h>

#define BASE	0x7f0000000000ul	/* of the caller: two pages, then one */
#define OWN	0x600000000000ul	/* of the server: two pages */
#define START	(BASE + 100)		/* window 0: may be read */
#define LENGTH	(PAGE_SIZE + 200)
#define MARK	0xa5u			/* bytes around what is copied */

static uint8_t pattern[2 * PAGE_SIZE], seen[2 * PAGE_SIZE];
static cap_t memory_cap;

static struct memory *
map(struct vspace *vspace, vaddr_t address, uint64_t pages, unsigned rights)
{
	struct memory *memory = NULL;

	EXPECT_EQ(memory_create(&root_container, pages * PAGE_SIZE, 0, 0,
	    &memory), OK);
	EXPECT_EQ(vspace_map(vspace, address, memory, 0, pages * PAGE_SIZE,
	    rights), OK);
	object_release(&memory->object);
	return memory;
}

/* A held call with window 0 to read from and window 1 to write to. */
static void
begin_call(void)
{
	begin(0, 1);
	map(client->vspace, BASE, 2, MAP_READ | MAP_WRITE);
	map(client->vspace, BASE + 2 * PAGE_SIZE, 1, MAP_READ);
	memory_cap = add_cap(&map(server->vspace, OWN, 2,
	    MAP_READ | MAP_WRITE)->object, OBJ_MEMORY);
	for (unsigned i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 256);
	EXPECT_EQ(vspace_write(client->vspace, BASE, pattern,
	    sizeof(pattern)), OK);
	memset(seen, MARK, sizeof(seen));
	EXPECT_EQ(vspace_write(server->vspace, OWN, seen, sizeof(seen)), OK);
	client->utcb->windows[0] = (struct window){ START,
	    LENGTH << 2 | WINDOW_READ };
	client->utcb->windows[1] = (struct window){ START,
	    LENGTH << 2 | WINDOW_WRITE };
	call(client, endpoint_cap, 2ul << IPC_WINDOWS_SHIFT, 0);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	EXPECT_EQ(IPC_INFO_WINDOWS(server->frame.rsi), 2);
}

static void
end_call(void)
{
	EXPECT_EQ(table_delete(table, memory_cap), OK);
	end();
}

/* One call of the server; the bytes done are in its RDI. */
static status_t
copy(uint64_t selector, uint64_t offset, cap_t memory, uint64_t place,
    uint64_t length)
{
	struct user_frame *frame = &server->frame;

	frame->rdi = reply_cap;
	frame->rsi = selector;
	frame->rdx = offset;
	frame->r10 = memory;
	frame->r8 = place;
	frame->r9 = length;
	return enter(server, SYS_WINDOW_COPY);
}

/* Refused with this status: nothing done, nothing held on to. */
static void
expect_refused(status_t status, uint64_t selector, uint64_t offset,
    uint64_t length)
{
	uint32_t references = client->vspace->object.references;

	for (unsigned own = 0; own < 2; own++) {
		EXPECT_EQ(copy(selector, offset, own ? CAP_NONE : memory_cap,
		    own ? OWN : 0, length), status);
		EXPECT_EQ(server->frame.rdi, 0);
		EXPECT_EQ(client->vspace->object.references, references);
	}
}

/* [from, from + length) of the server's memory is this, the rest untouched. */
static void
expect_server(uint64_t from, const uint8_t *bytes, uint64_t length)
{
	EXPECT_EQ(vspace_read(server->vspace, OWN, seen, sizeof(seen)), OK);
	EXPECT(memcmp(seen + from, bytes, length) == 0);
	EXPECT(from == 0 || seen[from - 1] == MARK);
	EXPECT(seen[from + length] == MARK);
}

TEST(test_a_window_is_read_up_to_its_last_byte)
{
	begin_call();
	EXPECT_EQ(copy(0, 0, memory_cap, 50, LENGTH), OK);
	EXPECT_EQ(server->frame.rdi, LENGTH);
	expect_server(50, pattern + 100, LENGTH);
	end_call();
	begin_call();
	EXPECT_EQ(copy(0, LENGTH - 1, CAP_NONE, OWN + 7, 1), OK);
	expect_server(7, pattern + 100 + LENGTH - 1, 1);
	EXPECT_EQ(copy(0, LENGTH, CAP_NONE, OWN, 0), OK);
	EXPECT_EQ(server->frame.rdi, 0);
	end_call();
}

TEST(test_a_window_is_written_and_nothing_beside_it)
{
	unsigned wrong = 0;

	begin_call();
	EXPECT_EQ(copy(1 | WINDOW_TO_CALLER, 0, memory_cap, 0, LENGTH), OK);
	EXPECT_EQ(server->frame.rdi, LENGTH);
	EXPECT_EQ(vspace_read(client->vspace, BASE, seen, sizeof(seen)), OK);
	for (unsigned i = 0; i < sizeof(seen); i++) {
		bool inside = i >= 100 && i < 100 + LENGTH;

		wrong += seen[i] != (inside ? MARK : pattern[i]);
	}
	EXPECT_EQ(wrong, 0);
	end_call();
}

TEST(test_a_piece_outside_the_window_is_refused)
{
	begin_call();
	for (unsigned window = 0; window < 2; window++) {
		uint64_t selector = window | (window ? WINDOW_TO_CALLER : 0);

		expect_refused(ERR_RANGE, selector, 0, LENGTH + 1);
		expect_refused(ERR_RANGE, selector, LENGTH, 1);
		expect_refused(ERR_RANGE, selector, LENGTH + 1, 0);
		expect_refused(ERR_RANGE, selector, 8, ~0ul);
		expect_refused(ERR_RANGE, selector, ~0ul, 1);
		expect_refused(ERR_RANGE, selector, -100ul, 200);
	}
	end_call();
}

TEST(test_a_window_has_one_direction_only_if_the_caller_said_so)
{
	begin_call();
	expect_refused(ERR_RIGHT, 0 | WINDOW_TO_CALLER, 0, 1);
	expect_refused(ERR_RIGHT, 1, 0, 1);
	expect_refused(ERR_RANGE, 2, 0, 1);
	expect_refused(ERR_RANGE, 15, 0, 1);
	expect_refused(ERR_ARG, 0x20, 0, 1);
	end_call();
}

TEST(test_the_memory_object_needs_the_right_of_the_direction)
{
	begin_call();
	cap_t readable = narrowed(memory_cap, RIGHT_ALL & ~RIGHT_WRITE);
	cap_t writable = narrowed(memory_cap, RIGHT_ALL & ~RIGHT_READ);
	EXPECT_EQ(copy(0, 0, readable, 0, 8), ERR_RIGHT);
	EXPECT_EQ(copy(1 | WINDOW_TO_CALLER, 0, writable, 0, 8), ERR_RIGHT);
	EXPECT_EQ(copy(0, 0, writable, 0, 8), OK);
	EXPECT_EQ(copy(1 | WINDOW_TO_CALLER, 0, readable, 0, 8), OK);
	/* Nor beyond its end. */
	EXPECT_EQ(copy(0, 0, memory_cap, 2 * PAGE_SIZE, 8), ERR_RANGE);
	EXPECT_EQ(copy(0, 0, memory_cap, ~0ul, 8), ERR_RANGE);
	end_call();
}

TEST(test_a_window_ends_with_its_call)
{
	begin_call();
	host_become_cpu(0);
	thread_kill(client);
	leave_kernel();
	uint32_t references = client->vspace->object.references;
	EXPECT_EQ(copy(0, 0, memory_cap, 0, 8), ERR_GONE);
	EXPECT_EQ(reply_wait(server, reply_cap, CAP_NONE, CAP_NONE), OK);
	EXPECT_EQ(copy(0, 0, memory_cap, 0, 8), ERR_STATE);
	EXPECT_EQ(client->vspace->object.references, references);
	end_call();
}

/* What the caller names is checked when it is used, whatever it is. */
static void
expect_fault(uint64_t address, uint64_t length, uint64_t done)
{
	struct reply *reply = client->calling;

	reply->windows[0] = reply->windows[1] = (struct window){ address,
	    length << 2 | WINDOW_READ | WINDOW_WRITE };
	for (uint64_t way = 0; way <= WINDOW_TO_CALLER;
	    way += WINDOW_TO_CALLER) {
		EXPECT_EQ(copy(way, 0, memory_cap, 0, length), ERR_FAULT);
		EXPECT_EQ(server->frame.rdi, done);
		EXPECT_EQ(copy(way, 0, CAP_NONE, OWN, length), ERR_FAULT);
		EXPECT_EQ(server->frame.rdi, done);
	}
}

TEST(test_a_window_over_memory_that_is_not_there_is_a_fault)
{
	begin_call();
	expect_fault(0, 8, 0);
	expect_fault(BASE - 8, 8, 0);
	expect_fault(BASE + 3 * PAGE_SIZE, 8, 0);
	expect_fault(USER_HIGH, 8, 0);
	expect_fault(USER_HIGH - 4, 8, 0);
	expect_fault(0xffff800000000000ul, 8, 0);
	expect_fault(-8ul, 16, 0);
	end_call();
}

TEST(test_a_window_gives_no_right_that_the_mapping_lacks)
{
	vaddr_t readable = BASE + 2 * PAGE_SIZE;

	begin_call();
	client->calling->windows[0] = (struct window){ readable,
	    64 << 2 | WINDOW_READ | WINDOW_WRITE };
	EXPECT_EQ(copy(0, 0, memory_cap, 0, 64), OK);
	EXPECT_EQ(copy(WINDOW_TO_CALLER, 0, memory_cap, 0, 64), ERR_FAULT);
	EXPECT_EQ(copy(WINDOW_TO_CALLER, 0, CAP_NONE, OWN, 64), ERR_FAULT);
	end_call();
}

TEST(test_the_place_of_the_server_is_checked_like_the_window)
{
	static const uint64_t bad[] = { 0, OWN - 8, OWN + 2 * PAGE_SIZE,
	    USER_HIGH, 0xffff800000000000ul, -8ul };

	begin_call();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(copy(0, 0, CAP_NONE, bad[i], 8), ERR_FAULT);
		EXPECT_EQ(copy(1 | WINDOW_TO_CALLER, 0, CAP_NONE, bad[i], 8),
		    ERR_FAULT);
	}
	end_call();
}

TEST_MAIN(setup())
