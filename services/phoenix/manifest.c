/* SPDX-License-Identifier: MIT */
/*
 * Manifests: what a service is and may use. See phoenix.8 for the keys.
 */
#include "phoenix.h"

#include <lib/base/string.h>
#include <lib/toml/toml.h>

static struct toml toml;

static bool
complain(const char *file, const char *key)
{
	service_log("%s: bad value of %s", file, key);
	return false;
}

static bool
read_text(const char *file, const char *key, const char *missing, char *to,
    size_t size)
{
	const char *value;

	if (!toml_get_string(&toml, "", key, missing, &value) ||
	    value == NULL || strlen(value) >= size)
		return complain(file, key);
	memcpy(to, value, strlen(value) + 1);
	return true;
}

/* low <= value <= high, stored in units of `unit`. */
static bool
read_number(const char *file, const char *key, int64_t missing, int64_t low,
    int64_t high, uint64_t unit, uint64_t *to)
{
	int64_t value;

	if (!toml_get_integer(&toml, "", key, missing, &value) || value < low ||
	    value > high)
		return complain(file, key);
	*to = (uint64_t)value * unit;
	return true;
}

/* A size in bytes, "64K", "1M", "1G"; whole pages. */
static bool
read_size(const char *file, const char *key, const char *missing,
    uint64_t low, uint64_t high, uint64_t *to)
{
	char text[16];
	const char *at = text;
	uint64_t value = 0;

	if (!read_text(file, key, missing, text, sizeof(text)))
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	if (*at == 'K')
		value <<= 10;
	else if (*at == 'M')
		value <<= 20;
	else if (*at == 'G')
		value <<= 30;
	at += *at != '\0';
	if (at == text || *at != '\0' || value < low || value > high)
		return complain(file, key);
	*to = (value + PAGE_MASK) & ~PAGE_MASK;
	return true;
}

static bool
read_list(const char *file, const char *key, char *to, size_t size,
    unsigned limit)
{
	unsigned count;

	if (!toml_get_array(&toml, "", key, &count) || count > limit)
		return complain(file, key);
	for (unsigned i = 0; i < count; i++) {
		const char *item = toml_array_item(&toml, "", key, i);
		if (strlen(item) >= size)
			return complain(file, key);
		memcpy(to + i * size, item, strlen(item) + 1);
	}
	return true;
}

/* The index of the value in a list of words. */
static bool
read_word(const char *file, const char *key, const char *missing,
    const char *const *words, uint64_t *to)
{
	char value[16];

	if (!read_text(file, key, missing, value, sizeof(value)))
		return false;
	for (*to = 0; words[*to] != NULL; (*to)++)
		if (strcmp(words[*to], value) == 0)
			return true;
	return complain(file, key);
}

static bool
keys_are_known(const char *file)
{
	static const char *const known[] = {
		"name", "image", "provides", "needs", "group", "class",
		"weight", "arena", "stack", "slots", "frames", "objects",
		"request_budget_us", "restart", "max_restarts", "window_ms",
		"delay_ms", "cold", "predict", "beat_ms",
	};

	for (unsigned i = 0; i < toml.entry_count; i++) {
		const char *key = toml_text(&toml, toml.entry[i].key);
		unsigned j = 0;
		while (j < sizeof(known) / sizeof(known[0]) &&
		    strcmp(known[j], key) != 0)
			j++;
		if (j == sizeof(known) / sizeof(known[0]) ||
		    toml.entry[i].table != 0) {
			service_log("%s: unknown key %s", file, key);
			return false;
		}
	}
	return true;
}

/* The image defaults to the name; .elf may be left out. */
static bool
read_image(const char *file, struct manifest *out)
{
	size_t length;

	if (!read_text(file, "image", out->name, out->image,
	    sizeof(out->image)))
		return false;
	length = strlen(out->image);
	if (length > 4 && strcmp(out->image + length - 4, ".elf") == 0)
		out->image[length - 4] = '\0';
	return true;
}

