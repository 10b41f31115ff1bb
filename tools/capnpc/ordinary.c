/* SPDX-License-Identifier: MIT */
#include "ordinary.h"

#include <lib/capnp/build.h>
#include <stdlib.h>
#include <string.h>

#define CONSTANT_WORDS	65536u	/* of one default */

static bool
is_ordinary(const struct node *node)
{
	return schema_node_which(node->at) == SCHEMA_NODE_STRUCT &&
	    !node_is_fixed(node);
}

unsigned
ordinary_count(const struct node *node)
{
	return schema_node_get_members(node->at).count;
}

static struct schema_field
by_code_order(const struct node *node, unsigned order, unsigned *out_index)
{
	struct capnp_list list = schema_node_get_members(node->at);

	for (unsigned i = 0; i < list.count; i++) {
		struct schema_field field = { capnp_list_struct(list, i) };

		*out_index = i;
		if (schema_member_get_code_order(field.at) == order)
			return field;
	}
	*out_index = order;
	return (struct schema_field){ capnp_list_struct(list, order) };
}

struct ordinary_field
ordinary_field(const struct node *node, unsigned i)
{
	unsigned index;
	struct schema_field at = by_code_order(node, i, &index);
	const char *name = text_of(schema_member_get_name(at.at));
	struct ordinary_field field = {
		.name = name_lower(name), .upper = name_upper(name),
		.doc = node_member_doc(node, index), .at = at,
		.is_group = schema_field_which(at) == SCHEMA_FIELD_GROUP,
		.discriminant = schema_field_get_discriminant_value(at),
	};

	if (field.is_group) {
		field.type_node = node_find(
		    schema_field_group_get_type_id(at));
		return field;
	}
	field.type = schema_field_slot_get_type(at);
	field.which = schema_type_which(field.type);
	field.offset = schema_field_slot_get_offset(at);
	field.fallback = schema_field_slot_get_default_value(at);
	field.has_fallback = schema_field_slot_get_had_explicit_default(at);
	if (field.which == SCHEMA_TYPE_STRUCT ||
	    field.which == SCHEMA_TYPE_ENUM)
		field.type_node = node_find(
		    schema_type_get_type_id(field.type));
	return field;
}

bool
is_pointer_type(unsigned which)
{
	return which >= SCHEMA_TYPE_TEXT && which != SCHEMA_TYPE_ENUM;
}

unsigned
type_bits(unsigned which)
{
	static const uint8_t bits[] = {
		[SCHEMA_TYPE_BOOL] = 1, [SCHEMA_TYPE_INT8] = 8,
		[SCHEMA_TYPE_INT16] = 16, [SCHEMA_TYPE_INT32] = 32,
		[SCHEMA_TYPE_INT64] = 64, [SCHEMA_TYPE_UINT8] = 8,
		[SCHEMA_TYPE_UINT16] = 16, [SCHEMA_TYPE_UINT32] = 32,
		[SCHEMA_TYPE_UINT64] = 64, [SCHEMA_TYPE_FLOAT32] = 32,
		[SCHEMA_TYPE_FLOAT64] = 64, [SCHEMA_TYPE_ENUM] = 16,
	};

	return which < sizeof(bits) ? bits[which] : 0;
}

const char *
type_in_c(unsigned which)
{
	if (which == SCHEMA_TYPE_BOOL)
		return "bool";
	return text_format("%sint%u_t", which >= SCHEMA_TYPE_INT8 &&
	    which <= SCHEMA_TYPE_INT64 ? "" : "u", type_bits(which));
}

const char *
type_element(struct schema_type element)
{
	unsigned which = schema_type_which(element);

	switch (type_bits(which)) {
	case 1:
		return "CAPNP_BIT";
	case 8:
		return "CAPNP_BYTE";
	case 16:
		return "CAPNP_TWO_BYTES";
	case 32:
		return "CAPNP_FOUR_BYTES";
	case 64:
		return "CAPNP_EIGHT_BYTES";
	default:
		return which == SCHEMA_TYPE_VOID ? "CAPNP_VOID" :
		    which == SCHEMA_TYPE_STRUCT ? "CAPNP_COMPOSITE" :
		    "CAPNP_POINTER";
	}
}

