/* SPDX-License-Identifier: MIT */
/*
 * Searched or replayed: what recovery.pml knows of the trace, and how it gets
 * its parameters.
 *
 * A file of traces (MODEL_TRACES) is rows of numbers, a word of EVENT_* and
 * three more; a row of zeros ends a trace. One run checks all traces of a file:
 * the choice of the trace is the first step of the model. `position` in it is
 * part of the state, so the search tries each path that explains the events so
 * far. Which traces were explained to their end, and how far the others came,
 * is told on exit.
 */

c_code {
	static short
	parameter(const char *name)
	{
		const char *text = getenv(name);

		return text != NULL ? (short)atoi(text) : 0;
	}
};

#ifdef REPLAY

int run_number, position;
short next_word, next_a, next_b, next_c;

c_decl {
	struct event {
		short word, a, b, c;
	};
};
c_code {
	#define EVENTS_MAX	8000000
	#define TRACES_MAX	100000

	static struct event *events;
	static int trace_count;
	static int first[TRACES_MAX + 1];	/* event of each trace */
	static int furthest[TRACES_MAX];	/* position any path came to */
	static char explained[TRACES_MAX];

	/* One line for each trace: explained, or where it stops being so. */
	static void
	tell(void)
	{
		for (int i = 0; i < trace_count; i++)
			printf("trace %d %s %d\n", i,
			    explained[i] ? "explained" : "refused", furthest[i]);
	}

	static void
	read_traces(void)
	{
		FILE *file = fopen(getenv("MODEL_TRACES"), "r");
		struct event e;
		int count = 0;

		events = calloc(EVENTS_MAX, sizeof(*events));
		if (file == NULL || events == NULL)
			exit(2);
		while (fscanf(file, "%hd %hd %hd %hd", &e.word, &e.a, &e.b,
		    &e.c) == 4) {
			if (count == EVENTS_MAX || trace_count == TRACES_MAX)
				exit(2);
			events[count++] = e;
			if (e.word == 0)
				first[++trace_count] = count;
		}
		fclose(file);
		atexit(tell);
	}

	/* The event at the position of this state becomes the next one. */
	static void
	load(State *state)
	{
		const struct event *e = &events[first[state->run_number] +
		    state->position];

		state->next_word = e->word;
		state->next_a = e->a;
		state->next_b = e->b;
		state->next_c = e->c;
		if (state->position > furthest[state->run_number])
			furthest[state->run_number] = state->position;
	}
};

#define SEES(word, x, y, z) \
	(next_word == (word) && next_a == (x) && next_b == (y) && next_c == (z))
#define ADVANCE \
	position++; c_code { load(&now); }
#define SAYS(field, value)	(next_##field == (value))
#define MAY_CRASH		true
#define MAY_CANCEL		true
#define MORE_WAKES		true
#define END_OF_TRACE \
	c_code { explained[now.run_number] = now.next_word == 0; }

inline parameters()
{
	c_code {
		read_traces();
		bug = parameter("MODEL_BUG");
		request_limit = parameter("MODEL_REQUESTS");
		reply_limit = REPLIES;
		sweep_first = SLOTS;
		operations = -1;
	};
	do
	:: c_expr { now.run_number + 1 < trace_count } -> run_number++
	:: break
	od;
	atomic {
		c_code { load(&now); };
		started = true
	}
}

#else

#define SEES(word, x, y, z)	true
#define ADVANCE			skip
#define SAYS(field, value)	true
#define MAY_CRASH		(crashes < crash_limit)
#define MAY_CANCEL		(cancels < cancel_limit)
#define MORE_WAKES		(one_sleeps && nobody_else_sends)
#define END_OF_TRACE		skip

hidden byte caller_limit;

inline parameters()
{
	atomic {
		c_code {
			bug = parameter("MODEL_BUG");
			crash_limit = parameter("MODEL_CRASHES");
			cancel_limit = parameter("MODEL_CANCELS");
			operations = parameter("MODEL_OPERATIONS");
			condemns = parameter("MODEL_POISON");
			request_limit = parameter("MODEL_REQUESTS");
			reply_limit = parameter("MODEL_REPLIES");
			caller_limit = parameter("MODEL_CALLERS");
			sweep_first = parameter("MODEL_SWEEP");
		};
		for (i : 0 .. CALLERS - 1) {
			caller[i] = (i < caller_limit -> IDLE : GONE)
		}
		i = 0;
		started = true
	}
}

#endif
