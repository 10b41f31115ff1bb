/* SPDX-License-Identifier: MIT */
/* Names and paths. */
#include <lib/procfs/tree.h>

#include <idl/errno.h>
#include <lib/base/format.h>
#include <lib/base/string.h>

#define FOLDER	(KIND_DIRECTORY << 12 | 0555)
#define LINK	(KIND_SYMLINK << 12 | 0777)
#define TEXT	(KIND_REGULAR << 12 | 0444)
#define SECRET	(KIND_REGULAR << 12 | 0400)

const struct tree_entry tree_entries[] = {
	{ "cpuinfo", PROCFS_TOP, PROCFS_CPUINFO, TEXT },
	{ "devices", PROCFS_TOP, PROCFS_DEVICES, TEXT },
	{ "filesystems", PROCFS_TOP, PROCFS_FILESYSTEMS, TEXT },
	{ "loadavg", PROCFS_TOP, PROCFS_LOADAVG, TEXT },
	{ "meminfo", PROCFS_TOP, PROCFS_MEMINFO, TEXT },
	{ "mounts", PROCFS_TOP, PROCFS_MOUNTS_LINK, LINK },
	{ "partitions", PROCFS_TOP, PROCFS_PARTITIONS, TEXT },
	{ "self", PROCFS_TOP, PROCFS_SELF, LINK },
	{ "stat", PROCFS_TOP, PROCFS_MACHINE_STAT, TEXT },
	{ "swaps", PROCFS_TOP, PROCFS_SWAPS, TEXT },
	{ "sys", PROCFS_TOP, PROCFS_SYS, FOLDER },
	{ "thread-self", PROCFS_TOP, PROCFS_THREAD_SELF, LINK },
	{ "uptime", PROCFS_TOP, PROCFS_UPTIME, TEXT },
	{ "version", PROCFS_TOP, PROCFS_VERSION, TEXT },
	{ "vmstat", PROCFS_TOP, PROCFS_VMSTAT, TEXT },
	{ "fs", PROCFS_SYS, PROCFS_SYS_FS, FOLDER },
	{ "kernel", PROCFS_SYS, PROCFS_SYS_KERNEL, FOLDER },
	{ "vm", PROCFS_SYS, PROCFS_SYS_VM, FOLDER },
	{ "file-max", PROCFS_SYS_FS, PROCFS_FILE_MAX, TEXT },
	{ "hostname", PROCFS_SYS_KERNEL, PROCFS_HOSTNAME, TEXT },
	{ "osrelease", PROCFS_SYS_KERNEL, PROCFS_OSRELEASE, TEXT },
	{ "ostype", PROCFS_SYS_KERNEL, PROCFS_OSTYPE, TEXT },
	{ "pid_max", PROCFS_SYS_KERNEL, PROCFS_PID_LIMIT, TEXT },
	{ "random", PROCFS_SYS_KERNEL, PROCFS_SYS_RANDOM, FOLDER },
	{ "boot_id", PROCFS_SYS_RANDOM, PROCFS_BOOT_ID, TEXT },
	{ "uuid", PROCFS_SYS_RANDOM, PROCFS_UUID, TEXT },
	{ "overcommit_memory", PROCFS_SYS_VM, PROCFS_OVERCOMMIT, TEXT },
	{ "cmdline", PROCFS_PROCESS, PROCFS_CMDLINE, TEXT },
	{ "comm", PROCFS_PROCESS, PROCFS_COMM, TEXT },
	{ "cwd", PROCFS_PROCESS, PROCFS_CWD, LINK },
	{ "environ", PROCFS_PROCESS, PROCFS_ENVIRON, SECRET },
	{ "exe", PROCFS_PROCESS, PROCFS_EXE, LINK },
	{ "fd", PROCFS_PROCESS, PROCFS_FDS, KIND_DIRECTORY << 12 | 0500 },
	{ "limits", PROCFS_PROCESS, PROCFS_LIMITS, TEXT },
	{ "loginuid", PROCFS_PROCESS, PROCFS_LOGINUID, TEXT },
	{ "maps", PROCFS_PROCESS, PROCFS_MAPS, TEXT },
	{ "mountinfo", PROCFS_PROCESS, PROCFS_MOUNTINFO, TEXT },
	{ "mounts", PROCFS_PROCESS, PROCFS_MOUNTS, TEXT },
	{ "root", PROCFS_PROCESS, PROCFS_ROOT, LINK },
	{ "stat", PROCFS_PROCESS, PROCFS_STAT, TEXT },
	{ "statm", PROCFS_PROCESS, PROCFS_STATM, TEXT },
	{ "status", PROCFS_PROCESS, PROCFS_STATUS, TEXT },
	{ "task", PROCFS_PROCESS, PROCFS_TASKS, FOLDER },
	{ NULL, PROCFS_NONE, PROCFS_NONE, 0 },
};

