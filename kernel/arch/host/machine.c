/* SPDX-License-Identifier: MIT */
/*
 * Host architecture, the rest of the machine: clock, timers, ports, lines and
 * the switch of threads are records that a test reads and sets.
 */
#include "host.h"
#include <kernel/core/frame.h>
#include <kernel/core/panic.h>
#include <kernel/object/container.h>
#include <kernel/object/thread.h>
#include <kernel/object/vspace.h>
#include <abi/boot.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct host_machine host_machine = { .random_seed = 1 };

_Thread_local jmp_buf host_panic_jump;
_Thread_local bool host_panic_armed, host_panic_seen;

/* --- Panics. --- */

bool
host_panic_caught(void)
{
	host_panic_armed = false;
	return host_panic_seen;
}

static void
take_expected_panic(void)
{
	if (!host_panic_armed)
		return;
	host_panic_armed = false;
	host_panic_seen = true;
	longjmp(host_panic_jump, 1);
}

/* For programs without the kernel's own, which ends in arch_exit(). */
__attribute__((weak)) _Noreturn void
kernel_panic(const char *format, ...)
{
	va_list arguments;
	char text[256];
	int length;

	va_start(arguments, format);
	length = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	arch_console_write(text, length < (int)sizeof(text) ?
	    (size_t)length : sizeof(text) - 1);
	arch_console_write("\n", 1);
	arch_halt_all();
}

/* The last words of the kernel, oldest first. */
static void
console_show(void)
{
	uint64_t end = host_machine.console_length;
	uint64_t at = end > HOST_CONSOLE ? end - HOST_CONSOLE : 0;

	for (; at < end; at++)
		fputc(host_machine.console[at % HOST_CONSOLE], stderr);
}

_Noreturn void
arch_halt_all(void)
{
	take_expected_panic();
	console_show();
	abort();
}

_Noreturn void
arch_exit(unsigned code)
{
	take_expected_panic();
	if (host_machine.exit != NULL)
		host_machine.exit(code);
	if (code != 0)
		console_show();
	exit((int)code);
}

/* --- Time, interrupts, waiting. --- */

uint64_t
arch_clock_now(void)
{
	return __atomic_load_n(&host_machine.clock_ns, __ATOMIC_RELAXED);
}

uint64_t
arch_tsc(void)
{
	return arch_clock_now();
}

uint64_t
arch_tsc_hz(void)
{
	return 1000000000;
}

void
arch_clock_page_fill(struct clock_page *page, uint64_t wall_clock_s)
{
	*page = (struct clock_page){
		.tsc_base = arch_tsc(),
		.ns_base = arch_clock_now(),
		.mult = 1ul << 32,
		.wall_offset_ns = wall_clock_s * 1000000000 - arch_clock_now(),
	};
}

void
arch_timer_arm(uint64_t deadline_ns)
{
	this_cpu()->arch.timer_deadline_ns = deadline_ns;
}

void
arch_idle_wait(void)
{
	if (host_machine.idle == NULL)
		kernel_panic("host: idle, and nothing will happen");
	host_machine.idle();
}

void
arch_interrupt_window(void)
{
}

void
arch_spin_relax(void)
{
	sched_yield();
}

void
arch_ipi_resched(unsigned cpu)
{
	__atomic_or_fetch(&host_machine.ipi_mask, 1ul << cpu,
	    __ATOMIC_SEQ_CST);
}

void
arch_start_secondary_cpus(void)
{
}

_Noreturn void
arch_enter_user(void)
{
	if (host_machine.enter_user != NULL)
		host_machine.enter_user();
	kernel_panic("host: there is no user mode");
}

unsigned
arch_irq_count(void)
{
	return sizeof(host_machine.irq_masked) * 8;
}

void
arch_irq_mask(unsigned line)
{
	host_machine.irq_masked[line / 64] |= 1ul << line % 64;
}

void
arch_irq_unmask(unsigned line)
{
	host_machine.irq_masked[line / 64] &= ~(1ul << line % 64);
}

