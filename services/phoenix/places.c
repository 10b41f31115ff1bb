/* SPDX-License-Identifier: MIT */
/*
 * Places: created once, given a new incarnation after each death.
 */
#include "phoenix.h"

#include <lib/base/string.h>

#define SCRATCH_VIEW	(PLACE_HEAP_BASE + 0x800000000ul)
#define INFO_VIEW	(PLACE_HEAP_BASE + 0x900000000ul)

/* Of this incarnation of phoenix. */
static bool info_mapped[PLACES_MAX];
static bool thread_started[PLACES_MAX];

static struct place_builder
builder(void)
{
	return (struct place_builder){
		.vspace = service_info()->vspace,
		.scratch = SCRATCH_VIEW,
		.utcb = (struct utcb *)PLACE_UTCB,
	};
}

uint64_t
place_index(const struct phoenix *phoenix, const struct place *place)
{
	return (uint64_t)(place - phoenix->place);
}

struct place *
place_find(struct phoenix *phoenix, const char *name, size_t length)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct place *place = &phoenix->place[i];
		if (strlen(place->manifest.name) == length &&
		    memcmp(place->manifest.name, name, length) == 0)
			return place;
	}
	return NULL;
}

static status_t
keep_object(unsigned type, cap_t container, uint64_t a1, uint64_t a2,
    cap_t *out_cap)
{
	status_t status = sys_object_create(type, container, a1, a2, out_cap);

	return status == OK ? service_cap_keep(*out_cap) : status;
}

/* The image goes into the place's own container. */
static status_t
load_image(struct place *place)
{
	struct place_builder mine = builder();
	char path[48] = "bennu/image/";
	size_t image = strlen(place->manifest.image);
	size_t length = strlen(path), size;

	memcpy(path + length, place->manifest.image, image);
	memcpy(path + length + image, ".elf", 5);
	const void *elf = archive_file(path, &size);
	if (elf == NULL)
		return ERR_NOENT;
	status_t status = place_image_load(&mine, place->parts.container, elf,
	    size, &place->image);
	for (uint64_t i = 0; i < place->image.segment_count; i++)
		if (status == OK)
			status = service_cap_keep(
			    place->image.segment[i].memory);
	return status;
}

static status_t
create_objects(struct phoenix *phoenix, struct place *place)
{
	const struct manifest *m = &place->manifest;
	struct place_parts *parts = &place->parts;
	status_t status = keep_object(OBJ_CONTAINER, POWER_CONTAINER, m->frames,
	    m->objects, &parts->container);
	cap_t payer = parts->container;

	if (status == OK)
		status = keep_object(OBJ_TABLE, payer, m->table_slots, 0,
		    &parts->table);
	if (status == OK)
		status = keep_object(OBJ_ENDPOINT, payer, 0, 0,
		    &place->endpoint);
	if (status == OK)
		status = keep_object(OBJ_NOTIFICATION, payer, 0, 0,
		    &place->notification);
	if (status == OK)
		status = keep_object(OBJ_DEATH, payer, 0, 0, &parts->death);
	if (status == OK)
		status = keep_object(OBJ_MEMORY, payer, m->arena_size, 0,
		    &parts->arena);
	if (status == OK)
		status = sys_invoke(SYS_EVENT_BIND, parts->death,
		    PLACE_NOTIFICATION, 1ul << 63, place_index(phoenix, place),
		    0, 0).status;
	return status;
}

static status_t
create_parts(struct place *place)
{
	const struct manifest *m = &place->manifest;
	struct place_parts *parts = &place->parts;

	parts->clock = PLACE_CLOCK;
	parts->stack_size = m->stack_size;
	parts->arena_size = m->arena_size;
	/* Resumes above all others; READY lowers it. */
	parts->schedule = CLASS_RECOVERY | m->weight << 8;
	parts->request_budget_ns = m->request_budget_ns;
	parts->cpu_features = service_info()->cpu_features;
	status_t status = place_parts_create(parts);
	if (status == OK)
		status = service_cap_keep(parts->stack);
	if (status == OK)
		status = service_cap_keep(parts->utcb);
	if (status == OK)
		status = service_cap_keep(parts->info);
	if (status == OK)
		status = service_cap_keep(parts->trace);
	return status;
}

