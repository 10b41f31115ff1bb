/* SPDX-License-Identifier: MIT */
/*
 * File system in memory, with POSIX semantics, as a pure state machine.
 *
 * The tree lives in an arena: inodes, names, links, open descriptions. File
 * contents do not: each regular file that is not empty has one page object,
 * known here by a number that the environment gave out. Every function that
 * changes something runs inside an arena transaction of the caller, who
 * commits on 0 and aborts on any other result; a function that failed may have
 * changed half of what it wanted.
 *
 * Results: 0, or E_* of <idl/errno.h>.
 *
 * Bytes beyond the size of a file must read zero when it grows, but a
 * transaction that grew a page object and was undone leaves rubbish there. So
 * an inode notes the epoch in which everything beyond its size was zero. Each
 * incarnation has epochs of its own, and a growing transaction that was undone
 * starts another; the first growth in an epoch cuts and clears first.
 */
#pragma once

#include <abi/status.h>
#include <idl/errno.h>
#include <idl/file.h>
#include <idl/privilege.h>
#include <lib/arena/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORAGE_FILE_MAX	(1ul << 42)	/* bytes of one file */
#define STORAGE_LINKS_PER_FILE	65000u
#define STORAGE_PAGE		4096ul
#define STORAGE_WAITS_MAX	1024u	/* calls that wait at once */
#define STORAGE_LOCKS_MAX	16384u
#define STORAGE_LOCKS_PER_OWNER	1024u	/* all go in one transaction */

/* A call that waits for its answer. */
struct storage_call {
	uint32_t reply;		/* below STORAGE_WAITS_MAX */
	uint64_t order;
};

/* Handles of a named pipe; 0 = none. */
struct storage_fifo {
	uint64_t memory;
	uint64_t moved;		/* notification: readers and writers wait */
};

struct storage_environment {
	void *context;
	/* Nanoseconds since 1970. */
	uint64_t (*now_ns)(void *context);
	/*
	 * Preparations, done at once. What a transaction created and did not
	 * commit is swept. Sizes are multiples of STORAGE_PAGE. New pages are
	 * zero; a resize to a smaller size drops pages.
	 */
	status_t (*file_create)(void *context, uint64_t size,
	    uint64_t *out_file);
	status_t (*file_resize)(void *context, uint64_t file, uint64_t size);
	/* Zeroes bytes inside one page. */
	status_t (*file_clear)(void *context, uint64_t file, uint64_t offset,
	    uint64_t length);
	/* Copies bytes of the loaded archive into the file. */
	status_t (*file_load)(void *context, uint64_t file, uint64_t offset,
	    uint64_t length);
	/* Effects, done after the commit. */
	status_t (*file_shrink)(void *context, uint64_t file, uint64_t size);
	status_t (*file_destroy)(void *context, uint64_t file);
	/* A preparation, an effect, an effect; tell() writes at once. */
	status_t (*fifo_create)(void *context, struct storage_fifo *out_fifo);
	status_t (*fifo_destroy)(void *context,
	    const struct storage_fifo *fifo);
	status_t (*fifo_signal)(void *context,
	    const struct storage_fifo *fifo);
	void (*fifo_tell)(void *context, uint64_t memory,
	    const struct storage_fifo_counts *counts);
	/* An effect: the call that waited is over; 0 or E_*. */
	status_t (*answer)(void *context, struct storage_call call,
	    unsigned error);
	/*
	 * Watches, outside the arena: changed() advances one at once, and is
	 * called before the commit. NULL: there are none.
	 */
	void (*watch_changed)(void *context, uint32_t watch);
	uint64_t (*watch_version)(void *context, uint32_t watch);
	/* Bytes for file contents, for statfs. */
	void (*space)(void *context, uint64_t *out_total, uint64_t *out_free);
};

struct storage_root;		/* in the arena */
struct description;

/* Ordinary memory of one incarnation. */
struct storage {
	struct arena *arena;
	struct storage_root *root;
	struct storage_environment environment;
	uint64_t epoch;
	uint32_t attempt;	/* part of new badges: the incarnation */
	bool	 growing;	/* the last transaction grew a file, */
	uint64_t growing_commits;	/* begun at this number of commits */
	bool	 protects_symlinks;	/* subject_follows() */
	bool	 protects_links;	/* subject_may_link() */
	unsigned grants;	/* of locks, in this transaction */
};

