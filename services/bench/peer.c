/* SPDX-License-Identifier: MIT */
/*
 * The other side of the native benchmark: code that runs in the peer, so that
 * every exchange crosses address spaces.
 */
#include "bench.h"

void
peer_serve(void)
{
	struct message message = { { 0 } };
	struct sys_received received;

	sys_reply_wait(0, objects.endpoint, objects.reply, &message,
	    &received);
	for (;;)
		sys_reply_wait(objects.reply, objects.endpoint,
		    objects.reply, &received.message, &received);
}

void
peer_echo(void)
{
	uint64_t word, count;

	for (;;) {
		sys_wait(objects.notification, WAIT_BITS, 0, DEADLINE_NEVER,
		    &word, &count);
		sys_signal(objects.answer, word);
	}
}

static volatile uint64_t upcall_at;

/* Entered by the kernel with the faulting state in the UTCB. */
__attribute__((naked)) void
peer_fault_upcall(void)
{
	__asm__ volatile(
	    "rdtsc\n\t"
	    "shlq	$32, %%rdx\n\t"
	    "orq	%%rdx, %%rax\n\t"
	    "movq	%%rax, %0\n\t"
	    "movq	%1, %%rdx\n\t"
	    "addq	$2, (%%rdx)\n\t"	/* over the UD2 */
	    "movq	%2, %%rax\n\t"
	    "syscall\n\t"
	    "ud2"
	    : "=m"(upcall_at)
	    : "i"(PLACE_UTCB + __builtin_offsetof(struct utcb, frame.rip)),
	      "i"((long)SYSCALL_NR(SYS_THREAD_RESUME)));
}

void
peer_fault(void)
{
	struct shared *shared = (struct shared *)SHARED_PAGE;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = ticks();
		__asm__ volatile("ud2" ::: "memory");
		uint64_t after = ticks();
		shared->deliver[i] = upcall_at - before;
		shared->resume[i] = after - upcall_at;
	}
	sys_signal(objects.answer, 1);
	for (;;)
		sys3(SYS_THREAD_EXIT, DEATH_EXIT, 0, 0);
}
