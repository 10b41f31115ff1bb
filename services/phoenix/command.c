/* SPDX-License-Identifier: MIT */
/*
 * Commands of `ctl`, from programs and from the host: ps, deps, stats, logs,
 * trace, kill, restart.
 *
 * A command is executed once, with cursor 0; its whole text is made then and
 * handed out piece by piece. The text belongs to the last command only and is
 * gone with the incarnation: the cursor names it, an old one gets ERR_STALE.
 */
#include "phoenix.h"

#include <idl/errno.h>
#include <lib/base/format.h>
#include <lib/base/string.h>

#define TEXT_MAX	32768u
#define WORDS_MAX	4u		/* one more than any command has */
#define LOG_MAX		16384u		/* what the kernel keeps */
#define CURSOR(id, offset)	((uint64_t)(id) << 32 | (offset))

static char text[TEXT_MAX];
static size_t text_length;
static uint32_t text_id;		/* 0: none yet */
static char log_text[LOG_MAX];
static bool repeated;			/* a dead incarnation had this call */
static const char *second_operand;	/* "" if there is none */

struct command {
	const char *name, *operand, *what;
	status_t (*run)(struct phoenix *phoenix, const char *operand);
};

static void __attribute__((format(printf, 1, 2)))
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

static void
say_bytes(const char *from, size_t length)
{
	size_t room = TEXT_MAX - text_length;

	if (length > room)
		length = room;
	memcpy(text + text_length, from, length);
	text_length += length;
}

static const char *
state_name(uint64_t state)
{
	static const char *const name[] = {
		[PLACE_STOPPED] = "stopped",
		[PLACE_BUILT] = "starting",
		[PLACE_READY] = "ready",
		[PLACE_DELAYED] = "delayed",
		[PLACE_GIVEN_UP] = "given-up",
	};

	return state < sizeof(name) / sizeof(name[0]) ? name[state] : "?";
}

static struct container_info
memory_of(cap_t container)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;

	if (container == CAP_NONE || sys_invoke(SYS_CONTAINER_INFO, container,
	    0, 0, 0, 0, 0).status != OK)
		return (struct container_info){ 0 };
	return *(const struct container_info *)utcb->data;
}

/* CPU time of the incarnation on its own account: not what callers lent. */
static uint64_t
run_time_ms(const struct place *place)
{
	struct sys_result r = sys_invoke(SYS_THREAD_INFO,
	    place->life.now.thread, 0, 0, 0, 0, 0);

	return place->life.now.thread == CAP_NONE || r.status != OK ? 0 :
	    r.value[0] / 1000000;
}

static status_t
run_ps(struct phoenix *phoenix, const char *operand)
{
	(void)operand;
	say("%-12s %-9s %11s %7s %10s %9s %8s %8s\n", "SERVICE", "STATE",
	    "INCARNATION", "DEATHS", "CALLS", "KIB", "OBJECTS", "CPU-MS");
	say("%-12s %-9s %11lu %7s %10s %9s %8s %8s\n", "phoenix", "ready",
	    service_info()->incarnation, "-", "-", "-", "-", "-");
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		const struct trace_page *trace = report_trace(phoenix, place);
		struct container_info memory = memory_of(place->parts.container);

		say("%-12s %-9s %11lu %7lu %10lu %9lu %8lu %8lu\n",
		    place->manifest.name, state_name(place->life.state),
		    place->life.incarnation, place->life.deaths,
		    trace != NULL ? trace->calls : 0,
		    memory.frames_used * (PAGE_SIZE / 1024),
		    memory.objects_used, run_time_ms(place));
	}
	return OK;
}

static void
say_list(const char *head, const char *items, size_t size, unsigned count)
{
	for (unsigned i = 0; i < count && items[i * size] != '\0'; i++)
		say("%s%s", i == 0 ? head : " ", items + i * size);
}

static status_t
run_deps(struct phoenix *phoenix, const char *operand)
{
	(void)operand;
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct manifest *m = &phoenix->place[i].manifest;

		say("%s: group %lu", m->name, m->group);
		say_list("; provides ", m->provides[0], sizeof(m->provides[0]),
		    PROVIDES_MAX);
		say_list("; needs ", m->needs[0], sizeof(m->needs[0]),
		    NEEDS_MAX);
		say("\n");
	}
	return OK;
}

