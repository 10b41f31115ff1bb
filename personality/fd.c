/* SPDX-License-Identifier: MIT */
#include "fileops.h"
#include "hot.h"

#include "calls.h"
#include "limit.h"
#include "lock.h"
#include "process.h"
#include "service.h"
#include "spare.h"
#include "terminal.h"
#include "thread.h"
#include "user.h"
#include "window.h"

#include <idl/console_client.h>
#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define SETTABLE_FLAGS	(L_O_APPEND | L_O_NONBLOCK | L_O_ASYNC | L_O_DIRECT | \
			L_O_NOATIME)

static struct libos_fd fds[FD_MAX];
static struct file files[FILE_MAX];
HOT static unsigned fd_lowest_free;		/* hint: none below is free */
HOT static unsigned fds_end;		/* none above was ever open */
HOT static unsigned files_end;		/* none above was ever used */
HOT static uint32_t identities;		/* given out by this process */
HOT static uint32_t lineage = 1;		/* forks so far, and one */

/* One description for all three, as a login gives it. */
static bool
init_terminal(void)
{
	struct file *f = file_new();

	*f = (struct file){ .can_read = true, .can_write = true,
	    .flags = L_O_RDWR };
	if (terminal_file_open(f, DEVICE_CONSOLE, L_O_RDWR) != 0) {
		*f = (struct file){ .kind = FILE_FREE };
		process_log("libos: the console is no terminal\n");
		return false;
	}
	for (unsigned i = 0; i < 3; i++)
		fd_install(f, i, false);
	return true;
}

void
fd_init(void)
{
	if (INFO->terminal != 0 && init_terminal())
		return;
	for (unsigned i = 0; i < 3; i++) {
		struct file *f = file_new();
		*f = (struct file){
			.kind = FILE_CONSOLE, .node = KIND_CHARACTER,
			.can_read = i == 0, .can_write = i != 0,
			.flags = i == 0 ? 0 : L_O_WRONLY,
			.device = i,
		};
		fd_install(f, i, false);
	}
}

void
fd_show(struct libos_view *view)
{
	view->fds = (uint64_t)fds;
	view->fd_count = FD_MAX;
	view->files = (uint64_t)files;
	view->file_count = FILE_MAX;
	view->file_size = sizeof(files[0]);
}

unsigned
fd_limit(void)
{
	uint64_t limit = limit_of(LIMIT_FILES);

	return limit < FD_MAX ? (unsigned)limit : FD_MAX;
}

struct file *
fd_file(unsigned fd)
{
	if (fd >= FD_MAX || fds[fd].file == 0)
		return NULL;
	return &files[fds[fd].file - 1];
}

struct file *
file_new(void)
{
	for (unsigned i = 0; i < FILE_MAX; i++) {
		if (files[i].kind != FILE_FREE)
			continue;
		if (i >= files_end)
			files_end = i + 1;
		return &files[i];
	}
	return NULL;
}

uint32_t
file_lineage(void)
{
	return lineage;
}

bool
file_is_own(const struct file *file)
{
	return file->lineage == lineage && file->kind == FILE_STORAGE &&
	    file->node == KIND_REGULAR;
}

long
file_position(const struct file *file, uint64_t *out_position)
{
	*out_position = file->position;
	return file_is_own(file) ? 0 :
	    storage_seek(file->cap, 0, 1, out_position);
}

void
file_share_all(void)
{
	for (unsigned i = 0; i < files_end; i++) {
		struct file *file = &files[i];
		uint64_t position;
		if (!file->moved)
			continue;
		if (file_is_own(file)) {
			service_insist_begin();
			storage_seek(file->cap, (int64_t)file->position, 0,
			    &position);
			service_insist_end();
		}
		file->moved = false;
	}
	spare_drop_all();
	lineage++;
}

void
file_drop(struct file *file)
{
	if (file->references != 0)
		return;
	window_drop(file);
	if (file->epolls != 0)
		epoll_file_closed(file);
	if (file->watched != 0)
		watch_file_closed(file);
	if (file_ops(file)->close != NULL)
		file_ops(file)->close(file);
	else if (file->cap != CAP_NONE)
		spare_close(file->cap, file->base, file->lineage != lineage);
	if (file->adopted != CAP_NONE)
		sys_cap_delete(0, file->adopted);
	*file = (struct file){ .kind = FILE_FREE };
}

