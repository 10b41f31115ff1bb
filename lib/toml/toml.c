/* SPDX-License-Identifier: MIT */
#include <lib/toml/toml.h>

struct parser {
	const char *at, *end;
	unsigned line;
	uint16_t table;		/* current table's name */
	struct toml *toml;
};

static bool
at_end(const struct parser *p)
{
	return p->at == p->end;
}

static char
peek(const struct parser *p)
{
	return at_end(p) ? '\0' : *p->at;
}

static void
skip_blanks(struct parser *p)
{
	while (!at_end(p) && (*p->at == ' ' || *p->at == '\t'))
		p->at++;
}

static void
skip_comment(struct parser *p)
{
	if (peek(p) == '#')
		while (!at_end(p) && *p->at != '\n')
			p->at++;
}

/* Blanks, comments and line ends. */
static void
skip_lines(struct parser *p)
{
	for (;;) {
		skip_blanks(p);
		skip_comment(p);
		if (peek(p) == '\r' && p->at + 1 < p->end && p->at[1] == '\n')
			p->at++;
		if (peek(p) != '\n')
			return;
		p->at++;
		p->line++;
	}
}

static bool
is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static enum toml_error
put(struct parser *p, char c)
{
	if (p->toml->text_length == TOML_TEXT_MAX)
		return TOML_TOO_LARGE;
	p->toml->text[p->toml->text_length++] = c;
	return TOML_OK;
}

static enum toml_error
parse_bare(struct parser *p, uint16_t *out_offset)
{
	enum toml_error error = TOML_OK;

	*out_offset = (uint16_t)p->toml->text_length;
	if (!is_bare(peek(p)))
		return TOML_BAD_KEY;
	while (error == TOML_OK && is_bare(peek(p)))
		error = put(p, *p->at++);
	return error != TOML_OK ? error : put(p, '\0');
}

static enum toml_error
parse_escape(struct parser *p)
{
	char c = peek(p);

	p->at += !at_end(p);
	switch (c) {
	case '"':
	case '\\':
		return put(p, c);
	case 'n':
		return put(p, '\n');
	case 't':
		return put(p, '\t');
	default:
		return TOML_BAD_STRING;
	}
}

