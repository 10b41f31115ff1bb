/* SPDX-License-Identifier: MIT */
/*
 * Opening, reading, writing and waiting. Requests park in proc, where the line
 * discipline is; a kick takes them back.
 *
 * A process in the background that reads gets SIGTTIN, and with it its whole
 * group; the stop takes effect on the way out of this call, which is made
 * again when the group continues. What may not be stopped is told so at once:
 * a process that ignores or blocks the signal, or whose group is orphaned.
 */
#include "terminal.h"

#include "calls.h"
#include "service.h"
#include "signals.h"
#include "thread.h"

#include <idl/proc.h>
#include <idl/terminal.h>
#include <lib/base/string.h>

#define MAJOR_SLAVE	(DEVICE_PTS(0) >> 8)

static unsigned
major_of(uint64_t device)
{
	return (unsigned)(device >> 8);
}

bool
terminal_is_node(uint64_t device)
{
	return device == DEVICE_TTY || device == DEVICE_PTMX ||
	    (device == DEVICE_CONSOLE && INFO->terminal != 0) ||
	    major_of(device) == MAJOR_SLAVE;
}

long
terminal_open_what(struct file *file, uint64_t what, uint64_t slave,
    unsigned flags)
{
	unsigned access = flags & L_O_ACCMODE;
	uint64_t how = (access != L_O_WRONLY ? TERMINAL_OPEN_READ : 0) |
	    (access != 0 ? TERMINAL_OPEN_WRITE : 0) |
	    ((flags & L_O_NOCTTY) != 0 ? TERMINAL_OPEN_NOCTTY : 0);
	struct message m = { { TERMINAL_OPEN, what, slave, how } };
	cap_t caps[4];
	long error = service_call(PROCESS_PROC, &m, 0, 0, caps);

	if (error != 0)
		return service_waits(error);
	file->kind = FILE_TERMINAL;
	file->node = KIND_CHARACTER;
	file->cap = caps[0];
	file->terminal = (uint16_t)m.word[1];
	if (what == TERMINAL_CONSOLE)
		file->device = DEVICE_CONSOLE;
	else if (what == TERMINAL_CONTROLLING)
		file->device = DEVICE_TTY;
	else if (what == TERMINAL_MASTER)
		file->device = DEVICE_PTMX;
	else
		file->device = DEVICE_PTS((uint32_t)slave);
	return 0;
}

size_t
terminal_path(const struct file *file, char out[TERMINAL_PATH_MAX])
{
	unsigned number = file->device & 0xff;
	const char *text = "/dev/pts/";

	if (file->device == DEVICE_TTY)
		text = "/dev/tty";
	else if (file->device == DEVICE_CONSOLE)
		text = "/dev/console";
	else if (file->device == DEVICE_PTMX)
		text = "/dev/ptmx";
	size_t length = strlen(text);
	memcpy(out, text, length);
	if (major_of(file->device) == MAJOR_SLAVE) {
		if (number >= 100)
			out[length++] = (char)('0' + number / 100);
		if (number >= 10)
			out[length++] = (char)('0' + number / 10 % 10);
		out[length++] = (char)('0' + number % 10);
	}
	out[length] = 0;
	return length;
}

long
terminal_open(struct file *file, uint64_t device, unsigned flags)
{
	switch (device) {
	case DEVICE_TTY:
		return terminal_open_what(file, TERMINAL_CONTROLLING, 0, flags);
	case DEVICE_CONSOLE:
		return terminal_open_what(file, TERMINAL_CONSOLE, 0, flags);
	case DEVICE_PTMX:
		return terminal_open_what(file, TERMINAL_MASTER, 0, flags);
	default:
		return terminal_open_what(file, TERMINAL_SLAVE, device & 0xff,
		    flags);
	}
}

/* Background */

uint64_t
terminal_who(void)
{
	const volatile struct process_info *info = INFO;

	return (uint64_t)info->pgid << 32 | info->sid;
}

static bool
is_held_off(int signal)
{
	const struct signal_state *s = &signal_state;

	return (s->blocked & SIGNAL_BIT(signal)) != 0 ||
	    s->action[signal].handler == L_SIG_IGN;
}

long
terminal_background(int signal)
{
	struct message m = { { TERMINAL_STOP_GROUP, (uint64_t)signal } };

	if (is_held_off(signal))
		return signal == L_SIGTTIN ? -E_IO : 0;
	long error = service_request(PROCESS_PROC, &m);
	if (error != 0 && error != -RESTART_ALWAYS)
		return error;
	/* The signal is for this process too: take it before trying again. */
	signal_look_again();
	return -RESTART_SYS;
}

/* Reading and writing */

static uint64_t
nonblock_of(const struct file *file)
{
	return (file->flags & L_O_NONBLOCK) != 0 ? TERMINAL_NONBLOCK : 0;
}

long
terminal_read(struct file *file, void *buffer, uint64_t size)
{
	struct message m = { { TERMINAL_READ, size, nonblock_of(file),
	    terminal_who() } };

	service_window(0, buffer, size, WINDOW_WRITE);
	long error = service_call(file->cap, &m, 1, 0, NULL);
	if (error == -(long)TERMINAL_E_BACKGROUND)
		return terminal_background(L_SIGTTIN);
	if (error != 0)
		return service_waits(error);
	return m.word[1] <= size ? (long)m.word[1] : -E_IO;
}

/* Bytes taken of this piece, at least one, or -E_*. */
static long
write_some(struct file *file, const uint8_t *from, uint64_t size,
    uint64_t *who)
{
	struct message m = { { TERMINAL_WRITE, size, nonblock_of(file),
	    *who } };

	service_window(0, from, size, WINDOW_READ);
	long error = service_call(file->cap, &m, 1, 0, NULL);
	if (error == -(long)TERMINAL_E_BACKGROUND && *who != 0) {
		error = terminal_background(L_SIGTTOU);
		if (error != 0)
			return error;
		*who = 0;
		return write_some(file, from, size, who);
	}
	if (error != 0)
		return service_waits(error);
	return m.word[1] != 0 && m.word[1] <= size ? (long)m.word[1] : -E_IO;
}

long
terminal_write(struct file *file, const void *buffer, uint64_t size)
{
	uint64_t done = 0, who = terminal_who();

	while (done < size) {
		long step = write_some(file, (const uint8_t *)buffer + done,
		    size - done, &who);
		if (step < 0)
			return done != 0 ? (long)done : step;
		done += (uint64_t)step;
	}
	return (long)done;
}

unsigned
terminal_poll(const struct file *file)
{
	struct message m = { { TERMINAL_POLL } };
	unsigned ready = 0;

	if (service_insist(file->cap, &m, 0) != 0)
		return L_POLLERR;
	if ((m.word[1] & TERMINAL_READY_IN) != 0)
		ready |= L_POLLIN | L_POLLRDNORM;
	if ((m.word[1] & TERMINAL_READY_OUT) != 0)
		ready |= L_POLLOUT | L_POLLWRNORM;
	if ((m.word[1] & TERMINAL_READY_HANGUP) != 0)
		ready |= L_POLLHUP;
	return ready;
}
