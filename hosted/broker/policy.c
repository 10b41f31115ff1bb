/* SPDX-License-Identifier: MIT */
/*
 * A rule is a table of the file; see policy.h. Names of users and groups become
 * numbers when the file is read, so a decision reads memory only.
 */
#include "policy.h"

#include <lib/token/token.h>
#include <lib/toml/toml.h>

#include <ctype.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMITS		"limits"	/* a table of this name, or LIMITS-x */
#define TABLE_MAX	64u		/* bytes of a table's name */

enum who_kind { WHO_ANYBODY, WHO_SAME, WHO_USER, WHO_GROUP };

struct who {
	enum who_kind kind;
	uint32_t id;		/* WHO_USER, WHO_GROUP */
};

struct rule {
	struct who *who;
	unsigned who_count;
	char	**name;		/* patterns; none: a table of limits */
	unsigned name_count;
	struct policy_grant grant;
	struct policy_limits limits;
};

struct policy {
	unsigned rule_count;
	struct rule rule[POLICY_RULES_MAX];
	struct rule everybody;	/* limits for who is in no table of them */
	struct rule observers;	/* only its `who` */
	char	 why[256];
};

static const struct policy_limits limits_default = {
	.processes = 256, .channels = 131072, .members = 262144,
	.lanes = 524288, .bytes = 1ul << 30,
};

static const struct {
	const char *name;
	unsigned bit;
} right_names[] = {
	{ "create", TOKEN_OWN }, { "send", TOKEN_SEND },
	{ "receive", TOKEN_RECEIVE }, { "grant", TOKEN_GRANT },
};

static const struct {
	const char *name;
	size_t	 offset;
} limit_names[] = {
	{ "processes", offsetof(struct policy_limits, processes) },
	{ "channels", offsetof(struct policy_limits, channels) },
	{ "members", offsetof(struct policy_limits, members) },
	{ "lanes", offsetof(struct policy_limits, lanes) },
	{ "bytes", offsetof(struct policy_limits, bytes) },
};

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* The part of a file that is being read. */
struct reader {
	struct policy *policy;
	const struct toml *toml;
	const char *table;
};

__attribute__((format(printf, 2, 3))) static status_t
wrong(const struct reader *reader, const char *format, ...)
{
	struct policy *policy = reader->policy;
	int length = snprintf(policy->why, sizeof(policy->why), "[%s] ",
	    reader->table);
	va_list arguments;

	if (length < 0 || (size_t)length >= sizeof(policy->why))
		length = 0;
	va_start(arguments, format);
	vsnprintf(policy->why + length, sizeof(policy->why) - (size_t)length,
	    format, arguments);
	va_end(arguments);
	return ERR_ARG;
}

static bool
parse_number(const char *text, uint32_t *out_number)
{
	char *end;
	unsigned long value;

	if (!isdigit((unsigned char)text[0]))
		return false;
	value = strtoul(text, &end, 10);
	if (*end != '\0' || value >= UINT32_MAX)
		return false;
	*out_number = (uint32_t)value;
	return true;
}

static bool
find_user(const char *text, struct who *out_who)
{
	struct passwd *entry;

	out_who->kind = WHO_USER;
	if (strcmp(text, "*") == 0)
		out_who->kind = WHO_ANYBODY;
	else if (strcmp(text, "same") == 0)
		out_who->kind = WHO_SAME;
	else if (!parse_number(text, &out_who->id)) {
		entry = getpwnam(text);
		if (entry == NULL)
			return false;
		out_who->id = entry->pw_uid;
	}
	return true;
}

static bool
find_group(const char *text, struct who *out_who)
{
	struct group *entry;

	out_who->kind = WHO_GROUP;
	if (parse_number(text, &out_who->id))
		return true;
	entry = getgrnam(text);
	if (entry == NULL)
		return false;
	out_who->id = entry->gr_gid;
	return true;
}

static status_t
read_who(const struct reader *reader, const char *key, bool groups,
    struct rule *rule)
{
	unsigned count;
	struct who *who;

	if (!toml_get_array(reader->toml, reader->table, key, &count))
		return wrong(reader, "%s: an array of strings is wanted", key);
	if (count == 0)
		return OK;
	who = realloc(rule->who, (rule->who_count + count) * sizeof(*who));
	if (who == NULL)
		return ERR_NOMEM;
	rule->who = who;
	for (unsigned i = 0; i < count; i++) {
		const char *item = toml_array_item(reader->toml, reader->table,
		    key, i);
		if (!(groups ? find_group : find_user)(item,
		    &rule->who[rule->who_count]))
			return wrong(reader, "%s: no %s '%s'", key,
			    groups ? "group" : "user", item);
		rule->who_count++;
	}
	return OK;
}

