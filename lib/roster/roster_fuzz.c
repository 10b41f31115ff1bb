/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what create and open are asked. Each input is a transaction that
 * is undone, so all begin alike: with one channel that its client may share.
 */
#include <lib/roster/roster.h>

#include <lib/channel/lane.h>

#include <stdlib.h>
#include <string.h>

#define ARENA_SIZE	(1ul << 20)

static struct roster roster;
static uint64_t client_number, memories;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool holds)
{
	if (!holds)
		abort();
}

static status_t
memory_create(void *context, uint64_t size, uint64_t *out_memory)
{
	check(size != 0 && size % 4096 == 0 && size <= ROSTER_CLIENT_BYTES);
	*out_memory = ++memories;
	return OK;
}

static status_t
format_lane(void *context, uint64_t memory, const struct channel_config *config)
{
	check(lane_size(config) <= ROSTER_CLIENT_BYTES &&
	    lane_lines(config) != 0);
	return OK;
}

static status_t
drop(void *context, uint64_t memory)
{
	check(memory != 0 && memory <= memories);
	return OK;
}

static status_t
post(void *context, const struct roster_client *client)
{
	return OK;
}

static void
fail(const char *reason)
{
	abort();
}

static void
start(void)
{
	static const struct arena_environment environment = { .fail = fail };
	static const uint8_t key[16] = { 3 };
	struct channels_join join = {
		.name = "line", .role = CHANNEL_SENDER | CHANNEL_RECEIVER,
	};
	struct roster_client *client = NULL;
	struct roster_member *member;
	void *memory = aligned_alloc(4096, ARENA_SIZE);

	memset(memory, 0, ARENA_SIZE);
	check(arena_open(memory, ARENA_SIZE, 1, &environment, &roster.arena) ==
	    OK);
	roster.environment = (struct roster_environment){
		.memory_create = memory_create, .lane_format = format_lane,
		.drop = drop, .post = post,
	};
	tx_begin(roster.arena);
	roster.root = arena_alloc(roster.arena, sizeof(*roster.root));
	check(roster_create(&roster, key) == OK &&
	    roster_begin(&roster) == OK &&
	    roster_connect(&roster, 1, 1, &client) == OK);
	client->trust = 0xe;
	client_number = client->number;
	check(roster_create_channel(&roster, client, &join, &member) == OK);
	tx_commit(roster.arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct roster_member *member;
	struct channels_joined joined;
	struct channels_join join;

	if (roster.arena == NULL)
		start();
	if (size < sizeof(join))
		return 0;
	memcpy(&join, data, sizeof(join));
	for (unsigned i = 0; i < 2; i++) {
		struct roster_client *client = roster_client(&roster,
		    client_number);

		tx_begin(roster.arena);
		check(roster_begin(&roster) == OK);
		if ((i == 0 ? roster_create_channel : roster_open_channel)(
		    &roster, client, &join, &member) == OK) {
			roster_describe(&roster, member, &joined);
			check(joined.trust <= 0xe && roster_ok(&roster));
			check(roster_close(&roster, member) == OK);
			check(roster_ok(&roster));
		}
		tx_abort(roster.arena);
	}
	return 0;
}
