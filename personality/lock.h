/* SPDX-License-Identifier: MIT */
/*
 * Locks of files, kept by storage (lib/storage/lock.c).
 *
 * Record locks belong to a description of the process's own, which a child does
 * not keep, so they end with the process. Others belong to the open file.
 */
#pragma once

#include "file.h"

/* F_GETLK and the like; *argument is a struct flock of the program. */
long lock_control(struct file *file, unsigned command, void *argument);
/* One more descriptor of the file is closed: the process's locks on it go. */
void lock_close(const struct file *file);
/* In the child. */
void lock_after_fork(void);
