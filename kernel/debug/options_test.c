/* SPDX-License-Identifier: MIT */
/* The command line of a debug kernel: what is taken, what is refused. */
#include <kernel/debug/options.h>
#include <lib/test/ktap.h>
#include <string.h>

static uint64_t values[OPTION_COUNT];

static const char *
parse(const char *text)
{
	memset(values, 0xff, sizeof(values));
	return debug_options_parse(text, values);
}

TEST(test_nothing_is_fine)
{
	EXPECT(parse("") == NULL);
	EXPECT(parse(" \t\r\n ") == NULL);
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		EXPECT_EQ(values[i], 0);
}

TEST(test_each_option_is_taken)
{
	EXPECT(parse(" fail_alloc=12  coverage=1\tmistake=3\n") == NULL);
	EXPECT_EQ(values[OPTION_FAIL_ALLOC], 12);
	EXPECT_EQ(values[OPTION_COVERAGE], 1);
	EXPECT_EQ(values[OPTION_MISTAKE], 3);
	EXPECT(parse("mistake=1 mistake=05") == NULL);
	EXPECT_EQ(values[OPTION_MISTAKE], 5);
	EXPECT(parse("fail_alloc=18446744073709551615") == NULL);
	EXPECT_EQ(values[OPTION_FAIL_ALLOC], UINT64_MAX);
}

TEST(test_words_that_are_not_understood_are_pointed_at)
{
	static const char *const bad[] = {
		"quiet", "=", "=1", "fail_alloc", "fail_alloc=", "coverage",
		"coverage=", "coverage=0", "coverage=2", "coverage=11",
		"coverage=1x", "mistake=", "mistake=0", "mistake=6",
		"mistake=10", "mistake=slab", "Coverage=1", "fail_alloc=0",
		"fail_alloc=-1", "fail_alloc=+1", "fail_alloc=0x10",
		"fail_alloc=1k", "fail_alloc=1,2", "xfail_alloc=1",
		"fail_alloc=18446744073709551616",
		"fail_alloc=99999999999999999999", "\377\033",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "coverage=1 %s fail_alloc=1",
		    bad[i]);
		EXPECT(parse(line) == line + strlen("coverage=1 "));
		EXPECT(parse(bad[i]) == bad[i]);
	}
}

TEST_MAIN(0)
