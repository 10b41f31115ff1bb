/* SPDX-License-Identifier: MIT */
/*
 * phoenix restarts one place, and dies while it does (docs/design/places.md).
 *
 * phoenix is a service: what it commits stays, the rest of a transaction is
 * undone. But objects it made in the transaction are there, and threads it
 * killed are dead, so every step before the commit is one that may be done
 * again. An incarnation is its thread, with address space and all; phoenix has
 * the only capability. A spare is an incarnation that was never started.
 *
 * A death is counted in the record of the place, which is compared with the
 * count in the arena; the event is a hint. After the commit that records a new
 * incarnation, and never before, its thread is started, and if phoenix dies in
 * between, by the next phoenix: starting a thread that runs or is dead is an
 * error without effect.
 */

#define THREADS		6	/* objects at once */

/* Mistakes. */
#define BUG_START_IN_TRANSACTION 1	/* before the commit */
#define BUG_DEATH_BY_EVENT	2	/* the record is not looked at */
#define BUG_COUNT_APART		3	/* count committed before the rest */
#define BUG_STARTED_KEPT	4	/* "was started" is committed, early */
#define BUG_OLD_NOT_KILLED	5	/* a hang is taken for a death */
#define BUG_NO_SWEEP		6
#define BUG_SWEEP_SPARE		7	/* the arena's spare is not looked at */
#define BUG_SPARE_TWICE		8	/* a used spare stays the spare */
#define BUG_BURIED_NOT_DROPPED	9	/* the buried one is only forgotten */

hidden byte bug, crash_limit, death_limit, hang_limit;

mtype = { NONE, BUILT, RUNS, DEAD };

/* -- kernel -- */

mtype thread[THREADS + 1] = NONE;	/* by handle; 0 is no handle */
byte deaths;			/* in the record of the place */
bool event;			/* a death since it was taken */

/* -- arena of phoenix -- */

byte now, spare, dead;		/* handles */
byte seen;			/* deaths that were dealt with */
bool starting;			/* not READY yet */
bool start_kept;		/* only of BUG_STARTED_KEPT */

/* -- memory of phoenix -- */

bool started;			/* now was, by this incarnation */
byte fresh;			/* made in the open transaction */
byte buried;			/* deleted in it; named until the commit */
byte count;			/* of the record, when it was read */
byte i;				/* within one step; 0 between */

/* -- ghosts -- */

byte crashes, hangs, own_deaths;
bool set_up, phoenix_dead, hung, at_rest;

inline parameters()
{
	c_code {
		const char *names[] = { "MODEL_BUG", "MODEL_CRASHES",
		    "MODEL_DEATHS", "MODEL_HANGS" };
		uchar *values[] = { &bug, &crash_limit, &death_limit,
		    &hang_limit };
		for (int k = 0; k < 4; k++) {
			const char *text = getenv(names[k]);
			*values[k] = text != NULL ? (uchar)atoi(text) : 0;
		}
	};
	set_up = true
}

/* -- the kernel's part: inside atomic blocks -- */

/* At most one incarnation of a place runs. */
inline thread_start(handle)
{
	if
	:: thread[handle] == BUILT ->
		for (i : 1 .. THREADS) {
			assert(thread[i] != RUNS)
		}
		i = 0;
		thread[handle] = RUNS
	:: else
	fi
}

inline thread_kill(handle)
{
	if
	:: thread[handle] == RUNS ->
		thread[handle] = DEAD;
		hung = false;
		deaths++;
		event = true
	:: thread[handle] == BUILT -> thread[handle] = DEAD
	:: else
	fi
}

/* Nobody takes the last capability of a thread that runs. */
inline thread_delete(handle)
{
	assert(thread[handle] != RUNS);
	thread[handle] = NONE
}

inline thread_create()
{
	fresh = 1;
	do
	:: thread[fresh] != NONE -> fresh++
	:: else -> break
	od;
	assert(fresh <= THREADS);
	thread[fresh] = BUILT
}

/* -- phoenix -- */

inline phoenix_forgets()
{
	started = false;
	fresh = 0;
	buried = 0;
	count = 0;
	at_rest = false
}

#define IS_NAMED(handle) \
	((handle) == now || (handle) == dead || \
	((handle) == spare && bug != BUG_SWEEP_SPARE))

/* What dead incarnations of phoenix made and did not commit. */
inline sweep()
{
	for (i : 1 .. THREADS) {
		if
		:: bug != BUG_NO_SWEEP && thread[i] != NONE && !IS_NAMED(i) ->
			thread_delete(i)
		:: else
		fi
	}
	i = 0
}

