/* SPDX-License-Identifier: MIT */
/*
 * Time: the time stamp counter, taken to be constant and the same on all CPUs,
 * and the one-shot timer of each local APIC.
 *
 * Both are measured against a timer of known frequency (ACPI power management
 * timer, else the PIT) over 1.5 ms. A measurement starts and ends at a change
 * of the reference counter, and of several changes the one whose reading took
 * least time is used, so that a host that stops us in between does no harm.
 */
#include <abi/boot.h>
#include <machine/machine.h>

#define NS_PER_SECOND	1000000000ul
#define PM_TIMER_HZ	3579545u
#define PIT_HZ		1193182u
#define SAMPLES		8u
#define PATIENCE	20000u		/* reads until a timer counts as absent */

uint64_t tsc_hz, lapic_hz;

static uint64_t tsc_base;
static uint64_t ns_per_tick;	/* 32.32 fixed point */
static uint64_t lapic_per_ns;	/* 32.32 fixed point */

static uint64_t
scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)((unsigned __int128)value * factor >> 32);
}

uint64_t
arch_tsc(void)
{
	return read_tsc();
}

uint64_t
arch_tsc_hz(void)
{
	return tsc_hz;
}

uint64_t
arch_clock_now(void)
{
	uint64_t now = read_tsc();

	/* Another CPU's counter may lag a little behind tsc_base at start. */
	return now > tsc_base ? scale(now - tsc_base, ns_per_tick) : 0;
}

void
arch_clock_page_fill(struct clock_page *page, uint64_t wall_clock_s)
{
	uint64_t now = arch_clock_now();

	page->sequence = 0;
	page->tsc_base = tsc_base;
	page->ns_base = 0;
	page->mult = ns_per_tick;
	page->wall_offset_ns = wall_clock_s == 0 ? 0 :
	    wall_clock_s * NS_PER_SECOND - now;
}

void
arch_timer_arm(uint64_t deadline_ns)
{
	uint64_t now = arch_clock_now();
	uint64_t ticks = 1;

	this_cpu()->arch.timer_deadline_ns = deadline_ns;
	if (deadline_ns == DEADLINE_NEVER) {
		lapic_write(LAPIC_TIMER_INITIAL, 0);
		return;
	}
	if (deadline_ns > now)
		ticks += scale(deadline_ns - now, lapic_per_ns);
	/* Too long for the counter: timer_interrupt() arms it again. */
	if (deadline_ns > now + NS_PER_SECOND * 1000 || ticks > 0xffffffffu)
		ticks = 0xffffffffu;
	lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)ticks);
}

/* --- Boot stage: calibration. --- */

struct sample {
	uint64_t tsc;
	uint32_t count, lapic;
};

/* Counts up; how many bits are valid depends on the timer. */
BOOT_CODE static uint32_t
reference_read(void)
{
	if (platform.pm_timer_port != 0)
		return in32(platform.pm_timer_port);
	out8(0x43, 0x80);		/* latch channel 2 */
	uint32_t low = in8(0x42);
	return ~(low | (uint32_t)in8(0x42) << 8);
}

BOOT_CODE static bool
sample_edge(uint32_t mask, struct sample *out)
{
	uint32_t old = reference_read() & mask;

	for (unsigned left = PATIENCE; left > 0; left--) {
		out->count = reference_read() & mask;
		if (out->count == old)
			continue;
		out->tsc = read_tsc();
		out->lapic = lapic_read(LAPIC_TIMER_CURRENT);
		return true;
	}
	return false;
}

/* Of several samples the one that took least time, so nobody stopped us in it. */
BOOT_CODE static bool
sample_best(uint32_t mask, struct sample *out)
{
	uint64_t best = ~0ul;

	for (unsigned i = 0; i < SAMPLES; i++) {
		struct sample sample;
		uint64_t before = read_tsc();

		if (!sample_edge(mask, &sample))
			return false;
		if (sample.tsc - before < best) {
			best = sample.tsc - before;
			*out = sample;
		}
	}
	return true;
}

BOOT_CODE static bool
measure(uint32_t hz, uint32_t mask)
{
	struct sample from, to;
	uint64_t count = 0;

	if (!sample_best(mask, &from))
		return false;
	while (count < hz * 3ul / 2000)
		count = (reference_read() - from.count) & mask;
	if (!sample_best(mask, &to))
		return false;
	count = (to.count - from.count) & mask;
	tsc_hz = ((to.tsc - from.tsc) * hz + count / 2) / count;
	lapic_hz = ((uint64_t)(from.lapic - to.lapic) * hz + count / 2) /
	    count;
	return true;
}

