/* SPDX-License-Identifier: MIT */
/*
 * <idl/NAME_fuzz.h>: drives the decoders with any words. What one accepts is
 * encoded and decoded again: the second time gives the same words.
 */
#include "emit.h"

static void
emit_case(const struct method *method)
{
	out("\tcase %s:\n", method->upper);
	if (method_has_args(method)) {
		out_line("\t\treturn %s_fuzz(message, windows);",
		    method->lower);
	} else {
		out("\t\treturn true;\n");
	}
}

static void
emit_limits(const struct parameter *p)
{
	if (p->form == FORM_BYTES)
		out_line("\tif (in.%s.length > %luul || (in.%s.bytes != NULL "
		    "&& in.%s.length > WIRE_SHORT_MAX))\n\t\treturn false;",
		    p->name, p->max, p->name, p->name);
	else if (p->form == FORM_NUMBER && p->has_max)
		out_line("\tif (in.%s > %luul)\n\t\treturn false;", p->name,
		    p->max);
	else if (p->form == FORM_IN_WORDS)
		out_line("\tif (in.%s[%u] != '\\0')\n\t\treturn false;",
		    p->name, p->bytes - 1);
}

static void
emit_method(const struct method *method)
{
	out("static inline bool\n");
	out_line("%s_fuzz(const struct message *message, unsigned windows)",
	    method->lower);
	out("{\n\tstruct %s_args in, again;\n", method->lower);
	out("\tstruct message first, second;\n");
	if (method->windows != 0)
		out("\tstruct window window[%u];\n", method->windows);
	out("\n\tif (%s_get(message, windows, &in) != 0)\n"
	    "\t\treturn true;\n", method->lower);
	for (unsigned i = 0; i < method->in_count; i++)
		emit_limits(&method->in[i]);
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES)
			emit_limits(&method->out[i]);
	if (method->is_short)
		for (unsigned i = 0; i < method->in_count; i++)
			if (method->in[i].is_short)
				out_line("\tif (in.%s.bytes == NULL)\n"
				    "\t\treturn true;", method->in[i].name);
	for (unsigned i = 0; i < 2; i++) {
		const char *to = i == 0 ? "first" : "second";
		const char *from = i == 0 ? "in" : "again";

		out("\t%s%s_put(&%s%s, &%s);\n", method->windows == 0 ? "" :
		    i == 0 ? "windows = " : "", method->lower, to,
		    method->windows != 0 ? ", window" : "", from);
		if (i == 0)
			out_line("\tif (%s_get(&first, windows, &again) != 0)"
			    "\n\t\treturn false;", method->lower);
	}
	out("\treturn __builtin_memcmp(&first, &second, sizeof(first)) == 0;\n"
	    "}\n\n");
}

void
emit_fuzz(const struct interface *interface)
{
	for (unsigned i = 0; i < interface->method_count; i++)
		if (method_has_args(&interface->method[i]))
			emit_method(&interface->method[i]);
	out_comment(0, "A request of any words with so many windows. False: a "
	    "law is broken.");
	out("static inline bool\n");
	out_line("%s_fuzz(const struct message *message, unsigned windows)",
	    interface->name);
	out("{\n\tswitch (message->word[0]) {\n");
	for (unsigned i = 0; i < interface->method_count; i++)
		emit_case(&interface->method[i]);
	out("\tdefault:\n\t\treturn true;\n\t}\n}\n");
}
