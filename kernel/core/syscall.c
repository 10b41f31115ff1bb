/* SPDX-License-Identifier: MIT */
/*
 * System call dispatch and the calls that are not IPC: they find their objects,
 * check rights, and hand on to kernel/object.
 *
 * A handler returns a status, or STATUS_DONE when it has set the result
 * registers itself or the thread is blocked. ERR_RETRY from a preemptible
 * operation restarts the call from its (updated) argument registers, so that
 * interrupts get their turn in between.
 */
#include <kernel/core/frame.h>
#include <kernel/core/ipc.h>
#include <kernel/core/log.h>
#include <kernel/core/panic.h>
#include <kernel/core/sched.h>
#include <kernel/core/string.h>
#include <kernel/core/syscall.h>
#include <kernel/object/container.h>
#include <kernel/object/death.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/ioport.h>
#include <kernel/object/irq.h>
#include <kernel/object/memory.h>
#include <kernel/object/thread_calls.h>
#include <kernel/object/timer.h>
#include <kernel/object/vspace.h>

#include <abi/syscall.h>

#define SYSCALL_LENGTH	2u	/* bytes of the SYSCALL instruction */

_Static_assert(sizeof(((struct utcb *)0)->data) >= sizeof(struct death_info),
    "results fit the UTCB");

uint64_t boot_user_tsc;

/* Keeps the object of a lookup alive until the call is over. */
static status_t
hold(struct object *object)
{
	struct cpu *cpu = this_cpu();

	KERNEL_ASSERT(cpu->held_count < sizeof(cpu->held) / sizeof(cpu->held[0]));
	if (!object_try_reference(object))
		return ERR_HANDLE;
	cpu->held[cpu->held_count++] = object;
	return OK;
}

static void
release_held(struct cpu *cpu)
{
	while (cpu->held_count > 0)
		object_release(cpu->held[--cpu->held_count]);
}

status_t
call_lookup(struct thread *thread, cap_t handle, struct cap *out_cap)
{
	status_t status = table_lookup(thread->table, handle, out_cap);

	return status == OK ? hold(out_cap->object) : status;
}

status_t
call_find(struct thread *thread, cap_t handle, unsigned type, unsigned rights,
    void *out_object)
{
	struct cap cap;
	status_t status = table_find(thread->table, handle, type, rights, &cap);

	if (status == OK)
		status = hold(cap.object);
	if (status == OK && type == OBJ_THREAD)
		*(void **)out_object = thread_from_object(cap.object);
	else if (status == OK)
		*(void **)out_object = cap.object;
	return status;
}

status_t
call_find_table(struct thread *thread, cap_t handle, struct table **out_table)
{
	if (handle != 0)
		return call_find(thread, handle, OBJ_TABLE, RIGHT_MANAGE, out_table);
	*out_table = thread->table;
	return OK;
}

static status_t
call_notify_signal(struct thread *thread, void *object)
{
	notification_signal(object, thread->frame.rsi);
	return OK;
}

static status_t
call_notify_wait(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;

	return f->rsi > WAIT_POLL ? ERR_ARG : notification_wait(thread, object,
	    (unsigned)f->rsi, f->rdx, f->r10);
}

static status_t
call_notify_bind(struct thread *thread, void *object)
{
	struct thread *target;
	status_t status = call_find(thread, thread->frame.rsi,
	    OBJ_THREAD, RIGHT_MANAGE, &target);

	return status == OK ? notification_bind(object, target) : status;
}

static status_t
call_event_next(struct thread *thread, void *object)
{
	return notification_next_event(object, &thread->frame.rdi,
	    &thread->frame.rsi);
}

static status_t
call_event_rearm(struct thread *thread, void *object)
{
	notification_rearm(object);
	return OK;
}

static status_t
bind_pair_end(struct eventpair *pair, unsigned end, struct notification *n,
    const struct user_frame *f)
{
	lock_acquire(&derivation_lock);
	status_t status = event_bind(&pair->event[end], n, f->rdx, f->r10);
	bool gone = pair->gone[1 - end];
	lock_release(&derivation_lock);
	if (status == OK && gone)
		event_fire(&pair->event[end]);
	return status;
}

