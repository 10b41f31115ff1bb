/* SPDX-License-Identifier: MIT */
/*
 * Threads: setup, start, kill, kick, upcalls, death.
 *
 * A thread dies on the CPU that owns it at that moment: its own if it runs, the
 * killer's once it was taken off the queue or object it waited in. So
 * thread_die() never races with the thread's own kernel entry.
 */
#include <kernel/object/thread.h>

#include <kernel/core/frame.h>
#include <kernel/core/log.h>
#include <kernel/core/panic.h>
#include <kernel/core/sched.h>
#include <kernel/object/death.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/memory.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/timer.h>
#include <kernel/object/vspace.h>

#define PAGE_FAULT_VECTOR	14u

struct thread *init_thread;

#define BUCKETS 256u

static struct lock thread_table_lock;
static struct list thread_table[BUCKETS];

static struct list *
bucket(uint64_t id)
{
	struct list *head = &thread_table[id % BUCKETS];

	if (head->next == NULL)
		list_init(head);
	return head;
}

bool
thread_is_alive(uint64_t id)
{
	bool alive = false;

	lock_acquire(&thread_table_lock);
	struct list *head = bucket(id);
	for (struct list *n = head->next; n != head; n = n->next) {
		struct thread *thread = LIST_ENTRY(n, struct thread, by_id);
		if (thread->object.id == id)
			alive = thread->state != THREAD_DEAD &&
			    !thread->kill_pending;
	}
	lock_release(&thread_table_lock);
	return alive;
}

struct thread *
thread_from_object(struct object *object)
{
	return LIST_ENTRY(object, struct thread, object);
}

status_t
thread_create(struct container *container, struct thread **out_thread)
{
	status_t status;
	struct object *object = object_alloc(OBJ_THREAD, container, &status);

	if (object == NULL)
		return status;
	struct thread *thread = thread_from_object(object);
	list_init(&thread->link);
	list_init(&thread->by_id);
	thread->affinity = ~0ul;
	thread->highest_class = CLASS_NORMAL;
	thread->base_class = thread->class = CLASS_NORMAL;
	thread->base_weight = thread->weight = WEIGHT_DEFAULT;
	status = arch_thread_init(thread);
	if (status != OK) {
		object_release(object);
		return status;
	}
	lock_acquire(&thread_table_lock);
	list_append(bucket(object->id), &thread->by_id);
	lock_release(&thread_table_lock);
	*out_thread = thread;
	return OK;
}

static status_t
setup_check(const struct thread_setup *setup)
{
	if ((setup->schedule & 0xff) >= CLASS_COUNT)
		return ERR_RANGE;
	if ((setup->flags & ~(uint64_t)(THREAD_NO_FPU | THREAD_REDIRECT |
	    THREAD_USES_PKRU)) != 0)
		return ERR_ARG;
	if ((setup->flags & THREAD_REDIRECT) == 0)
		return OK;
	if (setup->native_low >= setup->native_high ||
	    setup->native_high > USER_HIGH ||
	    setup->redirect_entry >= USER_HIGH ||
	    setup->upcall_entry >= USER_HIGH ||
	    setup->window_low > setup->window_high)
		return ERR_RANGE;
	return OK;
}

status_t
thread_setup(struct thread *thread, struct table *table, struct vspace *vspace,
    struct memory *utcb, struct death *death, const struct thread_setup *setup)
{
	status_t status = setup_check(setup);

	if (status != OK)
		return status;
	if ((utcb->flags & MEMORY_CONTIGUOUS) == 0)
		return ERR_ARG;
	lock_acquire(&thread->lock);
	if (thread->state != THREAD_STOPPED || thread->table != NULL) {
		lock_release(&thread->lock);
		return ERR_STATE;
	}
	object_reference(&table->object);
	object_reference(&vspace->object);
	object_reference(&utcb->object);
	if (death != NULL)
		object_reference(&death->object);
	thread->table = table;
	thread->vspace = vspace;
	thread->utcb_memory = utcb;
	thread->death = death;
	thread->utcb = arch_frame_pointer(utcb->base);
	thread->utcb->thread_id = thread->object.id;
	thread->flags = (uint32_t)setup->flags;
	thread->request_budget_ns = setup->request_budget_ns;
	thread->upcall_entry = setup->upcall_entry;
	thread->window_low = setup->window_low;
	thread->window_high = setup->window_high;
	thread->affinity = setup->affinity != 0 ? setup->affinity : ~0ul;
	thread->highest_class = (uint32_t)(setup->schedule & 0xff);
	sched_set(thread, thread->highest_class,
	    (unsigned)(setup->schedule >> 8));
	arch_thread_set_personality(thread, setup);
	lock_release(&thread->lock);
	return OK;
}

