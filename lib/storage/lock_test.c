/* SPDX-License-Identifier: MIT */
/*
 * Laws of locks. Random requests of several owners go to the core and to a
 * model that has an array of bytes for each owner; laws that random requests
 * seldom meet have tests of their own.
 */
#include "fake_host.h"

#include <lib/base/hash.h>
#include <lib/test/ktap.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH(text)	((struct storage_path){ (text), strlen(text) })
#define OWNERS		5u	/* the last two are open files */
#define BYTES		48u
#define DO(call)	(fake_begin(&fake), fake_end(&fake, (call)))

static struct fake fake;
static struct description *top, *file[OWNERS], *owner[OWNERS];

static struct storage *
core(void)
{
	return &fake.storage;
}

static struct description *
open_file(const char *path, unsigned flags)
{
	struct storage_opened opened;
	struct description *d = NULL;

	EXPECT_EQ(DO(storage_open(core(), top, PATH(path), flags, 0644, &d,
	    &opened)), 0);
	return d;
}

static void
setup_with(size_t arena)
{
	fake_create(&fake, arena, 16, 2);
	EXPECT_EQ(DO(fake_attach(&fake, 0, &top)), 0);
	for (unsigned i = 0; i < OWNERS; i++) {
		file[i] = open_file("file",
		    OPEN_READ | OPEN_WRITE | OPEN_CREATE);
		owner[i] = i < OWNERS - 2 ? open_file("/", OPEN_PATH) : NULL;
	}
}

static void
finish(void)
{
	EXPECT(storage_ok(core()));
	EXPECT(arena_ok(core()->arena));
	EXPECT_EQ(fake_used(&fake), fake_named(&fake));
}

static struct storage_lock
lock_of(unsigned who, unsigned type, uint64_t first, uint64_t last)
{
	return (struct storage_lock){
		.type = type, .first = first, .last = last,
		.owner = owner[who], .pid = owner[who] != NULL ? who + 1 : 0,
	};
}

/* Minus an error, or LOCKED_*. reply 0: does not wait. */
static int
ask(unsigned who, struct storage_lock lock, uint32_t reply)
{
	enum storage_locked locked;
	unsigned error;

	if (reply != 0)
		lock.flags |= LOCK_WAIT;
	error = DO(storage_lock(core(), file[who], &lock,
	    (struct storage_call){ reply, 1000 + reply }, &locked));
	return error != 0 ? -(int)error : (int)locked;
}

static int
ask_range(unsigned who, unsigned type, uint64_t first, uint64_t last,
    uint32_t reply)
{
	return ask(who, lock_of(who, type, first, last), reply);
}

static int
ask_whole(unsigned who, unsigned type, uint32_t reply)
{
	struct storage_lock lock = { .type = type, .flags = LOCK_WHOLE,
		.last = INT64_MAX };

	return ask(who, lock, reply);
}

static uint64_t
answers(void)
{
	return fake_root(&fake)->answers;
}

static struct fake_answer
last_answer(void)
{
	return fake_root(&fake)->answer[(answers() - 1) % FAKE_ANSWERS];
}

/* --- Against a model. --- */

enum byte { FREE, READS, WRITES };

static struct model {
	uint8_t	 byte[OWNERS][BYTES];
	bool	 waits[OWNERS];
	unsigned type[OWNERS], first[OWNERS], last[OWNERS];
	unsigned turn[OWNERS];	/* order of asking */
	bool	 given[OWNERS];
} model;

static bool
model_free(unsigned who, unsigned type, unsigned first, unsigned last)
{
	for (unsigned other = 0; other < OWNERS; other++)
		for (unsigned at = first; at <= last; at++)
			if (other != who && model.byte[other][at] >
			    (type == LOCK_READ ? READS : FREE))
				return false;
	return true;
}

static void
model_set(unsigned who, unsigned type, unsigned first, unsigned last)
{
	static const uint8_t as[] = { READS, WRITES, FREE };

	memset(&model.byte[who][first], as[type], last - first + 1);
}

/* In order of asking, each sees what those before were given. */
static void
model_grant(void)
{
	for (unsigned turn = 0;;) {
		unsigned next = OWNERS;

		for (unsigned i = 0; i < OWNERS; i++)
			if (model.waits[i] && model.turn[i] > turn &&
			    (next == OWNERS ||
			    model.turn[i] < model.turn[next]))
				next = i;
		if (next == OWNERS)
			return;
		turn = model.turn[next];
		if (!model_free(next, model.type[next], model.first[next],
		    model.last[next]))
			continue;
		model_set(next, model.type[next], model.first[next],
		    model.last[next]);
		model.waits[next] = false;
		model.given[next] = true;
	}
}

static uint64_t seed = 1;

static unsigned
chance(unsigned below)
{
	return (unsigned)(hash_mix(seed++) % below);
}

