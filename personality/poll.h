/* SPDX-License-Identifier: MIT */
/* What poll, select and epoll share. */
#pragma once

#include "file.h"
#include "linux.h"

/* POLL* bits that hold now. */
unsigned file_poll(struct file *file);
/* Which watches of a file tell of these events; one at least. */
bool poll_wants_in(unsigned events);
bool poll_wants_out(unsigned events);
/* 0 stays 0, NULL is DEADLINE_NEVER. 0 or -E_*. */
long poll_deadline(const struct linux_timespec *timeout, uint64_t *out);
/* Signal mask for the time of a call; NULL: none. 0 or -E_*. */
long poll_begin_mask(const uint64_t *mask, size_t size);
/* When a handler will run, its return restores the mask. */
long poll_end_mask(long result);
