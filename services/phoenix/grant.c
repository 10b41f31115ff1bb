/* SPDX-License-Identifier: MIT */
/*
 * Capabilities by name. The manifest of the asking place must list the name
 * under `needs`, word for word; phoenix.8 has the list of names.
 *
 * A grant is always a capability of its own in phoenix's table, to be handed
 * over and deleted. Asking twice gives two equal ones.
 */
#include "phoenix.h"

#include <lib/base/string.h>

#define COPY_ALL	(RIGHT_ALL)
#define RESERVE_MIN	(16ul << 20 >> PAGE_SHIFT)	/* frames */

static bool
begins(const char *name, const char *head, const char **out_rest)
{
	size_t length = strlen(head);

	if (strncmp(name, head, length) != 0)
		return false;
	*out_rest = name + length;
	return true;
}

/* Digits up to `stop`; false if there are none or others. */
static bool
number(const char **text, uint64_t base, char stop, uint64_t *out_value)
{
	const char *at = *text;

	for (*out_value = 0; *at != stop; at++) {
		uint64_t digit = *at >= '0' && *at <= '9' ?
		    (uint64_t)(*at - '0') : *at >= 'a' && *at <= 'f' ?
		    (uint64_t)(*at - 'a') + 10 : base;
		if (digit >= base || *out_value > 0xffffff)
			return false;
		*out_value = *out_value * base + digit;
	}
	if (at == *text)
		return false;
	*text = at + (stop != '\0');
	return true;
}

static status_t
copy(cap_t source, unsigned rights, unsigned trust, uint64_t badge,
    cap_t *out_cap)
{
	return sys_cap_copy(source, CAP_NONE, CAP_ANY_SLOT, rights, trust,
	    badge, out_cap);
}

/* irq:N signals bit N mod 32 of the place's notification. */
static status_t
grant_irq(const struct place *to, const char *text, cap_t *out_cap)
{
	uint64_t line;

	if (!number(&text, 10, '\0', &line))
		return ERR_ARG;
	struct sys_result r = sys_invoke(SYS_OBJECT_CREATE, OBJ_IRQ,
	    POWER_SYSTEM, line, to->notification, CAP_ANY_SLOT,
	    1ul << line % 32);
	*out_cap = r.value[0];
	return r.status;
}

/* ioport:FIRST:COUNT, both hexadecimal. */
static status_t
grant_ioport(const char *text, cap_t *out_cap)
{
	uint64_t first, count;

	if (!number(&text, 16, ':', &first) || !number(&text, 16, '\0', &count))
		return ERR_ARG;
	return sys_object_create(OBJ_IOPORT, POWER_SYSTEM, first, count,
	    out_cap);
}

/*
 * All programs together may take what the machine has but for a reserve of a
 * fifth, at least 16 MiB, for services and their restarts.
 */
static status_t
grant_users(struct phoenix *phoenix, cap_t *out_cap)
{
	struct system_info info;
	uint64_t frames, reserve;

	if (phoenix->users == CAP_NONE) {
		status_t status = system_info_read(&info);
		if (status != OK)
			return status;
		frames = info.frames_total - info.frames_reserved;
		reserve = frames / 5 > RESERVE_MIN ? frames / 5 : RESERVE_MIN;
		frames = frames > 2 * reserve ? frames - reserve : frames / 2;
		SAVE(phoenix->users);
		status = sys_object_create(OBJ_CONTAINER, POWER_CONTAINER,
		    frames, 0, &phoenix->users);
		if (status == OK)
			status = service_cap_keep(phoenix->users);
		if (status != OK)
			return status;
	}
	return copy(phoenix->users, COPY_ALL, TRUST_MAX, 0, out_cap);
}

/* PLACE:INTERFACE, if that place provides it. */
static status_t
grant_endpoint(struct phoenix *phoenix, const struct place *to,
    const char *name, cap_t *out_cap)
{
	const char *colon = strchr(name, ':');
	const struct place *target = colon == NULL ? NULL :
	    place_find(phoenix, name, (size_t)(colon - name));

	if (target == NULL || !manifest_provides(&target->manifest, colon + 1))
		return ERR_NOENT;
	if (target->life.closed != 0)
		return ERR_GONE;
	return copy(target->endpoint, RIGHT_CALL | RIGHT_COPY, TRUST_SERVICE,
	    place_index(phoenix, to) + 1, out_cap);
}

status_t
grant(struct phoenix *phoenix, const struct place *to, const char *name,
    cap_t *out_cap)
{
	const char *rest;

	if (!manifest_needs(&to->manifest, name)) {
		service_log("refused to %s: %s is not in its manifest",
		    to->manifest.name, name);
		return ERR_RIGHT;
	}
	if (begins(name, "archive:", &rest))
		return copy(POWER_ARCHIVE, RIGHT_READ | RIGHT_EXEC | RIGHT_COPY,
		    TRUST_MAX, 0, out_cap);
	if (begins(name, "irq:", &rest))
		return grant_irq(to, rest, out_cap);
	if (begins(name, "ioport:", &rest))
		return grant_ioport(rest, out_cap);
	if (strcmp(name, "container:users") == 0)
		return grant_users(phoenix, out_cap);
	if (strcmp(name, "clock") == 0)
		return copy(PLACE_CLOCK, RIGHT_READ | RIGHT_COPY, TRUST_MAX, 0,
		    out_cap);
	if (strcmp(name, "phoenix:control") == 0)
		return copy(PLACE_ENDPOINT, RIGHT_CALL | RIGHT_COPY,
		    TRUST_USER, CONTROL_BADGE, out_cap);
	/* Random bytes and statistics; the machine itself. */
	if (strcmp(name, "random") == 0)
		return copy(POWER_SYSTEM, RIGHT_READ | RIGHT_COPY, TRUST_MAX, 0,
		    out_cap);
	if (strcmp(name, "system:exit") == 0)
		return copy(POWER_SYSTEM, RIGHT_READ | RIGHT_MANAGE |
		    RIGHT_COPY, TRUST_MAX, 0, out_cap);
	status_t status = grant_endpoint(phoenix, to, name, out_cap);
	if (status == ERR_NOENT)
		service_log("%s asks for %s, which nobody provides",
		    to->manifest.name, name);
	return status;
}
