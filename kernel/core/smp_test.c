/* SPDX-License-Identifier: MIT */
/*
 * The portable kernel on several CPUs at once: each Linux thread is a CPU that
 * plays user mode for whichever thread the kernel made current there, takes
 * interrupts between two calls, and idles when the kernel says so.
 *
 * Clients check that each call is answered exactly once, by whichever
 * incarnation of its server. Waiters and kicked threads lose no wake-up. Wild
 * threads use and delete the same few objects at random. Controllers kill, kick,
 * move and replace all of them. Now and then the machine is stopped between two
 * calls and every thread must be in exactly one place, the place its state says.
 */
#include <kernel/core/smp_host.h>

/* --- Clients and servers. --- */

static uint64_t *
answer_to(uint64_t token)
{
	uint64_t at = token >> 48;

	MUST(at >= SERVERS && at < SERVERS + CLIENTS);
	return &actors[at].answered[token % ANSWERS];
}

/* The result of the call that just ended is in the frame. */
static void
client_check(struct actor *client, const struct user_frame *f)
{
	uint64_t answered = __atomic_load_n(answer_to(client->token),
	    __ATOMIC_ACQUIRE);

	if (f->rax == ERR_INTERRUPTED) {
		MUST(answered != client->token);
		COUNT(interrupted);
	} else {
		MUST_EQ(f->rax, OK);
		MUST_EQ(f->rdx, REQUEST + 1);
		MUST_EQ(f->r10, client->token);
		MUST_EQ(f->r14, ~client->token);
		MUST_EQ(answered, client->token);
		COUNT(answered);
	}
	__atomic_store_n(&client->thread->utcb->kick_pending, 0,
	    __ATOMIC_SEQ_CST);
}

static void
client_step(struct actor *client, struct thread *thread)
{
	struct user_frame *f = &thread->frame;

	if (client->step++ != 0)
		client_check(client, f);
	client->token = (uint64_t)(client - actors) << 48 | ++client->sequence;
	f->rdi = arenas[pick(client, SERVERS)].endpoint;
	f->rsi = 0;
	if (pick(client, 8) == 0) {	/* the slow way */
		thread->utcb->caps_out[0] = container_cap;
		f->rsi = 1;
	}
	f->rdx = REQUEST;
	f->r10 = client->token;
	f->r14 = ~client->token;
	kernel_call(thread, SYS_CALL);
}

/* Steps of a server: what its last call was for. */
#define FRESH		0u
#define READY_TO_WAIT	1u
#define RECEIVING	2u

/* The answer leaves with the next kernel entry of this thread. */
static void
answer(struct actor *server, struct thread *thread, unsigned i, uint64_t token,
    unsigned next_step)
{
	struct arena *arena = &arenas[server->index];
	struct user_frame *f = &thread->frame;

	MUST(__atomic_exchange_n(answer_to(token), token, __ATOMIC_ACQ_REL) !=
	    token);
	arena->parked[i] = false;
	arena->serving = i;
	f->rdi = arena->replies[i];
	f->rsi = next_step == RECEIVING ? arena->endpoint : 0;
	f->r15 = arena->replies[i];
	f->rdx = REQUEST + 1;
	f->r10 = token;
	f->r14 = ~token;
	server->step = next_step;
	kernel_call(thread, SYS_REPLY_WAIT);
}

/* Answers what its reply objects hold, one call a step; false: none does. */
static bool
server_catch_up(struct actor *server, struct thread *thread,
    unsigned next_step)
{
	struct arena *arena = &arenas[server->index];

	for (unsigned i = 0; i < REPLIES; i++) {
		if (next_step != FRESH && !arena->parked[i])
			continue;
		thread->frame.rdi = arena->replies[i];
		if (quick_call(thread, SYS_REPLY_READ) != OK) {
			MUST_EQ(thread->frame.rax, ERR_EMPTY);
			MUST(!arena->parked[i]);
			continue;
		}
		answer(server, thread, i, thread->frame.r10, next_step);
		return true;
	}
	return false;
}

