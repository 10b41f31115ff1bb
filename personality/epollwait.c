/* SPDX-License-Identifier: MIT */
/* epoll: waiting, and what is ready. */
#include "epoll.h"

#include "calls.h"
#include "clock.h"
#include "fileops.h"
#include "poll.h"
#include "service.h"
#include "signals.h"
#include "user.h"

#include <abi/object.h>
#include <idl/watch.h>
#include <lib/sys/sys.h>

struct event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));
_Static_assert(sizeof(struct event) == 12, "struct epoll_event");

#define EVENTS_MAX	(INT32_MAX / (int)sizeof(struct event))

struct file *
epoll_item_file(const struct epoll_item *item)
{
	return item->used == 0 ? NULL : file_find(item->file, item->identity);
}

static void
set_ready(struct epoll *epoll, unsigned index)
{
	epoll->ready[index / 64] |= 1ul << index % 64;
}

static void
clear_ready(struct epoll *epoll, unsigned index)
{
	epoll->ready[index / 64] &= ~(1ul << index % 64);
}

/* Woken since it was armed, as far as can be told. */
static bool
was_woken(const struct epoll_item *item)
{
	struct file *file = epoll_item_file(item);
	uint64_t wakes;

	if (file == NULL)
		return true;
	for (unsigned out = 0; out < 2; out++) {
		if ((item->registered & 1u << out) != 0 &&
		    (!watch_count_of(file, out != 0, &wakes) ||
		    wakes != item->seen[out]))
			return true;
	}
	return false;
}

void
epoll_mark(struct epoll *epoll, uint64_t bits)
{
	if ((bits & WATCHER_BIT_LOOK) != 0) {
		for (unsigned i = 0; i < epoll->end; i++) {
			if (epoll->item[i].used != 0)
				set_ready(epoll, i);
		}
		return;
	}
	for (bits &= (1ul << EPOLL_GROUPS) - 1; bits != 0; bits &= bits - 1) {
		for (unsigned i = (unsigned)__builtin_ctzl(bits);
		    i < epoll->end; i += EPOLL_GROUPS) {
			if (epoll->item[i].used != 0 &&
			    was_woken(&epoll->item[i]))
				set_ready(epoll, i);
		}
	}
}

static void
arm(struct epoll_item *item, struct file *file)
{
	for (unsigned out = 0; out < 2; out++) {
		if ((item->registered & 1u << out) != 0)
			item->seen[out] = watch_arm_file(file, out != 0);
	}
}

static unsigned
is_ready(const struct epoll_item *item, struct file *file)
{
	return file_poll(file) & item->events & ~EPOLL_FLAGS;
}

/* Of a restless file: ready, and not told of before. */
static unsigned
edge(struct epoll_item *item, struct file *file)
{
	unsigned found = is_ready(item, file);
	uint64_t mark = file_ops(file)->edge(file);

	if (found == 0 || item->seen[0] == mark)
		return 0;
	item->seen[0] = mark;
	return found;
}

/* What is ready; takes the item from the ready ones if that is not told again. */
static unsigned
look(struct epoll *epoll, unsigned index, struct file *file)
{
	struct epoll_item *item = &epoll->item[index];
	bool restless = (epoll->restless[index / 64] >> index % 64 & 1) != 0;

	if ((item->events & ~EPOLL_FLAGS) == 0) {	/* one shot was fired */
		clear_ready(epoll, index);
		return 0;
	}
	if ((item->events & EPOLL_ET) != 0) {
		clear_ready(epoll, index);
		uint64_t told = item->seen[0];
		arm(item, file);
		if (!restless)
			return is_ready(item, file);
		item->seen[0] = told;
		return edge(item, file);
	}
	unsigned found = is_ready(item, file);
	if (found == 0) {
		arm(item, file);
		found = is_ready(item, file);
	}
	if (found == 0)
		clear_ready(epoll, index);
	return found;
}

/* A walk over the items to look at. */
struct walk {
	struct epoll *epoll;
	void	*events;	/* of the program; NULL: only whether there are */
	int	 room;
	int	 found;
	uint64_t due;		/* when a file becomes ready by itself */
	bool	 left;		/* more than there was room for */
};