static status_t
read_names(const struct reader *reader, struct rule *rule)
{
	unsigned count;

	if (!toml_get_array(reader->toml, reader->table, "names", &count) ||
	    count == 0)
		return wrong(reader, "names: an array of patterns is wanted");
	rule->name = calloc(count, sizeof(*rule->name));
	if (rule->name == NULL)
		return ERR_NOMEM;
	for (unsigned i = 0; i < count; i++) {
		rule->name[i] = strdup(toml_array_item(reader->toml,
		    reader->table, "names", i));
		if (rule->name[i] == NULL)
			return ERR_NOMEM;
		rule->name_count++;
	}
	return OK;
}

static status_t
read_rights(const struct reader *reader, struct rule *rule)
{
	unsigned count;

	if (!toml_get_array(reader->toml, reader->table, "rights", &count))
		return wrong(reader, "rights: an array of strings is wanted");
	for (unsigned i = 0; i < count; i++) {
		const char *item = toml_array_item(reader->toml, reader->table,
		    "rights", i);
		unsigned found = 0;

		for (unsigned j = 0; j < COUNT(right_names); j++)
			if (strcmp(item, right_names[j].name) == 0)
				found = right_names[j].bit;
		if (found == 0)
			return wrong(reader, "rights: no right '%s'", item);
		rule->grant.rights |= found;
	}
	return OK;
}

static status_t
read_grant(const struct reader *reader, struct rule *rule)
{
	int64_t trust;
	status_t status = read_names(reader, rule);

	if (status == OK)
		status = read_rights(reader, rule);
	if (status != OK)
		return status;
	if (!toml_get_integer(reader->toml, reader->table, "trust", 0,
	    &trust) || trust < 0 || trust > 0xf)
		return wrong(reader, "trust: a number from 0 to 15 is wanted");
	rule->grant.trust = (unsigned)trust;
	if (!toml_get_boolean(reader->toml, reader->table, "needs_token",
	    false, &rule->grant.needs_token))
		return wrong(reader, "needs_token: true or false is wanted");
	if (rule->who_count == 0)
		return wrong(reader, "users or groups is wanted");
	return OK;
}

static status_t
read_limits(const struct reader *reader, struct policy_limits *limits)
{
	for (unsigned i = 0; i < COUNT(limit_names); i++) {
		uint64_t *limit = (uint64_t *)(void *)((char *)limits +
		    limit_names[i].offset);
		int64_t value;

		if (!toml_get_integer(reader->toml, reader->table,
		    limit_names[i].name, (int64_t)*limit, &value) || value < 0)
			return wrong(reader, "%s: a number is wanted",
			    limit_names[i].name);
		*limit = (uint64_t)value;
	}
	return OK;
}

static bool
is_limits(const char *table)
{
	return strncmp(table, LIMITS, sizeof(LIMITS) - 1) == 0 &&
	    (table[sizeof(LIMITS) - 1] == '\0' ||
	    table[sizeof(LIMITS) - 1] == '-');
}

static bool
key_is_known(const char *table, const char *key)
{
	static const char *const of_rule[] = {
		"users", "groups", "names", "rights", "trust", "needs_token",
	};

	if (table[0] == '\0')
		return strcmp(key, "observers") == 0;
	if (!is_limits(table)) {
		for (unsigned i = 0; i < COUNT(of_rule); i++)
			if (strcmp(key, of_rule[i]) == 0)
				return true;
		return false;
	}
	for (unsigned i = 0; i < COUNT(limit_names); i++)
		if (strcmp(key, limit_names[i].name) == 0)
			return true;
	return strcmp(key, "users") == 0 || strcmp(key, "groups") == 0;
}

static void
rule_clear(struct rule *rule)
{
	for (unsigned i = 0; i < rule->name_count; i++)
		free(rule->name[i]);
	free(rule->name);
	free(rule->who);
	*rule = (struct rule){ 0 };
}

static status_t
read_rule(const struct reader *reader, struct rule *rule)
{
	bool limits = is_limits(reader->table);
	status_t status;

	rule->limits = reader->policy->everybody.limits;
	status = read_who(reader, "users", false, rule);
	if (status == OK)
		status = read_who(reader, "groups", true, rule);
	if (status == OK)
		status = limits ? read_limits(reader, &rule->limits) :
		    read_grant(reader, rule);
	return status;
}

