/* SPDX-License-Identifier: MIT */
/*
 * Consistent overhead byte stuffing: bytes without a zero, so that zero can
 * end a frame on a serial line and a reader can find the next frame after any
 * loss.
 *
 * The data is cut after each zero; a run of n < 254 other bytes before a zero
 * becomes the byte n + 1 and the run, and the zero is left out. A run of 254
 * bytes without a zero becomes 255 and the run, with no zero behind it. The end
 * of the data counts as a zero, which the decoder leaves out.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest encoding of n bytes, without the zero that ends the frame. */
#define COBS_MAX(n)	((n) + (n) / 254 + 1)

/* Encodes; out holds COBS_MAX(length) bytes. Returns the bytes written. */
size_t cobs_encode(const void *data, size_t length, uint8_t *out);

/*
 * A decoder that takes bytes as they arrive. Between frames, and after an
 * overlong or malformed frame, it needs no reset.
 */
struct cobs_decoder {
	uint8_t *buffer;	/* of the caller; the decoded frame */
	size_t	 capacity;
	size_t	 length;	/* decoded so far */
	uint8_t	 left;		/* bytes of the run still to come */
	uint8_t	 code;		/* length byte of the run, 0 = none yet */
	bool	 overflow;	/* the frame is longer than the buffer */
};

#define COBS_MORE	(-1)	/* the frame goes on */
#define COBS_BAD	(-2)	/* a frame ended that was cut or too long */

void cobs_decoder_start(struct cobs_decoder *decoder, void *buffer,
    size_t capacity);

/*
 * Takes one byte. Returns the length of the frame in the buffer when the byte
 * ended one (an empty frame has length 0), COBS_MORE or COBS_BAD otherwise. The
 * buffer is the caller's until the next call.
 */
ptrdiff_t cobs_decode(struct cobs_decoder *decoder, uint8_t byte);

/* CRC-32 of IEEE 802.3. `crc` is 0, or the result for the data before. */
uint32_t crc32(uint32_t crc, const void *data, size_t length);
