/* SPDX-License-Identifier: MIT */
/*
 * Scheduler of the explorer: a depth-first search over states.
 *
 * A state is the model of memory, the private memory of the program, and the
 * threads: each a coroutine that stopped before an access, so its stack from
 * there up and its jump buffer. A state is saved by copying all that, and
 * resumed by copying it back; a hash of it tells whether it is new. Accesses
 * that only one thread can notice (data, whose races are found in any order)
 * are executed at once.
 */
#include <lib/test/interleave.h>
#include <lib/test/interleave_model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define STACK_SIZE	16384u
#define DEPTH_MAX	1000u
#define MAIN		INTERLEAVE_THREADS	/* who looks at the end */

enum condition { READY, ASLEEP, DONE };

struct thread {
	void	*jump[5];		/* where it stopped */
	uint64_t condition;
	struct interleave_access access;	/* that it is about to do */
};

/* What is saved of a run besides stacks and world. */
struct core {
	struct thread threads[INTERLEAVE_THREADS];
	uint64_t last;			/* who ran last */
	uint64_t preempted;
	uint64_t deaths;
	uint64_t reborn[INTERLEAVE_THREADS];	/* died before, each */
};

/* A state on the path, and which way it was left. */
struct frame {
	uint8_t	*saved;
	unsigned thread, option, options;	/* the last option: it dies */
	bool	 dies;
	struct interleave_access access;	/* that was done, for traces */
};

static const struct interleave_program *program;
static struct core core;
static struct model model;
static struct frame frames[DEPTH_MAX];
static unsigned depth;
static unsigned running;	/* MAIN: accesses are those of the check */
static bool modelled;		/* false: start() sets up real memory */
static const char *failure;
static struct interleave_result result;

static _Alignas(16) uint8_t stacks[INTERLEAVE_THREADS][STACK_SIZE];
static ucontext_t contexts[INTERLEAVE_THREADS], main_context;
static void *main_jump[5];

/* Hashes of states that were reached; 0 is free. */
static struct {
	uint64_t *slots;
	uint64_t mask, used;
} known;

__attribute__((noinline, noreturn)) static void
jump_to_main(void)
{
	__builtin_longjmp(main_jump, 1);
}

__attribute__((noinline, noreturn)) static void
jump_to_thread(unsigned thread)
{
	__builtin_longjmp(core.threads[thread].jump, 1);
}

/* Stops the running thread before its access, until it is resumed. */
__attribute__((noinline)) static void
leave_thread(void)
{
	if (__builtin_setjmp(core.threads[running].jump) == 0)
		jump_to_main();
}

__attribute__((noinline)) static void
resume_thread(unsigned thread)
{
	running = thread;
	if (__builtin_setjmp(main_jump) == 0)
		jump_to_thread(thread);
	running = MAIN;
}

static void
thread_main(void)
{
	if (core.reborn[running] != 0)
		program->again[running]();
	else
		program->body[running]();
	core.threads[running].access = (struct interleave_access){ 0 };
	core.threads[running].condition = DONE;
	leave_thread();
}

/* Up to its first access. */
__attribute__((noinline)) static void
start_thread(unsigned thread)
{
	ucontext_t *context = &contexts[thread];

	getcontext(context);
	context->uc_stack.ss_sp = stacks[thread];
	context->uc_stack.ss_size = STACK_SIZE;
	context->uc_link = NULL;
	makecontext(context, thread_main, 0);
	running = thread;
	if (__builtin_setjmp(main_jump) == 0)
		swapcontext(&main_context, context);
	running = MAIN;
}

void
interleave_fail(const char *what)
{
	failure = what;
	if (running != MAIN)
		jump_to_main();
}

static const char *
name_of(const struct interleave_access *access)
{
	static const char *const names[] = {
		"load", "store", "exchange", "or", "and", "swap-if", "fence",
		"get", "put", "sleep", "wake",
	};

	return names[access->kind];
}

static uint64_t
real_value(const struct interleave_access *access)
{
	return access->size == 4 ? *(uint32_t *)access->address :
	    *(uint64_t *)access->address;
}

