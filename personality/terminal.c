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
#include "fileops.h"
#include "service.h"
#include "signals.h"
#include "thread.h"

#include <idl/process.h>
#include <idl/storage_client.h>
#include <idl/terminal_client.h>
#include <idl/terminals_client.h>
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
terminal_open_what(struct file *file, uint32_t what, uint32_t slave,
    unsigned flags)
{
	unsigned access = flags & L_O_ACCMODE;
	const struct terminals_open_args in = {
		.what = what, .slave = slave,
		.how = (access != L_O_WRONLY ? TERMINALS_OPEN_READ : 0) |
		    (access != 0 ? TERMINALS_OPEN_WRITE : 0) |
		    ((flags & L_O_NOCTTY) != 0 ? TERMINALS_OPEN_NOCTTY : 0),
	};
	struct terminals_open_results opened;
	cap_t description;
	long error = terminals_open(PROCESS_PROC, &in, &opened, &description);

	if (error != 0)
		return service_waits(error);
	file->kind = FILE_TERMINAL;
	file->node = KIND_CHARACTER;
	file->cap = description;
	file->terminal = (uint16_t)opened.number;
	if (what == TERMINALS_CONSOLE)
		file->device = DEVICE_CONSOLE;
	else if (what == TERMINALS_CONTROLLING)
		file->device = DEVICE_TTY;
	else if (what == TERMINALS_MASTER)
		file->device = DEVICE_PTMX;
	else
		file->device = DEVICE_PTS(slave);
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
terminal_file_open(struct file *file, uint64_t device, unsigned flags)
{
	switch (device) {
	case DEVICE_TTY:
		return terminal_open_what(file, TERMINALS_CONTROLLING, 0,
		    flags);
	case DEVICE_CONSOLE:
		return terminal_open_what(file, TERMINALS_CONSOLE, 0, flags);
	case DEVICE_PTMX:
		return terminal_open_what(file, TERMINALS_MASTER, 0, flags);
	default:
		return terminal_open_what(file, TERMINALS_SLAVE,
		    (uint32_t)device & 0xff, flags);
	}
}

/* Background */

struct terminal_who
terminal_who(void)
{
	const volatile struct process_info *info = INFO;

	return (struct terminal_who){ info->sid, info->pgid };
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
	if (is_held_off(signal))
		return signal == L_SIGTTIN ? -E_IO : 0;
	long error = terminals_stop_group(PROCESS_PROC, (uint32_t)signal);
	if (error != 0 && error != -RESTART_ALWAYS)
		return error;
	/* The signal is for this process too: take it before trying again. */
	signal_look_again();
	return -RESTART_SYS;
}

bool
terminal_once_more(struct terminal_who *who, long *error)
{
	if (*error != -(long)TERMINAL_E_BACKGROUND || who->session == 0) {
		*error = service_waits(*error);
		return false;
	}
	*error = terminal_background(L_SIGTTOU);
	*who = (struct terminal_who){ 0 };
	return *error == 0;
}

/* Reading and writing */

static uint32_t
nonblock_of(const struct file *file)
{
	return (file->flags & L_O_NONBLOCK) != 0 ? TERMINAL_NONBLOCK : 0;
}

static long
terminal_file_read(struct file *file, void *buffer, uint64_t size,
    uint64_t offset)
{
	const struct terminal_who who = terminal_who();
	const struct terminal_read_args in = {
		.flags = nonblock_of(file), .sid = who.session,
		.pgid = who.group, .data = { buffer, size, 0 },
	};
	uint64_t done;

	long error = terminal_read(file->cap, &in, &done);
	if (error == -(long)TERMINAL_E_BACKGROUND)
		return terminal_background(L_SIGTTIN);
	if (error != 0)
		return service_waits(error);
	return done <= size ? (long)done : -E_IO;
}

/* Bytes taken of this piece, at least one, or -E_*. */
static long
write_some(struct file *file, const uint8_t *from, uint64_t size,
    struct terminal_who *who)
{
	uint64_t done;
	long error;

	do {
		const struct terminal_write_args in = {
			.flags = nonblock_of(file), .sid = who->session,
			.pgid = who->group, .data = { from, size, 0 },
		};
		error = terminal_write(file->cap, &in, &done);
	} while (terminal_once_more(who, &error));
	if (error != 0)
		return error;
	return done != 0 && done <= size ? (long)done : -E_IO;
}

static long
terminal_file_write(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	struct terminal_who who = terminal_who();
	uint64_t done = 0;

	while (done < size) {
		long step = write_some(file, (const uint8_t *)buffer + done,
		    size - done, &who);
		if (step < 0)
			return done != 0 ? (long)done : step;
		done += (uint64_t)step;
	}
	return (long)done;
}

static unsigned
terminal_file_poll(struct file *file)
{
	struct terminal_poll_results state;
	unsigned ready = 0;

	service_insist_begin();
	long error = terminal_poll(file->cap, &state);
	service_insist_end();
	if (error != 0)
		return L_POLLERR;
	if ((state.ready & TERMINAL_READY_IN) != 0)
		ready |= L_POLLIN | L_POLLRDNORM;
	if ((state.ready & TERMINAL_READY_OUT) != 0)
		ready |= L_POLLOUT | L_POLLWRNORM;
	if ((state.ready & TERMINAL_READY_HANGUP) != 0)
		ready |= L_POLLHUP;
	return ready;
}

static long
terminal_file_watch(struct file *file, uint64_t out_key[2])
{
	struct terminal_watch_results key = { 0, 0 };
	long error = terminal_watch(file->cap, &key);

	out_key[0] = key.key_low;
	out_key[1] = key.key_high;
	return error;
}

/* That of the node it was opened as; such a node need not exist. */
static long
terminal_file_status(const struct file *file, struct storage_stat *out)
{
	struct storage_stat_at_results results;
	char path[TERMINAL_PATH_MAX];
	long error = storage_stat_at(ROOT_DIRECTORY, 0, path,
	    terminal_path(file, path), &results);

	if (error == 0)
		*out = file_status_unpack(&results);
	else if (error == -E_NOENT)
		*out = file_local_status(file, 0620);
	return error == -E_NOENT ? 0 : error;
}

const struct file_ops terminal_file_ops = {
	.read = terminal_file_read, .write = terminal_file_write,
	.poll = terminal_file_poll, .watch_far = terminal_file_watch,
	.ioctl = terminal_ioctl,
	.status = terminal_file_status, .own_cap = true,
};
