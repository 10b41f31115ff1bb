/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a line: the decoder and the parser stay inside their buffers,
 * and a frame that parses is encoded to something that parses the same.
 */
#include <lib/cobs/frame.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_round_trip(const struct frame *frame)
{
	uint8_t wire[FRAME_WIRE_MAX], back[FRAME_MAX];
	struct cobs_decoder decoder;
	struct frame again;
	ptrdiff_t got = COBS_MORE;

	size_t end = frame_encode(frame->type, frame->sequence, frame->data,
	    frame->length, wire);
	cobs_decoder_start(&decoder, back, sizeof(back));
	for (size_t i = 0; i < end; i++)
		got = cobs_decode(&decoder, wire[i]);
	if (got < 0 || !frame_parse(back, (size_t)got, &again) ||
	    again.length != frame->length ||
	    memcmp(again.data, frame->data, frame->length) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t buffer[FRAME_MAX];
	struct cobs_decoder decoder;
	struct frame frame;

	cobs_decoder_start(&decoder, buffer, sizeof(buffer));
	for (size_t i = 0; i < size; i++) {
		ptrdiff_t got = cobs_decode(&decoder, data[i]);
		if (got >= 0 && frame_parse(buffer, (size_t)got, &frame))
			check_round_trip(&frame);
	}
	if (size <= FRAME_DATA_MAX) {
		frame = (struct frame){ .type = 'O', .data = data,
		    .length = size };
		check_round_trip(&frame);
	}
	return 0;
}
