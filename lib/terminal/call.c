/* SPDX-License-Identifier: MIT */
/*
 * Calls that read, write or drain, and those of them that wait.
 */
#include <lib/terminal/state.h>

#include <idl/errno.h>

#define CHUNK		256u		/* of a write */
#define TENTH_NS	100000000ul	/* unit of CHARACTER_TIME */

/* How far a call came: TERMINAL_PARKED, it has to wait. */
struct outcome {
	terminal_outcome kind;
	uint64_t value;
};

static const struct outcome waits = { TERMINAL_PARKED, 0 };

static struct outcome
done(uint64_t value)
{
	return (struct outcome){ TERMINAL_DONE, value };
}

static struct outcome
failed(uint64_t error)
{
	return (struct outcome){ TERMINAL_ERROR, error };
}

static struct outcome
wait_or_fail(const struct terminal_waiter *waiter)
{
	return waiter->nonblock ? failed(E_AGAIN) : waits;
}

static uint32_t
smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Part of a ring of `size` bytes, to the caller's window. */
static status_t
copy_ring(struct terminal_core *core, const struct terminal_waiter *waiter,
    const uint8_t *ring, uint32_t size, const uint32_t part[3])
{
	const struct terminal_port *port = core->port;
	uint32_t at = part[0] % size, length = part[1], offset = part[2];
	uint32_t first = smaller(length, size - at);
	status_t status = OK;

	if (first > 0)
		status = port->copy_out(port->context, waiter->call, offset,
		    ring + at, first);
	if (status == OK && length > first)
		status = port->copy_out(port->context, waiter->call,
		    offset + first, ring, length - first);
	return status;
}

/* -- readers of the slave -- */

static struct outcome
read_bytes(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_waiter *waiter, uint32_t length)
{
	const uint32_t part[3] = { terminal->input_start, length, 0 };

	if (copy_ring(core, waiter, terminal->input, TERMINAL_INPUT,
	    part) != OK)
		return failed(E_FAULT);
	terminal_hold(core, terminal);
	terminal->input_start += length;
	return done(length);
}

/* Bytes up to the end of the line; its mark is among them or not. */
static uint32_t
line_length(const struct terminal *terminal, uint32_t most, bool *out_marked)
{
	uint32_t length = 0;

	most = smaller(most, terminal->line_end - terminal->input_start);
	*out_marked = false;
	while (length < most && !*out_marked)
		*out_marked = input_is_marked(terminal,
		    terminal->input_start + length++);
	return length;
}

static bool
is_end_of_file(const struct terminal *terminal, uint32_t at)
{
	return at != terminal->line_end && input_is_marked(terminal, at) &&
	    input_at(terminal, at) == DISABLED;
}

static struct outcome
read_line(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_waiter *waiter)
{
	bool marked;
	uint32_t length = line_length(terminal, waiter->length, &marked);
	uint32_t start = terminal->input_start;
	uint32_t last = start + length - 1;
	bool end = marked && is_end_of_file(terminal, last);

	/* A line that fits exactly takes the end of file behind it along. */
	if (!marked && length == waiter->length &&
	    is_end_of_file(terminal, start + length)) {
		last = start + length;
		marked = end = true;
		length++;
	}
	struct outcome outcome = read_bytes(core, terminal, waiter,
	    length - end);
	if (outcome.kind != TERMINAL_DONE)
		return outcome;
	if (marked)
		input_set_mark(core, terminal, last, false);
	terminal->input_start = start + length;
	return outcome;
}

/*
 * CHARACTER_MINIMUM and CHARACTER_TIME. Nothing is taken before all is there
 * that the read waits for, so others may still get it.
 */
static struct outcome
read_raw(struct terminal_core *core, struct terminal *terminal,
    struct terminal_waiter *waiter)
{
	uint32_t minimum = terminal->modes.character[CHARACTER_MINIMUM];
	uint64_t time = terminal->modes.character[CHARACTER_TIME] * TENTH_NS;
	uint32_t fill = input_fill(terminal);
	uint32_t length = smaller(fill, waiter->length);

