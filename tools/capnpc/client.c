/* SPDX-License-Identifier: MIT */
/*
 * <idl/NAME_client.h>: one function per method that calls and waits. Arguments
 * and results are parameters if that makes at most five, structs otherwise.
 */
#include "emit.h"

#define C_PARAMETERS_MAX	5u

/* How many C parameters the arguments take one by one. */
static unsigned
argument_count(const struct method *method)
{
	unsigned count = 0;

	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *p = &method->in[i];

		if (p->form == FORM_BYTES)
			count += 2;
		else if (p->form != FORM_LENGTH)
			count++;
	}
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES)
			count += 2;
		else if (method->out[i].form == FORM_STRUCT)
			count++;
	return count;
}

static bool
is_flat(const struct method *method)
{
	return argument_count(method) == 0 ||
	    1 + argument_count(method) + method_has_results(method) +
	    method->caps_out <= C_PARAMETERS_MAX;
}

static char *
argument_declaration(const struct parameter *p)
{
	const char *name = name_local(p->name);

	switch (p->form) {
	case FORM_NUMBER:
		return text_format(", %s %s", p->c_type, name);
	case FORM_IN_WORDS:
		return text_format(", const char *%s", name);
	case FORM_BYTES:
		if (p->is_result)
			return text_format(", void *%s, uint64_t %s_room",
			    name, p->name);
		if (p->is_short)
			return text_format(", const char %s[static "
			    "WIRE_SHORT_MAX], uint64_t %s_length", name,
			    p->name);
		return text_format(", const %s *%s, uint64_t %s_length",
		    p->is_text ? "char" : "void", name, p->name);
	case FORM_STRUCT:
		return text_format(p->is_result ? ", %s *out_%s" :
		    ", const %s *%s", p->c_type, p->is_result ? p->name :
		    name);
	case FORM_CAP:
		return text_format(", cap_t %s", name);
	default:
		return text_format("%s", "");
	}
}

static char *
declarations(const struct method *method)
{
	char *text = text_format("%s", "cap_t target");

	for (unsigned i = 0; i < method->in_count; i++)
		text = text_format("%s%s", text,
		    argument_declaration(&method->in[i]));
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES ||
		    method->out[i].form == FORM_STRUCT)
			text = text_format("%s%s", text,
			    argument_declaration(&method->out[i]));
	return text;
}

static char *
result_declarations(const struct method *method)
{
	const struct parameter *only = method_only_result(method);
	char *text = text_format("%s", "");

	if (only != NULL)
		text = text_format(", %s *out_%s%s",
		    only->form == FORM_BYTES ? "uint64_t" : only->c_type,
		    only->name, only->form == FORM_BYTES ? "_length" : "");
	else if (method_has_results(method))
		text = text_format(", struct %s_results *out", method->lower);
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_CAP)
			text = text_format("%s, cap_t *out_%s", text,
			    method->out[i].name);
	return text;
}

static void
emit_initialiser(const struct parameter *p)
{
	const char *name = name_local(p->name);

	switch (p->form) {
	case FORM_NUMBER:
	case FORM_CAP:
		out_line("\t\t.%s = %s,", p->name, name);
		break;
	case FORM_BYTES:
		out_line("\t\t.%s = { %s, %s_%s, 0 },", p->name, name,
		    p->name, p->is_result ? "room" : "length");
		break;
	case FORM_STRUCT:
		out_line("\t\t.%s = %s%s,", p->name, p->is_result ? "out_" :
		    "", p->is_result ? p->name : name);
		break;
	default:
		break;
	}
}

/* Texts in words are copied instead. */
static bool
has_initialisers(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form != FORM_IN_WORDS &&
		    method->in[i].form != FORM_LENGTH)
			return true;
	return method_has_room(method);
}

static void
emit_flat_arguments(const struct method *method)
{
	if (!has_initialisers(method)) {
		out("\tstruct %s_args in;\n", method->lower);
		return;
	}
	out("\tstruct %s_args in = {\n", method->lower);
	for (unsigned i = 0; i < method->in_count; i++)
		emit_initialiser(&method->in[i]);
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES ||
		    method->out[i].form == FORM_STRUCT)
			emit_initialiser(&method->out[i]);
	out("\t};\n");
}

static void
emit_texts_in_words(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *p = &method->in[i];

		if (p->form == FORM_IN_WORDS)
			out_line("\twire_text_set(in.%s, sizeof(in.%s), %s);",
			    p->name, p->name, name_local(p->name));
	}
}

static void
emit_locals(const struct method *method, bool flat)
{
	const char *caps = "";
	unsigned count = method->caps_out > method->caps_in ?
	    method->caps_out : method->caps_in;

	out("\tstruct message message;\n");
	if (method->windows != 0)
		out("\tstruct window window[%u];\n", method->windows);
	/* Two come back, if any. */
	if (count == 1)
		count = 2;
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form == FORM_CAP)
			caps = text_format("%s%s%s%s", caps, *caps == '\0' ?
			    "" : ", ", flat ? "in." : "in->",
			    method->in[i].name);
	if (count != 0)
		out_line("\tcap_t caps[%u] = { %s };", count, *caps == '\0' ?
		    "CAP_NONE" : caps);
	if (method_only_result(method) != NULL)
		out("\tstruct %s_results results;\n", method->lower);
}

