/* SPDX-License-Identifier: MIT */
/*
 * Native system calls for C. Header only: each is one SYSCALL instruction with
 * the register assignment of <abi/syscall.h>. Guest code only.
 */
#pragma once

#include <abi/object.h>
#include <abi/status.h>
#include <abi/syscall.h>
#include <abi/utcb.h>
#include <idl/message.h>

struct sys_result {
	status_t status;
	uint64_t value[4];	/* RDI RSI RDX R10 */
};

static inline struct sys_result
sys_invoke(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
    uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	uint64_t rax = (uint64_t)SYSCALL_NR(number);

	__asm__ volatile("syscall"
	    : "+a"(rax), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8),
	      "+r"(r9)
	    :: "rcx", "r11", "memory");
	return (struct sys_result){ rax, { a, b, c, r10 } };
}

/* What REPLY_WAIT and REPLY_READ deliver. */
struct sys_received {
	status_t status;
	uint64_t badge;
	uint64_t info;		/* IPC_INFO_* */
	uint64_t order;
	struct message message;
};

/* The reply replaces *message. out_caps: the first two received, may be NULL. */
static inline status_t
sys_call(cap_t target, uint64_t transfer, struct message *message,
    cap_t *out_caps)
{
	register uint64_t r10 __asm__("r10") = message->word[1];
	register uint64_t r8 __asm__("r8") = message->word[2];
	register uint64_t r9 __asm__("r9") = message->word[3];
	register uint64_t r12 __asm__("r12") = message->word[5];
	register uint64_t r13 __asm__("r13") = message->word[6];
	register uint64_t r14 __asm__("r14") = message->word[7];
	uint64_t rbx = message->word[4], rdx = message->word[0];
	uint64_t rax = (uint64_t)SYSCALL_NR(SYS_CALL);
	uint64_t rdi = target, rsi = transfer;

	__asm__ volatile("syscall"
	    : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+b"(rbx), "+r"(r10),
	      "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13), "+r"(r14)
	    :: "rcx", "r11", "memory");
	if (rax != OK)
		return rax;
	*message = (struct message){ { rdx, r10, r8, r9, rbx, r12, r13, r14 } };
	if (out_caps != 0) {
		out_caps[0] = rdi;
		out_caps[1] = rsi;
	}
	return OK;
}

/*
 * Answers `reply` with *message (0: answers nothing), then waits on `endpoint`
 * (0: returns at once) and lets `next` hold the call that arrives.
 */
static inline void
sys_reply_wait(cap_t reply, cap_t endpoint, cap_t next,
    const struct message *message, struct sys_received *out_received)
{
	register uint64_t r10 __asm__("r10") = message->word[1];
	register uint64_t r8 __asm__("r8") = message->word[2];
	register uint64_t r9 __asm__("r9") = message->word[3];
	register uint64_t r12 __asm__("r12") = message->word[5];
	register uint64_t r13 __asm__("r13") = message->word[6];
	register uint64_t r14 __asm__("r14") = message->word[7];
	register uint64_t r15 __asm__("r15") = next;
	uint64_t rbx = message->word[4], rdx = message->word[0];
	uint64_t rax = (uint64_t)SYSCALL_NR(SYS_REPLY_WAIT);
	uint64_t rdi = reply, rsi = endpoint;

	__asm__ volatile("syscall"
	    : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+b"(rbx), "+r"(r10),
	      "+r"(r8), "+r"(r9), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
	    :: "rcx", "r11", "memory");
	*out_received = (struct sys_received){ rax, rdi, rsi, r15,
	    { { rdx, r10, r8, r9, rbx, r12, r13, r14 } } };
}

static inline void
sys_reply_read(cap_t reply, struct sys_received *out_received)
{
	register uint64_t r10 __asm__("r10");
	register uint64_t r8 __asm__("r8");
	register uint64_t r9 __asm__("r9");
	register uint64_t r12 __asm__("r12");
	register uint64_t r13 __asm__("r13");
	register uint64_t r14 __asm__("r14");
	register uint64_t r15 __asm__("r15");
	uint64_t rbx, rdx, rsi;
	uint64_t rax = (uint64_t)SYSCALL_NR(SYS_REPLY_READ);
	uint64_t rdi = reply;

	__asm__ volatile("syscall"
	    : "+a"(rax), "+D"(rdi), "=S"(rsi), "=d"(rdx), "=b"(rbx), "=r"(r10),
	      "=r"(r8), "=r"(r9), "=r"(r12), "=r"(r13), "=r"(r14), "=r"(r15)
	    :: "rcx", "r11", "memory");
	*out_received = (struct sys_received){ rax, rdi, rsi, r15,
	    { { rdx, r10, r8, r9, rbx, r12, r13, r14 } } };
}

