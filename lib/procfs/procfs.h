/* SPDX-License-Identifier: MIT */
/*
 * The tree of /proc: which names there are, and what the files say.
 *
 * Pure: paths become nodes, plain structures become text, nothing here asks
 * anybody. Whether a process exists is the caller's business.
 *
 * A file has no stored content. Each read makes the whole text again and keeps
 * the bytes from the position on (struct procfs_text); so a text that changes
 * between two reads may not join, as on other systems.
 *
 * Positions in a directory: below PROCFS_NUMBERS the fixed names in the order
 * of the table, from there on processes or descriptors by number. So a listing
 * goes on in the right place whatever comes and goes meanwhile.
 */
#pragma once

#include <idl/libos.h>
#include <idl/file.h>
#include <idl/proc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCFS_PID_MAX		4194303u
#define PROCFS_FD_MAX		1023u
#define PROCFS_CPUS_MAX		64u
#define PROCFS_NUMBERS		1024u	/* position of number 0 */
#define PROCFS_DEVICE		3u	/* st_dev, as the libOS tells it */

enum procfs_kind {
	PROCFS_NONE,
	/* Directories. */
	PROCFS_TOP,
	PROCFS_SYS,
	PROCFS_SYS_FS,
	PROCFS_SYS_KERNEL,
	PROCFS_SYS_RANDOM,
	PROCFS_SYS_VM,
	PROCFS_PROCESS,
	PROCFS_TASKS,
	PROCFS_THREAD,		/* in TASKS; its files have node.thread set */
	PROCFS_FDS,
	/* Links. */
	PROCFS_SELF,
	PROCFS_THREAD_SELF,
	PROCFS_MOUNTS_LINK,
	PROCFS_CWD,		/* from here on out of /proc */
	PROCFS_ROOT,
	PROCFS_EXE,
	PROCFS_FD,
	/* Files of the machine. */
	PROCFS_CPUINFO,
	PROCFS_DEVICES,
	PROCFS_FILESYSTEMS,
	PROCFS_LOADAVG,
	PROCFS_MEMINFO,
	PROCFS_PARTITIONS,
	PROCFS_MACHINE_STAT,
	PROCFS_SWAPS,
	PROCFS_UPTIME,
	PROCFS_VERSION,
	PROCFS_VMSTAT,
	PROCFS_FILE_MAX,
	PROCFS_HOSTNAME,
	PROCFS_OSRELEASE,
	PROCFS_OSTYPE,
	PROCFS_PID_LIMIT,
	PROCFS_BOOT_ID,
	PROCFS_UUID,
	PROCFS_OVERCOMMIT,
	/* Files of a process. */
	PROCFS_CMDLINE,
	PROCFS_COMM,
	PROCFS_ENVIRON,
	PROCFS_LIMITS,
	PROCFS_LOGINUID,
	PROCFS_MAPS,
	PROCFS_MOUNTINFO,
	PROCFS_MOUNTS,
	PROCFS_STAT,
	PROCFS_STATM,
	PROCFS_STATUS,
	PROCFS_KIND_COUNT,
};

struct procfs_node {
	uint16_t kind;		/* enum procfs_kind */
	uint16_t thread;	/* 1: below task/ */
	uint32_t pid;		/* 0: of the machine */
	uint32_t number;	/* PROCFS_FD */
};

struct procfs_walk {
	struct procfs_node node;
	/*
	 * The path goes on outside, in what the link `node` names, or above
	 * the top if node is that; with the part of it from `rest` on.
	 */
	bool	 leaves;
	size_t	 rest;
	bool	 directory;	/* the path ends in a slash */
};

/*
 * The node of a path below /proc, with or without a slash in front. self is who
 * asks. follow: also a link at the end. 0 or E_*.
 */
int procfs_resolve(const char *path, size_t length, uint32_t self,
    bool follow, struct procfs_walk *out_walk);
