/* SPDX-License-Identifier: MIT */
/* System calls on threads. */
#include <kernel/core/ipc.h>
#include <kernel/core/sched.h>
#include <kernel/core/string.h>
#include <kernel/core/syscall.h>
#include <kernel/object/thread_calls.h>

status_t
call_thread_setup(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct table *table;
	struct vspace *vspace;
	struct memory *utcb;
	struct death *death = NULL;
	struct thread_setup setup;
	status_t status = call_find_table(thread, f->rsi, &table);

	memcpy(&setup, thread->utcb->data, sizeof(setup));
	if (status == OK)
		status = call_find(thread, f->rdx, OBJ_VSPACE, RIGHT_MANAGE, &vspace);
	if (status == OK)
		status = call_find(thread, f->r10, OBJ_MEMORY, RIGHT_WRITE, &utcb);
	if (status == OK && setup.death != CAP_NONE)
		status = call_find(thread, setup.death, OBJ_DEATH, RIGHT_WRITE,
		    &death);
	if (status != OK)
		return status;
	/* Nobody hands out a class above the one it has been given itself. */
	if ((setup.schedule & 0xff) > thread->highest_class)
		return ERR_RIGHT;
	return thread_setup(object, table, vspace, utcb, death, &setup);
}

/*
 * Registers may be read and written only while the thread cannot run: one that
 * waits for a CPU is taken off its queue meanwhile, which looks like a thread
 * that was not started. Nobody starts or kills it, because that takes the lock.
 */
static bool
hold_still(struct thread *target)
{
	lock_acquire(&target->lock);
	return sched_dequeue(target);
}

static void
let_go(struct thread *target, bool was_ready)
{
	if (was_ready)
		thread_make_ready(target);
	lock_release(&target->lock);
}

static bool
registers_at_rest(const struct thread *target)
{
	uint32_t state = __atomic_load_n(&target->state, __ATOMIC_ACQUIRE);

	return target->table != NULL && state != THREAD_RUNNING &&
	    state != THREAD_READY &&
	    __atomic_load_n(&target->on_cpu, __ATOMIC_ACQUIRE) == NULL;
}

status_t
call_thread_write(struct thread *thread, void *object)
{
	struct thread *target = object;
	bool was_ready = hold_still(target);
	status_t status = ERR_STATE;

	/* It must not start before the registers are made safe. */
	if (target->state == THREAD_STOPPED && registers_at_rest(target)) {
		memcpy(&target->frame, thread->utcb->data,
		    sizeof(target->frame));
		arch_frame_sanitize(target);
		status = OK;
	}
	let_go(target, was_ready);
	return status;
}

status_t
call_thread_read(struct thread *thread, void *object)
{
	struct thread *target = object;
	bool was_ready = hold_still(target);
	status_t status = ERR_STATE;

	if (registers_at_rest(target)) {
		arch_thread_get_bases(target);
		memcpy(thread->utcb->data, &target->frame,
		    sizeof(target->frame));
		status = OK;
	}
	let_go(target, was_ready);
	return status;
}

status_t
call_thread_start(struct thread *thread, void *object)
{
	return thread_start(object);
}

status_t
call_thread_kill(struct thread *thread, void *object)
{
	return thread_kill(object);
}

status_t
call_thread_kick(struct thread *thread, void *object)
{
	thread_kick(object);
	return OK;
}

status_t
call_thread_resume(struct thread *thread, void *none)
{
	memcpy(&thread->frame, &thread->utcb->frame, sizeof(thread->frame));
	thread->utcb->in_upcall = 0;
	thread->arch.frame_full = 1;
	arch_frame_sanitize(thread);
	/* A kick that came while the upcall ran is due now. */
	if (thread->utcb->kick_pending != 0) {
		thread->kick_pending = true;
		sched_need_exit_work(this_cpu());
	}
	return STATUS_DONE;
}

status_t
call_thread_exit(struct thread *thread, void *none)
{
	uint64_t cause = thread->frame.rdi;

	if (cause != DEATH_PANIC)
		cause = DEATH_EXIT;
	thread_die(thread, cause, thread->frame.rsi);
	return STATUS_DONE;
}

status_t
call_thread_yield(struct thread *thread, void *none)
{
	thread->frame.rax = OK;
	sched_yield_current(this_cpu());
	return STATUS_DONE;
}

status_t
call_thread_alive(struct thread *thread, void *none)
{
	thread->frame.rdi = thread_is_alive(thread->frame.rdi);
	return OK;
}

status_t
call_thread_schedule(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct thread *target = object;
	uint8_t class = (uint8_t)f->rsi;

	if (class >= CLASS_COUNT)
		return ERR_RANGE;
	if (class > thread->highest_class)
		return ERR_RIGHT;
	if (f->rdx != 0 && (f->rdx & cpu_online_mask) == 0)
		return ERR_ARG;
	/* What it took from itself it may take back. */
	if (target != thread)
		target->highest_class = class;
	sched_change(target, class, (unsigned)(f->rsi >> 8 & 0xffff), f->rdx);
	return OK;
}

/* States of the kernel as the outside sees them. */
static unsigned
state_seen(uint32_t state)
{
	if (state == THREAD_DEAD)
		return STATE_DEAD;
	return state < THREAD_BLOCKED_CALL ? state : STATE_BLOCKED;
}

status_t
call_thread_info(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	struct thread *target = thread;
	status_t status = f->rdi == 0 ? OK : call_find(thread, f->rdi,
	    OBJ_THREAD, RIGHT_READ, &target);

	if (status != OK)
		return status;
	const struct cpu *cpu = target->cpu;
	f->rdi = sched_runtime(target);
	f->rsi = state_seen(target->state) | target->base_class << 8 |
	    (cpu != NULL ? (uint64_t)cpu->index << 16 : 0);
	f->rdx = target->affinity;
	return OK;
}
