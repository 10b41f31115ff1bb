/* SPDX-License-Identifier: MIT */
/*
 * Runs a function in a child process, one instruction at a time.
 *
 *	STEP_OK		it returned, or look() ended the run
 *	STEP_DIED	a signal stopped it
 *	STEP_IMPOSSIBLE	single steps are not allowed here
 *
 * Between two instructions the parent may look at memory that both share. A
 * state seen there is exactly what a crash at this instruction leaves behind.
 */
#pragma once

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum step_end { STEP_OK, STEP_DIED, STEP_IMPOSSIBLE };

/*
 * Parent and child take turns, so they share one CPU: switching between two
 * takes several times as long. Undone with the old set.
 */
static inline void
step_pin(cpu_set_t *out_old)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	CPU_ZERO(out_old);
	if (sched_getaffinity(0, sizeof(*out_old), out_old) != 0 || cpu < 0)
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static inline void
step_unpin(const cpu_set_t *old)
{
	if (CPU_COUNT(old) != 0)
		sched_setaffinity(0, sizeof(*old), old);
}

enum step_state { STEP_BEFORE, STEP_INSIDE, STEP_BEHIND };

static inline void
step_child(void (*body)(void *context), void *context,
    volatile enum step_state *state)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(99);
	raise(SIGSTOP);
	*state = STEP_INSIDE;
	body(context);
	*state = STEP_BEHIND;
	_exit(0);
}

/* The child is stopped before the body. */
static inline enum step_end
step_through(pid_t child, bool (*look)(void *context, uint64_t n),
    void *context, const volatile enum step_state *state,
    uint64_t *out_count)
{
	int status;

	while (*state != STEP_BEHIND) {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
		    waitpid(child, &status, 0) != child ||
		    !WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
			return STEP_DIED;
		if (*state == STEP_INSIDE && !look(context, ++*out_count))
			break;
	}
	return STEP_OK;
}

/* look(context, n) after the n-th instruction; false ends the run early. */
static inline enum step_end
step_run(void (*body)(void *context), bool (*look)(void *context, uint64_t n),
    void *context, uint64_t *out_count)
{
	enum step_end end = STEP_IMPOSSIBLE;
	volatile enum step_state *state = mmap(NULL, sizeof(*state),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cpu_set_t old;
	pid_t child;
	int status;

	*out_count = 0;
	if (state == MAP_FAILED)
		return STEP_IMPOSSIBLE;
	step_pin(&old);
	if ((child = fork()) < 0) {
		step_unpin(&old);
		return STEP_IMPOSSIBLE;
	}
	if (child == 0)
		step_child(body, context, state);
	if (waitpid(child, &status, 0) == child && WIFSTOPPED(status))
		end = step_through(child, look, context, state, out_count);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	step_unpin(&old);
	munmap((void *)state, sizeof(*state));
	return end;
}

struct step_other {		/* of step_act */
	uint64_t when;		/* after so many instructions */
	void (*act)(void);
	bool	 acted;
};

static inline bool
step_other_look(void *context, uint64_t n)
{
	struct step_other *other = context;

	other->acted = n == other->when;
	if (other->acted)
		other->act();
	return !other->acted;
}

/*
 * Runs body in a child, act in the parent after the n-th instruction, then the
 * rest of body at full speed. *out_acted: false if body was over before.
 */
static inline enum step_end
step_act(void (*body)(void *context), uint64_t n, void (*act)(void),
    bool *out_acted)
{
	struct step_other other = { .when = n, .act = act };
	volatile enum step_state *state = mmap(NULL, sizeof(*state),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	enum step_end end = STEP_IMPOSSIBLE;
	uint64_t count = 0;
	pid_t child;
	int status;

	if (state == MAP_FAILED || (child = fork()) < 0)
		return STEP_IMPOSSIBLE;
	if (child == 0)
		step_child(body, NULL, state);
	if (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
		end = step_through(child, step_other_look, &other, state,
		    &count);
		ptrace(PTRACE_CONT, child, NULL, NULL);
		waitpid(child, &status, 0);
	}
	if (!WIFEXITED(status)) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		end = end == STEP_OK ? STEP_DIED : end;
	}
	munmap((void *)state, sizeof(*state));
	*out_acted = other.acted;
	return end;
}
