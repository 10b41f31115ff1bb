/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a packet, in both directions. What is accepted has the length of
 * its kind and fields in range, and is copied as it came.
 */
#include <lib/channel/hosted/protocol.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_join(const struct broker_join *join)
{
	struct channel_config config;
	struct broker_config again;

	must(strnlen(join->name, sizeof(join->name)) <= CHANNEL_NAME_MAX);
	must(join->name[0] != '\0' && join->role <= 3 && join->kept <= 1);
	must(broker_config_read(&join->config, &config) == OK);
	must(config.type <= CHANNEL_BATCH && config.overflow <= CHANNEL_ERROR);
	broker_config_write(&config, &again);
	must(memcmp(&again, &join->config, sizeof(again)) == 0);
}

static void
check_request(const uint8_t *data, size_t size)
{
	struct broker_packet packet;

	if (broker_check_request(data, size, &packet) != OK)
		return;
	must(size == broker_request_length(packet.head.kind));
	must(memcmp(data, &packet, size) == 0);
	if (packet.head.kind == BROKER_CREATE ||
	    packet.head.kind == BROKER_OPEN)
		check_join(&packet.join);
	if (packet.head.kind == BROKER_RESUME)
		must(packet.resume.zero == 0);
	if (packet.head.kind >= BROKER_MINT &&
	    packet.head.kind <= BROKER_RIGHTS)
		must(packet.token.rights <= TOKEN_ALL &&
		    packet.token.trust <= 0xf &&
		    packet.token.holder <= UINT16_MAX);
}

static void
check_answer(const uint8_t *data, size_t size)
{
	struct broker_packet packet;

	if (broker_check_answer(data, size, &packet) != OK)
		return;
	must(size == broker_answer_length(packet.head.kind,
	    packet.head.status));
	must(memcmp(data, &packet, size) == 0);
	if (packet.head.status != OK)
		return;
	if (packet.head.kind == BROKER_LIST)
		must(packet.list.count <= BROKER_LISTED);
	if (packet.head.kind == BROKER_EVENT_LANE)
		must(packet.lane.offset <= packet.lane.segment_size &&
		    packet.lane.trust <= 0xf && packet.lane.out <= 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_request(data, size);
	check_answer(data, size);
	return 0;
}