static void
server_wait(struct actor *server, struct thread *thread)
{
	struct arena *arena = &arenas[server->index];
	struct user_frame *f = &thread->frame;
	unsigned i = 0;

	while (i < REPLIES && arena->parked[i])
		i++;
	if (i == REPLIES || pick(server, 4) == 0) {
		if (server_catch_up(server, thread, READY_TO_WAIT))
			return;
		i = 0;
	}
	arena->serving = i;
	server->step = RECEIVING;
	f->rdi = 0;
	f->rsi = arena->endpoint;
	f->r15 = arena->replies[i];
	kernel_call(thread, SYS_REPLY_WAIT);
}

static void
take_events(struct actor *server, struct thread *thread)
{
	thread->frame.rdi = bound_caps[server->index];
	while (quick_call(thread, SYS_EVENT_NEXT) == OK)
		thread->frame.rdi = bound_caps[server->index];
}

static void
server_step(struct actor *server, struct thread *thread)
{
	struct arena *arena = &arenas[server->index];
	struct user_frame *f = &thread->frame;

	if (server->step == FRESH) {
		if (server_catch_up(server, thread, FRESH))
			return;
	} else if (server->step == RECEIVING) {
		MUST_EQ(f->rax, OK);
		if ((f->rsi & IPC_INFO_NOTIFIED) != 0) {
			take_events(server, thread);
		} else {
			MUST_EQ(f->rdx, REQUEST);
			MUST_EQ(f->r14, ~f->r10);
			(void)answer_to(f->r10);
			if (pick(server, 8) != 0) {
				answer(server, thread, arena->serving, f->r10,
				    RECEIVING);
				return;
			}
			arena->parked[arena->serving] = true;
		}
	} else {
		MUST_EQ(f->rax, OK);
	}
	if (pick(server, 64) == 0)
		kernel_call(thread, SYS_THREAD_EXIT);
	else
		server_wait(server, thread);
}

/* --- Waiters. --- */

static void
waiter_step(struct actor *waiter, struct thread *thread)
{
	struct user_frame *f = &thread->frame;

	if (waiter->step++ != 0) {
		if (f->rax == ERR_INTERRUPTED) {
			__atomic_store_n(&thread->utcb->kick_pending, 0,
			    __ATOMIC_SEQ_CST);
		} else if (f->rax == ERR_TIMEOUT) {
			MUST(waiter->token != DEADLINE_NEVER);
			MUST(arch_clock_now() >= waiter->token);
			COUNT(timeouts);
		} else {
			MUST_EQ(f->rax, OK);
			MUST(f->rdi != 0);
			COUNT(woken);
		}
	}
	waiter->token = pick(waiter, 4) == 0 ? DEADLINE_NEVER :
	    arch_clock_now() + pick(waiter, 200000);
	f->rdi = waiter_caps[waiter->index];
	f->rsi = WAIT_BITS;
	f->r10 = waiter->token;
	kernel_call(thread, SYS_NOTIFY_WAIT);
}

static void
signal_someone(struct actor *actor, struct thread *thread)
{
	unsigned i = pick(actor, WAITERS + SERVERS);

	thread->frame.rdi = i < WAITERS ? waiter_caps[i] :
	    bound_caps[i - WAITERS];
	thread->frame.rsi = 1;
	kernel_call(thread, SYS_NOTIFY_SIGNAL);
}

/* --- Wild threads. --- */

/* The handle that a pool slot has, or will have next. */
static cap_t
pool(struct actor *actor)
{
	unsigned at = POOL_FIRST + pick(actor, POOL_SIZE);
	struct slot *page = __atomic_load_n(
	    &wild_table->pages[at / SLOTS_PER_PAGE], __ATOMIC_ACQUIRE);
	cap_t handle = page == NULL ? CAP_FIRST(at) : __atomic_load_n(
	    &page[at % SLOTS_PER_PAGE].handle, __ATOMIC_RELAXED);

	return pick(actor, 8) == 0 ? handle + CAP_MAKE(0, 1) : handle;
}

