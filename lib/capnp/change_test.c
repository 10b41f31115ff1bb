/* SPDX-License-Identifier: MIT */
/*
 * A peer that changes a message at the worst moment.
 *
 * The message lies in a page without access, so that each instruction that
 * touches it traps: the page is opened for one step and closed again. A word
 * changes after the n-th access to it; a change at another time would look the
 * same. All words, all n and a choice of bad values are tried: no access may
 * ever leave the message.
 */
#include <lib/capnp/build.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <lib/ktap/ktap.h>

#define PAGE		4096u
#define GUARD		(64 * PAGE)	/* on both sides */
#define AREA		(GUARD + PAGE + GUARD)
#define TRAP_FLAG	0x100
#define WORDS		16u
#define USED		14u

#define STRUCT(offset, data, pointers) \
	((uint64_t)(pointers) << 48 | (uint64_t)(data) << 32 | \
	 (uint32_t)((offset) * 4))
#define LIST(offset, element, count) \
	((uint64_t)(count) << 35 | (uint64_t)(element) << 32 | \
	 (uint32_t)((offset) * 4) | 1)
#define FAR(segment, pad)	((uint64_t)(segment) << 32 | (pad) * 8ul | 2)

static const uint64_t good[WORDS] = {
	STRUCT(0, 1, 4), 5,
	LIST(3, CAPNP_COMPOSITE, 4), LIST(7, CAPNP_BYTE, 8), FAR(0, 12),
	LIST(6, CAPNP_TWO_BYTES, 3),
	STRUCT(2, 1, 1), 6, STRUCT(-1, 0, 0), 7, STRUCT(-1, 0, 0),
	0x41, STRUCT(-2, 1, 0), 0,
};
static const uint64_t bad[] = {
	0, ~0ul, STRUCT(20, 9, 9), STRUCT(0, 200, 200), STRUCT(-20, 1, 1),
	LIST(0, CAPNP_EIGHT_BYTES, 200), LIST(0, CAPNP_COMPOSITE, 2),
	LIST(-30, CAPNP_POINTER, 9), STRUCT(40, 2, 9), FAR(0, 15),
	FAR(0, 15) | 4, FAR(7, 0),
};
#define BAD	(sizeof(bad) / sizeof(bad[0]))

static uint8_t *area;
static uint64_t *words;		/* the message */
static uint32_t words_count;
static uint8_t *page;
static uint8_t *accessed;
static uint32_t accesses[WORDS];	/* to each word */
static bool escaped;
static struct {
	uint32_t after;		/* accesses to it; 0 = never */
	uint32_t word;
	uint64_t value;
} change;

static void
on_fault(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	uint8_t *at = info->si_addr;

	if (at < area || at >= area + AREA) {
		signal(SIGSEGV, SIG_DFL);
		return;
	}
	accessed = at;
	if (at < (uint8_t *)words || at >= (uint8_t *)(words + words_count))
		escaped = true;
	/* The guards stay open: one escape is enough. */
	if (at < page || at >= page + PAGE)
		mprotect(area, AREA, PROT_READ | PROT_WRITE);
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	user->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void
on_step(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;

	user->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	uint32_t word = (uint32_t)((accessed - (uint8_t *)words) /
	    (ptrdiff_t)sizeof(uint64_t));
	if (!escaped && ++accesses[word] == change.after &&
	    word == change.word)
		words[word] = change.value;
	mprotect(page, PAGE, PROT_NONE);
}

static void
read_message(void)
{
	static uint64_t out[4096];
	struct capnp_segment segment = { words, words_count };
	struct capnp_reader reader;
	size_t length;

	capnp_reader_init(&reader, &segment, 1, 0, 0);
	struct capnp_struct root = capnp_root(&reader);
	struct capnp_list list = capnp_get_list(root, 0, CAPNP_COMPOSITE);
	for (uint32_t i = 0; i < list.count && i < 4; i++) {
		struct capnp_struct s = capnp_list_struct(list, i);
		capnp_get_u64(s, 0);
		capnp_get_struct(s, 0);
	}
	capnp_get_text(root, 1);
	capnp_get_u64(capnp_get_struct(root, 2), 0);
	list = capnp_get_list(root, 3, CAPNP_TWO_BYTES);
	for (uint32_t i = 0; i < list.count && i < 4; i++)
		capnp_list_u16(list, i);
	capnp_reader_init(&reader, &segment, 1, 0, 0);
	capnp_canonicalise(capnp_root(&reader), out, 4096, &length);
	capnp_is_canonical(&segment, 1);
}

/* The message is one that was built before, and goes on being built. */
static void
build_message(void)
{
	static uint64_t start[1];
	struct capnp_builder builder;

	capnp_builder_init(&builder, start, 1);
	builder.only = (struct capnp_segment){ words, USED };
	builder.only_size = words_count;
	struct capnp_pointer root = capnp_builder_root(&builder);
	struct capnp_struct_builder s = capnp_edit_struct(root, 1, 4);
	if (s.pointer_count < 4)
		return;
	capnp_edit_text(capnp_pointer_of(s, 1));
	capnp_edit_structs(capnp_pointer_of(s, 0), 1, 1);
	capnp_move(capnp_pointer_of(s, 1), capnp_pointer_of(s, 2));
	capnp_edit_struct(capnp_pointer_of(s, 1), 1, 1);
	capnp_clear(root);
}

static void
run(void (*use)(void), uint32_t after, uint32_t word, uint64_t value)
{
	mprotect(page, PAGE, PROT_READ | PROT_WRITE);
	memcpy(words, good, words_count * sizeof(uint64_t));
	change.after = after;
	change.word = word;
	change.value = value;
	memset(accesses, 0, sizeof(accesses));
	mprotect(page, PAGE, PROT_NONE);
	use();
}

/* The message takes `count` words at the end of the page. */
static void
run_all(void (*use)(void), uint32_t count)
{
	uint32_t most[WORDS];

	words = (uint64_t *)(page + PAGE) - count;
	words_count = count;
	run(use, 0, 0, 0);
	memcpy(most, accesses, sizeof(most));
	for (uint32_t word = 0; word < USED; word++) {
		for (uint32_t after = 1; after <= most[word]; after++) {
			for (uint32_t i = 0; i < BAD; i++)
				run(use, after, word, bad[i]);
		}
	}
	KTAP_CHECK(most[0] > 0 && most[2] > 0);
	KTAP_CHECK(!escaped);
}

static void
test_reader_stays_inside_whenever_a_word_changes(void)
{
	run_all(read_message, USED);
}

static void
test_builder_stays_inside_whenever_a_word_changes(void)
{
	run_all(build_message, WORDS);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_reader_stays_inside_whenever_a_word_changes),
		KTAP_TEST(test_builder_stays_inside_whenever_a_word_changes),
	};
	struct sigaction fault = { .sa_sigaction = on_fault,
	    .sa_flags = SA_SIGINFO };
	struct sigaction step = { .sa_sigaction = on_step,
	    .sa_flags = SA_SIGINFO };

	area = mmap(NULL, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
	    0);
	page = area + GUARD;
	if (area == MAP_FAILED || sigaction(SIGSEGV, &fault, NULL) != 0 ||
	    sigaction(SIGTRAP, &step, NULL) != 0)
		abort();
	return KTAP_RUN(tests);
}
