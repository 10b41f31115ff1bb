/* SPDX-License-Identifier: MIT */
/*
 * The loop: events, deadlines, starts that have become possible, and, when
 * nothing else is left, spares.
 */
#include "server.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EVENTS		64
#define MS		1000000ul	/* ns */
/* A start that the policy wants waits for others; they are looked at again. */
#define LOOK_AGAIN	(50 * MS)
#define TIMEOUT_MAX	(3600 * SECOND)

uint64_t
clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

bool
watch_add(struct server *server, struct watch *watch, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	watch->epoll = server->epoll;
	watch->added = epoll_ctl(server->epoll, EPOLL_CTL_ADD, watch->fd,
	    &event) == 0;
	return watch->added;
}

/*
 * Between clone and exec a child has copies of all files. epoll would go on to
 * tell of one that was only closed, as if it were what came in its place.
 */
void
watch_close(struct watch *watch)
{
	if (watch->added)
		(void)epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	watch->added = false;
	if (watch->fd >= 0)
		close(watch->fd);
	watch->fd = -1;
}

static void
stop_all(struct server *server)
{
	if (!server->stopping)
		log_line("stopping");
	server->stopping = true;
	server->changed = true;
	for (unsigned i = 0; i < server->count; i++)
		spare_kill(server->service[i]);
}

/* The second time somebody asks there is no more patience. */
static void
stop_by_signal(struct server *server)
{
	bool again = server->stopping;

	stop_all(server);
	for (unsigned i = 0; i < server->count && again; i++)
		service_kill(server->service[i], SIGKILL);
}

static bool
is_ours(const struct server *server, pid_t pid)
{
	for (unsigned i = 0; i < server->count; i++)
		for (unsigned j = 0; j < 2; j++)
			if (server->service[i]->process[j].pid == pid)
				return true;
	return false;
}

/*
 * Children of children that lost their parent. Those that we started are
 * reaped by their pidfd; the first of them in the list hides who is behind it
 * for this round, no longer.
 */
static void
reap_orphans(struct server *server)
{
	for (;;) {
		siginfo_t info = { 0 };

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == 0)
			return;
		if (is_ours(server, info.si_pid)) {
			server->orphans = true;
			return;
		}
		(void)waitid(P_PID, (id_t)info.si_pid, &info,
		    WEXITED | WNOHANG);
	}
}

static void
signals_ready(struct watch *watch, uint32_t events)
{
	struct server *server = watch->owner;
	struct signalfd_siginfo info;

	while (read(watch->fd, &info, sizeof(info)) ==
	    (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			server->orphans = true;
		else
			stop_by_signal(server);
	}
}

static bool
open_signals(struct server *server)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return false;
	server->signals = (struct watch){
		.ready = signals_ready, .owner = server,
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
	};
	return server->signals.fd >= 0 &&
	    watch_add(server, &server->signals, EPOLLIN);
}

/* Nobody is stopped before those that need it. */
static void
advance_stop(struct server *server)
{
	for (unsigned i = 0; i < server->count; i++)
		if (!service_is_needed(server->service[i]))
			service_end(server->service[i]);
}

static bool
is_at_its_end(const struct service *service)
{
	uint64_t state = service_record(service)->state;

	return !service_is_running(service) && service->settled &&
	    (state == SUPERVISE_STOPPED || (state == SUPERVISE_GIVEN_UP &&
	    service->manifest.retry_ns == NEVER));
}

static void
advance(struct server *server)
{
	struct service *main = server->main;

	while (server->changed) {
		server->changed = false;
		if (main != NULL && is_at_its_end(main))
			stop_all(server);
		if (server->stopping)
			advance_stop(server);
		for (unsigned i = 0; i < server->count; i++)
			service_advance(server->service[i]);
		if (server->stopping)
			break;
	}
}

static bool
is_over(const struct server *server)
{
	for (unsigned i = 0; i < server->count; i++)
		for (unsigned j = 0; j < 2; j++)
			if (server->service[i]->process[j].pid != 0)
				return false;
	return server->stopping;
}

