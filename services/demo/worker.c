/* SPDX-License-Identifier: MIT */
/*
 * A worker of the demo: takes pieces, counts the primes of each, answers. It
 * remembers nothing: what it held when it dies is given out again.
 */
#include "work.h"

#include <idl/phoenix_client.h>
#include <idl/place.h>
#include <lib/channel/guest/guest.h>
#include <lib/service/service.h>

#define RETRY_NS	5000000ul

/* What the incarnation before made; with its session the broker ends it. */
static void
sweep(void)
{
	const struct place_info *info = service_info();
	uint64_t index = PLACE_FREE_SLOT;

	for (;;) {
		struct sys_result r = sys_invoke(SYS_TABLE_NEXT, CAP_NONE,
		    index, 0, 0, 0, 0);
		if (r.status != OK)
			break;
		index = CAP_INDEX(r.value[0]) + 1;
		if (r.value[0] != info->vspace && r.value[0] != info->thread)
			sys_cap_delete(CAP_NONE, r.value[0]);
	}
}

static void
nap(void)
{
	sys_wait(PLACE_NOTIFICATION, WAIT_BITS, 0, service_now_ns() + RETRY_NS,
	    NULL, NULL);
}

static bool
is_prime(uint64_t number)
{
	if (number < 2)
		return false;
	for (uint64_t divisor = 2; divisor * divisor <= number; divisor++)
		if (number % divisor == 0)
			return false;
	return true;
}

static void
answer_piece(struct answer_channel *answers, const struct piece *piece)
{
	struct answer answer = {
		.number = piece->number,
		.worker = service_info()->place,
		.incarnation = service_info()->incarnation,
	};

	for (uint64_t i = 0; i < piece->count; i++)
		answer.primes += is_prime(piece->first + i);
	/* If nobody wants it any more there is nothing to be done. */
	(void)answer_send_until(answers, &answer, NULL,
	    service_now_ns() + RETRY_NS);
}

static void
work(struct piece_channel *pieces, struct answer_channel *answers)
{
	struct piece piece;
	status_t status;

	while ((status = piece_receive_until(pieces, &piece, NULL,
	    CHANNEL_FOREVER)) == OK)
		answer_piece(answers, &piece);
	if (status != ERR_GONE)
		service_log("no work: status %lu", status);
}

static void
serve(void)
{
	const struct channel_options sender = { .role = CHANNEL_SENDER };
	const struct channel_options receiver = { .role = CHANNEL_RECEIVER };
	struct answer_channel answers;
	struct piece_channel pieces;

	if (answer_open("answers", &sender, NULL, &answers) != OK) {
		nap();
		return;
	}
	if (piece_open("pieces", &receiver, NULL, &pieces) == OK) {
		work(&pieces, &answers);
		piece_close(&pieces);
	}
	answer_close(&answers);
	nap();
}

int main(void);

int
main(void)
{
	struct channel_guest_options options = {
		.vspace = service_info()->vspace,
		.notification = PLACE_NOTIFICATION, .bits = 1,
		.now_ns = service_now_ns,
	};
	struct channel_domain *domain;
	status_t status;

	sweep();
	status = wire_status(phoenix_request(PLACE_PHOENIX, "broker:open",
	    &options.broker));
	if (status == OK)
		status = channel_domain_guest(&options, &domain);
	if (status != OK)
		service_panic("no domain: status %lu", status);
	channel_domain_set_default(domain);
	service_ready();
	for (;;)
		serve();
}