struct file *
file_of_cap(cap_t cap)
{
	for (unsigned i = 0; i < FILE_MAX; i++) {
		if (files[i].kind != FILE_FREE && (files[i].cap == cap ||
		    files[i].adopted == cap))
			return &files[i];
	}
	return NULL;
}

void
fd_forget_watches(void)
{
	for (unsigned i = 0; i < files_end; i++)
		files[i].watched = 0;
}

/* Their peers are not asked again: who polls them has to be woken. */
void
watch_before_exit(void)
{
	for (unsigned i = 0; i < files_end; i++) {
		if (files[i].kind != FILE_FREE &&
		    file_ops(&files[i])->close_wakes)
			file_ops(&files[i])->close(&files[i]);
	}
}

uint16_t
file_index(const struct file *file)
{
	return (uint16_t)(file - files);
}

struct file *
file_find(unsigned index, uint64_t identity)
{
	return index < files_end && files[index].identity == identity &&
	    files[index].references != 0 ? &files[index] : NULL;
}

struct file *
file_next(const struct file *after, enum file_kind kind)
{
	unsigned i = after == NULL ? 0 : (unsigned)(after - files) + 1;

	while (i < files_end && (files[i].kind != kind ||
	    files[i].references == 0))
		i++;
	return i < files_end ? &files[i] : NULL;
}

static unsigned
lowest_free(unsigned low)
{
	unsigned fd = low > fd_lowest_free ? low : fd_lowest_free;

	while (fd < FD_MAX && fds[fd].file != 0)
		fd++;
	return fd;
}

/* Checked before a server is asked to create something. */
bool
fd_may_open(void)
{
	return lowest_free(0) < fd_limit() && file_new() != NULL;
}

void
fd_set(unsigned fd, struct file *file, bool close_on_exec)
{
	if (fd >= fds_end)
		fds_end = fd + 1;
	fds[fd].file = (uint16_t)(file - files + 1);
	fds[fd].close_on_exec = close_on_exec;
	file->references++;
	if (file->identity == 0)
		file->identity = (uint64_t)INFO->pid << 32 | ++identities;
}

long
fd_install(struct file *take_file, unsigned low, bool close_on_exec)
{
	unsigned fd = lowest_free(low);

	if (fd >= fd_limit()) {
		file_drop(take_file);
		return -E_MFILE;
	}
	if (low <= fd_lowest_free)
		fd_lowest_free = fd + 1;
	fd_set(fd, take_file, close_on_exec);
	return fd;
}

void
fd_close(unsigned fd)
{
	struct file *file = fd_file(fd);

	lock_close(file);
	fds[fd] = (struct libos_fd){ 0, 0 };
	if (fd < fd_lowest_free)
		fd_lowest_free = fd;
	file->references--;
	file_drop(file);
}

void
fd_close_on_exec(void)
{
	for (unsigned fd = 0; fd < fds_end; fd++) {
		if (fds[fd].file != 0 && fds[fd].close_on_exec != 0)
			fd_close(fd);
	}
}

long
linux_close(unsigned fd)
{
	if (fd_file(fd) == NULL)
		return -E_BADF;
	fd_close(fd);
	return 0;
}

#define CLOSE_RANGE_CLOEXEC	4u

long
linux_close_range(unsigned first, unsigned last, unsigned flags)
{
	if (first > last || (flags & ~(CLOSE_RANGE_CLOEXEC | 2u)) != 0)
		return -E_INVAL;
	for (unsigned fd = first; fd < FD_MAX && fd <= last; fd++) {
		if (fds[fd].file == 0)
			continue;
		if ((flags & CLOSE_RANGE_CLOEXEC) != 0)
			fds[fd].close_on_exec = 1;
		else
			fd_close(fd);
	}
	return 0;
}

