/* SPDX-License-Identifier: MIT */
/*
 * phoenix: keeps places. Its state lies in its own arena, so that its next
 * incarnation goes on where it stopped.
 *
 * A place goes through
 *
 *	STOPPED		no incarnation; waits for its group
 *	BUILT		incarnation made; its thread is started after the commit
 *	READY		said so itself
 *	DELAYED		died too often; due_ns says when it starts again
 *	GIVEN_UP	for good; its callers get ERR_GONE
 *
 * Building an incarnation is a preparation: what an uncommitted transaction
 * made is swept with phoenix's table. Threads are started from idle(), where a
 * second start does no harm.
 */
#pragma once

#include <idl/phoenix_server.h>
#include <idl/place.h>
#include <lib/place/place.h>
#include <lib/service/service.h>
#include <idl/powers.h>
#include <idl/trace.h>

#define PLACES_MAX	16u
#define CONTROL_BADGE	0x10000ul	/* of holders of "phoenix:control" */
#define PROVIDES_MAX	8u
#define NEEDS_MAX	16u

#define PLACE_STOPPED	0u
#define PLACE_BUILT	1u
#define PLACE_READY	2u
#define PLACE_DELAYED	3u
#define PLACE_GIVEN_UP	4u

#define RESTART_NEVER		0u
#define RESTART_ON_FAILURE	1u
#define RESTART_ALWAYS		2u

/* Bits of phoenix's notification. */
#define BIT_RESTART	0x1ul	/* a delayed place is due */
#define BIT_CHAOS	0x2ul	/* time for the next kill */
#define BIT_CHECK	0x4ul	/* a new incarnation of phoenix looks around */
#define BIT_REPORT	0x8ul	/* there is time to write a report */
#define BIT_RECORD	0x20ul	/* new events may be there */

/* From the manifest; constant. */
struct manifest {
	char	 name[16];
	char	 image[24];
	char	 provides[PROVIDES_MAX][24];
	char	 needs[NEEDS_MAX][48];
	uint64_t group;
	uint64_t class, weight;
	uint64_t arena_size, stack_size;		/* bytes */
	uint64_t table_slots;
	uint64_t frames, objects;			/* limits, 0 = none */
	uint64_t request_budget_ns;
	uint64_t restart;				/* RESTART_* */
	uint64_t restarts_max, window_ns, delay_ns;
};

/* What changes from incarnation to incarnation. */
struct life {
	uint64_t state;
	uint64_t incarnation;		/* number of the current or last one */
	uint64_t deaths;		/* all of them, as the record counts */
	uint64_t counted;		/* in the window, caused by itself */
	uint64_t window_start_ns;
	uint64_t due_ns;		/* DELAYED */
	struct place_incarnation now;
};

struct place {
	struct manifest manifest;
	struct place_image image;
	struct place_parts parts;
	cap_t	 endpoint, notification;
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
	cap_t	 restart_timer, chaos_timer, report_timer;
	struct chaos chaos;
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

/* places.c: all but place_idle inside a transaction. */
status_t place_create(struct phoenix *phoenix, const struct manifest *manifest);
struct place *place_find(struct phoenix *phoenix, const char *name,
    size_t length);
/* A new incarnation; gives the place up if that fails. */
void place_build(struct phoenix *phoenix, struct place *place);
void place_ready(struct phoenix *phoenix, struct place *place);
void place_died(struct phoenix *phoenix, struct place *place);
void place_build_due(struct phoenix *phoenix);
/* Starts the places of the next group, and of later ones if it is empty. */
void place_next_group(struct phoenix *phoenix);
void place_next_group_if_up(struct phoenix *phoenix);
void place_idle(struct phoenix *phoenix);
void place_check_deaths(struct phoenix *phoenix);
uint64_t place_index(const struct phoenix *phoenix, const struct place *place);

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

/* report.c: what is known of a death, before the place gets a new life. */
void report_death(const struct phoenix *phoenix, const struct place *place,
    const struct death_info *info);
/* The long part, once the place runs again. */
void report_details(const struct phoenix *phoenix);
const struct trace_page *report_trace(const struct phoenix *phoenix,
    const struct place *place);
/* From a time stamp, by the clock page; 0 if that lies before the boot. */
uint64_t report_ns(uint64_t tsc);
const char *report_kind(const struct trace_event *event);
const char *report_outcome(const struct trace_event *event);
/* Of a call, as the schemas have it: "storage.seek"; "" if there is none. */
const char *report_request(uint64_t tag);
const char *report_name(const struct trace_event *event);
void report_system(void);
status_t system_info_read(struct system_info *out_info);

/* A change of phoenix's state; the arena is large enough for all of them. */
#define SAVE(object) \
	do { \
		if (tx_add(service_arena(), &(object), sizeof(object)) != OK) \
			service_panic("undo log is full"); \
	} while (0)
