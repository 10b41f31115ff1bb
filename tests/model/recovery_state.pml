/* SPDX-License-Identifier: MIT */
/*
 * What survives the service in recovery.pml: the kernel's objects and the
 * arena; the steps that change them; and the properties. All inlines are parts
 * of an atomic block.
 */

/* A handle is a slot and a generation, so that none is ever used again. */
#define HANDLE(s)	((s) + 1 + SLOTS * slot[s].generation)
#define GENERATION(handle)	(((handle) - 1) / SLOTS)
#define SLOT(handle)	(((handle) - 1) % SLOTS)
#define LIVE(handle)	((handle) != 0 && slot[SLOT(handle)].used && \
	HANDLE(SLOT(handle)) == (handle))

mtype:is_caller = { IDLE, WAITING, GONE };
mtype:is_reply = { FREE, HELD, VOID };
mtype:is_event = { QUIET, FIRED, TAKEN };
mtype:is_effect = { SIGNAL, RESIZE, DELETE };

/* -- kernel -- */

typedef reply_object {
	mtype:is_reply state = FREE;
	mtype:is_event event = QUIET;
	bool cancelled;
	byte caller, operation;
	short order
};
typedef capability_slot {
	bool used;
	bool old;		/* ghost: filled by a dead incarnation */
	byte generation
};
reply_object reply[REPLIES];
capability_slot slot[SLOTS];
mtype:is_caller caller[CALLERS] = IDLE;
byte sent[CALLERS];		/* requests that began */
short last_order;
byte bits;			/* of the notification */
byte size;			/* of the memory object */

/* -- arena -- */

typedef listed_effect { mtype:is_effect kind; short value };
typedef listed_answer { byte reply; short order; byte result; short cap };
bool created;			/* it has a state at all */
byte reply_count;
short reply_cap[REPLIES];
short parked[REPLIES];		/* order of the parked call, 0 = none */
short kept[CALLERS];		/* named by the service */
byte sum;
bool idle_due;			/* work for the idle hook */
byte effects, answers;		/* list of the last commit that had one */
listed_effect effect[2];
listed_answer answer[REPLIES];

/* -- ghosts -- */

byte done[CALLERS];		/* commits of the caller's open request */
byte effects_due;		/* bit per listed effect not carried out yet */
byte crashes, cancels;
short poison;			/* order of the request that phoenix condemned */
bool started, dead, ended;

/* Of use within one step; 0 between steps. */
byte i, j;
bool yes, one_sleeps, nobody_else_sends;

#define OPEN		reply[current]

inline see(word, x, y, z)
{
	SEES(word, x, y, z) -> ADVANCE
}

/* -- the kernel's part -- */

inline create(out)
{
	i = 0;
	do
	:: i < SLOTS && slot[i].used -> i++
	:: else -> break
	od;
	assert(i < SLOTS);
	see(EVENT_CREATE, i, slot[i].generation, 0);
	slot[i].used = true;
	slot[i].old = false;
	out = HANDLE(i);
	i = 0
}

inline remove(handle)
{
	if
	:: LIVE(handle) ->
		see(EVENT_DELETE, SLOT(handle), GENERATION(handle), 1);
		slot[SLOT(handle)].used = false;
		slot[SLOT(handle)].old = false;
		slot[SLOT(handle)].generation++
	:: else -> see(EVENT_DELETE, SLOT(handle), GENERATION(handle), 0)
	fi
}

/* An answer says what became of the request, and comes after all effects. */
inline check_answer(who, what)
{
	assert(caller[who] == WAITING);
	if
	:: (what & ANSWER_ERROR) != 0 ->
		assert(reply[j].operation == OP_FAIL || reply[j].cancelled ||
		    poison == reply[j].order);
		assert(done[who] == 0 ||
		    (reply[j].operation == OP_PARK && reply[j].cancelled))
	:: else ->
		assert(reply[j].operation != OP_FAIL);
		assert(done[who] == (reply[j].operation == OP_GET -> 0 : 1))
	fi
}

/* Answers reply object r, whatever call it holds now. */
inline send(which, what)
{
	j = which;
	assert(reply[j].state != FREE);
	assert(effects_due == 0);
	see(EVENT_ANSWER, j, reply[j].order,
	    what + (reply[j].state == VOID -> ANSWER_VOID : 0));
	if
	:: reply[j].state == HELD ->
		check_answer(reply[j].caller, what);
		caller[reply[j].caller] = IDLE;
		done[reply[j].caller] = 0
	:: else
	fi;
	reply[j].state = FREE;
	reply[j].event = QUIET;
	reply[j].cancelled = false;
	reply[j].caller = 0;
	reply[j].operation = 0;
	reply[j].order = 0;
	j = 0
}

