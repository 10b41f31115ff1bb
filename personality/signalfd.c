/* SPDX-License-Identifier: MIT */
/*
 * signalfd: takes signals of the process that reads, whoever made it; only the
 * set belongs to the description. A signal that comes kicks the thread, so who
 * waits looks again without a watch.
 */
#include "calls.h"
#include "cell.h"
#include "clock.h"
#include "fileops.h"
#include "service.h"
#include "signals.h"
#include "user.h"

#include <lib/base/string.h>

#define UNBLOCKABLE	(SIGNAL_BIT(L_SIGKILL) | SIGNAL_BIT(L_SIGSTOP))

/* What a read gives. */
struct signalfd_siginfo {
	uint32_t signo;
	int32_t	 error, code;
	uint32_t pid, uid;
	int32_t	 fd;
	uint32_t timer, band, overrun, trap;
	int32_t	 status, number;
	uint64_t pointer, user_ticks, system_ticks, address;
	uint8_t	 pad[48];
};
_Static_assert(sizeof(struct signalfd_siginfo) == 128, "signalfd_siginfo");

static uint64_t *
set_of(const struct file *file)
{
	return cell_at(file->cell);
}

static uint64_t
set_now(const struct file *file)
{
	return __atomic_load_n(set_of(file), __ATOMIC_ACQUIRE);
}

static bool
is_fault(int signo)
{
	return signo == L_SIGSEGV || signo == L_SIGBUS || signo == L_SIGILL ||
	    signo == L_SIGFPE || signo == L_SIGTRAP;
}

static void
convert(const struct linux_siginfo *info, struct signalfd_siginfo *out)
{
	memset(out, 0, sizeof(*out));
	out->signo = (uint32_t)info->signo;
	out->error = info->error;
	out->code = info->code;
	if (is_fault(info->signo) && info->code > 0) {
		out->address = info->address;
		return;
	}
	out->pid = (uint32_t)info->sender.pid;
	out->uid = info->sender.uid;
	if (info->signo == L_SIGCHLD && info->code > 0) {
		out->status = info->child.status;
		out->user_ticks = (uint64_t)info->child.user_ticks;
		out->system_ticks = (uint64_t)info->child.system_ticks;
		return;
	}
	if (info->code == L_SI_TIMER) {
		out->pid = out->uid = 0;
		out->timer = (uint32_t)info->sender.pid;
		out->overrun = info->sender.uid;
	}
	out->number = (int32_t)info->sender.value;
	out->pointer = info->sender.value;
}

/* 0, or why the wait ends. */
static long
wait_for_signals(uint64_t set)
{
	status_t status;

	if ((signal_pending_now() & set) != 0)
		return 0;
	if (signal_is_due(set))
		return -RESTART_SYS;
	status = time_wait(UINT64_MAX);
	return status == OK || status == ERR_INTERRUPTED ? 0 :
	    service_error(status);
}

/* Bytes, 0 if there is none. */
static long
take_signals(const struct file *file, uint8_t *buffer, uint64_t count)
{
	struct signalfd_siginfo out;
	struct linux_siginfo info;
	uint64_t done = 0, set = set_now(file);

	while (done < count && (signal_pending_now() & set) != 0 &&
	    signal_take(~set, &info)) {
		convert(&info, &out);
		if (user_write(buffer + done * sizeof(out), &out,
		    sizeof(out)) != 0)
			return done != 0 ? (long)(done * sizeof(out)) :
			    -E_FAULT;
		done++;
	}
	/* Others may have come with the same kick. */
	signal_look_again();
	return (long)(done * sizeof(out));
}

static long
signal_file_read(struct file *file, void *buffer, uint64_t size,
    uint64_t offset)
{
	uint64_t count = size / sizeof(struct signalfd_siginfo);

	if (count == 0)
		return -E_INVAL;
	for (;;) {
		long done = take_signals(file, buffer, count);
		if (done != 0)
			return done;
		if ((file->flags & L_O_NONBLOCK) != 0)
			return -E_AGAIN;
		long error = wait_for_signals(set_now(file));
		if (error != 0)
			return error;
	}
}

static unsigned
signal_file_poll(struct file *file)
{
	return (signal_pending_now() & set_now(file)) != 0 ? L_POLLIN : 0;
}

static uint64_t
signal_file_edge(struct file *file)
{
	return signal_pending_now() & set_now(file);
}

const struct file_ops signal_file_ops = {
	.read = signal_file_read, .poll = signal_file_poll,
	.status = cell_file_status, .close = cell_file_close,
	.own_cap = true, .anonymous = true, .edge = signal_file_edge,
};

static long
change_set(int fd, uint64_t set)
{
	struct file *file = fd < 0 ? NULL : fd_file((unsigned)fd);

	if (file == NULL)
		return -E_BADF;
	if (file->kind != FILE_SIGNAL)
		return -E_INVAL;
	__atomic_store_n(set_of(file), set, __ATOMIC_RELEASE);
	return fd;
}

long
linux_signalfd4(int fd, const uint64_t *mask, size_t size, unsigned flags)
{
	struct cell cell;
	uint64_t set;

	if (size != sizeof(set))
		return -E_INVAL;
	if (user_read(&set, mask, sizeof(set)) != 0)
		return -E_FAULT;
	if ((flags & ~(L_O_CLOEXEC | L_O_NONBLOCK)) != 0)
		return -E_INVAL;
	set &= ~UNBLOCKABLE;
	signal_want(set);
	if (fd != -1)
		return change_set(fd, set);
	long error = cell_new(false, &cell);
	if (error != 0)
		return error;
	*(uint64_t *)cell_at(cell.place) = set;
	return cell_install(&cell, FILE_SIGNAL, flags);
}

long
linux_signalfd(int fd, const uint64_t *mask, size_t size)
{
	return linux_signalfd4(fd, mask, size, 0);
}
