/* SPDX-License-Identifier: MIT */
/*
 * Exactly once between two services (lib/wire/outbox.h): a caller lists what it
 * wants in its arena, with an id, and calls until it has an answer; a server
 * keeps its last reply in the transaction that does the work. Both die at any
 * step; the caller may lose its arena (a cold start).
 *
 * A call is an object of the kernel. When its caller dies, a call that nobody
 * received is gone; one that was is void, and the server may still do it, even
 * while the next incarnation asks the same again. The server takes calls in any
 * order, which is more than the real one does.
 *
 * Atomic blocks are steps, as in recovery.pml; each commit is one.
 */

#define WANTED		3	/* requests of the caller */
#define IDS		8	/* that may ever be drawn, and 0 */
#define ENTRIES		2	/* of the outbox */
#define CALLS		4	/* one, and those of dead incarnations */

/* Mistakes. */
#define BUG_NO_KEPT_REPLY	1	/* a call is done as often as it comes */
#define BUG_KEPT_APART		2	/* in a transaction after the work */
#define BUG_KEPT_BEFORE		3	/* in one before it */
#define BUG_DONE_BEFORE_CALL	4	/* the entry goes when it is called */
#define BUG_DONE_BEFORE_USE	5	/* ... before its answer is used */
#define BUG_ID_AT_CALL		6	/* not in the transaction that lists it */
#define BUG_LAST_FIRST		7	/* entries are called in the wrong order */
#define BUG_ERROR_KEPT		8	/* a refusal is kept like a reply */
#define BUG_ID_FROM_ONE		9	/* after a cold start */
#define BUG_REPLY_FORGOTTEN	10	/* a call that was done is not answered */

hidden byte bug, crash_limit, cold_limit, refusal_limit;

mtype = { FREE, QUEUED, HELD, VOID };
mtype = { NONE, REPLY, ERROR };

/* -- kernel -- */

typedef call_object { mtype state = FREE; byte id };
call_object call[CALLS];
byte clock = 1;			/* never behind an id that was drawn */

/* -- arena of the caller -- */

byte entry[ENTRIES];		/* ids; 0 = free */
byte last_id;

/* -- arena of the server -- */

byte kept;			/* id of the last request done; 0 = none */

/* -- memory of the caller -- */

byte calling;			/* id */
mtype answered = NONE;		/* what came back, */
byte answer;			/* and the id that it is about */

/* -- memory of the server -- */

byte serving;			/* call, + 1 */
byte i;				/* within one step; 0 between */
byte n;				/* the same */

/* -- ghosts -- */

byte listed;			/* requests so far */
byte executed[IDS];		/* how often each was done */
bool used[IDS];			/* its answer was used */
bool lost[IDS];			/* the caller forgot it in a cold start */
byte crashes, colds, refusals, highest;
bool started, caller_dead, server_dead, ended;

inline parameters()
{
	c_code {
		const char *names[] = { "MODEL_BUG", "MODEL_CRASHES",
		    "MODEL_COLDS", "MODEL_REFUSALS" };
		uchar *values[] = { &bug, &crash_limit, &cold_limit,
		    &refusal_limit };
		for (int k = 0; k < 4; k++) {
			const char *text = getenv(names[k]);
			*values[k] = text != NULL ? (uchar)atoi(text) : 0;
		}
	};
	started = true
}

/* -- the caller -- */

inline draw_id()
{
	last_id = (clock > last_id + 1 -> clock : last_id + 1);
	assert(last_id < IDS);
	assert(bug == BUG_ID_AT_CALL || last_id > highest);	/* never twice */
	highest = last_id
}

inline list_request()
{
	draw_id();
	if
	:: entry[0] == 0 -> entry[0] = last_id
	:: else -> entry[1] = last_id
	fi;
	listed++
}

/* The lowest id there is. */
inline choose_entry()
{
	calling = (entry[1] == 0 || (entry[0] != 0 &&
	    (entry[0] < entry[1]) != (bug == BUG_LAST_FIRST)) ->
	    entry[0] : entry[1])
}

inline send_call()
{
	do
	:: call[i].state != FREE -> i++
	:: else -> break
	od;
	call[i].state = QUEUED;
	call[i].id = calling;
	if
	:: bug == BUG_ID_AT_CALL ->
		last_id++;
		call[i].id = last_id
	:: else
	fi;
	i = 0
}

inline forget_entry()
{
	entry[0] = (entry[0] == calling -> 0 : entry[0]);
	entry[1] = (entry[1] == calling -> 0 : entry[1])
}

/* One transaction: what the answer says is taken over, the entry goes. */
inline use_answer()
{
	if
	:: answered == REPLY ->
		assert(answer == calling);	/* not of another request */
		assert(executed[answer] == 1);
		assert(!used[answer]);
		used[answer] = true;
		forget_entry()
	:: else
	fi;
	answered = NONE;
	answer = 0;
	calling = 0
}

