/* SPDX-License-Identifier: MIT */
/*
 * Octonions over the integers modulo 2^64, and session identities.
 *
 * Sums and products are exact modulo 2^64, so the laws of the algebra hold
 * without rounding: it is alternative, the norm is multiplicative, the Moufang
 * identities hold; it is neither commutative nor associative. No floating
 * point: services have none.
 *
 * A session identity is an octonion of eight signed bytes, packed into 64 bits
 * that a message can carry. The bytes are a hash of the session's token with a
 * key of the authority (token_identity). Two sessions are isolated if their
 * imaginary parts do not point in the same direction or nearly so: the norm of
 * the cross product, |a|^2 |b|^2 sin^2, is at least OCTONION_ISOLATION.
 *
 * This tells sessions apart, so that messages are not attributed to the wrong
 * one by mistake. It is no cryptography: who sees an identity can repeat it,
 * and nothing about octonions makes that harder. What keeps a stranger out is
 * the tag of the token. Two tokens chosen at random have the same identity with
 * a chance of 2^-64, and are not isolated with one below 10^-15.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define OCTONION_ISOLATION	4096u

struct octonion {
	uint64_t part[8];	/* part[0] is the real one; modulo 2^64 */
};

struct octonion octonion_add(struct octonion a, struct octonion b);
struct octonion octonion_multiply(struct octonion a, struct octonion b);
struct octonion octonion_conjugate(struct octonion a);
/* Sum of the squares of all parts. */
uint64_t octonion_norm(struct octonion a);
/*
 * Of the imaginary parts: orthogonal to both; zero iff they are parallel, as
 * long as nothing exceeds 64 bits (never for identities).
 */
struct octonion octonion_cross(struct octonion a, struct octonion b);
bool octonion_equal(struct octonion a, struct octonion b);

/* Signed bytes, part[0] lowest. Pack keeps the low byte of each part. */
struct octonion octonion_unpack(uint64_t identity);
uint64_t octonion_pack(struct octonion a);

/* An identity is never isolated from itself. Symmetric. */
bool octonion_isolated(uint64_t one, uint64_t other);
