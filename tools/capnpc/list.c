/* SPDX-License-Identifier: MIT */
/* Tables of all requests: names for reports, summaries for reviews. */
#include "emit.h"

#include <stdlib.h>

/* -- <idl/names.h> -- */

void
emit_names(void)
{
	out_header("the schemas in idl", "Names of requests by their tags.");
	out("#include <stddef.h>\n#include <stdint.h>\n\n");
	out("/* \"storage.seek\"; NULL: no request of ours. */\n");
	out("static inline const char *\n"
	    "idl_request_name(uint64_t tag)\n{\n\tswitch (tag) {\n");
	for (unsigned i = 0; i < model_count(); i++) {
		const struct interface *interface = model_interface(i);

		for (unsigned m = 0; m < interface->method_count; m++) {
			const struct method *method = &interface->method[m];

			out("\tcase 0x%04x:\n\t\treturn \"%s.%s\";\n",
			    method->tag, interface->name, method->name);
		}
	}
	out("\tdefault:\n\t\treturn NULL;\n\t}\n}\n");
}

/* -- <idl/fuzz.h> -- */

void
emit_all_fuzz(void)
{
	out_header("the schemas in idl", "Decoders of all protocols.");
	for (unsigned i = 0; i < model_count(); i++)
		out("#include <idl/%s_fuzz.h>\n", model_interface(i)->name);
	out("\n/* A request of any words. False: a law is broken. */\n");
	out("static inline bool\nidl_fuzz(const struct message *message, "
	    "unsigned windows)\n{\n\treturn ");
	for (unsigned i = 0; i < model_count(); i++)
		out("%s%s_fuzz(message, windows)", i == 0 ? "" : " &&\n\t    ",
		    model_interface(i)->name);
	out(";\n}\n");
}

/* -- golden summary -- */

static void
out_parameter(const struct parameter *p)
{
	out("%s:", p->name);
	switch (p->form) {
	case FORM_NUMBER:
		out("%s@%u", p->c_type, p->word);
		if (p->bit != 0)
			out("+%u", p->bit);
		break;
	case FORM_LENGTH:
		out("length(%s)@%u", p->of, p->word);
		break;
	case FORM_IN_WORDS:
		out("text[%u]@%u", p->bytes, p->word);
		break;
	case FORM_BYTES:
		out("%s=window%u", p->is_text ? "text" : "data", p->window);
		out(",length@%u", p->word);
		if (p->is_result)
			out(",room@%u", p->room_word);
		break;
	case FORM_STRUCT:
		out("%s=window%u", p->c_type, p->window);
		break;
	case FORM_CAP:
		out("cap%u", p->cap);
		break;
	}
	if (p->has_max)
		out(",max=%lu%s", p->max, p->clamp ? ",clamp" : "");
	if (p->is_short)
		out(",short");
	if (p->optional)
		out(",optional");
}

static void
out_list(const struct parameter *list, unsigned count)
{
	out("(");
	for (unsigned i = 0; i < count; i++) {
		if (i > 0)
			out(" ");
		out_parameter(&list[i]);
	}
	out(")");
}

static int
by_tag(const void *a, const void *b)
{
	const struct method *const *x = a, *const *y = b;

	return (*x)->tag < (*y)->tag ? -1 : (*x)->tag > (*y)->tag;
}

static const struct method **
sorted(const struct interface *interface)
{
	const struct method **list = make(interface->method_count *
	    sizeof(list[0]));

	for (unsigned i = 0; i < interface->method_count; i++)
		list[i] = &interface->method[i];
	qsort(list, interface->method_count, sizeof(list[0]), by_tag);
	return list;
}

