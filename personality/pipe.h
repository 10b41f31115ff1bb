/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a shared ring (ring.h) and two notifications, no server.
 *
 * Writers hold end A of an event pair and readers end B; the kernel tells each
 * side when the last holder of the other end is gone, however it went.
 */
#pragma once

#include "file.h"

struct linux_iovec;

#define PIPE_MAX	256u

void pipe_close(struct file *file);
long pipe_read(struct file *file, void *buffer, uint64_t size);
long pipe_write(struct file *file, const void *buffer, uint64_t size);
uint64_t pipe_bytes(const struct file *file);
/* POLL* bits that hold now. */
unsigned pipe_poll(struct file *file);
/*
 * For poll: announces a sleeper and returns the notification that moves when
 * the state changes, and its count so far. Look at pipe_poll again after it.
 */
cap_t pipe_announce(struct file *file, uint64_t *out_seen);
