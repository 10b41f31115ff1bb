/* SPDX-License-Identifier: MIT */
/*
 * Start of the libOS in the first process. Every other process begins in a
 * forked copy of this memory (process.c).
 */
#include "exec.h"
#include "file.h"
#include "guard.h"
#include "own.h"
#include "process.h"
#include "thread.h"
#include "view.h"

void libos_start(uint64_t reason);

void
libos_start(uint64_t reason)
{
	(void)reason;
	table_select(INFO->trace != 0);
	own_init();
	thread_init();
	random_reseed();
	guard_init(random_word());
	program_init();
	fd_init();
	view_init();
	exec_first();
}
