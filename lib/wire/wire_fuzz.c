/* SPDX-License-Identifier: MIT */
/*
 * Requests of any words to the decoders of every protocol: none lets a length
 * beyond its maximum through, and what is accepted is the same when it was
 * encoded and decoded again. Eight words a message; the windows that come with
 * it are in the byte behind them.
 */
#include <idl/fuzz.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message message;

	for (; size > sizeof(message); data += sizeof(message) + 1,
	    size -= sizeof(message) + 1) {
		memcpy(&message, data, sizeof(message));
		/* Tags are few. */
		message.word[0] &= 0x7ff;
		if (!idl_fuzz(&message, data[sizeof(message)] % 3))
			abort();
	}
	return 0;
}
