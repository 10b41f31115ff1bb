/* SPDX-License-Identifier: MIT */
/* Resource limits of the process, LIMIT_* of idl/proc.capnp. */
#pragma once

#include <idl/proc.h>
#include <stdbool.h>
#include <stdint.h>

/* The soft one, LIMIT_NONE if there is none. */
uint64_t limit_of(unsigned resource);
/* So many bytes more of addresses, and of writable private ones. */
bool limit_allows_memory(uint64_t more);
bool limit_allows_data(uint64_t more);
/*
 * Bytes from position on shall be written: fewer of them in *size, or -E_FBIG
 * and SIGXFSZ.
 */
long limit_write(uint64_t position, uint64_t *size);
/* A file shall grow to that size. */
long limit_grow(uint64_t size);
