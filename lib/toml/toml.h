/* SPDX-License-Identifier: MIT */
/*
 * The part of TOML that manifests use.
 *
 *	# comment
 *	key = "string"			escapes \" \\ \n \t
 *	key = 'literal string'
 *	key = 123  or  -5, 0x1f, 1_000
 *	key = true  or  false
 *	key = ["a", "b",		may span lines
 *	       "c"]			arrays of strings only
 *	[table]				following keys belong to it
 *
 * Keys and table names are bare: letters, digits, - and _. Anything else of
 * TOML is an error, as is a key that comes twice in a table. Memory is bounded
 * and lies in struct toml; nothing points into the text afterwards.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_ENTRIES_MAX	64u
#define TOML_STRINGS_MAX	128u	/* in values, array elements too */
#define TOML_TEXT_MAX		4096u	/* bytes of all keys and strings */

enum toml_error {
	TOML_OK,
	TOML_BAD_CHARACTER,	/* starts no key, table or comment */
	TOML_BAD_KEY,
	TOML_NO_EQUALS,
	TOML_BAD_VALUE,
	TOML_BAD_STRING,	/* not closed, bad escape, control character */
	TOML_BAD_INTEGER,	/* malformed or beyond 64 bits */
	TOML_BAD_ARRAY,
	TOML_BAD_TABLE,
	TOML_NO_NEWLINE,	/* something follows the value */
	TOML_DUPLICATE,
	TOML_TOO_LARGE,		/* one of the limits above */
	TOML_ERROR_COUNT,
};

enum toml_type { TOML_STRING, TOML_INTEGER, TOML_BOOLEAN, TOML_ARRAY };

struct toml_entry {
	uint16_t table, key;	/* offsets into text; table 0 = "" */
	uint8_t	 type;		/* enum toml_type */
	uint16_t first, count;	/* TOML_STRING (count 1), TOML_ARRAY */
	int64_t	 number;	/* TOML_INTEGER, TOML_BOOLEAN */
};

struct toml {
	unsigned entry_count, string_count, text_length;
	struct toml_entry entry[TOML_ENTRIES_MAX];
	uint16_t string[TOML_STRINGS_MAX];	/* offsets into text */
	char	 text[TOML_TEXT_MAX];
};

/* *out_line: where it went wrong, from 1. */
enum toml_error toml_parse(const char *text, size_t length,
    struct toml *out_toml, unsigned *out_line);
const char *toml_error_name(enum toml_error error);

/* table "" or NULL: before the first table. NULL if it is not there. */
const struct toml_entry *toml_find(const struct toml *toml, const char *table,
    const char *key);
/* The default when the key is missing; false when it has another type. */
bool toml_get_string(const struct toml *toml, const char *table,
    const char *key, const char *missing, const char **out_value);
bool toml_get_integer(const struct toml *toml, const char *table,
    const char *key, int64_t missing, int64_t *out_value);
bool toml_get_boolean(const struct toml *toml, const char *table,
    const char *key, bool missing, bool *out_value);
/* Number of strings; 0 for a missing key, false for another type. */
bool toml_get_array(const struct toml *toml, const char *table,
    const char *key, unsigned *out_count);
/* Element of an array that toml_get_array has counted. */
const char *toml_array_item(const struct toml *toml, const char *table,
    const char *key, unsigned index);
const char *toml_text(const struct toml *toml, uint16_t offset);
