/* SPDX-License-Identifier: MIT */
/*
 * The guest port: see guest.h.
 *
 * There is no bell word. The bits of a notification stay until they are taken,
 * and only the thread of the domain takes them: a signal that comes between the
 * last look and the sleep ends the sleep at once. A peer signals only when the
 * flag of a ring was up (bell.h), so a busy lane costs no system call.
 */
#include <lib/channel/guest/domain.h>

#include <idl/channels_client.h>
#include <idl/place.h>
#include <lib/base/string.h>
#include <lib/channel/lane.h>
#include <lib/channel/statistics.h>
#include <lib/ring/ring.h>
#include <lib/sys/sys.h>

static void
write_join(const char *name, const struct channel_options *options,
    const struct token *token, struct channels_join *out_join)
{
	*out_join = (struct channels_join){
		.role = options->role, .own_serializer = options->serializer,
		.own_schema = options->schema, .groups = options->groups,
		.flags = (token != NULL ? CHANNELS_HAS_TOKEN : 0) |
		    (options->keeper != NULL ? CHANNELS_KEPT : 0),
	};
	memcpy(out_join->name, name, strlen(name) + 1);
	if (token != NULL)
		memcpy(out_join->token, token, sizeof(*token));
}

static void
write_config(const struct channel_config *config,
    struct channels_join *out_join)
{
	out_join->type = config->type;
	out_join->overflow = config->overflow;
	out_join->serializer = config->serializer;
	out_join->flags |= (config->zero_copy ? CHANNELS_ZERO_COPY : 0) |
	    (config->pollable ? CHANNELS_POLLABLE : 0);
	out_join->message_max = config->message_max;
	out_join->buffer_size = config->buffer_size;
	out_join->buffers = config->buffers;
	out_join->batch = config->batch;
	out_join->schema = config->schema;
	out_join->spin_ns = config->spin_ns;
}

static void
read_config(const struct channels_joined *joined,
    struct channel_config *out_config)
{
	*out_config = (struct channel_config){
		.type = (enum channel_type)joined->type,
		.overflow = (enum channel_overflow)joined->overflow,
		.serializer = (enum channel_serializer)joined->serializer,
		.zero_copy = (joined->flags & CHANNELS_ZERO_COPY) != 0,
		.pollable = (joined->flags & CHANNELS_POLLABLE) != 0,
		.message_max = joined->message_max,
		.buffer_size = joined->buffer_size,
		.buffers = joined->buffers, .batch = joined->batch,
		.schema = joined->schema, .spin_ns = joined->spin_ns,
	};
}

static void
member_free(struct guest *guest, struct guest_member *member)
{
	guest_forget_lanes(guest, member);
	guest_unmap(guest, &member->statistics);
	guest_unmap(guest, &member->pool);
	channels_close(guest->session, member->number);
	heap_give(&guest->heap, member, sizeof(*member));
}

/* Maps what came with the answer; both capabilities are used up. */
static status_t
map_member(struct guest *guest, struct guest_member *member,
    cap_t take_statistics, cap_t take_pool)
{
	status_t status = guest_map(guest, take_statistics,
	    STATISTICS_PAGE, MAP_READ | MAP_WRITE, &member->statistics);

	if (take_pool == CAP_NONE)
		return status;
	if (status == OK)
		return guest_map(guest, take_pool,
		    lane_pool_size(&member->config), MAP_READ | MAP_WRITE,
		    &member->pool);
	sys_cap_delete(CAP_NONE, take_pool);
	return status;
}

/* What the broker answered to a join or a resume. */
struct answer {
	struct channels_joined joined;
	cap_t	 statistics, pool;
};

/* Both capabilities are the member's, or deleted. */
static status_t
settle(struct guest *guest, const struct answer *answer,
    struct channel_member *out)
{
	const struct channels_joined *joined = &answer->joined;
	struct guest_member *member = heap_take(&guest->heap, sizeof(*member));

	if (member == NULL) {
		sys_cap_delete(CAP_NONE, answer->statistics);
		if (answer->pool != CAP_NONE)
			sys_cap_delete(CAP_NONE, answer->pool);
		channels_close(guest->session, joined->member);
		return ERR_NOMEM;
	}
	member->number = joined->member;
	memcpy(&member->token, joined->token, sizeof(member->token));
	read_config(joined, &member->config);
	status_t status = map_member(guest, member, answer->statistics,
	    answer->pool);
	if (status != OK) {
		member_free(guest, member);
		return status;
	}
	*out = (struct channel_member){
		.number = joined->member, .channel = joined->channel,
		.trust = joined->trust, .rights = joined->rights,
		.identity = joined->identity, .token = member->token,
		.config = member->config,
		.pool = (void *)member->pool.address,
		.statistics = (void *)member->statistics.address,
		.port_data = member,
	};
	return OK;
}

