/* SPDX-License-Identifier: MIT */
/* Operations of crash_test.c that are not on names and bytes. */
#pragma once

#include "fake_host.h"

extern struct fake crash_fake;

/* Of the tree that all begin with, by number: crash_test.c. */
struct description *crash_base(unsigned i);
/* Opens a path below the root. */
unsigned crash_open(const char *path, unsigned flags);

/* type over these bytes for base `by`, as a process; reply 0: does not wait. */
unsigned lock_with(unsigned by, unsigned type, uint64_t first, uint64_t last,
    uint32_t reply);

unsigned run_lock(void);
unsigned run_lock_first(void);
unsigned run_lock_waits(void);
unsigned run_unlock_some(void);
unsigned run_unlock_grants(void);
unsigned run_cancel(void);
unsigned run_close_owner(void);
unsigned run_close_waiter(void);
unsigned run_retire_owner(void);
unsigned run_clear(void);
unsigned run_copy(void);
unsigned run_nameless(void);
unsigned run_link_nameless(void);
unsigned run_close_nameless(void);
unsigned run_fifo(void);
unsigned run_fifo_first(void);
unsigned run_fifo_leave(void);
unsigned run_close_fifo(void);
unsigned run_retire_fifo(void);
