/* SPDX-License-Identifier: MIT */
/* Laws of watches: who is signalled, and what is left of who is gone. */
#include <lib/test/ktap.h>

#include <lib/proc/proc_host.h>

static uint64_t next_badge;

static struct proc_watch_name
name_of(uint64_t key, uint64_t bits, bool exclusive)
{
	return (struct proc_watch_name){ { key, ~key }, bits, exclusive };
}

/* NULL at the limit. Its notification is the given number. */
static struct proc_watcher *
watcher_of(struct process *process, uint64_t notification)
{
	struct proc_watcher *watcher = NULL;

	begin();
	if (end(proc_watcher_create(&proc, process, ++next_badge,
	    &watcher)) != 0)
		return NULL;
	begin();
	tx_add(proc.arena, watcher, sizeof(*watcher));
	watcher->notification = notification;
	end(0);
	return watcher;
}

static int
add(struct proc_watcher *watcher, uint64_t key, uint64_t bits, bool exclusive)
{
	struct proc_watch_name name = name_of(key, bits, exclusive);

	begin();
	return end(proc_watch_add(&proc, watcher, &name));
}

static int
remove_watch(struct proc_watcher *watcher, uint64_t key, uint64_t bits)
{
	struct proc_watch_name name = name_of(key, bits, false);

	begin();
	return end(proc_watch_remove(&proc, watcher, &name));
}

static void
end_watcher(struct proc_watcher *watcher)
{
	begin();
	EXPECT_EQ(end(proc_watcher_end(&proc, watcher)), 0);
}

static void
name_watcher(struct proc_watcher *watcher, uint64_t key)
{
	begin();
	EXPECT_EQ(end(proc_watcher_name(&proc, watcher,
	    (uint64_t[]){ key, ~key })), 0);
}

/* Left: others could have been chosen. */
static bool
wake(uint64_t key)
{
	bool left;

	memset(signalled, 0, sizeof(signalled));
	signal_count = 0;
	begin();
	EXPECT_EQ(end(proc_wake(&proc, (uint64_t[]){ key, ~key }, &left)), 0);
	return left;
}

TEST(test_a_wake_signals_all_that_watch_the_key_and_no_others)
{
	struct process *init = boot();
	struct proc_watcher *a = watcher_of(init, 1);
	struct proc_watcher *b = watcher_of(init, 2);

	EXPECT_EQ(add(a, 10, 4, false), 0);
	EXPECT_EQ(add(b, 10, 8, false), 0);
	EXPECT_EQ(add(b, 11, 16, false), 0);
	EXPECT(!wake(10));
	EXPECT_EQ(signalled[1], 4);
	EXPECT_EQ(signalled[2], 8);
	EXPECT(!wake(12));
	EXPECT_EQ(signal_count, 0);
}

TEST(test_half_a_key_is_no_key)
{
	struct proc_watcher *a = watcher_of(boot(), 1);
	struct proc_watch_name half = { { 10, 5 }, 1, false };
	bool left;

	EXPECT_EQ(add(a, 10, 4, false), 0);
	begin();
	EXPECT_EQ(end(proc_watch_add(&proc, a, &half)), E_PERM);
	signal_count = 0;
	begin();
	EXPECT_EQ(end(proc_wake(&proc, half.key, &left)), 0);
	EXPECT_EQ(signal_count, 0);
	EXPECT_EQ(add(a, 0, 4, false), E_INVAL);
	EXPECT_EQ(add(a, 11, 0, false), E_INVAL);
}

TEST(test_a_watch_stays_until_it_is_removed_as_often_as_added)
{
	struct proc_watcher *a = watcher_of(boot(), 1);

	EXPECT_EQ(add(a, 10, 4, false), 0);
	EXPECT_EQ(add(a, 10, 4, false), 0);
	EXPECT_EQ(add(a, 10, 8, false), 0);
	EXPECT_EQ(remove_watch(a, 10, 4), 0);
	wake(10);
	EXPECT_EQ(signalled[1], 12);
	EXPECT_EQ(remove_watch(a, 10, 4), 0);
	wake(10);
	EXPECT_EQ(signalled[1], 8);
	EXPECT_EQ(remove_watch(a, 10, 4), E_NOENT);
	EXPECT_EQ(remove_watch(a, 10, 8), 0);
	EXPECT_EQ(arena_map_count(proc.table->watched), 0);
}

TEST(test_exclusive_watches_are_woken_in_turn_others_always)
{
	struct process *init = boot();
	struct proc_watcher *all = watcher_of(init, 0);
	unsigned turns[4] = { 0 };

	EXPECT_EQ(add(all, 10, 1, false), 0);
	for (unsigned i = 1; i < 4; i++)
		EXPECT_EQ(add(watcher_of(init, i), 10, 1, true), 0);
	for (unsigned round = 0; round < 6; round++) {
		EXPECT(wake(10));
		EXPECT_EQ(signalled[0], 1);
		EXPECT_EQ(signal_count, 2);
		for (unsigned i = 1; i < 4; i++)
			turns[i] += signalled[i] != 0;
	}
	for (unsigned i = 1; i < 4; i++)
		EXPECT_EQ(turns[i], 2);
}