static status_t
join(struct guest *guest, const struct channels_join *in, bool create,
    struct channel_member *out)
{
	struct answer answer;
	uint64_t length;
	const struct wire_room room = { .bytes = &answer.joined,
	    .length = sizeof(answer.joined) };
	const struct channels_create_args creates = { in, room };
	const struct channels_open_args opens = { in, room };
	status_t status = wire_status(create ?
	    channels_create(guest->session, &creates, &length,
	    &answer.statistics, &answer.pool) :
	    channels_open(guest->session, &opens, &length,
	    &answer.statistics, &answer.pool));

	return status == OK ? settle(guest, &answer, out) : status;
}

static status_t
port_resume(struct channel_domain *domain, uint64_t number,
    const struct token *token, const struct channel_options *options,
    struct channel_member *out_member)
{
	struct guest *guest = guest_of(domain);
	struct answer answer;
	uint64_t length;
	struct channels_resume_args in = {
		.member = number, .joined = { .bytes = &answer.joined,
		    .length = sizeof(answer.joined) },
	};

	memcpy(&in, token, sizeof(*token));
	status_t status = wire_status(channels_resume(guest->session, &in,
	    &length, &answer.statistics, &answer.pool));
	return status == OK ? settle(guest, &answer, out_member) : status;
}

static status_t
port_create(struct channel_domain *domain, const char *name,
    const struct channel_config *config,
    const struct channel_options *options, const struct token *owner,
    struct channel_member *out_member)
{
	struct channels_join in;

	write_join(name, options, owner, &in);
	write_config(config, &in);
	return join(guest_of(domain), &in, true, out_member);
}

static status_t
port_open(struct channel_domain *domain, const char *name,
    const struct channel_options *options, const struct token *holder,
    struct channel_member *out_member)
{
	struct channels_join in;

	write_join(name, options, holder, &in);
	return join(guest_of(domain), &in, false, out_member);
}

static status_t
port_enter(struct channel_domain *domain, struct channel_member *own)
{
	return wire_status(channels_enter(guest_of(domain)->session,
	    own->number));
}

static void
port_close(struct channel_domain *domain, struct channel_member *own)
{
	member_free(guest_of(domain), own->port_data);
}

static status_t
port_sleep(struct channel_domain *domain, struct channel_member *own,
    uint32_t *const *words, uint32_t count, uint64_t deadline_ns)
{
	struct guest *guest = guest_of(domain);
	uint64_t taken = 0;

	if (ring_load(domain->generation, RING_ACQUIRE) !=
	    own->generation_seen)
		return OK;
	for (uint32_t i = 0; i < count; i++)
		if (ring_load(words[i], RING_ACQUIRE) == 0)
			return OK;
	status_t status = sys_wait(guest->options.notification, WAIT_BITS, 0,
	    deadline_ns == CHANNEL_FOREVER ? DEADLINE_NEVER : deadline_ns,
	    &taken, NULL);
	if (status != OK)
		return status == ERR_TIMEOUT ? ERR_TIMEOUT : OK;
	guest->other_bits |= taken & ~guest->options.bits;
	return OK;
}

static void
port_wake(struct channel_domain *domain, const struct lane_place *place,
    uint32_t *word)
{
	const struct guest_lane *lane = place->port_data;

	if (lane->bell != CAP_NONE)
		sys_signal(lane->bell, lane->bits);
}

static unsigned
port_rights(struct channel_domain *domain, struct channel_member *own,
    const struct token *token)
{
	const struct guest_member *member = own->port_data;
	struct channels_rights_args in = { .member = member->number };
	uint32_t rights;

	memcpy(&in, token, sizeof(*token));
	if (channels_rights(guest_of(domain)->session, &in, &rights) != 0)
		return 0;
	return rights;
}

/* What to wait for are the bits of the notification. */
static status_t
port_descriptor(struct channel_domain *domain, struct channel_member *own,
    int *out_descriptor)
{
	return ERR_NOSYS;
}

/* The loop of the service took the bits. */
static void
port_quiet(struct channel_domain *domain, struct channel_member *own)
{
}

static uint64_t
port_now(struct channel_domain *domain)
{
	return guest_of(domain)->options.now_ns();
}

static void *
port_allocate(struct channel_domain *domain, size_t size)
{
	return heap_take(&guest_of(domain)->heap, size);
}

static void
port_release(struct channel_domain *domain, void *memory, size_t size)
{
	heap_give(&guest_of(domain)->heap, memory, size);
}

