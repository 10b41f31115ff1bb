/* SPDX-License-Identifier: MIT */
/*
 * Typed channels: one C struct per message, written in the serializer that the
 * members agreed on.
 *
 *	struct position { uint64_t x, y; };
 *	CHANNEL_TYPED(position, struct position, 0x5e2f0c1d9a7b3846)
 *
 * declares struct position_channel and static functions that take it and
 * pointers to struct position, nothing else (a compiler that only warns of
 * pointers of another type needs -Werror=incompatible-pointer-types):
 *
 *	position_create, position_open	the schema is that of the type
 *	position_close
 *	position_send, position_send_until
 *	position_receive, position_receive_until
 *	position_reserve, position_commit	made in place
 *	position_peek, position_release		read in place
 *
 * The schema is any number but 0 that is of this layout alone: a struct that
 * changes gets another. The struct has no pointers and its size is fixed; FULL
 * carries at most FLAT_MAX bytes of it.
 *
 *	RAW	the struct as it is
 *	LITE	behind a header with length, schema and CRC (lib/wire/lite.h)
 *	FULL	as data of the root of a Cap'n Proto message (lib/wire/flat.h)
 *
 * Not for SYNC and STREAM channels.
 *
 * Errors are those of channel.h; ERR_CORRUPT also: a message that is none of
 * this type. peek shows RAW messages where they lie; others are copied to
 * *copy, and then checked: what was checked is what is read. A message that
 * does not pass is thrown away; its lane stays.
 */
#pragma once

#include <lib/base/linkage.h>
#include <lib/channel/channel.h>

LINKAGE_BEGIN

struct channel_type_info {
	uint64_t schema;
	uint32_t size;		/* bytes of the struct */
};

struct channel_typed {
	struct channel *channel;
	struct channel_view view;	/* reserved or shown; one at a time */
	enum channel_serializer serializer;	/* of the reserved one */
};

/* What the macros call; not to be used otherwise. */
status_t channel_typed_create(const struct channel_type_info *type,
    const char *name, const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel_typed *out_typed);
status_t channel_typed_open(const struct channel_type_info *type,
    const char *name, const struct channel_options *options,
    const struct token *holder, struct channel_typed *out_typed);
status_t channel_typed_resume(const struct channel_type_info *type,
    const char *name, const struct channel_options *options,
    struct channel_typed *out_typed);
status_t channel_typed_reserve(const struct channel_type_info *type,
    struct channel_typed *typed, uint64_t deadline_ns, void **out_value);
status_t channel_typed_commit(const struct channel_type_info *type,
    struct channel_typed *typed);
status_t channel_typed_send(const struct channel_type_info *type,
    struct channel_typed *typed, const void *value,
    const struct token *sender, uint64_t deadline_ns);
status_t channel_typed_receive(const struct channel_type_info *type,
    struct channel_typed *typed, void *value, const struct token *receiver,
    uint64_t deadline_ns);
status_t channel_typed_peek(const struct channel_type_info *type,
    struct channel_typed *typed, uint64_t deadline_ns, void *copy,
    const void **out_value);

#define CHANNEL_TYPED(name, type, schema_id) \
	CHANNEL_TYPED_MEMBER(name, type, schema_id) \
	CHANNEL_TYPED_COPY(name, type) \
	CHANNEL_TYPED_PLACE(name, type)

#define CHANNEL_TYPED_MEMBER(name, type, schema_id) \
	struct name##_channel { \
		struct channel_typed typed; \
	}; \
	static const struct channel_type_info name##_type = { \
		(schema_id), sizeof(type), \
	}; \
	_Static_assert((schema_id) != 0, "a type has a schema"); \
	static inline status_t \
	name##_create(const char *channel_name, \
	    const struct channel_config *config, \
	    const struct channel_options *options, \
	    const struct token *owner, struct name##_channel *out_channel) \
	{ \
		return channel_typed_create(&name##_type, channel_name, \
		    config, options, owner, &out_channel->typed); \
	} \
	static inline status_t \
	name##_open(const char *channel_name, \
	    const struct channel_options *options, \
	    const struct token *holder, struct name##_channel *out_channel) \
	{ \
		return channel_typed_open(&name##_type, channel_name, \
		    options, holder, &out_channel->typed); \
	} \
	/* As channel_resume (keep.h). */ \
	static inline status_t \
	name##_resume(const char *channel_name, \
	    const struct channel_options *options, \
	    struct name##_channel *out_channel) \
	{ \
		return channel_typed_resume(&name##_type, channel_name, \
		    options, &out_channel->typed); \
	} \
	static inline void \
	name##_close(struct name##_channel *channel) \
	{ \
		channel_close(channel->typed.channel); \
		channel->typed.channel = NULL; \
	}

#define CHANNEL_TYPED_COPY(name, type) \
	static inline status_t \
	name##_send_until(struct name##_channel *channel, \
	    const type *value, const struct token *sender, \
	    uint64_t deadline_ns) \
	{ \
		return channel_typed_send(&name##_type, &channel->typed, \
		    value, sender, deadline_ns); \
	} \
	static inline status_t \
	name##_send(struct name##_channel *channel, const type *value, \
	    const struct token *sender) \
	{ \
		return name##_send_until(channel, value, sender, \
		    CHANNEL_FOREVER); \
	} \
	static inline status_t \
	name##_receive_until(struct name##_channel *channel, type *value, \
	    const struct token *receiver, uint64_t deadline_ns) \
	{ \
		return channel_typed_receive(&name##_type, &channel->typed, \
		    value, receiver, deadline_ns); \
	} \
	static inline status_t \
	name##_receive(struct name##_channel *channel, type *value, \
	    const struct token *receiver) \
	{ \
		return name##_receive_until(channel, value, receiver, \
		    CHANNEL_DEFAULT); \
	}

#define CHANNEL_TYPED_PLACE(name, type) \
	static inline status_t \
	name##_reserve(struct name##_channel *channel, \
	    uint64_t deadline_ns, type **out_value) \
	{ \
		void *value = NULL; \
		status_t status = channel_typed_reserve(&name##_type, \
		    &channel->typed, deadline_ns, &value); \
		*out_value = (type *)value; \
		return status; \
	} \
	static inline status_t \
	name##_commit(struct name##_channel *channel) \
	{ \
		return channel_typed_commit(&name##_type, \
		    &channel->typed); \
	} \
	static inline status_t \
	name##_peek(struct name##_channel *channel, uint64_t deadline_ns, \
	    type *copy, const type **out_value) \
	{ \
		const void *value = NULL; \
		status_t status = channel_typed_peek(&name##_type, \
		    &channel->typed, deadline_ns, copy, &value); \
		*out_value = (const type *)value; \
		return status; \
	} \
	static inline status_t \
	name##_release(struct name##_channel *channel) \
	{ \
		return channel_release(channel->typed.channel, \
		    &channel->typed.view); \
	}

LINKAGE_END
