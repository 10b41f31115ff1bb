/* SPDX-License-Identifier: MIT */
#include "meeting.h"

#include <hosted/broker/policy.h>
#include <hosted/broker/server.h>
#include <lib/channel/hosted/hosted.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECTS		16u

static bool
make_token(struct meeting *meeting, unsigned trust)
{
	uint8_t key[16];
	struct token_config config = { .objects = OBJECTS, .key = key,
		.revoked = channel_domain_private_revoked,
		.context = meeting->domain };
	struct token_grant grant = { .rights = TOKEN_ALL,
		.trust = (uint8_t)trust };
	size_t size = token_authority_size(OBJECTS);

	meeting->memory = aligned_alloc(TOKEN_ALIGNMENT,
	    (size + TOKEN_ALIGNMENT - 1) / TOKEN_ALIGNMENT * TOKEN_ALIGNMENT);
	return meeting->memory != NULL &&
	    getrandom(key, sizeof(key), 0) == sizeof(key) &&
	    token_authority_create(meeting->memory, size, &config,
	    &meeting->authority) == OK &&
	    token_object_create(meeting->authority, &grant.object) == OK &&
	    token_mint(meeting->authority, &grant, &meeting->token) == OK;
}

bool
meeting_of_threads(struct meeting *meeting, unsigned trust)
{
	*meeting = (struct meeting){ 0 };
	if (channel_domain_private(&meeting->domain) == OK &&
	    make_token(meeting, trust)) {
		channel_domain_private_set_authority(meeting->domain,
		    meeting->authority);
		return true;
	}
	meeting_close(meeting);
	return false;
}

/* The life of the demo's own broker. It never outlives the demo. */
static void
serve(const struct meeting *meeting, unsigned trust, int ready)
{
	struct server_options options = { .socket = meeting->socket,
		.mode = 0600, .policy = policy_create(), .ready = ready };
	const char *why = "no memory";
	char policy[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(policy, sizeof(policy), "[demo]\nnames = [\"*\"]\n"
	    "users = [\"same\"]\ntrust = %u\n"
	    "rights = [\"create\", \"send\", \"receive\"]\n", trust);
	if (options.policy == NULL || policy_read(options.policy, policy,
	    strlen(policy), &why) != OK) {
		fprintf(stderr, "policy: %s\n", why);
		_exit(1);
	}
	/* Its log is of no interest here. */
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(1);
	_exit(server_run(&options));
}

static bool
start_broker(struct meeting *meeting, unsigned trust)
{
	int ready[2];
	char byte;
	bool fine;

	strcpy(meeting->folder, "/tmp/bennu-demo.XXXXXX");
	if (mkdtemp(meeting->folder) == NULL) {
		meeting->folder[0] = '\0';
		return false;
	}
	snprintf(meeting->socket, sizeof(meeting->socket), "%s/broker",
	    meeting->folder);
	if (pipe(ready) != 0)
		return false;
	fflush(NULL);
	meeting->broker = fork();
	if (meeting->broker == 0) {
		close(ready[0]);
		serve(meeting, trust, ready[1]);
	}
	close(ready[1]);
	fine = meeting->broker > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return fine;
}

bool
meeting_of_processes(struct meeting *meeting, const char *socket,
    unsigned trust)
{
	*meeting = (struct meeting){ .processes = true };
	if (socket != NULL) {
		snprintf(meeting->socket, sizeof(meeting->socket), "%s",
		    socket);
		return true;
	}
	if (start_broker(meeting, trust))
		return true;
	meeting_close(meeting);
	return false;
}

void
meeting_close(struct meeting *meeting)
{
	if (meeting->broker > 0) {
		kill(meeting->broker, SIGTERM);
		waitpid(meeting->broker, NULL, 0);
	}
	if (meeting->folder[0] != '\0') {
		unlink(meeting->socket);
		rmdir(meeting->folder);
	}
	if (meeting->domain != NULL)
		channel_domain_private_close(meeting->domain);
	if (meeting->authority != NULL)
		token_authority_destroy(meeting->authority);
	free(meeting->memory);
	*meeting = (struct meeting){ 0 };
}

bool
meeting_enter(struct meeting *meeting, struct attendance *out_attendance)
{
	*out_attendance = (struct attendance){ .domain = meeting->domain,
		.token = &meeting->token };
	if (!meeting->processes)
		return true;
	out_attendance->token = NULL;
	return channel_domain_hosted(meeting->socket,
	    &out_attendance->domain) == OK;
}

void
meeting_leave(struct meeting *meeting, struct attendance *attendance)
{
	if (meeting->processes && attendance->domain != NULL)
		channel_domain_hosted_close(attendance->domain);
	attendance->domain = NULL;
}
