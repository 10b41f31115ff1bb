/* SPDX-License-Identifier: MIT */
/*
 * UTCB: the page that a thread shares with the kernel.
 *
 * It belongs to a memory object, is pinned while the thread exists, and is
 * mapped by the thread wherever it likes. The kernel trusts nothing in it:
 * each field is read once, then checked.
 */
#pragma once

#include <abi/object.h>
#include <stdint.h>

/* A full user register image. */
struct user_frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags, rsp;
	uint64_t fs_base, gs_base;
	uint64_t vector;	/* exception that made this frame, or UPCALL_KICK */
	uint64_t error;		/* hardware error code */
	uint64_t address;	/* CR2 for a page fault */
};

#define UPCALL_KICK		256ul

#define WINDOW_READ		1u	/* the server may read it */
#define WINDOW_WRITE		2u	/* the server may write it */

struct window {
	uint64_t address;
	uint64_t length_access;	/* length << 2 | WINDOW_* */
};

struct utcb {
	/* Redirect: the interrupted program counter. Written by the entry. */
	uint64_t redirect_rip;
	uint64_t kick_pending;	/* set by the kernel, cleared by the libOS */
	uint64_t in_upcall;	/* set by the kernel, cleared by the libOS or RESUME */
	uint64_t thread_id;	/* never reused; constant */

	/* Transfer area of CALL and REPLY_WAIT. */
	cap_t caps_out[4];	/* handles to pass */
	cap_t caps_in[4];	/* handles received with a reply, or 0 */
	struct window windows[2];
	uint64_t reply_caps;	/* capabilities that go with the next reply */

	struct user_frame frame;	/* exception upcall and THREAD_RESUME */
	uint64_t reserved[43];

	uint8_t data[3328];	/* arguments too large for registers */
};

_Static_assert(sizeof(struct user_frame) == 184, "user_frame layout");
_Static_assert(sizeof(struct utcb) <= PAGE_SIZE, "a UTCB is one page");

/* THREAD_SETUP argument. */
#define THREAD_NO_FPU		0x1u	/* may not touch vector registers */
#define THREAD_REDIRECT		0x2u	/* the personality fields below hold */
#define THREAD_USES_PKRU	0x4u	/* switch the protection key register */

struct thread_setup {
	uint64_t flags;
	uint64_t schedule;	/* class | weight << 8 */
	uint64_t affinity;	/* mask of CPUs, 0 = all */
	uint64_t request_budget_ns;	/* CPU time for one request, 0 = no limit */
	cap_t	 death;		/* death record or 0 */
	/*
	 * Personality: a SYSCALL outside [native_low, native_high) enters at
	 * redirect_entry; exceptions and kicks enter at upcall_entry. A kick
	 * inside [window_low, window_high) first moves the program counter
	 * back to window_low.
	 */
	uint64_t native_low, native_high;
	uint64_t redirect_entry, upcall_entry;
	uint64_t window_low, window_high;
};

/* DEATH_READ result. */
struct death_info {
	uint64_t cause;		/* DEATH_* */
	uint64_t code;		/* exit or panic code, exception vector */
	uint64_t count;		/* deaths recorded so far */
	uint64_t thread_id;
	uint64_t request_order;	/* order number of the call being served, or 0 */
	uint64_t request_tag;
	uint64_t request_badge;
	uint64_t time_ns;
	struct user_frame frame;
};

/* CONTAINER_INFO result. */
struct container_info {
	uint64_t frames_used, frames_limit;
	uint64_t objects_used, objects_limit;
};

/* Memory that is near to the same CPUs. */
#define NODE_MAX		8

struct node_frames {
	uint64_t total, free;
};

/* SYSTEM_INFO result: what leak tests compare. */
struct system_info {
	uint64_t frames_total, frames_free, frames_reserved;
	uint64_t objects[OBJ_TYPE_COUNT];	/* live objects by type */
	uint64_t slots_used;
	uint64_t cpus;
	uint64_t tsc_hz;
	uint64_t cpu_features;	/* CPU_FEATURE_* */
	uint64_t ledger_cr3_loads;	/* this CPU, since boot */
	uint64_t ledger_privileged_writes;
	uint64_t context_switches;
	uint64_t ipc_fast, ipc_slow;
	uint64_t boot_user_tsc;	/* TSC at the first user instruction */
	uint64_t nodes;
	struct node_frames node[NODE_MAX];
};

/*
 * CPU_INFO result. latency counts, by class, how long threads of it waited
 * for this CPU from ready to running: bucket b from 2^b TSC ticks up, the
 * last one all that waited longer.
 */
#define LATENCY_BUCKETS		32

struct cpu_info {
	uint64_t idle_ns;	/* nothing to run, since boot */
	uint64_t time_ns;	/* now, since boot */
	uint64_t queue_length;	/* threads ready, without the running one */
	uint64_t context_switches;
	uint32_t latency[CLASS_COUNT][LATENCY_BUCKETS];
	uint64_t node;		/* whose memory it gets first */
};

#define CPU_FEATURE_PKU		0x1u
#define CPU_FEATURE_FSGSBASE	0x2u
#define CPU_FEATURE_XSAVE	0x4u
#define CPU_FEATURE_SMAP	0x8u
#define CPU_FEATURE_RDRAND	0x10u
