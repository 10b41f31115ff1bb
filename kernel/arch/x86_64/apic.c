/* SPDX-License-Identifier: MIT */
/*
 * Interrupt controllers: the local APIC of each CPU, and the I/O APICs.
 *
 * A line that portable code names is an ISA number below 16 and a global system
 * interrupt from 16 up; the MADT says where ISA lines are wired. The vector
 * of a line is VECTOR_LINE + line. All lines go to the boot CPU.
 *
 * A level line is masked when it fires and unmasked by its driver: it fires
 * again as long as any device on it wants service. An edge line is never masked
 * by firing, since an edge that comes while masked is lost; repeats are
 * harmless.
 */
#include <machine/machine.h>

#define LAPIC_EOI		0x0b0
#define LAPIC_TASK_PRIORITY	0x080
#define LAPIC_SPURIOUS		0x0f0
#define LAPIC_COMMAND		0x300
#define LAPIC_COMMAND_HIGH	0x310
#define LAPIC_TIMER		0x320
#define LAPIC_LINT0		0x350
#define LAPIC_LINT1		0x360
#define LAPIC_ERROR		0x370
#define LAPIC_TIMER_DIVIDE	0x3e0
#define LAPIC_MASKED		0x10000u
#define LAPIC_LVT_NMI		0x400u
#define LAPIC_PENDING		0x1000u
#define LAPIC_ENABLE		0x100u

#define ENTRY_LOW_ACTIVE	0x2000u
#define ENTRY_LEVEL		0x8000u
#define ENTRY_MASKED		0x10000u

struct ioapic {
	paddr_t		base;
	unsigned	first, count;
};

/* Where an ISA line is wired, and its trigger mode. */
struct isa_line {
	uint8_t		wired;
	uint16_t	mode;	/* ENTRY_LEVEL, ENTRY_LOW_ACTIVE */
	bool		set;
};

static paddr_t lapic_address;
static struct ioapic ioapics[IOAPIC_MAX];
static struct isa_line isa_lines[16];
static unsigned line_count;
static struct lock line_lock;

void
lapic_map(paddr_t base)
{
	lapic_address = base;
}

paddr_t
lapic_base(void)
{
	return lapic_address;
}

uint32_t
lapic_read(unsigned reg)
{
	return *(volatile uint32_t *)direct_map(lapic_address + reg);
}

void
lapic_write(unsigned reg, uint32_t value)
{
	*(volatile uint32_t *)direct_map(lapic_address + reg) = value;
}

void
lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

void
lapic_start(void)
{
	write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | 1u << 11);
	lapic_write(LAPIC_TASK_PRIORITY, 0);
	lapic_write(LAPIC_LINT0, LAPIC_MASKED);
	lapic_write(LAPIC_LINT1, LAPIC_LVT_NMI);
	lapic_write(LAPIC_ERROR, LAPIC_MASKED);
	lapic_write(LAPIC_TIMER_DIVIDE, 0xb);	/* by 1 */
	lapic_write(LAPIC_TIMER, VECTOR_TIMER);
	lapic_write(LAPIC_SPURIOUS, LAPIC_ENABLE | VECTOR_SPURIOUS);
}

void
lapic_send(unsigned apic_id, uint32_t delivery)
{
	while (lapic_read(LAPIC_COMMAND) & LAPIC_PENDING)
		__asm__ volatile("pause");
	lapic_write(LAPIC_COMMAND_HIGH, apic_id << 24);
	lapic_write(LAPIC_COMMAND, delivery);
}

void
arch_ipi_resched(unsigned cpu)
{
	lapic_send(cpu_table[cpu].arch.apic_id,
	    LAPIC_DELIVER_FIXED | VECTOR_RESCHED);
}

static uint32_t
ioapic_read(const struct ioapic *ioapic, unsigned reg)
{
	volatile uint32_t *window = direct_map(ioapic->base);

	window[0] = reg;
	return window[4];
}

static void
ioapic_write(const struct ioapic *ioapic, unsigned reg, uint32_t value)
{
	volatile uint32_t *window = direct_map(ioapic->base);

	window[0] = reg;
	window[4] = value;
}

