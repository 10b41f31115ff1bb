/* SPDX-License-Identifier: MIT */
/*
 * Input: what is done with each byte that is typed.
 */
#include <lib/terminal/state.h>

#define BLOCK		64u	/* saved at once, with its word of marks */

static bool
is_key(const struct terminal *terminal, unsigned which, uint8_t c)
{
	return c != DISABLED && terminal->modes.character[which] == c;
}

/* Of the keys that are only known with IEXTEN. */
static bool
is_extra_key(const struct terminal *terminal, unsigned which, uint8_t c)
{
	return has_local(terminal, MODE_IEXTEN) && is_key(terminal, which, c);
}

static void
save_block(struct terminal_core *core, struct terminal *terminal, uint32_t at)
{
	uint32_t block = at % TERMINAL_INPUT / BLOCK;

	terminal_hold(core, terminal);
	if (core->input_block == block + 1)
		return;
	terminal_save(core, terminal->input + block * BLOCK, BLOCK);
	terminal_save(core, &terminal->mark[block], sizeof(uint64_t));
	core->input_block = block + 1;
}

void
input_set_mark(struct terminal_core *core, struct terminal *terminal,
    uint32_t at, bool on)
{
	uint64_t bit = 1ul << at % 64;

	save_block(core, terminal, at);
	at %= TERMINAL_INPUT;
	if (on)
		terminal->mark[at / 64] |= bit;
	else
		terminal->mark[at / 64] &= ~bit;
}

void
input_reset(struct terminal_core *core, struct terminal *terminal)
{
	terminal_hold(core, terminal);
	terminal_save(core, terminal->mark, sizeof(terminal->mark));
	for (unsigned i = 0; i < TERMINAL_INPUT / 64; i++)
		terminal->mark[i] = 0;
	terminal->input_start = terminal->line_end = terminal->input_end = 0;
	terminal->erasing = 0;
}

static void
put(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	save_block(core, terminal, terminal->input_end);
	terminal->input[terminal->input_end % TERMINAL_INPUT] = c;
	terminal->input_end++;
}

/* With PARMRK a byte 255 is doubled, so that it marks nothing. */
static void
put_marked(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	if (c == 0xff && has_input(terminal, MODE_PARMRK))
		put(core, terminal, c);
	put(core, terminal, c);
}

static void
end_line(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	input_set_mark(core, terminal, terminal->input_end, true);
	put(core, terminal, c);
	terminal->line_end = terminal->input_end;
}

/* Where the line starts on the screen is known when its first byte comes. */
static void
echo_in_line(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	if (terminal->line_end == terminal->input_end) {
		terminal_hold(core, terminal);
		terminal->line_column = terminal->column;
	}
	echo_byte(core, terminal, c);
}

static void
start_by_any(struct terminal_core *core, struct terminal *terminal)
{
	if (terminal->stopped && has_input(terminal, MODE_IXON) &&
	    has_input(terminal, MODE_IXANY))
		output_start(core, terminal);
}

static void
take_plain(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	start_by_any(core, terminal);
	if (has_local(terminal, MODE_ECHO)) {
		echo_end_erasing(core, terminal);
		echo_in_line(core, terminal, c);
	}
	put_marked(core, terminal, c);
}

static void
take_signal(struct terminal_core *core, struct terminal *terminal, uint8_t c,
    uint32_t signal)
{
	core->port->signal(core->port->context, terminal, signal);
	if (!has_local(terminal, MODE_NOFLSH))
		terminal_flush(core, terminal, 2);
	if (has_input(terminal, MODE_IXON))
		output_start(core, terminal);
	if (has_local(terminal, MODE_ECHO))
		echo_byte(core, terminal, c);
}

static void
reprint(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	echo_end_erasing(core, terminal);
	echo_byte(core, terminal, c);
	echo_raw(core, terminal, '\n');
	/* Without room nothing more is shown; a master may ask for much. */
	for (uint32_t at = terminal->line_end; at != terminal->input_end &&
	    output_fill(terminal) < TERMINAL_OUTPUT; at++)
		echo_byte(core, terminal, input_at(terminal, at));
}

static void
take_literal_next(struct terminal_core *core, struct terminal *terminal)
{
	terminal_hold(core, terminal);
	terminal->literal_next = 1;
	if (!has_local(terminal, MODE_ECHO))
		return;
	echo_end_erasing(core, terminal);
	if (has_local(terminal, MODE_ECHOCTL)) {
		echo_raw(core, terminal, '^');
		echo_raw(core, terminal, '\b');
	}
}

static bool
take_line_end(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	bool echo = has_local(terminal, MODE_ECHO);

	if (c == '\n') {
		if (echo || has_local(terminal, MODE_ECHONL))
			echo_raw(core, terminal, c);
		end_line(core, terminal, c);
	} else if (is_key(terminal, CHARACTER_END, c)) {
		end_line(core, terminal, DISABLED);
	} else if (is_key(terminal, CHARACTER_LINE, c) ||
	    is_extra_key(terminal, CHARACTER_LINE2, c)) {
		if (echo)
			echo_in_line(core, terminal, c);
		if (c == 0xff && has_input(terminal, MODE_PARMRK))
			put(core, terminal, c);
		end_line(core, terminal, c);
	} else {
		return false;
	}
	return true;
}