/* -- defaults -- */

char *
fallback_bits(const struct ordinary_field *field)
{
	unsigned bits = type_bits(field->which);
	uint64_t value = value_bits(field->fallback);

	if (!field->has_fallback || bits == 0)
		return NULL;
	if (bits < 64)
		value &= (1ul << bits) - 1;
	if (value == 0)
		return NULL;
	return bits == 1 ? text_format("true") : text_format("%lu%s", value,
	    bits == 64 ? "ul" : "u");
}

char *
fallback_name(const struct node *node, const struct ordinary_field *field)
{
	if (!field->has_fallback || (field->which != SCHEMA_TYPE_TEXT &&
	    field->which != SCHEMA_TYPE_DATA &&
	    field->which != SCHEMA_TYPE_STRUCT &&
	    field->which != SCHEMA_TYPE_LIST))
		return NULL;
	return text_format("%s_default_%s", node_lower(node), field->name);
}

static void
emit_numbers(const uint64_t *words, size_t count)
{
	char *text = text_format("\t\t");

	for (size_t i = 0; i < count; i++)
		text = text_format("%s0x%lx%s", text, words[i], i + 1 < count ?
		    "ul, " : "ul,");
	out_line("%s", text);
}

/* One segment that begins with its pointer. */
static void
emit_words_of(const struct ordinary_field *field)
{
	uint64_t *words = make(CONSTANT_WORDS * 8);
	struct capnp_builder builder;
	uint32_t segments;

	capnp_builder_init(&builder, words, CONSTANT_WORDS);
	capnp_set_any(capnp_builder_root(&builder), field->fallback.at, 0);
	if (capnp_builder_status(&builder) != OK) {
		complain(field->name, "its default is too large");
		return;
	}
	emit_numbers(words, capnp_builder_segments(&builder,
	    &segments)->count);
	free(words);
}

static void
emit_bytes_of(const struct ordinary_field *field)
{
	struct capnp_blob blob = field->which == SCHEMA_TYPE_DATA ?
	    capnp_get_data(field->fallback.at, 0) :
	    schema_value_get_text(field->fallback);
	char *text = text_format("\t\t");

	for (size_t i = 0; i < blob.length; i++)
		text = text_format("%s%u, ", text, blob.bytes[i]);
	out_line("%s0,", text);
}

void
emit_fallback(const struct node *node, const struct ordinary_field *field)
{
	const char *name = fallback_name(node, field);
	bool blob = field->which == SCHEMA_TYPE_TEXT ||
	    field->which == SCHEMA_TYPE_DATA;

	if (name == NULL)
		return;
	out("static inline %s\n%s(void)\n{\n", blob ? "struct capnp_blob" :
	    "const uint64_t *", name);
	out("\tstatic const %s fallback[] = {\n", blob ? "uint8_t" :
	    "uint64_t");
	if (blob)
		emit_bytes_of(field);
	else
		emit_words_of(field);
	out("\t};\n\n\treturn %s;\n}\n\n", blob ? "(struct capnp_blob){ "
	    "fallback, sizeof(fallback) - 1 }" : "fallback");
}

/* -- a file -- */

static bool
has_structs(const struct node *scope)
{
	for (unsigned i = 0; i < node_nested_count(scope); i++) {
		const struct node *node = node_nested(scope, i);

		if (node != NULL && (is_ordinary(node) || has_structs(node)))
			return true;
	}
	return false;
}

bool
has_ordinary(const struct node *file)
{
	return !file_is_ours(file) || has_structs(file);
}

static void
define_struct(const struct node *node)
{
	const char *name = node_lower(node);

	if (*node->doc != '\0')
		out_comment(0, node->doc);
	out("struct %s {\n\tstruct capnp_struct at;\n};\n\n", name);
	out("struct %s_builder {\n\tstruct capnp_struct_builder at;\n};\n\n",
	    name);
	if (schema_node_struct_get_is_group(node->at))
		return;
	out("#define %s_DATA_WORDS\t%u\n#define %s_POINTERS\t%u\n\n",
	    node_upper(node),
	    schema_node_struct_get_data_word_count(node->at),
	    node_upper(node), schema_node_struct_get_pointer_count(node->at));
}

