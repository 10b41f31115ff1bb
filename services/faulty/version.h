/* SPDX-License-Identifier: MIT */
/*
 * faulty comes as several images, to be reloaded one by the other. They differ
 * in one file, which says how this version keeps the sum and what is wrong with
 * it.
 */
#pragma once

#include <idl/place.h>
#include <lib/service/service.h>

#define FAULTY_PARKED_MAX	10240u

struct faulty_context {
	uint64_t sum;		/* combined with the key of the version */
	uint64_t born;		/* cold starts when this arena was made */
	uint64_t parked_count;
	struct parked_call parked[FAULTY_PARKED_MAX];
};

struct faulty_version {
	uint64_t layout;
	uint64_t key;		/* the sum is kept as its exclusive or */
	status_t (*upgrade)(void *root, uint64_t from);
	void	 (*resume)(void);	/* these two; NULL: nothing is wrong */
	void	 (*idle)(void);
};

extern const struct faulty_version faulty_version;
