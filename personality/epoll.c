/* SPDX-License-Identifier: MIT */
/* epoll: making instances, and adding, changing and removing items. */
#include "epoll.h"

#include "calls.h"
#include "fileops.h"
#include "poll.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/watch.h>
#include <idl/watcher_client.h>
#include <lib/sys/sys.h>

#define CTL_ADD		1
#define CTL_DEL		2
#define CTL_MOD		3
#define EXCLUSIVE_MAY	(L_POLLIN | L_POLLOUT | L_POLLERR | L_POLLHUP | \
			L_POLLRDNORM | L_POLLWRNORM | L_POLLRDBAND | \
			L_POLLWRBAND | EPOLL_WAKEUP | EPOLL_ET | \
			EPOLL_EXCLUSIVE)

/* By the place of the cell; handles stay right in a child. */
static struct watcher watchers[CELL_LARGE_MAX];

struct watcher *
epoll_watcher(const struct file *file)
{
	return &watchers[file->cell % CELL_LARGE_MAX];
}

/* -- instances -- */

static struct watch *
epoll_watch(struct file *file, bool out)
{
	struct epoll *epoll = epoll_of(file);
	uint64_t key[2];

	(void)out;
	if (__atomic_load_n(&epoll->named, __ATOMIC_ACQUIRE) == 0) {
		watch_key(&epoll->readable, key);
		service_insist_begin();
		watcher_name(epoll_watcher(file)->session, key[0], key[1]);
		service_insist_end();
		__atomic_store_n(&epoll->named, 1, __ATOMIC_RELEASE);
	}
	return &epoll->readable;
}

static void
epoll_close(struct file *file)
{
	watcher_close(epoll_watcher(file));
	cell_file_close(file);
}

const struct file_ops epoll_file_ops = {
	.poll = epoll_poll, .watch = epoll_watch, .status = cell_file_status,
	.close = epoll_close, .own_cap = true, .anonymous = true,
	.uncounted = true,
};

long
linux_epoll_create1(unsigned flags)
{
	struct watcher watcher;
	struct cell cell;

	if ((flags & ~(unsigned)L_O_CLOEXEC) != 0)
		return -E_INVAL;
	if (!fd_may_open())
		return -E_MFILE;
	long error = cell_new(true, &cell);
	if (error != 0)
		return error;
	error = watcher_open(&watcher);
	if (error != 0) {
		cell_free(&cell);
		return error;
	}
	watchers[cell.place % CELL_LARGE_MAX] = watcher;
	long fd = cell_install(&cell, FILE_EPOLL, flags);
	if (fd < 0)
		watcher_close(&watchers[cell.place % CELL_LARGE_MAX]);
	return fd;
}

long
linux_epoll_create(int size)
{
	return size <= 0 ? -E_INVAL : linux_epoll_create1(0);
}

/* -- items -- */

static void
set_bit(uint64_t *words, unsigned index, bool value)
{
	if (value)
		words[index / 64] |= 1ul << index % 64;
	else
		words[index / 64] &= ~(1ul << index % 64);
}

static bool
is_item(const struct epoll_item *item, const struct file *file, unsigned fd)
{
	return item->used != 0 && item->fd == fd &&
	    item->identity == file->identity;
}

/* EPOLL_ITEMS: there is none. */
static unsigned
find(const struct epoll *epoll, const struct file *file, unsigned fd)
{
	if (fd < EPOLL_ITEMS && is_item(&epoll->item[fd], file, fd))
		return fd;
	if (epoll->strays == 0)
		return EPOLL_ITEMS;
	for (unsigned i = 0; i < epoll->end; i++) {
		if (is_item(&epoll->item[i], file, fd))
			return i;
	}
	return EPOLL_ITEMS;
}

/* Its own place, or the highest that is free. */
static unsigned
free_place(const struct epoll *epoll, unsigned fd)
{
	if (fd < EPOLL_ITEMS && epoll->item[fd].used == 0)
		return fd;
	for (unsigned i = EPOLL_ITEMS; i-- > 0;) {
		if (epoll->item[i].used == 0)
			return i;
	}
	return EPOLL_ITEMS;
}

static struct watch_ask
ask_of(const struct file *instance, unsigned index, bool out)
{
	const struct epoll *epoll = epoll_of(instance);

	return (struct watch_ask){
		.watcher = epoll_watcher(instance),
		.bits = 1ul << index % EPOLL_GROUPS,
		.flags = (epoll->item[index].events & EPOLL_EXCLUSIVE) != 0 ?
		    WATCHER_FLAG_EXCLUSIVE : 0,
		.out = out,
	};
}

