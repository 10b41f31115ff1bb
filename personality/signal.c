/* SPDX-License-Identifier: MIT */
/*
 * Delivery.
 *
 * kick_pending in the UTCB is bit 0 when the kernel kicked, bit 1 when the
 * libOS itself wants the slow way out. It is cleared before proc is asked, so
 * a signal that comes later kicks again and none is lost.
 *
 * The process stops itself: a stop signal without a handler becomes a call that
 * proc answers when the process is continued.
 */
#include "signals.h"

#include "calls.h"
#include "crash.h"
#include "hot.h"
#include "process.h"
#include "service.h"
#include "table.h"
#include "thread.h"
#include "user.h"

#include <idl/proc_client.h>
#include <lib/base/string.h>

#define DEFAULT_IGNORED	(SIGNAL_BIT(L_SIGCHLD) | SIGNAL_BIT(L_SIGURG) | \
			SIGNAL_BIT(L_SIGWINCH) | SIGNAL_BIT(L_SIGCONT))
#define DEFAULT_STOPS	(SIGNAL_BIT(L_SIGSTOP) | SIGNAL_BIT(L_SIGTSTP) | \
			SIGNAL_BIT(L_SIGTTIN) | SIGNAL_BIT(L_SIGTTOU))
#define SYNCHRONOUS	(SIGNAL_BIT(L_SIGSEGV) | SIGNAL_BIT(L_SIGBUS) | \
			SIGNAL_BIT(L_SIGILL) | SIGNAL_BIT(L_SIGTRAP) | \
			SIGNAL_BIT(L_SIGFPE) | SIGNAL_BIT(L_SIGSYS))
#define FIRST_PROCESS	1u
#define UNBLOCKABLE	(SIGNAL_BIT(L_SIGKILL) | SIGNAL_BIT(L_SIGSTOP))

#define KICKED_BY_KERNEL	1ul
#define WANTED_BY_LIBOS		2ul

HOT struct signal_state signal_state = { .alternate.flags = L_SS_DISABLE };
static struct linux_siginfo details[L_NSIG + 1];	/* of pending ones */

static uint64_t *
kick_word(void)
{
	return (uint64_t *)&UTCB->kick_pending;
}

void
signal_look_again(void)
{
	signal_state.ask = true;
	__atomic_fetch_or(kick_word(), WANTED_BY_LIBOS, __ATOMIC_SEQ_CST);
}

bool
signal_waiting(void)
{
	const struct signal_state *s = &signal_state;

	return (UTCB->kick_pending & KICKED_BY_KERNEL) != 0 || s->ask ||
	    ((s->pending | s->remote) & ~s->blocked) != 0;
}

uint64_t
signal_pending_now(void)
{
	struct signal_state *s = &signal_state;
	uint64_t pending;

	if ((UTCB->kick_pending & KICKED_BY_KERNEL) != 0 || s->ask) {
		s->ask = false;
		__atomic_store_n(kick_word(), 0, __ATOMIC_SEQ_CST);
		service_insist_begin();
		if (proc_signal_pending(PROCESS_PROC, &pending) == 0)
			s->remote = pending;
		service_insist_end();
		if (signal_is_due(0))
			signal_look_again();
	}
	return s->pending | s->remote;
}

bool
signal_is_due(uint64_t except)
{
	const struct signal_state *s = &signal_state;
	uint64_t due = (s->pending | s->remote) & ~s->blocked & ~except;

	for (; due != 0; due &= due - 1) {
		unsigned number = (unsigned)__builtin_ctzl(due) + 1;
		uint64_t handler = s->action[number].handler;
		if (handler != L_SIG_IGN && (handler != L_SIG_DFL ||
		    (DEFAULT_IGNORED & SIGNAL_BIT(number)) == 0))
			return true;
	}
	return false;
}

void
signal_want(uint64_t set)
{
	struct signal_state *s = &signal_state;

	if ((set & ~s->wanted) == 0)
		return;
	s->wanted |= set;
	signal_publish_ignored();
}

bool
signal_is_local(int number)
{
	return number < L_SIGRTMIN && number != L_SIGKILL &&
	    number != L_SIGCONT && (SIGNAL_BIT(number) & DEFAULT_STOPS) == 0;
}

