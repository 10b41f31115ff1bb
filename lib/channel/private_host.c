/* SPDX-License-Identifier: MIT */
/*
 * The private port: channels between threads of one process.
 *
 * A domain holds channels by name, a channel its members, a member one side of
 * each of its lanes. All that is rare (joining, leaving, events, revocation) is
 * under the lock of the domain. The fast path never comes here; sleep and wake
 * take no lock.
 *
 * Events are not queued: each side remembers what it was told (its lane is
 * there, the other side is gone), and next_event looks for what it was not. So
 * no event needs memory.
 *
 * Waking: each member has a bell (bell.h), which lives as long as the lanes
 * that lead to it.
 */
#include "private_host.h"

#include <lib/channel/bell.h>
#include <lib/channel/config.h>
#include <lib/channel/hand.h>
#include <lib/channel/statistics.h>
#include <lib/token/token.h>

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct private_domain *
domain_of(struct channel_domain *domain)
{
	return domain->context;
}

static void
port_release(struct channel_domain *domain, void *memory, size_t size)
{
	free(memory);
}

static uint64_t
port_now(struct channel_domain *domain)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ul + (uint64_t)now.tv_nsec;
}

/* A lane to each receiver, from each sender. */
static status_t
connect(struct private_domain *domain, struct member *member)
{
	struct member *other = member->channel->members;
	status_t status = OK;

	for (; other != NULL && status == OK; other = other->next) {
		if (other->revoked)
			continue;
		if ((member->role & CHANNEL_SENDER) != 0 &&
		    (other->role & CHANNEL_RECEIVER) != 0)
			status = private_lane_create(domain, member, other);
		if (status == OK && (member->role & CHANNEL_RECEIVER) != 0 &&
		    (other->role & CHANNEL_SENDER) != 0)
			status = private_lane_create(domain, other, member);
	}
	return status;
}

/* TOKEN_* and trust; with an authority the token must be good for `needed`. */
static status_t
admit(struct private_domain *domain, const struct token *token,
    unsigned needed, struct member *member)
{
	member->trust = TOKEN_TRUST_MAX;
	if (domain->authority == NULL)
		return OK;
	if (token == NULL)
		return ERR_RIGHT;
	member->token = *token;
	member->trust = token->trust;
	return token_verify(domain->authority, token, (uint8_t)needed);
}

/* A member that nobody knows yet. */
static status_t
member_create(struct private_domain *domain,
    const struct channel_options *options, bool pollable,
    struct member **out_member)
{
	struct member *member = calloc(1, sizeof(*member));

	if (member == NULL)
		return ERR_NOMEM;
	member->role = options->role;
	member->kept = options->keeper != NULL;
	member->groups = options->groups;
	member->bell = private_bell_create(pollable);
	member->statistics = calloc(1, STATISTICS_PAGE);
	if (member->bell != NULL && member->statistics != NULL) {
		member->number = ++domain->members;
		*out_member = member;
		return OK;
	}
	if (member->bell != NULL)
		private_bell_release(member->bell);
	free(member->statistics);
	free(member);
	return ERR_NOMEM;
}

static void
describe_member(const struct private_domain *domain,
    const struct member *member, struct channel_member *out_member)
{
	*out_member = (struct channel_member){
		.number = member->number, .channel = member->channel->number,
		.trust = member->trust,
		.rights = domain->authority == NULL ? TOKEN_ALL :
		    member->token.rights,
		.config = member->channel->config,
		.statistics = member->statistics,
		.pool = member->buffers != NULL ?
		    member->buffers->memory : NULL,
		.identity = member->identity, .token = member->token,
		.port_data = (void *)member,
	};
}

static status_t
join(struct private_domain *domain, struct private_channel *channel,
    struct member *member, struct channel_member *out_member)
{
	member->channel = channel;
	if (channel->config.zero_copy && (member->role & CHANNEL_SENDER)) {
		member->buffers = private_buffers_create(domain,
		    &channel->config);
		if (member->buffers == NULL)
			return ERR_NOMEM;
	}
	if (domain->authority != NULL &&
	    token_identity(domain->authority, &member->token,
	    &member->identity) != OK)
		member->identity = 0;
	status_t status = connect(domain, member);
	if (status != OK)
		return status;
	member->next = channel->members;
	channel->members = member;
	describe_member(domain, member, out_member);
	return OK;
}

