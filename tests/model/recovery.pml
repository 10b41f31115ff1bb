/* SPDX-License-Identifier: MIT */
/*
 * The protocol of the service loop (lib/service/loop.c): receive, prepare,
 * commit, effects, answer, park, cancel, and what a new incarnation does.
 * docs/design/model.md says what is checked and what was left out.
 *
 * Two processes. `service` is the loop; each atomic block is one step of it,
 * and it may die between any two. `fate` ends it, and kills or kicks those who
 * wait for it. Callers have no process: the next call is whatever any of them
 * may send. A caller has one call at a time.
 *
 * State is of three kinds, as in docs/design/service-loop.md:
 *	kernel	survives everything: reply objects, slots, events, bits
 *	arena	survives; changes only where a transaction commits. The open
 *		transaction is no variable at all: change() makes its changes
 *	memory	of one incarnation; forget() is what a death does to it
 * and ghosts, which only the properties look at.
 *
 * The text has two uses. Searched, an event is a step that is always possible.
 * With REPLAY it is possible only if the trace of a real run has that event
 * next, and what is asked is what the trace says: a trace that no path of the
 * model explains is refused. So events are what one sees of the loop from
 * outside, in the words of lib/service/fake/kernel_host.c.
 *
 * `bug` puts one mistake in; tools/model.py knows which must be found.
 */

#ifdef REPLAY
#define CALLERS		4	/* as in loop_test.c and its fake kernel */
#define REPLIES		3
#define SLOTS		32
#else
#define CALLERS		3
#define REPLIES		3	/* reply objects */
#define SLOTS		13
#endif
#define SWEEP_STEP	1	/* slots looked at between two calls */

/* What calls ask for: those of loop_test.c. */
#define OP_ADD		1	/* changes the state; size, signal, idle work */
#define OP_GET		2	/* reads only */
#define OP_FAIL		3	/* makes two objects, keeps one, then fails */
#define OP_PARK		4	/* waits for OP_WAKE */
#define OP_WAKE		5	/* answers all that wait */
#define OP_SELF		6	/* parks and answers itself */
#define OP_MAKE		7	/* keeps a capability, gives another away */
#define OP_DROP		8	/* gives up the one kept */

/* Events: a word, then up to three numbers. */
#define EVENT_START	1	/* an incarnation begins */
#define EVENT_CRASH	2
#define EVENT_RECEIVE	3	/* reply object, caller, operation */
#define EVENT_NOTIFIED	4	/* bits */
#define EVENT_HANDLE	5	/* reply object, order, delivered again */
#define EVENT_CREATE	6	/* slot, generation */
#define EVENT_DELETE	7	/* slot, generation, was it live */
#define EVENT_COMMIT	8
#define EVENT_SIGNAL	9	/* bits */
#define EVENT_RESIZE	10	/* size */
#define EVENT_ANSWER	11	/* reply object, order, ANSWER_* */
#define EVENT_TAKE	12	/* reply object whose event was taken */
#define EVENT_REARM	13
#define EVENT_READY	14
#define EVENT_KILL	15	/* reply object of the caller */
#define EVENT_KICK	16	/* the same */
#define EVENT_END	17	/* nothing to do any more: slots in use */

#define ANSWER_OK	1
#define ANSWER_ERROR	2
#define ANSWER_CAP	4	/* with a capability */
#define ANSWER_VOID	8	/* the caller is dead */

#define BIT_SERVICE	1
#define BIT_EVENTS	2	/* LOOP_EVENT_BIT */

/* Mistakes. */
#define BUG_ANSWER_BEFORE_COMMIT	1
#define BUG_NO_UNDO			2
#define BUG_NO_REDO			3
#define BUG_LIST_CLEARED_EARLY		4
#define BUG_ORDER_NOT_COMPARED		5
#define BUG_PARKED_DROPPED		6
#define BUG_SWEEP_IN_TRANSACTION	7
#define BUG_SWEEP_TRAVELLING		8
#define BUG_SWEEP_FORGOTTEN		9
#define BUG_NO_REARM			10
#define BUG_VOID_FORGOTTEN		11
#define BUG_IDLE_BEFORE_ANSWER		12
#define BUG_POISON_BEFORE_REDO		13
#define BUG_PENDING_FORGOTTEN		14

