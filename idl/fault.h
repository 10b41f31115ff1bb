/* SPDX-License-Identifier: MIT */
/*
 * Faults that a service carries out itself, for `./bennu chaos`.
 *
 * The injector writes struct fault into the info page of a place; the service
 * can only read it. The kind is FAULT_NONE from the first word written to the
 * last, or a service that passes meanwhile would do it, and do it again when it
 * came back. When the service passes the point for the countdown-th time since
 * that kind was armed (sequence), it counts a hit in its trace page and does
 * what the kind says, once. What is armed stays armed when an incarnation dies
 * (whoever fills the info page leaves it alone): that is how a fault meets the
 * resume of the next one.
 */
#pragma once

#include <stdint.h>

#define FAULT_NONE		0u
#define FAULT_EXCEPTION		1u	/* invalid instruction */
#define FAULT_HANG		2u	/* waits for what never comes */
#define FAULT_LOOP		3u	/* computes without end */
#define FAULT_PANIC		4u
#define FAULT_LEAK		5u	/* takes memory until there is none */
#define FAULT_STRAY_OUTSIDE	6u	/* writes where nothing is mapped */
#define FAULT_STRAY_ARENA	7u	/* writes the arena where it is closed */
#define FAULT_BAD_CAP		8u	/* receives with a handle it never had */
#define FAULT_BAD_REPLY		9u	/* the words of the answer are noise */
#define FAULT_SLOW		10u	/* argument ns for each request from now */
#define FAULT_STRAY_OPEN	11u	/* or where it stays open, see protect.h */
#define FAULT_KINDS		12u

/* Points; service_crash_point of the same name. */
#define FAULT_AT_RECEIVED	1u	/* a call, before its transaction */
#define FAULT_AT_HANDLED	2u	/* prepared, before the commit */
#define FAULT_AT_COMMITTED	3u	/* before the effects */
#define FAULT_AT_EFFECT		4u	/* after one of them */
#define FAULT_AT_ANSWER		5u	/* after an answer to a parked call */
#define FAULT_AT_RESUME		6u	/* of the next incarnation */
#define FAULT_AT_BEAT		7u
#define FAULT_POINTS		8u

struct fault {
	uint32_t sequence;	/* of arming; another one arms again, 0 = never */
	uint32_t kind;		/* FAULT_* */
	uint32_t point;		/* FAULT_AT_* */
	uint32_t countdown;	/* from 1 */
	uint64_t argument;	/* random bits, or ns */
};