static struct private_channel *
find(struct private_domain *domain, const char *name)
{
	struct private_channel *channel = domain->channels;

	while (channel != NULL && (!channel->named ||
	    strcmp(channel->name, name) != 0))
		channel = channel->next;
	return channel;
}

static uint32_t
receiver_count(const struct private_channel *channel)
{
	uint32_t count = 0;

	for (const struct member *member = channel->members; member != NULL;
	    member = member->next)
		count += !member->revoked &&
		    (member->role & CHANNEL_RECEIVER) != 0;
	return count;
}

/* The channel is there only if its first member is. */
static status_t
create_locked(struct private_domain *domain, struct private_channel *channel,
    struct member *member, const struct token *owner,
    struct channel_member *out_member)
{
	status_t status;

	if (find(domain, channel->name) != NULL)
		return ERR_EXIST;
	status = admit(domain, owner, TOKEN_OWN |
	    channel_role_rights(member->role), member);
	if (status != OK)
		return status;
	channel->object = owner != NULL ? owner->object : 0;
	channel->number = ++domain->numbers;
	member->creator = channel->named = true;
	status = join(domain, channel, member, out_member);
	if (status != OK)
		return status;
	channel->next = domain->channels;
	domain->channels = channel;
	return OK;
}

static status_t
port_create(struct channel_domain *base, const char *name,
    const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel_member *out_member)
{
	struct private_domain *domain = domain_of(base);
	struct private_channel *channel = calloc(1, sizeof(*channel));
	struct member *member = NULL;
	unsigned trust = domain->authority != NULL && owner != NULL ?
	    owner->trust : TOKEN_TRUST_MAX;
	status_t status = channel_config_admits(config, options, trust, 0);

	if (channel == NULL)
		return ERR_NOMEM;
	strcpy(channel->name, name);
	channel->config = *config;
	pthread_mutex_lock(&domain->lock);
	if (status == OK)
		status = member_create(domain, options, config->pollable,
		    &member);
	if (status == OK)
		status = create_locked(domain, channel, member, owner,
		    out_member);
	if (status != OK && member != NULL)
		private_member_leave(domain, member);
	pthread_mutex_unlock(&domain->lock);
	if (status != OK)
		free(channel);
	return status;
}

static status_t
open_locked(struct private_domain *domain, struct private_channel *channel,
    const struct channel_options *options, const struct token *holder,
    struct channel_member *out_member)
{
	struct member *member;
	status_t status = member_create(domain, options,
	    channel->config.pollable, &member);

	if (status != OK)
		return status;
	status = admit(domain, holder, channel_role_rights(options->role),
	    member);
	if (status == OK && domain->authority != NULL &&
	    holder->object != channel->object)
		status = ERR_STALE;
	if (status == OK)
		status = channel_config_admits(&channel->config, options,
		    member->trust, receiver_count(channel));
	if (status == OK)
		status = join(domain, channel, member, out_member);
	if (status != OK)
		private_member_leave(domain, member);
	return status;
}

static status_t
port_open(struct channel_domain *base, const char *name,
    const struct channel_options *options, const struct token *holder,
    struct channel_member *out_member)
{
	struct private_domain *domain = domain_of(base);

	pthread_mutex_lock(&domain->lock);
	struct private_channel *channel = find(domain, name);
	status_t status = channel == NULL ? ERR_NOENT :
	    open_locked(domain, channel, options, holder, out_member);
	pthread_mutex_unlock(&domain->lock);
	return status;
}

static struct member *
find_member(const struct private_domain *domain, uint64_t number)
{
	for (const struct private_channel *channel = domain->channels;
	    channel != NULL; channel = channel->next)
		for (struct member *member = channel->members; member != NULL;
		    member = member->next)
			if (member->number == number)
				return member;
	return NULL;
}

static status_t
port_resume(struct channel_domain *base, uint64_t number,
    const struct token *token, const struct channel_options *options,
    struct channel_member *out_member)
{
	struct private_domain *domain = domain_of(base);
	status_t status = OK;

