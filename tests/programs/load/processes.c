/* SPDX-License-Identifier: MIT */
/*
 * Processes and signals. Each child is waited for once and ends with the code
 * it was told; each signal arrives once.
 */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILDREN	4u
#define SIGNALS		8u
#define CODES		100u	/* that children are told */
#define NO_PROGRAM	127	/* said by one that could not become another */
/* A signal that did not come by then is lost. */
#define PATIENCE_S	60u

static volatile sig_atomic_t arrived, impatient;

static void
on_signal(int number)
{
	if (number == SIGALRM)
		impatient = 1;
	else
		arrived++;
}

/* Every second child is another program. */
static pid_t
start_child(const char *program, unsigned index, int code)
{
	char text[16];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (index % 2 == 0)
		_exit(code);
	snprintf(text, sizeof(text), "%d", code);
	execl(program, program, "exit", text, NULL);
	_exit(NO_PROGRAM);
}

/* A child that says that it failed, or was killed, ends loudly. */
static void
check_status(struct run *run, int status, int code)
{
	if (!WIFEXITED(status))
		load_lost(run, "a child that was killed");
	else if (WEXITSTATUS(status) == NO_PROGRAM)
		load_lost(run, "the program of a child");
	else if (WEXITSTATUS(status) != code)
		load_silent(run, "an exit code");
}

static void
take_child(struct run *run, pid_t *pid, const int *code)
{
	int status;
	pid_t ended = waitpid(-1, &status, 0);

	if (!load_did(run, "waitpid", ended))
		return;
	for (unsigned i = 0; i < CHILDREN; i++) {
		if (pid[i] != ended)
			continue;
		pid[i] = 0;
		check_status(run, status, code[i]);
		return;
	}
	load_doubled(run, "a child that nobody started, or ended twice");
}

static void
processes_round(struct run *run)
{
	pid_t pid[CHILDREN];
	int code[CHILDREN];
	unsigned started = 0;
	const char *program = load_sabotages(run, "no-program") ? "nowhere" :
	    run->program;

	for (unsigned i = 0; i < CHILDREN; i++) {
		code[i] = (int)(load_random(run) % CODES);
		pid[i] = start_child(program, i, code[i]);
		started += load_did(run, "fork", pid[i]);
	}
	if (load_sabotages(run, "exit-code"))
		code[0]++;
	if (load_sabotages(run, "child-fewer"))
		waitpid(pid[0], NULL, 0);
	for (; started > 0; started--)
		take_child(run, pid, code);
	if (load_sabotages(run, "child-more") && fork() == 0)
		_exit(0);
	if (waitpid(-1, NULL, 0) >= 0)
		load_doubled(run, "a child too many");
	else if (errno != ECHILD)
		load_failed(run, "waitpid without a child");
}

/* Each signal is sent when the one before it has been seen. */
static _Noreturn void
send_signals(int seen, unsigned count)
{
	char byte;

	for (unsigned i = 0; i < count; i++) {
		if (kill(getppid(), SIGUSR1) < 0)
			_exit(errno & 0x7f);
		if (i < SIGNALS && load_read(seen, &byte, 1) < 0)
			_exit(errno & 0x7f);
	}
	_exit(0);
}

static void
await_signals(struct run *run, int seen)
{
	sigset_t open;

	sigemptyset(&open);
	impatient = 0;
	alarm(PATIENCE_S);
	for (int i = 1; i <= (int)SIGNALS; i++) {
		while (arrived < i && !impatient)
			sigsuspend(&open);
		run->verdict.operations++;
		if (arrived < i)
			load_lost(run, "a signal");
		arrived = arrived < i ? i : arrived;
		load_did(run, "write", load_write(seen, "s", 1));
	}
	alarm(0);
}

static void
finish_signals(struct run *run, pid_t pid)
{
	int status;

	if (!load_did(run, "waitpid", waitpid(pid, &status, 0)))
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
		load_failed(run, "the sender of signals");
	}
}

static void
signals_start(struct run *run)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	/* They arrive in sigsuspend only. */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGALRM);
	load_did(run, "sigaction", sigaction(SIGUSR1, &action, NULL));
	load_did(run, "sigaction", sigaction(SIGALRM, &action, NULL));
	load_did(run, "sigprocmask", sigprocmask(SIG_BLOCK, &blocked, NULL));
}

static void
signals_round(struct run *run)
{
	int end[2];
	unsigned count = SIGNALS;

	if (!load_did(run, "pipe", pipe(end)))
		return;
	arrived = 0;
	if (load_sabotages(run, "signal-more"))
		count++;
	pid_t pid = fork();
	if (pid == 0) {
		close(end[1]);
		send_signals(end[0], count);
	}
	if (load_did(run, "fork", pid)) {
		await_signals(run, end[1]);
		finish_signals(run, pid);
	}
	/* One more may have come; sigsuspend would wait for it. */
	sigset_t pending;
	sigpending(&pending);
	if (arrived != SIGNALS || sigismember(&pending, SIGUSR1) == 1)
		load_doubled(run, "a signal");
	close(end[0]);
	close(end[1]);
}

static const char *const process_sabotages[] = {
	"exit-code", "no-program", "child-fewer", "child-more", NULL,
};
static const char *const signal_sabotages[] = { "signal-more", NULL };

const struct load load_processes = {
	.name = "processes", .round = processes_round,
	.sabotages = process_sabotages,
};

const struct load load_signals = {
	.name = "signals", .start = signals_start, .round = signals_round,
	.sabotages = signal_sabotages,
};
