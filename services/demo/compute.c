/* SPDX-License-Identifier: MIT */
/*
 * Distributed computing: pieces of work go to the places worker1 to worker3,
 * which count prime numbers. A worker may die at any moment with the pieces that
 * it holds or that lie in its lane: its next incarnation goes on. Each piece is
 * given out once and answered once; the number of a piece tells a second answer,
 * and without one of the answers the demo does not end.
 */
#include "demo.h"
#include "work.h"

#define OUT_MAX		8u		/* pieces given out and not answered */
#define LOOK_NS		2000000ul

static struct {
	bool	 done[WORK_PIECES];
	uint64_t next;			/* never given out so far */
	uint64_t out, finished, primes;
	uint64_t twice;
} progress;

static status_t
give(struct piece_channel *pieces, uint64_t number)
{
	const struct piece piece = {
		.number = number, .first = number * WORK_NUMBERS,
		.count = WORK_NUMBERS,
	};

	return piece_send_until(pieces, &piece, NULL, CHANNEL_NOW);
}

static void
give_out(struct piece_channel *pieces)
{
	while (progress.next < WORK_PIECES && progress.out < OUT_MAX &&
	    give(pieces, progress.next) == OK) {
		progress.next++;
		progress.out++;
	}
}

static void
take(const struct answer *answer)
{
	if (answer->number >= WORK_PIECES)
		service_panic("piece %lu answered", answer->number);
	if (progress.done[answer->number]) {
		progress.twice++;
		return;
	}
	progress.done[answer->number] = true;
	progress.primes += answer->primes;
	progress.finished++;
	progress.out--;
}

static void
collect(struct piece_channel *pieces, struct answer_channel *answers)
{
	struct answer answer;

	while (progress.finished < WORK_PIECES) {
		status_t status;

		give_out(pieces);
		status = answer_receive_until(answers, &answer, NULL,
		    service_now_ns() + LOOK_NS);
		if (status == OK)
			take(&answer);
		/* No worker is there yet. */
		else if (status == ERR_GONE)
			sys_wait(PLACE_NOTIFICATION, WAIT_BITS, 0,
			    service_now_ns() + LOOK_NS, NULL, NULL);
		else if (status != ERR_TIMEOUT)
			demo_check("answers", status);
	}
}

void
demo_compute(void)
{
	const struct channel_config config = {
		.type = CHANNEL_ASYNC, .pollable = true,
	};
	const struct channel_options sender = { .role = CHANNEL_SENDER };
	const struct channel_options receiver = { .role = CHANNEL_RECEIVER };
	struct channel_domain *domain = demo_domain(demo.vspace,
	    PLACE_NOTIFICATION);
	struct channel_statistics counts;
	struct answer_channel answers;
	struct piece_channel pieces;

	demo_check("pieces", piece_create("pieces", &config, &sender, NULL,
	    &pieces));
	demo_check("answers", answer_create("answers", &config, &receiver,
	    NULL, &answers));
	collect(&pieces, &answers);
	channel_statistics(pieces.typed.channel, &counts);
	service_log("compute: %lu pieces, %lu primes below %lu",
	    progress.finished, progress.primes,
	    (uint64_t)WORK_PIECES * WORK_NUMBERS);
	service_log("compute: %lu answered twice, %lu abandoned in lanes",
	    progress.twice, counts.abandoned);
	answer_close(&answers);
	piece_close(&pieces);
	channel_domain_guest_close(domain);
}
