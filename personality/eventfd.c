/* SPDX-License-Identifier: MIT */
/*
 * eventfd: a counter that everybody who has it shares, without a server.
 */
#include "calls.h"
#include "cell.h"
#include "fileops.h"
#include "user.h"

#define EFD_SEMAPHORE	1u
#define COUNT_MAX	(UINT64_MAX - 1)

struct event {
	uint64_t count;
	uint64_t semaphore;	/* a read takes one; constant */
	struct watch readable, writable;
};

static struct event *
event_of(const struct file *file)
{
	return cell_at(file->cell);
}

static uint64_t
count_of(struct file *file)
{
	return __atomic_load_n(&event_of(file)->count, __ATOMIC_SEQ_CST);
}

static bool
has_count(struct file *file, uint64_t least)
{
	return count_of(file) >= least;
}

static bool
has_room(struct file *file, uint64_t least)
{
	return COUNT_MAX - count_of(file) >= least;
}

/* What a read takes; 0: there is nothing. */
static uint64_t
take(struct event *event)
{
	uint64_t count = __atomic_load_n(&event->count, __ATOMIC_SEQ_CST);
	uint64_t taken;

	do {
		if (count == 0)
			return 0;
		taken = event->semaphore != 0 ? 1 : count;
	} while (!__atomic_compare_exchange_n(&event->count, &count,
	    count - taken, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	watch_wake(&event->writable);
	return taken;
}

static bool
put(struct event *event, uint64_t value)
{
	uint64_t count = __atomic_load_n(&event->count, __ATOMIC_SEQ_CST);

	do {
		if (COUNT_MAX - count < value)
			return false;
	} while (!__atomic_compare_exchange_n(&event->count, &count,
	    count + value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
	watch_wake(&event->readable);
	return true;
}

static long
event_read(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	uint64_t value;

	if (size < sizeof(value))
		return -E_INVAL;
	while ((value = take(event_of(file))) == 0) {
		if ((file->flags & L_O_NONBLOCK) != 0)
			return -E_AGAIN;
		long error = file_wait(file, false, has_count, 1);
		if (error != 0)
			return error;
	}
	return user_write(buffer, &value, sizeof(value)) != 0 ? -E_FAULT :
	    (long)sizeof(value);
}

static long
event_write(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	uint64_t value;

	if (size != sizeof(value))
		return -E_INVAL;
	if (user_read(&value, buffer, sizeof(value)) != 0)
		return -E_FAULT;
	if (value == UINT64_MAX)
		return -E_INVAL;
	while (!put(event_of(file), value)) {
		if ((file->flags & L_O_NONBLOCK) != 0)
			return -E_AGAIN;
		long error = file_wait(file, true, has_room, value);
		if (error != 0)
			return error;
	}
	return (long)sizeof(value);
}

static unsigned
event_poll(struct file *file)
{
	uint64_t count = count_of(file);

	return (count != 0 ? L_POLLIN : 0) |
	    (count == UINT64_MAX ? L_POLLERR : 0) |
	    (count < COUNT_MAX ? L_POLLOUT : 0);
}

static struct watch *
event_watch(struct file *file, bool out)
{
	struct event *event = event_of(file);

	return out ? &event->writable : &event->readable;
}

const struct file_ops event_file_ops = {
	.read = event_read, .write = event_write, .poll = event_poll,
	.watch = event_watch, .status = cell_file_status,
	.close = cell_file_close, .own_cap = true, .anonymous = true,
};

long
linux_eventfd2(unsigned count, unsigned flags)
{
	struct cell cell;

	if ((flags & ~(EFD_SEMAPHORE | L_O_CLOEXEC | L_O_NONBLOCK)) != 0)
		return -E_INVAL;
	long error = cell_new(false, &cell);
	if (error != 0)
		return error;
	struct event *event = cell_at(cell.place);
	event->count = count;
	event->semaphore = flags & EFD_SEMAPHORE;
	return cell_install(&cell, FILE_EVENT, flags);
}

long
linux_eventfd(unsigned count)
{
	return linux_eventfd2(count, 0);
}
