/* SPDX-License-Identifier: MIT */
/*
 * Laws of IPC, scheduling and death, on the portable kernel as it is. The test
 * plays user mode: it looks at which thread the kernel has made current and
 * performs that thread's next call, then lets kernel_exit() choose again.
 *
 * Clients call a server whose incarnations die at random, are killed or kicked
 * in whatever state they are, and every answer is checked: no call is lost, no
 * call is answered twice, nothing is left behind.
 */
#include <kernel/arch/host/host.h>
#include <kernel/core/frame.h>
#include <kernel/core/ipc.h>
#include <kernel/core/sched.h>
#include <kernel/object/container.h>
#include <kernel/object/death.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/vspace.h>
#include <lib/test/ktap.h>

#include <abi/syscall.h>
#include <setjmp.h>
#include <string.h>

#define RAM		(64ul << 20)
#define CLIENTS		6u
#define REPLIES		4u
#define STEPS		300000u
#define REQUEST		0x1234ul

static uint64_t random_state = 0x9e3779b97f4a7c15ul;

struct actor {
	struct thread	*thread;	/* own reference */
	bool		server;
	bool		in_call;	/* client: a call is under way */
	uint64_t	token;
	unsigned	kicks;
};

static struct actor actors[CLIENTS + 1];
static struct vspace *vspace;
static struct table *table;
static struct endpoint *endpoint;
static cap_t endpoint_cap, reply_caps[REPLIES];
static jmp_buf idle_jump;
static uint64_t answered, executed, killed_clients, dead_servers, interrupted;

/* What a server keeps in its arena: calls parked, and calls answered. */
static struct { bool parked; uint64_t order; } arena[REPLIES];
static uint64_t answered_order[REPLIES];

static uint64_t
random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void
reap_all(void)
{
	while (object_reap_step())
		;
}

static void
on_idle(void)
{
	longjmp(idle_jump, 1);
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
	EXPECT_EQ(thread_start(thread), OK);
	return thread;
}

static cap_t
add_cap(struct object *object, unsigned type)
{
	cap_t cap = 0;

	EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT, object, type, &cap), OK);
	return cap;
}

static void
make_world(void)
{
	EXPECT_EQ(table_create(&root_container, 256, &table), OK);
	EXPECT_EQ(vspace_create(&root_container, &vspace), OK);
	EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
	endpoint_cap = add_cap(&endpoint->object, OBJ_ENDPOINT);
	object_release(&endpoint->object);
	for (unsigned i = 0; i < REPLIES; i++) {
		struct reply *reply = NULL;
		EXPECT_EQ(reply_create(&root_container, i, NULL, &reply), OK);
		reply_caps[i] = add_cap(&reply->object, OBJ_REPLY);
		object_release(&reply->object);
	}
}

/* One system call of the current thread, as the entry stub does it. */
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
		kernel_exit();
}

static struct actor *
actor_of(const struct thread *thread)
{
	for (unsigned i = 0; i <= CLIENTS; i++)
		if (actors[i].thread == thread)
			return &actors[i];
	return NULL;
}

/* The result of the call that just ended is in the frame. */
static void
client_check(struct actor *client)
{
	struct user_frame *f = &client->thread->frame;

	if (!client->in_call)
		return;
	client->in_call = false;
	if (f->rax == ERR_INTERRUPTED) {
		EXPECT(client->kicks > 0);
		interrupted++;
		client->thread->utcb->kick_pending = 0;
		return;
	}
	EXPECT_EQ(f->rax, OK);
	EXPECT_EQ(f->rdx, REQUEST + 1);
	EXPECT_EQ(f->r10, client->token);
	EXPECT_EQ(f->r14, ~client->token);
	answered++;
}

static void
client_step(struct actor *client)
{
	struct user_frame *f = &client->thread->frame;

	client_check(client);
	client->token = random_next();
	client->in_call = true;
	f->rdi = endpoint_cap;
	f->rsi = 0;
	f->rdx = REQUEST;
	f->r10 = client->token;
	f->r14 = ~client->token;
	enter(client->thread, SYS_CALL);
}

static int
free_reply(void)
{
	for (unsigned i = 0; i < REPLIES; i++)
		if (!arena[i].parked)
			return (int)i;
	return -1;
}

/* Answers reply object i; the commit is the record in answered_order. */
static void
server_answer(struct thread *server, unsigned i, uint64_t token, uint64_t order,
    bool then_wait)
{
	struct user_frame *f = &server->frame;

	EXPECT(answered_order[i] < order);
	answered_order[i] = order;
	arena[i].parked = false;
	executed++;
	f->rdi = reply_caps[i];
	f->rsi = then_wait ? endpoint_cap : 0;
	f->r15 = reply_caps[i];
	f->rdx = REQUEST + 1;
	f->r10 = token;
	f->r14 = ~token;
	enter(server, SYS_REPLY_WAIT);
}

static bool server_fresh, server_waiting;
static unsigned serving;

static void
server_wait(struct thread *server)
{
	struct user_frame *f = &server->frame;
	int i = free_reply();

	if (i < 0) {	/* all parked: answer one of them */
		i = (int)(random_next() % REPLIES);
		f->rdi = reply_caps[i];
		enter(server, SYS_REPLY_READ);
		EXPECT_EQ(f->rax, OK);
		server_answer(server, (unsigned)i, f->r10, arena[i].order, false);
		return;
	}
	serving = (unsigned)i;
	server_waiting = true;
	f->rdi = 0;
	f->rsi = endpoint_cap;
	f->r15 = reply_caps[i];
	enter(server, SYS_REPLY_WAIT);
}

