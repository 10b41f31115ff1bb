/* SPDX-License-Identifier: MIT */
/*
 * Starting the other CPUs, one after the other: each finds its stack and struct
 * cpu in the mailbox of the trampoline page. A CPU that does not come in time
 * is left out; taking back the offer decides the race with a late one.
 *
 * The last step of start-up returns the boot stage to the frame allocator.
 * Secondaries never ran boot code with the final page tables, so only this CPU
 * has to forget its translations.
 */
#include <kernel/core/frame.h>
#include <kernel/core/sched.h>
#include <machine/machine.h>

#define ARRIVE_NS	200000000ul

extern char trampoline_start[], trampoline_end[];

static uint64_t arrived;	/* atomic mask */
uint8_t halting;

_Noreturn void
secondary_main(struct cpu *cpu)
{
	cpu_load(cpu);
	lapic_start();
	cpu->arch.ts = false;
	cpu->epoch = 1;
	sched_init_cpu(cpu, cpu->index);
	__atomic_or_fetch(&arrived, cpu->arch.mask, __ATOMIC_RELEASE);
	kernel_main_secondary();
}

BOOT_CODE static void
wait_ns(uint64_t ns)
{
	uint64_t end = arch_clock_now() + ns;

	while (arch_clock_now() < end)
		arch_spin_relax();
}

BOOT_CODE static void
start_one(struct cpu *cpu)
{
	uint8_t *page = direct_map(TRAMPOLINE);
	uint32_t *state = (uint32_t *)(page + MAILBOX_STATE);
	uint32_t offered = MAILBOX_OFFERED;

	*(uint64_t *)(page + MAILBOX_STACK) = cpu->arch.stack_top;
	*(uint64_t *)(page + MAILBOX_CPU) = (uint64_t)cpu;
	*(uint64_t *)(page + MAILBOX_ROOT) = kernel_root;
	__atomic_store_n(state, offered, __ATOMIC_SEQ_CST);
	lapic_send(cpu->arch.apic_id, LAPIC_DELIVER_INIT);
	wait_ns(200000);
	for (unsigned tries = 0; tries < 2; tries++) {
		lapic_send(cpu->arch.apic_id, LAPIC_DELIVER_STARTUP |
		    TRAMPOLINE >> PAGE_SHIFT);
		uint64_t end = arch_clock_now() + ARRIVE_NS / 2;
		while (arch_clock_now() < end) {
			if (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) &
			    cpu->arch.mask)
				return;
			arch_spin_relax();
		}
	}
	if (__atomic_compare_exchange_n(state, &offered, MAILBOX_EMPTY, false,
	    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return;
	while ((__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) &
	    cpu->arch.mask) == 0)
		arch_spin_relax();
}

BOOT_CODE static void
start_all(void)
{
	arch_copy(direct_map(TRAMPOLINE), trampoline_start,
	    (size_t)(trampoline_end - trampoline_start));
	for (unsigned i = 1; i < cpu_count; i++)
		start_one(&cpu_table[i]);
}

void
arch_start_secondary_cpus(void)
{
	start_all();
	paging_forget_image(boot_start, boot_end);
	frame_add_range((vaddr_t)boot_start - KERNEL_BASE,
	    (uint64_t)(boot_end - boot_start));
}

_Noreturn void
arch_halt_all(void)
{
	__atomic_store_n(&halting, 1, __ATOMIC_SEQ_CST);
	lapic_send(0, LAPIC_DELIVER_NMI | LAPIC_ALL_OTHERS);
	for (;;)
		__asm__ volatile("cli\n\thlt");
}