static void
wild_create(struct actor *actor, struct thread *thread)
{
	static const unsigned types[] = { OBJ_ENDPOINT, OBJ_REPLY, OBJ_REPLY,
	    OBJ_NOTIFICATION, OBJ_EVENTPAIR_A, OBJ_TIMER, OBJ_DEATH };
	struct user_frame *f = &thread->frame;

	f->rdi = types[pick(actor, 7)];
	f->rsi = wild_container;
	f->r10 = f->rdx = pool(actor);
	f->r8 = POOL_FIRST + pick(actor, POOL_SIZE);
	if (f->rdi == OBJ_REPLY && pick(actor, 2) == 0)
		f->r10 = 0;
	if (quick_call(thread, SYS_OBJECT_CREATE) == OK &&
	    f->rsi != wild_container) {	/* the other end of a pair */
		f->rdi = 0;
		if (pick(actor, 2) == 0)
			(void)quick_call(thread, SYS_CAP_DELETE);
	}
}

static void
wild_ipc(struct actor *actor, struct thread *thread)
{
	struct user_frame *f = &thread->frame;

	for (unsigned i = 0; i < 4; i++)
		thread->utcb->caps_out[i] = pool(actor);
	f->rdi = pool(actor);
	if (pick(actor, 3) == 0) {
		f->rsi = pick(actor, 4) == 0 ? pick(actor, 5) : 0;
		kernel_call(thread, SYS_CALL);
		return;
	}
	f->rsi = pool(actor);
	f->r15 = pick(actor, 2) == 0 ? f->rdi : pool(actor);
	if (pick(actor, 3) == 0)
		f->rdi = 0;
	else if (pick(actor, 3) == 0)
		f->rsi = 0;
	thread->utcb->reply_caps = pick(actor, 4) == 0 ? pick(actor, 3) : 0;
	kernel_call(thread, SYS_REPLY_WAIT);
}

static void
wild_use(struct actor *actor, struct thread *thread)
{
	static const uint8_t numbers[] = {
		SYS_NOTIFY_SIGNAL, SYS_NOTIFY_SIGNAL, SYS_NOTIFY_BIND,
		SYS_EVENT_NEXT, SYS_EVENT_REARM, SYS_EVENT_BIND,
		SYS_EVENTPAIR_QUERY, SYS_TIMER_SET, SYS_TIMER_SET,
		SYS_REPLY_READ, SYS_REPLY_TAKE_CAP, SYS_CAP_COPY,
		SYS_CAP_REVOKE, SYS_CAP_INFO, SYS_DEATH_READ,
		SYS_ENDPOINT_CLOSE, SYS_THREAD_YIELD, SYS_TABLE_NEXT,
	};
	struct user_frame *f = &thread->frame;
	uint8_t number = numbers[pick(actor, sizeof(numbers))];

	f->rdi = pool(actor);
	f->rsi = pool(actor);
	f->rdx = CAP_ANY_SLOT;
	if (number == SYS_TIMER_SET)
		f->rsi = arch_clock_now() + pick(actor, 100000);
	if (number == SYS_NOTIFY_BIND)
		f->rsi = actors[SERVERS + CLIENTS + WAITERS +
		    pick(actor, WILD)].wild_cap;
	if (number == SYS_EVENT_BIND)
		f->rdx = 1;
	if (number == SYS_REPLY_TAKE_CAP)
		f->rsi = pick(actor, 4);
	if (number == SYS_TABLE_NEXT || number == SYS_CAP_INFO)
		f->rdi = 0;
	if (number == SYS_CAP_COPY) {
		f->rsi = 0;
		f->rdx = POOL_FIRST + pick(actor, POOL_SIZE);
		f->r10 = RIGHT_ALL | TRUST_MAX << 16;
		f->r8 = 0;
	}
	if (number == SYS_REPLY_TAKE_CAP)
		f->rdx = POOL_FIRST + pick(actor, POOL_SIZE);
	kernel_call(thread, number);
}

