/* SPDX-License-Identifier: MIT */
/*
 * Terminal: the line discipline between a program and a typist, who is the
 * console or the holder of the master of a pseudo-terminal.
 *
 * Input. terminal_input() takes bytes as they are typed. `input` is a ring of
 * what programs have not read; a set bit in `mark` ends a line there. In
 * canonical mode [input_start, line_end) are complete lines and
 * [line_end, input_end) is the line being edited. The end-of-file character is
 * a marked zero byte, which readers do not get. Input without room is not
 * taken; only a line that fills the whole ring loses what follows.
 *
 * Output. `output` is a ring of bytes after output processing, echo included,
 * counted since boot. Who drains it moves output_start. While output is stopped
 * only what was there before can be drained. Echo that finds no room is lost, a
 * program's bytes wait.
 *
 * Calls that wait are in lists by kind, first come first served. Each takes
 * effect as a whole, in the transaction that answers it. A hang-up begins a new
 * epoch: calls of an older one are answered as on a terminal that is gone.
 *
 * The rules are those of Linux, quirks included, because programs rely on them;
 * same_test.c compares the two. No system calls, no knowledge of processes.
 */
#pragma once

#include <idl/terminal.h>
#include <lib/arena/arena.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINAL_INPUT		4096u	/* powers of two */
#define TERMINAL_OUTPUT		8192u
#define TERMINAL_ANSWERS	24u	/* of one transaction */

/* Status bytes of packet mode, as programs know them. */
#define PACKET_FLUSH_READ	0x01u
#define PACKET_FLUSH_WRITE	0x02u
#define PACKET_STOP		0x04u
#define PACKET_START		0x08u
#define PACKET_NO_STOP		0x10u
#define PACKET_DO_STOP		0x20u

/* What the discipline raises. */
#define TERMINAL_SIGINT		2u
#define TERMINAL_SIGQUIT	3u
#define TERMINAL_SIGTSTP	20u
#define TERMINAL_SIGWINCH	28u

/* A call that waits for its answer; names a struct parked_call. */
struct terminal_call {
	uint32_t reply;
	uint64_t order;
};

enum terminal_kind {
	TERMINAL_CALL_READ,
	TERMINAL_CALL_WRITE,
	TERMINAL_CALL_DRAIN,		/* then sets modes, if it has some */
	TERMINAL_CALL_MASTER_READ,
	TERMINAL_CALL_MASTER_WRITE,
	TERMINAL_CALL_KINDS,
};

struct terminal_waiter {
	struct arena_list link;		/* in waiting[kind] */
	struct terminal_call call;
	uint32_t kind;
	uint32_t length;
	uint32_t nonblock;
	uint32_t epoch;			/* of the terminal when it came */
	uint32_t seen;			/* raw input when due_ns was set */
	uint32_t action;		/* DRAIN: TERMINAL_AFTER_* or 0 */
	uint64_t due_ns;		/* READ: time is up; 0: no timer */
	struct terminal_modes modes;	/* DRAIN with action */
};

struct terminal {
	struct arena_list waiting[TERMINAL_CALL_KINDS];

	/* From here to mark[] saved as one. */
	struct terminal_modes modes;
	uint32_t number;		/* 0: the console, else pty + 1 */
	uint32_t rows, columns;
	uint32_t session, foreground;	/* sid, pgid; of the shell */
	uint32_t masters, slaves;	/* open descriptions */
	uint32_t slave_seen;		/* a slave was open */
	uint32_t locked;
	uint32_t packet, packet_status;	/* PACKET_*, not read yet */
	uint32_t epoch;			/* counts hang-ups */
	uint32_t ended;			/* no more input will come */
	uint32_t hanging;		/* hung up when the signals are out */
	uint32_t stopped;		/* output, by whom ever */
	uint32_t stopped_by_call;	/* TERMINAL_FLOW: typing cannot start */
	uint32_t literal_next;
	uint32_t erasing;		/* between \ and / of ECHOPRT */
	uint32_t input_start, line_end, input_end;	/* count bytes */
	uint32_t column, line_column;	/* now; where the line began */
	uint64_t output_start, output_end;		/* count bytes */
	uint64_t output_stop;		/* output_end when it was stopped */
	uint32_t stop_column, stop_line_column;	/* columns then */