	pthread_mutex_lock(&domain->lock);
	struct member *member = find_member(domain, number);
	if (member == NULL)
		status = ERR_NOENT;
	else if (!member->kept || member->role != options->role ||
	    token_difference(&member->token, token) != 0)
		status = ERR_RIGHT;
	if (status == OK) {
		member->revoked_told = false;
		for (struct side *side = member->sides; side != NULL;
		    side = side->next)
			side->told = side->gone_told = false;
		private_post(domain, member);
		describe_member(domain, member, out_member);
	}
	pthread_mutex_unlock(&domain->lock);
	return status;
}

/* The channel goes with its last member, its name with the creator. */
static void
channel_left(struct private_domain *domain, struct private_channel *channel)
{
	struct private_channel **at = &domain->channels;

	if (channel->members != NULL)
		return;
	private_place_leave(domain, channel);
	while (*at != channel)
		at = &(*at)->next;
	*at = channel->next;
	free(channel);
}

static void
port_close(struct channel_domain *base, struct channel_member *own)
{
	struct private_domain *domain = domain_of(base);
	struct member *member = own->port_data;
	struct private_channel *channel = member->channel;
	struct member **at = &channel->members;

	pthread_mutex_lock(&domain->lock);
	private_edges_leave(domain, member);
	while (*at != member)
		at = &(*at)->next;
	*at = member->next;
	if (member->creator)
		channel->named = false;
	private_member_leave(domain, member);
	channel_left(domain, channel);
	pthread_mutex_unlock(&domain->lock);
}

static void
describe(const struct side *side, struct lane_place *out_place)
{
	const struct lane *lane = side->lane;
	const struct channel_config *config = &side->member->channel->config;
	int other = side->sends ? 1 : 0;

	*out_place = (struct lane_place){
		.memory = lane->memory, .lines = lane_lines(config),
		.return_lines = lane_return_lines(config),
		.peer = lane->number[other], .trust = lane->trust[other],
		.identity = lane->identity[other],
		.groups = lane->groups, .number = lane->own_number,
		.port_data = (void *)side,
	};
	if (lane->buffers != NULL) {
		out_place->pool = lane->buffers->memory;
		out_place->pool_size = lane_pool_size(config);
	}
}

/* What the side was not told yet. */
static bool
tell(struct side *side, struct channel_event *out_event)
{
	if (!side->told) {
		side->told = true;
		out_event->kind = side->sends ? CHANNEL_LANE_OUT :
		    CHANNEL_LANE_IN;
		return true;
	}
	if (side->gone && !side->gone_told) {
		side->gone_told = true;
		out_event->kind = side->revoked ? CHANNEL_PEER_REVOKED :
		    CHANNEL_PEER_GONE;
		return true;
	}
	return false;
}

static status_t
next_event_locked(struct member *member, struct channel_event *out_event)
{
	if (member->revoked && !member->revoked_told) {
		member->revoked_told = true;
		out_event->kind = CHANNEL_REVOKED;
		return OK;
	}
	for (struct side *side = member->sides; side != NULL;
	    side = side->next) {
		if (!tell(side, out_event))
			continue;
		describe(side, &out_event->place);
		return OK;
	}
	__atomic_store_n(&member->pending, 0, __ATOMIC_RELAXED);
	return ERR_EMPTY;
}

static status_t
port_next_event(struct channel_domain *base, struct channel_member *own,
    struct channel_event *out_event)
{
	struct private_domain *domain = domain_of(base);
	struct member *member = own->port_data;

	/* The generation changed, but for others. */
	if (__atomic_load_n(&member->pending, __ATOMIC_RELAXED) == 0)
		return ERR_EMPTY;
	pthread_mutex_lock(&domain->lock);
	status_t status = next_event_locked(member, out_event);
	pthread_mutex_unlock(&domain->lock);
	return status;
}

static void
port_drop_lane(struct channel_domain *base, struct channel_member *own,
    struct lane_place *place)
{
	struct private_domain *domain = domain_of(base);

	pthread_mutex_lock(&domain->lock);
	private_side_drop(domain, place->port_data);
	pthread_mutex_unlock(&domain->lock);
}