void
signal_raise_info(const struct linux_siginfo *info)
{
	struct signal_state *s = &signal_state;
	uint64_t bit = SIGNAL_BIT(info->signo);

	if ((s->pending & bit) == 0)
		details[info->signo] = *info;
	s->pending |= bit;
	__atomic_fetch_or(kick_word(), WANTED_BY_LIBOS, __ATOMIC_SEQ_CST);
}

void
signal_raise(int number)
{
	signal_raise_info(&(struct linux_siginfo){
	    .signo = number, .code = L_SI_USER,
	    .sender = { (int32_t)INFO->pid, INFO->uid, 0 } });
}

void
signal_set_mask(uint64_t mask)
{
	struct signal_state *s = &signal_state;

	s->blocked = mask & ~UNBLOCKABLE;
	if (((s->pending | s->remote) & ~s->blocked) != 0)
		signal_look_again();
}

void
signal_set_temporary_mask(uint64_t mask)
{
	signal_state.saved = signal_state.blocked;
	signal_state.has_saved = true;
	signal_set_mask(mask);
}

void
signal_end_temporary_mask(void)
{
	if (signal_state.has_saved) {
		signal_state.has_saved = false;
		signal_set_mask(signal_state.saved);
	}
}

/* Asks proc. The mask decides what it may give. */
static bool
fetch(uint64_t blocked, struct linux_siginfo *out)
{
	struct signal_state *s = &signal_state;
	struct proc_signal_fetch_results got;
	long error;

	do {
		__atomic_store_n(kick_word(), 0, __ATOMIC_SEQ_CST);
		error = proc_signal_fetch(PROCESS_PROC, blocked, &got);
	} while (error == -RESTART_ALWAYS);
	s->ask = false;
	if (error != 0)
		return false;
	s->remote = got.left;
	if (got.signal == 0 || got.signal > L_NSIG)
		return false;
	*out = (struct linux_siginfo){
		.signo = (int32_t)got.signal, .code = got.code,
		.sender = { (int32_t)got.pid, got.uid, got.value },
	};
	if (out->signo == L_SIGCHLD && out->code > 0) {
		out->child.status = (int32_t)got.value;
		out->child.pad = 0;
		out->child.user_ticks = (int64_t)(got.value >> 32);
	}
	if (s->remote != 0)
		s->ask = (s->remote & ~blocked) != 0;
	return true;
}

bool
signal_take(uint64_t blocked, struct linux_siginfo *out)
{
	struct signal_state *s = &signal_state;
	uint64_t ready = s->pending & ~blocked;

	if (ready != 0) {
		if ((ready & SYNCHRONOUS) != 0)
			ready &= SYNCHRONOUS;
		int number = __builtin_ctzl(ready) + 1;
		s->pending &= ~SIGNAL_BIT(number);
		*out = details[number];
		return true;
	}
	uint64_t kick = __atomic_load_n(kick_word(), __ATOMIC_SEQ_CST);
	if ((kick & KICKED_BY_KERNEL) == 0 && !s->ask &&
	    (s->remote & ~blocked) == 0)
		return false;
	return fetch(blocked, out);
}

/*
 * Other processes cannot end the first one by a signal that it has no handler
 * for; the terminal and the process itself can.
 */
static bool
is_protected(const struct linux_siginfo *info)
{
	return INFO->pid == FIRST_PROCESS && info->code <= 0 &&
	    info->sender.pid != (int32_t)INFO->pid;
}

static bool
is_ignored(const struct linux_siginfo *info)
{
	const struct linux_sigaction *a = &signal_state.action[info->signo];

	if (a->handler == L_SIG_IGN)
		return true;
	return a->handler == L_SIG_DFL && (is_protected(info) ||
	    (DEFAULT_IGNORED & SIGNAL_BIT(info->signo)) != 0);
}

/* Returns when the process is continued, or if it does not stop. */
static void
stop(int number)
{
	do
		__atomic_store_n(kick_word(), 0, __ATOMIC_SEQ_CST);
	while (proc_stop(PROCESS_PROC, (uint32_t)number) == -RESTART_ALWAYS);
	signal_state.ask = true;
}

