/* SPDX-License-Identifier: MIT */
/*
 * The life of a service: what the policy decided is carried out, deadlines are
 * kept. See docs/design/supervise.md for the order of starts and stops.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PUSH_AGAIN	(10ul * 1000000)	/* ns: a full socket */
#define START_AGAIN	(100ul * 1000000)
#define SAMPLE_EVERY	SECOND

static bool
state_serves(uint64_t state)
{
	return state == SUPERVISE_READY || state == SUPERVISE_DRAINING;
}

bool
service_is_running(const struct service *service)
{
	return service->process[service->active].pid != 0;
}

static bool
needs(const struct service *service, const struct service *other)
{
	return (service_record(service)->depends_on >> other->number & 1) != 0;
}

bool
service_is_needed(const struct service *service)
{
	const struct server *server = service->server;

	for (unsigned i = 0; i < server->count; i++)
		if (service_is_running(server->service[i]) &&
		    needs(server->service[i], service))
			return true;
	return false;
}

/* All that it needs serves, and lower groups had their chance. */
static bool
may_start(const struct service *service)
{
	const struct server *server = service->server;

	for (unsigned i = 0; i < server->count; i++) {
		const struct service *other = server->service[i];

		if (other->manifest.group < service->manifest.group &&
		    !other->settled)
			return false;
		if (needs(service, other) &&
		    !state_serves(service_record(other)->state))
			return false;
	}
	return true;
}

/*
 * From its death until it is ready again an urgent service runs before others,
 * where the supervisor may say so.
 */
static void
set_urgent(const struct service *service, bool on)
{
	struct sched_param parameter = { .sched_priority = on };

	if (service->manifest.urgent && service_is_running(service))
		(void)sched_setscheduler(
		    service->process[service->active].pid,
		    on ? SCHED_RR | SCHED_RESET_ON_FORK : SCHED_OTHER,
		    &parameter);
}

/* --- Start ------------------------------------------------------------------ */

/*
 * What the dead one was doing is not what the next one does. Before that one may
 * write the page itself.
 */
static void
turn_page(struct service *service)
{
	if (service->status == NULL)
		return;
	service->before.answered = service->status->answered;
	service->status->order = 0;
}

static void
note_start(struct service *service)
{
	struct server *server = service->server;

	service->pending = false;
	service->retry_at = NEVER;
	service->text[0] = '\0';
	service->beat_at = NEVER;
	service->start_by = service->manifest.start_timeout_ns == 0 ? NEVER :
	    server->now_ns + service->manifest.start_timeout_ns;
	set_urgent(service, true);
	supervise_started(&server->policy, service->number, server->now_ns);
}

static void
start_failed(struct service *service, int error)
{
	struct server *server = service->server;
	struct supervise_decision decision = supervise_start_failed(
	    &server->policy, service->number, server->now_ns);

	log_line("%s: cannot be started: %s", service->manifest.name,
	    strerror(error));
	service->pending = false;
	/* Of what the machine is short of, it is short for a while. */
	service->start_at = server->now_ns + START_AGAIN;
	service_decide(service, &decision);
}

static void
empty_arena(struct service *service)
{
	off_t size = (off_t)service->manifest.arena_size;

	log_line("%s: cold start", service->manifest.name);
	if (service->arena >= 0 && fallocate(service->arena,
	    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, size) != 0)
		log_line("%s: arena: %s", service->manifest.name,
		    strerror(errno));
}

static void
start(struct service *service)
{
	struct place_message go = child_go(service);
	int error;

	if (service->cold)
		empty_arena(service);
	service->cold = false;
	turn_page(service);
	if (spare_promote(service)) {
		note_start(service);
		return;
	}
	store_renew(&service->store, false);
	error = child_make(service, service_main(service));
	if (error != 0) {
		start_failed(service, error);
		return;
	}
	note_start(service);
	if (manifest_is_place(&service->manifest))
		(void)child_tell(service_main(service), &go, -1);
	service_push(service);
	if (service->manifest.ready == READY_START)
		service_is_ready(service);
}

void
service_advance(struct service *service)
{
	if (service->pending && service->wanted &&
	    service->server->now_ns >= service->start_at &&
	    !service->server->stopping && !service_is_running(service) &&
	    may_start(service))
		start(service);
}

void
service_is_ready(struct service *service)
{
	struct server *server = service->server;
	const struct supervised *record = service_record(service);

	if (!service_is_running(service) ||
	    record->state != SUPERVISE_STARTING)
		return;
	supervise_ready(&server->policy, service->number, clock_ns());
	set_urgent(service, false);
	service->settled = true;
	service->start_by = NEVER;
	service->spare_at = server->now_ns + service->spare_delay;
	service->sample_at = server->now_ns + SAMPLE_EVERY;
	if (record->policy.beat_ns != 0)
		service->beat_at = server->now_ns + record->policy.beat_ns;
	server->changed = true;
	listener_arm(service);
}

