/* SPDX-License-Identifier: MIT */
/* Who may what: subjects, what is renounced, what is adopted. */
#include "fake_host.h"

#include <lib/test/ktap.h>

#include <string.h>

#define PATH(text)	((struct storage_path){ (text), strlen(text) })

static struct fake fake;
static struct description *top;

static struct storage *
core(void)
{
	return &fake.storage;
}

/* One operation in a transaction of its own. */
#define DO(call)	(fake_begin(&fake), fake_end(&fake, (call)))

static void
setup(void)
{
	fake_create(&fake, 2ul << 20, 64, 8);
	EXPECT_EQ(DO(fake_attach(&fake, 0, &top)), 0);
}

static void
finish(void)
{
	EXPECT(storage_ok(core()));
	EXPECT(arena_ok(core()->arena));
	EXPECT_EQ(fake_used(&fake), fake_named(&fake));
}

static struct description *
attached(uint32_t id, const uint32_t *groups, uint32_t count)
{
	const struct storage_who who = {
		.ids = { .uid = id, .gid = id, .real_uid = id + 1,
		    .real_gid = id + 1 },
		.groups = groups, .group_count = count,
	};
	struct description *d = NULL;

	EXPECT_EQ(DO(storage_attach(core(), &who, &d)), 0);
	return d;
	finish();
}

TEST(test_a_group_counts_wherever_it_stands_in_the_list)
{
	uint32_t groups[STORAGE_GROUPS_MAX];

	setup();
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0770)), 0);
	for (uint32_t i = 0; i < STORAGE_GROUPS_MAX; i++)
		groups[i] = 10 + 2 * i;
	struct description *d = attached(5, groups, STORAGE_GROUPS_MAX);
	for (uint32_t gid = 8; gid < 14 + 2 * STORAGE_GROUPS_MAX; gid++) {
		bool member = gid % 2 == 0 && gid >= 10 &&
		    gid < 10 + 2 * STORAGE_GROUPS_MAX;

		EXPECT_EQ(DO(storage_chown(core(), top, PATH("d"),
		    (struct storage_owner){ 0, gid }, 0)), 0);
		EXPECT_EQ(DO(storage_access(core(), d, PATH("d"), 7, 0)),
		    member ? 0 : E_ACCES);
	}
	finish();
}

TEST(test_groups_that_are_too_many_or_do_not_ascend_are_refused)
{
	static uint32_t groups[STORAGE_GROUPS_MAX + 1];
	struct storage_who who = { .groups = groups,
		.group_count = STORAGE_GROUPS_MAX + 1 };
	struct description *d;

	setup();
	EXPECT_EQ(DO(storage_attach(core(), &who, &d)), E_INVAL);
	groups[0] = 2;
	groups[1] = 1;
	who.group_count = 2;
	EXPECT_EQ(DO(storage_attach(core(), &who, &d)), E_INVAL);
	finish();
}

TEST(test_access_can_ask_for_the_real_ids)
{
	setup();
	struct description *d = attached(5, NULL, 0);
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0700)), 0);
	EXPECT_EQ(DO(storage_chown(core(), top, PATH("d"),
	    (struct storage_owner){ 6, 0 }, 0)), 0);
	EXPECT_EQ(DO(storage_access(core(), d, PATH("d"), 7, 0)), E_ACCES);
	EXPECT_EQ(DO(storage_access(core(), d, PATH("d"), 7, AT_REAL)), 0);
	finish();
}

TEST(test_what_was_renounced_is_no_base_and_changes_no_attributes)
{
	struct storage_opened opened;
	struct description *file, *d;
	struct storage_stat stat;

	setup();
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0777)), 0);
	EXPECT_EQ(DO(storage_open(core(), top, PATH("d"), OPEN_READ, 0, &d,
	    &opened)), 0);
	EXPECT_EQ(DO(storage_open(core(), top, PATH("f"), OPEN_CREATE |
	    OPEN_READ | OPEN_WRITE, 0666, &file, &opened)), 0);
	EXPECT_EQ(DO(storage_renounce(core(), d)), 0);
	EXPECT_EQ(DO(storage_renounce(core(), file)), 0);
	EXPECT_EQ(DO(storage_renounce(core(), top)), E_PERM);
	EXPECT_EQ(DO(storage_open(core(), d, PATH("x"), OPEN_CREATE, 0666,
	    &d, &opened)), E_KEYREVOKED);
	EXPECT_EQ(DO(storage_stat_at(core(), d, PATH("."), 0, &stat)),
	    E_KEYREVOKED);
	EXPECT_EQ(DO(storage_mkdir(core(), d, PATH("/x"), 0777)),
	    E_KEYREVOKED);
	EXPECT_EQ(DO(storage_chmod(core(), file, PATH(""), 0777, AT_HANDLE)),
	    E_KEYREVOKED);
	EXPECT_EQ(DO(storage_retire(core(), file)), E_BADF);
	/* It still is what it was opened for. */
	EXPECT_EQ(DO(storage_truncate(core(), file, 10)), 0);
	storage_stat(core(), file, &stat);
	EXPECT_EQ(stat.size, 10);
	finish();
}

