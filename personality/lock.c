/* SPDX-License-Identifier: MIT */
#include "lock.h"

#include "calls.h"
#include "fileops.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <abi/utcb.h>
#include <idl/process.h>
#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define LOCKED_FILES	32u
#define LAST_BYTE	((uint64_t)INT64_MAX)

#define FLOCK_SHARED	1u
#define FLOCK_EXCLUSIVE	2u
#define FLOCK_NOWAIT	4u
#define FLOCK_UNLOCK	8u

struct linux_flock {
	int16_t	 type, whence;
	int32_t	 pad;
	int64_t	 start, length;
	int32_t	 pid, pad2;
};
_Static_assert(sizeof(struct linux_flock) == 32, "struct flock");

/* Types of Linux, in the order of LOCK_*. */
#define L_F_RDLCK	0
#define L_F_UNLCK	2

/* The description that owns the record locks of this process. */
static cap_t owner = CAP_NONE;

/* Files the process may have record locks on. */
static uint64_t locked[LOCKED_FILES];
static unsigned locked_count;
static bool locked_more;	/* and others */

/* 0, or why no lock can be had there. */
static long
check_file(const struct file *file)
{
	if (file->kind == FILE_PATH)
		return -E_BADF;
	return file->cap == CAP_NONE || file_ops(file)->own_cap ||
	    file->place == PATH_PROC ? -E_NOLCK : 0;
}

/* Full arena, or a server that does not know locks. */
static long
lock_error(long error)
{
	return error == -E_NOSPC || error == -E_NOSYS ||
	    error == -E_NOMEM ? -E_NOLCK : error;
}

static long
make_owner(void)
{
	static const char root[32] = "/";
	struct storage_open_results opened;
	const struct storage_open_args in = {
		.flags = OPEN_PATH | OPEN_DIRECTORY, .path = { root, 1, 0 },
	};

	return owner != CAP_NONE ? 0 : storage_open(PROCESS_ROOT, &in,
	    &opened, &owner);
}

void
lock_after_fork(void)
{
	if (owner != CAP_NONE)
		sys_cap_delete(CAP_NONE, owner);
	owner = CAP_NONE;
	locked_count = 0;
	locked_more = false;
}

/* Before there is a lock: what lock_close must know. */
static void
remember(const struct file *file)
{
	for (unsigned i = 0; i < locked_count; i++)
		if (locked[i] == file->inode)
			return;
	if (locked_count < LOCKED_FILES)
		locked[locked_count++] = file->inode;
	else
		locked_more = true;
}

static bool
forget(const struct file *file)
{
	for (unsigned i = 0; i < locked_count; i++) {
		if (locked[i] != file->inode)
			continue;
		locked[i] = locked[--locked_count];
		return true;
	}
	return locked_more;
}

void
lock_close(const struct file *file)
{
	const struct storage_lock_args all = {
		.type = LOCK_UNLOCK, .pid = INFO->pid, .last = LAST_BYTE,
		.owner = owner,
	};
	bool granted;

	if (owner == CAP_NONE || check_file(file) != 0 || !forget(file))
		return;
	service_insist_begin();
	storage_lock(file->cap, &all, &granted);
	service_insist_end();
}

/* Where a range of struct flock is counted from. */
static long
base_of(const struct file *file, unsigned whence, uint64_t *out_base)
{
	struct storage_stat stat;
	long error;

	*out_base = 0;
	switch (whence) {
	case 0:
		return 0;
	case 1:
		return file_position(file, out_base);
	case 2:
		error = file_status(file, &stat);
		*out_base = error == 0 ? stat.size : 0;
		return error;
	default:
		return -E_INVAL;
	}
}