/* What it does not have yet of the descriptors stored for it. */
void
service_push(struct service *service)
{
	struct place_message message = { .kind = PLACE_TAKE };
	bool all = true;

	service->push_at = NEVER;
	if (!manifest_is_place(&service->manifest))
		return;
	for (unsigned i = 0; i < service->store.count; i++) {
		struct stored *entry = &service->store.entry[i];

		memcpy(message.name, entry->name, sizeof(message.name));
		if (!entry->told_main)
			entry->told_main = child_tell(service_main(service),
			    &message, entry->fd);
		if (!entry->told_spare)
			entry->told_spare = child_tell(service_spare(service),
			    &message, entry->fd);
		all = all && (entry->told_main ||
		    !service_is_running(service));
		all = all && (entry->told_spare ||
		    service_spare(service)->pid == 0);
	}
	if (!all)
		service->push_at = clock_ns() + PUSH_AGAIN;
}

/* --- Decisions -------------------------------------------------------------- */

void
service_restart(struct service *service)
{
	struct server *server = service->server;
	struct supervise_decision decision = supervise_restart(&server->policy,
	    service->number, server->now_ns);

	service->retry_at = NEVER;
	service_decide(service, &decision);
}

static void
restart_dependents(const struct service *service)
{
	struct server *server = service->server;
	uint64_t bits = supervise_dependents(&server->policy, service->number);

	for (unsigned i = 0; i < server->count; i++) {
		if ((bits >> i & 1) != 0 &&
		    service_is_running(server->service[i]))
			service_restart(server->service[i]);
	}
}

/* Final only if the manifest says so. */
static void
give_up(struct service *service)
{
	uint64_t retry = service->manifest.retry_ns;

	service->settled = true;
	service->server->changed = true;
	if (retry == NEVER) {
		log_line("%s is given up", service->manifest.name);
		return;
	}
	service->retry_at = service->server->now_ns + retry;
	log_line("%s is given up for %lu ms", service->manifest.name,
	    retry / 1000000);
}

/*
 * A START is repeated at each tick until it was carried out, which may have to
 * wait for others: what goes with it is done once.
 */
static void
take_start(struct service *service, const struct supervise_decision *decision)
{
	if (service->pending)
		return;
	service->pending = true;
	service->cold = decision->cold;
	service->server->changed = true;
	if (decision->dependents)
		restart_dependents(service);
}

/* Who hangs would not listen; who is renewed or restarted is not at fault. */
static void
take_kill(struct service *service)
{
	if (service_record(service)->kill == SUPERVISE_KILL_HANG) {
		service_kill(service, SIGKILL);
		return;
	}
	service->commanded = service_is_running(service);
	service_end(service);
}

void
service_decide(struct service *service,
    const struct supervise_decision *decision)
{
	switch (decision->action) {
	case SUPERVISE_DO_START:
		take_start(service, decision);
		break;
	case SUPERVISE_DO_GIVE_UP:
		give_up(service);
		break;
	case SUPERVISE_DO_STOP:
		service->settled = true;
		service->server->changed = true;
		break;
	case SUPERVISE_DO_KILL:
		take_kill(service);
		break;
	default:
		break;
	}
}

/* --- End -------------------------------------------------------------------- */

void
service_kill(struct service *service, int number)
{
	if (service_is_running(service))
		(void)process_signal(service_main(service)->death.fd, number);
}

void
service_end(struct service *service)
{
	struct server *server = service->server;

	if (!service_is_running(service) || service->stop_by != NEVER)
		return;
	service->stop_by = server->now_ns + service->manifest.stop_timeout_ns;
	service_kill(service, service->manifest.stop_signal);
}

/* Also if there is no process whose death would tell the policy. */
void
service_stop(struct service *service)
{
	service->wanted = false;
	service->pending = false;
	service->retry_at = NEVER;
	spare_kill(service);
	if (service_is_running(service))
		service_end(service);
	else
		service_stay_away(service);
}

void
service_stay_away(struct service *service)
{
	struct supervisor *policy = &service->server->policy;
	struct supervise_policy kept = service_record(service)->policy;
	struct supervise_policy never = kept;

	if (service_record(service)->state != SUPERVISE_DELAYED)
		return;
	never.restart = SUPERVISE_RESTART_NEVER;
	supervise_set_policy(policy, service->number, &never);
	(void)supervise_start_failed(policy, service->number,
	    service->server->now_ns);
	supervise_set_policy(policy, service->number, &kept);
}

void
service_set_drain(struct service *service, bool on)
{
	struct place_message message = {
		.kind = PLACE_DRAIN, .argument = on,
	};

	supervise_drain(&service->server->policy, service->number, on,
	    service->server->now_ns);
	(void)child_tell(service_main(service), &message, -1);
	listener_arm(service);
}

/* --- Time ------------------------------------------------------------------- */