static void
wild_step(struct actor *actor, struct thread *thread)
{
	struct user_frame *f = &thread->frame;

	COUNT(wild);
	actor->step++;
	thread->utcb->kick_pending = 0;
	switch (pick(actor, 8)) {
	case 0:
		f->rdi = 0;
		f->rsi = pool(actor);
		kernel_call(thread, SYS_CAP_DELETE);
		break;
	case 1:
	case 2:
		wild_create(actor, thread);
		settle();
		break;
	case 3:
		f->rdi = pool(actor);
		f->rsi = pick(actor, 3);
		f->rdx = pick(actor, 3);
		f->r10 = arch_clock_now() + pick(actor, 50000);
		kernel_call(thread, SYS_NOTIFY_WAIT);
		break;
	case 4:
	case 5:
		wild_ipc(actor, thread);
		break;
	default:
		wild_use(actor, thread);
		break;
	}
}

/* --- Controllers. --- */

/* Replaces an actor that is dead; what its thread held is let go. */
static void
replace(struct actor *target, struct thread *thread)
{
	struct user_frame *f = &thread->frame;
	struct cpu *cpu = this_cpu();

	if (__atomic_exchange_n(&target->replacing, 1, __ATOMIC_ACQUIRE) != 0)
		return;
	f->rdi = target->thread->object.id;
	(void)quick_call(thread, SYS_THREAD_ALIVE);
	if (f->rdi == 0 && __atomic_load_n(&target->thread->state,
	    __ATOMIC_ACQUIRE) == THREAD_DEAD) {
		epoch_enter(cpu);
		MUST_EQ(table_delete(table, target->cap), OK);
		(void)table_delete(wild_table, target->wild_cap);
		if (!load(&ending))
			spawn(target);
		else
			target->thread = NULL;
		epoch_leave(cpu);
		COUNT(died);
	}
	__atomic_store_n(&target->replacing, 0, __ATOMIC_RELEASE);
}

/* Everyone but itself is dead and buried: then the machine may stop. */
static void
end_step(struct actor *actor, struct thread *thread)
{
	bool all = true;

	if (actor->index != 0) {
		kernel_call(thread, SYS_THREAD_EXIT);
		return;
	}
	for (unsigned i = 0; i < ACTORS; i++) {
		if (&actors[i] == actor || actors[i].thread == NULL)
			continue;
		all = false;
		thread->frame.rdi = actors[i].cap;
		(void)quick_call(thread, SYS_THREAD_KILL);
		replace(&actors[i], thread);
	}
	if (all) {
		__atomic_store_n(&finished, true, __ATOMIC_RELEASE);
		kernel_call(thread, SYS_THREAD_EXIT);
		return;
	}
	settle();
}

static void
controller_step(struct actor *actor, struct thread *thread)
{
	struct user_frame *f = &thread->frame;
	struct actor *target = &actors[pick(actor, ACTORS)];

	thread->utcb->kick_pending = 0;
	if (load(&ending)) {
		end_step(actor, thread);
		return;
	}
	f->rdi = __atomic_load_n(&target->cap, __ATOMIC_RELAXED);
	switch (pick(actor, 10)) {
	case 0:
		/* Controller 0 is there at the end. */
		if (target->role == CONTROLLER && target->index == 0)
			break;
		COUNT(killed);
		kernel_call(thread, SYS_THREAD_KILL);
		return;
	case 1:
	case 2:
		COUNT(kicked);
		kernel_call(thread, SYS_THREAD_KICK);
		return;
	case 3:
		COUNT(moved);
		f->rsi = CLASS_LOW + pick(actor, 2);
		f->rsi |= (uint64_t)(1 + pick(actor, 4000)) << 8;
		f->rdx = pick(actor, 1u << CPUS);
		kernel_call(thread, SYS_THREAD_SCHEDULE);
		return;
	case 4:
	case 5:
		signal_someone(actor, thread);
		return;
	case 6:
	case 7:
		replace(target, thread);
		settle();
		return;
	default:
		break;
	}
	f->rdi = bound_caps[0];
	f->rsi = WAIT_COUNT;
	f->rdx = waited[0]->count;
	f->r10 = arch_clock_now() + pick(actor, 30000);
	kernel_call(thread, SYS_NOTIFY_WAIT);
}

