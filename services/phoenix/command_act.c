/* SPDX-License-Identifier: MIT */
/*
 * Commands that change something: kill, restart, drain, reload, policy.
 */
#include "command.h"

#include <lib/base/string.h>

/* init starts the next one, which finds this call again and answers it. */
static status_t
kill_self(void)
{
	if (!command_is_repeated())
		sys_exit(DEATH_EXIT, 0);
	say("phoenix: incarnation %lu killed\n",
	    service_info()->incarnation - 1);
	return OK;
}

static bool
serves(const struct phoenix *phoenix, const struct place *place)
{
	uint64_t state = place_state(phoenix, place);

	return state == SUPERVISE_READY || state == SUPERVISE_DRAINING;
}

static status_t
refuse(const struct phoenix *phoenix, const struct place *place)
{
	if (place->life.closed != 0) {
		say("%s was given up: its callers have been told\n",
		    place->manifest.name);
		return ERR_GONE;
	}
	say("%s is %s\n", place->manifest.name,
	    supervise_state_name(place_state(phoenix, place)));
	return ERR_STATE;
}

status_t
run_kill(struct phoenix *phoenix, const struct command_words *words)
{
	if (strcmp(words->word[1], "phoenix") == 0)
		return kill_self();
	const struct place *place = command_place(phoenix, words);
	if (place == NULL)
		return ERR_NOENT;
	if (!serves(phoenix, place))
		return refuse(phoenix, place);
	/* Its death is an event like others, served after this call. */
	sys_invoke(SYS_THREAD_KILL, place->life.now.thread, 0, 0, 0, 0, 0);
	say("%s: incarnation %lu killed\n", place->manifest.name,
	    place->life.incarnation);
	return OK;
}

/* One that was given up comes back; its old callers have been answered. */
status_t
run_restart(struct phoenix *phoenix, const struct command_words *words)
{
	if (strcmp(words->word[1], "phoenix") == 0)
		return kill_self();
	struct place *place = command_place(phoenix, words);
	if (place == NULL)
		return ERR_NOENT;
	if (!serves(phoenix, place) && place->life.closed == 0 &&
	    place_state(phoenix, place) != SUPERVISE_DELAYED)
		return refuse(phoenix, place);
	say("%s: incarnation %lu is followed by the next\n",
	    place->manifest.name, place->life.incarnation);
	place_restart(phoenix, place);
	return OK;
}

/* Calls wait at the endpoint; what was received is finished. */
status_t
run_drain(struct phoenix *phoenix, const struct command_words *words)
{
	const struct place *place = command_place(phoenix, words);
	bool on = words->count == 2;

	if (place == NULL)
		return ERR_NOENT;
	if (!on && strcmp(words->word[2], "off") != 0) {
		say("usage: drain SERVICE [off]\n");
		return ERR_ARG;
	}
	if (!serves(phoenix, place))
		return refuse(phoenix, place);
	place_drain(phoenix, place, on);
	say("%s %s\n", place->manifest.name, on ?
	    "takes no more calls" : "takes calls");
	return OK;
}

/* What becomes of it is in the log, and `stats` says which image runs. */
status_t
run_reload(struct phoenix *phoenix, const struct command_words *words)
{
	struct place *place = command_place(phoenix, words);
	const char *name = words->word[2];

	if (place == NULL && strcmp(words->word[1], "phoenix") == 0) {
		say("phoenix cannot be reloaded\n");
		return ERR_ARG;
	}
	if (place == NULL)
		return ERR_NOENT;
	if (words->count == 2)
		name = place->manifest.image;
	status_t status = reload_begin(phoenix, place, name);
	if (status == OK)
		say("%s: incarnation %lu is followed by one of image %s\n",
		    place->manifest.name, place->life.incarnation, name);
	else if (status == ERR_STATE)
		say("%s is starting, or being reloaded\n",
		    place->manifest.name);
	else
		say("%s: image %s cannot be loaded: status %lu\n",
		    place->manifest.name, name, status);
	return status == ERR_NOENT ? ERR_ARG : status;
}

static bool
read_number(const char *text, uint64_t *out)
{
	uint64_t value = 0;

	if (*text == '\0')
		return false;
	for (; *text >= '0' && *text <= '9' && value < 1ul << 40; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	*out = value;
	return *text == '\0';
}

static bool
read_restart(const char *text, uint64_t *out)
{
	for (*out = 0; *out <= SUPERVISE_RESTART_ALWAYS; ++*out)
		if (strcmp(text, supervise_restart_name(*out)) == 0)
			return true;
	return false;
}

/* KEY=VALUE into *policy. */
static bool
set_key(struct supervise_policy *policy, char *word)
{
	const struct {
		const char *name;
		uint64_t *field, unit;
	} keys[] = {
		{ "max_restarts", &policy->max_restarts, 1 },
		{ "window_ms", &policy->window_ns, 1000000 },
		{ "delay_ms", &policy->delay_ns, 1000000 },
		{ "beat_ms", &policy->beat_ns, 1000000 },
		{ "cold", &policy->cold, 1 },
		{ "predict", &policy->predict, 1 },
	};
	char *equals = strchr(word, '=');
	uint64_t value;

	if (equals == NULL)
		return false;
	*equals = '\0';
	if (strcmp(word, "restart") == 0)
		return read_restart(equals + 1, &policy->restart);
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(word, keys[i].name) != 0)
			continue;
		if (!read_number(equals + 1, &value))
			return false;
		*keys[i].field = value * keys[i].unit;
		return true;
	}
	return false;
}

/* All of the keys, or none. */
status_t
run_policy(struct phoenix *phoenix, const struct command_words *words)
{
	const struct place *place = command_place(phoenix, words);

	if (place == NULL)
		return ERR_NOENT;
	struct supervise_policy policy = place_policy(phoenix, place)->policy;
	for (unsigned i = 2; i < words->count; i++) {
		if (set_key(&policy, words->word[i]))
			continue;
		say("%s: no such key, or not a value of it\n",
		    words->word[i]);
		return ERR_ARG;
	}
	if (!place_set_policy(phoenix, place, &policy)) {
		say("these values do not go together\n");
		return ERR_ARG;
	}
	say_policy(place_policy(phoenix, place));
	return OK;
}
