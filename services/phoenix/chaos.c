/* SPDX-License-Identifier: MIT */
/*
 * Kills a place again and again, for tests: the boot option
 * kill=SERVICE:COUNT:EVERY_US. Each kill comes EVERY_US after the incarnation
 * before it was READY. After the last one a line in the log says how far the
 * incarnations came.
 */
#include "phoenix.h"

#include <lib/base/string.h>

static uint64_t
take_number(const char **text)
{
	uint64_t value = 0;

	if (**text == ':')
		(*text)++;
	for (; **text >= '0' && **text <= '9'; (*text)++)
		value = value * 10 + (uint64_t)(**text - '0');
	return value;
}

/* In the transaction that makes phoenix's state. */
void
chaos_start(struct phoenix *phoenix)
{
	struct chaos *chaos = &phoenix->chaos;
	char value[48];
	const char *at = value;

	if (archive_option("kill", value) != OK)
		return;
	while (*at != '\0' && *at != ':')
		at++;
	const struct place *place = place_find(phoenix, value,
	    (size_t)(at - value));
	if (place == NULL) {
		service_log("kill=%s: no such place", value);
		return;
	}
	chaos->place = place_index(phoenix, place);
	chaos->left = take_number(&at);
	chaos->wanted = chaos->left;
	chaos->every_ns = take_number(&at) * 1000;
}

static void
set_timer(const struct phoenix *phoenix)
{
	uint64_t due = phoenix->chaos.due_ns;

	sys_invoke(SYS_TIMER_SET, phoenix->chaos_timer,
	    due != 0 ? due : DEADLINE_NEVER, 0, 0, 0, 0);
}

void
chaos_ready(struct phoenix *phoenix, const struct place *place)
{
	struct chaos *chaos = &phoenix->chaos;

	if (chaos->wanted == 0 || chaos->place != place_index(phoenix, place))
		return;
	SAVE(*chaos);
	if (chaos->left == 0) {
		chaos->wanted = 0;
		service_log("chaos done %s incarnation %lu",
		    place->manifest.name, place->life.incarnation);
		return;
	}
	chaos->due_ns = service_now_ns() + chaos->every_ns;
	set_timer(phoenix);
}

void
chaos_due(struct phoenix *phoenix)
{
	struct chaos *chaos = &phoenix->chaos;
	const struct place *place = &phoenix->place[chaos->place];

	if (chaos->wanted == 0 || chaos->due_ns == 0)
		return;
	if (service_now_ns() < chaos->due_ns) {
		set_timer(phoenix);	/* also after a restart of phoenix */
		return;
	}
	SAVE(*chaos);
	chaos->due_ns = 0;
	if (place_state(phoenix, place) != SUPERVISE_READY)
		return;		/* died by itself: goes on when it is back */
	chaos->left--;
	sys_invoke(SYS_THREAD_KILL, place->life.now.thread, 0, 0, 0, 0, 0);
}