static status_t
stats_of(struct phoenix *phoenix, const struct place *place)
{
	static const char *const policy[] = {
		[RESTART_NEVER] = "never",
		[RESTART_ON_FAILURE] = "on-failure",
		[RESTART_ALWAYS] = "always",
	};
	const struct manifest *m = &place->manifest;
	const struct life *life = &place->life;
	const struct trace_page *trace = report_trace(phoenix, place);
	struct container_info memory = memory_of(place->parts.container);

	say("service %s\nstate %s\nincarnation %lu\ndeaths %lu\n", m->name,
	    state_name(life->state), life->incarnation, life->deaths);
	say("own deaths in window %lu of %lu in %lu ms\nrestart %s\n",
	    life->counted, m->restarts_max, m->window_ns / 1000000,
	    policy[m->restart]);
	say("memory %lu KiB\nobjects %lu\n",
	    memory.frames_used * (PAGE_SIZE / 1024), memory.objects_used);
	if (trace != NULL)
		say("calls %lu\nrefused %lu\nparked %lu\nnotified %lu\n",
		    trace->calls, trace->refused, trace->parked,
		    trace->notified);
	return OK;
}

static status_t
run_stats(struct phoenix *phoenix, const char *operand)
{
	struct system_info info;

	if (*operand != '\0') {
		const struct place *place = place_find(phoenix, operand,
		    strlen(operand));
		return place == NULL ? ERR_NOENT : stats_of(phoenix, place);
	}
	status_t status = system_info_read(&info);
	if (status != OK)
		return status;
	say("up %lu ms\ncpus %lu\n", service_now_ns() / 1000000, info.cpus);
	say("memory %lu KiB\nfree %lu KiB\nreserved %lu KiB\n",
	    info.frames_total * 4, info.frames_free * 4,
	    info.frames_reserved * 4);
	for (uint64_t i = 0; i < info.nodes && info.nodes > 1; i++)
		say("node %lu memory %lu KiB, free %lu KiB\n", i,
		    info.node[i].total * 4, info.node[i].free * 4);
	struct container_info users = memory_of(phoenix->users);
	say("programs charged %lu KiB of %lu KiB, %lu objects\n",
	    users.frames_used * 4, users.frames_limit * 4, users.objects_used);
	say("threads %lu\naddress spaces %lu\nslots %lu\n",
	    info.objects[OBJ_THREAD], info.objects[OBJ_VSPACE],
	    info.slots_used);
	say("context switches %lu\ncalls on the fast path %lu\n"
	    "calls on the slow path %lu\n", info.context_switches,
	    info.ipc_fast, info.ipc_slow);
	return OK;
}

/* How long the slowest part of all waits lasted at least, in ns. */
static uint64_t
wait_ns(const uint32_t latency[LATENCY_BUCKETS], uint64_t part, uint64_t hz)
{
	unsigned bucket = LATENCY_BUCKETS;

	while (bucket-- > 0) {
		if (latency[bucket] >= part)
			break;
		part -= latency[bucket];
	}
	return bucket == LATENCY_BUCKETS ? 0 :
	    (uint64_t)(((unsigned __int128)(1ul << bucket) * 1000000000) / hz);
}

/* Waits from ready to running; a bucket is a power of two of TSC ticks. */
static void
say_waits(const struct cpu_info *info, uint64_t hz)
{
	static const char *const class[CLASS_COUNT] = {
		"idle", "low", "normal", "high", "realtime", "recovery",
	};

	for (unsigned i = 0; i < CLASS_COUNT; i++) {
		uint64_t count = 0;
		for (unsigned b = 0; b < LATENCY_BUCKETS; b++)
			count += info->latency[i][b];
		if (count == 0)
			continue;
		say("  %-9s %10lu waits, half of them %lu ns or more, 1 of 100 "
		    "%lu, longest %lu\n", class[i], count,
		    wait_ns(info->latency[i], count - count / 2, hz),
		    wait_ns(info->latency[i], count / 100 + 1, hz),
		    wait_ns(info->latency[i], 1, hz));
	}
}

