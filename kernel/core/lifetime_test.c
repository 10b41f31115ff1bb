/* SPDX-License-Identifier: MIT */
/*
 * Laws about who may point to what for how long: objects deleted or killed in
 * the middle of an exchange. Each test is a case that once led to freed memory,
 * a lock taken twice, or a right that was not there; the sanitizer is the judge
 * of the former.
 */
#include <kernel/arch/host/access.h>
#include <kernel/arch/host/host.h>
#include <kernel/core/frame.h>
#include <kernel/core/ipc.h>
#include <kernel/core/sched.h>
#include <kernel/object/container.h>
#include <kernel/object/death.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/vspace.h>
#include <lib/test/ktap.h>

#include <abi/syscall.h>
#include <setjmp.h>
#include <unistd.h>

#define RAM	(64ul << 20)
#define REPLIES	3u

static struct vspace *vspace;
static struct table *table;
static struct endpoint *endpoint;
static cap_t endpoint_cap, reply_caps[REPLIES];
static jmp_buf idle_jump;

static void
on_idle(void)
{
	longjmp(idle_jump, 1);
}

static void
reap_all(void)
{
	while (object_reap_step())
		;
}

static cap_t
add(struct object *object, unsigned type)
{
	cap_t cap = 0;

	EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT, object, type, &cap), OK);
	object_release(object);
	return cap;
}

static void
begin(void)
{
	EXPECT_EQ(table_create(&root_container, 256, &table), OK);
	EXPECT_EQ(vspace_create(&root_container, &vspace), OK);
	EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
	endpoint_cap = add(&endpoint->object, OBJ_ENDPOINT);
	for (unsigned i = 0; i < REPLIES; i++) {
		struct reply *reply = NULL;
		EXPECT_EQ(reply_create(&root_container, i, NULL, &reply), OK);
		reply_caps[i] = add(&reply->object, OBJ_REPLY);
	}
}

static struct thread *
make_thread(struct death *death)
{
	struct memory *utcb = NULL;
	struct thread *thread = NULL;
	struct thread_setup setup = { .flags = THREAD_NO_FPU,
	    .schedule = CLASS_NORMAL | WEIGHT_DEFAULT << 8 };

	EXPECT_EQ(memory_create(&root_container, PAGE_SIZE, MEMORY_CONTIGUOUS, 0,
	    &utcb), OK);
	EXPECT_EQ(thread_create(&root_container, &thread), OK);
	EXPECT_EQ(thread_setup(thread, table, vspace, utcb, death, &setup), OK);
	object_release(&utcb->object);
	return thread;
}

static void
leave_kernel(void)
{
	if (setjmp(idle_jump) == 0)
		kernel_exit();
}

/* Starts a thread on the idle CPU: it is current afterwards. */
static void
run(struct thread *thread)
{
	EXPECT_EQ(thread_start(thread), OK);
	leave_kernel();
	EXPECT(this_cpu()->current == thread);
}

static void
enter(struct thread *thread, uint64_t number)
{
	thread->frame.rax = -number;
	if (number == SYS_CALL)
		ipc_call_fast(thread);
	else if (number == SYS_REPLY_WAIT)
		ipc_reply_wait_fast(thread);
	else
		syscall_entry(thread);
	if (this_cpu()->arch.exit_work)
		leave_kernel();
}

static void
call(struct thread *thread, uint64_t transfer)
{
	thread->frame.rdi = endpoint_cap;
	thread->frame.rsi = transfer;
	enter(thread, SYS_CALL);
}

static void
reply_wait(struct thread *thread, cap_t reply, cap_t next)
{
	thread->frame.rdi = reply;
	thread->frame.rsi = next != 0 ? endpoint_cap : 0;
	thread->frame.r15 = next;
	enter(thread, SYS_REPLY_WAIT);
}

static void
drop(struct thread *thread)
{
	thread_kill(thread);
	if (this_cpu()->arch.exit_work)
		leave_kernel();
	object_release(&thread->object);
}