static char *
caps_expression(const struct method *method, bool flat)
{
	unsigned always = method->caps_in - method->caps_optional;
	char *text = always == 0 && method->caps_optional != 0 ?
	    text_format("%s", "") : text_format("%u", always);

	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form == FORM_CAP && method->in[i].optional)
			text = text_format("%s%s(in%s%s != CAP_NONE)", text,
			    *text == '\0' ? "" : " + ", flat ? "." : "->", method->in[i].name);
	return text;
}

static void
emit_call(const struct method *method, bool flat)
{
	const char *args = method_has_args(method) ? flat ? ", &in" : ", in" :
	    "";
	bool caps = method->caps_in != 0 || method->caps_out != 0;
	bool plain = !method_has_results(method) && method->caps_out == 0;
	/* A short text leaves its window as it was. */
	const char *window = method->is_short ? "windows != 0 ? window : NULL" :
	    method->windows != 0 ? "window" : "NULL";

	if (method->windows != 0)
		out_line("\tunsigned windows = %s_put(&message, window%s);",
		    method->lower, args);
	else
		out_line("\t%s_put(&message%s);", method->lower, args);
	out_line("\t%s wire_call(target, &message, %s, "
	    "wire_transfer(%s, %s), %s);", plain ? "return" :
	    "long error =", window, method->windows != 0 ? "windows" : "0",
	    caps_expression(method, flat), caps ? "caps" : "NULL");
	if (!plain)
		out("\n");
}

static void
emit_results(const struct method *method, bool flat)
{
	const struct parameter *only = method_only_result(method);

	if (!method_has_results(method) && method->caps_out == 0)
		return;
	out("\tif (error != 0)\n\t\treturn error;\n");
	if (only != NULL) {
		out_line("\t%s_reply_get(&message, &results);", method->lower);
		out_line("\t*out_%s%s = results.%s%s;", only->name,
		    only->form == FORM_BYTES ? "_length" : "", only->name,
		    only->form == FORM_BYTES ? "_length" : "");
	} else if (method_has_results(method)) {
		out_line("\t%s_reply_get(&message, out);", method->lower);
	}
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_CAP)
			out_line("\t*out_%s = caps[%u];", method->out[i].name,
			    method->out[i].cap);
	out("\treturn 0;\n");
}

static void
emit_stub(const struct method *method)
{
	bool flat = is_flat(method);
	char *parameters = flat ? declarations(method) :
	    text_format("cap_t target, const struct %s_args *in",
	    method->lower);

	out_comment(0, method->doc);
	out("static inline long\n");
	out_line("%s(%s%s)", method->lower, parameters,
	    result_declarations(method));
	out("{\n");
	if (flat && method_has_args(method))
		emit_flat_arguments(method);
	emit_locals(method, flat);
	out("\n");
	if (flat)
		emit_texts_in_words(method);
	emit_call(method, flat);
	emit_results(method, flat);
	out("}\n\n");
}

/*
 * A keyed method is called in two steps: listed in one transaction, called in
 * another, and until there is an answer.
 */
static void
emit_keyed_stubs(const struct method *method)
{
	bool args = method_has_args(method);

	out_comment(0, method->doc);
	out_comment(0, "Lists the request, as wire_outbox_add().");
	out("static inline status_t\n");
	out_line("%s_later(struct arena *arena, struct wire_outbox *outbox, "
	    "uint64_t now_ns%s)", method->lower, args ? text_format(
	    ", const struct %s_args *in", method->lower) : "");
	out("{\n\tstruct message message;\n\n");
	out("\t%s_put(&message%s);\n", method->lower, args ? ", in" : "");
	out("\treturn wire_outbox_add(arena, outbox, now_ns, &message);\n"
	    "}\n\n");
	out("/* Calls what was listed. */\nstatic inline long\n");
	out_line("%s_listed(cap_t target, const struct wire_outbox_entry "
	    "*entry%s)", method->lower, method_has_results(method) ?
	    text_format(", struct %s_results *out", method->lower) : "");
	out("{\n\tstruct message message = entry->request;\n");
	out("\tlong error = wire_call(target, &message, NULL, 0, NULL);\n\n");
	if (method_has_results(method))
		out("\tif (error == 0)\n\t\t%s_reply_get(&message, out);\n",
		    method->lower);
	out("\treturn error;\n}\n\n");
}

void
emit_client(const struct interface *interface)
{
	out_comment(0, text_format("Calls of %s. Each returns what wire_call() "
	    "does (lib/wire/call.h): 0, or the results are not set.",
	    interface->name));
	out("\n");
	for (unsigned i = 0; i < interface->method_count; i++)
		if (interface->method[i].keyed)
			emit_keyed_stubs(&interface->method[i]);
		else
			emit_stub(&interface->method[i]);
}
