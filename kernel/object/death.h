/* SPDX-License-Identifier: MIT */
/* Death record: who died last in a place, why, and during which call. */
#pragma once

#include <abi/utcb.h>
#include <kernel/object/notification.h>

struct thread;

struct death {
	struct object	object;
	struct lock	lock;		/* guards info */
	struct death_info info;
	struct event	event;
};

status_t death_create(struct container *container, struct death **out_death);
void death_record(struct death *death, struct thread *thread, uint64_t cause,
    uint64_t code);
/* Copies the record and resolves the event. */
/* resolve: the event is taken note of, and not listed again. */
void death_read(struct death *death, bool resolve,
    struct death_info *out_info);