/* What somebody still waits for, or may yet ask. */
inline look_at_callers()
{
	one_sleeps = false;
	nobody_else_sends = true;
	for (j : 0 .. REPLIES - 1) {
		one_sleeps = one_sleeps || parked[j] != 0
	}
	for (j : 1 .. CALLERS - 1) {
		nobody_else_sends = nobody_else_sends &&
		    !(caller[j] == IDLE && sent[j] < request_limit)
	}
	j = 0
}
#define CAN_SEND(c) \
	(caller[c] == IDLE && (sent[c] < request_limit || ((c) == 0 && MORE_WAKES)))
#define ANYONE_SENDS	(!nobody_else_sends || CAN_SEND(0))
#define AT_REST \
	(nobody_else_sends && !one_sleeps && bits == 0 && \
	!(caller[0] == IDLE && sent[0] < request_limit))

/* -- the arena's part -- */

inline is_named(handle)
{
	yes = false;
	for (j : 0 .. REPLIES - 1) {
		yes = yes || (reply_cap[j] == handle)
	}
	for (j : 0 .. CALLERS - 1) {
		yes = yes || kept[j] == handle
	}
	for (j : 0 .. REPLIES - 1) {
		yes = yes || (answer[j].cap == handle &&
		    bug != BUG_SWEEP_TRAVELLING)
	}
	j = 0
}

inline list_begin()
{
	assert(effects_due == 0);	/* else one is lost */
	for (j : 0 .. 1) {
		effect[j].kind = 0;
		effect[j].value = 0
	}
	for (j : 0 .. REPLIES - 1) {
		answer[j].reply = 0;
		answer[j].order = 0;
		answer[j].result = 0;
		answer[j].cap = 0
	}
	j = 0;
	effects = 0;
	answers = 0
}

inline list_effect(what, number)
{
	effect[effects].kind = what;
	effect[effects].value = number;
	effects_due = effects_due | 1 << effects;
	effects++
}

inline list_answer(which, status, handle)
{
	answer[answers].reply = which;
	answer[answers].order = reply[which].order;
	answer[answers].result = status;
	answer[answers].cap = handle;
	answers++
}

/* All that sleep, in the order of their callers. */
inline list_wakes()
{
	for (i : 0 .. CALLERS - 1) {
		for (j : 0 .. REPLIES - 1) {
			if
			:: parked[j] != 0 && reply[j].caller == i ->
				list_answer(j, ANSWER_OK, 0);
				parked[j] = 0
			:: else
			fi
		}
	}
	i = 0;
	j = 0
}

inline list_drop(who)
{
	if
	:: kept[who] != 0 -> list_effect(DELETE, kept[who])
	:: else
	fi
}

inline count_execution(who)
{
	assert(done[who] == 0);		/* else it is executed twice */
	done[who]++
}

/* What the transaction of the open request changes, all at once. */
inline change(who)
{
	list_begin();
	if
	:: OPEN.operation == OP_ADD ->
		sum++;
		idle_due = true;
		list_effect(RESIZE, sum);
		list_effect(SIGNAL, BIT_SERVICE);
		list_answer(current, ANSWER_OK, 0)
	:: OPEN.operation == OP_PARK ->
		parked[current] = (bug == BUG_PARKED_DROPPED -> 0 : OPEN.order)
	:: OPEN.operation == OP_WAKE ->
		list_wakes();
		list_effect(SIGNAL, BIT_SERVICE);
		list_answer(current, ANSWER_OK, 0)
	:: OPEN.operation == OP_SELF -> list_answer(current, ANSWER_OK, 0)
	:: OPEN.operation == OP_MAKE ->
		list_drop(who);
		kept[who] = fresh;
		list_answer(current, ANSWER_OK + ANSWER_CAP, fresh_too)
	:: OPEN.operation == OP_DROP ->
		list_drop(who);
		kept[who] = 0;
		list_answer(current, ANSWER_OK, 0)
	fi
}

/* -- properties of a loop that waits -- */

/* A server that waits has served all events, or is about to be told. */
inline check_events()
{
	for (i : 0 .. REPLIES - 1) {
		assert(reply[i].event != TAKEN);
		assert(reply[i].event == QUIET || (bits & BIT_EVENTS) != 0)
	}
	i = 0
}

/* Nothing will happen any more: is all as it should be? */
inline check_end()
{
	assert(effects_due == 0 && size == sum && sweep_next == SLOTS);
	for (i : 0 .. CALLERS - 1) {
		assert(caller[i] != WAITING);		/* lost */
		assert(kept[i] == 0 || LIVE(kept[i]))
	}
	for (i : 0 .. REPLIES - 1) {
		assert(reply[i].state == FREE && parked[i] == 0);
		assert(reply_cap[i] == 0 || LIVE(reply_cap[i]))
	}
	for (i : 0 .. SLOTS - 1) {
		is_named(HANDLE(i));
		assert(!slot[i].old || yes);		/* leaked */
		steps = steps + slot[i].used
	}
	i = 0;
	yes = false;
	see(EVENT_END, steps, 0, 0);
	steps = 0
}