/* --- The loop of a CPU. --- */

/* A restarted call is made again before the actor goes on. */
static bool
restart(struct thread *thread)
{
	if (thread->frame.rip == CODE)
		return false;
	MUST_EQ(thread->frame.rip, CODE - 2);
	thread->frame.rip = CODE;
	COUNT(restarted);
	kernel_call(thread, -thread->frame.rax);
	return true;
}

static void
user_step(struct thread *thread)
{
	struct actor *actor = &actors[thread->frame.rbp];

	MUST(thread->frame.rbp < ACTORS);
	MUST(actor->thread == thread);
	MUST(thread->on_cpu == this_cpu() && thread->cpu == this_cpu());
	MUST_EQ(thread->state, THREAD_RUNNING);
	MUST_EQ(__atomic_fetch_add(&actor->on, 1, __ATOMIC_ACQ_REL), 0);
	if (random_of(&actor->random) % 4 == 0)
		sched_yield();
	__atomic_fetch_sub(&actor->on, 1, __ATOMIC_ACQ_REL);
	if (restart(thread))
		return;
	if (load(&ending) && actor->role != CONTROLLER) {
		kernel_call(thread, SYS_THREAD_EXIT);
		return;
	}
	switch (actor->role) {
	case SERVER:
		server_step(actor, thread);
		break;
	case CLIENT:
		client_step(actor, thread);
		break;
	case WAITER:
		waiter_step(actor, thread);
		break;
	case WILDLING:
		wild_step(actor, thread);
		break;
	case CONTROLLER:
		controller_step(actor, thread);
		break;
	}
}

/* Ends by a jump to cpu_loop(), where no variable of this is looked at. */
static _Noreturn __attribute__((noinline)) void
cpu_run(struct cpu *cpu)
{
	uint64_t random = cpu->index * 77 + 5;

	epoch_enter(cpu);
	kernel_exit();
	epoch_leave(cpu);
	for (;;) {
		if (load(&stopping))
			stand(cpu);
		__atomic_add_fetch(&host_machine.clock_ns,
		    random_of(&random) % 20000, __ATOMIC_RELAXED);
		epoch_enter(cpu);
		if (take_interrupts(cpu))
			kernel_exit();
		epoch_leave(cpu);
		user_step(cpu->current);
	}
}

static void *
cpu_loop(void *argument)
{
	host_become_cpu((unsigned)(uintptr_t)argument);
	if (setjmp(idle_jump) == 0)
		cpu_run(this_cpu());
	return NULL;
}

/* --- Laws, looked at while all CPUs stand outside the kernel. --- */

static unsigned places[ACTORS];

static void
seen_at(const struct thread *thread, uint32_t state)
{
	MUST(thread->frame.rbp < ACTORS);
	MUST(actors[thread->frame.rbp].thread == thread);
	MUST_EQ(thread->state, state);
	places[thread->frame.rbp]++;
}

static void
look_at_list(const struct list *head, uint32_t state)
{
	for (const struct list *n = head->next; n != head; n = n->next) {
		MUST(n->next->prev == n);
		seen_at(LIST_ENTRY(n, struct thread, link), state);
	}
}