/* The well-known slots of the place's table. */
static status_t
fill_table(struct phoenix *phoenix, const struct place *place)
{
	const struct {
		cap_t source, there;
		unsigned rights, trust;
		uint64_t badge;
	} copies[] = {
		{ place->parts.table, PLACE_TABLE, RIGHT_ALL, TRUST_MAX, 0 },
		{ place->parts.container, PLACE_CONTAINER, RIGHT_ALL,
		    TRUST_MAX, 0 },
		{ place->endpoint, PLACE_ENDPOINT, RIGHT_ALL, TRUST_MAX, 0 },
		{ place->notification, PLACE_NOTIFICATION, RIGHT_ALL,
		    TRUST_MAX, 0 },
		{ PLACE_ENDPOINT, PLACE_PHOENIX, RIGHT_CALL, TRUST_SERVICE,
		    place_index(phoenix, place) + 1 },
		{ place->parts.arena, PLACE_ARENA, RIGHT_ALL, TRUST_MAX, 0 },
		{ PLACE_CLOCK, PLACE_CLOCK, RIGHT_READ | RIGHT_COPY,
		    TRUST_MAX, 0 },
		/* Not swept, so nothing else may end up there. */
		{ PLACE_CLOCK, CAP_FIRST(7), 0, 0, 0 },
	};
	status_t status = OK;

	for (unsigned i = 0; i < sizeof(copies) / sizeof(copies[0]) &&
	    status == OK; i++)
		status = sys_cap_copy(copies[i].source, place->parts.table,
		    CAP_INDEX(copies[i].there), copies[i].rights,
		    copies[i].trust, copies[i].badge, NULL);
	return status;
}

/* In the transaction that makes phoenix's state: nothing needs saving. */
status_t
place_create(struct phoenix *phoenix, const struct manifest *manifest)
{
	struct place *place = &phoenix->place[phoenix->place_count];

	if (phoenix->place_count == PLACES_MAX)
		return ERR_FULL;
	place->manifest = *manifest;
	status_t status = create_objects(phoenix, place);
	if (status == OK)
		status = create_parts(place);
	if (status == OK)
		status = load_image(place);
	if (status == OK)
		status = fill_table(phoenix, place);
	if (status == OK)
		phoenix->place_count++;
	return status;
}

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

static void
fill_info(const struct phoenix *phoenix, const struct place *place,
    struct place_info *info)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	struct fault fault = info->fault;

	memset(info, 0, sizeof(*info));
	info->fault = fault;	/* outlives the incarnation, see idl/fault.h */
	memcpy(info->name, place->manifest.name, sizeof(info->name));
	info->incarnation = place->life.incarnation;
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

/* Callers get ERR_GONE, now and later; the objects stay for the post-mortem. */
static void
give_up(struct place *place)
{
	service_log("%s is given up after %lu deaths", place->manifest.name,
	    place->life.deaths);
	SAVE(place->life);
	place->life.state = PLACE_GIVEN_UP;
	sys_invoke(SYS_ENDPOINT_CLOSE, place->endpoint, 0, 0, 0, 0, 0);
}

void
place_build(struct phoenix *phoenix, struct place *place)
{
	struct place_builder mine = builder();
	struct place_info *info = info_page(phoenix, place);

	SAVE(place->life);
	place->life.incarnation++;
	place->life.state = PLACE_BUILT;
	fill_info(phoenix, place, info);
	status_t status = place_incarnation_create(&mine, &place->image,
	    &place->parts, info, &place->life.now);
	if (status != OK) {
		service_log("%s: no new incarnation: status %lu",
		    place->manifest.name, status);
		place_incarnation_delete(&place->parts, &place->life.now);
		place->life.now = (struct place_incarnation){ 0 };
		give_up(place);
		return;
	}
	keep_incarnation(&place->life.now);
	thread_started[place_index(phoenix, place)] = false;
}

/* The copies in the place's table go at once, ours after the commit. */
static void
drop_incarnation(struct place *place)
{
	struct place_incarnation *now = &place->life.now;
	status_t status = OK;

	if (now->vspace == CAP_NONE)
		return;
	/* Returns when the thread is off its CPU. */
	sys_invoke(SYS_THREAD_KILL, now->thread, 0, 0, 0, 0, 0);
	sys_cap_delete(place->parts.table, now->thread_there);
	sys_cap_delete(place->parts.table, now->vspace_there);
	status = service_cap_drop(now->thread);
	if (status == OK)
		status = service_cap_drop(now->vspace);
	for (unsigned i = 0; i < PLACE_SEGMENTS_MAX && status == OK; i++)
		if (now->data[i] != CAP_NONE)
			status = service_cap_drop(now->data[i]);
	if (status != OK)
		service_panic("the effect list is full");
	*now = (struct place_incarnation){ 0 };
}

