/* SPDX-License-Identifier: MIT */
#include "request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX	(8ul << 20)	/* of a request */

static struct {
	struct capnp_reader reader;
	struct capnp_segment segment[CAPNP_SEGMENTS_MAX];
	struct capnp_struct root;
	struct node *node;
	unsigned node_count;
	unsigned complaints;
} request;

void *
make(size_t size)
{
	void *memory = calloc(1, size == 0 ? 1 : size);

	if (memory == NULL) {
		fprintf(stderr, "capnpc-bennu: no memory\n");
		exit(1);
	}
	return memory;
}

char *
text_of(struct capnp_blob blob)
{
	char *text = make(blob.length + 1);

	memcpy(text, blob.bytes, blob.length);
	return text;
}

char *
text_format(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	char *text = make((size_t)length + 1);
	va_start(arguments, format);
	vsnprintf(text, (size_t)length + 1, format, arguments);
	va_end(arguments);
	return text;
}

void
complain(const char *where, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "%s: ", where);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	request.complaints++;
}

unsigned
complaints(void)
{
	return request.complaints;
}

/* A comment of the schema as part of one in C: it begins and ends none. */
static char *
comment_of(struct capnp_blob blob)
{
	char *text = make(2 * blob.length + 1), *to = text;

	for (size_t i = 0; i < blob.length; i++) {
		char c = (char)blob.bytes[i];

		if (to > text && ((to[-1] == '*' && c == '/') ||
		    (to[-1] == '/' && c == '*')))
			*to++ = ' ';
		*to++ = c;
	}
	return text;
}

static bool
is_capital(char c)
{
	return c >= 'A' && c <= 'Z';
}

char *
name_lower(const char *name)
{
	char *text = make(2 * strlen(name) + 1), *at = text;

	for (const char *c = name; *c != '\0'; c++) {
		if (is_capital(*c) && c != name && !is_capital(c[-1]))
			*at++ = '_';
		*at++ = is_capital(*c) ? (char)(*c - 'A' + 'a') : *c;
	}
	return text;
}

