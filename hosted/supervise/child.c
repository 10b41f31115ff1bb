/* SPDX-License-Identifier: MIT */
/*
 * A process of a service: the one that serves, or its spare. Both are started
 * in the same way; which one serves is said by GO.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_BY_SIGNAL	128

bool
child_tell(struct process *process, const struct place_message *message,
    int fd)
{
	union {
		char	 bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	struct iovec part = {
		.iov_base = (void *)(uintptr_t)message,
		.iov_len = sizeof(*message),
	};
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *rights;

	if (process->pid == 0 || process->start.fd < 0)
		return false;
	if (fd >= 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
	}
	return sendmsg(process->start.fd, &header,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*message);
}

struct place_message
child_go(const struct service *service)
{
	const struct supervised *record = service_record(service);
	struct place_message message = {
		.kind = PLACE_GO,
		.argument = record->draining,
		.incarnation = record->incarnation + 1,
		.cold = record->statistics.cold_starts,
	};

	message.refused_count = record->poison_count;
	memcpy(message.refused, record->poison, sizeof(message.refused));
	return message;
}

static void
spare_says(struct watch *watch, uint32_t events)
{
	struct process *process = watch->owner;
	struct place_message message;
	ssize_t length = recv(watch->fd, &message, sizeof(message),
	    MSG_DONTWAIT);

	if (length == (ssize_t)sizeof(message) &&
	    message.kind == PLACE_WAITING) {
		process->waiting = true;
		process->service->spare_delay = 0;
	} else if (length == 0 || (length < 0 && errno != EAGAIN)) {
		/* Its end closed; the death comes by the pidfd. */
		watch_close(watch);
	}
}

