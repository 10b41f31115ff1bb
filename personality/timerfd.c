/* SPDX-License-Identifier: MIT */
/*
 * timerfd: a time in shared memory. Nobody counts: who reads or polls computes
 * from the clock how often it has expired, and who waits ends its wait in time
 * (file_ops.due). So a timer that nobody looks at costs nothing.
 */
#include "calls.h"
#include "cell.h"
#include "clock.h"
#include "fileops.h"
#include "user.h"

#include <abi/object.h>

#define NS			1000000000ul
#define TFD_ABSTIME		1u
#define TFD_CANCEL_ON_SET	2u

/* Under the lock. */
struct timer_state {
	uint64_t due;		/* of the next that was not read; 0: not armed */
	uint64_t interval;	/* or 0 */
	uint64_t wall;		/* due is time of the wall, not since boot */
	uint64_t cancels;	/* a read fails once the wall clock was set ... */
	uint64_t wall_offset;	/* ... away from this */
};

struct timer {
	uint64_t lock;
	uint64_t clock;		/* CLOCK_*, constant */
	struct timer_state state;
	struct watch readable;
};

static struct timer *
timer_of(const struct file *file)
{
	return cell_at(file->cell);
}

static struct timer_state
state_of(struct timer *timer)
{
	cell_lock(&timer->lock);
	struct timer_state state = timer->state;
	cell_unlock(&timer->lock);
	return state;
}

static uint64_t
now_of(const struct timer_state *state)
{
	return time_now_ns() + (state->wall != 0 ? time_wall_offset_ns() : 0);
}

/* Expirations that were not read. */
static uint64_t
expired(const struct timer_state *state, uint64_t now)
{
	if (state->due == 0 || now < state->due)
		return 0;
	return state->interval == 0 ? 1 :
	    1 + (now - state->due) / state->interval;
}

static bool
is_cancelled(const struct timer_state *state)
{
	return state->cancels != 0 &&
	    state->wall_offset != time_wall_offset_ns();
}

/* They have been read: 0 there were none, -E_CANCELED. */
static int64_t
take(struct timer *timer)
{
	struct timer_state *state = &timer->state;

	cell_lock(&timer->lock);
	int64_t count = -E_CANCELED;
	if (is_cancelled(state)) {
		state->wall_offset = time_wall_offset_ns();
	} else {
		count = (int64_t)expired(state, now_of(state));
		if (count != 0)
			state->due = state->interval == 0 ? 0 : state->due +
			    (uint64_t)count * state->interval;
	}
	cell_unlock(&timer->lock);
	return count;
}

static bool
has_expired(struct file *file, uint64_t argument)
{
	const struct timer_state state = state_of(timer_of(file));

	return is_cancelled(&state) || expired(&state, now_of(&state)) != 0;
}

static long
timer_read(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	int64_t count;

	if (size < sizeof(count))
		return -E_INVAL;
	while ((count = take(timer_of(file))) == 0) {
		if ((file->flags & L_O_NONBLOCK) != 0)
			return -E_AGAIN;
		long error = file_wait(file, false, has_expired, 0);
		if (error != 0)
			return error;
	}
	if (count < 0)
		return count;
	return user_write(buffer, &count, sizeof(count)) != 0 ? -E_FAULT :
	    (long)sizeof(count);
}

static unsigned
timer_poll(struct file *file)
{
	return has_expired(file, 0) ? L_POLLIN : 0;
}

/* Once it has expired nothing changes until it is read. */
static uint64_t
timer_due(struct file *file)
{
	const struct timer_state state = state_of(timer_of(file));
	uint64_t now = now_of(&state);

	if (state.due == 0 || now >= state.due)
		return DEADLINE_NEVER;
	return time_now_ns() + (state.due - now);
}

static uint64_t
timer_edge(struct file *file)
{
	return state_of(timer_of(file)).due;
}

static struct watch *
timer_watch(struct file *file, bool out)
{
	(void)out;
	return &timer_of(file)->readable;
}

const struct file_ops timer_file_ops = {
	.read = timer_read, .poll = timer_poll, .due = timer_due,
	.edge = timer_edge,
	.watch = timer_watch, .status = cell_file_status,
	.close = cell_file_close, .own_cap = true, .anonymous = true,
};

/* -- calls -- */

struct itimerspec {
	struct linux_timespec interval, value;
};

long
linux_timerfd_create(int clock, unsigned flags)
{
	struct cell cell;

	if ((flags & ~(L_O_CLOEXEC | L_O_NONBLOCK)) != 0 ||
	    (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME &&
	    clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_BOOTTIME_ALARM))
		return -E_INVAL;
	long error = cell_new(false, &cell);
	if (error != 0)
		return error;
	((struct timer *)cell_at(cell.place))->clock = (uint64_t)clock;
	return cell_install(&cell, FILE_TIMER, flags);
}

static long
timer_get(int fd, struct timer **out)
{
	struct file *file = fd < 0 ? NULL : fd_file((unsigned)fd);

	if (file == NULL)
		return -E_BADF;
	if (file->kind != FILE_TIMER)
		return -E_INVAL;
	*out = timer_of(file);
	return 0;
}

/* What is left, as both calls tell it. */
static struct itimerspec
left_of(const struct timer_state *state)
{
	uint64_t now = now_of(state), left = 0;

	if (state->due != 0 && now < state->due)
		left = state->due - now;
	else if (state->due != 0 && state->interval != 0)
		left = state->interval -
		    (now - state->due) % state->interval;
	return (struct itimerspec){ time_of_ns(state->interval),
	    time_of_ns(left) };
}

static struct timer_state
state_from(const struct timer *timer, const struct itimerspec *new,
    unsigned flags)
{
	bool absolute = (flags & TFD_ABSTIME) != 0;
	bool of_wall = timer->clock == CLOCK_REALTIME ||
	    timer->clock == CLOCK_REALTIME_ALARM;
	struct timer_state state = {
		.interval = time_to_ns(&new->interval),
		.wall = absolute && of_wall,
		.cancels = absolute && of_wall &&
		    (flags & TFD_CANCEL_ON_SET) != 0,
		.wall_offset = time_wall_offset_ns(),
	};

	state.due = time_to_ns(&new->value);
	if (state.due != 0 && !absolute)
		state.due += time_now_ns();
	return state;
}

long
linux_timerfd_settime(int fd, unsigned flags, const void *from, void *old)
{
	struct itimerspec new, before;
	struct timer *timer;

	if (user_read(&new, from, sizeof(new)) != 0)
		return -E_FAULT;
	if ((flags & ~(TFD_ABSTIME | TFD_CANCEL_ON_SET)) != 0 ||
	    !time_is_valid(&new.value) || !time_is_valid(&new.interval))
		return -E_INVAL;
	long error = timer_get(fd, &timer);
	if (error != 0)
		return error;
	struct timer_state state = state_from(timer, &new, flags);
	cell_lock(&timer->lock);
	before = left_of(&timer->state);
	timer->state = state;
	cell_unlock(&timer->lock);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	watch_wake(&timer->readable);
	return old == NULL ? 0 : user_write(old, &before, sizeof(before));
}

long
linux_timerfd_gettime(int fd, void *out)
{
	struct timer *timer;
	long error = timer_get(fd, &timer);

	if (error != 0)
		return error;
	const struct timer_state state = state_of(timer);
	const struct itimerspec left = left_of(&state);
	return user_write(out, &left, sizeof(left));
}
