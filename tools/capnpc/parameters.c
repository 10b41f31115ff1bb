/* SPDX-License-Identifier: MIT */
/* Where each parameter and result of a method travels. */
#include "model.h"

#include <string.h>

/* What was given away so far. */
struct places {
	unsigned next;		/* word */
	unsigned words;		/* bit per word */
	uint64_t bits;		/* of the last word that is shared */
};

static const char *
number_type(unsigned which, unsigned *out_bits, bool *out_signed)
{
	static const struct {
		const char *name;
		unsigned bits;
	} type[] = {
		[SCHEMA_TYPE_BOOL] = { "bool", 1 },
		[SCHEMA_TYPE_INT8] = { "int8_t", 8 },
		[SCHEMA_TYPE_INT16] = { "int16_t", 16 },
		[SCHEMA_TYPE_INT32] = { "int32_t", 32 },
		[SCHEMA_TYPE_INT64] = { "int64_t", 64 },
		[SCHEMA_TYPE_UINT8] = { "uint8_t", 8 },
		[SCHEMA_TYPE_UINT16] = { "uint16_t", 16 },
		[SCHEMA_TYPE_UINT32] = { "uint32_t", 32 },
		[SCHEMA_TYPE_UINT64] = { "uint64_t", 64 },
		[SCHEMA_TYPE_ENUM] = { "uint16_t", 16 },
	};

	if (which >= sizeof(type) / sizeof(type[0]) || type[which].bits == 0)
		return NULL;
	*out_bits = type[which].bits;
	*out_signed = which >= SCHEMA_TYPE_INT8 && which <= SCHEMA_TYPE_INT64;
	return type[which].name;
}

static void
take_word(const struct method *method, struct parameter *parameter,
    struct places *places, unsigned words)
{
	for (unsigned i = 0; i < words; i++) {
		unsigned word = places->next++;

		if (word == 0 || word >= WORDS)
			complain(method->where, "%s does not fit into the "
			    "words", parameter->name);
		else if ((places->words & 1u << word) != 0)
			complain(method->where, "%s: word %u is used already",
			    parameter->name, word);
		else
			places->words |= 1u << word;
		if (i == 0)
			parameter->word = word;
	}
}

static void
share_word(const struct method *method, struct parameter *parameter,
    struct places *places, unsigned bit)
{
	uint64_t mask = parameter->bits == 64 ? ~0ul :
	    (1ul << parameter->bits) - 1;

	parameter->word = places->next - 1;
	parameter->bit = bit;
	if (parameter->word == 0 || bit == 0 || bit + parameter->bits > 64 ||
	    (places->bits & mask << bit) != 0)
		complain(method->where, "%s does not fit into the word of the "
		    "one before it", parameter->name);
	else
		places->bits |= mask << bit;
}

static void
place_number(const struct method *method, struct parameter *parameter,
    struct capnp_list notes, struct places *places)
{
	unsigned bit = (unsigned)note_number(notes, NOTE_SHIFT,
	    note_has(notes, NOTE_HALF) ? 32 : 0);

	parameter->of = note_text(notes, NOTE_LENGTH_OF);
	if (parameter->of != NULL)
		parameter->form = FORM_LENGTH;
	if (note_has(notes, NOTE_SHIFT) || note_has(notes, NOTE_HALF)) {
		share_word(method, parameter, places, bit);
		return;
	}
	take_word(method, parameter, places, 1);
	places->bits = parameter->bits == 64 ? ~0ul :
	    (1ul << parameter->bits) - 1;
	/* A sign fills the word. */
	if (parameter->is_signed)
		places->bits = ~0ul;
}

static void
place_bytes(struct method *method, struct parameter *parameter,
    struct capnp_list notes, struct places *places)
{
	parameter->bytes = (unsigned)note_number(notes, NOTE_IN_WORDS, 0);
	if (parameter->bytes != 0) {
		parameter->form = FORM_IN_WORDS;
		if (parameter->bytes % 8 != 0 || parameter->bytes > 56)
			complain(method->where, "%s: $inWords takes 8 to 56, "
			    "in eights", parameter->name);
		take_word(method, parameter, places, parameter->bytes / 8);
		return;
	}
	parameter->form = FORM_BYTES;
	parameter->is_short = note_has(notes, NOTE_SHORT);
	parameter->into_name = note_text(notes, NOTE_INTO);
	if (!parameter->has_max)
		complain(method->where, "%s needs $max(bytes)",
		    parameter->name);
	if (parameter->is_result)
		take_word(method, parameter, places, 1);
	if (parameter->into_name == NULL)
		parameter->window = method->windows++;
	if (parameter->optional)
		method->windows_optional++;
	method->is_short |= parameter->is_short;
}

