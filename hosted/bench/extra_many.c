/* SPDX-License-Identifier: MIT */
/*
 * Memory of many open channels between two processes that met at a broker. One
 * process creates and receives, the other opens and sends a message on each, so
 * every lane is in use. What counts is the proportional share of memory (Pss)
 * of both and of the broker: each page once.
 */
#include "extras.h"

#include <hosted/demo/meeting.h>
#include <lib/channel/channel.h>

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNELS	100000u
#define CHANNELS_QUICK	200u
#define GROUP		100u
#define MESSAGE		32u
#define RING		256u		/* bytes: a few messages */
#define PATIENCE_S	120u

struct many {
	struct meeting meeting;
	unsigned count;
	int	 control[2];	/* of the two processes */
	struct channel **channel;
	struct attendance attendance;
};

/* KiB of a process, by proportion; 0: unknown. */
static uint64_t
memory_of(pid_t process)
{
	char path[64], line[256];
	uint64_t size = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", process);
	file = fopen(path, "r");
	while (file != NULL && fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Pss: %lu kB", &size) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return size;
}

static bool
open_one(struct many *many, unsigned number, bool creates)
{
	static const struct channel_config config = { .type = CHANNEL_ASYNC,
		.message_max = MESSAGE, .buffer_size = RING };
	struct channel_options options = { .domain = many->attendance.domain,
		.role = creates ? CHANNEL_RECEIVER : CHANNEL_SENDER };
	char name[CHANNEL_NAME_MAX + 1];

	snprintf(name, sizeof(name), "many.%u", number);
	if (creates)
		return channel_create(name, &config, &options, NULL,
		    &many->channel[number]) == OK;
	return channel_open(name, &options, NULL,
	    &many->channel[number]) == OK;
}

static bool
use_one(struct channel *channel, uint64_t number, bool receives)
{
	uint64_t message[MESSAGE / 8] = { number };
	size_t length = sizeof(message);

	if (!receives)
		return channel_send_until(channel, message, length, NULL,
		    CHANNEL_FOREVER) == OK;
	return channel_receive_until(channel, message, &length, NULL,
	    CHANNEL_FOREVER) == OK && message[0] == number;
}

static bool
say(int control, char word)
{
	return write(control, &word, 1) == 1;
}

static bool
hear(int control)
{
	char word;

	return read(control, &word, 1) == 1 && word == 'y';
}

/* The part of a process in the channels from `first` on: false if it failed. */
static bool
live_group(struct many *many, bool creates, unsigned first)
{
	int control = many->control[creates ? 0 : 1];
	unsigned end = first + GROUP < many->count ? first + GROUP
	    : many->count;
	bool fine = creates || hear(control);

	for (unsigned i = first; fine && i < end; i++)
		fine = open_one(many, i, creates) &&
		    (creates || use_one(many->channel[i], i, false));
	if (!say(control, fine ? 'y' : 'n') || !fine)
		return false;
	if (!creates)
		return true;
	fine = hear(control);
	for (unsigned i = first; fine && i < end; i++)
		fine = use_one(many->channel[i], i, true);
	return fine;
}

/*
 * In groups: the creator creates, then the opener opens and sends, then the
 * creator receives. Each event that a process has not looked at yet holds one
 * of its descriptors, so it must not put off all of them.
 */
static bool
live(struct many *many, bool creates)
{
	bool fine = meeting_enter(&many->meeting, &many->attendance);

	many->channel = calloc(many->count, sizeof(*many->channel));
	fine &= many->channel != NULL;
	for (unsigned first = 0; fine && first < many->count; first += GROUP)
		fine = live_group(many, creates, first);
	return fine;
}

static pid_t
start(struct many *many, bool creates, int report)
{
	uint64_t size = 0;
	pid_t process = fork();

	if (process != 0)
		return process;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(PATIENCE_S);
	/* The other end of its socket closes when the other process ends. */
	close(many->control[creates ? 1 : 0]);
	if (live(many, creates))
		size = memory_of(getpid());
	if (write(report, &size, sizeof(size)) == sizeof(size) && size > 0)
		pause();
	_exit(0);
}

/* KiB of both processes and the broker; 0: failed. */
static uint64_t
run_many(struct many *many)
{
	uint64_t sizes[2] = { 0 }, broker;
	pid_t process[2];
	int report[2];
	bool fine = true;

	if (pipe(report) != 0)
		return 0;
	for (unsigned i = 0; i < 2; i++)
		process[i] = start(many, i == 0, report[1]);
	close(report[1]);
	close(many->control[0]);
	close(many->control[1]);
	for (unsigned i = 0; i < 2; i++)
		fine &= read(report[0], &sizes[i], sizeof(sizes[i])) ==
		    sizeof(sizes[i]) && sizes[i] > 0;
	broker = memory_of(many->meeting.broker);
	/* Both live still: what they shared was divided among them. */
	for (unsigned i = 0; i < 2; i++) {
		if (fine)
			sizes[i] = memory_of(process[i]);
		kill(process[i], SIGKILL);
		waitpid(process[i], NULL, 0);
	}
	close(report[0]);
	return fine ? sizes[0] + sizes[1] + broker : 0;
}

bool
extra_many(struct figures *figures, bool quick)
{
	struct many many = { .count = quick ? CHANNELS_QUICK : CHANNELS };
	uint64_t start_ns = bench_now_ns(), size = 0;
	double seconds;

	if (!meeting_of_processes(&many.meeting, NULL, TOKEN_TRUST_MAX))
		return false;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, many.control) == 0)
		size = run_many(&many);
	seconds = (double)(bench_now_ns() - start_ns) / 1e9;
	meeting_close(&many.meeting);
	if (size == 0 || quick)
		return size != 0 && figures_add_single(figures,
		    "channel-many.few", "memory of 200 open channels", "MiB",
		    (double)size / 1024);
	return figures_add_single(figures, "channel-many.memory",
	    "memory of 100 000 open channels, two processes and broker",
	    "MiB", (double)size / 1024) &&
	    figures_add_single(figures, "channel-many.open",
	    "to create, open and use one of them", "us",
	    seconds * 1e6 / many.count);
}