/* Limits of the search, and the mistake; set once, by parameters(). */
hidden byte bug, crash_limit, cancel_limit;
hidden byte request_limit;	/* of each caller */
hidden byte reply_limit;
hidden byte sweep_first;		/* slots looked at before the first call */
hidden short operations;	/* bit per OP_*, from OP_ADD on */
hidden byte condemns;		/* a death may make its request poison */

#include "trace.pml"
#include "recovery_state.pml"

/* -- memory of an incarnation -- */

bool ready;			/* calls of the dead one are served */
byte free;			/* bit per reply object */
byte pending;			/* bit for each call not delivered again yet */
byte sweep_next;		/* slot; SLOTS = done */
byte current;			/* reply object of the call in work */
bool to_do, resumed;		/* it is to be executed; again */
bool working;			/* it was not answered yet */
short fresh, fresh_too;		/* handles that the transaction made */
bool listed;			/* a list was committed, and is to be done */
byte at;			/* place in it */
byte due, due_reply;		/* ANSWER_* held back for the next wait */
byte got;			/* bits taken from the notification */
byte taken;			/* reply object of the event in work, + 1 */
byte held_back;			/* answers of the list that go out later */
byte steps;

/* A death. */
inline forget()
{
	ready = false;
	free = 0;
	pending = 0;
	sweep_next = 0;
	current = 0;
	to_do = false;
	resumed = false;
	working = false;
	fresh = 0;
	fresh_too = 0;
	listed = false;
	at = 0;
	due = 0;
	due_reply = 0;
	got = 0;
	taken = 0;
	held_back = 0;
	steps = 0;
	for (i : 0 .. SLOTS - 1) {
		slot[i].old = slot[i].used
	}
	i = 0
}

/* -- effects and answers -- */

inline do_effects()
{
	do
	:: atomic { at < effects ->
		if
		:: effect[at].kind == RESIZE ->
			see(EVENT_RESIZE, effect[at].value, 0, 0);
			size = effect[at].value
		:: effect[at].kind == SIGNAL ->
			see(EVENT_SIGNAL, effect[at].value, 0, 0);
			bits = bits | effect[at].value
		:: effect[at].kind == DELETE -> remove(effect[at].value)
		fi;
		effects_due = effects_due & ~(1 << at);
		at++
	}
	:: atomic { at >= effects -> at = 0; break }
	od
}

/* Whether the call that entry `at` answers still waits for it. */
#define STILL_HELD \
	(reply[answer[at].reply].state != FREE && \
	(bug == BUG_ORDER_NOT_COMPARED || \
	reply[answer[at].reply].order == answer[at].order))

/* The answer of entry `at`; then the own copy of what went along. */
inline do_answer()
{
	if
	:: atomic { STILL_HELD ->
		assert(answer[at].cap == 0 || LIVE(answer[at].cap));
		send(answer[at].reply, answer[at].result)
	}
	:: else
	fi;
	if
	:: atomic { answer[at].cap != 0 -> remove(answer[at].cap) }
	:: else
	fi
}

/*
 * After a commit: effects, then answers. The one to the current call is held
 * back, unless a capability goes along.
 */
inline do_listed()
{
	do_effects();
	do
	:: atomic { at + held_back < answers -> assert(STILL_HELD) }
		do_answer();
		atomic { free = free | 1 << answer[at].reply; at++ }
	:: atomic { at + held_back >= answers ->
		if
		:: held_back != 0 -> answer_unlisted(answer[at].result)
		:: else
		fi;
		if
		:: bug == BUG_LIST_CLEARED_EARLY -> list_begin()
		:: else
		fi;
		working = (held_back != 0);
		held_back = 0;
		listed = false;
		at = 0;
		break
	}
	od
}

/* The same in a new incarnation: what was done before is recognised. */
inline redo_listed()
{
	do_effects();
	do
	:: at < answers ->
		do_answer();
		at++
	:: atomic { at >= answers -> at = 0; break }
	od
}

/* Inside an atomic block: an answer that goes out with the next wait. */
inline answer_unlisted(what)
{
	due = what;
	due_reply = current
}

