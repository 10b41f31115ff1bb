/* SPDX-License-Identifier: MIT */
/*
 * Descriptors and open files of the process.
 *
 * A struct file is this process's part of an open file description: the
 * capability, the flags, and how many local descriptors use it. The position
 * lives in the server (storage) or in the shared ring (pipe), so it is shared
 * with children as it must be; only that of a regular file which no other
 * process can have lives here, until the next fork (file_is_own). Status flags are local: a change by F_SETFL is
 * not seen by other processes, except O_APPEND, which storage keeps.
 *
 * Everything here is plain data without pointers into other processes; fork
 * copies it together with the capability table, so handles stay right.
 */
#pragma once

#include <abi/object.h>
#include <idl/libos.h>
#include <idl/file.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FD_MAX		1024u
#define FILE_MAX	1024u

enum file_kind {
	FILE_FREE,
	FILE_STORAGE,		/* regular file or directory */
	FILE_CONSOLE,
	FILE_DEVICE,		/* null, zero, full, random: served here */
	FILE_PIPE,
	FILE_PATH,		/* O_PATH: a place, not for reading or writing */
	FILE_TERMINAL,		/* terminal.h */
	FILE_FIFO,		/* a named pipe: pipe.h */
	FILE_EVENT,		/* eventfd.c */
	FILE_TIMER,		/* timerfd.c */
	FILE_SIGNAL,		/* signalfd.c */
	FILE_EPOLL,		/* epoll.c */
	FILE_KINDS
};

/* What a path relative to a directory needs to know of that. */
enum path_place {
	PATH_STORAGE,
	PATH_TOP,		/* the root directory: /proc lies in it */
	PATH_PROC,		/* served by proc */
};

struct file {
	uint8_t	 kind;		/* enum file_kind */
	uint8_t	 node;		/* KIND_* */
	bool	 can_read, can_write;
	uint16_t references;	/* descriptors of this process */
	uint16_t pipe;		/* FILE_PIPE, _FIFO: index */
	uint16_t terminal;	/* FILE_TERMINAL: its number at proc */
	uint32_t flags;		/* O_APPEND, O_NONBLOCK ... as F_GETFL tells */
	uint32_t device;	/* FILE_DEVICE, _TERMINAL: DEVICE_*; _CONSOLE: stream */
	cap_t	 cap;		/* the description; pipe: its end */
	cap_t	 base;		/* see spare.h */
	cap_t	 adopted;	/* for paths, since cap was renounced */
	uint64_t inode;		/* of storage; 0 = not known */
	uint64_t position;	/* of an own file */
	uint32_t lineage;	/* file_lineage() when opened; 0 = shared */
	bool	 moved;		/* storage has another position */
	uint8_t	 window;	/* window.c: index + 1 */
	uint8_t	 small_reads;	/* without a window */
	uint8_t	 place;		/* enum path_place */
	uint16_t cell;		/* cell.h: FILE_EVENT ... */
	uint64_t identity;	/* of the description, since fd_install */
	uint32_t epolls;	/* not 0: it was added to one */
	uint8_t	 watched;	/* watch.c: registered for in 1, out 2 */
};

/* fd.c */

/* Descriptors 0, 1 and 2 of the first process: the console. */
void fd_init(void);
/* NULL: not open. */
struct file *fd_file(unsigned fd);
/* A free file, its references 0; NULL when all are used. */
struct file *file_new(void);
/* Gives *take_file one more descriptor, >= low. Closes it on failure. */
long fd_install(struct file *take_file, unsigned low, bool close_on_exec);
/* Like fd_install, in a fixed place. */
void fd_set(unsigned fd, struct file *file, bool close_on_exec);
void fd_close(unsigned fd);
/* exec: closes what is marked. */
void fd_close_on_exec(void);
bool fd_may_open(void);
/* Where the tables are, for /proc. */
void fd_show(struct libos_view *view);
/* The file that has this capability or adopted it; NULL: none. */
struct file *file_of_cap(cap_t cap);
/* A file without descriptors lets its capability go. */
void file_drop(struct file *file);
/*
 * A regular file that was opened by this process and not shared by a fork
 * since: nobody else moves its position.
 */
