/* SPDX-License-Identifier: MIT */
#include <lib/cobs/cobs.h>

#define RUN_MAX		255u	/* code of a run of 254 bytes, no zero behind */

size_t
cobs_encode(const void *data, size_t length, uint8_t *out)
{
	const uint8_t *in = data;
	size_t code_at = 0;	/* where the length of the current run goes */
	size_t end = 1;

	for (size_t i = 0; i < length; i++) {
		/* Closed only when more follows: the end closes the last. */
		if (end - code_at == RUN_MAX) {
			out[code_at] = RUN_MAX;
			code_at = end++;
		}
		if (in[i] != 0) {
			out[end++] = in[i];
			continue;
		}
		out[code_at] = (uint8_t)(end - code_at);
		code_at = end++;
	}
	out[code_at] = (uint8_t)(end - code_at);
	return end;
}

void
cobs_decoder_start(struct cobs_decoder *decoder, void *buffer, size_t capacity)
{
	*decoder = (struct cobs_decoder){
		.buffer = buffer,
		.capacity = capacity,
	};
}

static void
decoder_put(struct cobs_decoder *decoder, uint8_t byte)
{
	if (decoder->length < decoder->capacity)
		decoder->buffer[decoder->length++] = byte;
	else
		decoder->overflow = true;
}

static ptrdiff_t
decoder_end(struct cobs_decoder *decoder)
{
	bool good = decoder->left == 0 && !decoder->overflow;
	size_t length = decoder->length;

	cobs_decoder_start(decoder, decoder->buffer, decoder->capacity);
	return good ? (ptrdiff_t)length : COBS_BAD;
}

ptrdiff_t
cobs_decode(struct cobs_decoder *decoder, uint8_t byte)
{
	if (byte == 0)
		return decoder_end(decoder);
	if (decoder->left > 0) {
		decoder->left--;
		decoder_put(decoder, byte);
		return COBS_MORE;
	}
	/* A length byte: the run before it ended with a zero unless full. */
	if (decoder->code != 0 && decoder->code != RUN_MAX)
		decoder_put(decoder, 0);
	decoder->code = byte;
	decoder->left = byte - 1;
	return COBS_MORE;
}