bool
tree_is_in(const struct tree_entry *entry, const struct procfs_node *folder)
{
	if (folder->kind != PROCFS_THREAD)
		return entry->folder == folder->kind;
	return entry->folder == PROCFS_PROCESS && entry->kind != PROCFS_TASKS;
}

struct procfs_node
tree_child(const struct procfs_node *folder, unsigned kind)
{
	struct procfs_node child = *folder;

	if (folder->kind == PROCFS_THREAD)
		child.thread = 1;
	child.kind = (uint16_t)kind;
	return child;
}

struct procfs_node
tree_parent(const struct procfs_node *node)
{
	struct procfs_node parent = { .kind = PROCFS_TOP };

	if (node->kind == PROCFS_TOP || node->kind == PROCFS_PROCESS)
		return parent;
	parent.pid = node->pid;
	if (node->kind == PROCFS_THREAD) {
		parent.kind = PROCFS_TASKS;
		return parent;
	}
	if (node->kind == PROCFS_FD) {
		parent.kind = PROCFS_FDS;
		parent.thread = node->thread;
		return parent;
	}
	for (const struct tree_entry *e = tree_entries; e->name != NULL; e++) {
		if (e->kind == node->kind)
			parent.kind = node->thread ? PROCFS_THREAD : e->folder;
	}
	return parent;
}

/* Digits only, without zeros in front. */
static bool
number_of(const char *text, size_t length, uint32_t limit, uint32_t *out)
{
	uint32_t value = 0;

	if (length == 0 || length > 7 || (text[0] == '0' && length > 1))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (uint32_t)(text[i] - '0');
	}
	*out = value;
	return value <= limit;
}

/* Names that are numbers. */
static bool
numbered_child(const struct procfs_node *folder, const char *name,
    size_t length, struct procfs_node *out)
{
	uint32_t number;

	*out = *folder;
	if (!number_of(name, length, PROCFS_PID_MAX, &number))
		return false;
	switch (folder->kind) {
	case PROCFS_TOP:
		*out = (struct procfs_node){ PROCFS_PROCESS, 0, number, 0 };
		return number != 0;
	case PROCFS_TASKS:
		/* One thread, with the number of the process. */
		out->kind = PROCFS_THREAD;
		return number == folder->pid;
	case PROCFS_FDS:
		out->kind = PROCFS_FD;
		out->number = number;
		return number <= PROCFS_FD_MAX;
	default:
		return false;
	}
}

static bool
child_of(const struct procfs_node *folder, const char *name, size_t length,
    struct procfs_node *out)
{
	for (const struct tree_entry *e = tree_entries; e->name != NULL; e++) {
		if (!tree_is_in(e, folder) || strlen(e->name) != length ||
		    memcmp(e->name, name, length) != 0)
			continue;
		*out = tree_child(folder, e->kind);
		return true;
	}
	return numbered_child(folder, name, length, out);
}

/* Where a link leads that stays inside. */
static bool
link_inside(struct procfs_node *node, uint32_t self)
{
	switch (node->kind) {
	case PROCFS_SELF:
		*node = (struct procfs_node){ PROCFS_PROCESS, 0, self, 0 };
		return true;
	case PROCFS_THREAD_SELF:
		*node = (struct procfs_node){ PROCFS_THREAD, 0, self, 0 };
		return true;
	case PROCFS_MOUNTS_LINK:
		*node = (struct procfs_node){ PROCFS_MOUNTS, 0, self, 0 };
		return true;
	default:
		return false;
	}
}

struct cursor {
	const char *path;
	size_t	 length, at;
	const char *name;	/* the component taken last */
	size_t	 name_length;
};

