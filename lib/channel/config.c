/* SPDX-License-Identifier: MIT */
/*
 * Configurations: see config.h; sizes of lanes: see lane.h.
 *
 * A message in the ring takes at most a quarter of it: so sender and receiver
 * work at the same time, and the end of the ring costs little. With zero_copy
 * longer ones lie in buffers.
 */
#include <lib/channel/config.h>
#include <lib/channel/lane.h>

#define MESSAGE_DEFAULT		4096u
#define RING_DEFAULT		65536u
#define RING_BYTES_MIN		(RING_LINES_MIN * RING_LINE)
#define RING_BYTES_MAX		(1u << 28)
#define MESSAGE_LIMIT		(1u << 26)
#define BUFFERS_DEFAULT		16u
#define BUFFERS_LIMIT		65536u
#define BATCH_DEFAULT		32u
#define SPIN_DEFAULT_NS		20000u
#define RETURN_LINES_MIN	8u

static uint32_t
round_up_power(uint32_t value)
{
	return value <= 1 ? 1 : 1u << (32 - __builtin_clz(value - 1));
}

uint32_t
lane_lines(const struct channel_config *config)
{
	return config->buffer_size / RING_LINE;
}

/* Every buffer may come back at once; answers are as long as requests. */
uint32_t
lane_return_lines(const struct channel_config *config)
{
	uint32_t lines = RETURN_LINES_MIN;

	if (config->type == CHANNEL_SYNC)
		return lane_lines(config);
	if (config->zero_copy && config->buffers >= lines)
		lines = round_up_power(config->buffers + 1);
	return lines;
}

void
lane_pool_layout(const struct channel_config *config,
    struct pool_layout *out_layout)
{
	uint32_t size = (config->message_max + POOL_ALIGNMENT - 1) &
	    ~(POOL_ALIGNMENT - 1);

	*out_layout = (struct pool_layout){
		.class = { { .size = size, .count = config->buffers } },
		.classes = 1,
	};
}

size_t
lane_pool_size(const struct channel_config *config)
{
	struct pool_layout layout;

	if (!config->zero_copy)
		return 0;
	lane_pool_layout(config, &layout);
	return pool_layout_size(&layout);
}

size_t
lane_size(const struct channel_config *config)
{
	return ring_size(lane_lines(config)) +
	    ring_size(lane_return_lines(config));
}

void
lane_format(void *memory, const struct channel_config *config)
{
	uint8_t *bytes = memory;

	ring_format(bytes, lane_lines(config));
	ring_format(bytes + ring_size(lane_lines(config)),
	    lane_return_lines(config));
}

void
lane_format_zeroed(void *memory, const struct channel_config *config)
{
	uint8_t *bytes = memory;

	ring_format_zeroed(bytes, lane_lines(config));
	ring_format_zeroed(bytes + ring_size(lane_lines(config)),
	    lane_return_lines(config));
}

static uint32_t
overhead(const struct channel_config *config)
{
	return RING_HEADER + LANE_STAMP + (config->overflow ==
	    CHANNEL_DROP_OLDEST ? LANE_LOSSY : 0);
}

uint32_t
lane_inline_max(const struct channel_config *config)
{
	uint32_t quarter = config->buffer_size / 4;

	if (quarter < RING_LINE)
		quarter = RING_LINE;
	return quarter - overhead(config);
}

static bool
goes_together(const struct channel_config *config)
{
	bool drops = config->overflow == CHANNEL_DROP_OLDEST ||
	    config->overflow == CHANNEL_DROP_NEWEST;

	switch (config->type) {
	case CHANNEL_SYNC:
		return !drops && !config->zero_copy;
	case CHANNEL_STREAM:
		return !drops;
	case CHANNEL_BATCH:
		return config->overflow != CHANNEL_DROP_OLDEST;
	default:
		return config->overflow != CHANNEL_DROP_OLDEST ||
		    !config->zero_copy;
	}
}

/* The smallest ring in which message_max is no more than a quarter. */
static uint32_t
ring_for(const struct channel_config *config)
{
	uint32_t bytes = config->message_max + overhead(config);

	return 4 * round_up_power(bytes < RING_LINE ? RING_LINE : bytes);
}

static bool
fill_sizes(struct channel_config *config)
{
	uint32_t needed;

	if (config->message_max == 0)
		config->message_max = MESSAGE_DEFAULT;
	if (config->message_max > MESSAGE_LIMIT)
		return false;
	needed = config->zero_copy ? RING_BYTES_MIN : ring_for(config);
	if (config->buffer_size == 0)
		config->buffer_size = needed > RING_DEFAULT ? needed :
		    RING_DEFAULT;
	if (config->buffer_size > RING_BYTES_MAX)
		return false;
	config->buffer_size = round_up_power(config->buffer_size);
	return config->buffer_size >= needed;
}

status_t
channel_config_fill(const struct channel_config *config,
    struct channel_config *out_config)
{
	struct channel_config filled = *config;

	if ((unsigned)config->type > CHANNEL_BATCH ||
	    (unsigned)config->overflow > CHANNEL_ERROR ||
	    (unsigned)config->serializer > CHANNEL_FULL ||
	    config->buffers > BUFFERS_LIMIT ||
	    !goes_together(config) || !fill_sizes(&filled))
		return ERR_ARG;
	if (filled.buffers == 0)
		filled.buffers = BUFFERS_DEFAULT;
	if (filled.batch == 0)
		filled.batch = BATCH_DEFAULT;
	if (filled.spin_ns == 0)
		filled.spin_ns = SPIN_DEFAULT_NS;
	*out_config = filled;
	return OK;
}

bool
channel_name_valid(const char *name)
{
	size_t length = 0;

	for (; name[length] != '\0'; length++)
		if (length == CHANNEL_NAME_MAX || (uint8_t)name[length] < ' ' ||
		    name[length] == 0x7f)
			return false;
	return length != 0;
}

enum channel_serializer
channel_serializer_for(unsigned trust)
{
	if (trust >= CHANNEL_TRUST_RAW)
		return CHANNEL_RAW;
	return trust >= CHANNEL_TRUST_LITE ? CHANNEL_LITE : CHANNEL_FULL;
}

unsigned
channel_role_rights(unsigned role)
{
	return ((role & CHANNEL_SENDER) != 0 ? TOKEN_SEND : 0) |
	    ((role & CHANNEL_RECEIVER) != 0 ? TOKEN_RECEIVE : 0);
}

/* Does a member of this trust ask for less than it needs? AUTO never does. */
static bool
too_weak(enum channel_serializer wanted, unsigned trust)
{
	return wanted != CHANNEL_AUTO && wanted < channel_serializer_for(trust);
}

status_t
channel_config_admits(const struct channel_config *config,
    const struct channel_options *options, unsigned trust,
    uint32_t receivers)
{
	if ((options->role & ~(CHANNEL_SENDER | CHANNEL_RECEIVER)) != 0 ||
	    (unsigned)options->serializer > CHANNEL_FULL)
		return ERR_ARG;
	if (options->schema != 0 && options->schema != config->schema)
		return ERR_TYPE;
	if (config->schema != 0 && (too_weak(config->serializer, trust) ||
	    too_weak(options->serializer, trust)))
		return ERR_RIGHT;
	if (config->type == CHANNEL_STREAM && receivers != 0 &&
	    (options->role & CHANNEL_RECEIVER) != 0)
		return ERR_BUSY;
	return OK;
}