static status_t
call_event_bind(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	struct notification *n;
	struct cap cap;
	status_t status = call_lookup(thread, f->rdi, &cap);

	if (status == OK)
		status = call_find(thread, f->rsi, OBJ_NOTIFICATION, RIGHT_WRITE, &n);
	if (status != OK)
		return status;
	if ((META_RIGHTS(cap.meta) & RIGHT_READ) == 0)
		return ERR_RIGHT;
	switch (META_TYPE(cap.meta)) {
	case OBJ_EVENTPAIR_A:
	case OBJ_EVENTPAIR_B:
		return bind_pair_end((struct eventpair *)cap.object,
		    META_TYPE(cap.meta) == OBJ_EVENTPAIR_B, n, f);
	case OBJ_DEATH:
		return event_bind(&((struct death *)cap.object)->event, n,
		    f->rdx, f->r10);
	default:
		return ERR_TYPE;
	}
}

static status_t
call_eventpair_query(struct thread *thread, void *none)
{
	struct cap cap;
	status_t status = call_lookup(thread, thread->frame.rdi, &cap);

	if (status != OK)
		return status;
	unsigned type = META_TYPE(cap.meta);
	if (type != OBJ_EVENTPAIR_A && type != OBJ_EVENTPAIR_B)
		return ERR_TYPE;
	const struct eventpair *pair = (const struct eventpair *)cap.object;
	thread->frame.rdi = pair->gone[type == OBJ_EVENTPAIR_A ? 1 : 0];
	return OK;
}

static status_t
call_cap_copy(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	struct table *destination;
	status_t status = call_find_table(thread, f->rsi, &destination);

	if (status != OK)
		return status;
	return table_copy(thread->table, f->rdi, destination, f->rdx,
	    (unsigned)(f->r10 & 0xff), (unsigned)(f->r10 >> 16 & 0xf), f->r8,
	    &f->rdi);
}

static status_t
call_cap_delete(struct thread *thread, void *none)
{
	struct table *table;
	status_t status = call_find_table(thread, thread->frame.rdi, &table);

	return status == OK ? table_delete(table, thread->frame.rsi) : status;
}

static status_t
call_cap_revoke(struct thread *thread, void *none)
{
	return table_revoke(thread->table, thread->frame.rdi);
}

static status_t
call_cap_info(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	struct table *table;
	struct cap cap;
	status_t status = call_find_table(thread, f->rdi, &table);

	if (status == OK)
		status = table_lookup(table, f->rsi, &cap);
	if (status == OK)
		status = hold(cap.object);
	if (status != OK)
		return status;
	unsigned type = META_TYPE(cap.meta);
	f->rdi = type | META_RIGHTS(cap.meta) << 8 |
	    (uint64_t)META_TRUST(cap.meta) << 16;
	f->rsi = type == OBJ_EVENTPAIR_A || type == OBJ_EVENTPAIR_B ?
	    ((const struct eventpair *)cap.object)->badge : cap.badge;
	f->rdx = cap.object->id;
	return OK;
}

static status_t
call_table_next(struct thread *thread, void *none)
{
	struct table *table;
	status_t status = call_find_table(thread, thread->frame.rdi, &table);

	return status == OK ? table_next(table, thread->frame.rsi,
	    &thread->frame.rdi) : status;
}

static status_t
call_table_clone(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	struct table *source, *destination;
	status_t status = call_find_table(thread, f->rdi, &source);

	if (status == OK)
		status = call_find_table(thread, f->rsi, &destination);
	return status == OK ? table_clone(source, destination, &f->rdx) : status;
}

static status_t
call_table_clear(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	struct table *table;
	status_t status = call_find_table(thread, f->rdi, &table);

	/* Progress is kept in the first-index argument itself. */
	return status == OK ? table_clear(table, f->rsi, &f->rsi) : status;
}

static status_t
call_death_read(struct thread *thread, void *object)
{
	death_read(object, thread->frame.rsi == 0,
	    (struct death_info *)thread->utcb->data);
	return OK;
}

static status_t
call_irq_ack(struct thread *thread, void *object)
{
	irq_acknowledge(object);
	return OK;
}

static status_t
call_timer_set(struct thread *thread, void *object)
{
	timer_set(object, thread->frame.rsi);
	return OK;
}

static status_t
call_ioport_in(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	unsigned port;
	status_t status = ioport_check(object, f->rsi, f->rdx, &port);

	if (status == OK)
		f->rdi = arch_port_in(port, (unsigned)f->rdx);
	return status;
}

static status_t
call_ioport_out(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	unsigned port;
	status_t status = ioport_check(object, f->rsi, f->rdx, &port);

	if (status == OK)
		arch_port_out(port, (unsigned)f->rdx, f->r10);
	return status;
}

