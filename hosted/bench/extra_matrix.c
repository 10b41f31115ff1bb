/* SPDX-License-Identifier: MIT */
/*
 * Many senders and receivers on one channel, each a thread, not pinned, waiting
 * as configured by default. All messages are counted and summed at both ends.
 */
#include "extras.h"

#include <hosted/demo/meeting.h>
#include <lib/channel/channel.h>

#include <pthread.h>

#define THREADS_MAX	16u
#define MESSAGES	200000u
#define MESSAGES_QUICK	400u
#define SIZE		32u

struct matrix {
	struct meeting meeting;
	pthread_barrier_t open, done;	/* threads, and who measures */
	uint64_t each;			/* messages of a producer */
	bool	 failed;
	uint64_t sent, received, sum_sent, sum_received;
};

static const unsigned counts[] = { 1, 2, 4, 8, 16 };

#define COUNTS	(sizeof(counts) / sizeof(counts[0]))

static struct channel *
join(struct matrix *matrix, unsigned role)
{
	struct channel_options options = { .domain = matrix->meeting.domain,
		.role = role };
	struct channel *channel = NULL;

	if (channel_open("matrix", &options, &matrix->meeting.token,
	    &channel) != OK)
		__atomic_store_n(&matrix->failed, true, __ATOMIC_RELAXED);
	pthread_barrier_wait(&matrix->open);
	return channel;
}

static void *
produce(void *argument)
{
	struct matrix *matrix = argument;
	struct channel *channel = join(matrix, CHANNEL_SENDER);
	uint64_t message[SIZE / 8] = { 0 }, sum = 0, sent = 0;

	while (channel != NULL && sent < matrix->each) {
		message[0] = (uintptr_t)channel ^ sent * 0x9e3779b97f4a7c15ul;
		if (channel_send(channel, message, SIZE,
		    &matrix->meeting.token) != OK)
			break;
		sum += message[0];
		sent++;
	}
	channel_close(channel);
	__atomic_fetch_add(&matrix->sent, sent, __ATOMIC_RELAXED);
	__atomic_fetch_add(&matrix->sum_sent, sum, __ATOMIC_RELAXED);
	pthread_barrier_wait(&matrix->done);
	return NULL;
}

static void *
consume(void *argument)
{
	struct matrix *matrix = argument;
	struct channel *channel = join(matrix, CHANNEL_RECEIVER);
	uint64_t message[SIZE / 8] = { 0 }, sum = 0, received = 0;
	status_t status = OK;

	while (channel != NULL && status == OK) {
		size_t length = SIZE;

		status = channel_receive_until(channel, message, &length,
		    &matrix->meeting.token, CHANNEL_FOREVER);
		if (status != OK)
			break;
		sum += message[0];
		received++;
	}
	__atomic_fetch_add(&matrix->received, received, __ATOMIC_RELAXED);
	__atomic_fetch_add(&matrix->sum_received, sum, __ATOMIC_RELAXED);
	pthread_barrier_wait(&matrix->done);
	channel_close(channel);
	return NULL;
}

/* ns of all messages; 0: failed. */
static uint64_t
run_threads(struct matrix *matrix, unsigned producers, unsigned consumers)
{
	unsigned count = producers + consumers;
	pthread_t thread[2 * THREADS_MAX];
	uint64_t start, end;

	pthread_barrier_init(&matrix->open, NULL, count + 1);
	pthread_barrier_init(&matrix->done, NULL, count + 1);
	for (unsigned i = 0; i < count; i++)
		/* Without all of them the barriers would wait for ever. */
		if (pthread_create(&thread[i], NULL, i < producers ? produce
		    : consume, matrix) != 0)
			__builtin_trap();
	pthread_barrier_wait(&matrix->open);
	start = bench_now_ns();
	pthread_barrier_wait(&matrix->done);
	end = bench_now_ns();
	for (unsigned i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
	pthread_barrier_destroy(&matrix->open);
	pthread_barrier_destroy(&matrix->done);
	if (matrix->failed || matrix->sent != matrix->each * producers ||
	    matrix->received != matrix->sent ||
	    matrix->sum_received != matrix->sum_sent)
		return 0;
	return end - start;
}

static uint64_t
run_cell(unsigned producers, unsigned consumers, uint64_t each)
{
	static const struct channel_config config = { .type = CHANNEL_ASYNC };
	struct matrix matrix = { .each = each };
	struct channel_options options = { .role = 0 };
	struct channel *creator;
	uint64_t time = 0;

	if (!meeting_of_threads(&matrix.meeting, TOKEN_TRUST_MAX))
		return 0;
	options.domain = matrix.meeting.domain;
	if (channel_create("matrix", &config, &options, &matrix.meeting.token,
	    &creator) == OK) {
		time = run_threads(&matrix, producers, consumers);
		channel_close(creator);
	}
	meeting_close(&matrix.meeting);
	return time;
}

bool
extra_matrix(struct figures *figures, bool quick)
{
	for (size_t i = 0; i < COUNTS; i++) {
		for (size_t j = 0; j < COUNTS; j++) {
			uint64_t each = (quick ? MESSAGES_QUICK : MESSAGES) /
			    counts[i];
			uint64_t time = run_cell(counts[i], counts[j], each);
			char name[FIGURE_NAME_MAX];

			if (time == 0)
				return false;
			snprintf(name, sizeof(name), "channel-matrix.%ux%u",
			    counts[i], counts[j]);
			if (!figures_add_single(figures, name,
			    "producers x consumers, 32 B", "ns",
			    (double)time / (double)(each * counts[i])))
				return false;
		}
	}
	return true;
}