TEST(test_a_retired_description_opens_nothing_once_renounced)
{
	struct storage_opened opened;
	struct description *d;

	setup();
	EXPECT_EQ(DO(storage_open(core(), top, PATH("f"), OPEN_CREATE |
	    OPEN_READ, 0666, &d, &opened)), 0);
	EXPECT_EQ(DO(storage_retire(core(), d)), 0);
	EXPECT_EQ(DO(storage_renounce(core(), d)), 0);
	EXPECT_EQ(DO(storage_reopen(core(), d, PATH("/f"), OPEN_READ, 0,
	    &opened)), E_KEYREVOKED);
	finish();
}

TEST(test_who_adopts_a_folder_acts_there_as_himself)
{
	struct storage_opened opened;
	struct description *d, *own, *made;
	struct storage_stat stat;

	setup();
	struct description *user = attached(5, NULL, 0);
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0777)), 0);
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d/root"), 0700)), 0);
	EXPECT_EQ(DO(storage_open(core(), top, PATH("d"), OPEN_READ, 0, &d,
	    &opened)), 0);
	EXPECT_EQ(DO(storage_adopt(core(), user, d, &own)), 0);
	EXPECT_EQ(DO(storage_open(core(), own, PATH("x"), OPEN_CREATE, 0666,
	    &made, &opened)), 0);
	storage_stat(core(), made, &stat);
	EXPECT_EQ(stat.uid, 5);
	EXPECT_EQ(DO(storage_mkdir(core(), own, PATH("root/x"), 0777)),
	    E_ACCES);
	/* Nobody adopts in the name of nobody. */
	EXPECT_EQ(DO(storage_renounce(core(), own)), 0);
	EXPECT_EQ(DO(storage_adopt(core(), own, d, &made)), E_KEYREVOKED);
	finish();
}

TEST(test_subjects_are_shared_and_unused_ones_go)
{
	struct description *keep[8];

	setup();
	for (uint32_t i = 0; i < 8; i++)
		keep[i] = attached(1000 + i, NULL, 0);
	EXPECT(attached(1000, NULL, 0)->subject == keep[0]->subject);
	uint64_t used = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		struct description *d = attached(5000 + i, NULL, 0);

		EXPECT_EQ(DO(storage_close(core(), d)), 0);
		if (i == 10000)
			used = arena_bytes_used(core()->arena);
	}
	EXPECT(core()->root->subjects.count < 64);
	EXPECT(arena_bytes_used(core()->arena) < used + 65536);
	for (uint32_t i = 0; i < 8; i++)
		EXPECT_EQ(keep[i]->subject->ids.uid, 1000 + i);
	EXPECT(storage_ok(core()));
	finish();
}

TEST(test_more_subjects_than_there_is_room_for_are_refused)
{
	struct description *d;
	uint32_t made = 0;

	setup();
	while (DO(fake_attach(&fake, 1 + made, &d)) == 0)
		made++;
	EXPECT_EQ(made, SUBJECTS_MAX - 1);
	EXPECT_EQ(DO(storage_close(core(), d)), 0);
	EXPECT_EQ(DO(fake_attach(&fake, 70000, &d)), 0);
	finish();
}

TEST(test_a_name_for_what_one_may_not_write_is_refused)
{
	struct storage_place from = { NULL, PATH("f") };
	struct storage_place to = { NULL, PATH("d/f") };
	struct storage_opened opened;
	struct description *d;

	setup();
	core()->protects_links = true;
	from.base = to.base = attached(5, NULL, 0);
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("d"), 0777)), 0);
	EXPECT_EQ(DO(storage_open(core(), top, PATH("f"), OPEN_CREATE, 0644,
	    &d, &opened)), 0);
	EXPECT_EQ(DO(storage_link(core(), from, to, 0)), E_PERM);
	EXPECT_EQ(DO(storage_chmod(core(), top, PATH("f"), 04666, 0)), 0);
	EXPECT_EQ(DO(storage_link(core(), from, to, 0)), E_PERM);
	EXPECT_EQ(DO(storage_chmod(core(), top, PATH("f"), 0666, 0)), 0);
	EXPECT_EQ(DO(storage_link(core(), from, to, 0)), 0);
	finish();
}

TEST(test_a_strangers_link_in_a_sticky_folder_is_not_followed)
{
	struct storage_stat stat;

	setup();
	core()->protects_symlinks = true;
	struct description *user = attached(5, NULL, 0);
	EXPECT_EQ(DO(storage_mkdir(core(), top, PATH("tmp"), 0777)), 0);
	EXPECT_EQ(DO(storage_symlink(core(), user, PATH("/dev"),
	    PATH("tmp/l"))), 0);
	EXPECT_EQ(DO(storage_stat_at(core(), top, PATH("tmp/l"), 0, &stat)),
	    0);
	EXPECT_EQ(DO(storage_chmod(core(), top, PATH("tmp"), 01777, 0)), 0);
	EXPECT_EQ(DO(storage_stat_at(core(), top, PATH("tmp/l"), 0, &stat)),
	    E_ACCES);
	EXPECT_EQ(DO(storage_stat_at(core(), user, PATH("tmp/l"), 0, &stat)),
	    0);
	/* Where not everybody may write, nobody can have put a trap. */
	EXPECT_EQ(DO(storage_chmod(core(), top, PATH("tmp"), 01775, 0)), 0);
	EXPECT_EQ(DO(storage_stat_at(core(), top, PATH("tmp/l"), 0, &stat)),
	    0);
	finish();
}

TEST_MAIN(0)
