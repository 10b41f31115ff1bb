/* SPDX-License-Identifier: MIT */
/*
 * phoenix: keeps places. Its state lies in its own arena, so that its next
 * incarnation goes on where it stopped.
 *
 * lib/supervise decides what becomes of a place and keeps its state: STOPPED
 * before its group starts, STARTING, READY or DRAINING with an incarnation,
 * DELAYED or GIVEN_UP without. It is a part of the arena like the rest.
 *
 * Building an incarnation is a preparation: what an uncommitted transaction
 * made is swept with phoenix's table. Threads are started from idle(), where a
 * second start does no harm. A READY place has a spare soon.
 */
#pragma once

#include <idl/phoenix_server.h>
#include <idl/place.h>
#include <lib/place/place.h>
#include <lib/service/loop.h>
#include <lib/supervise/supervise.h>
#include <idl/powers.h>
#include <idl/trace.h>

#define PLACES_MAX	16u
#define CONTROL_BADGE	0x10000ul	/* of holders of "phoenix:control" */
#define PROVIDES_MAX	8u
#define NEEDS_MAX	16u
#define IMAGE_NAME_MAX	24u

/* Bits of phoenix's notification. */
#define BIT_POLICY	0x1ul	/* time for the policy to look */
#define BIT_CHAOS	0x2ul	/* time for the next kill */
#define BIT_CHECK	0x4ul	/* a new incarnation of phoenix looks around */
#define BIT_REPORT	0x8ul	/* there is time to write a report */
#define BIT_SPARE	0x10ul	/* there is time to make a spare */
#define BIT_RECORD	0x20ul	/* new events may be there */
#define BIT_RELOAD	0x40ul	/* has a place stopped that is reloaded? */

/* From the manifest; constant. */
struct manifest {
	char	 name[16];
	char	 image[IMAGE_NAME_MAX];
	char	 provides[PROVIDES_MAX][24];
	char	 needs[NEEDS_MAX][48];
	uint64_t group;
	uint64_t class, weight;
	uint64_t arena_size, stack_size;		/* bytes */
	uint64_t table_slots;
	uint64_t frames, objects;			/* limits, 0 = none */
	uint64_t request_budget_ns;
	struct supervise_policy policy;		/* to begin with */
};

/* What health.c saw when it looked last. */
struct watch {
	uint64_t beat, events;		/* in the trace page; when asked */
	uint64_t asked_tsc;
	uint64_t heard_run_ns;		/* its CPU time at the first ask since
					 * it answered */
	uint64_t sampled_ns;
	uint64_t calls, latency_tsc, refused, run_ns, deaths;
};

/* What changes from incarnation to incarnation. */
struct life {
	uint64_t incarnation;		/* number of the current or last one */
	uint64_t deaths;		/* all of them, as the record counts */
	uint64_t answered;		/* calls before this incarnation */
	uint64_t cold;			/* cold starts */
	uint64_t closed;		/* 1: callers get ERR_GONE */
	uint64_t left;			/* 1: of its own accord, for good */
	uint64_t over_limit;		/* 1: may take RESTART_FRAMES more */
	uint64_t died_ns, recovery_ns;	/* from the last death to READY */
	struct watch watch;
	struct place_incarnation now;
	struct place_incarnation spare;	/* of the next life; or none */
	struct place_incarnation dead;	/* to be taken apart; or none */
};

/* bennu/image/NAME.elf of the boot archive, and where it was loaded. */
struct image {
	char	 name[IMAGE_NAME_MAX];
	struct place_image loaded;	/* no segments: there is none */
};

/* How far a reload has come; reload.c. */
#define RELOAD_NONE	0u
#define RELOAD_DRAINING	1u	/* `other` is next, and the spare is of it */
#define RELOAD_TRIAL	2u	/* `other` is what ran before */
#define RELOAD_BACK	3u	/* `other` was tried and died */

struct reload {
	uint64_t state;
	uint64_t stop_ns;	/* DRAINING: not later than that */
	struct image other;	/* NONE: to be dropped, if there is one */
	char	 failed[IMAGE_NAME_MAX];	/* the last that did not start */
};

struct place {
	struct manifest manifest;
	struct image image;
	struct reload reload;
	struct place_parts parts;
	cap_t	 endpoint, notification;
	uint64_t frames;		/* limit of its container */
	struct life life;
};

