/* SPDX-License-Identifier: MIT */
#include "crew.h"

#include <lib/channel/channel.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME		"demo.tasks"
#define LOOK_NS		5000000ul	/* for dead workers, at least */
#define PAUSE_NS	1000000l	/* of a worker without a task */
#define DEATHS_MAX	100u		/* that nobody asked for */
#define LINE_NS		250000000ul	/* between statistics */

struct member {
	pid_t	 process;	/* 0: ended */
	uint32_t number;
	uint64_t results;
};

struct crew {
	struct meeting *meeting;
	const struct crew_plan *plan;
	struct channel *channel;
	struct farm farm;
	struct member member[FARM_WORKERS_MAX];
	uint32_t numbers;	/* given so far */
	unsigned alive;
	uint64_t random, line_ns;
	struct crew_report report;
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t
pick(struct crew *crew, uint32_t limit)
{
	crew->random = crew->random * 6364136223846793005ul +
	    1442695040888963407ul;
	return (uint32_t)(crew->random >> 33) % limit;
}

/* One call: brings a result, takes a task. */
static status_t
ask(struct channel *channel, struct farm_request *request,
    struct farm_answer *out_answer, const struct token *token)
{
	struct channel_exchange exchange = { .request = request,
		.request_length = offsetof(struct farm_request, values) +
		    request->count * sizeof(uint64_t),
		.answer = out_answer, .answer_length = sizeof(*out_answer),
		.sender = token, .deadline_ns = CHANNEL_FOREVER };
	status_t status = channel_call(channel, &exchange);

	if (status == OK && exchange.answer_length != sizeof(*out_answer))
		return ERR_CORRUPT;
	return status;
}

static status_t
do_tasks(struct channel *channel, uint32_t number, const struct token *token)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	struct farm_request request = { .worker = number, .task = FARM_NONE };
	struct farm_answer answer;
	status_t status;

	for (;;) {
		status = ask(channel, &request, &answer, token);
		if (status != OK || answer.task == FARM_END)
			return status;
		request.task = answer.task;
		request.count = 0;
		if (answer.task == FARM_NONE) {
			nanosleep(&pause, NULL);
			continue;
		}
		/* The size comes from outside and lies in an array here. */
		if (answer.job.kind >= COMPUTE_KINDS ||
		    compute_width(&answer.job) > COMPUTE_VALUES_MAX)
			return ERR_CORRUPT;
		compute_task(&answer.job, answer.task, request.values);
		request.count = compute_width(&answer.job);
	}
}

static int
worker_main(struct meeting *meeting, uint32_t number)
{
	struct channel_options options = { .role = CHANNEL_SENDER };
	struct attendance attendance;
	struct channel *channel;
	status_t status;

	if (!meeting_enter(meeting, &attendance))
		return 1;
	options.domain = attendance.domain;
	status = channel_open(NAME, &options, attendance.token, &channel);
	if (status == OK) {
		status = do_tasks(channel, number, attendance.token);
		channel_close(channel);
	}
	meeting_leave(meeting, &attendance);
	return status == OK ? 0 : 1;
}

static bool
hire(struct crew *crew, struct member *member)
{
	pid_t parent = getpid();

	*member = (struct member){ .number = crew->numbers++ };
	fflush(NULL);
	member->process = fork();
	if (member->process < 0) {
		member->process = 0;
		return false;
	}
	if (member->process == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(getppid() != parent ? 1
		    : worker_main(crew->meeting, member->number));
	}
	crew->alive++;
	return farm_worker_joined(&crew->farm, member->number);
}

/* False: too many died, or no new one can be made. */
static bool
look_after(struct crew *crew, struct member *member)
{
	int status;

	if (member->process == 0 ||
	    waitpid(member->process, &status, WNOHANG) != member->process)
		return true;
	crew->alive--;
	member->process = 0;
	farm_worker_died(&crew->farm, member->number);
	if (status == 0)
		return true;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		crew->report.died++;
	if (farm_is_done(&crew->farm))
		return true;
	return crew->report.died <= DEATHS_MAX && hire(crew, member);
}

/* The kills are spread over the work. */
static void
maybe_kill(struct crew *crew)
{
	const struct compute_result *result = &crew->farm.result;
	uint64_t due = (uint64_t)result->job.tasks *
	    (crew->report.killed + 1) / (crew->plan->kills + 1);
	struct member *victim = &crew->member[pick(crew,
	    crew->plan->workers)];

	if (crew->report.killed == crew->plan->kills ||
	    result->done_count < due || victim->process == 0 ||
	    farm_is_done(&crew->farm))
		return;
	kill(victim->process, SIGKILL);
	crew->report.killed++;
}