	if (fill >= smaller(minimum > 0 ? minimum : 1, waiter->length))
		return read_bytes(core, terminal, waiter, length);
	if (minimum == 0 && time == 0)
		return done(0);
	if (waiter->nonblock && length == 0)
		return failed(E_AGAIN);
	if (waiter->nonblock || terminal->ended)
		return read_bytes(core, terminal, waiter, length);
	if (time == 0 || (minimum > 0 && fill == 0))
		return waits;
	if (waiter->due_ns == 0 || fill != waiter->seen) {
		waiter->due_ns = core->now_ns + time;
		waiter->seen = fill;
	}
	if (core->now_ns < waiter->due_ns)
		return waits;
	return read_bytes(core, terminal, waiter, length);
}

static struct outcome
try_read(struct terminal_core *core, struct terminal *terminal,
    struct terminal_waiter *waiter)
{
	if (!has_local(terminal, MODE_ICANON)) {
		if (terminal->ended && input_fill(terminal) == 0)
			return done(0);
		return read_raw(core, terminal, waiter);
	}
	waiter->due_ns = 0;
	if (terminal->line_end != terminal->input_start)
		return read_line(core, terminal, waiter);
	return terminal->ended ? done(0) : wait_or_fail(waiter);
}

/* -- the others -- */

static struct outcome
read_packet_status(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_waiter *waiter)
{
	const struct terminal_port *port = core->port;
	uint8_t status = (uint8_t)terminal->packet_status;

	if (port->copy_out(port->context, waiter->call, 0, &status, 1) != OK)
		return failed(E_FAULT);
	terminal_hold(core, terminal);
	terminal->packet_status = 0;
	return done(1);
}

static struct outcome
try_master_read(struct terminal_core *core, struct terminal *terminal,
    struct terminal_waiter *waiter)
{
	static const uint8_t data = 0;	/* packet mode: data follows */
	const struct terminal_port *port = core->port;
	uint32_t packet = terminal->packet ? 1 : 0;

	if (packet && terminal->packet_status != 0)
		return read_packet_status(core, terminal, waiter);
	uint32_t length = smaller(output_ready(terminal),
	    waiter->length - packet);
	if (output_ready(terminal) == 0) {
		if (terminal->slave_seen && terminal->slaves == 0)
			return failed(E_IO);
		return wait_or_fail(waiter);
	}
	const uint32_t part[3] = {
		(uint32_t)terminal->output_start % TERMINAL_OUTPUT, length,
		packet,
	};
	if ((packet && port->copy_out(port->context, waiter->call, 0, &data,
	    1) != OK) || copy_ring(core, waiter, terminal->output,
	    TERMINAL_OUTPUT, part) != OK)
		return failed(E_FAULT);
	terminal_output_done(core, terminal, length);
	return done(packet + length);
}

static size_t
output_bytes(struct terminal_core *core, struct terminal *terminal,
    const uint8_t *bytes, size_t length)
{
	size_t count = 0;

	if (terminal->stopped)
		return 0;
	while (count < length && output_byte(core, terminal, bytes[count]))
		count++;
	return count;
}

/* In pieces; what was taken before a piece that cannot be read counts. */
static struct outcome
try_write(struct terminal_core *core, struct terminal *terminal,
    struct terminal_waiter *waiter)
{
	bool typed = waiter->kind == TERMINAL_CALL_MASTER_WRITE;
	const struct terminal_port *port = core->port;
	uint32_t total = 0;
	size_t part, taken;
	uint8_t bytes[CHUNK];

	if (typed && terminal->slave_seen && terminal->slaves == 0)
		return failed(E_IO);
	do {
		part = smaller(waiter->length - total, CHUNK);
		if (port->copy_in(port->context, waiter->call, total, bytes,
		    part) != OK)
			return total > 0 ? done(total) : failed(E_FAULT);
		taken = typed ? terminal_input(core, terminal, bytes, part) :
		    output_bytes(core, terminal, bytes, part);
		total += (uint32_t)taken;
	} while (taken == part && total < waiter->length);
	return total > 0 ? done(total) : wait_or_fail(waiter);
}

