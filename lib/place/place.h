/* SPDX-License-Identifier: MIT */
/*
 * Images and incarnations: what init does for phoenix and phoenix for all other
 * places.
 *
 * An image is loaded once, into memory objects that start page aligned: text
 * and read-only data are mapped by every incarnation, writable segments are
 * the pristine originals of which each incarnation gets a clone. Starting one
 * needs no file and no parser.
 *
 * The memory of stack, UTCB, info and trace page belongs to the place and is
 * used again. Table, container and arena are the caller's affair.
 */
#pragma once

#include <idl/place.h>
#include <lib/sys/sys.h>
#include <stddef.h>

#define PLACE_SEGMENTS_MAX	4u

struct place_segment {
	cap_t	 memory;	/* pristine */
	uint64_t address, length;	/* whole pages */
	uint64_t flags;		/* MAP_* */
};

struct place_image {
	uint64_t entry;
	uint64_t segment_count;
	struct place_segment segment[PLACE_SEGMENTS_MAX];
};

/* What all incarnations of a place share. Capabilities of the builder. */
struct place_parts {
	cap_t	 container, table;
	cap_t	 stack, utcb, info, trace;	/* memory */
	cap_t	 arena;			/* memory or CAP_NONE */
	cap_t	 clock;			/* memory of the clock page */
	cap_t	 death;
	uint64_t stack_size, arena_size;
	uint64_t schedule;		/* as in struct thread_setup */
	uint64_t request_budget_ns;
	uint64_t cpu_features;
};

/* One incarnation. */
struct place_incarnation {
	cap_t	 vspace, thread;
	cap_t	 data[PLACE_SEGMENTS_MAX];	/* clones, of writable ones */
	cap_t	 vspace_there;		/* in the place's table */
	cap_t	 thread_there;
};

/* Where the builder may map things for a moment, in its own vspace. */
struct place_builder {
	cap_t	 vspace;
	uint64_t scratch;	/* free address range of 64 MiB */
	struct utcb *utcb;
};

/* Loads an ELF executable that lies in memory. */
status_t place_image_load(const struct place_builder *builder, cap_t container,
    const void *elf, size_t size, struct place_image *out_image);

/* Memory of stack, UTCB, info and trace page, charged to parts->container. */
status_t place_parts_create(struct place_parts *parts);

/*
 * A spare: an incarnation that is complete but for its number, what the info
 * page says and its two handles in the place's table. Nothing of it is shared
 * with an incarnation that ran, but for what belongs to the place. On failure
 * what was made so far is in *out: place_incarnation_delete takes it.
 */
status_t place_spare_create(const struct place_builder *builder,
    const struct place_image *image, const struct place_parts *parts,
    struct place_incarnation *out);
/*
 * Makes it the incarnation that *info describes, to be started. On failure it
 * is a spare as before.
 */
status_t place_spare_use(const struct place_parts *parts,
    struct place_info *info, struct place_incarnation *spare);

/*
 * Both at once: a new incarnation, complete but not started. *info is the info
 * page as the builder sees it, filled but for the two capabilities. On failure
 * what was made so far is in *out: place_incarnation_delete takes it.
 */
status_t place_incarnation_create(const struct place_builder *builder,
    const struct place_image *image, const struct place_parts *parts,
    struct place_info *info, struct place_incarnation *out);

/* Stops the thread and deletes all of it. */
void place_incarnation_delete(const struct place_parts *parts,
    const struct place_incarnation *incarnation);