static void
count_result(struct crew *crew, const struct farm_request *request)
{
	for (unsigned i = 0; i < crew->plan->workers; i++)
		if (crew->member[i].number == request->worker)
			crew->member[i].results++;
}

/* Waits a moment for a request, and answers it. */
static status_t
serve_one(struct crew *crew, const struct token *token)
{
	struct farm_request request;
	struct farm_answer answer;
	size_t length = sizeof(request);
	uint32_t before = crew->farm.result.done_count;
	status_t status = channel_receive_until(crew->channel, &request,
	    &length, token, now_ns() + LOOK_NS);

	/* Nobody there at the moment: new workers come. */
	if (status == ERR_TIMEOUT || status == ERR_GONE)
		return OK;
	if (status != OK)
		return status;
	farm_serve(&crew->farm, &request, length, &answer);
	if (crew->farm.result.done_count > before)
		count_result(crew, &request);
	status = channel_answer(crew->channel, &answer, sizeof(answer));
	/* Who asked may have died; that is found soon. */
	return status == ERR_GONE || status == ERR_FULL ? OK : status;
}

static void
show(struct crew *crew, bool last)
{
	const struct compute_result *result = &crew->farm.result;

	if (crew->plan->quiet || (!last && now_ns() - crew->line_ns < LINE_NS))
		return;
	crew->line_ns = now_ns();
	fprintf(stderr, "\r%s: %u of %u tasks, %u workers, %u killed, %lu "
	    "handed out again ", compute_names[result->job.kind],
	    result->done_count, result->job.tasks, crew->alive,
	    crew->report.killed, crew->farm.handed_again);
	if (last)
		fputc('\n', stderr);
}

static status_t
run_crew(struct crew *crew, const struct token *token)
{
	status_t status = OK;

	for (unsigned i = 0; i < crew->plan->workers; i++)
		if (!hire(crew, &crew->member[i]))
			return ERR_LIMIT;
	while (status == OK && crew->alive > 0) {
		status = serve_one(crew, token);
		maybe_kill(crew);
		for (unsigned i = 0; i < crew->plan->workers; i++)
			if (!look_after(crew, &crew->member[i]))
				status = ERR_LIMIT;
		show(crew, false);
	}
	show(crew, true);
	return status;
}

static void
dismiss(struct crew *crew)
{
	for (unsigned i = 0; i < crew->plan->workers; i++) {
		struct member *member = &crew->member[i];

		if (member->process == 0)
			continue;
		kill(member->process, SIGKILL);
		waitpid(member->process, NULL, 0);
	}
}

static void
fill_report(struct crew *crew, uint64_t start_ns)
{
	struct crew_report *report = &crew->report;

	report->handed_again = crew->farm.handed_again;
	report->malformed = crew->farm.malformed;
	report->least = ~0ul;
	for (unsigned i = 0; i < crew->plan->workers; i++) {
		uint64_t results = crew->member[i].results;

		if (results > report->most)
			report->most = results;
		if (results < report->least)
			report->least = results;
	}
	report->seconds = (double)(now_ns() - start_ns) / 1e9;
}

status_t
crew_run(struct meeting *meeting, const struct crew_plan *plan,
    struct compute_result *result, struct crew_report *out_report)
{
	const struct channel_config config = { .type = CHANNEL_SYNC };
	struct channel_options options = { .role = CHANNEL_RECEIVER };
	struct crew crew = { .meeting = meeting, .plan = plan,
		.random = plan->seed };
	struct attendance attendance;
	uint64_t start_ns = now_ns();
	status_t status;

	if (!farm_create(&crew.farm, &result->job))
		return ERR_NOMEM;
	if (!meeting_enter(meeting, &attendance)) {
		farm_destroy(&crew.farm);
		return ERR_GONE;
	}
	options.domain = attendance.domain;
	status = channel_create(NAME, &config, &options, attendance.token,
	    &crew.channel);
	if (status == OK) {
		status = run_crew(&crew, attendance.token);
		dismiss(&crew);
		channel_close(crew.channel);
	}
	meeting_leave(meeting, &attendance);
	fill_report(&crew, start_ns);
	*out_report = crew.report;
	/* The caller's result takes what was computed, and gives its own. */
	struct compute_result computed = crew.farm.result;
	crew.farm.result = *result;
	*result = computed;
	farm_destroy(&crew.farm);
	return status;
}
