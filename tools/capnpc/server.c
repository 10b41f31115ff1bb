/* SPDX-License-Identifier: MIT */
/*
 * <idl/NAME_server.h>: a table of handlers, and what leads from a message to
 * one of them and back.
 */
#include "emit.h"

static void
emit_operation(const struct method *method)
{
	const char *note = method->parks ? "May return WIRE_PARKED." : "";

	out_comment(1, text_format("%s%s", method->doc, note));
	out_line("\tunsigned (*%s)(struct %s_context *context, struct "
	    "service_call *call%s%s);", name_member(method->name),
	    method->interface->name,
	    method_has_args(method) ? text_format(", const struct %s_args *in",
	    method->lower) : "",
	    method_has_results(method) ? text_format(
	    ", struct %s_results *out", method->lower) : "");
}

static void
emit_operations(const struct interface *interface)
{
	out_comment(0, text_format("What the service does for each request; "
	    "NULL is answered with %s. A handler returns 0 or an error. It "
	    "owns the capabilities in its arguments unless it returns an "
	    "error. Those of the reply it gives with wire_give_cap() or "
	    "service_give_session(), in the order of the results.",
	    error_nosys(interface)));
	out("struct %s_operations {\n", interface->name);
	if (interface->keyed)
		out_line("\t/* Replies kept for callers; in the arena. */\n"
		    "\tstruct wire_kept_table *(*kept)("
		    "struct %s_context *context);", interface->name);
	for (unsigned i = 0; i < interface->method_count; i++)
		emit_operation(&interface->method[i]);
	out("};\n\n");
}

/* What makes an error of the interface of what a window copy returns. */
static const char *
window_error(const struct method *method)
{
	return method->interface->status_numbers ? "(unsigned)" : "wire_error";
}

/* The windows of fixed structs, and capabilities: before the handler. */
static void
emit_fetch(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *p = &method->in[i];
		const char *local = name_local(p->name);

		if (p->form == FORM_STRUCT) {
			out("\tif (error == 0)\n");
			out_line("\t\terror = %s(wire_take(call, "
			    "&(struct wire_bytes){ NULL, sizeof(%s), %u }, "
			    "&%s));", window_error(method), local,
			    p->window, local);
			out("\tin.%s = &%s;\n", p->name, local);
		}
		if (p->form != FORM_CAP)
			continue;
		if (p->optional)
			out_line("\tif (error == 0 && call->caps > %u)",
			    p->cap);
		else
			out("\tif (error == 0)\n");
		out_line("\t\terror = wire_take_cap(call, %u, &in.%s) == OK ? "
		    "0 : %s;", p->cap, p->name,
		    error_argument(method->interface));
	}
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_STRUCT)
			out("\tin.%s = &%s;\n", method->out[i].name,
			    name_local(method->out[i].name));
}

static void
emit_store(const struct method *method)
{
	for (unsigned i = 0; i < method->out_count; i++) {
		const struct parameter *p = &method->out[i];
		const char *local = name_local(p->name);

		if (p->form != FORM_STRUCT)
			continue;
		out("\tif (error == 0)\n");
		out_line("\t\terror = %s(wire_give(call, &(struct "
		    "wire_room){ NULL, sizeof(%s), %u }, &%s, sizeof(%s)));",
		    window_error(method), local, p->window, local, local);
	}
}

static void
emit_serve_locals(const struct method *method)
{
	if (method_has_args(method))
		out("\tstruct %s_args in;\n", method->lower);
	if (method_has_results(method))
		out("\tstruct %s_results out = { 0 };\n", method->lower);
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form == FORM_STRUCT)
			out("\t%s %s;\n", method->in[i].c_type,
			    name_local(method->in[i].name));
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_STRUCT)
			out("\t%s %s = { 0 };\n", method->out[i].c_type,
			    name_local(method->out[i].name));
	if (method->keyed)
		out("\tuint64_t id = call->message.word[WIRE_ID_WORD];\n");
	out("\tunsigned error;\n\n");
}

static void
emit_checks(const struct method *method)
{
	const struct interface *interface = method->interface;
	unsigned needed = method->caps_in - method->caps_optional;

	out("\tif (operations->%s == NULL%s)\n", name_member(method->name),
	    method->keyed ? " || operations->kept == NULL" : "");
	out("\t\treturn wire_refuse(call, %s);\n", error_nosys(interface));
	if (method->trust != 0) {
		out("\tif (call->trust < 0x%x)\n", method->trust);
		out("\t\treturn wire_refuse(call, %s);\n",
		    error_trust(interface));
	}
	if (needed != 0) {
		out("\tif (call->caps < %u)\n", needed);
		out("\t\treturn wire_refuse(call, %s);\n",
		    error_argument(interface));
	}
}

