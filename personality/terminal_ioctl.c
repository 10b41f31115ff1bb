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
#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/terminal.h>
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

#define INFO_MASTER	1u
#define INFO_LOCKED	2u
#define INFO_PACKET	4u

struct info {
	uint64_t number, group, session, flags;
};

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

static long
get_info(const struct file *file, struct info *out)
{
	struct message m = { { TERMINAL_GET_INFO } };
	long error = service_request(file->cap, &m);

	*out = (struct info){ m.word[1], m.word[2], m.word[3], m.word[4] };
	return error;
}

/*
 * A change of the terminal: word who of the request says who asks, and is 0
 * when the caller may go on from the background.
 */
static long
change(const struct file *file, const uint64_t words[4], unsigned who,
    const struct terminal_modes *modes)
{
	uint64_t asks = terminal_who();

	for (;;) {
		struct message m = { { words[0], words[1], words[2],
		    words[3] } };
		m.word[who] = asks;
		if (modes != NULL)
			service_window(0, modes, sizeof(*modes), WINDOW_READ);
		long error = service_call(file->cap, &m, modes != NULL, 0,
		    NULL);
		if (error != -(long)TERMINAL_E_BACKGROUND || asks == 0)
			return service_waits(error);
		error = terminal_background(L_SIGTTOU);
		if (error != 0)
			return error;
		asks = 0;
	}
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
	struct message m = { { TERMINAL_GET_MODES } };
	struct modes_2 got;

	service_window(0, &got.modes, sizeof(got.modes), WINDOW_WRITE);
	long error = service_call(file->cap, &m, 1, 0, NULL);
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
	struct terminal_modes modes;

	if (user_read(&modes, from, sizeof(modes)) != 0)
		return -E_FAULT;
	return change(file, (uint64_t[4]){ TERMINAL_SET_MODES, when }, 2,
	    &modes);
}

static long
get_size(const struct file *file, void *out)
{
	struct message m = { { TERMINAL_GET_SIZE } };
	long error = service_request(file->cap, &m);

	if (error != 0)
		return error;
	return user_write(out, &(struct window_size){ (uint16_t)m.word[1],
	    (uint16_t)m.word[2], 0, 0 }, sizeof(struct window_size));
}

static long
set_size(const struct file *file, const void *from)
{
	struct window_size size;

	if (user_read(&size, from, sizeof(size)) != 0)
		return -E_FAULT;
	struct message m = { { TERMINAL_SET_SIZE, size.rows, size.columns } };
	return service_request(file->cap, &m);
}

static long
drain(const struct file *file)
{
	return change(file, (uint64_t[4]){ TERMINAL_DRAIN }, 1, NULL);
}

/* Groups and sessions */

/* Whether it is the controlling terminal of the caller. */
static bool
is_own(const struct info *info)
{
	const volatile struct process_info *self = INFO;

	return info->session != 0 && info->session == self->sid;
}

static long
get_group(const struct file *file, void *out, bool session)
{
	struct info info;
	long error = get_info(file, &info);

	if (error != 0)
		return error;
	if (!is_own(&info) && ((info.flags & INFO_MASTER) == 0 ||
	    (session && info.session == 0)))
		return -E_NOTTY;
	return give_int(out, session ? info.session : info.group);
}

static long
set_group(const struct file *file, const void *from)
{
	const volatile struct process_info *self = INFO;
	struct info info;
	int group;

	if (user_read(&group, from, sizeof(group)) != 0)
		return -E_FAULT;
	if (group < 0)
		return -E_INVAL;
	long error = get_info(file, &info);
	if (error != 0)		/* hung up: the one request that says so */
		return error == -E_IO ? -E_NOTTY : error;
	if (is_own(&info) && info.group != 0 && info.group != self->pgid) {
		error = terminal_background(L_SIGTTOU);
		if (error != 0)
			return error;
	}
	struct message m = { { TERMINAL_SET_GROUP, file->terminal,
	    (uint64_t)group } };
	return service_request(PROCESS_PROC, &m);
}

static long
of_session(const struct file *file, uint64_t tag, bool steal)
{
	struct message m = { { tag, file->terminal, steal } };

	return service_request(PROCESS_PROC, &m);
}

/* Pseudo-terminals */

static long
get_pty(const struct file *file, unsigned request, void *out)
{
	struct info info;
	long error = get_info(file, &info);

	if (error != 0)
		return error;
	if ((info.flags & INFO_MASTER) == 0)
		return -E_NOTTY;
	switch (request) {
	case L_TIOCGPTN:
		return give_int(out, info.number - 1);
	case L_TIOCGPKT:
		return give_int(out, (info.flags & INFO_PACKET) != 0);
	default:
		return give_int(out, (info.flags & INFO_LOCKED) != 0);
	}
}

static long
set_pty(const struct file *file, uint64_t what, const void *from)
{
	int value;

	if (user_read(&value, from, sizeof(value)) != 0)
		return -E_FAULT;
	struct message m = { { TERMINAL_SET_PTY, what, value != 0 } };
	return service_request(file->cap, &m);
}

static long
open_peer(const struct file *master, unsigned flags)
{
	struct info info;
	long error = get_info(master, &info);

	if (error != 0)
		return error;
	if ((info.flags & INFO_MASTER) == 0)
		return -E_NOTTY;
	if (!fd_may_open())
		return -E_MFILE;
	struct file *file = file_new();
	*file = (struct file){
		.can_read = (flags & L_O_ACCMODE) != L_O_WRONLY,
		.can_write = (flags & L_O_ACCMODE) != 0,
		.flags = flags & (L_O_ACCMODE | L_O_NONBLOCK),
	};
	error = terminal_open_what(file, TERMINAL_SLAVE, info.number - 1,
	    flags);
	if (error != 0) {
		*file = (struct file){ .kind = FILE_FREE };
		return error;
	}
	return fd_install(file, 0, (flags & L_O_CLOEXEC) != 0);
}

/* The rest */

static long
bytes(const struct file *file, unsigned word, void *out)
{
	struct message m = { { TERMINAL_POLL } };
	long error = service_request(file->cap, &m);

	return error != 0 ? error : give_int(out, m.word[word]);
}

static long
insert(const struct file *file, const void *from)
{
	uint8_t byte;

	if (user_read(&byte, from, 1) != 0)
		return -E_FAULT;
	struct message m = { { TERMINAL_INSERT, byte } };
	return service_request(file->cap, &m);
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
		return of_session(file, TERMINAL_ACQUIRE, argument == (void *)1);
	case L_TIOCNOTTY:
		return of_session(file, TERMINAL_RELEASE, false);
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
		return value > TERMINAL_FLOW_IN_ON ? -E_INVAL :
		    change(file, (uint64_t[4]){ TERMINAL_FLOW, value }, 2,
		    NULL);
	case L_TCFLSH:
		return value > 2 ? -E_INVAL : change(file, (uint64_t[4]){
		    TERMINAL_FLUSH, value }, 2, NULL);
	case L_TIOCINQ:
		return bytes(file, 2, argument);
	case L_TIOCOUTQ:
		return bytes(file, 3, argument);
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
