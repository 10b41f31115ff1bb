/* SPDX-License-Identifier: MIT */
/*
 * Each method has up to two structs and four functions:
 *
 *	struct NAME_args	what the caller says
 *	struct NAME_results	what the reply tells in words
 *	NAME_put(message, window, in)		request <- arguments
 *	NAME_get(message, windows, out)		arguments <- request
 *	NAME_reply_put(message, out)		reply <- results
 *	NAME_reply_get(message, out)		results <- reply
 */
#include "emit.h"

#include <string.h>

/* -- structs -- */

static void
emit_room(const struct parameter *p)
{
	const char *doc = p->max == 0 ? "" : text_format("where it shall go, "
	    "up to %lu bytes%s%s", p->max, *p->doc != '\0' ? ": " : "",
	    p->doc);

	out_member(text_format("\tstruct wire_room %s;", p->name), doc);
}

static void
emit_argument(const struct parameter *p)
{
	switch (p->form) {
	case FORM_NUMBER:
		out_member(text_format("\t%s %s;", p->c_type, p->name),
		    p->doc);
		break;
	case FORM_IN_WORDS:
		out_member(text_format("\tchar %s[%u];", p->name, p->bytes),
		    p->doc);
		break;
	case FORM_BYTES:
		out_member(text_format("\tstruct wire_bytes %s;", p->name),
		    *p->doc != '\0' ? p->doc : text_format("up to %lu bytes",
		    p->max));
		break;
	case FORM_STRUCT:
		out_member(text_format("\tconst %s *%s;", p->c_type, p->name),
		    p->doc);
		break;
	case FORM_CAP:
		out_member(text_format("\tcap_t %s;", p->name), *p->doc == '\0'
		    && p->optional ? "or CAP_NONE" : p->doc);
		break;
	default:
		break;
	}
}

static void
emit_structs(const struct method *method)
{
	if (method_has_args(method)) {
		out("struct %s_args {\n", method->lower);
		for (unsigned i = 0; i < method->in_count; i++)
			emit_argument(&method->in[i]);
		for (unsigned i = 0; i < method->out_count; i++) {
			const struct parameter *p = &method->out[i];

			if (p->form == FORM_BYTES)
				emit_room(p);
			else if (p->form == FORM_STRUCT)
				out_member(text_format("\t%s *%s;", p->c_type,
				    p->name), "where it shall go");
		}
		out("};\n\n");
	}
	if (!method_has_results(method))
		return;
	out("struct %s_results {\n", method->lower);
	for (unsigned i = 0; i < method->out_count; i++) {
		const struct parameter *p = &method->out[i];

		if (p->form == FORM_BYTES)
			out_member(text_format("\tuint64_t %s_length;",
			    p->name), "how much was written");
		else if (p->form == FORM_NUMBER || p->form == FORM_IN_WORDS)
			emit_argument(p);
	}
	out("};\n\n");
}

/* -- words from values -- */

/* The value as an unsigned number of 64 bits. */
static char *
widened(const struct parameter *p, const char *from)
{
	const char *value = text_format("%s->%s", from, p->name);

	if (p->is_signed && p->bit != 0)
		return text_format("(uint64_t)(uint%u_t)%s << %u", p->bits,
		    value, p->bit);
	if (p->is_signed)
		return text_format("(uint64_t)%s", value);
	if (p->bit != 0)
		return text_format("(uint64_t)%s << %u", value, p->bit);
	return text_format("%s", value);
}

static const struct parameter *
length_target(const struct method *method, const struct parameter *length,
    bool *out_is_room)
{
	for (unsigned i = 0; i < method->out_count; i++) {
		*out_is_room = true;
		if (method->out[i].form == FORM_BYTES &&
		    method->out[i].room_word == length->word &&
		    strcmp(method->out[i].name, name_member(length->of)) == 0)
			return &method->out[i];
	}
	*out_is_room = false;
	for (unsigned i = 0; i < method->in_count; i++)
		if (strcmp(method->in[i].name, name_member(length->of)) == 0)
			return &method->in[i];
	return length;
}