inline flush_answer()
{
	if
	:: atomic { due != 0 ->
		send(due_reply, due);
		free = free | 1 << due_reply;
		due = 0;
		due_reply = 0;
		working = false
	}
	:: else
	fi
}

/* -- sweep: between transactions only -- */

/* Inside an atomic block: looks at one slot that is in use. */
inline sweep_slot()
{
	i = sweep_next;
	do
	:: i < SLOTS && !slot[i].used -> i++
	:: else -> break
	od;
	if
	:: i < SLOTS ->
		is_named(HANDLE(i));
		if
		:: !yes -> remove(HANDLE(i))
		:: else
		fi;
		sweep_next = i + 1;
		yes = false
	:: else -> sweep_next = SLOTS
	fi;
	i = 0
}

/* If there is more to do it comes back, even if no call arrives. */
inline sweep(count)
{
	steps = count;
	do
	:: atomic { steps > 0 && sweep_next < SLOTS ->
		sweep_slot();
		steps--
	}
	:: else -> break
	od;
	atomic {
		steps = 0;
		if
		:: bug == BUG_SWEEP_FORGOTTEN -> sweep_next = SLOTS
		:: else
		fi;
		if
		:: sweep_next < SLOTS ->
			see(EVENT_SIGNAL, BIT_EVENTS, 0, 0);
			bits = bits | BIT_EVENTS
		:: else
		fi
	}
}

/* -- one call -- */

/* What the handler makes before it ends; OP_FAIL ends here. */
inline prepare()
{
	if
	:: OPEN.operation == OP_FAIL || OPEN.operation == OP_MAKE ->
		atomic { create(fresh) };
		if
		:: bug == BUG_SWEEP_IN_TRANSACTION ->
			sweep_next = 0;
			sweep(SLOTS)
		:: else
		fi;
		atomic { create(fresh_too) };
		if
		:: atomic { OPEN.operation == OP_FAIL ->
			remove(fresh_too)
		}
			answer_unlisted(ANSWER_ERROR)
		:: else
		fi
	:: else
	fi
}

inline commit()
{
	if
	:: atomic { bug == BUG_ANSWER_BEFORE_COMMIT &&
	    OPEN.operation == OP_ADD ->
		send(current, ANSWER_OK)
	}
	:: atomic { bug == BUG_NO_UNDO -> count_execution(OPEN.caller) }
	:: else
	fi;
	atomic {
		see(EVENT_COMMIT, 0, 0, 0);
		if
		:: bug == BUG_NO_UNDO
		:: else -> count_execution(OPEN.caller)
		fi;
		change(OPEN.caller);
		listed = true;
		held_back = (OPEN.operation == OP_ADD ||
		    OPEN.operation == OP_WAKE || OPEN.operation == OP_DROP);
		fresh = 0;
		fresh_too = 0
	}
}

/* The call that lies in reply object `current`. */
inline execute()
{
	atomic {
		to_do = false;
		working = true;
		if
		:: poison == OPEN.order -> answer_unlisted(ANSWER_ERROR)
		:: else ->
			see(EVENT_HANDLE, current, OPEN.order, resumed);
			if
			:: OPEN.operation == OP_GET ->
				answer_unlisted(ANSWER_OK)
			:: OPEN.cancelled && OPEN.operation != OP_GET &&
			    OPEN.operation != OP_FAIL ->
				answer_unlisted(ANSWER_ERROR)
			:: else
			fi
		fi
	};
	if
	:: due == 0 -> prepare()
	:: else
	fi;
	if
	:: due == 0 -> commit()
	:: else
	fi;
	atomic { resumed = false; fresh = 0; fresh_too = 0 }
}

/* -- what a new incarnation does -- */

/* What lies in reply objects, parked calls apart. */
inline find_pending()
{
	for (i : 0 .. REPLIES - 1) {
		if
		:: i >= reply_count || parked[i] != 0
		:: i < reply_count && parked[i] == 0 &&
		    reply[i].state == FREE ->
			free = free | 1 << i
		:: else ->
			if
			:: bug == BUG_PENDING_FORGOTTEN
			:: bug == BUG_VOID_FORGOTTEN && reply[i].state == VOID
			:: else -> pending = pending | 1 << i
			fi
		fi
	}
	i = 0
}

