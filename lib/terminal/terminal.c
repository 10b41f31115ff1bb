/* SPDX-License-Identifier: MIT */
/*
 * A terminal as a whole: its modes, flow, size, and the ends of it.
 */
#include <lib/terminal/state.h>

#include <idl/errno.h>

#define CONTROL_FIXED	0x0130u		/* CSIZE and PARENB: always 8 bits */
#define CTRL(c)		((c) & 0x1f)

static const struct terminal_modes initial_modes = {
	.input = MODE_ICRNL | MODE_IXON,
	.output = MODE_OPOST | MODE_ONLCR,
	.control = MODE_B38400 | MODE_CS8 | MODE_CREAD,
	.local = MODE_ISIG | MODE_ICANON | MODE_ECHO | MODE_ECHOE |
	    MODE_ECHOK | MODE_ECHOCTL | MODE_ECHOKE | MODE_IEXTEN,
	.character = {
		[CHARACTER_INTERRUPT] = CTRL('C'),
		[CHARACTER_QUIT] = CTRL('\\'),
		[CHARACTER_ERASE] = 0x7f,
		[CHARACTER_KILL] = CTRL('U'),
		[CHARACTER_END] = CTRL('D'),
		[CHARACTER_MINIMUM] = 1,
		[CHARACTER_START] = CTRL('Q'),
		[CHARACTER_STOP] = CTRL('S'),
		[CHARACTER_SUSPEND] = CTRL('Z'),
		[CHARACTER_REPRINT] = CTRL('R'),
		[CHARACTER_DISCARD] = CTRL('O'),
		[CHARACTER_WORD_ERASE] = CTRL('W'),
		[CHARACTER_LITERAL] = CTRL('V'),
	},
};

void
terminal_save(struct terminal_core *core, void *pointer, size_t length)
{
	if (tx_add(core->arena, pointer, length) != OK)
		core->port->fail(core->port->context, "undo log full");
}

void
terminal_hold(struct terminal_core *core, struct terminal *terminal)
{
	size_t start = offsetof(struct terminal, modes);

	if (core->held == terminal)
		return;
	terminal_save(core, (char *)terminal + start,
	    offsetof(struct terminal, mark) - start);
	core->held = terminal;
	core->input_block = core->output_block = 0;
}

void
terminal_begin(struct terminal_core *core, uint64_t now_ns)
{
	core->now_ns = now_ns;
	core->held = NULL;
	core->input_block = core->output_block = 0;
	core->answered = 0;
}

struct terminal *
terminal_create(struct terminal_core *core, uint32_t number)
{
	struct terminal *terminal = arena_alloc(core->arena,
	    sizeof(*terminal));

	if (terminal == NULL)
		return NULL;
	for (unsigned i = 0; i < TERMINAL_CALL_KINDS; i++) {
		if (arena_list_init(core->arena, &terminal->waiting[i]) != OK)
			return NULL;
	}
	terminal->number = number;
	terminal->modes = initial_modes;
	return terminal;
}

void
terminal_destroy(struct terminal_core *core, struct terminal *terminal)
{
	if (arena_free(core->arena, terminal) != OK)
		core->port->fail(core->port->context, "cannot free");
	core->held = NULL;
}

static void
packet_status(struct terminal_core *core, struct terminal *terminal,
    uint32_t clear, uint32_t set)
{
	if (!terminal->packet)
		return;
	terminal_hold(core, terminal);
	terminal->packet_status = (terminal->packet_status & ~clear) | set;
}

/* -- output flow -- */

void
output_stop(struct terminal_core *core, struct terminal *terminal)
{
	if (terminal->stopped)
		return;
	terminal_hold(core, terminal);
	terminal->stopped = 1;
	terminal->output_stop = terminal->output_end;
	terminal->stop_column = terminal->column;
	terminal->stop_line_column = terminal->line_column;
	packet_status(core, terminal, PACKET_START, PACKET_STOP);
}

