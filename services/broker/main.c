/* SPDX-License-Identifier: MIT */
/*
 * broker: where members of channels meet. No message passes here.
 *
 * The state machine is lib/roster. This shell gives it memory objects, rings
 * bells, and makes each session an event pair: when the last copy of the
 * client's end is gone, what it was a member of is taken apart, one member in a
 * transaction, so that no list of effects grows without bound.
 *
 * The page of generations has one writer, this service, and is advanced before
 * the commit: who looks because of it asks here, and is answered after the
 * commit. A death in between advances it once more, which harms nobody.
 */
#include "shell.h"

#include <idl/place.h>
#include <lib/channel/lane.h>
#include <lib/service/loop.h>

#define LAYOUT		1u
#define TABLE_SLOTS	16384u
#define REPLY_OBJECTS	64u
#define PAGE_AT		PLACE_HEAP_BASE
#define LANE_AT		(PLACE_HEAP_BASE + 0x10000000ul)

_Static_assert(ROSTER_CLIENTS * CHANNELS_SLOT_SIZE <= PAGE_SIZE,
    "the generations fit one page");

struct root {
	struct roster_root roster;
	cap_t	 page;
};

static struct roster roster;

static status_t
memory_create(void *context, uint64_t size, uint64_t *out_memory)
{
	status_t status = sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, size,
	    0, out_memory);

	(void)context;
	if (status != OK)
		return status;
	status = service_cap_keep(*out_memory);
	if (status != OK)
		sys_cap_delete(CAP_NONE, *out_memory);
	return status;
}

static status_t
format_lane(void *context, uint64_t memory, const struct channel_config *config)
{
	uint64_t size = (lane_size(config) + PAGE_MASK) & ~PAGE_MASK;
	cap_t vspace = service_info()->vspace;
	status_t status = sys_map(vspace, LANE_AT, memory, 0, size,
	    MAP_READ | MAP_WRITE);

	(void)context;
	if (status != OK)
		return status;
	lane_format((void *)LANE_AT, config);
	return sys_unmap(vspace, LANE_AT, size);
}

static status_t
drop(void *context, uint64_t handle)
{
	(void)context;
	return service_cap_drop(handle);
}

static status_t
post(void *context, const struct roster_client *client)
{
	uint64_t *word = (uint64_t *)(PAGE_AT +
	    client->slot * (uint64_t)CHANNELS_SLOT_SIZE);

	(void)context;
	__atomic_store_n(word, *word + 1, __ATOMIC_SEQ_CST);
	service_crash_point("posted");
	return service_effect_signal(client->bell, client->bits);
}

static void
prepare(struct root *root)
{
	roster = (struct roster){
		.arena = service_arena(),
		.root = &root->roster,
		.environment = {
			.memory_create = memory_create,
			.lane_format = format_lane,
			.drop = drop, .post = post,
		},
		.nonce = service_info()->incarnation << 40,
	};
}

static status_t
start(void *memory)
{
	struct root *root = memory;
	status_t status;

	prepare(root);
	status = memory_create(NULL, PAGE_SIZE, &root->page);
	return status != OK ? status : roster_create(&roster,
	    service_info()->seed + 16);
}

static void
resume(void *memory, bool first)
{
	struct root *root = memory;

	(void)first;
	prepare(root);
	if (sys_map(service_info()->vspace, PAGE_AT, root->page, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE) != OK)
		service_panic("cannot map the page of generations");
	sys_signal(PLACE_NOTIFICATION, BIT_BURY);
}

static void
begin(void)
{
	status_t status = roster_begin(&roster);

	if (status != OK)
		service_panic("no authority: status %lu", status);
}

/* The last copy of a client's end of its session is gone. */
static void
event(void *root, uint64_t kind, uint64_t badge)
{
	struct roster_client *client;

	(void)root;
	begin();
	client = roster_client(&roster, badge);
	if (kind != EVENT_PEER_GONE || client == NULL)
		return;
	if (roster_gone(&roster, client) != OK ||
	    service_cap_drop(client->session) != OK ||
	    service_effect_signal(PLACE_NOTIFICATION, BIT_BURY) != OK)
		service_panic("cannot end a session: the log is full");
}

static void
notified(void *root, uint64_t bits)
{
	status_t status;
	bool more;

	(void)root;
	if ((bits & BIT_BURY) == 0)
		return;
	begin();
	more = roster_bury(&roster, &status);
	if (status == OK && more)
		status = service_effect_signal(PLACE_NOTIFICATION, BIT_BURY);
	if (status != OK)
		service_panic("cannot end a member: status %lu", status);
}

static service_outcome
handle(void *memory, struct service_call *call)
{
	const struct root *root = memory;
	struct channels_context context = {
		.roster = &roster, .page = root->page,
	};

	begin();
	if (call->badge < ROSTER_FIRST)
		return channels_dispatch(&broker_of_places, &context, call);
	context.client = roster_client(&roster, call->badge);
	if (context.client == NULL)
		return wire_refuse(call, ERR_STALE);
	return channels_dispatch(&broker_of_sessions, &context, call);
}

static const struct service broker_service = {
	.name = "broker",
	.layout_version = LAYOUT,
	.status_numbers = true,
	.root_size = sizeof(struct root),
	.reply_objects = REPLY_OBJECTS,
	.table_slots = TABLE_SLOTS,
	.start = start,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.event = event,
};

int main(void);

int
main(void)
{
	service_run(&broker_service);
}
