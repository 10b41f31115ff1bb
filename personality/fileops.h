/* SPDX-License-Identifier: MIT */
/*
 * What the kinds of open files (file.h) do differently. A kind is one table,
 * named in fileops.c; who works with an open file asks the table and never
 * compares kinds.
 *
 * A function that is missing stands for the answer that is said beside it.
 */
#pragma once

#include "file.h"
#include "watch.h"

struct file_ops {
	/*
	 * User buffers, size > 0. offset: STORAGE_AT_POSITION, or of a kind
	 * that seeks. Bytes done or -E_*. Missing: -E_BADF.
	 */
	long (*read)(struct file *file, void *buffer, uint64_t size,
	    uint64_t offset);
	long (*write)(struct file *file, const void *buffer, uint64_t size,
	    uint64_t offset);
	/* POLL* bits that hold now. Missing: always ready. */
	unsigned (*poll)(struct file *file);
	/*
	 * Announces a sleeper: returns the notification that moves when the
	 * state changes, and its count so far; the caller looks at poll again.
	 * Missing: nobody can be told.
	 */
	cap_t (*announce)(struct file *file, uint64_t *out_seen);
	/*
	 * The watch of being readable, or writable, for who waits for many
	 * (watch.h). NULL: that changes in no other way than watch_far says.
	 */
	struct watch *(*watch)(struct file *file, bool out);
	/*
	 * Objects at a server: has it wake the key at the next change.
	 * 0 or -E_*. Missing with watch: its state never changes.
	 */
	long (*watch_far)(struct file *file, uint64_t out_key[2]);
	/*
	 * When poll says something else by itself, in ns since boot;
	 * DEADLINE_NEVER. Missing: never.
	 */
	uint64_t (*due)(struct file *file);
	/*
	 * Who has a time, or whose state changes with nobody to tell (who waits
	 * is kicked then): the same until there is something new to tell. Such
	 * a file is looked at in each wait.
	 */
	uint64_t (*edge)(struct file *file);
	/* FIONREAD. Missing: -E_NOTTY. */
	long (*waiting)(struct file *file, uint64_t *out_bytes);
	/* Requests that no other kind knows. Missing: -E_NOTTY. */
	long (*ioctl)(struct file *file, unsigned request, void *argument);
	/* F_SETFL, before the flags are kept. Missing: they are only kept. */
	long (*set_flags)(struct file *file, uint32_t flags);
	/* fstat. Missing: storage is asked about file->cap. */
	long (*status)(const struct file *file, struct storage_stat *out);
	/* The last descriptor is gone. Missing: file->cap is closed. */
	void (*close)(struct file *file);
	bool	 seeks;		/* pread and pwrite have a meaning */
	bool	 own_cap;	/* file->cap is no description of storage */
	bool	 anonymous;	/* no node: EINVAL where a function is missing */
	/* Wakes are not counted: some come from proc itself. */
	bool	 uncounted;
	/* Closing it wakes the other side. */
	bool	 close_wakes;
	bool	 streams;	/* like a pipe: ESPIPE where others have ENODEV */
};

/* Kinds, each beside its functions. */
extern const struct file_ops storage_file_ops;	/* io.c */
extern const struct file_ops console_file_ops;
extern const struct file_ops device_file_ops;
extern const struct file_ops pipe_file_ops;	/* pipe.c */
extern const struct file_ops fifo_file_ops;
extern const struct file_ops terminal_file_ops;	/* terminal.c */
extern const struct file_ops event_file_ops;	/* eventfd.c */
extern const struct file_ops timer_file_ops;	/* timerfd.c */
extern const struct file_ops signal_file_ops;	/* signalfd.c */
extern const struct file_ops epoll_file_ops;	/* epoll.c */

/* By enum file_kind. */
extern const struct file_ops *const file_ops_of[FILE_KINDS];

static inline const struct file_ops *
file_ops(const struct file *file)
{
	return file_ops_of[file->kind];
}

/* stat.c: status of what has no inode in storage; mode without the type. */
struct storage_stat file_local_status(const struct file *file, unsigned mode);
