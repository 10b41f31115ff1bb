/* SPDX-License-Identifier: MIT */
/*
 * Switching between threads: vector state, FS and GS base, and the requests
 * that other CPUs make of this one.
 *
 * Vector state stays in the registers of a CPU until another thread needs them
 * there (arch_cpu.fpu_owner, arch_thread.fpu_cpu). Threads without MODE_VECTOR
 * run with CR0.TS set: they can neither see nor change it. FS and GS base are
 * saved when a thread with vector state is left and loaded when one is
 * entered, since any program may write them.
 *
 * Requests: a translation shoot-down (one at a time, under shoot_lock) and the
 * write-back of vector state. The asking CPU waits; the asked one answers in an
 * interrupt or, as it spins with interrupts off, from arch_spin_relax().
 */
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <machine/machine.h>
#include <machine/switch.h>

#define XSAVE_MASK	7u	/* x87, SSE, AVX */
#define FLUSH_PAGES	32u

/* CF PF AF ZF SF TF DF OF AC ID: what a program may set. */
#define RFLAGS_USER	0x240dd5ul

static struct lock shoot_lock;
static struct {
	uint64_t	pending;	/* atomic mask of CPUs that must answer */
	vaddr_t		address;
	uint64_t	length;
} shoot;

static void
fpu_save(struct cpu *cpu, void *area)
{
	if (cpu->arch.has_xsave == 2)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(area),
		    "a"(XSAVE_MASK), "d"(0) : "memory");
	else if (cpu->arch.has_xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(area),
		    "a"(XSAVE_MASK), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void
fpu_restore(struct cpu *cpu, const void *area)
{
	if (cpu->arch.has_xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area),
		    "a"(XSAVE_MASK), "d"(0) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

void
fpu_prepare_cpu(struct cpu *cpu)
{
	if ((read_cr4() & CR4_OSXSAVE) == 0)
		return;
	struct cpuid leaf = cpuid(13, 0);
	__asm__ volatile("xsetbv" : : "c"(0), "a"(leaf.eax & XSAVE_MASK),
	    "d"(0));
	cpu->arch.has_xsave = cpuid(13, 1).eax & 1 ? 2 : 1;
	if (cpuid(13, 0).ebx > PAGE_SIZE)
		kernel_panic("vector state does not fit a frame");
}

static void
ts_set(struct cpu *cpu, bool set)
{
	if (cpu->arch.ts == set)
		return;
	cpu->arch.ts = set;
	cpu->privileged_writes++;
	if (set)
		write_cr0(read_cr0() | CR0_TS);
	else
		clear_ts();
}

/* Needs CR0.TS clear only for its duration. */
void
arch_fpu_flush(struct cpu *cpu)
{
	struct thread *owner = cpu->arch.fpu_owner;
	bool ts = cpu->arch.ts;

	if (owner == NULL)
		return;
	ts_set(cpu, false);
	fpu_save(cpu, owner->arch.fpu_area);
	ts_set(cpu, ts);
	cpu->arch.fpu_owner = NULL;
	__atomic_store_n(&owner->arch.fpu_cpu, FPU_NOWHERE, __ATOMIC_RELEASE);
}

/* Waits until no CPU has the thread's vector state live. */
static void
fpu_settle(struct cpu *cpu, struct thread *thread)
{
	unsigned at = __atomic_load_n(&thread->arch.fpu_cpu, __ATOMIC_ACQUIRE);

	if (at == FPU_NOWHERE)
		return;
	if (at == cpu->index) {
		arch_fpu_flush(cpu);
		return;
	}
	__atomic_store_n(&cpu_table[at].arch.flush_fpu, 1, __ATOMIC_SEQ_CST);
	lapic_send(cpu_table[at].arch.apic_id,
	    LAPIC_DELIVER_FIXED | VECTOR_REQUEST);
	while (__atomic_load_n(&thread->arch.fpu_cpu, __ATOMIC_ACQUIRE) !=
	    FPU_NOWHERE)
		arch_spin_relax();
}

static void
bases_save(struct cpu *cpu, struct thread *thread)
{
	if (!cpu->arch.has_fsgsbase)
		return;		/* then a program cannot change them */
	__asm__ volatile("rdfsbase %0" : "=r"(thread->arch.fs_base));
	__asm__ volatile("swapgs\n\trdgsbase %0\n\tswapgs"
	    : "=r"(thread->arch.gs_base));
}

/* Written even if equal: loading a selector changes a base unseen. */
static void
bases_load(struct cpu *cpu, const struct thread *thread)
{
	if (cpu->arch.has_fsgsbase) {
		__asm__ volatile("wrfsbase %0" : : "r"(thread->arch.fs_base));
		__asm__ volatile("swapgs\n\twrgsbase %0\n\tswapgs"
		    : : "r"(thread->arch.gs_base));
		return;
	}
	write_msr(MSR_FS_BASE, thread->arch.fs_base);
	write_msr(MSR_KERNEL_GS_BASE, thread->arch.gs_base);
	cpu->privileged_writes += 2;
}

void
arch_switch_state(struct cpu *cpu, struct thread *previous,
    struct thread *next)
{
	if ((cpu->arch.mode & MODE_VECTOR) && previous != NULL)
		bases_save(cpu, previous);
	if ((next->arch.mode & MODE_VECTOR) == 0) {
		ts_set(cpu, true);
		return;
	}
	bases_load(cpu, next);
	ts_set(cpu, false);
	if (cpu->arch.fpu_owner == next)
		return;
	fpu_settle(cpu, next);
	arch_fpu_flush(cpu);
	fpu_restore(cpu, next->arch.fpu_area);
	cpu->arch.fpu_owner = next;
	__atomic_store_n(&next->arch.fpu_cpu, cpu->index, __ATOMIC_RELEASE);
}

void
arch_switch(struct cpu *cpu, struct thread *next)
{
	struct vspace *old = cpu->arch.vspace;

	if (next != NULL) {
		arch_switch_fast(cpu, next);
		return;
	}
	if (cpu->current != NULL && (cpu->arch.mode & MODE_VECTOR))
		bases_save(cpu, cpu->current);
	if (cpu->current != NULL && (cpu->arch.mode & MODE_PKRU) &&
	    cpu->arch.has_pku)
		cpu->current->arch.pkru = read_pkru();
	cpu->current = NULL;
	cpu->arch.mode = 0;
	ts_set(cpu, true);
	if (old == NULL)
		return;
	write_cr3(kernel_root);
	cpu->arch.vspace = NULL;
	cpu->cr3_loads++;
	__atomic_and_fetch(&old->active_cpus, ~cpu->arch.mask,
	    __ATOMIC_SEQ_CST);
}

/* --- Requests of other CPUs. --- */

static void
flush_here(vaddr_t address, uint64_t length)
{
	if (length > FLUSH_PAGES * PAGE_SIZE) {
		write_cr3(read_cr3());
		return;
	}
	for (vaddr_t end = address + length; address < end;
	    address += PAGE_SIZE)
		invalidate_page(address);
}

/*
 * A vector thread that runs here keeps its registers: it is current, so nobody
 * can be waiting for its state.
 */
static void
fpu_give_back(struct cpu *cpu)
{
	if (cpu->arch.fpu_owner != cpu->current)
		arch_fpu_flush(cpu);
}

void
arch_answer_requests(struct cpu *cpu)
{
	if (__atomic_load_n(&shoot.pending, __ATOMIC_ACQUIRE) &
	    cpu->arch.mask) {
		flush_here(shoot.address, shoot.length);
		__atomic_and_fetch(&shoot.pending, ~cpu->arch.mask,
		    __ATOMIC_RELEASE);
	}
	if (__atomic_load_n(&cpu->arch.flush_fpu, __ATOMIC_RELAXED) &&
	    __atomic_exchange_n(&cpu->arch.flush_fpu, 0, __ATOMIC_ACQUIRE))
		fpu_give_back(cpu);
}

void
arch_spin_relax(void)
{
	arch_answer_requests(this_cpu());
	__asm__ volatile("pause" : : : "memory");
}

void
arch_tlb_flush(struct vspace *vspace, vaddr_t address, uint64_t length)
{
	struct cpu *cpu = this_cpu();

	/* The entries were written before the mask is read (see switch.h). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	uint64_t mask = __atomic_load_n(&vspace->active_cpus,
	    __ATOMIC_RELAXED);
	if (mask & cpu->arch.mask)
		flush_here(address, length);
	mask &= ~cpu->arch.mask;
	if (mask == 0)
		return;
	lock_acquire(&shoot_lock);
	shoot.address = address;
	shoot.length = length;
	__atomic_store_n(&shoot.pending, mask, __ATOMIC_SEQ_CST);
	for (; mask != 0; mask &= mask - 1)
		lapic_send(cpu_table[__builtin_ctzl(mask)].arch.apic_id,
		    LAPIC_DELIVER_FIXED | VECTOR_REQUEST);
	while (__atomic_load_n(&shoot.pending, __ATOMIC_ACQUIRE) != 0)
		arch_spin_relax();
	lock_release(&shoot_lock);
}

/* --- Threads. --- */

status_t
arch_thread_init(struct thread *thread)
{
	struct container *container = thread->object.container;
	status_t status = container_charge_frames(container, 1);

	if (status != OK)
		return status;
	paddr_t frame = frame_alloc();
	if (frame == FRAME_NONE) {
		container_release_frames(container, 1);
		return ERR_NOMEM;
	}
	uint8_t *area = direct_map(frame);
	arch_page_clear(area);
	*(uint16_t *)area = 0x37f;		/* FCW */
	*(uint32_t *)(area + 24) = 0x1f80;	/* MXCSR */
	area[512] = 3;		/* XSAVE header: x87 and SSE are present */
	thread->arch.fpu_area = area;
	thread->arch.fpu_cpu = FPU_NOWHERE;
	thread->arch.native_high = ~0ul;
	thread->arch.mode = MODE_VECTOR;
	thread->frame.rflags = RFLAGS_FIXED | RFLAGS_IF;
	return OK;
}

void
arch_thread_destroy(struct thread *thread)
{
	if (thread->arch.fpu_area == NULL)
		return;
	fpu_settle(this_cpu(), thread);
	frame_release(arch_frame_address(thread->arch.fpu_area));
	container_release_frames(thread->object.container, 1);
	thread->arch.fpu_area = NULL;
}

void
arch_thread_set_personality(struct thread *thread,
    const struct thread_setup *setup)
{
	struct arch_thread *arch = &thread->arch;

	arch->utcb = thread->utcb;
	if (setup->flags & THREAD_REDIRECT) {
		arch->native_low = setup->native_low;
		arch->native_high = setup->native_high;
		arch->redirect_entry = setup->redirect_entry < USER_HIGH ?
		    setup->redirect_entry : 0;
	}
	if (setup->flags & THREAD_USES_PKRU)
		arch->mode |= MODE_PKRU;
	if (setup->flags & THREAD_NO_FPU) {
		arch->mode &= (uint8_t)~MODE_VECTOR;
		arch_thread_destroy(thread);	/* only the area */
	}
}

void
arch_thread_get_bases(struct thread *thread)
{
	struct cpu *cpu = this_cpu();

	if (cpu->current == thread && (thread->arch.mode & MODE_VECTOR))
		bases_save(cpu, thread);
	thread->frame.fs_base = thread->arch.fs_base;
	thread->frame.gs_base = thread->arch.gs_base;
}

void
arch_frame_sanitize(struct thread *thread)
{
	struct user_frame *frame = &thread->frame;
	struct cpu *cpu = this_cpu();

	frame->rflags = (frame->rflags & RFLAGS_USER) | RFLAGS_FIXED |
	    RFLAGS_IF;
	if (frame->rip >= USER_HIGH)
		frame->rip = 0;
	thread->arch.fs_base = frame->fs_base < USER_HIGH ? frame->fs_base : 0;
	thread->arch.gs_base = frame->gs_base < USER_HIGH ? frame->gs_base : 0;
	thread->arch.frame_full = 1;
	if (cpu->current == thread && (thread->arch.mode & MODE_VECTOR))
		bases_load(cpu, thread);
}
