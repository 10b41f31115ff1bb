/* SPDX-License-Identifier: MIT */
/* Any text as a command line: taken, or refused with a printable word of it. */
#include <kernel/debug/options.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct debug_options options;
	char word[OPTION_WORD_MAX];
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	memset(word, 'x', sizeof(word));
	const char *problem = debug_options_parse(text, &options, word);
	if (problem == NULL && options.mistake > MISTAKE_TEXT)
		abort();
	if (problem != NULL) {
		size_t length = strnlen(word, sizeof(word));

		if (length == 0 || length == sizeof(word))
			abort();
		for (size_t i = 0; i < length; i++)
			if (!isgraph((unsigned char)word[i]))
				abort();
	}
	free(text);
	return 0;
}
