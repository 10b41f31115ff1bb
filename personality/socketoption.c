/* SPDX-License-Identifier: MIT */
/* Options, as Linux has them for local sockets, and shutdown. */
#include "socket.h"

#include "calls.h"
#include "service.h"
#include "user.h"

#include <lib/base/string.h>

#define SO_DEBUG	1
#define SO_REUSEADDR	2
#define SO_TYPE		3
#define SO_ERROR	4
#define SO_DONTROUTE	5
#define SO_BROADCAST	6
#define SO_SNDBUF	7
#define SO_RCVBUF	8
#define SO_KEEPALIVE	9
#define SO_OOBINLINE	10
#define SO_PRIORITY	12
#define SO_LINGER	13
#define SO_REUSEPORT	15
#define SO_PASSCRED	16
#define SO_PEERCRED	17
#define SO_RCVLOWAT	18
#define SO_SNDLOWAT	19
#define SO_RCVTIMEO	20
#define SO_SNDTIMEO	21
#define SO_PEERNAME	28
#define SO_TIMESTAMP	29
#define SO_ACCEPTCONN	30
#define SO_SNDBUFFORCE	32
#define SO_RCVBUFFORCE	33
#define SO_PROTOCOL	38
#define SO_DOMAIN	39
#define SO_PEEK_OFF	42

#define NS		1000000000ul
#define SECONDS_MOST	(1l << 32)

/* Those that only are kept: what they ask for does not happen here. */
static const uint8_t kept_only[] = {
	SO_DEBUG, SO_REUSEADDR, SO_DONTROUTE, SO_BROADCAST, SO_KEEPALIVE,
	SO_OOBINLINE, SO_TIMESTAMP,
};

#define KEPT_SHIFT	8u	/* in the flags of the side */

static int
kept_bit(int option)
{
	for (unsigned i = 0; i < sizeof(kept_only); i++) {
		if (kept_only[i] == option)
			return (int)(KEPT_SHIFT + i);
	}
	return -1;
}

static void
set_flag(struct socket_side *side, uint32_t bit, bool on)
{
	if (on)
		__atomic_fetch_or(&side->flags, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&side->flags, ~bit, __ATOMIC_SEQ_CST);
}

/* -- set -- */

static uint32_t
buffer_size(int value)
{
	uint32_t size = (uint32_t)value;

	if (size > SOCKET_LIMIT)
		size = SOCKET_LIMIT;
	size *= 2;
	return size < SOCKET_LIMIT_LEAST ? SOCKET_LIMIT_LEAST : size;
}

static long
set_timeout(uint64_t *out_ns, const void *value, unsigned length)
{
	struct linux_timeval t;

	if (length < sizeof(t))
		return -E_INVAL;
	if (user_read(&t, value, sizeof(t)) != 0)
		return -E_FAULT;
	if (t.microseconds < 0 || t.microseconds >= 1000000)
		return -E_DOM;
	if (t.seconds < 0 || t.seconds >= SECONDS_MOST)
		*out_ns = t.seconds < 0 ? 1 : 0;
	else
		*out_ns = (uint64_t)t.seconds * NS +
		    (uint64_t)t.microseconds * 1000;
	return 0;
}

static long
set_number(struct socket_side *side, int option, int value)
{
	int bit = kept_bit(option);

	if (bit >= 0) {
		set_flag(side, 1u << bit, value != 0);
		return 0;
	}
	switch (option) {
	case SO_PASSCRED:
		set_flag(side, SIDE_PASS_CREDENTIALS, value != 0);
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		side->send_limit = buffer_size(value);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		side->receive_limit = buffer_size(value) < 2304 ? 2304 :
		    buffer_size(value);
		return 0;
	case SO_PEEK_OFF:
		side->peek = value < 0 ? 0 : (uint32_t)value + 1;
		return 0;
	case SO_PRIORITY:
		return value >= 0 && value <= 6 ? 0 : -E_PERM;
	case SO_RCVLOWAT:
		return value == 1 || value == 0 ? 0 : -E_OPNOTSUPP;
	default:
		return -E_NOPROTOOPT;
	}
}

long
linux_setsockopt(unsigned fd, int level, int option, const void *value,
    unsigned length)
{
	long error;
	struct file *file = socket_file(fd, &error);
	int number;

	if (error != 0)
		return error;
	if (level != L_SOL_SOCKET)
		return -E_OPNOTSUPP;
	struct socket_side *side = socket_side(socket_of(file));
	if (length < sizeof(number))
		return -E_INVAL;
	if (user_read(&number, value, sizeof(number)) != 0)
		return -E_FAULT;
	switch (option) {
	case SO_RCVTIMEO:
		return set_timeout(&side->receive_timeout, value, length);
	case SO_SNDTIMEO:
		return set_timeout(&side->send_timeout, value, length);
	case SO_LINGER:
		return length < 8 ? -E_INVAL : 0;
	default:
		return set_number(side, option, number);
	}
}

