/* SPDX-License-Identifier: MIT */
/*
 * Reading files without asking: memory objects of open files, mapped here.
 *
 * Storage gives the memory object of a file, and a watch: a word that changes
 * before anything of the file changes but its bytes. While it shows the version
 * that came with the size, the size is right, and a read is a copy. Otherwise
 * storage is asked, whose answer brings the next size and version.
 *
 * Windows are few: the one that was used longest ago goes. A forked child has
 * none. Memory that is gone because the file was cut stops the copy; then too
 * storage is asked.
 */
#pragma once

#include "file.h"

#include <idl/storage.h>

/* Bytes read, or -1: ask storage. size > 0, offset is a real one. */
long window_read(struct file *file, void *buffer, uint64_t size,
    uint64_t offset);
/* What storage answered to a READ of so many bytes. */
void window_note(struct file *file, const struct storage_read_results *reply,
    uint64_t size);
/* The file goes. */
void window_drop(struct file *file);
/* In a forked child. */
void window_after_fork(void);
