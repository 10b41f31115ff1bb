/* SPDX-License-Identifier: MIT */
#include <tests/capnp/everything.h>

#include <stdio.h>
#include <string.h>

#define ALWAYS		UINT16_MAX	/* tag of a field outside unions */
#define DEPTH		2u		/* of messages inside messages */
#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

enum kind { NOTHING, BIT, NUMBER, TEXT, DATA, STRUCT, GROUP, LIST, ANY };

struct type;

/* What a field or an element is. */
struct shape {
	enum kind kind;
	uint8_t	 bytes;			/* NUMBER */
	uint8_t	 limit;			/* of an enum; 0 = none */
	const struct shape *element;	/* LIST */
	const struct type *type;	/* STRUCT, GROUP */
};

struct field {
	const char *name;
	const struct shape *shape;
	uint16_t at;		/* byte, bit or pointer */
	uint16_t tag;
	uint64_t fallback;	/* of a number */
	const uint64_t *constant;
	const char *bytes;	/* of text and data */
	uint32_t length;
};

struct type {
	uint16_t data_words, pointers;
	uint16_t tag_at;	/* byte of the tag */
	uint16_t tags;		/* 0 = no union */
	const struct field *field;
	uint32_t count;
};

static const struct type small, box, small_box, pair, everything;
static const struct type group, both;

static const struct shape nothing = { .kind = NOTHING };
static const struct shape bit = { .kind = BIT };
static const struct shape one = { .kind = NUMBER, .bytes = 1 };
static const struct shape two = { .kind = NUMBER, .bytes = 2 };
static const struct shape four = { .kind = NUMBER, .bytes = 4 };
static const struct shape eight = { .kind = NUMBER, .bytes = 8 };
static const struct shape colour = { .kind = NUMBER, .bytes = 2, .limit = 3 };
static const struct shape text = { .kind = TEXT };
static const struct shape data = { .kind = DATA };
static const struct shape any = { .kind = ANY };
static const struct shape a_small = { .kind = STRUCT, .type = &small };
static const struct shape a_box = { .kind = STRUCT, .type = &box };
static const struct shape bytes_box = { .kind = STRUCT, .type = &small_box };
static const struct shape a_pair = { .kind = STRUCT, .type = &pair };
static const struct shape a_kid = { .kind = STRUCT, .type = &everything };
static const struct shape a_group = { .kind = GROUP, .type = &group };
static const struct shape a_both = { .kind = GROUP, .type = &both };

#define LIST_OF(name, of) \
	static const struct shape name = { .kind = LIST, .element = &(of) }

LIST_OF(voids, nothing);
LIST_OF(bits, bit);
LIST_OF(ones, one);
LIST_OF(twos, two);
LIST_OF(fours, four);
LIST_OF(eights, eight);
LIST_OF(colours, colour);
LIST_OF(texts, text);
LIST_OF(datas, data);
LIST_OF(smalls, a_small);
LIST_OF(kids, a_kid);
LIST_OF(nested, twos);
LIST_OF(smalls_lists, smalls);
LIST_OF(deep, smalls_lists);

static const uint64_t small_default[] = {
	0x0001000100000000ul, 0x00000001fffffffcul, 0x0000004200000001ul,
	0x00746c7561666564ul,
};
static const uint64_t list_default[] = {
	0x0000001c00000001ul, 0xfffffffe00000001ul, 3,
};

