/* SPDX-License-Identifier: MIT */
/*
 * The process table against a plain model, over random requests.
 */
#include <ktap.h>
#include <lib/proc/proc_host.h>

#define MODEL_MAX	24u
#define MODEL_PIDS	4096u
#define REAL_TIME	40u
#define STOPS		(SIGNAL_BIT(SIGNAL_STOP) | SIGNAL_BIT(SIGNAL_TSTP))
#define CONT		SIGNAL_BIT(SIGNAL_CONT)

static const unsigned signals[] = { 1, 2, 4, 5, 7, SIGNAL_CONT, SIGNAL_STOP,
	SIGNAL_TSTP, SIGNAL_CONT, REAL_TIME };

static struct model {
	bool	 used, zombie;
	uint32_t parent, pgid, sid, status;
	uint64_t pending, ignored;
	bool	 no_zombies, no_stops, waits, stopped, fetched, resumes;
	bool	 ending;	/* a zombie soon: not one to wait for */
	uint32_t report;	/* STATUS_* of a stop that wait may tell */
	unsigned real_time;	/* signals REAL_TIME in the queue */
	int64_t	 selector;
	uint64_t options;
	struct proc_call call, stop;
} model[MODEL_PIDS];
static uint32_t model_count, model_top;
static uint64_t random_state;

static uint32_t
draw(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % limit;
}

static uint32_t
draw_pid(bool running)
{
	for (;;) {
		uint32_t pid = 1 + draw(model_top);

		if (model[pid].used && (!running ||
		    (!model[pid].zombie && !model[pid].stopped)))
			return pid;
	}
}

static bool
model_selects(uint32_t parent, uint32_t pid, int64_t selector)
{
	const struct model *m = &model[pid];

	if (!m->used || pid == 1 || m->parent != parent)
		return false;
	return selector == -1 || selector == (int64_t)pid ||
	    (selector == 0 && m->pgid == model[parent].pgid) ||
	    (selector < -1 && m->pgid == (uint64_t)-selector);
}

static bool
model_ready(uint32_t pid, uint64_t options)
{
	const struct model *m = &model[pid];

	if (m->zombie)
		return !m->ending && (options & WAIT_OPTION_NOT_EXITED) == 0;
	return m->report != 0 && (options & (m->report == STATUS_CONTINUED ?
	    WAIT_OPTION_CONTINUED : WAIT_OPTION_UNTRACED)) != 0;
}

static void
model_gone(uint32_t pid)
{
	model[pid].used = false;
	model_count--;
}

/* Takes what wait has told. */
static void
model_take(uint32_t pid, uint64_t options)
{
	if ((options & WAIT_OPTION_NOWAIT) != 0)
		return;
	if (model[pid].zombie)
		model_gone(pid);
	else
		model[pid].report = 0;
}

/* A child has something new, or is gone: its parent may have got it. */
static void
model_check_wait(uint32_t parent)
{
	struct model *p = &model[parent];
	bool any = false, ready = false;

	if (!p->waits)
		return;
	for (uint32_t i = 1; i <= model_top; i++) {
		bool selected = model_selects(parent, i, p->selector);
		any |= selected && (!model[i].zombie || model[i].ending);
		ready |= selected && model_ready(i, p->options);
	}
	if (!ready && any)
		return;
	const struct answer *answer = answer_of(p->call);
	p->waits = false;
	KTAP_REQUIRE(answer != NULL);
	KTAP_EQUAL(answer->what, PARK_WAIT);
	KTAP_EQUAL(answer->error, ready ? 0 : E_CHILD);
	uint32_t pid = answer->waited.pid;
	if (!ready)
		return;
	KTAP_REQUIRE(pid <= model_top && model_ready(pid, p->options) &&
	    model_selects(parent, pid, p->selector));
	model_take(pid, p->options);
}

static void
model_raise(uint32_t pid, unsigned signal)
{
	struct model *m = &model[pid];
	uint64_t bit = SIGNAL_BIT(signal);

	if (m->zombie || (pid == 1 && signal == SIGNAL_STOP))
		return;
	if (bit & STOPS)
		m->pending &= ~CONT;
	if (signal == SIGNAL_CONT) {
		m->pending &= ~STOPS;
		m->fetched = false;
		m->resumes |= m->stopped;
		if (m->stopped)
			m->report = 0;
		m->stopped = false;
	}
	if (m->ignored & bit)
		return;
	m->pending |= bit;
	m->real_time += signal == REAL_TIME;
}

