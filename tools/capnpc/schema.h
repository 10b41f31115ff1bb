/* SPDX-License-Identifier: MIT */
/*
 * What the Cap'n Proto compiler hands to a plug-in: a CodeGeneratorRequest, as
 * schema.capnp describes it. Written by hand, because the generator must be
 * there before it can generate; a test compares it with what it makes of
 * schema.capnp itself.
 */
#pragma once

#include <lib/capnp/capnp.h>

struct schema_node { struct capnp_struct at; };
struct schema_field { struct capnp_struct at; };
struct schema_method { struct capnp_struct at; };
struct schema_type { struct capnp_struct at; };
struct schema_value { struct capnp_struct at; };
struct schema_annotation { struct capnp_struct at; };

enum schema_node_which {
	SCHEMA_NODE_FILE, SCHEMA_NODE_STRUCT, SCHEMA_NODE_ENUM,
	SCHEMA_NODE_INTERFACE, SCHEMA_NODE_CONST, SCHEMA_NODE_ANNOTATION,
};

/* The same numbers for types and values. */
enum schema_type_which {
	SCHEMA_TYPE_VOID, SCHEMA_TYPE_BOOL,
	SCHEMA_TYPE_INT8, SCHEMA_TYPE_INT16, SCHEMA_TYPE_INT32,
	SCHEMA_TYPE_INT64, SCHEMA_TYPE_UINT8, SCHEMA_TYPE_UINT16,
	SCHEMA_TYPE_UINT32, SCHEMA_TYPE_UINT64, SCHEMA_TYPE_FLOAT32,
	SCHEMA_TYPE_FLOAT64, SCHEMA_TYPE_TEXT, SCHEMA_TYPE_DATA,
	SCHEMA_TYPE_LIST, SCHEMA_TYPE_ENUM, SCHEMA_TYPE_STRUCT,
	SCHEMA_TYPE_INTERFACE, SCHEMA_TYPE_ANY_POINTER,
};

#define SCHEMA_FIELD_NO_DISCRIMINANT	0xffffu
#define SCHEMA_FIELD_SLOT		0u
#define SCHEMA_FIELD_GROUP		1u

/* CodeGeneratorRequest */

static inline struct capnp_list
schema_request_get_nodes(struct capnp_struct request)
{
	return capnp_get_list(request, 0, CAPNP_COMPOSITE);
}

static inline struct capnp_list
schema_request_get_requested_files(struct capnp_struct request)
{
	return capnp_get_list(request, 1, CAPNP_COMPOSITE);
}

static inline struct capnp_list
schema_request_get_source_info(struct capnp_struct request)
{
	return capnp_get_list(request, 3, CAPNP_COMPOSITE);
}

/* Node */

static inline uint64_t
schema_node_get_id(struct schema_node node)
{
	return capnp_get_u64(node.at, 0);
}

static inline struct capnp_blob
schema_node_get_display_name(struct schema_node node)
{
	return capnp_get_text(node.at, 0);
}

static inline uint32_t
schema_node_get_display_name_prefix_length(struct schema_node node)
{
	return capnp_get_u32(node.at, 8);
}

static inline uint64_t
schema_node_get_scope_id(struct schema_node node)
{
	return capnp_get_u64(node.at, 16);
}

static inline struct capnp_list
schema_node_get_nested_nodes(struct schema_node node)
{
	return capnp_get_list(node.at, 1, CAPNP_COMPOSITE);
}

static inline struct capnp_list
schema_node_get_annotations(struct schema_node node)
{
	return capnp_get_list(node.at, 2, CAPNP_COMPOSITE);
}

static inline uint16_t
schema_node_which(struct schema_node node)
{
	return capnp_get_u16(node.at, 12);
}

static inline uint16_t
schema_node_struct_get_data_word_count(struct schema_node node)
{
	return capnp_get_u16(node.at, 14);
}

static inline uint16_t
schema_node_struct_get_pointer_count(struct schema_node node)
{
	return capnp_get_u16(node.at, 24);
}