/* An access on memory as it is, before there is a model and a second thread. */
static uint64_t
access_real(struct interleave_access *access)
{
	uint64_t found;

	if (access->kind == INTERLEAVE_FENCE)
		return 0;
	found = access->result = real_value(access);
	if (access->kind == INTERLEAVE_LOAD || access->kind == INTERLEAVE_GET ||
	    (access->kind == INTERLEAVE_SWAP_IF && found != access->expected))
		return found;
	access->value = model_updated_value(access);
	if (access->size == 4)
		*(uint32_t *)access->address = (uint32_t)access->value;
	else
		*(uint64_t *)access->address = access->value;
	return found;
}

static uint64_t
do_access(struct interleave_access *access)
{
	if (!modelled)
		return access_real(access);
	if (running != MAIN && !model_is_local(access)) {
		struct thread *thread = &core.threads[running];
		thread->access = *access;
		leave_thread();
		return core.threads[running].access.result;
	}
	const char *wrong = model_apply(&model, running, access, 0);
	if (wrong != NULL) {
		printf("# %s of %p by thread %u\n", name_of(access),
		    access->address, running);
		interleave_fail(wrong);
	}
	return access->result;
}

uint64_t
interleave_access(enum interleave_kind kind, const void *address,
    uint32_t size, int order, uint64_t value)
{
	struct interleave_access access = {
		.kind = kind, .address = (void *)address, .size = size,
		.order = order, .value = value,
	};

	return do_access(&access);
}

bool
interleave_swap_if(uint64_t *address, uint64_t *expected, uint64_t value,
    int order)
{
	struct interleave_access access = {
		.kind = INTERLEAVE_SWAP_IF, .address = address, .size = 8,
		.order = order, .value = value, .expected = *expected,
	};
	uint64_t found = do_access(&access);
	bool done = found == *expected;

	*expected = found;
	return done;
}

void
interleave_copy_in(void *shared, const void *data, size_t length)
{
	const size_t at[2] = { 0, (length - 4) & ~3ul };
	uint32_t word;

	if (!modelled || length < 4) {
		memcpy(shared, data, modelled ? 0 : length);
		return;
	}
	for (unsigned i = 0; i < (at[1] == 0 ? 1u : 2u); i++) {
		memcpy(&word, (const uint8_t *)data + at[i], 4);
		ring_put((uint32_t *)((uint8_t *)shared + at[i]), word);
	}
}

void
interleave_copy_out(void *data, const void *shared, size_t length)
{
	const size_t at[2] = { 0, (length - 4) & ~3ul };
	uint32_t word;

	memset(data, 0, length);
	for (unsigned i = 0; length >= 4 && i < (at[1] == 0 ? 1u : 2u); i++) {
		word = ring_get((uint32_t *)((uint8_t *)shared + at[i]));
		memcpy((uint8_t *)data + at[i], &word, 4);
	}
}

void
interleave_sleep(uint32_t *word, uint32_t value)
{
	interleave_access(INTERLEAVE_SLEEP, word, 4, 0, value);
}

void
interleave_wake(uint32_t *word)
{
	interleave_access(INTERLEAVE_WAKE, word, 4, 0, 0);
}

/* What is live of a stack: from where the thread stopped. */
static size_t
stack_used(unsigned thread)
{
	uint8_t *top = stacks[thread] + STACK_SIZE;

	if (core.threads[thread].condition == DONE)
		return 0;
	return (size_t)(top - (uint8_t *)core.threads[thread].jump[2]);
}

/* Calls for each piece of the state: address and length. */
#define FOR_EACH_PIECE(address, length, body) \
	do { \
		address = (uint8_t *)&core; length = sizeof(core); body; \
		address = (uint8_t *)&model; \
		length = model_size(&model); body; \
		address = program->world; length = program->world_size; body; \
		for (unsigned p_ = 0; p_ < program->threads; p_++) { \
			length = stack_used(p_); \
			address = stacks[p_] + STACK_SIZE - length; body; \
		} \
	} while (0)