/*
 * Counts a death in the window. Returns the delay before the next start:
 * none for the first death, growing after that.
 */
static uint64_t
count_death(struct place *place, uint64_t now)
{
	const struct manifest *m = &place->manifest;
	struct life *life = &place->life;

	if (life->counted == 0 || now - life->window_start_ns > m->window_ns) {
		life->counted = 0;
		life->window_start_ns = now;
	}
	life->counted++;
	return m->delay_ns * (life->counted - 1);
}

/* What the manifest says after this death. */
static void
decide(struct phoenix *phoenix, struct place *place,
    const struct death_info *info)
{
	const struct manifest *m = &place->manifest;
	uint64_t now = service_now_ns(), delay = 0;
	bool own_fault = info->cause != DEATH_KILLED;
	bool failure = info->cause != DEATH_EXIT || info->code != 0;

	if (m->restart == RESTART_NEVER ||
	    (m->restart == RESTART_ON_FAILURE && !failure)) {
		give_up(place);
		return;
	}
	if (own_fault) {
		delay = count_death(place, now);
		if (place->life.counted > m->restarts_max) {
			give_up(place);
			return;
		}
	}
	if (delay == 0) {
		place_build(phoenix, place);
		return;
	}
	place->life.state = PLACE_DELAYED;
	place->life.due_ns = now + delay;
	sys_invoke(SYS_TIMER_SET, phoenix->restart_timer, now + delay, 0, 0, 0,
	    0);
}

void
place_died(struct phoenix *phoenix, struct place *place)
{
	const struct utcb *utcb = (const struct utcb *)PLACE_UTCB;
	struct death_info info;

	if (sys_invoke(SYS_DEATH_READ, place->parts.death, 0, 0, 0, 0,
	    0).status != OK)
		return;
	info = *(const struct death_info *)utcb->data;
	if (info.count == place->life.deaths)
		return;
	report_death(phoenix, place, &info);
	SAVE(place->life);
	place->life.deaths = info.count;
	drop_incarnation(place);
	if (place->life.state != PLACE_GIVEN_UP)
		decide(phoenix, place, &info);
}

void
place_build_due(struct phoenix *phoenix)
{
	uint64_t now = service_now_ns(), next = DEADLINE_NEVER;

	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		struct place *place = &phoenix->place[i];
		if (place->life.state != PLACE_DELAYED)
			continue;
		if (place->life.due_ns <= now)
			place_build(phoenix, place);
		else if (place->life.due_ns < next)
			next = place->life.due_ns;
	}
	sys_invoke(SYS_TIMER_SET, phoenix->restart_timer, next, 0, 0, 0, 0);
}

/* All places up to the group serve, or never will. */
static bool
group_is_up(const struct phoenix *phoenix, uint64_t group)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		if (place->manifest.group <= group &&
		    place->life.state != PLACE_READY &&
		    place->life.state != PLACE_GIVEN_UP)
			return false;
	}
	return true;
}

static bool
is_unborn(const struct place *place)
{
	return place->life.state == PLACE_STOPPED;
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
				place_build(phoenix, place);
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
		report_system();
}

void
place_next_group_if_up(struct phoenix *phoenix)
{
	if (!phoenix->all_ready && group_is_up(phoenix, phoenix->group))
		place_next_group(phoenix);
}

void
place_ready(struct phoenix *phoenix, struct place *place)
{
	const struct manifest *m = &place->manifest;

	if (place->life.state != PLACE_BUILT)
		return;
	SAVE(place->life);
	place->life.state = PLACE_READY;
	sys_invoke(SYS_THREAD_SCHEDULE, place->life.now.thread,
	    m->class | m->weight << 8, 0, 0, 0, 0);
	place_next_group_if_up(phoenix);
}

void
place_idle(struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++) {
		const struct place *place = &phoenix->place[i];
		if (thread_started[i] || place->life.state != PLACE_BUILT)
			continue;
		/* Fails if it runs already: started by a dead incarnation. */
		sys_invoke(SYS_THREAD_START, place->life.now.thread, 0, 0, 0, 0,
		    0);
		thread_started[i] = true;
	}
}

/* A death whose event a dead incarnation of phoenix has taken shows here. */
void
place_check_deaths(struct phoenix *phoenix)
{
	for (uint64_t i = 0; i < phoenix->place_count; i++)
		if (!is_unborn(&phoenix->place[i]))
			place_died(phoenix, &phoenix->place[i]);
}
