/* SPDX-License-Identifier: MIT */
/*
 * Both ways to protect an arena, on Linux: mprotect in place of sys_protect,
 * and Linux's protection keys where the CPU has them. Not sanitized, for the
 * arena's address belongs to the sanitizer.
 */
#include <lib/service/guest/protect.h>

#include <idl/place.h>
#include <kernel_calls.h>
#include <lib/service/loop.h>
#include <lib/test/ktap.h>

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BASE		((uint8_t *)PLACE_ARENA_BASE)
#define SIZE		(1ul << 20)
#define PAGES		(SIZE / PAGE_SIZE)
#define RANGES_OPEN	16u	/* as in protect.c */
#define BLOCKS		60u

static bool writable[PAGES];		/* as the fake kernel was told */
static uint64_t calls;
static struct arena *arena;
static uint8_t **block;			/* of a page each, in the arena */
static sigjmp_buf faulted;

status_t
kernel_protect(uint64_t start, uint64_t length, unsigned flags)
{
	calls++;
	if (start < PLACE_ARENA_BASE || start % PAGE_SIZE != 0 ||
	    length % PAGE_SIZE != 0 || length == 0 ||
	    length > SIZE - (start - PLACE_ARENA_BASE))
		return ERR_RANGE;
	for (uint64_t i = 0; i < length / PAGE_SIZE; i++)
		writable[(start - PLACE_ARENA_BASE) / PAGE_SIZE + i] =
		    (flags & MAP_WRITE) != 0;
	return mprotect((void *)start, length, PROT_READ |
	    ((flags & MAP_WRITE) != 0 ? PROT_WRITE : 0)) == 0 ? OK : ERR_FAULT;
}

/* Linux has given out keys 0 and 1 at most, so the register is free to set. */
void
kernel_write_pkru(uint32_t value)
{
	__asm__ volatile(".byte 0x0f, 0x01, 0xef" :: "a"(value), "c"(0),
	    "d"(0) : "memory");
}

extern bool runtime_dirty;

/* As in guest/kernel_calls.h. */
bool
runtime_take_dirty(void)
{
	bool dirty = runtime_dirty;

	runtime_dirty = false;
	return dirty;
}

_Noreturn void
service_panic(const char *format, ...)
{
	printf("# %s\n", format);
	abort();
}

static void
fail(const char *reason)
{
	service_panic(reason);
}

static void
fault(int number)
{
	(void)number;
	siglongjmp(faulted, 1);
}

/* Writes what is there already; did that fault? */
static bool
write_faults(void *where)
{
	volatile uint8_t *byte = where;

	if (sigsetjmp(faulted, 1) != 0)
		return true;
	*byte = *byte;
	return false;
}

static bool
keys_usable(void)
{
	int key = pkey_alloc(0, 0);

	if (key < 0)
		return false;
	if ((unsigned)key == PLACE_ARENA_PKEY)
		return true;
	pkey_free(key);
	return false;
}

