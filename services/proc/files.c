/* SPDX-License-Identifier: MIT */
/*
 * Open files and directories of /proc: each is an event pair whose badge names
 * a description in the arena. Contents are made when they are read.
 */
#include "shell.h"

#include <cpuid.h>
#include <idl/errno.h>
#include <lib/base/format.h>
#include <lib/base/string.h>

#define FILES_MAX	8192u
#define CONTENT_MAX	32768u	/* bytes of one READ or READDIR */
#define NUMBERS_MAX	128u	/* processes or descriptors of one READDIR */
#define NUMBER_MASK	0xfffffffful

struct proc_file {
	uint64_t badge;
	struct procfs_node node;
	uint32_t opener;	/* pid: it runs while it reads */
	uint64_t start_ns;	/* of the process: its pid may be used again */
	uint64_t position;
	cap_t	 session;	/* the kept end of the event pair */
};

static _Alignas(8) char content[CONTENT_MAX];
static struct root *root;

int
files_create(struct root *new_root)
{
	if (arena_map_create(service_arena(), &new_root->files) != OK)
		return E_NOMEM;
	return 0;
}

static int
choose_boot_id(void)
{
	uint8_t random[32];

	seed_next(random);
	if (tx_add(service_arena(), root->boot_id, sizeof(root->boot_id)) != OK)
		return E_NOMEM;
	memcpy(root->boot_id, random, sizeof(root->boot_id));
	return 0;
}

/* Badges that a crash undid are not used again: their events may come. */
int
files_start(struct root *old_root)
{
	root = old_root;
	if (!root->started && choose_boot_id() != 0)
		return E_NOMEM;
	return TX_SET(service_arena(), root->next_file,
	    (root->next_file + 1) & NUMBER_MASK) == OK ? 0 : E_NOMEM;
}

static struct proc_file *
file_find(uint64_t badge)
{
	return arena_map_get(root->files, badge);
}

/* The process of the file; NULL: of the machine, or it is gone. */
static const struct process *
process_of(const struct proc_file *file)
{
	const struct process *process = proc_find(&proc, file->node.pid);

	return process != NULL && process->start_ns == file->start_ns ?
	    process : NULL;
}

static bool
is_gone(const struct proc_file *file)
{
	return file->node.pid != 0 && process_of(file) == NULL;
}

size_t
files_path(uint64_t badge, uint64_t object, char *out, size_t size)
{
	const struct proc_file *file = file_find(badge);

	if (file == NULL || sys_invoke(SYS_CAP_INFO, CAP_NONE, file->session,
	    0, 0, 0, 0).value[2] != object || size < sizeof("/proc"))
		return 0;
	memcpy(out, "/proc", 5);
	size_t length = 5 + procfs_path(&file->node, out + 5, size - 5);
	return length < size ? length : 0;
}

/* -- opening and closing -- */

static int
make_session(struct service_call *call, struct proc_file *file)
{
	cap_t session;

	if (service_give_session(call, PLACE_CONTAINER, file->badge,
	    &session) != OK)
		return E_NFILE;
	file->session = session;
	return 0;
}

int
files_open(struct service_call *call, const struct process *opener,
    const struct procfs_node *node)
{
	struct arena *arena = service_arena();
	const struct process *process = proc_find(&proc, node->pid);
	uint64_t number = root->next_file;
	struct proc_file *file;

	if (arena_map_count(root->files) >= FILES_MAX)
		return E_NFILE;
	while (file_find(PROC_BADGE_FILE | number) != NULL)
		number = (number + 1) & NUMBER_MASK;
	file = arena_alloc(arena, sizeof(*file));
	if (file == NULL || TX_SET(arena, root->next_file,
	    (number + 1) & NUMBER_MASK) != OK)
		return E_NOMEM;
	*file = (struct proc_file){
		.badge = PROC_BADGE_FILE | number, .node = *node,
		.opener = opener->pid,
		.start_ns = process != NULL ? process->start_ns : 0,
	};
	if (arena_map_put(arena, root->files, file->badge, file) != OK)
		return E_NOMEM;
	return make_session(call, file);
}

/* The last holder of the other end is gone. */
void
files_close(uint64_t badge)
{
	struct proc_file *file = file_find(badge);

	if (file == NULL)
		return;
	if (service_cap_drop(file->session) != OK ||
	    arena_map_remove(service_arena(), root->files, badge) != OK ||
	    arena_free(service_arena(), file) != OK)
		service_panic("cannot close: the log is full");
}

/* -- contents -- */

