/* SPDX-License-Identifier: MIT */
/*
 * ioctl on terminals. Each request is one of TERMINAL_*, in the structures
 * that programs know; what changes a terminal asks first whether the caller is
 * in the foreground, as reading and writing do.
 *
 * TIOCEXCL is accepted and keeps nobody out: every user is root, whom it does
 * not concern. Line speeds are kept and told, and have no effect.
 */
#include "terminal.h"

#include "calls.h"
#include "thread.h"
#include "user.h"

#include <idl/terminal_client.h>
#include <idl/terminals_client.h>
#include <lib/sys/sys.h>

#define L_TCGETS	0x5401u
#define L_TCSETS	0x5402u
#define L_TCSETSF	0x5404u
#define L_TCSBRK	0x5409u
#define L_TCXONC	0x540au
#define L_TCFLSH	0x540bu
#define L_TIOCEXCL	0x540cu
#define L_TIOCNXCL	0x540du
#define L_TIOCSCTTY	0x540eu
#define L_TIOCGPGRP	0x540fu
#define L_TIOCSPGRP	0x5410u
#define L_TIOCOUTQ	0x5411u
#define L_TIOCSTI	0x5412u
#define L_TIOCGWINSZ	0x5413u
#define L_TIOCSWINSZ	0x5414u
#define L_TIOCINQ	0x541bu
#define L_TIOCPKT	0x5420u
#define L_TIOCNOTTY	0x5422u
#define L_TIOCSETD	0x5423u
#define L_TIOCGETD	0x5424u
#define L_TCSBRKP	0x5425u
#define L_TIOCGSID	0x5429u
#define L_TCGETS2	0x802c542au
#define L_TCSETS2	0x402c542bu
#define L_TCSETSF2	0x402c542du
#define L_TIOCGPTN	0x80045430u
#define L_TIOCSPTLCK	0x40045431u
#define L_TIOCGDEV	0x80045432u
#define L_TIOCGPKT	0x80045438u
#define L_TIOCGPTLCK	0x80045439u
#define L_TIOCGPTPEER	0x5441u

#define SPEED_MASK	0x100fu	/* CBAUD */
#define SPEED_EXTENDED	0x1000u

struct window_size {
	uint16_t rows, columns, width, height;
};

/* As of TCGETS2. */
struct modes_2 {
	struct terminal_modes modes;
	uint32_t input_speed, output_speed;
};

_Static_assert(sizeof(struct modes_2) == 44, "layout of termios2");

static long
give_int(void *out, uint64_t value)
{
	return user_write(out, &(int){ (int)value }, sizeof(int));
}

/* Modes */

static uint32_t
speed_of(uint32_t control)
{
	static const uint32_t low[] = { 0, 50, 75, 110, 134, 150, 200, 300,
	    600, 1200, 1800, 2400, 4800, 9600, 19200, 38400 };
	static const uint32_t high[] = { 38400, 57600, 115200, 230400, 460800,
	    500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000,
	    2500000, 3000000, 3500000, 4000000 };

	return (control & SPEED_EXTENDED) != 0 ? high[control & 15] :
	    low[control & 15];
}

static long
get_modes(const struct file *file, bool second, void *out)
{
	struct modes_2 got;
	long error = terminal_get_modes(file->cap, &got.modes);

	if (error != 0)
		return error;
	got.input_speed = got.output_speed = speed_of(got.modes.control);
	return user_write(out, &got, second ? sizeof(got) :
	    sizeof(got.modes));
}

/* when: TERMINAL_NOW and following, in the order of the requests. */
static long
set_modes(const struct file *file, unsigned when, const void *from)
{
	struct terminal_who who = terminal_who();
	struct terminal_modes modes;
	long error;

	if (user_read(&modes, from, sizeof(modes)) != 0)
		return -E_FAULT;
	do
		error = terminal_set_modes(file->cap, when, who.session,
		    who.group, &modes);
	while (terminal_once_more(&who, &error));
	return error;
}