	uint64_t mark[TERMINAL_INPUT / 64];
	uint8_t	 input[TERMINAL_INPUT];
	uint8_t	 output[TERMINAL_OUTPUT];
};

struct terminal_port {
	/* Memory of a caller. ERR_*; all or nothing counts. */
	status_t (*copy_in)(void *context, struct terminal_call call,
	    uint64_t offset, void *to, size_t length);
	status_t (*copy_out)(void *context, struct terminal_call call,
	    uint64_t offset, const void *from, size_t length);
	/* Listed by the transaction. error: E_* or 0 */
	void (*answer)(void *context, struct terminal_call call,
	    uint64_t error, uint64_t value);
	/* To the foreground group. */
	void (*signal)(void *context, const struct terminal *terminal,
	    uint32_t signal);
	/* Call terminal_serve after the commit of this transaction. */
	void (*again)(void *context);
	/* Must not return: the undo log is full. */
	void (*fail)(void *context, const char *reason);
	void *context;
};

/* Ordinary memory. */
struct terminal_core {
	const struct terminal_port *port;
	struct arena *arena;

	/* The open transaction. */
	uint64_t now_ns;
	struct terminal *held;		/* its middle part is saved */
	uint32_t input_block, output_block;	/* saved + 1; 0: none */
	unsigned answered;
};

typedef enum { TERMINAL_DONE, TERMINAL_ERROR, TERMINAL_PARKED }
    terminal_outcome;

/* First thing in a transaction. */
void terminal_begin(struct terminal_core *core, uint64_t now_ns);
/* NULL if there is no memory. In a transaction, like all below. */
struct terminal *terminal_create(struct terminal_core *core, uint32_t number);
/* No call may wait. */
void terminal_destroy(struct terminal_core *core, struct terminal *terminal);

/*
 * A call of the given kind: link, due_ns and seen of *request are the core's.
 * DONE: *out_value is the number of bytes. ERROR: an E_* code.
 */
terminal_outcome terminal_request(struct terminal_core *core,
    struct terminal *terminal, const struct terminal_waiter *request,
    uint64_t *out_value);
/* Answers it; false if it does not wait here. */
bool terminal_cancel(struct terminal_core *core, struct terminal *terminal,
    struct terminal_call call);
/* Answers who can be answered; each request does it, too. */
void terminal_serve(struct terminal_core *core, struct terminal *terminal);
/* When to serve next because time is up; 0: never. */
uint64_t terminal_due(const struct terminal *terminal);

/* Takes typed bytes; returns how many. */
size_t terminal_input(struct terminal_core *core, struct terminal *terminal,
    const uint8_t *bytes, size_t length);
/* The typist is gone; readers get what there is, then 0. */
void terminal_input_end(struct terminal_core *core,
    struct terminal *terminal);

/* Output that may be drained: the first part in the ring, its length. */
size_t terminal_output(const struct terminal *terminal,
    const uint8_t **out_bytes);
/* That many are out. */
void terminal_output_done(struct terminal_core *core,
    struct terminal *terminal, size_t length);

/* TERMINAL_READY_*, bytes to read, bytes of output not yet out. */
struct terminal_state {
	uint32_t ready, readable, pending;
};
void terminal_poll(const struct terminal *terminal, bool master,
    struct terminal_state *out_state);

void terminal_set_modes(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_modes *modes);
void terminal_set_size(struct terminal_core *core, struct terminal *terminal,
    uint32_t rows, uint32_t columns);
/* 0 input, 1 output, 2 both, as the slave sees them. */
void terminal_flush(struct terminal_core *core, struct terminal *terminal,
    unsigned which);
void terminal_flow(struct terminal_core *core, struct terminal *terminal,
    unsigned action);
void terminal_set_packet(struct terminal_core *core,
    struct terminal *terminal, bool on);
void terminal_set_session(struct terminal_core *core,
    struct terminal *terminal, uint32_t session, uint32_t foreground);
/* An open description more or less. */
void terminal_count(struct terminal_core *core, struct terminal *terminal,
    bool master, int change);
void terminal_set_locked(struct terminal_core *core,
    struct terminal *terminal, bool locked);
/* Slaves that are open now get end of file and E_IO from now on. */
void terminal_hang_up(struct terminal_core *core, struct terminal *terminal);

/* Checks the structure of the state. */
bool terminal_ok(const struct terminal *terminal);