static bool
is_dead(const struct process *process)
{
	siginfo_t info = { 0 };

	return waitid(P_PIDFD, (id_t)process->death.fd, &info,
	    WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/* What it left is killed first, while the number still is that of its group. */
static void
reap(struct process *process, siginfo_t *out_info)
{
	(void)kill(-process->pid, SIGKILL);
	*out_info = (siginfo_t){ 0 };
	while (waitid(P_PIDFD, (id_t)process->death.fd, out_info, WEXITED) !=
	    0 && errno == EINTR)
		continue;
	watch_close(&process->death);
	watch_close(&process->start);
	process->pid = 0;
	process->waiting = false;
}

static void
report(const struct service *service, const struct supervise_death *death,
    uint64_t incarnation, bool exited)
{
	const struct supervised *record = service_record(service);
	char request[48] = "";

	if (death->order != 0)
		snprintf(request, sizeof(request), ", request %llu tag %llu",
		    (unsigned long long)death->order,
		    (unsigned long long)death->tag);
	log_line("%s %llu died: %s %llu%s%s; %s", record->name,
	    (unsigned long long)incarnation,
	    exited ? "exit" : "signal",
	    (unsigned long long)death->code, request,
	    death->commanded ? ", by order" : "",
	    supervise_state_name(record->state));
}

/* The policy is not to bring back what an operator has stopped. */
static struct supervise_decision
tell_policy(struct service *service, const struct supervise_death *death,
    bool stays_away)
{
	struct supervisor *policy = &service->server->policy;
	struct supervise_policy kept = service_record(service)->policy;
	struct supervise_policy never = kept;
	struct supervise_decision decision;

	never.restart = SUPERVISE_RESTART_NEVER;
	if (stays_away)
		supervise_set_policy(policy, service->number, &never);
	decision = supervise_died(policy, service->number, death,
	    service->server->now_ns);
	if (stays_away)
		supervise_set_policy(policy, service->number, &kept);
	return decision;
}

static struct supervise_death
describe(const struct service *service, const siginfo_t *info,
    bool stays_away)
{
	bool exited = info->si_code == CLD_EXITED;
	/* A core file or none makes no difference. */
	uint64_t kind = exited ? CLD_EXITED : CLD_KILLED;
	struct supervise_death death = {
		.cause = kind << 32 | (unsigned)info->si_status,
		.code = (unsigned)info->si_status,
		.commanded = service->commanded && !stays_away,
		.clean = stays_away || (exited && info->si_status == 0),
	};

	if (service->status != NULL) {
		death.order = service->status->order;
		death.tag = service->status->tag;
		death.answered = service->status->answered -
		    service->before.answered;
	}
	return death;
}

static void
main_ended(struct service *service, const siginfo_t *info)
{
	bool stays_away = !service->wanted || service->server->stopping;
	bool exited = info->si_code == CLD_EXITED;
	struct supervise_death death = describe(service, info, stays_away);
	uint64_t incarnation = service_record(service)->incarnation;
	struct supervise_decision decision = tell_policy(service, &death,
	    stays_away);

	service->exit_status = exited ? info->si_status :
	    EXIT_BY_SIGNAL + info->si_status;
	service->commanded = false;
	service->kill_sent = false;
	service->start_by = service->stop_by = NEVER;
	service_decide(service, &decision);
	if (stays_away)
		service_stay_away(service);
	service_advance(service);
	report(service, &death, incarnation, exited);
}

static void
child_ended(struct watch *watch, uint32_t events)
{
	struct process *process = watch->owner;
	struct service *service = process->service;
	siginfo_t info;

	if (!is_dead(process))
		return;
	/* What it said before it died counts; see docs/design/supervise.md. */
	messages_take(service->server);
	service->server->now_ns = clock_ns();
	reap(process, &info);
	service->server->changed = true;
	if (process == service_main(service))
		main_ended(service, &info);
	else
		spare_ended(service);
}

/* Names and numbers of what it has from its start. */
struct handover {
	int	 descriptor[PROCESS_DESCRIPTORS_MAX];
	const char *name[PROCESS_DESCRIPTORS_MAX];
	unsigned count;
};

static void
hand(struct handover *handover, int fd, const char *name)
{
	if (fd < 0)
		return;
	handover->descriptor[handover->count] = fd;
	handover->name[handover->count++] = name;
}

static void
collect(struct service *service, int start, struct handover *handover)
{
	const struct manifest *manifest = &service->manifest;

	handover->count = 0;
	for (unsigned i = 0; i < manifest->listen_count && !manifest->accept;
	    i++)
		hand(handover, service->listener[i].watch.fd,
		    service->listener[i].name);
	hand(handover, start, PLACE_FD_START);
	hand(handover, service->arena, PLACE_FD_ARENA);
	hand(handover, service->status_fd, PLACE_FD_STATUS);
	if (manifest_is_place(manifest))
		return;
	for (unsigned i = 0; i < service->store.count; i++) {
		struct stored *entry = &service->store.entry[i];

		hand(handover, entry->fd, entry->name);
		entry->told_main = true;
	}
}

static int
launch(struct service *service, struct process *process, int start, int ready)
{
	static struct handover handover;	/* one thread */
	const struct manifest *manifest = &service->manifest;
	struct launch launch = {
		.command = manifest->command,
		.environment = manifest->environment,
		.environment_count = manifest->environment_count,
		.directory = manifest->directory,
		.identity = &service->identity,
		.ready = ready,
		.ready_as = manifest->ready_fd,
		.output = service->output.writer,
		.notify_socket = service->server->notify_address.sun_path,
		.watchdog_us = service_record(service)->policy.beat_ns * 2 /
		    1000,
	};

	collect(service, start, &handover);
	launch.descriptor = handover.descriptor;
	launch.descriptor_name = handover.name;
	launch.descriptor_count = handover.count;
	return process_launch(&launch, &process->pid, &process->death.fd);
}

static void
ready_says(struct watch *watch, uint32_t events)
{
	struct service *service = watch->owner;
	char text[64];
	ssize_t length = read(watch->fd, text, sizeof(text));

	if (length > 0 && memchr(text, '\n', (size_t)length) != NULL)
		service_is_ready(service);
	else if (length > 0 || (length < 0 && errno == EAGAIN))
		return;
	watch_close(watch);
}

static int
launch_with_pipe(struct service *service, struct process *process, int start)
{
	int ends[2], error;

	if (service->manifest.ready != READY_FD)
		return launch(service, process, start, -1);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return errno;
	(void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
	watch_close(&service->ready_pipe);
	service->ready_pipe = (struct watch){
		.ready = ready_says, .owner = service, .fd = ends[0],
	};
	error = launch(service, process, start, ends[1]);
	close(ends[1]);
	if (error == 0 && !watch_add(service->server, &service->ready_pipe,
	    EPOLLIN))
		error = ENOMEM;
	return error;
}

int
child_make(struct service *service, struct process *process)
{
	int ends[2] = { -1, -1 }, error;

	if (manifest_is_place(&service->manifest) && socketpair(AF_UNIX,
	    SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return errno;
	*process = (struct process){
		.service = service,
		.death = { .ready = child_ended, .owner = process, .fd = -1 },
		.start = { .ready = spare_says, .owner = process,
		    .fd = ends[0] },
	};
	error = launch_with_pipe(service, process, ends[1]);
	if (ends[1] >= 0)
		close(ends[1]);
	if (error != 0) {
		process->pid = 0;
		watch_close(&process->start);
		return error;
	}
	/* Without it nobody would learn of the death: rather none at all. */
	if (!watch_add(service->server, &process->death, EPOLLIN) ||
	    (process->start.fd >= 0 &&
	    !watch_add(service->server, &process->start, EPOLLIN))) {
		siginfo_t info;

		(void)process_signal(process->death.fd, SIGKILL);
		reap(process, &info);
		return ENOMEM;
	}
	return 0;
}