inline caller_forgets()
{
	calling = 0;
	answered = NONE;
	answer = 0;
	for (i : 0 .. CALLS - 1) {
		if
		:: call[i].state == QUEUED ->
			call[i].state = FREE;
			call[i].id = 0
		:: call[i].state == HELD -> call[i].state = VOID
		:: else
		fi
	}
	i = 0
}

#define ALL_DONE	(listed == WANTED && entry[0] == 0 && entry[1] == 0)

inline check_end()
{
	for (i : 1 .. IDS - 1) {
		assert(executed[i] <= 1);
		assert(i > highest || used[i] || lost[i])
	}
	i = 0;
	ended = true
}

active proctype caller()
{
	atomic { parameters() };
	do
	:: {
		do
		:: atomic { listed < WANTED && (entry[0] == 0 ||
		    entry[1] == 0) -> list_request() }
		:: atomic { entry[0] != 0 || entry[1] != 0 ->
			choose_entry()
		}
			if
			:: bug == BUG_DONE_BEFORE_CALL ->
				atomic { forget_entry() }
			:: else
			fi;
			atomic { send_call() };
			answered != NONE;
			if
			:: bug == BUG_DONE_BEFORE_USE ->
				atomic { forget_entry() }
			:: else
			fi;
			atomic { use_answer() }
		:: atomic { ALL_DONE -> check_end() }
			break
		od;
end_of_caller:	false
	} unless {
		atomic { caller_dead ->
			caller_dead = false;
			caller_forgets()
		}
	}
	od
}

/* -- the server -- */

inline answer_call(status)
{
	if
	:: call[serving - 1].state == HELD ->
		answered = status;
		answer = call[serving - 1].id
	:: else
	fi;
	call[serving - 1].state = FREE;
	call[serving - 1].id = 0;
	serving = 0
}

/* What a request changes, and that its reply is kept: in one transaction. */
inline execute()
{
	n = call[serving - 1].id;
	executed[n]++;
	assert(executed[n] == 1);
	/* It stands for the acknowledgement of what was kept before. */
	assert(kept == 0 || kept == n || used[kept] || lost[kept]);
	n = 0
}

inline serve()
{
	if
	:: call[serving - 1].id == kept && bug == BUG_REPLY_FORGOTTEN ->
		false
	:: call[serving - 1].id == kept && bug != BUG_NO_KEPT_REPLY &&
	    bug != BUG_REPLY_FORGOTTEN ->
		atomic { answer_call(REPLY) }
	:: atomic { call[serving - 1].id < kept ->
		/* Only a dead incarnation still asks for that. */
		assert(call[serving - 1].state == VOID);
		answer_call(ERROR)
	}
	:: atomic { call[serving - 1].id > kept && refusals < refusal_limit ->
		refusals++;
		if
		:: bug == BUG_ERROR_KEPT -> kept = call[serving - 1].id
		:: else
		fi
	}
		atomic { answer_call(ERROR) }
	:: call[serving - 1].id > kept ||
	    (bug == BUG_NO_KEPT_REPLY && call[serving - 1].id == kept) ->
		if
		:: atomic { bug == BUG_KEPT_BEFORE ->
			kept = call[serving - 1].id
		}
		:: else
		fi;
		atomic {
			execute();
			if
			:: bug == BUG_KEPT_APART
			:: else -> kept = call[serving - 1].id
			fi
		};
		atomic { kept = call[serving - 1].id };
		atomic { answer_call(REPLY) }
	fi
}

#define WAITS(k)	(call[k].state != FREE)

/* Inside an atomic block: call k is received, or read again. */
inline take(k)
{
	call[k].state = (call[k].state == QUEUED -> HELD : call[k].state);
	serving = k + 1
}

active proctype server()
{
end_of_life:
	do
	:: {
end_of_server:	do
		:: atomic { WAITS(0) -> take(0) }
			serve()
		:: atomic { WAITS(1) -> take(1) }
			serve()
		:: atomic { WAITS(2) -> take(2) }
			serve()
		:: atomic { WAITS(3) -> take(3) }
			serve()
		od
	} unless {
		atomic { server_dead -> server_dead = false; serving = 0 }
	}
	od
}

/* -- fate -- */

/* Time goes on, so no id of the new arena was drawn before. */
inline lose_arena()
{
	for (i : 1 .. IDS - 1) {
		lost[i] = lost[i] || (i <= highest && !used[i])
	}
	i = 0;
	entry[0] = 0;
	entry[1] = 0;
	last_id = 0;
	clock = (bug == BUG_ID_FROM_ONE -> 1 : highest + 1);
	colds++
}

active proctype fate()
{
end:	do
	:: atomic { started && !caller_dead && crashes < crash_limit ->
		crashes++;
		caller_dead = true;
		if
		:: true
		:: colds < cold_limit -> lose_arena()
		fi
	}
	:: atomic { started && !server_dead && crashes < crash_limit ->
		crashes++;
		server_dead = true
	}
	od
}

ltl every_run_ends { <> ended }
