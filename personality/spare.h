/* SPDX-License-Identifier: MIT */
/*
 * Handles of storage that outlive their files: making and deleting one costs
 * several native calls on both sides, so that of a closed file is retired and
 * serves the next opening.
 *
 * Only what no fork has shared is retired: others would see their file change.
 * A fork gets rid of all spares, or the child could use what the parent opens.
 * Storage remembers from which directory a description was opened, so a spare
 * serves an absolute path, and a relative one from the same directory.
 */
#pragma once

#include <abi/object.h>
#include <idl/storage.h>
#include <stdbool.h>

/*
 * Opens below base, with a spare or without. The handle, and in *out_base what
 * file.base shall be. 0 or -E_*.
 */
long spare_open(cap_t base, const struct storage_open_args *in,
    struct storage_open_results *out_opened, cap_t *out_cap,
    cap_t *out_base);
/* Closes; takes the handle, if it can, and deletes it otherwise. */
void spare_close(cap_t take_cap, cap_t base, bool shared);
/* Before a fork. */
void spare_drop_all(void);
