/* SPDX-License-Identifier: MIT */
/*
 * A log that two processes append numbered records to, and a counter that is
 * read, increased and written back. A record that was written twice, or not
 * at all, shows in the numbers.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS		12u	/* of each writer and round */
#define WRITERS		2u
#define LOG_MAX		(WRITERS * RECORDS * 8u)
#define INCREMENTS	6u

struct record {
	uint64_t writer, number, hash;
};

static uint64_t written[WRITERS];	/* records acknowledged, ever */
static uint64_t counter;
static struct record seen[LOG_MAX];

static void
make_record(struct record *record, uint64_t writer, uint64_t number)
{
	record->writer = writer;
	record->number = number;
	record->hash = load_number_hash(writer << 32 ^ number);
}

static bool
append(int log, uint64_t writer, uint64_t number)
{
	struct record record;

	make_record(&record, writer, number);
	return load_write(log, &record, sizeof(record)) >= 0;
}

/* The other writer: a process, whose exit code is the errno it met. */
static pid_t
start_writer(int log)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (uint64_t i = 1; i <= RECORDS; i++)
		if (!append(log, 1, written[1] + i))
			_exit(errno & 0x7f);
	_exit(0);
}

static void
wait_for_writer(struct run *run, pid_t pid)
{
	int status;

	if (!load_did(run, "waitpid", waitpid(pid, &status, 0)))
		return;
	run->verdict.operations += RECORDS;
	written[1] += RECORDS;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
		load_failed(run, "append by the child");
	}
}

/* Records of one writer come in order, each once, up to the last. */
static void
verify_records(struct run *run, uint64_t count, const uint64_t *before)
{
	uint64_t next[WRITERS];

	memcpy(next, before, sizeof(next));
	for (uint64_t i = 0; i < count; i++) {
		struct record good;
		uint64_t writer = seen[i].writer;

		make_record(&good, writer, seen[i].number);
		if (writer >= WRITERS || good.hash != seen[i].hash) {
			load_silent(run, "bytes of a record");
			/* It is there, so the next one is no gap. */
			if (writer < WRITERS)
				next[writer]++;
			continue;
		}
		if (seen[i].number <= next[writer])
			load_doubled(run, "a record");
		for (; next[writer] + 1 < seen[i].number; next[writer]++)
			load_lost(run, "a record in between");
		if (seen[i].number > next[writer])
			next[writer]++;
	}
	for (unsigned w = 0; w < WRITERS; w++)
		for (; next[w] < written[w]; next[w]++)
			load_lost(run, "the last record");
}

static void
sabotage_log(struct run *run, int log)
{
	if (load_sabotages(run, "record-again"))
		append(log, 0, written[0]);
	if (load_sabotages(run, "record-missing"))
		ftruncate(log, sizeof(struct record) *
		    (WRITERS * RECORDS - 1));
	if (load_sabotages(run, "record-bytes")) {
		int other = open("log", O_WRONLY);
		pwrite(other, "x", 1, sizeof(struct record) + 17);
		close(other);
	}
}

static void
log_round(struct run *run)
{
	uint64_t before[WRITERS];
	int log = open("log", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);

	memcpy(before, written, sizeof(before));
	if (!load_did(run, "open of the log", log))
		return;
	pid_t pid = start_writer(log);
	bool forked = load_did(run, "fork", pid);
	for (unsigned i = 0; i < RECORDS; i++)
		if (load_did(run, "append", append(log, 0, written[0] + 1) ?
		    0 : -1))
			written[0]++;
	if (forked)
		wait_for_writer(run, pid);
	sabotage_log(run, log);
	ssize_t size = pread(log, seen, sizeof(seen), 0);
	if (load_did(run, "pread of the log", size)) {
		if (size % (ssize_t)sizeof(struct record) != 0)
			load_silent(run, "a part of a record");
		verify_records(run, (uint64_t)size / sizeof(struct record),
		    before);
	}
	load_did(run, "close", close(log));
}

static void
check_counter(struct run *run, uint64_t value)
{
	if (value < counter)
		load_lost(run, "an increment");
	if (value > counter)
		load_doubled(run, "an increment");
	counter = value;
}

static void
counter_round(struct run *run)
{
	uint64_t value;
	int file = open("counter", O_RDWR | O_CREAT, 0600);

	if (!load_did(run, "open of the counter", file))
		return;
	for (unsigned i = 0; i < INCREMENTS; i++) {
		if (counter != 0 && load_did(run, "pread",
		    pread(file, &value, sizeof(value), 0)))
			check_counter(run, value);
		counter++;
		if (!load_did(run, "pwrite",
		    pwrite(file, &counter, sizeof(counter), 0)))
			counter--;
		if (load_sabotages(run, "counter-up"))
			pwrite(file, &(uint64_t){ counter + 1 }, 8, 0);
		if (load_sabotages(run, "counter-down"))
			pwrite(file, &(uint64_t){ counter - 1 }, 8, 0);
	}
	load_did(run, "close", close(file));
}

static void
records_round(struct run *run)
{
	log_round(run);
	counter_round(run);
}

static void
records_end(struct run *run)
{
	load_did(run, "unlink of the log", unlink("log"));
	load_did(run, "unlink of the counter", unlink("counter"));
}

static const char *const sabotages[] = {
	"record-again", "record-missing", "record-bytes", "counter-up",
	"counter-down", NULL,
};

const struct load load_records = {
	.name = "records", .round = records_round, .end = records_end,
	.sabotages = sabotages,
};