static long
range_of(const struct file *file, const struct linux_flock *from,
    uint64_t *out_first, uint64_t *out_last)
{
	int64_t first, last = INT64_MAX;
	uint64_t base;
	long error = base_of(file, (unsigned)from->whence, &base);

	if (error != 0)
		return error;
	if (__builtin_add_overflow((int64_t)base, from->start, &first))
		return from->start > 0 ? -E_OVERFLOW : -E_INVAL;
	if (first < 0)
		return -E_INVAL;
	if (from->length > 0 &&
	    __builtin_add_overflow(first, from->length - 1, &last))
		return -E_OVERFLOW;
	if (from->length < 0) {
		last = first - 1;
		if (first + from->length < 0)
			return -E_INVAL;
		first += from->length;
	}
	*out_first = (uint64_t)first;
	*out_last = (uint64_t)last;
	return from->type < L_F_RDLCK || from->type > L_F_UNLCK ? -E_INVAL : 0;
}

static long
set_lock(struct file *file, const struct linux_flock *from, bool own, bool wait)
{
	struct storage_lock_args in = {
		.type = (uint32_t)from->type, .pid = own ? INFO->pid : 0,
		.flags = wait ? LOCK_WAIT : 0,
		.owner = own ? owner : CAP_NONE,
	};
	bool granted;
	long error = range_of(file, from, &in.first, &in.last);

	if (error != 0)
		return error;
	if ((in.type == LOCK_READ && !file->can_read) ||
	    (in.type == LOCK_WRITE && !file->can_write))
		return -E_BADF;
	if (own)
		remember(file);
	error = storage_lock(file->cap, &in, &granted);
	if (error != 0)
		return service_waits(lock_error(error));
	return granted ? 0 : -E_AGAIN;
}

static long
get_lock(struct file *file, struct linux_flock *lock, bool own)
{
	struct storage_lock_test_args in = {
		.type = (uint32_t)lock->type,
		.owner = own ? owner : CAP_NONE,
	};
	struct storage_lock_test_results got;
	long error = range_of(file, lock, &in.first, &in.last);

	if (error == 0 && lock->type == L_F_UNLCK)
		error = -E_INVAL;
	if (error == 0)
		error = storage_lock_test(file->cap, &in, &got);
	if (error != 0)
		return lock_error(error);
	lock->type = (int16_t)got.type;
	if (got.type == LOCK_UNLOCK)
		return 0;
	lock->whence = 0;
	lock->start = (int64_t)got.first;
	lock->length = got.last == LAST_BYTE ? 0 :
	    (int64_t)(got.last - got.first + 1);
	lock->pid = got.pid != 0 ? (int32_t)got.pid : -1;
	return 0;
}

long
lock_control(struct file *file, unsigned command, void *argument)
{
	bool own = command <= L_F_SETLKW;
	bool test = command == L_F_GETLK || command == L_F_OFD_GETLK;
	struct linux_flock lock;
	long error;

	if (file->kind == FILE_PATH)
		return -E_BADF;
	if (user_read(&lock, argument, sizeof(lock)) != 0)
		return -E_FAULT;
	if (!own && lock.pid != 0)
		return -E_INVAL;
	error = check_file(file);
	if (error == 0 && own)
		error = lock_error(make_owner());
	if (error != 0)
		return error;
	if (!test)
		return set_lock(file, &lock, own, command == L_F_SETLKW ||
		    command == L_F_OFD_SETLKW);
	error = get_lock(file, &lock, own);
	return error != 0 ? error : user_write(argument, &lock, sizeof(lock));
}

long
linux_flock(unsigned fd, unsigned operation)
{
	struct file *file = fd_file(fd);
	unsigned kind = operation & ~FLOCK_NOWAIT;
	struct storage_lock_args in = {
		.type = kind == FLOCK_SHARED ? LOCK_READ :
		    kind == FLOCK_EXCLUSIVE ? LOCK_WRITE : LOCK_UNLOCK,
		.flags = LOCK_WHOLE |
		    ((operation & FLOCK_NOWAIT) != 0 ? 0 : LOCK_WAIT),
		.last = LAST_BYTE,
	};
	bool granted;
	long error;

	if (kind != FLOCK_SHARED && kind != FLOCK_EXCLUSIVE &&
	    kind != FLOCK_UNLOCK)
		return -E_INVAL;
	if (file == NULL)
		return -E_BADF;
	error = check_file(file);
	if (error == 0)
		error = lock_error(storage_lock(file->cap, &in, &granted));
	if (error != 0)
		return service_waits(error);
	return granted ? 0 : -E_AGAIN;
}
