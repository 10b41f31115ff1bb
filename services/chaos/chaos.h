/* SPDX-License-Identifier: MIT */
/*
 * chaos: injects faults into places, one after the other, and writes down what
 * came of each. Everything is drawn from the seed and the number of the
 * injection, so with a deterministic machine the same options give the same
 * faults at the same instructions.
 */
#pragma once

#include <idl/fault.h>
#include <idl/place.h>
#include <idl/trace.h>
#include <lib/sys/sys.h>
#include <stdbool.h>

#define VICTIMS_MAX	8u

/* Kinds beyond those that a service carries out itself (idl/fault.h). */
#define KIND_KILL		FAULT_KINDS
#define KIND_FLIP_DATA		(FAULT_KINDS + 1)
#define KIND_FLIP_STACK		(FAULT_KINDS + 2)
#define KIND_FLIP_REGISTER	(FAULT_KINDS + 3)
#define KIND_FLIP_TEXT		(FAULT_KINDS + 4)
#define KIND_MUTATE_BRANCH	(FAULT_KINDS + 5)	/* in the order of the */
#define KIND_MUTATE_OPERAND	(FAULT_KINDS + 6)	/* kinds in the tables */
#define KIND_MUTATE_OFFBYONE	(FAULT_KINDS + 7)
#define KIND_MUTATE_NOP		(FAULT_KINDS + 8)
#define KIND_FLIP_ARENA		(FAULT_KINDS + 9)
#define KIND_COUNT		(FAULT_KINDS + 10)

struct options {
	uint64_t seed, count;
	uint64_t start_ns;	/* rest before the first one */
	uint64_t every_ns;	/* from one injection to the next, at least */
	unsigned victims, kinds;
	char	 victim[VICTIMS_MAX][16];
	uint8_t	 kind[KIND_COUNT];
};

struct victim {
	const char *name;
	struct place_info *info;	/* mapped here; NULL = not there */
	cap_t	 death;
	cap_t	 thread, vspace;	/* of the incarnation in view, or none */
	uint32_t armed;			/* sequence of the last fault */
};

/* One injection. */
struct injection {
	uint64_t number, random;
	uint64_t kind;
	struct victim *victim;
	/* As it was before. */
	uint64_t incarnation, deaths;
	uint64_t latency_tsc;	/* of all its requests so far */
	/* What was done. */
	bool	 done;		/* there was something to be damaged */
	uint64_t address, written;	/* of a flipped word */
	unsigned bit, reg;
	/* What came of it. */
	bool	 activated, died, cleaned;
	bool	 slowed;	/* requests took as much longer as was armed */
	uint64_t cause, died_ns;
};

/* options.c */
void options_read(struct options *out_options);
const char *kind_name(uint64_t kind);

/* Advances *state; never 0. */
static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* victim.c */
void victims_open(const struct options *options);
/* Of this index; NULL if there is no such place. */
struct victim *victim_get(unsigned index);
/* Takes the capabilities of the incarnation that lives now; false: none. */
bool victim_enter(struct victim *victim);
void victim_leave(struct victim *victim);
void victim_kill(const struct victim *victim);
bool victim_read_death(const struct victim *victim, struct death_info *out);
/* Its next incarnation looks at all of its arena before it serves anybody. */
void victim_ask_check(const struct victim *victim);
/* The head of its trace page, without the events; false if it cannot be read. */
bool victim_read_trace(const struct victim *victim, struct trace_page *out);
bool victim_read_word(const struct victim *victim, uint64_t address,
    uint64_t *out_word);
bool victim_write_word(const struct victim *victim, uint64_t address,
    uint64_t word);
/* false while it runs on another CPU, and when it is dead. */
bool victim_read_frame(const struct victim *victim, struct user_frame *out);
/* Only of a thread that waits for a CPU. */
bool victim_write_frame(const struct victim *victim,
    const struct user_frame *frame);

/* memory.c: single bits. Each sets *injection and says what it did. */
void flip_data(struct injection *injection);
void flip_stack(struct injection *injection);
void flip_arena(struct injection *injection);
void flip_register(struct injection *injection);
/* Was the word written, or the register used for something else, since? */
bool flip_is_gone(const struct injection *injection);

/* text.c */
void change_text(struct injection *injection);
bool text_was_executed(const struct injection *injection);

/* inject.c */
void inject(struct injection *injection);
/* Looks whether it was carried out and whether the victim died of it. */
void inject_look(struct injection *injection);
/* The end of its time: who did not hit shall not in the time of another one. */
void inject_disarm(struct injection *injection);
/* Nothing of it is left for the next one. */
void inject_undo(struct injection *injection);
/* What was damaged is part of the state: incarnations to come have it, too. */
bool inject_stays(const struct injection *injection);

/* main.c */
void chaos_sleep(uint64_t ns);
