/* SPDX-License-Identifier: MIT */
/*
 * What proc finds out about a process without asking it: from the table, from
 * the kernel, and by copying out of the memory of its libOS.
 *
 * Bytes of the process may be anything. They are only shown, or used as an
 * address in the same process or a handle in its own table.
 */
#include "shell.h"

#include <idl/storage_client.h>
#include <lib/base/format.h>
#include <lib/base/string.h>

#define MAPS_MAX	4096u
#define MAPS_AT_ONCE	128u
#define SIGNALS		64u
#define HANDLER_FIRST	2u	/* 0 default, 1 ignore */
#define HANDLER_SIZE_MAX 64u

/* Bytes between two address spaces lie here meanwhile. */
static cap_t scratch;
static const struct libos_header *libos;	/* filled with the first process */

void
inspect_start(const struct root *root)
{
	scratch = root->scratch;
	libos = &root->libos;
}

bool
inspect_is_alive(const struct process *process)
{
	return (process->state == PROCESS_RUNNING ||
	    process->state == PROCESS_STOPPED) &&
	    process->handle[HANDLE_VSPACE] != CAP_NONE;
}

size_t
inspect_read(const struct process *process, uint64_t address, void *out,
    size_t length)
{
	struct sys_result r;

	if (!inspect_is_alive(process))
		return 0;
	if (length > INSPECT_MAX)
		length = INSPECT_MAX;
	r = sys_invoke(SYS_VSPACE_COPY, process->handle[HANDLE_VSPACE],
	    address, scratch, 0, length, 0);
	if (r.value[0] < length)
		length = r.value[0];
	if (length == 0)
		return 0;
	r = sys_invoke(SYS_VSPACE_COPY, service_info()->vspace, (uint64_t)out,
	    scratch, 0, length, 1);
	return r.status == OK ? length : 0;
}

static bool
read_all(const struct process *process, uint64_t address, void *out,
    size_t length)
{
	return inspect_read(process, address, out, length) == length;
}

bool
inspect_view(const struct process *process, struct libos_view *out)
{
	return read_all(process, libos->view, out, sizeof(*out));
}

/* Calls `each` for all, or until it says that it is enough. */
void
inspect_maps(const struct process *process, const struct libos_view *view,
    bool (*each)(void *context, const struct libos_map *map), void *context)
{
	static struct libos_map maps[MAPS_AT_ONCE];
	uint32_t count = 0;

	if (!read_all(process, view->map_count, &count, sizeof(count)))
		return;
	if (count > MAPS_MAX)
		count = MAPS_MAX;
	for (uint32_t i = 0; i < count; i += MAPS_AT_ONCE) {
		uint32_t part = count - i < MAPS_AT_ONCE ? count - i :
		    MAPS_AT_ONCE;

		if (!read_all(process, view->maps + i * sizeof(maps[0]), maps,
		    part * sizeof(maps[0])))
			return;
		for (uint32_t j = 0; j < part; j++) {
			if (!each(context, &maps[j]))
				return;
		}
	}
}

static bool
count_map(void *context, const struct libos_map *map)
{
	procfs_map_count(context, map);
	return true;
}

/* CPU time, and STATE_*. */
static uint64_t
thread_info(const struct process *process, uint64_t *out_state)
{
	struct sys_result r = { .status = ERR_NOENT };

	if (inspect_is_alive(process))
		r = sys_invoke(SYS_THREAD_INFO, process->handle[HANDLE_THREAD],
		    0, 0, 0, 0, 0);
	*out_state = r.status == OK ? r.value[1] & 0xff : STATE_DEAD;
	return r.status == OK ? r.value[0] : process->spent_ns;
}

bool
inspect_runs(const struct process *process)
{
	uint64_t state;

	thread_info(process, &state);
	return process->park == PARK_NONE &&
	    (state == STATE_READY || state == STATE_RUNNING);
}

static char
state_of(const struct process *process, uint32_t reader)
{
	if (process->state == PROCESS_ZOMBIE)
		return 'Z';
	if (process->state == PROCESS_STOPPED)
		return 'T';
	return process->pid == reader || !inspect_is_alive(process) ||
	    inspect_runs(process) ? 'R' : 'S';
}

/* The first of the names that exec told, for who has no memory any more. */
static void
kept_name(const struct process *process, char name[LIBOS_NAME_SIZE])
{
	if (process->names != NULL)
		memcpy(name, process->names, strnlen(process->names,
		    LIBOS_NAME_SIZE - 1));
}

