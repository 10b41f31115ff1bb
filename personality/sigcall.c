/* SPDX-License-Identifier: MIT */
/* The calls about signals. */
#include "calls.h"
#include "clock.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <idl/proc_client.h>
#include <lib/sys/sys.h>

#define MASK_SIZE	8u
#define MINSIGSTKSZ	2048u

static bool
valid(int number)
{
	return number >= 1 && number <= L_NSIG;
}

long
signal_action(int number, const struct linux_sigaction *act,
    struct linux_sigaction *out_before)
{
	struct signal_state *s = &signal_state;

	if (!valid(number) || (act != NULL &&
	    (number == L_SIGKILL || number == L_SIGSTOP)))
		return -E_INVAL;
	*out_before = s->action[number];
	if (act == NULL)
		return 0;
	s->action[number] = *act;
	/* proc only cares whether it may drop the signal. */
	bool ignores = act->handler <= L_SIG_IGN;
	bool ignored = out_before->handler <= L_SIG_IGN;
	if (act->handler == L_SIG_IGN) {
		s->pending &= ~SIGNAL_BIT(number);
		s->wanted &= ~SIGNAL_BIT(number);
	}
	if (((ignores || ignored) && act->handler != out_before->handler) ||
	    (number == L_SIGCHLD && signal_child_flags(act) !=
	    signal_child_flags(out_before)))
		signal_publish_ignored();
	return 0;
}

long
linux_rt_sigaction(int number, const struct linux_sigaction *new,
    struct linux_sigaction *old, size_t size)
{
	struct linux_sigaction act, before;

	if (size != MASK_SIZE)
		return -E_INVAL;
	if (new != NULL && user_read(&act, new, sizeof(act)) != 0)
		return -E_FAULT;
	long error = signal_action(number, new != NULL ? &act : NULL, &before);
	if (error != 0)
		return error;
	return old != NULL && user_write(old, &before, sizeof(before)) != 0 ?
	    -E_FAULT : 0;
}

long
linux_rt_sigprocmask(int how, const uint64_t *new, uint64_t *old, size_t size)
{
	uint64_t before = signal_state.blocked, set;

	if (size != MASK_SIZE)
		return -E_INVAL;
	if (new != NULL) {
		if (user_read(&set, new, sizeof(set)) != 0)
			return -E_FAULT;
		if (how < 0 || how > 2)
			return -E_INVAL;
		signal_set_mask(how == 0 ? before | set :
		    how == 1 ? before & ~set : set);
		signal_keep_blocked();
	}
	if (old != NULL && user_write(old, &before, sizeof(before)) != 0)
		return -E_FAULT;
	return 0;
}

long
linux_rt_sigpending(uint64_t *out, size_t size)
{
	uint64_t pending;

	if (size > MASK_SIZE)
		return -E_INVAL;
	long error = proc_signal_pending(PROCESS_PROC, &pending);
	if (error != 0)
		return error;
	uint64_t set = (pending | signal_state.pending) &
	    signal_state.blocked;
	return user_write(out, &set, size);
}

/* Parks in proc; a signal for us comes as a kick, or as the answer. */
static long
wait_for_signal(uint64_t blocked)
{
	if (!signal_waiting())
		proc_signal_wait(PROCESS_PROC, blocked);
	signal_look_again();
	return -RESTART_NO_HANDLER;
}

long
linux_rt_sigsuspend(const uint64_t *mask, size_t size)
{
	uint64_t set;

	if (size != MASK_SIZE)
		return -E_INVAL;
	if (user_read(&set, mask, sizeof(set)) != 0)
		return -E_FAULT;
	signal_set_temporary_mask(set);
	return wait_for_signal(signal_state.blocked);
}

long
linux_pause(void)
{
	return wait_for_signal(signal_state.blocked);
}

long
linux_rt_sigtimedwait(const uint64_t *from, struct linux_siginfo *out,
    const struct linux_timespec *timeout, size_t size)
{
	struct signal_state *s = &signal_state;
	struct linux_siginfo info;
	uint64_t set, deadline = DEADLINE_NEVER;

	if (size != MASK_SIZE)
		return -E_INVAL;
	if (user_read(&set, from, sizeof(set)) != 0)
		return -E_FAULT;
	long error = timeout != NULL ? time_deadline(timeout, &deadline) : 0;
	if (error != 0)
		return error;
	if ((set & ~s->wanted) != 0) {
		s->wanted |= set;
		signal_publish_ignored();
	}
	s->ask = true;
	for (;;) {
		if (signal_take(~set, &info))
			break;
		status_t status = time_wait(deadline);
		if (status == ERR_TIMEOUT)
			return -E_AGAIN;
		s->ask = true;
		if (signal_take(~set, &info))
			break;
		/* One that is not waited for: let it be delivered. */
		if ((s->remote & ~s->blocked) != 0 ||
		    (s->pending & ~s->blocked) != 0) {
			signal_look_again();
			return -E_INTR;
		}
	}
	/* Others may have come with the same kick. */
	signal_look_again();
	if (out != NULL && user_write(out, &info, sizeof(info)) != 0)
		return -E_FAULT;
	return info.signo;
}

