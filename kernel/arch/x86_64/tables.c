/* SPDX-License-Identifier: MIT */
/*
 * Descriptor tables, control registers and MSRs of each CPU.
 *
 * The slot of the 32-bit user code segment stays empty: SYSRET needs the order
 * of the selectors, not the descriptor, and nothing can enter compatibility
 * mode, so there is no entry point for it.
 */
#include <abi/syscall.h>
#include <kernel/object/thread.h>
#include <abi/utcb.h>
#include <machine/machine.h>

_Static_assert(offsetof(struct cpu, arch.self) == CPU_SELF, "cpu layout");
_Static_assert(offsetof(struct cpu, arch.stack_top) == CPU_STACK, "cpu layout");
_Static_assert(offsetof(struct cpu, arch.scratch) == CPU_SCRATCH, "cpu layout");
_Static_assert(offsetof(struct cpu, arch.exit_work) == CPU_EXIT_WORK,
    "cpu layout");
_Static_assert(offsetof(struct cpu, current) == CPU_CURRENT, "cpu layout");
_Static_assert(SYSCALL_NR(SYS_CALL) == SYSCALL_CALL &&
    SYSCALL_NR(SYS_REPLY_WAIT) == SYSCALL_REPLY_WAIT, "entry stub");
_Static_assert(offsetof(struct cpu, epoch) == CPU_EPOCH, "cpu layout");
_Static_assert(sizeof(struct tss) == 104, "tss layout");
_Static_assert(offsetof(struct user_frame, r15) == FRAME_R15, "frame layout");
_Static_assert(offsetof(struct user_frame, rsp) == FRAME_RSP, "frame layout");
#define THREAD_OFFSET(field) offsetof(struct thread, arch.field)
_Static_assert(THREAD_OFFSET(native_low) == THREAD_NATIVE_LOW, "thread layout");
_Static_assert(THREAD_OFFSET(native_high) == THREAD_NATIVE_HIGH,
    "thread layout");
_Static_assert(THREAD_OFFSET(redirect_entry) == THREAD_REDIRECT_ENTRY,
    "thread layout");
_Static_assert(THREAD_OFFSET(utcb) == THREAD_UTCB, "thread layout");
_Static_assert(THREAD_OFFSET(frame_full) == THREAD_FRAME_FULL, "thread layout");

#define VECTOR_DEBUG		1u
#define VECTOR_NMI		2u
#define VECTOR_BREAKPOINT	3u
#define VECTOR_OVERFLOW		4u
#define VECTOR_DOUBLE_FAULT	8u
#define VECTOR_MACHINE_CHECK	18u

#define GATE_INTERRUPT		0x8eu
#define GATE_USER		0x60u