struct storage_path {
	const char *text;	/* no NUL needed */
	size_t	 length;
};

extern const size_t storage_root_size;

/* In a transaction; root is zeroed. Makes an empty tree with dev/. */
unsigned storage_create(struct storage *storage, uint64_t seed);
/* Arena, root, environment of *storage are set; incarnation counts up. */
void storage_start(struct storage *storage, uint64_t incarnation);
/* First thing in each transaction. */
void storage_begin(struct storage *storage);
/* Walks everything. */
bool storage_ok(const struct storage *storage);

/*
 * Loading an archive (lib/cpio) as the first content, one part per
 * transaction. False in *out_more: all is loaded.
 */
unsigned storage_load(struct storage *storage, const void *archive,
    size_t size, bool *out_more);
bool storage_is_loaded(const struct storage *storage);

/*
 * Descriptions. The badge names one and its generation; a stale badge finds
 * NULL. session is kept for the caller.
 */
struct description *storage_find(const struct storage *storage,
    uint64_t badge);
uint64_t storage_badge(const struct description *description);
/* Could it name a description, open or closed? */
bool storage_is_badge(uint64_t badge);
uint64_t storage_session(const struct description *description);
unsigned storage_set_session(struct storage *storage,
    struct description *description, uint64_t session);
/*
 * Who asks: ids and privileges that count for files, the real ones for
 * access(). Groups ascend.
 */
struct storage_who {
	struct storage_subject ids;
	uint32_t group_count;
	const uint32_t *groups;
};
/* The root directory as that subject sees it. */
unsigned storage_attach(struct storage *storage,
    const struct storage_who *in, struct description **out_description);
/*
 * From now on it is no base of paths, and changes no attributes. E_PERM: it is
 * an attachment, by which a process finds what it renounced.
 */
unsigned storage_renounce(struct storage *storage,
    struct description *description);
bool storage_is_renounced(const struct description *description);
/* What place is of, for the subject of base; as with OPEN_PATH. */
unsigned storage_adopt(struct storage *storage, struct description *base,
    const struct description *place, struct description **out_description);
unsigned storage_close(struct storage *storage,
    struct description *description);
/* The description at or after *index; NULL at the end. */
struct description *storage_next(const struct storage *storage,
    uint32_t *index);

struct storage_opened {
	uint32_t kind;		/* KIND_* */
	uint64_t device, size, inode;
};

unsigned storage_open(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, uint32_t mode,
    struct description **out_description, struct storage_opened *out_opened);
/*
 * Retiring closes a description but keeps it, for the next opening: until then
 * it is one of the directory it was opened from, as with OPEN_PATH.
 */
unsigned storage_retire(struct storage *storage,
    struct description *description);
unsigned storage_reopen(struct storage *storage,
    struct description *description, struct storage_path path, unsigned flags,
    uint32_t mode, struct storage_opened *out_opened);
unsigned storage_set_flags(struct storage *storage,
    struct description *description, unsigned flags);

/*
 * Data. begin says what to copy: length bytes at offset of the page object
 * file; 0 bytes need no copy. end takes how many were copied.
 */
struct storage_transfer {
	uint64_t file;
	uint64_t offset;
	uint64_t length;
	uint64_t position;	/* after the end; for the reply of WRITE */
	bool	 moves;		/* the position of the description */
};

unsigned storage_read_begin(struct storage *storage,
    struct description *description, uint64_t offset, uint64_t length,
    struct storage_transfer *out_transfer);
unsigned storage_read_end(struct storage *storage,
    struct description *description, struct storage_transfer *transfer,
    uint64_t done);
unsigned storage_write_begin(struct storage *storage,
    struct description *description, uint64_t offset, uint64_t length,
    struct storage_transfer *out_transfer);
unsigned storage_write_end(struct storage *storage,
    struct description *description, struct storage_transfer *transfer,
    uint64_t done);
unsigned storage_seek(struct storage *storage,
    struct description *description, uint64_t offset, unsigned whence,
    uint64_t *out_position);
unsigned storage_truncate(struct storage *storage,
    struct description *description, uint64_t size);
/* The page object, made if there is none yet. */
unsigned storage_map(struct storage *storage, struct description *description,
    uint64_t *out_size, uint64_t *out_file);

/*
 * The same for a client that will read by itself: *out_watch changes before
 * the file does. A version of 0: no watch is free, or a read must be asked for.
 */
