/* SPDX-License-Identifier: MIT */
/*
 * A service on the loop that is a member of a channel: it answers numbers with
 * their squares. Nothing of that has to survive, so nothing is in its arena.
 *
 * The loop owns the notification of the place. `notified` only remembers that
 * the domain's bits came; what there is to do is done in `idle`, outside of
 * transactions, and never blocks.
 */
#include <idl/place.h>
#include <lib/channel/guest/guest.h>
#include <lib/service/service.h>
#include <lib/wire/server.h>

#define TABLE_SLOTS	256u
#define CHANNEL_BITS	0x1ul
#define TRIES		10000u

static struct channel *channel;
static bool look = true;

/* The name is free as soon as the broker knows that the last one is dead. */
static void
create(struct channel_domain *domain)
{
	const struct channel_config config = {
		.type = CHANNEL_SYNC, .pollable = true,
	};
	const struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER,
	};
	status_t status = ERR_EXIST;

	for (unsigned i = 0; i < TRIES && status == ERR_EXIST; i++) {
		status = channel_create("echo", &config, &options, NULL,
		    &channel);
		if (status == ERR_EXIST)
			sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
	}
	if (status != OK)
		service_panic("no channel: status %lu", status);
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

	(void)root, (void)first;
	if (status == OK)
		status = channel_domain_guest(&options, &domain);
	if (status != OK)
		service_panic("no domain: status %lu", status);
	create(domain);
}

static void
notified(void *memory, uint64_t bits)
{
	(void)memory;
	if ((bits & CHANNEL_BITS) != 0)
		look = true;
}

static void
idle(void *root)
{
	uint64_t number;
	size_t length = sizeof(number);
	status_t status;

	(void)root;
	if (!look)
		return;
	look = false;
	while ((status = channel_receive_until(channel, &number, &length, NULL,
	    CHANNEL_NOW)) == OK) {
		number *= number;
		(void)channel_answer(channel, &number, sizeof(number));
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
	.root_size = 16,
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