struct gate {
	uint16_t offset0, selector;
	uint8_t	 ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static struct gate gates[256];

extern char trap_stubs[], line_stubs[];
extern char timer_stub[], resched_stub[], request_stub[], spurious_stub[];

BOOT_CODE static void
gate_set(unsigned vector, const char *stub, unsigned ist)
{
	uint64_t offset = (uint64_t)stub;

	gates[vector] = (struct gate){
		.offset0 = (uint16_t)offset,
		.selector = SELECTOR_KERNEL_CODE,
		.ist = (uint8_t)ist,
		.type = GATE_INTERRUPT,
		.offset1 = (uint16_t)(offset >> 16),
		.offset2 = (uint32_t)(offset >> 32),
	};
}

BOOT_CODE void
interrupt_tables_build(void)
{
	for (unsigned i = 0; i < 32; i++)
		gate_set(i, trap_stubs + 16 * i, 0);
	for (unsigned i = 0; i < LINE_MAX; i++)
		gate_set(VECTOR_LINE + i, line_stubs + 8 * i, 0);
	gate_set(VECTOR_TIMER, timer_stub, 0);
	gate_set(VECTOR_RESCHED, resched_stub, 0);
	gate_set(VECTOR_REQUEST, request_stub, 0);
	gate_set(VECTOR_SPURIOUS, spurious_stub, 0);
	gates[VECTOR_NMI].ist = 1;
	gates[VECTOR_DOUBLE_FAULT].ist = 2;
	gates[VECTOR_MACHINE_CHECK].ist = 3;
	gates[VECTOR_DEBUG].ist = 4;
	gates[VECTOR_BREAKPOINT].type |= GATE_USER;
	gates[VECTOR_OVERFLOW].type |= GATE_USER;
}

static void
tss_set(uint32_t *at, uint64_t value)
{
	at[0] = (uint32_t)value;
	at[1] = (uint32_t)(value >> 32);
}

void
cpu_prepare(struct cpu *cpu, unsigned index, uint8_t apic_id)
{
	struct arch_cpu *arch = &cpu->arch;
	uint64_t slot = stack_slot(index);
	uint64_t tss = (uint64_t)&arch->tss;

	cpu->index = index;
	arch->self = cpu;
	arch->mask = 1ul << index;
	arch->apic_id = apic_id;
	arch->stack_top = slot + (STACK_PAGES + 1) * PAGE_SIZE;
	tss_set(&arch->tss.rsp[0], arch->stack_top);
	for (unsigned i = 0; i < IST_COUNT; i++)
		tss_set(&arch->tss.ist[2 * i],
		    slot + (STACK_PAGES + 3 + 2 * i) * PAGE_SIZE);
	arch->tss.io_map = sizeof(struct tss);
	arch->gdt[1] = 0x00af9b000000fffful;	/* kernel code */
	arch->gdt[2] = 0x00cf93000000fffful;	/* kernel data */
	arch->gdt[4] = 0x00cff3000000fffful;	/* user data */
	arch->gdt[5] = 0x00affb000000fffful;	/* user code */
	arch->gdt[6] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 |
	    0x89ul << 40 | (tss >> 24 & 0xff) << 56;
	arch->gdt[7] = tss >> 32;
}

static void
segments_load(struct cpu *cpu)
{
	struct table_register gdt = { sizeof(cpu->arch.gdt) - 1,
	    (uint64_t)cpu->arch.gdt };
	struct table_register idt = { sizeof(gates) - 1, (uint64_t)gates };

	__asm__ volatile(
	    "lgdt %0\n\t"
	    "lidt %1\n\t"
	    "pushq %2\n\t"
	    "leaq 1f(%%rip), %%rax\n\t"
	    "pushq %%rax\n\t"
	    "lretq\n"
	    "1:\n\t"
	    "movl %k3, %%ss\n\t"
	    "xorl %%eax, %%eax\n\t"
	    "movl %%eax, %%ds\n\t"
	    "movl %%eax, %%es\n\t"
	    "movl %%eax, %%fs\n\t"
	    "movl %%eax, %%gs\n\t"
	    "ltr %w4"
	    : : "m"(gdt), "m"(idt), "i"(SELECTOR_KERNEL_CODE),
	    "r"(SELECTOR_KERNEL_DATA), "r"(SELECTOR_TSS) : "rax", "memory");
}

static void
control_registers_load(struct cpu *cpu)
{
	struct cpuid one = cpuid(1, 0), seven = { 0 };
	uint64_t cr4 = CR4_PAE | CR4_MCE | CR4_PGE | CR4_OSFXSR |
	    CR4_OSXMMEXCPT;

	if (cpuid(0, 0).eax >= 7)
		seven = cpuid(7, 0);
	if (seven.ebx & (1u << 0))
		cr4 |= CR4_FSGSBASE;
	if (seven.ebx & (1u << 7))
		cr4 |= CR4_SMEP;
	if (seven.ebx & (1u << 20))
		cr4 |= CR4_SMAP;
	if (seven.ecx & (1u << 2))
		cr4 |= CR4_UMIP;
	if (seven.ecx & (1u << 3))
		cr4 |= CR4_PKE;
	if (one.ecx & (1u << 26))
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
	write_cr0(CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	cpu->arch.has_pku = (cr4 & CR4_PKE) != 0;
	cpu->arch.has_fsgsbase = (cr4 & CR4_FSGSBASE) != 0;
}

void
cpu_load(struct cpu *cpu)
{
	segments_load(cpu);
	write_msr(MSR_GS_BASE, (uint64_t)cpu);
	write_msr(MSR_KERNEL_GS_BASE, 0);
	control_registers_load(cpu);
	fpu_prepare_cpu(cpu);
	write_msr(MSR_SYSENTER_CS, 0);
	write_msr(MSR_STAR, (uint64_t)SELECTOR_SYSRET_BASE << 48 |
	    (uint64_t)SELECTOR_KERNEL_CODE << 32);
	write_msr(MSR_LSTAR, (uint64_t)syscall_stub);
	write_msr(MSR_SFMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_NT |
	    RFLAGS_AC);
}

uint64_t
arch_cpu_features(void)
{
	uint64_t cr4 = read_cr4();

	return (cr4 & CR4_PKE ? CPU_FEATURE_PKU : 0) |
	    (cr4 & CR4_FSGSBASE ? CPU_FEATURE_FSGSBASE : 0) |
	    (cr4 & CR4_OSXSAVE ? CPU_FEATURE_XSAVE : 0) |
	    (cr4 & CR4_SMAP ? CPU_FEATURE_SMAP : 0) |
	    (cpuid(1, 0).ecx & (1u << 30) ? CPU_FEATURE_RDRAND : 0);
}