static void
model_tell(uint32_t pid, uint32_t report)
{
	struct model *m = &model[pid];

	m->report = report;
	if (pid == 1)
		return;
	model_check_wait(m->parent);
	if (!model[m->parent].no_stops)
		model_raise(m->parent, SIGNAL_CHLD);
}

static void
model_begin(void)
{
	answer_count = resumed_count = 0;
}

/* Who was continued, in the order in which it was told. */
static void
model_resume(void)
{
	for (unsigned i = 0; i < resumed_count; i++) {
		struct model *m = &model[resumed[i]];

		KTAP_CHECK(m->resumes);
		m->resumes = false;
		KTAP_REQUIRE(answer_of(m->stop) != NULL);
		KTAP_EQUAL(answer_of(m->stop)->error, 0);
		model_tell(resumed[i], STATUS_CONTINUED);
	}
	for (uint32_t i = 1; i <= model_top; i++)
		KTAP_CHECK(!model[i].resumes);
}

/* A zombie has come to its parent. */
static void
model_report(uint32_t parent, uint32_t zombie)
{
	if (model[parent].no_zombies)
		model_gone(zombie);
	model_check_wait(parent);
	model_raise(parent, SIGNAL_CHLD);
}

static bool
model_orphaned(uint32_t pgid)
{
	for (uint32_t i = 2; i <= model_top; i++) {
		const struct model *m = &model[i], *p = &model[m->parent];

		if (m->used && !m->zombie && m->pgid == pgid && p->used &&
		    !p->zombie && p->pgid != pgid && p->sid == m->sid)
			return false;
	}
	return true;
}

/* pid has lost its parent, or is gone itself. */
static void
model_hang_up(uint32_t pid, uint32_t parent)
{
	uint32_t pgid = model[pid].pgid;
	bool any = false;

	for (uint32_t i = 1; i <= model_top; i++)
		any |= model[i].used && model[i].stopped &&
		    model[i].pgid == pgid;
	if (!any || model[parent].pgid == pgid ||
	    model[parent].sid != model[pid].sid || !model_orphaned(pgid))
		return;
	for (uint32_t i = 1; i <= model_top; i++) {
		if (!model[i].used || model[i].pgid != pgid)
			continue;
		model_raise(i, SIGNAL_HUP);
		model_raise(i, SIGNAL_CONT);
	}
}

static void
model_end(uint32_t pid, uint32_t status)
{
	struct model *m = &model[pid];

	m->zombie = m->ending = true;
	m->status = status;
	m->waits = m->stopped = m->fetched = false;
	m->pending = 0;
	m->report = m->real_time = 0;
	/* Orphans in the order of their birth. */
	for (uint32_t i = 1; i <= model_top; i++) {
		if (!model[i].used || i == 1 || model[i].parent != pid)
			continue;
		model[i].parent = 1;
		if (model[i].zombie)
			model_report(1, i);
		else
			model_hang_up(i, pid);
	}
	model_hang_up(pid, m->parent);
	m->ending = false;
	model_report(m->parent, pid);
}

static void
step_fork(uint32_t pid)
{
	if (model_count == MODEL_MAX)
		return;
	struct process *child = make(proc_find(&proc, pid));

	KTAP_REQUIRE(child != NULL && child->pid == model_top + 1);
	model_top = child->pid;
	model_count++;
	model[child->pid] = (struct model){
		.used = true, .parent = pid, .pgid = model[pid].pgid,
		.sid = model[pid].sid, .ignored = model[pid].ignored,
		.no_zombies = model[pid].no_zombies,
		.no_stops = model[pid].no_stops,
	};
}

static void
step_end(uint32_t pid)
{
	/* Or another, that may be stopped. */
	if (draw(2))
		pid = draw_pid(false);
	if (pid == 1 || model[pid].zombie)
		return;
	model_begin();
	finish(proc_find(&proc, pid), STATUS_EXITED(pid));
	model_end(pid, STATUS_EXITED(pid));
	model_resume();
}

