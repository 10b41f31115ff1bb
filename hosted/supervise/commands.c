/* SPDX-License-Identifier: MIT */
/*
 * bennu-supervise-ctl(1): what each command does and prints. Texts are for
 * people; with "json" in front they are for programs.
 */
#include "server.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX	8u

struct request {
	struct server *server;
	FILE	*reply;
	bool	 json;
	const char *word[WORDS_MAX];
	unsigned count;
	struct service *service;	/* of the command; NULL: all */
};

struct command {
	const char *name, *usage;
	bool	 needs_service;
	void	(*run)(struct request *request);
};

/* Said before anything else. */
static void
say_ok(const struct request *request)
{
	fputs("ok\n", request->reply);
}

__attribute__((format(printf, 2, 3))) static void
say_error(const struct request *request, const char *format, ...)
{
	va_list arguments;

	fputs("error\n", request->reply);
	va_start(arguments, format);
	vfprintf(request->reply, format, arguments);
	va_end(arguments);
	fputc('\n', request->reply);
}

static unsigned long long
ms_of(uint64_t ns)
{
	return ns / 1000000;
}

static void
say_text(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(to, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(to, "\\u%04x", c);
		else
			fputc(c, to);
	}
	fputc('"', to);
}

static const char *
spare_state(struct service *service)
{
	const struct process *spare = service_spare(service);

	if (!service->manifest.spare)
		return "-";
	if (spare->pid == 0)
		return "none";
	return spare->waiting ? "waiting" : "starting";
}

/* What the policy does not know: it waits for others, or for an operator. */
static const char *
state_of(struct service *service)
{
	if (!service_is_running(service) && service->pending &&
	    service->wanted)
		return "waiting";
	return supervise_state_name(service_record(service)->state);
}

static void
ps_json(struct request *request, struct service *service, bool first)
{
	const struct supervised *record = service_record(service);
	FILE *to = request->reply;

	fprintf(to, "%s\n  {\"name\": \"%s\", \"state\": \"%s\", \"health\": "
	    "\"%s\", \"incarnation\": %llu, \"pid\": %d, \"spare\": \"%s\", "
	    "\"deaths\": %llu, \"level\": \"%s\", \"stored\": %u, \"text\": ",
	    first ? "" : ",", record->name, state_of(service),
	    supervise_event_name(record->health),
	    (unsigned long long)record->incarnation,
	    (int)service_main(service)->pid, spare_state(service),
	    (unsigned long long)record->statistics.deaths,
	    supervise_level_name(record->level), service->store.count);
	say_text(to, service->text);
	fputc('}', to);
}

static void
run_ps(struct request *request)
{
	struct server *server = request->server;

	say_ok(request);
	fprintf(request->reply, request->json ? "[" :
	    "%-20s %-9s %-9s %5s %7s %-8s %6s %6s  %s\n", "name", "state",
	    "health", "life", "pid", "spare", "deaths", "stored", "says");
	for (unsigned i = 0; i < server->count; i++) {
		struct service *service = server->service[i];
		const struct supervised *record = service_record(service);

		if (request->json) {
			ps_json(request, service, i == 0);
			continue;
		}
		fprintf(request->reply,
		    "%-20s %-9s %-9s %5llu %7d %-8s %6llu %6u  %s\n",
		    record->name, state_of(service),
		    supervise_event_name(record->health),
		    (unsigned long long)record->incarnation,
		    (int)service_main(service)->pid, spare_state(service),
		    (unsigned long long)record->statistics.deaths,
		    service->store.count, service->text);
	}
	if (request->json)
		fputs("\n]\n", request->reply);
}

static void
say_event(struct request *request, const struct supervise_event *event,
    bool first)
{
	const struct supervisor *policy = &request->server->policy;

	fprintf(request->reply, request->json ?
	    "%s\n  {\"time_ns\": %llu, \"service\": \"%s\", \"event\": \"%s\", "
	    "\"level\": \"%s\", \"incarnation\": %llu, \"detail\": %llu}" :
	    "%s%llu %s %s %s %llu %llu\n",
	    first || !request->json ? "" : ",",
	    (unsigned long long)event->time_ns,
	    policy->service[event->service].name,
	    supervise_event_name(event->kind),
	    supervise_level_name(event->level),
	    (unsigned long long)event->incarnation,
	    (unsigned long long)event->detail);
}

