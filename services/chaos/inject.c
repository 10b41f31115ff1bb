/* SPDX-License-Identifier: MIT */
/* What is done to a victim, and what can be seen of it afterwards. */
#include "chaos.h"

#include <lib/service/service.h>

#define LEAK_PAGES	0x40000u	/* more than any container has */
#define SLOW_NS_MAX	2000000u
#define COUNTDOWN_MAX	8u

static const char *
point_name(uint32_t point)
{
	static const char *const names[FAULT_POINTS] = {
		"none", "received", "handled", "committed", "effect", "answer",
		"resume", "beat",
	};

	return names[point];
}

/* A point that the fault can happen at, the frequent ones more often. */
static uint32_t
choose_point(uint64_t kind, uint64_t random)
{
	static const uint32_t points[] = {
		FAULT_AT_RECEIVED, FAULT_AT_HANDLED, FAULT_AT_COMMITTED,
		FAULT_AT_HANDLED, FAULT_AT_RECEIVED, FAULT_AT_EFFECT,
		FAULT_AT_COMMITTED, FAULT_AT_ANSWER,
	};

	if (kind == FAULT_BAD_REPLY)
		return FAULT_AT_HANDLED;
	if (kind == FAULT_STRAY_ARENA || kind == FAULT_STRAY_OPEN)
		return random % 2 == 0 ? FAULT_AT_RECEIVED : FAULT_AT_COMMITTED;
	if ((kind == FAULT_EXCEPTION || kind == FAULT_PANIC) &&
	    random >> 32 & 1)
		return FAULT_AT_RESUME;
	return points[random % (sizeof(points) / sizeof(points[0]))];
}

static uint64_t
choose_argument(uint64_t kind, uint64_t random)
{
	if (kind == FAULT_LEAK)
		return LEAK_PAGES;
	if (kind == FAULT_SLOW)
		return random % SLOW_NS_MAX + 1000;
	return random;
}

static void
arm(struct injection *injection)
{
	struct victim *victim = injection->victim;
	volatile struct fault *fault = &victim->info->fault;
	uint64_t random = injection->random;

	/* One that was never carried out has a sequence that still counts. */
	fault->kind = FAULT_NONE;
	fault->point = choose_point(injection->kind, random_next(&random));
	/* A resume comes once. */
	fault->countdown = fault->point == FAULT_AT_RESUME ? 1 :
	    (uint32_t)(random_next(&random) % COUNTDOWN_MAX) + 1;
	fault->argument = choose_argument(injection->kind,
	    random_next(&random));
	__atomic_store_n(&fault->sequence, ++victim->armed, __ATOMIC_RELEASE);
	__atomic_store_n(&fault->kind, (uint32_t)injection->kind,
	    __ATOMIC_RELEASE);
	injection->done = true;
}

/*
 * What is armed for a resume needs one. The death that makes it is not the one
 * that is looked for; that may have come already, as resumes are above us.
 */
static void
force_resume(struct injection *injection)
{
	if (injection->victim->info->fault.point != FAULT_AT_RESUME)
		return;
	injection->deaths++;
	victim_kill(injection->victim);
}

static bool
is_armed_kind(uint64_t kind)
{
	return kind < FAULT_KINDS;
}

static bool
is_text_kind(uint64_t kind)
{
	return kind >= KIND_FLIP_TEXT && kind <= KIND_MUTATE_NOP;
}

static void
log_injection(const struct injection *injection)
{
	const struct fault *fault = &injection->victim->info->fault;
	const char *name = injection->victim->name;
	const char *kind = kind_name(injection->kind);
	uint64_t number = injection->number, now = service_now_ns();

	if (is_armed_kind(injection->kind))
		service_log("inject %lu %lu %s %s point=%s countdown=%u "
		    "argument=%lx", number, now, name, kind,
		    point_name(fault->point), fault->countdown,
		    fault->argument);
	else if (injection->kind == KIND_KILL)
		service_log("inject %lu %lu %s %s", number, now, name, kind);
	else if (injection->kind == KIND_FLIP_REGISTER)
		service_log("inject %lu %lu %s %s register=%u bit=%u rip=%lx "
		    "done=%u", number, now, name, kind, injection->reg,
		    injection->bit, injection->address, injection->done);
	else
		service_log("inject %lu %lu %s %s address=%lx bit=%u done=%u",
		    number, now, name, kind, injection->address,
		    injection->bit, injection->done);
}

void
inject(struct injection *injection)
{
	switch (injection->kind) {
	case KIND_KILL:
		log_injection(injection);
		injection->done = injection->activated = true;
		victim_kill(injection->victim);
		return;
	case KIND_FLIP_DATA:
		flip_data(injection);
		break;
	case KIND_FLIP_STACK:
		flip_stack(injection);
		break;
	case KIND_FLIP_REGISTER:
		flip_register(injection);
		break;
	case KIND_FLIP_ARENA:
		flip_arena(injection);
		break;
	case KIND_FLIP_TEXT:
	case KIND_MUTATE_BRANCH:
	case KIND_MUTATE_OPERAND:
	case KIND_MUTATE_OFFBYONE:
	case KIND_MUTATE_NOP:
		change_text(injection);
		break;
	default:
		arm(injection);
		break;
	}
	log_injection(injection);
	if (is_armed_kind(injection->kind))
		force_resume(injection);
}

void
inject_look(struct injection *injection)
{
	static struct trace_page trace;
	struct death_info death;
	const struct victim *victim = injection->victim;

	if (!injection->died && victim_read_death(victim, &death) &&
	    death.count != injection->deaths) {
		injection->died = true;
		injection->cause = death.cause;
		injection->died_ns = death.time_ns;
		injection->activated = true;
	}
	if (injection->activated)
		return;
	if (is_text_kind(injection->kind))
		injection->activated = text_was_executed(injection);
	else if (!is_armed_kind(injection->kind))
		injection->activated = flip_is_gone(injection);
	else if (victim_read_trace(victim, &trace))
		injection->activated = trace.fault_sequence == victim->armed;
}

bool
inject_stays(const struct injection *injection)
{
	return injection->kind == KIND_FLIP_ARENA ||
	    injection->kind == FAULT_STRAY_OPEN;
}

void
inject_disarm(struct injection *injection)
{
	if (is_armed_kind(injection->kind) && !injection->activated)
		__atomic_store_n(&injection->victim->info->fault.kind,
		    FAULT_NONE, __ATOMIC_RELEASE);
	inject_look(injection);
}

void
inject_undo(struct injection *injection)
{
	struct victim *victim = injection->victim;
	bool armed = is_armed_kind(injection->kind);

	if (injection->died || !injection->done ||
	    (armed && !injection->activated))
		return;
	injection->cleaned = true;
	if (inject_stays(injection))
		victim_ask_check(victim);
	victim_kill(victim);
}
