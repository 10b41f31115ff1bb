/* SPDX-License-Identifier: MIT */
/* Files of one process. */
#include <lib/procfs/procfs.h>

#include <lib/base/string.h>

#define TICK_NS		10000000ul
#define PAGE		4096u
#define PAGE_KB		4u
#define NO_LIMIT	(~0ul)
#define NO_USER		UINT32_MAX
#define SIGNAL_CHILD	17u

/* The name as text: control characters and what frames it would confuse. */
static void
put_name(struct procfs_text *text, const struct procfs_process *process)
{
	size_t length = strnlen(process->name, sizeof(process->name) - 1);

	for (size_t i = 0; i < length; i++) {
		char c = process->name[i];

		if (c == '\n')
			procfs_append(text, "\\n", 2);
		else if (c == '\\')
			procfs_append(text, "\\\\", 2);
		else
			procfs_append(text, &c, 1);
	}
}

static void
stat_line(struct procfs_text *text, const struct procfs_process *p)
{
	procfs_print(text, "%u (", p->pid);
	procfs_append(text, p->name, strnlen(p->name, sizeof(p->name) - 1));
	procfs_print(text, ") %c %u %u %u %u %d 0 0 0 0 0", p->state, p->ppid,
	    p->pgid, p->sid, p->terminal, p->foreground);
	procfs_print(text, " %lu 0 %lu 0 %d %d %u 0 %lu %lu %lu",
	    p->spent_ns / TICK_NS, p->children_ns / TICK_NS, 20 + p->nice,
	    p->nice, p->state == 'Z' ? 0u : 1u, p->start_ns / TICK_NS,
	    p->virtual_bytes, p->resident_pages);
	/* rsslim, code, stack, registers, the four sets, waiting place */
	procfs_print(text, " %lu 0 0 %lu 0 0 %lu %lu %lu %lu 0 0 0", NO_LIMIT,
	    p->stack_start, p->pending & 0x7fffffff, p->blocked & 0x7fffffff,
	    p->ignored & 0x7fffffff, p->caught & 0x7fffffff);
	/* exit signal, CPU, real-time, policy, delays, guests, data, break */
	procfs_print(text, " %u 0 0 0 0 0 0 0 0 0 %lu %lu %lu %lu %u\n",
	    SIGNAL_CHILD, p->arguments[0], p->arguments[1], p->environment[0],
	    p->environment[1], p->exit_status);
}

static void
statm_line(struct procfs_text *text, const struct procfs_process *p)
{
	procfs_print(text, "%lu %lu 0 %lu 0 %lu 0\n", p->virtual_bytes / PAGE,
	    p->resident_pages, p->text_bytes / PAGE,
	    (p->data_bytes + p->stack_bytes) / PAGE);
}

static const char *
state_name(char state)
{
	switch (state) {
	case 'R':
		return "running";
	case 'S':
		return "sleeping";
	case 'T':
		return "stopped";
	default:
		return "zombie";
	}
}

static void
status_memory(struct procfs_text *text, const struct procfs_process *p)
{
	if (p->state == 'Z')
		return;
	procfs_print(text, "VmSize:\t%8lu kB\nVmRSS:\t%8lu kB\n"
	    "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\n",
	    p->virtual_bytes / 1024, p->resident_pages * PAGE_KB,
	    p->data_bytes / 1024, p->stack_bytes / 1024, p->text_bytes / 1024);
}

static void
status_ids(struct procfs_text *text, const struct procfs_process *p)
{
	procfs_print(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n"
	    "FDSize:\t%u\nGroups:\t", p->users[0], p->users[1], p->users[2],
	    p->users[3], p->groups[0], p->groups[1], p->groups[2],
	    p->groups[3], p->fd_room);
	for (uint32_t i = 0; i < p->more_group_count; i++)
		procfs_print(text, "%u ", p->more_groups[i]);
	procfs_print(text, "\n");
}

static void
status(struct procfs_text *text, const struct procfs_process *p)
{
	procfs_print(text, "Name:\t");
	put_name(text, p);
	procfs_print(text, "\nState:\t%c (%s)\nTgid:\t%u\nNgid:\t0\nPid:\t%u\n"
	    "PPid:\t%u\nTracerPid:\t0\n", p->state, state_name(p->state),
	    p->pid, p->pid, p->ppid);
	status_ids(text, p);
	procfs_print(text, "NStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\n"
	    "NSsid:\t%u\n", p->pid, p->pid, p->pgid, p->sid);
	status_memory(text, p);
	procfs_print(text, "Threads:\t%u\nSigPnd:\t%016lx\n"
	    "ShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\n"
	    "SigCgt:\t%016lx\n", p->state == 'Z' ? 0u : 1u, 0ul, p->pending,
	    p->blocked, p->ignored, p->caught);
	procfs_print(text, "CapInh:\t%016lx\nCapPrm:\t%016lx\n"
	    "CapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n"
	    "NoNewPrivs:\t%u\n", p->privileges[0], p->privileges[1],
	    p->privileges[2], p->privileges[3], p->privileges[4],
	    p->no_new_privileges);
}