/* Everything of begin() and all threads are gone, and nothing is left. */
static void
end(void)
{
	object_release(&table->object);
	object_release(&vspace->object);
	reap_all();
	for (unsigned type = 1; type < OBJ_SYSTEM; type++)
		if (type != OBJ_EVENTPAIR_B)
			EXPECT_EQ(object_live(type), 0);
	EXPECT_EQ(slots_used, 0);
	EXPECT_EQ(root_container.frames_used, 0);
}

TEST(test_deleting_an_armed_reply_ends_the_wait)
{
	begin();
	struct thread *server = make_thread(NULL), *client = make_thread(NULL);
	run(server);
	reply_wait(server, 0, reply_caps[0]);
	EXPECT_EQ(server->state, THREAD_BLOCKED_RECEIVE);
	EXPECT_EQ(table_delete(table, reply_caps[0]), OK);
	reap_all();
	EXPECT(server->armed == NULL);
	EXPECT_EQ(server->frame.rax, ERR_GONE);
	drop(server);
	run(client);
	call(client, 0);
	EXPECT_EQ(client->state, THREAD_BLOCKED_CALL);
	drop(client);
	end();
}

TEST(test_last_capability_in_a_reply_may_signal_its_own_endpoint)
{
	struct notification *n = NULL;
	struct eventpair *pair = NULL;

	begin();
	struct thread *one = make_thread(NULL), *two = make_thread(NULL);
	struct thread *client = make_thread(NULL);
	EXPECT_EQ(notification_create(&root_container, &n), OK);
	EXPECT_EQ(eventpair_create(&root_container, NULL, 7, &pair), OK);
	object_reference(&pair->object);
	cap_t a = add(&pair->object, OBJ_EVENTPAIR_A);
	add(&pair->object, OBJ_EVENTPAIR_B);
	EXPECT_EQ(event_bind(&pair->event[1], n, 1, 7), OK);
	EXPECT_EQ(notification_bind(n, one), OK);
	run(two);
	reply_wait(two, 0, reply_caps[1]);
	run(one);
	reply_wait(one, 0, reply_caps[0]);
	run(client);
	client->utcb->caps_out[0] = a;
	call(client, 1);
	struct thread *server = one->state == THREAD_BLOCKED_RECEIVE ? two : one;
	EXPECT_EQ(server, two);	/* it waited first */
	EXPECT_EQ(table_delete(table, a), OK);
	EXPECT_EQ(n->word, 0);
	alarm(5);	/* a lock taken twice would spin for ever */
	reply_wait(server, reply_caps[1], reply_caps[1]);
	alarm(0);
	EXPECT_EQ(client->frame.rax, OK);
	EXPECT(pair->gone[0]);
	EXPECT_EQ(one->frame.rsi, IPC_INFO_NOTIFIED);
	EXPECT_EQ(one->frame.rdi, 1);
	drop(one);
	drop(two);
	drop(client);
	object_release(&n->object);
	end();
}

TEST(test_clone_does_not_write_into_what_is_mapped_already)
{
	struct vspace *source = NULL, *destination = NULL;
	struct memory *victim = NULL, *evil = NULL;
	uint64_t word = 0x6566, got = 1;
	vaddr_t cursor = 0;

	begin();
	EXPECT_EQ(vspace_create(&root_container, &source), OK);
	EXPECT_EQ(vspace_create(&root_container, &destination), OK);
	EXPECT_EQ(memory_create(&root_container, PAGE_SIZE, 0, 0, &victim), OK);
	EXPECT_EQ(memory_create(&root_container, PAGE_SIZE, 0, 0, &evil), OK);
	EXPECT_EQ(memory_write(evil, 0, &word, sizeof(word)), OK);
	EXPECT_EQ(vspace_map(source, 0x10000, evil, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE | MAP_LIMIT(3)), OK);
	EXPECT_EQ(vspace_map(destination, 0x10000, victim, 0, PAGE_SIZE,
	    MAP_READ | MAP_LIMIT(RIGHT_READ)), OK);
	EXPECT_EQ(vspace_clone(source, destination, &root_container, &cursor),
	    ERR_EXIST);
	EXPECT_EQ(memory_read(victim, 0, &got, sizeof(got)), OK);
	EXPECT_EQ(got, 0);
	object_release(&source->object);
	object_release(&destination->object);
	object_release(&victim->object);
	object_release(&evil->object);
	end();
}

