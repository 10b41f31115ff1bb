/* SPDX-License-Identifier: MIT */
/*
 * What a call brings to its server, and what a call needs: badge, trust level,
 * capabilities and rights, on the fast path, handed over directly, and queued.
 */
#include <kernel/core/call_host.h>
#include <kernel/object/ioport.h>

#define BADGE	0x7a11ul
#define TRUST	5u
#define WORD	0xfeedul

static cap_t
badged(uint64_t badge, unsigned trust)
{
	cap_t cap = CAP_NONE;

	EXPECT_EQ(table_copy(table, endpoint_cap, table, CAP_ANY_SLOT,
	    RIGHT_ALL, trust, badge, &cap), OK);
	return cap;
}

/* A session: end A of a pair that is bound to the endpoint. */
static cap_t
session(uint64_t badge)
{
	struct eventpair *pair = NULL;
	cap_t cap;

	EXPECT_EQ(eventpair_create(&root_container, endpoint, badge, &pair), OK);
	cap = add_cap(&pair->object, OBJ_EVENTPAIR_A);
	object_release(&pair->object);
	return cap;
}

/* The server has received a call that nobody else could have made. */
static void
expect_received(uint64_t badge, unsigned trust)
{
	for (unsigned again = 0; again < 2; again++) {
		EXPECT_EQ(server->frame.rax, OK);
		EXPECT_EQ(server->frame.rdi, badge);
		EXPECT_EQ(IPC_INFO_TRUST(server->frame.rsi), trust);
		EXPECT_EQ(server->frame.rdx, WORD);
		/* The next incarnation finds the same in the reply object. */
		server->frame.rdi = reply_cap;
		if (again == 0)
			enter(server, SYS_REPLY_READ);
	}
}

static void
answer(void)
{
	EXPECT_EQ(reply_wait(server, reply_cap, CAP_NONE, CAP_NONE), OK);
	EXPECT_EQ(client->frame.rax, OK);
}

TEST(test_a_waiting_server_gets_badge_and_trust)
{
	begin(0, 1);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	call(client, badged(BADGE, TRUST), 0, WORD);
	host_become_cpu(1);
	leave_kernel();
	expect_received(BADGE, TRUST);
	answer();
	end();
}

TEST(test_a_queued_call_keeps_badge_and_trust)
{
	begin(0, 1);
	call(client, badged(BADGE, TRUST), 0, WORD);
	EXPECT_EQ(client->state, THREAD_BLOCKED_CALL);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	expect_received(BADGE, TRUST);
	answer();
	end();
}

TEST(test_the_fast_path_brings_badge_and_trust)
{
	begin(0, 0);
	call(client, badged(BADGE, TRUST), 0, WORD);
	EXPECT_EQ(this_cpu()->ipc_fast, 1);
	expect_received(BADGE, TRUST);
	end();
}

TEST(test_a_session_brings_the_badge_of_its_pair)
{
	begin(0, 1);
	call(client, session(BADGE + 1), 0, WORD);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	expect_received(BADGE + 1, TRUST_MAX);
	answer();
	end();
	begin(0, 0);
	call(client, session(BADGE + 2), 0, WORD);
	EXPECT_EQ(this_cpu()->ipc_fast, 1);
	expect_received(BADGE + 2, TRUST_MAX);
	end();
}

/* Refused, with nothing done: the server still waits. */
static void
expect_refused(cap_t target)
{
	EXPECT_EQ(call(client, target, 0, WORD), ERR_RIGHT);
	EXPECT(list_is_empty(&endpoint->callers));
	EXPECT_EQ(server->state, THREAD_BLOCKED_RECEIVE);
}

TEST(test_a_call_needs_the_right_to_call)
{
	for (unsigned server_cpu = 0; server_cpu < CPUS; server_cpu++) {
		begin(0, server_cpu);
		if (server_cpu != 0)
			reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
		expect_refused(narrowed(endpoint_cap,
		    RIGHT_ALL & ~RIGHT_CALL));
		expect_refused(narrowed(session(1), RIGHT_ALL & ~RIGHT_CALL));
		end();
	}
}

