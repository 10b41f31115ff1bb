/* SPDX-License-Identifier: MIT */
/* bennu-top: docs/man/bennu-top.1. */
#include "show.h"

#include <lib/channel/hosted/hosted.h>

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define ALTERNATE	"\033[?1049h\033[?25l"
#define ORDINARY	"\033[?25h\033[?1049l"
#define HOME		"\033[H\033[J"

struct settings {
	const char *socket;
	double	 interval;		/* seconds */
	bool	 once, json;
};

static volatile sig_atomic_t stopped;
static struct termios saved;
static bool raw;			/* the terminal is ours */

static void
usage(FILE *out)
{
	fputs("usage: bennu-top [--once] [--json] [--interval SECONDS] "
	    "[--socket PATH]\n", out);
}

static void
stop(int number)
{
	stopped = 1;
}

/* Only so that poll returns. */
static void
resized(int number)
{
}

static int
parse(int argc, char **argv, struct settings *settings)
{
	static const struct option options[] = {
		{ "once", no_argument, NULL, 'o' },
		{ "json", no_argument, NULL, 'j' },
		{ "interval", required_argument, NULL, 'i' },
		{ "socket", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	char *end = "";
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			exit(0);
		}
		if (option == '?')
			break;
		settings->once |= option == 'o';
		settings->json |= option == 'j';
		if (option == 'i')
			settings->interval = strtod(optarg, &end);
		if (option == 's')
			settings->socket = optarg;
	}
	if (option == -1 && optind == argc && *end == '\0' &&
	    settings->interval >= 0.05 && settings->interval <= 3600)
		return 0;
	usage(stderr);
	return 2;
}

static void
terminal_take(void)
{
	struct termios mode;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved) != 0)
		return;
	mode = saved;
	mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mode.c_cc[VMIN] = 0;
	mode.c_cc[VTIME] = 0;
	raw = tcsetattr(STDIN_FILENO, TCSANOW, &mode) == 0;
	fputs(ALTERNATE, stdout);
}

static void
terminal_give_back(void)
{
	fputs(ORDINARY, stdout);
	fflush(stdout);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

static void
draw(const struct summary *summary)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	fputs(HOME, stdout);
	/* The last line stays free: the end of a line scrolls. */
	show_table(stdout, summary, size.ws_row > 1 ? size.ws_row - 1u : 1,
	    size.ws_col);
}

/* Until the next look; false: it is time to end. */
static bool
pause_for(double seconds, bool reads)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready = poll(&input, reads ? 1 : 0, (int)(seconds * 1000));
	char key = '\0';

	if (stopped || (ready > 0 && read(STDIN_FILENO, &key, 1) <= 0))
		return false;
	return key != 'q' && key != 'Q';
}

static status_t
look(struct channel_domain *domain, const struct settings *settings,
    struct sample *before, bool screen)
{
	struct sample now = { 0 };
	struct summary summary;
	status_t status = sample_take(domain, &now);

	if (status == OK && !summary_make(before, &now, &summary))
		status = ERR_NOMEM;
	if (status != OK) {
		sample_clear(&now);
		return status;
	}
	if (screen)
		draw(&summary);
	else if (settings->json)
		show_json(stdout, &summary);
	else
		show_table(stdout, &summary, 0, 0);
	if (fflush(stdout) != 0)
		stopped = 1;
	summary_clear(&summary);
	sample_clear(before);
	*before = now;
	return OK;
}

static status_t
run(struct channel_domain *domain, const struct settings *settings)
{
	bool screen = !settings->once && !settings->json &&
	    isatty(STDOUT_FILENO);
	struct sample before = { 0 };
	status_t status;

	if (screen)
		terminal_take();
	/* A rate needs two looks. */
	status = settings->once ? sample_take(domain, &before)
	    : look(domain, settings, &before, screen);
	while (status == OK && pause_for(settings->interval, raw)) {
		status = look(domain, settings, &before, screen);
		if (settings->once)
			break;
	}
	sample_clear(&before);
	if (screen)
		terminal_give_back();
	return status;
}

int
main(int argc, char **argv)
{
	struct settings settings = { .interval = 1 };
	struct sigaction end = { .sa_handler = stop };
	struct sigaction change = { .sa_handler = resized };
	struct channel_domain *domain;
	int code = parse(argc, argv, &settings);
	status_t status;

	if (code != 0)
		return code;
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	sigaction(SIGWINCH, &change, NULL);
	signal(SIGPIPE, SIG_IGN);
	if (channel_domain_hosted(settings.socket, &domain) != OK) {
		fprintf(stderr, "bennu-top: no broker answers at %s\n",
		    settings.socket != NULL ? settings.socket
		    : getenv("BENNU_BROKER") != NULL ? getenv("BENNU_BROKER")
		    : BROKER_SOCKET);
		return 1;
	}
	status = run(domain, &settings);
	channel_domain_hosted_close(domain);
	if (status == OK)
		return 0;
	fprintf(stderr, "bennu-top: %s\n", status == ERR_GONE
	    ? "the broker is gone" : "the broker gives no statistics");
	return 1;
}