static const struct field small_fields[] = {
	{ "x", &four, 0, .tag = ALWAYS, .fallback = (uint32_t)-7 },
	{ "name", &text, 0, .tag = ALWAYS },
	{ "flag", &bit, 32, .tag = ALWAYS },
};
static const struct field box_fields[] = {
	{ "content", &text, 0, .tag = ALWAYS },
	{ "mark", &two, 0, .tag = ALWAYS },
};
static const struct field small_box_fields[] = {
	{ "content", &ones, 0, .tag = ALWAYS },
	{ "mark", &two, 0, .tag = ALWAYS },
};
static const struct field pair_fields[] = {
	{ "first", &a_small, 0, .tag = ALWAYS },
	{ "second", &bytes_box, 1, .tag = ALWAYS },
};
static const struct field group_fields[] = {
	{ "low", &one, 17, .tag = ALWAYS, .fallback = 3 },
	{ "high", &text, 21, .tag = ALWAYS },
	{ "absent", &nothing, 0, .tag = 0 },
	{ "number", &eight, 48, .tag = 1 },
	{ "letters", &text, 22, .tag = 2 },
};
static const struct field both_fields[] = {
	{ "left", &four, 60, .tag = ALWAYS },
	{ "right", &eights, 23, .tag = ALWAYS },
};
static const struct field everything_fields[] = {
	{ "nothing", &nothing, 0, .tag = ALWAYS },
	{ "flag", &bit, 0, .tag = ALWAYS, .fallback = 1 },
	{ "int8", &one, 1, .tag = ALWAYS, .fallback = (uint8_t)-8 },
	{ "int16", &two, 2, .tag = ALWAYS, .fallback = (uint16_t)-1600 },
	{ "int32", &four, 4, .tag = ALWAYS, .fallback = 320000 },
	{ "int64", &eight, 8, .tag = ALWAYS,
	    .fallback = (uint64_t)-64000000000 },
	{ "uint8", &one, 16, .tag = ALWAYS, .fallback = 200 },
	{ "uint16", &two, 18, .tag = ALWAYS },
	{ "uint32", &four, 20, .tag = ALWAYS, .fallback = 4000000000 },
	{ "uint64", &eight, 24, .tag = ALWAYS,
	    .fallback = 18000000000000000000ul },
	{ "float32", &four, 32, .tag = ALWAYS, .fallback = 0x3fc00000 },
	{ "float64", &eight, 40, .tag = ALWAYS,
	    .fallback = 0xc002000000000000ul },
	{ "colour", &colour, 36, .tag = ALWAYS, .fallback = 1 },
	{ "text", &text, 0, .tag = ALWAYS, .bytes = "by default",
	    .length = 10 },
	{ "data", &data, 1, .tag = ALWAYS, .bytes = "\0\xff\x80",
	    .length = 3 },
	{ "small", &a_small, 2, .tag = ALWAYS, .constant = small_default },
	{ "voids", &voids, 3, .tag = ALWAYS },
	{ "flags", &bits, 4, .tag = ALWAYS },
	{ "int8s", &ones, 5, .tag = ALWAYS },
	{ "int16s", &twos, 6, .tag = ALWAYS },
	{ "int32s", &fours, 7, .tag = ALWAYS, .constant = list_default },
	{ "int64s", &eights, 8, .tag = ALWAYS },
	{ "float32s", &fours, 9, .tag = ALWAYS },
	{ "float64s", &eights, 10, .tag = ALWAYS },
	{ "colours", &colours, 11, .tag = ALWAYS },
	{ "texts", &texts, 12, .tag = ALWAYS },
	{ "datas", &datas, 13, .tag = ALWAYS },
	{ "smalls", &smalls, 14, .tag = ALWAYS },
	{ "kids", &kids, 15, .tag = ALWAYS },
	{ "nested", &nested, 16, .tag = ALWAYS },
	{ "deep", &deep, 17, .tag = ALWAYS },
	{ "box", &a_box, 18, .tag = ALWAYS },
	{ "pair", &a_pair, 19, .tag = ALWAYS },
	{ "any", &any, 20, .tag = ALWAYS },
	{ "group", &a_group, 0, .tag = ALWAYS },
	{ "none", &nothing, 0, .tag = 0 },
	{ "bit", &bit, 1, .tag = 1 },
	{ "word", &two, 58, .tag = 2, .fallback = 77 },
	{ "string", &text, 23, .tag = 3 },
	{ "kid", &a_kid, 23, .tag = 4 },
	{ "list", &smalls, 23, .tag = 5 },
	{ "both", &a_both, 0, .tag = 6 },
};

static const struct type small = {
	1, 1, .field = small_fields, .count = COUNT(small_fields)
};
static const struct type box = {
	1, 1, .field = box_fields, .count = COUNT(box_fields)
};
static const struct type small_box = {
	1, 1, .field = small_box_fields, .count = COUNT(small_box_fields)
};
static const struct type pair = {
	0, 2, .field = pair_fields, .count = COUNT(pair_fields)
};
static const struct type group = {
	8, 24, .tag_at = 38, .tags = 3, .field = group_fields,
	.count = COUNT(group_fields)
};
static const struct type both = {
	8, 24, .field = both_fields, .count = COUNT(both_fields)
};
static const struct type everything = {
	8, 24, .tag_at = 56, .tags = 7, .field = everything_fields,
	.count = COUNT(everything_fields)
};

