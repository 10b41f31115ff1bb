/* SPDX-License-Identifier: MIT */
/*
 * Exceptions and interrupts, after entry.S has saved the registers.
 *
 * The kernel enables interrupts in one place only, the idle wait, where the CPU
 * counts as outside (even epoch); a handler brackets itself. Any exception
 * raised by kernel code is a broken invariant.
 */
#include <kernel/core/epoch.h>
#include <kernel/core/log.h>
#include <machine/machine.h>

#define VECTOR_DOUBLE_FAULT	8u
#define VECTOR_PAGE_FAULT	14u
#define VECTOR_MACHINE_CHECK	18u

#define FAULT_WRITE	0x2u
#define FAULT_FETCH	0x10u
#define FAULT_KEY	0x20u	/* a protection key forbids it: never resolved */

static void
line_interrupt(unsigned line)
{
	ioapic_quiet(line);
	lapic_eoi();
	interrupt_entry(line);
}

/* The timer counts at most 32 bits: it may fire before the deadline. */
static void
timer_interrupt(struct cpu *cpu)
{
	lapic_eoi();
	if (arch_clock_now() < cpu->arch.timer_deadline_ns) {
		arch_timer_arm(cpu->arch.timer_deadline_ns);
		return;
	}
	cpu->arch.timer_deadline_ns = DEADLINE_NEVER;
	timer_entry();
}

static void
interrupt(struct cpu *cpu, uint64_t vector, uint64_t error)
{
	switch (vector) {
	case VECTOR_LINE:
		line_interrupt((unsigned)error);
		break;
	case VECTOR_TIMER:
		timer_interrupt(cpu);
		break;
	case VECTOR_RESCHED:
		lapic_eoi();
		resched_entry();
		break;
	case VECTOR_REQUEST:
		lapic_eoi();
		arch_answer_requests(cpu);
		break;
	}
}

void
trap_from_user(struct thread *thread, uint64_t vector, uint64_t error)
{
	if (vector == VECTOR_PAGE_FAULT && (error & FAULT_KEY) != 0) {
		exception_entry(thread, VECTOR_PAGE_FAULT, error, read_cr2());
	} else if (vector == VECTOR_PAGE_FAULT) {
		page_fault_entry(thread, read_cr2(),
		    error & FAULT_FETCH ? MAP_EXEC :
		    error & FAULT_WRITE ? MAP_WRITE : MAP_READ, error);
	} else if (vector == VECTOR_DOUBLE_FAULT ||
	    vector == VECTOR_MACHINE_CHECK) {
		kernel_panic("vector %lu error %lx", vector, error);
	} else if (vector < VECTOR_LINE) {
		exception_entry(thread, (unsigned)vector, error, 0);
	} else {
		interrupt(this_cpu(), vector, error);
	}
}

/* The fault may have come around a SWAPGS, with the program's GS base. */
static _Noreturn void
kernel_fault(const struct kernel_trap *t)
{
	if (read_msr(MSR_GS_BASE) < DIRECT_BASE)
		__asm__ volatile("swapgs" : : : "memory");
	log_break_lock();
	log_print("rax %lx rbx %lx rcx %lx rdx %lx rsi %lx rdi %lx rbp %lx\n",
	    t->rax, t->rbx, t->rcx, t->rdx, t->rsi, t->rdi, t->rbp);
	log_print("r8 %lx r9 %lx r10 %lx r11 %lx r12 %lx r13 %lx r14 %lx "
	    "r15 %lx\n", t->r8, t->r9, t->r10, t->r11, t->r12, t->r13, t->r14,
	    t->r15);
	kernel_panic("kernel fault: vector %lu error %lx rip %lx rsp %lx "
	    "rflags %lx cr2 %lx cr3 %lx", t->vector, t->error, t->rip, t->rsp,
	    t->rflags, read_cr2(), read_cr3());
}

void
trap_from_kernel(struct kernel_trap *trap)
{
	if (trap->vector < VECTOR_LINE)
		kernel_fault(trap);
	struct cpu *cpu = this_cpu();
	epoch_enter(cpu);
	interrupt(cpu, trap->vector, trap->error);
	epoch_leave(cpu);
}

void
arch_idle_wait(void)
{
	struct cpu *cpu = this_cpu();

	epoch_leave(cpu);
	/* STI takes effect after HLT has begun: no wake-up is lost. */
	__asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
	epoch_enter(cpu);
}

void
arch_interrupt_window(void)
{
	epoch_leave(this_cpu());
	__asm__ volatile("sti\n\tnop\n\tcli" : : : "memory");
	epoch_enter(this_cpu());
}

/*
 * Frames have no chain. What on this stack leads into kernel code is shown,
 * mostly return addresses of those who are at work.
 */
void
arch_backtrace(void (*emit)(uint64_t return_address))
{
	const uint64_t *word = __builtin_frame_address(0);
	uint64_t rest = this_cpu()->arch.stack_top - (uint64_t)word;

	if (rest > STACK_PAGES * PAGE_SIZE)	/* of an exception: one page */
		rest = PAGE_SIZE - ((uint64_t)word & PAGE_MASK);
	for (; rest >= sizeof(*word); rest -= sizeof(*word), word++)
		if (*word >= (uint64_t)text_start && *word < (uint64_t)text_end)
			emit(*word);
}
