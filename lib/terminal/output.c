/* SPDX-License-Identifier: MIT */
/*
 * Output processing, echo, and the output ring.
 */
#include <lib/terminal/state.h>

#define BLOCK		64u	/* saved at once */
#define TAB		8u
#define SHOWN(c)	((uint8_t)((c) ^ 0x40))	/* of a control character */

static uint32_t
room(const struct terminal *terminal)
{
	return TERMINAL_OUTPUT - output_fill(terminal);
}

bool
output_raw(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	uint32_t at = terminal->output_end % TERMINAL_OUTPUT;

	if (room(terminal) == 0)
		return false;
	terminal_hold(core, terminal);
	if (core->output_block != at / BLOCK + 1) {
		terminal_save(core, terminal->output + at / BLOCK * BLOCK,
		    BLOCK);
		core->output_block = at / BLOCK + 1;
	}
	terminal->output[at] = c;
	terminal->output_end++;
	return true;
}

static bool
output_newline(struct terminal_core *core, struct terminal *terminal)
{
	terminal_hold(core, terminal);
	if (has_output(terminal, MODE_ONLRET))
		terminal->column = 0;
	if (!has_output(terminal, MODE_ONLCR)) {
		terminal->line_column = terminal->column;
		return output_raw(core, terminal, '\n');
	}
	if (room(terminal) < 2)
		return false;
	terminal->column = terminal->line_column = 0;
	return output_raw(core, terminal, '\r') &&
	    output_raw(core, terminal, '\n');
}

static bool
output_return(struct terminal_core *core, struct terminal *terminal)
{
	uint8_t c = '\r';

	terminal_hold(core, terminal);
	if (has_output(terminal, MODE_ONOCR) && terminal->column == 0)
		return true;
	if (has_output(terminal, MODE_OCRNL))
		c = '\n';
	if (c == '\r' || has_output(terminal, MODE_ONLRET))
		terminal->column = terminal->line_column = 0;
	return output_raw(core, terminal, c);
}

static bool
output_tab(struct terminal_core *core, struct terminal *terminal)
{
	uint32_t spaces = TAB - terminal->column % TAB;

	terminal_hold(core, terminal);
	if ((terminal->modes.output & MODE_XTABS) != MODE_XTABS) {
		terminal->column += spaces;
		return output_raw(core, terminal, '\t');
	}
	if (room(terminal) < spaces)
		return false;
	terminal->column += spaces;
	while (spaces-- > 0)
		output_raw(core, terminal, ' ');
	return true;
}

static void
column_back(struct terminal_core *core, struct terminal *terminal)
{
	terminal_hold(core, terminal);
	if (terminal->column > 0)
		terminal->column--;
}

static bool
output_processed(struct terminal_core *core, struct terminal *terminal,
    uint8_t c)
{
	if (room(terminal) == 0)
		return false;
	switch (c) {
	case '\n':
		return output_newline(core, terminal);
	case '\r':
		return output_return(core, terminal);
	case '\t':
		return output_tab(core, terminal);
	case '\b':
		column_back(core, terminal);
		return output_raw(core, terminal, c);
	default:
		break;
	}
	terminal_hold(core, terminal);
	if (!is_control(c)) {
		if (has_output(terminal, MODE_OLCUC) && is_lower(c))
			c = (uint8_t)(c - 0x20);
		if (!is_continuation(terminal, c))
			terminal->column++;
	}
	return output_raw(core, terminal, c);
}

bool
output_byte(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	if (has_output(terminal, MODE_OPOST))
		return output_processed(core, terminal, c);
	return output_raw(core, terminal, c);
}

void
echo_raw(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	output_byte(core, terminal, c);
}

void
echo_byte(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	if (!has_local(terminal, MODE_ECHOCTL) || !is_control(c) ||
	    c == '\t') {
		/* The original marks commands in its echo by this byte. */
		if (c == 0xff && output_raw(core, terminal, c))
			terminal->column++;
		else if (c != 0xff)
			echo_raw(core, terminal, c);
		return;
	}
	if (room(terminal) < 2)
		return;
	output_raw(core, terminal, '^');
	output_raw(core, terminal, SHOWN(c));
	terminal->column += 2;
}

void
echo_end_erasing(struct terminal_core *core, struct terminal *terminal)
{
	if (!terminal->erasing)
		return;
	echo_raw(core, terminal, '/');
	terminal_hold(core, terminal);
	terminal->erasing = 0;
}

/* -- what editing shows -- */

