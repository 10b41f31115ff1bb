/* SPDX-License-Identifier: MIT */
/* Constants, enums, structs of fixed layout, tags. */
#include "emit.h"

#include <string.h>

/* The first lines of a comment up to an empty one, as one line. */
static char *
one_line(const char *doc)
{
	char *text = text_format("%s", doc);

	for (char *c = text; *c != '\0'; c++)
		if (*c == '\n')
			*c = c[1] == '\0' ? '\0' : ' ';
	return text;
}

/* Values stand in column 32, or behind a long name. */
static const char *
tabs_after(const char *name)
{
	size_t column = strlen("#define ") + strlen(name);

	return column < 16 ? "\t\t\t" : column < 24 ? "\t\t" : "\t";
}

/* -- constants -- */

static char *
number_text(unsigned which, uint64_t bits, bool hex)
{
	bool is_signed = which >= SCHEMA_TYPE_INT8 &&
	    which <= SCHEMA_TYPE_INT64;
	const char *suffix = which == SCHEMA_TYPE_UINT64 ? "ul" :
	    which == SCHEMA_TYPE_INT64 ? "l" : is_signed ? "" : "u";

	if (is_signed && (int64_t)bits < 0)
		return bits == 1ul << 63 ? text_format("(-%ld%s - 1)",
		    INT64_MAX, suffix) :
		    text_format("(%ld%s)", (int64_t)bits, suffix);
	if (hex)
		return text_format("0x%lx%s", bits, suffix);
	return text_format("%lu%s", bits, suffix);
}

static char *
quoted(const char *from)
{
	char *text = text_format("\"");

	for (; *from != '\0'; from++)
		text = *from < ' ' || *from == '"' || *from == '\\' ?
		    text_format("%s\\%03o", text, (unsigned char)*from) :
		    text_format("%s%c", text, *from);
	return text_format("%s\"", text);
}

static void
emit_const(const struct node *node)
{
	struct schema_type type = schema_node_const_get_type(node->at);
	struct schema_value value = schema_node_const_get_value(node->at);
	bool hex = note_has(schema_node_get_annotations(node->at), NOTE_HEX);
	unsigned which = schema_type_which(type);
	char *text;

	if (which == SCHEMA_TYPE_TEXT)
		text = quoted(text_of(schema_value_get_text(value)));
	else if (which >= SCHEMA_TYPE_BOOL && which <= SCHEMA_TYPE_UINT64)
		text = number_text(which, value_bits(value), hex);
	else {
		complain(node->full_name, "constants are numbers or texts");
		return;
	}
	const char *name = node_upper(node);
	out_member(text_format("#define %s%s%s", name, tabs_after(name), text),
	    one_line(node->doc));
}

/* -- enums -- */

static void
emit_enum(const struct node *node)
{
	struct capnp_list members = schema_node_get_members(node->at);
	const char *prefix = node_upper(node);

	out("\n");
	out_comment(0, node->doc);
	out("enum %s {\n", node_lower(node));
	for (unsigned i = 0; i < members.count; i++)
		out_member(text_format("\t%s_%s,", prefix, name_upper(text_of(
		    schema_member_get_name(capnp_list_struct(members, i))))),
		    one_line(node_member_doc(node, i)));
	out("};\n\n");
}

/* -- fixed structs -- */

static const char *const number_types[] = {
	[SCHEMA_TYPE_BOOL] = "bool",
	[SCHEMA_TYPE_INT8] = "int8_t", [SCHEMA_TYPE_INT16] = "int16_t",
	[SCHEMA_TYPE_INT32] = "int32_t", [SCHEMA_TYPE_INT64] = "int64_t",
	[SCHEMA_TYPE_UINT8] = "uint8_t", [SCHEMA_TYPE_UINT16] = "uint16_t",
	[SCHEMA_TYPE_UINT32] = "uint32_t", [SCHEMA_TYPE_UINT64] = "uint64_t",
	[SCHEMA_TYPE_TEXT] = "char", [SCHEMA_TYPE_DATA] = "uint8_t",
	[SCHEMA_TYPE_ENUM] = "uint16_t",
};

