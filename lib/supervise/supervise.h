/* SPDX-License-Identifier: MIT */
/*
 * Supervision policy: what to do about a service that died, is late, or behaves
 * as it never did. docs/design/resurrection.md says why.
 *
 * Pure: no system calls, no clock, no allocation, no pointers in what is kept.
 * The shell (phoenix in the guest, bennu-supervise on Linux) tells what
 * happened and when, carries out what is decided, and keeps struct supervisor
 * where it survives: it may be copied byte by byte between any two calls.
 *
 * Times are nanoseconds of one clock that does not go back; if it does after
 * all, no time has passed. One thread. A service that is not registered, or an
 * input that does not fit its state (the death of one that does not run), is
 * ignored: it may come twice when the shell itself was restarted.
 *
 * A call about a service changes its struct supervised, `random`, `event_count`
 * and at most SUPERVISE_EVENTS_AT_ONCE entries of the history from there on, so
 * no more needs to be saved. supervise_create and supervise_unregister change
 * others too.
 *
 * What was decided stays decided until it is carried out: a start is due until
 * supervise_started, a kill is asked for again until the death. So a shell that
 * died in between learns it from the next tick.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/supervise/predict.h>

#define SUPERVISE_SERVICES	64u
#define SUPERVISE_EVENTS	128u	/* of the history */
#define SUPERVISE_EVENTS_AT_ONCE 4u
#define SUPERVISE_POISON	8u	/* requests refused per service */
#define SUPERVISE_NEVER		(~0ul)	/* no time */
#define SUPERVISE_DELAY_MAX	(60ul * 1000000000)
#define SUPERVISE_QUIET_MAX	(10ul * 1000000000)	/* waits for quiet */
#define SUPERVISE_START_MAX	(30ul * 1000000000)	/* STARTING to READY */
#define SUPERVISE_KILL_AGAIN	(1ul * 1000000000)	/* no death since then */

/* Restart policies. */
#define SUPERVISE_RESTART_NEVER		0u
#define SUPERVISE_RESTART_ON_FAILURE	1u
#define SUPERVISE_RESTART_ALWAYS	2u

/* States. */
#define SUPERVISE_FREE		0u	/* not registered */
#define SUPERVISE_STOPPED	1u	/* registered; never started, or left */
#define SUPERVISE_STARTING	2u
#define SUPERVISE_READY		3u
#define SUPERVISE_DELAYED	4u	/* starts again at due_ns */
#define SUPERVISE_GIVEN_UP	5u
#define SUPERVISE_DRAINING	6u	/* READY, takes no new requests */

/* Events. */
#define SUPERVISE_REGISTERED	1u
#define SUPERVISE_HEALTHY	2u
#define SUPERVISE_DEGRADED	3u
#define SUPERVISE_UNHEALTHY	4u
#define SUPERVISE_RESTARTING	5u
#define SUPERVISE_RESTARTED	6u
#define SUPERVISE_RESTART_FAILED 7u
#define SUPERVISE_UNREGISTERED	8u
#define SUPERVISE_DRAIN		9u
#define SUPERVISE_EVENT_COUNT	10u

/* Escalation: how far it has come. */
#define SUPERVISE_LEVEL_RESTART	0u
#define SUPERVISE_LEVEL_COLD	1u	/* skipped unless policy.cold */
#define SUPERVISE_LEVEL_DEPENDENTS 2u	/* skipped without dependents */
#define SUPERVISE_LEVEL_GIVE_UP	3u

struct supervise_policy {
	uint64_t restart;		/* SUPERVISE_RESTART_* */
	uint64_t max_restarts;		/* own deaths without an answer */
	uint64_t window_ns;		/* 0: only if it never restarts */
	uint64_t delay_ns;		/* of the second restart in a window */
	uint64_t jitter_permille;	/* a delay is cut by up to this part */
	uint64_t cold;			/* 1: may lose its state to go on */
	uint64_t predict;		/* 1: restart when the predictor asks */
	uint64_t beat_ns;		/* between two beats; 0: hangs unseen */
};