static uint8_t *
save_state(void)
{
	uint8_t *address, *saved, *to;
	size_t length, total = 0;

	FOR_EACH_PIECE(address, length, total += length);
	to = saved = malloc(total);
	if (saved == NULL)
		abort();
	FOR_EACH_PIECE(address, length,
	    memcpy(to, address, length); to += length);
	return saved;
}

static void
restore_state(const uint8_t *saved)
{
	uint8_t *address;
	size_t length;

	/* Lengths of later pieces are in the first two. */
	memcpy(&core, saved, sizeof(core));
	memcpy(&model, saved + sizeof(core), offsetof(struct model, place));
	FOR_EACH_PIECE(address, length,
	    memcpy(address, saved, length); saved += length);
}

static uint64_t
mix(uint64_t hash, const uint8_t *bytes, size_t length)
{
	for (; length >= 8; bytes += 8, length -= 8) {
		uint64_t word;
		memcpy(&word, bytes, 8);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ul;
		hash ^= hash >> 29;
	}
	for (; length > 0; bytes++, length--)
		hash = (hash ^ *bytes) * 0x9e3779b97f4a7c15ul;
	return hash ^ hash >> 32;
}

static uint64_t
hash_state(void)
{
	uint64_t hash = 1;
	uint8_t *address;
	size_t length;

	FOR_EACH_PIECE(address, length, hash = mix(hash, address, length));
	return hash != 0 ? hash : 1;
}

static bool
insert_hash(uint64_t hash)
{
	uint64_t at = hash & known.mask;

	for (; known.slots[at] != 0; at = (at + 1) & known.mask) {
		if (known.slots[at] == hash)
			return false;
	}
	known.slots[at] = hash;
	known.used++;
	return true;
}

/* Whether the state is new; it is not from now on. */
static bool
is_new(void)
{
	if (known.used * 2 >= known.mask) {
		uint64_t *old = known.slots;
		uint64_t count = old == NULL ? 0 : known.mask + 1;
		known.mask = count == 0 ? 0xffff : count * 4 - 1;
		known.slots = calloc(known.mask + 1, 8);
		known.used = 0;
		if (known.slots == NULL)
			abort();
		for (uint64_t i = 0; i < count; i++) {
			if (old[i] != 0)
				insert_hash(old[i]);
		}
		free(old);
	}
	return insert_hash(hash_state());
}

static void
print_trace(void)
{
	printf("# %s: %s\n", program->name, result.failure);
	for (unsigned i = 0; i < depth; i++) {
		const struct frame *frame = &frames[i];
		if (frame->dies) {
			printf("#  thread %u: dies\n", frame->thread);
			continue;
		}
		printf("#  thread %u: %-8s %p order %d read %#llx "
		    "value %#llx%s\n", frame->thread, name_of(&frame->access),
		    frame->access.address, frame->access.order,
		    (unsigned long long)frame->access.result,
		    (unsigned long long)frame->access.value,
		    frame->option != 0 ? " (not the newest)" : "");
	}
}

static void
wake_sleepers(const void *word)
{
	for (unsigned i = 0; i < program->threads; i++) {
		struct thread *thread = &core.threads[i];
		if (thread->condition == ASLEEP &&
		    thread->access.address == word)
			thread->condition = READY;
	}
}

/* A thread that was woken has done its access: it only goes on. */
static bool
was_asleep(const struct thread *thread)
{
	return thread->access.kind == INTERLEAVE_SLEEP &&
	    thread->access.order == 1;
}

static bool
may_die(unsigned thread)
{
	return core.deaths < program->deaths &&
	    program->again[thread] != NULL &&
	    core.threads[thread].condition != DONE;
}

/* The pending access does not happen; the next incarnation starts. */
static void
die(unsigned thread)
{
	core.deaths++;
	core.reborn[thread] = 1;
	core.threads[thread] = (struct thread){ .condition = READY };
	memset(stacks[thread], 0, STACK_SIZE);
	start_thread(thread);
}