static void
place_struct(struct method *method, struct parameter *parameter,
    const struct node *type)
{
	parameter->form = FORM_STRUCT;
	if (type == NULL || !node_is_fixed(type)) {
		complain(method->where, "%s: its struct needs $layout(fixed)",
		    parameter->name);
		return;
	}
	parameter->c_type = text_format("struct %s", node_lower(type));
	parameter->window = method->windows++;
	if (parameter->is_result && method->parks)
		complain(method->where, "%s: a call that parks has no struct "
		    "to answer with", parameter->name);
}

static void
place_cap(struct method *method, struct parameter *parameter)
{
	parameter->form = FORM_CAP;
	parameter->cap = parameter->is_result ? method->caps_out++ :
	    method->caps_in++;
	if (!parameter->is_result && parameter->optional)
		method->caps_optional++;
	else if (!parameter->is_result && method->caps_optional != 0)
		complain(method->where, "%s: optional capabilities come last",
		    parameter->name);
}

static void
place(struct method *method, struct parameter *parameter,
    struct schema_field field, struct places *places)
{
	struct schema_type type = schema_field_slot_get_type(field);
	struct capnp_list notes = schema_member_get_annotations(field.at);
	unsigned which = schema_type_which(type);
	const char *c_type = number_type(which, &parameter->bits,
	    &parameter->is_signed);

	if (note_has(notes, NOTE_WORD))
		places->next = (unsigned)note_number(notes, NOTE_WORD, 0);
	if (c_type != NULL) {
		const char *given = note_text(notes, NOTE_TYPE);

		parameter->c_type = given != NULL ? given : c_type;
		parameter->is_bool = which == SCHEMA_TYPE_BOOL;
		place_number(method, parameter, notes, places);
	} else if (which == SCHEMA_TYPE_TEXT || which == SCHEMA_TYPE_DATA) {
		parameter->is_text = which == SCHEMA_TYPE_TEXT;
		place_bytes(method, parameter, notes, places);
	} else if (which == SCHEMA_TYPE_STRUCT) {
		place_struct(method, parameter,
		    node_find(schema_type_get_type_id(type)));
	} else if (which == SCHEMA_TYPE_INTERFACE ||
	    which == SCHEMA_TYPE_ANY_POINTER) {
		place_cap(method, parameter);
	} else {
		complain(method->where, "%s has a type that no register or "
		    "window carries", parameter->name);
	}
}

static const char *const reserved[] = {
	"auto", "break", "case", "char", "const", "continue", "default", "do",
	"double", "else", "enum", "extern", "float", "for", "goto", "if",
	"inline", "int", "long", "register", "restrict", "return", "short",
	"signed", "sizeof", "static", "struct", "switch", "typedef", "union",
	"unsigned", "void", "volatile", "while",
};

char *
name_member(const char *name)
{
	char *lower = name_lower(name);

	for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcmp(lower, reserved[i]) == 0)
			return text_format("%s_", lower);
	return lower;
}