static void
look_at_cpu(struct cpu *cpu)
{
	uint32_t length = 0;

	MUST((cpu->epoch & 1) == 0);
	MUST_EQ(cpu->held_count, 0);
	if (cpu->current != NULL) {
		seen_at(cpu->current, THREAD_RUNNING);
		MUST(cpu->current->on_cpu == cpu);
	}
	for (unsigned class = 0; class < CLASS_COUNT; class++) {
		const struct list *head = &cpu->queue[class];

		MUST(list_is_empty(head) ==
		    ((cpu->queue_mask >> class & 1) == 0));
		look_at_list(head, THREAD_READY);
		for (const struct list *n = head->next; n != head; n = n->next) {
			MUST(LIST_ENTRY(n, struct thread, link)->cpu == cpu);
			length++;
		}
	}
	MUST_EQ(cpu->queue_length, length);
}

/* A receiver and a caller at once, or a signal unseen: a wake-up was lost. */
static void
look_at_endpoint(const struct endpoint *endpoint)
{
	MUST(list_is_empty(&endpoint->callers) ||
	    list_is_empty(&endpoint->receivers));
	MUST(!endpoint->closed || list_is_empty(&endpoint->receivers));
	look_at_list(&endpoint->callers, THREAD_BLOCKED_CALL);
	look_at_list(&endpoint->receivers, THREAD_BLOCKED_RECEIVE);
	for (struct list *n = endpoint->receivers.next;
	    n != &endpoint->receivers; n = n->next) {
		struct thread *thread = LIST_ENTRY(n, struct thread, link);

		MUST(thread->armed->state == REPLY_ARMED);
		MUST(thread->armed->server == thread);
		MUST(thread->armed->endpoint == endpoint);
		MUST(thread->bound == NULL || thread->bound->word == 0);
	}
	for (struct list *n = endpoint->replies.next;
	    n != &endpoint->replies; n = n->next) {
		struct reply *reply = LIST_ENTRY(n, struct reply, link);

		MUST(n->next->prev == n);
		MUST(reply->endpoint == endpoint);
		MUST(reply->state != 4);
		if (reply->state != REPLY_HELD)
			continue;
		seen_at(reply->caller, THREAD_BLOCKED_REPLY);
		MUST(reply->caller->calling == reply);
		MUST(reply->caller->utcb->kick_pending == 0 ||
		    (reply->info & IPC_INFO_CANCELLED) != 0);
	}
}

static void
look_at_notification(const struct notification *n)
{
	look_at_list(&n->waiters, THREAD_BLOCKED_NOTIFY);
	for (struct list *node = n->waiters.next; node != &n->waiters;
	    node = node->next) {
		const struct thread *thread = LIST_ENTRY(node, struct thread,
		    link);
		bool bits = thread->notify_mode == WAIT_BITS;

		MUST(!bits || n->word == 0);
		MUST(bits || thread->notify_seen == n->count);
		MUST(thread->utcb->kick_pending == 0);
	}
	MUST(n->bound == NULL || n->bound->bound == n);
}

/* Objects that wild threads made, found by who waits there. */
static void
look_where_it_waits(struct actor *actor)
{
	struct thread *thread = actor->thread;
	struct object *object = thread->blocked_on;
	const struct endpoint *known = NULL;

	for (unsigned i = 0; i < SERVERS; i++)
		if (object == &endpoints[i]->object || (thread->calling !=
		    NULL && thread->calling->endpoint == endpoints[i]))
			known = endpoints[i];
	if (known != NULL || places[actor - actors] != 0)
		return;
	if (thread->state == THREAD_BLOCKED_REPLY) {
		look_at_endpoint(thread->calling->endpoint);
		return;
	}
	if (thread->state == THREAD_BLOCKED_CALL)
		MUST(thread->utcb->kick_pending == 0);
	if (object != NULL && object->type == OBJ_ENDPOINT)
		look_at_endpoint((struct endpoint *)object);
	else if (object != NULL && object->type == OBJ_NOTIFICATION)
		look_at_notification((struct notification *)object);
}