struct supervise_death {
	uint64_t cause;		/* of the shell's vocabulary; compared only */
	uint64_t code;
	uint64_t order;		/* of the request being served, 0 = none */
	uint64_t tag;
	uint64_t answered;	/* by this incarnation; refusals are answers */
	bool	 commanded;	/* killed by somebody with the authority */
	bool	 clean;		/* left by itself without failure */
	bool	 damaged;	/* it found its stored state wrong */
};

/* What the shell has to do now. */
#define SUPERVISE_DO_NOTHING	0u
#define SUPERVISE_DO_START	1u	/* next incarnation at once */
#define SUPERVISE_DO_DELAY	2u	/* tick at due_ns */
#define SUPERVISE_DO_GIVE_UP	3u
#define SUPERVISE_DO_STOP	4u	/* it may stay away */
#define SUPERVISE_DO_KILL	5u	/* it hangs, or is to be renewed */

struct supervise_decision {
	uint32_t action;	/* SUPERVISE_DO_* */
	bool	 cold;		/* empty its state first */
	bool	 dependents;	/* supervise_restart those of them that run */
	uint64_t poison_order;	/* found now; all are in supervised.poison */
	uint64_t due_ns;	/* DELAY */
};

struct supervise_event {
	uint64_t time_ns;
	uint16_t service, kind;	/* SUPERVISE_* */
	uint32_t level;		/* of escalation */
	uint64_t incarnation;
	/*
	 * UNHEALTHY: cause of the death, or late beats. DEGRADED: late beats, or
	 * score. RESTARTING: delay. RESTARTED: time since the death. DRAIN: on.
	 * RESTART_FAILED: cause; none if it was not started, or is given up.
	 */
	uint64_t detail;
};

struct supervise_statistics {
	uint64_t deaths;	/* all */
	uint64_t own;		/* caused by itself */
	uint64_t commanded;
	uint64_t poisoned;	/* requests refused */
	uint64_t cold_starts;	/* decided; may serve as the epoch */
	uint64_t given_up;
	uint64_t predicted;	/* kills that the predictor asked for */
	uint64_t hangs;		/* kills of those that hang */
	uint64_t restarts;	/* starts after a death that became READY */
	/* From the first death since it was READY until it is so again. */
	uint64_t recovery_total_ns, recovery_worst_ns;
};

/* Why a KILL was decided. */
#define SUPERVISE_KILL_NONE	0u
#define SUPERVISE_KILL_HANG	1u	/* its death counts as its own */
#define SUPERVISE_KILL_RENEW	2u	/* the predictor asked */
#define SUPERVISE_KILL_COMMAND	3u

/* Of a start that was decided. */
#define SUPERVISE_PENDING_COLD		0x1u
#define SUPERVISE_PENDING_DEPENDENTS	0x2u

struct supervised {
	uint64_t state;		/* SUPERVISE_FREE ... */
	char	 name[32];
	struct supervise_policy policy;
	uint64_t depends_on;	/* bit per service: it needs these */
	uint64_t incarnation;	/* of the last start, from 1 */
	uint64_t health;	/* SUPERVISE_HEALTHY, DEGRADED or UNHEALTHY */
	uint64_t level;		/* SUPERVISE_LEVEL_* */
	uint64_t counted, window_start_ns;	/* the budget */
	uint64_t due_ns;	/* DELAYED */
	uint64_t pending;	/* SUPERVISE_PENDING_*; DELAYED */
	uint64_t died_ns;	/* since when it does not serve; 0: it does */
	uint64_t started_ns, ready_ns;
	uint64_t answered;	/* 1: a request was, since the last own death */
	uint64_t draining;	/* 1: DRAINING instead of READY */
	uint64_t kill, kill_ns;	/* SUPERVISE_KILL_*; when it was last decided */
	uint64_t last_order, last_cause;	/* of the last own death */
	uint64_t poison[SUPERVISE_POISON];	/* orders, oldest first */
	uint64_t poison_count;	/* of them; the oldest makes room */
	/* Numbers of the last beats, and when that was asked for. */
	uint64_t beats_asked, beats_answered, beat_ns;
	uint64_t renew_since_ns;	/* the predictor asked; 0 = no */
	struct predict predict;
	struct supervise_statistics statistics;
};

