/* SPDX-License-Identifier: MIT */
/*
 * Messages of the schema everything.capnp: random ones, and what a program with
 * generated code does to each field, driven by a table of the layout.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lib/capnp/build.h>

/* The same seed gives the same values. */
struct everything_random {
	uint64_t state;
	uint32_t density;	/* how many fields of 8 are set */
};

uint64_t everything_next(struct everything_random *random);
void everything_seed(struct everything_random *random, uint64_t seed);

/* A message of random values, with far pointers where segments are small. */
void everything_build(struct everything_random *random,
    struct capnp_pointer root);
/* Reads every field and writes it to another message. */
void everything_rewrite(struct capnp_struct from, struct capnp_pointer root);
/* Are all fields the same? Prints the name of the first that is not. */
bool everything_same(struct capnp_struct a, struct capnp_struct b);
