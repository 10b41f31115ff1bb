/* SPDX-License-Identifier: MIT */
/* Any text: refused with a reason, or within the limits of the header. */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(bool law)
{
	if (!law)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct manifest manifest;
	struct manifest_error error;

	if (!manifest_parse((const char *)data, size, &manifest, &error)) {
		check(error.text[0] != '\0' &&
		    memchr(error.text, '\0', sizeof(error.text)) != NULL);
		return 0;
	}
	check(strlen(manifest.name) <= MANIFEST_NAME_MAX);
	check(manifest.command[0][0] == '/');
	check(manifest.needs_count <= MANIFEST_NEEDS_MAX);
	for (unsigned i = 0; i < manifest.needs_count; i++)
		check(strlen(manifest.needs[i]) <= MANIFEST_NAME_MAX);
	check(manifest.listen_count <= MANIFEST_LISTEN_MAX);
	check(manifest.descriptors <= MANIFEST_DESCRIPTORS_MAX);
	check(manifest.arena_size % 4096 == 0);
	check(manifest.ready_fd >= 3);
	check(manifest.policy.window_ns > 0);
	return 0;
}