/* What request word `word` is made of: "" if nothing. */
static char *
request_word(const struct method *method, unsigned word)
{
	char *text = text_format("%s", "");
	bool is_room;

	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *p = &method->in[i];
		char *part = NULL;

		if (p->word != word)
			continue;
		if (p->form == FORM_NUMBER)
			part = widened(p, "in");
		else if (p->form == FORM_LENGTH)
			part = text_format("in->%s.length",
			    length_target(method, p, &is_room)->name);
		if (part != NULL)
			text = *text == '\0' ? part :
			    text_format("%s | %s", text, part);
	}
	return text;
}

/* Of the parameter or result whose window it is; NULL: a struct or none. */
static const struct parameter *
window_owner(const struct method *method, unsigned window)
{
	const struct parameter *owner = NULL;

	for (unsigned i = 0; i < method->in_count; i++)
		if ((method->in[i].form == FORM_BYTES ||
		    method->in[i].form == FORM_STRUCT) &&
		    method->in[i].window == window)
			owner = &method->in[i];
	for (unsigned i = 0; i < method->out_count; i++)
		if ((method->out[i].form == FORM_BYTES ||
		    method->out[i].form == FORM_STRUCT) &&
		    method->out[i].window == window)
			owner = &method->out[i];
	return owner;
}

static char *
window_length(const struct parameter *p)
{
	return p->form == FORM_STRUCT ? text_format("sizeof(*in->%s)",
	    p->name) : text_format("in->%s.length", p->name);
}

/* The word is part of a text, which is copied as a whole. */
static bool
in_text(const struct parameter *list, unsigned count, unsigned word)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].form == FORM_IN_WORDS && word >= list[i].word &&
		    word < list[i].word + list[i].bytes / 8)
			return true;
	return false;
}

/*
 * Every word is assigned by itself: of an initialiser the compiler makes a
 * string instruction, which takes longer.
 */
static void
emit_words(const struct method *method)
{
	out_line("\tmessage->word[0] = %s;", method->upper);
	for (unsigned word = 1; word < WORDS; word++) {
		unsigned window = WORDS - 1 - word;
		const char *text = request_word(method, word);
		bool taken = (method->request_words & 1u << word) != 0;
		const struct parameter *owner = window < method->windows &&
		    !taken ? window_owner(method, window) : NULL;

		if (owner != NULL)
			text = window_length(owner);
		if (!in_text(method->in, method->in_count, word))
			out_line("\tmessage->word[%u] = %s;", word,
			    *text == '\0' ? "0" : text);
	}
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form == FORM_IN_WORDS)
			out_line("\t__builtin_memcpy(&message->word[%u], "
			    "in->%s, %u);", method->in[i].word,
			    method->in[i].name, method->in[i].bytes);
}

static void
emit_short_put(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *p = &method->in[i];

		if (!p->is_short)
			continue;
		out("\tif (in->%s.length <= WIRE_SHORT_MAX) {\n", p->name);
		out_line("\t\t__builtin_memcpy(&message->word[WIRE_SHORT_WORD],"
		    " in->%s.bytes, WIRE_SHORT_MAX);", p->name);
		out("\t\tmessage->word[7] |= WIRE_SHORT;\n");
		out("\t\treturn 0;\n\t}\n");
	}
}

static void
emit_windows(const struct method *method)
{
	for (unsigned i = 0; i < method->windows; i++) {
		const struct parameter *p = window_owner(method, i);
		const char *kind = p->into != NULL ? "both" : p->is_result ?
		    "room" : "bytes";

		if (p->form == FORM_STRUCT)
			out_line("\twindow[%u] = wire_window_%s(in->%s, "
			    "sizeof(*in->%s));", i, kind, p->name, p->name);
		else
			out_line("\twindow[%u] = wire_window_%s(in->%s.bytes, "
			    "in->%s.length);", i, kind, p->name, p->name);
	}
}

