/* SPDX-License-Identifier: MIT */
/* Any bytes: no access outside them; what is accepted is well formed. */
#include <lib/toml/toml.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const struct toml *toml, uint16_t offset)
{
	if (offset >= toml->text_length ||
	    memchr(&toml->text[offset], '\0',
	    toml->text_length - offset) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct toml toml;
	unsigned line;
	enum toml_error error = toml_parse((const char *)data, size, &toml,
	    &line);

	if (line == 0 || error >= TOML_ERROR_COUNT)
		abort();
	if (error != TOML_OK)
		return 0;
	for (unsigned i = 0; i < toml.entry_count; i++) {
		const struct toml_entry *entry = &toml.entry[i];
		check_text(&toml, entry->key);
		check_text(&toml, entry->table);
		if (entry->first + entry->count > toml.string_count)
			abort();
		for (unsigned j = 0; j < entry->count; j++)
			check_text(&toml, toml.string[entry->first + j]);
		if (toml_find(&toml, toml_text(&toml, entry->table),
		    toml_text(&toml, entry->key)) != entry)
			abort();
	}
	return 0;
}
