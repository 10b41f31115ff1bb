/* SPDX-License-Identifier: MIT */
/*
 * Status codes: the one error vocabulary of kernel, services and libraries.
 *
 * Every native call returns one of these in its first result register. Zero
 * is success. A status names what was wrong; it never carries data.
 */
#pragma once

#include <stdint.h>

typedef uint64_t status_t;

#define OK		0ul
#define ERR_HANDLE	1ul	/* no such capability, or a stale handle */
#define ERR_TYPE	2ul	/* the capability names another kind of object */
#define ERR_RIGHT	3ul	/* the capability lacks a needed right */
#define ERR_ARG		4ul	/* an argument is malformed */
#define ERR_RANGE	5ul	/* an offset, index or size is out of range */
#define ERR_NOMEM	6ul	/* the machine has no free memory */
#define ERR_LIMIT	7ul	/* the paying container is at its limit */
#define ERR_NOENT	8ul	/* nothing there */
#define ERR_EXIST	9ul	/* something is there already */
#define ERR_STATE	10ul	/* the object is not in a state that allows this */
#define ERR_FAULT	11ul	/* an address is not mapped with that access */
#define ERR_RETRY	12ul	/* touch the address returned, then call again */
#define ERR_INTERRUPTED	13ul	/* a kick ended the wait; nothing was done */
#define ERR_TIMEOUT	14ul	/* the deadline passed first */
#define ERR_GONE	15ul	/* the peer died or gave up for good */
#define ERR_STALE	16ul	/* the session was opened before a cold start */
#define ERR_BUSY	17ul	/* in use; try after it was released */
#define ERR_FULL	18ul	/* no free slot, queue place or identifier */
#define ERR_EMPTY	19ul	/* nothing to take */
#define ERR_NOSYS	20ul	/* no such call */
#define ERR_CANCELLED	21ul	/* the caller asked to stop; nothing was done */
#define ERR_CORRUPT	22ul	/* a check of stored state failed */
#define STATUS_COUNT	23ul
