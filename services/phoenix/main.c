/* SPDX-License-Identifier: MIT */
/*
 * phoenix: requests, events and timers, as a service like the others.
 */
#include "phoenix.h"

#include <lib/base/string.h>
#include <lib/service/loop.h>

#define LAYOUT		2u
#define INDEX_REPORT	(~0ul)	/* PHOENIX_STATUS: log the totals */

static status_t
create_timer(uint64_t bits, cap_t *out_cap)
{
	status_t status = sys_object_create(OBJ_TIMER, PLACE_CONTAINER,
	    PLACE_NOTIFICATION, bits, out_cap);

	return status == OK ? service_cap_keep(*out_cap) : status;
}

/*
 * A place whose manifest or image is bad is left out; the others go on. Memory
 * is another matter: the next incarnation may find more, and if none does the
 * system ends with a word instead of waiting for what will never start.
 */
static void
create_places(struct phoenix *phoenix)
{
	static struct manifest manifest;
	const char *file, *text;
	size_t size;

	for (unsigned i = 0; (file = archive_manifest(i, &text, &size)) != NULL;
	    i++) {
		if (!manifest_read(file, text, size, &manifest))
			continue;
		if (place_find(phoenix, manifest.name,
		    strlen(manifest.name)) != NULL) {
			service_log("%s: %s is there already", file,
			    manifest.name);
			continue;
		}
		status_t status = place_create(phoenix, &manifest);
		if (status == ERR_NOMEM || status == ERR_LIMIT)
			service_panic("%s: no memory for its place",
			    manifest.name);
		if (status != OK)
			service_log("%s: no place for %s: status %lu", file,
			    manifest.name, status);
	}
}

static status_t
start(void *root)
{
	struct phoenix *phoenix = root;
	status_t status = create_timer(BIT_RESTART, &phoenix->restart_timer);

	if (status == OK)
		status = create_timer(BIT_CHAOS, &phoenix->chaos_timer);
	if (status == OK)
		status = create_timer(BIT_REPORT, &phoenix->report_timer);
	if (status != OK)
		return status;
	create_places(phoenix);
	chaos_start(phoenix);
	place_next_group(phoenix);
	return OK;
}

static void
resume(void *root, bool first)
{
	char value[48];

	(void)root;
	if (archive_option("crash", value) == OK)
		runtime_arm(value);
	if (!first)
		sys_signal(PLACE_NOTIFICATION,
		    BIT_RESTART | BIT_CHAOS | BIT_CHECK);
}

static service_outcome
finish(struct service_call *call, status_t status)
{
	if (status != OK) {
		call->message.word[1] = status;
		return SERVICE_ERROR;
	}
	call->message.word[0] = TAG_REPLY_OK;
	return SERVICE_REPLY;
}

/* The text in words 2..7. */
static void
take_name(const struct service_call *call, char name[48])
{
	memcpy(name, &call->message.word[2], 48);
	name[47] = '\0';
}

static service_outcome
handle_request(struct phoenix *phoenix, const struct place *from,
    struct service_call *call)
{
	char name[48];

	take_name(call, name);
	status_t status = grant(phoenix, from, name, &call->reply_cap[0]);
	if (status == OK) {
		call->reply_caps = 1;
		call->reply_cap_drop = true;
	}
	return finish(call, status);
}

static service_outcome
handle_kill(struct phoenix *phoenix, const struct place *from,
    struct service_call *call)
{
	char name[48];

	take_name(call, name);
	const struct place *place = place_find(phoenix, name, strlen(name));
	if (!manifest_needs(&from->manifest, "phoenix:kill")) {
		service_log("refused to %s: to kill %s", from->manifest.name,
		    name);
		return finish(call, ERR_RIGHT);
	}
	if (place == NULL)
		return finish(call, ERR_NOENT);
	if (place->life.now.thread == CAP_NONE)
		return finish(call, ERR_STATE);
	/* Its death is an event like others, served after this call. */
	sys_invoke(SYS_THREAD_KILL, place->life.now.thread, 0, 0, 0, 0, 0);
	call->message.word[1] = place->life.incarnation + 1;
	return finish(call, OK);
}

static service_outcome
handle_status(const struct phoenix *phoenix, struct service_call *call)
{
	uint64_t index = call->message.word[1];

	if (index == INDEX_REPORT) {
		report_system();
		return finish(call, OK);
	}
	if (index >= phoenix->place_count)
		return finish(call, ERR_RANGE);
	const struct place *place = &phoenix->place[index];
	call->message = (struct message){ { TAG_REPLY_OK,
	    place->life.incarnation, place->life.state, place->life.deaths } };
	memcpy(&call->message.word[4], place->manifest.name,
	    sizeof(place->manifest.name));
	return finish(call, OK);
}

static service_outcome
handle_option(struct service_call *call)
{
	char key[48], value[48];

	take_name(call, key);
	status_t status = archive_option(key, value);
	if (status == OK)
		memcpy(&call->message.word[2], value, sizeof(value));
	return finish(call, status);
}

static service_outcome
handle(void *root, struct service_call *call)
{
	struct phoenix *phoenix = root;

	/* Badges are made here: place index + 1, or that of a commander. */
	if (call->badge == PHOENIX_CONTROL_BADGE &&
	    call->message.word[0] == PHOENIX_COMMAND)
		return handle_command(phoenix, call);
	if (call->badge == 0 || call->badge > phoenix->place_count)
		return finish(call, ERR_RIGHT);
	struct place *from = &phoenix->place[call->badge - 1];
	switch (call->message.word[0]) {
	case PHOENIX_REQUEST:
		return handle_request(phoenix, from, call);
	case PHOENIX_READY:
		place_ready(phoenix, from);
		chaos_ready(phoenix, from);
		return finish(call, OK);
	case PHOENIX_KILL:
		return handle_kill(phoenix, from, call);
	case PHOENIX_STATUS:
		return handle_status(phoenix, call);
	case PHOENIX_OPTION:
		return handle_option(call);
	default:
		return finish(call, ERR_NOSYS);
	}
}

static void
notified(void *root, uint64_t bits)
{
	struct phoenix *phoenix = root;

	if ((bits & BIT_CHECK) != 0)
		place_check_deaths(phoenix);
	if ((bits & BIT_RESTART) != 0)
		place_build_due(phoenix);
	if ((bits & BIT_CHAOS) != 0)
		chaos_due(phoenix);
	if ((bits & BIT_REPORT) != 0)
		report_details(phoenix);
	place_next_group_if_up(phoenix);
}

static void
event(void *root, uint64_t kind, uint64_t badge)
{
	struct phoenix *phoenix = root;

	if (kind != EVENT_DEATH || badge >= phoenix->place_count)
		return;
	place_died(phoenix, &phoenix->place[badge]);
	place_next_group_if_up(phoenix);
}

/* No request is ever parked. */
static void
cancel(void *root, struct parked_call id)
{
	(void)root;
	service_answer_error(id, ERR_CANCELLED);
}

static void
idle(void *root)
{
	place_idle(root);
}

static const struct service phoenix_service = {
	.name = "phoenix",
	.layout_version = LAYOUT,
	.root_size = sizeof(struct phoenix),
	.reply_objects = 32,
	.table_slots = PHOENIX_TABLE_SLOTS,
	.fixed_slots = POWER_COUNT,
	.start = start,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.event = event,
	.cancel = cancel,
	.idle = idle,
};

int
main(void)
{
	service_run(&phoenix_service);
}