static void
step_wait(uint32_t pid)
{
	struct model *m = &model[pid];
	const int64_t selectors[] = { -1, 0, draw_pid(false),
	    -(int64_t)draw_pid(false), 5000 };
	int64_t selector = selectors[draw(5)];
	static const uint64_t flags[] = { WAIT_OPTION_NOHANG,
		WAIT_OPTION_NOHANG, WAIT_OPTION_UNTRACED,
		WAIT_OPTION_CONTINUED, WAIT_OPTION_NOWAIT,
		WAIT_OPTION_NOT_EXITED };
	uint64_t options = flags[draw(6)] | flags[draw(4)];
	struct proc_call call = new_call();
	uint64_t status;
	bool any = false, ready = false;

	if (m->waits)
		return;
	for (uint32_t i = 1; i <= model_top; i++) {
		bool selected = model_selects(pid, i, selector);
		any |= selected && (!model[i].zombie ||
		    model_ready(i, options));
		ready |= selected && model_ready(i, options);
	}
	int64_t got = wait_for(proc_find(&proc, pid), selector, options, call,
	    &status);
	if (!any) {
		KTAP_EQUAL(got, -E_CHILD);
	} else if (ready) {
		KTAP_REQUIRE(got > 0 && got <= model_top);
		KTAP_CHECK(model_selects(pid, (uint32_t)got, selector) &&
		    model_ready((uint32_t)got, options));
		KTAP_EQUAL(status, model[got].zombie ? model[got].status :
		    model[got].report);
		model_take((uint32_t)got, options);
	} else if ((options & WAIT_OPTION_NOHANG) != 0) {
		KTAP_EQUAL(got, 0);
	} else {
		KTAP_EQUAL(got, PARKED);
		m->waits = true;
		m->selector = selector;
		m->options = options;
		m->call = call;
	}
}

static bool
model_addressed(uint32_t pid, uint32_t target, int64_t selector)
{
	const struct model *m = &model[target];

	return m->used && (selector == (int64_t)target ||
	    (selector == -1 && target != 1 && target != pid) ||
	    (selector == 0 && m->pgid == model[pid].pgid) ||
	    (selector < -1 && m->pgid == (uint64_t)-selector));
}

static void
step_kill(uint32_t pid)
{
	const int64_t selectors[] = { -1, 0, draw_pid(false),
	    -(int64_t)draw_pid(false), 5000 };
	int64_t selector = selectors[draw(5)];
	unsigned signal = signals[draw(10)];
	bool any = false;

	model_begin();
	int error = kill_by(proc_find(&proc, pid), selector, signal);
	for (uint32_t i = 1; i <= model_top; i++) {
		if (!model_addressed(pid, i, selector))
			continue;
		any = true;
		model_raise(i, signal);
	}
	model_resume();
	KTAP_EQUAL(error, any ? 0 : E_SRCH);
}

/* Stops if it has fetched a stop signal that counts. */
static void
step_stop(uint32_t pid)
{
	struct model *m = &model[pid];
	unsigned signal = draw(2) ? SIGNAL_STOP : SIGNAL_TSTP;
	struct proc_call call = new_call();
	bool stops = m->fetched && pid != 1 &&
	    (signal == SIGNAL_STOP || !model_orphaned(m->pgid));

	if (m->waits)
		return;
	model_begin();
	KTAP_EQUAL(stop_by(proc_find(&proc, pid), signal, call),
	    stops ? PARKED : 0);
	if (!stops)
		return;
	m->stopped = true;
	m->fetched = false;
	m->stop = call;
	model_tell(pid, STATUS_STOPPED(signal));
}

/* A kick that comes late makes a stopped process ask again. */
static void
step_late_kick(uint32_t pid)
{
	bool found;

	pid = draw_pid(false);
	struct model *m = &model[pid];
	if (!m->stopped)
		return;
	model_begin();
	begin();
	end(proc_cancel(&proc, m->stop, &found));
	KTAP_CHECK(found && answer_of(m->stop)->error == E_INTR);
	m->stop = new_call();
	KTAP_EQUAL(stop_by(proc_find(&proc, pid), SIGNAL_STOP, m->stop),
	    PARKED);
}

static void
step_group(uint32_t pid)
{
	uint32_t target = draw(2) ? pid : draw_pid(false);
	uint32_t pgid = draw(2) ? target : draw_pid(false);
	struct model *m = &model[target];
	bool exists = pgid == target;
	int expected = 0;

	for (uint32_t i = 1; i <= model_top; i++)
		exists |= model[i].used && model[i].pgid == pgid &&
		    model[i].sid == m->sid;
	if (target != pid && (target == 1 || m->parent != pid))
		expected = E_SRCH;
	else if (m->sid == target || m->sid != model[pid].sid || !exists)
		expected = E_PERM;
	KTAP_EQUAL(setpgid_by(proc_find(&proc, pid), target, pgid), expected);
	if (expected == 0)
		m->pgid = pgid;
}