TEST(test_receiving_and_answering_need_their_rights)
{
	begin(0, 1);
	EXPECT_EQ(reply_wait(server, CAP_NONE,
	    narrowed(endpoint_cap, RIGHT_ALL & ~RIGHT_RECEIVE), reply_cap),
	    ERR_RIGHT);
	EXPECT_EQ(reply_wait(server, CAP_NONE, endpoint_cap,
	    narrowed(reply_cap, RIGHT_ALL & ~RIGHT_WRITE)), ERR_RIGHT);
	call(client, endpoint_cap, 0, WORD);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	cap_t weak = narrowed(reply_cap, RIGHT_ALL & ~RIGHT_WRITE);
	EXPECT_EQ(reply_wait(server, weak, CAP_NONE, CAP_NONE), ERR_RIGHT);
	EXPECT_EQ(reply_wait(server, weak, endpoint_cap, weak), ERR_RIGHT);
	EXPECT_EQ(client->state, THREAD_BLOCKED_REPLY);
	answer();
	end();
}

TEST(test_capabilities_travel_with_the_right_to_copy_only)
{
	begin(0, 1);
	client->utcb->caps_out[0] = endpoint_cap;
	client->utcb->caps_out[1] = narrowed(endpoint_cap,
	    RIGHT_ALL & ~RIGHT_COPY);
	call(client, endpoint_cap, 2, WORD);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	host_become_cpu(0);
	leave_kernel();
	EXPECT_EQ(client->frame.rax, ERR_RIGHT);
	EXPECT_EQ(server->state, THREAD_BLOCKED_RECEIVE);
	EXPECT_EQ(endpoint->object.references, 4);	/* no copy is left */
	call(client, endpoint_cap, 1, WORD);
	host_become_cpu(1);
	leave_kernel();
	EXPECT_EQ(server->frame.rax, OK);
	/* The same for those of an answer; the call is still held then. */
	server->utcb->caps_out[0] = client->utcb->caps_out[1];
	server->utcb->reply_caps = 1;
	EXPECT_EQ(reply_wait(server, reply_cap, CAP_NONE, CAP_NONE), ERR_RIGHT);
	EXPECT_EQ(client->state, THREAD_BLOCKED_REPLY);
	answer();
	end();
}

TEST(test_capabilities_of_a_call_are_gone_after_the_answer)
{
	uint32_t references;

	begin(0, 1);
	call(client, endpoint_cap, 0, WORD);
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	answer();
	references = endpoint->object.references;
	for (unsigned round = 0; round < 3; round++) {
		host_become_cpu(0);
		leave_kernel();
		client->utcb->caps_out[0] = endpoint_cap;
		client->utcb->caps_out[1] = endpoint_cap;
		call(client, endpoint_cap, 2, WORD);
		reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
		EXPECT_EQ(IPC_INFO_CAPS(server->frame.rsi), 2);
		EXPECT_EQ(endpoint->object.references, references + 2);
		answer();
		EXPECT_EQ(endpoint->object.references, references);
		if (endpoint->object.references != references)
			break;		/* more calls would not end */
	}
	end();
}

