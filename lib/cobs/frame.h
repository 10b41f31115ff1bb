/* SPDX-License-Identifier: MIT */
/*
 * A frame of the control channel, as docs/design/control-channel.md has it:
 *
 *	type u8, sequence u32, data (0 to 1024 bytes), CRC-32 u32 of all before
 *
 * little endian, COBS-encoded, ended by a zero byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/cobs/cobs.h>

#define FRAME_DATA_MAX		1024u
#define FRAME_INPUT_MAX		256u	/* data of one FRAME_INPUT */
#define FRAME_OVERHEAD		9u
#define FRAME_MAX		(FRAME_DATA_MAX + FRAME_OVERHEAD)
/* On the line, with the zero byte at the end. */
#define FRAME_WIRE_MAX		(COBS_MAX(FRAME_MAX) + 1)

/* Guest to host. */
#define FRAME_OUT		'O'	/* bytes of standard output */
#define FRAME_ERR		'E'	/* bytes of standard error */
#define FRAME_TRACE		'T'	/* text of the trace */
#define FRAME_EXIT		'X'	/* u32: exit status, 0 to 255 */
#define FRAME_LOG		'L'	/* a line of a service's log */
#define FRAME_ANSWER		'R'	/* u8 flags, a piece of a command's text */
#define FRAME_HELLO		'H'	/* u32 incarnation, u32 next expected */
#define FRAME_ACK		'A'	/* u32 next expected host sequence */

/* Host to guest. */
#define FRAME_INPUT		'I'	/* bytes of standard input */
#define FRAME_INPUT_END		'Z'	/* no more input */
#define FRAME_CONTROL		'C'	/* text of a command */
#define FRAME_SIZE		'W'	/* u16 rows, u16 columns of a terminal */

struct frame {
	uint8_t		type;
	uint32_t	sequence;
	const uint8_t	*data;		/* into the buffer it was parsed from */
	size_t		length;
};

/*
 * Writes the frame for the line, zero byte included, to out, which holds
 * FRAME_WIRE_MAX bytes. length <= FRAME_DATA_MAX. Returns the bytes written.
 */
size_t frame_encode(uint8_t type, uint32_t sequence, const void *data,
    size_t length, uint8_t *out);

/* Takes a decoded frame apart; false if it is too short or damaged. */
bool frame_parse(const uint8_t *bytes, size_t length, struct frame *out_frame);

/* For the numbers inside frames. */
uint32_t frame_get_u32(const uint8_t *bytes);
void frame_put_u32(uint8_t *bytes, uint32_t value);