static inline bool
schema_node_struct_get_is_group(struct schema_node node)
{
	return capnp_get_bit(node.at, 224);
}

static inline uint16_t
schema_node_struct_get_discriminant_count(struct schema_node node)
{
	return capnp_get_u16(node.at, 30);
}

static inline uint32_t
schema_node_struct_get_discriminant_offset(struct schema_node node)
{
	return capnp_get_u32(node.at, 32);
}

/* Fields of a struct, enumerants of an enum, methods of an interface. */
static inline struct capnp_list
schema_node_get_members(struct schema_node node)
{
	return capnp_get_list(node.at, 3, CAPNP_COMPOSITE);
}

static inline struct schema_type
schema_node_const_get_type(struct schema_node node)
{
	return (struct schema_type){ capnp_get_struct(node.at, 3) };
}

static inline struct schema_value
schema_node_const_get_value(struct schema_node node)
{
	return (struct schema_value){ capnp_get_struct(node.at, 4) };
}

/* Field; name and annotations also of enumerants and methods. */

static inline struct capnp_blob
schema_member_get_name(struct capnp_struct member)
{
	return capnp_get_text(member, 0);
}

static inline uint16_t
schema_member_get_code_order(struct capnp_struct member)
{
	return capnp_get_u16(member, 0);
}

static inline struct capnp_list
schema_member_get_annotations(struct capnp_struct member)
{
	return capnp_get_list(member, 1, CAPNP_COMPOSITE);
}

static inline uint16_t
schema_field_get_discriminant_value(struct schema_field field)
{
	return capnp_get_u16(field.at, 2) ^ SCHEMA_FIELD_NO_DISCRIMINANT;
}

static inline uint16_t
schema_field_which(struct schema_field field)
{
	return capnp_get_u16(field.at, 8);
}

static inline uint32_t
schema_field_slot_get_offset(struct schema_field field)
{
	return capnp_get_u32(field.at, 4);
}

static inline struct schema_type
schema_field_slot_get_type(struct schema_field field)
{
	return (struct schema_type){ capnp_get_struct(field.at, 2) };
}

static inline struct schema_value
schema_field_slot_get_default_value(struct schema_field field)
{
	return (struct schema_value){ capnp_get_struct(field.at, 3) };
}

static inline bool
schema_field_slot_get_had_explicit_default(struct schema_field field)
{
	return capnp_get_bit(field.at, 128);
}

static inline uint64_t
schema_field_group_get_type_id(struct schema_field field)
{
	return capnp_get_u64(field.at, 16);
}

/* Method */

static inline uint64_t
schema_method_get_param_struct_type(struct schema_method method)
{
	return capnp_get_u64(method.at, 8);
}

static inline uint64_t
schema_method_get_result_struct_type(struct schema_method method)
{
	return capnp_get_u64(method.at, 16);
}

static inline struct capnp_list
schema_method_get_annotations(struct schema_method method)
{
	return capnp_get_list(method.at, 1, CAPNP_COMPOSITE);
}

/* Type */

static inline uint16_t
schema_type_which(struct schema_type type)
{
	return capnp_get_u16(type.at, 0);
}

/* Of an enum, a struct or an interface. */
static inline uint64_t
schema_type_get_type_id(struct schema_type type)
{
	return capnp_get_u64(type.at, 8);
}

static inline struct schema_type
schema_type_list_get_element_type(struct schema_type type)
{
	return (struct schema_type){ capnp_get_struct(type.at, 0) };
}

/* Annotation */

static inline uint64_t
schema_annotation_get_id(struct schema_annotation annotation)
{
	return capnp_get_u64(annotation.at, 0);
}

static inline struct schema_value
schema_annotation_get_value(struct schema_annotation annotation)
{
	return (struct schema_value){ capnp_get_struct(annotation.at, 0) };
}

/* Value */

static inline uint16_t
schema_value_which(struct schema_value value)
{
	return capnp_get_u16(value.at, 0);
}

static inline struct capnp_blob
schema_value_get_text(struct schema_value value)
{
	return capnp_get_text(value.at, 0);
}