status_t
thread_start(struct thread *thread)
{
	status_t status = OK;

	lock_acquire(&thread->lock);
	if (thread->state != THREAD_STOPPED || thread->table == NULL ||
	    thread->kill_pending)
		status = ERR_STATE;
	else if ((thread->affinity & cpu_online_mask) == 0)
		status = ERR_ARG;
	if (status == OK) {
		object_reference(&thread->object);	/* of the running thread */
		thread_make_ready(thread);
	}
	lock_release(&thread->lock);
	return status;
}

void
thread_make_ready(struct thread *thread)
{
	__atomic_store_n(&thread->state, THREAD_READY, __ATOMIC_RELEASE);
	sched_enqueue(thread);
}

void
thread_die(struct thread *thread, uint64_t cause, uint64_t code)
{
	struct cpu *cpu = this_cpu();
	bool current = cpu->current == thread;

	if (thread == init_thread)
		kernel_panic("init died: cause %lu code %lu rip 0x%lx address 0x%lx",
		    cause, code, thread->frame.rip, thread->frame.address);
	__atomic_store_n(&thread->kill_pending, true, __ATOMIC_RELEASE);
	timer_node_stop(&thread->timeout);
	if (thread->death != NULL) {
		arch_thread_get_bases(thread);
		death_record(thread->death, thread, cause, code);
	}
	notification_unbind(thread);
	if (current)
		sched_block_current(cpu);
	__atomic_store_n(&thread->state, THREAD_DEAD, __ATOMIC_RELEASE);
	sched_forget(thread);
	/*
	 * The reference of the running thread. If this CPU still has it loaded,
	 * the object outlives the grace period that starts now: the CPU cannot
	 * leave the kernel before it has switched away.
	 */
	object_release(&thread->object);
}

/* Takes a thread that does not run off whatever it waits in. */
static bool
take_off(struct thread *thread)
{
	switch (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE)) {
	case THREAD_READY:
		return sched_dequeue(thread);
	case THREAD_BLOCKED_CALL:
	case THREAD_BLOCKED_REPLY:
	case THREAD_BLOCKED_RECEIVE:
		return ipc_unblock(thread);
	case THREAD_BLOCKED_NOTIFY:
		return notification_unblock(thread);
	default:
		return false;
	}
}

/* From here on it cannot be started; if it never was, it is dead. */
static void
condemn(struct thread *thread)
{
	lock_acquire(&thread->lock);
	if (!thread->kill_pending && thread->state == THREAD_STOPPED)
		thread->state = THREAD_DEAD;
	__atomic_store_n(&thread->kill_pending, true, __ATOMIC_RELEASE);
	lock_release(&thread->lock);
}

/*
 * On return the thread will never run again, unless the caller itself is being
 * killed: then its own death comes first (ERR_RETRY, never seen by anyone).
 */
status_t
thread_kill(struct thread *thread)
{
	struct thread *self = this_cpu()->current;

	if (thread == self) {
		thread_die(thread, DEATH_KILLED, 0);
		return STATUS_DONE;
	}
	condemn(thread);
	/*
	 * Every killer does all of it, since one that is killed itself gives up
	 * half way. Only one of them can take the thread off what it is on.
	 */
	while (__atomic_load_n(&thread->state, __ATOMIC_ACQUIRE) != THREAD_DEAD ||
	    __atomic_load_n(&thread->on_cpu, __ATOMIC_ACQUIRE) != NULL) {
		if (take_off(thread)) {
			thread_die(thread, DEATH_KILLED, 0);
			continue;
		}
		if (thread->state == THREAD_RUNNING)
			arch_ipi_resched(thread->cpu->index);
		if (self->kill_pending)
			return ERR_RETRY;
		arch_spin_relax();
	}
	return OK;
}

