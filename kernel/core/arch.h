/* SPDX-License-Identifier: MIT */
/*
 * What portable kernel code asks of an architecture. arch/x86_64 drives the
 * machine; arch/host is a Linux program with simulated frames and page tables.
 *
 * The kernel is event driven: one stack per CPU, no kernel threads. An entry
 * stub saves the user registers into this_cpu()->current->frame, calls one of
 * the *_entry functions below, then kernel_exit(), then restores the registers
 * of this_cpu()->current, which may be another thread by then.
 *
 * <machine/cpu.h> gives struct arch_cpu, struct arch_vspace, struct arch_fpu,
 * this_cpu() and the inline parts of the switch path.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;	/* physical address */
typedef uint64_t vaddr_t;	/* user virtual address */

struct container;
struct cpu;
struct thread;
struct vspace;
struct arch_vspace;
struct clock_page;

/* --- Portable code that the architecture calls. --- */

/* Entered with interrupts off; frame of `thread` is complete. */
void syscall_entry(struct thread *thread);
void exception_entry(struct thread *thread, unsigned vector, uint64_t error,
    uint64_t address);
/* Page fault from user mode. access: MAP_READ, MAP_WRITE or MAP_EXEC. */
void page_fault_entry(struct thread *thread, vaddr_t address, unsigned access,
    uint64_t error);
void interrupt_entry(unsigned line);	/* the line is masked by the caller */
void timer_entry(void);			/* the deadline armed has passed */
void resched_entry(void);		/* an IPI asked for a look at the queue */
/* Leaves this_cpu()->current runnable and loaded; idles until there is one. */
void kernel_exit(void);
/* First C function of the boot CPU, after the architecture is up. */
struct boot_handoff {
	paddr_t archive;		/* boot module; 0 = none */
	uint64_t archive_size;
	const char *command_line;
	uint64_t wall_clock_s;
	uint64_t memory_bytes;
};
/* Outlives the boot stage, so it is never a part of its caller. */
_Noreturn __attribute__((noinline)) void kernel_main(
    const struct boot_handoff *handoff);
/* Same for every other CPU, once, when it is ready to run threads. */
_Noreturn void kernel_main_secondary(void);

/* --- Implemented by the architecture. --- */

/* Time. Nanoseconds since boot, monotonic, same on all CPUs. */
uint64_t arch_clock_now(void);
uint64_t arch_tsc(void);
uint64_t arch_tsc_hz(void);
void arch_clock_page_fill(struct clock_page *page, uint64_t wall_clock_s);
/* One-shot timer of this CPU; DEADLINE_NEVER disarms. */
void arch_timer_arm(uint64_t deadline_ns);

/* Waits for an interrupt with interrupts enabled, returns with them off. */
void arch_idle_wait(void);
/* Lets pending interrupts in; a thread may be made ready by them. */
void arch_interrupt_window(void);
void arch_spin_relax(void);
/* Makes another CPU call resched_entry() soon. */
void arch_ipi_resched(unsigned cpu);
/* Starts the other CPUs; each ends in kernel_main_secondary(). */
void arch_start_secondary_cpus(void);
/* Enters user mode with the registers of this_cpu()->current. */
_Noreturn void arch_enter_user(void);

/* Kernel view of physical memory (direct map). */
void *arch_frame_pointer(paddr_t frame);
paddr_t arch_frame_address(const void *pointer);
void arch_page_clear(void *page);
void arch_page_copy(void *destination, const void *source);
void arch_copy(void *destination, const void *source, size_t length);

#define BATCH_PAGES	16u
#define COPIED_PAGES	64u	/* by arch_range_copy() */
#define PAGE_WRITABLE	1ul

/*
 * Address spaces. Page-table frames come from frame_alloc() and are charged to
 * `container`. flags are MAP_*; MEMORY_UNCACHED mappings pass uncached = true.
 * The caller holds vspace.lock; none of these flush a TLB.
 */
status_t arch_vspace_init(struct arch_vspace *space, struct container *container);
/* Frees all page-table frames; the space is active on no CPU. */
void arch_vspace_destroy(struct arch_vspace *space, struct container *container);
struct page_batch {
	unsigned flags;			/* MAP_* of all of them */
	bool	 uncached;
	unsigned count;			/* 1 .. BATCH_PAGES */
	uint64_t page[BATCH_PAGES];	/* frame | PAGE_WRITABLE; 0 = none */
};
/*
 * Maps neighbours that lie in one page table. The one at `wanted` is set; of
 * the others those that lose no right by it.
 */
status_t arch_pages_map(struct arch_vspace *space, struct container *container,
    vaddr_t address, const struct page_batch *batch, unsigned wanted);
/*
 * Unmaps up to *pages pages and counts them off. *start is moved to the first
 * one found; returns the end of the last one, or *start if there was none.
 */
vaddr_t arch_range_unmap(struct arch_vspace *space, vaddr_t *start,
    vaddr_t end, uint64_t *pages);
/*
 * Gives another space what the first COPIED_PAGES pages of a range have; both map
 * the same memory there. Nothing is lost if it ends early for want of memory.
 */
void arch_range_copy(const struct arch_vspace *from, struct arch_vspace *to,
    struct container *container, vaddr_t address, vaddr_t end);
/* Changes access of mapped pages in the range; true if any lost a right. */
bool arch_range_protect(struct arch_vspace *space, vaddr_t address,
    uint64_t length, unsigned flags);
/* Flushes the range on every CPU that has the space loaded; returns when all
 * have. More than 32 pages flush the whole space. */
void arch_tlb_flush(struct vspace *vspace, vaddr_t address, uint64_t length);

/*
 * Switches this CPU to `next`: address space, vector state, FS/GS base, PKRU,
 * redirect range. Does not touch the frame of either. Sets cpu->current.
 * next == NULL parks the CPU in the kernel's own address space (idle).
 */
void arch_switch(struct cpu *cpu, struct thread *next);
/* Writes live vector state of `cpu` (this CPU) back to its owner. */
void arch_fpu_flush(struct cpu *cpu);
/* Thread life: vector save area (frame_alloc), initial register values. */
status_t arch_thread_init(struct thread *thread);
void arch_thread_destroy(struct thread *thread);
/* Makes a frame safe to load: user segments, allowed flags, canonical rip. */
void arch_frame_sanitize(struct thread *thread);

/* Interrupt lines: ACPI global system interrupts, or ISA numbers 0..15. */
unsigned arch_irq_count(void);
void arch_irq_mask(unsigned line);
void arch_irq_unmask(unsigned line);

uint64_t arch_port_in(unsigned port, unsigned width);
void arch_port_out(unsigned port, unsigned width, uint64_t value);
void arch_port_out_bytes(unsigned port, const uint8_t *bytes, size_t count);

/* Fills 32 bytes from the CPU's generator or timing noise. */
void arch_random(uint8_t out[32]);
uint64_t arch_cpu_features(void);
/* Early, synchronous console of the kernel log. */
void arch_console_write(const char *text, size_t length);
void arch_backtrace(void (*emit)(uint64_t return_address));
/* Exit code to the emulator, else power off, else halt. */
_Noreturn void arch_exit(unsigned code);
_Noreturn void arch_halt_all(void);
