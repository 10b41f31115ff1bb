/* SPDX-License-Identifier: MIT */
/*
 * Each key is read by one call, which says what is wrong with it. A key that
 * nobody knows is an error: a misspelt `restart` must not become a default.
 */
#include "manifest.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))
#define MS		1000000ul	/* ns */
#define DAY_MS		86400000

struct reader {
	const struct toml *toml;
	struct manifest_error *error;
};

__attribute__((format(printf, 3, 4))) static bool
wrong(const struct reader *reader, const char *key, const char *format, ...)
{
	struct manifest_error *error = reader->error;
	int length = snprintf(error->text, sizeof(error->text), "key '%s': ",
	    key);
	va_list arguments;

	if (length < 0 || (size_t)length >= sizeof(error->text))
		return false;
	va_start(arguments, format);
	vsnprintf(error->text + length, sizeof(error->text) - (size_t)length,
	    format, arguments);
	va_end(arguments);
	return false;
}

static bool
read_text(const struct reader *reader, const char *key, const char **out_text)
{
	if (!toml_get_string(reader->toml, "", key, NULL, out_text))
		return wrong(reader, key, "a string is wanted");
	if (*out_text != NULL && **out_text == '\0')
		return wrong(reader, key, "is empty");
	return true;
}

static bool
read_flag(const struct reader *reader, const char *key, bool missing,
    bool *out_flag)
{
	return toml_get_boolean(reader->toml, "", key, missing, out_flag) ||
	    wrong(reader, key, "true or false is wanted");
}

/* *number is the default, in units. */
static bool
read_number(const struct reader *reader, const char *key, int64_t low,
    int64_t high, int64_t *number)
{
	if (toml_get_integer(reader->toml, "", key, *number, number) &&
	    *number >= low && *number <= high)
		return true;
	return wrong(reader, key, "a number from %lld to %lld is wanted",
	    (long long)low, (long long)high);
}

static bool
read_ms(const struct reader *reader, const char *key, int64_t missing,
    int64_t low, uint64_t *out_ns)
{
	if (!read_number(reader, key, low, DAY_MS, &missing))
		return false;
	*out_ns = (uint64_t)missing * MS;
	return true;
}

static bool
read_list(const struct reader *reader, const char *key, unsigned limit,
    const char **items, unsigned *out_count)
{
	unsigned count;

	if (!toml_get_array(reader->toml, "", key, &count))
		return wrong(reader, key, "an array of strings is wanted");
	if (count > limit)
		return wrong(reader, key, "more than %u strings", limit);
	for (unsigned i = 0; i < count; i++) {
		items[i] = toml_array_item(reader->toml, "", key, i);
		if (items[i][0] == '\0')
			return wrong(reader, key, "string %u is empty", i + 1);
	}
	*out_count = count;
	return true;
}

/* The index of the value in a list of words; the first is the default. */
static bool
read_word(const struct reader *reader, const char *key,
    const char *const *words, unsigned count, unsigned *out_index)
{
	const char *value;

	if (!read_text(reader, key, &value))
		return false;
	*out_index = 0;
	if (value == NULL)
		return true;
	for (unsigned i = 0; i < count; i++) {
		*out_index = i;
		if (strcmp(words[i], value) == 0)
			return true;
	}
	return wrong(reader, key, "'%s' is none of its words", value);
}

/* "64K", "16M", "1G"; whole pages. */
static bool
read_size(const struct reader *reader, const char *key, uint64_t *out_size)
{
	static const char units[] = "KMG";
	const char *text, *unit;
	char *end;
	unsigned long value;

	*out_size = 0;
	if (!read_text(reader, key, &text))
		return false;
	if (text == NULL)
		return true;
	errno = 0;
	value = strtoul(text, &end, 10);
	unit = *end == '\0' ? NULL : strchr(units, *end);
	if (!isdigit((unsigned char)text[0]) || errno != 0 || unit == NULL ||
	    end[1] != '\0' || value > 1ul << 22)
		return wrong(reader, key, "a size such as \"16M\" is wanted");
	*out_size = value << (10 * (unit - units + 1));
	if (*out_size < 1ul << 16 || *out_size > 1ul << 36)
		return wrong(reader, key, "64K to 64G is possible");
	*out_size = (*out_size + 4095) & ~4095ul;
	return true;
}

/* Names of services and files: nothing that a path or a message needs. */
static bool
is_name(const char *text, size_t length)
{
	if (length == 0 || length > MANIFEST_NAME_MAX || text[0] == '.')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) &&
		    strchr("-_.@", text[i]) == NULL)
			return false;
	return true;
}