static bool
read_flag(const char *file, const char *key, uint64_t *to)
{
	bool value;

	if (!toml_get_boolean(&toml, "", key, false, &value))
		return complain(file, key);
	*to = value;
	return true;
}

static bool
read_policy(const char *file, struct supervise_policy *out)
{
	static const char *const restart[] = {
		[SUPERVISE_RESTART_NEVER] = "never",
		[SUPERVISE_RESTART_ON_FAILURE] = "on-failure",
		[SUPERVISE_RESTART_ALWAYS] = "always",
		NULL
	};

	return read_word(file, "restart", "always", restart, &out->restart) &&
	    read_number(file, "max_restarts", 3, 0, 1000000, 1,
	    &out->max_restarts) &&
	    read_number(file, "window_ms", 60000, 1, 86400000, 1000000,
	    &out->window_ns) &&
	    read_number(file, "delay_ms", 1000, 0, 3600000, 1000000,
	    &out->delay_ns) &&
	    read_number(file, "beat_ms", 1000, 0, 3600000, 1000000,
	    &out->beat_ns) &&
	    read_flag(file, "cold", &out->cold) &&
	    read_flag(file, "predict", &out->predict);
}

static bool
read_limits(const char *file, struct manifest *out)
{
	static const char *const class[] = {
		[CLASS_IDLE] = "idle",
		[CLASS_LOW] = "low",
		[CLASS_NORMAL] = "normal",
		[CLASS_HIGH] = "high",
		[CLASS_REALTIME] = "realtime",
		NULL
	};

	if (!read_word(file, "class", "high", class, &out->class) ||
	    !read_number(file, "weight", WEIGHT_DEFAULT, 1, 65535, 1,
	    &out->weight) ||
	    !read_size(file, "arena", "1M", 1ul << 16, 1ul << 32,
	    &out->arena_size) ||
	    !read_size(file, "stack", "32K", 1ul << 13, 1ul << 20,
	    &out->stack_size) ||
	    !read_number(file, "slots", 4096, 64, 1 << 20, 1,
	    &out->table_slots) ||
	    !read_number(file, "frames", 0, 0, 1l << 40, 1, &out->frames) ||
	    !read_number(file, "objects", 0, 0, 1l << 40, 1, &out->objects) ||
	    !read_number(file, "request_budget_us", 0, 0, 1l << 40, 1000,
	    &out->request_budget_ns))
		return false;
	return true;
}

bool
manifest_read(const char *file, const char *text, size_t size,
    struct manifest *out)
{
	unsigned line;
	enum toml_error error = toml_parse(text, size, &toml, &line);

	memset(out, 0, sizeof(*out));
	if (error != TOML_OK) {
		service_log("%s:%u: %s", file, line, toml_error_name(error));
		return false;
	}
	return keys_are_known(file) &&
	    read_text(file, "name", NULL, out->name, sizeof(out->name)) &&
	    read_image(file, out) &&
	    read_list(file, "provides", out->provides[0],
	    sizeof(out->provides[0]), PROVIDES_MAX) &&
	    read_list(file, "needs", out->needs[0], sizeof(out->needs[0]),
	    NEEDS_MAX) &&
	    read_number(file, "group", 0, 0, 99, 1, &out->group) &&
	    read_limits(file, out) && read_policy(file, &out->policy);
}

bool
manifest_needs(const struct manifest *manifest, const char *name)
{
	for (unsigned i = 0; i < NEEDS_MAX; i++)
		if (manifest->needs[i][0] != '\0' &&
		    strcmp(manifest->needs[i], name) == 0)
			return true;
	return false;
}

bool
manifest_provides(const struct manifest *manifest, const char *name)
{
	for (unsigned i = 0; i < PROVIDES_MAX; i++)
		if (manifest->provides[i][0] != '\0' &&
		    strcmp(manifest->provides[i], name) == 0)
			return true;
	return false;
}
