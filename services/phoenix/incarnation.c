/* SPDX-License-Identifier: MIT */
/*
 * Incarnations of a place: the one that runs, the spare that is next, the dead
 * one that is still to be taken apart.
 *
 * What happens between a death and the start of the next incarnation is kept
 * short: the spare gets its number and two handles, and the dead one is only
 * put aside. Taking it apart and making the next spare come when the place
 * serves again, one step at a time.
 */
#include "phoenix.h"

#include <lib/base/string.h>

_Static_assert(SUPERVISE_POISON == PLACE_POISON_MAX, "all fit the info page");

#define INFO_VIEW	(PLACE_HEAP_BASE + 0x900000000ul)

#define SPARE_NS	2000000ul	/* so long after READY */
#define SPARE_AGAIN_NS	1000000000ul	/* after a failure */
#define RESTART_FRAMES	256u	/* beyond the limit of a container */

/* Of this incarnation of phoenix. */
static bool info_mapped[PLACES_MAX];
static bool thread_started[PLACES_MAX];
static bool spare_timer_set;

static struct place_info *
info_page(const struct phoenix *phoenix, const struct place *place)
{
	uint64_t index = place_index(phoenix, place);
	uint64_t address = INFO_VIEW + index * PAGE_SIZE;

	if (!info_mapped[index] && sys_map(service_info()->vspace, address,
	    place->parts.info, 0, PAGE_SIZE, MAP_READ | MAP_WRITE) != OK)
		service_panic("cannot map the info page of %s",
		    place->manifest.name);
	info_mapped[index] = true;
	return (struct place_info *)address;
}

/* The armed fault stays: it is the injector's. */
static void
fill_info(struct phoenix *phoenix, const struct place *place,
    struct place_info *info)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	const struct supervised *policy = place_policy(phoenix, place);

	memcpy(info->name, place->manifest.name, sizeof(info->name));
	info->incarnation = place->life.incarnation;
	info->cold = place->life.cold;
	info->poison_count = policy->poison_count;
	memcpy(info->poison_order, policy->poison, sizeof(policy->poison));
	info->place = place_index(phoenix, place);
	info->arena_size = place->parts.arena_size;
	info->cpu_features = place->parts.cpu_features;
	info->unprotected = phoenix->unprotected;
	if (sys_invoke(SYS_RANDOM, POWER_SYSTEM, 0, 0, 0, 0, 0).status == OK)
		memcpy(info->seed, utcb->data, sizeof(info->seed));
}

static void
keep_incarnation(const struct place_incarnation *incarnation)
{
	status_t status = service_cap_keep(incarnation->vspace);

	if (status == OK)
		status = service_cap_keep(incarnation->thread);
	for (unsigned i = 0; i < PLACE_SEGMENTS_MAX && status == OK; i++)
		if (incarnation->data[i] != CAP_NONE)
			status = service_cap_keep(incarnation->data[i]);
	if (status != OK)
		service_panic("the arena is full");
}

/* What is kept of it is deleted after the commit. */
static void
drop_incarnation(struct place *place, struct place_incarnation *incarnation)
{
	cap_t caps[2 + PLACE_SEGMENTS_MAX] = {
		incarnation->thread, incarnation->vspace,
	};

	SAVE(place->life);
	for (unsigned i = 0; i < PLACE_SEGMENTS_MAX; i++)
		caps[2 + i] = incarnation->data[i];
	for (unsigned i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (caps[i] != CAP_NONE && service_cap_drop(caps[i]) != OK)
			service_panic("the effect list is full");
	*incarnation = (struct place_incarnation){ 0 };
}

/*
 * Deleted at once, and once more after the commit, which finds nothing: what
 * the arena names of it until then are handles of nothing.
 */
static void
bury(struct place *place, struct place_incarnation *incarnation)
{
	if (incarnation->vspace == CAP_NONE)
		return;
	place_incarnation_delete(&place->parts, incarnation);
	drop_incarnation(place, incarnation);
}

void
incarnation_retire(struct place *place)
{
	struct life *life = &place->life;

	if (life->now.vspace == CAP_NONE)
		return;
	bury(place, &life->dead);
	SAVE(*life);
	/* Returns when the thread is off its CPU. */
	sys_invoke(SYS_THREAD_KILL, life->now.thread, 0, 0, 0, 0, 0);
	sys_cap_delete(place->parts.table, life->now.thread_there);
	sys_cap_delete(place->parts.table, life->now.vspace_there);
	life->now.thread_there = life->now.vspace_there = CAP_NONE;
	life->dead = life->now;
	life->now = (struct place_incarnation){ 0 };
}

void
incarnation_drop_all(struct place *place)
{
	bury(place, &place->life.dead);
	bury(place, &place->life.spare);
}

bool
incarnation_clear_table(const struct place *place)
{
	cap_t table = place->parts.table;

	if (sys_invoke(SYS_TABLE_NEXT, table, PLACE_FREE_SLOT, 0, 0, 0,
	    0).status != OK)
		return false;
	sys_invoke(SYS_TABLE_CLEAR, table, PLACE_FREE_SLOT, 0, 0, 0, 0);
	return true;
}

static status_t
build_now(struct place *place, struct place_info *info)
{
	struct place_builder builder = place_builder();
	struct life *life = &place->life;
	status_t status;

	if (life->spare.vspace != CAP_NONE) {
		life->now = life->spare;
		status = place_spare_use(&place->parts, info, &life->now);
		/* One that cannot be used now stays the spare. */
		if (status == OK)
			life->spare = (struct place_incarnation){ 0 };
		return status;
	}
	status = place_incarnation_create(&builder, &place->image.loaded,
	    &place->parts, info, &life->now);
	if (status == OK)
		keep_incarnation(&life->now);
	else
		place_incarnation_delete(&place->parts, &life->now);
	return status;
}

/*
 * A place that died because its container was full needs some more until the
 * sweep of its next incarnation has given back what the dead one took.
 */
static void
set_limit(struct place *place, bool over)
{
	/* More is given again in any case: a dead phoenix may have taken it. */
	if (!over && !place->life.over_limit)
		return;
	SAVE(place->life);
	place->life.over_limit = over;
	sys_invoke(SYS_CONTAINER_LIMIT, place->parts.container, place->frames +
	    (over ? RESTART_FRAMES : 0), place->manifest.objects != 0 ?
	    place->manifest.objects : ~0ul, POWER_CONTAINER, 0, 0);
}

status_t
incarnation_build(struct phoenix *phoenix, struct place *place)
{
	struct place_info *info = info_page(phoenix, place);
	struct life *life = &place->life;

	SAVE(*life);
	set_limit(place, true);
	fill_info(phoenix, place, info);
	status_t status = build_now(place, info);
	if (status != OK)
		life->now = (struct place_incarnation){ 0 };
	thread_started[place_index(phoenix, place)] = false;
	return status;
}

void
incarnation_start(const struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		if (thread_started[i] ||
		    place_state(phoenix, place) != SUPERVISE_STARTING)
			continue;
		/* It may have been closed, also by what was undone since. */
		sys_invoke(SYS_ENDPOINT_CLOSE, place->endpoint, 1, 0, 0, 0, 0);
		/* Fails if it runs already: started by a dead incarnation. */
		sys_invoke(SYS_THREAD_START, place->life.now.thread, 0, 0, 0, 0,
		    0);
		thread_started[i] = true;
	}
}