TEST(test_one_exclusive_watch_leaves_nobody)
{
	struct proc_watcher *a = watcher_of(boot(), 1);

	EXPECT_EQ(add(a, 10, 1, true), 0);
	EXPECT(!wake(10));
	EXPECT_EQ(signalled[1], 1);
}

TEST(test_what_a_named_watcher_watches_wakes_those_that_watch_it)
{
	struct process *init = boot();
	struct proc_watcher *inner = watcher_of(init, 1);
	struct proc_watcher *middle = watcher_of(init, 2);
	struct proc_watcher *outer = watcher_of(init, 3);

	name_watcher(inner, 100);
	name_watcher(middle, 101);
	EXPECT_EQ(add(inner, 10, 1, false), 0);
	EXPECT_EQ(add(middle, 100, 2, false), 0);
	EXPECT_EQ(add(outer, 101, 4, false), 0);
	wake(10);
	EXPECT_EQ(signalled[1], 1);
	EXPECT_EQ(signalled[2], 2);
	EXPECT_EQ(signalled[3], 4);
}

/* Hostile: a libOS refuses loops, proc survives them. */
TEST(test_a_loop_of_names_ends)
{
	struct process *init = boot();
	struct proc_watcher *a = watcher_of(init, 1);
	struct proc_watcher *b = watcher_of(init, 2);

	name_watcher(a, 100);
	name_watcher(b, 101);
	for (unsigned i = 0; i < 20; i++) {
		EXPECT_EQ(add(a, 101, 1ul << i, false), 0);
		EXPECT_EQ(add(b, 100, 1ul << i, (i & 1) != 0), 0);
	}
	wake(100);
	EXPECT(signal_count > 20 && signal_count <= 5000);
	EXPECT_EQ(signalled[1], (1ul << 20) - 1);
}

TEST(test_a_watcher_that_ends_takes_its_watches_along)
{
	struct process *init = boot();
	struct proc_watcher *a = watcher_of(init, 1);
	struct proc_watcher *b = watcher_of(init, 2);

	for (uint64_t key = 1; key <= 100; key++) {
		EXPECT_EQ(add(a, key, 1, false), 0);
		EXPECT_EQ(add(b, key, 1, (key & 1) != 0), 0);
	}
	end_watcher(a);
	EXPECT_EQ(proc.table->watches, 100);
	wake(50);
	EXPECT_EQ(signalled[1], 0);
	EXPECT_EQ(signalled[2], 1);
	end_watcher(b);
	EXPECT_EQ(arena_map_count(proc.table->watched), 0);
	EXPECT_EQ(arena_map_count(proc.table->watchers), 0);
	EXPECT_EQ(proc.table->watches, 0);
	EXPECT_EQ(init->watchers, 0);
}

TEST(test_a_watcher_outlives_who_made_it)
{
	struct process *init = boot(), *child = make(init);
	struct proc_watcher *a = watcher_of(child, 1);

	EXPECT_EQ(add(a, 10, 1, false), 0);
	finish(child, 0);
	wait_for(init, -1, 0, new_call(), NULL);
	wake(10);
	EXPECT_EQ(signalled[1], 1);
	end_watcher(a);
	EXPECT_EQ(init->watchers, 0);
}

TEST(test_limits_hold_for_each_and_for_all)
{
	struct process *init = boot(), *child = make(init);
	struct proc_watcher *first = NULL, *watcher;
	unsigned made = 0;

	while ((watcher = watcher_of(child, 1)) != NULL) {
		first = first == NULL ? watcher : first;
		made++;
	}
	EXPECT_EQ(made, PROC_WATCHERS_OWN);
	EXPECT(watcher_of(init, 2) != NULL);
	for (uint64_t key = 1; key <= PROC_WATCHES_OWN; key++)
		EXPECT_EQ(add(first, key, 1, false), 0);
	EXPECT_EQ(add(first, PROC_WATCHES_OWN + 1, 1, false), E_NOSPC);
	/* All of it goes in one transaction. */
	end_watcher(first);
	EXPECT(watcher_of(child, 1) != NULL);
}

TEST(test_every_watcher_looks_after_a_death)
{
	struct process *init = boot();

	for (unsigned i = 1; i < 4; i++)
		watcher_of(init, i);
	memset(signalled, 0, sizeof(signalled));
	proc_wake_all(&proc);
	for (unsigned i = 1; i < 4; i++)
		EXPECT_EQ(signalled[i], WATCHER_BIT_LOOK);
}

TEST_MAIN(0)
