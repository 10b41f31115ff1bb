/* SPDX-License-Identifier: MIT */
/*
 * Members: opening, closing, and what is asked about a channel.
 *
 * All memory of a member comes from its port and is of a size that the
 * configuration fixes, but for the arrays of lanes. No operation on an open
 * channel allocates, except when lanes come, and for the first message that is
 * reserved apart.
 */
#include "kept.h"

static struct channel_domain *default_domain;

void
channel_domain_set_default(struct channel_domain *domain)
{
	__atomic_store_n(&default_domain, domain, __ATOMIC_RELEASE);
}

status_t
channel_need_apart(struct channel *channel, uint8_t **memory)
{
	if (*memory == NULL)
		*memory = channel->domain->port->allocate(channel->domain,
		    channel->apart_size);
	return *memory == NULL ? ERR_NOMEM : OK;
}

static void
free_apart(struct channel *channel, uint8_t *memory)
{
	if (memory != NULL)
		channel->domain->port->release(channel->domain, memory,
		    channel->apart_size);
}

/* What follows from being a member. */
static status_t
begin(struct channel *channel, const char *name,
    const struct channel_options *options, const struct token *token)
{
	const struct channel_config *config = &channel->member.config;

	memcpy(channel->name, name, strlen(name) + 1);
	channel->role = options->role;
	channel->serializer = options->serializer;
	channel->generation = channel->domain->generation;
	/* Different from any that is there: the first operation looks. */
	channel->member.generation_seen = ring_load(channel->generation,
	    RING_RELAXED) - 1;
	if (token != NULL)
		channel->token = *token;
	channel->groups = ~0ul;
	channel->kind = lane_kind(CHANNEL_RAW, 0);
	channel->inline_max = lane_inline_max(config);
	channel->until_sample = STATISTICS_SAMPLE;
	channel->apart_size = config->message_max + LANE_STAMP + LANE_WORD;
	channel->page = channel->member.statistics != NULL ?
	    channel->member.statistics : &channel->own_page;
	channel->counters = &channel->page->counters;
	channel_page_begin(channel);
	channel->publishes = !channel->kept && config->type != CHANNEL_BATCH;
	channel->releases = !channel->kept && !channel_is_lossy(channel);
	channel->fast_role = channel->kept ? 0 : channel->role;
	if (channel->kept && !channel_may_be_kept(channel))
		return ERR_ARG;
	if (!channel_is_lossy(channel))
		return channel_buffers_open(channel);
	status_t status = channel_need_apart(channel, &channel->apart);
	return status == OK ?
	    channel_need_apart(channel, &channel->taken) : status;
}

/* As create and open begin: the domain and the options, checked. */
static status_t
prepare(const char *name, const struct channel_options **options,
    struct channel_domain **out_domain, struct channel **out_channel)
{
	static const struct channel_options both = {
		.role = CHANNEL_SENDER | CHANNEL_RECEIVER,
	};
	struct channel_domain *domain = __atomic_load_n(&default_domain,
	    __ATOMIC_ACQUIRE);

	if (*options == NULL)
		*options = &both;
	if ((*options)->domain != NULL)
		domain = (*options)->domain;
	if (domain == NULL)
		return ERR_STATE;
	if (name == NULL || !channel_name_valid(name))
		return ERR_ARG;
	struct channel *channel = domain->port->allocate(domain,
	    sizeof(*channel));
	if (channel == NULL)
		return ERR_NOMEM;
	channel->domain = domain;
	channel->kept = (*options)->keeper != NULL;
	if (channel->kept)
		channel->keeper = *(*options)->keeper;
	*out_domain = domain;
	*out_channel = channel;
	return OK;
}

/* Takes over the member, or gives everything back. */
static status_t
finish(struct channel *channel, const char *name,
    const struct channel_options *options, const struct token *token,
    struct channel **out_channel)
{
	status_t status = begin(channel, name, options, token);

	if (status == OK)
		status = channel_catch_up(channel);
	channel_promise(channel);
	if (status != OK) {
		channel_close(channel);
		return status;
	}
	*out_channel = channel;
	return OK;
}

