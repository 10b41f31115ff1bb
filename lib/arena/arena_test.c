/* SPDX-License-Identifier: MIT */
/*
 * The arena against a shadow copy: random transactions, committed, aborted or
 * cut off, each followed by a comparison of everything that can be reached.
 */
#include <lib/arena/state.h>
#include <lib/test/ktap.h>

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BASE	((void *)0x710000000000ul)
#define SIZE	(1ul << 20)
#define BLOCKS	200u
#define LAYOUT	7u

/* Roots of all that a test allocates. */
struct root {
	struct arena_list list;
	struct arena_map *map;
	uint8_t	*block[BLOCKS];
	uint32_t length[BLOCKS];
	struct arena_list node[BLOCKS];
	bool	 listed[BLOCKS];
};

/* The same, outside of the arena. */
struct shadow {
	uint8_t	*block[BLOCKS];
	uint32_t length[BLOCKS];
	bool	 listed[BLOCKS];
	uint64_t mapped[BLOCKS];	/* key i + 1, value; 0 none */
};

static struct arena *arena;
static struct shadow shadow, before;
static uint64_t random_state = 88172645463325252ul;
static jmp_buf failed;
static const char *failure;
static bool summed = true;	/* of arenas that are made */

static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

static void
fail(const char *reason)
{
	failure = reason;
	longjmp(failed, 1);
}

static status_t
open_arena(size_t size)
{
	struct arena_environment environment = { .fail = fail,
		.sums = summed };

	return arena_open(BASE, size, LAYOUT, &environment, &arena);
}

/* Empty memory at the fixed address. */
static void
clear(void)
{
	if (mmap(BASE, SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != BASE)
		abort();
}

static struct root *
root(void)
{
	return arena_root(arena);
}

static void
setup(void)
{
	struct root *new;

	clear();
	EXPECT_EQ(open_arena(SIZE), OK);
	tx_begin(arena);
	new = arena_alloc(arena, sizeof(*new));
	EXPECT(new != NULL);
	EXPECT_EQ(arena_list_init(arena, &new->list), OK);
	EXPECT_EQ(arena_map_create(arena, &new->map), OK);
	EXPECT_EQ(arena_set_root(arena, new), OK);
	tx_commit(arena);
}

/* --- Random steps; false: out of log or heap. --- */

static bool
step_allocate(unsigned i)
{
	struct root *r = root();
	uint32_t length = (uint32_t)random_below(8) == 0 ?
	    (uint32_t)random_below(9000) + 1 : (uint32_t)random_below(200) + 1;

	if (r->block[i] != NULL)
		return true;
	uint8_t *memory = arena_alloc(arena, length);
	if (memory == NULL)
		return false;
	for (uint32_t k = 0; k < length; k++)
		if (memory[k] != 0)
			EXPECT(!"memory is zeroed");
	memset(memory, (int)(i + 1), length);
	if (TX_SET(arena, r->block[i], memory) != OK ||
	    TX_SET(arena, r->length[i], length) != OK)
		return false;
	shadow.block[i] = malloc(length);
	memset(shadow.block[i], (int)(i + 1), length);
	shadow.length[i] = length;
	return true;
}

static bool
step_free(unsigned i)
{
	struct root *r = root();

	if (r->block[i] == NULL)
		return true;
	if (arena_free(arena, r->block[i]) != OK ||
	    TX_SET(arena, r->block[i], NULL) != OK)
		return false;
	shadow.block[i] = NULL;		/* collected with the transaction */
	return true;
}

static bool
step_write(unsigned i)
{
	struct root *r = root();

	if (r->block[i] == NULL)
		return true;
	uint32_t start = (uint32_t)random_below(r->length[i]);
	uint32_t length = (uint32_t)random_below(r->length[i] - start) + 1;
	int value = (int)random_below(256);
	if (tx_add(arena, r->block[i] + start, length) != OK)
		return false;
	memset(r->block[i] + start, value, length);
	uint8_t *copy = malloc(shadow.length[i]);
	memcpy(copy, shadow.block[i], shadow.length[i]);
	memset(copy + start, value, length);
	shadow.block[i] = copy;
	return true;
}

static bool
step_list(unsigned i)
{
	struct root *r = root();
	status_t status = r->listed[i] ?
	    arena_list_remove(arena, &r->node[i]) :
	    arena_list_append(arena, &r->list, &r->node[i]);

	if (status != OK || TX_SET(arena, r->listed[i], !r->listed[i]) != OK)
		return false;
	shadow.listed[i] = !shadow.listed[i];
	return true;
}

static bool
step_map(unsigned i)
{
	struct root *r = root();
	uintptr_t value = random_below(1000) + 1;
	status_t status;

	if (shadow.mapped[i] != 0) {
		EXPECT_EQ(arena_map_put(arena, r->map, i + 1, r), ERR_EXIST);
		status = arena_map_remove(arena, r->map, i + 1);
		value = 0;
	} else {
		EXPECT_EQ(arena_map_remove(arena, r->map, i + 1), ERR_NOENT);
		status = arena_map_put(arena, r->map, i + 1, (void *)value);
	}
	if (status != OK)
		return false;
	shadow.mapped[i] = value;
	return true;
}

static bool
step(void)
{
	unsigned i = (unsigned)random_below(BLOCKS);

	switch (random_below(6)) {
	case 0:
	case 1:
		return step_allocate(i);
	case 2:
		return step_free(i);
	case 3:
		return step_write(i);
	case 4:
		return step_list(i);
	default:
		return step_map(i);
	}
}

/* --- Comparison. --- */

static bool
blocks_equal(void)
{
	const struct root *r = root();

	for (unsigned i = 0; i < BLOCKS; i++) {
		if ((r->block[i] != NULL) != (shadow.block[i] != NULL))
			return false;
		if (r->block[i] != NULL &&
		    (r->length[i] != shadow.length[i] ||
		    memcmp(r->block[i], shadow.block[i], r->length[i]) != 0))
			return false;
	}
	return true;
}

static bool
rest_equal(void)
{
	const struct root *r = root();
	unsigned listed = 0, in_list = 0, mapped = 0;

	for (unsigned i = 0; i < BLOCKS; i++) {
		listed += shadow.listed[i];
		mapped += shadow.mapped[i] != 0;
		if ((uintptr_t)arena_map_get(r->map, i + 1) !=
		    shadow.mapped[i] || r->listed[i] != shadow.listed[i])
			return false;
	}
	for (const struct arena_list *n = r->list.next;
	    n != &r->list && in_list <= BLOCKS; n = n->next)
		in_list++;
	return in_list == listed && arena_map_count(r->map) == mapped;
}

/* Copies that neither state names are lost: free them. */
static void
collect(const struct shadow *dropped, const struct shadow *kept)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		if (dropped->block[i] != kept->block[i])
			free(dropped->block[i]);
}

