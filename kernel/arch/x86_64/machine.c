/* SPDX-License-Identifier: MIT */
/* Ports, the log's serial line, memory copies, random seed, the way out. */
#include <abi/utcb.h>
#include <machine/machine.h>

#define COM1			0x3f8
#define COM1_STATUS		(COM1 + 5)
#define COM1_EMPTY		0x20u
#define COM1_PATIENCE		100000u

#define DEBUG_EXIT_PORT		0xf4
#define DEBUG_EXIT_SUCCESS	0x10	/* the emulator returns 33 */
#define DEBUG_EXIT_FAILURE	0x11	/* 35 */

/* All copies are by words: REP MOVSB is several times slower emulated. */
void
arch_page_clear(void *page)
{
	uint64_t count = PAGE_SIZE / 8;

	__asm__ volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0)
	    : "memory");
}

void
arch_copy(void *destination, const void *source, size_t length)
{
	size_t words = length / 8;
	size_t rest = length % 8;

	__asm__ volatile("rep movsq\n\tmovq %3, %%rcx\n\trep movsb"
	    : "+D"(destination), "+S"(source), "+c"(words) : "r"(rest)
	    : "memory");
}

void
arch_page_copy(void *destination, const void *source)
{
	arch_copy(destination, source, PAGE_SIZE);
}

uint64_t
arch_port_in(unsigned port, unsigned width)
{
	uint16_t at = (uint16_t)port, half;

	if (width == 1)
		return in8(at);
	if (width == 4)
		return in32(at);
	__asm__ volatile("inw %1, %0" : "=a"(half) : "Nd"(at));
	return half;
}

void
arch_port_out(unsigned port, unsigned width, uint64_t value)
{
	uint16_t at = (uint16_t)port;

	if (width == 1)
		out8(at, (uint8_t)value);
	else if (width == 4)
		__asm__ volatile("outl %0, %1" : : "a"((uint32_t)value),
		    "Nd"(at));
	else
		__asm__ volatile("outw %0, %1" : : "a"((uint16_t)value),
		    "Nd"(at));
}

void
arch_port_out_bytes(unsigned port, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		out8((uint16_t)port, bytes[i]);
}

/* The line speed is whatever it was; a machine without COM1 costs a wait. */
void
arch_console_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		for (unsigned left = COM1_PATIENCE; left > 0; left--)
			if (in8(COM1_STATUS) & COM1_EMPTY)
				break;
		out8(COM1, (uint8_t)text[i]);
	}
}

static uint64_t
random_word(bool generator)
{
	uint64_t word;
	uint8_t ok;

	for (unsigned left = 16; generator && left > 0; left--) {
		__asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(word),
		    "=q"(ok));
		if (ok)
			return word;
	}
	/* Timing noise of port reads, one bit or so each. */
	word = read_tsc();
	for (unsigned i = 0; i < 64; i++) {
		(void)in8(0x80);
		word ^= read_tsc();
		word *= 0x9e3779b97f4a7c15ul;
		word ^= word >> 29;
	}
	return word;
}

void
arch_random(uint8_t out[32])
{
	bool generator = (arch_cpu_features() & CPU_FEATURE_RDRAND) != 0;

	for (unsigned i = 0; i < 32; i += 8) {
		uint64_t word = random_word(generator);

		arch_copy(out + i, &word, 8);
	}
}

_Noreturn void
arch_exit(unsigned code)
{
	out8(DEBUG_EXIT_PORT, code == 0 ? DEBUG_EXIT_SUCCESS :
	    DEBUG_EXIT_FAILURE);
	arch_halt_all();
}
