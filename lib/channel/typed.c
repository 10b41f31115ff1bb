/* SPDX-License-Identifier: MIT */
/*
 * Typed channels: see typed.h. A message is made in place: the struct behind
 * room for the header of its serializer, which is written when it is committed.
 */
#include <lib/channel/typed.h>

#include <lib/channel/keep.h>

#include "state.h"

#include <lib/wire/flat.h>
#include <lib/wire/lite.h>

/* Bytes in front of the struct, and of the whole message. */
static uint32_t
header_of(enum channel_serializer serializer)
{
	if (serializer == CHANNEL_RAW)
		return 0;
	return serializer == CHANNEL_LITE ? LITE_HEADER : FLAT_HEADER;
}

static uint32_t
length_of(const struct channel_type_info *type,
    enum channel_serializer serializer)
{
	return serializer == CHANNEL_FULL ? flat_length(type->size) :
	    header_of(serializer) + type->size;
}

status_t
channel_typed_create(const struct channel_type_info *type,
    const char *name, const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel_typed *out_typed)
{
	struct channel_config typed = *config;

	/* As long as the longest form, unless the caller says more. */
	if (typed.message_max < flat_length(type->size))
		typed.message_max = flat_length(type->size);
	typed.schema = type->schema;
	if (type->size > FLAT_MAX || typed.type == CHANNEL_STREAM ||
	    typed.type == CHANNEL_SYNC)
		return ERR_ARG;
	return channel_create(name, &typed, options, owner,
	    &out_typed->channel);
}

status_t
channel_typed_open(const struct channel_type_info *type,
    const char *name, const struct channel_options *options,
    const struct token *holder, struct channel_typed *out_typed)
{
	struct channel_options typed = {
		.role = CHANNEL_SENDER | CHANNEL_RECEIVER,
	};

	if (options != NULL)
		typed = *options;
	typed.schema = type->schema;
	return channel_open(name, &typed, holder, &out_typed->channel);
}

status_t
channel_typed_resume(const struct channel_type_info *type, const char *name,
    const struct channel_options *options, struct channel_typed *out_typed)
{
	status_t status = channel_resume(name, options, &out_typed->channel);

	if (status == OK && channel_configuration(
	    out_typed->channel)->schema != type->schema) {
		channel_close(out_typed->channel);
		return ERR_TYPE;
	}
	return status;
}

status_t
channel_typed_reserve(const struct channel_type_info *type,
    struct channel_typed *typed, uint64_t deadline_ns, void **out_value)
{
	status_t status;

	do {
		typed->serializer = channel_serializer(typed->channel);
		status = channel_reserve(typed->channel, length_of(type,
		    typed->serializer), &typed->view, deadline_ns);
	} while (status == ERR_STALE);
	if (status != OK)
		return status;
	*out_value = (uint8_t *)typed->view.data +
	    header_of(typed->serializer);
	return OK;
}

status_t
channel_typed_commit(const struct channel_type_info *type,
    struct channel_typed *typed)
{
	if (typed->serializer == CHANNEL_LITE)
		lite_seal(typed->view.data, (uint32_t)typed->view.length,
		    type->schema);
	if (typed->serializer == CHANNEL_FULL)
		flat_seal(typed->view.data, type->size);
	return channel_commit(typed->channel, &typed->view);
}

/*
 * Reserved, filled, committed; given up if that does not go. Who acts is asked
 * for the right once more: reserving may have taken long.
 */
static status_t
send_in_place(const struct channel_type_info *type,
    struct channel_typed *typed, const void *value,
    const struct token *sender, uint64_t deadline_ns)
{
	void *place;
	status_t status = channel_typed_reserve(type, typed, deadline_ns,
	    &place);

	if (status != OK)
		return status;
	memcpy(place, value, type->size);
	status = channel_check(typed->channel, sender, TOKEN_SEND);
	if (status == OK)
		status = channel_typed_commit(type, typed);
	if (status != OK)
		channel_cancel(typed->channel, &typed->view);
	return status;
}

status_t
channel_typed_send(const struct channel_type_info *type,
    struct channel_typed *typed, const void *value,
    const struct token *sender, uint64_t deadline_ns)
{
	struct channel *channel = typed->channel;
	status_t status;

	do {
		typed->serializer = channel_serializer(channel);
		if (typed->serializer == CHANNEL_RAW) {
			status = channel_send_until(channel, value,
			    type->size, sender, deadline_ns);
			continue;
		}
		status = channel_check(channel, sender, TOKEN_SEND);
		if (status == OK)
			status = send_in_place(type, typed, value, sender,
			    deadline_ns);
	} while (status == ERR_STALE);
	return status;
}

/* What is shown, taken out by the rules of its serializer. */
static status_t
decode(const struct channel_type_info *type, const struct channel_view *view,
    void *value)
{
	switch (view->serializer) {
	case CHANNEL_RAW:
		if (view->length != type->size)
			return ERR_RANGE;
		memcpy(value, view->data, type->size);
		return OK;
	case CHANNEL_LITE:
		return lite_open(view->data, view->length, type->schema,
		    value, type->size);
	default:
		return flat_open(view->data, view->length, value, type->size);
	}
}

/* Throws away what is none of this type. */
static status_t
show(const struct channel_type_info *type, struct channel_typed *typed,
    uint64_t deadline_ns, void *value)
{
	status_t status = channel_look(typed->channel, &typed->view,
	    deadline_ns);

	if (status != OK)
		return status;
	if (decode(type, &typed->view, value) == OK)
		return OK;
	channel_release(typed->channel, &typed->view);
	return ERR_CORRUPT;
}

status_t
channel_typed_receive(const struct channel_type_info *type,
    struct channel_typed *typed, void *value, const struct token *receiver,
    uint64_t deadline_ns)
{
	struct channel *channel = typed->channel;
	size_t length = type->size;

	if (channel->plain == lane_kind(CHANNEL_RAW, 0) &&
	    channel_receive_fast(channel, value, &length, receiver))
		return length == type->size ? OK : ERR_CORRUPT;
	status_t status = channel_check(channel, receiver, TOKEN_RECEIVE);
	if (status == OK)
		status = show(type, typed, deadline_ns, value);
	if (status != OK)
		return status;
	/* Showing may have taken long. */
	status = channel_check(channel, receiver, TOKEN_RECEIVE);
	if (status != OK) {
		memset(value, 0, type->size);
		return status;
	}
	/* Taken out: that was the copy. */
	channel_count_copy(channel, type->size);
	return channel_release(channel, &typed->view);
}

status_t
channel_typed_peek(const struct channel_type_info *type,
    struct channel_typed *typed, uint64_t deadline_ns, void *copy,
    const void **out_value)
{
	struct channel *channel = typed->channel;
	status_t status = channel_peek(channel, &typed->view, deadline_ns);

	if (status != OK)
		return status;
	if (typed->view.serializer == CHANNEL_RAW &&
	    typed->view.length == type->size) {
		*out_value = typed->view.data;
		return OK;
	}
	status = show(type, typed, CHANNEL_NOW, copy);
	if (status == OK)
		channel_count_copy(channel, type->size);
	*out_value = copy;
	return status;
}