/* What a master has not read counts as out, as on Linux. */
static struct outcome
try_drain(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_waiter *waiter)
{
	if (!is_pty(terminal) && output_fill(terminal) > 0)
		return wait_or_fail(waiter);
	if (waiter->action == TERMINAL_AFTER_FLUSH)
		terminal_flush(core, terminal, 0);
	if (waiter->action != 0)
		terminal_set_modes(core, terminal, &waiter->modes);
	return done(0);
}

static struct outcome
try_call(struct terminal_core *core, struct terminal *terminal,
    struct terminal_waiter *waiter)
{
	bool reads = waiter->kind == TERMINAL_CALL_READ ||
	    waiter->kind == TERMINAL_CALL_MASTER_READ;

	if (waiter->epoch != terminal->epoch &&
	    waiter->kind < TERMINAL_CALL_MASTER_READ)
		return reads ? done(0) : failed(E_IO);
	if (waiter->length == 0 && waiter->kind != TERMINAL_CALL_DRAIN)
		return done(0);
	switch (waiter->kind) {
	case TERMINAL_CALL_READ:
		return try_read(core, terminal, waiter);
	case TERMINAL_CALL_MASTER_READ:
		return try_master_read(core, terminal, waiter);
	case TERMINAL_CALL_DRAIN:
		return try_drain(core, terminal, waiter);
	default:
		return try_write(core, terminal, waiter);
	}
}

/* -- those that wait -- */

static struct terminal_waiter *
waiter_of(struct arena_list *node)
{
	return (struct terminal_waiter *)((char *)node -
	    offsetof(struct terminal_waiter, link));
}

static bool
is_empty(const struct arena_list *head)
{
	return head->next == head;
}

static bool
park(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_waiter *from)
{
	struct terminal_waiter *waiter = arena_alloc(core->arena,
	    sizeof(*waiter));

	if (waiter == NULL)
		return false;
	*waiter = *from;
	return arena_list_append(core->arena, &terminal->waiting[from->kind],
	    &waiter->link) == OK;
}

static void
unpark(struct terminal_core *core, struct terminal_waiter *waiter)
{
	if (arena_list_remove(core->arena, &waiter->link) != OK ||
	    arena_free(core->arena, waiter) != OK)
		core->port->fail(core->port->context, "undo log full");
}

static void
answer(struct terminal_core *core, struct terminal_waiter *waiter,
    struct outcome outcome)
{
	bool error = outcome.kind == TERMINAL_ERROR;

	core->answered++;
	core->port->answer(core->port->context, waiter->call,
	    error ? outcome.value : 0, error ? 0 : outcome.value);
	unpark(core, waiter);
}

/* The first of its kind; false if it has to wait on. */
static bool
serve_first(struct terminal_core *core, struct terminal *terminal,
    struct arena_list *head)
{
	struct terminal_waiter *waiter = waiter_of(head->next), copy;

	if (is_empty(head) || core->answered == TERMINAL_ANSWERS)
		return false;
	copy = *waiter;
	struct outcome outcome = try_call(core, terminal, &copy);
	if (outcome.kind != TERMINAL_PARKED) {
		answer(core, waiter, outcome);
		return true;
	}
	if (copy.due_ns != waiter->due_ns || copy.seen != waiter->seen) {
		terminal_save(core, waiter, sizeof(*waiter));
		*waiter = copy;
	}
	return false;
}

void
terminal_serve(struct terminal_core *core, struct terminal *terminal)
{
	bool progress;

	/* One makes room for another: around until nothing moves. */
	do {
		progress = false;
		for (unsigned i = 0; i < TERMINAL_CALL_KINDS; i++)
			progress |= serve_first(core, terminal,
			    &terminal->waiting[i]);
	} while (progress);
	if (core->answered == TERMINAL_ANSWERS)
		core->port->again(core->port->context);
}

