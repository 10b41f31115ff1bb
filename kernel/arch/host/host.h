/* SPDX-License-Identifier: MIT */
/*
 * The host architecture: what tests see of it.
 *
 * Physical memory is an arena at made-up physical addresses. Page tables are
 * trees of frames, charged as on a real machine. Each CPU has a TLB: tests
 * access user memory by host_load() and host_store(), which use a translation
 * that is cached, right or wrong, before they walk the page tables. So a
 * missing arch_tlb_flush() shows as a stale access; and a frame that is
 * cleared or copied into while some TLB still knows it stops the program.
 */
#pragma once

#include <kernel/core/arch.h>
#include <setjmp.h>

#define HOST_RAM_BASE	0x100000ul
#define HOST_EVENTS	256u
#define HOST_CONSOLE	4096u

/* One arena per program; the calling thread becomes CPU 0 of `cpus`. */
void host_boot(uint64_t ram_bytes, unsigned cpus);
/* Makes the calling Linux thread act as that CPU. */
void host_become_cpu(unsigned cpu);

/* Loads an address space on this CPU; leaving drops its translations. */
void host_space_enter(struct vspace *vspace);
void host_space_leave(struct vspace *vspace);
/*
 * One user access on this CPU, address aligned to 8. False = page fault. The
 * address space must be loaded here.
 */
/* First mapped address in [address, end), or end. */
vaddr_t arch_next_mapped(const struct arch_vspace *space, vaddr_t address,
    vaddr_t end);
bool host_load(struct vspace *vspace, vaddr_t address, uint64_t *out_value);
bool host_store(struct vspace *vspace, vaddr_t address, uint64_t value);
/* The same with vspace_fault() until it works or fails. */
status_t host_user_load(struct vspace *vspace, vaddr_t address,
    uint64_t *out_value);
status_t host_user_store(struct vspace *vspace, vaddr_t address,
    uint64_t value);

/*
 * A panic that a test expects: if (HOST_EXPECT_PANIC()) { do it; } else ended.
 * host_panic_caught() turns the expectation off and says whether it came.
 */
extern _Thread_local jmp_buf host_panic_jump;
extern _Thread_local bool host_panic_armed, host_panic_seen;
#define HOST_EXPECT_PANIC() \
	(host_panic_seen = false, host_panic_armed = true, \
	    setjmp(host_panic_jump) == 0)
bool host_panic_caught(void);

/* Machine state under the control of the test. */
struct host_port_access {
	bool	 out;
	unsigned port, width;
	uint64_t value;
};

struct host_machine {
	uint64_t clock_ns;		/* what arch_clock_now() returns */
	uint64_t random_seed;
	uint64_t port_value;		/* what arch_port_in() returns */
	struct host_port_access ports[HOST_EVENTS];	/* the last ones */
	uint64_t port_count;
	uint64_t ipi_mask;		/* atomic: CPUs asked to look */
	uint64_t irq_masked[4];		/* bit per line */
	uint64_t tlb_flushes;		/* atomic: calls */
	/* Console: the last HOST_CONSOLE of console_length characters. */
	char	 console[HOST_CONSOLE];
	uint64_t console_length;
	/* Called where a machine would leave; must not return. */
	void	 (*enter_user)(void);
	void	 (*exit)(unsigned code);
	/* Called by arch_idle_wait(); returns when an interrupt was taken. */
	void	 (*idle)(void);
};

extern struct host_machine host_machine;

/* What a page table has at the address; false if nothing. */
bool arch_page_lookup(const struct arch_vspace *space, vaddr_t address,
    paddr_t *out_frame, unsigned *out_flags);