static bool
check_keys(const struct reader *reader)
{
	static const char *const known[] = {
		"name", "command", "group", "needs", "restart",
		"max_restarts", "window_ms", "delay_ms", "jitter_permille",
		"cold", "predict", "give_up", "retry_ms", "spare", "arena", "listen",
		"accept", "descriptors", "environment", "directory", "user",
		"urgent", "ready", "ready_fd", "watchdog_ms", "start_timeout_ms",
		"stop_timeout_ms", "stop_signal", "log",
		/* Of places in the machine; without a meaning here. */
		"image", "provides", "class", "weight", "stack", "slots",
		"frames", "objects", "request_budget_us",
	};

	for (unsigned i = 0; i < reader->toml->entry_count; i++) {
		const struct toml_entry *entry = &reader->toml->entry[i];
		const char *key = toml_text(reader->toml, entry->key);
		unsigned j = 0;

		while (j < COUNT(known) && strcmp(known[j], key) != 0)
			j++;
		if (j == COUNT(known) || entry->table != 0)
			return wrong(reader, key, "there is no such key");
	}
	return true;
}

/* "name" or, as in the machine, "name:interface". */
static bool
read_needs(const struct reader *reader, struct manifest *out)
{
	if (!read_list(reader, "needs", MANIFEST_NEEDS_MAX, out->needs,
	    &out->needs_count))
		return false;
	for (unsigned i = 0; i < out->needs_count; i++) {
		size_t length = strcspn(out->needs[i], ":");

		if (!is_name(out->needs[i], length))
			return wrong(reader, "needs", "'%s' is no name",
			    out->needs[i]);
		out->toml.text[out->needs[i] - out->toml.text + length] = '\0';
	}
	return true;
}

static bool
read_identity(const struct reader *reader, struct manifest *out)
{
	const char *words[MANIFEST_COMMAND_MAX];
	unsigned count;
	int64_t group = 0;

	if (!read_text(reader, "name", &out->name))
		return false;
	if (out->name == NULL || !is_name(out->name, strlen(out->name)))
		return wrong(reader, "name", "1 to %u of a-z A-Z 0-9 - _ . @ "
		    "are wanted", MANIFEST_NAME_MAX);
	if (!read_list(reader, "command", MANIFEST_COMMAND_MAX, words, &count))
		return false;
	if (count == 0)
		return wrong(reader, "command", "is missing");
	for (unsigned i = 0; i < count; i++)
		out->command[i] = out->toml.text + (words[i] - out->toml.text);
	if (out->command[0][0] != '/')
		return wrong(reader, "command", "'%s' is no absolute path",
		    words[0]);
	if (!read_number(reader, "group", 0, MANIFEST_GROUPS - 1, &group))
		return false;
	out->group = (unsigned)group;
	return read_needs(reader, out);
}

static bool
read_policy(const struct reader *reader, struct manifest *out)
{
	static const char *const restart[] = {
		"always", "on-failure", "never",
	};
	static const uint64_t value[] = {
		SUPERVISE_RESTART_ALWAYS, SUPERVISE_RESTART_ON_FAILURE,
		SUPERVISE_RESTART_NEVER,
	};
	struct supervise_policy *policy = &out->policy;
	int64_t max_restarts = 3, jitter = 100;
	unsigned word;
	bool cold, predict, give_up;

	if (!read_word(reader, "restart", restart, COUNT(restart), &word) ||
	    !read_number(reader, "max_restarts", 0, 1000000, &max_restarts) ||
	    !read_ms(reader, "window_ms", 60000, 1, &policy->window_ns) ||
	    !read_ms(reader, "delay_ms", 1000, 0, &policy->delay_ns) ||
	    !read_number(reader, "jitter_permille", 0, 1000, &jitter) ||
	    !read_flag(reader, "cold", false, &cold) ||
	    !read_flag(reader, "predict", false, &predict) ||
	    !read_flag(reader, "give_up", false, &give_up) ||
	    !read_ms(reader, "retry_ms", 60000, 100, &out->retry_ns) ||
	    !read_ms(reader, "watchdog_ms", 0, 0, &policy->beat_ns))
		return false;
	policy->restart = value[word];
	policy->max_restarts = (uint64_t)max_restarts;
	policy->jitter_permille = (uint64_t)jitter;
	policy->cold = cold;
	policy->predict = predict;
	if (give_up)
		out->retry_ns = SUPERVISE_NEVER;
	/* Two beats may be owed: the second is asked for after the first. */
	policy->beat_ns /= 2;
	return true;
}

static bool
read_state(const struct reader *reader, struct manifest *out)
{
	int64_t descriptors = 0;

	if (!read_flag(reader, "spare", false, &out->spare) ||
	    !read_flag(reader, "urgent", false, &out->urgent) ||
	    !read_size(reader, "arena", &out->arena_size) ||
	    !read_list(reader, "listen", MANIFEST_LISTEN_MAX, out->listen,
	    &out->listen_count) ||
	    !read_flag(reader, "accept", false, &out->accept))
		return false;
	if (out->accept && out->listen_count == 0)
		return wrong(reader, "accept", "needs the key 'listen'");
	if (out->accept)
		descriptors = 256;
	if (!read_number(reader, "descriptors", 0, MANIFEST_DESCRIPTORS_MAX,
	    &descriptors))
		return false;
	out->descriptors = (unsigned)descriptors;
	return true;
}

