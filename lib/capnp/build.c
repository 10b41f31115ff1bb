/* SPDX-License-Identifier: MIT */
#include <lib/capnp/build.h>

#include <string.h>

#include <lib/capnp/space.h>

struct capnp_pointer
capnp_pointer_of(struct capnp_struct_builder s, uint16_t index)
{
	struct capnp_pointer pointer = {
		.builder = s.builder,
		.segment = s.segment,
	};

	if (index < s.pointer_count)
		pointer.at = s.pointers + index;
	else
		capnp_builder_fail(s.builder, ERR_RANGE);
	return pointer;
}

struct capnp_pointer
capnp_pointer_at(struct capnp_list_builder list, uint32_t i)
{
	struct capnp_pointer pointer = {
		.builder = list.builder,
		.segment = list.segment,
	};

	if (i < list.count && list.pointer_count > 0)
		pointer.at = (uint64_t *)(list.data +
		    (uint64_t)i * list.step / 8 + list.data_bytes);
	else
		capnp_builder_fail(list.builder, ERR_RANGE);
	return pointer;
}

struct capnp_struct_builder
capnp_init_struct(struct capnp_pointer pointer, uint16_t data_words,
    uint16_t pointers)
{
	capnp_clear(pointer);
	return capnp_make_struct(pointer, data_words, pointers);
}

struct capnp_list_builder
capnp_init_list(struct capnp_pointer pointer, enum capnp_element element,
    uint32_t count)
{
	capnp_clear(pointer);
	return capnp_make_list(pointer, element, count);
}

struct capnp_list_builder
capnp_init_structs(struct capnp_pointer pointer, uint32_t count,
    uint16_t data_words, uint16_t pointers)
{
	capnp_clear(pointer);
	return capnp_make_structs(pointer, count, data_words, pointers);
}

/* Bytes with `more` zeros behind them. */
static struct capnp_bytes
init_bytes(struct capnp_pointer pointer, size_t length, uint32_t more)
{
	capnp_clear(pointer);
	if (length > CAPNP_LIST_MAX - more) {
		capnp_builder_fail(pointer.builder, ERR_RANGE);
		return (struct capnp_bytes){ 0 };
	}
	struct capnp_list_builder list = capnp_make_list(pointer, CAPNP_BYTE,
	    (uint32_t)length + more);
	return (struct capnp_bytes){
		.bytes = list.data,
		.length = list.data != NULL ? length : 0,
	};
}

struct capnp_bytes
capnp_init_text(struct capnp_pointer pointer, size_t length)
{
	return init_bytes(pointer, length, 1);
}

struct capnp_bytes
capnp_init_data(struct capnp_pointer pointer, size_t length)
{
	return init_bytes(pointer, length, 0);
}

static void
fill(struct capnp_bytes to, const void *from)
{
	if (to.length > 0)
		memcpy(to.bytes, from, to.length);
}

void
capnp_set_text(struct capnp_pointer pointer, const char *text, size_t length)
{
	fill(capnp_init_text(pointer, length), text);
}

void
capnp_set_data(struct capnp_pointer pointer, const void *bytes, size_t length)
{
	fill(capnp_init_data(pointer, length), bytes);
}

void
capnp_set_capability(struct capnp_pointer pointer, uint32_t index)
{
	capnp_clear(pointer);
	if (pointer.at != NULL && capnp_builder_good(pointer.builder))
		*pointer.at = (uint64_t)index << 32 | CAPNP_OTHER;
}

bool
capnp_pointer_is_null(struct capnp_pointer pointer)
{
	return pointer.at == NULL || capnp_load(pointer.at) == 0;
}

/* Where to write; NULL if the field is not all there. */
static uint8_t *
field(struct capnp_struct_builder s, uint32_t offset, uint32_t bytes)
{
	if (offset <= s.data_bytes && bytes <= s.data_bytes - offset)
		return s.data + offset;
	capnp_builder_fail(s.builder, ERR_RANGE);
	return NULL;
}