static status_t
read_table(const struct reader *reader)
{
	struct policy *policy = reader->policy;
	struct rule *rule = &policy->rule[policy->rule_count];
	status_t status;

	if (reader->table[0] == '\0')
		return read_who(reader, "observers", false,
		    &policy->observers);
	if (strcmp(reader->table, LIMITS) == 0)
		return read_limits(reader, &policy->everybody.limits);
	if (policy->rule_count == POLICY_RULES_MAX)
		return wrong(reader, "more than %u tables", POLICY_RULES_MAX);
	status = read_rule(reader, rule);
	if (status != OK) {
		rule_clear(rule);
		return status;
	}
	policy->rule_count++;
	return OK;
}

/* Entries of a table follow one another; the table begins with its first. */
static status_t
read_tables(struct policy *policy, const struct toml *toml)
{
	struct reader reader = { .policy = policy, .toml = toml };
	status_t status = OK;

	for (unsigned i = 0; i < toml->entry_count && status == OK; i++) {
		const struct toml_entry *entry = &toml->entry[i];
		const char *key = toml_text(toml, entry->key);

		reader.table = toml_text(toml, entry->table);
		if (!key_is_known(reader.table, key))
			return wrong(&reader, "there is no key '%s'", key);
		if (i == 0 || toml->entry[i - 1].table != entry->table)
			status = read_table(&reader);
	}
	return status;
}

status_t
policy_read(struct policy *policy, const char *text, size_t length,
    const char **out_why)
{
	struct toml *toml = malloc(sizeof(*toml));
	unsigned line;
	enum toml_error error;
	status_t status;

	*out_why = "no memory";
	if (toml == NULL)
		return ERR_NOMEM;
	error = toml_parse(text, length, toml, &line);
	*out_why = policy->why;
	if (error != TOML_OK) {
		snprintf(policy->why, sizeof(policy->why), "line %u: %s", line,
		    toml_error_name(error));
		status = ERR_ARG;
	} else {
		snprintf(policy->why, sizeof(policy->why), "no memory");
		status = read_tables(policy, toml);
	}
	free(toml);
	return status;
}

static bool
who_is(const struct who *who, const struct policy_subject *subject,
    uid_t creator)
{
	switch (who->kind) {
	case WHO_ANYBODY:
		return true;
	case WHO_SAME:
		return subject->uid == creator;
	case WHO_USER:
		return subject->uid == who->id;
	case WHO_GROUP:
		for (unsigned i = 0; i < subject->group_count; i++)
			if (subject->group[i] == who->id)
				return true;
		return false;
	}
	return false;
}

static bool
rule_is_for(const struct rule *rule, const struct policy_subject *subject,
    uid_t creator)
{
	for (unsigned i = 0; i < rule->who_count; i++)
		if (who_is(&rule->who[i], subject, creator))
			return true;
	return false;
}

static bool
rule_names(const struct rule *rule, const char *name)
{
	for (unsigned i = 0; i < rule->name_count; i++)
		if (fnmatch(rule->name[i], name, 0) == 0)
			return true;
	return false;
}

void
policy_decide(const struct policy *policy,
    const struct policy_subject *subject, const char *name, uid_t creator,
    struct policy_grant *out_grant)
{
	for (unsigned i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rule[i];

		if (rule_names(rule, name) &&
		    rule_is_for(rule, subject, creator)) {
			*out_grant = rule->grant;
			return;
		}
	}
	*out_grant = (struct policy_grant){
		.rights = subject->uid == creator ? TOKEN_ALL : 0,
	};
}

void
policy_limits_of(const struct policy *policy,
    const struct policy_subject *subject, struct policy_limits *out_limits)
{
	for (unsigned i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rule[i];

		if (rule->name_count == 0 &&
		    rule_is_for(rule, subject, subject->uid)) {
			*out_limits = rule->limits;
			return;
		}
	}
	*out_limits = policy->everybody.limits;
}

bool
policy_observes(const struct policy *policy,
    const struct policy_subject *subject)
{
	return subject->uid == 0 ||
	    rule_is_for(&policy->observers, subject, (uid_t)-1);
}

struct policy *
policy_create(void)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (policy != NULL)
		policy->everybody.limits = limits_default;
	return policy;
}

void
policy_destroy(struct policy *policy)
{
	if (policy == NULL)
		return;
	for (unsigned i = 0; i < policy->rule_count; i++)
		rule_clear(&policy->rule[i]);
	rule_clear(&policy->observers);
	free(policy);
}