/* In canonical mode; false if the byte is none of its keys. */
static bool
take_canonical(struct terminal_core *core, struct terminal *terminal,
    uint8_t c)
{
	if (is_key(terminal, CHARACTER_ERASE, c) ||
	    is_key(terminal, CHARACTER_KILL, c) ||
	    is_extra_key(terminal, CHARACTER_WORD_ERASE, c)) {
		input_erase(core, terminal, c);
	} else if (is_extra_key(terminal, CHARACTER_LITERAL, c)) {
		take_literal_next(core, terminal);
	} else if (has_local(terminal, MODE_ECHO) &&
	    is_extra_key(terminal, CHARACTER_REPRINT, c)) {
		reprint(core, terminal, c);
	} else {
		return take_line_end(core, terminal, c);
	}
	return true;
}

/* Flow control and signals; true if that was all. */
static bool
take_control(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	static const struct {
		uint8_t key, signal;
	} signals[] = {
		{ CHARACTER_INTERRUPT, TERMINAL_SIGINT },
		{ CHARACTER_QUIT, TERMINAL_SIGQUIT },
		{ CHARACTER_SUSPEND, TERMINAL_SIGTSTP },
	};

	if (has_input(terminal, MODE_IXON)) {
		if (is_key(terminal, CHARACTER_START, c)) {
			output_start(core, terminal);
			return true;
		}
		if (is_key(terminal, CHARACTER_STOP, c)) {
			output_stop(core, terminal);
			return true;
		}
	}
	if (!has_local(terminal, MODE_ISIG))
		return false;
	for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		if (is_key(terminal, signals[i].key, c)) {
			take_signal(core, terminal, c, signals[i].signal);
			return true;
		}
	}
	return false;
}

/* A byte that may be a key: the order of the questions matters. */
static void
take_special(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	if (take_control(core, terminal, c))
		return;
	start_by_any(core, terminal);
	if (c == '\r') {
		if (has_input(terminal, MODE_IGNCR))
			return;
		if (has_input(terminal, MODE_ICRNL))
			c = '\n';
	} else if (c == '\n' && has_input(terminal, MODE_INLCR)) {
		c = '\r';
	}
	if (has_local(terminal, MODE_ICANON) &&
	    take_canonical(core, terminal, c))
		return;
	if (has_local(terminal, MODE_ECHO)) {
		echo_end_erasing(core, terminal);
		if (c == '\n')
			echo_raw(core, terminal, c);
		else
			echo_in_line(core, terminal, c);
	}
	put_marked(core, terminal, c);
}

/* Whether take_special() does anything else with it than take_plain(). */
static bool
is_special(const struct terminal *terminal, uint8_t c)
{
	static const uint8_t canonical[] = {
		CHARACTER_ERASE, CHARACTER_KILL, CHARACTER_END, CHARACTER_LINE,
	};
	static const uint8_t extra[] = {
		CHARACTER_WORD_ERASE, CHARACTER_LITERAL, CHARACTER_LINE2,
		CHARACTER_REPRINT,
	};

	if (c == '\r')
		return has_input(terminal, MODE_IGNCR | MODE_ICRNL);
	if (c == '\n')
		return has_input(terminal, MODE_INLCR) ||
		    has_local(terminal, MODE_ICANON);
	if (!has_local(terminal, MODE_ICANON))
		return false;
	for (unsigned i = 0; i < sizeof(canonical); i++) {
		if (is_key(terminal, canonical[i], c) ||
		    is_extra_key(terminal, extra[i], c))
			return true;
	}
	return false;
}

static void
take(struct terminal_core *core, struct terminal *terminal, uint8_t c)
{
	if (has_input(terminal, MODE_ISTRIP))
		c &= 0x7f;
	if (has_input(terminal, MODE_IUCLC) &&
	    has_local(terminal, MODE_IEXTEN) && is_upper(c))
		c = (uint8_t)(c + 0x20);
	if (terminal->literal_next) {
		terminal_hold(core, terminal);
		terminal->literal_next = 0;
		take_plain(core, terminal, c);
		return;
	}
	if (is_special(terminal, c))
		take_special(core, terminal, c);
	else if (!take_control(core, terminal, c))
		take_plain(core, terminal, c);
}

/* Whether a byte may come; a line that fills all is overwritten at its end. */
static bool
make_room(struct terminal_core *core, struct terminal *terminal)
{
	int room = (int)TERMINAL_INPUT - (int)input_fill(terminal);

	if (has_input(terminal, MODE_PARMRK))
		room = (room + 2) / 3;
	if (--room > 0)
		return true;
	if (!has_local(terminal, MODE_ICANON) ||
	    terminal->line_end != terminal->input_start)
		return false;
	if (room < 0) {
		terminal_hold(core, terminal);
		terminal->input_end--;
	}
	return true;
}

size_t
terminal_input(struct terminal_core *core, struct terminal *terminal,
    const uint8_t *bytes, size_t length)
{
	size_t done = 0;

	while (done < length && make_room(core, terminal))
		take(core, terminal, bytes[done++]);
	return done;
}
