/* SPDX-License-Identifier: MIT */
/*
 * The order of the first start: groups of places, lowest number first.
 */
#include "phoenix.h"

/* All places up to the group serve, or never will. */
static bool
group_is_up(const struct phoenix *phoenix, uint64_t group)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		uint64_t state = place_state(phoenix, place);
		if (place->manifest.group <= group && place->life.closed == 0 &&
		    state != SUPERVISE_READY && state != SUPERVISE_DRAINING)
			return false;
	}
	return true;
}

static bool
is_unborn(const struct place *place)
{
	return place->life.incarnation == 0;
}

/* The lowest group that has places without an incarnation. */
static bool
find_group(const struct phoenix *phoenix, uint64_t *out_group)
{
	bool found = false;

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		if (!is_unborn(place) ||
		    (found && place->manifest.group >= *out_group))
			continue;
		*out_group = place->manifest.group;
		found = true;
	}
	return found;
}

void
place_next_group(struct phoenix *phoenix)
{
	uint64_t group = 0;

	while (find_group(phoenix, &group)) {
		SAVE(phoenix->group);
		phoenix->group = group;
		for (uint64_t i = 0; i < phoenix->place_count; i++) {
			struct place *place = &phoenix->place[i];
			if (is_unborn(place) && place->manifest.group == group)
				place_start(phoenix, place);
		}
		if (!group_is_up(phoenix, group))
			return;
	}
	if (phoenix->all_ready)
		return;
	SAVE(phoenix->all_ready);
	phoenix->all_ready = 1;
	service_log("all services are ready");
	char value[48];
	if (archive_option("leakcheck", value) == OK && value[0] == '1')
		report_system(phoenix);
}

void
place_next_group_if_up(struct phoenix *phoenix)
{
	if (!phoenix->all_ready && group_is_up(phoenix, phoenix->group))
		place_next_group(phoenix);
}