bool file_is_own(const struct file *file);
/* For what is opened now. */
uint32_t file_lineage(void);
/* Position of any file of storage; 0 or -E_*. */
long file_position(const struct file *file, uint64_t *out_position);
/* For epoll.c. */
uint16_t file_index(const struct file *file);
/* NULL: what was there is gone. */
struct file *file_find(unsigned index, uint64_t identity);
/* The next open one of that kind; after NULL: the first. */
struct file *file_next(const struct file *after, enum file_kind kind);
void epoll_file_closed(struct file *file);
/* watch.c: none is registered any more. */
void fd_forget_watches(void);
/* Before a fork: from now on all files are shared. */
void file_share_all(void);
unsigned fd_limit(void);

/* path.c: paths are copied here before a server sees them. */

extern char path_a[STORAGE_PATH_MAX], path_b[STORAGE_PATH_MAX];

struct path {
	cap_t	 base;		/* PROCESS_PROC: text is below /proc */
	char	*text;		/* in a buffer of STORAGE_PATH_MAX */
	uint64_t length;	/* 0: the base itself */
	enum path_place place;	/* of the base */
	unsigned links;		/* of /proc that led on */
};

/*
 * Copies a path into buffer and finds its base. An empty path is an error
 * unless allow_empty; then fd may be any open storage file.
 */
long path_get(int base, const char *text, bool allow_empty, char *buffer,
    struct path *out_path);
/*
 * After a request at path->base: true if it has to be made again, because a
 * link of /proc led to another server; *path says where to. Text is followed by
 * enough bytes for a short path.
 *
 *	do
 *		error = storage_...(path.base, ..., path.text, path.length);
 *	while (path_goes_on(&path, &error));
 */
bool path_goes_on(struct path *path, long *error);
/* Opens for a moment what must be there: OPEN_*. */
long path_open(struct path *path, unsigned flags,
    struct storage_open_results *out_opened, cap_t *out_cap);
/* What was opened, for the next relative path. inode: of a directory, or 0. */
enum path_place path_place_of(const struct path *path, uint64_t inode);
/* N of "/proc/self/fd/N", "/dev/fd/N", "/dev/stdin" ..., or -1. */
int path_descriptor(const struct path *path);
cap_t path_working_directory(void);
/*
 * Another process that shared this handle has other ids now, or this one has:
 * it opens nothing any more. What takes its place in *cap; 0 or -E_*.
 */
long path_adopt(cap_t *cap);
/* After a change of the own ids. */
void path_renew(void);

/* procpath.c */

/*
 * Gives the path to proc if it leads to /proc, by the letter: links that lead
 * there are not seen.
 */
long path_enter_proc(struct path *path);
/* Where a path given to proc leads: it has to lead out of /proc. */
long path_leave_proc(struct path *path);

/* file.c */

long file_status(const struct file *file, struct storage_stat *out);
/* For mmap: may this be mapped; and the memory object of a file. */
long file_memory_check(int fd, bool shared, unsigned protection);
long file_memory(int fd, bool write, cap_t *out_object, uint64_t *out_size);

/* io.c: user buffers, length > 0. Bytes done or -E_*. */
long file_read(struct file *file, void *buffer, uint64_t size,
    uint64_t offset);
long file_write(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset);

/* control.c: /dev/control */
long control_write(const void *command, uint64_t size);
long control_read(void *buffer, uint64_t size);

/* random.c */
void random_reseed(void);
void random_fill(void *out, size_t size);
uint64_t random_word(void);

/* process.c */
extern char process_path[STORAGE_PATH_MAX];	/* /proc/self/exe */
