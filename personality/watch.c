/* SPDX-License-Identifier: MIT */
/*
 * Each process has one watcher for all its calls that wait. A file stays
 * registered with it until its last descriptor is closed; so a second poll of
 * the same files makes no request. What was armed and is no longer waited for
 * costs one look too many.
 */
#include "watch.h"

#include "calls.h"
#include "fileops.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"

#include <idl/watches_client.h>
#include <idl/watcher_client.h>
#include <lib/sys/sys.h>

#define OWN_BITS	1ul
#define REGISTERED(out)	((uint8_t)(1u << (out)))

static struct watcher own;

/* -- objects -- */

/* Each half is set once, by whoever is first. */
static uint64_t
key_half(uint64_t *half)
{
	uint64_t value = __atomic_load_n(half, __ATOMIC_ACQUIRE);

	while (value == 0) {
		uint64_t fresh = random_word();
		if (fresh != 0 && __atomic_compare_exchange_n(half, &value,
		    fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			value = fresh;
	}
	return value;
}

void
watch_key(struct watch *watch, uint64_t out_key[2])
{
	out_key[0] = key_half(&watch->key[0]);
	out_key[1] = key_half(&watch->key[1]);
}

/* A kick does not keep others from being woken. */
void
watch_wake_slowly(struct watch *watch, uint64_t armed)
{
	bool left = false;
	uint64_t key[2];

	watch_key(watch, key);
	watch_count(watch);
	service_insist_begin();
	long error = watches_wake(PROCESS_PROC, key[0], key[1], &left);
	service_insist_end();
	if (error == 0 && !left)
		watch_disarm(watch, armed);
}

/* -- watchers -- */

long
watcher_open(struct watcher *out)
{
	cap_t notification, session;
	status_t status = sys_object_create(OBJ_NOTIFICATION,
	    PROCESS_CONTAINER, 0, 0, &notification);

	if (status != OK)
		return service_error(status);
	service_insist_begin();
	long error = watches_open(PROCESS_PROC, notification, &session);
	service_insist_end();
	if (error != 0) {
		sys_cap_delete(0, notification);
		return error;
	}
	*out = (struct watcher){ notification, session };
	return 0;
}

void
watcher_close(struct watcher *watcher)
{
	if (watcher->session == CAP_NONE)
		return;
	sys_cap_delete(0, watcher->session);
	sys_cap_delete(0, watcher->notification);
	*watcher = (struct watcher){ CAP_NONE, CAP_NONE };
}

/* -- files -- */

/* The key of the object, and its watch if it has one here. 0 or -E_*. */
static long
key_of(struct file *file, bool out, uint64_t key[2], struct watch **out_watch)
{
	const struct file_ops *ops = file_ops(file);

	*out_watch = ops->watch == NULL ? NULL : ops->watch(file, out);
	if (*out_watch != NULL) {
		watch_key(*out_watch, key);
		return 0;
	}
	if (ops->watch_far == NULL)
		return -E_PERM;
	service_insist_begin();
	long error = ops->watch_far(file, key);
	service_insist_end();
	return error;
}

long
watch_register(struct file *file, const struct watch_ask *ask)
{
	struct watch *watch;
	uint64_t key[2];
	long error = key_of(file, ask->out, key, &watch);

	if (error != 0)
		return error;
	service_insist_begin();
	error = watcher_add(ask->watcher->session, key[0], key[1], ask->bits,
	    ask->flags);
	service_insist_end();
	return error;
}

void
watch_unregister(struct file *file, const struct watch_ask *ask)
{
	struct watch *watch;
	uint64_t key[2];

	if (key_of(file, ask->out, key, &watch) != 0)
		return;
	service_insist_begin();
	watcher_remove(ask->watcher->session, key[0], key[1], ask->bits,
	    ask->flags);
	service_insist_end();
}

uint64_t
watch_arm_file(struct file *file, bool out)
{
	struct watch *watch;
	uint64_t key[2];

	if (key_of(file, out, key, &watch) != 0 || watch == NULL)
		return 0;
	return watch_arm(watch);
}

bool
watch_count_of(struct file *file, bool out, uint64_t *out_wakes)
{
	const struct file_ops *ops = file_ops(file);
	const struct watch *watch = ops->watch == NULL || ops->uncounted ?
	    NULL : ops->watch(file, out);

	if (watch == NULL)
		return false;
	*out_wakes = __atomic_load_n(&watch->wakes, __ATOMIC_ACQUIRE);
	return true;
}

/* -- the process's own -- */

long
watch_begin(uint64_t *out_seen)
{
	uint64_t word;

	if (own.session == CAP_NONE) {
		long error = watcher_open(&own);
		if (error != 0)
			return error;
	}
	*out_seen = 0;
	return service_error(sys_wait(own.notification, WAIT_POLL, 0, 0,
	    &word, out_seen));
}

long
watch_want(struct file *file, bool out)
{
	const struct watch_ask ask = { .watcher = &own, .bits = OWN_BITS,
	    .out = out };

	if ((file->watched & REGISTERED(out)) == 0) {
		long error = watch_register(file, &ask);
		/* What never changes needs no watch. */
		if (error != 0)
			return error == -E_PERM ? 0 : error;
		file->watched |= REGISTERED(out);
	}
	watch_arm_file(file, out);
	return 0;
}

status_t
watch_sleep(uint64_t seen, uint64_t deadline_ns)
{
	return sys_wait(own.notification, WAIT_COUNT, seen, deadline_ns, NULL,
	    NULL);
}

long
file_wait(struct file *file, bool out,
    bool (*ready)(struct file *file, uint64_t argument), uint64_t argument)
{
	uint64_t seen, due = DEADLINE_NEVER;
	long error = watch_begin(&seen);

	if (error == 0)
		error = watch_want(file, out);
	if (error != 0)
		return error;
	if (ready(file, argument))
		return 0;
	if (file_ops(file)->due != NULL)
		due = file_ops(file)->due(file);
	status_t status = watch_sleep(seen, due);
	return status == OK || status == ERR_TIMEOUT ? 0 :
	    service_waits(service_error(status));
}

void
watch_file_closed(struct file *file)
{
	for (unsigned out = 0; out < 2; out++) {
		if ((file->watched & REGISTERED(out)) != 0)
			watch_unregister(file, &(struct watch_ask){
			    .watcher = &own, .bits = OWN_BITS,
			    .out = out != 0 });
	}
	file->watched = 0;
}

void
watch_after_fork(void)
{
	if (own.session == CAP_NONE)
		return;
	watcher_close(&own);
	fd_forget_watches();
}
