/* SPDX-License-Identifier: MIT */
/*
 * How generated servers (<idl/NAME_server.h>) end a call, and how handlers get
 * at what travels in windows.
 */
#pragma once

#include <idl/errno.h>
#include <lib/service/service.h>
#include <lib/wire/outbox.h>
#include <lib/wire/wire.h>

/* What a handler of a method that parks returns beside 0 and errors. */
#define WIRE_PARKED	(~0u)

/* Which request it is: for services that have several interfaces. */
static inline uint64_t
wire_tag(const struct service_call *call)
{
	return call->message.word[0];
}

static inline service_outcome
wire_refuse(struct service_call *call, unsigned error)
{
	call->reply_caps = 0;
	call->message.word[1] = error;
	return SERVICE_ERROR;
}

/* A reply without results; words one by one, see tools/capnpc/message.c. */
static inline void
wire_reply(struct message *message)
{
	message->word[0] = TAG_REPLY_OK;
	message->word[1] = 0;
	message->word[2] = 0;
	message->word[3] = 0;
	message->word[4] = 0;
	message->word[5] = 0;
	message->word[6] = 0;
	message->word[7] = 0;
}

/* E_* for what a window copy returned. */
unsigned wire_error(status_t status);

/* All of it to `to`, which has room for its length. */
status_t wire_take(const struct service_call *call,
    const struct wire_bytes *from, void *to);

/* To the beginning of the window; length is at most that of the room. */
status_t wire_give(const struct service_call *call,
    const struct wire_room *to, const void *from, uint64_t length);

/* Of the index-th capability of the call, a copy of its own. */
status_t wire_take_cap(const struct service_call *call, unsigned index,
    cap_t *out_cap);
/* CAP_NONE: nothing. */
void wire_drop_cap(cap_t cap);

/*
 * A text, where it is if it came in words, else copied to `buffer`, which has
 * room for it. Not NUL terminated.
 */
static inline status_t
wire_text(const struct service_call *call, const struct wire_bytes *from,
    char *buffer, const char **out_text)
{
	*out_text = from->bytes != NULL ? from->bytes : buffer;
	return from->bytes != NULL ? OK : wire_take(call, from, buffer);
}

/* The next capability of the reply; the own copy is deleted after it. */
static inline void
wire_give_cap(struct service_call *call, cap_t take_cap)
{
	call->reply_cap[call->reply_caps++] = take_cap;
	call->reply_cap_drop = true;
}
