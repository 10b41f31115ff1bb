/* SPDX-License-Identifier: MIT */
/*
 * Commands of `ctl`, from programs and from the host.
 *
 * A command is executed once, with cursor 0; its whole text is made then and
 * handed out piece by piece. The text belongs to the last command only and is
 * gone with the incarnation: the cursor names it, an old one gets ERR_STALE.
 */
#include "command.h"

#include <lib/base/format.h>
#include <lib/base/string.h>

#define TEXT_MAX	32768u
#define CURSOR(id, offset)	((uint64_t)(id) << 32 | (offset))

static char text[TEXT_MAX];
static size_t text_length;
static uint32_t text_id;		/* 0: none yet */
static bool repeated;			/* a dead incarnation had this call */

struct command {
	const char *name, *operands, *what;
	unsigned least, most;	/* words, with the command */
	status_t (*run)(struct phoenix *phoenix,
	    const struct command_words *words);
};

void
say(const char *format, ...)
{
	va_list arguments;
	size_t room = TEXT_MAX - text_length;

	va_start(arguments, format);
	size_t length = format_print(text + text_length, room, format,
	    arguments);
	va_end(arguments);
	text_length += length < room ? length : room - 1;
}

void
say_bytes(const char *from, size_t length)
{
	size_t room = TEXT_MAX - text_length;

	if (length > room)
		length = room;
	memcpy(text + text_length, from, length);
	text_length += length;
}

char *
say_room(size_t *out_room)
{
	*out_room = TEXT_MAX - text_length;
	return text + text_length;
}

void
say_written(size_t length)
{
	text_length += length;
}

bool
command_is_repeated(void)
{
	return repeated;
}

struct place *
command_place(struct phoenix *phoenix, const struct command_words *words)
{
	return place_find(phoenix, words->word[1], strlen(words->word[1]));
}

static COMMAND(help);

static const struct command commands[] = {
	{ "ps", "", "services: state, incarnation, deaths, calls, memory", 1, 1,
	    run_ps },
	{ "deps", "", "what each service provides and needs", 1, 1, run_deps },
	{ "ipc", "", "calls of each service, and how long they take", 1, 1,
	    run_ipc },
	{ "stats", "[SERVICE]", "counters of the machine or a service", 1, 2,
	    run_stats },
	{ "events", "[SERVICE]", "the last changes of state and health", 1, 2,
	    run_events },
	{ "sched", "", "CPUs: idle time, switches, waits by class", 1, 1,
	    run_sched },
	{ "logs", "[SERVICE]", "the end of the log", 1, 2, run_logs },
	{ "dmesg", "[SERVICE]", "the same", 1, 2, run_logs },
	{ "trace", "SERVICE", "the last events of its loop", 2, 3, run_trace },
	{ "trace", "start|stop", "record the events of all services", 2, 2,
	    run_trace },
	{ "trace", "read POSITION", "the recording from there on", 3, 3,
	    run_trace },
	{ "policy", "SERVICE [KEY=VALUE...]", "how it is restarted", 2,
	    COMMAND_WORDS, run_policy },
	{ "kill", "SERVICE", "end its incarnation; it resumes", 2, 2, run_kill },
	{ "restart", "SERVICE", "the same, also if it was given up", 2, 2,
	    run_restart },
	{ "drain", "SERVICE [off]", "calls wait until it ends, or a restart", 2,
	    3, run_drain },
	{ "reload", "SERVICE [IMAGE]", "goes on with another image", 2, 3,
	    run_reload },
	{ "help", "", "this list", 1, 1, run_help },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static status_t
run_help(struct phoenix *phoenix, const struct command_words *words)
{
	(void)phoenix;
	(void)words;
	for (unsigned i = 0; i < COMMANDS; i++)
		say("%-8s %-23s %s\n", commands[i].name, commands[i].operands,
		    commands[i].what);
	return OK;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

/* At blanks, in place; false if there are too many words. */
static bool
split(char *line, struct command_words *out)
{
	static char empty[] = "";

	out->count = 0;
	for (unsigned i = 0; i < COMMAND_WORDS; i++)
		out->word[i] = empty;
	for (;;) {
		while (is_blank(*line))
			*line++ = '\0';
		if (*line == '\0')
			return true;
		if (out->count == COMMAND_WORDS)
			return false;
		out->word[out->count++] = line;
		while (*line != '\0' && !is_blank(*line))
			line++;
	}
}

static const struct command *
find_command(const char *name)
{
	for (unsigned i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static status_t
run_line(struct phoenix *phoenix, char *line)
{
	struct command_words words;
	bool all = split(line, &words);
	const struct command *command = find_command(words.word[0]);

	if (command == NULL) {
		say("%s: no such command; try help\n", words.count == 0 ?
		    "nothing" : words.word[0]);
		return ERR_NOSYS;
	}
	if (!all || words.count < command->least ||
	    words.count > command->most) {
		say("usage: %s %s\n", command->name, command->operands);
		return ERR_ARG;
	}
	status_t status = command->run(phoenix, &words);
	if (status == ERR_NOENT)
		say("%s: no such service\n", words.word[1]);
	return status;
}

/* A new text; what a command is told twice is shown anew. */
static status_t
execute(struct phoenix *phoenix, const struct service_call *call,
    const struct wire_bytes *command)
{
	char line[PHOENIX_COMMAND_MAX + 1] = { 0 };
	status_t status = wire_take(call, command, line);

	if (status != OK)
		return status;
	text_length = 0;
	if (text_id == 0)
		text_id = (uint32_t)service_info()->incarnation << 16;
	text_id++;
	repeated = call->resumed;
	return run_line(phoenix, line);
}

unsigned
handle_command(struct phoenix_context *context, struct service_call *call,
    const struct phoenix_command_args *in, struct phoenix_command_results *out)
{
	uint64_t offset = (uint32_t)in->cursor;
	status_t status;

	if (in->cursor == 0)
		out->result = execute(context->phoenix, call, &in->command);
	else if (in->cursor >> 32 != text_id || offset > text_length)
		return ERR_STALE;
	uint64_t length = text_length - offset;
	if (length > in->text.length)
		length = in->text.length;
	status = wire_give(call, &in->text, text + offset, length);
	if (status != OK)
		return (unsigned)status;
	offset += length;
	out->text_length = length;
	out->next = offset < text_length ? CURSOR(text_id, offset) : 0;
	return OK;
}