bool
incarnation_has_begun(const struct phoenix *phoenix, const struct place *place)
{
	uint64_t state = place_state(phoenix, place);

	return state == SUPERVISE_READY || state == SUPERVISE_DRAINING ||
	    (state == SUPERVISE_STARTING &&
	    thread_started[place_index(phoenix, place)]);
}

static void
set_spare_timer(const struct phoenix *phoenix, uint64_t after_ns)
{
	if (spare_timer_set)
		return;
	spare_timer_set = true;
	sys_invoke(SYS_TIMER_SET, phoenix->spare_timer,
	    service_now_ns() + after_ns, 0, 0, 0, 0);
}

void
incarnation_want_spare(const struct phoenix *phoenix)
{
	set_spare_timer(phoenix, SPARE_NS);
}

static bool
wants_spare(struct phoenix *phoenix, const struct place *place)
{
	const struct supervised *policy = place_policy(phoenix, place);

	return (policy->state == SUPERVISE_READY ||
	    policy->state == SUPERVISE_DRAINING) &&
	    place->life.spare.vspace == CAP_NONE &&
	    place->reload.state == RELOAD_NONE &&
	    policy->policy.restart != SUPERVISE_RESTART_NEVER;
}

static status_t
create_spare(struct place *place, const struct image *image,
    struct place_incarnation *out)
{
	struct place_builder builder = place_builder();
	status_t status = place_spare_create(&builder, &image->loaded,
	    &place->parts, out);

	if (status == OK) {
		keep_incarnation(out);
		return OK;
	}
	place_incarnation_delete(&place->parts, out);
	*out = (struct place_incarnation){ 0 };
	return status;
}

status_t
incarnation_replace_spare(struct place *place, const struct image *image)
{
	struct place_incarnation fresh;
	status_t status = create_spare(place, image, &fresh);

	if (status != OK)
		return status;
	/* Deleted after the commit: until then it may be needed. */
	drop_incarnation(place, &place->life.spare);
	place->life.spare = fresh;
	return OK;
}

/* An image that is no longer used, once nobody is left that came from it. */
static bool
drop_other_image(struct place *place)
{
	struct reload *reload = &place->reload;

	if (reload->state != RELOAD_NONE ||
	    reload->other.loaded.segment_count == 0)
		return false;
	SAVE(*reload);
	place_drop_image(&reload->other);
	return true;
}

/* One step for one place: OK, ERR_EMPTY when none is left, or what failed. */
static status_t
tidy_one(struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct place *place = &phoenix->place[i];

		if (place->life.dead.vspace != CAP_NONE) {
			bury(place, &place->life.dead);
			return OK;
		}
		if (drop_other_image(place))
			return OK;
		/* What a start that was undone left there. */
		if (place->life.left && incarnation_clear_table(place))
			return OK;
		bool wanted = wants_spare(phoenix, place);
		status_t status = wanted ? incarnation_replace_spare(place,
		    &place->image) : OK;
		if (place_state(phoenix, place) == SUPERVISE_READY)
			set_limit(place, false);
		if (wanted)
			return status;
	}
	return ERR_EMPTY;
}

void
incarnation_tidy(struct phoenix *phoenix)
{
	spare_timer_set = false;
	status_t status = tidy_one(phoenix);
	if (status == OK)
		sys_signal(PLACE_NOTIFICATION, BIT_SPARE);
	else if (status != ERR_EMPTY)
		set_spare_timer(phoenix, SPARE_AGAIN_NS);
}

void
incarnation_tidy_all(struct phoenix *phoenix)
{
	while (tidy_one(phoenix) == OK)
		;
}