struct supervisor {
	uint64_t random;	/* state of the jitter; never 0 */
	uint64_t event_count;	/* ever */
	struct supervise_event event[SUPERVISE_EVENTS];
	struct supervised service[SUPERVISE_SERVICES];
};

void supervise_create(struct supervisor *s, uint64_t seed);
/*
 * Its number, or -1: no room, the name is empty, taken or too long, or a value
 * of the policy is out of its range.
 */
int supervise_register(struct supervisor *s, const char *name,
    const struct supervise_policy *policy, uint64_t now_ns);
void supervise_unregister(struct supervisor *s, unsigned service,
    uint64_t now_ns);
int supervise_find(const struct supervisor *s, const char *name);
/* `service` needs `on`; both registered. False if that closes a circle. */
bool supervise_depend(struct supervisor *s, unsigned service, unsigned on);
/* Bits of those that need it, directly or not. */
uint64_t supervise_dependents(const struct supervisor *s, unsigned service);

/* An incarnation was made: STARTING. Not of one that was given up. */
void supervise_started(struct supervisor *s, unsigned service, uint64_t now_ns);
/* It serves: READY, HEALTHY; after a death RESTARTED. */
void supervise_ready(struct supervisor *s, unsigned service, uint64_t now_ns);
struct supervise_decision supervise_died(struct supervisor *s,
    unsigned service, const struct supervise_death *death, uint64_t now_ns);
/*
 * The shell could not start it: uses up the budget like an own death without an
 * answer, but is no death in the statistics.
 */
struct supervise_decision supervise_start_failed(struct supervisor *s,
    unsigned service, uint64_t now_ns);

/*
 * Time has passed: START for a delayed one that is due, KILL for one that
 * hangs or that the predictor wants renewed while `quiet` (no open request),
 * GIVE_UP never. Call for each service; supervise_next says when at the latest,
 * and while renew_since_ns is not 0, whenever it may have become quiet.
 *
 * A beat is late when it was not answered for policy.beat_ns; who owes two late
 * beats hangs, and so does who is STARTING for SUPERVISE_START_MAX.
 */
struct supervise_decision supervise_tick(struct supervisor *s,
    unsigned service, bool quiet, uint64_t now_ns);
/* Earliest time at which a tick can decide something; SUPERVISE_NEVER. */
uint64_t supervise_next(const struct supervisor *s);

/*
 * A beat was asked for: its number is beats_asked now. `number` is that of the
 * last answered one; one that was never asked for, or is old, says nothing.
 */
void supervise_beat_asked(struct supervisor *s, unsigned service,
    uint64_t now_ns);
void supervise_beat_answered(struct supervisor *s, unsigned service,
    uint64_t number, uint64_t now_ns);
/*
 * It may be waiting for others: no beat is late, and its time to become READY
 * begins anew.
 */
void supervise_excuse(struct supervisor *s, unsigned service, uint64_t now_ns);
/*
 * One sample of the predictor's features; DEGRADED when it says so. Who serves
 * for less than a window is not renewed: it has just been.
 */
void supervise_sample(struct supervisor *s, unsigned service,
    const struct predict_sample *sample, uint64_t now_ns);

/*
 * Commands. A restart kills the one that runs, and starts it again whatever its
 * policy; any other it starts with a new budget. It ends draining, which lasts
 * over deaths otherwise.
 */
struct supervise_decision supervise_restart(struct supervisor *s,
    unsigned service, uint64_t now_ns);
bool supervise_set_policy(struct supervisor *s, unsigned service,
    const struct supervise_policy *policy);
void supervise_drain(struct supervisor *s, unsigned service, bool on,
    uint64_t now_ns);

/* False if a field is out of its range: then nothing else may be called. */
bool supervise_ok(const struct supervisor *s);
const char *supervise_state_name(uint64_t state);
const char *supervise_event_name(uint64_t kind);
const char *supervise_level_name(uint64_t level);
const char *supervise_restart_name(uint64_t restart);