static void
tick_deadlines(struct service *service)
{
	uint64_t now = service->server->now_ns;

	if (now >= service->start_by) {
		log_line("%s is not ready in time", service->manifest.name);
		service->start_by = NEVER;
		service_kill(service, SIGKILL);
	}
	if (now >= service->stop_by && !service->kill_sent) {
		log_line("%s does not stop", service->manifest.name);
		service->kill_sent = true;
		service_kill(service, SIGKILL);
	}
	if (now >= service->push_at)
		service_push(service);
}

void
service_tick(struct service *service)
{
	struct server *server = service->server;
	struct supervisor *policy = &server->policy;
	bool quiet = service->status == NULL || service->status->order == 0;
	struct supervise_decision decision;

	tick_deadlines(service);
	if (service->pending && server->now_ns >= service->start_at)
		server->changed = true;
	if (server->now_ns >= service->retry_at)
		service_restart(service);
	if (service->stop_by != NEVER || !service->wanted)
		return;
	if (server->now_ns >= service->beat_at) {
		service->beat_at = server->now_ns +
		    service_record(service)->policy.beat_ns;
		supervise_beat_asked(policy, service->number, server->now_ns);
	}
	if (server->now_ns >= service->sample_at) {
		service->sample_at = server->now_ns + SAMPLE_EVERY;
		if (service_record(service)->policy.predict)
			sample_take(service);
	}
	decision = supervise_tick(policy, service->number, quiet,
	    server->now_ns);
	service_decide(service, &decision);
}

static uint64_t
earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
service_next(const struct service *service)
{
	uint64_t next = earlier(service->start_by, service->push_at);

	if (!service->kill_sent)
		next = earlier(next, service->stop_by);
	if (service->pending && service->start_at > service->server->now_ns)
		next = earlier(next, service->start_at);
	next = earlier(next, service->retry_at);
	if (service_is_running(service)) {
		next = earlier(next, service->beat_at);
		if (service_record(service)->policy.predict)
			next = earlier(next, service->sample_at);
		if (service->manifest.spare &&
		    service->process[!service->active].pid == 0 &&
		    service->spare_at > service->server->now_ns)
			next = earlier(next, service->spare_at);
	}
	return next;
}

/* --- Creation --------------------------------------------------------------- */

static int
shared_memory(const char *name, uint64_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return -1;
	/* Nobody makes it smaller under another: that would be a signal. */
	if (ftruncate(fd, (off_t)size) != 0 || fcntl(fd, F_ADD_SEALS,
	    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool
open_memory(struct service *service, const char **out_why)
{
	void *status;

	*out_why = "shared memory";
	if (service->manifest.arena_size != 0) {
		service->arena = shared_memory(PLACE_FD_ARENA,
		    service->manifest.arena_size);
		if (service->arena < 0)
			return false;
	}
	if (!manifest_is_place(&service->manifest))
		return true;
	service->status_fd = shared_memory(PLACE_FD_STATUS,
	    PLACE_STATUS_BYTES);
	if (service->status_fd < 0)
		return false;
	status = mmap(NULL, PLACE_STATUS_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED, service->status_fd, 0);
	if (status == MAP_FAILED)
		return false;
	service->status = status;
	return true;
}

static bool
open_listeners(struct service *service, const char **out_why)
{
	for (unsigned i = 0; i < service->manifest.listen_count; i++) {
		struct listener *listener = &service->listener[i];

		if (!listener_open(listener, service->manifest.listen[i],
		    out_why))
			return false;
		listener->watch.owner = service;
	}
	return true;
}

struct service *
service_create(struct server *server)
{
	struct service *service = calloc(1, sizeof(*service));

	if (service == NULL)
		return NULL;
	service->server = server;
	for (unsigned i = 0; i < 2; i++) {
		service->process[i].death.fd = -1;
		service->process[i].start.fd = -1;
	}
	for (unsigned i = 0; i < MANIFEST_LISTEN_MAX; i++)
		service->listener[i].watch.fd = -1;
	service->arena = service->status_fd = service->ready_pipe.fd = -1;
	service->output.watch.fd = service->output.writer = -1;
	service->start_by = service->stop_by = service->retry_at = NEVER;
	service->beat_at = service->sample_at = service->push_at = NEVER;
	service->wanted = service->pending = true;
	return service;
}

bool
service_open(struct service *service, const char **out_why)
{
	*out_why = "key 'user': there is no such user";
	if (!identity_find(service->manifest.user, &service->identity))
		return false;
	*out_why = "no memory";
	return store_create(&service->store, service->manifest.descriptors) &&
	    open_memory(service, out_why) &&
	    open_listeners(service, out_why) && output_open(service, out_why);
}

void
service_destroy(struct service *service)
{
	for (unsigned i = 0; i < service->manifest.listen_count; i++)
		listener_close(&service->listener[i]);
	output_close(&service->output);
	store_destroy(&service->store);
	watch_close(&service->ready_pipe);
	if (service->status != NULL)
		munmap((void *)(uintptr_t)service->status, PLACE_STATUS_BYTES);
	if (service->status_fd >= 0)
		close(service->status_fd);
	if (service->arena >= 0)
		close(service->arena);
	free(service);
}