static status_t
run_sched(struct phoenix *phoenix, const char *operand)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	static struct cpu_info info;
	struct system_info machine;
	status_t status = system_info_read(&machine);

	(void)phoenix;
	(void)operand;
	for (uint64_t cpu = 0; status == OK && cpu < machine.cpus; cpu++) {
		status = sys_invoke(SYS_CPU_INFO, POWER_SYSTEM, cpu, 0, 0, 0,
		    0).status;
		if (status != OK)
			break;
		info = *(const struct cpu_info *)utcb->data;
		say("cpu %lu: idle %lu of %lu ms, %lu ready, %lu switches\n",
		    cpu, info.idle_ns / 1000000, info.time_ns / 1000000,
		    info.queue_length, info.context_switches);
		say_waits(&info, machine.tsc_hz);
	}
	return status;
}

/* All that the kernel keeps. */
static size_t
log_take(void)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	uint64_t position = 0;
	size_t used = 0;

	for (;;) {
		struct sys_result r = sys_invoke(SYS_LOG_READ, POWER_SYSTEM,
		    position, 0, 0, 0, 0);
		size_t length = r.value[1];
		if (r.status != OK || length == 0 || length > LOG_MAX - used)
			return used;
		memcpy(log_text + used, utcb->data, length);
		used += length;
		position = r.value[0];
	}
}

/* A line that the service wrote, or phoenix about it. */
static bool
line_is_of(const char *line, size_t length, const char *name)
{
	static const char about[] = "phoenix: ";
	size_t name_length = strlen(name), skip = sizeof(about) - 1;

	if (length > name_length && memcmp(line, name, name_length) == 0 &&
	    line[name_length] == ':')
		return true;
	return length > skip + name_length &&
	    memcmp(line, about, skip) == 0 &&
	    memcmp(line + skip, name, name_length) == 0 &&
	    line[skip + name_length] == ' ';
}

static status_t
run_logs(struct phoenix *phoenix, const char *operand)
{
	size_t used = log_take();
	const char *at = log_text, *end = log_text + used;

	if (*operand != '\0' && strcmp(operand, "phoenix") != 0 &&
	    strcmp(operand, "init") != 0 &&
	    place_find(phoenix, operand, strlen(operand)) == NULL)
		return ERR_NOENT;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((stop != NULL ? stop + 1 : end) - at);

		if (*operand == '\0' || line_is_of(at, length, operand))
			say_bytes(at, length);
		at += length;
	}
	return OK;
}

/* Decimal digits only; false otherwise. */
static bool
read_position(const char *word, uint64_t *out_position)
{
	*out_position = 0;
	for (; *word >= '0' && *word <= '9' && *out_position < 1ul << 32;
	    word++)
		*out_position = *out_position * 10 + (uint64_t)(*word - '0');
	return *word == '\0';
}

static status_t
read_recording(struct phoenix *phoenix)
{
	uint64_t position;

	if (!read_position(second_operand, &position)) {
		say("trace read: %s is no position\n", second_operand);
		return ERR_ARG;
	}
	text_length += record_read(phoenix, position, text + text_length,
	    TEXT_MAX - text_length);
	return OK;
}

/* The recording of all services; ERR_NOSYS: the word means something else. */
static status_t
run_recording(struct phoenix *phoenix, const char *word)
{
	status_t status;

	if (strcmp(word, "read") == 0)
		return read_recording(phoenix);
	if (strcmp(word, "start") == 0)
		status = record_start(phoenix);
	else if (strcmp(word, "stop") == 0)
		status = record_stop(phoenix);
	else
		return ERR_NOSYS;
	if (status == OK)
		say("%lu events, %lu lost\n", phoenix->record.count,
		    phoenix->record.lost);
	else
		say("trace %s: %s\n", word, status == ERR_STATE ?
		    "no recording was started" : "no memory for it");
	return status;
}

static status_t
run_trace(struct phoenix *phoenix, const char *operand)
{
	status_t recording = run_recording(phoenix, operand);

	if (recording != ERR_NOSYS)
		return recording;
	const struct place *place = place_find(phoenix, operand,
	    strlen(operand));
	const struct trace_page *trace = place == NULL ? NULL :
	    report_trace(phoenix, place);

	if (trace == NULL)
		return ERR_NOENT;
	uint64_t next = trace->next;
	uint64_t count = next < TRACE_EVENTS ? next : TRACE_EVENTS;
	for (uint64_t i = next - count; i < next; i++) {
		const struct trace_event *event =
		    &trace->event[i % TRACE_EVENTS];
		say("%10lu us %-8s %4lx badge %lx order %lu %s %s\n",
		    report_ns(event->tsc) / 1000, report_kind(event),
		    event->a, event->b, event->order, report_outcome(event),
		    report_name(event));
	}
	return OK;
}

