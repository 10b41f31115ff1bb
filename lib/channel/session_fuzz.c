/* SPDX-License-Identifier: MIT */
/*
 * A hostile peer: any tags, arguments and payloads arrive at a server and at a
 * client whose user opens, sends, receives and closes in between. The mux stays
 * whole whatever comes, and corrupt once it said so.
 */
#include <lib/channel/session.h>

#include <stdlib.h>
#include <string.h>

#define SESSIONS	5u
#define MESSAGE		24u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lane_full;

static status_t
swallow(void *context, uint64_t tag, const void *data, uint32_t length)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < length; i++)
		sum ^= ((const uint8_t *)data)[i];
	return lane_full && sum < 0xff ? ERR_FULL : OK;
}

/* The last sessions the user has heard of. */
static uint32_t known;

static void
act(struct session_mux *mux, uint8_t what, uint8_t which)
{
	uint32_t number = (known & ~0xfffffu) | which % SESSIONS, length;
	uint8_t message[MESSAGE] = { 0 };

	lane_full = (what & 0x80) != 0;
	switch (what % 5) {
	case 0:
		(void)session_open(mux, which, &known);
		break;
	case 1:
		(void)session_send(mux, number, message, which % MESSAGE);
		break;
	case 2:
		length = MESSAGE;
		(void)session_receive(mux, &number, message, &length);
		break;
	case 3:
		(void)session_close(mux, number);
		break;
	default:
		(void)session_flush(mux);
	}
}

/* Three bytes of tag are enough to say all that has a meaning, and more. */
static uint64_t
tag_from(const uint8_t *bytes)
{
	uint64_t incarnation = bytes[1] >> 4, index = bytes[1] & 0xf;

	return (uint64_t)(bytes[0] & 0xf) << 56 |
	    (uint64_t)(bytes[2] == 0xff ? 0xffffff : bytes[2]) << 32 |
	    incarnation << 20 | index;
}

static void
run(bool server, const uint8_t *data, size_t size)
{
	static uint64_t memory[1024];
	struct session_config config = { .server = server,
	    .sessions = SESSIONS, .window = 2, .places = 7,
	    .message_max = MESSAGE, .send = swallow };
	struct session_mux *mux;
	bool corrupt = false;

	known = 0;
	if (session_mux_create(memory, sizeof(memory), &config, &mux) != OK)
		abort();
	while (size >= 4) {
		uint32_t length = data[3] % 40;

		if ((data[0] & 0x80) != 0) {
			act(mux, data[1], data[2]);
			length = 0;
		} else {
			if (length > size - 4)
				length = (uint32_t)(size - 4);
			uint8_t *copy = malloc(length + 1);
			memcpy(copy, data + 4, length);
			status_t status = session_arrive(mux, tag_from(data),
			    copy, length);
			free(copy);
			if (corrupt && status != ERR_CORRUPT)
				abort();
			corrupt = status == ERR_CORRUPT;
		}
		if (!session_mux_ok(mux))
			abort();
		data += 4 + length;
		size -= 4 + length;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	run(true, data, size);
	run(false, data, size);
	return 0;
}
