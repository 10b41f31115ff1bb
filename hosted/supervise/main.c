/* SPDX-License-Identifier: MIT */
/* bennu-supervise(8): options. */
#include "ctl.h"
#include "server.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNTIME		"/run/bennu-supervise"
#define SERVICES	"/etc/bennu/services"

static const char usage[] =
    "usage: bennu-supervise [OPTIONS] [MANIFEST|FOLDER...]\n"
    "       bennu-supervise [--runtime DIR] ctl [--json] COMMAND [NAME]\n"
    "Runs services, and brings them back when they die.\n"
    "\n"
    "  --runtime DIR   folder of its sockets (" RUNTIME ")\n"
    "  --main NAME     end when this service ends, with its exit code\n"
    "  --check         read the manifests, say what is wrong, and stop\n"
    "  --help          print this\n"
    "\n"
    "Without manifests, those of " SERVICES ". `ctl help` lists commands.\n";

enum { OPTION_RUNTIME = 256, OPTION_MAIN, OPTION_CHECK, OPTION_HELP };

static const struct option long_options[] = {
	{ "runtime", required_argument, NULL, OPTION_RUNTIME },
	{ "main", required_argument, NULL, OPTION_MAIN },
	{ "check", no_argument, NULL, OPTION_CHECK },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

/* Only the manifests: nothing is opened, nothing is made. */
static int
check(const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));
	bool ok;

	if (server == NULL)
		return 1;
	server->epoll = -1;
	supervise_create(&server->policy, 1);
	ok = server_load(server, options);
	for (unsigned i = 0; i < server->count; i++)
		service_destroy(server->service[i]);
	free(server);
	return ok ? 0 : 2;
}

int
main(int argc, char **argv)
{
	static const char *const services[] = { SERVICES };
	struct server_options options = { .runtime = RUNTIME };
	int option;

	/* '+': what follows the first word is ctl's. */
	while ((option = getopt_long(argc, argv, "+", long_options, NULL)) !=
	    -1) {
		if (option == OPTION_RUNTIME) {
			options.runtime = optarg;
		} else if (option == OPTION_MAIN) {
			options.main = optarg;
		} else if (option == OPTION_CHECK) {
			options.check = true;
		} else if (option == OPTION_HELP) {
			fputs(usage, stdout);
			return 0;
		} else {
			fputs("try bennu-supervise --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc && strcmp(argv[optind], "ctl") == 0)
		return ctl_run(options.runtime, argc - optind - 1,
		    argv + optind + 1);
	options.path = optind < argc ?
	    (const char *const *)(argv + optind) : services;
	options.path_count = optind < argc ? (unsigned)(argc - optind) : 1;
	return options.check ? check(&options) : server_run(&options);
}