static void
run_handler(struct user_frame *frame, const struct linux_siginfo *info)
{
	struct signal_state *s = &signal_state;
	struct linux_sigaction *a = &s->action[info->signo];
	struct linux_sigaction act = *a;
	uint64_t mask = s->has_saved ? s->saved : s->blocked;

	if (!sigframe_push(frame, &act, info, mask))
		process_exit_signal(L_SIGSEGV);
	s->has_saved = false;
	uint64_t blocked = s->blocked | act.mask;
	if ((act.flags & L_SA_NODEFER) == 0)
		blocked |= SIGNAL_BIT(info->signo);
	s->blocked = blocked & ~UNBLOCKABLE;
	if ((act.flags & L_SA_RESETHAND) != 0)
		a->handler = L_SIG_DFL;
}

/* What becomes of a call that was given up: rax holds -RESTART_*. */
static void
settle_call(struct user_frame *frame, uint64_t number, bool handled,
    bool sa_restart)
{
	long code = -(long)frame->rax;
	bool again = code == RESTART_ALWAYS || !handled ||
	    (code == RESTART_SYS && sa_restart);

	if (number == NO_CALL || (code != RESTART_SYS &&
	    code != RESTART_ALWAYS && code != RESTART_NO_HANDLER &&
	    code != RESTART_BLOCK))
		return;
	if (!again) {
		frame->rax = (uint64_t)-E_INTR;
		return;
	}
	frame->rax = code == RESTART_BLOCK ? 219 : number;
	frame->rip -= 2;	/* the SYSCALL instruction */
}

void
signal_deliver(struct user_frame *frame, uint64_t number)
{
	struct signal_state *s = &signal_state;
	struct linux_siginfo info;
	bool settled = false;

	if ((__atomic_exchange_n(kick_word(), 0, __ATOMIC_SEQ_CST) &
	    KICKED_BY_KERNEL) != 0)
		s->ask = true;
	while (signal_take(s->blocked, &info)) {
		const struct linux_sigaction *a = &s->action[info.signo];
		if (is_ignored(&info))
			continue;
		trace_signal(&info, frame->rip);
		if (a->handler == L_SIG_DFL &&
		    (SIGNAL_BIT(info.signo) & DEFAULT_STOPS) != 0) {
			stop(info.signo);
			continue;
		}
		if (a->handler == L_SIG_DFL) {
			crash_report(frame, &info);
			process_exit_signal(info.signo);
		}
		if (!settled)
			settle_call(frame, number, true,
			    (a->flags & L_SA_RESTART) != 0);
		settled = true;
		run_handler(frame, &info);
	}
	signal_end_temporary_mask();
	if (!settled)
		settle_call(frame, number, false, false);
}

void signal_slow_exit(uint64_t result);

void
signal_slow_exit(uint64_t result)
{
	HOT static struct user_frame frame;

	thread_frame(result, &frame);
	signal_deliver(&frame, thread_block.number);
	thread_resume(&frame);
}

/* Exceptions are delivered at once; one that is blocked or ignored kills. */
static void
force(struct user_frame *frame, const struct linux_siginfo *info)
{
	const struct linux_sigaction *a = &signal_state.action[info->signo];

	trace_signal(info, frame->rip);
	if (a->handler == L_SIG_DFL || a->handler == L_SIG_IGN ||
	    (signal_state.blocked & SIGNAL_BIT(info->signo)) != 0) {
		crash_report(frame, info);
		process_exit_signal(info->signo);
	}
	run_handler(frame, info);
}

#define ILL_ILLOPN	2
#define FPE_INTDIV	1
#define FPE_FLTINV	7
#define TRAP_BRKPT	1
#define BUS_ADRALN	1

void
signal_exception(struct user_frame *frame)
{
	static const struct {
		uint8_t number;
		int16_t code;
	} map[] = {
		[0] = { L_SIGFPE, FPE_INTDIV }, [1] = { L_SIGTRAP, 2 },
		[3] = { L_SIGTRAP, L_SI_KERNEL },
		[4] = { L_SIGSEGV, L_SI_KERNEL },
		[5] = { L_SIGSEGV, L_SI_KERNEL },
		[6] = { L_SIGILL, ILL_ILLOPN },
		[7] = { L_SIGFPE, L_SI_KERNEL },
		[12] = { L_SIGBUS, L_SI_KERNEL },
		[13] = { L_SIGSEGV, L_SI_KERNEL },
		[16] = { L_SIGFPE, FPE_FLTINV },
		[17] = { L_SIGBUS, BUS_ADRALN },
		[19] = { L_SIGFPE, FPE_FLTINV },
	};
	struct linux_siginfo info = { .signo = L_SIGSEGV, .code = L_SI_KERNEL };
	uint64_t v = frame->vector;

	if (v == 14) {
		process_fault_info(frame, &info);
	} else if (v < sizeof(map) / sizeof(map[0]) && map[v].number != 0) {
		info.signo = map[v].number;
		info.code = map[v].code;
		if (v != 13 && v != 3)
			info.address = frame->rip;
	}
	force(frame, &info);
}

