/* SPDX-License-Identifier: MIT */
/*
 * Drives the process table in tests: one transaction for each request, and
 * run_work() in place of the shell, which does what is listed.
 */
#pragma once

#include <idl/errno.h>
#include <lib/proc/proc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ARENA_SIZE
#define ARENA_SIZE	(64u << 20)	/* as in proc.toml */
#endif
#define OFTEN_CHECKED	300u	/* so many processes or fewer */
#define ANSWERS		PROC_MAX

struct answer {
	uint64_t order;
	uint32_t error;
	enum proc_park what;
	struct proc_waited waited;
};

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static struct proc proc;
static struct answer answers[ANSWERS];
static unsigned answer_count;
static uint32_t resumed[PROC_MAX];	/* by run_work(), in order */
static unsigned resumed_count;
static uint64_t next_order;
static unsigned ends;

static inline void
fail_arena(const char *reason)
{
	printf("# arena: %s\n", reason);
	abort();
}

static inline void
take_answer(void *context, const struct proc_answer *answer)
{
	(void)context;
	if (answer_count == ANSWERS)
		abort();
	answers[answer_count++] = (struct answer){ answer->call.order,
	    answer->error, answer->what, answer->waited };
}

/* Signalled bits by notification; tests number those from 0. */
#define NOTIFICATIONS	64u
static uint64_t signalled[NOTIFICATIONS];
static unsigned signal_count;

static inline void
take_signal(void *context, uint64_t notification, uint64_t bits)
{
	(void)context;
	if (notification >= NOTIFICATIONS)
		abort();
	signalled[notification] |= bits;
	signal_count++;
}

static inline struct proc_call
new_call(void)
{
	next_order++;
	return (struct proc_call){ (uint32_t)next_order % 64, next_order };
}

/* NULL if the call is still parked. */
static inline const struct answer *
answer_of(struct proc_call call)
{
	for (unsigned i = 0; i < answer_count; i++) {
		if (answers[i].order == call.order)
			return &answers[i];
	}
	return NULL;
}

static inline void
begin(void)
{
	tx_begin(proc.arena);
}

/* Requests that fail change nothing: their transaction is undone. */
static inline int
end(int error)
{
	if (error > 0)
		tx_abort(proc.arena);
	else
		tx_commit(proc.arena);
	/* Walks all: with many processes not each time. */
	if (proc.table->count < OFTEN_CHECKED || ++ends % 256 == 0)
		KTAP_CHECK(proc_ok(&proc));
	return error;
}

static inline void
run_work(void)
{
	struct process *process;

	while ((process = proc_work_next(&proc)) != NULL) {
		if (process->work & PROC_WORK_RESUME)
			resumed[resumed_count++ % PROC_MAX] = process->pid;
		begin();
		end(process->work & (PROC_WORK_DESTROY | PROC_WORK_ORPHANS) ?
		    proc_ended(&proc, process) :
		    proc_work_done(&proc, process, process->work));
	}
}

static inline struct process *
make(struct process *parent)
{
	struct process *process = NULL;
	uint32_t pid;

	if (proc_pick_pid(&proc, &pid) != 0)
		return NULL;
	begin();
	end(proc_create(&proc, pid, parent, &process));
	run_work();
	return process;
}

static inline struct process *
boot(void)
{
	static const struct arena_environment environment = {
		.fail = fail_arena, .sums = true,
	};

	memset(memory, 0, sizeof(memory));
	memset(&proc, 0, sizeof(proc));
	proc.answer = take_answer;
	proc.signal = take_signal;
	answer_count = 0;
	if (arena_open(memory, sizeof(memory), 1, &environment,
	    &proc.arena) != OK)
		abort();
	begin();
	proc.table = arena_alloc(proc.arena, sizeof(*proc.table));
	if (proc.table == NULL || proc_table_start(&proc) != 0)
		abort();
	tx_commit(proc.arena);
	return make(NULL);
}

static inline void
finish(struct process *process, uint32_t status)
{
	begin();
	end(proc_end(&proc, process, status));
	run_work();
}

/* Returns the pid, 0 for none, -E_* or PARKED. */
/* In a transaction that has saved it. */
static inline void
become(struct process *process, uint32_t user)
{
	const uint32_t id[3] = { user, user, user };

	if (identity_set_ids(&process->who, 2, id) != 0)
		abort();
}

#define PARKED INT64_MIN

static inline int64_t
wait_for(struct process *process, int64_t selector, uint64_t options,
    struct proc_call call, uint64_t *out_status)
{
	struct proc_waited waited;
	bool parked;

	if (out_status != NULL)
		*out_status = 0;
	begin();
	int error = end(proc_wait(&proc, process, call, selector, options,
	    &waited, &parked));
	if (error != 0)
		return -error;
	if (out_status != NULL)
		*out_status = waited.status & UINT32_MAX;
	return parked ? PARKED : (int64_t)waited.pid;
}

static inline int
kill_by(struct process *sender, int64_t selector, unsigned signal)
{
	begin();
	int error = end(proc_kill(&proc, sender, selector, signal,
	    SIGNAL_CODE_USER));
	run_work();
	return error;
}

static inline struct proc_fetched
fetch(struct process *process, uint64_t blocked)
{
	struct proc_fetched fetched;

	begin();
	end(proc_signal_fetch(&proc, process, blocked, &fetched));
	return fetched;
}

/* What a libOS does without a handler; 0 if it goes on, or PARKED. */
static inline int64_t
stop_by(struct process *process, unsigned signal, struct proc_call call)
{
	bool parked;

	begin();
	int error = end(proc_stop(&proc, process, call, signal, &parked));
	run_work();
	return error != 0 ? -error : parked ? PARKED : 0;
}

static inline int
setpgid_by(struct process *process, uint64_t pid, uint64_t pgid)
{
	begin();
	int error = end(proc_setpgid(&proc, process, pid, pgid));
	run_work();
	return error;
}

static inline int
setsid_by(struct process *process)
{
	begin();
	int error = end(proc_setsid(&proc, process));
	run_work();
	return error;
}
