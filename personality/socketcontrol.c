/* SPDX-License-Identifier: MIT */
/*
 * What goes beside bytes: descriptors and credentials. They travel as a parcel
 * at proc, which knows who packed it; the message has its token.
 */
#include "socket.h"

#include "service.h"
#include "thread.h"
#include "user.h"

#include <idl/process.h>
#include <idl/sockets_client.h>
#include <lib/base/string.h>

#define HEADER		sizeof(struct linux_cmsghdr)
#define ALIGNED(n)	(((n) + 7) & ~7ul)

struct outgoing {
	struct file *files[L_SCM_MAX_FD];
	unsigned count;
	bool	 has_credentials;
	struct linux_ucred credentials;
};

static void
token_numbers(const uint8_t token[SOCKET_TOKEN], uint64_t out[2])
{
	memcpy(out, token, SOCKET_TOKEN);
}

void
socket_parcel_drop(const uint8_t token[SOCKET_TOKEN])
{
	uint64_t number[2];

	token_numbers(token, number);
	service_insist_begin();
	sockets_drop(PROCESS_PROC, number[0], number[1]);
	service_insist_end();
}

/* -- out -- */

static long
take_descriptors(uint64_t from, uint64_t bytes, struct outgoing *out)
{
	unsigned count = (unsigned)(bytes / sizeof(int));
	int fd;

	if (count > L_SCM_MAX_FD - out->count)
		return -E_INVAL;
	for (unsigned i = 0; i < count; i++) {
		if (user_read(&fd, (void *)(from + i * sizeof(fd)),
		    sizeof(fd)) != 0)
			return -E_FAULT;
		struct file *file = fd < 0 ? NULL : fd_file((unsigned)fd);
		if (file == NULL)
			return -E_BADF;
		out->files[out->count++] = file;
	}
	return 0;
}

static long
take_one(uint64_t at, const struct linux_cmsghdr *header,
    struct outgoing *out)
{
	uint64_t bytes = header->length - HEADER;

	if (header->level != L_SOL_SOCKET)
		return 0;
	if (header->type == L_SCM_RIGHTS)
		return take_descriptors(at + HEADER, bytes, out);
	if (header->type != L_SCM_CREDENTIALS ||
	    bytes != sizeof(out->credentials))
		return -E_INVAL;
	out->has_credentials = true;
	return user_read(&out->credentials, (void *)(at + HEADER),
	    sizeof(out->credentials));
}

static long
take_control(const struct linux_msghdr *header, struct outgoing *out)
{
	uint64_t at = header->control, end = at + header->control_length;
	struct linux_cmsghdr one;

	if (!user_range((void *)at, header->control_length))
		return -E_FAULT;
	while (at < end && end - at >= HEADER) {
		if (user_read(&one, (void *)at, sizeof(one)) != 0)
			return -E_FAULT;
		if (one.length < HEADER || one.length > end - at)
			return -E_INVAL;
		long error = take_one(at, &one, out);
		if (error != 0)
			return error;
		at += ALIGNED(one.length);
	}
	return 0;
}

static long
pack(const struct linux_ucred *claimed, cap_t watch, struct socket_extra *out)
{
	struct sockets_pack_args in = { .watch = watch };
	struct sockets_pack_results token;

	if (claimed != NULL) {
		in.pid = claimed->pid;
		in.uid = claimed->uid;
		in.gid = claimed->gid;
	}
	long error = sockets_pack(PROCESS_PROC, &in, &token);
	if (error != 0)
		return error;
	memcpy(out->token, (uint64_t[2]){ token.low, token.high },
	    SOCKET_TOKEN);
	out->flags |= MARK_PARCEL;
	return 0;
}

long
socket_control_out(const struct socket *s, cap_t watch,
    const struct linux_msghdr *header, struct socket_extra *out)
{
	struct outgoing outgoing = { .count = 0 };
	uint64_t number[2];
	long error = take_control(header, &outgoing);

	(void)s;
	if (error != 0 || (outgoing.count == 0 && !outgoing.has_credentials))
		return error;
	if (outgoing.has_credentials && outgoing.credentials.pid == 0)
		return -E_SRCH;
	error = pack(outgoing.has_credentials ? &outgoing.credentials : NULL,
	    watch, out);
	if (error != 0)
		return error;
	token_numbers(out->token, number);
	for (unsigned i = 0; i < outgoing.count && error == 0; i++)
		error = parcel_add_file(number, outgoing.files[i]);
	if (error != 0) {
		socket_parcel_drop(out->token);
		out->flags &= (uint16_t)~MARK_PARCEL;
	}
	return error;
}