static void
put_terminal(const struct process *process, struct procfs_process *out)
{
	uint32_t number = process->terminal - 1;

	if (process->terminal == 0 || number >= TERMINAL_COUNT)
		return;
	out->terminal = number == 0 ? DEVICE_CONSOLE : DEVICE_PTS(number - 1);
	if (terminals->terminal[number] != NULL)
		out->foreground =
		    (int32_t)terminals->terminal[number]->foreground;
}

static void
put_identity(const struct proc_identity *who, struct procfs_process *out)
{
	memcpy(out->users, who->users, sizeof(out->users));
	memcpy(out->groups, who->group_ids, sizeof(out->groups));
	if (who->groups != NULL) {
		out->more_groups = who->groups->gid;
		out->more_group_count = who->groups->count;
	}
	out->no_new_privileges = who->no_new_privileges;
	out->privileges[0] = who->may.inheritable;
	out->privileges[1] = who->may.permitted;
	out->privileges[2] = who->may.effective;
	out->privileges[3] = who->bounding;
	out->privileges[4] = who->ambient;
}

static void
from_memory(const struct process *process, const struct libos_view *view,
    struct procfs_process *out)
{
	memcpy(out->name, view->name, sizeof(out->name));
	memcpy(out->arguments, view->arguments, sizeof(out->arguments));
	memcpy(out->environment, view->environment, sizeof(out->environment));
	out->stack_start = view->stack;
	out->fd_room = view->fd_count;
	inspect_maps(process, view, count_map, out);
	if (!read_all(process, view->blocked, &out->blocked,
	    sizeof(out->blocked)))
		out->blocked = 0;
}

void
inspect_process(const struct process *process, uint32_t reader,
    struct procfs_process *out)
{
	const struct container_info *info =
	    (const struct container_info *)own_utcb()->data;
	struct libos_view view;
	uint64_t state;

	*out = (struct procfs_process){
		.pid = process->pid, .ppid = proc_parent_pid(process),
		.pgid = process->pgid, .sid = process->sid,
		.foreground = -1, .nice = process->nice,
		.state = state_of(process, reader),
		.exit_status = process->status,
		.start_ns = process->start_ns,
		.spent_ns = thread_info(process, &state),
		.children_ns = process->children_ns,
		.pending = process->pending, .ignored = process->ignored,
	};
	put_identity(&process->who, out);
	memcpy(out->limits, process->limit, sizeof(out->limits));
	kept_name(process, out->name);
	put_terminal(process, out);
	if (inspect_view(process, &view))
		from_memory(process, &view, out);
	if (inspect_is_alive(process) && sys_invoke(SYS_CONTAINER_INFO,
	    process->handle[HANDLE_CONTAINER], 0, 0, 0, 0, 0).status == OK)
		out->resident_pages = info->frames_used;
}

void
inspect_handlers(const struct process *process, struct procfs_process *out)
{
	static uint8_t handlers[(SIGNALS + 1) * HANDLER_SIZE_MAX];
	struct libos_view view;
	uint64_t handler;

	if (!inspect_view(process, &view) || view.handler_size < 8 ||
	    view.handler_size > HANDLER_SIZE_MAX ||
	    !read_all(process, view.handlers, handlers,
	    (SIGNALS + 1) * view.handler_size))
		return;
	for (unsigned i = 1; i <= SIGNALS; i++) {
		memcpy(&handler, handlers + i * view.handler_size, 8);
		if (handler >= HANDLER_FIRST)
			out->caught |= SIGNAL_BIT(i);
	}
}

void
inspect_cpus(struct procfs_machine *machine)
{
	const struct cpu_info *info = (const struct cpu_info *)own_utcb()->data;

	for (uint64_t cpu = 0; cpu < machine->cpus; cpu++) {
		if (sys_invoke(SYS_CPU_INFO, granted.system, cpu, 0, 0, 0,
		    0).status != OK)
			continue;
		machine->cpu[cpu].idle_ns = info->idle_ns;
		machine->cpu[cpu].busy_ns = info->time_ns - info->idle_ns;
	}
}

/* -- open files -- */

static bool
file_of(const struct process *process, uint32_t fd, struct libos_file *out)
{
	struct libos_view view;
	struct libos_fd entry;

	if (!inspect_view(process, &view) || fd >= view.fd_count ||
	    !read_all(process, view.fds + fd * sizeof(entry), &entry,
	    sizeof(entry)) || entry.file == 0)
		return false;
	return read_all(process, view.files +
	    (entry.file - 1ul) * view.file_size, out, sizeof(*out));
}

