/* SPDX-License-Identifier: MIT */
/*
 * Commands about the machine: counters, scheduling, the log, traces.
 */
#include "command.h"

#include <lib/base/string.h>

#define LOG_MAX		16384u		/* what the kernel keeps */

static char log_text[LOG_MAX];

struct container_info
memory_of(cap_t container)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;

	if (container == CAP_NONE || sys_invoke(SYS_CONTAINER_INFO, container,
	    0, 0, 0, 0, 0).status != OK)
		return (struct container_info){ 0 };
	return *(const struct container_info *)utcb->data;
}

status_t
machine_stats(const struct phoenix *phoenix)
{
	struct system_info info;
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

status_t
run_sched(struct phoenix *phoenix, const struct command_words *words)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	static struct cpu_info info;
	struct system_info machine;
	status_t status = system_info_read(&machine);

	(void)phoenix;
	(void)words;
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

status_t
run_logs(struct phoenix *phoenix, const struct command_words *words)
{
	const char *operand = words->word[1];
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
read_recording(const struct phoenix *phoenix, const char *from)
{
	uint64_t position;
	size_t room;

	if (!read_position(from, &position)) {
		say("trace read: %s is no position\n", from);
		return ERR_ARG;
	}
	char *text = say_room(&room);
	say_written(record_read(phoenix, position, text, room));
	return OK;
}

/* The recording of all services; ERR_NOSYS: the word means something else. */
static status_t
run_recording(struct phoenix *phoenix, const struct command_words *words)
{
	const char *word = words->word[1];
	status_t status;

	if (strcmp(word, "read") == 0)
		return read_recording(phoenix, words->word[2]);
	if (words->count > 2) {
		say("usage: trace SERVICE|start|stop|read POSITION\n");
		return ERR_ARG;
	}
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

status_t
run_trace(struct phoenix *phoenix, const struct command_words *words)
{
	status_t recording = run_recording(phoenix, words);

	if (recording != ERR_NOSYS)
		return recording;
	const struct place *place = command_place(phoenix, words);
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
		    service_stamp_ns(event->tsc) / 1000, report_kind(event),
		    event->a, event->b, event->order, report_outcome(event),
		    report_name(event));
	}
	return OK;
}
