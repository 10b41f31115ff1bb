/* SPDX-License-Identifier: MIT */
/*
 * The other side of the native benchmark: a second thread in a copy-on-write
 * clone of the address space, so that every exchange crosses address spaces.
 */
#include "bench.h"

struct peer peer_self;

static char peer_stack[16384] __attribute__((aligned(16)));

static bool
ok(struct sys_result r)
{
	return r.status == OK;
}

static bool
setup_thread(struct peer *peer, void (*entry)(void),
    void (*upcall_entry)(void))
{
	struct thread_setup *setup = (struct thread_setup *)UTCB->data;
	struct user_frame *frame = (struct user_frame *)UTCB->data;

	*setup = (struct thread_setup){
		.flags = THREAD_NO_FPU | (upcall_entry ? THREAD_REDIRECT : 0),
		.schedule = CLASS_HIGH | WEIGHT_DEFAULT << 8,
		.native_low = USER_LOW, .native_high = USER_HIGH,
		.redirect_entry = (uint64_t)upcall_entry,
		.upcall_entry = (uint64_t)upcall_entry,
	};
	if (!ok(sys_invoke(SYS_THREAD_SETUP, peer->thread, 0, peer->vspace,
	    peer->utcb, 0, 0)))
		return false;
	*frame = (struct user_frame){
		.rip = (uint64_t)entry,
		.rsp = (uint64_t)(peer_stack + sizeof(peer_stack) - 8),
	};
	return ok(sys3(SYS_THREAD_WRITE, peer->thread, 0, 0)) &&
	    ok(sys3(SYS_THREAD_START, peer->thread, 0, 0));
}

bool
peer_start(struct peer *peer, void (*entry)(void), void (*upcall_entry)(void))
{
	const struct place_info *info = (const void *)PLACE_INFO;
	cap_t pays = PLACE_CONTAINER;

	if (sys_object_create(OBJ_VSPACE, pays, 0, 0, &peer->vspace) != OK ||
	    sys_object_create(OBJ_THREAD, pays, 0, 0, &peer->thread) != OK ||
	    sys_object_create(OBJ_MEMORY, pays, PAGE_SIZE, MEMORY_CONTIGUOUS,
	    &peer->utcb) != OK)
		return false;
	peer_self = *peer;
	if (!ok(sys_invoke(SYS_VSPACE_CLONE, info->vspace, peer->vspace, pays, 0,
	    0, 0)))
		return false;
	/* The clone may have come without a UTCB, or with ours shared. */
	sys_unmap(peer->vspace, PLACE_UTCB, PAGE_SIZE);
	if (sys_map(peer->vspace, PLACE_UTCB, peer->utcb, 0, PAGE_SIZE,
	    MAP_READ | MAP_WRITE | MAP_NOCLONE) != OK)
		return false;
	return setup_thread(peer, entry, upcall_entry);
}

void
peer_stop(struct peer *peer)
{
	sys3(SYS_THREAD_KILL, peer->thread, 0, 0);
	sys_cap_delete(0, peer->thread);
	sys_cap_delete(0, peer->vspace);
	sys_cap_delete(0, peer->utcb);
}

void
peer_serve(void)
{
	struct message message = { { 0 } };
	struct sys_received received;

	sys_reply_wait(0, peer_self.endpoint, peer_self.reply, &message,
	    &received);
	for (;;)
		sys_reply_wait(peer_self.reply, peer_self.endpoint,
		    peer_self.reply, &received.message, &received);
}

void
peer_echo(void)
{
	uint64_t word, count;

	for (;;) {
		sys_wait(peer_self.notification, WAIT_BITS, 0, DEADLINE_NEVER,
		    &word, &count);
		sys_signal(peer_self.answer, word);
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
	sys_signal(peer_self.answer, 1);
	for (;;)
		sys3(SYS_THREAD_EXIT, DEATH_EXIT, 0, 0);
}
