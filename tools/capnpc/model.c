/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <string.h>

#define INTERFACES_MAX	64u
#define SCOPES_MAX	8u

static struct interface interfaces[INTERFACES_MAX];
static unsigned interface_count;

static struct capnp_list
notes_of(const struct node *node)
{
	return schema_node_get_annotations(node->at);
}

bool
node_is_fixed(const struct node *node)
{
	return note_number(notes_of(node), NOTE_LAYOUT, 0) == 1;
}

/*
 * Names of all scopes, or what $prefix says. In files of others the name of
 * the file comes first, so that theirs are told from ours.
 */
char *
node_lower(const struct node *node)
{
	const char *prefix = note_text(notes_of(node), NOTE_PREFIX);
	char *own;

	if (node->scope == NULL) {
		if (prefix != NULL || file_is_ours(node))
			return text_format("%s", prefix != NULL ? prefix : "");
		for (unsigned i = 0; i < request_file_count(); i++)
			if (request_file(i).node == node)
				return text_format("%s", request_file(i).name);
		return text_format("%s", "");
	}
	if (prefix != NULL)
		return text_format("%s", prefix);
	own = name_lower(node->name);
	char *outer = node_lower(node->scope);
	return *outer == '\0' ? own : text_format("%s_%s", outer, own);
}

char *
node_upper(const struct node *node)
{
	return name_upper(node_lower(node));
}

const char *
error_argument(const struct interface *interface)
{
	return interface->status_numbers ? "ERR_ARG" : "E_INVAL";
}

const char *
error_nosys(const struct interface *interface)
{
	return interface->status_numbers ? "ERR_NOSYS" : "E_NOSYS";
}

const char *
error_trust(const struct interface *interface)
{
	return interface->status_numbers ? "ERR_RIGHT" : "E_PERM";
}

unsigned
model_count(void)
{
	return interface_count;
}

const struct interface *
model_interface(unsigned i)
{
	return &interfaces[i];
}

