/* SPDX-License-Identifier: MIT */
/*
 * Places: created once. life.c gives them their incarnations.
 */
#include "phoenix.h"

#include <lib/base/string.h>

#define SCRATCH_VIEW	(PLACE_HEAP_BASE + 0x800000000ul)

struct place_builder
place_builder(void)
{
	return (struct place_builder){
		.vspace = service_info()->vspace,
		.scratch = SCRATCH_VIEW,
		.utcb = (struct utcb *)PLACE_UTCB,
	};
}

unsigned
place_index(const struct phoenix *phoenix, const struct place *place)
{
	return (unsigned)(place - phoenix->place);
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

/* Into the place's own container. */
status_t
place_load_image(const struct place *place, const char *name,
    struct image *out_image)
{
	struct place_builder mine = place_builder();
	char path[48] = "bennu/image/";
	size_t image = strlen(name), length = strlen(path), size;

	*out_image = (struct image){ 0 };
	if (image >= sizeof(out_image->name))
		return ERR_NOENT;
	memcpy(out_image->name, name, image);
	memcpy(path + length, name, image);
	memcpy(path + length + image, ".elf", 5);
	const void *elf = archive_file(path, &size);
	if (elf == NULL)
		return ERR_NOENT;
	struct place_image *loaded = &out_image->loaded;
	status_t status = place_image_load(&mine, place->parts.container, elf,
	    size, loaded);
	for (uint64_t i = 0; i < loaded->segment_count; i++)
		if (status == OK)
			status = service_cap_keep(loaded->segment[i].memory);
	if (status != OK)
		place_drop_image(out_image);
	return status;
}

/* Deleted at once, and once more after the commit, which finds nothing. */
void
place_drop_image(struct image *image)
{
	for (unsigned i = 0; i < PLACE_SEGMENTS_MAX; i++) {
		cap_t memory = image->loaded.segment[i].memory;
		if (memory == CAP_NONE)
			continue;
		sys_cap_delete(CAP_NONE, memory);
		if (service_cap_drop(memory) != OK)
			service_panic("the effect list is full");
	}
	*image = (struct image){ 0 };
}

/*
 * What its container may take. Without a limit of its own a place gets three
 * quarters of the machine: one that takes more and more dies before the rest
 * has nothing left.
 */
static status_t
frames_limit(const struct manifest *m, uint64_t *out_frames)
{
	struct system_info info;
	status_t status = OK;

	*out_frames = m->frames;
	if (m->frames == 0)
		status = system_info_read(&info);
	if (status == OK && m->frames == 0)
		*out_frames = info.frames_total / 4 * 3;
	return status;
}

static status_t
create_objects(struct phoenix *phoenix, struct place *place)
{
	const struct manifest *m = &place->manifest;
	struct place_parts *parts = &place->parts;
	status_t status = frames_limit(m, &place->frames);

	if (status == OK)
		status = keep_object(OBJ_CONTAINER, POWER_CONTAINER,
		    place->frames, m->objects, &parts->container);

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
		status = place_load_image(place, manifest->image,
		    &place->image);
	if (status == OK)
		status = fill_table(phoenix, place);
	if (status != OK)
		return status;
	int number = supervise_register(&phoenix->supervisor, manifest->name,
	    &manifest->policy, service_now_ns());
	if (number != (int)phoenix->place_count)
		service_panic("%s is number %d of the policy", manifest->name,
		    number);
	phoenix->place_count++;
	return OK;
}

/* Needs of the form PLACE:INTERFACE. */
static void
depend(struct phoenix *phoenix, unsigned number, const char *need)
{
	const char *colon = strchr(need, ':');
	const struct place *on = colon == NULL ? NULL :
	    place_find(phoenix, need, (size_t)(colon - need));

	if (on != NULL && manifest_provides(&on->manifest, colon + 1) &&
	    !supervise_depend(&phoenix->supervisor, number,
	    place_index(phoenix, on)))
		service_log("%s needs %s, which needs it",
		    phoenix->place[number].manifest.name, need);
}

void
place_depend_all(struct phoenix *phoenix)
{
	for (unsigned i = 0; i < phoenix->place_count; i++)
		for (unsigned j = 0; j < NEEDS_MAX; j++)
			depend(phoenix, i, phoenix->place[i].manifest.needs[j]);
}