static void
emit_put(const struct method *method)
{
	bool args = method_has_args(method);

	out("static inline %s\n", method->windows != 0 ? "unsigned" : "void");
	out_line("%s_put(struct message *message%s%s%s)", method->lower,
	    method->windows != 0 ? ", struct window *window" : "",
	    args ? text_format(", const struct %s_args *in", method->lower) :
	    "", "");
	out("{\n");
	emit_words(method);
	emit_short_put(method);
	emit_windows(method);
	if (method->windows != 0)
		out("\treturn %u;\n", method->windows);
	out("}\n\n");
}

/* -- values from words -- */

static bool
is_alone(const struct method *method, const struct parameter *p)
{
	const struct parameter *list = p->is_result ? method->out : method->in;
	unsigned count = p->is_result ? method->out_count : method->in_count;

	for (unsigned i = 0; i < count; i++)
		if (&list[i] != p && list[i].form == FORM_NUMBER &&
		    list[i].word == p->word)
			return false;
	return true;
}

static void
emit_number_get(const struct method *method, const struct parameter *p)
{
	const char *word = text_format("message->word[%u]", p->word);

	if (p->bit != 0)
		word = text_format("(%s >> %u)", word, p->bit);
	if (p->is_bool && !is_alone(method, p))
		out_line("\tout->%s = (%s & 1) != 0;", p->name, word);
	else if (p->is_bool)
		out_line("\tout->%s = %s != 0;", p->name, word);
	else if (p->bits == 64 && !p->is_signed)
		out_line("\tout->%s = %s;", p->name, word);
	else
		out_line("\tout->%s = (%s)%s;", p->name, p->c_type, word);
}

static void
emit_in_words_get(const struct parameter *p)
{
	out_line("\t__builtin_memcpy(out->%s, &message->word[%u], %u);",
	    p->name, p->word, p->bytes);
	out_line("\tout->%s[%u] = '\\0';", p->name, p->bytes - 1);
}

static void
emit_limit(const struct parameter *p, const char *value)
{
	if (!p->has_max)
		return;
	out_line("\tif (%s > %luul)", value, p->max);
	if (p->clamp || (p->is_result && p->form == FORM_BYTES))
		out_line("\t\t%s = %luul;", value, p->max);
	else
		out_line("\t\treturn %s;", p->refuse);
}

static void
emit_short_get(const struct method *method, const struct parameter *p,
    const char *length)
{
	out("\tif (windows == 0) {\n");
	out_line("\t\tif ((%s & WIRE_SHORT) == 0)", length);
	out("\t\t\treturn %s;\n", error_argument(method->interface));
	out_line("\t\t%s &= ~WIRE_SHORT;", length);
	out_line("\t\tif (%s > WIRE_SHORT_MAX)", length);
	out("\t\t\treturn %s;\n", p->refuse);
	out_line("\t\tout->%s.bytes = &message->word[WIRE_SHORT_WORD];",
	    p->name);
	out("\t}\n");
}

static void
emit_bytes_get(const struct method *method, const struct parameter *p)
{
	const char *length = text_format("out->%s.length", p->name);
	unsigned word = p->is_result ? p->room_word : p->word;

	out("\tout->%s.bytes = NULL;\n", p->name);
	out_line("\tout->%s.window = %u;", p->name, p->window);
	out_line("\t%s = message->word[%u];", length, word);
	if (p->is_short)
		emit_short_get(method, p, length);
	if (p->optional)
		out_line("\tif (windows <= %u)\n\t\t%s = 0;", p->window,
		    length);
	emit_limit(p, length);
}

/* A short text comes without a window, all others with theirs. */
static void
emit_window_check(const struct method *method)
{
	unsigned needed = method->windows - method->windows_optional;

	if (needed > 0 && !method->is_short)
		out_line("\tif (windows < %u)\n\t\treturn %s;", needed,
		    error_argument(method->interface));
}

