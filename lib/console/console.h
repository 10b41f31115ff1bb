/* SPDX-License-Identifier: MIT */
/*
 * Console: programs' output as numbered frames on a serial line, and their
 * input from it, without loss or repetition over restarts.
 *
 * Output. `frame` is the one frame in transmission. Its content is committed
 * before its first byte leaves; it is freed by a later transaction, after its
 * last byte left. A restart in between sends the whole frame again and the
 * other side drops what it has seen by its number. A write counts as done when
 * its last part is committed in `frame`. A long write keeps the head of the
 * queue until then, so writes do not mix.
 *
 * Input. A frame is taken when its number is the expected one; its bytes and
 * the new number are committed together, and only then acknowledged. What was
 * read from the line but not committed is sent again by the other side after
 * the hello frame of the next incarnation.
 *
 * Flow. An acknowledgement lets the other side send CONSOLE_IN_FLIGHT frames,
 * so it waits until the ring has room for them. A frame that does not fit even
 * so is held back, and the line is not read until readers made room.
 *
 * Terminal. A service that runs the line discipline uses console_put and
 * console_take instead. Both name positions in bytes since boot, so the same
 * request made twice moves nothing twice. Bytes put wait in a ring of their own
 * and take turns with the writers. The listener is told when it is worth asking
 * again: input, its end, a new size, room after a put that was cut short.
 *
 * Commands. The host's control text is committed as taken before it is carried
 * out, and carried out only by the incarnation that took it: at most once. The
 * next incarnation answers that it was interrupted. The answer stays until its
 * last piece is in `frame`; the next command waits until then.
 *
 * Nothing is sent in the transaction that decides it: console_pump() sends
 * what earlier transactions committed, and asks to be called again.
 *
 * struct console lives in an arena and is changed in transactions only. struct
 * console_line is the ordinary memory of one incarnation.
 */
#pragma once

#include <lib/arena/arena.h>
#include <lib/cobs/frame.h>
#include <stdbool.h>
#include <stdint.h>

#define CONSOLE_RING		4096u	/* bytes of input, a power of two */
#define CONSOLE_CALLS		256u	/* calls held at once */
#define CONSOLE_READERS		128u	/* of these, readers */
#define CONSOLE_ANSWERS		32u	/* given by one console_pump() */
#define CONSOLE_IN_FLIGHT	4u	/* input frames not acknowledged */
#define CONSOLE_PUT_RING	4096u	/* bytes of a terminal's output */
#define CONSOLE_COMMAND_MAX	255u	/* bytes of a command */
#define CONSOLE_ANSWER_MAX	16384u	/* and of its text */

/* First byte of a FRAME_ANSWER. */
#define CONSOLE_ANSWER_LAST	0x1u	/* nothing follows */
#define CONSOLE_ANSWER_FAILED	0x2u	/* the command failed */

/* A call that waits for its answer; names a struct parked_call. */
struct console_call {
	uint32_t reply;
	uint64_t order;
};

struct console_waiter {
	struct console_call call;
	uint32_t length;	/* asked for */
	uint32_t done;		/* committed in frames so far */
	uint32_t status;	/* of an exit */
	uint32_t type;		/* FRAME_*, 0 for a reader */
};

/* First in, first out. */
struct console_queue {
	uint32_t head, count;
	struct console_waiter waiter[CONSOLE_CALLS];
};

struct console_frame {
	uint32_t length;
	uint32_t sequence;
	uint8_t	 type;		/* 0: free */
	uint8_t	 data[FRAME_DATA_MAX];
};

/* The states of a command from the host. */
#define CONTROL_FREE		0u	/* there is none */
#define CONTROL_TAKEN		1u	/* by `incarnation`, the only one to do it */
#define CONTROL_ANSWERED	2u	/* the answer is on its way */

struct console_control {
	uint32_t state;
	uint32_t incarnation;
	uint32_t failed;
	uint32_t command_length, answer_length;
	uint32_t answer_sent;	/* bytes that went into frames */
	uint8_t	 command[CONSOLE_COMMAND_MAX + 1];
	uint8_t	 answer[CONSOLE_ANSWER_MAX];
};

struct console {
	/* Output. */
	uint32_t sequence;	/* of the next frame */
	uint32_t exit_waits;	/* exit_call is answered when frame is out */
	struct console_call exit_call;
	struct console_frame frame;
	struct console_queue writers;

	/* Input. */
	uint32_t expected;	/* sequence of the next frame from the host */
	uint32_t end;		/* no more input will come */
	uint32_t rows, columns;	/* of the host's terminal, 0: it has none */
	uint64_t ring_head;	/* counts bytes taken; index modulo size */
	uint64_t ring_tail;	/* counts bytes put */
	uint8_t	 ring[CONSOLE_RING];
	struct console_queue readers;