/* In the directions that its events need. What is registered stays so. */
static long
register_item(const struct file *instance, unsigned index, struct file *file)
{
	struct epoll_item *item = &epoll_of(instance)->item[index];
	const bool wants[2] = { poll_wants_in(item->events),
		poll_wants_out(item->events) };

	for (unsigned out = 0; out < 2; out++) {
		if (!wants[out] || (item->registered & 1u << out) != 0)
			continue;
		const struct watch_ask ask = ask_of(instance, index, out != 0);
		long error = watch_register(file, &ask);
		/* A restless file has no watch. */
		if (error == -E_PERM)
			continue;
		if (error != 0)
			return error;
		item->registered |= (uint8_t)(1u << out);
	}
	return 0;
}

static void
remove_item(const struct file *instance, unsigned index, struct file *file)
{
	struct epoll *epoll = epoll_of(instance);
	struct epoll_item *item = &epoll->item[index];

	for (unsigned out = 0; out < 2; out++) {
		if ((item->registered & 1u << out) == 0)
			continue;
		const struct watch_ask ask = ask_of(instance, index, out != 0);
		watch_unregister(file, &ask);
	}
	item->used = 0;
	if (item->fd != index)
		epoll->strays--;
	set_bit(epoll->ready, index, false);
	set_bit(epoll->restless, index, false);
	*item = (struct epoll_item){ 0 };
}

/* -- nesting -- */

/* Instances below this one, in a row; more than EPOLL_NESTED: too many. */
static unsigned
depth_below(const struct file *file, unsigned depth)
{
	const struct epoll *epoll = epoll_of(file);
	unsigned deepest = 0;

	if (depth > EPOLL_NESTED)
		return depth;
	for (unsigned i = 0; i < epoll->end; i++) {
		const struct file *inner = epoll_item_file(&epoll->item[i]);
		if (inner == NULL || inner->kind != FILE_EPOLL)
			continue;
		unsigned below = 1 + depth_below(inner, depth + 1);
		deepest = below > deepest ? below : deepest;
	}
	return deepest;
}

static bool
reaches(const struct file *from, const struct file *to, unsigned depth)
{
	const struct epoll *epoll = epoll_of(from);

	if (epoll_of(from) == epoll_of(to))
		return true;
	for (unsigned i = 0; depth <= EPOLL_NESTED && i < epoll->end; i++) {
		const struct file *inner = epoll_item_file(&epoll->item[i]);
		if (inner != NULL && inner->kind == FILE_EPOLL &&
		    reaches(inner, to, depth + 1))
			return true;
	}
	return false;
}

static bool
holds(const struct file *outer, const struct file *inner)
{
	const struct epoll *epoll = epoll_of(outer);

	for (unsigned i = 0; i < epoll->end; i++) {
		if (epoll_item_file(&epoll->item[i]) == inner)
			return true;
	}
	return false;
}

/* Instances of this process above it, in a row. */
static unsigned
depth_above(const struct file *file, unsigned depth)
{
	unsigned highest = 0;

	if (depth > EPOLL_NESTED)
		return depth;
	for (struct file *outer = file_next(NULL, FILE_EPOLL); outer != NULL;
	    outer = file_next(outer, FILE_EPOLL)) {
		if (outer == file || !holds(outer, file))
			continue;
		unsigned above = 1 + depth_above(outer, depth + 1);
		highest = above > highest ? above : highest;
	}
	return highest;
}

static long
check_nesting(const struct file *outer, const struct file *inner)
{
	if (inner->kind != FILE_EPOLL)
		return 0;
	if (reaches(inner, outer, 0) || depth_below(inner, 0) + 1 +
	    depth_above(outer, 0) > EPOLL_NESTED)
		return -E_LOOP;
	return 0;
}

/* -- epoll_ctl -- */

struct ctl {
	struct file *instance, *file;
	unsigned fd;
	uint32_t events;
	uint64_t data;
};

static bool
is_restless(const struct file *file)
{
	return file_ops(file)->edge != NULL;
}

