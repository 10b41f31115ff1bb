/* SPDX-License-Identifier: MIT */
/*
 * The kernel objects of a process.
 *
 * They are made before the transaction that publishes the process commits,
 * with capabilities that nothing names yet, so the sweep of a later incarnation
 * finds them. The slots by which a process names its own table and thread come
 * last, when it is started: until then no cycle keeps the objects alive.
 */
#include "shell.h"

#include <lib/base/string.h>

#define TABLE_SLOTS	16384ul
#define USER_RFLAGS	0x202ul		/* interrupts on */
#define EVENT_BITS	(1ul << 63)
#define WEIGHT_MAX	65535u
/* UTCB and info page are neighbours, in one memory object. */
#define INFO_OFFSET	(LIBOS_INFO - LIBOS_UTCB)

struct slot_copy {
	cap_t	 source;
	unsigned slot;
	unsigned rights;
};

static status_t
slot_fill(cap_t table, const struct slot_copy *copy)
{
	return sys_cap_copy(copy->source, table, copy->slot, copy->rights,
	    TRUST_USER, 0, NULL);
}

static status_t
create_all(cap_t handle[HANDLE_COUNT])
{
	cap_t container;
	status_t status = sys_object_create(OBJ_CONTAINER, granted.users, 0, 0,
	    &handle[HANDLE_CONTAINER]);

	container = handle[HANDLE_CONTAINER];
	if (status == OK)
		status = sys_object_create(OBJ_TABLE, container, TABLE_SLOTS,
		    0, &handle[HANDLE_TABLE]);
	if (status == OK)
		status = sys_object_create(OBJ_VSPACE, container, 0, 0,
		    &handle[HANDLE_VSPACE]);
	if (status == OK)
		status = sys_object_create(OBJ_THREAD, container, 0, 0,
		    &handle[HANDLE_THREAD]);
	if (status == OK)
		status = sys_object_create(OBJ_DEATH, container, 0, 0,
		    &handle[HANDLE_DEATH]);
	if (status == OK)
		status = sys_object_create(OBJ_MEMORY, container,
		    INFO_OFFSET + PAGE_SIZE, MEMORY_CONTIGUOUS,
		    &handle[HANDLE_INFO]);
	if (status == OK)
		status = sys_map(handle[HANDLE_VSPACE], LIBOS_UTCB,
		    handle[HANDLE_INFO], 0, INFO_OFFSET,
		    MAP_READ | MAP_WRITE | MAP_NOCLONE);
	if (status == OK)
		status = sys_map(handle[HANDLE_VSPACE], LIBOS_INFO,
		    handle[HANDLE_INFO], INFO_OFFSET, PAGE_SIZE,
		    MAP_READ | MAP_NOCLONE);
	return status;
}

/* The event pair: end A goes into the process's table and nowhere else. */
static status_t
create_session(uint32_t pid, cap_t handle[HANDLE_COUNT])
{
	cap_t end_a;
	uint64_t badge = service_session_badge(pid);
	status_t status = sys_eventpair_create(handle[HANDLE_CONTAINER],
	    PLACE_ENDPOINT, badge, &end_a, &handle[HANDLE_SESSION]);

	if (status != OK)
		return status;
	status = slot_fill(handle[HANDLE_TABLE], &(struct slot_copy){ end_a,
	    CAP_INDEX(PROCESS_PROC), RIGHT_CALL });
	sys_cap_delete(CAP_NONE, end_a);
	if (status == OK)
		status = sys_invoke(SYS_EVENT_BIND, handle[HANDLE_SESSION],
		    PLACE_NOTIFICATION, EVENT_BITS, badge, 0, 0).status;
	if (status == OK)
		status = sys_invoke(SYS_EVENT_BIND, handle[HANDLE_DEATH],
		    PLACE_NOTIFICATION, EVENT_BITS, badge, 0, 0).status;
	return status;
}