static void
look_at_all(void)
{
	memset(places, 0, sizeof(places));
	for (unsigned i = 0; i < CPUS; i++)
		look_at_cpu(&cpu_table[i]);
	for (unsigned i = 0; i < SERVERS; i++)
		look_at_endpoint(endpoints[i]);
	for (unsigned i = 0; i < ACTORS; i++)
		if (actors[i].thread != NULL &&
		    actors[i].thread->state != THREAD_DEAD)
			look_where_it_waits(&actors[i]);
	for (unsigned i = 0; i < ACTORS; i++) {
		struct thread *thread = actors[i].thread;
		if (thread == NULL)
			continue;
		unsigned expected = thread->state == THREAD_DEAD ? 0 : 1;
		if (places[i] != expected)
			fprintf(stderr, "# actor %u state %u\n", i,
			    thread->state);
		MUST_EQ(places[i], expected);
		MUST(expected == 0 || thread->on_cpu == NULL ||
		    thread->state == THREAD_RUNNING);
	}
	MUST(table_ok(table));
	MUST(table_ok(wild_table));
}

/* Waits until all CPUs stand, looks, and lets them go on. */
static void
look_once(void)
{
	uint64_t patience = now_ns() + PATIENCE_NS;
	bool looked = false;

	__atomic_store_n(&stopping, true, __ATOMIC_SEQ_CST);
	while (!looked) {
		pthread_mutex_lock(&standing_lock);
		if (standing == CPUS) {
			look_at_all();
			looked = true;
			__atomic_store_n(&stopping, false, __ATOMIC_SEQ_CST);
		}
		pthread_mutex_unlock(&standing_lock);
		MUST(now_ns() < patience);
		sched_yield();
	}
}

static void
look_around(void)
{
	uint64_t until = now_ns() + RUN_NS;
	struct timespec pause = { .tv_nsec = (long)STOP_NS };

	while (now_ns() < until) {
		nanosleep(&pause, NULL);
		look_once();
	}
	__atomic_store_n(&ending, true, __ATOMIC_RELEASE);
}

TEST(test_several_cpus_keep_every_thread_in_one_place)
{
	pthread_t threads[CPUS];

	host_machine.idle = on_idle;
	host_machine.clock_ns = 1000000;
	for (unsigned i = 0; i < CPUS; i++) {
		cpu_table[i].arch.timer_deadline_ns = DEADLINE_NEVER;
		sched_init_cpu(&cpu_table[i], i);
	}
	make_world();
	make_actors();
	for (unsigned i = 0; i < CPUS; i++)
		pthread_create(&threads[i], NULL, cpu_loop,
		    (void *)(uintptr_t)i);
	look_around();
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(threads[i], NULL);
	printf("# answered %lu interrupted %lu killed %lu kicked %lu moved %lu "
	    "timeouts %lu woken %lu wild %lu died %lu restarted %lu\n",
	    totals.answered, totals.interrupted, totals.killed, totals.kicked,
	    totals.moved, totals.timeouts, totals.woken, totals.wild,
	    totals.died, totals.restarted);
	EXPECT(totals.answered > 1000);
	EXPECT(totals.interrupted > 10);
	EXPECT(totals.died > 100);
	EXPECT(totals.timeouts > 10);
	EXPECT(totals.woken > 100);
}

/* A thread that a table names keeps that table: someone has to clear it. */
static void
clear(struct table *which)
{
	uint64_t index = 0;

	while (table_clear(which, 0, &index) == ERR_RETRY)
		;
	object_release(&which->object);
}

TEST(test_nothing_is_left_behind)
{
	clear(table);
	clear(wild_table);
	object_release(&vspace->object);
	while (object_reap_step())
		;
	for (unsigned type = 1; type < OBJ_TYPE_COUNT; type++)
		EXPECT_EQ(object_live(type), 0);
	EXPECT_EQ(slots_used, 0);
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(root_container.objects_used, 0);
}

TEST_MAIN(host_boot(RAM, CPUS))
