/* SPDX-License-Identifier: MIT */
/*
 * Waiting for objects that have a watch (lib/ring/watch.h, docs/design/polling.md).
 *
 * An object that programs can poll has a struct watch in its shared memory for
 * being read and one for being written, all 0 when it is made. Who makes it
 * ready stores that with a full barrier and calls watch_wake(). It also does so
 * when its side of the object closes: file_ops.close.
 *
 * A kind of open file names its watches in file_ops.watch; poll, select, epoll
 * and file_wait() do the rest.
 */
#pragma once

#include "file.h"

#include <lib/ring/watch.h>

void watch_wake_slowly(struct watch *watch, uint64_t armed);

/* One load if nobody waits. */
static inline void
watch_wake(struct watch *watch)
{
	uint64_t armed = watch_is_armed(watch);

	if (__builtin_expect(armed != 0, 0))
		watch_wake_slowly(watch, armed);
}

/* Its key; the first who asks makes it. */
void watch_key(struct watch *watch, uint64_t out_key[2]);

/* A notification and its registration with proc. */
struct watcher {
	cap_t	 notification;
	cap_t	 session;
};

/* 0 or -E_*. */
long watcher_open(struct watcher *out_watcher);
void watcher_close(struct watcher *watcher);
/*
 * Before a look at what can be read from the file (out: written to it): from now
 * on the watcher is signalled with the bits when that changes. Registered at
 * proc if *registered is 0. *out_wakes counts, if the kind counts. 0 or -E_*;
 * -E_PERM: it never changes.
 */
struct watch_ask {
	const struct watcher *watcher;
	uint64_t bits;
	uint32_t flags;		/* WATCHER_FLAG_* */
	bool	 out;
};

long watch_register(struct file *file, const struct watch_ask *ask);
void watch_unregister(struct file *file, const struct watch_ask *ask);
/* Arms what is registered; returns the wakes so far, 0 if not counted. */
uint64_t watch_arm_file(struct file *file, bool out);
/* Wakes counted so far. False: the kind does not count. */
bool watch_count_of(struct file *file, bool out, uint64_t *out_wakes);

/*
 * The process's own watcher, for calls that wait. How often it was signalled;
 * 0 or -E_*.
 */
long watch_begin(uint64_t *out_seen);
/* Readies it for one file, after watch_begin(). */
long watch_want(struct file *file, bool out);
/* 0: signalled since. ERR_TIMEOUT, ERR_INTERRUPTED as sys_wait. */
status_t watch_sleep(uint64_t seen, uint64_t deadline_ns);
/*
 * Waits once until what can be read (written) may have changed, not if ready()
 * says so already. 0: look again; or -E_*, -RESTART_*.
 */
long file_wait(struct file *file, bool out,
    bool (*ready)(struct file *file, uint64_t argument), uint64_t argument);

/* The last descriptor of the process is gone. */
void watch_file_closed(struct file *file);
/* In the child: it has no watcher yet. */
void watch_after_fork(void);
/* Before the process ends: what dies with it wakes who waits for that. */
void watch_before_exit(void);