status_t
objects_create(uint32_t pid, cap_t handle[HANDLE_COUNT])
{
	for (unsigned i = 0; i < HANDLE_COUNT; i++)
		handle[i] = CAP_NONE;
	status_t status = create_all(handle);
	if (status == OK)
		status = create_session(pid, handle);
	if (status == OK)
		status = slot_fill(handle[HANDLE_TABLE], &(struct slot_copy){
		    handle[HANDLE_CONTAINER], CAP_INDEX(PROCESS_CONTAINER),
		    RIGHT_READ | RIGHT_MANAGE });
	if (status != OK)
		objects_delete(handle);
	return status;
}

static status_t
thread_set_up(const struct libos_header *libos,
    const cap_t handle[HANDLE_COUNT])
{
	struct thread_setup *setup = (struct thread_setup *)own_utcb()->data;

	*setup = (struct thread_setup){
		.flags = THREAD_REDIRECT,
		.schedule = CLASS_NORMAL | WEIGHT_DEFAULT << 8,
		.death = handle[HANDLE_DEATH],
		.native_low = LIBOS_BASE,
		.native_high = LIBOS_END,
		.redirect_entry = libos->redirect_entry,
		.upcall_entry = libos->upcall_entry,
		.window_low = libos->window_low,
		.window_high = libos->window_high,
	};
	return sys_invoke(SYS_THREAD_SETUP, handle[HANDLE_THREAD],
	    handle[HANDLE_TABLE], handle[HANDLE_VSPACE], handle[HANDLE_INFO],
	    0, 0).status;
}

status_t
objects_set_entry(const struct libos_header *libos,
    const cap_t handle[HANDLE_COUNT], const struct entry_state *state)
{
	struct user_frame *frame = (struct user_frame *)own_utcb()->data;
	status_t status = thread_set_up(libos, handle);

	if (status != OK)
		return status;
	*frame = (struct user_frame){
		.rip = state->rip,
		.rsp = state->rsp,
		.rdi = state->rdi,
		.rflags = USER_RFLAGS,
		.gs_base = libos->thread_block,
	};
	return sys_invoke(SYS_THREAD_WRITE, handle[HANDLE_THREAD], 0, 0, 0, 0,
	    0).status;
}

status_t
objects_fork(const struct libos_header *libos,
    const cap_t parent[HANDLE_COUNT], uint32_t pid,
    const struct entry_state *state, uint64_t from,
    cap_t handle[HANDLE_COUNT])
{
	status_t status = objects_create(pid, handle);

	if (status != OK)
		return status;
	status = sys_invoke(SYS_TABLE_CLONE, parent[HANDLE_TABLE],
	    handle[HANDLE_TABLE], PROCESS_INHERITED, 0, 0, 0).status;
	if (status == OK)
		status = sys_invoke(SYS_VSPACE_CLONE, parent[HANDLE_VSPACE],
		    handle[HANDLE_VSPACE], handle[HANDLE_CONTAINER], from,
		    0, 0).status;
	if (status == OK)
		status = objects_set_entry(libos, handle, state);
	if (status != OK)
		objects_delete(handle);
	return status;
}

void
objects_delete(const cap_t handle[HANDLE_COUNT])
{
	/* Container last: the others are charged to it. */
	for (unsigned i = HANDLE_COUNT; i-- > 0;) {
		if (handle[i] != CAP_NONE)
			sys_cap_delete(CAP_NONE, handle[i]);
	}
}

status_t
objects_adopt(struct process *process, const cap_t handle[HANDLE_COUNT])
{
	for (unsigned i = 0; i < HANDLE_COUNT; i++) {
		status_t status = service_cap_keep(handle[i]);
		if (status != OK)
			return status;
		process->handle[i] = handle[i];
	}
	return OK;
}