static void
emit_argument_get(const struct method *method, const struct parameter *p)
{
	switch (p->form) {
	case FORM_NUMBER:
		emit_number_get(method, p);
		emit_limit(p, text_format("out->%s", p->name));
		break;
	case FORM_IN_WORDS:
		emit_in_words_get(p);
		break;
	case FORM_BYTES:
		emit_bytes_get(method, p);
		break;
	case FORM_STRUCT:
		out("\tout->%s = NULL;\n", p->name);
		break;
	case FORM_CAP:
		out("\tout->%s = CAP_NONE;\n", p->name);
		break;
	default:
		break;
	}
}

static bool
reads_words(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form != FORM_STRUCT &&
		    method->in[i].form != FORM_CAP)
			return true;
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES)
			return true;
	return false;
}

static void
emit_get(const struct method *method)
{
	out("static inline unsigned\n");
	out_line("%s_get(const struct message *message, unsigned windows, "
	    "struct %s_args *out)", method->lower, method->lower);
	out("{\n");
	if (method->windows == 0)
		out("\t(void)windows;\n");
	if (!reads_words(method))
		out("\t(void)message;\n");
	/* First: the dispatcher drops them whatever the error. */
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form == FORM_CAP)
			emit_argument_get(method, &method->in[i]);
	emit_window_check(method);
	for (unsigned i = 0; i < method->in_count; i++)
		if (method->in[i].form != FORM_CAP)
			emit_argument_get(method, &method->in[i]);
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_BYTES ||
		    method->out[i].form == FORM_STRUCT)
			emit_argument_get(method, &method->out[i]);
	out("\treturn 0;\n}\n\n");
}

/* -- replies -- */

static char *
reply_word(const struct method *method, unsigned word)
{
	char *text = text_format("%s", "");

	for (unsigned i = 0; i < method->out_count; i++) {
		const struct parameter *p = &method->out[i];
		char *part = NULL;

		if (p->word != word)
			continue;
		if (p->form == FORM_NUMBER)
			part = widened(p, "out");
		else if (p->form == FORM_BYTES)
			part = text_format("out->%s_length", p->name);
		if (part != NULL)
			text = *text == '\0' ? part :
			    text_format("%s | %s", text, part);
	}
	return text;
}

static void
emit_reply_put(const struct method *method)
{
	out("static inline void\n");
	out_line("%s_reply_put(struct message *message, const struct "
	    "%s_results *out)", method->lower, method->lower);
	out("{\n\tmessage->word[0] = TAG_REPLY_OK;\n");
	for (unsigned word = 1; word < WORDS; word++) {
		const char *text = reply_word(method, word);

		if (!in_text(method->out, method->out_count, word))
			out_line("\tmessage->word[%u] = %s;", word,
			    *text == '\0' ? "0" : text);
	}
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].form == FORM_IN_WORDS)
			out_line("\t__builtin_memcpy(&message->word[%u], "
			    "out->%s, %u);", method->out[i].word,
			    method->out[i].name, method->out[i].bytes);
	out("}\n\n");
}

static void
emit_reply_get(const struct method *method)
{
	out("static inline void\n");
	out_line("%s_reply_get(const struct message *message, struct "
	    "%s_results *out)", method->lower, method->lower);
	out("{\n");
	for (unsigned i = 0; i < method->out_count; i++) {
		const struct parameter *p = &method->out[i];

		if (p->form == FORM_NUMBER)
			emit_number_get(method, p);
		else if (p->form == FORM_IN_WORDS)
			emit_in_words_get(p);
		else if (p->form == FORM_BYTES)
			out_line("\tout->%s_length = message->word[%u];",
			    p->name, p->word);
	}
	out("}\n\n");
}

static void
emit_method(const struct method *method)
{
	out("/* -- %s -- */\n\n", method->name);
	emit_structs(method);
	emit_put(method);
	if (method_has_args(method))
		emit_get(method);
	if (method_has_results(method)) {
		emit_reply_put(method);
		emit_reply_get(method);
	}
}

void
emit_messages(const struct interface *interface)
{
	for (unsigned i = 0; i < interface->method_count; i++)
		emit_method(&interface->method[i]);
}