static long
add(const struct ctl *ctl)
{
	struct epoll *epoll = epoll_of(ctl->instance);
	unsigned index = free_place(epoll, ctl->fd);

	if (index == EPOLL_ITEMS)
		return -E_NOSPC;
	struct epoll_item *item = &epoll->item[index];
	*item = (struct epoll_item){
		.identity = ctl->file->identity, .data = ctl->data,
		.events = ctl->events, .pid = INFO->pid, .fd = ctl->fd,
		.file = file_index(ctl->file),
	};
	long error = register_item(ctl->instance, index, ctl->file);
	if (item->fd != index)
		epoll->strays++;
	if (index >= epoll->end)
		epoll->end = index + 1;
	item->used = 1;
	if (error != 0) {
		remove_item(ctl->instance, index, ctl->file);
		return error;
	}
	ctl->file->epolls++;
	set_bit(epoll->restless, index, is_restless(ctl->file));
	set_bit(epoll->ready, index, true);
	return 0;
}

static long
modify(const struct ctl *ctl, unsigned index)
{
	struct epoll *epoll = epoll_of(ctl->instance);
	struct epoll_item *item = &epoll->item[index];

	if ((item->events & EPOLL_EXCLUSIVE) != 0)
		return -E_INVAL;
	item->events = ctl->events;
	item->data = ctl->data;
	item->seen[0] = item->seen[1] = 0;
	long error = register_item(ctl->instance, index, ctl->file);
	set_bit(epoll->ready, index, true);
	return error;
}

static long
control(const struct ctl *ctl, int operation)
{
	struct epoll *epoll = epoll_of(ctl->instance);
	unsigned index = find(epoll, ctl->file, ctl->fd);
	bool found = index != EPOLL_ITEMS;

	switch (operation) {
	case CTL_ADD:
		return found ? -E_EXIST : add(ctl);
	case CTL_MOD:
		return !found ? -E_NOENT : modify(ctl, index);
	case CTL_DEL:
		if (found)
			remove_item(ctl->instance, index, ctl->file);
		return found ? 0 : -E_NOENT;
	default:
		return -E_INVAL;
	}
}

static long
check(const struct ctl *ctl, int operation)
{
	if (ctl->instance == NULL || ctl->file == NULL ||
	    ctl->file->kind == FILE_PATH)
		return -E_BADF;
	if (file_ops(ctl->file)->poll == NULL)
		return -E_PERM;
	if (ctl->instance->kind != FILE_EPOLL || ctl->instance == ctl->file)
		return -E_INVAL;
	if (operation == CTL_DEL || (ctl->events & EPOLL_EXCLUSIVE) == 0)
		return 0;
	return operation == CTL_MOD || ctl->file->kind == FILE_EPOLL ||
	    (ctl->events & ~EXCLUSIVE_MAY) != 0 ? -E_INVAL : 0;
}

struct event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));

long
linux_epoll_ctl(int instance, int operation, int fd, const void *from)
{
	struct event event = { 0, 0 };

	if (operation != CTL_DEL &&
	    user_read(&event, from, sizeof(event)) != 0)
		return -E_FAULT;
	const struct ctl ctl = {
		.instance = instance < 0 ? NULL : fd_file((unsigned)instance),
		.file = fd < 0 ? NULL : fd_file((unsigned)fd),
		.fd = (unsigned)fd, .data = event.data,
		.events = event.events | L_POLLERR | L_POLLHUP,
	};
	long error = check(&ctl, operation);
	if (error == 0 && operation == CTL_ADD)
		error = check_nesting(ctl.instance, ctl.file);
	if (error != 0)
		return error;
	struct epoll *epoll = epoll_of(ctl.instance);
	cell_lock(&epoll->lock);
	error = control(&ctl, operation);
	cell_unlock(&epoll->lock);
	if (error == 0 && operation != CTL_DEL)
		epoll_wake(ctl.instance);
	return error;
}

/* What this process added goes with its last descriptor. */
void
epoll_file_closed(struct file *file)
{
	for (struct file *instance = file_next(NULL, FILE_EPOLL);
	    instance != NULL; instance = file_next(instance, FILE_EPOLL)) {
		struct epoll *epoll = epoll_of(instance);

		if (instance == file)
			continue;
		cell_lock(&epoll->lock);
		for (unsigned i = 0; i < epoll->end; i++) {
			const struct epoll_item *item = &epoll->item[i];
			if (item->used != 0 && item->pid == INFO->pid &&
			    item->identity == file->identity)
				remove_item(instance, i, file);
		}
		cell_unlock(&epoll->lock);
	}
}