static status_t
port_sleep(struct channel_domain *base, struct channel_member *own,
    uint32_t *const *words, uint32_t count, uint64_t deadline_ns)
{
	struct member *member = own->port_data;
	struct bell *bell = member->bell;
	struct timespec until = {
		.tv_sec = (time_t)(deadline_ns / 1000000000ul),
		.tv_nsec = (long)(deadline_ns % 1000000000ul),
	};

	if (!bell_raise(&bell->word, base, own, words, count))
		return OK;
	syscall(SYS_futex, &bell->word, FUTEX_WAIT_BITSET_PRIVATE, 1,
	    deadline_ns == CHANNEL_FOREVER ? NULL : &until, NULL,
	    FUTEX_BITSET_MATCH_ANY);
	bell_lower(&bell->word);
	return port_now(base) < deadline_ns ? OK : ERR_TIMEOUT;
}

static void
port_wake(struct channel_domain *base, const struct lane_place *place,
    uint32_t *word)
{
	const struct side *side = place->port_data;

	private_bell_ring(side->other_bell);
}

static unsigned
port_rights(struct channel_domain *base, struct channel_member *own,
    const struct token *token)
{
	struct private_domain *domain = domain_of(base);
	const struct member *member = own->port_data;

	if (domain->authority == NULL)
		return TOKEN_ALL;
	if (token->object != member->channel->object || token_verify(
	    domain->authority, token, token->rights) != OK)
		return 0;
	return token->rights;
}

static status_t
port_descriptor(struct channel_domain *base, struct channel_member *own,
    int *out_descriptor)
{
	const struct member *member = own->port_data;

	*out_descriptor = member->bell->descriptor;
	return OK;
}

static void
port_quiet(struct channel_domain *base, struct channel_member *own)
{
	const struct member *member = own->port_data;
	uint64_t count;

	/* Nothing to read is what is wanted. */
	if (read(member->bell->descriptor, &count, sizeof(count)) < 0)
		return;
}

static void
revoke_member(struct private_domain *domain, struct member *member)
{
	member->revoked = true;
	private_post(domain, member);
	for (struct side *side = member->sides; side != NULL;
	    side = side->next) {
		struct lane *lane = side->lane;
		struct side *other = &lane->side[side == &lane->side[0]];

		if (other->member == NULL || other->gone)
			continue;
		other->gone = other->revoked = true;
		private_post(domain, other->member);
	}
}

void
channel_domain_private_revoked(void *context, uint64_t generation)
{
	struct private_domain *domain = domain_of(context);

	pthread_mutex_lock(&domain->lock);
	__atomic_fetch_add(&domain->generation, 1, __ATOMIC_RELEASE);
	for (struct private_channel *channel = domain->channels;
	    channel != NULL; channel = channel->next)
		for (struct member *member = channel->members; member != NULL;
		    member = member->next)
			if (!member->revoked && token_verify(
			    domain->authority, &member->token,
			    member->token.rights) != OK)
				revoke_member(domain, member);
	pthread_mutex_unlock(&domain->lock);
}

status_t
channel_domain_private(struct channel_domain **out_domain)
{
	static const struct channel_port port = {
		.create = port_create, .open = port_open,
		.resume = port_resume, .close = port_close,
		.next_event = port_next_event, .drop_lane = port_drop_lane,
		.sleep = port_sleep, .wake = port_wake, .rights = port_rights,
		.descriptor = port_descriptor, .quiet = port_quiet,
		.add_dep = private_add_dep, .remove_dep = private_remove_dep,
		.hand = channel_hand_host,
		.now_ns = port_now, .allocate = private_allocate,
		.release = port_release,
	};
	struct private_domain *domain = calloc(1, sizeof(*domain));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (domain == NULL)
		return ERR_NOMEM;
	pthread_mutex_init(&domain->lock, NULL);
	domain->generation = 1;
	domain->base = (struct channel_domain){
		.port = &port, .generation = &domain->generation,
		.cpus = cpus < 1 ? 1 : (uint32_t)cpus, .context = domain,
	};
	*out_domain = &domain->base;
	return OK;
}

void
channel_domain_private_set_authority(struct channel_domain *domain,
    struct token_authority *authority)
{
	domain_of(domain)->authority = authority;
}

void
channel_domain_private_close(struct channel_domain *base)
{
	struct private_domain *domain = domain_of(base);

	pthread_mutex_destroy(&domain->lock);
	free(domain->graph_memory);
	free(domain);
}