static long
duplicate(unsigned fd, uint64_t low, bool close_on_exec)
{
	struct file *file = fd_file(fd);

	if (file == NULL)
		return -E_BADF;
	if (low >= fd_limit())
		return -E_INVAL;
	return fd_install(file, (unsigned)low, close_on_exec);
}

long
linux_dup(unsigned fd)
{
	return duplicate(fd, 0, false);
}

static long
duplicate_to(unsigned old, unsigned new, bool close_on_exec)
{
	struct file *file = fd_file(old);

	if (file == NULL || new >= fd_limit())
		return -E_BADF;
	if (fd_file(new) != NULL)
		fd_close(new);
	fd_set(new, file, close_on_exec);
	return new;
}

long
linux_dup2(unsigned old, unsigned new)
{
	if (old == new)
		return fd_file(old) != NULL ? (long)new : -E_BADF;
	return duplicate_to(old, new, false);
}

long
linux_dup3(unsigned old, unsigned new, unsigned flags)
{
	if (old == new || (flags & ~(unsigned)L_O_CLOEXEC) != 0)
		return -E_INVAL;
	return duplicate_to(old, new, flags != 0);
}

static long
set_flags(struct file *file, uint32_t flags)
{
	const struct file_ops *ops = file_ops(file);
	long error = ops->set_flags == NULL ? 0 : ops->set_flags(file, flags);

	if (error == 0)
		file->flags = (file->flags & ~(uint32_t)SETTABLE_FLAGS) |
		    (flags & SETTABLE_FLAGS);
	return error;
}

long
linux_fcntl(unsigned fd, unsigned command, uint64_t argument)
{
	struct file *file = fd_file(fd);

	if (file == NULL)
		return -E_BADF;
	switch (command) {
	case L_F_DUPFD:
		return duplicate(fd, argument, false);
	case L_F_DUPFD_CLOEXEC:
		return duplicate(fd, argument, true);
	case L_F_GETFD:
		return fds[fd].close_on_exec;
	case L_F_SETFD:
		fds[fd].close_on_exec = (argument & L_FD_CLOEXEC) != 0;
		return 0;
	case L_F_GETFL:
		return file->flags | L_O_LARGEFILE;
	case L_F_SETFL:
		return set_flags(file, (uint32_t)argument);
	case L_F_GETPIPE_SZ:
		return file->kind == FILE_PIPE || file->kind == FILE_FIFO ?
		    65536 : -E_BADF;
	case L_F_GETLK:
	case L_F_SETLK:
	case L_F_SETLKW:
	case L_F_OFD_GETLK:
	case L_F_OFD_SETLK:
	case L_F_OFD_SETLKW:
		return lock_control(file, command, (void *)argument);
	default:
		return -E_INVAL;
	}
}

#define IOCTL_FIONREAD		0x541bu
#define IOCTL_FIONBIO		0x5421u
#define IOCTL_FIONCLEX		0x5450u
#define IOCTL_FIOCLEX		0x5451u

static long
bytes_waiting(struct file *file, int *out)
{
	uint64_t count = 0;

	if (file_ops(file)->waiting == NULL)
		return -E_NOTTY;
	long error = file_ops(file)->waiting(file, &count);
	if (error != 0)
		return error;
	return user_write(out, &(int){ (int)count }, sizeof(int));
}

long
linux_ioctl(unsigned fd, unsigned request, void *argument)
{
	struct file *file = fd_file(fd);
	int value;

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	switch (request) {
	case IOCTL_FIOCLEX:
	case IOCTL_FIONCLEX:
		fds[fd].close_on_exec = request == IOCTL_FIOCLEX;
		return 0;
	case IOCTL_FIONBIO:
		if (user_read(&value, argument, sizeof(value)) != 0)
			return -E_FAULT;
		file->flags = value != 0 ? file->flags | L_O_NONBLOCK :
		    file->flags & ~(uint32_t)L_O_NONBLOCK;
		return 0;
	default:
		break;
	}
	if (file_ops(file)->ioctl != NULL)
		return file_ops(file)->ioctl(file, request, argument);
	return request == IOCTL_FIONREAD ? bytes_waiting(file, argument) :
	    -E_NOTTY;
}
