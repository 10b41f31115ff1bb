/* SPDX-License-Identifier: MIT */
/*
 * The process table against a plain model, over random requests.
 */
#include <ktap.h>
#include <lib/proc/proc_host.h>

#define MODEL_MAX	24u
#define MODEL_PIDS	4096u

static struct model {
	bool	 used, zombie;
	uint32_t parent, pgid, sid, status;
	uint64_t pending, ignored;
	bool	 no_zombies, waits;
	int64_t	 selector;
	struct proc_call call;
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
draw_pid(bool alive)
{
	for (;;) {
		uint32_t pid = 1 + draw(model_top);

		if (model[pid].used && (!alive || !model[pid].zombie))
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

static void
model_raise(uint32_t pid, unsigned signal)
{
	struct model *m = &model[pid];

	if (!m->zombie && !(m->ignored & SIGNAL_BIT(signal)))
		m->pending |= SIGNAL_BIT(signal);
}

/* What a parked wait of pid must have got by now; 0: nothing yet. */
static int64_t
model_wait_result(uint32_t pid, int64_t selector, bool check_zombie,
    uint32_t zombie)
{
	bool any = false;

	for (uint32_t i = 1; i <= model_top; i++)
		any |= model_selects(pid, i, selector);
	if (!any)
		return -E_CHILD;
	if (check_zombie && model_selects(pid, zombie, selector) &&
	    model[zombie].zombie)
		return zombie;
	return 0;
}

static void
model_gone(uint32_t pid)
{
	model[pid].used = false;
	model_count--;
}

/* A zombie has come to its parent. */
static void
model_report(uint32_t parent, uint32_t zombie)
{
	struct model *p = &model[parent];

	if (p->no_zombies)
		model_gone(zombie);
	if (p->waits) {
		int64_t result = model_wait_result(parent, p->selector,
		    !p->no_zombies, zombie);
		const struct answer *answer = answer_of(p->call);
		if (result != 0) {
			p->waits = false;
			KTAP_REQUIRE(answer != NULL);
			KTAP_EQUAL(answer->error, result < 0 ? -result : 0);
			KTAP_EQUAL(answer->value[0], result < 0 ? 0 : result);
			if (result > 0)
				model_gone((uint32_t)result);
		}
	}
	model_raise(parent, SIGNAL_CHLD);
}

static void
model_end(uint32_t pid, uint32_t status)
{
	struct model *m = &model[pid];

	m->zombie = true;
	m->status = status;
	m->waits = false;
	m->pending = 0;
	/* Orphans in the order of their birth. */
	for (uint32_t i = 1; i <= model_top; i++) {
		if (!model[i].used || i == 1 || model[i].parent != pid)
			continue;
		model[i].parent = 1;
		if (model[i].zombie)
			model_report(1, i);
	}
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
	};
}

static void
step_end(uint32_t pid)
{
	if (pid == 1)
		return;
	answer_count = 0;
	finish(proc_find(&proc, pid), STATUS_EXITED(pid));
	model_end(pid, STATUS_EXITED(pid));
}

static void
step_wait(uint32_t pid)
{
	struct model *m = &model[pid];
	const int64_t selectors[] = { -1, 0, draw_pid(false),
	    -(int64_t)draw_pid(false), 5000 };
	int64_t selector = selectors[draw(5)];
	uint64_t options = draw(3) != 0 ? WAIT_OPTION_NOHANG : 0;
	struct proc_call call = new_call();
	uint64_t status;
	bool any = false, zombie = false;

	if (m->waits)
		return;
	for (uint32_t i = 1; i <= model_top; i++) {
		any |= model_selects(pid, i, selector);
		zombie |= model_selects(pid, i, selector) && model[i].zombie;
	}
	int64_t got = wait_for(proc_find(&proc, pid), selector, options, call,
	    &status);
	if (!any) {
		KTAP_EQUAL(got, -E_CHILD);
	} else if (zombie) {
		KTAP_REQUIRE(got > 0 && got <= model_top);
		KTAP_CHECK(model_selects(pid, (uint32_t)got, selector) &&
		    model[got].zombie);
		KTAP_EQUAL(status, model[got].status);
		model_gone((uint32_t)got);
	} else if (options != 0) {
		KTAP_EQUAL(got, 0);
	} else {
		KTAP_EQUAL(got, PARKED);
		m->waits = true;
		m->selector = selector;
		m->call = call;
	}
}

static void
step_kill(uint32_t pid)
{
	const int64_t selectors[] = { -1, 0, draw_pid(false),
	    -(int64_t)draw_pid(false), 5000 };
	int64_t selector = selectors[draw(5)];
	unsigned signal = 1 + draw(8);
	bool any = false;

	for (uint32_t i = 1; i <= model_top; i++) {
		const struct model *m = &model[i];
		if (!m->used || !(selector == (int64_t)i ||
		    (selector == -1 && i != 1 && i != pid) ||
		    (selector == 0 && m->pgid == model[pid].pgid) ||
		    (selector < -1 && m->pgid == (uint64_t)-selector)))
			continue;
		any = true;
		model_raise(i, signal);
	}
	KTAP_EQUAL(kill_by(proc_find(&proc, pid), selector, signal),
	    any ? 0 : E_SRCH);
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

static void
step_signals(uint32_t pid)
{
	struct model *m = &model[pid];
	struct process *process = proc_find(&proc, pid);

	if (draw(2)) {
		m->ignored = draw(512) & ~SIGNAL_BIT(SIGNAL_KILL);
		m->no_zombies = draw(6) == 0;
		m->pending &= ~m->ignored;
		begin();
		end(proc_signal_ignore(&proc, process, m->ignored,
		    m->no_zombies));
		return;
	}
	uint64_t blocked = draw(512);
	uint64_t ready = m->pending & ~blocked, sync = ready &
	    (SIGNAL_BIT(4) | SIGNAL_BIT(5) | SIGNAL_BIT(7) | SIGNAL_BIT(8));
	uint64_t pick = sync != 0 ? sync : ready;
	unsigned signal = pick == 0 ? 0 : (unsigned)__builtin_ctzl(pick) + 1;
	struct proc_fetched fetched = fetch(process, blocked);
	KTAP_EQUAL(fetched.signal, signal);
	if (signal != 0)
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
		KTAP_EQUAL(process->park == PARK_WAIT, m->waits);
	}
}

static void
test_random_requests_agree_with_the_model(void)
{
	static void (*const steps[])(uint32_t) = { step_fork, step_fork,
	    step_end, step_wait, step_wait, step_kill, step_group,
	    step_session, step_signals };

	for (uint64_t seed = 1; seed <= 20; seed++) {
		random_state = seed;
		memset(model, 0, sizeof(model));
		boot();
		model[1] = (struct model){ .used = true, .pgid = 1, .sid = 1 };
		model_count = model_top = 1;
		for (unsigned i = 0; i < 3000 && model_top < 1000; i++) {
			steps[draw(9)](draw_pid(true));
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