void
output_start(struct terminal_core *core, struct terminal *terminal)
{
	if (!terminal->stopped || terminal->stopped_by_call)
		return;
	terminal_hold(core, terminal);
	terminal->stopped = 0;
	packet_status(core, terminal, PACKET_STOP, PACKET_START);
}

void
output_reset(struct terminal_core *core, struct terminal *terminal)
{
	terminal_hold(core, terminal);
	/* Positions count what got out: the rest was never there. */
	terminal->output_end = terminal->output_start;
	terminal->output_stop = terminal->output_start;
	if (terminal->stopped) {
		/* Echo that was held back never moved the cursor. */
		terminal->column = terminal->stop_column;
		terminal->line_column = terminal->stop_line_column;
	}
}

static void
send_flow(struct terminal_core *core, struct terminal *terminal, unsigned key)
{
	uint8_t c = terminal->modes.character[key];

	if (c != DISABLED)
		output_raw(core, terminal, c);
}

void
terminal_flow(struct terminal_core *core, struct terminal *terminal,
    unsigned action)
{
	terminal_hold(core, terminal);
	switch (action) {
	case TERMINAL_FLOW_OUT_OFF:
		output_stop(core, terminal);
		terminal->stopped_by_call = 1;
		break;
	case TERMINAL_FLOW_OUT_ON:
		if (terminal->stopped_by_call) {
			terminal->stopped_by_call = 0;
			output_start(core, terminal);
		}
		break;
	case TERMINAL_FLOW_IN_OFF:
		send_flow(core, terminal, CHARACTER_STOP);
		break;
	default:
		send_flow(core, terminal, CHARACTER_START);
		break;
	}
	terminal_serve(core, terminal);
}

void
terminal_flush(struct terminal_core *core, struct terminal *terminal,
    unsigned which)
{
	if (which != 1) {
		input_reset(core, terminal);
		packet_status(core, terminal, 0, PACKET_FLUSH_READ);
	}
	if (which != 0) {
		output_reset(core, terminal);
		packet_status(core, terminal, 0, PACKET_FLUSH_WRITE);
	}
}

size_t
terminal_output(const struct terminal *terminal, const uint8_t **out_bytes)
{
	uint32_t at = terminal->output_start % TERMINAL_OUTPUT;
	uint32_t length = output_ready(terminal);

	*out_bytes = terminal->output + at;
	return length < TERMINAL_OUTPUT - at ? length : TERMINAL_OUTPUT - at;
}

void
terminal_output_done(struct terminal_core *core, struct terminal *terminal,
    size_t length)
{
	if (length == 0)
		return;
	terminal_hold(core, terminal);
	terminal->output_start += length;
}

/* -- modes -- */

/* Lines that are there lose their ends; what is there becomes one line. */
static void
change_canonical(struct terminal_core *core, struct terminal *terminal,
    bool canonical)
{
	terminal_save(core, terminal->mark, sizeof(terminal->mark));
	for (unsigned i = 0; i < TERMINAL_INPUT / 64; i++)
		terminal->mark[i] = 0;
	terminal->erasing = terminal->literal_next = 0;
	if (!canonical || input_fill(terminal) == 0) {
		terminal->line_end = terminal->input_start;
	} else {
		input_set_mark(core, terminal, terminal->input_end - 1, true);
		terminal->line_end = terminal->input_end;
	}
}

/* Whether a typist may stop output with ^S and ^Q. */
static bool
usual_flow(const struct terminal_modes *modes)
{
	return (modes->input & MODE_IXON) != 0 &&
	    modes->character[CHARACTER_STOP] == CTRL('S') &&
	    modes->character[CHARACTER_START] == CTRL('Q');
}

