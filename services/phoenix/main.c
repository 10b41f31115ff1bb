/* SPDX-License-Identifier: MIT */
/*
 * phoenix: requests, events and timers, as a service like the others.
 */
#include "phoenix.h"

#include <lib/base/string.h>
#include <lib/service/loop.h>

#define LAYOUT		7u

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

static bool
protection_is_off(void)
{
	char value[48];

	return archive_option("protection", value) == OK &&
	    strcmp(value, "none") == 0;
}

static status_t
start(void *root)
{
	struct phoenix *phoenix = root;
	status_t status = create_timer(BIT_POLICY, &phoenix->policy_timer);

	if (status == OK)
		status = create_timer(BIT_CHAOS, &phoenix->chaos_timer);
	if (status == OK)
		status = create_timer(BIT_REPORT, &phoenix->report_timer);
	if (status == OK)
		status = create_timer(BIT_SPARE, &phoenix->spare_timer);
	if (status == OK)
		status = create_timer(BIT_RELOAD, &phoenix->reload_timer);
	if (status == OK)
		status = create_timer(BIT_RECORD, &phoenix->record.timer);
	if (status != OK)
		return status;
	phoenix->unprotected = protection_is_off();
	supervise_create(&phoenix->supervisor, 1);
	create_places(phoenix);
	place_depend_all(phoenix);
	place_set_timer(phoenix);
	chaos_start(phoenix);
	place_next_group(phoenix);
	return OK;
}

static void
resume(void *root, bool first)
{
	char value[48];

	/* Before any call or event: so all that was built has begun. */
	incarnation_start(root);
	if (archive_option("crash", value) == OK)
		runtime_arm(value);
	if (!first)
		sys_signal(PLACE_NOTIFICATION,
		    BIT_POLICY | BIT_CHAOS | BIT_CHECK | BIT_SPARE |
		    BIT_RECORD | BIT_RELOAD);
}

static unsigned
handle_request(struct phoenix_context *context, struct service_call *call,
    const struct phoenix_request_args *in)
{
	cap_t granted;
	status_t status = grant(context->phoenix, context->from, in->name,
	    &granted);

	if (status == OK)
		wire_give_cap(call, granted);
	return (unsigned)status;
}

static unsigned
handle_ready(struct phoenix_context *context, struct service_call *call)
{
	(void)call;
	place_ready(context->phoenix, context->from);
	chaos_ready(context->phoenix, context->from);
	return OK;
}

static unsigned
handle_option(struct phoenix_context *context, struct service_call *call,
    const struct phoenix_option_args *in, struct phoenix_option_results *out)
{
	(void)context, (void)call;
	return (unsigned)archive_option(in->key, out->value);
}

static unsigned
handle_report(struct phoenix_context *context, struct service_call *call)
{
	(void)call;
	report_system(context->phoenix);
	return OK;
}

static const struct phoenix_operations of_places = {
	.request = handle_request,
	.ready = handle_ready,
	.option = handle_option,
	.report = handle_report,
	.victim = handle_victim,
	.evidence = handle_evidence,
};

static const struct phoenix_operations of_commanders = {
	.command = handle_command,
};

static service_outcome
handle(void *root, struct service_call *call)
{
	struct phoenix_context context = { .phoenix = root };

	/* Badges are made here: place index + 1, or that of a commander. */
	if (call->badge == CONTROL_BADGE)
		return phoenix_dispatch(&of_commanders, &context, call);
	if (call->badge == 0 || call->badge > context.phoenix->place_count)
		return wire_refuse(call, ERR_RIGHT);
	context.from = &context.phoenix->place[call->badge - 1];
	return phoenix_dispatch(&of_places, &context, call);
}

/*
 * What keeps the house in order is not recovery: threads of class realtime need
 * not wait for it. A death that comes meanwhile waits for the rest of it.
 */
static void
set_class(unsigned class)
{
	sys_invoke(SYS_THREAD_SCHEDULE, service_info()->thread,
	    class | WEIGHT_DEFAULT << 8, 0, 0, 0, 0);
}

static void
keep_house(struct phoenix *phoenix, uint64_t bits)
{
	if ((bits & (BIT_POLICY | BIT_REPORT | BIT_SPARE | BIT_RECORD)) == 0)
		return;
	set_class(CLASS_HIGH);
	if ((bits & BIT_POLICY) != 0)
		place_tick(phoenix);
	if ((bits & BIT_REPORT) != 0)
		report_due(phoenix);
	if ((bits & BIT_SPARE) != 0)
		incarnation_tidy(phoenix);
	if ((bits & BIT_RECORD) != 0)
		record_drain(phoenix);
	set_class(CLASS_RECOVERY);
}

static void
notified(void *root, uint64_t bits)
{
	struct phoenix *phoenix = root;

	/* What is decided about deaths is committed before the tick. */
	if ((bits & BIT_CHECK) != 0) {
		place_check_deaths(phoenix);
		sys_signal(PLACE_NOTIFICATION, BIT_POLICY);
		bits &= ~BIT_POLICY;
	}
	keep_house(phoenix, bits);
	if ((bits & BIT_CHAOS) != 0)
		chaos_due(phoenix);
	if ((bits & BIT_RELOAD) != 0)
		reload_look(phoenix);
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

static void
idle(void *root)
{
	incarnation_start(root);
	place_kill_due(root);
}

static const struct service phoenix_service = {
	.name = "phoenix",
	.layout_version = LAYOUT,
	.status_numbers = true,
	.root_size = sizeof(struct phoenix),
	.reply_objects = 32,
	.table_slots = PHOENIX_TABLE_SLOTS,
	.fixed_slots = POWER_COUNT,
	.start = start,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.event = event,
	.idle = idle,
};

int
main(void)
{
	service_run(&phoenix_service);
}
