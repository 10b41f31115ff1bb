/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of the host presets. A test is a function whose name states the
 * law it checks; a program runs its tests in order and prints KTAP:
 *
 *	static void
 *	test_empty_list_has_no_head(void)
 *	{
 *		KTAP_CHECK(list_first(&list) == NULL);
 *	}
 *
 *	int
 *	main(void)
 *	{
 *		static const struct ktap_test tests[] = {
 *			KTAP_TEST(test_empty_list_has_no_head),
 *		};
 *		return KTAP_RUN(tests);
 *	}
 *
 * A failed check is reported with its place and values and the test goes on;
 * KTAP_REQUIRE returns from the function that contains it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct ktap_test {
	const char *name;
	void (*run)(void);
};

struct ktap_state {
	bool failed;		/* a check of the running test failed */
	const char *skipped;	/* why the running test does not apply */
};

/* One per program: the header is included by one file of each test. */
static struct ktap_state ktap_state;

#define KTAP_TEST(function)	{ #function, function }

#define KTAP_RUN(tests) \
	ktap_run((tests), (unsigned)(sizeof(tests) / sizeof((tests)[0])))

#define KTAP_CHECK(condition) \
	((condition) ? true : ktap_fail(__FILE__, __LINE__, #condition))

#define KTAP_EQUAL(a, b) \
	ktap_equal(__FILE__, __LINE__, #a " == " #b, \
	    (uint64_t)(a), (uint64_t)(b))

#define KTAP_REQUIRE(condition) \
	do { \
		if (!KTAP_CHECK(condition)) \
			return; \
	} while (0)

#define KTAP_SKIP(why) \
	do { \
		ktap_state.skipped = (why); \
		return; \
	} while (0)

static inline bool
ktap_fail(const char *file, int line, const char *condition)
{
	printf("# %s:%d: failed: %s\n", file, line, condition);
	ktap_state.failed = true;
	return false;
}

static inline bool
ktap_equal(const char *file, int line, const char *condition,
    uint64_t a, uint64_t b)
{
	if (a == b)
		return true;
	printf("# %#llx against %#llx\n", (unsigned long long)a,
	    (unsigned long long)b);
	return ktap_fail(file, line, condition);
}

static inline int
ktap_run(const struct ktap_test *tests, unsigned count)
{
	unsigned failures = 0;

	/* What was printed before a crash must reach the reader. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%u\n", count);
	for (unsigned i = 0; i < count; i++) {
		ktap_state = (struct ktap_state){ 0 };
		tests[i].run();
		printf("%s %u %s", ktap_state.failed ? "not ok" : "ok", i + 1,
		    tests[i].name);
		if (ktap_state.skipped != NULL)
			printf(" # SKIP %s", ktap_state.skipped);
		printf("\n");
		failures += ktap_state.failed;
	}
	return failures == 0 ? 0 : 1;
}