/* Every call whose first argument is an object, and the rights it needs. */
static const struct {
	uint8_t number, type, rights;
} needs[] = {
	{ SYS_REPLY_READ, OBJ_REPLY, RIGHT_WRITE },
	{ SYS_REPLY_TAKE_CAP, OBJ_REPLY, RIGHT_WRITE },
	{ SYS_WINDOW_COPY, OBJ_REPLY, RIGHT_WRITE },
	{ SYS_NOTIFY_SIGNAL, OBJ_NOTIFICATION, RIGHT_WRITE },
	{ SYS_NOTIFY_WAIT, OBJ_NOTIFICATION, RIGHT_READ },
	{ SYS_NOTIFY_BIND, OBJ_NOTIFICATION, RIGHT_READ },
	{ SYS_EVENT_NEXT, OBJ_NOTIFICATION, RIGHT_READ },
	{ SYS_EVENT_REARM, OBJ_NOTIFICATION, RIGHT_READ },
	{ SYS_MEMORY_CLONE, OBJ_MEMORY, RIGHT_READ },
	{ SYS_MEMORY_RESIZE, OBJ_MEMORY, RIGHT_WRITE | RIGHT_MANAGE },
	{ SYS_MEMORY_COPY, OBJ_MEMORY, RIGHT_WRITE },
	{ SYS_VSPACE_MAP, OBJ_VSPACE, RIGHT_MANAGE },
	{ SYS_VSPACE_UNMAP, OBJ_VSPACE, RIGHT_MANAGE },
	{ SYS_VSPACE_PROTECT, OBJ_VSPACE, RIGHT_MANAGE },
	{ SYS_VSPACE_CLONE, OBJ_VSPACE, RIGHT_MANAGE },
	{ SYS_VSPACE_COPY, OBJ_VSPACE, RIGHT_MANAGE },
	{ SYS_VSPACE_QUERY, OBJ_VSPACE, RIGHT_MANAGE },
	{ SYS_THREAD_SETUP, OBJ_THREAD, RIGHT_MANAGE },
	{ SYS_THREAD_WRITE, OBJ_THREAD, RIGHT_MANAGE },
	{ SYS_THREAD_READ, OBJ_THREAD, RIGHT_READ },
	{ SYS_THREAD_START, OBJ_THREAD, RIGHT_MANAGE },
	{ SYS_THREAD_KILL, OBJ_THREAD, RIGHT_MANAGE },
	{ SYS_THREAD_KICK, OBJ_THREAD, RIGHT_MANAGE },
	{ SYS_THREAD_SCHEDULE, OBJ_THREAD, RIGHT_MANAGE },
	{ SYS_IRQ_ACK, OBJ_IRQ, RIGHT_WRITE },
	{ SYS_TIMER_SET, OBJ_TIMER, RIGHT_WRITE },
	{ SYS_IOPORT_IN, OBJ_IOPORT, RIGHT_READ },
	{ SYS_IOPORT_OUT, OBJ_IOPORT, RIGHT_WRITE },
	{ SYS_IOPORT_OUT_BYTES, OBJ_IOPORT, RIGHT_WRITE },
	{ SYS_CONTAINER_INFO, OBJ_CONTAINER, RIGHT_READ },
	{ SYS_CONTAINER_LIMIT, OBJ_CONTAINER, RIGHT_MANAGE },
	{ SYS_LOG_READ, OBJ_SYSTEM, RIGHT_READ },
	{ SYS_SYSTEM_INFO, OBJ_SYSTEM, RIGHT_READ },
	{ SYS_SYSTEM_CONTROL, OBJ_SYSTEM, RIGHT_MANAGE },
	{ SYS_RANDOM, OBJ_SYSTEM, RIGHT_READ },
	{ SYS_ENDPOINT_CLOSE, OBJ_ENDPOINT, RIGHT_MANAGE },
};

/*
 * A capability of that type. No call gets as far as to look at the object, so
 * any object does.
 */
static cap_t
typed(unsigned type, unsigned rights)
{
	struct slot *slot = NULL;
	cap_t cap = CAP_NONE;

	lock_acquire(&derivation_lock);
	EXPECT_EQ(table_reserve(table, CAP_ANY_SLOT, &slot), OK);
	if (slot != NULL)
		cap = slot_fill(slot, table, NULL, &endpoint->object, type,
		    rights | TRUST_MAX << 8, 0);
	lock_release(&derivation_lock);
	return cap;
}

static status_t
call_with3(uint64_t number, uint64_t first, uint64_t second, uint64_t third)
{
	memset(&client->frame, 0, sizeof(client->frame));
	client->frame.rdi = first;
	client->frame.rsi = second;
	client->frame.rdx = third;
	return enter(client, number);
}

static status_t
call_with(unsigned number, cap_t first)
{
	return call_with3(number, first, 0, 0);
}

