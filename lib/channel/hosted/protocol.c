/* SPDX-License-Identifier: MIT */
/* Checks of packets. Both sides use them; see protocol.h for the format. */
#include <lib/channel/hosted/protocol.h>

#include <string.h>

#define BODY(field)	sizeof(((struct broker_packet *)0)->field)

static const uint16_t request_body[BROKER_KINDS] = {
	[BROKER_HELLO] = BODY(value),
	[BROKER_CREATE] = BODY(join),
	[BROKER_OPEN] = BODY(join),
	[BROKER_CLOSE] = BODY(value),
	[BROKER_MAPPED] = BODY(value),
	[BROKER_DROP] = BODY(drop),
	[BROKER_ACK] = BODY(value),
	[BROKER_MINT] = BODY(token),
	[BROKER_DERIVE] = BODY(token),
	[BROKER_REVOKE] = BODY(token),
	[BROKER_RIGHTS] = BODY(token),
	[BROKER_DEPEND] = BODY(edge),
	[BROKER_LIST] = BODY(value),
	[BROKER_TOTALS] = BODY(value),
	[BROKER_WATCH] = BODY(value),
	[BROKER_REMOVE_DEPEND] = BODY(edge),
	[BROKER_RESUME] = BODY(resume),
};

/* An answer that is an error has no body. */
static const uint16_t answer_body[BROKER_EVENT_END] = {
	[BROKER_HELLO] = BODY(value),
	[BROKER_CREATE] = BODY(joined),
	[BROKER_OPEN] = BODY(joined),
	[BROKER_CLOSE] = BODY(value),
	[BROKER_MAPPED] = BODY(value),
	[BROKER_MINT] = BODY(token),
	[BROKER_DERIVE] = BODY(token),
	[BROKER_REVOKE] = BODY(token),
	[BROKER_RIGHTS] = BODY(token),
	[BROKER_DEPEND] = BODY(value),
	[BROKER_LIST] = BODY(list),
	[BROKER_TOTALS] = BODY(totals),
	[BROKER_WATCH] = BODY(watched),
	[BROKER_REMOVE_DEPEND] = BODY(value),
	[BROKER_RESUME] = BODY(joined),
	[BROKER_EVENT_LANE] = BODY(lane),
	[BROKER_EVENT_GONE] = BODY(lane),
	[BROKER_EVENT_REVOKED] = BODY(value),
};

size_t
broker_request_length(uint32_t kind)
{
	if (kind >= BROKER_KINDS || request_body[kind] == 0)
		return 0;
	return sizeof(struct broker_head) + request_body[kind];
}

size_t
broker_answer_length(uint32_t kind, uint32_t status)
{
	if (kind >= BROKER_EVENT_END || answer_body[kind] == 0 ||
	    status >= STATUS_COUNT)
		return 0;
	return sizeof(struct broker_head) +
	    (status == OK ? answer_body[kind] : 0);
}

bool
broker_name_ok(const char name[CHANNEL_NAME_MAX + 1])
{
	size_t length = strnlen(name, CHANNEL_NAME_MAX + 1);

	if (length == 0 || length > CHANNEL_NAME_MAX)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return false;
	return true;
}

status_t
broker_config_read(const struct broker_config *wire,
    struct channel_config *out_config)
{
	if (wire->type > CHANNEL_BATCH || wire->overflow > CHANNEL_ERROR ||
	    wire->serializer > CHANNEL_FULL || wire->zero != 0 ||
	    (wire->flags & ~(BROKER_ZERO_COPY | BROKER_POLLABLE)) != 0)
		return ERR_ARG;
	if (wire->message_max > BROKER_MESSAGE_MAX ||
	    wire->buffer_size > BROKER_BUFFER_MAX ||
	    wire->buffers > BROKER_BUFFERS_MAX ||
	    wire->batch > BROKER_BATCH_MAX)
		return ERR_ARG;
	*out_config = (struct channel_config){
		.type = wire->type,
		.overflow = wire->overflow,
		.serializer = wire->serializer,
		.zero_copy = (wire->flags & BROKER_ZERO_COPY) != 0,
		.pollable = (wire->flags & BROKER_POLLABLE) != 0,
		.message_max = wire->message_max,
		.buffer_size = wire->buffer_size,
		.buffers = wire->buffers,
		.batch = wire->batch,
		.schema = wire->schema,
		.spin_ns = wire->spin_ns,
	};
	return OK;
}

