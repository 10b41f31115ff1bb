/* SPDX-License-Identifier: MIT */
/*
 * poll and select. What an open file is ready for, its kind knows.
 *
 * Waiting: for one pipe, on its notification. For anything else on that of the
 * process (watch.h): each file is armed, looked at once more, and who makes it
 * ready has proc signal the notification. Files whose time comes by itself
 * shorten the wait.
 */
#include "calls.h"
#include "clock.h"
#include "fileops.h"
#include "limit.h"
#include "poll.h"
#include "service.h"
#include "signals.h"
#include "user.h"
#include "watch.h"

#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define SET_WORDS	(FD_MAX / 64)
#define ALWAYS		(L_POLLOUT | L_POLLWRNORM | L_POLLIN | L_POLLRDNORM)

/* Kinds of readiness that select asks for, each as Linux groups them. */
#define SELECT_IN	(L_POLLIN | L_POLLRDNORM | L_POLLRDBAND | L_POLLHUP | \
			L_POLLERR | L_POLLNVAL)
#define SELECT_OUT	(L_POLLOUT | L_POLLWRNORM | L_POLLWRBAND | \
			L_POLLERR | L_POLLNVAL)
#define SELECT_EXCEPT	(L_POLLPRI | L_POLLNVAL)

unsigned
file_poll(struct file *file)
{
	return file_ops(file)->poll != NULL ? file_ops(file)->poll(file) :
	    ALWAYS;
}

bool
poll_wants_out(unsigned events)
{
	return (events & (L_POLLOUT | L_POLLWRNORM | L_POLLWRBAND)) != 0;
}

bool
poll_wants_in(unsigned events)
{
	/* An error or the end comes from the side that is not asked for, too. */
	return (events & (L_POLLIN | L_POLLRDNORM | L_POLLRDBAND | L_POLLPRI |
	    L_POLLRDHUP)) != 0 || !poll_wants_out(events);
}

static struct file *
polled_file(const struct linux_pollfd *p)
{
	struct file *file = p->fd < 0 ? NULL : fd_file((unsigned)p->fd);

	return file == NULL || file->kind == FILE_PATH ? NULL : file;
}

/* always: what is told whether it was asked for or not. */
struct poll_set {
	struct linux_pollfd *fds;
	unsigned count, always;
};

static unsigned
scan(const struct poll_set *set)
{
	unsigned found = 0;

	for (unsigned i = 0; i < set->count; i++) {
		struct linux_pollfd *p = &set->fds[i];
		struct file *file = polled_file(p);

		p->revents = 0;
		if (file != NULL)
			p->revents = (int16_t)(file_poll(file) &
			    ((unsigned)(uint16_t)p->events | set->always));
		else if (p->fd >= 0)
			p->revents = L_POLLNVAL;
		found += p->revents != 0;
	}
	return found;
}

/* The only file that can become ready, if it can tell when. */
static struct file *
only_file(const struct poll_set *set)
{
	struct file *only = NULL;

	for (unsigned i = 0; i < set->count; i++) {
		struct file *file = polled_file(&set->fds[i]);

		if (set->fds[i].fd < 0)
			continue;
		if (file == NULL || file_ops(file)->announce == NULL ||
		    only != NULL)
			return NULL;
		only = file;
	}
	return only;
}

/* Readies all; *deadline becomes what the first of them makes it. */
static long
arm_all(const struct poll_set *set, uint64_t *deadline)
{
	for (unsigned i = 0; i < set->count; i++) {
		struct file *file = polled_file(&set->fds[i]);
		unsigned events = (uint16_t)set->fds[i].events;
		long error = 0;

		if (file == NULL)
			continue;
		if (poll_wants_in(events))
			error = watch_want(file, false);
		if (error == 0 && poll_wants_out(events))
			error = watch_want(file, true);
		if (error != 0)
			return error;
		uint64_t due = file_ops(file)->due == NULL ? DEADLINE_NEVER :
		    file_ops(file)->due(file);
		if (due < *deadline)
			*deadline = due;
	}
	return 0;
}

static bool
names_nothing(const struct poll_set *set)
{
	for (unsigned i = 0; i < set->count; i++) {
		if (set->fds[i].fd >= 0)
			return false;
	}
	return true;
}

