/* SPDX-License-Identifier: MIT */
/* Instructions and register bits of the processor. */
#pragma once

#include <stdint.h>

#define CR0_PE			(1ul << 0)
#define CR0_MP			(1ul << 1)
#define CR0_TS			(1ul << 3)
#define CR0_ET			(1ul << 4)
#define CR0_NE			(1ul << 5)
#define CR0_WP			(1ul << 16)
#define CR0_PG			(1ul << 31)

#define CR4_PAE			(1ul << 5)
#define CR4_MCE			(1ul << 6)
#define CR4_PGE			(1ul << 7)
#define CR4_OSFXSR		(1ul << 9)
#define CR4_OSXMMEXCPT		(1ul << 10)
#define CR4_UMIP		(1ul << 11)
#define CR4_FSGSBASE		(1ul << 16)
#define CR4_OSXSAVE		(1ul << 18)
#define CR4_SMEP		(1ul << 20)
#define CR4_SMAP		(1ul << 21)
#define CR4_PKE			(1ul << 22)

#define RFLAGS_FIXED		(1ul << 1)
#define RFLAGS_TF		(1ul << 8)
#define RFLAGS_IF		(1ul << 9)
#define RFLAGS_DF		(1ul << 10)
#define RFLAGS_NT		(1ul << 14)
#define RFLAGS_AC		(1ul << 18)

#define MSR_APIC_BASE		0x1bu
#define MSR_SYSENTER_CS		0x174u
#define MSR_EFER		0xc0000080u
#define MSR_STAR		0xc0000081u
#define MSR_LSTAR		0xc0000082u
#define MSR_CSTAR		0xc0000083u
#define MSR_SFMASK		0xc0000084u
#define MSR_FS_BASE		0xc0000100u
#define MSR_GS_BASE		0xc0000101u
#define MSR_KERNEL_GS_BASE	0xc0000102u

#define PTE_PRESENT		(1ul << 0)
#define PTE_WRITE		(1ul << 1)
#define PTE_USER		(1ul << 2)
#define PTE_UNCACHED		(3ul << 3)	/* PCD, PWT */
#define PTE_ACCESSED		(1ul << 5)
#define PTE_DIRTY		(1ul << 6)
#define PTE_LARGE		(1ul << 7)
#define PTE_GLOBAL		(1ul << 8)
#define PTE_PKEY_SHIFT		59
#define PTE_NX			(1ul << 63)
#define PTE_FRAME		0x000ffffffffff000ul

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid
cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx),
	    "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t
read_msr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void
write_msr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value),
	    "d"((uint32_t)(value >> 32)) : "memory");
}

#define X86_REGISTER(name, register)				\
	static inline uint64_t					\
	read_##name(void)					\
	{							\
		uint64_t v;					\
								\
		__asm__ volatile("movq %%" register ", %0" : "=r"(v)); \
		return v;					\
	}							\
	static inline void					\
	write_##name(uint64_t v)				\
	{							\
		__asm__ volatile("movq %0, %%" register : : "r"(v) \
		    : "memory");				\
	}

X86_REGISTER(cr0, "cr0")
X86_REGISTER(cr2, "cr2")
X86_REGISTER(cr3, "cr3")
X86_REGISTER(cr4, "cr4")

static inline uint64_t
read_tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static inline uint32_t
read_pkru(void)
{
	uint32_t value, high;

	__asm__ volatile("rdpkru" : "=a"(value), "=d"(high) : "c"(0));
	return value;
}

static inline void
write_pkru(uint32_t value)
{
	__asm__ volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

static inline void
clear_ts(void)
{
	__asm__ volatile("clts");
}

static inline void
invalidate_page(uint64_t address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline uint8_t
in8(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline uint32_t
in32(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}

static inline void
out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
