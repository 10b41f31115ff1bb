/* SPDX-License-Identifier: MIT */
/*
 * poll and select. Files and devices are always ready; a pipe knows its state;
 * proc is asked about a terminal and the console about itself.
 *
 * Waiting: for one pipe, on its notification. For anything else the state is
 * looked at again after pauses that grow from 0.2 to 10 ms, since a thread
 * waits on one notification at a time.
 */
#include "calls.h"
#include "clock.h"
#include "fileops.h"
#include "service.h"
#include "signals.h"
#include "user.h"

#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define PAUSE_FIRST_NS	200000ul
#define PAUSE_LAST_NS	10000000ul
#define SET_WORDS	(FD_MAX / 64)

static struct linux_pollfd polled[FD_MAX];

static unsigned
state_of(struct file *file)
{
	if (file_ops(file)->poll != NULL)
		return file_ops(file)->poll(file);
	return L_POLLOUT | L_POLLWRNORM | L_POLLIN | L_POLLRDNORM;
}

static unsigned
scan(unsigned count)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++) {
		struct linux_pollfd *p = &polled[i];
		p->revents = 0;
		if (p->fd < 0)
			continue;
		struct file *file = fd_file((unsigned)p->fd);
		if (file == NULL || file->kind == FILE_PATH)
			p->revents = L_POLLNVAL;
		else
			p->revents = (int16_t)(state_of(file) &
			    ((unsigned)p->events | L_POLLERR | L_POLLHUP));
		found += p->revents != 0;
	}
	return found;
}

/* The only file that can become ready, if it can tell when. */
static struct file *
only_file(unsigned count)
{
	struct file *only = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (polled[i].fd < 0)
			continue;
		struct file *file = fd_file((unsigned)polled[i].fd);
		if (file == NULL || file_ops(file)->announce == NULL ||
		    only != NULL)
			return NULL;
		only = file;
	}
	return only;
}

static status_t
wait_a_while(unsigned count, uint64_t deadline, uint64_t *pause_ns)
{
	struct file *only = only_file(count);
	bool nothing = true;
	uint64_t seen;

	if (only != NULL) {
		cap_t n = file_ops(only)->announce(only, &seen);
		if (scan(count) != 0)
			return OK;
		return sys_wait(n, WAIT_COUNT, seen, deadline, NULL, NULL);
	}
	for (unsigned i = 0; i < count; i++)
		nothing = nothing && polled[i].fd < 0;
	if (nothing)
		return time_wait(deadline);
	uint64_t until = time_now_ns() + *pause_ns;
	if (*pause_ns < PAUSE_LAST_NS)
		*pause_ns *= 2;
	if (until >= deadline)
		return time_wait(deadline);
	status_t status = time_wait(until);
	return status == ERR_TIMEOUT ? OK : status;
}

static long
poll_until(unsigned count, uint64_t deadline)
{
	uint64_t pause_ns = PAUSE_FIRST_NS;

	for (;;) {
		unsigned found = scan(count);
		if (found != 0 || deadline == 0)
			return found;
		status_t status = wait_a_while(count, deadline, &pause_ns);
		if (status == ERR_TIMEOUT)
			return scan(count);
		if (status != OK) {
			signal_look_again();
			return -RESTART_NO_HANDLER;
		}
	}
}

static long
poll_files(struct linux_pollfd *fds, unsigned count, uint64_t deadline)
{
	if (count > FD_MAX)
		return -E_INVAL;
	if (user_read(polled, fds, count * sizeof(*fds)) != 0)
		return -E_FAULT;
	long found = poll_until(count, deadline);
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

static long
deadline_of(const struct linux_timespec *timeout, uint64_t *out)
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

static long
begin_mask(const uint64_t *mask, size_t size)
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

/* When a handler will run, its return restores the mask. */
static long
end_mask(long result)
{
	if (result != -RESTART_NO_HANDLER)
		signal_end_temporary_mask();
	return result;
}

long
linux_ppoll(struct linux_pollfd *fds, unsigned count,
    const struct linux_timespec *timeout, const uint64_t *mask, size_t size)
{
	uint64_t deadline;
	long error = deadline_of(timeout, &deadline);

	if (error == 0)
		error = begin_mask(mask, size);
	if (error != 0)
		return error;
	return end_mask(poll_files(fds, count, deadline));
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
sets_to_poll(const struct fd_sets *sets, unsigned count)
{
	unsigned used = 0;

	for (unsigned fd = 0; fd < count; fd++) {
		int events = (has(sets->in, fd) ? L_POLLIN : 0) |
		    (has(sets->out, fd) ? L_POLLOUT : 0) |
		    (has(sets->except, fd) ? L_POLLPRI : 0);
		if (events == 0)
			continue;
		if (fd_file(fd) == NULL)
			return -E_BADF;
		polled[used++] = (struct linux_pollfd){ (int)fd,
		    (int16_t)events, 0 };
	}
	return used;
}

static long
poll_to_sets(unsigned used, struct fd_sets *sets)
{
	long found = 0;

	memset(sets, 0, sizeof(*sets));
	for (unsigned i = 0; i < used; i++) {
		unsigned fd = (unsigned)polled[i].fd;
		unsigned wanted = (unsigned)polled[i].events;
		unsigned is = (unsigned)polled[i].revents;
		uint64_t bit = 1ul << fd % 64;
		if ((wanted & L_POLLIN) != 0 &&
		    (is & (L_POLLIN | L_POLLHUP | L_POLLERR)) != 0) {
			sets->in[fd / 64] |= bit;
			found++;
		}
		if ((wanted & L_POLLOUT) != 0 &&
		    (is & (L_POLLOUT | L_POLLERR)) != 0) {
			sets->out[fd / 64] |= bit;
			found++;
		}
	}
	return found;
}

static long
select_files(int count, uint64_t *in, uint64_t *out, uint64_t *except,
    uint64_t deadline)
{
	static struct fd_sets sets;

	if (count < 0)
		return -E_INVAL;
	unsigned n = (unsigned)count < FD_MAX ? (unsigned)count : FD_MAX;
	if (get_set(sets.in, in, n) != 0 || get_set(sets.out, out, n) != 0 ||
	    get_set(sets.except, except, n) != 0)
		return -E_FAULT;
	long used = sets_to_poll(&sets, n);
	if (used < 0)
		return used;
	long found = poll_until((unsigned)used, deadline);
	if (found < 0)
		return found;
	found = poll_to_sets((unsigned)used, &sets);
	if (put_set(in, sets.in, n) != 0 || put_set(out, sets.out, n) != 0 ||
	    put_set(except, sets.except, n) != 0)
		return -E_FAULT;
	return found;
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
	long error = deadline_of(timeout, &deadline);

	if (error != 0)
		return error;
	if (mask_argument != NULL &&
	    user_read(mask, mask_argument, sizeof(mask)) != 0)
		return -E_FAULT;
	error = begin_mask((const uint64_t *)mask[0], mask[1]);
	if (error != 0)
		return error;
	long found = end_mask(select_files(count, in, out, except, deadline));
	if (timeout != NULL)
		give_left(deadline, 1, timeout);
	return found;
}