static enum capnp_element
element_of(const struct shape *shape)
{
	static const enum capnp_element numbers[] = { [1] = CAPNP_BYTE,
	    [2] = CAPNP_TWO_BYTES, [4] = CAPNP_FOUR_BYTES,
	    [8] = CAPNP_EIGHT_BYTES };

	switch (shape->kind) {
	case NOTHING:
		return CAPNP_VOID;
	case BIT:
		return CAPNP_BIT;
	case NUMBER:
		return numbers[shape->bytes];
	case STRUCT:
		return CAPNP_COMPOSITE;
	default:
		return CAPNP_POINTER;
	}
}

uint64_t
everything_next(struct everything_random *random)
{
	uint64_t x = random->state += 0x9e3779b97f4a7c15ul;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ul;
	x = (x ^ x >> 27) * 0x94d049bb133111ebul;
	return x ^ x >> 31;
}

void
everything_seed(struct everything_random *random, uint64_t seed)
{
	random->state = seed;
	random->density = everything_next(random) % 8;
}

static uint32_t
below(struct everything_random *random, uint32_t limit)
{
	return (uint32_t)(everything_next(random) % limit);
}

static uint64_t
get(struct capnp_struct s, const struct shape *shape, uint32_t at)
{
	switch (shape->kind == BIT ? 0 : shape->bytes) {
	case 0:
		return capnp_get_bit(s, at);
	case 1:
		return capnp_get_u8(s, at);
	case 2:
		return capnp_get_u16(s, at);
	case 4:
		return capnp_get_u32(s, at);
	default:
		return capnp_get_u64(s, at);
	}
}

static void
set(struct capnp_struct_builder s, const struct shape *shape, uint32_t at,
    uint64_t value)
{
	switch (shape->kind == BIT ? 0 : shape->bytes) {
	case 0:
		capnp_set_bit(s, at, (value & 1) != 0);
		break;
	case 1:
		capnp_set_u8(s, at, (uint8_t)value);
		break;
	case 2:
		capnp_set_u16(s, at, (uint16_t)value);
		break;
	case 4:
		capnp_set_u32(s, at, (uint32_t)value);
		break;
	default:
		capnp_set_u64(s, at, value);
		break;
	}
}

static uint64_t
random_number(struct everything_random *random, const struct shape *shape)
{
	uint64_t value = everything_next(random);

	if (shape->limit != 0)
		return value % shape->limit;
	/* Small ones, large ones, and the ends. */
	return value % 4 == 0 ? value >> 60 : value % 4 == 1 ? 0 - (value >>
	    61) : value;
}

static void build_object(struct everything_random *random,
    const struct shape *shape, struct capnp_pointer at, uint32_t depth);
static void build_struct(struct everything_random *random,
    const struct type *type, struct capnp_struct_builder s, uint32_t depth);

static void
build_list(struct everything_random *random, const struct shape *element,
    struct capnp_pointer at, uint32_t depth)
{
	bool numbers = element->kind <= NUMBER;
	uint32_t count = below(random, numbers ? 20 : 4);
	struct capnp_list_builder list = element->kind == STRUCT ?
	    capnp_init_structs(at, count, element->type->data_words,
	    element->type->pointers) :
	    capnp_init_list(at, element_of(element), count);

	for (uint32_t i = 0; i < list.count; i++) {
		if (element->kind == STRUCT)
			build_struct(random, element->type,
			    capnp_struct_at(list, i), depth);
		else if (element->kind == BIT)
			capnp_put_bit(list, i, below(random, 2) != 0);
		else if (element->kind == NUMBER)
			set(capnp_struct_at(list, i), element, 0,
			    random_number(random, element));
		else if (element->kind != NOTHING && below(random, 8) != 0)
			build_object(random, element,
			    capnp_pointer_at(list, i), depth);
	}
}

static void
build_object(struct everything_random *random, const struct shape *shape,
    struct capnp_pointer at, uint32_t depth)
{
	static const struct shape *const choice[] = { &text, &a_small, &twos,
	    &smalls, &voids };
	struct capnp_bytes bytes;

