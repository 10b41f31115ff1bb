/* SPDX-License-Identifier: MIT */
/*
 * For tests: a broker in a process of its own, under a socket in a folder of
 * its own, and children that play other processes.
 */
#pragma once

#include "server.h"

#include <lib/channel/hosted/depend.h>
#include <lib/channel/hosted/protocol.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct harness {
	char	 folder[64], path[80];
	pid_t	 broker;
};

static inline void
harness_folder(struct harness *harness)
{
	snprintf(harness->folder, sizeof(harness->folder),
	    "/tmp/bennu-broker-XXXXXX");
	if (mkdtemp(harness->folder) == NULL ||
	    chmod(harness->folder, 0755) != 0)
		abort();
	snprintf(harness->path, sizeof(harness->path), "%s/broker",
	    harness->folder);
}

/* policy: text, or NULL. Returns when the broker serves. */
static inline void
harness_serve(struct harness *harness, const char *policy)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		abort();
	fflush(stdout);
	harness->broker = fork();
	if (harness->broker == 0) {
		struct server_options options = {
			.socket = harness->path, .mode = 0666,
			.policy = policy_create(), .ready = ready[1],
		};
		const char *why;

		/* Never longer than the test. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(ready[0]);
		if (freopen("/dev/null", "w", stderr) == NULL ||
		    (policy != NULL && policy_read(options.policy, policy,
		    strlen(policy), &why) != OK))
			abort();
		exit(server_run(&options));
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		abort();
	close(ready[0]);
}

static inline void
harness_start(struct harness *harness, const char *policy)
{
	harness_folder(harness);
	harness_serve(harness, policy);
}

/* Asks it to end: its exit status, which a leak makes other than 0. */
static inline int
harness_end(struct harness *harness)
{
	int status = -1;

	kill(harness->broker, SIGTERM);
	waitpid(harness->broker, &status, 0);
	unlink(harness->path);
	rmdir(harness->folder);
	return status;
}

static inline struct channel_domain *
harness_connect(const struct harness *harness)
{
	struct channel_domain *domain;

	if (channel_domain_hosted(harness->path, &domain) != OK)
		return NULL;
	return domain;
}

static inline void
harness_pause_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Waits until the broker holds nothing but the asking connection. */
static inline bool
harness_is_empty(const struct harness *harness, struct broker_totals *out)
{
	struct channel_domain *domain = harness_connect(harness);
	bool empty = false;

	if (domain == NULL)
		return false;
	for (unsigned i = 0; i < 500 && !empty; i++) {
		if (channel_hosted_totals(domain, out) != OK)
			break;
		empty = out->processes == 1 && out->channels == 0 &&
		    out->members == 0 && out->lanes == 0 &&
		    out->segments == 0 && out->pools == 0 &&
		    out->bytes == 0 && out->accounts == 1 && out->edges == 0;
		if (!empty)
			harness_pause_ms(10);
	}
	channel_domain_hosted_close(domain);
	return empty;
}
