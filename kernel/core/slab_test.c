/* SPDX-License-Identifier: MIT */
/* Laws of slabs. */
#include <kernel/arch/host/host.h>
#include <kernel/core/frame.h>
#include <kernel/core/slab.h>
#include <lib/test/ktap.h>
#include <string.h>

#define RAM	(8ul << 20)
#define COUNT	3000u

struct small {
	char bytes[40];
};

struct large {
	char bytes[2000];
};

static uint64_t
frames_free(void)
{
	struct frame_statistics statistics;

	frame_get_statistics(&statistics);
	return statistics.free;
}

static bool
is_filled(const char *bytes, size_t size, char value)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

TEST(test_objects_are_zeroed_distinct_and_all_frames_come_back)
{
	static struct slab slab = SLAB_INITIALIZER("small", struct small);
	static struct small *objects[COUNT];
	uint64_t before = frames_free();

	for (unsigned i = 0; i < COUNT; i++) {
		objects[i] = slab_alloc(&slab);
		EXPECT(is_filled(objects[i]->bytes, sizeof(struct small), 0));
		memset(objects[i], (int)i & 0x7f, sizeof(struct small));
	}
	EXPECT(slab_ok(&slab));
	EXPECT_EQ(slab.live, COUNT);
	EXPECT_EQ(frames_free(), before - slab.frames);
	for (unsigned i = 0; i < COUNT; i++)
		EXPECT(is_filled(objects[i]->bytes, sizeof(struct small),
		    (char)(i & 0x7f)));
	for (unsigned i = 0; i < COUNT; i++) {
		slab_free(&slab, objects[(i * 7) % COUNT]);
		if (i % 256 == 0)
			EXPECT(slab_ok(&slab));
	}
	EXPECT_EQ(slab.live, 0);
	EXPECT_EQ(slab.frames, 0);
	EXPECT_EQ(frames_free(), before);
}

TEST(test_freed_places_of_a_full_frame_are_used_again)
{
	static struct slab slab = SLAB_INITIALIZER("small", struct small);
	static struct small *objects[COUNT];
	uint64_t frames;

	for (unsigned i = 0; i < COUNT; i++)
		objects[i] = slab_alloc(&slab);
	frames = slab.frames;
	for (unsigned i = 0; i < COUNT; i += 3)
		slab_free(&slab, objects[i]);
	for (unsigned i = 0; i < COUNT; i += 3)
		objects[i] = slab_alloc(&slab);
	EXPECT_EQ(slab.frames, frames);
	for (unsigned i = 0; i < COUNT; i++)
		slab_free(&slab, objects[i]);
	EXPECT_EQ(slab.frames, 0);
}

TEST(test_random_order_keeps_contents)
{
	static struct slab slab = SLAB_INITIALIZER("large", struct large);
	static struct large *objects[200];
	uint64_t before = frames_free(), seed = 1;

	for (unsigned step = 0; step < 20000; step++) {
		seed = seed * 6364136223846793005ul + 1;
		unsigned i = (unsigned)(seed >> 40) % 200;
		char mark = (char)(i % 100 + 1);

		if (objects[i] == NULL) {
			objects[i] = slab_alloc(&slab);
			objects[i]->bytes[0] = objects[i]->bytes[1999] = mark;
		} else {
			EXPECT_EQ(objects[i]->bytes[0], mark);
			EXPECT_EQ(objects[i]->bytes[1999], mark);
			slab_free(&slab, objects[i]);
			objects[i] = NULL;
		}
	}
	EXPECT(slab_ok(&slab));
	for (unsigned i = 0; i < 200; i++)
		if (objects[i] != NULL)
			slab_free(&slab, objects[i]);
	EXPECT_EQ(frames_free(), before);
}

TEST(test_no_frame_means_null_and_nothing_changed)
{
	static struct slab slab = SLAB_INITIALIZER("small", struct small);
	uint64_t before = frames_free();

	frame_fail_nth(1);
	EXPECT(slab_alloc(&slab) == NULL);
	EXPECT_EQ(slab.live, 0);
	EXPECT_EQ(frames_free(), before);
	slab_free(&slab, slab_alloc(&slab));
	EXPECT_EQ(frames_free(), before);
}

TEST(test_foreign_pointer_panics)
{
	/* A panic leaves the lock held, so each one has a slab of its own. */
	static struct slab inner = SLAB_INITIALIZER("inner", struct small);
	static struct slab wrong = SLAB_INITIALIZER("wrong", struct small);
	static struct slab other = SLAB_INITIALIZER("other", struct small);
	char *object = slab_alloc(&inner);
	struct small *foreign = slab_alloc(&other);

	if (HOST_EXPECT_PANIC())
		slab_free(&inner, object + 8);
	EXPECT(host_panic_caught());
	if (HOST_EXPECT_PANIC())
		slab_free(&wrong, foreign);
	EXPECT(host_panic_caught());
}

#ifdef BENNU_DEBUG
TEST(test_double_free_panics)
{
	static struct slab slab = SLAB_INITIALIZER("twice", struct small);
	struct small *kept = slab_alloc(&slab), *freed = slab_alloc(&slab);

	EXPECT(kept != NULL);
	slab_free(&slab, freed);
	if (HOST_EXPECT_PANIC())
		slab_free(&slab, freed);
	EXPECT(host_panic_caught());
}
#endif

#if defined(BENNU_DEBUG) && !defined(__SANITIZE_ADDRESS__)
TEST(test_write_after_free_is_found_on_reuse)
{
	static struct slab slab = SLAB_INITIALIZER("late", struct small);
	char *kept = slab_alloc(&slab), *freed = slab_alloc(&slab);

	EXPECT(kept != NULL);
	slab_free(&slab, freed);
	freed[20] = 1;
	if (HOST_EXPECT_PANIC())
		slab_alloc(&slab);
	EXPECT(host_panic_caught());
}
#endif

static int
setup(void)
{
	host_boot(RAM, 1);
	return 0;
}

TEST_MAIN(setup())