static inline status_t
sys_object_create(unsigned type, cap_t container, uint64_t a1, uint64_t a2,
    cap_t *out_cap)
{
	struct sys_result r = sys_invoke(SYS_OBJECT_CREATE, type, container, a1,
	    a2, CAP_ANY_SLOT, 0);

	*out_cap = r.status == OK ? r.value[0] : CAP_NONE;
	return r.status;
}

/* endpoint may be 0; badge is what calls through end A carry. */
static inline status_t
sys_eventpair_create(cap_t container, cap_t endpoint, uint64_t badge,
    cap_t *out_a, cap_t *out_b)
{
	struct sys_result r = sys_invoke(SYS_OBJECT_CREATE, OBJ_EVENTPAIR_A,
	    container, endpoint, badge, CAP_ANY_SLOT, 0);

	*out_a = r.status == OK ? r.value[0] : CAP_NONE;
	*out_b = r.status == OK ? r.value[1] : CAP_NONE;
	return r.status;
}

/*
 * table = 0: own. at = CAP_ANY_SLOT or a slot index. badge applies only to an
 * endpoint without one. rights and trust narrow.
 */
static inline status_t
sys_cap_copy(cap_t source, cap_t table, uint64_t at, unsigned rights,
    unsigned trust, uint64_t badge, cap_t *out_cap)
{
	struct sys_result r = sys_invoke(SYS_CAP_COPY, source, table, at,
	    rights | (uint64_t)trust << 16, badge, 0);

	if (out_cap != 0)
		*out_cap = r.status == OK ? r.value[0] : CAP_NONE;
	return r.status;
}

static inline status_t
sys_cap_delete(cap_t table, cap_t cap)
{
	return sys_invoke(SYS_CAP_DELETE, table, cap, 0, 0, 0, 0).status;
}

static inline status_t
sys_cap_revoke(cap_t cap)
{
	return sys_invoke(SYS_CAP_REVOKE, cap, 0, 0, 0, 0, 0).status;
}

/*
 * Moves bytes between a window of a held call and own memory (memory = 0,
 * place = address) or a memory object (place = offset). *out_done says how far
 * it came even on failure.
 */
static inline status_t
sys_window_copy(cap_t reply, uint64_t window, uint64_t offset, cap_t memory,
    uint64_t place, uint64_t length, uint64_t *out_done)
{
	uint64_t total = 0;
	status_t status = OK;

	/* The kernel moves a bounded piece at a time. */
	while (status == OK && total < length) {
		struct sys_result r = sys_invoke(SYS_WINDOW_COPY, reply, window,
		    offset + total, memory, place + total, length - total);
		status = r.status;
		total += r.value[0];
		if (status == OK && r.value[0] == 0)
			break;
	}
	if (out_done != 0)
		*out_done = total;
	return status;
}

static inline status_t
sys_signal(cap_t notification, uint64_t bits)
{
	return sys_invoke(SYS_NOTIFY_SIGNAL, notification, bits, 0, 0, 0, 0).status;
}

static inline status_t
sys_wait(cap_t notification, unsigned mode, uint64_t seen,
    uint64_t deadline_ns, uint64_t *out_word, uint64_t *out_count)
{
	struct sys_result r = sys_invoke(SYS_NOTIFY_WAIT, notification, mode,
	    seen, deadline_ns, 0, 0);

	if (out_word != 0)
		*out_word = r.value[0];
	if (out_count != 0)
		*out_count = r.value[1];
	return r.status;
}

static inline status_t
sys_map(cap_t vspace, uint64_t address, cap_t memory, uint64_t offset,
    uint64_t length, unsigned flags)
{
	return sys_invoke(SYS_VSPACE_MAP, vspace, address, memory, offset,
	    length, flags).status;
}

static inline status_t
sys_unmap(cap_t vspace, uint64_t address, uint64_t length)
{
	return sys_invoke(SYS_VSPACE_UNMAP, vspace, address, length, 0, 0,
	    0).status;
}

static inline status_t
sys_protect(cap_t vspace, uint64_t address, uint64_t length, unsigned flags)
{
	return sys_invoke(SYS_VSPACE_PROTECT, vspace, address, length, flags, 0,
	    0).status;
}

static inline _Noreturn void
sys_exit(uint64_t cause, uint64_t code)
{
	for (;;)
		sys_invoke(SYS_THREAD_EXIT, cause, code, 0, 0, 0, 0);
}
