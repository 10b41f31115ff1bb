/* SPDX-License-Identifier: MIT */
/*
 * The command line of a debug kernel: words NAME=NUMBER, separated by spaces;
 * of two numbers for one name the last counts.
 *
 * The text comes from whoever starts the machine. A word that is not
 * understood is an error, not a warning: a test whose option was misspelt must
 * not pass. Pure code; tests and a fuzzer run it as a Linux program.
 */
#include <kernel/debug/options.h>

#include <stdbool.h>
#include <stddef.h>

static const struct {
	const char *start;
	uint64_t max;
} known[OPTION_COUNT] = {
	[OPTION_COVERAGE] = { "coverage=", 1 },
	[OPTION_FAIL_ALLOC] = { "fail_alloc=", UINT64_MAX },
	[OPTION_MISTAKE] = { "mistake=", 5 },
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

/* Decimal, up to the end of the word; 0 if it is not from 1 to max. */
static uint64_t
read_number(const char *text, uint64_t max)
{
	uint64_t value = 0;

	for (; !ends_word(*text); text++) {
		unsigned digit = (unsigned char)*text - (unsigned)'0';

		if (digit > 9 || digit > max || value > (max - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	return value;
}

static bool
take_word(const char *word, uint64_t values[OPTION_COUNT])
{
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		const char *number = after(word, known[i].start);

		if (number != NULL) {
			values[i] = read_number(number, known[i].max);
			return values[i] != 0;
		}
	}
	return false;
}

const char *
debug_options_parse(const char *text, uint64_t out_values[OPTION_COUNT])
{
	for (unsigned i = 0; i < OPTION_COUNT; i++)
		out_values[i] = 0;
	for (; *text != 0; text++) {
		if (ends_word(*text))
			continue;
		if (!take_word(text, out_values))
			return text;
		while (!ends_word(text[1]))
			text++;
	}
	return NULL;
}
