/* SPDX-License-Identifier: MIT */
/*
 * Is a message in canonical form? A depth-first walk meets the objects of such
 * a message in the order of their addresses, without holes: `head` is where the
 * next one must be.
 */
#include <lib/capnp/build.h>

#include <lib/capnp/follow.h>

#define EMPTY_OFFSET	0xfffffffcu	/* of an empty struct: -1 */

struct level {
	struct capnp_series series;
	const uint64_t *pointers;
};

struct walk {
	struct capnp_reader reader;
	const uint64_t *head;
	uint32_t depth;
	struct level level[CAPNP_DEPTH];
};

/* Notes the pointers of an object. False if it is nested too deeply. */
static bool
descend(struct walk *walk, const uint64_t *pointers,
    struct capnp_series series)
{
	if (walk->depth == CAPNP_DEPTH)
		return false;
	walk->level[walk->depth++] = (struct level){ series, pointers };
	return true;
}

/* Is the last word of the data, and the last pointer, in use? */
static void
look_at_ends(struct capnp_struct s, bool *data, bool *pointers)
{
	if (s.data_bytes == 0 ||
	    capnp_get_u64(s, s.data_bytes - CAPNP_WORD) != 0)
		*data = true;
	if (s.pointer_count == 0 ||
	    capnp_has(s, (uint16_t)(s.pointer_count - 1)))
		*pointers = true;
}

static bool
check_struct(struct walk *walk, const struct capnp_place *place,
    const struct capnp_target *target)
{
	uint32_t words = capnp_struct_words(target->word);
	bool data = false, pointers = false;
	struct capnp_struct s;

	if (words == 0)
		return (uint32_t)target->pointer == EMPTY_OFFSET;
	if (target->start != walk->head ||
	    !capnp_open_struct(place, target, &s))
		return false;
	look_at_ends(s, &data, &pointers);
	walk->head += words;
	return data && pointers && (s.pointer_count == 0 ||
	    descend(walk, s.pointers,
	    (struct capnp_series){ .left = s.pointer_count }));
}

static bool
check_structs(struct walk *walk, const struct capnp_target *target,
    const struct capnp_list *list)
{
	uint32_t each = list->step / CAPNP_WORD_BITS;
	bool data = each == 0, pointers = each == 0;

	if (capnp_count_of(target->word) != (uint64_t)each * list->count)
		return false;
	for (uint32_t i = 0; each > 0 && i < list->count; i++)
		look_at_ends(capnp_list_struct(*list, i), &data, &pointers);
	walk->head += 1 + (size_t)each * list->count;
	return data && pointers && (list->pointer_count == 0 ||
	    descend(walk, (const uint64_t *)(list->data + list->data_bytes),
	    (struct capnp_series){
		.from_gap = list->data_bytes / CAPNP_WORD,
		.left = list->pointer_count,
		.each = list->pointer_count,
		.elements = list->count - 1,
	    }));
}

static bool
check_padding(struct walk *walk, const struct capnp_list *list)
{
	uint64_t bits = (uint64_t)list->count * list->step;

	walk->head += bits / CAPNP_WORD_BITS;
	if (bits % CAPNP_WORD_BITS == 0)
		return true;
	return capnp_load(walk->head++) >> bits % CAPNP_WORD_BITS == 0;
}

static bool
check_list(struct walk *walk, const struct capnp_place *place,
    const struct capnp_target *target)
{
	struct capnp_list list;

	if (target->start != walk->head ||
	    !capnp_open_list(place, target, &list))
		return false;
	if (list.element == CAPNP_COMPOSITE)
		return check_structs(walk, target, &list);
	if (list.element != CAPNP_POINTER)
		return check_padding(walk, &list);
	walk->head += list.count;
	return list.count == 0 || descend(walk, (const uint64_t *)list.data,
	    (struct capnp_series){ .left = list.count });
}

static bool
check_pointer(struct walk *walk, const uint64_t *at)
{
	struct capnp_target target;
	struct capnp_place place = {
		.reader = &walk->reader,
		.at = at,
		.depth = CAPNP_DEPTH,
	};

	if (!capnp_follow(&place, &target) || target.pad != NULL)
		return false;
	if (target.word == 0)
		return true;
	if (capnp_kind_of(target.word) == CAPNP_STRUCT)
		return check_struct(walk, &place, &target);
	return capnp_kind_of(target.word) == CAPNP_LIST &&
	    check_list(walk, &place, &target);
}

bool
capnp_is_canonical(const struct capnp_segment *segment, uint32_t count)
{
	struct walk walk;
	size_t from, to;

	if (count != 1 || segment[0].count == 0)
		return false;
	capnp_reader_init(&walk.reader, segment, 1, UINT64_MAX, 0);
	walk.head = segment[0].words + 1;
	walk.depth = 0;
	if (!check_pointer(&walk, segment[0].words))
		return false;
	while (walk.depth > 0) {
		struct level *top = &walk.level[walk.depth - 1];
		if (!capnp_series_next(&top->series, &from, &to)) {
			walk.depth--;
			continue;
		}
		if (!check_pointer(&walk, top->pointers + from))
			return false;
	}
	return walk.head == segment[0].words + segment[0].count;
}
