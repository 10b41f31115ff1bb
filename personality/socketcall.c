/* SPDX-License-Identifier: MIT */
/* send, recv and their relatives: what programs pass, one message each. */
#include "socket.h"

#include "calls.h"
#include "clock.h"
#include "service.h"
#include "user.h"

#include <lib/base/string.h>
#include <stddef.h>

#define PIECES_MAX	1024u
#define COUNT_MAX	0x7ffff000ul

/* -- one buffer -- */

static long
one_buffer(struct socket_pieces *out, const void *buffer, uint64_t *size)
{
	if (*size > COUNT_MAX)
		*size = COUNT_MAX;
	if (!user_range(buffer, *size))
		return -E_FAULT;
	*out = (struct socket_pieces){
		.base = (uint64_t)buffer, .length = *size,
	};
	return 0;
}

long
linux_sendto(unsigned fd, const void *buffer, size_t size, unsigned flags,
    const struct linux_sockaddr_un *address, unsigned length)
{
	struct socket_out out = { .size = size, .flags = flags };
	struct linux_sockaddr_un own;
	long error;
	struct file *file = socket_file(fd, &error);

	if (error == 0)
		error = one_buffer(&out.pieces, buffer, &out.size);
	if (error == 0 && address != NULL) {
		error = socket_take_address(address, length, &own);
		out.address = &own;
		out.address_length = length;
	}
	return error != 0 ? error : socket_send(file, &out);
}

/* The sender's name; a connection has none in its bytes. */
static long
give_sender(const struct socket *s, const struct socket_taken *taken,
    struct linux_sockaddr_un *address, unsigned *length)
{
	struct socket_shared_name name = { .length = 0 };
	const unsigned none = 0;

	if (socket_is_datagram(s)) {
		name.length = taken->name_length;
		memcpy(name.bytes, taken->name, name.length);
	} else {
		name = socket_memory(s)->side[1 - s->side].name;
	}
	return name.length == 0 ? user_write(length, &none, sizeof(none)) :
	    socket_give_name(&name, address, length);
}

long
linux_recvfrom(unsigned fd, void *buffer, size_t size, unsigned flags,
    struct linux_sockaddr_un *address, unsigned *length)
{
	struct socket_receipt receipt;
	long error;
	struct file *file = socket_file(fd, &error);

	socket_receipt_init(&receipt, flags);
	receipt.size = size;
	if (error == 0)
		error = one_buffer(&receipt.pieces, buffer, &receipt.size);
	if (error != 0)
		return error;
	long done = socket_receive(file, &receipt);
	if (done < 0)
		return done;
	if ((receipt.taken.flags & MARK_PARCEL) != 0 &&
	    (flags & L_MSG_PEEK) == 0)
		socket_parcel_drop(receipt.taken.token);
	if (address != NULL)
		error = give_sender(socket_of(file), &receipt.taken, address,
		    length);
	return error != 0 ? error : done;
}

/* -- a header -- */

long
socket_take_pieces(const struct linux_iovec *from, size_t count,
    struct socket_pieces *out)
{
	if (count > PIECES_MAX)
		return -E_MSGSIZE;
	if (!user_range(from, count * sizeof(*from)))
		return -E_FAULT;
	*out = (struct socket_pieces){ .from = from, .left = count };
	long total = socket_pieces_total(out);
	return total >= 0 ? total : total == -1 ? -E_FAULT : -E_INVAL;
}

static long
take_header(const struct linux_msghdr *from, struct linux_msghdr *out,
    struct socket_pieces *out_pieces, uint64_t *out_size)
{
	if (user_read(out, from, sizeof(*out)) != 0)
		return -E_FAULT;
	if (out->name == 0)
		out->name_length = 0;
	if ((int32_t)out->name_length < 0)
		return -E_INVAL;
	long total = socket_take_pieces(
	    (const struct linux_iovec *)out->pieces, out->piece_count,
	    out_pieces);
	*out_size = (uint64_t)total;
	return total < 0 ? total : 0;
}

static long
send_header(struct file *file, const struct linux_msghdr *message,
    unsigned flags)
{
	struct socket *s = socket_of(file);
	struct socket_out out = { .flags = flags };
	struct socket_target target = s->target;
	struct linux_sockaddr_un own;
	struct linux_msghdr header;
	long error = take_header(message, &header, &out.pieces, &out.size);

	if (error == 0 && header.name_length != 0) {
		error = socket_take_address((void *)header.name,
		    header.name_length, &own);
		out.address = &own;
		out.address_length = header.name_length;
	}
	if (error != 0)
		return error;
	if (header.control_length == 0)
		return socket_send(file, &out);
	/* Who gets it is to be known before anything is packed. */
	bool addressed = socket_is_datagram(s) && out.address_length != 0;
	if (addressed)
		error = socket_find_target(s, &own, header.name_length,
		    &target);
	if (error == 0)
		error = socket_control_out(s, socket_is_datagram(s) ?
		    target.watch : s->watch, &header, &out.extra);
	if (addressed && target.memory != s->target.memory)
		socket_target_close(&target);
	return error != 0 ? error : socket_send(file, &out);
}