void
emit_golden(const struct interface *interface)
{
	const struct method **list = sorted(interface);

	out("interface %s place=%s errors=%s\n", interface->name,
	    interface->place, interface->status_numbers ? "ERR_*" : "E_*");
	for (unsigned i = 0; i < interface->method_count; i++) {
		const struct method *method = list[i];

		out("0x%04x %s", method->tag, method->name);
		out_list(method->in, method->in_count);
		out(" -> ");
		out_list(method->out, method->out_count);
		out(" windows=%u caps=%u->%u trust=%u replay=%s%s "
		    "errors=\"%s\"\n", method->windows, method->caps_in,
		    method->caps_out, method->trust, method->replay,
		    method->parks ? " parks" : "", method->errors);
	}
}

/* -- manual page -- */

/* Each sentence on a line of its own, as the format wants it. */
static void
out_manual(const char *text)
{
	bool fresh = true;

	for (; *text != '\0'; text++) {
		if (fresh && (*text == ' ' || *text == '\n'))
			continue;
		if (fresh && (*text == '.' || *text == '\''))
			out("\\&");
		fresh = *text == '\n' || (*text == '.' && text[1] == ' ');
		if (*text == '\\')
			out("\\e");
		else
			out(*text == '.' && fresh ? ".\n" : "%c", *text);
	}
	if (!fresh)
		out("\n");
}

static void
emit_manual_parameter(const struct parameter *p)
{
	static const char *const form[] = {
		[FORM_NUMBER] = "number", [FORM_IN_WORDS] = "text in words",
		[FORM_BYTES] = "bytes", [FORM_STRUCT] = "struct",
		[FORM_CAP] = "capability", [FORM_LENGTH] = "length",
	};

	out(".It Va %s\n%s", p->name, form[p->form]);
	if (p->form == FORM_LENGTH)
		out(" of\n.Va %s", p->of);
	else if (p->has_max)
		out(", at most %lu", p->max);
	if (p->optional)
		out(", optional");
	out(".\n");
	out_manual(p->doc);
}

static void
emit_manual_list(const char *title, const struct parameter *list,
    unsigned count)
{
	if (count == 0)
		return;
	out(".Pp\n%s:\n.Bl -tag -width Ds -compact\n", title);
	for (unsigned i = 0; i < count; i++)
		emit_manual_parameter(&list[i]);
	out(".El\n");
}

static void
emit_manual_errors(const char *errors)
{
	if (*errors == '\0')
		return;
	out(".Pp\nErrors:\n.Bl -tag -width Ds -compact\n.It Er ");
	for (; *errors != '\0'; errors++) {
		if (errors[0] == ':' && errors[1] == ' ') {
			out("\n");
			errors++;
		} else if (errors[0] == ';' && errors[1] == ' ') {
			out("\n.It Er ");
			errors++;
		} else {
			out("%c", *errors);
		}
	}
	out("\n.El\n");
}

static void
emit_manual_method(const struct method *method)
{
	out(".Ss %s\n", method->upper);
	out("Request 0x%04x%s.\nNeeds trust %u; replay: %s.\n", method->tag,
	    method->parks ? ", may wait" : "", method->trust, method->replay);
	out_manual(method->doc);
	emit_manual_list("Parameters", method->in, method->in_count);
	emit_manual_list("Results", method->out, method->out_count);
	emit_manual_errors(method->errors);
}

void
emit_manual(const struct interface *interface)
{
	const struct method **list = sorted(interface);

	out(".\\\" SPDX-License-Identifier: MIT\n");
	out(".Dd $Mdocdate$\n.Dt %s 3\n.Os Bennu\n.Sh NAME\n.Nm %s\n"
	    ".Nd requests of the place %s\n", interface->upper,
	    interface->name, interface->place);
	out(".Sh SYNOPSIS\n.In idl/%s.h\n.In idl/%s_client.h\n"
	    ".In idl/%s_server.h\n.Sh DESCRIPTION\n", interface->name,
	    interface->name, interface->name);
	out_manual(interface->node->doc);
	for (unsigned i = 0; i < interface->method_count; i++)
		emit_manual_method(list[i]);
}
