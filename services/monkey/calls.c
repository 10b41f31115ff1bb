/* SPDX-License-Identifier: MIT */
/*
 * The monkey: system calls with arguments that are random, nearly right, or
 * right. It acts in a table of its own that holds one object of each type, so
 * whatever it breaks is its own.
 */
#include "monkey.h"

static const uint64_t edges[] = {
	0, 1, 2, 63, 64, 0xfff, 0x1000, 0x1001, USER_LOW, USER_HIGH - 0x1000,
	USER_HIGH, 0x7ffffffffffful, 0x800000000000ul, 0xffff800000000000ul,
	0xffffffff80000000ul, ~0ul, ~0ul - 1, ~0xffful, 1ul << 63, 1ul << 42,
	PLACE_UTCB, PLACE_HEAP_BASE, PLACE_IMAGE_BASE, PLACE_STACK_TOP,
};

static uint64_t
argument(void)
{
	uint64_t r = random_next();

	switch (r % 8) {
	case 0:
		return random_next();
	case 1:
		return edges[(r >> 8) % (sizeof(edges) / sizeof(edges[0]))];
	case 2:
		return (r >> 8) % 64;
	case 3:
		return ((r >> 8) % 256) * PAGE_SIZE;
	case 4:
		return PLACE_HEAP_BASE + ((r >> 8) % 64) * PAGE_SIZE;
	default:
		return SHARED->handles[(r >> 8) % SHARED->handle_count];
	}
}

static void
random_utcb(void)
{
	struct utcb *utcb = (struct utcb *)PLACE_UTCB;

	for (unsigned i = 0; i < 4; i++)
		utcb->caps_out[i] = argument();
	for (unsigned i = 0; i < 2; i++)
		utcb->windows[i] = (struct window){ argument(), argument() };
	utcb->reply_caps = random_next() % 8;
	for (unsigned i = 0; i < 256; i += 8)
		*(uint64_t *)&utcb->data[i] = argument();
	if (random_next() % 16 == 0)
		for (unsigned i = 0; i < sizeof(utcb->frame); i += 8)
			((uint64_t *)&utcb->frame)[i / 8] = argument();
}

static void
remember(uint64_t cap)
{
	struct shared *shared = SHARED;

	if (CAP_GENERATION(cap) == 0 || CAP_INDEX(cap) > 4096)
		return;
	if (shared->handle_count < HANDLES)
		shared->handles[shared->handle_count++] = cap;
	else
		shared->handles[random_next() % HANDLES] = cap;
}

void
monkey_run(void)
{
	for (;;) {
		uint64_t number = random_next() % (SYSCALL_COUNT + 2);
		/* The line of the kernel log is no place for noise. */
		if (number == SYS_LOG_WRITE)
			continue;
		if (random_next() % 4 == 0)
			random_utcb();
		SHARED->calls++;
		struct sys_result r = sys_invoke((long)number, argument(),
		    argument(), argument(), argument(), argument(), argument());
		if (r.status == OK) {
			SHARED->ok++;
			if (number == SYS_OBJECT_CREATE ||
			    number == SYS_CAP_COPY || number == SYS_MEMORY_CLONE)
				remember(r.value[0]);
		} else {
			SHARED->refused++;
		}
	}
}