void
terminal_set_modes(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_modes *modes)
{
	const struct terminal_modes old = terminal->modes;

	terminal_hold(core, terminal);
	terminal->modes = *modes;
	terminal->modes.discipline = 0;
	terminal->modes.control = (modes->control & ~CONTROL_FIXED) |
	    MODE_CS8 | MODE_CREAD;
	if (usual_flow(&old) && !usual_flow(modes))
		packet_status(core, terminal, PACKET_DO_STOP, PACKET_NO_STOP);
	if (!usual_flow(&old) && usual_flow(modes))
		packet_status(core, terminal, PACKET_NO_STOP, PACKET_DO_STOP);
	if ((old.local ^ modes->local) & MODE_ICANON)
		change_canonical(core, terminal,
		    (modes->local & MODE_ICANON) != 0);
	if ((old.input & MODE_IXON) && !(modes->input & MODE_IXON))
		output_start(core, terminal);
}

void
terminal_set_size(struct terminal_core *core, struct terminal *terminal,
    uint32_t rows, uint32_t columns)
{
	if (terminal->rows == rows && terminal->columns == columns)
		return;
	terminal_hold(core, terminal);
	terminal->rows = rows;
	terminal->columns = columns;
	core->port->signal(core->port->context, terminal, TERMINAL_SIGWINCH);
}

void
terminal_set_packet(struct terminal_core *core, struct terminal *terminal,
    bool on)
{
	terminal_hold(core, terminal);
	if (on && !terminal->packet)
		terminal->packet_status = 0;
	terminal->packet = on;
}

/* -- the shell's part -- */

void
terminal_set_session(struct terminal_core *core, struct terminal *terminal,
    uint32_t session, uint32_t foreground)
{
	terminal_hold(core, terminal);
	terminal->session = session;
	terminal->foreground = foreground;
}

void
terminal_set_locked(struct terminal_core *core, struct terminal *terminal,
    bool locked)
{
	terminal_hold(core, terminal);
	terminal->locked = locked;
}

void
terminal_count(struct terminal_core *core, struct terminal *terminal,
    bool master, int change)
{
	terminal_hold(core, terminal);
	if (master)
		terminal->masters += (uint32_t)change;
	else
		terminal->slaves += (uint32_t)change;
	if (terminal->slaves > 0)
		terminal->slave_seen = 1;
	terminal_serve(core, terminal);
}

void
terminal_input_end(struct terminal_core *core, struct terminal *terminal)
{
	if (terminal->ended)
		return;
	terminal_hold(core, terminal);
	terminal->ended = 1;
	/* What was being typed is the last line. */
	if (has_local(terminal, MODE_ICANON) &&
	    terminal->line_end != terminal->input_end) {
		input_set_mark(core, terminal, terminal->input_end - 1, true);
		terminal->line_end = terminal->input_end;
	}
	terminal_serve(core, terminal);
}

void
terminal_hang_up(struct terminal_core *core, struct terminal *terminal)
{
	terminal_hold(core, terminal);
	terminal->epoch++;
	terminal->stopped_by_call = 0;
	output_start(core, terminal);
	terminal_set_modes(core, terminal, &initial_modes);
	input_reset(core, terminal);
	terminal->literal_next = 0;
	terminal_serve(core, terminal);
}

bool
terminal_ok(const struct terminal *terminal)
{
	uint32_t lines = terminal->line_end - terminal->input_start;

	if (input_fill(terminal) > TERMINAL_INPUT ||
	    output_fill(terminal) > TERMINAL_OUTPUT)
		return false;
	if (terminal->stopped &&
	    (terminal->output_stop < terminal->output_start ||
	    terminal->output_stop > terminal->output_end))
		return false;
	if (!(terminal->modes.local & MODE_ICANON))
		return true;
	/* Complete lines end in a mark, the one being edited has none. */
	if (lines > input_fill(terminal) ||
	    (lines > 0 && !input_is_marked(terminal, terminal->line_end - 1)))
		return false;
	for (uint32_t at = terminal->line_end; at != terminal->input_end; at++)
		if (input_is_marked(terminal, at))
			return false;
	return true;
}
