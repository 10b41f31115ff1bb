/* SPDX-License-Identifier: MIT */
/* Any datagram: refused, or strings that end and can be printed. */
#include "notify.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text, size_t size)
{
	const char *end = memchr(text, '\0', size);

	if (end == NULL)
		abort();
	for (; text < end; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct notify notify;

	if (!notify_parse((const char *)data, size, &notify))
		return 0;
	check_text(notify.status, sizeof(notify.status));
	check_text(notify.name, sizeof(notify.name));
	if (notify.name[0] == '\0' || strchr(notify.name, ':') != NULL)
		abort();
	return 0;
}