static status_t
call_ioport_out_bytes(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	unsigned port;
	status_t status = f->rdx > 64 ? ERR_RANGE :
	    ioport_check(object, f->rsi, 1, &port);

	if (status == OK)
		arch_port_out_bytes(port, thread->utcb->data, f->rdx);
	return status;
}

static status_t
call_clock_read(struct thread *thread, void *none)
{
	thread->frame.rdi = arch_clock_now();
	thread->frame.rsi = arch_tsc();
	return OK;
}

static status_t
call_log_write(struct thread *thread, void *none)
{
	char line[LOG_LINE_MAX];
	uint64_t length = thread->frame.rdi;

	if (length >= sizeof(line))
		return ERR_RANGE;
	memcpy(line, thread->utcb->data, length);
	/* The host takes such a line for the kernel's last words. */
	if (length >= 6 && memcmp(line, "panic:", 6) == 0)
		return ERR_ARG;
	for (uint64_t i = 0; i + 1 < length; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	log_bytes(line, length);
	return OK;
}

static status_t
call_log_read(struct thread *thread, void *none)
{
	struct user_frame *f = &thread->frame;
	size_t length = 0;

	f->rdi = log_read(f->rsi, (char *)thread->utcb->data,
	    sizeof(thread->utcb->data), &length);
	f->rsi = length;
	return OK;
}

static status_t
call_container_info(struct thread *thread, void *object)
{
	container_get_info(object, (struct container_info *)thread->utcb->data);
	return OK;
}

/* The limits are the parent's to set: R10 names it. */
static status_t
call_container_limit(struct thread *thread, void *object)
{
	struct user_frame *f = &thread->frame;
	struct container *parent;
	status_t status = call_find(thread, f->r10, OBJ_CONTAINER, RIGHT_MANAGE,
	    &parent);

	if (status == OK && ((struct container *)object)->parent != parent)
		status = ERR_ARG;
	return status == OK ? container_set_limits(object, f->rsi, f->rdx) :
	    status;
}

/* The machine shows itself to whoever may read it, or a container in it. */
static status_t
find_observed(struct thread *thread)
{
	struct cap cap;
	status_t status = call_lookup(thread, thread->frame.rdi, &cap);

	if (status != OK)
		return status;
	if (META_TYPE(cap.meta) != OBJ_SYSTEM &&
	    META_TYPE(cap.meta) != OBJ_CONTAINER)
		return ERR_TYPE;
	return (META_RIGHTS(cap.meta) & RIGHT_READ) != 0 ? OK : ERR_RIGHT;
}

static status_t
call_system_info(struct thread *thread, void *none)
{
	struct system_info *info = (struct system_info *)thread->utcb->data;
	struct cpu *cpu = this_cpu();
	struct frame_statistics frames;
	status_t status = find_observed(thread);

	if (status != OK)
		return status;
	frame_get_statistics(&frames);
	info->frames_total = frames.total;
	info->frames_free = frames.free;
	info->frames_reserved = frames.reserved;
	for (unsigned type = 0; type < OBJ_TYPE_COUNT; type++)
		info->objects[type] = object_live(type);
	info->slots_used = slots_used;
	info->cpus = cpu_count;
	info->tsc_hz = arch_tsc_hz();
	info->cpu_features = arch_cpu_features();
	info->ledger_cr3_loads = cpu->cr3_loads;
	info->ledger_privileged_writes = cpu->privileged_writes;
	info->context_switches = cpu->context_switches;
	info->ipc_fast = cpu->ipc_fast;
	info->ipc_slow = cpu->ipc_slow;
	info->boot_user_tsc = boot_user_tsc;
	info->nodes = frame_node_count;
	memcpy(info->node, frames.node, sizeof(info->node));
	return OK;
}

static status_t
call_cpu_info(struct thread *thread, void *none)
{
	struct cpu_info *info = (struct cpu_info *)thread->utcb->data;
	status_t status = find_observed(thread);

	if (status != OK)
		return status;
	if (thread->frame.rsi >= cpu_count)
		return ERR_RANGE;
	const struct cpu *cpu = &cpu_table[thread->frame.rsi];
	info->idle_ns = sched_idle_ns(cpu);
	info->time_ns = arch_clock_now();
	info->queue_length = cpu->queue_length;
	info->context_switches = cpu->context_switches;
	info->node = cpu->node;
	memcpy(info->latency, cpu->latency, sizeof(info->latency));
	return OK;
}

static status_t
call_system_control(struct thread *thread, void *none)
{
	switch (thread->frame.rsi) {
	case SYSTEM_EXIT:
		arch_exit((unsigned)thread->frame.rdx);
	case SYSTEM_INJECT_NOMEM:
		frame_fail_nth(thread->frame.rdx);
		return OK;
	default:
		return ERR_ARG;
	}
}

static status_t
call_random(struct thread *thread, void *none)
{
	uint8_t bytes[32];

	arch_random(bytes);
	memcpy(thread->utcb->data, bytes, sizeof(bytes));
	return OK;
}

static status_t
call_endpoint_close(struct thread *thread, void *object)
{
	if (thread->frame.rsi > 1)
		return ERR_ARG;
	if (thread->frame.rsi == 0)
		endpoint_close(object);
	else
		endpoint_reopen(object);
	return OK;
}

/*
 * What RDI must name, and with which rights, before the handler is called with
 * that object; OBJ_NONE: the handler looks at RDI itself.
 */
struct call {
	status_t (*run)(struct thread *thread, void *object);
	uint8_t	 type, rights;
};

static const struct call calls[SYSCALL_COUNT] = {
	[SYS_CALL] = { ipc_call },
	[SYS_REPLY_WAIT] = { ipc_reply_wait },
	[SYS_REPLY_READ] = { ipc_reply_read, OBJ_REPLY, RIGHT_WRITE },
	[SYS_REPLY_TAKE_CAP] = { ipc_take_cap, OBJ_REPLY, RIGHT_WRITE },
	[SYS_WINDOW_COPY] = { ipc_window_copy, OBJ_REPLY, RIGHT_WRITE },
	[SYS_NOTIFY_SIGNAL] = { call_notify_signal,
	    OBJ_NOTIFICATION, RIGHT_WRITE },
	[SYS_NOTIFY_WAIT] = { call_notify_wait, OBJ_NOTIFICATION, RIGHT_READ },
	[SYS_NOTIFY_BIND] = { call_notify_bind, OBJ_NOTIFICATION, RIGHT_READ },
	[SYS_EVENT_NEXT] = { call_event_next, OBJ_NOTIFICATION, RIGHT_READ },
	[SYS_EVENT_REARM] = { call_event_rearm, OBJ_NOTIFICATION, RIGHT_READ },
	[SYS_EVENT_BIND] = { call_event_bind },
	[SYS_EVENTPAIR_QUERY] = { call_eventpair_query },
	[SYS_OBJECT_CREATE] = { call_object_create },
	[SYS_CAP_COPY] = { call_cap_copy },
	[SYS_CAP_DELETE] = { call_cap_delete },
	[SYS_CAP_REVOKE] = { call_cap_revoke },
	[SYS_CAP_INFO] = { call_cap_info },
	[SYS_TABLE_NEXT] = { call_table_next },
	[SYS_TABLE_CLONE] = { call_table_clone },
	[SYS_TABLE_CLEAR] = { call_table_clear },
	[SYS_MEMORY_CLONE] = { call_memory_clone, OBJ_MEMORY, RIGHT_READ },
	[SYS_MEMORY_INFO] = { call_memory_info, OBJ_MEMORY, 0 },
	[SYS_MEMORY_RESIZE] = { call_memory_resize,
	    OBJ_MEMORY, RIGHT_WRITE | RIGHT_MANAGE },
	[SYS_MEMORY_COPY] = { call_memory_copy, OBJ_MEMORY, RIGHT_WRITE },
	[SYS_VSPACE_MAP] = { call_vspace_map, OBJ_VSPACE, RIGHT_MANAGE },
	[SYS_VSPACE_UNMAP] = { call_vspace_unmap, OBJ_VSPACE, RIGHT_MANAGE },
	[SYS_VSPACE_PROTECT] = { call_vspace_protect,
	    OBJ_VSPACE, RIGHT_MANAGE },
	[SYS_VSPACE_CLONE] = { call_vspace_clone, OBJ_VSPACE, RIGHT_MANAGE },
	[SYS_VSPACE_COPY] = { call_vspace_copy, OBJ_VSPACE, RIGHT_MANAGE },
	[SYS_VSPACE_QUERY] = { call_vspace_query, OBJ_VSPACE, RIGHT_MANAGE },
	[SYS_THREAD_SETUP] = { call_thread_setup, OBJ_THREAD, RIGHT_MANAGE },
	[SYS_THREAD_WRITE] = { call_thread_write, OBJ_THREAD, RIGHT_MANAGE },
	[SYS_THREAD_READ] = { call_thread_read, OBJ_THREAD, RIGHT_READ },
	[SYS_THREAD_START] = { call_thread_start, OBJ_THREAD, RIGHT_MANAGE },
	[SYS_THREAD_KILL] = { call_thread_kill, OBJ_THREAD, RIGHT_MANAGE },
	[SYS_THREAD_KICK] = { call_thread_kick, OBJ_THREAD, RIGHT_MANAGE },
	[SYS_THREAD_RESUME] = { call_thread_resume },
	[SYS_THREAD_EXIT] = { call_thread_exit },
	[SYS_THREAD_YIELD] = { call_thread_yield },
	[SYS_THREAD_ALIVE] = { call_thread_alive },
	[SYS_THREAD_SCHEDULE] = { call_thread_schedule,
	    OBJ_THREAD, RIGHT_MANAGE },
	[SYS_THREAD_INFO] = { call_thread_info },
	[SYS_CPU_INFO] = { call_cpu_info },
	[SYS_DEATH_READ] = { call_death_read, OBJ_DEATH, RIGHT_READ },
	[SYS_IRQ_ACK] = { call_irq_ack, OBJ_IRQ, RIGHT_WRITE },
	[SYS_TIMER_SET] = { call_timer_set, OBJ_TIMER, RIGHT_WRITE },
	[SYS_IOPORT_IN] = { call_ioport_in, OBJ_IOPORT, RIGHT_READ },
	[SYS_IOPORT_OUT] = { call_ioport_out, OBJ_IOPORT, RIGHT_WRITE },
	[SYS_IOPORT_OUT_BYTES] = { call_ioport_out_bytes,
	    OBJ_IOPORT, RIGHT_WRITE },
	[SYS_CLOCK_READ] = { call_clock_read },
	[SYS_LOG_WRITE] = { call_log_write },
	[SYS_LOG_READ] = { call_log_read, OBJ_SYSTEM, RIGHT_READ },
	[SYS_CONTAINER_INFO] = { call_container_info,
	    OBJ_CONTAINER, RIGHT_READ },
	[SYS_CONTAINER_LIMIT] = { call_container_limit,
	    OBJ_CONTAINER, RIGHT_MANAGE },
	[SYS_SYSTEM_INFO] = { call_system_info },
	[SYS_SYSTEM_CONTROL] = { call_system_control,
	    OBJ_SYSTEM, RIGHT_MANAGE },
	[SYS_RANDOM] = { call_random, OBJ_SYSTEM, RIGHT_READ },
	[SYS_ENDPOINT_CLOSE] = { call_endpoint_close,
	    OBJ_ENDPOINT, RIGHT_MANAGE },
};

void
syscall_dispatch(struct thread *thread, unsigned number)
{
	const struct call *call = &calls[number];
	struct cpu *cpu = this_cpu();
	void *object = NULL;
	status_t status = call->type == OBJ_NONE ? OK : call_find(thread,
	    thread->frame.rdi, call->type, call->rights, &object);

	if (status == OK)
		status = call->run(thread, object);
	else
		thread->frame.rdi = 0;	/* nothing was found, nothing done */
	if (status == ERR_RETRY) {
		/* Again, from its argument registers, after a look around. */
		thread->frame.rip -= SYSCALL_LENGTH;
		thread->frame.rax = (uint64_t)SYSCALL_NR((long)number);
	} else if (status != STATUS_DONE) {
		thread->frame.rax = status;
	}
	if (cpu->held_count != 0)
		release_held(cpu);
}

/* All calls but the two that the entry stub sends to core/ipc_fast.c. */
void
syscall_entry(struct thread *thread)
{
	uint64_t number = -thread->frame.rax;

	if (number == SYS_NULL)
		thread->frame.rax = OK;
	else if (number - SYS_NOTIFY_SIGNAL <= SYS_NOTIFY_WAIT -
	    SYS_NOTIFY_SIGNAL && notify_fast(thread, number))
		return;
	else if (number - 1 < SYSCALL_COUNT - 1)
		syscall_dispatch(thread, (unsigned)number);
	else
		thread->frame.rax = ERR_NOSYS;
}
