/* SPDX-License-Identifier: MIT */
/*
 * What the predictor looks at once a second: the status page of a place, and
 * what the kernel counts of the process. A number that cannot be read is 0.
 */
#include "server.h"

#include <string.h>
#include <unistd.h>

#define FIELDS	22		/* of /proc/PID/stat, behind the name */

struct counters {
	uint64_t cpu_ticks, faults, pages;
};

static void
read_counters(pid_t pid, struct counters *out)
{
	/* Behind the name: 3 state ... 10 minflt, 12 majflt, 14 utime, 15 stime,
	 * 24 rss. */
	unsigned long field[FIELDS + 1] = { 0 };
	char path[64], text[1024], *at;
	FILE *file;

	memset(out, 0, sizeof(*out));
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return;
	at = fgets(text, sizeof(text), file);
	fclose(file);
	if (at == NULL)
		return;
	at = strrchr(text, ')');
	for (unsigned i = 0; i <= FIELDS && at != NULL && *at != '\0'; i++) {
		at = strchr(at, ' ');
		if (at == NULL || sscanf(++at, "%lu", &field[i]) != 1)
			continue;
	}
	out->faults = field[7] + field[9];
	out->cpu_ticks = field[11] + field[12];
	out->pages = field[21];
}

/* What was added since; a new process counts from 0 again. */
static uint64_t
since(uint64_t now, uint64_t *before)
{
	uint64_t added = now >= *before ? now - *before : now;

	*before = now;
	return added;
}

void
sample_take(struct service *service)
{
	struct supervised *record = service_record(service);
	struct predict_sample sample = { 0 };
	struct counters counters;
	uint64_t answered;

	if (!service_is_running(service))
		return;
	read_counters(service_main(service)->pid, &counters);
	sample.memory = counters.pages;
	sample.faults = since(counters.faults, &service->sampled_faults);
	sample.cpu_permille = since(counters.cpu_ticks, &service->sampled_cpu) *
	    1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	sample.restarts = since(record->statistics.deaths,
	    &service->sampled_deaths);
	if (service->status != NULL) {
		struct place_status *before = &service->sampled;

		answered = since(service->status->answered, &before->answered);
		sample.latency_ns = since(service->status->busy_ns,
		    &before->busy_ns) / (answered == 0 ? 1 : answered);
		sample.errors = since(service->status->errors,
		    &before->errors);
		sample.queue = service->status->queue;
	}
	supervise_sample(&service->server->policy, service->number, &sample,
	    service->server->now_ns);
}
