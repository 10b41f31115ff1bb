/* SPDX-License-Identifier: MIT */
/*
 * A member whose other end writes anything into the memory that they share:
 * operations give errors or messages within their limits, never touch other
 * memory, and come to an end. The input is the configuration, then operations
 * and what is written between them.
 */
#include "state.h"

#include <stdlib.h>

#define MESSAGE_MAX	100u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t	 left;
};

static struct channel_domain *domain;
static struct channel *sender, *receiver;
static size_t lane_bytes;

static uint64_t
take(struct input *input, size_t bytes)
{
	uint64_t value = 0;

	if (bytes > input->left)
		bytes = input->left;
	memcpy(&value, input->data, bytes);
	input->data += bytes;
	input->left -= bytes;
	return value;
}

static bool
open_both(struct input *input)
{
	uint64_t choice = take(input, 2);
	struct channel_config config = {
		.type = choice % 6, .overflow = choice / 6 % 4,
		.zero_copy = choice >> 5 & 1, .schema = choice >> 6 & 1,
		.message_max = MESSAGE_MAX, .buffers = 3,
		.buffer_size = choice >> 7 & 1 ? 1024 : 256,
	};
	struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER, .groups = 1,
	};

	if (channel_create("fuzz", &config, &options, NULL, &receiver) != OK)
		return false;
	options.role = CHANNEL_SENDER;
	if (channel_open("fuzz", &options, NULL, &sender) != OK)
		abort();
	channel_catch_up(receiver);
	lane_bytes = lane_size(&receiver->member.config);
	return true;
}

/* Eight bytes at any place of the lane, often a small number. */
static void
scribble(struct input *input)
{
	uint64_t at = take(input, 2) * 4;
	uint64_t value = take(input, take(input, 1) % 9);

	if (sender->out.count != 0 && at <= lane_bytes - 8)
		memcpy((uint8_t *)lane_out_at(sender, 0)->place.memory + at,
		    &value, 8);
}

static void
look_at(const struct channel_view *view)
{
	uint8_t sum = 0;

	if (view->length > MESSAGE_MAX)
		abort();
	for (size_t i = 0; i < view->length; i++)
		sum += ((const uint8_t *)view->data)[i];
	*(volatile uint8_t *)&sum = sum;
}

static void
operate(struct input *input)
{
	uint8_t bytes[MESSAGE_MAX] = { 0 };
	size_t length = sizeof(bytes);
	uint64_t choice = take(input, 2);
	struct channel_exchange exchange = {
		.request = bytes, .request_length = 8, .answer = bytes,
		.answer_length = sizeof(bytes), .deadline_ns = CHANNEL_NOW,
	};
	struct channel_view view;

	switch (choice % 8) {
	case 0:
		channel_send_until(sender, bytes, choice / 8 % 101, NULL,
		    CHANNEL_NOW);
		break;
	case 1:
		channel_receive_until(receiver, bytes, &length, NULL,
		    CHANNEL_NOW);
		break;
	case 2:
		if (channel_peek(receiver, &view, CHANNEL_NOW) != OK)
			break;
		look_at(&view);
		channel_release(receiver, &view);
		break;
	case 3:
		if (channel_reserve(sender, choice / 8 % 101, &view,
		    CHANNEL_NOW) != OK)
			break;
		memset(view.data, 1, view.length);
		if (channel_commit(sender, &view) != OK)
			channel_cancel(sender, &view);
		break;
	case 4:
		channel_call(sender, &exchange);
		break;
	case 5:
		channel_answer(receiver, bytes, choice / 8 % 101);
		break;
	case 6:
		channel_flush(sender);
		break;
	default:
		scribble(input);
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	if (domain == NULL && channel_domain_private(&domain) != OK)
		abort();
	if (!open_both(&input))
		return 0;
	while (input.left != 0)
		operate(&input);
	channel_close(sender);
	channel_close(receiver);
	return 0;
}
