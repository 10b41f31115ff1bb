/* SPDX-License-Identifier: MIT */
/*
 * Short form of lib/ktap for tests that are defined where they are written:
 *
 *	TEST(test_empty_list_has_no_head)
 *	{
 *		EXPECT(list_first(&list) == NULL);
 *		EXPECT_EQ(list_length(&list), 0);
 *	}
 *
 *	TEST_MAIN(setup())
 *
 * Tests run in the order of the file, after the setup expression. A failed
 * expectation prints its place and values; the program then exits with 1.
 */
#pragma once

#include <lib/ktap/ktap.h>

#define TEST_MAX 64

static struct ktap_test test_list[TEST_MAX];
static unsigned test_count;

#define TEST(function) \
	static void function(void); \
	__attribute__((constructor)) static void \
	function##_register(void) \
	{ \
		test_list[test_count++] = \
		    (struct ktap_test)KTAP_TEST(function); \
	} \
	static void \
	function(void)

#define EXPECT(condition)	((void)KTAP_CHECK(condition))
#define EXPECT_EQ(a, b)		((void)KTAP_EQUAL(a, b))

#define TEST_MAIN(setup) \
	int \
	main(void) \
	{ \
		(void)(setup); \
		return ktap_run(test_list, test_count); \
	}
