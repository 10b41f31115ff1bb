/* SPDX-License-Identifier: MIT */
#include <lib/toml/toml.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/ktap/ktap.h>

static struct toml toml;
static unsigned line;

static enum toml_error
parse(const char *text)
{
	/* In a block of its own, so that a read beyond the end is seen. */
	size_t length = strlen(text);
	char *copy = malloc(length + (length == 0));

	memcpy(copy, text, length);
	enum toml_error error = toml_parse(copy, length, &toml, &line);
	free(copy);
	return error;
}

static void
test_all_kinds_of_values(void)
{
	const char *string;
	int64_t integer;
	bool boolean;
	unsigned count;

	KTAP_EQUAL(parse("# manifest\nname = \"sto\\\"rage\"  # why\n"
	    "path = 'a\\b'\nsize=1_000\nlow = -5\nport = 0x3F8\r\n"
	    "on = true\noff=false\n"
	    "needs = [\"a:b\", # one\n \"c\",\n]\nnone = []\n"
	    "[limits]\nsize = 7\n"), TOML_OK);
	KTAP_CHECK(toml_get_string(&toml, "", "name", "", &string) &&
	    strcmp(string, "sto\"rage") == 0);
	KTAP_CHECK(toml_get_string(&toml, NULL, "path", "", &string) &&
	    strcmp(string, "a\\b") == 0);
	KTAP_CHECK(toml_get_integer(&toml, "", "size", 0, &integer));
	KTAP_EQUAL(integer, 1000);
	KTAP_CHECK(toml_get_integer(&toml, "limits", "size", 0, &integer));
	KTAP_EQUAL(integer, 7);
	KTAP_CHECK(toml_get_integer(&toml, "", "low", 0, &integer));
	KTAP_EQUAL(integer, -5);
	KTAP_CHECK(toml_get_integer(&toml, "", "port", 0, &integer));
	KTAP_EQUAL(integer, 0x3f8);
	KTAP_CHECK(toml_get_boolean(&toml, "", "on", false, &boolean));
	KTAP_CHECK(boolean);
	KTAP_CHECK(toml_get_boolean(&toml, "", "off", true, &boolean));
	KTAP_CHECK(!boolean);
	KTAP_CHECK(toml_get_array(&toml, "", "needs", &count));
	KTAP_EQUAL(count, 2);
	KTAP_CHECK(strcmp(toml_array_item(&toml, "", "needs", 1), "c") == 0);
	KTAP_CHECK(toml_array_item(&toml, "", "needs", 2) == NULL);
	KTAP_CHECK(toml_get_array(&toml, "", "none", &count) && count == 0);
}

static void
test_missing_keys_and_wrong_types(void)
{
	const char *string;
	int64_t integer;
	bool boolean;
	unsigned count;

	KTAP_EQUAL(parse("a = 1\nb = \"x\"\n"), TOML_OK);
	KTAP_CHECK(toml_get_string(&toml, "", "z", "d", &string) &&
	    strcmp(string, "d") == 0);
	KTAP_CHECK(toml_get_integer(&toml, "", "z", 9, &integer) &&
	    integer == 9);
	KTAP_CHECK(!toml_get_string(&toml, "", "a", "d", &string));
	KTAP_CHECK(!toml_get_integer(&toml, "", "b", 9, &integer));
	KTAP_CHECK(!toml_get_boolean(&toml, "", "a", true, &boolean));
	KTAP_CHECK(!toml_get_array(&toml, "", "a", &count));
	KTAP_CHECK(toml_find(&toml, "t", "a") == NULL);
}

