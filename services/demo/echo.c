/* SPDX-License-Identifier: MIT */
/*
 * A service on the loop that is a member of a channel: it answers numbers with
 * their squares, and says how many it answered before. Its member is kept: where
 * that stands changes in the same transaction as the count, so a request that is
 * received again was not counted before.
 *
 * The loop owns the notification of the place. `notified` only remembers that
 * the domain's bits came; what there is to do is done in `idle`, in transactions
 * of its own, and never blocks.
 */
#include "squares.h"

#include <idl/place.h>
#include <lib/channel/guest/guest.h>
#include <lib/channel/keep.h>
#include <lib/service/service.h>
#include <lib/wire/server.h>

#define TABLE_SLOTS	256u
#define CHANNEL_BITS	0x1ul
#define TRIES		10000u

struct root {
	uint8_t	 kept[CHANNEL_KEPT_SIZE];
	uint64_t answered;
};

static struct channel *channel;
static bool look = true;

static status_t
save(void *context, void *address, size_t length)
{
	(void)context;
	return tx_add(service_arena(), address, length);
}

/* The name is free as soon as the broker knows that the last one is dead. */
static status_t
create(const struct channel_options *options)
{
	const struct channel_config config = {
		.type = CHANNEL_SYNC, .pollable = true,
	};
	status_t status = ERR_EXIST;

	for (unsigned i = 0; i < TRIES && status == ERR_EXIST; i++) {
		status = channel_create("echo", &config, options, NULL,
		    &channel);
		if (status == ERR_EXIST)
			sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
	}
	return status;
}

static void
join(struct root *root, struct channel_domain *domain)
{
	const struct channel_keeper keeper = {
		.memory = root->kept, .save = save,
	};
	const struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER, .keeper = &keeper,
	};
	status_t status;

	tx_begin(service_arena());
	status = channel_resume("echo", &options, &channel);
	if (status == ERR_NOENT || status == ERR_GONE)
		status = create(&options);
	if (status != OK)
		service_panic("no channel: status %lu", status);
	tx_commit(service_arena());
	status = channel_enter(channel);
	if (status != OK)
		service_panic("no lanes: status %lu", status);
}

static void
resume(void *root, bool first)
{
	struct channel_guest_options options = {
		.vspace = service_info()->vspace,
		.notification = PLACE_NOTIFICATION, .bits = CHANNEL_BITS,
		.now_ns = service_now_ns,
	};
	struct channel_domain *domain;
	status_t status = service_request("broker:open", &options.broker);

	(void)first;
	if (status == OK)
		status = channel_domain_guest(&options, &domain);
	if (status != OK)
		service_panic("no domain: status %lu", status);
	join(root, domain);
}

static void
notified(void *memory, uint64_t bits)
{
	(void)memory;
	if ((bits & CHANNEL_BITS) != 0)
		look = true;
}

/* Prepare, commit, effects: the answer is seen when it is committed. */
static void
answer(struct root *root, uint64_t number)
{
	const struct square square = {
		.square = number * number, .before = root->answered,
	};
	struct arena *arena = service_arena();
	status_t status = channel_answer(channel, &square, sizeof(square));

	/* The caller left, or takes no answers: it was received all the same. */
	if (status != OK && status != ERR_GONE && status != ERR_FULL)
		service_panic("answer: status %lu", status);
	service_crash_point("answered");
	tx_begin(arena);
	if (TX_SET(arena, root->answered, root->answered + 1) != OK ||
	    channel_keep(channel) != OK)
		service_panic("cannot keep the channel");
	tx_commit(arena);
	service_crash_point("kept");
	channel_settle(channel);
}

static void
idle(void *root)
{
	uint64_t number;
	size_t length = sizeof(number);
	status_t status;

	if (!look)
		return;
	look = false;
	while ((status = channel_receive_until(channel, &number, &length, NULL,
	    CHANNEL_NOW)) == OK) {
		answer(root, number);
		length = sizeof(number);
	}
	if (status != ERR_TIMEOUT && status != ERR_GONE)
		service_log("receive: status %lu", status);
}

/* It is called through its channel only. */
static service_outcome
handle(void *root, struct service_call *call)
{
	(void)root;
	return wire_refuse(call, ERR_NOSYS);
}

static const struct service echo_service = {
	.name = "echo",
	.layout_version = 1,
	.root_size = sizeof(struct root),
	.reply_objects = 4,
	.table_slots = TABLE_SLOTS,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.idle = idle,
};

int main(void);

int
main(void)
{
	service_run(&echo_service);
}