static void
step_session(uint32_t pid)
{
	bool leads = false;

	for (uint32_t i = 1; i <= model_top; i++)
		leads |= model[i].used && model[i].pgid == pid;
	KTAP_EQUAL(setsid_by(proc_find(&proc, pid)), leads ? E_PERM : 0);
	if (!leads)
		model[pid].pgid = model[pid].sid = pid;
}

static uint64_t
draw_set(void)
{
	uint64_t set = 0;

	for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		set |= draw(2) ? SIGNAL_BIT(signals[i]) : 0;
	return set;
}

static void
step_signals(uint32_t pid)
{
	struct model *m = &model[pid];
	struct process *process = proc_find(&proc, pid);

	if (draw(3) == 0) {
		m->ignored = draw_set() & draw_set() &
		    ~SIGNAL_BIT(SIGNAL_STOP);
		m->no_zombies = draw(6) == 0;
		m->no_stops = draw(4) == 0;
		m->pending &= ~m->ignored;
		if (m->ignored & SIGNAL_BIT(REAL_TIME))
			m->real_time = 0;
		begin();
		end(proc_signal_ignore(&proc, process, m->ignored,
		    (m->no_zombies ? IGNORE_NO_ZOMBIES : 0) |
		    (m->no_stops ? IGNORE_NO_STOPS : 0)));
		return;
	}
	uint64_t blocked = draw_set();
	uint64_t ready = m->pending & ~blocked, sync = ready &
	    (SIGNAL_BIT(4) | SIGNAL_BIT(5) | SIGNAL_BIT(7) | SIGNAL_BIT(8));
	uint64_t pick = sync != 0 ? sync : ready;
	unsigned signal = pick == 0 ? 0 : (unsigned)__builtin_ctzl(pick) + 1;
	struct proc_fetched fetched = fetch(process, blocked);
	KTAP_EQUAL(fetched.signal, signal);
	m->fetched |= signal != 0 && (SIGNAL_BIT(signal) & STOPS) != 0;
	if (signal != 0 && (signal != REAL_TIME || --m->real_time == 0))
		m->pending &= ~SIGNAL_BIT(signal);
	KTAP_EQUAL(fetched.left, m->pending);
}

static void
model_compare(void)
{
	KTAP_EQUAL(proc.table->count, model_count);
	for (uint32_t pid = 1; pid <= model_top; pid++) {
		const struct process *process = proc_find(&proc, pid);
		const struct model *m = &model[pid];

		KTAP_EQUAL(process != NULL, m->used);
		if (process == NULL || !m->used)
			continue;
		KTAP_EQUAL(process->pgid, m->pgid);
		KTAP_EQUAL(process->sid, m->sid);
		KTAP_EQUAL(process->pending, m->pending);
		KTAP_EQUAL(proc_parent_pid(process), m->parent);
		KTAP_EQUAL(proc_state(process) == PROCESS_ZOMBIE, m->zombie);
		KTAP_EQUAL(proc_state(process) == PROCESS_STOPPED, m->stopped);
		KTAP_EQUAL(process->park == PARK_WAIT, m->waits);
		KTAP_EQUAL(process->park == PARK_STOP, m->stopped);
		KTAP_EQUAL(process->report, m->report);
	}
}

static void
test_random_requests_agree_with_the_model(void)
{
	static void (*const steps[])(uint32_t) = { step_fork, step_fork,
	    step_end, step_wait, step_wait, step_kill, step_group,
	    step_session, step_signals, step_signals, step_stop,
	    step_late_kick };

	for (uint64_t seed = 1; seed <= 20; seed++) {
		random_state = seed;
		memset(model, 0, sizeof(model));
		boot();
		model[1] = (struct model){ .used = true, .pgid = 1, .sid = 1 };
		model_count = model_top = 1;
		for (unsigned i = 0; i < 3000 && model_top < 1000; i++) {
			steps[draw(12)](draw_pid(true));
			model_compare();
			if (ktap_state.failed) {
				printf("# seed %u step %u\n", (unsigned)seed,
				    i);
				return;
			}
		}
	}
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_random_requests_agree_with_the_model),
	};
	return KTAP_RUN(tests);
}