static status_t
finish_new(struct channel *channel, const char *name,
    const struct channel_options *options, const struct token *token,
    struct channel **out_channel)
{
	if (channel->kept) {
		status_t status = channel_kept_begin(channel);

		if (status != OK) {
			channel->kept = false;
			channel_close(channel);
			return status;
		}
	}
	return finish(channel, name, options, token, out_channel);
}

status_t
channel_create(const char *name, const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel **out_channel)
{
	struct channel_domain *domain;
	struct channel_config filled;
	struct channel *channel;
	status_t status = channel_config_fill(config, &filled);

	if (status == OK)
		status = prepare(name, &options, &domain, &channel);
	if (status != OK)
		return status;
	status = domain->port->create(domain, name, &filled, options, owner,
	    &channel->member);
	if (status != OK) {
		domain->port->release(domain, channel, sizeof(*channel));
		return status;
	}
	return finish_new(channel, name, options, owner, out_channel);
}

status_t
channel_open(const char *name, const struct channel_options *options,
    const struct token *holder, struct channel **out_channel)
{
	struct channel_domain *domain;
	struct channel *channel;
	status_t status = prepare(name, &options, &domain, &channel);

	if (status != OK)
		return status;
	status = domain->port->open(domain, name, options, holder,
	    &channel->member);
	if (status != OK) {
		domain->port->release(domain, channel, sizeof(*channel));
		return status;
	}
	return finish_new(channel, name, options, holder, out_channel);
}

status_t
channel_resume(const char *name, const struct channel_options *options,
    struct channel **out_channel)
{
	struct channel_domain *domain;
	struct channel *channel;
	status_t status = options == NULL || options->keeper == NULL ?
	    ERR_ARG : prepare(name, &options, &domain, &channel);

	if (status != OK)
		return status;
	status = channel_kept_resume(channel, options);
	if (status != OK) {
		domain->port->release(domain, channel, sizeof(*channel));
		return status;
	}
	status = finish(channel, name, options, NULL, out_channel);
	if (status == OK)
		channel_kept_resumed(channel);
	return status;
}

/* Receivers read what is there, then see the end. */
static void
close_lanes(struct channel *channel)
{
	channel_publish(channel);
	for (uint32_t i = 0; i < channel->out.count; i++) {
		struct lane_out *lane = lane_out_at(channel, i);

		ring_close(&lane->messages);
		lane_wake_receiver(channel, lane);
	}
}

void
channel_close(struct channel *channel)
{
	if (channel == NULL)
		return;
	struct channel_domain *domain = channel->domain;
	if (channel->made.where != MADE_NOT)
		channel_cancel(channel, NULL);
	if (channel->kept)
		channel_kept_end(channel);
	channel->shown.lane = NULL;
	channel_leave_unanswered(channel);
	channel_let_go(channel);
	channel_forget_deps(channel);
	close_lanes(channel);
	channel_forget_lanes(channel);
	free_apart(channel, channel->apart);
	free_apart(channel, channel->taken);
	channel_buffers_close(channel);
	domain->port->close(domain, &channel->member);
	domain->port->release(domain, channel, sizeof(*channel));
}

status_t
channel_descriptor(struct channel *channel, int *out_descriptor)
{
	if (!channel->member.config.pollable)
		return ERR_STATE;
	return channel->domain->port->descriptor(channel->domain,
	    &channel->member, out_descriptor);
}

const char *
channel_name(const struct channel *channel)
{
	return channel->name;
}

const struct channel_config *
channel_configuration(const struct channel *channel)
{
	return &channel->member.config;
}

uint64_t
channel_identity(const struct channel *channel)
{
	return channel->member.identity;
}

enum channel_serializer
channel_serializer(struct channel *channel)
{
	if (channel->member.config.schema == 0)
		return CHANNEL_AUTO;
	/* If it was revoked, sending says so. */
	if (channel_catch_up(channel) == OK && channel->changed)
		channel_promise(channel);
	return lane_kind_serializer(channel->kind);
}
