/* SPDX-License-Identifier: MIT */
/* Locks, named pipes, files without a name, copies: see crash_test.c. */
#include "crash_cases.h"

#include <string.h>

#define PATH(text)	((struct storage_path){ (text), strlen(text) })

/* 5 has bytes 100 to 199 and 300 to 399, 6 waits for 150 to 349. */
unsigned
lock_with(unsigned by, unsigned type, uint64_t first, uint64_t last,
    uint32_t reply)
{
	const struct storage_lock lock = {
		.type = type, .first = first, .last = last,
		.flags = reply != 0 ? LOCK_WAIT : 0,
		.owner = crash_base(by), .pid = 100 + by,
	};
	enum storage_locked locked;

	return storage_lock(&crash_fake.storage, crash_base(by), &lock,
	    (struct storage_call){ reply, 7 }, &locked);
}

unsigned
run_lock(void)
{
	return lock_with(5, LOCK_READ, 120, 350, 0);
}

unsigned
run_lock_first(void)
{
	const struct storage_lock lock = {
		.type = LOCK_WRITE, .flags = LOCK_WHOLE, .last = 9,
	};
	enum storage_locked locked;

	return storage_lock(&crash_fake.storage, crash_base(3), &lock,
	    (struct storage_call){ 0 }, &locked);
}

unsigned
run_lock_waits(void)
{
	return lock_with(6, LOCK_READ, 110, 120, 4);
}

unsigned
run_unlock_some(void)
{
	return lock_with(5, LOCK_UNLOCK, 120, 180, 0);
}

unsigned
run_unlock_grants(void)
{
	return lock_with(5, LOCK_UNLOCK, 0, 1000, 0);
}

unsigned
run_cancel(void)
{
	bool found;

	return storage_cancel(&crash_fake.storage, (struct storage_call){ 3, 7 }, &found);
}

unsigned
run_close_owner(void)
{
	return storage_close(&crash_fake.storage, crash_base(5));
}

unsigned
run_close_waiter(void)
{
	return storage_close(&crash_fake.storage, crash_base(6));
}

unsigned
run_retire_owner(void)
{
	return storage_retire(&crash_fake.storage, crash_base(5));
}

unsigned
run_clear(void)
{
	return storage_clear(&crash_fake.storage, crash_base(2), 100, 5000);
}

/* Bytes of itself, beyond its end. */
unsigned
run_copy(void)
{
	const struct storage_source source = { crash_base(2), 100 };
	struct storage_copy copy;
	unsigned error = storage_copy_begin(&crash_fake.storage, &source, crash_base(2), 7000,
	    500, &copy);

	if (error != 0)
		return error;
	memcpy(fake_data(&crash_fake, copy.to.file) + copy.to.offset,
	    fake_data(&crash_fake, copy.from.file) + copy.from.offset,
	    copy.to.length);
	return storage_write_end(&crash_fake.storage, crash_base(2), &copy.to, copy.to.length);
}

unsigned
run_nameless(void)
{
	return crash_open("dir", OPEN_WRITE | OPEN_TEMPORARY);
}

unsigned
run_link_nameless(void)
{
	return storage_link(&crash_fake.storage,
	    (struct storage_place){ crash_base(9), PATH("") },
	    (struct storage_place){ crash_base(0), PATH("dir/named") }, AT_HANDLE);
}

unsigned
run_close_nameless(void)
{
	return storage_close(&crash_fake.storage, crash_base(9));
}

/* 7 reads a pipe that 8 has joined not yet. */
unsigned
run_fifo(void)
{
	struct storage_fifo_counts counts;
	struct storage_fifo fifo;

	return storage_fifo(&crash_fake.storage, crash_base(8), true, &fifo, &counts);
}

unsigned
run_fifo_first(void)
{
	struct storage_fifo_counts counts;
	struct storage_opened opened;
	struct storage_fifo fifo;
	struct description *d;
	unsigned error = storage_open(&crash_fake.storage, crash_base(0), PATH("fifo2"),
	    OPEN_READ, 0, &d, &opened);

	return error != 0 ? error : storage_fifo(&crash_fake.storage, d, true, &fifo,
	    &counts);
}

unsigned
run_fifo_leave(void)
{
	bool left;

	return storage_fifo_leave(&crash_fake.storage, crash_base(7), 0,
	    &left);
}

unsigned
run_close_fifo(void)
{
	return storage_close(&crash_fake.storage, crash_base(7));
}

unsigned
run_retire_fifo(void)
{
	return storage_retire(&crash_fake.storage, crash_base(7));
}
