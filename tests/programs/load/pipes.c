/* SPDX-License-Identifier: MIT */
/*
 * Numbered words through a pipeline: a process writes them, another passes
 * them on, the load reads and compares.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS	600u

struct word {
	uint64_t number, hash;
};

static uint64_t sent;		/* numbers given out before this round */

static struct word
make_word(uint64_t number)
{
	return (struct word){ number, load_number_hash(number) };
}

static void
close_all(const int end[4])
{
	for (unsigned i = 0; i < 4; i++)
		close(end[i]);
}

/* `wrong` is what the sabotage asks of the writer. */
static _Noreturn void
write_words(int to, int wrong)
{
	for (uint64_t i = 1; i <= WORDS; i++) {
		struct word word = make_word(sent + i);

		if (i == WORDS / 2 && wrong == 1)
			word.hash ^= 1;
		if (i == WORDS / 2 && wrong == 2)
			continue;
		if (load_write(to, &word, sizeof(word)) < 0)
			_exit(errno & 0x7f);
		if (i == WORDS / 2 && wrong == 3)
			load_write(to, &word, sizeof(word));
	}
	_exit(0);
}

static _Noreturn void
pass_on(int from, int to)
{
	char buffer[512];
	ssize_t length;

	while ((length = read(from, buffer, sizeof(buffer))) > 0)
		if (load_write(to, buffer, (size_t)length) < 0)
			_exit(errno & 0x7f);
	_exit(length < 0 ? errno & 0x7f : 0);
}

static void
verify_words(struct run *run, int from)
{
	uint64_t last = sent;
	struct word word;
	ssize_t length;

	while ((length = read(from, &word, sizeof(word))) > 0) {
		run->verdict.operations++;
		if (length < (ssize_t)sizeof(word) && load_read(from,
		    (char *)&word + length, sizeof(word) - (size_t)length) < 0) {
			load_failed(run, "read of the rest of a word");
			break;
		}
		if (word.hash != load_number_hash(word.number)) {
			load_silent(run, "bytes of a pipe");
			word.number = last + 1;
		}
		if (word.number <= last)
			load_doubled(run, "bytes of a pipe");
		for (; last + 1 < word.number; last++)
			load_lost(run, "bytes of a pipe");
		last = word.number > last ? word.number : last;
	}
	if (length < 0)
		load_failed(run, "read of a pipe");
	for (; last < sent + WORDS; last++)
		load_lost(run, "the end of a pipe");
}

static void
wait_for_child(struct run *run, pid_t pid)
{
	int status;

	if (!load_did(run, "waitpid", waitpid(pid, &status, 0)))
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	load_failed(run, "a process of the pipeline");
}

static int
sabotage(struct run *run)
{
	return load_sabotages(run, "word-bytes") ? 1 :
	    load_sabotages(run, "word-missing") ? 2 :
	    load_sabotages(run, "word-again") ? 3 : 0;
}

static void
pipes_round(struct run *run)
{
	int end[4], wrong = sabotage(run);
	pid_t child[2];

	if (!load_did(run, "pipe", pipe(end)))
		return;
	if (!load_did(run, "second pipe", pipe(end + 2))) {
		close(end[0]);
		close(end[1]);
		return;
	}
	child[0] = fork();
	if (child[0] == 0) {
		close(end[0]);
		close(end[2]);
		close(end[3]);
		write_words(end[1], wrong);
	}
	child[1] = fork();
	if (child[1] == 0) {
		close(end[1]);
		close(end[2]);
		pass_on(end[0], end[3]);
	}
	if (!load_did(run, "fork", child[0]) ||
	    !load_did(run, "second fork", child[1])) {
		close_all(end);
	} else {
		close(end[0]);
		close(end[1]);
		close(end[3]);
		verify_words(run, end[2]);
		close(end[2]);
	}
	for (unsigned i = 0; i < 2; i++)
		if (child[i] > 0)
			wait_for_child(run, child[i]);
	sent += WORDS;
}

static const char *const sabotages[] = {
	"word-bytes", "word-missing", "word-again", NULL,
};

const struct load load_pipes = {
	.name = "pipes", .round = pipes_round, .sabotages = sabotages,
};
