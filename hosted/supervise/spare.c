/* SPDX-License-Identifier: MIT */
/*
 * Warm spares: made when nothing else is to do, never on the path of a restart.
 * A spare that dies before it served says nothing about the service; it only
 * comes back later each time.
 */
#include "server.h"

#include <signal.h>
#include <string.h>

#define DELAY_FIRST	(100ul * 1000000)	/* ns */

bool
spare_is_due(const struct service *service)
{
	uint64_t state = service_record(service)->state;

	return service->manifest.spare && service->wanted &&
	    !service->server->stopping && service->stop_by == NEVER &&
	    service_is_running(service) &&
	    service->process[!service->active].pid == 0 &&
	    (state == SUPERVISE_READY || state == SUPERVISE_DRAINING) &&
	    service->server->now_ns >= service->spare_at;
}

static void
put_off(struct service *service)
{
	uint64_t *delay = &service->spare_delay;

	*delay = *delay == 0 ? DELAY_FIRST : *delay * 2;
	if (*delay > SUPERVISE_DELAY_MAX)
		*delay = SUPERVISE_DELAY_MAX;
	service->spare_at = service->server->now_ns + *delay;
}

void
spare_make(struct service *service)
{
	int error = child_make(service, service_spare(service));

	for (unsigned i = 0; i < service->store.count; i++)
		service->store.entry[i].told_spare = false;
	if (error != 0) {
		log_line("%s: no spare: %s", service->manifest.name,
		    strerror(error));
		put_off(service);
		return;
	}
	service_push(service);
}

void
spare_ended(struct service *service)
{
	for (unsigned i = 0; i < service->store.count; i++)
		service->store.entry[i].told_spare = false;
	put_off(service);
}

bool
spare_promote(struct service *service)
{
	struct process *spare = service_spare(service);
	struct place_message go = child_go(service);

	if (spare->pid == 0)
		return false;
	if (!child_tell(spare, &go, -1)) {
		spare_kill(service);
		return false;
	}
	service->active = !service->active;
	spare->waiting = false;
	store_renew(&service->store, true);
	service_push(service);
	return true;
}

void
spare_kill(struct service *service)
{
	struct process *spare = service_spare(service);

	if (spare->pid != 0)
		(void)process_signal(spare->death.fd, SIGKILL);
}