TEST(test_binding_of_a_thread_that_never_ran_ends_with_it)
{
	struct notification *n = NULL;

	begin();
	EXPECT_EQ(notification_create(&root_container, &n), OK);
	struct thread *thread = make_thread(NULL);
	EXPECT_EQ(notification_bind(n, thread), OK);
	object_release(&thread->object);
	reap_all();
	EXPECT(n->bound == NULL);
	notification_signal(n, 1);
	object_release(&n->object);
	end();
}

TEST(test_a_server_may_die_after_its_call_was_answered_by_another)
{
	struct death *death = NULL;

	begin();
	EXPECT_EQ(death_create(&root_container, &death), OK);
	struct thread *client = make_thread(NULL), *one = make_thread(death);
	struct thread *two = make_thread(NULL);
	run(client);
	call(client, 0);
	run(one);
	reply_wait(one, 0, reply_caps[0]);
	uint64_t order = one->request_order;
	EXPECT(order != 0);
	/* Another thread of the place answers, and the reply object goes. */
	two->frame.rdi = reply_caps[0];
	two->frame.rsi = 0;
	EXPECT_EQ(ipc_reply_wait(two, NULL), OK);
	while (this_cpu()->held_count > 0)
		object_release(this_cpu()->held[--this_cpu()->held_count]);
	EXPECT_EQ(table_delete(table, reply_caps[0]), OK);
	reap_all();
	drop(one);
	EXPECT_EQ(death->info.request_order, order);
	drop(client);
	drop(two);
	object_release(&death->object);
	end();
}

static uint64_t
set_open(struct thread *thread, uint64_t open)
{
	thread->frame.rdi = endpoint_cap;
	thread->frame.rsi = open;
	enter(thread, SYS_ENDPOINT_CLOSE);
	return thread->frame.rax;
}

TEST(test_an_endpoint_that_was_opened_again_serves_and_keeps_what_it_refused)
{
	begin();
	struct thread *client = make_thread(NULL), *late = make_thread(NULL);
	struct thread *server = make_thread(NULL);
	run(client);
	call(client, 0);
	run(server);
	EXPECT_EQ(set_open(server, 2), ERR_ARG);
	EXPECT_EQ(client->state, THREAD_BLOCKED_CALL);
	EXPECT_EQ(set_open(server, 0), OK);
	EXPECT_EQ(client->frame.rax, ERR_GONE);
	reply_wait(server, 0, reply_caps[0]);
	EXPECT_EQ(server->frame.rax, ERR_GONE);
	EXPECT_EQ(set_open(server, 1), OK);
	drop(client);
	reply_wait(server, 0, reply_caps[0]);
	run(late);
	call(late, 0);
	EXPECT_EQ(late->state, THREAD_BLOCKED_REPLY);
	EXPECT(server->request_order != 0);
	drop(late);
	drop(server);
	end();
}

/* Else one who comes back keeps calls parked that nobody waits for. */
TEST(test_a_held_call_that_a_closed_endpoint_answered_is_told_as_cancelled)
{
	struct notification *n = NULL;
	struct reply *reply = NULL;
	uint64_t kind = 0, badge = 0;

	begin();
	EXPECT_EQ(notification_create(&root_container, &n), OK);
	EXPECT_EQ(reply_create(&root_container, 7, n, &reply), OK);
	cap_t told = add(&reply->object, OBJ_REPLY);
	struct thread *client = make_thread(NULL), *server = make_thread(NULL);
	run(client);
	call(client, 0);
	run(server);
	reply_wait(server, 0, told);
	EXPECT(server->request_order != 0);
	EXPECT_EQ(set_open(server, 0), OK);
	EXPECT_EQ(client->frame.rax, ERR_GONE);
	EXPECT_EQ(n->word, 1ul << 63);
	EXPECT_EQ(notification_next_event(n, &kind, &badge), OK);
	EXPECT_EQ(kind, EVENT_CANCEL);
	EXPECT_EQ(badge, 7);
	EXPECT_EQ(notification_next_event(n, &kind, &badge), ERR_EMPTY);
	drop(client);
	drop(server);
	EXPECT_EQ(table_delete(table, told), OK);
	reap_all();
	object_release(&n->object);
	end();
}

