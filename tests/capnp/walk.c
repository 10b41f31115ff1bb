/* SPDX-License-Identifier: MIT */
#include <tests/capnp/walk.h>

#include <stdio.h>
#include <stdlib.h>

#include <lib/capnp/build.h>
#include <tests/capnp/everything.h>

static volatile uint8_t sum;	/* so that reads are not left out */

static void
need(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "walk: %s\n", what);
	abort();
}

static void
read_bytes(struct capnp_blob blob)
{
	for (size_t i = 0; i < blob.length; i++)
		sum ^= blob.bytes[i];
}

static void walk_pointers(struct capnp_struct s);

static void
walk_list(struct capnp_list list)
{
	for (uint32_t i = 0; i < list.count; i++) {
		if (list.element == CAPNP_BIT) {
			sum ^= capnp_list_bit(list, i);
			continue;
		}
		if (capnp_status(list.reader) != OK)
			return;
		struct capnp_struct s = capnp_list_struct(list, i);
		for (uint32_t at = 0; at < s.data_bytes; at++)
			sum ^= capnp_get_u8(s, at);
		walk_pointers(s);
	}
}

static void
walk_pointers(struct capnp_struct s)
{
	uint32_t capability;

	for (uint16_t i = 0; i < s.pointer_count; i++) {
		struct capnp_struct kid;
		switch (capnp_kind(s, i)) {
		case CAPNP_IS_STRUCT:
			kid = capnp_get_struct(s, i);
			sum ^= (uint8_t)capnp_get_u64(kid, 0);
			walk_pointers(kid);
			break;
		case CAPNP_IS_LIST:
			walk_list(capnp_get_list(s, i, CAPNP_ANY));
			break;
		case CAPNP_IS_CAPABILITY:
			capnp_get_capability(s, i, &capability);
			break;
		case CAPNP_IS_NULL:
			break;
		}
	}
}

/* Each pointer of the root as what it may not be; errors do not add up. */
static void
walk_as_anything(struct capnp_reader *reader)
{
	const struct capnp_reader fresh = *reader;
	struct capnp_struct root = capnp_root(reader);

	for (uint16_t i = 0; i < root.pointer_count && i < 64; i++) {
		for (int element = CAPNP_VOID; element <= CAPNP_ANY;
		    element++) {
			*reader = fresh;
			walk_list(capnp_get_list(root, i,
			    (enum capnp_element)element));
		}
		*reader = fresh;
		read_bytes(capnp_get_text(root, i));
		*reader = fresh;
		read_bytes(capnp_get_data(root, i));
		*reader = fresh;
		walk_pointers(capnp_get_struct(root, i));
	}
	*reader = fresh;
}

void
walk_message(const struct capnp_segment *segment, uint32_t count)
{
	static uint64_t words[WALK_WORDS];
	struct capnp_segment only = { words, 0 };
	struct capnp_builder builder;
	struct capnp_reader reader;

	capnp_reader_init(&reader, segment, count, WALK_WORDS, 0);
	const struct capnp_reader fresh = reader;
	walk_pointers(capnp_root(&reader));
	reader = fresh;
	walk_as_anything(&reader);
	struct capnp_struct root = capnp_root(&reader);
	everything_same(root, root);
	reader = fresh;
	capnp_builder_init(&builder, words, WALK_WORDS);
	everything_rewrite(capnp_root(&reader), capnp_builder_root(&builder));
	reader = fresh;
	capnp_builder_init(&builder, words, WALK_WORDS);
	capnp_set_struct(capnp_builder_root(&builder), capnp_root(&reader));
	reader = fresh;
	if (capnp_canonicalise(capnp_root(&reader), words, WALK_WORDS,
	    &only.count) == OK)
		need(capnp_is_canonical(&only, 1), "not canonical");
	capnp_is_canonical(segment, count);
}

/* One change to a pointer, picked by a number. */
static void
change(struct capnp_pointer at, struct capnp_pointer other, uint64_t step)
{
	struct capnp_struct_builder s;
	struct capnp_list_builder list;
	struct capnp_bytes bytes;

	switch (step % 8) {
	case 0:
		capnp_clear(at);
		break;
	case 1:
		s = capnp_edit_struct(at, step / 8 % 12, step / 97 % 30);
		capnp_set_u64(s, 0, step);
		break;
	case 2:
		list = capnp_edit_structs(at, step / 8 % 3, step / 24 % 3);
		for (uint32_t i = 0; i < list.count && i < 9; i++)
			capnp_set_u8(capnp_struct_at(list, i), 0, 1);
		break;
	case 3:
		capnp_move(at, other);
		break;
	case 4:
		list = capnp_edit_list(at, (enum capnp_element)(step / 8 % 7));
		if (list.count > 0)
			capnp_put_bit(list, list.count - 1, true);
		break;
	case 5:
		bytes = capnp_edit_data(at);
		if (bytes.length > 0)
			bytes.bytes[bytes.length - 1] = 1;
		break;
	case 6:
		capnp_set_text(at, "text", 4);
		break;
	default:
		bytes = capnp_edit_text(at);
		if (bytes.length > 0)
			bytes.bytes[bytes.length - 1] = 1;
		break;
	}
}

void
walk_builder(uint64_t *words, size_t used, size_t room, uint64_t steps)
{
	struct everything_random random = { .state = steps };
	struct capnp_builder builder;

	uint64_t root = words[0];
	capnp_builder_init(&builder, words, room);
	/* As if all of it had been built, and changed by a peer since. */
	words[0] = root;
	builder.only.count = used;
	for (uint32_t i = 0; i < 6; i++) {
		struct capnp_struct_builder s = capnp_edit_struct(
		    capnp_builder_root(&builder), 1, 4);
		if (s.pointer_count == 0)
			return;
		struct capnp_pointer at = capnp_pointer_of(s,
		    (uint16_t)(everything_next(&random) % s.pointer_count));
		struct capnp_pointer other = capnp_pointer_of(s,
		    (uint16_t)(everything_next(&random) % s.pointer_count));
		change(at, other, everything_next(&random));
		/* An error ends a builder; the next step shall happen. */
		builder.reader.status = OK;
	}
}