static void
run_events(struct request *request)
{
	const struct supervisor *policy = &request->server->policy;
	uint64_t from = policy->event_count > SUPERVISE_EVENTS ?
	    policy->event_count - SUPERVISE_EVENTS : 0;
	bool first = true;

	say_ok(request);
	if (request->json)
		fputc('[', request->reply);
	for (uint64_t i = from; i < policy->event_count; i++) {
		const struct supervise_event *event =
		    &policy->event[i % SUPERVISE_EVENTS];

		if (request->service != NULL &&
		    event->service != request->service->number)
			continue;
		say_event(request, event, first);
		first = false;
	}
	if (request->json)
		fputs("\n]\n", request->reply);
}

static void
run_stats(struct request *request)
{
	const struct supervised *record = service_record(request->service);
	const struct supervise_statistics *of = &record->statistics;
	const struct {
		const char *name;
		uint64_t value;
	} line[] = {
		{ "deaths", of->deaths }, { "own", of->own },
		{ "commanded", of->commanded }, { "restarts", of->restarts },
		{ "poisoned", of->poisoned },
		{ "cold_starts", of->cold_starts },
		{ "given_up", of->given_up }, { "hangs", of->hangs },
		{ "predicted", of->predicted },
		{ "recovery_total_ns", of->recovery_total_ns },
		{ "recovery_worst_ns", of->recovery_worst_ns },
		{ "died_ns", record->died_ns },
		{ "ready_ns", record->ready_ns },
		{ "stored", request->service->store.count },
		{ "stored_refused", request->service->store.refused },
		{ "messages_refused", request->server->refused },
		{ "score", record->predict.score },
	};
	unsigned count = sizeof(line) / sizeof(line[0]);

	say_ok(request);
	for (unsigned i = 0; i < count; i++)
		fprintf(request->reply, request->json ? "%s\"%s\": %llu%s" :
		    "%s%s %llu%s", i > 0 || !request->json ? "" : "{",
		    line[i].name, (unsigned long long)line[i].value,
		    !request->json ? "\n" : i + 1 < count ? ", " : "}\n");
}

static void
run_deps(struct request *request)
{
	struct server *server = request->server;

	say_ok(request);
	for (unsigned i = 0; i < server->count; i++) {
		const struct manifest *manifest = &server->service[i]->manifest;

		fprintf(request->reply, "%s group %u needs", manifest->name,
		    manifest->group);
		for (unsigned j = 0; j < manifest->needs_count; j++)
			fprintf(request->reply, " %s", manifest->needs[j]);
		fputc('\n', request->reply);
	}
}

static void
run_logs(struct request *request)
{
	const struct output *output = &request->service->output;
	uint64_t from = output->written > LOG_KEPT ?
	    output->written - LOG_KEPT : 0;

	if (request->service->manifest.log != LOG_PREFIX) {
		say_error(request, "its output does not come here");
		return;
	}
	say_ok(request);
	for (uint64_t i = from; i < output->written; i++)
		fputc(output->kept[i % LOG_KEPT], request->reply);
}

static void
run_kill(struct request *request)
{
	struct service *service = request->service;

	if (!service_is_running(service)) {
		say_error(request, "%s does not run", service->manifest.name);
		return;
	}
	service->commanded = true;
	service_kill(service, SIGKILL);
	say_ok(request);
}

static void
run_restart(struct request *request)
{
	struct service *service = request->service;

	/* From the image as it is now, and that is not the spare's. */
	spare_kill(service);
	service->wanted = true;
	service_restart(service);
	say_ok(request);
}

static void
run_start(struct request *request)
{
	if (service_is_running(request->service)) {
		say_error(request, "%s runs", request->service->manifest.name);
		return;
	}
	run_restart(request);
}

static void
run_stop(struct request *request)
{
	service_stop(request->service);
	say_ok(request);
}

static void
run_drain(struct request *request)
{
	bool off = request->count > 2 && strcmp(request->word[2], "off") == 0;

	if (request->count > 2 && !off) {
		say_error(request, "drain NAME [off]");
		return;
	}
	if (!manifest_is_place(&request->service->manifest)) {
		say_error(request, "%s would not know of it",
		    request->service->manifest.name);
		return;
	}
	service_set_drain(request->service, !off);
	say_ok(request);
}