TEST(test_every_call_refuses_a_handle_that_lacks_a_right)
{
	begin(0, 1);
	for (unsigned i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		unsigned other = needs[i].type == OBJ_TABLE ? OBJ_REPLY :
		    OBJ_TABLE;
		cap_t wrong = typed(other, RIGHT_ALL);

		EXPECT_EQ(call_with(needs[i].number, wrong), ERR_TYPE);
		EXPECT_EQ(table_delete(table, wrong), OK);
		EXPECT_EQ(call_with(needs[i].number, wrong), ERR_HANDLE);
		for (unsigned right = 1; right <= RIGHT_ALL; right <<= 1) {
			if ((needs[i].rights & right) == 0)
				continue;
			cap_t weak = typed(needs[i].type, RIGHT_ALL & ~right);
			EXPECT_EQ(call_with(needs[i].number, weak), ERR_RIGHT);
			EXPECT_EQ(table_delete(table, weak), OK);
		}
	}
	end();
}

/* Numbers that would lead out of an array, or out of what was granted. */
static uint64_t
page_from(cap_t memory, uint64_t page)
{
	client->frame.rdi = memory;
	client->frame.rsi = page;
	EXPECT_EQ(enter(client, SYS_MEMORY_INFO), OK);
	return client->frame.r10;
}

TEST(test_memory_tells_which_pages_it_holds)
{
	static const char byte = 1;
	struct memory *memory = NULL;

	begin(0, 1);
	EXPECT_EQ(memory_create(&root_container, 2000 * PAGE_SIZE, 0, 0,
	    &memory), OK);
	cap_t cap = add_cap(&memory->object, OBJ_MEMORY);
	EXPECT_EQ(page_from(cap, 0), ~0ul);
	EXPECT_EQ(memory_put(memory, 3 * PAGE_SIZE, &byte, 1), OK);
	EXPECT_EQ(memory_put(memory, 1500 * PAGE_SIZE, &byte, 1), OK);
	EXPECT_EQ(page_from(cap, 0), 3);
	EXPECT_EQ(page_from(cap, 4), 1500);
	EXPECT_EQ(client->frame.rsi, 2);
	EXPECT_EQ(page_from(cap, 1501), ~0ul);
	EXPECT_EQ(page_from(cap, ~0ul), ~0ul);
	object_release(&memory->object);
	EXPECT_EQ(table_delete(table, cap), OK);
	end();
}

TEST(test_every_number_from_user_mode_is_checked)
{
	struct ioport *ports = NULL;

	begin(0, 1);
	EXPECT_EQ(ioport_create(&root_container, 0x100, 8, &ports), OK);
	cap_t cap = add_cap(&ports->object, OBJ_IOPORT);
	object_release(&ports->object);
	host_machine.port_count = 0;
	EXPECT_EQ(call_with3(SYS_IOPORT_IN, cap, 8, 1), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_IOPORT_IN, cap, 5, 4), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_IOPORT_OUT, cap, ~0ul, 2), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_IOPORT_OUT, cap, 0, 8), ERR_ARG);
	EXPECT_EQ(call_with3(SYS_IOPORT_OUT_BYTES, cap, 0, 65), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_IOPORT_OUT_BYTES, cap, 8, 1), ERR_RANGE);
	EXPECT_EQ(host_machine.port_count, 0);
	EXPECT_EQ(call_with3(SYS_IOPORT_IN, cap, 4, 4), OK);
	EXPECT_EQ(call_with3(SYS_LOG_WRITE, 4000, 0, 0), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_LOG_WRITE, ~0ul, 0, 0), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_REPLY_TAKE_CAP, reply_cap, 4, 0), ERR_RANGE);
	EXPECT_EQ(call_with3(SYS_REPLY_TAKE_CAP, reply_cap, ~0ul, 0),
	    ERR_RANGE);
	EXPECT_EQ(call(client, endpoint_cap, 5, 0), ERR_ARG);
	EXPECT_EQ(call(client, endpoint_cap, 3ul << IPC_WINDOWS_SHIFT, 0),
	    ERR_ARG);
	EXPECT_EQ(call(client, endpoint_cap, 0x20, 0), ERR_ARG);
	for (uint64_t number = SYSCALL_COUNT; number < 1ul << 63; number *= 2)
		EXPECT_EQ(call_with3(number, 0, 0, 0), ERR_NOSYS);
	EXPECT_EQ(call_with3(0, 0, 0, 0), ERR_NOSYS);
	end();
}