	switch (shape->kind) {
	case TEXT:
		bytes = capnp_init_text(at, below(random, 20));
		for (size_t i = 0; i < bytes.length; i++)
			bytes.bytes[i] = (uint8_t)(1 + below(random, 126));
		break;
	case DATA:
		bytes = capnp_init_data(at, below(random, 20));
		for (size_t i = 0; i < bytes.length; i++)
			bytes.bytes[i] = (uint8_t)below(random, 256);
		break;
	case STRUCT:
		if (depth > 0)
			build_struct(random, shape->type, capnp_init_struct(at,
			    shape->type->data_words, shape->type->pointers),
			    depth - 1);
		break;
	case LIST:
		if (depth > 0)
			build_list(random, shape->element, at, depth - 1);
		break;
	default:
		build_object(random, choice[below(random, COUNT(choice))], at,
		    depth);
		break;
	}
}

/*
 * Sometimes an object is made elsewhere and moved: then its segment may be full
 * when a pad is needed. The union's pointer is last and serves as the place.
 */
static void
build_pointer(struct everything_random *random, const struct field *field,
    struct capnp_struct_builder s, uint32_t depth)
{
	struct capnp_pointer at = capnp_pointer_of(s, field->at);

	if (field->at + 1 >= s.pointer_count || below(random, 8) != 0) {
		build_object(random, field->shape, at, depth);
		return;
	}
	struct capnp_pointer other = capnp_pointer_of(s, s.pointer_count - 1);
	if (!capnp_pointer_is_null(other))
		return;
	struct capnp_list_builder list = capnp_init_list(other, CAPNP_POINTER,
	    2 + below(random, 3));
	build_object(random, field->shape, capnp_pointer_at(list, 0), depth);
	if (below(random, 2) == 0)
		capnp_init_data(capnp_pointer_at(list, list.count - 1),
		    below(random, 64));
	capnp_move(at, capnp_pointer_at(list, 0));
	capnp_clear(other);
}

static void
build_struct(struct everything_random *random, const struct type *type,
    struct capnp_struct_builder s, uint32_t depth)
{
	uint16_t tag = type->tags > 0 ?
	    (uint16_t)below(random, type->tags) : 0;

	if (type->tags > 0)
		capnp_set_u16(s, type->tag_at, tag);
	for (uint32_t i = 0; i < type->count; i++) {
		const struct field *field = &type->field[i];
		if (field->tag != ALWAYS && field->tag != tag)
			continue;
		if (field->shape->kind == GROUP)
			build_struct(random, field->shape->type, s, depth);
		else if (field->shape->kind == NOTHING ||
		    below(random, 8) >= random->density)
			continue;
		else if (field->shape->kind <= NUMBER)
			set(s, field->shape, field->at, random_number(random,
			    field->shape) ^ field->fallback);
		else
			build_pointer(random, field, s, depth);
	}
}

void
everything_build(struct everything_random *random, struct capnp_pointer root)
{
	build_struct(random, &everything, capnp_init_struct(root,
	    everything.data_words, everything.pointers), DEPTH);
}

static void rewrite_struct(const struct type *type, struct capnp_struct from,
    struct capnp_struct_builder to);
static void rewrite_object(const struct field *field,
    struct capnp_struct from, struct capnp_pointer to);

static void
rewrite_list(const struct shape *element, struct capnp_list from,
    struct capnp_pointer to)
{
	const struct field only = { .shape = element };
	struct capnp_list_builder list = element->kind == STRUCT ?
	    capnp_init_structs(to, from.count, element->type->data_words,
	    element->type->pointers) :
	    capnp_init_list(to, element_of(element), from.count);

	for (uint32_t i = 0; i < list.count; i++) {
		if (element->kind == BIT)
			capnp_put_bit(list, i, capnp_list_bit(from, i));
		else if (element->kind == STRUCT)
			rewrite_struct(element->type,
			    capnp_list_struct(from, i),
			    capnp_struct_at(list, i));
		else if (element->kind == NUMBER)
			set(capnp_struct_at(list, i), element, 0,
			    get(capnp_list_struct(from, i), element, 0));
		else if (element->kind != NOTHING &&
		    capnp_list_kind(from, i) != CAPNP_IS_NULL)
			rewrite_object(&only, capnp_list_struct(from, i),
			    capnp_pointer_at(list, i));
	}
}

static void
rewrite_object(const struct field *field, struct capnp_struct from,
    struct capnp_pointer to)
{
	const struct shape *shape = field->shape;
	struct capnp_blob blob;

