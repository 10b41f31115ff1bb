/* SPDX-License-Identifier: MIT */
/*
 * What a run of the loop looks like from outside, event by event, for the model
 * in tests/model: the words are those of its EVENT_*. Written only if the
 * environment names a file, BENNU_LOOP_EVENTS.
 *
 * One line for each event, a word and three numbers; a line with a dot ends a
 * run. Slots are counted from PLACE_FREE_SLOT on, generations from 0.
 */
#pragma once

#include <lib/service/service.h>

/* What an answer is: ANSWER_* of the model. */
#define EVENTS_OK	1u
#define EVENTS_ERROR	2u
#define EVENTS_CAP	4u	/* with a capability */
#define EVENTS_VOID	8u	/* the caller is dead */

/* A run begins; whatever comes until its end belongs to it. */
void events_begin(void);
void events_end(void);
/* Nothing outside of a run. */
void events_add(const char *word, uint64_t a, uint64_t b, uint64_t c);
/* With the slot and the generation of cap. */
void events_add_slot(const char *word, cap_t cap, uint64_t c);
/* With the bits of a notification, as the model numbers them. */
void events_add_bits(const char *word, uint64_t bits);