/* kill=SERVICE:COUNT:EVERY_US */
struct chaos {
	uint64_t wanted;		/* 0: no chaos, or it is over */
	uint64_t place, left;
	uint64_t every_ns, due_ns;	/* due_ns 0: until it is READY again */
};

/* Of the events of all places; record.c. */
struct record {
	cap_t	 memory, timer;
	uint64_t on;			/* events are being recorded */
	uint64_t count, lost;		/* events in the buffer, and not */
	uint64_t base_tsc, base_ns;	/* the start; 0: never started */
	uint64_t seen[PLACES_MAX];	/* events of each place */
	uint64_t incarnation[PLACES_MAX];	/* that wrote them */
};

struct phoenix {
	uint64_t place_count;
	uint64_t group;			/* the last one that was started */
	uint64_t all_ready;
	uint64_t unprotected;		/* option protection=none */
	cap_t	 users;			/* container of all programs */
	cap_t	 policy_timer, chaos_timer, report_timer, spare_timer;
	cap_t	 reload_timer;
	struct chaos chaos;
	struct supervisor supervisor;	/* numbers are those of place[] */
	struct record record;
	struct place place[PLACES_MAX];
};

/* archive.c: the boot archive, mapped on first use. */
const void *archive_file(const char *path, size_t *out_size);
/* Names of the manifests, one after the other; NULL at the end. */
const char *archive_manifest(unsigned index, const char **out_text,
    size_t *out_size);
/* NUL terminated, cut at 47 bytes; ERR_NOENT. */
status_t archive_option(const char *key, char value[48]);

/* manifest.c: false if the manifest is not usable; that was logged. */
bool manifest_read(const char *file, const char *text, size_t size,
    struct manifest *out_manifest);
bool manifest_needs(const struct manifest *manifest, const char *name);
bool manifest_provides(const struct manifest *manifest, const char *name);

/* places.c. In the transaction that makes phoenix's state. */
status_t place_create(struct phoenix *phoenix, const struct manifest *manifest);
/* Who depends on whom, once all are there. */
void place_depend_all(struct phoenix *phoenix);
struct place *place_find(struct phoenix *phoenix, const char *name,
    size_t length);
unsigned place_index(const struct phoenix *phoenix, const struct place *place);
struct place_builder place_builder(void);
/* On failure nothing of it is left. */
status_t place_load_image(const struct place *place, const char *name,
    struct image *out_image);
void place_drop_image(struct image *image);

/*
 * incarnation.c: all but the start inside a transaction. The next incarnation,
 * from the spare if there is one; started by incarnation_start, outside.
 */
status_t incarnation_build(struct phoenix *phoenix, struct place *place);
void incarnation_start(const struct phoenix *phoenix);
/*
 * Has it one that may be killed? One whose thread was not started yet dies of
 * that without a death record, so nobody would learn of it.
 */
bool incarnation_has_begun(const struct phoenix *phoenix,
    const struct place *place);
/* Stops it and puts it aside. */
void incarnation_retire(struct place *place);
/* Nothing is left of it, and of the spare. */
void incarnation_drop_all(struct place *place);
/* False if there is nothing in its table but what every place has. */
bool incarnation_clear_table(const struct place *place);
/* The spare is one of that image from now on. On failure nothing changes. */
status_t incarnation_replace_spare(struct place *place,
    const struct image *image);
/* Calls for incarnation_tidy soon: a dead one taken apart, a spare made. */
void incarnation_want_spare(const struct phoenix *phoenix);
void incarnation_tidy(struct phoenix *phoenix);
void incarnation_tidy_all(struct phoenix *phoenix);

/* life.c: inside a transaction. */
uint64_t place_state(const struct phoenix *phoenix, const struct place *place);
struct supervised *place_policy(struct phoenix *phoenix,
    const struct place *place);
void place_start(struct phoenix *phoenix, struct place *place);
void place_ready(struct phoenix *phoenix, struct place *place);
void place_died(struct phoenix *phoenix, struct place *place);
/* As commanded: whatever its policy is, it is started again. */
void place_restart(struct phoenix *phoenix, struct place *place);
void place_carry_out(struct phoenix *phoenix, struct place *place,
    const struct supervise_decision *decision);