static bool
spares_are_due(const struct server *server)
{
	for (unsigned i = 0; i < server->count; i++)
		if (spare_is_due(server->service[i]))
			return true;
	return false;
}

/* One at a time: in between somebody may die. */
static void
make_spare(struct server *server)
{
	for (unsigned i = 0; i < server->count; i++) {
		if (spare_is_due(server->service[i])) {
			spare_make(server->service[i]);
			return;
		}
	}
}

static int
timeout_ms(const struct server *server)
{
	uint64_t next = supervise_next(&server->policy), now = server->now_ns;

	if (server->changed || server->orphans || spares_are_due(server))
		return 0;
	if (next < now + LOOK_AGAIN)
		next = next > now ? next : now + LOOK_AGAIN;
	for (unsigned i = 0; i < server->count; i++) {
		uint64_t own = service_next(server->service[i]);

		if (own < next)
			next = own;
	}
	if (next <= now)
		return 0;
	next -= now;
	return (int)((next < TIMEOUT_MAX ? next : TIMEOUT_MAX) / MS + 1);
}

static void
round_of(struct server *server)
{
	struct epoll_event event[EVENTS];
	int count = epoll_wait(server->epoll, event, EVENTS,
	    timeout_ms(server));
	bool orphans = server->orphans;

	server->now_ns = clock_ns();
	for (int i = 0; i < count; i++) {
		struct watch *watch = event[i].data.ptr;

		/* Another event of this round may have closed it. */
		if (watch->fd >= 0)
			watch->ready(watch, event[i].events);
	}
	if (orphans) {
		server->orphans = false;
		reap_orphans(server);
	}
	for (unsigned i = 0; i < server->count; i++)
		service_tick(server->service[i]);
	advance(server);
	if (count == 0)
		make_spare(server);
}

static bool
make_folder(const char *path)
{
	struct stat info;

	if (mkdir(path, 0755) == 0)
		return true;
	return errno == EEXIST && stat(path, &info) == 0 &&
	    S_ISDIR(info.st_mode);
}

static void
raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/*
 * A restart comes before other work, and the loop never computes for long.
 * Children begin as everybody else. Who started this may know better.
 */
static void
raise_priority(void)
{
	struct sched_param parameter = { .sched_priority = 1 };

	if (sched_getscheduler(0) == SCHED_OTHER)
		(void)sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK,
		    &parameter);
}

static bool
server_open(struct server *server, const struct server_options *options)
{
	uint64_t seed;

	raise_descriptors();
	raise_priority();
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	server->now_ns = clock_ns();
	if (server->epoll < 0 ||
	    getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return false;
	supervise_create(&server->policy, seed);
	if (!make_folder(options->runtime) || !open_signals(server) ||
	    !messages_open(server, options->runtime) ||
	    !control_open(server, options->runtime)) {
		log_line("%s: %s", options->runtime, strerror(errno));
		return false;
	}
	/* Orphans of services come here, also if this is not process 1. */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return true;
}

static void
server_close(struct server *server)
{
	control_close(server);
	if (server->notify.fd >= 0)
		(void)unlink(server->notify_address.sun_path);
	watch_close(&server->notify);
	watch_close(&server->signals);
	for (unsigned i = 0; i < server->count; i++)
		service_destroy(server->service[i]);
	if (server->epoll >= 0)
		close(server->epoll);
	free(server);
}

int
server_run(const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));
	int code = 1;

	if (server == NULL)
		return 1;
	server->signals.fd = server->notify.fd = server->control.fd = -1;
	server->epoll = -1;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		server->client[i].watch.fd = -1;
	if (server_open(server, options) && server_load(server, options)) {
		server->changed = true;
		while (!is_over(server))
			round_of(server);
		code = server->main == NULL ? 0 : server->main->exit_status;
		log_line("stopped");
	}
	server_close(server);
	return code;
}