/* False: there is no other component. */
static bool
next_component(struct cursor *cursor)
{
	while (cursor->at < cursor->length && cursor->path[cursor->at] == '/')
		cursor->at++;
	cursor->name = cursor->path + cursor->at;
	while (cursor->at < cursor->length && cursor->path[cursor->at] != '/')
		cursor->at++;
	cursor->name_length =
	    (size_t)(cursor->path + cursor->at - cursor->name);
	return cursor->name_length > 0;
}

static bool
is_dots(const struct cursor *cursor, size_t count)
{
	return cursor->name_length == count &&
	    memcmp(cursor->name, "..", count) == 0;
}

/* One component, not a dot. */
static int
step(struct procfs_walk *walk, const struct cursor *cursor, uint32_t self,
    bool follow)
{
	if (is_dots(cursor, 2)) {
		walk->leaves = walk->node.kind == PROCFS_TOP;
		walk->node = tree_parent(&walk->node);
		return 0;
	}
	if (!child_of(&walk->node, cursor->name, cursor->name_length,
	    &walk->node))
		return E_NOENT;
	if (!procfs_is_link(&walk->node) ||
	    (cursor->at == cursor->length && !follow))
		return 0;
	walk->leaves = !link_inside(&walk->node, self);
	return 0;
}

int
procfs_resolve(const char *path, size_t length, uint32_t self, bool follow,
    struct procfs_walk *out_walk)
{
	struct cursor cursor = { .path = path, .length = length };
	struct procfs_walk walk = { .node = { .kind = PROCFS_TOP } };

	while (!walk.leaves && next_component(&cursor)) {
		if (!procfs_is_directory(&walk.node))
			return E_NOTDIR;
		if (is_dots(&cursor, 1))
			continue;
		int error = step(&walk, &cursor, self, follow);
		if (error != 0)
			return error;
	}
	walk.rest = cursor.at;
	walk.directory = length > 0 && path[length - 1] == '/';
	if (!walk.leaves && walk.directory && !procfs_is_directory(&walk.node))
		return E_NOTDIR;
	*out_walk = walk;
	return 0;
}

static const struct tree_entry *
entry_of(unsigned kind)
{
	for (const struct tree_entry *e = tree_entries; e->name != NULL; e++) {
		if (e->kind == kind)
			return e;
	}
	return NULL;
}

size_t
procfs_path(const struct procfs_node *node, char *out, size_t size)
{
	char task[16] = "", name[16] = "";
	const struct tree_entry *entry = entry_of(node->kind);
	struct procfs_node parent;
	size_t length = 0;

	if (node->kind == PROCFS_TOP)
		return format_text(out, size, "%s", "");
	if (node->pid == 0) {
		parent = tree_parent(node);
		length = procfs_path(&parent, out, size);
		if (length >= size || entry == NULL)
			return length;
		return length + format_text(out + length, size - length,
		    "/%s", entry->name);
	}
	if (node->thread || node->kind == PROCFS_THREAD)
		format_text(task, sizeof(task), "/task/%u", node->pid);
	if (node->kind == PROCFS_FD)
		format_text(name, sizeof(name), "/fd/%u", node->number);
	else if (entry != NULL)
		format_text(name, sizeof(name), "/%s", entry->name);
	return format_text(out, size, "/%u%s%s", node->pid, task, name);
}

void
procfs_stat(const struct procfs_node *node, struct storage_stat *out)
{
	const struct tree_entry *entry = entry_of(node->kind);
	uint32_t links = 1;

	*out = (struct storage_stat){ 0 };
	out->inode = tree_inode(node);
	out->mode = node->kind == PROCFS_FD ? KIND_SYMLINK << 12 | 0700 :
	    entry != NULL ? entry->mode : FOLDER;
	if (procfs_is_directory(node))
		links = 2 + (node->kind == PROCFS_TASKS);
	for (const struct tree_entry *e = tree_entries; e->name != NULL; e++)
		links += tree_is_in(e, node) &&
		    e->mode >> 12 == KIND_DIRECTORY;
	out->links = links;
}

size_t
procfs_link(const struct procfs_node *node, uint32_t self, char *out,
    size_t size)
{
	switch (node->kind) {
	case PROCFS_SELF:
		return format_text(out, size, "%u", self);
	case PROCFS_THREAD_SELF:
		return format_text(out, size, "%u/task/%u", self, self);
	case PROCFS_MOUNTS_LINK:
		return format_text(out, size, "self/mounts");
	default:
		return 0;
	}
}
