/* SPDX-License-Identifier: MIT */
/*
 * The command line of a debug kernel: words NAME=VALUE, separated by spaces;
 * of two values for one name the last counts.
 *
 * The text comes from whoever starts the machine. A word that is not
 * understood is an error, not a warning: a test whose option was misspelt must
 * not pass. Pure code; tests and a fuzzer run it as a Linux program.
 */
#include <kernel/debug/options.h>

#define FAIL_ALLOC "fail_alloc="

static const char *const mistakes[] = {
	[MISTAKE_SLAB] = "mistake=slab", [MISTAKE_COPY] = "mistake=copy",
	[MISTAKE_FRAME] = "mistake=frame", [MISTAKE_USER] = "mistake=user",
	[MISTAKE_TEXT] = "mistake=text",
};

static bool
ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0;
}

/* Returns what follows `start` in the text, or NULL if it is not there. */
static const char *
after(const char *text, const char *start)
{
	while (*start != 0)
		if (*text++ != *start++)
			return NULL;
	return text;
}

static bool
word_is(const char *word, const char *expected)
{
	const char *end = after(word, expected);

	return end != NULL && ends_word(*end);
}

/* Decimal, at least 1; 0 if it is not. */
static uint64_t
read_number(const char *text)
{
	uint64_t value = 0;

	for (; !ends_word(*text); text++) {
		unsigned digit = (unsigned char)*text - (unsigned)'0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

static const char *
take_word(const char *word, struct debug_options *options)
{
	const char *number = after(word, FAIL_ALLOC);

	if (number != NULL) {
		options->fail_alloc = read_number(number);
		return options->fail_alloc != 0 ? NULL :
		    "a number from 1 on expected";
	}
	if (word_is(word, "coverage=1")) {
		options->coverage = true;
		return NULL;
	}
	for (enum mistake kind = MISTAKE_SLAB; kind <= MISTAKE_TEXT; kind++)
		if (word_is(word, mistakes[kind])) {
			options->mistake = kind;
			return NULL;
		}
	return "unknown option or value";
}

static void
quote(const char *word, char out[OPTION_WORD_MAX])
{
	size_t i = 0;

	for (; !ends_word(word[i]) && i < OPTION_WORD_MAX - 1; i++)
		out[i] = word[i] > ' ' && word[i] <= '~' ? word[i] : '?';
	out[i] = 0;
}

const char *
debug_options_parse(const char *text, struct debug_options *out_options,
    char out_word[OPTION_WORD_MAX])
{
	const char *problem;

	*out_options = (struct debug_options){ .fail_alloc = 0 };
	while (*text != 0) {
		if (ends_word(*text)) {
			text++;
			continue;
		}
		problem = take_word(text, out_options);
		if (problem != NULL) {
			quote(text, out_word);
			return problem;
		}
		while (!ends_word(*text))
			text++;
	}
	return NULL;
}
