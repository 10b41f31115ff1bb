/* SPDX-License-Identifier: MIT */
/*
 * Runs a function in a child process, one instruction at a time.
 *
 *	STEP_OK	the child ended by itself; *out_count instructions were run
 *
 * Between two instructions the parent may look at memory that both share. A
 * state seen there is exactly what a crash at this instruction leaves behind.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum step_end { STEP_OK, STEP_DIED, STEP_IMPOSSIBLE };

/* look(context, n) after the n-th instruction; false ends the run early. */
static inline enum step_end
step_run(void (*body)(void *context), bool (*look)(void *context, uint64_t n),
    void *context, uint64_t *out_count)
{
	int status;
	pid_t child = fork();

	*out_count = 0;
	if (child < 0)
		return STEP_IMPOSSIBLE;
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(99);
		raise(SIGSTOP);
		body(context);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		return STEP_IMPOSSIBLE;
	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
		    waitpid(child, &status, 0) != child)
			return STEP_DIED;
		if (WIFEXITED(status))
			return WEXITSTATUS(status) == 0 ? STEP_OK : STEP_DIED;
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
			break;
		if (!look(context, ++*out_count)) {
			kill(child, SIGKILL);
			waitpid(child, &status, 0);
			return STEP_OK;
		}
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return STEP_DIED;
}
