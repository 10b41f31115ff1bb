/* SPDX-License-Identifier: MIT */
/*
 * What the tests of single system calls share: threads that the test moves by
 * hand, one call at a time. Each thread is pinned to a CPU, and the test acts
 * as that CPU while the thread is in the kernel. Two threads on one CPU take
 * the fast path of IPC, two on different CPUs never do. One file includes it.
 */
#pragma once

#include <kernel/arch/host/host.h>
#include <kernel/core/ipc.h>
#include <kernel/core/sched.h>
#include <kernel/object/container.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/vspace.h>
#include <lib/test/ktap.h>

#include <abi/syscall.h>
#include <setjmp.h>
#include <string.h>

#define RAM	(32ul << 20)
#ifndef CPUS
#define CPUS	2u
#endif

static jmp_buf idle_jump;
static struct table *table;
static struct endpoint *endpoint;
static struct thread *client, *server;
static cap_t endpoint_cap, reply_cap;

static void
on_idle(void)
{
	longjmp(idle_jump, 1);
}

/* What the entry stub does at its end; the CPU may be idle afterwards. */
static void
leave_kernel(void)
{
	if (setjmp(idle_jump) == 0)
		kernel_exit();
}

static void
reap_all(void)
{
	while (object_reap_step())
		;
}

static __attribute__((unused)) cap_t
add_cap(struct object *object, unsigned type)
{
	cap_t cap = CAP_NONE;

	EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT, object, type, &cap), OK);
	return cap;
}

/* A copy with these rights; trust stays as it is. */
static __attribute__((unused)) cap_t
narrowed(cap_t cap, unsigned rights)
{
	cap_t copy = CAP_NONE;

	EXPECT_EQ(table_copy(table, cap, table, CAP_ANY_SLOT, rights, TRUST_MAX,
	    0, &copy), OK);
	return copy;
}

/* Starts a thread with an address space of its own. */
static struct thread *
start_thread(unsigned cpu, unsigned class)
{
	struct thread_setup setup = { .flags = THREAD_NO_FPU,
	    .schedule = class | WEIGHT_DEFAULT << 8,
	    .affinity = 1ul << cpu };
	struct thread *thread = NULL;
	struct vspace *vspace = NULL;
	struct memory *utcb = NULL;

	EXPECT_EQ(vspace_create(&root_container, &vspace), OK);
	EXPECT_EQ(memory_create(&root_container, PAGE_SIZE, MEMORY_CONTIGUOUS,
	    0, &utcb), OK);
	EXPECT_EQ(thread_create(&root_container, &thread), OK);
	EXPECT_EQ(thread_setup(thread, table, vspace, utcb, NULL, &setup), OK);
	object_release(&vspace->object);
	object_release(&utcb->object);
	host_become_cpu(cpu);
	EXPECT_EQ(thread_start(thread), OK);
	return thread;
}

/* The same; it is current then. */
static struct thread *
make_thread(unsigned cpu)
{
	struct thread *thread = start_thread(cpu, CLASS_NORMAL);

	leave_kernel();
	return thread;
}

/* One call of a current thread, as the entry stub does it. */
static status_t
enter(struct thread *thread, uint64_t number)
{
	host_become_cpu(thread->cpu->index);
	EXPECT(this_cpu()->current == thread);
	thread->frame.rax = -number;
	if (number == SYS_CALL)
		ipc_call_fast(thread);
	else if (number == SYS_REPLY_WAIT)
		ipc_reply_wait_fast(thread);
	else
		syscall_entry(thread);
	if (this_cpu()->arch.exit_work)
		leave_kernel();
	return thread->frame.rax;
}

static __attribute__((unused)) status_t
call(struct thread *thread, cap_t target, uint64_t transfer, uint64_t word)
{
	thread->frame.rdi = target;
	thread->frame.rsi = transfer;
	thread->frame.rdx = word;
	return enter(thread, SYS_CALL);
}

/* Waits for a call; answers the one in `answered` before, if it is not 0. */
static __attribute__((unused)) status_t
reply_wait(struct thread *thread, cap_t answered, cap_t from, cap_t next)
{
	thread->frame.rdi = answered;
	thread->frame.rsi = from;
	thread->frame.r15 = next;
	return enter(thread, SYS_REPLY_WAIT);
}

/* A client and a server on these CPUs; the server has one reply object. */
static void
begin(unsigned client_cpu, unsigned server_cpu)
{
	struct reply *reply = NULL;

	host_machine.idle = on_idle;
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		cpu_table[cpu].ipc_fast = 0;
	EXPECT_EQ(table_create(&root_container, 256, &table), OK);
	EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
	endpoint_cap = add_cap(&endpoint->object, OBJ_ENDPOINT);
	EXPECT_EQ(reply_create(&root_container, 0, NULL, &reply), OK);
	reply_cap = add_cap(&reply->object, OBJ_REPLY);
	object_release(&reply->object);
	server = make_thread(server_cpu);
	if (client_cpu == server_cpu) {
		/* One CPU: the server must be out of the way. */
		reply_wait(server, CAP_NONE, endpoint_cap, reply_cap);
		EXPECT_EQ(server->state, THREAD_BLOCKED_RECEIVE);
	}
	client = make_thread(client_cpu);
}

static void
end_thread(struct thread *thread)
{
	host_become_cpu(thread->cpu->index);
	thread_kill(thread);
	leave_kernel();
	object_release(&thread->object);
}

/* The leak check of every test. */
static void
end(void)
{
	end_thread(client);
	end_thread(server);
	object_release(&endpoint->object);
	object_release(&table->object);
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		host_become_cpu(cpu);
		leave_kernel();
	}
	host_become_cpu(0);
	reap_all();
	EXPECT_EQ(slots_used, 0);
	EXPECT_EQ(root_container.objects_used, 0);
	EXPECT_EQ(root_container.frames_used, 0);
}

static int
setup(void)
{
	host_boot(RAM, CPUS);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		sched_init_cpu(&cpu_table[cpu], cpu);
	return 0;
}