/* A new incarnation looks at what its reply objects still hold. */
static void
server_resume(struct thread *server)
{
	struct user_frame *f = &server->frame;

	server_fresh = false;
	server_waiting = false;
	for (unsigned i = 0; i < REPLIES; i++) {
		f->rdi = reply_caps[i];
		enter(server, SYS_REPLY_READ);
		if (f->rax != OK) {
			EXPECT_EQ(f->rax, ERR_EMPTY);
			EXPECT(!arena[i].parked);
			continue;
		}
		arena[i].parked = true;
		arena[i].order = f->r15;
	}
}

static void
server_step(struct actor *actor)
{
	struct thread *server = actor->thread;
	struct user_frame *f = &server->frame;

	if (server_fresh) {
		server_resume(server);
		return;
	}
	if (!server_waiting) {
		server_wait(server);
		return;
	}
	EXPECT_EQ(f->rax, OK);
	EXPECT_EQ(f->rdx, REQUEST);
	EXPECT_EQ(f->r14, ~f->r10);
	switch (random_next() % 8) {
	case 0:
		arena[serving].parked = true;
		arena[serving].order = f->r15;
		server_waiting = false;
		break;
	case 1:		/* dies with the call in hand */
		exception_entry(server, 6, 0, 0);
		kernel_exit();
		break;
	default:
		server_answer(server, serving, f->r10, f->r15, true);
		break;
	}
}

static void
new_server(void)
{
	object_release(&actors[CLIENTS].thread->object);
	actors[CLIENTS].thread = make_thread(NULL);
	server_fresh = true;
	dead_servers++;
}

static void
new_client(struct actor *client)
{
	object_release(&client->thread->object);
	client->thread = make_thread(NULL);
	client->in_call = false;
	client->kicks = 0;
	killed_clients++;
}

/* Kills or kicks somebody in whatever state he is. */
static void
disturb(void)
{
	struct actor *actor = &actors[random_next() % (CLIENTS + 1)];

	if (!actor->server && random_next() % 2 == 0) {
		actor->kicks++;
		thread_kick(actor->thread);
		return;
	}
	thread_kill(actor->thread);
	EXPECT_EQ(actor->thread->state, THREAD_DEAD);
}

static void
bury_the_dead(void)
{
	for (unsigned i = 0; i <= CLIENTS; i++) {
		if (actors[i].thread->state != THREAD_DEAD)
			continue;
		if (actors[i].server)
			new_server();
		else
			new_client(&actors[i]);
	}
}

TEST(test_no_call_is_lost_or_answered_twice_whoever_dies)
{
	volatile unsigned step = 0;

	host_machine.idle = on_idle;
	sched_init_cpu(this_cpu(), 0);
	make_world();
	for (unsigned i = 0; i <= CLIENTS; i++) {
		actors[i].server = i == CLIENTS;
		actors[i].thread = make_thread(NULL);
	}
	server_fresh = true;
	if (setjmp(idle_jump) != 0)
		bury_the_dead();	/* only the server can be missing */
	kernel_exit();
	for (; step < STEPS; step++) {
		struct actor *actor = actor_of(this_cpu()->current);
		EXPECT(actor != NULL);
		host_machine.clock_ns += random_next() % 100000;
		if (random_next() % 16 == 0 &&
		    host_machine.clock_ns > this_cpu()->slice_end_ns)
			timer_entry();
		if (random_next() % 64 == 0)
			disturb();
		bury_the_dead();
		if (this_cpu()->current == NULL || this_cpu()->current_gone ||
		    this_cpu()->current->kill_pending) {
			kernel_exit();
			continue;
		}
		actor = actor_of(this_cpu()->current);
		if (actor->server)
			server_step(actor);
		else
			client_step(actor);
	}
	EXPECT(answered > STEPS / 20);
	EXPECT(dead_servers > 1000);
	EXPECT(killed_clients > 500);
	EXPECT(interrupted > 100);
	EXPECT(executed >= answered);
}

TEST(test_the_dead_leave_no_reply_no_thread_no_frame)
{
	for (unsigned i = 0; i <= CLIENTS; i++) {
		thread_kill(actors[i].thread);
		object_release(&actors[i].thread->object);
	}
	if (setjmp(idle_jump) == 0)
		kernel_exit();
	for (unsigned i = 0; i < REPLIES; i++) {
		struct cap cap;
		EXPECT_EQ(table_lookup(table, reply_caps[i], &cap), OK);
		EXPECT(((struct reply *)cap.object)->state != REPLY_HELD);
		EXPECT(((struct reply *)cap.object)->state != REPLY_ARMED);
	}
	EXPECT(list_is_empty(&endpoint->callers));
	EXPECT(list_is_empty(&endpoint->receivers));
	object_release(&table->object);
	object_release(&vspace->object);
	reap_all();
	EXPECT_EQ(object_live(OBJ_THREAD), 0);
	EXPECT_EQ(object_live(OBJ_REPLY), 0);
	EXPECT_EQ(object_live(OBJ_ENDPOINT), 0);
	EXPECT_EQ(object_live(OBJ_MEMORY), 0);
	EXPECT_EQ(object_live(OBJ_VSPACE), 0);
	EXPECT_EQ(slots_used, 0);
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(root_container.objects_used, 0);
}

TEST_MAIN(host_boot(RAM, 1))