/* OK: look again. */
static status_t
wait_for_change(const struct poll_set *set, uint64_t deadline,
    long *out_error)
{
	struct file *only = only_file(set);
	uint64_t seen, until = deadline;

	*out_error = 0;
	if (only != NULL) {
		cap_t n = file_ops(only)->announce(only, &seen);
		if (scan(set) != 0)
			return OK;
		return sys_wait(n, WAIT_COUNT, seen, deadline, NULL, NULL);
	}
	if (names_nothing(set))
		return time_wait(deadline);
	*out_error = watch_begin(&seen);
	if (*out_error == 0)
		*out_error = arm_all(set, &until);
	if (*out_error != 0 || scan(set) != 0)
		return OK;
	status_t status = watch_sleep(seen, until);
	/* A file's own time, not that of the call. */
	return status == ERR_TIMEOUT && until != deadline ? OK : status;
}

static long
poll_until(const struct poll_set *set, uint64_t deadline)
{
	for (;;) {
		long error;
		unsigned found = scan(set);
		if (found != 0)
			return found;
		/* Before the time limit, even one of 0. */
		if (signal_waiting())
			return -RESTART_NO_HANDLER;
		if (deadline == 0)
			return 0;
		status_t status = wait_for_change(set, deadline, &error);
		if (error != 0)
			return error;
		if (status == ERR_TIMEOUT)
			return scan(set);
		if (status != OK) {
			signal_look_again();
			return -RESTART_NO_HANDLER;
		}
	}
}

static long
poll_files(struct linux_pollfd *fds, unsigned count, uint64_t deadline)
{
	struct linux_pollfd polled[FD_MAX];

	if (count > fd_limit())
		return -E_INVAL;
	if (user_read(polled, fds, count * sizeof(*fds)) != 0)
		return -E_FAULT;
	const struct poll_set set = { polled, count, L_POLLERR | L_POLLHUP };
	long found = poll_until(&set, deadline);
	if (found >= 0 && user_write(fds, polled, count * sizeof(*fds)) != 0)
		return -E_FAULT;
	return found;
}

/* The poll that may have to go on after a stop. */
static struct {
	struct linux_pollfd *fds;
	unsigned count;
	uint64_t deadline;
} poll_again;

static long
poll_resume(void)
{
	long found = poll_files(poll_again.fds, poll_again.count,
	    poll_again.deadline);

	return found == -RESTART_NO_HANDLER ? time_restart_with(poll_resume) :
	    found;
}

long
linux_poll(struct linux_pollfd *fds, unsigned count, int timeout_ms)
{
	uint64_t deadline = DEADLINE_NEVER;

	if (timeout_ms >= 0)
		deadline = timeout_ms == 0 ? 0 : time_now_ns() +
		    (uint64_t)timeout_ms * 1000000;
	poll_again.fds = fds;
	poll_again.count = count;
	poll_again.deadline = deadline;
	return poll_resume();
}

long
poll_deadline(const struct linux_timespec *timeout, uint64_t *out)
{
	struct linux_timespec t;

	*out = DEADLINE_NEVER;
	if (timeout == NULL)
		return 0;
	if (user_read(&t, timeout, sizeof(t)) != 0)
		return -E_FAULT;
	if (t.seconds == 0 && t.nanoseconds == 0) {
		*out = 0;
		return 0;
	}
	return time_deadline(timeout, out);
}

long
poll_begin_mask(const uint64_t *mask, size_t size)
{
	uint64_t set;

	if (mask == NULL)
		return 0;
	if (size != sizeof(set))
		return -E_INVAL;
	if (user_read(&set, mask, sizeof(set)) != 0)
		return -E_FAULT;
	signal_set_temporary_mask(set);
	return 0;
}

long
poll_end_mask(long result)
{
	if (result != -RESTART_NO_HANDLER)
		signal_end_temporary_mask();
	return result;
}

/* What is left of the time is told, as Linux does. */
static void
give_left(uint64_t deadline, uint64_t unit, struct linux_timespec *out)
{
	uint64_t now = time_now_ns();
	uint64_t left = deadline > now && deadline != DEADLINE_NEVER ?
	    deadline - now : 0;
	struct linux_timespec t = { (int64_t)(left / 1000000000),
	    (int64_t)(left % 1000000000 / unit) };

	user_write(out, &t, sizeof(t));
}

long
linux_ppoll(struct linux_pollfd *fds, unsigned count,
    const struct linux_timespec *timeout, const uint64_t *mask, size_t size)
{
	uint64_t deadline;
	long error = poll_deadline(timeout, &deadline);

	if (error == 0)
		error = poll_begin_mask(mask, size);
	if (error != 0)
		return error;
	long found = poll_end_mask(poll_files(fds, count, deadline));
	if (timeout != NULL)
		give_left(deadline, 1, (struct linux_timespec *)timeout);
	return found;
}

/* select */

struct fd_sets {
	uint64_t in[SET_WORDS], out[SET_WORDS], except[SET_WORDS];
};

static bool
has(const uint64_t *set, unsigned fd)
{
	return (set[fd / 64] >> fd % 64 & 1) != 0;
}

