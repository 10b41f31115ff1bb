/* SPDX-License-Identifier: MIT */
/*
 * Hot reload: a restart with another image, on the arena of the old one.
 *
 *	DRAINING	the new image is loaded, the spare is one of it, the old
 *			incarnation takes no more calls
 *	TRIAL		that one is dead, the images have changed places
 *	BACK		the new image died before it was READY, so they have
 *			changed places again
 *
 * Both images stay loaded until an incarnation is READY, so a phoenix that dies
 * at any point goes on from what it committed. Whatever ends the old incarnation
 * is followed by the new image: draining only spares calls to be executed
 * twice.
 *
 * A new image that has made the arena one of its own layout and then dies leaves
 * nothing that the old image can use. So if that does not get READY either, the
 * new one stays, and the policy has the word as about any place that fails. The
 * deaths before that are put down to the command.
 */
#include "phoenix.h"

#include <lib/base/string.h>

#define DRAIN_NS	1000000000ul	/* at most, then it is stopped */
#define LOOK_NS		500000ul	/* is it drained? */

static void
set_timer(const struct phoenix *phoenix)
{
	sys_invoke(SYS_TIMER_SET, phoenix->reload_timer,
	    service_now_ns() + LOOK_NS, 0, 0, 0, 0);
}

static bool
serves(const struct phoenix *phoenix, const struct place *place)
{
	uint64_t state = place_state(phoenix, place);

	return state == SUPERVISE_READY || state == SUPERVISE_DRAINING;
}

static void
change_images(struct place *place, uint64_t state)
{
	struct image before = place->image;

	SAVE(place->image);
	SAVE(place->reload);
	place->image = place->reload.other;
	place->reload.other = before;
	place->reload.state = state;
}

/* All that may fail. */
static status_t
prepare(struct place *place, const char *name, struct image *out_image)
{
	status_t status = place_load_image(place, name, out_image);

	if (status != OK)
		return status;
	status = incarnation_replace_spare(place, out_image);
	if (status != OK)
		place_drop_image(out_image);
	return status;
}

status_t
reload_begin(struct phoenix *phoenix, struct place *place, const char *name)
{
	struct reload *reload = &place->reload;
	struct image fresh;

	if (reload->state != RELOAD_NONE ||
	    place_state(phoenix, place) == SUPERVISE_STARTING)
		return ERR_STATE;
	status_t status = prepare(place, name, &fresh);
	if (status != OK)
		return status;
	SAVE(*reload);
	place_drop_image(&reload->other);
	*reload = (struct reload){
		.state = RELOAD_DRAINING,
		.stop_ns = service_now_ns() + DRAIN_NS,
		.other = fresh,
	};
	if (serves(phoenix, place)) {
		place_drain(phoenix, place, true);
		set_timer(phoenix);
	} else {
		change_images(place, RELOAD_TRIAL);
		place_restart(phoenix, place);
	}
	service_crash_point("reload");
	return OK;
}

static bool
is_drained(const struct phoenix *phoenix, const struct place *place)
{
	const struct trace_page *trace = report_trace(phoenix, place);

	return trace != NULL && trace->drained != 0 &&
	    health_is_quiet(phoenix, place);
}

void
reload_look(struct phoenix *phoenix)
{
	bool again = false;

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct place *place = &phoenix->place[i];

		if (place->reload.state != RELOAD_DRAINING)
			continue;
		if (service_now_ns() < place->reload.stop_ns &&
		    !is_drained(phoenix, place)) {
			again = true;
			continue;
		}
		place_restart(phoenix, place);
		service_crash_point("reload");
	}
	if (again)
		set_timer(phoenix);
}

static void
go_back(struct place *place)
{
	struct reload *reload = &place->reload;
	bool first = reload->state == RELOAD_TRIAL;

	if (first) {
		service_log("%s: image %s ended before it was READY, %s is "
		    "back", place->manifest.name, place->image.name,
		    reload->other.name);
		SAVE(*reload);
		memcpy(reload->failed, place->image.name,
		    sizeof(reload->failed));
	} else {
		service_log("%s: image %s cannot go on where %s ended, which "
		    "stays", place->manifest.name, place->image.name,
		    reload->other.name);
	}
	incarnation_drop_spare(place);
	change_images(place, first ? RELOAD_BACK : RELOAD_NONE);
}

void
reload_died(struct phoenix *phoenix, struct place *place,
    struct supervise_death *death)
{
	uint64_t state = place->reload.state;
	bool killed = death->commanded &&
	    place_policy(phoenix, place)->kill != SUPERVISE_KILL_HANG;

	if (state == RELOAD_NONE)
		return;
	/* It comes back whatever its policy, and takes calls. */
	supervise_restart(&phoenix->supervisor, place_index(phoenix, place),
	    service_now_ns());
	if (state == RELOAD_DRAINING) {
		change_images(place, RELOAD_TRIAL);
	} else if (!killed) {
		death->commanded = true;
		go_back(place);
	}
	service_crash_point("reload");
}

void
reload_ready(struct phoenix *phoenix, struct place *place)
{
	struct reload *reload = &place->reload;

	if (reload->state != RELOAD_TRIAL && reload->state != RELOAD_BACK)
		return;
	SAVE(*reload);
	reload->state = RELOAD_NONE;
	service_crash_point("reload");
	service_log("%s: incarnation %lu serves with image %s",
	    place->manifest.name, place->life.incarnation,
	    place->image.name);
}