/* Does the pending access of a thread and runs it up to the next. */
static void
step(struct frame *frame)
{
	struct thread *thread = &core.threads[frame->thread];
	struct interleave_access *access = &thread->access;

	result.steps++;
	frame->dies = frame->option == frame->options;
	if (frame->dies) {
		die(frame->thread);
		return;
	}
	/* Without a bound it is no part of the state who ran before. */
	if (program->preemptions != 0) {
		core.preempted += core.last != frame->thread &&
		    core.last < program->threads &&
		    core.threads[core.last].condition == READY;
		core.last = frame->thread;
	}
	if (!was_asleep(thread)) {
		failure = model_apply(&model, frame->thread, access,
		    frame->option);
		frame->access = *access;
		if (failure != NULL)
			return;
		if (access->kind == INTERLEAVE_WAKE)
			wake_sleepers(access->address);
		if (access->kind == INTERLEAVE_SLEEP &&
		    access->result == access->value) {
			thread->condition = ASLEEP;
			access->order = 1;
			return;
		}
	}
	resume_thread(frame->thread);
}

static bool
may_run(unsigned thread)
{
	if (core.threads[thread].condition != READY)
		return false;
	return program->preemptions == 0 ||
	    core.preempted < program->preemptions || core.last == thread ||
	    core.last >= program->threads ||
	    core.threads[core.last].condition != READY;
}

/* The next way to leave the state of the frame; false: none is left. */
static bool
next_way(struct frame *frame)
{
	frame->option++;
	while (frame->option >= frame->options + (frame->thread <
	    program->threads && may_die(frame->thread))) {
		do {
			frame->thread++;
			if (frame->thread >= program->threads)
				return false;
		} while (!may_run(frame->thread) && !may_die(frame->thread));
		frame->option = 0;
		frame->options = may_run(frame->thread) ? model_options(&model,
		    frame->thread, &core.threads[frame->thread].access) : 0;
	}
	return true;
}

static void
push_frame(void)
{
	unsigned live = 0;

	for (unsigned i = 0; i < program->threads; i++)
		live |= (unsigned)(core.threads[i].condition != DONE) << i;
	model_tidy(&model, live);
	if (!is_new())
		return;
	result.states++;
	if (depth == DEPTH_MAX) {
		failure = "explorer: a path is too long";
		return;
	}
	frames[depth++] = (struct frame){
		.saved = save_state(), .thread = ~0u,
	};
}

static void
check_end(void)
{
	unsigned asleep = 0;

	for (unsigned i = 0; i < program->threads; i++) {
		if (core.threads[i].condition == READY)
			return;
		asleep += core.threads[i].condition == ASLEEP;
	}
	if (asleep != 0) {
		failure = "who is left sleeps for ever";
		return;
	}
	result.ends++;
	for (unsigned i = 0; i < program->threads; i++)
		model_learn(&model, MAIN, i);
	if (program->check != NULL)
		program->check();
}

static void
search(void)
{
	push_frame();
	while (depth > 0 && failure == NULL) {
		struct frame *frame = &frames[depth - 1];
		restore_state(frame->saved);
		if (!next_way(frame)) {
			free(frame->saved);
			depth--;
			continue;
		}
		step(frame);
		unsigned before = depth;
		if (failure == NULL)
			push_frame();
		if (failure == NULL && depth > before)
			check_end();
		if (program->states_max != 0 &&
		    result.states > program->states_max && failure == NULL)
			failure = "explorer: more states than allowed";
	}
}

struct interleave_result
interleave_run(const struct interleave_program *what)
{
	program = what;
	result = (struct interleave_result){ 0 };
	failure = NULL;
	depth = 0;
	core = (struct core){ .last = INTERLEAVE_THREADS };
	model_reset(&model);
	running = MAIN;
	modelled = false;
	program->start();
	modelled = true;
	for (unsigned i = 0; i < program->threads && failure == NULL; i++) {
		memset(stacks[i], 0, STACK_SIZE);
		start_thread(i);
	}
	if (failure == NULL)
		search();
	result.failure = failure;
	if (failure != NULL)
		print_trace();
	while (depth > 0)
		free(frames[--depth].saved);
	free(known.slots);
	known.slots = NULL;
	known.mask = known.used = 0;
	return result;
}