BOOT_CODE void
ioapic_add(paddr_t base, unsigned first_line)
{
	for (unsigned i = 0; i < IOAPIC_MAX; i++) {
		if (ioapics[i].base != 0)
			continue;
		ioapics[i].base = base;
		ioapics[i].first = first_line;
		return;
	}
}

paddr_t
ioapic_base(unsigned index)
{
	return index < IOAPIC_MAX ? ioapics[index].base : 0;
}

/* flags as in the MADT: polarity in bits 0..1, trigger mode in bits 2..3. */
BOOT_CODE void
ioapic_override(unsigned isa, unsigned line, unsigned flags)
{
	if (isa >= 16)
		return;
	isa_lines[isa] = (struct isa_line){
		.wired = (uint8_t)line,
		.mode = (uint16_t)(((flags & 3) == 3 ? ENTRY_LOW_ACTIVE : 0) |
		    ((flags >> 2 & 3) == 3 ? ENTRY_LEVEL : 0)),
		.set = true,
	};
}

static unsigned
line_mode(unsigned line)
{
	if (line >= 16)
		return ENTRY_LEVEL | ENTRY_LOW_ACTIVE;
	return isa_lines[line].mode;
}

/* Writes the routing entry of a line; keep = bits that come from the line. */
static void
line_route(unsigned line, unsigned bits)
{
	unsigned wired = line;

	if (line < 16 && isa_lines[line].set)
		wired = isa_lines[line].wired;
	for (unsigned i = 0; i < IOAPIC_MAX; i++) {
		const struct ioapic *ioapic = &ioapics[i];
		unsigned at = wired - ioapic->first;

		if (ioapic->base == 0 || at >= ioapic->count)
			continue;
		lock_acquire(&line_lock);
		ioapic_write(ioapic, 0x11 + 2 * at,
		    cpu_table[0].arch.apic_id << 24);
		ioapic_write(ioapic, 0x10 + 2 * at,
		    (VECTOR_LINE + line) | line_mode(line) | bits);
		lock_release(&line_lock);
	}
}

void
arch_irq_mask(unsigned line)
{
	if (line < line_count)
		line_route(line, ENTRY_MASKED);
}

void
arch_irq_unmask(unsigned line)
{
	if (line < line_count)
		line_route(line, 0);
}

void
ioapic_quiet(unsigned line)
{
	if (line_mode(line) & ENTRY_LEVEL)
		arch_irq_mask(line);
}

unsigned
arch_irq_count(void)
{
	return line_count;
}

/*
 * The legacy controllers are moved off the exception vectors before they are
 * masked: firmware leaves them live, and one may still deliver a spurious
 * interrupt.
 */
BOOT_CODE static void
pic_silence(void)
{
	static const struct { uint8_t port, value; } script[] BOOT_RODATA = {
		{ 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, 0xf8 }, { 0xa1, 0xf8 },
		{ 0x21, 0x04 }, { 0xa1, 0x02 }, { 0x21, 0x01 }, { 0xa1, 0x01 },
		{ 0x21, 0xff }, { 0xa1, 0xff },
	};

	for (unsigned i = 0; i < sizeof(script) / sizeof(script[0]); i++)
		out8(script[i].port, script[i].value);
}

BOOT_CODE void
irq_controllers_start(void)
{
	pic_silence();
	for (unsigned i = 0; i < IOAPIC_MAX; i++) {
		struct ioapic *ioapic = &ioapics[i];

		if (ioapic->base == 0)
			continue;
		ioapic->count = (ioapic_read(ioapic, 1) >> 16 & 0xff) + 1;
		for (unsigned at = 0; at < ioapic->count; at++)
			ioapic_write(ioapic, 0x10 + 2 * at, ENTRY_MASKED);
		if (ioapic->first + ioapic->count > line_count)
			line_count = ioapic->first + ioapic->count;
	}
	if (line_count > LINE_MAX)
		line_count = LINE_MAX;
}