bool
inspect_has_fd(const struct process *process, uint32_t fd)
{
	struct libos_file file;

	return file_of(process, fd, &file);
}

unsigned
inspect_fds(const struct process *process, uint64_t first, uint32_t *out,
    unsigned room)
{
	static struct libos_fd fds[PROCFS_FD_MAX + 1];
	struct libos_view view;
	unsigned count = 0;
	size_t length = sizeof(fds);

	if (!inspect_view(process, &view))
		return 0;
	if (view.fd_count <= PROCFS_FD_MAX)
		length = view.fd_count * sizeof(fds[0]);
	length = inspect_read(process, view.fds, fds, length);
	for (uint64_t i = first; i < length / sizeof(fds[0]) && count < room;
	    i++) {
		if (fds[i].file != 0)
			out[count++] = (uint32_t)i;
	}
	return count;
}

/* Only storage knows the path of what it opened. */
static size_t
described_path(uint64_t badge, uint64_t object, char *out, size_t size)
{
	const struct storage_describe_args in = {
		.badge = badge, .object = object, .path = { out, size, 0 },
	};
	uint64_t length;

	if (storage_describe(granted.storage, &in, &length) != 0 ||
	    length > size)
		return 0;
	return length;
}

/* The path behind a handle of the process, 0 if it has none. */
static size_t
handle_path(const struct process *process, cap_t cap, char *out, size_t size)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO,
	    process->handle[HANDLE_TABLE], cap, 0, 0, 0, 0);

	if (r.status != OK || (r.value[0] & 0xff) != OBJ_EVENTPAIR_A)
		return 0;
	/* Badges are of one server each; the object tells whose this is. */
	uint64_t badge = r.value[1] & SERVICE_BADGE_MASK;
	size_t length = files_path(badge, r.value[2], out, size);
	return length != 0 ? length :
	    described_path(badge, r.value[2], out, size);
}

static const char *
device_name(uint32_t device)
{
	static const struct {
		uint32_t device;
		const char *name;
	} names[] = {
		{ DEVICE_NULL, "/dev/null" }, { DEVICE_ZERO, "/dev/zero" },
		{ DEVICE_FULL, "/dev/full" }, { DEVICE_RANDOM, "/dev/random" },
		{ DEVICE_URANDOM, "/dev/urandom" },
		{ DEVICE_CONTROL, "/dev/control" },
		{ DEVICE_TRACE, "/dev/trace" },
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].device == device)
			return names[i].name;
	}
	return "device";
}

static size_t
fd_target(const struct process *process, uint32_t fd, char *out, size_t size)
{
	struct libos_file file;
	struct sys_result r;

	if (!file_of(process, fd, &file))
		return 0;
	switch (file.kind) {
	case LIBOS_FILE_STORAGE:
	case LIBOS_FILE_PATH:
	case LIBOS_FILE_FIFO:
		return handle_path(process, file.cap, out, size);
	case LIBOS_FILE_CONSOLE:
		return format_text(out, size, "/dev/console");
	case LIBOS_FILE_TERMINAL:
		if (file.device == DEVICE_PTMX)
			return format_text(out, size, "/dev/ptmx");
		return file.terminal == 0 ?
		    format_text(out, size, "/dev/console") :
		    format_text(out, size, "/dev/pts/%u", file.terminal - 1u);
	case LIBOS_FILE_DEVICE:
		return format_text(out, size, "%s", device_name(file.device));
	case LIBOS_FILE_PIPE:
		r = sys_invoke(SYS_CAP_INFO, process->handle[HANDLE_TABLE],
		    file.cap, 0, 0, 0, 0);
		return r.status != OK ? 0 :
		    format_text(out, size, "pipe:[%lu]", r.value[2]);
	default:
		return 0;
	}
}

size_t
inspect_link(const struct process *process, const struct procfs_node *node,
    char *out, size_t size)
{
	struct libos_view view;

	if (!inspect_view(process, &view))
		return 0;
	switch (node->kind) {
	case PROCFS_ROOT:
		return format_text(out, size, "/");
	case PROCFS_CWD:
		return handle_path(process, view.working_directory, out, size);
	case PROCFS_EXE:
		size = inspect_read(process, view.path, out,
		    view.path_size < size ? view.path_size : size);
		return strnlen(out, size);
	case PROCFS_FD:
		return fd_target(process, node->number, out, size);
	default:
		return 0;
	}
}