char *
name_upper(const char *name)
{
	char *text = name_lower(name);

	for (char *c = text; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	return text;
}

static void
fail(const char *reason)
{
	fprintf(stderr, "capnpc-bennu: %s\n", reason);
	exit(1);
}

static size_t
read_input(uint64_t *words)
{
	size_t length = fread(words, 1, WORDS_MAX * 8, stdin);

	if (length == 0 || length % 8 != 0 || length == WORDS_MAX * 8)
		fail("standard input is no request of the compiler; run it as "
		    "capnp compile -o capnpc-bennu");
	return length / 8;
}

static void
adopt(struct node *child, const struct node *interface)
{
	char *name;

	if (child == NULL || child->scope != NULL ||
	    schema_node_which(child->at) != SCHEMA_NODE_STRUCT)
		return;
	/* seek$Params */
	name = text_format("%s", child->name);
	for (char *c = name; *c != '\0'; c++)
		if (*c == '$')
			memmove(c, c + 1, strlen(c));
	child->name = name;
	child->scope = interface;
}

/* Parameters that a method lists belong to no scope: now to its interface. */
static void
adopt_messages(const struct node *interface)
{
	struct capnp_list methods = schema_node_get_members(interface->at);

	for (unsigned i = 0; i < methods.count; i++) {
		struct schema_method method = {
			capnp_list_struct(methods, i) };

		adopt((struct node *)node_find(
		    schema_method_get_param_struct_type(method)), interface);
		adopt((struct node *)node_find(
		    schema_method_get_result_struct_type(method)), interface);
	}
}

static void
read_nodes(void)
{
	struct capnp_list list = schema_request_get_nodes(request.root);

	request.node = make(list.count * sizeof(request.node[0]));
	request.node_count = list.count;
	for (unsigned i = 0; i < list.count; i++) {
		struct schema_node at = { capnp_list_struct(list, i) };
		char *full = text_of(schema_node_get_display_name(at));
		size_t skip = schema_node_get_display_name_prefix_length(at);

		request.node[i] = (struct node){
			.id = schema_node_get_id(at), .at = at,
			.full_name = full, .doc = "",
			.name = skip < strlen(full) ? full + skip : full,
		};
	}
	for (unsigned i = 0; i < list.count; i++)
		request.node[i].scope = node_find(
		    schema_node_get_scope_id(request.node[i].at));
	for (unsigned i = 0; i < list.count; i++)
		if (schema_node_which(request.node[i].at) ==
		    SCHEMA_NODE_INTERFACE)
			adopt_messages(&request.node[i]);
}

static void
read_comments(void)
{
	struct capnp_list list = schema_request_get_source_info(request.root);

	for (unsigned i = 0; i < list.count; i++) {
		struct capnp_struct info = capnp_list_struct(list, i);
		uint64_t id = capnp_get_u64(info, 0);

		for (unsigned n = 0; n < request.node_count; n++) {
			if (request.node[n].id != id)
				continue;
			request.node[n].doc = comment_of(
			    capnp_get_text(info, 0));
			request.node[n].member_info = capnp_get_list(info, 1,
			    CAPNP_COMPOSITE);
		}
	}
}

void
request_read(void)
{
	uint64_t *words = make(WORDS_MAX * 8);
	size_t count = read_input(words), taken;
	uint32_t segments;

	if (capnp_unframe(words, count, request.segment, CAPNP_SEGMENTS_MAX,
	    &segments, &taken) != OK)
		fail("the request has no valid segment table");
	capnp_reader_init(&request.reader, request.segment, segments,
	    64 * WORDS_MAX, 0);
	request.root = capnp_root(&request.reader);
	read_nodes();
	read_comments();
	if (request.node_count == 0)
		fail("the request has no nodes");
	request_check();
}

void
request_check(void)
{
	if (capnp_status(&request.reader) != OK)
		fail("the request is damaged");
}

unsigned
request_file_count(void)
{
	return schema_request_get_requested_files(request.root).count;
}

struct source_file
request_file(unsigned i)
{
	struct capnp_struct at = capnp_list_struct(
	    schema_request_get_requested_files(request.root), i);
	char *path = text_of(capnp_get_text(at, 0));
	const char *slash = strrchr(path, '/');
	char *name = text_format("%s", slash != NULL ? slash + 1 : path);
	char *dot = strrchr(name, '.');

	if (dot != NULL)
		*dot = '\0';
	for (char *c = name; *c != '\0'; c++)
		if (*c == '-' || *c == '+' || *c == '.')
			*c = '_';
	return (struct source_file){ node_find(capnp_get_u64(at, 0)), path,
	    name };
}

static bool
imports_ours(struct capnp_struct file)
{
	struct capnp_list imports = capnp_get_list(file, 1, CAPNP_COMPOSITE);

	for (unsigned i = 0; i < imports.count; i++) {
		struct capnp_struct import = capnp_list_struct(imports, i);

		if (strstr(text_of(capnp_get_text(import, 0)),
		    "bennu.capnp") != NULL)
			return true;
	}
	return false;
}

bool
file_imports(const struct node *file, const struct node *other)
{
	struct capnp_list files = schema_request_get_requested_files(
	    request.root);

	for (unsigned i = 0; i < files.count; i++) {
		struct capnp_struct at = capnp_list_struct(files, i);
		struct capnp_list imports = capnp_get_list(at, 1,
		    CAPNP_COMPOSITE);

		for (unsigned k = 0; capnp_get_u64(at, 0) == file->id &&
		    k < imports.count; k++)
			if (capnp_get_u64(capnp_list_struct(imports, k), 0) ==
			    other->id)
				return true;
	}
	return false;
}

bool
file_is_ours(const struct node *file)
{
	struct capnp_list files = schema_request_get_requested_files(
	    request.root);

	for (unsigned i = 0; i < files.count; i++)
		if (capnp_get_u64(capnp_list_struct(files, i), 0) == file->id)
			return imports_ours(capnp_list_struct(files, i));
	return false;
}

unsigned
request_node_count(void)
{
	return request.node_count;
}

const struct node *
request_node(unsigned i)
{
	return &request.node[i];
}

const struct node *
node_find(uint64_t id)
{
	for (unsigned i = 0; i < request.node_count; i++)
		if (request.node[i].id == id)
			return &request.node[i];
	return NULL;
}

const struct node *
node_file(const struct node *node)
{
	while (node->scope != NULL)
		node = node->scope;
	return node;
}

unsigned
node_nested_count(const struct node *node)
{
	return schema_node_get_nested_nodes(node->at).count;
}

const struct node *
node_nested(const struct node *node, unsigned i)
{
	struct capnp_struct nested = capnp_list_struct(
	    schema_node_get_nested_nodes(node->at), i);

	return node_find(capnp_get_u64(nested, 0));
}

const char *
node_member_doc(const struct node *node, unsigned i)
{
	if (i >= node->member_info.count)
		return "";
	return comment_of(capnp_get_text(
	    capnp_list_struct(node->member_info, i), 0));
}

static bool
note_find(struct capnp_list notes, uint64_t id, struct schema_value *out)
{
	for (unsigned i = 0; i < notes.count; i++) {
		struct schema_annotation note = {
			capnp_list_struct(notes, i) };

		if (schema_annotation_get_id(note) == id) {
			*out = schema_annotation_get_value(note);
			return true;
		}
	}
	return false;
}

bool
note_has(struct capnp_list notes, uint64_t id)
{
	struct schema_value value;

	return note_find(notes, id, &value);
}

uint64_t
note_number(struct capnp_list notes, uint64_t id, uint64_t missing)
{
	struct schema_value value;

	return note_find(notes, id, &value) ? value_bits(value) : missing;
}

const char *
note_text(struct capnp_list notes, uint64_t id)
{
	struct schema_value value;

	return note_find(notes, id, &value) ?
	    comment_of(schema_value_get_text(value)) : NULL;
}

uint64_t
value_bits(struct schema_value value)
{
	switch (schema_value_which(value)) {
	case SCHEMA_TYPE_BOOL:
		return capnp_get_bit(value.at, 16);
	case SCHEMA_TYPE_INT8:
		return (uint64_t)(int8_t)capnp_get_u8(value.at, 2);
	case SCHEMA_TYPE_UINT8:
		return capnp_get_u8(value.at, 2);
	case SCHEMA_TYPE_INT16:
		return (uint64_t)(int16_t)capnp_get_u16(value.at, 2);
	case SCHEMA_TYPE_UINT16:
	case SCHEMA_TYPE_ENUM:
		return capnp_get_u16(value.at, 2);
	case SCHEMA_TYPE_INT32:
		return (uint64_t)(int32_t)capnp_get_u32(value.at, 4);
	case SCHEMA_TYPE_UINT32:
	case SCHEMA_TYPE_FLOAT32:
		return capnp_get_u32(value.at, 4);
	case SCHEMA_TYPE_INT64:
	case SCHEMA_TYPE_UINT64:
	case SCHEMA_TYPE_FLOAT64:
		return capnp_get_u64(value.at, 8);
	default:
		return 0;
	}
}