static void
forget(void)
{
	for (unsigned i = 0; i < BLOCKS; i++)
		free(shadow.block[i]);
	memset(&shadow, 0, sizeof(shadow));
}

/* Copies made on the way that no state names are freed at once. */
static bool
step_counted(const struct shadow *middle)
{
	struct shadow last = shadow;
	bool fine = step();

	for (unsigned i = 0; i < BLOCKS; i++)
		if (last.block[i] != shadow.block[i] &&
		    last.block[i] != before.block[i] &&
		    last.block[i] != middle->block[i])
			free(last.block[i]);
	return fine;
}

/* Steps, and a savepoint in the middle to which it may be rolled back. */
static bool
random_steps(unsigned steps)
{
	unsigned save_at = (unsigned)random_below(2 * steps);
	uint64_t savepoint = 0;
	struct shadow middle = before;
	bool fine = true, saved = false;

	for (unsigned i = 0; i < steps && fine; i++) {
		if (i == save_at) {
			savepoint = tx_savepoint(arena);
			middle = shadow;
			saved = true;
		}
		fine = step_counted(&middle);
	}
	if (saved && (!fine || random_below(2) == 0)) {
		tx_rollback_to(arena, savepoint);
		for (unsigned i = 0; i < BLOCKS; i++)
			if (shadow.block[i] != middle.block[i] &&
			    shadow.block[i] != before.block[i])
				free(shadow.block[i]);
		shadow = middle;
		fine = step_counted(&middle);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		if (middle.block[i] != shadow.block[i] &&
		    middle.block[i] != before.block[i])
			free(middle.block[i]);
	return fine;
}

static void
random_transaction(unsigned steps)
{
	bool fine;

	before = shadow;
	tx_begin(arena);
	fine = random_steps(steps);
	if (fine && random_below(3) != 0) {
		tx_commit(arena);
		collect(&before, &shadow);
		return;
	}
	if (random_below(2) == 0)
		tx_abort(arena);
	else
		EXPECT_EQ(open_arena(SIZE), OK);
	collect(&shadow, &before);
	shadow = before;
}

/* One step of the background check after each; it starts anew at its end. */
static void
check_random_transactions(void)
{
	uint64_t position = 0;
	bool same = true, done;

	setup();
	for (unsigned i = 0; i < 100000 && same; i++) {
		random_transaction((unsigned)random_below(10) + 1);
		same = arena_check_step(arena, &position, &done) == OK;
		if (i % 16 == 0)
			same = same && blocks_equal() && rest_equal() &&
			    arena_ok(arena);
	}
	EXPECT(same);
	forget();
}

TEST(test_random_transactions_match_the_shadow)
{
	check_random_transactions();
}

TEST(test_random_transactions_without_sums_match_the_shadow)
{
	summed = false;
	check_random_transactions();
	summed = true;
}

TEST(test_log_or_heap_running_out_undoes_the_transaction)
{
	setup();
	unsigned before_used = (unsigned)arena_bytes_used(arena);
	tx_begin(arena);
	while (arena_alloc(arena, 3000) != NULL)
		;
	tx_abort(arena);
	EXPECT_EQ(arena_bytes_used(arena), before_used);
	EXPECT(arena_ok(arena));
	tx_begin(arena);
	void *large = arena_alloc(arena, 300000);
	EXPECT(large != NULL);
	tx_commit(arena);
	tx_begin(arena);
	EXPECT_EQ(tx_add(arena, large, 300000), ERR_NOMEM);
	EXPECT_EQ(arena_free(arena, large), OK);
	tx_commit(arena);
	EXPECT(arena_ok(arena));
}

TEST(test_allocations_that_are_too_large_fail_cleanly)
{
	setup();
	tx_begin(arena);
	EXPECT(arena_alloc(arena, SIZE) == NULL);
	EXPECT(arena_alloc(arena, SIZE_MAX) == NULL);
	EXPECT(arena_alloc(arena, SIZE_MAX - 8) == NULL);
	EXPECT(arena_alloc(arena, 0) != NULL);
	tx_commit(arena);
	EXPECT(arena_ok(arena));
}

TEST(test_freed_and_taken_again_in_one_transaction_is_undone)
{
	uint8_t *block;

	setup();
	tx_begin(arena);
	block = arena_alloc(arena, 500);
	memset(block, 0x5a, 500);
	TX_SET(arena, root()->block[0], block);
	tx_commit(arena);
	for (unsigned size = 16; size < 600; size += 8) {
		tx_begin(arena);
		EXPECT_EQ(arena_free(arena, block), OK);
		for (unsigned i = 0; i < 5; i++)
			memset(arena_alloc(arena, size), 0xff, size);
		tx_abort(arena);
		bool same = true;
		for (unsigned i = 0; i < 500; i++)
			same = same && block[i] == 0x5a;
		EXPECT(same && arena_ok(arena));
	}
}

TEST(test_saving_the_same_range_twice_costs_no_log)
{
	setup();
	tx_begin(arena);
	TX_SET(arena, root()->length[3], 1);
	uint64_t used = log_length(arena->header);
	for (unsigned i = 0; i < 1000; i++)
		TX_SET(arena, root()->length[3], i);
	EXPECT_EQ(log_length(arena->header), used);
	uint8_t *fresh = arena_alloc(arena, 4000);
	used = log_length(arena->header);
	EXPECT_EQ(tx_add(arena, fresh + 100, 3000), OK);
	EXPECT_EQ(log_length(arena->header), used);
	tx_abort(arena);
}

TEST(test_empty_transaction_stores_nothing)
{
	setup();
	uint64_t commits = arena_commits(arena);
	tx_begin(arena);
	EXPECT(tx_is_open(arena));
	tx_commit(arena);
	EXPECT(!tx_is_open(arena));
	EXPECT_EQ(arena_commits(arena), commits);
	tx_begin(arena);
	TX_SET(arena, root()->length[0], 5);
	tx_commit(arena);
	EXPECT_EQ(arena_commits(arena), commits + 1);
}

TEST(test_opening_again_checks_size_and_keeps_version)
{
	setup();
	struct arena *other;
	EXPECT_EQ(arena_open(BASE, SIZE / 2, LAYOUT, NULL, &other), ERR_RANGE);
	EXPECT_EQ(arena_open(BASE, 4096, LAYOUT, NULL, &other), ERR_ARG);
	EXPECT_EQ(arena_open(BASE, SIZE, LAYOUT + 1, NULL, &other), OK);
	EXPECT_EQ(arena_layout_version(other), LAYOUT);
}

TEST(test_damaged_header_is_refused)
{
	for (size_t at = 0; at < offsetof(struct arena_header, commit); at++) {
		setup();
		((uint8_t *)BASE)[at] ^= 0x40;
		status_t status = open_arena(SIZE);
		EXPECT(status == ERR_CORRUPT || status == ERR_RANGE);
	}
	setup();
	((struct arena_header *)BASE)->seal = 0;
	EXPECT_EQ(open_arena(SIZE), ERR_CORRUPT);
	setup();
	((struct arena_header *)BASE)->commit |= LOG_MASK;
	EXPECT_EQ(open_arena(SIZE), ERR_CORRUPT);
}

TEST(test_damaged_log_is_refused)
{
	setup();
	tx_begin(arena);
	TX_SET(arena, root()->length[0], 5);
	struct arena_header *header = BASE;
	uint8_t *log = (uint8_t *)BASE + header->log_start;
	struct log_tail *tail = (struct log_tail *)(log +
	    log_length(header)) - 1;
	struct log_tail good = *tail;
	uint64_t commit = header->commit;
	for (unsigned bit = 0; bit < 64; bit++) {
		*tail = good;
		tail->offset = 1ul << bit;
		status_t status = open_arena(SIZE);
		EXPECT(status == ERR_CORRUPT || status == OK);
		header->commit = commit;
		*tail = good;
		tail->length_kind = 1ul << bit;
		status = open_arena(SIZE);
		EXPECT(status == ERR_CORRUPT || status == OK);
		header->commit = commit;
	}
}

#define EXPECT_FAILURE(statement) \
	do { \
		failure = NULL; \
		if (setjmp(failed) == 0) { \
			statement; \
		} \
		EXPECT(failure != NULL); \
		open_arena(SIZE); \
	} while (0)

TEST(test_misuse_panics)
{
	static uint64_t outside;

	setup();
	EXPECT_FAILURE(tx_add(arena, root(), 8));
	EXPECT_FAILURE(arena_alloc(arena, 8));
	EXPECT_FAILURE(tx_commit(arena));
	EXPECT_FAILURE(tx_abort(arena));
	EXPECT_FAILURE(tx_begin(arena); tx_begin(arena));
	EXPECT_FAILURE(tx_begin(arena); tx_add(arena, &outside, 8));
	EXPECT_FAILURE(tx_begin(arena); tx_add(arena, BASE, 8));
	EXPECT_FAILURE(tx_begin(arena); tx_add(arena, root(), SIZE));
	EXPECT_FAILURE(tx_begin(arena); arena_free(arena, &outside));
	EXPECT_FAILURE(tx_begin(arena);
	    arena_free(arena, (uint8_t *)root() + 16));
	EXPECT_FAILURE(tx_begin(arena); arena_free(arena, root());
	    arena_free(arena, BASE));
}

/* --- Protection. --- */

static void
protect_all(void *context)
{
	void *tables;
	size_t length;

	(void)context;
	if (mprotect(BASE, SIZE, PROT_READ) != 0)
		abort();
	arena_tables(arena, &tables, &length);
	if (mprotect(tables, length, PROT_READ | PROT_WRITE) != 0)
		abort();
}

static void
protect_expose(void *context, void *start, size_t length)
{
	uintptr_t low = (uintptr_t)start & ~PAGE_MASK;
	uintptr_t high = ((uintptr_t)start + length + PAGE_MASK) & ~PAGE_MASK;

	(void)context;
	if (mprotect((void *)low, high - low, PROT_READ | PROT_WRITE) != 0)
		abort();
}

TEST(test_only_exposed_pages_are_written)
{
	static const struct arena_environment environment = {
		.close_all = protect_all, .expose = protect_expose,
		.fail = fail,
	};

	setup();
	EXPECT_EQ(arena_open(BASE, SIZE, LAYOUT, &environment, &arena), OK);
	protect_all(NULL);
	for (unsigned i = 0; i < 3000; i++) {
		before = shadow;
		tx_begin(arena);
		bool fine = step();
		if (fine && i % 3 != 0) {
			tx_commit(arena);
			collect(&before, &shadow);
		} else {
			tx_abort(arena);
			collect(&shadow, &before);
			shadow = before;
		}
	}
	EXPECT(blocks_equal() && rest_equal() && arena_ok(arena));
	forget();
}

TEST_MAIN(0)
