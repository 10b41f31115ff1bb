/* SPDX-License-Identifier: MIT */
/* Reads and writes of whole ranges, for tests. */
#pragma once

#include <kernel/object/vspace.h>

status_t memory_read(struct memory *memory, uint64_t offset, void *buffer,
    uint64_t length);
status_t vspace_read(struct vspace *vspace, vaddr_t address, void *buffer,
    uint64_t length);
/* Fails before the first byte if a part of the range may not be written. */
status_t vspace_write(struct vspace *vspace, vaddr_t address,
    const void *buffer, uint64_t length);