long
socket_credentials_out(const struct socket *s,
    const struct socket_side *receiver, cap_t watch,
    struct socket_extra *extra)
{
	uint32_t flags = __atomic_load_n(&receiver->flags, __ATOMIC_RELAXED) |
	    __atomic_load_n(&socket_side(s)->flags, __ATOMIC_RELAXED);

	if (__builtin_expect((flags & SIDE_PASS_CREDENTIALS) == 0, 1) ||
	    (extra->flags & MARK_PARCEL) != 0)
		return 0;
	return pack(NULL, watch, extra);
}

/* -- in -- */

/* What is left of the program's buffer. */
struct incoming {
	uint64_t at, left;
	bool	 cut;
};

static long
put_credentials(struct incoming *to, const struct linux_ucred *credentials)
{
	struct {
		struct linux_cmsghdr header;
		struct linux_ucred credentials;
		uint32_t pad;
	} out = { { HEADER + sizeof(*credentials), L_SOL_SOCKET,
	    L_SCM_CREDENTIALS }, *credentials, 0 };

	if (to->left < HEADER) {
		to->cut = true;
		return 0;
	}
	if (to->left < out.header.length) {
		to->cut = true;
		out.header.length = to->left;
	}
	if (user_write((void *)to->at, &out, out.header.length) != 0)
		return -E_FAULT;
	uint64_t space = ALIGNED(out.header.length);
	if (space > to->left)
		space = to->left;
	to->at += space;
	to->left -= space;
	return 0;
}

/* As many descriptors as there is room for; the others are lost. */
static long
put_descriptors(struct incoming *to, const uint64_t number[2],
    uint32_t entries, bool close_on_exec)
{
	struct linux_cmsghdr header = { HEADER, L_SOL_SOCKET, L_SCM_RIGHTS };
	uint64_t room = to->left < HEADER ? 0 : (to->left - HEADER) /
	    sizeof(int);
	uint32_t index = 0;
	uint64_t count = 0;

	while (index < entries && count < room) {
		long fd = parcel_take_file(number, &index, close_on_exec);
		if (fd < 0)
			break;
		int value = (int)fd;
		if (user_write((void *)(to->at + HEADER +
		    count * sizeof(value)), &value, sizeof(value)) != 0) {
			fd_close((unsigned)fd);
			break;
		}
		count++;
	}
	if (index < entries)
		to->cut = true;
	if (count == 0)
		return 0;
	header.length += count * sizeof(int);
	if (user_write((void *)to->at, &header, sizeof(header)) != 0)
		return -E_FAULT;
	uint64_t space = ALIGNED(header.length);
	if (space > to->left)
		space = to->left;
	to->at += space;
	to->left -= space;
	return 0;
}

static long
put_all(const struct socket *s, const struct socket_taken *in,
    struct incoming *to, unsigned flags)
{
	struct linux_ucred who = { 0, SOCKETS_NOBODY, SOCKETS_NOBODY };
	struct sockets_look_results look = { 0 };
	bool parcel = (in->flags & MARK_PARCEL) != 0;
	uint64_t number[2];
	long error = 0;

	token_numbers(in->token, number);
	if (parcel && sockets_look(PROCESS_PROC, number[0], number[1],
	    &look) == 0)
		who = (struct linux_ucred){ look.pid, look.uid, look.gid };
	else if (parcel)
		to->cut = true;		/* dropped by another reader */
	if ((__atomic_load_n(&socket_side(s)->flags, __ATOMIC_RELAXED) &
	    SIDE_PASS_CREDENTIALS) != 0)
		error = put_credentials(to, &who);
	if (error == 0 && look.entries != 0)
		error = put_descriptors(to, number, look.entries,
		    (flags & L_MSG_CMSG_CLOEXEC) != 0);
	if (parcel && (flags & L_MSG_PEEK) == 0)
		socket_parcel_drop(in->token);
	return error;
}

long
socket_control_in(const struct socket *s, const struct socket_taken *in,
    struct linux_msghdr *header, unsigned flags)
{
	uint64_t length = header->control == 0 ? 0 : header->control_length;
	struct incoming to = { .at = header->control, .left = length };
	long error = 0;

	if (!user_range((void *)to.at, to.left))
		return -E_FAULT;
	if ((in->flags & MARK_PARCEL) != 0 || (socket_side(s)->flags &
	    SIDE_PASS_CREDENTIALS) != 0) {
		service_insist_begin();
		error = put_all(s, in, &to, flags);
		service_insist_end();
	}
	header->control_length = length - to.left;
	if (to.cut)
		header->flags |= L_MSG_CTRUNC;
	return error;
}