static void
define_union(const struct node *node)
{
	if (schema_node_struct_get_discriminant_count(node->at) == 0)
		return;
	out("/* Which field of the union of struct %s is set. */\nenum {\n",
	    node_lower(node));
	for (unsigned i = 0; i < ordinary_count(node); i++) {
		struct ordinary_field field = ordinary_field(node, i);

		if (field.discriminant != SCHEMA_FIELD_NO_DISCRIMINANT)
			out("\t%s_IS_%s = %u,\n", node_upper(node),
			    field.upper, field.discriminant);
	}
	out("};\n\n");
}

static void
define_all(const struct node *node)
{
	define_struct(node);
	define_union(node);
}

static void
emit_functions(const struct node *node)
{
	for (unsigned i = 0; i < ordinary_count(node); i++) {
		struct ordinary_field field = ordinary_field(node, i);

		if (!field.is_group)
			emit_fallback(node, &field);
	}
	emit_readers(node);
	emit_builders(node);
}

/* Numbers by which a remote caller names an interface and its methods. */
static void
define_interface(const struct node *node)
{
	struct capnp_list methods = schema_node_get_members(node->at);
	const char *upper = node_upper(node);

	out_comment(0, node->doc);
	out("#define %s_INTERFACE\t0x%lxul\n", upper, node->id);
	for (unsigned i = 0; i < methods.count; i++)
		out("#define %s_METHOD_%s\t%u\n", upper, name_upper(text_of(
		    schema_member_get_name(capnp_list_struct(methods, i)))),
		    i);
	out("\n");
}

static bool
is_inside(const struct node *node, const struct node *file)
{
	return node_file(node) == file && node != file;
}

/* Structs and groups of the file, in the order of the request. */
static void
each_struct(const struct node *file, void (*emit)(const struct node *node))
{
	for (unsigned i = 0; i < request_node_count(); i++) {
		const struct node *node = request_node(i);

		/* Messages of our interfaces travel in words. */
		if (!is_inside(node, file) || !is_ordinary(node) ||
		    (file_is_ours(file) && schema_node_which(
		    node->scope->at) == SCHEMA_NODE_INTERFACE))
			continue;
		emit(node);
	}
}

static void
check_types(const struct node *node)
{
	for (unsigned i = 0; i < ordinary_count(node); i++) {
		struct ordinary_field field = ordinary_field(node, i);
		const struct node *type = field.type_node;
		bool requested = type == NULL;

		for (unsigned f = 0; type != NULL && f < request_file_count();
		    f++)
			requested |= request_file(f).node == node_file(type);
		if (!requested)
			complain(node->full_name, "%s is of %s: give its file "
			    "to the compiler, too", field.name,
			    type->full_name);
	}
}

static void
include_others(const struct source_file *file)
{
	for (unsigned i = 0; i < request_file_count(); i++) {
		struct source_file other = request_file(i);

		if (other.node != file->node && has_ordinary(other.node) &&
		    file_imports(file->node, other.node))
			out("#include <idl/%s.capnp.h>\n", other.name);
	}
}

void
emit_ordinary(const struct source_file *file)
{
	out_header(file->path, text_format("Readers and builders of %s. Getters "
	    "of a union do not ask which field is set. Numbers with a fraction "
	    "are their bits.", file->path));
	out("#include <lib/capnp/build.h>\n");
	include_others(file);
	if (file_is_ours(file->node))
		out("#include <idl/%s.h>\n", file->name);
	out("\n");
	if (!file_is_ours(file->node))
		emit_types(file->node);
	out("\n");
	for (unsigned i = 0; i < request_node_count(); i++)
		if (is_inside(request_node(i), file->node) &&
		    !file_is_ours(file->node) && schema_node_which(
		    request_node(i)->at) == SCHEMA_NODE_INTERFACE)
			define_interface(request_node(i));
	each_struct(file->node, check_types);
	each_struct(file->node, define_all);
	each_struct(file->node, emit_functions);
}