struct storage_window {
	uint64_t size, file, version;
	uint32_t watch;
};
unsigned storage_window(struct storage *storage,
    struct description *description, struct storage_window *out_window);
uint64_t storage_version(const struct storage *storage,
    const struct description *description);
/* Size, told together with the version. */
uint64_t storage_size(const struct description *description);
/* The memory of the watches, kept for the caller. */
uint64_t storage_watch_memory(const struct storage *storage);
unsigned storage_set_watch_memory(struct storage *storage, uint64_t memory);

/*
 * Named pipes: joins the readers, writers or both, until it is closed. nowait:
 * not as a writer without readers.
 */
unsigned storage_fifo(struct storage *storage, struct description *description,
    bool nowait, struct storage_fifo *out_fifo,
    struct storage_fifo_counts *out_counts);
/* After a crash: tells what may have been told wrong. */
void storage_resume(struct storage *storage);

/*
 * Locks (lock.c). owner: the description that a process keeps for its record
 * locks, with its pid; NULL: the one through which the file is locked.
 */
struct storage_lock {
	uint32_t type;		/* LOCK_READ, LOCK_WRITE, LOCK_UNLOCK */
	uint32_t flags;		/* LOCK_WHOLE, LOCK_WAIT */
	uint64_t first, last;	/* at most INT64_MAX */
	struct description *owner;
	uint32_t pid;		/* 0 without an owner */
};
enum storage_locked { LOCKED_DONE, LOCKED_BUSY, LOCKED_WAITS };
/* LOCKED_WAITS: `answer` comes. Only with LOCK_WAIT. */
unsigned storage_lock(struct storage *storage, struct description *description,
    const struct storage_lock *in, struct storage_call call,
    enum storage_locked *out_locked);
/* Becomes one that is in its way; type LOCK_UNLOCK: there is none. */
unsigned storage_lock_test(const struct description *description,
    struct storage_lock *lock);
/* A call that waits is answered E_INTR. */
unsigned storage_cancel(struct storage *storage, struct storage_call call,
    bool *out_found);
/* More than fits a transaction: to be gone on with in another. */
bool storage_has_work(const struct storage *storage);
unsigned storage_work(struct storage *storage);

/* Names. */
unsigned storage_mkdir(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode);
unsigned storage_mknod(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode, uint64_t device);
unsigned storage_symlink(struct storage *storage, struct description *base,
    struct storage_path target, struct storage_path path);
unsigned storage_unlink(struct storage *storage, struct description *base,
    struct storage_path path, bool directory);
/* A side of rename and link. */
struct storage_place {
	struct description *base;
	struct storage_path path;
};
unsigned storage_link(struct storage *storage, struct storage_place from,
    struct storage_place to, unsigned flags);
unsigned storage_rename(struct storage *storage, struct storage_place from,
    struct storage_place to, unsigned flags);
unsigned storage_readlink(struct storage *storage, struct description *base,
    struct storage_path path, struct storage_path *out_target);
/* Packs entries of an open directory; moves its position. */
unsigned storage_readdir(struct storage *storage,
    struct description *description, void *buffer, size_t size,
    size_t *out_length);
/* Path of what is open, from the root of the attachment. */
unsigned storage_path_of(struct storage *storage,
    const struct description *description, char *buffer, size_t size,
    size_t *out_length);

/* Attributes. */
void storage_stat(struct storage *storage,
    const struct description *description, struct storage_stat *out_stat);
unsigned storage_stat_at(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, struct storage_stat *out_stat);
unsigned storage_chmod(struct storage *storage, struct description *base,
    struct storage_path path, uint32_t mode, unsigned flags);
/* UINT32_MAX leaves an owner as it is. */
struct storage_owner {
	uint32_t uid, gid;
};
unsigned storage_chown(struct storage *storage, struct description *base,
    struct storage_path path, struct storage_owner owner, unsigned flags);
struct storage_times {
	uint64_t atime_ns, mtime_ns;	/* TIME_NOW, TIME_OMIT */
};
unsigned storage_utimens(struct storage *storage, struct description *base,
    struct storage_path path, struct storage_times times, unsigned flags);
unsigned storage_access(struct storage *storage, struct description *base,
    struct storage_path path, unsigned want, unsigned flags);
void storage_statfs(struct storage *storage,
    struct storage_statfs *out_statfs);