/* Appends to toml->string. */
static enum toml_error
parse_string(struct parser *p)
{
	struct toml *toml = p->toml;
	char quote = *p->at++;
	enum toml_error error = TOML_OK;

	if (toml->string_count == TOML_STRINGS_MAX)
		return TOML_TOO_LARGE;
	toml->string[toml->string_count++] = (uint16_t)toml->text_length;
	while (error == TOML_OK) {
		unsigned char c = (unsigned char)peek(p);
		if (at_end(p) || (c < ' ' && c != '\t') || c == 0x7f)
			return TOML_BAD_STRING;
		p->at++;
		if (c == (unsigned char)quote)
			return put(p, '\0');
		if (c == '\\' && quote == '"')
			error = parse_escape(p);
		else
			error = put(p, (char)c);
	}
	return error;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static enum toml_error
parse_integer(struct parser *p, int64_t *out_number)
{
	uint64_t value = 0, base = 10, limit = INT64_MAX;
	bool negative = peek(p) == '-', digit_before = false;

	if (negative || peek(p) == '+')
		p->at++;
	if (negative)
		limit++;
	if (peek(p) == '0' && p->at + 1 < p->end && p->at[1] == 'x') {
		base = 16;
		p->at += 2;
	}
	for (; !at_end(p) && is_bare(*p->at); p->at++) {
		uint64_t digit = (uint64_t)digit_value(*p->at);
		if (*p->at == '_' && digit_before) {
			digit_before = false;
			continue;
		}
		if (digit >= base || value > (limit - digit) / base)
			return TOML_BAD_INTEGER;
		value = value * base + digit;
		digit_before = true;
	}
	if (!digit_before)
		return TOML_BAD_INTEGER;
	*out_number = (int64_t)(negative ? 0 - value : value);
	return TOML_OK;
}

static enum toml_error
parse_array(struct parser *p, struct toml_entry *entry)
{
	enum toml_error error;

	p->at++;
	for (;;) {
		skip_lines(p);
		if (peek(p) == ']')
			break;
		if (peek(p) != '"' && peek(p) != '\'')
			return TOML_BAD_ARRAY;
		error = parse_string(p);
		if (error != TOML_OK)
			return error;
		entry->count++;
		skip_lines(p);
		if (peek(p) == ']')
			break;
		if (peek(p) != ',')
			return TOML_BAD_ARRAY;
		p->at++;
	}
	p->at++;
	return TOML_OK;
}

static bool
take_word(struct parser *p, const char *word)
{
	const char *at = p->at;

	while (*word != '\0') {
		if (at == p->end || *at++ != *word++)
			return false;
	}
	if (at != p->end && is_bare(*at))
		return false;
	p->at = at;
	return true;
}

static enum toml_error
parse_value(struct parser *p, struct toml_entry *entry)
{
	char c = peek(p);

	entry->first = (uint16_t)p->toml->string_count;
	entry->count = 0;
	entry->number = 0;
	if (c == '"' || c == '\'') {
		entry->type = TOML_STRING;
		entry->count = 1;
		return parse_string(p);
	}
	if (c == '[') {
		entry->type = TOML_ARRAY;
		return parse_array(p, entry);
	}
	if ((c >= '0' && c <= '9') || c == '-' || c == '+') {
		entry->type = TOML_INTEGER;
		return parse_integer(p, &entry->number);
	}
	entry->type = TOML_BOOLEAN;
	if (take_word(p, "true")) {
		entry->number = 1;
		return TOML_OK;
	}
	return take_word(p, "false") ? TOML_OK : TOML_BAD_VALUE;
}

static enum toml_error
parse_table(struct parser *p)
{
	p->at++;
	skip_blanks(p);
	enum toml_error error = parse_bare(p, &p->table);
	if (error != TOML_OK)
		return error == TOML_BAD_KEY ? TOML_BAD_TABLE : error;
	skip_blanks(p);
	if (peek(p) != ']')
		return TOML_BAD_TABLE;
	p->at++;
	return TOML_OK;
}

static enum toml_error
parse_pair(struct parser *p)
{
	struct toml *toml = p->toml;
	struct toml_entry entry = { .table = p->table };
	enum toml_error error = parse_bare(p, &entry.key);

	if (error != TOML_OK)
		return error;
	if (toml_find(toml, toml_text(toml, entry.table),
	    toml_text(toml, entry.key)) != NULL)
		return TOML_DUPLICATE;
	skip_blanks(p);
	if (peek(p) != '=')
		return TOML_NO_EQUALS;
	p->at++;
	skip_blanks(p);
	error = parse_value(p, &entry);
	if (error != TOML_OK)
		return error;
	if (toml->entry_count == TOML_ENTRIES_MAX)
		return TOML_TOO_LARGE;
	toml->entry[toml->entry_count++] = entry;
	return TOML_OK;
}

/* Nothing but a comment may follow on the line. */
static enum toml_error
finish_line(struct parser *p)
{
	skip_blanks(p);
	skip_comment(p);
	if (at_end(p) || *p->at == '\n' ||
	    (*p->at == '\r' && p->at + 1 < p->end && p->at[1] == '\n'))
		return TOML_OK;
	return TOML_NO_NEWLINE;
}

enum toml_error
toml_parse(const char *text, size_t length, struct toml *out_toml,
    unsigned *out_line)
{
	struct parser p = { text, text + length, 1, 0, out_toml };
	enum toml_error error = TOML_OK;

	out_toml->entry_count = 0;
	out_toml->string_count = 0;
	out_toml->text_length = 1;	/* offset 0 is the empty name */
	out_toml->text[0] = '\0';
	for (;;) {
		skip_lines(&p);
		if (at_end(&p))
			break;
		if (*p.at == '[')
			error = parse_table(&p);
		else if (is_bare(*p.at))
			error = parse_pair(&p);
		else
			error = TOML_BAD_CHARACTER;
		if (error == TOML_OK)
			error = finish_line(&p);
		if (error != TOML_OK)
			break;
	}
	*out_line = p.line;
	if (error != TOML_OK)
		out_toml->entry_count = 0;
	return error;
}

const char *
toml_error_name(enum toml_error error)
{
	static const char *const name[TOML_ERROR_COUNT] = {
		[TOML_OK] = "no error",
		[TOML_BAD_CHARACTER] = "a line starts with a bad character",
		[TOML_BAD_KEY] = "bad key",
		[TOML_NO_EQUALS] = "no = after the key",
		[TOML_BAD_VALUE] = "bad value",
		[TOML_BAD_STRING] = "bad string",
		[TOML_BAD_INTEGER] = "bad integer",
		[TOML_BAD_ARRAY] = "bad array",
		[TOML_BAD_TABLE] = "bad table name",
		[TOML_NO_NEWLINE] = "something follows the value",
		[TOML_DUPLICATE] = "the key is there already",
		[TOML_TOO_LARGE] = "too large",
	};

	return (unsigned)error < TOML_ERROR_COUNT ? name[error] : "?";
}

static bool
equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

const char *
toml_text(const struct toml *toml, uint16_t offset)
{
	return &toml->text[offset];
}

const struct toml_entry *
toml_find(const struct toml *toml, const char *table, const char *key)
{
	for (unsigned i = 0; i < toml->entry_count; i++) {
		const struct toml_entry *entry = &toml->entry[i];
		if (equal(toml_text(toml, entry->key), key) &&
		    equal(toml_text(toml, entry->table),
		    table == NULL ? "" : table))
			return entry;
	}
	return NULL;
}

bool
toml_get_string(const struct toml *toml, const char *table, const char *key,
    const char *missing, const char **out_value)
{
	const struct toml_entry *entry = toml_find(toml, table, key);

	*out_value = missing;
	if (entry == NULL)
		return true;
	if (entry->type != TOML_STRING)
		return false;
	*out_value = toml_text(toml, toml->string[entry->first]);
	return true;
}

static bool
get_number(const struct toml *toml, const char *table, const char *key,
    uint8_t type, int64_t *value)
{
	const struct toml_entry *entry = toml_find(toml, table, key);

	if (entry == NULL)
		return true;
	if (entry->type != type)
		return false;
	*value = entry->number;
	return true;
}

bool
toml_get_integer(const struct toml *toml, const char *table, const char *key,
    int64_t missing, int64_t *out_value)
{
	*out_value = missing;
	return get_number(toml, table, key, TOML_INTEGER, out_value);
}

bool
toml_get_boolean(const struct toml *toml, const char *table, const char *key,
    bool missing, bool *out_value)
{
	int64_t number = missing;
	bool good = get_number(toml, table, key, TOML_BOOLEAN, &number);

	*out_value = number != 0;
	return good;
}

bool
toml_get_array(const struct toml *toml, const char *table, const char *key,
    unsigned *out_count)
{
	const struct toml_entry *entry = toml_find(toml, table, key);

	*out_count = 0;
	if (entry == NULL)
		return true;
	if (entry->type != TOML_ARRAY)
		return false;
	*out_count = entry->count;
	return true;
}

const char *
toml_array_item(const struct toml *toml, const char *table, const char *key,
    unsigned index)
{
	const struct toml_entry *entry = toml_find(toml, table, key);

	if (entry == NULL || entry->type != TOML_ARRAY || index >= entry->count)
		return NULL;
	return toml_text(toml, toml->string[entry->first + index]);
}