/* A service that starts: opens the arena, makes blocks, closes it. */
static void
start(enum protection kind)
{
	static struct arena_environment environment;
	struct sigaction action = { .sa_handler = fault };

	sigaction(SIGSEGV, &action, NULL);
	if (mmap(BASE, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE ||
	    (kind == PROTECT_KEYS && pkey_mprotect(BASE, SIZE, PROT_READ | PROT_WRITE,
	    PLACE_ARENA_PKEY) != 0))
		abort();
	memset(writable, true, sizeof(writable));
	protect_start(SIZE, kind, &environment);
	environment.fail = fail;
	environment.sums = true;
	EXPECT_EQ(arena_open(BASE, SIZE, 1, &environment, &arena), OK);
	protect_close(arena);
	tx_begin(arena);
	block = arena_alloc(arena, BLOCKS * sizeof(*block));
	for (unsigned i = 0; i < BLOCKS; i++)
		block[i] = arena_alloc(arena, PAGE_SIZE);
	EXPECT_EQ(arena_set_root(arena, block), OK);
	tx_commit(arena);
}

/* Saves one word of a block and changes it. */
static void
change(unsigned i)
{
	EXPECT_EQ(tx_add(arena, block[i] + 2048, 8), OK);
	block[i][2048]++;
}

static void
check_stray_writes(enum protection kind)
{
	bool keys = kind == PROTECT_KEYS;

	start(kind);
	EXPECT(write_faults(BASE));
	EXPECT(write_faults(block));
	for (unsigned i = 0; i < BLOCKS; i++)
		EXPECT(write_faults(block[i] + 2048));
	tx_begin(arena);
	EXPECT(keys || write_faults(block[3] + 2048));
	change(3);
	EXPECT(!write_faults(block[3] + 2048));
	tx_abort(arena);
	EXPECT(!keys || write_faults(block[3] + 2048));
	EXPECT(write_faults(block[5] + 2048));
	EXPECT(arena_ok(arena));
}

TEST(test_stray_write_outside_a_transaction_faults)
{
	check_stray_writes(PROTECT_PAGES);
}

TEST(test_stray_write_faults_with_protection_keys)
{
	if (!keys_usable())
		KTAP_SKIP("no protection keys here");
	check_stray_writes(PROTECT_KEYS);
}

static unsigned
writable_pages(void)
{
	void *tables;
	size_t length;
	unsigned count = 0;

	arena_tables(arena, &tables, &length);
	for (unsigned i = 0; i < PAGES; i++) {
		uint8_t *page = BASE + i * PAGE_SIZE;

		if (page < (uint8_t *)tables ||
		    page >= (uint8_t *)tables + length)
			count += writable[i];
		EXPECT_EQ(write_faults(page), !writable[i]);
	}
	return count;
}

TEST(test_only_the_last_ranges_stay_writable)
{
	start(PROTECT_PAGES);
	for (unsigned i = 0; i < 200; i++) {
		tx_begin(arena);
		change(i * 7 % BLOCKS);
		change((i * 7 + 1) % BLOCKS);
		tx_commit(arena);
		/* A saved word is in one page. */
		EXPECT(i % 20 != 0 || writable_pages() <= RANGES_OPEN);
	}
	EXPECT(arena_ok(arena));
}

TEST(test_transaction_of_many_ranges_closes_all_of_them)
{
	start(PROTECT_PAGES);
	tx_begin(arena);
	for (unsigned i = 0; i < BLOCKS; i++)
		change(i);
	tx_commit(arena);
	EXPECT_EQ(writable_pages(), 0);
	EXPECT(arena_ok(arena));
}

TEST(test_pages_saved_again_cost_no_call)
{
	start(PROTECT_PAGES);
	for (unsigned i = 0; i < 10; i++) {
		uint64_t before = calls;

		tx_begin(arena);
		change(1);
		change(2);
		tx_commit(arena);
		EXPECT(i == 0 || calls == before);
	}
}

/* The loop's own pages, and log and tables. */
TEST(test_kept_pages_stay_writable)
{
	uint8_t *kept;
	void *tables;
	size_t length;

	start(PROTECT_PAGES);
	arena_tables(arena, &tables, &length);
	kept = (uint8_t *)(((uintptr_t)block[10] + PAGE_MASK) & ~PAGE_MASK);
	runtime_keep_writable(kept - PAGE_SIZE, 3 * PAGE_SIZE);
	EXPECT(write_faults(kept - 1) && write_faults(kept + PAGE_SIZE));
	for (unsigned round = 0; round < 2; round++) {
		EXPECT(!write_faults(kept) && !write_faults(kept + PAGE_MASK));
		EXPECT(!write_faults(tables));
		EXPECT(!write_faults((uint8_t *)tables + length - 1));
		tx_begin(arena);
		for (unsigned i = 0; i < BLOCKS; i++)
			change(i);
		tx_commit(arena);
	}
}

static void
check_words_for_faults(void)
{
	uint64_t random = 12345;

	for (unsigned i = 0; i < 2000; i++) {
		random = random * 6364136223846793005ul + 1442695040888963407ul;
		uint64_t closed = protect_find(random, false);
		uint64_t open = protect_find(random, true);

		EXPECT(closed % 8 == 0 && open % 8 == 0);
		EXPECT(writable[(open - PLACE_ARENA_BASE) / PAGE_SIZE]);
		EXPECT(!writable[(closed - PLACE_ARENA_BASE) / PAGE_SIZE]);
	}
}

TEST(test_word_for_a_fault_is_open_or_closed_as_asked)
{
	start(PROTECT_PAGES);
	check_words_for_faults();
	for (unsigned i = 0; i < 20; i++) {
		tx_begin(arena);
		change(i);
		tx_commit(arena);
	}
	check_words_for_faults();
	EXPECT(!write_faults((void *)protect_find(5, true)));
	EXPECT(write_faults((void *)protect_find(5, false)));
}

TEST(test_with_protection_keys_no_word_is_open)
{
	if (!keys_usable())
		KTAP_SKIP("no protection keys here");
	start(PROTECT_KEYS);
	EXPECT_EQ(protect_find(7, true), 0);
	EXPECT(write_faults((void *)protect_find(7, false)));
}

TEST(test_without_protection_no_word_is_closed)
{
	start(PROTECT_NOTHING);
	EXPECT_EQ(protect_find(7, false), 0);
	EXPECT(!write_faults((void *)protect_find(7, true)));
}

TEST(test_dirty_means_that_something_was_saved)
{
	start(PROTECT_PAGES);
	runtime_take_dirty();
	tx_begin(arena);
	tx_commit(arena);
	EXPECT(!runtime_take_dirty());
	tx_begin(arena);
	change(0);
	tx_commit(arena);
	EXPECT(runtime_take_dirty() && !runtime_take_dirty());
}

TEST_MAIN(0)