static void
erase_column(struct terminal_core *core, struct terminal *terminal)
{
	echo_raw(core, terminal, '\b');
	echo_raw(core, terminal, ' ');
	echo_raw(core, terminal, '\b');
}

/* Back to where the tab at the end of the line began. */
static void
erase_tab(struct terminal_core *core, struct terminal *terminal)
{
	uint32_t at = terminal->input_end, columns = 0;
	bool after_tab = false;

	while (at != terminal->line_end && !after_tab) {
		uint8_t c = input_at(terminal, --at);

		if (c == '\t')
			after_tab = true;
		else if (is_control(c))
			columns += has_local(terminal, MODE_ECHOCTL) ? 2 : 0;
		else if (!is_continuation(terminal, c))
			columns++;
	}
	if (!after_tab)
		columns = columns % TAB + terminal->line_column;
	for (uint32_t back = TAB - columns % TAB; back > 0; back--) {
		output_raw(core, terminal, '\b');
		column_back(core, terminal);
	}
}

/* Printing terminals see what is erased. `length` bytes from input_end on. */
static void
erase_printed(struct terminal_core *core, struct terminal *terminal,
    uint32_t length)
{
	uint32_t at = terminal->input_end;

	if (!terminal->erasing) {
		echo_raw(core, terminal, '\\');
		terminal_hold(core, terminal);
		terminal->erasing = 1;
	}
	echo_byte(core, terminal, input_at(terminal, at));
	for (uint32_t i = 1; i < length; i++) {
		echo_raw(core, terminal, input_at(terminal, at + i));
		column_back(core, terminal);
	}
}

static void
erase_shown(struct terminal_core *core, struct terminal *terminal,
    uint8_t key, uint32_t length)
{
	const uint8_t *keys = terminal->modes.character;
	uint8_t c = input_at(terminal, terminal->input_end);
	bool shown = has_local(terminal, MODE_ECHOCTL);

	if (has_local(terminal, MODE_ECHOPRT)) {
		erase_printed(core, terminal, length);
	} else if (key == keys[CHARACTER_ERASE] &&
	    !has_local(terminal, MODE_ECHOE)) {
		echo_byte(core, terminal, keys[CHARACTER_ERASE]);
	} else if (c == '\t') {
		erase_tab(core, terminal);
	} else {
		if (is_control(c) && shown)
			erase_column(core, terminal);
		if (!is_control(c) || shown)
			erase_column(core, terminal);
	}
}

/* Takes the last character away; false if only part of one is left. */
static bool
last_character(const struct terminal *terminal, uint32_t *out_length)
{
	uint32_t at = terminal->input_end;

	do
		at--;
	while (is_continuation(terminal, input_at(terminal, at)) &&
	    at != terminal->line_end);
	*out_length = terminal->input_end - at;
	return !is_continuation(terminal, input_at(terminal, at));
}

/* All that the line shows is one character and perhaps a new line. */
static void
kill_line(struct terminal_core *core, struct terminal *terminal)
{
	terminal->input_end = terminal->line_end;
	if (!has_local(terminal, MODE_ECHO))
		return;
	echo_end_erasing(core, terminal);
	echo_byte(core, terminal, terminal->modes.character[CHARACTER_KILL]);
	if (has_local(terminal, MODE_ECHOK))
		echo_raw(core, terminal, '\n');
}

static bool
is_word(uint8_t c)
{
	return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') ||
	    c == '_';
}

void
input_erase(struct terminal_core *core, struct terminal *terminal, uint8_t key)
{
	const uint8_t *keys = terminal->modes.character;
	const uint32_t visual = MODE_ECHO | MODE_ECHOK | MODE_ECHOKE |
	    MODE_ECHOE;
	bool one = key == keys[CHARACTER_ERASE];
	bool word = !one && key == keys[CHARACTER_WORD_ERASE];
	bool in_word = false;
	uint32_t length;

	if (terminal->input_end == terminal->line_end)
		return;
	terminal_hold(core, terminal);
	if (!one && !word && (terminal->modes.local & visual) != visual) {
		kill_line(core, terminal);
		return;
	}
	while (terminal->input_end != terminal->line_end) {
		if (!last_character(terminal, &length))
			break;
		uint8_t c = input_at(terminal, terminal->input_end - length);
		if (word && in_word && !is_word(c))
			break;
		in_word |= is_word(c);
		terminal->input_end -= length;
		if (has_local(terminal, MODE_ECHO))
			erase_shown(core, terminal, key, length);
		if (one)
			break;
	}
	if (terminal->input_end == terminal->line_end &&
	    has_local(terminal, MODE_ECHO))
		echo_end_erasing(core, terminal);
}