	/* Terminal. */
	uint64_t listener, listener_bits;	/* of the shell */
	uint32_t put_waits;	/* a put found no room */
	uint32_t put_turn;	/* the next frame is the terminal's */
	uint64_t put_head;	/* counts bytes that went into frames */
	uint64_t put_tail;	/* counts bytes put */
	uint8_t	 put[CONSOLE_PUT_RING];

	struct console_control control;
};

/* Registers of a 16550, and how the core reaches the outside. */
struct console_port {
	uint8_t (*in)(void *context, unsigned offset);
	void (*out)(void *context, unsigned offset, uint8_t value);
	/* To the transmitter, at most UART_FIFO bytes. */
	void (*send)(void *context, const uint8_t *bytes, size_t length);

	/* Memory of a caller. ERR_*; all or nothing counts. */
	status_t (*copy_in)(void *context, struct console_call call,
	    uint64_t offset, void *to, size_t length);
	status_t (*copy_out)(void *context, struct console_call call,
	    uint64_t offset, const void *from, size_t length);

	/* Listed by the transaction, sent after its commit. error: E_* or 0 */
	void (*answer)(void *context, struct console_call call,
	    uint64_t error, uint64_t value);
	/* Call console_pump again, after the commit of this transaction. */
	void (*again)(void *context);
	/* Tell the listener, if there is one, after the commit. */
	void (*notify)(void *context);
	/*
	 * Carries out a command of the host. Fills `answer` with up to
	 * CONSOLE_ANSWER_MAX bytes and returns how many.
	 */
	size_t (*command)(void *context, const uint8_t *text, size_t length,
	    uint8_t *answer, bool *out_failed);
	/* Must not return: the state makes no sense, or the undo log is full. */
	void (*fail)(void *context, const char *reason);
	void *context;
};

#define UART_FIFO	16u

struct console_line {
	const struct console_port *port;
	struct arena *arena;
	struct console *console;
	uint32_t incarnation;

	/* Transmitter: the encoded frame on its way. */
	uint8_t	 wire[FRAME_WIRE_MAX + 1];
	size_t	 wire_length, wire_sent;
	unsigned answered;	/* by this console_pump() */
	bool	 wire_is_frame;	/* console->frame, not a hello or an ack */
	bool	 hello_due;
	uint32_t acknowledged;	/* expected, as the host knows it */

	/* Receiver. */
	struct cobs_decoder decoder;
	uint8_t	 received[FRAME_MAX];
	struct frame held;	/* in received; no room for it yet */
	bool	 holding;
	uint32_t bad_frames;	/* since the last good one */

	uint8_t	 interrupts;	/* enable register as last written */
	uint64_t frames_sent, frames_taken, resyncs;
};

typedef enum { CONSOLE_DONE, CONSOLE_ERROR, CONSOLE_PARKED } console_outcome;

/*
 * Once per incarnation, outside transactions: programs the UART without
 * disturbing bytes in its FIFOs. The caller then sees to it that
 * console_pump() runs.
 */
void console_open(struct console_line *line, struct console *console,
    struct arena *arena, const struct console_port *port,
    uint32_t incarnation);

/*
 * Everything below runs in an open transaction. The requests put the reply
 * word, or for CONSOLE_ERROR the E_* code, into out_value.
 */
console_outcome console_write(struct console_line *line,
    struct console_call call, uint8_t type, uint64_t length,
    uint64_t *out_value);
console_outcome console_read(struct console_line *line,
    struct console_call call, uint64_t length, uint64_t *out_value);
console_outcome console_exit(struct console_line *line,
    struct console_call call, uint32_t status, uint64_t *out_value);
void console_poll(const struct console_line *line, uint64_t *out_waiting,
    bool *out_end);
/* Output at a position; *out_value is the position reached. Never parks. */
console_outcome console_put(struct console_line *line,
    struct console_call call, uint64_t position, uint64_t length,
    uint64_t *out_value);

struct console_taken {
	uint64_t done;		/* bytes, from `position` on */
	uint64_t position;	/* as asked, unless it was lost */
	bool	 end;		/* nothing will come after these */
};
/* Input at a position; what lies before it is freed. */
console_outcome console_take(struct console_line *line,
    struct console_call call, uint64_t position, uint64_t length,
    struct console_taken *out_taken);
/* The caller of a held call asked to stop or died; false if not held here. */
bool console_cancel(struct console_line *line, struct console_call call);

/* Brings line and state up to date; looks at the device, not at a cause. */
void console_pump(struct console_line *line);

/* Checks the structure of the state. */
bool console_ok(const struct console *console);
