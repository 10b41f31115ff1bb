/* SPDX-License-Identifier: MIT */
/* Between the files of the guest port. */
#pragma once

#include <lib/channel/guest/guest.h>
#include <lib/channel/guest/heap.h>

#define GUEST_HEAP	(1ul << 20)	/* bytes, if not said */

/* A memory object that is mapped here. */
struct guest_mapping {
	cap_t	 memory;	/* CAP_NONE: none */
	uint64_t address, size;
};

struct guest_lane {
	struct guest_lane *next;	/* of the member */
	uint64_t number, peer;
	struct guest_mapping memory, pool;
	cap_t	 bell;			/* of the other end */
	uint64_t bits;
};

struct guest_member {
	uint64_t number;
	struct channel_config config;
	struct guest_lane *lanes;
	struct guest_mapping statistics, pool;
	struct token token;
};

struct guest {
	struct channel_domain base;
	struct channel_guest_options options;
	cap_t	 session;
	struct guest_mapping page, own;	/* own: this structure and the heap */
	struct heap heap;
	struct ranges ranges;
	uint64_t other_bits;
};

static inline struct guest *
guest_of(struct channel_domain *domain)
{
	return domain->context;
}

/* memory.c: consumes the capability, also when it fails. */
status_t guest_map(struct guest *guest, cap_t take_memory, uint64_t size,
    unsigned flags, struct guest_mapping *out_mapping);
void guest_unmap(struct guest *guest, struct guest_mapping *mapping);

/* event.c */
status_t guest_next_event(struct channel_domain *domain,
    struct channel_member *member, struct channel_event *out_event);
void guest_drop_lane(struct channel_domain *domain,
    struct channel_member *member, struct lane_place *place);
/* All that are left, without a word to the broker. */
void guest_forget_lanes(struct guest *guest, struct guest_member *member);
