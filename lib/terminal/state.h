/* SPDX-License-Identifier: MIT */
/* Between the parts of lib/terminal. */
#pragma once

#include <lib/terminal/terminal.h>

#define DISABLED	0	/* a character that is not set; end of file */

/* The middle part of the terminal may be changed in this transaction. */
void terminal_hold(struct terminal_core *core, struct terminal *terminal);
void terminal_save(struct terminal_core *core, void *pointer, size_t length);

/* Empties the input. */
void input_reset(struct terminal_core *core, struct terminal *terminal);
/* Takes the mark of a byte away, or sets it. */
void input_set_mark(struct terminal_core *core, struct terminal *terminal,
    uint32_t at, bool on);
/* The editing characters erase, word erase and kill. */
void input_erase(struct terminal_core *core, struct terminal *terminal,
    uint8_t c);

void output_reset(struct terminal_core *core, struct terminal *terminal);
void output_stop(struct terminal_core *core, struct terminal *terminal);
void output_start(struct terminal_core *core, struct terminal *terminal);
/* A byte as it is; false if there is no room. */
bool output_raw(struct terminal_core *core, struct terminal *terminal,
    uint8_t c);
/* Of a program, processed if the modes say so. */
bool output_byte(struct terminal_core *core, struct terminal *terminal,
    uint8_t c);

/* c as echo shows it: control characters as ^X. */
void echo_byte(struct terminal_core *core, struct terminal *terminal,
    uint8_t c);
/* Processed, but not shown. */
void echo_raw(struct terminal_core *core, struct terminal *terminal,
    uint8_t c);
/* Ends the \.../ of ECHOPRT. */
void echo_end_erasing(struct terminal_core *core, struct terminal *terminal);

static inline bool
has_input(const struct terminal *terminal, uint32_t mode)
{
	return (terminal->modes.input & mode) != 0;
}

static inline bool
has_output(const struct terminal *terminal, uint32_t mode)
{
	return (terminal->modes.output & mode) != 0;
}

static inline bool
has_local(const struct terminal *terminal, uint32_t mode)
{
	return (terminal->modes.local & mode) != 0;
}

static inline bool
is_pty(const struct terminal *terminal)
{
	return terminal->number != 0;
}

/* Not the first byte of a character of several. */
static inline bool
is_continuation(const struct terminal *terminal, uint8_t c)
{
	return has_input(terminal, MODE_IUTF8) && (c & 0xc0) == 0x80;
}

static inline bool
is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

/* Letters and case as in Latin 1, which the original goes by. */
static inline bool
is_upper(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}

static inline bool
is_lower(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7);
}

static inline uint8_t
input_at(const struct terminal *terminal, uint32_t at)
{
	return terminal->input[at % TERMINAL_INPUT];
}

static inline bool
input_is_marked(const struct terminal *terminal, uint32_t at)
{
	at %= TERMINAL_INPUT;
	return (terminal->mark[at / 64] >> at % 64 & 1) != 0;
}

static inline uint32_t
input_fill(const struct terminal *terminal)
{
	return terminal->input_end - terminal->input_start;
}

static inline uint32_t
output_fill(const struct terminal *terminal)
{
	return (uint32_t)(terminal->output_end - terminal->output_start);
}

/* How much of it may be drained now. */
static inline uint32_t
output_ready(const struct terminal *terminal)
{
	uint64_t end = terminal->stopped ? terminal->output_stop :
	    terminal->output_end;

	return (uint32_t)(end - terminal->output_start);
}
