/* SPDX-License-Identifier: MIT */
/*
 * A command of the host: taken, carried out by a later transaction of the same
 * incarnation, answered in pieces.
 */
#include <lib/console/console.h>

#include <lib/base/string.h>
#include <lib/console/state.h>

#define FLAGS_SIZE	1u

static void
hold_words(struct console_line *line)
{
	console_hold(line, &line->console->control,
	    offsetof(struct console_control, command));
}

bool
console_control_take(struct console_line *line, const struct frame *frame)
{
	struct console_control *control = &line->console->control;
	size_t length = frame->length < CONSOLE_COMMAND_MAX ? frame->length :
	    CONSOLE_COMMAND_MAX;

	if (control->state != CONTROL_FREE)
		return false;
	hold_words(line);
	tx_unused(line->arena, control->command, sizeof(control->command));
	memcpy(control->command, frame->data, length);
	control->command_length = (uint32_t)length;
	control->incarnation = line->incarnation;
	control->state = CONTROL_TAKEN;
	return true;
}

/* Whether it was carried out is not known. */
static size_t
say_interrupted(uint8_t *answer)
{
	static const char text[] = "interrupted: the console was restarted\n";

	memcpy(answer, text, sizeof(text) - 1);
	return sizeof(text) - 1;
}

void
console_control_step(struct console_line *line)
{
	struct console_control *control = &line->console->control;
	const struct console_port *port = line->port;
	bool failed = true;
	size_t length;

	if (control->state != CONTROL_TAKEN)
		return;
	hold_words(line);
	tx_unused(line->arena, control->answer, sizeof(control->answer));
	if (control->incarnation != line->incarnation)
		length = say_interrupted(control->answer);
	else
		length = port->command(port->context, control->command,
		    control->command_length, control->answer, &failed);
	control->answer_length = (uint32_t)length;
	control->answer_sent = 0;
	control->failed = failed;
	control->state = CONTROL_ANSWERED;
}

bool
console_feed_answer(struct console_line *line)
{
	struct console *console = line->console;
	struct console_control *control = &console->control;
	struct console_frame *frame = &console->frame;
	uint32_t length = control->answer_length - control->answer_sent;

	if (control->state != CONTROL_ANSWERED || frame->type != 0)
		return false;
	if (length > FRAME_DATA_MAX - FLAGS_SIZE)
		length = FRAME_DATA_MAX - FLAGS_SIZE;
	console_hold(line, frame, sizeof(*frame));
	console_hold(line, &console->sequence, sizeof(console->sequence));
	hold_words(line);
	memcpy(frame->data + FLAGS_SIZE, control->answer +
	    control->answer_sent, length);
	control->answer_sent += length;
	frame->data[0] = control->failed ? CONSOLE_ANSWER_FAILED : 0;
	if (control->answer_sent == control->answer_length) {
		frame->data[0] |= CONSOLE_ANSWER_LAST;
		control->state = CONTROL_FREE;
	}
	frame->type = FRAME_ANSWER;
	frame->length = length + FLAGS_SIZE;
	frame->sequence = console->sequence++;
	return true;
}
