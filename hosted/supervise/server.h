/* SPDX-License-Identifier: MIT */
/*
 * bennu-supervise: one thread, one epoll. What the files share.
 *
 * The policy decides (lib/supervise), service.c carries out. Nothing here waits
 * for a process: whoever is slow keeps a deadline, and the loop goes on.
 */
#pragma once

#include "manifest.h"
#include "notify.h"
#include "process.h"
#include "protocol.h"
#include "store.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/un.h>

#define CONTROL_CLIENTS		16u
#define LOG_KEPT		16384u	/* bytes of output of a service */
#define NEVER			SUPERVISE_NEVER
#define SECOND			1000000000ul	/* ns */

struct server;
struct service;

/* Something that epoll looks at. */
struct watch {
	void	(*ready)(struct watch *watch, uint32_t events);
	void	*owner;
	int	 fd;		/* -1: nothing */
	int	 epoll;		/* that looks at it, if `added` */
	bool	 added;
};

struct process {
	struct service *service;
	pid_t	 pid;		/* 0: none */
	struct watch death;	/* pidfd */
	struct watch start;	/* of a place: our end of its socket */
	bool	 waiting;	/* a spare that can take over */
};

struct listener {
	struct watch watch;	/* looked at only if the service wants it */
	bool	 armed;
	char	 name[PLACE_NAME_MAX + 1];
	char	 unlink[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* Output of a service: a pipe that all its incarnations write to. */
struct output {
	struct watch watch;	/* reading end; -1: not through a pipe */
	int	 writer;	/* what processes get; -1: inherited */
	char	 kept[LOG_KEPT];
	uint64_t written;	/* bytes ever */
	bool	 in_line;	/* of what was printed */
};

struct service {
	struct server *server;
	unsigned number;	/* of the policy */
	struct manifest manifest;
	struct identity identity;

	struct process process[2];
	unsigned active;	/* index of the one that serves */
	bool	 wanted;	/* an operator has not stopped it */
	bool	 pending;	/* to be started as soon as possible */
	bool	 settled;	/* was ready once, or will not be for now */
	bool	 commanded;	/* its next death is an order */
	bool	 kill_sent;
	bool	 cold;		/* its arena is to be emptied first */

	uint64_t start_at;	/* not before */
	uint64_t start_by;	/* or it is killed; NEVER */
	uint64_t stop_by;	/* or it is killed; NEVER */
	uint64_t retry_at;	/* given up for now; NEVER */
	uint64_t beat_at, sample_at, push_at, spare_at;
	uint64_t spare_delay;

	struct listener listener[MANIFEST_LISTEN_MAX];
	uint64_t accepted;
	struct store store;
	int	 arena;			/* memfd; -1 */
	int	 status_fd;		/* memfd; -1 */
	volatile struct place_status *status;	/* NULL: no place */
	struct place_status before;	/* when it was started */
	struct watch ready_pipe;	/* READY_FD */
	struct output output;
	char	 text[NOTIFY_STATUS_MAX + 1];	/* STATUS= */
	int	 exit_status;		/* of the last one, as a shell says */

	/* Of the predictor's last look. */
	struct place_status sampled;
	uint64_t sampled_cpu, sampled_faults, sampled_deaths;
};

struct client {
	struct server *server;
	struct watch watch;
	char	 request[256];
	size_t	 request_length;
	char	*reply;			/* NULL: not yet */
	size_t	 reply_length, sent;
};

struct server {
	struct supervisor policy;
	struct service *service[SUPERVISE_SERVICES];	/* by number */
	unsigned count;
	int	 epoll;
	struct watch signals, notify, control;
	struct sockaddr_un notify_address, control_address;
	struct client client[CONTROL_CLIENTS];
	uint64_t now_ns;	/* when this round began */
	bool	 changed;	/* somebody may start, or stop, now */
	bool	 stopping;	/* all services */
	bool	 orphans;	/* somebody may have to be reaped */
	struct service *main;	/* its end is the end; NULL: none */
	uint64_t refused;	/* datagrams that nobody may have sent */
};

struct server_options {
	const char *runtime;	/* folder of the sockets */
	const char *main;	/* name of a service; NULL */
	const char *const *path;	/* manifests and folders of them */
	unsigned path_count;
	bool	 check;		/* read manifests, and stop */
};

/* server.c: the exit code. */
int server_run(const struct server_options *options);
/* load.c: reads manifests, registers services. False: said why. */
bool server_load(struct server *server, const struct server_options *options);
uint64_t clock_ns(void);
/* One line on standard error; lost rather than waited for. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);
void log_write(const char *text, size_t length);
bool watch_add(struct server *server, struct watch *watch, uint32_t events);
void watch_close(struct watch *watch);

/* service.c */
static inline struct process *
service_main(struct service *service)
{
	return &service->process[service->active];
}

static inline struct process *
service_spare(struct service *service)
{
	return &service->process[!service->active];
}

static inline struct supervised *
service_record(const struct service *service)
{
	return &service->server->policy.service[service->number];
}

struct service *service_create(struct server *server);
/* Makes what its manifest, which was read, asks for. */
bool service_open(struct service *service, const char **out_why);
void service_destroy(struct service *service);
void service_decide(struct service *service,
    const struct supervise_decision *decision);
/* Starts it if it is to run, and may now. */
void service_advance(struct service *service);
void service_is_ready(struct service *service);
/* Asks it to end, and makes sure of it. */
void service_end(struct service *service);
void service_kill(struct service *service, int number);
/* By order. One that runs is asked to end first. */
void service_restart(struct service *service);
void service_stop(struct service *service);
/* A start that the policy has decided is not to come. */
void service_stay_away(struct service *service);
void service_set_drain(struct service *service, bool on);
bool service_is_running(const struct service *service);
/* Somebody runs that needs it. */
bool service_is_needed(const struct service *service);
/* What time asks for; and when next. */
void service_tick(struct service *service);
uint64_t service_next(const struct service *service);
void service_push(struct service *service);

/* spare.c: builds one if one is wanted. */
bool spare_is_due(const struct service *service);
void spare_make(struct service *service);
void spare_ended(struct service *service);
/* The spare becomes the one that serves; false: there is none. */
bool spare_promote(struct service *service);
void spare_kill(struct service *service);

/* child.c: processes of a service. */
int child_make(struct service *service, struct process *process);
bool child_tell(struct process *process, const struct place_message *message,
    int fd);
struct place_message child_go(const struct service *service);

/* listen.c */
bool listener_open(struct listener *listener, const char *text,
    const char **out_why);
void listener_close(struct listener *listener);
/* Connections are taken for the service while it can have more. */
void listener_arm(struct service *service);

/* messages.c: sd_notify. */
bool messages_open(struct server *server, const char *folder);
void messages_take(struct server *server);

/* output.c */
bool output_open(struct service *service, const char **out_why);
void output_close(struct output *output);

/* sample.c */
void sample_take(struct service *service);

/* control.c */
bool control_open(struct server *server, const char *folder);
void control_close(struct server *server);
/* commands.c: the answer to one line. */
void command_run(struct server *server, const char *line, FILE *reply);
