/* SPDX-License-Identifier: MIT */
#include <lib/token/octonion.h>

#include <lib/base/hash.h>
#include <lib/test/ktap.h>

#define ROUNDS	20000u

static uint64_t seed;

static uint64_t
random_word(void)
{
	return hash_mix(++seed);
}

static struct octonion
random_octonion(void)
{
	struct octonion a;

	for (unsigned i = 0; i < 8; i++)
		a.part[i] = random_word();
	return a;
}

static struct octonion
unit(unsigned i)
{
	struct octonion a = { { 0 } };

	a.part[i] = 1;
	return a;
}

static struct octonion
negative(struct octonion a)
{
	for (unsigned i = 0; i < 8; i++)
		a.part[i] = 0 - a.part[i];
	return a;
}

#define MUL(a, b)	octonion_multiply(a, b)

static uint64_t
dot(struct octonion a, struct octonion b)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < 8; i++)
		sum += a.part[i] * b.part[i];
	return sum;
}

TEST(test_units_square_to_minus_one_and_anticommute)
{
	for (unsigned i = 0; i < 8; i++) {
		EXPECT(octonion_equal(MUL(unit(0), unit(i)), unit(i)));
		EXPECT(octonion_equal(MUL(unit(i), unit(0)), unit(i)));
		EXPECT(octonion_equal(MUL(unit(i), unit(i)), i == 0 ? unit(0) :
		    negative(unit(0))));
		for (unsigned j = 1; j < 8; j++) {
			if (i == 0 || i == j)
				continue;
			struct octonion ij = MUL(unit(i), unit(j));
			EXPECT(octonion_equal(ij, negative(MUL(unit(j),
			    unit(i)))));
			EXPECT_EQ(octonion_norm(ij), 1);
			EXPECT(ij.part[i ^ j] == 1 || ij.part[i ^ j] ==
			    UINT64_MAX);
		}
	}
}

TEST(test_product_is_distributive)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct octonion a = random_octonion(), b = random_octonion();
		struct octonion c = random_octonion();
		EXPECT(octonion_equal(MUL(a, octonion_add(b, c)),
		    octonion_add(MUL(a, b), MUL(a, c))));
		EXPECT(octonion_equal(MUL(octonion_add(b, c), a),
		    octonion_add(MUL(b, a), MUL(c, a))));
	}
}

TEST(test_product_is_alternative)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct octonion a = random_octonion(), b = random_octonion();
		EXPECT(octonion_equal(MUL(MUL(a, a), b), MUL(a, MUL(a, b))));
		EXPECT(octonion_equal(MUL(MUL(b, a), a), MUL(b, MUL(a, a))));
		EXPECT(octonion_equal(MUL(MUL(a, b), a), MUL(a, MUL(b, a))));
	}
}

TEST(test_moufang_identities)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct octonion x = random_octonion(), y = random_octonion();
		struct octonion z = random_octonion();
		EXPECT(octonion_equal(MUL(z, MUL(x, MUL(z, y))),
		    MUL(MUL(MUL(z, x), z), y)));
		EXPECT(octonion_equal(MUL(x, MUL(z, MUL(y, z))),
		    MUL(MUL(MUL(x, z), y), z)));
		EXPECT(octonion_equal(MUL(MUL(z, x), MUL(y, z)),
		    MUL(MUL(z, MUL(x, y)), z)));
	}
}

TEST(test_norm_is_multiplicative_and_that_of_the_conjugate)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct octonion a = random_octonion(), b = random_octonion();
		EXPECT_EQ(octonion_norm(MUL(a, b)),
		    octonion_norm(a) * octonion_norm(b));
		struct octonion square = MUL(a, octonion_conjugate(a));
		EXPECT_EQ(square.part[0], octonion_norm(a));
		square.part[0] = 0;
		EXPECT_EQ(octonion_norm(square), 0);
		EXPECT(octonion_equal(octonion_conjugate(MUL(a, b)),
		    MUL(octonion_conjugate(b), octonion_conjugate(a))));
	}
}

TEST(test_product_is_not_associative)
{
	struct octonion left = MUL(MUL(unit(1), unit(2)), unit(4));
	struct octonion right = MUL(unit(1), MUL(unit(2), unit(4)));

	EXPECT(!octonion_equal(left, right));
	EXPECT(octonion_equal(left, negative(right)));
}

TEST(test_cross_product_is_orthogonal_and_as_long_as_the_area)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		struct octonion a = octonion_unpack(random_word());
		struct octonion b = octonion_unpack(random_word());
		struct octonion cross = octonion_cross(a, b);
		EXPECT_EQ(dot(cross, a), 0);
		EXPECT_EQ(dot(cross, b), 0);
		EXPECT(octonion_equal(cross, negative(octonion_cross(b, a))));
		a.part[0] = b.part[0] = 0;
		EXPECT_EQ(octonion_norm(cross), octonion_norm(a) *
		    octonion_norm(b) - dot(a, b) * dot(a, b));
	}
}

TEST(test_pack_is_the_inverse_of_unpack)
{
	for (unsigned n = 0; n < ROUNDS; n++) {
		uint64_t identity = random_word();
		EXPECT_EQ(octonion_pack(octonion_unpack(identity)), identity);
	}
	EXPECT_EQ(octonion_unpack(0x80ff).part[0], UINT64_MAX);
	EXPECT_EQ(octonion_unpack(0x80ff).part[1], (uint64_t)-128);
}

TEST(test_identities_are_isolated_unless_they_point_the_same_way)
{
	for (unsigned n = 0; n < 10 * ROUNDS; n++) {
		uint64_t a = random_word(), b = random_word();
		EXPECT(octonion_isolated(a, b));
		EXPECT(octonion_isolated(b, a));
		EXPECT(!octonion_isolated(a, a));
		EXPECT(!octonion_isolated(a, a ^ 0xff));
	}
	EXPECT(!octonion_isolated(0x0a141e28323c00, 0x050a0f14191e00));
	EXPECT(!octonion_isolated(0, 0x050a0f14191e00));
}

TEST_MAIN(0)
