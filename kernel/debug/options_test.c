/* SPDX-License-Identifier: MIT */
/* The command line of a debug kernel: what is taken, what is refused. */
#include <kernel/debug/options.h>
#include <lib/test/ktap.h>
#include <string.h>

static struct debug_options options;
static char word[OPTION_WORD_MAX];

static const char *
parse(const char *text)
{
	memset(word, 0, sizeof(word));
	return debug_options_parse(text, &options, word);
}

TEST(test_nothing_is_fine)
{
	EXPECT(parse("") == NULL);
	EXPECT(parse(" \t\r\n ") == NULL);
	EXPECT_EQ(options.fail_alloc, 0);
	EXPECT(!options.coverage);
	EXPECT_EQ(options.mistake, MISTAKE_NONE);
}

TEST(test_each_option_is_taken)
{
	EXPECT(parse(" fail_alloc=12  coverage=1\tmistake=frame\n") == NULL);
	EXPECT_EQ(options.fail_alloc, 12);
	EXPECT(options.coverage);
	EXPECT_EQ(options.mistake, MISTAKE_FRAME);
	EXPECT(parse("mistake=slab mistake=text") == NULL);
	EXPECT_EQ(options.mistake, MISTAKE_TEXT);
	EXPECT(parse("fail_alloc=18446744073709551615") == NULL);
	EXPECT_EQ(options.fail_alloc, UINT64_MAX);
}

TEST(test_words_that_are_not_understood_are_named)
{
	static const char *const bad[] = {
		"quiet", "=", "=1", "fail_alloc", "fail_alloc=", "coverage",
		"coverage=", "coverage=0", "coverage=11", "coverage=1x",
		"mistake=", "mistake=slabs", "mistake=sla", "Coverage=1",
		"fail_alloc=0", "fail_alloc=-1", "fail_alloc=+1",
		"fail_alloc=0x10", "fail_alloc=1k", "fail_alloc=1,2",
		"fail_alloc=18446744073709551616", "xfail_alloc=1",
		"fail_alloc=99999999999999999999",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char line[128];

		snprintf(line, sizeof(line), "coverage=1 %s fail_alloc=1",
		    bad[i]);
		EXPECT(parse(line) != NULL);
		EXPECT(strcmp(word, bad[i]) == 0);
	}
}

TEST(test_a_word_in_a_message_is_cut_and_printable)
{
	char line[200];

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = 0;
	EXPECT(parse(line) != NULL);
	EXPECT_EQ(strlen(word), OPTION_WORD_MAX - 1);
	EXPECT(parse("a\033[2J\xff") != NULL);
	EXPECT(strcmp(word, "a?[2J?") == 0);
}

TEST_MAIN(0)
