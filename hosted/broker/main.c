/* SPDX-License-Identifier: MIT */
/* bennu-broker(8): options. */
#include "server.h"

#include <lib/channel/hosted/protocol.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_BYTES_MAX	(64u << 10)

static const char usage[] =
    "usage: bennu-broker [OPTIONS]\n"
    "Where processes of this machine meet to open channels.\n"
    "\n"
    "  --socket PATH    listen here (" BROKER_SOCKET ")\n"
    "  --mode OCTAL     permissions of the socket (0666)\n"
    "  --policy FILE    read rules and limits; may be given several times\n"
    "  --user NAME      become this user when the socket is there\n"
    "  --check          read the policy and stop\n"
    "  --foreground     do not detach; log to standard error\n"
    "  --help           print this\n";

enum {
	OPTION_SOCKET = 256, OPTION_MODE, OPTION_POLICY, OPTION_USER,
	OPTION_CHECK, OPTION_FOREGROUND, OPTION_HELP,
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "mode", required_argument, NULL, OPTION_MODE },
	{ "policy", required_argument, NULL, OPTION_POLICY },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "foreground", no_argument, NULL, OPTION_FOREGROUND },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

static bool
read_policy(struct policy *policy, const char *path)
{
	static char text[POLICY_BYTES_MAX];
	FILE *file = fopen(path, "re");
	const char *why = "too long";
	size_t length;
	bool ok;

	if (file == NULL) {
		fprintf(stderr, "bennu-broker: %s: %s\n", path,
		    strerror(errno));
		return false;
	}
	length = fread(text, 1, sizeof(text), file);
	ok = length < sizeof(text) && !ferror(file) &&
	    policy_read(policy, text, length, &why) == OK;
	fclose(file);
	if (!ok)
		fprintf(stderr, "bennu-broker: %s: %s\n", path, why);
	return ok;
}

static bool
read_mode(const char *text, unsigned *out_mode)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (end == text || *end != '\0' || mode > 0777) {
		fprintf(stderr, "bennu-broker: mode '%s'\n", text);
		return false;
	}
	*out_mode = (unsigned)mode;
	return true;
}

static bool
take_option(int option, struct server_options *options, bool *check)
{
	switch (option) {
	case OPTION_SOCKET:
		options->socket = optarg;
		return true;
	case OPTION_MODE:
		return read_mode(optarg, &options->mode);
	case OPTION_POLICY:
		return read_policy(options->policy, optarg);
	case OPTION_USER:
		options->user = optarg;
		return true;
	case OPTION_CHECK:
		*check = true;
		return true;
	case OPTION_FOREGROUND:
		options->background = false;
		return true;
	default:
		fputs("try bennu-broker --help\n", stderr);
		return false;
	}
}

int
main(int argc, char **argv)
{
	struct server_options options = {
		.socket = BROKER_SOCKET, .mode = 0666, .background = true,
		.policy = policy_create(), .ready = -1,
	};
	bool check = false;
	int option;

	if (options.policy == NULL)
		return 1;
	while ((option = getopt_long(argc, argv, "", long_options, NULL)) !=
	    -1) {
		if (option == OPTION_HELP) {
			fputs(usage, stdout);
			policy_destroy(options.policy);
			return 0;
		}
		if (!take_option(option, &options, &check)) {
			policy_destroy(options.policy);
			return 2;
		}
	}
	if (check) {
		policy_destroy(options.policy);
		return 0;
	}
	return server_run(&options);
}
