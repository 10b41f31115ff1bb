/* SPDX-License-Identifier: MIT */
#include "ordinary.h"

/* static inline RESULT NAME_VERB_FIELD(struct NAME_builder b PARAMETERS) { */
static void
open_function(const char *result, const char *verb, const struct node *node,
    const struct ordinary_field *field, const char *parameters)
{
	const char *name = node_lower(node);

	out("static inline %s\n", result);
	out_line("%s_%s_%s(struct %s_builder b%s)", name, verb, field->name,
	    name, parameters);
	out("{\n");
}

/* A field of a union makes itself the one that is set. */
static void
emit_choice(const struct node *node, const struct ordinary_field *field)
{
	if (field->discriminant != SCHEMA_FIELD_NO_DISCRIMINANT)
		out_line("\tcapnp_set_u16(b.at, %u, %s_IS_%s);",
		    schema_node_struct_get_discriminant_offset(node->at) * 2,
		    node_upper(node), field->upper);
}

static void
emit_number(const struct node *node, const struct ordinary_field *field)
{
	const char *fallback = fallback_bits(field);
	unsigned bits = type_bits(field->which);

	open_function("void", "set", node, field, text_format(", %s value",
	    type_in_c(field->which)));
	emit_choice(node, field);
	if (bits == 1)
		out_line("\tcapnp_set_bit(b.at, %u, %svalue);", field->offset,
		    fallback != NULL ? "!" : "");
	else if (fallback != NULL)
		out_line("\tcapnp_set_u%u(b.at, %u, (uint%u_t)value ^ %s);",
		    bits, field->offset * (bits / 8), bits, fallback);
	else
		out_line("\tcapnp_set_u%u(b.at, %u, (uint%u_t)value);", bits,
		    field->offset * (bits / 8), bits);
	out("}\n\n");
}

static char *
pointer(const struct ordinary_field *field)
{
	return text_format("capnp_pointer_of(b.at, %u)", field->offset);
}

/* What is not there yet is its default. */
static void
emit_copy_default(const struct node *node, const struct ordinary_field *field)
{
	const char *fallback = fallback_name(node, field);

	if (fallback == NULL)
		return;
	out_line("\tif (capnp_pointer_is_null(%s))", pointer(field));
	if (field->which == SCHEMA_TYPE_TEXT)
		out_line("\t\tcapnp_set_text(%s, (const char *)%s().bytes, "
		    "%s().length);", pointer(field), fallback, fallback);
	else if (field->which == SCHEMA_TYPE_DATA)
		out_line("\t\tcapnp_set_data(%s, %s().bytes, %s().length);",
		    pointer(field), fallback, fallback);
	else
		out_line("\t\tcapnp_set_constant(%s, %s());", pointer(field),
		    fallback);
}

static void
emit_blob(const struct node *node, const struct ordinary_field *field)
{
	const char *kind = field->which == SCHEMA_TYPE_TEXT ? "text" : "data";

	open_function("void", "set", node, field, text_format(
	    ", const %s *from, size_t length", field->which ==
	    SCHEMA_TYPE_TEXT ? "char" : "void"));
	emit_choice(node, field);
	out_line("\tcapnp_set_%s(%s, from, length);\n}\n", kind,
	    pointer(field));
	open_function("struct capnp_bytes", "init", node, field,
	    ", size_t length");
	emit_choice(node, field);
	out_line("\treturn capnp_init_%s(%s, length);\n}\n", kind,
	    pointer(field));
	open_function("struct capnp_bytes", "edit", node, field, "");
	emit_choice(node, field);
	emit_copy_default(node, field);
	out_line("\treturn capnp_edit_%s(%s);\n}\n", kind, pointer(field));
}

static void
emit_struct(const struct node *node, const struct ordinary_field *field)
{
	const char *type = node_lower(field->type_node);
	const char *result = text_format("struct %s_builder", type);
	const char *upper = node_upper(field->type_node);

	open_function("void", "set", node, field, text_format(
	    ", struct %s from", type));
	emit_choice(node, field);
	out_line("\tcapnp_set_struct(%s, from.at);\n}\n", pointer(field));
	for (unsigned edit = 0; edit < 2; edit++) {
		open_function(result, edit ? "edit" : "init", node, field, "");
		emit_choice(node, field);
		if (edit)
			emit_copy_default(node, field);
		out_line("\treturn (%s){ capnp_%s_struct(%s, %s_DATA_WORDS, "
		    "%s_POINTERS) };\n}\n", result, edit ? "edit" : "init",
		    pointer(field), upper, upper);
	}
}