static void
cpu_names(struct procfs_machine *machine)
{
	uint32_t a, b, c, d, words[12];

	__cpuid(0, a, b, c, d);
	memcpy(machine->cpu_vendor, &b, 4);
	memcpy(machine->cpu_vendor + 4, &d, 4);
	memcpy(machine->cpu_vendor + 8, &c, 4);
	__cpuid(1, a, b, c, d);
	machine->cpu_stepping = a & 15;
	machine->cpu_family = (a >> 8 & 15) + (a >> 20 & 255);
	machine->cpu_model = (a >> 4 & 15) | (a >> 12 & 0xf0);
	__cpuid(0x80000000u, a, b, c, d);
	if (a < 0x80000004u)
		return;
	for (unsigned i = 0; i < 3; i++)
		__cpuid(0x80000002u + i, words[4 * i], words[4 * i + 1],
		    words[4 * i + 2], words[4 * i + 3]);
	memcpy(machine->cpu_name, words, sizeof(words));
}

static void
count_processes(struct procfs_machine *machine)
{
	const struct arena_list *head = &root->table.all;

	for (const struct arena_list *node = head->next; node != head;
	    node = node->next) {
		const struct process *process = (const struct process *)
		    ((const char *)node - offsetof(struct process, all));
		machine->running += inspect_runs(process);
	}
	/* Who asks waits for the answer, and runs as far as it knows. */
	machine->running += machine->running == 0;
	machine->processes = root->table.count;
	machine->last_pid = root->table.next_pid - 1;
}

static void
fill_machine(unsigned kind, struct procfs_machine *machine)
{
	const struct system_info *info =
	    (const struct system_info *)own_utcb()->data;
	uint8_t random[32];

	*machine = (struct procfs_machine){
		.now_ns = service_now_ns(), .wall_ns = service_wall_ns(),
	};
	if (sys_invoke(SYS_SYSTEM_INFO, granted.system, 0, 0, 0, 0,
	    0).status == OK) {
		machine->pages_total = info->frames_total;
		machine->pages_free = info->frames_free;
		machine->cpus = info->cpus < PROCFS_CPUS_MAX ? info->cpus :
		    PROCFS_CPUS_MAX;
		machine->tsc_hz = info->tsc_hz;
		machine->switches = info->context_switches;
	}
	if (kind == PROCFS_UPTIME || kind == PROCFS_MACHINE_STAT)
		inspect_cpus(machine);
	if (kind == PROCFS_CPUINFO)
		cpu_names(machine);
	if (kind == PROCFS_LOADAVG || kind == PROCFS_MACHINE_STAT)
		count_processes(machine);
	memcpy(machine->boot_id, root->boot_id, sizeof(machine->boot_id));
	if (kind == PROCFS_UUID) {
		seed_next(random);
		memcpy(machine->random, random, sizeof(machine->random));
	}
}

unsigned
files_machine(struct proc_machine_results *out)
{
	const struct system_info *info =
	    (const struct system_info *)own_utcb()->data;

	if (sys_invoke(SYS_SYSTEM_INFO, granted.system, 0, 0, 0, 0, 0).status !=
	    OK)
		return E_IO;
	*out = (struct proc_machine_results){
		.pages = info->frames_total, .free_pages = info->frames_free,
		.processes = root->table.count, .cpus = (uint32_t)info->cpus,
	};
	return 0;
}

struct map_listing {
	struct procfs_text *text;
	const struct process *process;
	const struct libos_view *view;
	struct inspect_source source;	/* of the map before: often the same */
};

static bool
put_map(void *context, const struct libos_map *map)
{
	struct map_listing *listing = context;
	struct inspect_source *source = &listing->source;
	bool file = inspect_source(listing->process, listing->view,
	    map->backing, source);

	procfs_map_line(listing->text, map, !file ? NULL :
	    &(struct procfs_source){ source->inode, source->path });
	return !procfs_text_full(listing->text);
}

static void
put_maps(struct procfs_text *text, const struct process *process,
    const struct libos_view *view)
{
	struct map_listing listing = {
		.text = text, .process = process, .view = view,
	};

	inspect_maps(process, view, put_map, &listing);
}

/* Strings on the stack, as they are now. */
static void
put_strings(struct procfs_text *text, const struct process *process,
    const uint64_t range[2])
{
	uint64_t length = range[1] - range[0];

	if (range[1] < range[0] || text->skip >= length)
		return;
	length -= text->skip;
	text->length = inspect_read(process, range[0] + text->skip,
	    text->buffer, length < text->size ? length : text->size);
}