/* 0, or -E_FAULT. */
static long
visit(struct walk *walk, unsigned index)
{
	struct epoll_item *item = &walk->epoll->item[index];
	struct file *file = epoll_item_file(item);

	if (file == NULL)
		return 0;
	if (file_ops(file)->due != NULL) {
		uint64_t due = file_ops(file)->due(file);
		walk->due = due < walk->due ? due : walk->due;
	}
	if (walk->found == walk->room) {
		walk->left = true;
		return 0;
	}
	unsigned found = look(walk->epoll, index, file);
	if (found == 0)
		return 0;
	const struct event event = { found, item->data };
	if (user_write((struct event *)walk->events + walk->found, &event,
	    sizeof(event)) != 0) {
		set_ready(walk->epoll, index);
		return -E_FAULT;
	}
	walk->found++;
	walk->epoll->cursor = index + 1;
	if ((item->events & EPOLL_ONESHOT) != 0)
		item->events &= EPOLL_FLAGS;
	return 0;
}

/* The bits of a word from a place on, or those below it. */
static uint64_t
part(const struct epoll *epoll, unsigned word, unsigned from, bool above)
{
	uint64_t bits = epoll->ready[word] | epoll->restless[word];
	uint64_t high = ~0ul;

	if (word * 64 + 63 < from)
		high = 0;
	else if (word * 64 < from)
		high = ~0ul << from % 64;
	return bits & (above ? high : ~high);
}

/* All of them once, those behind the one that was told last first. */
static long
walk_ready(struct walk *walk)
{
	struct epoll *epoll = walk->epoll;
	unsigned from = epoll->cursor < EPOLL_ITEMS ? epoll->cursor : 0;
	unsigned words = (epoll->end + 63) / 64;

	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned word = 0; word < words; word++) {
			uint64_t bits = part(epoll, word, from, turn == 0);
			for (; bits != 0; bits &= bits - 1) {
				long error = visit(walk, word * 64 +
				    (unsigned)__builtin_ctzl(bits));
				if (error != 0)
					return error;
			}
		}
	}
	return 0;
}

/* What the watcher has been signalled with so far. */
static uint64_t
take_bits(const struct watcher *watcher)
{
	uint64_t bits = 0;

	return sys_wait(watcher->notification, WAIT_BITS, 0, 1, &bits, NULL) ==
	    OK ? bits : 0;
}

static bool
any_ready(const struct epoll *epoll)
{
	for (unsigned word = 0; word < (epoll->end + 63) / 64; word++) {
		if (epoll->ready[word] != 0)
			return true;
	}
	return false;
}

/* Does what proc does when a file becomes ready. */
void
epoll_wake(struct file *file)
{
	struct epoll *epoll = epoll_of(file);

	if (__atomic_load_n(&epoll->waiting, __ATOMIC_SEQ_CST) != 0)
		sys_signal(epoll_watcher(file)->notification, EPOLL_BIT_AGAIN);
	watch_wake(&epoll->readable);
}

/* Events written, 0, or -E_*. bits: what a wait has taken. */
static long
collect(struct file *file, uint64_t bits, struct walk *walk)
{
	struct epoll *epoll = epoll_of(file);

	walk->epoll = epoll;
	walk->due = DEADLINE_NEVER;
	walk->found = 0;
	walk->left = false;
	cell_lock(&epoll->lock);
	epoll_mark(epoll, bits | take_bits(epoll_watcher(file)));
	long error = walk_ready(walk);
	bool others = walk->found != 0 && any_ready(epoll) &&
	    __atomic_load_n(&epoll->waiting, __ATOMIC_SEQ_CST) != 0;
	cell_unlock(&epoll->lock);
	/* One wake-up was for all that is ready: the next sleeper's turn. */
	if (others)
		sys_signal(epoll_watcher(file)->notification, EPOLL_BIT_AGAIN);
	return walk->found != 0 ? walk->found : error;
}

/* Peeks: an edge stays for who waits. */
static bool
has_event(struct epoll *epoll, unsigned index)
{
	struct epoll_item *item = &epoll->item[index];
	struct file *file = epoll_item_file(item);

	if (file == NULL || (item->events & ~EPOLL_FLAGS) == 0)
		return false;
	if ((item->events & EPOLL_ET) != 0)
		return is_ready(item, file) != 0;
	return look(epoll, index, file) != 0;
}

