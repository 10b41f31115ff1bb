/* SPDX-License-Identifier: MIT */
#include "ordinary.h"

static void
head(const char *type, const char *format_name, const struct node *node,
    const struct ordinary_field *field)
{
	const char *name = node_lower(node);

	out_comment(0, field->doc);
	out("static inline %s\n", type);
	out_line("%s_%s_%s(struct %s r)", name, format_name, field->name,
	    name);
}

static void
emit_number(const struct node *node, const struct ordinary_field *field)
{
	const char *type = type_in_c(field->which);
	const char *fallback = fallback_bits(field);
	unsigned bits = type_bits(field->which);
	const char *call = bits == 1 ?
	    text_format("capnp_get_bit(r.at, %u)", field->offset) :
	    text_format("capnp_get_u%u(r.at, %u)", bits,
	    field->offset * (bits / 8));

	head(type, "get", node, field);
	if (fallback != NULL && bits == 1)
		out("{\n\treturn !%s;\n}\n\n", call);
	else if (fallback != NULL)
		out("{\n\treturn (%s)(%s ^ %s);\n}\n\n", type, call, fallback);
	else
		out(bits == 1 ? "{\n\treturn %s%s;\n}\n\n" :
		    "{\n\treturn (%s)%s;\n}\n\n", bits == 1 ? "" : type,
		    call);
}

static void
emit_blob(const struct node *node, const struct ordinary_field *field)
{
	const char *fallback = fallback_name(node, field);
	const char *kind = field->which == SCHEMA_TYPE_TEXT ? "text" : "data";

	head("struct capnp_blob", "get", node, field);
	if (fallback != NULL)
		out_line("{\n\treturn capnp_get_%s_or(r.at, %u, %s());\n}\n",
		    kind, field->offset, fallback);
	else
		out_line("{\n\treturn capnp_get_%s(r.at, %u);\n}\n", kind,
		    field->offset);
}

static void
emit_struct(const struct node *node, const struct ordinary_field *field)
{
	const char *type = node_lower(field->type_node);
	const char *fallback = fallback_name(node, field);

	head(text_format("struct %s", type), "get", node, field);
	if (fallback != NULL)
		out_line("{\n\treturn (struct %s){ capnp_get_struct_or(r.at, "
		    "%u, %s()) };\n}\n", type, field->offset, fallback);
	else
		out_line("{\n\treturn (struct %s){ capnp_get_struct(r.at, %u) "
		    "};\n}\n", type, field->offset);
}

static void
emit_list(const struct node *node, const struct ordinary_field *field)
{
	const char *element = type_element(
	    schema_type_list_get_element_type(field->type));
	const char *fallback = fallback_name(node, field);

	head("struct capnp_list", "get", node, field);
	if (fallback != NULL)
		out_line("{\n\treturn capnp_get_list_or(r.at, %u, %s, %s());"
		    "\n}\n", field->offset, element, fallback);
	else
		out_line("{\n\treturn capnp_get_list(r.at, %u, %s);\n}\n",
		    field->offset, element);
}

static void
emit_capability(const struct node *node, const struct ordinary_field *field)
{
	const char *name = node_lower(node);

	out_comment(0, field->doc);
	out("static inline bool\n");
	out_line("%s_get_%s(struct %s r, uint32_t *out_index)", name,
	    field->name, name);
	out_line("{\n\treturn capnp_get_capability(r.at, %u, out_index);\n}\n",
	    field->offset);
}

/* Of any type: as what the reader believes it to be. */
static void
emit_any(const struct node *node, const struct ordinary_field *field)
{
	const char *name = node_lower(node);

	head("enum capnp_pointer_kind", "kind", node, field);
	out_line("{\n\treturn capnp_kind(r.at, %u);\n}\n", field->offset);
	head("struct capnp_struct", "get", node, field);
	out_line("{\n\treturn capnp_get_struct(r.at, %u);\n}\n",
	    field->offset);
	out("static inline struct capnp_list\n");
	out_line("%s_list_%s(struct %s r, enum capnp_element element)", name,
	    field->name, name);
	out_line("{\n\treturn capnp_get_list(r.at, %u, element);\n}\n",
	    field->offset);
	head("struct capnp_blob", "text", node, field);
	out_line("{\n\treturn capnp_get_text(r.at, %u);\n}\n", field->offset);
	head("struct capnp_blob", "data", node, field);
	out_line("{\n\treturn capnp_get_data(r.at, %u);\n}\n", field->offset);
	out("/* Copies whatever it is. */\nstatic inline void\n");
	out_line("%s_copy_%s(struct %s r, struct capnp_pointer to)", name,
	    field->name, name);
	out_line("{\n\tcapnp_set_any(to, r.at, %u);\n}\n", field->offset);
}

static void
emit_field(const struct node *node, const struct ordinary_field *field)
{
	if (field->is_group) {
		const char *type = node_lower(field->type_node);

		head(text_format("struct %s", type), "get", node, field);
		out("{\n\treturn (struct %s){ r.at };\n}\n\n", type);
		return;
	}
	if (is_pointer_type(field->which)) {
		head("bool", "has", node, field);
		out_line("{\n\treturn capnp_has(r.at, %u);\n}\n",
		    field->offset);
	}
	switch (field->which) {
	case SCHEMA_TYPE_VOID:
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
		emit_capability(node, field);
		break;
	case SCHEMA_TYPE_ANY_POINTER:
		emit_any(node, field);
		break;
	default:
		emit_number(node, field);
	}
}

void
emit_readers(const struct node *node)
{
	const char *name = node_lower(node);

	out("/* -- %s -- */\n\n", name);
	if (!schema_node_struct_get_is_group(node->at)) {
		out("static inline struct %s\n%s_root("
		    "struct capnp_reader *reader)\n{\n\treturn (struct %s){ "
		    "capnp_root(reader) };\n}\n\n", name, name, name);
		out("/* Of a list of them. */\nstatic inline struct %s\n"
		    "%s_at(struct capnp_list list, uint32_t i)\n{\n"
		    "\treturn (struct %s){ capnp_list_struct(list, i) };\n"
		    "}\n\n", name, name, name);
	}
	if (schema_node_struct_get_discriminant_count(node->at) != 0)
		out("/* %s_IS_*, or a number of a newer schema. */\n"
		    "static inline uint16_t\n%s_which(struct %s r)\n{\n"
		    "\treturn capnp_get_u16(r.at, %u);\n}\n\n",
		    node_upper(node), name, name,
		    schema_node_struct_get_discriminant_offset(node->at) * 2);
	for (unsigned i = 0; i < ordinary_count(node); i++) {
		struct ordinary_field field = ordinary_field(node, i);

		emit_field(node, &field);
	}
}