static long
get_set(uint64_t *to, const uint64_t *from, unsigned count)
{
	memset(to, 0, sizeof(uint64_t) * SET_WORDS);
	if (from == NULL)
		return 0;
	return user_read(to, from, (count + 63) / 64 * 8);
}

static long
put_set(uint64_t *to, const uint64_t *from, unsigned count)
{
	if (to == NULL)
		return 0;
	return user_write(to, from, (count + 63) / 64 * 8);
}

static long
sets_to_poll(const struct fd_sets *sets, unsigned count,
    struct linux_pollfd *polled)
{
	unsigned used = 0;

	for (unsigned fd = 0; fd < count; fd++) {
		unsigned events = (has(sets->in, fd) ? SELECT_IN : 0) |
		    (has(sets->out, fd) ? SELECT_OUT : 0) |
		    (has(sets->except, fd) ? SELECT_EXCEPT : 0);
		if (events == 0)
			continue;
		if (fd_file(fd) == NULL)
			return -E_BADF;
		polled[used++] = (struct linux_pollfd){ (int)fd,
		    (int16_t)events, 0 };
	}
	return used;
}

/* Sets the bit if it was asked for. */
static unsigned
tell(uint64_t *set, unsigned fd, unsigned is, unsigned kind)
{
	uint64_t bit = 1ul << fd % 64;

	if ((set[fd / 64] & bit) == 0)
		return 0;
	if ((is & kind) != 0)
		return 1;
	set[fd / 64] &= ~bit;
	return 0;
}

static long
poll_to_sets(const struct linux_pollfd *polled, unsigned used,
    struct fd_sets *sets)
{
	long found = 0;

	for (unsigned i = 0; i < used; i++) {
		unsigned fd = (unsigned)polled[i].fd;
		unsigned is = (uint16_t)polled[i].revents;

		found += tell(sets->in, fd, is, SELECT_IN);
		found += tell(sets->out, fd, is, SELECT_OUT);
		found += tell(sets->except, fd, is, SELECT_EXCEPT);
	}
	return found;
}

static long
select_files(int count, uint64_t *in, uint64_t *out, uint64_t *except,
    uint64_t deadline)
{
	struct linux_pollfd polled[FD_MAX];
	struct fd_sets sets;

	if (count < 0)
		return -E_INVAL;
	unsigned n = (unsigned)count < FD_MAX ? (unsigned)count : FD_MAX;
	if (get_set(sets.in, in, n) != 0 || get_set(sets.out, out, n) != 0 ||
	    get_set(sets.except, except, n) != 0)
		return -E_FAULT;
	long used = sets_to_poll(&sets, n, polled);
	if (used < 0)
		return used;
	const struct poll_set set = { polled, (unsigned)used, 0 };
	long found = poll_until(&set, deadline);
	if (found < 0)
		return found;
	found = poll_to_sets(polled, (unsigned)used, &sets);
	if (put_set(in, sets.in, n) != 0 || put_set(out, sets.out, n) != 0 ||
	    put_set(except, sets.except, n) != 0)
		return -E_FAULT;
	return found;
}

long
linux_select(int count, uint64_t *in, uint64_t *out, uint64_t *except,
    struct linux_timeval *timeout)
{
	uint64_t deadline = DEADLINE_NEVER;
	struct linux_timeval t;

	if (timeout != NULL) {
		if (user_read(&t, timeout, sizeof(t)) != 0)
			return -E_FAULT;
		if (t.seconds < 0 || t.microseconds < 0)
			return -E_INVAL;
		uint64_t ns = (uint64_t)t.seconds * 1000000000 +
		    (uint64_t)t.microseconds * 1000;
		deadline = ns == 0 ? 0 : time_now_ns() + ns;
	}
	long found = select_files(count, in, out, except, deadline);
	if (timeout != NULL)
		give_left(deadline, 1000, (struct linux_timespec *)timeout);
	return found;
}

long
linux_pselect6(int count, uint64_t *in, uint64_t *out, uint64_t *except,
    struct linux_timespec *timeout, const uint64_t *mask_argument)
{
	uint64_t deadline, mask[2] = { 0, 0 };
	long error = poll_deadline(timeout, &deadline);

	if (error != 0)
		return error;
	if (mask_argument != NULL &&
	    user_read(mask, mask_argument, sizeof(mask)) != 0)
		return -E_FAULT;
	error = poll_begin_mask((const uint64_t *)mask[0], mask[1]);
	if (error != 0)
		return error;
	long found = poll_end_mask(select_files(count, in, out, except, deadline));
	if (timeout != NULL)
		give_left(deadline, 1, timeout);
	return found;
}