char *
name_local(const char *name)
{
	static const char *const used[] = {
		"call", "caps", "context", "error", "in", "message",
		"operations", "out", "results", "target", "window", "windows",
	};

	for (unsigned i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		if (strcmp(name, used[i]) == 0)
			return text_format("%s_", name);
	return text_format("%s", name);
}

static unsigned
read_list(struct method *method, const struct node *type, bool results)
{
	struct capnp_list fields = schema_node_get_members(type->at);
	struct parameter *list = results ? method->out : method->in;
	struct places places = { .next = 1 };

	if (fields.count > PARAMETERS_MAX) {
		complain(method->where, "has more than %u %s", PARAMETERS_MAX,
		    results ? "results" : "parameters");
		return 0;
	}
	for (unsigned i = 0; i < fields.count; i++) {
		struct schema_field field = { capnp_list_struct(fields, i) };
		struct capnp_list notes = schema_member_get_annotations(
		    field.at);
		struct parameter *parameter = &list[i];
		const char *doc = note_text(notes, NOTE_DOC);

		parameter->name = name_member(
		    text_of(schema_member_get_name(field.at)));
		parameter->doc = doc != NULL ? doc : node_member_doc(type, i);
		parameter->is_result = results;
		parameter->has_max = note_has(notes, NOTE_MAX);
		parameter->max = note_number(notes, NOTE_MAX, 0);
		parameter->clamp = note_has(notes, NOTE_CLAMP);
		parameter->optional = note_has(notes, NOTE_OPTIONAL);
		parameter->refuse = note_text(notes, NOTE_REFUSE);
		if (parameter->refuse == NULL)
			parameter->refuse = error_argument(method->interface);
		if (schema_field_which(field) != SCHEMA_FIELD_SLOT ||
		    schema_field_slot_get_had_explicit_default(field))
			complain(method->where, "%s: groups and defaults have "
			    "no place in words", parameter->name);
		else
			place(method, parameter, field, &places);
	}
	if (results)
		method->reply_words = places.words;
	else
		method->request_words = places.words;
	return fields.count;
}

static struct parameter *
find(struct parameter *list, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

/* Words that parameters carry for windows, and results over parameters. */
static void
join(struct method *method)
{
	for (unsigned i = 0; i < method->out_count; i++) {
		struct parameter *result = &method->out[i];
		struct parameter *target = result->into_name == NULL ? NULL :
		    find(method->in, method->in_count,
		    name_member(result->into_name));

		if (result->into_name == NULL)
			continue;
		if (target == NULL || target->form != FORM_BYTES) {
			complain(method->where, "%s: $into names no window",
			    result->name);
			continue;
		}
		result->into = target;
		result->window = target->window;
		target->outof = result;
	}
	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *length = &method->in[i];
		struct parameter *target, *result;

		if (length->form != FORM_LENGTH)
			continue;
		target = find(method->in, method->in_count,
		    name_member(length->of));
		result = find(method->out, method->out_count,
		    name_member(length->of));
		if (target != NULL && target->form == FORM_BYTES)
			target->word = length->word;
		else if (result != NULL && result->form == FORM_BYTES)
			result->room_word = length->word;
		else
			complain(method->where, "%s: $lengthOf names no "
			    "window", length->name);
	}
}

/* The words that tell how long a window is. */
static void
place_lengths(struct method *method)
{
	for (unsigned i = 0; i < method->in_count + method->out_count; i++) {
		bool result = i >= method->in_count;
		struct parameter *p = result ?
		    &method->out[i - method->in_count] : &method->in[i];
		unsigned own = WORDS - 1 - p->window;
		unsigned *word = result ? &p->room_word : &p->word;

		if (p->form != FORM_BYTES || *word != 0)
			continue;
		if ((method->request_words & 1u << own) != 0)
			complain(method->where, "%s: word %u, for its length, "
			    "is used already", p->name, own);
		*word = own;
	}
}

static void
check_short(const struct method *method)
{
	for (unsigned i = 0; i < method->in_count; i++) {
		const struct parameter *p = &method->in[i];

		if (!p->is_short)
			continue;
		if (method->windows != 1 || p->word != WORDS - 1)
			complain(method->where, "%s: $short needs the only "
			    "window, its length in word 7", p->name);
		if ((method->request_words & 0x78) != 0)
			complain(method->where, "%s: $short needs words 3 to "
			    "6", p->name);
	}
	for (unsigned i = 0; i < method->out_count; i++)
		if (method->out[i].is_short)
			complain(method->where, "%s: results are not $short",
			    method->out[i].name);
}

/* Arguments and rooms for results stand in one struct. */
static void
check_names(const struct method *method)
{
	for (unsigned i = 0; i < method->out_count; i++) {
		const struct parameter *p = &method->out[i];

		if (p->form != FORM_BYTES && p->form != FORM_STRUCT)
			continue;
		for (unsigned k = 0; k < method->in_count; k++)
			if (strcmp(method->in[k].name, p->name) == 0)
				complain(method->where, "%s: a parameter has "
				    "that name", p->name);
	}
}

void
parameters_read(struct method *method, const struct node *in,
    const struct node *out)
{
	method->in_count = read_list(method, in, false);
	method->out_count = read_list(method, out, true);
	join(method);
	place_lengths(method);
	check_short(method);
	check_names(method);
	if (method->windows > WINDOWS_MAX)
		complain(method->where, "has %u windows, a call carries %u",
		    method->windows, WINDOWS_MAX);
	if (method->caps_in > CAPS_MAX || method->caps_out > CAPS_MAX)
		complain(method->where, "has more than %u capabilities",
		    CAPS_MAX);
}