inline rearm_events()
{
	see(EVENT_REARM, 0, 0, 0);
	for (i : 0 .. REPLIES - 1) {
		if
		:: reply[i].event == TAKEN && bug != BUG_NO_REARM ->
			reply[i].event = FIRED;
			bits = bits | BIT_EVENTS
		:: else
		fi
	}
	i = 0
}

inline start()
{
	atomic { see(EVENT_START, 0, 0, 0) };
	sweep(sweep_first);
	if
	:: atomic { !created ->
		see(EVENT_COMMIT, 0, 0, 0);
		created = true
	}
	:: else ->
		if
		:: atomic { bug == BUG_POISON_BEFORE_REDO && poison != 0 &&
		    answers != 0 && STILL_HELD && answer[at].order == poison ->
			effects_due = 0;
			send(answer[at].reply, ANSWER_ERROR)
		}
		:: else
		fi;
		if
		:: bug == BUG_NO_REDO
		:: else -> redo_listed()
		fi
	fi;
	atomic { rearm_events() };
	atomic { find_pending() }
}

/* The oldest first. */
inline deliver_again()
{
	for (i : 0 .. REPLIES - 1) {
		if
		:: (pending & 1 << i) != 0 &&
		    (!resumed || reply[i].order < OPEN.order) ->
			current = i;
			resumed = true
		:: else
		fi
	}
	i = 0;
	pending = pending & ~(1 << current);
	to_do = true
}

/* -- between calls -- */

/* Events of the kernel; those of parked calls ask for something. */
inline take_event()
{
	i = 0;
	do
	:: i < REPLIES && reply[i].event != FIRED -> i++
	:: else -> break
	od;
	if
	:: i < REPLIES ->
		see(EVENT_TAKE, i, 0, 0);
		reply[i].event = TAKEN;
		taken = i + 1
	:: else -> got = got & ~BIT_EVENTS
	fi;
	i = 0
}

/* A parked call was cancelled: it is answered, and no longer parked. */
inline cancel_parked()
{
	if
	:: atomic { parked[taken - 1] != 0 ->
		see(EVENT_COMMIT, 0, 0, 0);
		list_begin();
		list_answer(taken - 1, ANSWER_ERROR, 0);
		parked[taken - 1] = 0;
		listed = true;
		taken = 0
	}
	:: atomic { else -> taken = 0 }
	fi
}

/* A transaction of the service's own, between two calls. */
inline idle_work()
{
	see(EVENT_COMMIT, 0, 0, 0);
	idle_due = false;
	list_begin();
	list_effect(RESIZE, sum);
	listed = true
}

inline make_reply()
{
	atomic { create(fresh) };
	atomic {
		see(EVENT_COMMIT, 0, 0, 0);
		reply_cap[reply_count] = fresh;
		free = free | 1 << reply_count;
		reply_count++;
		fresh = 0
	}
}

#define MAY_ASK(word) \
	(SAYS(c, word) && (sent[j] == request_limit -> (word) == OP_WAKE : \
	(operations & 1 << (word) - 1) != 0))

/* A caller, and what it asks. Caller 0 never sleeps. */
inline choose_call()
{
	if
	:: CAN_SEND(0) && SAYS(b, 0) -> j = 0
	:: CAN_SEND(1) && SAYS(b, 1) -> j = 1
	:: CAN_SEND(2) && SAYS(b, 2) -> j = 2
#if CALLERS > 3
	:: CAN_SEND(3) && SAYS(b, 3) -> j = 3
#endif
	fi;
	if
	:: MAY_ASK(OP_ADD) -> OPEN.operation = OP_ADD
	:: MAY_ASK(OP_GET) -> OPEN.operation = OP_GET
	:: MAY_ASK(OP_FAIL) -> OPEN.operation = OP_FAIL
	:: MAY_ASK(OP_PARK) && j != 0 -> OPEN.operation = OP_PARK
	:: MAY_ASK(OP_WAKE) -> OPEN.operation = OP_WAKE
	:: MAY_ASK(OP_SELF) -> OPEN.operation = OP_SELF
	:: MAY_ASK(OP_MAKE) -> OPEN.operation = OP_MAKE
	:: MAY_ASK(OP_DROP) -> OPEN.operation = OP_DROP
	fi
}

