/* SPDX-License-Identifier: MIT */
/* Between the files of this architecture; nothing here is for portable code. */
#pragma once

#include <kernel/core/cpu.h>
#include <kernel/core/panic.h>
#include <kernel/arch/x86_64/numa.h>
#include <machine/section.h>
#include <machine/x86.h>

/* --- Boot stage. --- */

#define MEMORY_RANGE_MAX 64

struct memory_range {
	paddr_t		base;
	uint64_t	length;
	uint32_t	type;
};

#define MEMORY_USABLE	1u
#define MEMORY_ACPI	3u

/* What the boot protocol told, copied out of memory that will be reused. */
struct boot_facts {
	struct memory_range ranges[MEMORY_RANGE_MAX];
	unsigned	range_count;
	paddr_t		module;
	uint64_t	module_size;
	paddr_t		rsdp;		/* 0 = none */
};

/* What ACPI told, or assumptions in its place. */
struct platform {
	unsigned	cpu_count;
	uint8_t		apic_ids[CPU_MAX];
	uint16_t	pm_timer_port;	/* 0 = none */
	struct numa	numa;
};

#define COMMAND_LINE_MAX 2048
extern char command_line[COMMAND_LINE_MAX];
extern struct platform platform;

void boot_facts_read(uint32_t magic, uint32_t info, struct boot_facts *out);
void platform_discover(paddr_t rsdp);
/* Final page tables; loads them. Then hands memory to the frame allocator. */
void paging_build(const struct boot_facts *facts);
void memory_hand_over(const struct boot_facts *facts);
void clock_calibrate(void);
uint64_t wall_clock_read(void);
void interrupt_tables_build(void);
void irq_controllers_start(void);
void boot_main(uint32_t magic, uint32_t info);

/* --- Resident. --- */

extern uint64_t kernel_root;	/* physical address of the kernel's table */
extern uint64_t tsc_hz, lapic_hz;
extern uint8_t halting;

static inline void *
direct_map(paddr_t address)
{
	return (void *)(address + DIRECT_BASE);
}

/* Stack slots of a CPU: page 0 guard, 1..4 stack, then guard + IST pages. */
#define STACK_SLOT_PAGES	16
#define STACK_PAGES		4
#define IST_COUNT		4	/* NMI, #DF, #MC, #DB */
static inline uint64_t
stack_slot(unsigned cpu)
{
	return STACK_BASE + (uint64_t)cpu * STACK_SLOT_PAGES * PAGE_SIZE;
}

/* Clears the kernel's own mapping of an image page. */
void paging_forget_image(const char *from, const char *to);

/* Loads descriptor tables, control registers and MSRs of the calling CPU. */
void cpu_prepare(struct cpu *cpu, unsigned index, uint8_t apic_id);
void cpu_load(struct cpu *cpu);

void fpu_prepare_cpu(struct cpu *cpu);

void lapic_map(paddr_t base);
void lapic_start(void);
uint32_t lapic_read(unsigned reg);
void lapic_write(unsigned reg, uint32_t value);
void lapic_eoi(void);
/* delivery: the low word of the interrupt command register. */
void lapic_send(unsigned apic_id, uint32_t delivery);
#define LAPIC_ID		0x020
#define LAPIC_TIMER_INITIAL	0x380
#define LAPIC_TIMER_CURRENT	0x390
#define LAPIC_DELIVER_FIXED	0x00004000u
#define LAPIC_DELIVER_NMI	0x00004400u
#define LAPIC_DELIVER_INIT	0x00004500u
#define LAPIC_DELIVER_STARTUP	0x00004600u
#define LAPIC_ALL_OTHERS	0x000c0000u

#define IOAPIC_MAX 4
void ioapic_add(paddr_t base, unsigned first_line);
void ioapic_override(unsigned isa, unsigned line, unsigned flags);
paddr_t ioapic_base(unsigned index);	/* 0 = no such */
paddr_t lapic_base(void);
/* A level line fired: holds it back until arch_irq_unmask(). */
void ioapic_quiet(unsigned line);

/* Registers of a trap taken in kernel mode, as trap_kernel pushes them. */
struct kernel_trap {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* Called from entry.S. */
void trap_from_user(struct thread *thread, uint64_t vector, uint64_t error);
void trap_from_kernel(struct kernel_trap *trap);
_Noreturn void secondary_main(struct cpu *cpu);
_Noreturn void stack_switch(uint64_t top, void (*function)(void));
void syscall_stub(void);
