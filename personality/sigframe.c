/* SPDX-License-Identifier: MIT */
/*
 * The stack frame of a signal handler, as Linux lays it out on x86-64: from the
 * top, vector state (64-byte aligned, with the software bytes that say how much
 * of it there is), struct linux_sigframe, whose first word is the return
 * address of the handler. The stack pointer is 8 below a multiple of 16, as
 * after a call.
 */
#include "signals.h"

#include "own.h"
#include "thread.h"
#include "user.h"

#include <lib/base/string.h>

#define RED_ZONE	128u
#define USER_CS		0x33
#define USER_SS		0x2b
#define RFLAGS_KEEP	0x50dd5ul	/* what sigreturn may set */
#define RFLAGS_USER	0x202ul
#define XSAVE_HEADER	512u
#define MXCSR_AT	24u
#define MXCSR_MASK	0xffffu
#define CANONICAL_END	0x800000000000ul

static uint8_t vector_area[THREAD_VECTOR_MAX + 64]
    __attribute__((aligned(64)));

struct sigframe_place
sigframe_place(uint64_t sp, uint64_t vector_bytes)
{
	struct sigframe_place place;

	place.vector_state = (sp - vector_bytes) & ~63ul;
	place.frame = ((place.vector_state - sizeof(struct linux_sigframe)) &
	    ~15ul) - 8;
	return place;
}

static bool
on_alternate(uint64_t sp)
{
	const struct linux_stack *a = &signal_state.alternate;

	return (a->flags & (L_SS_DISABLE | L_SS_AUTODISARM)) == 0 &&
	    sp > a->sp && sp - a->sp <= a->size;
}

static uint64_t
stack_for(const struct user_frame *frame, uint64_t flags)
{
	const struct linux_stack *a = &signal_state.alternate;

	if ((flags & L_SA_ONSTACK) != 0 && (a->flags & L_SS_DISABLE) == 0 &&
	    !on_alternate(frame->rsp))
		return a->sp + a->size;
	return frame->rsp - RED_ZONE;
}

/* What was to lie on the alternate stack reaches below it. */
static bool
overflows(const struct user_frame *frame, uint64_t flags, uint64_t place)
{
	const struct linux_stack *a = &signal_state.alternate;
	uint64_t top = stack_for(frame, flags);

	return (a->flags & L_SS_DISABLE) == 0 && top > a->sp &&
	    top - a->sp <= a->size && place < a->sp;
}

/* Bytes of the state in memory: XSAVE areas end in a second magic number. */
static uint64_t
vector_bytes(void)
{
	return thread_vector_size() + (thread_vector_mask() != 0 ? 4 : 0);
}

static void
fill_vector_state(void)
{
	uint64_t size = thread_vector_size();
	struct linux_xstate_software software = { 0 };

	thread_vector_save(vector_area);
	if (thread_vector_mask() != 0) {
		software = (struct linux_xstate_software){
			.magic1 = L_XSTATE_MAGIC1,
			.extended_size = (uint32_t)size + 4,
			.features = thread_vector_mask(),
			.size = (uint32_t)size,
		};
		memcpy(vector_area + size, &(uint32_t){ L_XSTATE_MAGIC2 }, 4);
	}
	memcpy(vector_area + L_XSTATE_SOFTWARE_AT, &software,
	    sizeof(software));
}

static void
fill_registers(const struct user_frame *f, uint64_t mask, uint64_t state,
    struct linux_sigcontext *out)
{
	*out = (struct linux_sigcontext){
		.r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11,
		.r12 = f->r12, .r13 = f->r13, .r14 = f->r14, .r15 = f->r15,
		.rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx,
		.rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp,
		.rip = f->rip, .rflags = f->rflags,
		.cs = USER_CS, .ss = USER_SS,
		.error = f->error, .vector = f->vector, .old_mask = mask,
		.cr2 = f->address, .vector_state = state,
	};
}