void
capnp_set_u8(struct capnp_struct_builder s, uint32_t offset, uint8_t value)
{
	capnp_u8 *at = field(s, offset, 1);

	if (at != NULL)
		*at = value;
}

void
capnp_set_u16(struct capnp_struct_builder s, uint32_t offset, uint16_t value)
{
	capnp_u16 *at = (capnp_u16 *)field(s, offset, 2);

	if (at != NULL)
		*at = value;
}

void
capnp_set_u32(struct capnp_struct_builder s, uint32_t offset, uint32_t value)
{
	capnp_u32 *at = (capnp_u32 *)field(s, offset, 4);

	if (at != NULL)
		*at = value;
}

void
capnp_set_u64(struct capnp_struct_builder s, uint32_t offset, uint64_t value)
{
	capnp_u64 *at = (capnp_u64 *)field(s, offset, 8);

	if (at != NULL)
		*at = value;
}

static void
put_bit(capnp_u8 *at, uint32_t bit, bool value)
{
	uint8_t mask = (uint8_t)(1u << bit);

	*at = (uint8_t)(value ? *at | mask : *at & ~mask);
}

void
capnp_set_bit(struct capnp_struct_builder s, uint32_t bit, bool value)
{
	capnp_u8 *at = field(s, bit / 8, 1);

	if (at != NULL)
		put_bit(at, bit % 8, value);
}

struct capnp_struct_builder
capnp_struct_at(struct capnp_list_builder list, uint32_t i)
{
	struct capnp_struct_builder s = { .builder = list.builder };

	if (i >= list.count) {
		capnp_builder_fail(list.builder, ERR_RANGE);
		return s;
	}
	s.data = list.data + (uint64_t)i * list.step / 8;
	s.segment = list.segment;
	s.data_bytes = list.data_bytes;
	s.pointers = list.pointer_count == 0 ? NULL :
	    (uint64_t *)(s.data + list.data_bytes);
	s.pointer_count = list.pointer_count;
	return s;
}

void
capnp_put_u8(struct capnp_list_builder list, uint32_t i, uint8_t value)
{
	capnp_set_u8(capnp_struct_at(list, i), 0, value);
}

void
capnp_put_u16(struct capnp_list_builder list, uint32_t i, uint16_t value)
{
	capnp_set_u16(capnp_struct_at(list, i), 0, value);
}

void
capnp_put_u32(struct capnp_list_builder list, uint32_t i, uint32_t value)
{
	capnp_set_u32(capnp_struct_at(list, i), 0, value);
}

void
capnp_put_u64(struct capnp_list_builder list, uint32_t i, uint64_t value)
{
	capnp_set_u64(capnp_struct_at(list, i), 0, value);
}

void
capnp_put_bit(struct capnp_list_builder list, uint32_t i, bool value)
{
	if (list.element != CAPNP_BIT)
		capnp_set_bit(capnp_struct_at(list, i), 0, value);
	else if (i < list.count)
		put_bit(list.data + i / 8, i % 8, value);
	else
		capnp_builder_fail(list.builder, ERR_RANGE);
}

struct capnp_struct
capnp_as_struct(struct capnp_struct_builder s)
{
	return (struct capnp_struct){
		.reader = s.builder != NULL ? &s.builder->reader : NULL,
		.data = s.data,
		.pointers = s.pointers,
		.segment = s.segment,
		.data_bytes = s.data_bytes,
		.pointer_count = s.pointer_count,
		.depth = CAPNP_DEPTH,
	};
}

struct capnp_list
capnp_as_list(struct capnp_list_builder list)
{
	return (struct capnp_list){
		.reader = list.builder != NULL ? &list.builder->reader : NULL,
		.data = list.data,
		.segment = list.segment,
		.count = list.count,
		.step = list.step,
		.data_bytes = list.data_bytes,
		.pointer_count = list.pointer_count,
		.depth = CAPNP_DEPTH,
		.element = list.element,
	};
}