/* Whom the model gave something were answered, and nobody else. */
static void
same_answers(uint64_t before)
{
	for (uint64_t i = before; i < answers(); i++) {
		struct fake_answer *a =
		    &fake_root(&fake)->answer[i % FAKE_ANSWERS];

		EXPECT_EQ(a->error, 0);
		EXPECT(model.given[a->call.reply - 1]);
		model.given[a->call.reply - 1] = false;
	}
	for (unsigned i = 0; i < OWNERS; i++)
		EXPECT(!model.given[i]);
}

static void
step(unsigned turn)
{
	unsigned who = chance(OWNERS), type = chance(3);
	unsigned first = chance(BYTES), last = first + chance(BYTES - first);
	bool wait = type != LOCK_UNLOCK && chance(4) == 0;
	uint64_t before = answers();
	int got;

	if (model.waits[who])
		return;
	got = ask_range(who, type, first, last, wait ? who + 1 : 0);
	if (type != LOCK_UNLOCK && !model_free(who, type, first, last)) {
		EXPECT(got == (wait ? LOCKED_WAITS : LOCKED_BUSY) ||
		    (wait && got == -E_DEADLK));
		model.waits[who] = got == LOCKED_WAITS;
		model.type[who] = type;
		model.first[who] = first;
		model.last[who] = last;
		model.turn[who] = turn;
		return;
	}
	EXPECT_EQ(got, LOCKED_DONE);
	model_set(who, type, first, last);
	model_grant();
	same_answers(before);
}

/* What a stranger would meet at each byte. */
static void
same_bytes(void)
{
	for (unsigned at = 0; at < BYTES; at++) {
		struct storage_lock lock = { .type = LOCK_WRITE,
			.first = at, .last = at, .owner = top, .pid = 99 };
		unsigned met = FREE;

		for (unsigned i = 0; i < OWNERS; i++)
			if (model.byte[i][at] > met)
				met = model.byte[i][at];
		EXPECT_EQ(storage_lock_test(file[0], &lock), 0);
		EXPECT_EQ(lock.type, met == FREE ? LOCK_UNLOCK :
		    met == READS ? LOCK_READ : LOCK_WRITE);
	}
}

TEST(test_locks_are_those_of_an_array_of_bytes)
{
	setup_with(1ul << 20);
	model = (struct model){ 0 };
	for (unsigned turn = 1; turn <= 6000; turn++) {
		step(turn);
		if (turn % 50 == 0) {
			same_bytes();
			finish();
		}
		if (ktap_state.failed)
			return;
	}
}

/* --- Single laws. --- */

TEST(test_circles_of_waiting_are_refused)
{
	setup_with(1ul << 20);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_EQ(ask_range(i, LOCK_WRITE, i, i, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 1, 1, 1), LOCKED_WAITS);
	EXPECT_EQ(ask_range(1, LOCK_READ, 2, 2, 2), LOCKED_WAITS);
	EXPECT_EQ(ask_range(2, LOCK_WRITE, 0, 0, 3), -E_DEADLK);
	EXPECT_EQ(ask_range(2, LOCK_WRITE, 0, 0, 0), LOCKED_BUSY);
	/* Open files are not processes: nobody knows who would go on. */
	EXPECT_EQ(ask_range(3, LOCK_WRITE, 5, 5, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(4, LOCK_WRITE, 6, 6, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(3, LOCK_WRITE, 6, 6, 4), LOCKED_WAITS);
	EXPECT_EQ(ask_range(4, LOCK_WRITE, 5, 5, 5), LOCKED_WAITS);
	finish();
}

TEST(test_who_closes_unlocks)
{
	setup_with(1ul << 20);
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 0, 9, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(3, LOCK_WRITE, 20, 29, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(1, LOCK_WRITE, 0, 29, 1), LOCKED_WAITS);
	/* The file through which a process locked is not the owner. */
	EXPECT_EQ(DO(storage_close(core(), file[0])), 0);
	EXPECT_EQ(answers(), 0);
	EXPECT_EQ(DO(storage_close(core(), owner[0])), 0);
	EXPECT_EQ(answers(), 0);
	EXPECT_EQ(DO(storage_retire(core(), file[3])), 0);
	EXPECT_EQ(answers(), 1);
	EXPECT_EQ(last_answer().call.reply, 1);
	EXPECT_EQ(last_answer().error, 0);
	finish();
}

TEST(test_who_closes_waits_no_more)
{
	setup_with(1ul << 20);
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 0, 9, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(3, LOCK_WRITE, 5, 9, 1), LOCKED_WAITS);
	EXPECT_EQ(DO(storage_close(core(), file[3])), 0);
	EXPECT_EQ(last_answer().error, E_BADF);
	EXPECT_EQ(ask_range(0, LOCK_UNLOCK, 0, 9, 0), LOCKED_DONE);
	EXPECT_EQ(answers(), 1);
	finish();
}

TEST(test_a_wait_that_is_given_up_gets_nothing)
{
	bool found;

	setup_with(1ul << 20);
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 0, 9, 0), LOCKED_DONE);
	EXPECT_EQ(ask_range(1, LOCK_WRITE, 0, 9, 1), LOCKED_WAITS);
	EXPECT_EQ(ask_range(2, LOCK_WRITE, 0, 9, 2), LOCKED_WAITS);
	EXPECT_EQ(DO(storage_cancel(core(),
	    (struct storage_call){ 1, 5 }, &found)), 0);
	EXPECT(!found);
	EXPECT_EQ(DO(storage_cancel(core(),
	    (struct storage_call){ 1, 1001 }, &found)), 0);
	EXPECT(found);
	EXPECT_EQ(last_answer().error, E_INTR);
	EXPECT_EQ(ask_range(0, LOCK_UNLOCK, 0, 9, 0), LOCKED_DONE);
	EXPECT_EQ(last_answer().call.reply, 2);
	EXPECT_EQ(ask_range(0, LOCK_READ, 0, 9, 0), LOCKED_BUSY);
	finish();
}