static void
emit_list(const struct node *node, const struct ordinary_field *field)
{
	struct schema_type element = schema_type_list_get_element_type(
	    field->type);
	const struct node *type = schema_type_which(element) ==
	    SCHEMA_TYPE_STRUCT ? node_find(schema_type_get_type_id(element)) :
	    NULL;
	const char *sizes = type == NULL ? "" : text_format(
	    ", %s_DATA_WORDS, %s_POINTERS", node_upper(type),
	    node_upper(type));

	open_function("void", "set", node, field, ", struct capnp_list from");
	emit_choice(node, field);
	out_line("\tcapnp_set_list(%s, from);\n}\n", pointer(field));
	open_function("struct capnp_list_builder", "init", node, field,
	    ", uint32_t count");
	emit_choice(node, field);
	if (type != NULL)
		out_line("\treturn capnp_init_structs(%s, count%s);\n}\n",
		    pointer(field), sizes);
	else
		out_line("\treturn capnp_init_list(%s, %s, count);\n}\n",
		    pointer(field), type_element(element));
	open_function("struct capnp_list_builder", "edit", node, field, "");
	emit_choice(node, field);
	emit_copy_default(node, field);
	if (type != NULL)
		out_line("\treturn capnp_edit_structs(%s%s);\n}\n",
		    pointer(field), sizes);
	else
		out_line("\treturn capnp_edit_list(%s, %s);\n}\n",
		    pointer(field), type_element(element));
}

/* Of any type: whoever knows it fills it in. */
static void
emit_any(const struct node *node, const struct ordinary_field *field)
{
	open_function("struct capnp_pointer", "pointer", node, field, "");
	emit_choice(node, field);
	out_line("\treturn %s;\n}\n", pointer(field));
}

/* Everything in a group becomes zero, which is what it has by default. */
static void
emit_clear(const struct node *group)
{
	if (schema_node_struct_get_discriminant_count(group->at) != 0)
		out_line("\tcapnp_set_u16(b.at, %u, 0);",
		    schema_node_struct_get_discriminant_offset(group->at) * 2);
	for (unsigned i = 0; i < ordinary_count(group); i++) {
		struct ordinary_field field = ordinary_field(group, i);
		unsigned bits = type_bits(field.which);

		if (field.is_group)
			emit_clear(field.type_node);
		else if (is_pointer_type(field.which))
			out_line("\tcapnp_clear(%s);", pointer(&field));
		else if (bits == 1)
			out_line("\tcapnp_set_bit(b.at, %u, false);",
			    field.offset);
		else if (bits != 0)
			out_line("\tcapnp_set_u%u(b.at, %u, 0);", bits,
			    field.offset * (bits / 8));
	}
}

static void
emit_group(const struct node *node, const struct ordinary_field *field)
{
	const char *result = text_format("struct %s_builder",
	    node_lower(field->type_node));

	open_function(result, "edit", node, field, "");
	emit_choice(node, field);
	out("\treturn (%s){ b.at };\n}\n\n", result);
	out("/* With defaults only. */\n");
	open_function(result, "init", node, field, "");
	emit_choice(node, field);
	emit_clear(field->type_node);
	out("\treturn (%s){ b.at };\n}\n\n", result);
}

static void
emit_field(const struct node *node, const struct ordinary_field *field)
{
	if (field->is_group) {
		emit_group(node, field);
		return;
	}
	if (is_pointer_type(field->which)) {
		open_function("void", "clear", node, field, "");
		emit_choice(node, field);
		out_line("\tcapnp_clear(%s);\n}\n", pointer(field));
	}
	switch (field->which) {
	case SCHEMA_TYPE_VOID:
		if (field->discriminant == SCHEMA_FIELD_NO_DISCRIMINANT)
			break;
		open_function("void", "set", node, field, "");
		emit_choice(node, field);
		out("}\n\n");
		break;
	case SCHEMA_TYPE_TEXT:
	case SCHEMA_TYPE_DATA:
		emit_blob(node, field);
		break;
	case SCHEMA_TYPE_STRUCT:
		emit_struct(node, field);
		break;
	case SCHEMA_TYPE_LIST:
		emit_list(node, field);
		break;
	case SCHEMA_TYPE_INTERFACE:
		open_function("void", "set", node, field, ", uint32_t index");
		emit_choice(node, field);
		out_line("\tcapnp_set_capability(%s, index);\n}\n",
		    pointer(field));
		break;
	case SCHEMA_TYPE_ANY_POINTER:
		emit_any(node, field);
		break;
	default:
		emit_number(node, field);
	}
}

void
emit_builders(const struct node *node)
{
	const char *name = node_lower(node), *upper = node_upper(node);

	if (!schema_node_struct_get_is_group(node->at)) {
		out("static inline struct %s_builder\n%s_init_root("
		    "struct capnp_builder *builder)\n{\n", name, name);
		out_line("\treturn (struct %s_builder){ capnp_init_struct("
		    "capnp_builder_root(builder), %s_DATA_WORDS, %s_POINTERS) "
		    "};\n}\n", name, upper, upper);
		out("/* Of a list of them. */\n");
		out("static inline struct %s_builder\n", name);
		out_line("%s_builder_at(struct capnp_list_builder list, "
		    "uint32_t i)", name);
		out("{\n\treturn (struct %s_builder){ capnp_struct_at(list, i) "
		    "};\n}\n\n", name);
		out("static inline struct %s\n%s_as_reader(struct %s_builder "
		    "b)\n{\n\treturn (struct %s){ capnp_as_struct(b.at) };\n"
		    "}\n\n", name, name, name, name);
	}
	for (unsigned i = 0; i < ordinary_count(node); i++) {
		struct ordinary_field field = ordinary_field(node, i);

		emit_field(node, &field);
	}
}
