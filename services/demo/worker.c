/* SPDX-License-Identifier: MIT */
/*
 * A worker of the demo: takes pieces, counts the primes of each, answers. It
 * receives on one channel and sends on another; both members are kept, and where
 * they stand changes in one transaction. So a piece that it held when it died is
 * received again unless its answer was committed, and no answer is sent twice.
 */
#include "work.h"

#include <idl/place.h>
#include <lib/channel/guest/guest.h>
#include <lib/channel/keep.h>
#include <lib/service/service.h>
#include <lib/wire/server.h>

#define TABLE_SLOTS	256u
#define CHANNEL_BITS	0x1ul
#define RETRY_NS	5000000ul
#define WAIT_NS		1000000000ul	/* for room, beside a dead demo */

struct root {
	uint8_t	 pieces[CHANNEL_KEPT_SIZE];
	uint8_t	 answers[CHANNEL_KEPT_SIZE];
	uint64_t worked;	/* pieces answered by this place */
};

static struct channel_domain *domain;
static struct piece_channel pieces;
static struct answer_channel answers;
static bool joined, look = true;
static cap_t alarm;		/* nobody signals it: to wait for a while */

static status_t
save(void *context, void *address, size_t length)
{
	(void)context;
	return tx_add(service_arena(), address, length);
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

static status_t
join_answers(struct root *root)
{
	const struct channel_keeper keeper = {
		.memory = root->answers, .save = save,
	};
	const struct channel_options options = {
		.domain = domain, .role = CHANNEL_SENDER, .keeper = &keeper,
	};
	status_t status = answer_resume("answers", &options, &answers);

	if (status == ERR_NOENT || status == ERR_GONE)
		status = answer_open("answers", &options, NULL, &answers);
	return status;
}

static status_t
join_pieces(struct root *root)
{
	const struct channel_keeper keeper = {
		.memory = root->pieces, .save = save,
	};
	const struct channel_options options = {
		.domain = domain, .role = CHANNEL_RECEIVER, .keeper = &keeper,
	};
	status_t status = piece_resume("pieces", &options, &pieces);

	if (status == ERR_NOENT || status == ERR_GONE)
		status = piece_open("pieces", &options, NULL, &pieces);
	return status;
}

/* Answers first: who has a piece can answer it. */
static status_t
join(struct root *root)
{
	struct arena *arena = service_arena();
	status_t status;

	tx_begin(arena);
	status = join_answers(root);
	if (status == OK) {
		status = join_pieces(root);
		if (status != OK)
			answer_close(&answers);
	}
	tx_commit(arena);
	joined = status == OK;
	if (status == OK)
		status = channel_enter(answers.typed.channel);
	if (status == OK)
		status = channel_enter(pieces.typed.channel);
	return status;
}

static void
leave(void)
{
	tx_begin(service_arena());
	piece_close(&pieces);
	answer_close(&answers);
	tx_commit(service_arena());
	joined = false;
}

/* Prepare, commit, effects. */
static status_t
answer_piece(struct root *root, const struct piece *piece)
{
	struct arena *arena = service_arena();
	struct answer answer = {
		.number = piece->number,
		.worker = service_info()->place,
		.incarnation = service_info()->incarnation,
	};

	for (uint64_t i = 0; i < piece->count; i++)
		answer.primes += is_prime(piece->first + i);
	status_t status = answer_send_until(&answers, &answer, NULL,
	    service_now_ns() + WAIT_NS);
	if (status != OK)
		return status;
	service_crash_point("answered");
	tx_begin(arena);
	if (TX_SET(arena, root->worked, root->worked + 1) != OK ||
	    channel_keep(pieces.typed.channel) != OK ||
	    channel_keep(answers.typed.channel) != OK)
		service_panic("cannot keep the channels");
	tx_commit(arena);
	service_crash_point("kept");
	/* The answer is seen before the piece is gone from its lane. */
	channel_settle(answers.typed.channel);
	channel_settle(pieces.typed.channel);
	return OK;
}

static status_t
work(struct root *root)
{
	struct piece piece;
	status_t status;

	while ((status = piece_receive_until(&pieces, &piece, NULL,
	    CHANNEL_NOW)) == OK) {
		status = answer_piece(root, &piece);
		if (status != OK)
			break;
	}
	return status;
}

static void
idle(void *root)
{
	if (!look)
		return;
	look = false;
	if (!joined && join(root) != OK) {
		if (joined)
			leave();
		/* The demo is not there yet, or left. */
		sys_wait(alarm, WAIT_BITS, 0, service_now_ns() + RETRY_NS,
		    NULL, NULL);
		sys_signal(PLACE_NOTIFICATION, CHANNEL_BITS);
		return;
	}
	if (work(root) != ERR_TIMEOUT) {
		leave();
		sys_signal(PLACE_NOTIFICATION, CHANNEL_BITS);
	}
}

static void
notified(void *memory, uint64_t bits)
{
	(void)memory;
	if ((bits & CHANNEL_BITS) != 0)
		look = true;
}

static void
resume(void *root, bool first)
{
	struct channel_guest_options options = {
		.vspace = service_info()->vspace,
		.notification = PLACE_NOTIFICATION, .bits = CHANNEL_BITS,
		.now_ns = service_now_ns,
	};
	status_t status = service_request("broker:open", &options.broker);

	(void)root, (void)first;
	if (status == OK)
		status = sys_object_create(OBJ_NOTIFICATION, PLACE_CONTAINER,
		    0, 0, &alarm);
	if (status == OK)
		status = channel_domain_guest(&options, &domain);
	if (status != OK)
		service_panic("no domain: status %lu", status);
	channel_domain_set_default(domain);
}

/* It is called through its channels only. */
static service_outcome
handle(void *root, struct service_call *call)
{
	(void)root;
	return wire_refuse(call, ERR_NOSYS);
}

static const struct service worker_service = {
	.name = "worker",
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
	service_run(&worker_service);
}