/* One transaction; each step of it before the commit may be the last. */
inline deal_with_death()
{
	atomic { count = deaths; buried = dead };
	if
	:: bug == BUG_COUNT_APART -> atomic { seen = count }
	:: else
	fi;
	if
	:: atomic { buried != 0 -> thread_delete(buried) }
	:: else
	fi;
	if
	:: atomic { bug != BUG_OLD_NOT_KILLED -> thread_kill(now) }
	:: else
	fi;
	if
	:: atomic { spare != 0 -> fresh = spare }
	:: else -> atomic { thread_create() }
	fi;
	if
	:: atomic { bug == BUG_START_IN_TRANSACTION -> thread_start(fresh) }
	:: else
	fi;
	atomic {			/* commit */
		assert(thread[fresh] != DEAD);
		spare = (fresh == spare && bug != BUG_SPARE_TWICE ->
		    0 : spare);
		dead = now;
		now = fresh;
		fresh = 0;
		buried = 0;
		seen = count;
		count = 0;
		starting = true;
		started = false;
		start_kept = false
	}
}

/* After each transaction. */
inline idle()
{
	if
	:: bug == BUG_STARTED_KEPT -> atomic { start_kept = true }
	:: else
	fi;
	atomic {
		thread_start(now);
		started = true
	}
}

/* When the place serves again, one step at a time. */
inline tidy()
{
	if
	:: atomic { dead != 0 -> buried = dead }
		if
		:: bug == BUG_BURIED_NOT_DROPPED
		:: else -> atomic { thread_delete(buried) }
		fi;
		atomic { dead = 0; buried = 0 }
	:: atomic { dead == 0 && spare == 0 -> thread_create() }
		atomic { spare = fresh; fresh = 0 }
	fi
}

#define DEATH_IS_NEW \
	(seen != deaths && (bug != BUG_DEATH_BY_EVENT || event))
#define WANTS_START \
	(starting && !started && !(bug == BUG_STARTED_KEPT && start_kept))
#define UNTIDY		(!starting && (dead != 0 || spare == 0))

#define NOTHING_TO_DO \
	(!DEATH_IS_NEW && !WANTS_START && !hung && !UNTIDY && !starting)

/* The place serves, nothing is left over, the spare has never run. */
inline check_rest()
{
	assert(thread[now] == RUNS);
	assert(seen == deaths && !hung);
	assert(thread[spare] == BUILT);
	for (i : 1 .. THREADS) {
		assert(thread[i] == NONE || i == now || i == spare)
	}
	i = 0;
	at_rest = true
}

active proctype phoenix()
{
	atomic { parameters() };
	do
	:: {
		atomic { sweep() };
		if
		:: atomic { now == 0 -> thread_create() }
			atomic { now = fresh; fresh = 0; starting = true }
		:: else
		fi;
		do
		:: DEATH_IS_NEW ->
			atomic { event = false };
			deal_with_death()
		:: !DEATH_IS_NEW && hung ->
			/* A kill; that makes it a death like any other. */
			if
			:: bug == BUG_OLD_NOT_KILLED -> deal_with_death()
			:: else -> atomic { thread_kill(now) }
			fi
		:: !DEATH_IS_NEW && WANTS_START -> idle()
		:: atomic { starting && started && thread[now] == RUNS ->
			starting = false
		}
		:: !DEATH_IS_NEW && UNTIDY -> tidy()
		:: atomic { !at_rest && NOTHING_TO_DO -> check_rest() }
		:: at_rest ->
end_of_work:		atomic { !NOTHING_TO_DO -> at_rest = false }
		od
	} unless {
		atomic { phoenix_dead ->
			phoenix_dead = false;
			phoenix_forgets()
		}
	}
	od
}

/* -- fate -- */

active proctype fate()
{
end:	do
	:: atomic { set_up && !phoenix_dead && crashes < crash_limit ->
		crashes++;
		phoenix_dead = true
	}
	:: atomic { set_up && thread[now] == RUNS &&
	    own_deaths < death_limit ->
		own_deaths++;
		thread_kill(now)
	}
	:: atomic { set_up && thread[now] == RUNS && !hung &&
	    hangs < hang_limit ->
		hangs++;
		hung = true
	}
	od
}

/* Any finite number of deaths leaves a place that serves. */
ltl every_run_ends { <> [] at_rest }
