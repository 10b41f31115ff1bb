/* SPDX-License-Identifier: MIT */
/*
 * Shared memory of an open file that has no server: every process that has the
 * file maps the same pages, so what one does to it the others see. A file of
 * such a kind has the memory object in file->cap and its place in file->cell.
 *
 * Two sizes, each at places of its own, known by the index alone: fork copies
 * the mapping and the struct file, and both stay right.
 */
#pragma once

#include "file.h"

#define CELL_SMALL	4096u
#define CELL_LARGE	0x20000u	/* epoll.c */
#define CELL_SMALL_MAX	1024u
#define CELL_LARGE_MAX	256u

struct cell {
	cap_t	 memory;
	uint16_t place;
};

/* Zeroed. 0 or -E_*. */
long cell_new(bool large, struct cell *out_cell);
void cell_free(const struct cell *cell);
void *cell_at(uint16_t place);

/*
 * A lock in a cell. What it guards is whole at each step: it is taken over from
 * a process that died as it is.
 */
void cell_lock(uint64_t *word);
void cell_unlock(uint64_t *word);

/*
 * A description of that kind and its descriptor; the cell is filled, and gone on
 * failure. flags: O_NONBLOCK, O_CLOEXEC. fd or -E_*.
 */
long cell_install(const struct cell *take_cell, enum file_kind kind,
    uint32_t flags);
/* file_ops.close and .status */
void cell_file_close(struct file *file);
long cell_file_status(const struct file *file, struct storage_stat *out);
