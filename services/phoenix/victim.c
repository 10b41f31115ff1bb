/* SPDX-License-Identifier: MIT */
/*
 * Hands places over to the fault injector (services/chaos), which alone may ask
 * for it: its manifest needs "chaos". phoenix is a victim like the others.
 */
#include "phoenix.h"

#include <lib/base/string.h>

struct two_caps {
	cap_t	 first, second;
	unsigned first_rights, second_rights;
};

static status_t
give(struct service_call *call, const struct two_caps *caps)
{
	cap_t first, second;

	if (caps->first == CAP_NONE)
		return ERR_NOENT;
	status_t status = sys_cap_copy(caps->first, CAP_NONE, CAP_ANY_SLOT,
	    caps->first_rights | RIGHT_COPY, TRUST_MAX, 0, &first);
	if (status != OK)
		return status;
	status = sys_cap_copy(caps->second, CAP_NONE, CAP_ANY_SLOT,
	    caps->second_rights | RIGHT_COPY, TRUST_MAX, 0, &second);
	if (status != OK) {
		sys_cap_delete(CAP_NONE, first);
		return status;
	}
	wire_give_cap(call, first);
	wire_give_cap(call, second);
	return OK;
}

/* *out_place NULL: phoenix itself. */
static status_t
find(struct phoenix_context *context, const char *name,
    const struct place **out_place)
{
	if (!manifest_needs(&context->from->manifest, "chaos")) {
		service_log("refused to %s: it does not need chaos",
		    context->from->manifest.name);
		return ERR_RIGHT;
	}
	*out_place = place_find(context->phoenix, name, strlen(name));
	return *out_place != NULL || strcmp(name, "phoenix") == 0 ? OK :
	    ERR_NOENT;
}

unsigned
handle_victim(struct phoenix_context *context, struct service_call *call,
    const struct phoenix_victim_args *in)
{
	const struct place *place;
	struct two_caps caps = { service_info()->thread,
	    service_info()->vspace, RIGHT_READ | RIGHT_MANAGE, RIGHT_MANAGE };
	status_t status = find(context, in->name, &place);

	if (status != OK)
		return (unsigned)status;
	if (place != NULL) {
		caps.first = place->life.now.thread;
		caps.second = place->life.now.vspace;
	}
	return (unsigned)give(call, &caps);
}

unsigned
handle_evidence(struct phoenix_context *context, struct service_call *call,
    const struct phoenix_evidence_args *in)
{
	const struct place *place;
	struct two_caps caps = { POWER_INFO, POWER_DEATH,
	    RIGHT_READ | RIGHT_WRITE, RIGHT_READ };
	status_t status = find(context, in->name, &place);

	if (status != OK)
		return (unsigned)status;
	if (place != NULL) {
		caps.first = place->parts.info;
		caps.second = place->parts.death;
	}
	return (unsigned)give(call, &caps);
}