static void
put_process(struct procfs_text *text, const struct proc_file *file,
    const struct process *process)
{
	struct procfs_process shown;
	struct libos_view view;
	unsigned kind = file->node.kind;

	if (kind == PROCFS_CMDLINE || kind == PROCFS_ENVIRON ||
	    kind == PROCFS_MAPS) {
		if (!inspect_view(process, &view))
			return;
		if (kind == PROCFS_MAPS)
			put_maps(text, process, &view);
		else
			put_strings(text, process, kind == PROCFS_CMDLINE ?
			    view.arguments : view.environment);
		return;
	}
	inspect_process(process, file->opener, &shown);
	if (kind == PROCFS_STATUS)
		inspect_handlers(process, &shown);
	procfs_process_file(text, kind, &shown);
}

static unsigned
handle_read(struct storage_context *context, struct service_call *call,
    const struct storage_read_args *in, struct storage_read_results *out)
{
	struct proc_file *file = context->file;
	struct procfs_machine machine;
	struct procfs_text text = { .buffer = content };

	if (procfs_is_directory(&file->node))
		return E_ISDIR;
	if (is_gone(file))
		return E_SRCH;
	text.size = in->data.length < sizeof(content) ? in->data.length :
	    sizeof(content);
	text.skip = in->offset == STORAGE_AT_POSITION ? file->position :
	    in->offset;
	uint64_t offset = text.skip;
	if (file->node.pid != 0) {
		put_process(&text, file, process_of(file));
	} else {
		fill_machine(file->node.kind, &machine);
		procfs_machine_file(&text, file->node.kind, &machine);
	}
	unsigned error = wire_error(wire_give(call, &in->data, content,
	    text.length));
	if (error != 0)
		return error;
	if (in->offset == STORAGE_AT_POSITION && text.length > 0 &&
	    TX_SET(service_arena(), file->position,
	    offset + text.length) != OK)
		return E_NOMEM;
	out->data_length = text.length;
	return 0;
}

/* -- listing -- */

/* The smallest numbers from `first` on; the table is nearly in order. */
static unsigned
pids_from(uint64_t first, uint32_t *out, unsigned room)
{
	const struct arena_list *head = &root->table.all;
	unsigned count = 0;

	for (const struct arena_list *node = head->next; node != head;
	    node = node->next) {
		uint32_t pid = ((const struct process *)((const char *)node -
		    offsetof(struct process, all)))->pid;
		unsigned at = count;

		if (pid < first || (count == room && pid > out[count - 1]))
			continue;
		if (count == room)
			at = --count;
		for (; at > 0 && out[at - 1] > pid; at--)
			out[at] = out[at - 1];
		out[at] = pid;
		count++;
	}
	return count;
}

static unsigned
numbers_from(const struct proc_file *file, uint64_t first, uint32_t *out)
{
	switch (file->node.kind) {
	case PROCFS_TOP:
		return pids_from(first, out, NUMBERS_MAX);
	case PROCFS_TASKS:
		out[0] = file->node.pid;
		return file->node.pid >= first;
	case PROCFS_FDS:
		return inspect_fds(process_of(file), first, out, NUMBERS_MAX);
	default:
		return 0;
	}
}

static unsigned
handle_readdir(struct storage_context *context, struct service_call *call,
    const struct storage_readdir_args *in, struct storage_readdir_results *out)
{
	static uint32_t numbers[NUMBERS_MAX];
	struct proc_file *file = context->file;
	struct procfs_listing listing = {
		.buffer = (uint8_t *)content, .position = file->position,
		.size = in->entries.length < sizeof(content) ?
		    in->entries.length : sizeof(content),
	};

	if (!procfs_is_directory(&file->node))
		return E_NOTDIR;
	if (is_gone(file))
		return E_NOENT;
	procfs_list_names(&listing, &file->node);
	uint64_t first = listing.position < PROCFS_NUMBERS ? 0 :
	    listing.position - PROCFS_NUMBERS;
	procfs_list_numbers(&listing, &file->node, numbers,
	    numbers_from(file, first, numbers));
	if (listing.length == 0 && listing.full)
		return E_INVAL;
	unsigned error = wire_error(wire_give(call, &in->entries, content,
	    listing.length));
	if (error != 0)
		return error;
	if (listing.position != file->position && TX_SET(service_arena(),
	    file->position, listing.position) != OK)
		return E_NOMEM;
	out->entries_length = listing.length;
	return 0;
}

/* -- the rest -- */