	switch (shape->kind) {
	case TEXT:
		blob = capnp_get_text(from, field->at);
		capnp_set_text(to, (const char *)blob.bytes, blob.length);
		break;
	case DATA:
		blob = capnp_get_data(from, field->at);
		capnp_set_data(to, blob.bytes, blob.length);
		break;
	case STRUCT:
		rewrite_struct(shape->type, capnp_get_struct(from, field->at),
		    capnp_init_struct(to, shape->type->data_words,
		    shape->type->pointers));
		break;
	case LIST:
		rewrite_list(shape->element, capnp_get_list(from, field->at,
		    element_of(shape->element)), to);
		break;
	default:
		capnp_set_any(to, from, field->at);
		break;
	}
}

static void
rewrite_struct(const struct type *type, struct capnp_struct from,
    struct capnp_struct_builder to)
{
	uint16_t tag = capnp_get_u16(from, type->tag_at);

	if (type->tags > 0)
		capnp_set_u16(to, type->tag_at, tag);
	for (uint32_t i = 0; i < type->count; i++) {
		const struct field *field = &type->field[i];
		if (field->shape->kind == NOTHING ||
		    (field->tag != ALWAYS && field->tag != tag))
			continue;
		if (field->shape->kind == GROUP)
			rewrite_struct(field->shape->type, from, to);
		else if (field->shape->kind <= NUMBER)
			set(to, field->shape, field->at,
			    get(from, field->shape, field->at));
		else if (capnp_has(from, field->at))
			rewrite_object(field, from, capnp_pointer_of(to,
			    field->at));
	}
}

void
everything_rewrite(struct capnp_struct from, struct capnp_pointer root)
{
	rewrite_struct(&everything, from, capnp_init_struct(root,
	    everything.data_words, everything.pointers));
}

static bool same_struct(const struct type *type, struct capnp_struct a,
    struct capnp_struct b);

static bool
same_blob(struct capnp_blob a, struct capnp_blob b)
{
	return a.length == b.length && memcmp(a.bytes, b.bytes, a.length) == 0;
}

static bool same_field(const struct field *field, struct capnp_struct a,
    struct capnp_struct b);

static bool
same_list(const struct shape *element, struct capnp_list a,
    struct capnp_list b)
{
	const struct field only = { .shape = element };
	bool same = a.count == b.count;

	for (uint32_t i = 0; same && i < a.count; i++) {
		if (element->kind == BIT)
			same = capnp_list_bit(a, i) == capnp_list_bit(b, i);
		else if (element->kind == STRUCT)
			same = same_struct(element->type,
			    capnp_list_struct(a, i), capnp_list_struct(b, i));
		else
			same = same_field(&only, capnp_list_struct(a, i),
			    capnp_list_struct(b, i));
	}
	return same;
}

static bool
same_field(const struct field *field, struct capnp_struct a,
    struct capnp_struct b)
{
	const struct shape *shape = field->shape;
	const struct capnp_blob fallback = { (const uint8_t *)field->bytes,
	    field->length };
	uint16_t at = field->at;

	switch (shape->kind) {
	case NOTHING:
		return true;
	case BIT:
	case NUMBER:
		return get(a, shape, at) == get(b, shape, at);
	case TEXT:
		return same_blob(capnp_get_text_or(a, at, fallback),
		    capnp_get_text_or(b, at, fallback));
	case DATA:
		return same_blob(capnp_get_data_or(a, at, fallback),
		    capnp_get_data_or(b, at, fallback));
	case STRUCT:
		return same_struct(shape->type,
		    capnp_get_struct_or(a, at, field->constant),
		    capnp_get_struct_or(b, at, field->constant));
	case GROUP:
		return same_struct(shape->type, a, b);
	case LIST:
		return same_list(shape->element,
		    capnp_get_list_or(a, at, element_of(shape->element),
		    field->constant),
		    capnp_get_list_or(b, at, element_of(shape->element),
		    field->constant));
	default:
		return capnp_kind(a, at) == capnp_kind(b, at);
	}
}

static bool
same_struct(const struct type *type, struct capnp_struct a,
    struct capnp_struct b)
{
	uint16_t tag = capnp_get_u16(a, type->tag_at);

	if (type->tags > 0 && tag != capnp_get_u16(b, type->tag_at)) {
		printf("# another member of the union\n");
		return false;
	}
	for (uint32_t i = 0; i < type->count; i++) {
		const struct field *field = &type->field[i];
		if (field->tag != ALWAYS && field->tag != tag)
			continue;
		if (!same_field(field, a, b)) {
			printf("# another value of %s\n", field->name);
			return false;
		}
	}
	return true;
}

bool
everything_same(struct capnp_struct a, struct capnp_struct b)
{
	return same_struct(&everything, a, b);
}
