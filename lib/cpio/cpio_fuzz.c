/* SPDX-License-Identifier: MIT */
/* Any bytes as an archive: entries lie inside it, and reading ends. */
#include <lib/cpio/cpio.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cpio_entry entry;
	struct cpio cpio;
	size_t end;

	cpio_open(&cpio, data, size);
	while (cpio_next(&cpio, &entry) == OK) {
		if (entry.data < data || entry.size > size ||
		    entry.data + entry.size > data + size ||
		    strlen(entry.name) != entry.name_length)
			abort();
	}
	cpio_open(&cpio, data, size);
	if (cpio_archive_end(&cpio, &end) == OK && end >= size)
		abort();
	return 0;
}