bool
sigframe_push(struct user_frame *frame, const struct linux_sigaction *act,
    const struct linux_siginfo *info, uint64_t mask)
{
	static struct linux_sigframe out;
	struct linux_stack *alternate = &signal_state.alternate;

	uint64_t restorer = (act->flags & L_SA_RESTORER) != 0 ?
	    act->restorer : own_restorer();

	if (restorer == 0)
		return false;
	struct sigframe_place place = sigframe_place(
	    stack_for(frame, act->flags), vector_bytes());
	if (overflows(frame, act->flags, place.frame))
		return false;
	fill_vector_state();
	out = (struct linux_sigframe){
		.restorer = restorer,
		.context = {
			.flags = L_UC_SIGCONTEXT_SS | L_UC_STRICT_RESTORE_SS |
			    (thread_vector_mask() != 0 ? L_UC_FP_XSTATE : 0),
			.stack = *alternate,
			.mask = mask,
		},
		.info = *info,
	};
	fill_registers(frame, mask, place.vector_state,
	    &out.context.registers);
	if (user_write((void *)place.vector_state, vector_area,
	    vector_bytes()) != 0 ||
	    user_write((void *)place.frame, &out, sizeof(out)) != 0)
		return false;
	if ((alternate->flags & L_SS_AUTODISARM) != 0)
		*alternate = (struct linux_stack){ .flags = L_SS_DISABLE };
	frame->rdi = (uint64_t)info->signo;
	frame->rsi = place.frame + offsetof(struct linux_sigframe, info);
	frame->rdx = place.frame + offsetof(struct linux_sigframe, context);
	frame->rax = 0;
	frame->rip = act->handler;
	frame->rsp = place.frame;
	frame->rflags = RFLAGS_USER;
	return true;
}

/* The program may have changed it: only what the processor takes is used. */
static bool
load_vector_state(uint64_t address)
{
	struct linux_xstate_software software;
	uint64_t size = thread_vector_size();
	uint64_t header[8];
	uint32_t mxcsr;

	if (address == 0) {
		thread_vector_reset();
		return true;
	}
	if (user_read(vector_area, (void *)address, XSAVE_HEADER) != 0)
		return false;
	memcpy(&mxcsr, vector_area + MXCSR_AT, 4);
	mxcsr &= MXCSR_MASK;
	memcpy(vector_area + MXCSR_AT, &mxcsr, 4);
	if (thread_vector_mask() == 0)
		return thread_vector_load(vector_area) == 0;
	memset(header, 0, sizeof(header));
	memcpy(&software, vector_area + L_XSTATE_SOFTWARE_AT,
	    sizeof(software));
	if (software.magic1 == L_XSTATE_MAGIC1 && software.size == size) {
		if (user_read(vector_area + XSAVE_HEADER,
		    (uint8_t *)address + XSAVE_HEADER, size - XSAVE_HEADER) != 0)
			return false;
		memcpy(&header[0], vector_area + XSAVE_HEADER, 8);
		header[0] &= thread_vector_mask();
	} else {
		header[0] = 3;	/* only what FXSAVE has */
	}
	memcpy(vector_area + XSAVE_HEADER, header, sizeof(header));
	return thread_vector_load(vector_area) == 0;
}

bool
sigframe_pop(uint64_t address, struct user_frame *frame, uint64_t *out_mask)
{
	static struct linux_ucontext context;
	const struct linux_sigcontext *r = &context.registers;

	if (user_read(&context, (uint8_t *)address +
	    offsetof(struct linux_sigframe, context), sizeof(context)) != 0 ||
	    r->rip >= CANONICAL_END || !load_vector_state(r->vector_state))
		return false;
	*frame = (struct user_frame){
		.rax = r->rax, .rbx = r->rbx, .rcx = r->rcx, .rdx = r->rdx,
		.rsi = r->rsi, .rdi = r->rdi, .rbp = r->rbp, .r8 = r->r8,
		.r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12,
		.r13 = r->r13, .r14 = r->r14, .r15 = r->r15, .rip = r->rip,
		.rflags = (r->rflags & RFLAGS_KEEP) | RFLAGS_USER,
		.rsp = r->rsp, .fs_base = thread_fs_base(),
	};
	if ((context.stack.flags & ~(L_SS_ONSTACK | L_SS_AUTODISARM)) == 0) {
		signal_state.alternate = context.stack;
		signal_state.alternate.flags &= ~(uint32_t)L_SS_ONSTACK;
	} else if ((context.stack.flags & L_SS_DISABLE) != 0) {
		signal_state.alternate = (struct linux_stack){
			.flags = L_SS_DISABLE };
	}
	*out_mask = context.mask;
	return true;
}