/* "" or "E_IO: why; E_NXIO: why" */
static bool
errors_are_valid(const struct interface *interface, const char *errors)
{
	const char *head = interface->status_numbers ? "ERR_" : "E_";

	while (*errors != '\0') {
		size_t name = strspn(errors,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
		const char *next = strstr(errors, "; ");

		if (strncmp(errors, head, strlen(head)) != 0 &&
		    strstr(errors, "_E_") == NULL)
			return false;
		if (strncmp(errors + name, ": ", 2) != 0)
			return false;
		if (next == NULL)
			return true;
		errors = next + 2;
	}
	return true;
}

/* -- one method -- */

static void
read_head(struct method *method, struct capnp_list notes)
{
	uint64_t tag = note_number(notes, NOTE_TAG, 0);
	const char *errors = note_text(notes, NOTE_ERRORS);
	static const char *const replay[] = { "any", "keyed", "never" };

	method->tag = (unsigned)tag;
	method->trust = (unsigned)note_number(notes, NOTE_TRUST, 0);
	method->parks = note_has(notes, NOTE_PARKS);
	method->errors = errors != NULL ? errors : "";
	method->keyed = note_number(notes, NOTE_REPLAY, 0) == 1;
	method->replay = replay[note_number(notes, NOTE_REPLAY, 0) % 3];
	if (tag == 0 || tag >= 0x8000)
		complain(method->where, "needs $tag(1 to 0x7fff)");
	if (method->trust > 15)
		complain(method->where, "$trust goes to 15");
	if (errors == NULL)
		complain(method->where, "needs $errors(\"E_X: why; ...\"), "
		    "\"\" if it has none");
	else if (!errors_are_valid(method->interface, errors))
		complain(method->where, "$errors is not \"%sX: why; %sY: "
		    "why\"", method->interface->status_numbers ? "ERR_" : "E_",
		    method->interface->status_numbers ? "ERR_" : "E_");
	if (!note_has(notes, NOTE_REPLAY))
		complain(method->where, "needs $replay(any, keyed or never)");
}

static void
read_method(struct interface *interface, unsigned i, struct method *method)
{
	struct schema_method at = { capnp_list_struct(
	    schema_node_get_members(interface->node->at), i) };
	const char *name = text_of(schema_member_get_name(at.at));
	const struct node *in, *out;

	method->interface = interface;
	method->where = text_format("%s.%s", interface->node->full_name, name);
	method->name = name_lower(name);
	method->lower = text_format("%s_%s", interface->name, method->name);
	method->upper = name_upper(method->lower);
	method->doc = node_member_doc(interface->node, i);
	read_head(method, schema_method_get_annotations(at));
	in = node_find(schema_method_get_param_struct_type(at));
	out = node_find(schema_method_get_result_struct_type(at));
	if (in != NULL && out != NULL)
		parameters_read(method, in, out);
	else
		complain(method->where, "its parameters are not in the request");
}

/* Its id takes a word, and a kept reply is words. */
static void
check_keyed(struct interface *interface, struct method *method)
{
	if (!method->keyed)
		return;
	interface->keyed = true;
	if (method->trust < 0xe)
		complain(method->where, "$replay(keyed) is for services: it "
		    "needs $trust(0xe)");
	if (method->parks || method->windows != 0 || method->caps_in != 0 ||
	    method->caps_out != 0 || (method->request_words & 0x80) != 0)
		complain(method->where, "$replay(keyed) has words only, 1 to "
		    "6, and does not park");
}

static void
check_tags(const struct interface *interface)
{
	for (unsigned i = 0; i < interface->method_count; i++) {
		const struct method *a = &interface->method[i];

		for (unsigned k = 0; k < i; k++)
			if (interface->method[k].tag == a->tag)
				complain(a->where, "has the tag of %s",
				    interface->method[k].name);
	}
}

static void
read_interface(const struct node *node)
{
	struct interface *interface = &interfaces[interface_count++];
	struct capnp_list methods = schema_node_get_members(node->at);
	const char *place = note_text(notes_of(node), NOTE_PLACE);

	*interface = (struct interface){
		.node = node, .name = node_lower(node),
		.upper = node_upper(node), .place = place,
		.status_numbers = note_number(notes_of(node), NOTE_NUMBERS,
		    0) == 1,
		.method = make(methods.count * sizeof(struct method)),
		.method_count = methods.count,
	};
	if (place == NULL)
		complain(node->full_name, "needs $place(\"who provides it\")");
	for (unsigned i = 0; i < methods.count; i++) {
		read_method(interface, i, &interface->method[i]);
		check_keyed(interface, &interface->method[i]);
	}
	check_tags(interface);
}

static void
find_interfaces(const struct node *node)
{
	if (schema_node_which(node->at) == SCHEMA_NODE_INTERFACE) {
		if (interface_count < INTERFACES_MAX)
			read_interface(node);
		else
			complain(node->full_name, "is one interface too many");
	}
	for (unsigned i = 0; i < node_nested_count(node); i++)
		if (node_nested(node, i) != NULL)
			find_interfaces(node_nested(node, i));
}

static const struct method *
method_of_tag(unsigned tag, unsigned before)
{
	for (unsigned i = 0; i < before; i++)
		for (unsigned m = 0; m < interfaces[i].method_count; m++)
			if (interfaces[i].method[m].tag == tag)
				return &interfaces[i].method[m];
	return NULL;
}

/* Two interfaces must not share a tag, for crash reports name requests. */
static void
check_all_tags(void)
{
	for (unsigned i = 0; i < interface_count; i++) {
		for (unsigned m = 0; m < interfaces[i].method_count; m++) {
			const struct method *method =
			    &interfaces[i].method[m];
			const struct method *other = method_of_tag(
			    method->tag, i);

			if (other != NULL)
				complain(method->where, "has the tag of %s",
				    other->where);
		}
	}
}

void
model_build(void)
{
	for (unsigned i = 0; i < request_file_count(); i++) {
		const struct node *file = request_file(i).node;

		/* What others wrote says nothing of words and windows. */
		if (file_is_ours(file))
			find_interfaces(file);
	}
	check_all_tags();
}

bool
method_has_room(const struct method *method)
{
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES ||
		    method->out[i].form == FORM_STRUCT)
			return true;
	return false;
}

bool
method_has_args(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form != FORM_LENGTH)
			return true;
	return method_has_room(method);
}

static bool
is_told(const struct parameter *parameter)
{
	return parameter->form == FORM_NUMBER ||
	    parameter->form == FORM_IN_WORDS || parameter->form == FORM_BYTES;
}

bool
method_has_results(const struct method *method)
{
	for (unsigned i = 0; i < method->out_count; i++)
		if (is_told(&method->out[i]))
			return true;
	return false;
}

const struct parameter *
method_only_result(const struct method *method)
{
	const struct parameter *only = NULL;

	for (unsigned i = 0; i < method->out_count; i++) {
		if (!is_told(&method->out[i]))
			continue;
		if (only != NULL || method->out[i].form == FORM_IN_WORDS)
			return NULL;
		only = &method->out[i];
	}
	return only;
}