TEST(test_a_parked_call_outlives_the_server_and_its_reply_object_both)
{
	begin();
	struct thread *client = make_thread(NULL), *server = make_thread(NULL);
	run(client);
	call(client, 0);
	run(server);
	reply_wait(server, 0, reply_caps[0]);
	EXPECT(server->request_order != 0);
	reply_wait(server, 0, reply_caps[1]);	/* parks it */
	EXPECT_EQ(server->request_order, 0);
	drop(server);
	reap_all();
	EXPECT_EQ(client->state, THREAD_BLOCKED_REPLY);
	EXPECT_EQ(table_delete(table, reply_caps[0]), OK);
	reap_all();
	EXPECT_EQ(client->frame.rax, ERR_GONE);
	drop(client);
	end();
}

TEST(test_refused_window_keeps_nothing_of_the_caller)
{
	begin();
	struct thread *client = make_thread(NULL), *server = make_thread(NULL);
	run(client);
	client->utcb->windows[0] = (struct window){ 0x10000,
	    100ul << 2 | WINDOW_READ };
	uint32_t references = vspace->object.references;
	call(client, 1ul << IPC_WINDOWS_SHIFT);
	run(server);
	reply_wait(server, 0, reply_caps[0]);
	static const struct { uint64_t selector, offset, length, status; }
	    cases[] = {
		{ WINDOW_FROM_CALLER, 0, 101, ERR_RANGE },
		{ WINDOW_FROM_CALLER, 101, 0, ERR_RANGE },
		{ WINDOW_FROM_CALLER, ~0ul, 2, ERR_RANGE },
		{ WINDOW_TO_CALLER, 0, 10, ERR_RIGHT },
		{ WINDOW_FROM_CALLER | 1, 0, 1, ERR_RANGE },
		{ 0x40, 0, 1, ERR_ARG },
		{ WINDOW_FROM_CALLER, 0, 10, ERR_FAULT },
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct user_frame *f = &server->frame;
		f->rdi = reply_caps[0];
		f->rsi = cases[i].selector;
		f->rdx = cases[i].offset;
		f->r10 = 0;
		f->r8 = 0x20000;
		f->r9 = cases[i].length;
		enter(server, SYS_WINDOW_COPY);
		EXPECT_EQ(f->rax, cases[i].status);
		EXPECT_EQ(f->rdi, 0);
	}
	EXPECT_EQ(vspace->object.references, references);
	drop(server);
	drop(client);
	end();
}

TEST(test_limits_of_a_container_are_set_by_its_parent)
{
	struct container *parent = NULL, *child = NULL;

	begin();
	EXPECT_EQ(container_create(&root_container, 10, 10, &parent), OK);
	EXPECT_EQ(container_create(parent, 5, 5, &child), OK);
	cap_t parent_cap = add(&parent->object, OBJ_CONTAINER);
	cap_t child_cap = add(&child->object, OBJ_CONTAINER);
	struct thread *thread = make_thread(NULL);
	run(thread);
	struct user_frame *f = &thread->frame;
	*f = (struct user_frame){ .rdi = child_cap, .rsi = 9, .rdx = 9,
	    .r10 = child_cap };
	enter(thread, SYS_CONTAINER_LIMIT);
	EXPECT_EQ(f->rax, ERR_ARG);
	EXPECT_EQ(child->frames_limit, 5);
	*f = (struct user_frame){ .rdi = child_cap, .rsi = 9, .rdx = 9,
	    .r10 = parent_cap };
	enter(thread, SYS_CONTAINER_LIMIT);
	EXPECT_EQ(f->rax, OK);
	EXPECT_EQ(child->frames_limit, 9);
	drop(thread);
	end();
}

static int
setup(void)
{
	host_boot(RAM, 1);
	host_machine.idle = on_idle;
	sched_init_cpu(this_cpu(), 0);
	return 0;
}

TEST_MAIN(setup())