TEST(test_registers_of_a_waiting_thread_are_read_and_written)
{
	struct user_frame *frame;

	begin(0, 0);
	/* Below the client, on its CPU. */
	struct thread *waiting = start_thread(0, CLASS_LOW);
	EXPECT_EQ(waiting->state, THREAD_READY);
	cap_t cap = add_cap(&waiting->object, OBJ_THREAD);
	waiting->frame.rbx = 0x1234;
	EXPECT_EQ(call_with(SYS_THREAD_READ, cap), OK);
	frame = (struct user_frame *)client->utcb->data;
	EXPECT_EQ(frame->rbx, 0x1234);
	frame->rbx ^= 1;
	frame->rflags = ~0ul;
	EXPECT_EQ(call_with(SYS_THREAD_WRITE, cap), OK);
	EXPECT_EQ(waiting->frame.rbx, 0x1235);
	EXPECT_EQ(waiting->frame.rflags & 0x3000, 0);
	/* It waits as before, and can still be killed. */
	EXPECT_EQ(waiting->state, THREAD_READY);
	EXPECT(waiting->queued == this_cpu());
	EXPECT_EQ(call_with(SYS_THREAD_KILL, cap), OK);
	EXPECT_EQ(waiting->state, THREAD_DEAD);
	EXPECT_EQ(call_with(SYS_THREAD_WRITE, cap), ERR_STATE);
	EXPECT_EQ(table_delete(table, cap), OK);
	object_release(&waiting->object);
	end();
}

TEST(test_registers_of_a_running_thread_are_left_alone)
{
	begin(0, 1);
	cap_t cap = add_cap(&server->object, OBJ_THREAD);
	server->frame.rbx = 7;
	EXPECT_EQ(call_with(SYS_THREAD_READ, cap), ERR_STATE);
	EXPECT_EQ(call_with(SYS_THREAD_WRITE, cap), ERR_STATE);
	EXPECT_EQ(server->frame.rbx, 7);
	EXPECT_EQ(server->state, THREAD_RUNNING);
	/* One that waits for a call may be looked at, not changed. */
	reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
	host_become_cpu(0);
	EXPECT_EQ(call_with(SYS_THREAD_READ, cap), OK);
	EXPECT_EQ(call_with(SYS_THREAD_WRITE, cap), ERR_STATE);
	EXPECT_EQ(table_delete(table, cap), OK);
	end();
}

static status_t
schedule(cap_t thread, unsigned class)
{
	return call_with3(SYS_THREAD_SCHEDULE, thread,
	    class | WEIGHT_DEFAULT << 8, 0);
}

TEST(test_a_thread_takes_back_the_class_that_it_gave_up_itself)
{
	begin(0, 1);
	cap_t own = add_cap(&client->object, OBJ_THREAD);
	EXPECT_EQ(schedule(own, CLASS_LOW), OK);
	EXPECT_EQ(client->base_class, CLASS_LOW);
	EXPECT_EQ(schedule(own, CLASS_NORMAL), OK);
	EXPECT_EQ(client->base_class, CLASS_NORMAL);
	EXPECT_EQ(schedule(own, CLASS_HIGH), ERR_RIGHT);
	EXPECT_EQ(table_delete(table, own), OK);
	end();
}

TEST(test_a_class_that_another_took_is_gone)
{
	begin(0, 0);
	struct thread *other = start_thread(0, CLASS_NORMAL);
	cap_t cap = add_cap(&other->object, OBJ_THREAD);
	cap_t own = add_cap(&client->object, OBJ_THREAD);
	EXPECT_EQ(schedule(cap, CLASS_LOW), OK);
	EXPECT_EQ(other->base_class, CLASS_LOW);
	EXPECT_EQ(other->highest_class, CLASS_LOW);
	EXPECT_EQ(client->highest_class, CLASS_NORMAL);
	EXPECT_EQ(call_with(SYS_THREAD_KILL, cap), OK);
	EXPECT_EQ(table_delete(table, cap), OK);
	EXPECT_EQ(table_delete(table, own), OK);
	object_release(&other->object);
	end();
}

TEST_MAIN(setup())