/* The word behind "policy NAME" is a key of the manifest. */
static bool
change_policy(struct request *request, struct supervise_policy *policy)
{
	const char *key = request->word[2], *text = request->word[3];
	const struct {
		const char *name;
		uint64_t *field, unit;
	} numbers[] = {
		{ "max_restarts", &policy->max_restarts, 1 },
		{ "window_ms", &policy->window_ns, 1000000 },
		{ "delay_ms", &policy->delay_ns, 1000000 },
		{ "jitter_permille", &policy->jitter_permille, 1 },
	};
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	for (uint64_t i = 0; i < 3 && strcmp(key, "restart") == 0; i++) {
		if (strcmp(text, supervise_restart_name(i)) == 0) {
			policy->restart = i;
			return true;
		}
	}
	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(key, numbers[i].name) == 0 && *text >= '0' &&
		    *text <= '9' && *end == '\0' && value <= 86400000) {
			*numbers[i].field = value * numbers[i].unit;
			return true;
		}
	}
	return false;
}

static void
run_policy(struct request *request)
{
	struct service *service = request->service;
	struct supervise_policy policy = service_record(service)->policy;

	if (request->count == 3 || (request->count == 4 &&
	    (!change_policy(request, &policy) ||
	    !supervise_set_policy(&request->server->policy, service->number,
	    &policy)))) {
		say_error(request, "policy NAME [KEY VALUE]: no such key, or "
		    "no value of it");
		return;
	}
	say_ok(request);
	fprintf(request->reply, "restart %s\nmax_restarts %llu\n"
	    "window_ms %llu\ndelay_ms %llu\njitter_permille %llu\n"
	    "cold %s\npredict %s\nwatchdog_ms %llu\ngive_up %s\n",
	    supervise_restart_name(policy.restart),
	    (unsigned long long)policy.max_restarts, ms_of(policy.window_ns),
	    ms_of(policy.delay_ns), (unsigned long long)policy.jitter_permille,
	    policy.cold != 0 ? "true" : "false",
	    policy.predict != 0 ? "true" : "false", ms_of(policy.beat_ns * 2),
	    service->manifest.retry_ns == NEVER ? "true" : "false");
}

static void run_help(struct request *request);

static const struct command commands[] = {
	{ "ps", "ps", false, run_ps },
	{ "events", "events [NAME]", false, run_events },
	{ "deps", "deps", false, run_deps },
	{ "stats", "stats NAME", true, run_stats },
	{ "logs", "logs NAME", true, run_logs },
	{ "kill", "kill NAME", true, run_kill },
	{ "restart", "restart NAME", true, run_restart },
	{ "start", "start NAME", true, run_start },
	{ "stop", "stop NAME", true, run_stop },
	{ "drain", "drain NAME [off]", true, run_drain },
	{ "policy", "policy NAME [KEY VALUE]", true, run_policy },
	{ "help", "help", false, run_help },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
run_help(struct request *request)
{
	say_ok(request);
	for (unsigned i = 0; i < COMMANDS; i++)
		fprintf(request->reply, "%s\n", commands[i].usage);
}

static bool
find_service(struct request *request, const struct command *command)
{
	struct server *server = request->server;

	if (request->count < 2) {
		if (command->needs_service)
			say_error(request, "%s", command->usage);
		return !command->needs_service;
	}
	for (unsigned i = 0; i < server->count; i++)
		if (strcmp(server->service[i]->manifest.name,
		    request->word[1]) == 0)
			request->service = server->service[i];
	if (request->service == NULL)
		say_error(request, "there is no service '%s'",
		    request->word[1]);
	return request->service != NULL;
}

static void
dispatch(struct request *request)
{
	for (unsigned i = 0; i < COMMANDS; i++) {
		if (request->count == 0 ||
		    strcmp(request->word[0], commands[i].name) != 0)
			continue;
		if (find_service(request, &commands[i]))
			commands[i].run(request);
		request->server->changed = true;
		return;
	}
	say_error(request, "there is no command '%s'",
	    request->count == 0 ? "" : request->word[0]);
}

void
command_run(struct server *server, const char *line, FILE *reply)
{
	struct request request = { .server = server, .reply = reply };
	char *copy = strdup(line), *rest = copy, *word;

	while (copy != NULL && request.count < WORDS_MAX &&
	    (word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		if (request.count == 0 && strcmp(word, "json") == 0)
			request.json = true;
		else
			request.word[request.count++] = word;
	}
	dispatch(&request);
	free(copy);
}
