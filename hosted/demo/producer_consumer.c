/* SPDX-License-Identifier: MIT */
/* demo-producer-consumer: docs/man/demo-producer-consumer.1. */
#include "number.h"
#include "traffic.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATISTICS_MS	250u

struct settings {
	unsigned producers, consumers, seconds;
	uint64_t count;			/* all together; 0: by time */
	enum channel_serializer serializer;
	const char *broker;
	bool	 processes, quiet;
};

/* A thread or a process. */
struct worker {
	struct traffic *traffic;
	unsigned number;
	bool	 produces;
	pthread_t thread;
	pid_t	 process;
};

static struct worker workers[2 * TRAFFIC_MEMBERS_MAX];
static volatile sig_atomic_t interrupted;

static const struct {
	const char *name;
	enum channel_serializer serializer;
	unsigned trust;		/* that it needs */
} serializers[] = {
	{ "raw", CHANNEL_RAW, 0xe },
	{ "lite", CHANNEL_LITE, 0x8 },
	{ "full", CHANNEL_FULL, 0x0 },
};

#define SERIALIZERS	(sizeof(serializers) / sizeof(serializers[0]))

static void
usage(FILE *out)
{
	fputs("usage: demo-producer-consumer [--producers N] [--consumers N]\n"
	    "           [--processes] [--serializer raw|lite|full]\n"
	    "           [--seconds N | --count N] [--broker SOCKET] "
	    "[--quiet]\n", out);
}

static void
interrupt(int number)
{
	interrupted = 1;
}

static bool
read_serializer(const char *text, enum channel_serializer *out_serializer)
{
	for (size_t i = 0; i < SERIALIZERS; i++)
		if (strcmp(text, serializers[i].name) == 0) {
			*out_serializer = serializers[i].serializer;
			return true;
		}
	return false;
}

static bool
set(struct settings *settings, int option, const char *text)
{
	uint64_t number = 0;
	bool fine = true;

	switch (option) {
	case 'p':
	case 'c':
		fine = number_read(text, 1, TRAFFIC_MEMBERS_MAX, &number);
		*(option == 'p' ? &settings->producers
		    : &settings->consumers) = (unsigned)number;
		return fine;
	case 'n':
		return number_read(text, 1, ~0ul, &settings->count);
	case 's':
		fine = number_read(text, 1, 1000000, &number);
		settings->seconds = (unsigned)number;
		return fine;
	case 'S':
		return read_serializer(text, &settings->serializer);
	case 'b':
		settings->broker = text;
		settings->processes = true;
		return true;
	case 'P':
		settings->processes = true;
		return true;
	case 'q':
		settings->quiet = true;
		return true;
	default:
		return false;
	}
}

static int
parse(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "producers", required_argument, NULL, 'p' },
		{ "consumers", required_argument, NULL, 'c' },
		{ "count", required_argument, NULL, 'n' },
		{ "seconds", required_argument, NULL, 's' },
		{ "serializer", required_argument, NULL, 'S' },
		{ "broker", required_argument, NULL, 'b' },
		{ "processes", no_argument, NULL, 'P' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			exit(0);
		}
		if (!set(settings, option, optarg)) {
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc)
		return 0;
	usage(stderr);
	return 2;
}

static void
work(struct worker *worker)
{
	if (worker->produces)
		traffic_produce(worker->traffic, worker->number);
	else
		traffic_consume(worker->traffic, worker->number);
}

static void *
work_thread(void *worker)
{
	work(worker);
	return NULL;
}

static bool
start_worker(struct worker *worker, bool process)
{
	if (!process)
		return pthread_create(&worker->thread, NULL, work_thread,
		    worker) == 0;
	worker->process = fork();
	if (worker->process != 0)
		return worker->process > 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* An interrupt from the terminal is for who counts at the end. */
	signal(SIGINT, SIG_IGN);
	work(worker);
	_exit(0);
}

static bool
start_workers(struct traffic *traffic, bool processes)
{
	unsigned count = traffic->producers + traffic->consumers;

	fflush(NULL);
	for (unsigned i = 0; i < count; i++) {
		bool produces = i < traffic->producers;

		workers[i] = (struct worker){ .traffic = traffic,
			.produces = produces,
			.number = produces ? i : i - traffic->producers };
		if (!start_worker(&workers[i], processes))
			return false;
	}
	return true;
}