static void
test_errors_name_the_line(void)
{
	static const struct {
		const char *text;
		enum toml_error error;
		unsigned line;
	} bad[] = {
		{ "a = 1\n= 2\n", TOML_BAD_CHARACTER, 2 },
		{ "\n\n\xff", TOML_BAD_CHARACTER, 3 },
		{ "a 1\n", TOML_NO_EQUALS, 1 },
		{ "a\n", TOML_NO_EQUALS, 1 },
		{ "a = \n", TOML_BAD_VALUE, 1 },
		{ "a = truely\n", TOML_BAD_VALUE, 1 },
		{ "a = tru", TOML_BAD_VALUE, 1 },
		{ "a = \"x\nb = 1", TOML_BAD_STRING, 1 },
		{ "a = \"x", TOML_BAD_STRING, 1 },
		{ "a = \"\\", TOML_BAD_STRING, 1 },
		{ "a = \"\\q\"", TOML_BAD_STRING, 1 },
		{ "a = 12x\n", TOML_BAD_INTEGER, 1 },
		{ "a = 1__0\n", TOML_BAD_INTEGER, 1 },
		{ "a = 1_\n", TOML_BAD_INTEGER, 1 },
		{ "a = -\n", TOML_BAD_INTEGER, 1 },
		{ "a = 0x\n", TOML_BAD_INTEGER, 1 },
		{ "a = 9223372036854775808\n", TOML_BAD_INTEGER, 1 },
		{ "a = 99999999999999999999999\n", TOML_BAD_INTEGER, 1 },
		{ "a = [\n1]", TOML_BAD_ARRAY, 2 },
		{ "a = [\"x\" \"y\"]", TOML_BAD_ARRAY, 1 },
		{ "a = [\"x\"", TOML_BAD_ARRAY, 1 },
		{ "a = [\"x\",", TOML_BAD_ARRAY, 1 },
		{ "[t\n", TOML_BAD_TABLE, 1 },
		{ "[]\n", TOML_BAD_TABLE, 1 },
		{ "[a.b]\n", TOML_BAD_TABLE, 1 },
		{ "a = 1 b = 2\n", TOML_NO_NEWLINE, 1 },
		{ "[t] x\n", TOML_NO_NEWLINE, 1 },
		{ "a = 1\n\na = 2\n", TOML_DUPLICATE, 3 },
		{ "[t]\na = 1\n[u]\n[t]\na = 2\n", TOML_DUPLICATE, 5 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		KTAP_EQUAL(parse(bad[i].text), bad[i].error);
		KTAP_EQUAL(line, bad[i].line);
		KTAP_EQUAL(toml.entry_count, 0);
		KTAP_CHECK(toml_error_name(bad[i].error)[0] != '?');
	}
}

static void
test_largest_and_smallest_integers(void)
{
	int64_t value;

	KTAP_EQUAL(parse("a = 9223372036854775807\n"
	    "b = -9223372036854775808\n"), TOML_OK);
	KTAP_CHECK(toml_get_integer(&toml, "", "a", 0, &value));
	KTAP_CHECK(value == INT64_MAX);
	KTAP_CHECK(toml_get_integer(&toml, "", "b", 0, &value));
	KTAP_CHECK(value == INT64_MIN);
}

static void
test_limits_are_errors(void)
{
	static char text[3 * TOML_TEXT_MAX];
	size_t length = 0;

	for (unsigned i = 0; i <= TOML_ENTRIES_MAX; i++)
		length += (size_t)sprintf(text + length, "k%u = 1\n", i);
	KTAP_EQUAL(parse(text), TOML_TOO_LARGE);
	KTAP_EQUAL(line, TOML_ENTRIES_MAX + 1);

	length = (size_t)sprintf(text, "k = [");
	for (unsigned i = 0; i <= TOML_STRINGS_MAX; i++)
		length += (size_t)sprintf(text + length, "\"\",");
	sprintf(text + length, "]\n");
	KTAP_EQUAL(parse(text), TOML_TOO_LARGE);

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	KTAP_EQUAL(parse(text), TOML_TOO_LARGE);
	memcpy(text, "k = \"", 5);
	KTAP_EQUAL(parse(text), TOML_TOO_LARGE);
}

static void
test_every_truncation_is_safe(void)
{
	static const char text[] = "a = \"x\\n\" # c\n[t]\r\n"
	    "b = [\"y\",\n'z']\nc = 0x1f\nd = true\n";

	for (size_t i = 0; i < sizeof(text); i++) {
		char copy[sizeof(text)];
		memcpy(copy, text, i);
		copy[i] = '\0';
		enum toml_error error = parse(copy);
		KTAP_CHECK(error < TOML_ERROR_COUNT);
		KTAP_CHECK(error == TOML_OK || toml.entry_count == 0);
	}
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_all_kinds_of_values),
		KTAP_TEST(test_missing_keys_and_wrong_types),
		KTAP_TEST(test_errors_name_the_line),
		KTAP_TEST(test_largest_and_smallest_integers),
		KTAP_TEST(test_limits_are_errors),
		KTAP_TEST(test_every_truncation_is_safe),
	};

	return KTAP_RUN(tests);
}