long
linux_sendmsg(unsigned fd, const struct linux_msghdr *message, unsigned flags)
{
	long error;
	struct file *file = socket_file(fd, &error);

	return error != 0 ? error : send_header(file, message, flags);
}

/* Gives back what came beside the bytes. */
static long
finish_header(const struct socket *s, struct linux_msghdr *message,
    struct linux_msghdr *header, const struct socket_receipt *receipt)
{
	unsigned *length = &message->name_length;
	long error = 0;

	header->flags = receipt->cut ? L_MSG_TRUNC : 0;
	header->flags |= receipt->flags & L_MSG_CMSG_CLOEXEC;
	if (header->name != 0) {
		error = user_write(length, &header->name_length,
		    sizeof(*length));
		if (error == 0)
			error = give_sender(s, &receipt->taken,
			    (void *)header->name, length);
	}
	if (error == 0)
		error = socket_control_in(s, &receipt->taken, header,
		    receipt->flags);
	if (error == 0)
		error = user_write(&message->flags, &header->flags,
		    sizeof(header->flags));
	return error != 0 ? error : user_write(&message->control_length,
	    &header->control_length, sizeof(header->control_length));
}

static long
receive_header(struct file *file, struct linux_msghdr *message,
    unsigned flags)
{
	struct socket_receipt receipt;
	struct linux_msghdr header;

	socket_receipt_init(&receipt, flags);
	long error = take_header(message, &header, &receipt.pieces,
	    &receipt.size);

	if (error != 0)
		return error;
	long done = socket_receive(file, &receipt);
	if (done < 0)
		return done;
	error = finish_header(socket_of(file), message, &header, &receipt);
	return error != 0 ? error : done;
}

long
linux_recvmsg(unsigned fd, struct linux_msghdr *message, unsigned flags)
{
	long error;
	struct file *file = socket_file(fd, &error);

	return error != 0 ? error : receive_header(file, message, flags);
}

/* -- several -- */

long
linux_sendmmsg(unsigned fd, struct linux_mmsghdr *messages, unsigned count,
    unsigned flags)
{
	long error;
	struct file *file = socket_file(fd, &error);
	unsigned i = 0;

	if (count > PIECES_MAX)
		count = PIECES_MAX;
	for (; i < count && error == 0; i++) {
		long done = send_header(file, &messages[i].header, flags);
		uint32_t length = (uint32_t)done;
		error = done < 0 ? done : user_write(&messages[i].length,
		    &length, sizeof(length));
		if (error != 0)
			break;
	}
	return i != 0 ? (long)i : error;
}

/* The time limit is looked at between messages, as Linux does. */
static long
time_limit(const struct linux_timespec *timeout, uint64_t *out)
{
	*out = DEADLINE_NEVER;
	return timeout == NULL ? 0 : time_deadline(timeout, out);
}

static void
tell_time_left(struct linux_timespec *timeout, uint64_t deadline)
{
	uint64_t now = time_now_ns();
	uint64_t left = deadline > now ? deadline - now : 0;
	const struct linux_timespec t = { (int64_t)(left / 1000000000),
	    (int64_t)(left % 1000000000) };

	user_write(timeout, &t, sizeof(t));
}

static long
receive_several(struct file *file, struct linux_mmsghdr *messages,
    unsigned count, unsigned flags, uint64_t deadline)
{
	long error = 0;
	unsigned i = 0;

	while (i < count && error == 0) {
		long done = receive_header(file, &messages[i].header,
		    flags & ~L_MSG_WAITFORONE);
		uint32_t length = (uint32_t)done;
		error = done < 0 ? done : user_write(&messages[i].length,
		    &length, sizeof(length));
		if (error != 0)
			break;
		i++;
		if ((flags & L_MSG_WAITFORONE) != 0)
			flags |= L_MSG_DONTWAIT;
		if (deadline != DEADLINE_NEVER && time_now_ns() >= deadline)
			break;
	}
	return i != 0 ? (long)i : error;
}

long
linux_recvmmsg(unsigned fd, struct linux_mmsghdr *messages, unsigned count,
    unsigned flags, const struct linux_timespec *timeout)
{
	uint64_t deadline;
	long error = time_limit(timeout, &deadline);
	struct file *file = NULL;

	if (error == 0)
		file = socket_file(fd, &error);
	if (error != 0)
		return error;
	if (count > PIECES_MAX)
		count = PIECES_MAX;
	long done = receive_several(file, messages, count, flags, deadline);
	if (timeout != NULL)
		tell_time_left((struct linux_timespec *)(uintptr_t)timeout,
		    deadline);
	return done;
}