static bool
read_surroundings(const struct reader *reader, struct manifest *out)
{
	if (!read_list(reader, "environment", MANIFEST_ENVIRONMENT_MAX,
	    out->environment, &out->environment_count) ||
	    !read_text(reader, "directory", &out->directory) ||
	    !read_text(reader, "user", &out->user) ||
	    !read_text(reader, "log", &out->log_file))
		return false;
	for (unsigned i = 0; i < out->environment_count; i++)
		if (strchr(out->environment[i], '=') == NULL ||
		    out->environment[i][0] == '=')
			return wrong(reader, "environment",
			    "'%s' is not NAME=VALUE", out->environment[i]);
	if (out->directory != NULL && out->directory[0] != '/')
		return wrong(reader, "directory", "is no absolute path");
	out->log = LOG_FILE;
	if (out->log_file == NULL || strcmp(out->log_file, "prefix") == 0)
		out->log = LOG_PREFIX;
	else if (strcmp(out->log_file, "inherit") == 0)
		out->log = LOG_INHERIT;
	else if (out->log_file[0] != '/')
		return wrong(reader, "log", "prefix, inherit or an absolute "
		    "path is wanted");
	return true;
}

static bool
read_signal(const struct reader *reader, struct manifest *out)
{
	static const char *const name[] = {
		"TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "KILL",
	};
	static const int number[] = {
		SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGKILL,
	};
	unsigned word;

	if (!read_word(reader, "stop_signal", name, COUNT(name), &word))
		return false;
	out->stop_signal = number[word];
	return true;
}

/* Descriptors that a process finds when it starts, besides 0, 1, 2. */
static int64_t
first_free_descriptor(const struct manifest *manifest)
{
	return 3 + (manifest->accept ? 0 : manifest->listen_count) +
	    (manifest_is_place(manifest) ? 3 : manifest->descriptors);
}

static bool
read_life(const struct reader *reader, struct manifest *out)
{
	static const char *const ready[] = { "start", "notify", "fd" };
	int64_t low = first_free_descriptor(out), descriptor = low;
	unsigned word;

	if (!read_word(reader, "ready", ready, COUNT(ready), &word) ||
	    !read_number(reader, "ready_fd", low, 1023, &descriptor) ||
	    !read_ms(reader, "start_timeout_ms", 60000, 0,
	    &out->start_timeout_ns) ||
	    !read_ms(reader, "stop_timeout_ms", 10000, 0,
	    &out->stop_timeout_ns) || !read_signal(reader, out))
		return false;
	out->ready = (enum manifest_ready)word;
	out->ready_fd = (int)descriptor;
	if (out->spare && out->ready != READY_NOTIFY)
		return wrong(reader, "spare", "needs ready = \"notify\"");
	if (out->accept && out->ready != READY_NOTIFY)
		return wrong(reader, "accept", "needs ready = \"notify\"");
	return true;
}

bool
manifest_is_place(const struct manifest *manifest)
{
	return manifest->spare || manifest->accept ||
	    manifest->arena_size != 0;
}

bool
manifest_parse(const char *text, size_t length, struct manifest *out,
    struct manifest_error *error)
{
	struct reader reader = { .toml = &out->toml, .error = error };
	enum toml_error toml;

	memset(out, 0, sizeof(*out));
	*error = (struct manifest_error){ 0 };
	toml = toml_parse(text, length, &out->toml, &error->line);
	if (toml != TOML_OK) {
		snprintf(error->text, sizeof(error->text), "%s",
		    toml_error_name(toml));
		return false;
	}
	error->line = 0;
	return check_keys(&reader) && read_identity(&reader, out) &&
	    read_policy(&reader, out) && read_state(&reader, out) &&
	    read_surroundings(&reader, out) && read_life(&reader, out);
}

bool
manifest_read(const char *path, struct manifest *out,
    struct manifest_error *error)
{
	char *text = malloc(MANIFEST_BYTES_MAX + 1);
	FILE *file = fopen(path, "re");
	size_t length;
	bool ok;

	*error = (struct manifest_error){ 0 };
	if (file == NULL || text == NULL) {
		snprintf(error->text, sizeof(error->text), "%s",
		    strerror(errno));
		if (file != NULL)
			fclose(file);
		free(text);
		return false;
	}
	length = fread(text, 1, MANIFEST_BYTES_MAX + 1, file);
	ok = !ferror(file) && length <= MANIFEST_BYTES_MAX;
	fclose(file);
	if (ok)
		ok = manifest_parse(text, length, out, error);
	else
		snprintf(error->text, sizeof(error->text),
		    "cannot be read, or is too long");
	free(text);
	return ok;
}
