/* SPDX-License-Identifier: MIT */
/*
 * Clients that are killed while they write. Each appends numbered records and
 * says on a pipe which were acknowledged. Whatever moment it dies at: what was
 * acknowledged is there, at most one record more is, and none is cut.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Less than a pipe holds of acknowledgements: the client never waits. */
#define RECORDS_MAX	2000u
#define LIFE_US		3000u

struct record {
	uint64_t number, hash;
};

static struct record seen[RECORDS_MAX + 4];
static char acknowledged[RECORDS_MAX];

static _Noreturn void
be_client(int log, int report)
{
	for (uint64_t i = 1; i <= RECORDS_MAX; i++) {
		struct record record = { i, load_number_hash(i) };

		if (write(log, &record, sizeof(record)) !=
		    (ssize_t)sizeof(record))
			_exit(errno & 0x7f);
		if (write(report, "", 1) != 1)
			_exit(errno & 0x7f);
	}
	for (;;)
		pause();
}

static void
await_death(struct run *run, pid_t pid)
{
	int status;

	if (!load_did(run, "waitpid", waitpid(pid, &status, 0)))
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	load_failed(run, "write by a client");
}

static void
verify_log(struct run *run, int log, uint64_t told)
{
	ssize_t size = pread(log, seen, sizeof(seen), 0);

	if (!load_did(run, "pread of the log", size))
		return;
	if ((uint64_t)size % sizeof(seen[0]) != 0)
		load_silent(run, "a part of a record of a killed client");
	uint64_t last = 0, count = (uint64_t)size / sizeof(seen[0]);
	for (uint64_t i = 0; i < count; i++) {
		uint64_t number = seen[i].number;

		if (seen[i].hash != load_number_hash(number)) {
			load_silent(run, "bytes of a record of a client");
			number = last + 1;
		}
		if (number <= last)
			load_doubled(run, "a record of a client");
		if (number > last + 1)
			load_lost(run, "a record between those of a client");
		last = number > last ? number : last;
	}
	if (last < told)
		load_lost(run, "the last records of a killed client");
	if (last > told + 1)
		load_doubled(run, "more records than a client wrote");
}

static void
sabotage(struct run *run, int log, uint64_t told)
{
	struct record record = { told + 1, load_number_hash(told + 1) };

	if (load_sabotages(run, "client-fewer"))
		ftruncate(log, 0);
	if (load_sabotages(run, "client-more"))
		for (; record.number <= told + 2; record.number++)
			write(log, &record, sizeof(record));
	if (load_sabotages(run, "client-cut"))
		write(log, "x", 1);
}

static uint64_t
count_reports(struct run *run, int from)
{
	uint64_t told = 0;
	ssize_t length;

	while ((length = read(from, acknowledged, sizeof(acknowledged))) > 0)
		told += (uint64_t)length;
	load_did(run, "read of a pipe", length);
	run->verdict.operations += told;
	return told;
}

static void
clients_round(struct run *run)
{
	int report[2];
	int log = open("log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

	if (!load_did(run, "open of the log", log))
		return;
	if (!load_did(run, "pipe", pipe(report))) {
		close(log);
		return;
	}
	pid_t pid = fork();
	if (pid == 0)
		be_client(log, report[1]);
	close(report[1]);
	if (load_did(run, "fork", pid)) {
		usleep((useconds_t)(load_random(run) % LIFE_US));
		load_did(run, "kill", kill(pid, SIGKILL));
		await_death(run, pid);
		uint64_t told = count_reports(run, report[0]);
		if (told > 0)
			sabotage(run, log, told);
		verify_log(run, log, told);
	}
	close(report[0]);
	load_did(run, "close", close(log));
}

static void
clients_end(struct run *run)
{
	load_did(run, "unlink of the log", unlink("log"));
}

static const char *const sabotages[] = {
	"client-fewer", "client-more", "client-cut", NULL,
};

const struct load load_clients = {
	.name = "clients", .round = clients_round, .end = clients_end,
	.sabotages = sabotages,
};