static unsigned
handle_seek(struct storage_context *context, struct service_call *call,
    const struct storage_seek_args *in, struct storage_seek_results *out)
{
	struct proc_file *file = context->file;
	uint64_t position = (uint64_t)in->offset;

	(void)call;
	if (in->whence == 1)
		position += file->position;
	if (in->whence > 1 || (int64_t)position < 0)
		return E_INVAL;
	if (TX_SET(service_arena(), file->position, position) != OK)
		return E_NOMEM;
	out->position = position;
	return 0;
}

static unsigned
handle_stat_at(struct storage_context *context, struct service_call *call,
    const struct storage_stat_at_args *in, struct storage_stat_at_results *out)
{
	(void)call, (void)in;
	if (is_gone(context->file))
		return E_NOENT;
	files_stat(&context->file->node, out);
	return 0;
}

static unsigned
handle_path(struct storage_context *context, struct service_call *call,
    const struct storage_path_args *in, struct storage_path_results *out)
{
	size_t length;

	memcpy(content, "/proc", 5);
	length = 5 + procfs_path(&context->file->node, content + 5,
	    sizeof(content) - 5);
	if (length > in->path.length)
		return E_RANGE;
	out->path_length = length;
	return wire_error(wire_give(call, &in->path, content, length));
}

static unsigned
handle_readlink_at(struct storage_context *context, struct service_call *call,
    const struct storage_readlink_at_args *in,
    struct storage_readlink_at_results *out)
{
	size_t length;
	unsigned error = files_link(&context->file->node,
	    context->file->opener, content, STORAGE_PATH_MAX, &length);

	if (error != 0)
		return error;
	out->target_length = length < in->target.length ? length :
	    in->target.length;
	return wire_error(wire_give(call, &in->target, content,
	    out->target_length));
}

static unsigned
handle_access_at(struct storage_context *context, struct service_call *call,
    const struct storage_access_at_args *in)
{
	(void)call;
	return is_gone(context->file) ? E_NOENT :
	    files_access(&context->file->node, in->mode);
}

static unsigned
handle_statfs(struct storage_context *context, struct service_call *call,
    const struct storage_statfs_args *in)
{
	(void)context, (void)call;
	*in->status = (struct storage_statfs){ 0 };
	return 0;
}

static unsigned
handle_sync(struct storage_context *context, struct service_call *call)
{
	(void)context, (void)call;
	return 0;
}

static unsigned
handle_set_flags(struct storage_context *context, struct service_call *call,
    const struct storage_set_flags_args *in)
{
	(void)context, (void)call, (void)in;
	return 0;
}

static unsigned
handle_map(struct storage_context *context, struct service_call *call,
    const struct storage_map_args *in, struct storage_map_results *out)
{
	(void)context, (void)call, (void)in, (void)out;
	return E_NODEV;
}

static unsigned
handle_write(struct storage_context *context, struct service_call *call,
    const struct storage_write_args *in, struct storage_write_results *out)
{
	(void)context, (void)call, (void)in, (void)out;
	return E_INVAL;
}

static unsigned
handle_truncate(struct storage_context *context, struct service_call *call,
    const struct storage_truncate_args *in)
{
	(void)context, (void)call, (void)in;
	return E_INVAL;
}

static unsigned
handle_chmod_at(struct storage_context *context, struct service_call *call,
    const struct storage_chmod_at_args *in)
{
	(void)context, (void)call, (void)in;
	return E_PERM;
}

static unsigned
handle_chown_at(struct storage_context *context, struct service_call *call,
    const struct storage_chown_at_args *in)
{
	(void)context, (void)call, (void)in;
	return E_PERM;
}

static unsigned
handle_utimens_at(struct storage_context *context, struct service_call *call,
    const struct storage_utimens_at_args *in)
{
	(void)context, (void)call, (void)in;
	return E_PERM;
}

static const struct storage_operations operations = {
	.read = handle_read,
	.readdir = handle_readdir,
	.seek = handle_seek,
	.stat_at = handle_stat_at,
	.path = handle_path,
	.readlink_at = handle_readlink_at,
	.access_at = handle_access_at,
	.statfs = handle_statfs,
	.sync = handle_sync,
	.set_flags = handle_set_flags,
	.map = handle_map,
	.write = handle_write,
	.truncate = handle_truncate,
	.chmod_at = handle_chmod_at,
	.chown_at = handle_chown_at,
	.utimens_at = handle_utimens_at,
};

service_outcome
files_serve(struct service_call *call)
{
	struct storage_context context = { .file = file_find(call->badge) };

	if (context.file == NULL)
		return wire_refuse(call, E_STALE);
	return storage_dispatch(&operations, &context, call);
}