static long
get_size(const struct file *file, void *out)
{
	struct terminal_get_size_results size;
	long error = terminal_get_size(file->cap, &size);

	if (error != 0)
		return error;
	return user_write(out, &(struct window_size){ size.rows, size.columns,
	    0, 0 }, sizeof(struct window_size));
}

static long
set_size(const struct file *file, const void *from)
{
	struct window_size size;

	if (user_read(&size, from, sizeof(size)) != 0)
		return -E_FAULT;
	return terminal_set_size(file->cap, size.rows, size.columns);
}

static long
drain(const struct file *file)
{
	struct terminal_who who = terminal_who();
	long error;

	do
		error = terminal_drain(file->cap, who.session, who.group);
	while (terminal_once_more(&who, &error));
	return error;
}

static long
flow(const struct file *file, uint64_t action)
{
	struct terminal_who who = terminal_who();
	long error;

	if (action > TERMINAL_FLOW_IN_ON)
		return -E_INVAL;
	do
		error = terminal_flow(file->cap, (uint32_t)action,
		    who.session, who.group);
	while (terminal_once_more(&who, &error));
	return error;
}

static long
flush(const struct file *file, uint64_t which)
{
	struct terminal_who who = terminal_who();
	long error;

	if (which > TERMINAL_FLUSH_BOTH)
		return -E_INVAL;
	do
		error = terminal_flush(file->cap, (uint32_t)which,
		    who.session, who.group);
	while (terminal_once_more(&who, &error));
	return error;
}

/* Groups and sessions */

/* Whether it is the controlling terminal of the caller. */
static bool
is_own(const struct terminal_get_info_results *info)
{
	const volatile struct process_info *self = INFO;

	return info->sid != 0 && info->sid == self->sid;
}

static long
get_group(const struct file *file, void *out, bool session)
{
	struct terminal_get_info_results info;
	long error = terminal_get_info(file->cap, &info);

	if (error != 0)
		return error;
	if (!is_own(&info) && (!info.master || (session && info.sid == 0)))
		return -E_NOTTY;
	return give_int(out, session ? info.sid : info.foreground);
}

static long
set_group(const struct file *file, const void *from)
{
	const volatile struct process_info *self = INFO;
	struct terminal_get_info_results info;
	int group;

	if (user_read(&group, from, sizeof(group)) != 0)
		return -E_FAULT;
	if (group < 0)
		return -E_INVAL;
	long error = terminal_get_info(file->cap, &info);
	if (error != 0)		/* hung up: the one request that says so */
		return error == -E_IO ? -E_NOTTY : error;
	if (is_own(&info) && info.foreground != 0 &&
	    info.foreground != self->pgid) {
		error = terminal_background(L_SIGTTOU);
		if (error != 0)
			return error;
	}
	return terminals_set_group(PROCESS_PROC, file->terminal,
	    (uint32_t)group);
}

/* Pseudo-terminals */

static long
get_pty(const struct file *file, unsigned request, void *out)
{
	struct terminal_get_info_results info;
	long error = terminal_get_info(file->cap, &info);

	if (error != 0)
		return error;
	if (!info.master)
		return -E_NOTTY;
	switch (request) {
	case L_TIOCGPTN:
		return give_int(out, info.number - 1);
	case L_TIOCGPKT:
		return give_int(out, info.packet);
	default:
		return give_int(out, info.locked);
	}
}

static long
set_pty(const struct file *file, uint32_t what, const void *from)
{
	int value;

	if (user_read(&value, from, sizeof(value)) != 0)
		return -E_FAULT;
	return terminal_set_pty(file->cap, what, value != 0);
}