/* What was done for this id is not done again. */
static void
emit_find_kept(const struct method *method)
{
	if (!method->keyed)
		return;
	out("\tswitch (wire_kept_find(operations->kept(context), call->badge,"
	    "\n\t    id, &call->message)) {\n");
	out("\tcase WIRE_NEW:\n\t\tbreak;\n");
	out("\tcase WIRE_KEPT:\n\t\treturn SERVICE_REPLY;\n");
	out("\tcase WIRE_OLD:\n\t\treturn wire_refuse(call, %s);\n\t}\n",
	    method->interface->status_numbers ? "ERR_STALE" : "E_STALE");
}

static void
emit_put_kept(const struct method *method)
{
	if (!method->keyed)
		return;
	out("\tif (wire_kept_put(service_arena(), operations->kept(context),\n"
	    "\t    call->badge, id, &call->message) != OK)\n"
	    "\t\treturn wire_refuse(call, %s);\n",
	    method->interface->status_numbers ? "ERR_NOMEM" : "E_NOMEM");
}

static void
emit_failure(const struct method *method)
{
	if (!method->parks && method->caps_in == 0) {
		out("\tif (error != 0)\n"
		    "\t\treturn wire_refuse(call, error);\n");
		return;
	}
	out("\tif (error != 0) {\n");
	if (method->parks)
		out("\t\tif (error == WIRE_PARKED)\n"
		    "\t\t\treturn SERVICE_PARK;\n");
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form == FORM_CAP)
			out("\t\twire_drop_cap(in.%s);\n", method->in[i].name);
	out("\t\treturn wire_refuse(call, error);\n\t}\n");
}

static void
emit_serve(const struct method *method)
{
	bool args = method_has_args(method);

	out("static inline service_outcome\n");
	out_line("%s_serve(const struct %s_operations *operations, struct "
	    "%s_context *context, struct service_call *call)", method->lower,
	    method->interface->name, method->interface->name);
	out("{\n");
	emit_serve_locals(method);
	emit_checks(method);
	emit_find_kept(method);
	if (args)
		out_line("\terror = %s_get(&call->message, call->windows, "
		    "&in);", method->lower);
	emit_fetch(method);
	if (args)
		out("\tif (error == 0)\n\t");
	out_line("\terror = operations->%s(context, call%s%s);",
	    name_member(method->name), args ? ", &in" : "",
	    method_has_results(method) ? ", &out" : "");
	emit_store(method);
	emit_failure(method);
	if (method_has_results(method))
		out_line("\t%s_reply_put(&call->message, &out);",
		    method->lower);
	else
		out("\twire_reply(&call->message);\n");
	emit_put_kept(method);
	out("\treturn SERVICE_REPLY;\n}\n\n");
}

static void
emit_dispatch(const struct interface *interface)
{
	out_comment(0, "Runs the handler of the request. The service has looked "
	    "up what the badge names and put it into the context.");
	out("static inline service_outcome\n");
	out_line("%s_dispatch(const struct %s_operations *operations, struct "
	    "%s_context *context, struct service_call *call)",
	    interface->name, interface->name, interface->name);
	out("{\n\tswitch (call->message.word[0]) {\n");
	for (unsigned i = 0; i < interface->method_count; i++) {
		const struct method *method = &interface->method[i];

		out("\tcase %s:\n", method->upper);
		out_line("\t\treturn %s_serve(operations, context, call);",
		    method->lower);
	}
	out("\tdefault:\n\t\treturn wire_refuse(call, %s);\n\t}\n}\n\n",
	    error_nosys(interface));
}

static void
emit_answer(const struct method *method)
{
	bool results = method_has_results(method);

	out("/* Answers a parked call, as service_answer(). */\n");
	out("static inline status_t\n");
	out_line("%s_answer(struct parked_call id%s)", method->lower,
	    results ? text_format(", const struct %s_results *out",
	    method->lower) : "");
	out("{\n\tstruct message message%s;\n\n", results ? "" :
	    " = { { TAG_REPLY_OK } }");
	if (results)
		out_line("\t%s_reply_put(&message, out);", method->lower);
	out("\treturn service_answer(id, &message);\n}\n\n");
}

void
emit_server(const struct interface *interface)
{
	out("struct %s_context;\t/* the service defines it */\n\n",
	    interface->name);
	emit_operations(interface);
	for (unsigned i = 0; i < interface->method_count; i++)
		emit_serve(&interface->method[i]);
	emit_dispatch(interface);
	for (unsigned i = 0; i < interface->method_count; i++)
		if (interface->method[i].parks)
			emit_answer(&interface->method[i]);
}