/* --- Threads. --- */

void
arch_switch(struct cpu *cpu, struct thread *next)
{
	struct vspace *vspace = next == NULL ? NULL : next->vspace;

	if (cpu->arch.vspace != vspace) {
		if (cpu->arch.vspace != NULL)
			host_space_leave(cpu->arch.vspace);
		if (vspace != NULL)
			host_space_enter(vspace);
		cpu->cr3_loads++;
	}
	cpu->current = next;
}

void
arch_fpu_flush(struct cpu *cpu)
{
	(void)cpu;
}

status_t
arch_thread_init(struct thread *thread)
{
	status_t status = container_charge_frames(thread->object.container, 1);

	if (status != OK)
		return status;
	thread->arch.fpu_area = frame_alloc();
	if (thread->arch.fpu_area == FRAME_NONE) {
		container_release_frames(thread->object.container, 1);
		return ERR_NOMEM;
	}
	thread->arch.fpu_cpu = FPU_NOWHERE;
	thread->arch.frame_full = 1;
	return OK;
}

void
arch_thread_destroy(struct thread *thread)
{
	if (thread->arch.fpu_area == FRAME_NONE)
		return;
	frame_release(thread->arch.fpu_area);
	container_release_frames(thread->object.container, 1);
	thread->arch.fpu_area = FRAME_NONE;
}

void
arch_thread_set_personality(struct thread *thread,
    const struct thread_setup *setup)
{
	thread->arch.native_low = setup->native_low;
	thread->arch.native_high = setup->native_high;
	thread->arch.redirect_entry = setup->redirect_entry;
	thread->arch.utcb = thread->utcb;
}

void
arch_thread_get_bases(struct thread *thread)
{
	(void)thread;
}

void
arch_frame_sanitize(struct thread *thread)
{
	thread->frame.rflags = (thread->frame.rflags & 0xcd5) | 0x202;
	if (thread->frame.rip >= USER_HIGH)
		thread->frame.rip = 0;
	thread->arch.frame_full = 1;
}

/* --- Ports, noise, console. --- */

static void
port_record(bool out, unsigned port, unsigned width, uint64_t value)
{
	host_machine.ports[host_machine.port_count++ % HOST_EVENTS] =
	    (struct host_port_access){
		.out = out, .port = port, .width = width, .value = value,
	};
}

uint64_t
arch_port_in(unsigned port, unsigned width)
{
	port_record(false, port, width, host_machine.port_value);
	return host_machine.port_value;
}

void
arch_port_out(unsigned port, unsigned width, uint64_t value)
{
	port_record(true, port, width, value);
}

void
arch_port_out_bytes(unsigned port, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		port_record(true, port, 1, bytes[i]);
}

void
arch_random(uint8_t out[32])
{
	for (unsigned i = 0; i < 32; i++) {
		host_machine.random_seed = host_machine.random_seed *
		    6364136223846793005ul + 1442695040888963407ul;
		out[i] = (uint8_t)(host_machine.random_seed >> 56);
	}
}

uint64_t
arch_cpu_features(void)
{
	return CPU_FEATURE_PKU | CPU_FEATURE_SMAP;
}

void
arch_console_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		host_machine.console[host_machine.console_length++ %
		    HOST_CONSOLE] = text[i];
}

void
arch_backtrace(void (*emit)(uint64_t return_address))
{
	(void)emit;
}

/* --- Types that a test does without. --- */

#define ABSENT_TYPE(name) \
	__attribute__((weak)) bool \
	name##_destroy(struct object *object) \
	{ \
		(void)object; \
		return true; \
	}

ABSENT_TYPE(table)
ABSENT_TYPE(thread)
ABSENT_TYPE(endpoint)
ABSENT_TYPE(reply)
ABSENT_TYPE(notification)
ABSENT_TYPE(eventpair)
ABSENT_TYPE(death)
ABSENT_TYPE(irq)
ABSENT_TYPE(timer)
ABSENT_TYPE(ioport)