/* The domain lies at the start of its addresses, the heap behind it. */
static status_t
make_own(const struct channel_guest_options *options, struct guest **out_guest)
{
	uint64_t at = options->at != 0 ? options->at : CHANNEL_GUEST_AT;
	uint64_t size = options->heap_size != 0 ? options->heap_size :
	    GUEST_HEAP;
	uint64_t head = (sizeof(struct guest) + HEAP_UNIT - 1) &
	    ~(uint64_t)(HEAP_UNIT - 1);
	cap_t memory;

	size = (size + head + PAGE_MASK) & ~PAGE_MASK;
	status_t status = sys_object_create(OBJ_MEMORY,
	    options->container != CAP_NONE ? options->container :
	    PLACE_CONTAINER, size, 0, &memory);
	if (status != OK)
		return status;
	status = sys_map(options->vspace, at, memory, 0, size,
	    MAP_READ | MAP_WRITE | MAP_NOCLONE);
	if (status != OK) {
		sys_cap_delete(CAP_NONE, memory);
		return status;
	}
	struct guest *guest = (struct guest *)at;
	*guest = (struct guest){ .options = *options,
	    .own = { memory, at, size } };
	heap_open(&guest->heap, (void *)(at + head), size - head);
	ranges_open(&guest->ranges, at + size, CHANNEL_GUEST_SIZE - size);
	*out_guest = guest;
	return OK;
}

static status_t
connect(struct guest *guest)
{
	const struct channels_connect_args in = {
		.bits = guest->options.bits,
		.bell = guest->options.notification,
	};
	uint32_t slot;
	cap_t page;
	status_t status = wire_status(channels_connect(guest->options.broker,
	    &in, &slot, &guest->session, &page));

	if (status != OK)
		return status;
	status = guest_map(guest, page, PAGE_SIZE, MAP_READ, &guest->page);
	if (status == OK && slot >= PAGE_SIZE / CHANNELS_SLOT_SIZE)
		status = ERR_RANGE;
	guest->base.generation = (const uint64_t *)(guest->page.address +
	    slot * (uint64_t)CHANNELS_SLOT_SIZE);
	return status;
}

void
channel_domain_guest_close(struct channel_domain *domain)
{
	struct guest *guest = guest_of(domain);
	struct guest_mapping own = guest->own;
	cap_t vspace = guest->options.vspace;

	guest_unmap(guest, &guest->page);
	if (guest->session != CAP_NONE)
		sys_cap_delete(CAP_NONE, guest->session);
	sys_unmap(vspace, own.address, own.size);
	sys_cap_delete(CAP_NONE, own.memory);
}

status_t
channel_domain_guest(const struct channel_guest_options *options,
    struct channel_domain **out_domain)
{
	static const struct channel_port port = {
		.create = port_create, .open = port_open,
		.resume = port_resume, .enter = port_enter,
		.close = port_close,
		.next_event = guest_next_event, .drop_lane = guest_drop_lane,
		.sleep = port_sleep, .wake = port_wake, .rights = port_rights,
		.descriptor = port_descriptor, .quiet = port_quiet,
		.now_ns = port_now, .allocate = port_allocate,
		.release = port_release,
	};
	struct guest *guest;

	if (options->bits == 0 || options->now_ns == NULL)
		return ERR_ARG;
	status_t status = make_own(options, &guest);
	if (status != OK)
		return status;
	guest->base = (struct channel_domain){
		.port = &port, .cpus = options->cpus, .context = guest,
	};
	status = connect(guest);
	if (status != OK) {
		channel_domain_guest_close(&guest->base);
		return status;
	}
	*out_domain = &guest->base;
	return OK;
}

uint64_t
channel_guest_other_bits(struct channel_domain *domain)
{
	struct guest *guest = guest_of(domain);
	uint64_t bits = guest->other_bits;

	guest->other_bits = 0;
	return bits;
}

status_t
channel_guest_mint(struct channel_domain *domain, const char *name,
    unsigned rights, unsigned trust, struct token *out_token)
{
	struct channels_mint_results out;
	status_t status = wire_status(channels_mint(guest_of(domain)->session,
	    rights, trust, name, &out));

	if (status == OK)
		memcpy(out_token, &out, sizeof(*out_token));
	return status;
}

status_t
channel_guest_derive(struct channel_domain *domain,
    const struct token *parent, const struct token_grant *grant,
    struct token *out_token)
{
	struct channels_derive_args in = { .rights = grant->rights,
	    .trust = grant->trust, .holder = grant->holder };
	struct channels_derive_results out;

	memcpy(&in, parent, sizeof(*parent));
	status_t status = wire_status(channels_derive(
	    guest_of(domain)->session, &in, &out));
	if (status == OK)
		memcpy(out_token, &out, sizeof(*out_token));
	return status;
}

status_t
channel_guest_revoke(struct channel_domain *domain, struct token *token)
{
	struct channels_revoke_args in;
	struct channels_revoke_results out;

	memcpy(&in, token, sizeof(in));
	status_t status = wire_status(channels_revoke(
	    guest_of(domain)->session, &in, &out));
	if (status == OK)
		memcpy(token, &out, sizeof(*token));
	return status;
}

status_t
channel_guest_depend(struct channel_domain *domain,
    const struct channel_member *parent, const struct channel_member *child)
{
	return wire_status(channels_depend(guest_of(domain)->session,
	    parent->number, child->number));
}
