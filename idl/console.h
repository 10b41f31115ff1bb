/* SPDX-License-Identifier: MIT */
/*
 * Protocol of `console`: the control channel to the outside and the terminal
 * input. Everything written leaves in sequence-numbered frames, so a restart
 * of the console neither loses nor repeats a byte (docs/design/control-channel.md).
 */
#pragma once

#define CONSOLE_WRITE		0x0210	/* CONSOLE_STREAM_*, length; buffer(in) -> done (1..length) */
#define CONSOLE_READ		0x0211	/* length; buffer(out) -> done, 0 = end of input. Parks */
#define CONSOLE_EXIT		0x0212	/* status -> when the frame is out. Trust >= SERVICE */
#define CONSOLE_POLL		0x0213	/* -> bytes of input waiting, 1 if end of input */

/*
 * The console as a terminal, for the service that runs its line discipline.
 * Both directions are counted in bytes since boot, so that a request repeated
 * after a restart of either side moves nothing twice. Trust >= SERVICE. A host
 * without a terminal has size 0.
 */
#define CONSOLE_LISTEN		0x0214	/* bits; ; notification: signalled when input comes, output makes room, the size changes, input ends */
#define CONSOLE_PUT		0x0215	/* position, length; buffer(in) -> position reached. Takes what there is room for, never parks */
#define CONSOLE_TAKE		0x0216	/* position, length; buffer(out) -> done, rows | columns << 16, 1 if input has ended, position of the first byte (as asked, unless the console lost it). Frees what lies before position */

#define CONSOLE_STREAM_OUT	1u
#define CONSOLE_STREAM_ERR	2u
#define CONSOLE_STREAM_TRACE	3u
#define CONSOLE_STREAM_LOG	4u

#define CONSOLE_WRITE_MAX	65536u	/* larger writes are done in part */