long
linux_rt_sigreturn(void)
{
	static struct user_frame frame;
	uint64_t mask;

	if (!sigframe_pop(thread_block.rsp - 8, &frame, &mask))
		process_exit_signal(L_SIGSEGV);
	signal_set_mask(mask);
	signal_deliver(&frame, NO_CALL);
	thread_resume(&frame);
}

long
linux_sigaltstack(const struct linux_stack *new, struct linux_stack *old)
{
	struct linux_stack before = signal_state.alternate, stack;
	uint64_t sp = thread_block.rsp;
	bool active = (before.flags & (L_SS_DISABLE | L_SS_AUTODISARM)) == 0 &&
	    sp > before.sp && sp - before.sp <= before.size;

	if (new != NULL && user_read(&stack, new, sizeof(stack)) != 0)
		return -E_FAULT;
	if (new != NULL) {
		uint32_t mode = stack.flags & ~L_SS_AUTODISARM;
		if (active)
			return -E_PERM;
		if (mode != 0 && mode != L_SS_DISABLE && mode != L_SS_ONSTACK)
			return -E_INVAL;
		if (mode == L_SS_DISABLE)
			stack = (struct linux_stack){ .flags = L_SS_DISABLE };
		else if (stack.size < MINSIGSTKSZ)
			return -E_NOMEM;
		else
			stack.flags &= L_SS_AUTODISARM;
		signal_state.alternate = stack;
	}
	if (active)
		before.flags |= L_SS_ONSTACK;
	if (old != NULL && user_write(old, &before, sizeof(before)) != 0)
		return -E_FAULT;
	return 0;
}

static long
send(int pid, int number, int code)
{
	long error = proc_kill(PROCESS_PROC, pid, (uint32_t)number, code);

	/* One to itself is delivered before the call returns. */
	if (error == 0)
		signal_look_again();
	return error;
}

/*
 * To itself and taken at once: no server is needed. A blocked one goes to proc,
 * where it is one with those that others send.
 */
long
linux_kill(int pid, int number)
{
	if (pid != (int)INFO->pid || number <= 0 || number > L_NSIG ||
	    !signal_is_local(number) ||
	    (signal_state.blocked & SIGNAL_BIT(number)) != 0)
		return send(pid, number, L_SI_USER);
	signal_raise(number);
	return 0;
}

/* To its own thread: no server is needed. */
static long
send_to_thread(int thread, int number)
{
	if (number < 0 || number > L_NSIG)
		return -E_INVAL;
	if (thread != (int)INFO->pid ||
	    (number != 0 && !signal_is_local(number)))
		return send(thread, number, L_SI_TKILL);
	if (number != 0)
		signal_raise_info(&(struct linux_siginfo){
		    .signo = number, .code = L_SI_TKILL,
		    .sender = { thread, INFO->uid, 0 } });
	return 0;
}

/* A process has one thread, whose id is that of the process. */
long
linux_tkill(int thread, int number)
{
	return thread <= 0 ? -E_INVAL : send_to_thread(thread, number);
}

long
linux_tgkill(int pid, int thread, int number)
{
	if (pid <= 0 || thread <= 0)
		return -E_INVAL;
	return pid != thread ? -E_SRCH : send_to_thread(thread, number);
}

long
linux_rt_sigqueueinfo(int pid, int number, const struct linux_siginfo *from)
{
	struct linux_siginfo info;

	if (user_read(&info, from, sizeof(info)) != 0)
		return -E_FAULT;
	const struct proc_queue_args in = {
		.pid = pid, .signal = (uint32_t)number, .code = info.code,
		.value = info.sender.value,
		.tell_pid = (uint32_t)info.sender.pid,
		.tell_uid = info.sender.uid,
	};
	long error = proc_queue(PROCESS_PROC, &in);

	if (error == 0)
		signal_look_again();
	return error;
}

long
linux_rt_tgsigqueueinfo(int pid, int thread, int number,
    const struct linux_siginfo *from)
{
	if (pid <= 0 || thread <= 0)
		return -E_INVAL;
	return pid != thread ? -E_SRCH :
	    linux_rt_sigqueueinfo(thread, number, from);
}