/* Loads the upcall entry with the interrupted state in the UTCB. */
static bool
enter_upcall(struct thread *thread, uint64_t vector, uint64_t error,
    uint64_t address)
{
	struct utcb *utcb = thread->utcb;

	if ((thread->flags & THREAD_REDIRECT) == 0 || utcb->in_upcall != 0)
		return false;
	arch_thread_get_bases(thread);
	utcb->frame = thread->frame;
	utcb->frame.vector = vector;
	utcb->frame.error = error;
	utcb->frame.address = address;
	utcb->in_upcall = 1;
	thread->frame.rip = thread->upcall_entry;
	arch_frame_sanitize(thread);
	return true;
}

static bool
in_libos(const struct thread *thread)
{
	return thread->frame.rip >= thread->arch.native_low &&
	    thread->frame.rip < thread->arch.native_high;
}

/* Own CPU, before user mode: turns a kick into an upcall or a flag. */
void
thread_take_kick(struct thread *thread)
{
	struct utcb *utcb = thread->utcb;

	__atomic_store_n(&thread->kick_pending, false, __ATOMIC_RELEASE);
	if ((thread->flags & THREAD_REDIRECT) == 0)
		return;
	if (in_libos(thread) || utcb->in_upcall != 0) {
		utcb->kick_pending = 1;
		if (thread->frame.rip >= thread->window_low &&
		    thread->frame.rip < thread->window_high)
			thread->frame.rip = thread->window_low;
		return;
	}
	enter_upcall(thread, UPCALL_KICK, 0, 0);
}

/*
 * A kick reaches the thread wherever it is: the flag in the UTCB ends the next
 * wait, a wait that has begun is cancelled here, and a running thread looks at
 * its flag on the way to user mode.
 */
void
thread_kick(struct thread *thread)
{
	if (thread->utcb == NULL || thread->state == THREAD_DEAD)
		return;
	__atomic_store_n(&thread->utcb->kick_pending, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&thread->kick_pending, true, __ATOMIC_SEQ_CST);
	switch (__atomic_load_n(&thread->state, __ATOMIC_SEQ_CST)) {
	case THREAD_BLOCKED_CALL:
	case THREAD_BLOCKED_REPLY:
		ipc_cancel(thread);
		break;
	case THREAD_BLOCKED_NOTIFY:
		if (notification_unblock(thread)) {
			thread->frame.rax = ERR_INTERRUPTED;
			thread_make_ready(thread);
		}
		break;
	case THREAD_RUNNING:
		if (thread == this_cpu()->current)
			sched_need_exit_work(this_cpu());
		else
			arch_ipi_resched(thread->cpu->index);
		break;
	default:
		break;
	}
}

void
exception_entry(struct thread *thread, unsigned vector, uint64_t error,
    uint64_t address)
{
	thread->frame.vector = vector;
	thread->frame.error = error;
	thread->frame.address = address;
	if (!enter_upcall(thread, vector, error, address))
		thread_die(thread, DEATH_EXCEPTION, vector);
}

void
page_fault_entry(struct thread *thread, vaddr_t address, unsigned access,
    uint64_t error)
{
	status_t status = vspace_fault(thread->vspace, address, access);

	if (status == OK)
		return;
	if (status == ERR_FAULT)
		exception_entry(thread, PAGE_FAULT_VECTOR, error, address);
	else
		thread_die(thread, DEATH_LIMIT, status);
}

bool
thread_destroy(struct object *object)
{
	struct thread *thread = thread_from_object(object);

	lock_acquire(&thread_table_lock);
	list_remove(&thread->by_id);
	lock_release(&thread_table_lock);
	notification_unbind(thread);	/* bound, but never ran */
	arch_thread_destroy(thread);
	if (thread->table != NULL) {
		object_release(&thread->table->object);
		object_release(&thread->vspace->object);
		object_release(&thread->utcb_memory->object);
	}
	if (thread->death != NULL)
		object_release(&thread->death->object);
	return true;
}