/* Upcalls */

HOT static struct user_frame upcall_frame;

void upcall_first(void);
void upcall_program(void);
_Noreturn void thread_resume_now(void);

/*
 * On the upcall stack. A fault in our own access to program memory continues
 * at its fix-up; any other fault in the libOS ends the process.
 */
void
upcall_first(void)
{
	struct user_frame *frame = (struct user_frame *)&UTCB->frame;

	if (frame->rip >= LIBOS_BASE && frame->rip < LIBOS_END) {
		uint64_t fixup = user_fixup(frame->rip);
		if (fixup == 0)
			process_internal_error(frame);
		frame->rip = fixup;
		thread_resume_now();
	}
	upcall_frame = *frame;
	UTCB->in_upcall = 0;
}

void
upcall_program(void)
{
	struct user_frame *frame = &upcall_frame;

	if (frame->vector != UPCALL_KICK)
		signal_exception(frame);
	signal_deliver(frame, NO_CALL);
	thread_resume(frame);
}

/* Changes of state */

uint32_t
signal_child_flags(const struct linux_sigaction *act)
{
	bool ignored = act->handler == L_SIG_IGN;

	return (ignored || (act->flags & L_SA_NOCLDWAIT) != 0 ?
	    IGNORE_NO_ZOMBIES : 0) |
	    ((act->flags & L_SA_NOCLDSTOP) != 0 ? IGNORE_NO_STOPS : 0);
}

void
signal_publish_ignored(void)
{
	const struct signal_state *s = &signal_state;
	uint64_t set = 0;

	for (int i = 1; i <= L_NSIG; i++) {
		if (s->action[i].handler == L_SIG_IGN ||
		    (s->action[i].handler == L_SIG_DFL &&
		    (DEFAULT_IGNORED & SIGNAL_BIT(i)) != 0))
			set |= SIGNAL_BIT(i);
	}
	service_insist_begin();
	proc_signal_ignore(PROCESS_PROC, set & ~s->wanted,
	    signal_child_flags(&s->action[L_SIGCHLD]));
	service_insist_end();
}

/*
 * Of the signals whose default is to do nothing, those that are blocked. All at
 * once are only blocked by C libraries, for a moment.
 */
static uint64_t
kept(void)
{
	const struct signal_state *s = &signal_state;
	uint64_t set = s->blocked == ~UNBLOCKABLE ? 0 :
	    s->blocked & DEFAULT_IGNORED;

	for (int i = 1; i <= L_NSIG; i++) {
		if (s->action[i].handler != L_SIG_DFL)
			set &= ~SIGNAL_BIT(i);
	}
	return set;
}

void
signal_keep_blocked(void)
{
	struct signal_state *s = &signal_state;

	if ((s->blocked & DEFAULT_IGNORED & ~s->wanted) == 0)
		return;
	uint64_t set = kept();
	if ((set & ~s->wanted) == 0)
		return;
	s->wanted |= set;
	signal_publish_ignored();
}

/* Handlers go, ignored stays ignored, masks and pending signals stay. */
void
signal_after_exec(void)
{
	struct signal_state *s = &signal_state;

	for (int i = 1; i <= L_NSIG; i++) {
		bool ignored = s->action[i].handler == L_SIG_IGN;
		s->action[i] = (struct linux_sigaction){
			.handler = ignored ? L_SIG_IGN : L_SIG_DFL };
	}
	s->alternate = (struct linux_stack){ .flags = L_SS_DISABLE };
	s->has_saved = false;
	s->wanted = kept();
	signal_publish_ignored();
}

void
signal_after_fork(void)
{
	signal_state.pending = 0;
	signal_state.remote = 0;
	signal_state.ask = false;
}