static status_t
kill_place(const struct place *place)
{
	if (place->life.state == PLACE_GIVEN_UP) {
		say("%s was given up: its callers have been told\n",
		    place->manifest.name);
		return ERR_GONE;
	}
	if (place->life.state != PLACE_READY) {
		say("%s is %s\n", place->manifest.name,
		    state_name(place->life.state));
		return ERR_STATE;
	}
	/* Its death is an event like others, served after this call. */
	sys_invoke(SYS_THREAD_KILL, place->life.now.thread, 0, 0, 0, 0, 0);
	say("%s: incarnation %lu killed\n", place->manifest.name,
	    place->life.incarnation);
	return OK;
}

/* init starts the next one, which finds this call again and answers it. */
static status_t
kill_self(void)
{
	if (!repeated)
		sys_exit(DEATH_EXIT, 0);
	say("phoenix: incarnation %lu killed\n",
	    service_info()->incarnation - 1);
	return OK;
}

static status_t
run_kill(struct phoenix *phoenix, const char *operand)
{
	if (strcmp(operand, "phoenix") == 0)
		return kill_self();
	const struct place *place = place_find(phoenix, operand,
	    strlen(operand));

	return place == NULL ? ERR_NOENT : kill_place(place);
}

static status_t run_help(struct phoenix *phoenix, const char *operand);

static const struct command commands[] = {
	{ "ps", "", "services: state, incarnation, deaths, calls, memory",
	    run_ps },
	{ "deps", "", "what each service provides and needs", run_deps },
	{ "stats", "[SERVICE]", "counters of the machine or a service",
	    run_stats },
	{ "sched", "", "CPUs: idle time, switches, waits by class", run_sched },
	{ "logs", "[SERVICE]", "the end of the log", run_logs },
	{ "dmesg", "[SERVICE]", "the same", run_logs },
	{ "trace", "SERVICE", "the last events of a service", run_trace },
	{ "trace", "start|stop", "record the events of all services",
	    run_trace },
	{ "trace", "read POSITION", "the recording from there on", run_trace },
	{ "kill", "SERVICE", "end its incarnation; it resumes", run_kill },
	{ "restart", "SERVICE", "the same", run_kill },
	{ "help", "", "this list", run_help },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static status_t
run_help(struct phoenix *phoenix, const char *operand)
{
	(void)phoenix;
	(void)operand;
	for (unsigned i = 0; i < COMMANDS; i++)
		say("%-8s %-13s %s\n", commands[i].name, commands[i].operand,
		    commands[i].what);
	return OK;
}

/* Splits at blanks, in place. */
static unsigned
split(char *line, char *word[WORDS_MAX])
{
	unsigned count = 0;

	while (count < WORDS_MAX) {
		while (*line == ' ' || *line == '\t' || *line == '\n')
			*line++ = '\0';
		if (*line == '\0')
			break;
		word[count++] = line;
		while (*line != '\0' && *line != ' ' && *line != '\t' &&
		    *line != '\n')
			line++;
	}
	return count;
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
	char *word[WORDS_MAX];
	unsigned count = split(line, word);
	const struct command *command = count == 0 ? NULL :
	    find_command(word[0]);

	if (command == NULL) {
		say("%s: no such command; try help\n", count == 0 ?
		    "nothing" : word[0]);
		return ERR_NOSYS;
	}
	bool two = count == 3 && strcmp(word[1], "read") == 0;
	if ((count > 2 && !two) || (count == 2 && *command->operand == '\0') ||
	    (count == 1 && *command->operand != '\0' &&
	    *command->operand != '[')) {
		say("usage: %s %s\n", command->name, command->operand);
		return ERR_ARG;
	}
	const char *operand = count >= 2 ? word[1] : "";
	second_operand = two ? word[2] : "";
	status_t status = command->run(phoenix, operand);
	if (status == ERR_NOENT)
		say("%s: no such service\n", operand);
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