static void
put_limit(struct procfs_text *text, uint64_t value)
{
	if (value == NO_LIMIT)
		procfs_print(text, "%-20s ", "unlimited");
	else
		procfs_print(text, "%-20lu ", value);
}

static void
limits(struct procfs_text *text, const struct procfs_process *p)
{
	static const struct {
		const char *name, *unit;
	} lines[LIMIT_COUNT] = {
		{ "Max cpu time", "seconds" }, { "Max file size", "bytes" },
		{ "Max data size", "bytes" }, { "Max stack size", "bytes" },
		{ "Max core file size", "bytes" },
		{ "Max resident set", "bytes" },
		{ "Max processes", "processes" },
		{ "Max open files", "files" },
		{ "Max locked memory", "bytes" },
		{ "Max address space", "bytes" }, { "Max file locks", "locks" },
		{ "Max pending signals", "signals" },
		{ "Max msgqueue size", "bytes" }, { "Max nice priority", "" },
		{ "Max realtime priority", "" },
		{ "Max realtime timeout", "us" },
	};

	procfs_print(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit",
	    "Hard Limit", "Units");
	for (unsigned i = 0; i < LIMIT_COUNT; i++) {
		procfs_print(text, "%-25s ", lines[i].name);
		put_limit(text, p->limits[i][0]);
		put_limit(text, p->limits[i][1]);
		procfs_print(text, "%-10s\n", lines[i].unit);
	}
}

bool
procfs_process_file(struct procfs_text *text, unsigned kind,
    const struct procfs_process *p)
{
	switch (kind) {
	case PROCFS_COMM:
		procfs_append(text, p->name,
		    strnlen(p->name, sizeof(p->name) - 1));
		procfs_append(text, "\n", 1);
		return true;
	case PROCFS_LIMITS:
		limits(text, p);
		return true;
	case PROCFS_LOGINUID:
		/* Nobody logs in. */
		procfs_print(text, "%u", NO_USER);
		return true;
	case PROCFS_MOUNTINFO:
		procfs_print(text, "1 0 0:1 / / rw - tmpfs storage rw\n"
		    "2 1 0:%u / /proc rw - proc proc rw\n", PROCFS_DEVICE);
		return true;
	case PROCFS_MOUNTS:
		procfs_print(text,
		    "storage / tmpfs rw 0 0\nproc /proc proc rw 0 0\n");
		return true;
	case PROCFS_STAT:
		stat_line(text, p);
		return true;
	case PROCFS_STATM:
		statm_line(text, p);
		return true;
	case PROCFS_STATUS:
		status(text, p);
		return true;
	default:
		return false;
	}
}

/* Where from a mapping was made is not kept: offset, device, inode are 0. */
void
procfs_map_line(struct procfs_text *text, const struct libos_map *map)
{
	const char *name = (map->flags & LIBOS_MAP_STACK) != 0 ? "[stack]" :
	    (map->flags & LIBOS_MAP_HEAP) != 0 ? "[heap]" : "";
	char rights[5] = "---p";

	if ((map->protection & MAP_READ) != 0)
		rights[0] = 'r';
	if ((map->protection & MAP_WRITE) != 0)
		rights[1] = 'w';
	if ((map->protection & MAP_EXEC) != 0)
		rights[2] = 'x';
	if ((map->flags & LIBOS_MAP_SHARED) != 0)
		rights[3] = 's';
	procfs_print(text, "%08lx-%08lx %s 00000000 00:00 0", map->start,
	    map->end, rights);
	if (name[0] != 0)
		procfs_print(text, "%26s%s", "", name);
	procfs_print(text, "\n");
}

void
procfs_map_count(struct procfs_process *process, const struct libos_map *map)
{
	uint64_t length = map->end - map->start;

	process->virtual_bytes += length;
	if ((map->flags & LIBOS_MAP_STACK) != 0)
		process->stack_bytes += length;
	else if ((map->protection & MAP_WRITE) != 0)
		process->data_bytes += length;
	else if ((map->protection & MAP_EXEC) != 0)
		process->text_bytes += length;
}