static const char *
fixed_type(struct schema_type type)
{
	unsigned which = schema_type_which(type);
	const struct node *node;

	if (which < sizeof(number_types) / sizeof(number_types[0]) &&
	    number_types[which] != NULL)
		return number_types[which];
	node = which == SCHEMA_TYPE_STRUCT ?
	    node_find(schema_type_get_type_id(type)) : NULL;
	if (node == NULL || !node_is_fixed(node))
		return NULL;
	return text_format("struct %s", node_lower(node));
}

static bool
is_array(unsigned which)
{
	return which == SCHEMA_TYPE_LIST || which == SCHEMA_TYPE_TEXT ||
	    which == SCHEMA_TYPE_DATA;
}

static void
emit_fixed_field(const struct node *node, unsigned i, struct schema_field field)
{
	struct schema_type type = schema_field_slot_get_type(field);
	struct capnp_list notes = schema_member_get_annotations(field.at);
	unsigned which = schema_type_which(type);
	const char *name = name_member(text_of(
	    schema_member_get_name(field.at)));
	const char *given = note_text(notes, NOTE_TYPE);
	const char *c_type = fixed_type(which == SCHEMA_TYPE_LIST ?
	    schema_type_list_get_element_type(type) : type);
	const char *array = "";

	if (schema_field_which(field) != SCHEMA_FIELD_SLOT || c_type == NULL) {
		complain(node->full_name, "%s has no fixed layout", name);
		return;
	}
	if (is_array(which) && !note_has(notes, NOTE_COUNT))
		complain(node->full_name, "%s needs $count(elements)", name);
	if (is_array(which)) {
		uint64_t count = note_number(notes, NOTE_COUNT, 0);
		array = count == 0 ? "[]" : text_format("[%lu]", count);
	}
	out_member(text_format("\t%s %s%s;", given != NULL ? given : c_type,
	    name, array), one_line(node_member_doc(node, i)));
}

/* Members stand in the order of the text. */
static void
emit_fixed(const struct node *node)
{
	struct capnp_list fields = schema_node_get_members(node->at);
	uint64_t size = note_number(schema_node_get_annotations(node->at),
	    NOTE_SIZE, 0);
	const char *name = node_lower(node);

	out("\n");
	out_comment(0, node->doc);
	out("struct %s {\n", name);
	for (unsigned order = 0; order < fields.count; order++) {
		for (unsigned i = 0; i < fields.count; i++) {
			struct schema_field field = {
				capnp_list_struct(fields, i) };

			if (schema_member_get_code_order(field.at) == order)
				emit_fixed_field(node, i, field);
		}
	}
	out("};\n");
	if (size == 0)
		complain(node->full_name, "needs $size(bytes), which is "
		    "checked");
	out_line("_Static_assert(sizeof(struct %s) == %lu, \"layout of %s\");",
	    name, size, name);
	out("\n");
}

/* -- interfaces -- */

void
emit_tags(const struct interface *interface)
{
	out_comment(0, interface->node->doc);
	for (unsigned i = 0; i < interface->method_count; i++) {
		const struct method *method = &interface->method[i];

		out("#define %s%s0x%04x\n", method->upper,
		    tabs_after(method->upper), method->tag);
	}
	out("\n");
}

static const struct interface *
interface_of(const struct node *node)
{
	for (unsigned i = 0; i < model_count(); i++)
		if (model_interface(i)->node == node)
			return model_interface(i);
	return NULL;
}

void
emit_types(const struct node *scope)
{
	for (unsigned i = 0; i < node_nested_count(scope); i++) {
		const struct node *node = node_nested(scope, i);

		if (node == NULL)
			continue;
		switch (schema_node_which(node->at)) {
		case SCHEMA_NODE_CONST:
			emit_const(node);
			continue;
		case SCHEMA_NODE_ENUM:
			emit_enum(node);
			break;
		case SCHEMA_NODE_STRUCT:
			if (node_is_fixed(node))
				emit_fixed(node);
			break;
		case SCHEMA_NODE_INTERFACE:
			if (interface_of(node) != NULL)
				emit_tags(interface_of(node));
			break;
		}
		emit_types(node);
	}
}