unsigned
epoll_poll(struct file *file)
{
	struct epoll *epoll = epoll_of(file);
	bool found = false;

	cell_lock(&epoll->lock);
	epoll_mark(epoll, take_bits(epoll_watcher(file)));
	for (unsigned word = 0; word < (epoll->end + 63) / 64; word++) {
		uint64_t bits = epoll->ready[word] | epoll->restless[word];
		for (; bits != 0 && !found; bits &= bits - 1)
			found = has_event(epoll, word * 64 +
			    (unsigned)__builtin_ctzl(bits));
	}
	cell_unlock(&epoll->lock);
	return found ? L_POLLIN | L_POLLRDNORM : 0;
}

/* -- waiting -- */

static status_t
sleep(struct file *file, uint64_t deadline, uint64_t *out_bits)
{
	struct epoll *epoll = epoll_of(file);

	__atomic_fetch_add(&epoll->waiting, 1, __ATOMIC_SEQ_CST);
	status_t status = sys_wait(epoll_watcher(file)->notification,
	    WAIT_BITS, 0, deadline, out_bits, NULL);
	__atomic_fetch_sub(&epoll->waiting, 1, __ATOMIC_SEQ_CST);
	if (status != OK)
		*out_bits = 0;
	return status;
}

static long
wait_until(struct file *file, void *events, int room, uint64_t deadline)
{
	struct walk walk = { .events = events, .room = room };
	bool interrupted = false;
	uint64_t bits = 0;

	for (;;) {
		long found = collect(file, bits, &walk);
		if (found != 0 || deadline == 0)
			return found;
		if (interrupted)
			return -E_INTR;
		bool first = walk.due < deadline;
		status_t status = sleep(file, first ? walk.due : deadline,
		    &bits);
		if (status == ERR_TIMEOUT && !first)
			return collect(file, 0, &walk);
		if (status == ERR_INTERRUPTED) {
			signal_pending_now();
			interrupted = signal_is_due(0);
		} else if (status != OK && status != ERR_TIMEOUT) {
			return service_error(status);
		}
	}
}

static long
wait_events(int fd, void *events, int room, uint64_t deadline)
{
	struct file *file = fd < 0 ? NULL : fd_file((unsigned)fd);

	if (room <= 0 || room > EVENTS_MAX)
		return -E_INVAL;
	if (!user_range(events, (size_t)room * sizeof(struct event)))
		return -E_FAULT;
	if (file == NULL)
		return -E_BADF;
	if (file->kind != FILE_EPOLL)
		return -E_INVAL;
	return wait_until(file, events, room, deadline);
}

static uint64_t
deadline_of(int timeout_ms)
{
	return timeout_ms < 0 ? DEADLINE_NEVER : timeout_ms == 0 ? 0 :
	    time_now_ns() + (uint64_t)timeout_ms * 1000000;
}

long
linux_epoll_wait(int fd, void *events, int room, int timeout_ms)
{
	return wait_events(fd, events, room, deadline_of(timeout_ms));
}

/* When it was interrupted, the handler comes under the mask of the call. */
static long
wait_masked(int fd, void *events, int room, uint64_t deadline)
{
	long found = wait_events(fd, events, room, deadline);

	if (found != -E_INTR)
		signal_end_temporary_mask();
	return found;
}

long
linux_epoll_pwait(int fd, void *events, int room, int timeout_ms,
    const uint64_t *mask, size_t size)
{
	uint64_t deadline = deadline_of(timeout_ms);
	long error = poll_begin_mask(mask, size);

	return error != 0 ? error : wait_masked(fd, events, room, deadline);
}

long
linux_epoll_pwait2(int fd, void *events, int room,
    const struct linux_timespec *timeout, const uint64_t *mask, size_t size)
{
	uint64_t deadline;
	long error = poll_deadline(timeout, &deadline);

	if (error == 0)
		error = poll_begin_mask(mask, size);
	return error != 0 ? error : wait_masked(fd, events, room, deadline);
}