/* False: a process did not end by itself. */
static bool
await_workers(const struct traffic *traffic, bool processes)
{
	bool fine = true;

	for (unsigned i = 0; i < traffic->producers + traffic->consumers;
	    i++) {
		int status = 0;

		if (!processes)
			pthread_join(workers[i].thread, NULL);
		else
			fine &= waitpid(workers[i].process, &status, 0) > 0 &&
			    status == 0;
	}
	return fine;
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
show(const struct traffic *traffic, double since_s, uint64_t *last,
    double *last_s)
{
	struct traffic_sums sums = traffic_sums(traffic);
	double now = now_s();

	fprintf(stderr, "\r%6.1f s  %12lu sent  %12lu received  %10.0f/s  ",
	    now - since_s, sums.sent.messages, sums.received.messages,
	    (double)(sums.received.messages - *last) / (now - *last_s));
	*last = sums.received.messages;
	*last_s = now;
}

/* Until the time is up, or all was received, or somebody interrupts. */
static void
watch(const struct traffic *traffic, const struct settings *settings)
{
	double start = now_s(), last_s = start;
	struct timespec pause = { .tv_nsec = STATISTICS_MS * 1000000l };
	uint64_t last = 0;

	if (traffic->count != 0)
		pause.tv_nsec = 10000000l;
	while (!interrupted) {
		struct traffic_sums sums;

		nanosleep(&pause, NULL);
		if (!settings->quiet && now_s() - last_s >=
		    STATISTICS_MS / 1000.0)
			show(traffic, start, &last, &last_s);
		sums = traffic_sums(traffic);
		if (sums.received.status != OK || sums.sent.status != OK)
			break;
		if (traffic->count != 0 ? sums.received.messages ==
		    traffic->count * traffic->producers
		    : now_s() - start >= settings->seconds)
			break;
	}
	__atomic_store_n(&traffic->shared->stop, 1, __ATOMIC_RELAXED);
	if (!settings->quiet)
		fputc('\n', stderr);
}

static int
report(const struct traffic *traffic, double seconds, bool ended)
{
	struct traffic_sums sums = traffic_sums(traffic);
	bool exact = ended && (traffic_is_exact(traffic) ||
	    (interrupted && sums.sent.sum == sums.received.sum));

	printf("%u producers, %u consumers: %lu sent, %lu received, "
	    "%lu wrong, %.0f messages/s: %s\n", traffic->producers,
	    traffic->consumers, sums.sent.messages, sums.received.messages,
	    sums.received.wrong, (double)sums.received.messages / seconds,
	    exact ? "exact" : "NOT EXACT");
	if (sums.sent.status != OK || sums.received.status != OK)
		printf("status %lu of a producer, %lu of a consumer\n",
		    sums.sent.status, sums.received.status);
	return exact ? 0 : 1;
}

static int
run(struct traffic *traffic, const struct settings *settings)
{
	struct attendance attendance;
	struct channel *channel;
	double start = now_s();
	status_t status;
	bool ended;

	/* Processes come first: a fork leaves threads behind. */
	if (!meeting_enter(traffic->meeting, &attendance)) {
		fprintf(stderr, "demo-producer-consumer: no broker at %s\n",
		    traffic->meeting->socket);
		return 1;
	}
	status = traffic_open(traffic, &attendance, &channel);
	if (status != OK) {
		fprintf(stderr, "demo-producer-consumer: the channel cannot "
		    "be made: status %lu\n", status);
		return 1;
	}
	if (!start_workers(traffic, settings->processes)) {
		perror("demo-producer-consumer");
		return 1;
	}
	watch(traffic, settings);
	ended = await_workers(traffic, settings->processes);
	channel_close(channel);
	meeting_leave(traffic->meeting, &attendance);
	return report(traffic, now_s() - start, ended);
}

static unsigned
trust_for(enum channel_serializer serializer)
{
	for (size_t i = 0; i < SERIALIZERS; i++)
		if (serializers[i].serializer == serializer)
			return serializers[i].trust;
	return 0;
}

int
main(int argc, char **argv)
{
	struct settings settings = { .producers = 2, .consumers = 2,
		.seconds = 3, .serializer = CHANNEL_FULL };
	struct meeting meeting;
	struct traffic traffic = { .meeting = &meeting };
	int code = parse(argc, argv, &settings);
	unsigned trust;

	if (code != 0)
		return code;
	signal(SIGINT, interrupt);
	trust = trust_for(settings.serializer);
	traffic.producers = settings.producers;
	traffic.consumers = settings.consumers;
	traffic.serializer = settings.serializer;
	traffic.count = settings.count == 0 ? 0
	    : (settings.count + settings.producers - 1) / settings.producers;
	if (!traffic_create(&traffic) || !(settings.processes
	    ? meeting_of_processes(&meeting, settings.broker, trust)
	    : meeting_of_threads(&meeting, trust))) {
		perror("demo-producer-consumer");
		return 1;
	}
	code = run(&traffic, &settings);
	meeting_close(&meeting);
	traffic_destroy(&traffic);
	return code;
}
