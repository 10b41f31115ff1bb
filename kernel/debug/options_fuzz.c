/* SPDX-License-Identifier: MIT */
/* Any text as a command line: taken, or refused at the start of a word. */
#include <kernel/debug/options.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t values[OPTION_COUNT];
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	const char *bad = debug_options_parse(text, values);
	if (bad == NULL && (values[OPTION_COVERAGE] > 1 ||
	    values[OPTION_MISTAKE] > 5))
		abort();
	if (bad != NULL && (bad < text || bad >= text + strlen(text) ||
	    strchr(" \t\r\n", *bad) != NULL ||
	    (bad > text && strchr(" \t\r\n", bad[-1]) == NULL)))
		abort();
	free(text);
	return 0;
}