/* The APIC timer as its own reference: again the quickest of several reads. */
BOOT_CODE static struct sample
sample_blind(void)
{
	struct sample best = { 0 };
	uint64_t shortest = ~0ul;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = read_tsc();
		uint32_t lapic = lapic_read(LAPIC_TIMER_CURRENT);
		uint64_t after = read_tsc();

		if (after - before >= shortest)
			continue;
		shortest = after - before;
		best.tsc = before + shortest / 2;
		best.lapic = lapic;
	}
	return best;
}

/*
 * No reference timer (microvm without PIT): what the processor tells, else
 * QEMU's fixed 1 GHz APIC clock as the reference.
 */
BOOT_CODE static void
measure_blind(void)
{
	struct sample from = sample_blind(), to;

	do
		to = sample_blind();
	while (from.lapic - to.lapic < 1500000);
	lapic_hz = NS_PER_SECOND;
	tsc_hz = (to.tsc - from.tsc) * lapic_hz / (from.lapic - to.lapic);
	if ((cpuid(1, 0).ecx >> 31) == 0 && cpuid(0, 0).eax >= 0x16 &&
	    cpuid(0x16, 0).eax != 0) {
		uint64_t told = cpuid(0x16, 0).eax * 1000000ul;

		lapic_hz = lapic_hz * told / tsc_hz;
		tsc_hz = told;
	}
}

BOOT_CODE void
clock_calibrate(void)
{
	bool done;

	lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
	tsc_base = read_tsc();
	if (platform.pm_timer_port != 0) {
		done = measure(PM_TIMER_HZ, 0xffffff);
		if (!done)
			platform.pm_timer_port = 0;
	} else {
		done = false;
	}
	if (!done) {
		/* Channel 2: gate on, speaker off; counts down from 65536. */
		out8(0x61, (in8(0x61) & ~2u) | 1u);
		out8(0x43, 0xb4);
		out8(0x42, 0);
		out8(0x42, 0);
		done = measure(PIT_HZ, 0xffff);
	}
	if (!done)
		measure_blind();
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	ns_per_tick = (NS_PER_SECOND << 32) / tsc_hz;
	lapic_per_ns = (lapic_hz << 32) / NS_PER_SECOND;
}

/* --- Boot stage: the battery clock. --- */

BOOT_CODE static unsigned
cmos_read(unsigned reg)
{
	out8(0x70, (uint8_t)reg);
	return in8(0x71);
}

BOOT_CODE static unsigned
cmos_field(unsigned reg, bool binary)
{
	unsigned value = cmos_read(reg);

	return binary ? value : (value >> 4) * 10 + (value & 15);
}

/* Days since 1970-01-01 of a Gregorian date. */
BOOT_CODE static uint64_t
days_from_date(unsigned year, unsigned month, unsigned day)
{
	year -= month <= 2;
	unsigned shifted = (month + 9) % 12;	/* March is 0 */
	uint64_t days = 365ul * year + year / 4 - year / 100 + year / 400;

	return days + (153 * shifted + 2) / 5 + day - 1 - 719468;
}

BOOT_CODE uint64_t
wall_clock_read(void)
{
	for (unsigned left = PATIENCE; cmos_read(10) & 0x80; left--)
		if (left == 0)
			return 0;	/* no such clock */
	unsigned mode = cmos_read(11);
	bool binary = (mode & 4) != 0;
	unsigned hour = cmos_read(4);
	bool afternoon = (mode & 2) == 0 && (hour & 0x80) != 0;
	unsigned month = cmos_field(8, binary);

	hour &= 0x7f;
	if (!binary)
		hour = (hour >> 4) * 10 + (hour & 15);
	if ((mode & 2) == 0)
		hour = hour % 12 + (afternoon ? 12 : 0);
	if (month < 1 || month > 12 || hour > 23)
		return 0;
	uint64_t days = days_from_date(2000 + cmos_field(9, binary), month,
	    cmos_field(7, binary));
	return ((days * 24 + hour) * 60 + cmos_field(2, binary)) * 60 +
	    cmos_field(0, binary);
}