status_t
objects_start(const struct process *process)
{
	const struct slot_copy copies[] = {
		{ process->handle[HANDLE_TABLE], CAP_INDEX(PROCESS_TABLE),
		    RIGHT_ALL },
		{ process->handle[HANDLE_VSPACE], CAP_INDEX(PROCESS_VSPACE),
		    RIGHT_ALL },
		{ process->handle[HANDLE_THREAD], CAP_INDEX(PROCESS_THREAD),
		    RIGHT_ALL },
	};

	for (unsigned i = 0; i < sizeof(copies) / sizeof(copies[0]); i++) {
		status_t status = slot_fill(process->handle[HANDLE_TABLE],
		    &copies[i]);
		/* Done by an earlier incarnation. */
		if (status != OK && status != ERR_EXIST)
			return status;
	}
	status_t status = sys_invoke(SYS_THREAD_START,
	    process->handle[HANDLE_THREAD], 0, 0, 0, 0, 0).status;
	return status == ERR_STATE ? OK : status;
}

/* A step of nice is a quarter more or less, as programs expect. */
static unsigned
weight_of(int nice)
{
	unsigned weight = WEIGHT_DEFAULT;

	for (; nice > 0; nice--)
		weight = weight * 4 / 5;
	for (; nice < 0; nice++)
		weight = weight * 5 / 4;
	return weight < 1 ? 1 : weight > WEIGHT_MAX ? WEIGHT_MAX : weight;
}

void
objects_schedule(const struct process *process)
{
	sys_invoke(SYS_THREAD_SCHEDULE, process->handle[HANDLE_THREAD],
	    CLASS_NORMAL | weight_of(process->nice) << 8,
	    process->affinity, 0, 0, 0);
}

uint64_t
objects_destroy(const struct process *process)
{
	/* Never built; and without a handle the own table would be cleared. */
	if (process->handle[HANDLE_TABLE] == CAP_NONE)
		return 0;
	sys_invoke(SYS_THREAD_KILL, process->handle[HANDLE_THREAD], 0, 0, 0, 0,
	    0);
	struct sys_result used = sys_invoke(SYS_THREAD_INFO,
	    process->handle[HANDLE_THREAD], 0, 0, 0, 0, 0);
	sys_invoke(SYS_TABLE_CLEAR, process->handle[HANDLE_TABLE], 0, 0, 0, 0,
	    0);
	for (unsigned i = HANDLE_COUNT; i-- > 0;) {
		if (service_cap_drop(process->handle[i]) != OK)
			service_panic("effect list full");
	}
	return used.status == OK ? used.value[0] : 0;
}

status_t
copy_to_memory(cap_t memory, uint64_t offset, const void *from, size_t length)
{
	for (uint64_t done = 0; done < length;) {
		struct sys_result r = sys_invoke(SYS_VSPACE_COPY,
		    service_info()->vspace, (uint64_t)from + done, memory,
		    offset + done, length - done, 0);
		if (r.status != OK)
			return r.status;
		done += r.value[0];
	}
	return OK;
}

_Static_assert(PROCESS_LIMITS == LIMIT_COUNT, "limits of struct process_info");

static void
info_changing(const struct process *process, struct process_info *info)
{
	info->pid = process->pid;
	info->ppid = proc_parent_pid(process);
	info->pgid = process->pgid;
	info->sid = process->sid;
	info->uid = process->who.uid;
	info->euid = process->who.euid;
	info->suid = process->who.suid;
	info->gid = process->who.gid;
	info->egid = process->who.egid;
	info->sgid = process->who.sgid;
	info->root = process->root;
	info->control = process->control;
	memcpy(info->limit, process->limit, sizeof(info->limit));
}

status_t
info_write(const struct process *process)
{
	struct process_info info = {
		.start_ns = process->start_ns,
		.trace = granted.trace, .terminal = granted.terminal,
	};

	info_changing(process, &info);
	seed_next(info.seed);
	return copy_to_memory(process->handle[HANDLE_INFO], INFO_OFFSET,
	    &info, sizeof(info));
}

status_t
info_update(const struct process *process)
{
	struct process_info info;

	info_changing(process, &info);
	status_t status = copy_to_memory(process->handle[HANDLE_INFO],
	    INFO_OFFSET, &info, offsetof(struct process_info, start_ns));
	return status != OK ? status :
	    copy_to_memory(process->handle[HANDLE_INFO],
	    INFO_OFFSET + offsetof(struct process_info, root), &info.root,
	    sizeof(info) - offsetof(struct process_info, root));
}
