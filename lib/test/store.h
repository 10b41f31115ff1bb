/* SPDX-License-Identifier: MIT */
/*
 * Runs a function in a child process and stops it after every store to a piece
 * of memory that both share. Nothing else changes what a crash leaves behind,
 * so this sees all that single steps (step.h) see, many times faster.
 *
 * The child's memory is read-only. A store faults; the handler makes its pages
 * writable, lets the one instruction run with the trap flag, and closes them
 * again. Then the child waits until the parent has looked. A repeated string
 * instruction stops after each repetition. x86-64 on Linux.
 */
#pragma once

#include <lib/test/step.h>

#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define STORE_PAGE	4096ul
#define STORE_TRAP_FLAG	0x100

struct store_region {
	void	*base;		/* shared, page aligned */
	size_t	 size;
};

/* Of the child; handlers have no context. */
static struct {
	struct store_region region;
	int	 tell, hear;	/* pipes to and from the parent */
	uint8_t	*open;		/* pages being written, two at most */
	size_t	 open_size;
} store_child;

static inline void
store_default(int signal_number)
{
	signal(signal_number, SIG_DFL);
}

/* A store that was not allowed, or the death of the child. */
static inline void
store_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *machine = (ucontext_t *)context;
	uint8_t *base = (uint8_t *)store_child.region.base;
	size_t offset = (size_t)((uint8_t *)info->si_addr - base);

	if (offset >= store_child.region.size || store_child.open != NULL) {
		store_default(number);
		return;
	}
	/* It may reach into the next page. */
	offset &= ~(STORE_PAGE - 1);
	store_child.open = base + offset;
	store_child.open_size = store_child.region.size - offset;
	if (store_child.open_size > 2 * STORE_PAGE)
		store_child.open_size = 2 * STORE_PAGE;
	mprotect(store_child.open, store_child.open_size,
	    PROT_READ | PROT_WRITE);
	machine->uc_mcontext.gregs[REG_EFL] |= STORE_TRAP_FLAG;
}

static inline void
store_done(int number, siginfo_t *info, void *context)
{
	ucontext_t *machine = (ucontext_t *)context;
	char byte = 1;

	(void)info;
	(void)number;
	machine->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)STORE_TRAP_FLAG;
	mprotect(store_child.open, store_child.open_size, PROT_READ);
	store_child.open = NULL;
	if (write(store_child.tell, &byte, 1) != 1 ||
	    read(store_child.hear, &byte, 1) != 1)
		_exit(0);
}

static inline void
store_run_child(void (*body)(void *context), void *context)
{
	struct sigaction fault = { .sa_sigaction = store_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER };
	struct sigaction trap = { .sa_sigaction = store_done,
		.sa_flags = SA_SIGINFO };
	char byte = 0;

	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGTRAP, &trap, NULL);
	if (mprotect(store_child.region.base, store_child.region.size,
	    PROT_READ) != 0)
		_exit(99);
	body(context);
	/* The end: a byte of 0. */
	_exit(write(store_child.tell, &byte, 1) == 1 ? 0 : 99);
}

/* look(context, n) after the n-th store; false ends the run early. */
static inline enum step_end
store_run(struct store_region region, void (*body)(void *context),
    bool (*look)(void *context, uint64_t n), void *context,
    uint64_t *out_count)
{
	int up[2], down[2], status;
	enum step_end end = STEP_DIED;
	cpu_set_t old;
	char byte;

	*out_count = 0;
	if (pipe(up) != 0 || pipe(down) != 0)
		return STEP_IMPOSSIBLE;
	store_child.region = region;
	store_child.open = NULL;
	store_child.tell = up[1];
	store_child.hear = down[0];
	step_pin(&old);
	pid_t child = fork();
	if (child == 0) {
		close(up[0]);
		close(down[1]);
		store_run_child(body, context);
	}
	close(up[1]);
	close(down[0]);
	while (child > 0 && read(up[0], &byte, 1) == 1) {
		if (byte == 0 || !look(context, ++*out_count)) {
			end = STEP_OK;
			break;
		}
		if (write(down[1], &byte, 1) != 1)
			break;
	}
	close(up[0]);
	close(down[1]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	step_unpin(&old);
	return child > 0 ? end : STEP_IMPOSSIBLE;
}

/*
 * Memory for a run: `size` bytes at `base`, with that content, shared with the
 * child to come. Returns where the parent sees them; NULL on failure.
 */
static inline uint8_t *
store_share(struct store_region region, const void *content)
{
	int file = memfd_create("store", 0);
	uint8_t *alias, *from = (uint8_t *)content;

	if (file < 0 || ftruncate(file, (off_t)region.size) != 0 ||
	    mmap(region.base, region.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_FIXED, file, 0) != region.base)
		return NULL;
	alias = (uint8_t *)mmap(NULL, region.size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, file, 0);
	close(file);
	if (alias == MAP_FAILED)
		return NULL;
	for (size_t i = 0; i < region.size; i++)
		alias[i] = from[i];
	return alias;
}

/* The parent's own memory there instead, with that content. */
static inline bool
store_own(struct store_region region, const void *content)
{
	uint8_t *to = (uint8_t *)region.base, *from = (uint8_t *)content;

	if (mmap(region.base, region.size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != region.base)
		return false;
	for (size_t i = 0; i < region.size; i++)
		to[i] = from[i];
	return true;
}