terminal_outcome
terminal_request(struct terminal_core *core, struct terminal *terminal,
    const struct terminal_waiter *request, uint64_t *out_value)
{
	struct terminal_waiter waiter = *request;
	struct outcome outcome = waits;

	waiter.due_ns = 0;
	waiter.seen = 0;
	if (waiter.nonblock || is_empty(&terminal->waiting[waiter.kind]))
		outcome = try_call(core, terminal, &waiter);
	if (outcome.kind == TERMINAL_PARKED &&
	    !park(core, terminal, &waiter))
		outcome = failed(E_NOMEM);
	*out_value = outcome.value;
	if (outcome.kind == TERMINAL_DONE)
		terminal_serve(core, terminal);
	return outcome.kind;
}

static struct terminal_waiter *
find(struct terminal *terminal, struct terminal_call call)
{
	for (unsigned i = 0; i < TERMINAL_CALL_KINDS; i++) {
		struct arena_list *head = &terminal->waiting[i];

		for (struct arena_list *node = head->next; node != head;
		    node = node->next) {
			struct terminal_waiter *waiter = waiter_of(node);
			if (waiter->call.reply == call.reply &&
			    waiter->call.order == call.order)
				return waiter;
		}
	}
	return NULL;
}

bool
terminal_cancel(struct terminal_core *core, struct terminal *terminal,
    struct terminal_call call)
{
	struct terminal_waiter *waiter = find(terminal, call);
	struct outcome outcome = failed(E_INTR);

	if (waiter == NULL)
		return false;
	/* A raw read that waits for more gets what there is. */
	if (waiter->kind == TERMINAL_CALL_READ &&
	    !has_local(terminal, MODE_ICANON) && input_fill(terminal) > 0 &&
	    waiter->epoch == terminal->epoch)
		outcome = read_bytes(core, terminal, waiter,
		    smaller(input_fill(terminal), waiter->length));
	if (outcome.kind == TERMINAL_ERROR)
		outcome = failed(E_INTR);
	answer(core, waiter, outcome);
	terminal_serve(core, terminal);
	return true;
}

uint64_t
terminal_due(const struct terminal *terminal)
{
	const struct arena_list *head =
	    &terminal->waiting[TERMINAL_CALL_READ];

	return is_empty(head) ? 0 : waiter_of(head->next)->due_ns;
}

void
terminal_poll(const struct terminal *terminal, bool master,
    struct terminal_state *out_state)
{
	const uint8_t *keys = terminal->modes.character;
	uint32_t wanted = keys[CHARACTER_TIME] == 0 &&
	    keys[CHARACTER_MINIMUM] > 0 ? keys[CHARACTER_MINIMUM] : 1;
	bool gone = terminal->slave_seen && terminal->slaves == 0;
	struct terminal_state state = { .pending = output_fill(terminal) };
	bool in, out = !terminal->stopped &&
	    output_fill(terminal) < TERMINAL_OUTPUT / 2;

	if (master) {
		state.readable = output_ready(terminal);
		in = state.readable > 0 ||
		    (terminal->packet && terminal->packet_status != 0);
		out = input_fill(terminal) < TERMINAL_INPUT - 1 || gone;
		state.pending = 0;
		state.ready = gone ? TERMINAL_READY_HANGUP : 0;
	} else if (has_local(terminal, MODE_ICANON)) {
		state.readable = terminal->line_end - terminal->input_start;
		/* Ends of file are no bytes. */
		for (uint32_t at = terminal->input_start;
		    at != terminal->line_end; at++)
			state.readable -= is_end_of_file(terminal, at);
		in = terminal->line_end != terminal->input_start;
	} else {
		state.readable = input_fill(terminal);
		in = state.readable >= wanted;
	}
	if (terminal->ended && !master)
		in = true;
	state.ready |= (in ? TERMINAL_READY_IN : 0) |
	    (out ? TERMINAL_READY_OUT : 0);
	*out_state = state;
}
