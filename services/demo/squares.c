/* SPDX-License-Identifier: MIT */
/*
 * Calls over a SYNC channel to a service on the loop, echo, which may be killed:
 * its next incarnation answers, once, and the caller only waits longer. Echo
 * counts what it answers: a request that was executed twice shows in that.
 */
#include "demo.h"
#include "squares.h"

#define CALLS		2000u
#define LOOK_NS		1000000ul
#define PATIENCE_NS	10000000000ul	/* with a dead service */

static uint64_t again, out_of_step;

static void
nap(void)
{
	sys_wait(PLACE_NOTIFICATION, WAIT_BITS, 0, service_now_ns() + LOOK_NS,
	    NULL, NULL);
}

static struct channel *
open_echo(void)
{
	const struct channel_options sender = { .role = CHANNEL_SENDER };
	struct channel *channel;
	status_t status;

	while ((status = channel_open("echo", &sender, NULL, &channel)) ==
	    ERR_NOENT)
		nap();
	demo_check("echo", status);
	return channel;
}

static uint64_t
square(struct channel **channel, uint64_t number)
{
	status_t status;
	struct square result;

	for (;;) {
		struct channel_exchange exchange = {
			.request = &number, .request_length = sizeof(number),
			.answer = &result, .answer_length = sizeof(result),
			.deadline_ns = service_now_ns() + PATIENCE_NS,
		};

		status = channel_call(*channel, &exchange);
		if (status == OK && exchange.answer_length != sizeof(result))
			service_panic("an answer of %lu bytes",
			    exchange.answer_length);
		out_of_step += status == OK && result.before != number;
		if (status == OK)
			return result.square;
		if (status != ERR_GONE && status != ERR_TIMEOUT &&
		    status != ERR_EMPTY)
			demo_check("call", status);
		again++;
		channel_close(*channel);
		*channel = open_echo();
	}
}

void
demo_squares(void)
{
	struct channel_domain *domain = demo_domain(demo.vspace,
	    PLACE_NOTIFICATION);
	struct channel *channel = open_echo();
	uint64_t sum = 0;

	for (uint64_t i = 0; i < CALLS; i++)
		sum += square(&channel, i);
	channel_close(channel);
	channel_domain_guest_close(domain);
	service_log("squares: %u calls, sum %lu", CALLS, sum);
	service_log("squares: %lu asked again, %lu out of step", again,
	    out_of_step);
}