void place_drain(struct phoenix *phoenix, const struct place *place, bool on);
/* False if no service can have that policy. */
bool place_set_policy(struct phoenix *phoenix, const struct place *place,
    const struct supervise_policy *policy);
void place_tick(struct phoenix *phoenix);
/* Outside a transaction: kills whom the policy wants dead. */
void place_kill_due(const struct phoenix *phoenix);
void place_set_timer(const struct phoenix *phoenix);
void place_check_deaths(struct phoenix *phoenix);

/*
 * reload.c: inside a transaction. ERR_NOENT: no such image; ERR_STATE: it does
 * not run, or is being reloaded; others: what failed. Then nothing has changed.
 */
status_t reload_begin(struct phoenix *phoenix, struct place *place,
    const char *name);
/* Before the policy hears of a death: which image is next, and whose fault? */
void reload_died(struct phoenix *phoenix, struct place *place,
    struct supervise_death *death);
void reload_ready(struct phoenix *phoenix, struct place *place);
/* Stops those that are drained. */
void reload_look(struct phoenix *phoenix);

/* health.c: inside a transaction that has saved the policy of the place. */
void health_look(struct phoenix *phoenix, struct place *place, uint64_t silent,
    uint64_t now);
/* A bit for each place that owes a beat and has said nothing since. */
uint64_t health_silent(const struct phoenix *phoenix);
/* Is no request open? A parked one does not count: it waits for others. */
bool health_is_quiet(const struct phoenix *phoenix, const struct place *place);

/* groups.c: starts the places of the next group, of later ones if it is empty. */
void place_next_group(struct phoenix *phoenix);
void place_next_group_if_up(struct phoenix *phoenix);

/* chaos.c */
void chaos_start(struct phoenix *phoenix);
void chaos_ready(struct phoenix *phoenix, const struct place *place);
void chaos_due(struct phoenix *phoenix);

/* record.c: inside a transaction; ERR_STATE: there is no recording. */
status_t record_start(struct phoenix *phoenix);
status_t record_stop(struct phoenix *phoenix);
void record_drain(struct phoenix *phoenix);
/* Lines from that event on, then "next POSITION" or "end EVENTS LOST". */
size_t record_read(const struct phoenix *phoenix, uint64_t position, char *text,
    size_t room);

/* grant.c: the capability for a name, to be given away and deleted here. */
status_t grant(struct phoenix *phoenix, const struct place *to,
    const char *name, cap_t *out_cap);

/* What a request acts on. */
struct phoenix_context {
	struct phoenix *phoenix;
	struct place *from;	/* who asks; NULL: a commander */
};

/* victim.c: for places that need "chaos". */
unsigned handle_victim(struct phoenix_context *context,
    struct service_call *call, const struct phoenix_victim_args *in);
unsigned handle_evidence(struct phoenix_context *context,
    struct service_call *call, const struct phoenix_evidence_args *in);

/* command.c */
unsigned handle_command(struct phoenix_context *context,
    struct service_call *call, const struct phoenix_command_args *in,
    struct phoenix_command_results *out);

/*
 * report.c: what is known of a death, taken before the place gets a new life
 * and written when it has one, or will have none.
 */
void report_death(const struct phoenix *phoenix, const struct place *place,
    const struct death_info *info);
void report_now(const struct phoenix *phoenix, const struct place *place);
/* It serves again: written soon. */
void report_ready(const struct phoenix *phoenix, const struct place *place);
/* Writes what is due by now. */
void report_due(const struct phoenix *phoenix);
const struct trace_page *report_trace(const struct phoenix *phoenix,
    const struct place *place);
const char *report_kind(const struct trace_event *event);
const char *report_outcome(const struct trace_event *event);
/* Of a call, as the schemas have it: "storage.seek"; "" if there is none. */
const char *report_request(uint64_t tag);
const char *report_name(const struct trace_event *event);
/* Takes the dead apart first and makes the spares that are missing. */
void report_system(struct phoenix *phoenix);
status_t system_info_read(struct system_info *out_info);

/* A change of phoenix's state; the arena is large enough for all of them. */
#define SAVE(object) \
	do { \
		if (tx_add(service_arena(), &(object), sizeof(object)) != OK) \
			service_panic("undo log is full"); \
	} while (0)