static long
open_peer(const struct file *master, unsigned flags)
{
	struct terminal_get_info_results info;
	long error = terminal_get_info(master->cap, &info);

	if (error != 0)
		return error;
	if (!info.master)
		return -E_NOTTY;
	if (!fd_may_open())
		return -E_MFILE;
	struct file *file = file_new();
	*file = (struct file){
		.can_read = (flags & L_O_ACCMODE) != L_O_WRONLY,
		.can_write = (flags & L_O_ACCMODE) != 0,
		.flags = flags & (L_O_ACCMODE | L_O_NONBLOCK),
	};
	error = terminal_open_what(file, TERMINALS_SLAVE, info.number - 1,
	    flags);
	if (error != 0) {
		*file = (struct file){ .kind = FILE_FREE };
		return error;
	}
	return fd_install(file, 0, (flags & L_O_CLOEXEC) != 0);
}

/* The rest */

static long
bytes(const struct file *file, bool input, void *out)
{
	struct terminal_poll_results state;
	long error = terminal_poll(file->cap, &state);

	return error != 0 ? error : give_int(out, input ? state.readable :
	    state.pending);
}

static long
insert(const struct file *file, const void *from)
{
	uint8_t byte;

	if (user_read(&byte, from, 1) != 0)
		return -E_FAULT;
	return terminal_insert(file->cap, byte);
}

static long
set_discipline(const void *from)
{
	int value;

	if (user_read(&value, from, sizeof(value)) != 0)
		return -E_FAULT;
	return value == 0 ? 0 : -E_INVAL;
}

static long
group_request(struct file *file, unsigned request, void *argument)
{
	switch (request) {
	case L_TIOCGPGRP:
	case L_TIOCGSID:
		return get_group(file, argument, request == L_TIOCGSID);
	case L_TIOCSPGRP:
		return set_group(file, argument);
	case L_TIOCSCTTY:
		return terminals_acquire(PROCESS_PROC, file->terminal,
		    argument == (void *)1);
	case L_TIOCNOTTY:
		return terminals_release(PROCESS_PROC, file->terminal);
	case L_TIOCGPTN:
	case L_TIOCGPKT:
	case L_TIOCGPTLCK:
		return get_pty(file, request, argument);
	case L_TIOCSPTLCK:
		return set_pty(file, TERMINAL_PTY_LOCK, argument);
	case L_TIOCPKT:
		return set_pty(file, TERMINAL_PTY_PACKET, argument);
	case L_TIOCGPTPEER:
		return open_peer(file, (unsigned)(uint64_t)argument);
	default:
		return -E_NOTTY;
	}
}

static long
line_request(struct file *file, unsigned request, void *argument)
{
	uint64_t value = (uint64_t)argument;

	switch (request) {
	case L_TCSBRK:		/* a break would be sent to nobody */
	case L_TCSBRKP:
		return drain(file);
	case L_TCXONC:
		return flow(file, value);
	case L_TCFLSH:
		return flush(file, value);
	case L_TIOCINQ:
		return bytes(file, true, argument);
	case L_TIOCOUTQ:
		return bytes(file, false, argument);
	case L_TIOCSTI:
		return insert(file, argument);
	case L_TIOCEXCL:
	case L_TIOCNXCL:
		return 0;
	case L_TIOCGETD:
		return give_int(argument, 0);
	case L_TIOCSETD:
		return set_discipline(argument);
	case L_TIOCGDEV:
		return give_int(argument, file->terminal == 0 ?
		    DEVICE_CONSOLE : DEVICE_PTS(file->terminal - 1u));
	default:
		return group_request(file, request, argument);
	}
}

long
terminal_ioctl(struct file *file, unsigned request, void *argument)
{
	if (request >= L_TCSETS && request <= L_TCSETSF)
		return set_modes(file, request - L_TCSETS, argument);
	if (request >= L_TCSETS2 && request <= L_TCSETSF2)
		return set_modes(file, request - L_TCSETS2, argument);
	switch (request) {
	case L_TCGETS:
	case L_TCGETS2:
		return get_modes(file, request == L_TCGETS2, argument);
	case L_TIOCGWINSZ:
		return get_size(file, argument);
	case L_TIOCSWINSZ:
		return set_size(file, argument);
	default:
		return line_request(file, request, argument);
	}
}