inline take_call()
{
	current = 0;
	do
	:: (free & 1 << current) != 0 && SAYS(a, current) -> break
	:: else -> current < REPLIES - 1; current++
	od;
	assert(OPEN.state == FREE);
	choose_call();
	see(EVENT_RECEIVE, current, j, OPEN.operation);
	sent[j] = (sent[j] < request_limit -> sent[j] + 1 : request_limit);
	caller[j] = WAITING;
	last_order++;
	OPEN.state = HELD;
	OPEN.caller = j;
	OPEN.order = last_order;
	free = free & ~(1 << current);
	to_do = true;
	working = true;
	j = 0
}

/* Waits with a free reply object, if there is one. */
inline receive()
{
	atomic {
		check_events();
		look_at_callers();
		if
		:: bits != 0 ->
			see(EVENT_NOTIFIED, bits, 0, 0);
			got = bits;
			bits = 0
		:: free != 0 && ANYONE_SENDS && SAYS(word, EVENT_RECEIVE) ->
			take_call()
		:: free != 0 && AT_REST ->
			check_end();
			ended = true
		fi;
		one_sleeps = false;
		nobody_else_sends = false
	};
	if
	:: ended ->
		END_OF_TRACE;
end_of_work:	false
	:: else
	fi
}

inline between_calls()
{
	sweep(SWEEP_STEP);
	if
	:: bug == BUG_IDLE_BEFORE_ANSWER && idle_due
	:: else -> flush_answer()
	fi;
	if
	:: atomic { idle_due -> idle_work() }
	:: else ->
		if
		:: free == 0 && reply_count < reply_limit -> make_reply()
		:: else
		fi;
		receive()
	fi
}

active proctype service()
{
	parameters();
	do
	:: {
		start();
		do
		:: true ->
			if
			:: atomic { pending != 0 -> deliver_again() }
			:: atomic { pending == 0 && !ready ->
				see(EVENT_READY, 0, 0, 0);
				ready = true;
				got = BIT_EVENTS
			}
			:: atomic { (got & BIT_EVENTS) != 0 -> take_event() }
				if
				:: taken != 0 -> cancel_parked()
				:: else
				fi
			:: atomic { got == BIT_SERVICE ->
				see(EVENT_COMMIT, 0, 0, 0);
				got = 0
			}
			:: ready && got == 0 -> between_calls()
			fi;
			if
			:: to_do -> execute()
			:: else
			fi;
			if
			:: listed -> do_listed()
			:: else
			fi;
			if
			:: !ready -> flush_answer()
			:: else
			fi
		od
	} unless {
		atomic { dead -> dead = false; forget() }
	}
	od
}

/* -- fate -- */

#define CALLER_WAITS(which) \
	(reply[which].state == HELD && (SEES(EVENT_KICK, which, 0, 0) || \
	(SEES(EVENT_KILL, which, 0, 0) && reply[which].caller != 0)))

/* Caller 0 stays alive, for the sake of those whom it wakes. */
inline cancel(which)
{
	if
	:: SEES(EVENT_KICK, which, 0, 0)
	:: SEES(EVENT_KILL, which, 0, 0) && reply[which].caller != 0 ->
		reply[which].state = VOID;
		caller[reply[which].caller] = GONE;
		done[reply[which].caller] = 0
	fi;
	ADVANCE;
	cancels++;
	reply[which].cancelled = true;
	reply[which].event = FIRED;
	bits = bits | BIT_EVENTS
}

/* One death is enough here; phoenix condemns after two. */
inline crash()
{
	ADVANCE;
	crashes++;
	dead = true;
	if
	:: true
	:: condemns && poison == 0 && working -> poison = OPEN.order
	fi
}

active proctype fate()
{
end:	do
	:: atomic { !dead && started && MAY_CRASH &&
	    SEES(EVENT_CRASH, 0, 0, 0) -> crash() }
	:: atomic { started && MAY_CANCEL && CALLER_WAITS(0) -> cancel(0) }
	:: atomic { started && MAY_CANCEL && CALLER_WAITS(1) -> cancel(1) }
	:: atomic { started && MAY_CANCEL && CALLER_WAITS(2) -> cancel(2) }
	od
}

/* With any finite number of deaths, all is answered in the end. */
ltl every_run_ends { <> ended }
