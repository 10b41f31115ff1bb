/* SPDX-License-Identifier: MIT */
/*
 * An octonion is a pair of quaternions (Cayley and Dickson):
 *
 *	(a, b)(c, d) = (ac - d*b, da + bc*)
 *
 * where * is the conjugate.
 */
#include <lib/token/octonion.h>

struct quaternion {
	uint64_t part[4];
};

static inline struct quaternion
multiply(struct quaternion x, struct quaternion y)
{
	const uint64_t *a = x.part, *b = y.part;

	return (struct quaternion){ {
	    a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
	    a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
	    a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
	    a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
	} };
}

static inline struct quaternion
conjugate(struct quaternion x)
{
	return (struct quaternion){ { x.part[0], 0 - x.part[1], 0 - x.part[2],
	    0 - x.part[3] } };
}

static inline struct quaternion
half(const struct octonion *a, unsigned first)
{
	return (struct quaternion){ { a->part[first], a->part[first + 1],
	    a->part[first + 2], a->part[first + 3] } };
}

struct octonion
octonion_add(struct octonion a, struct octonion b)
{
	for (unsigned i = 0; i < 8; i++)
		a.part[i] += b.part[i];
	return a;
}

struct octonion
octonion_multiply(struct octonion x, struct octonion y)
{
	struct quaternion a = half(&x, 0), b = half(&x, 4);
	struct quaternion c = half(&y, 0), d = half(&y, 4);
	struct quaternion ac = multiply(a, c), db = multiply(conjugate(d), b);
	struct quaternion da = multiply(d, a), bc = multiply(b, conjugate(c));
	struct octonion product;

	for (unsigned i = 0; i < 4; i++) {
		product.part[i] = ac.part[i] - db.part[i];
		product.part[i + 4] = da.part[i] + bc.part[i];
	}
	return product;
}

struct octonion
octonion_conjugate(struct octonion a)
{
	for (unsigned i = 1; i < 8; i++)
		a.part[i] = 0 - a.part[i];
	return a;
}

uint64_t
octonion_norm(struct octonion a)
{
	uint64_t norm = 0;

	for (unsigned i = 0; i < 8; i++)
		norm += a.part[i] * a.part[i];
	return norm;
}

/* The product of two imaginary ones is their cross product, less their dot. */
struct octonion
octonion_cross(struct octonion a, struct octonion b)
{
	a.part[0] = 0;
	b.part[0] = 0;
	struct octonion cross = octonion_multiply(a, b);
	cross.part[0] = 0;
	return cross;
}

bool
octonion_equal(struct octonion a, struct octonion b)
{
	uint64_t difference = 0;

	for (unsigned i = 0; i < 8; i++)
		difference |= a.part[i] ^ b.part[i];
	return difference == 0;
}

struct octonion
octonion_unpack(uint64_t identity)
{
	struct octonion a;

	for (unsigned i = 0; i < 8; i++)
		a.part[i] = (uint64_t)(int64_t)(int8_t)(identity >> 8 * i);
	return a;
}

uint64_t
octonion_pack(struct octonion a)
{
	uint64_t identity = 0;

	for (unsigned i = 0; i < 8; i++)
		identity |= (a.part[i] & 0xff) << 8 * i;
	return identity;
}

bool
octonion_isolated(uint64_t one, uint64_t other)
{
	return octonion_norm(octonion_cross(octonion_unpack(one),
	    octonion_unpack(other))) >= OCTONION_ISOLATION;
}