void
broker_config_write(const struct channel_config *config,
    struct broker_config *out_wire)
{
	*out_wire = (struct broker_config){
		.type = (uint8_t)config->type,
		.overflow = (uint8_t)config->overflow,
		.serializer = (uint8_t)config->serializer,
		.flags = (config->zero_copy ? BROKER_ZERO_COPY : 0) |
		    (config->pollable ? BROKER_POLLABLE : 0),
		.message_max = config->message_max,
		.buffer_size = config->buffer_size,
		.buffers = config->buffers,
		.batch = config->batch,
		.schema = config->schema,
		.spin_ns = config->spin_ns,
	};
}

static bool
join_ok(const struct broker_join *join)
{
	struct channel_config config;

	return broker_name_ok(join->name) &&
	    broker_config_read(&join->config, &config) == OK &&
	    (join->role & ~(CHANNEL_SENDER | CHANNEL_RECEIVER)) == 0 &&
	    join->serializer <= CHANNEL_FULL &&
	    join->has_token <= 1 && join->kept <= 1;
}

static bool
token_ok(uint32_t kind, const struct broker_token *token)
{
	if (kind == BROKER_MINT ? !broker_name_ok(token->name) :
	    token->name[0] != '\0')
		return false;
	return (token->rights & ~TOKEN_ALL) == 0 && token->trust <= 0xf &&
	    token->holder <= UINT16_MAX && token->zero == 0;
}

/* Within a segment of its own size; what the numbers mean is not known here. */
static bool
lane_ok(const struct broker_lane *lane)
{
	return lane->trust <= 0xf && lane->out <= 1 && lane->has_bell <= 1 &&
	    lane->revoked <= 1 && lane->zero == 0 && lane->offset <= lane->segment_size &&
	    lane->offset % 64 == 0;
}

static bool
list_ok(const struct broker_list *list)
{
	if (list->count > BROKER_LISTED)
		return false;
	for (uint32_t i = 0; i < list->count; i++)
		if (!broker_name_ok(list->channel[i].name) ||
		    list->channel[i].type > CHANNEL_BATCH)
			return false;
	return true;
}

status_t
broker_check_request(const void *bytes, size_t length,
    struct broker_packet *out_packet)
{
	struct broker_head head;
	bool ok = true;

	if (length < sizeof(head))
		return ERR_ARG;
	memcpy(&head, bytes, sizeof(head));
	if (length != broker_request_length(head.kind) || head.status != 0)
		return ERR_ARG;
	memcpy(out_packet, bytes, length);
	if (head.kind == BROKER_CREATE || head.kind == BROKER_OPEN)
		ok = join_ok(&out_packet->join);
	else if (head.kind == BROKER_RESUME)
		ok = out_packet->resume.zero == 0;
	else if (head.kind >= BROKER_MINT && head.kind <= BROKER_RIGHTS)
		ok = token_ok(head.kind, &out_packet->token);
	return ok ? OK : ERR_ARG;
}

static bool
answer_body_ok(const struct broker_packet *packet)
{
	struct channel_config config;

	switch (packet->head.kind) {
	case BROKER_CREATE:
	case BROKER_OPEN:
	case BROKER_RESUME:
		return packet->joined.trust <= 0xf &&
		    packet->joined.offset % 64 == 0 &&
		    packet->joined.offset <= packet->joined.segment_size &&
		    broker_config_read(&packet->joined.config, &config) == OK;
	case BROKER_LIST:
		return list_ok(&packet->list);
	case BROKER_EVENT_LANE:
	case BROKER_EVENT_GONE:
		return packet->head.number == 0 && lane_ok(&packet->lane);
	case BROKER_EVENT_REVOKED:
		return packet->head.number == 0;
	default:
		return true;
	}
}

status_t
broker_check_answer(const void *bytes, size_t length,
    struct broker_packet *out_packet)
{
	struct broker_head head;

	if (length < sizeof(head))
		return ERR_ARG;
	memcpy(&head, bytes, sizeof(head));
	if (length != broker_answer_length(head.kind, head.status))
		return ERR_ARG;
	memcpy(out_packet, bytes, length);
	if (head.status == OK && !answer_body_ok(out_packet))
		return ERR_ARG;
	return OK;
}