/* -- get -- */

static long
give(void *to, unsigned *to_length, const void *value, uint32_t size)
{
	uint32_t room;

	if (user_read(&room, to_length, sizeof(room)) != 0)
		return -E_FAULT;
	if ((int32_t)room < 0)
		return -E_INVAL;
	if (size > room)
		size = room;
	if (user_write(to, value, size) != 0)
		return -E_FAULT;
	return user_write(to_length, &size, sizeof(size));
}

static long
get_number(const struct socket *s, int option, int *out)
{
	const struct socket_side *side = socket_side(s);
	int bit = kept_bit(option);

	*out = 0;
	if (bit >= 0) {
		*out = (int)(side->flags >> bit & 1);
		return 0;
	}
	switch (option) {
	case SO_TYPE:
		*out = s->type;
		return 0;
	case SO_DOMAIN:
		*out = L_AF_UNIX;
		return 0;
	case SO_ERROR:
		*out = (int)socket_take_error(s);
		return 0;
	case SO_SNDBUF:
		*out = (int)socket_limit(side->send_limit);
		return 0;
	case SO_RCVBUF:
		*out = (int)socket_limit(side->receive_limit);
		return 0;
	case SO_PASSCRED:
		*out = (side->flags & SIDE_PASS_CREDENTIALS) != 0;
		return 0;
	case SO_ACCEPTCONN:
		*out = s->listens;
		return 0;
	case SO_PEEK_OFF:
		*out = (int)side->peek - 1;
		return 0;
	case SO_RCVLOWAT:
	case SO_SNDLOWAT:
		*out = 1;
		return 0;
	case SO_PROTOCOL:
	case SO_PRIORITY:
	case SO_REUSEPORT:
		return 0;
	default:
		return -E_NOPROTOOPT;
	}
}

static long
give_timeout(uint64_t ns, void *value, unsigned *length)
{
	const struct linux_timeval t = { (int64_t)(ns / NS),
	    (int64_t)(ns % NS / 1000) };

	return give(value, length, &t, sizeof(t));
}

static long
give_peer(const struct socket *s, void *value, unsigned *length)
{
	struct linux_ucred peer = { 0, UINT32_MAX, UINT32_MAX };

	if (s->connected || s->listens)
		peer = (struct linux_ucred){ s->peer.pid, s->peer.uid,
		    s->peer.gid };
	return give(value, length, &peer, sizeof(peer));
}

long
linux_getsockopt(unsigned fd, int level, int option, void *value,
    unsigned *length)
{
	static const uint32_t no_linger[2];
	long error;
	struct file *file = socket_file(fd, &error);
	int number;

	if (error != 0)
		return error;
	if (level != L_SOL_SOCKET)
		return -E_OPNOTSUPP;
	const struct socket *s = socket_of(file);
	switch (option) {
	case SO_RCVTIMEO:
		return give_timeout(socket_side(s)->receive_timeout, value,
		    length);
	case SO_SNDTIMEO:
		return give_timeout(socket_side(s)->send_timeout, value,
		    length);
	case SO_LINGER:
		return give(value, length, no_linger, sizeof(no_linger));
	case SO_PEERCRED:
		return give_peer(s, value, length);
	case SO_PEERNAME:
		return linux_getpeername(fd, value, length);
	default:
		error = get_number(s, option, &number);
		return error != 0 ? error : give(value, length, &number,
		    sizeof(number));
	}
}

/* -- shutdown -- */

/* Of datagrams only the own side knows: nobody else reads that word. */
static void
shut(struct socket *s, int how)
{
	struct socket_lane in = socket_in(s);
	uint32_t *out = socket_is_datagram(s) ?
	    &socket_memory(s)->ring[1].shut : &socket_out(s).ring->shut;

	if (how != 1)
		__atomic_store_n(&in.ring->shut, 1, __ATOMIC_SEQ_CST);
	if (how != 0)
		__atomic_store_n(out, 1, __ATOMIC_SEQ_CST);
	socket_stir(s);
}

long
linux_shutdown(unsigned fd, int how)
{
	long error;
	struct file *file = socket_file(fd, &error);

	if (error != 0)
		return error;
	if (how < 0 || how > 2)
		return -E_INVAL;
	struct socket *s = socket_of(file);
	shut(s, how);
	return 0;
}
