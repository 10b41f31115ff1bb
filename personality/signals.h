/* SPDX-License-Identifier: MIT */
/*
 * Signals of the process.
 *
 * proc keeps what others sent; it kicks this thread and the signal is fetched
 * on the way out of the libOS. What the thread sends to itself, and SIGPIPE,
 * stays here and goes first, as on Linux; but for what queues, and what stops
 * and continues: proc has the order of these. A signal is delivered only on the
 * way out to the program, when its registers are complete.
 */
#pragma once

#include "linux.h"

#include <abi/utcb.h>
#include <stdbool.h>
#include <stdint.h>

#define SIGNAL_BIT(n)	(1ul << ((n) - 1))
#define NO_CALL		(~0ul)	/* the frame does not come from a call */

struct signal_state {
	struct linux_sigaction action[L_NSIG + 1];
	uint64_t blocked;
	uint64_t saved;		/* mask to come back to, if has_saved */
	bool	 has_saved;
	uint64_t pending;	/* sent by this process to itself */
	uint64_t remote;	/* pending at proc when last told */
	bool	 ask;		/* proc may have more than that */
	uint64_t wanted;	/* waited for, or blocked: proc keeps them */
	struct linux_stack alternate;
};

extern struct signal_state signal_state;

/* Signals that the process keeps for itself; the others go through proc. */
bool signal_is_local(int number);
/* Sends to the own thread. */
void signal_raise(int number);
void signal_raise_info(const struct linux_siginfo *info);
/* Makes the way out ask for signals. */
void signal_look_again(void);
/* Signals that would be taken now. Does not ask proc. */
bool signal_waiting(void);
/*
 * All that are pending, blocked or not; asks proc if there may be more than was
 * told. After a kick that brought nothing else, a wait may go on.
 */
uint64_t signal_pending_now(void);
/* One is pending that will be delivered, beside those of the set. */
bool signal_is_due(uint64_t except);
/* They are kept though ignored: somebody takes them. */
void signal_want(uint64_t set);
/* Next unblocked signal under that mask. */
bool signal_take(uint64_t blocked, struct linux_siginfo *out_info);
/* Delivers what is pending into *frame; number is that of the call or NO_CALL. */
void signal_deliver(struct user_frame *frame, uint64_t number);
/* An exception of the program at *frame. */
void signal_exception(struct user_frame *frame);
void signal_set_mask(uint64_t mask);
/* sigcall.c: sigaction, after its pointers were followed; act NULL only asks. */
long signal_action(int number, const struct linux_sigaction *act,
    struct linux_sigaction *out_before);
/* Until the call ends, or until a handler that runs because of it returns. */
void signal_set_temporary_mask(uint64_t mask);
void signal_end_temporary_mask(void);
void signal_after_exec(void);
void signal_after_fork(void);
/* Tells proc what is ignored, and what the process wants of its children. */
void signal_publish_ignored(void);
uint32_t signal_child_flags(const struct linux_sigaction *act);
/* The program blocks signals for good: they stay pending, ignored or not. */
void signal_keep_blocked(void);

/* sigframe.c: false if the program's stack cannot take it. */
bool sigframe_push(struct user_frame *frame, const struct linux_sigaction *act,
    const struct linux_siginfo *info, uint64_t mask);
bool sigframe_pop(uint64_t address, struct user_frame *frame,
    uint64_t *out_mask);
/* Where a frame of that many bytes of vector state goes below sp. */
struct sigframe_place {
	uint64_t vector_state;
	uint64_t frame;
};
struct sigframe_place sigframe_place(uint64_t sp, uint64_t vector_bytes);
