/* SPDX-License-Identifier: MIT */
/* Lite messages: see lite.h. */
#include <lib/wire/lite.h>

#include <lib/base/string.h>
#include <lib/wire/crc32c.h>

/* The CRC does not cover itself. */
#define CRC_BYTES	sizeof(uint32_t)

static size_t
align(size_t length)
{
	return (length + LITE_ALIGN - 1) & ~(size_t)(LITE_ALIGN - 1);
}

static status_t
check_header(const struct lite_header *header, uint64_t schema, size_t length)
{
	if (header->length != length)
		return ERR_RANGE;
	return header->schema == schema ? OK : ERR_TYPE;
}

/* Each tail where the one before ends; the last where the message ends. */
static status_t
check_tails(const struct lite_type *type, const uint8_t *message,
    size_t length)
{
	size_t end = LITE_HEADER + type->size;

	for (uint32_t i = 0; i < type->tails; i++) {
		const struct lite_tail_type *kind = &type->tail[i];
		struct lite_tail tail;

		memcpy(&tail, message + LITE_HEADER + kind->at, sizeof(tail));
		if (tail.offset != align(end) || tail.length > kind->max ||
		    tail.length % kind->unit != 0)
			return ERR_RANGE;
		end = (size_t)tail.offset + tail.length;
		if (end > length)
			return ERR_RANGE;
	}
	return end == length ? OK : ERR_RANGE;
}

status_t
lite_check(const struct lite_type *type, const void *message, size_t length)
{
	const uint8_t *bytes = message;
	const struct lite_header *header = message;

	if (length < LITE_HEADER + (size_t)type->size)
		return ERR_RANGE;
	status_t status = check_header(header, type->schema, length);
	if (status == OK)
		status = check_tails(type, bytes, length);
	if (status != OK)
		return status;
	return crc32c(0, bytes + CRC_BYTES, length - CRC_BYTES) ==
	    header->crc ? OK : ERR_CORRUPT;
}

status_t
lite_take(const struct lite_type *type, const void *message, size_t length,
    void *to, size_t room)
{
	if (length > room)
		return ERR_FULL;
	memcpy(to, message, length);
	return lite_check(type, to, length);
}

void
lite_begin(struct lite_builder *builder, const struct lite_type *type,
    void *message, size_t room, const void *fixed)
{
	*builder = (struct lite_builder){
		.type = type, .message = message, .room = room,
		.length = LITE_HEADER + type->size,
	};
	if (builder->length > room) {
		builder->status = ERR_FULL;
		return;
	}
	memcpy(builder->message + LITE_HEADER, fixed, type->size);
}

void
lite_add(struct lite_builder *builder, const void *bytes, size_t length)
{
	const struct lite_type *type = builder->type;
	const struct lite_tail_type *kind = &type->tail[builder->tails];
	size_t offset = align(builder->length);

	if (builder->status != OK)
		return;
	if (builder->tails == type->tails || length > kind->max ||
	    length % kind->unit != 0) {
		builder->status = ERR_RANGE;
		return;
	}
	if (offset > builder->room || length > builder->room - offset) {
		builder->status = ERR_FULL;
		return;
	}
	struct lite_tail tail = {
		.offset = (uint32_t)offset, .length = (uint32_t)length,
	};
	memcpy(builder->message + LITE_HEADER + kind->at, &tail,
	    sizeof(tail));
	memset(builder->message + builder->length, 0,
	    offset - builder->length);
	if (length != 0)
		memcpy(builder->message + offset, bytes, length);
	builder->length = offset + length;
	builder->tails++;
}

status_t
lite_finish(struct lite_builder *builder, size_t *out_length)
{
	while (builder->status == OK && builder->tails < builder->type->tails)
		lite_add(builder, NULL, 0);
	if (builder->status == OK && builder->length > UINT32_MAX)
		builder->status = ERR_RANGE;
	if (builder->status != OK)
		return builder->status;
	lite_seal(builder->message, (uint32_t)builder->length,
	    builder->type->schema);
	*out_length = builder->length;
	return OK;
}

void
lite_seal(void *message, uint32_t length, uint64_t schema)
{
	struct lite_header *header = message;

	header->length = length;
	header->schema = schema;
	header->crc = crc32c(0, (uint8_t *)message + CRC_BYTES,
	    length - CRC_BYTES);
}

status_t
lite_open(const void *message, size_t length, uint64_t schema, void *fixed,
    uint32_t size)
{
	struct lite_header header;

	if (length != LITE_HEADER + (size_t)size)
		return ERR_RANGE;
	memcpy(&header, message, sizeof(header));
	memcpy(fixed, (const uint8_t *)message + LITE_HEADER, size);
	status_t status = check_header(&header, schema, length);
	if (status != OK)
		return status;
	uint32_t crc = crc32c(0, (uint8_t *)&header + CRC_BYTES,
	    LITE_HEADER - CRC_BYTES);
	return crc32c(crc, fixed, size) == header.crc ? OK : ERR_CORRUPT;
}