/* Text of the path below /proc ("" for the top); returns its length. */
size_t procfs_path(const struct procfs_node *node, char *out, size_t size);
/* KIND_*, mode, links, inode; for the caller: owner and times. */
void procfs_stat(const struct procfs_node *node, struct storage_stat *out);
static inline bool
procfs_is_directory(const struct procfs_node *node)
{
	return node->kind >= PROCFS_TOP && node->kind <= PROCFS_FDS;
}
static inline bool
procfs_is_link(const struct procfs_node *node)
{
	return node->kind >= PROCFS_SELF && node->kind <= PROCFS_FD;
}
/* What a link says that does not lead out of /proc; 0: it is none. */
size_t procfs_link(const struct procfs_node *node, uint32_t self, char *out,
    size_t size);

/* -- listing -- */

struct procfs_listing {
	uint8_t	*buffer;	/* struct storage_entry, packed */
	size_t	 size, length;
	uint64_t position;	/* after the last entry put */
	bool	 full;
};

/* The fixed names from the position on. */
void procfs_list_names(struct procfs_listing *listing,
    const struct procfs_node *node);
/* Processes or descriptors, ascending, none below the position. */
void procfs_list_numbers(struct procfs_listing *listing,
    const struct procfs_node *node, const uint32_t *numbers, unsigned count);

/* -- contents -- */

struct procfs_text {
	char	*buffer;
	size_t	 size, length;
	uint64_t skip;		/* bytes still to leave out */
};

static inline bool
procfs_text_full(const struct procfs_text *text)
{
	return text->length == text->size;
}
void procfs_append(struct procfs_text *text, const void *bytes, size_t length);
/* One line of at most 511 bytes. */
void procfs_print(struct procfs_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is not known is 0. */
struct procfs_machine {
	uint64_t now_ns, wall_ns;
	struct {
		uint64_t busy_ns, idle_ns;
	} cpu[PROCFS_CPUS_MAX];
	uint64_t pages_total, pages_free;
	uint64_t cpus;			/* at most PROCFS_CPUS_MAX */
	uint64_t tsc_hz, switches;
	uint32_t processes, running;
	uint32_t last_pid;
	char	 cpu_vendor[13], cpu_name[49];
	uint32_t cpu_family, cpu_model, cpu_stepping;
	uint8_t	 boot_id[16], random[16];
};

struct procfs_process {
	uint32_t pid, ppid, pgid, sid;
	uint32_t terminal;		/* device number; 0: none */
	int32_t	 foreground;		/* group, -1: none */
	int32_t	 nice;
	uint32_t users[4], groups[4];	/* real, effective, saved, of files */
	const uint32_t *more_groups;
	uint32_t more_group_count;
	uint32_t no_new_privileges;
	/* Inheritable, permitted, effective, bounding, ambient. */
	uint64_t privileges[5];
	char	 state;			/* R S T Z */
	char	 name[LIBOS_NAME_SIZE];
	uint32_t exit_status;
	uint64_t start_ns, spent_ns, children_ns;
	uint64_t virtual_bytes, resident_pages;
	uint64_t stack_bytes, data_bytes, text_bytes;
	uint64_t stack_start, arguments[2], environment[2];
	uint64_t pending, ignored, blocked, caught;
	uint32_t fd_room;
	uint64_t limits[LIMIT_COUNT][2];
};

/* False: no file of the machine. */
bool procfs_machine_file(struct procfs_text *text, unsigned kind,
    const struct procfs_machine *machine);
/* Not CMDLINE, ENVIRON and MAPS. False: none of these. */
bool procfs_process_file(struct procfs_text *text, unsigned kind,
    const struct procfs_process *process);
void procfs_map_line(struct procfs_text *text, const struct libos_map *map);
/* Adds a map to virtual_bytes and its parts. */
void procfs_map_count(struct procfs_process *process,
    const struct libos_map *map);
