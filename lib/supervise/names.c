/* SPDX-License-Identifier: MIT */
/* Names for people. */
#include <lib/supervise/supervise.h>

#define COUNT(array)	(sizeof(array) / sizeof((array)[0]))

const char *
supervise_state_name(uint64_t state)
{
	static const char *const name[] = {
		[SUPERVISE_FREE] = "free",
		[SUPERVISE_STOPPED] = "stopped",
		[SUPERVISE_STARTING] = "starting",
		[SUPERVISE_READY] = "ready",
		[SUPERVISE_DELAYED] = "delayed",
		[SUPERVISE_GIVEN_UP] = "given-up",
		[SUPERVISE_DRAINING] = "draining",
	};

	return state < COUNT(name) ? name[state] : "?";
}

const char *
supervise_event_name(uint64_t kind)
{
	static const char *const name[] = {
		[0] = "?",
		[SUPERVISE_REGISTERED] = "registered",
		[SUPERVISE_HEALTHY] = "healthy",
		[SUPERVISE_DEGRADED] = "degraded",
		[SUPERVISE_UNHEALTHY] = "unhealthy",
		[SUPERVISE_RESTARTING] = "restarting",
		[SUPERVISE_RESTARTED] = "restarted",
		[SUPERVISE_RESTART_FAILED] = "restart-failed",
		[SUPERVISE_UNREGISTERED] = "unregistered",
		[SUPERVISE_DRAIN] = "draining",
	};

	_Static_assert(COUNT(name) == SUPERVISE_EVENT_COUNT, "all events");
	return kind < COUNT(name) ? name[kind] : "?";
}

const char *
supervise_level_name(uint64_t level)
{
	static const char *const name[] = {
		[SUPERVISE_LEVEL_RESTART] = "restart",
		[SUPERVISE_LEVEL_COLD] = "cold",
		[SUPERVISE_LEVEL_DEPENDENTS] = "dependents",
		[SUPERVISE_LEVEL_GIVE_UP] = "give-up",
	};

	return level < COUNT(name) ? name[level] : "?";
}

const char *
supervise_restart_name(uint64_t restart)
{
	static const char *const name[] = {
		[SUPERVISE_RESTART_NEVER] = "never",
		[SUPERVISE_RESTART_ON_FAILURE] = "on-failure",
		[SUPERVISE_RESTART_ALWAYS] = "always",
	};

	return restart < COUNT(name) ? name[restart] : "?";
}