TEST(test_records_and_whole_files_do_not_meet)
{
	setup_with(1ul << 20);
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 0, INT64_MAX, 0), LOCKED_DONE);
	EXPECT_EQ(ask_whole(1, LOCK_WRITE, 0), LOCKED_DONE);
	EXPECT_EQ(ask_whole(2, LOCK_READ, 0), LOCKED_BUSY);
	EXPECT_EQ(ask_whole(1, LOCK_READ, 0), LOCKED_DONE);
	EXPECT_EQ(ask_whole(2, LOCK_READ, 0), LOCKED_DONE);
	/* Both want more: the first gives up what it has and waits. */
	EXPECT_EQ(ask_whole(1, LOCK_WRITE, 1), LOCKED_WAITS);
	EXPECT_EQ(ask_whole(2, LOCK_WRITE, 0), LOCKED_DONE);
	EXPECT_EQ(ask_whole(2, LOCK_UNLOCK, 0), LOCKED_DONE);
	EXPECT_EQ(last_answer().call.reply, 1);
	finish();
}

TEST(test_locks_of_a_removed_file_last)
{
	setup_with(1ul << 20);
	uint64_t inodes = core()->root->inodes;
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 0, 9, 0), LOCKED_DONE);
	EXPECT_EQ(DO(storage_unlink(core(), top, PATH("file"), false)), 0);
	for (unsigned i = 0; i < OWNERS; i++)
		EXPECT_EQ(DO(storage_close(core(), file[i])), 0);
	EXPECT_EQ(core()->root->inodes, inodes);
	finish();
	EXPECT_EQ(DO(storage_close(core(), owner[0])), 0);
	EXPECT_EQ(core()->root->inodes, inodes - 1);
	finish();
}

TEST(test_what_is_not_allowed_is_refused)
{
	struct storage_lock lock = lock_of(0, LOCK_READ, 5, 4);

	setup_with(1ul << 20);
	EXPECT_EQ(ask(0, lock, 0), -E_INVAL);
	EXPECT_EQ(ask_range(0, 3, 0, 9, 0), -E_INVAL);
	EXPECT_EQ(ask_range(0, LOCK_READ, 0, 1ul << 63, 0), -E_INVAL);
	file[0] = open_file("file", OPEN_READ);
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 0, 9, 0), -E_BADF);
	EXPECT_EQ(ask_whole(0, LOCK_WRITE, 0), LOCKED_DONE);
	file[1] = open_file("file", OPEN_WRITE);
	EXPECT_EQ(ask_range(1, LOCK_READ, 0, 9, 0), -E_BADF);
	file[2] = open_file("file", OPEN_PATH);
	EXPECT_EQ(ask_range(2, LOCK_UNLOCK, 0, 9, 0), -E_BADF);
	finish();
}

/* The limits are there so that this fits the undo log. */
TEST(test_an_owner_with_all_its_locks_can_go)
{
	unsigned got = 0;

	setup_with(16ul << 20);
	while (ask_range(0, LOCK_WRITE, 2 * got, 2 * got, 0) == LOCKED_DONE)
		got++;
	EXPECT_EQ(ask_range(0, LOCK_WRITE, 2 * got, 2 * got, 0), -E_NOLCK);
	EXPECT_EQ(got, STORAGE_LOCKS_PER_OWNER - 1);
	for (unsigned i = 0; i < 40; i++)
		EXPECT_EQ(ask(1 + i % 2, (struct storage_lock){ LOCK_WRITE, 0,
		    2 * i, 2 * i, owner[1 + i % 2], 2 }, 1 + i), LOCKED_WAITS);
	EXPECT_EQ(DO(storage_close(core(), owner[0])), 0);
	/* No more answers fit a transaction: it is gone on with. */
	EXPECT(answers() < 40 && storage_has_work(core()));
	finish();
	while (storage_has_work(core()))
		EXPECT_EQ(DO(storage_work(core())), 0);
	EXPECT_EQ(answers(), 40);
	finish();
}

TEST_MAIN(0)
