/* SPDX-License-Identifier: MIT */
/*
 * Crashes and shortages, for every operation that changes something.
 *
 * Crash: a child runs the operation and its commit and stops after each store
 * to arena or page objects; the parent resumes from a copy each time. It must
 * find the tree of before or of after. Of before: executing again must
 * give the tree of after. Nothing is left over. Only bytes that are written
 * over may be new before the rest.
 *
 * Shortage: the operation is given less and less undo log, heap, and page
 * objects. It either works, or fails with E_NOSPC and changes nothing.
 */
#include "crash_cases.h"

#include <lib/arena/state.h>
#include <lib/test/ktap.h>
#include <idl/names.h>
#include <lib/test/store.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ARENA_SIZE	(128ul << 10)
#define FILES		8u
#define PAGES		2u
#define PATH(text)	((struct storage_path){ (text), strlen(text) })
#define BASES		10u

struct fake crash_fake;

/*
 * Root, user, open file, open folder, retired, two that lock, two of a pipe,
 * one without a name.
 */
static uint64_t badge[BASES];

static uint64_t sealed_badge;	/* of one that can be sealed */
static uint64_t archived_badge;	/* of a file in the archive */
static const uint8_t archive[100] = { 1, 2, 3 };

struct description *
crash_base(unsigned i)
{
	return storage_find(&crash_fake.storage, badge[i]);
}

static struct storage *
core(void)
{
	return &crash_fake.storage;
}

static unsigned
write_bytes(struct description *d, uint64_t offset, uint64_t length, int value)
{
	struct storage_transfer t;
	unsigned error = storage_write_begin(core(), d, offset, length, &t);

	if (error != 0)
		return error;
	memset(fake_data(&crash_fake, t.file) + t.offset, value, t.length);
	return storage_write_end(core(), d, &t, t.length);
}

/* --- Operations. --- */

unsigned
crash_open(const char *path, unsigned flags)
{
	struct storage_opened opened;
	struct description *d;
	unsigned error = storage_open(core(), crash_base(0), PATH(path), flags, 0640,
	    &d, &opened);

	return error != 0 ? error : storage_set_session(core(), d, 77);
}

static unsigned
run_create(void)
{
	return crash_open("new", OPEN_WRITE | OPEN_CREATE);
}

static unsigned
run_open_truncate(void)
{
	return crash_open("file", OPEN_WRITE | OPEN_TRUNCATE);
}

static unsigned
run_write(void)
{
	return write_bytes(crash_base(2), 5000, 700, 9);
}

static struct description *
archived(void)
{
	return storage_find(core(), archived_badge);
}

static unsigned
run_read_archived(void)
{
	struct storage_transfer t;
	unsigned error = storage_read_begin(core(), archived(), 0, 100, &t);

	return error != 0 ? error : storage_read_end(core(), archived(), &t,
	    t.length);
}

static unsigned
run_write_archived(void)
{
	return write_bytes(archived(), 10, 20, 9);
}

static unsigned
run_cut_archived(void)
{
	return storage_truncate(core(), archived(), 0);
}

static unsigned
run_unnamed(void)
{
	struct description *d;
	unsigned error = storage_unnamed(core(), crash_base(0), 0777, SEAL_GROW, &d);

	return error != 0 ? error : storage_set_session(core(), d, 78);
}

/* Its pages may be written by somebody: they are parted from him. */
static unsigned
run_seal(void)
{
	uint32_t seals;

	return storage_seal(core(), storage_find(core(), sealed_badge),
	    SEAL_WRITE | SEAL_SHRINK, &seals);
}

static unsigned
run_truncate(void)
{
	return storage_truncate(core(), crash_base(2), 17);
}

static unsigned
run_grow(void)
{
	return storage_truncate(core(), crash_base(2), 8000);
}

static unsigned
run_mkdir(void)
{
	return storage_mkdir(core(), crash_base(0), PATH("dir/new"), 0755);
}

static unsigned
run_mknod(void)
{
	return storage_mknod(core(), crash_base(0), PATH("pipe"),
	    KIND_FIFO << MODE_KIND_SHIFT | 0600, 0);
}

static unsigned
run_socket(void)
{
	return storage_socket(core(), crash_base(0), PATH("dir/socket"), 0600,
	    (const uint64_t[2]){ 12, 34 });
}

static unsigned
run_symlink(void)
{
	return storage_symlink(core(), crash_base(0), PATH("some/target"),
	    PATH("dir/link"));
}

static unsigned
run_link(void)
{
	return storage_link(core(),
	    (struct storage_place){ crash_base(0), PATH("file") },
	    (struct storage_place){ crash_base(0), PATH("dir/second") }, 0);
}

static unsigned
run_unlink(void)
{
	return storage_unlink(core(), crash_base(0), PATH("dir/other"), false);
}

static unsigned
run_unlink_open(void)
{
	return storage_unlink(core(), crash_base(0), PATH("file"), false);
}

static unsigned
run_rmdir(void)
{
	return storage_unlink(core(), crash_base(0), PATH("dir/empty"), true);
}

static unsigned
rename_with(const char *from, const char *to, unsigned flags)
{
	return storage_rename(core(),
	    (struct storage_place){ crash_base(0), PATH(from) },
	    (struct storage_place){ crash_base(0), PATH(to) }, flags);
}

static unsigned
run_rename(void)
{
	return rename_with("dir/empty", "moved", 0);
}

static unsigned
run_rename_over(void)
{
	return rename_with("file", "dir/other", 0);
}

static unsigned
run_exchange(void)
{
	return rename_with("file", "dir", RENAME_EXCHANGE);
}

static unsigned
run_chmod(void)
{
	return storage_chmod(core(), crash_base(0), PATH("dir"), 0700, 0);
}

static unsigned
run_close(void)
{
	return storage_close(core(), crash_base(2));
}

static unsigned
run_close_folder(void)
{
	return storage_close(core(), crash_base(3));
}

static unsigned
run_readdir(void)
{
	_Alignas(8) char buffer[512];
	size_t length;

	return storage_readdir(core(), crash_base(3), buffer, sizeof(buffer),
	    &length);
}

static unsigned
run_attach(void)
{
	const uint32_t groups[] = { 3, 4, 4, 9 };
	const struct storage_who who = {
		.ids = { .uid = 5, .gid = 6 }, .group_count = 4,
		.groups = groups,
	};
	struct description *d;

	return storage_attach(core(), &who, &d);
}

/* The 33rd different one, when 31 are of no use any more. */
static unsigned
run_attach_sweep(void)
{
	struct description *d;
	unsigned error = 0;

	for (uint32_t i = 100; i < 131 && error == 0; i++) {
		error = fake_attach(&crash_fake, i, &d);
		if (error == 0)
			error = storage_close(core(), d);
	}
	return error != 0 ? error : run_attach();
}

static unsigned
run_renounce(void)
{
	return storage_renounce(core(), crash_base(3));
}

static unsigned
run_adopt(void)
{
	struct description *d;

	return storage_adopt(core(), crash_base(1), crash_base(3), &d);
}

static unsigned
run_map(void)
{
	struct storage_mapping mapping;

	return storage_map(core(), crash_base(2), false, &mapping);
}

static unsigned
run_map_shared(void)
{
	struct storage_mapping mapping;

	return storage_map(core(), crash_base(2), true, &mapping);
}

static unsigned
run_window(void)
{
	struct storage_window window;
	struct storage_opened opened;
	struct description *d;
	unsigned error = storage_open(core(), crash_base(0), PATH("dir/other"),
	    OPEN_READ, 0, &d, &opened);

	return error != 0 ? error : storage_window(core(), d, &window);
}

static unsigned
run_retire(void)
{
	return storage_retire(core(), crash_base(2));
}

static unsigned
run_retire_folder(void)
{
	return storage_retire(core(), crash_base(3));
}

static unsigned
run_reopen(void)
{
	struct storage_opened opened;

	return storage_reopen(core(), crash_base(4), PATH("other"), OPEN_READ, 0,
	    &opened);
}

static unsigned
run_reopen_new(void)
{
	struct storage_opened opened;

	return storage_reopen(core(), crash_base(4), PATH("new"),
	    OPEN_WRITE | OPEN_CREATE, 0600, &opened);
}

static unsigned
run_close_retired(void)
{
	return storage_close(core(), crash_base(4));
}

static unsigned
run_read(void)
{
	struct storage_transfer t;
	unsigned error = storage_read_begin(core(), crash_base(2),
	    STORAGE_AT_POSITION, 100, &t);

	return error != 0 ? error : storage_read_end(core(), crash_base(2), &t,
	    t.length);
}

static unsigned
run_seek(void)
{
	uint64_t position;

	return storage_seek(core(), crash_base(2), 300, 0, &position);
}

static unsigned
run_chown(void)
{
	return storage_chown(core(), crash_base(0), PATH("file"),
	    (struct storage_owner){ 7, 8 }, 0);
}

static unsigned
run_utimens(void)
{
	return storage_utimens(core(), crash_base(0), PATH("file"),
	    (struct storage_times){ 5, 6 }, 0);
}

static unsigned
run_set_flags(void)
{
	return storage_set_flags(core(), crash_base(2), OPEN_APPEND);
}

static const struct operation {
	uint64_t method;	/* 0: the end of a session */
	const char *name;
	unsigned (*run)(void);
} operations[] = {
	{ STORAGE_OPEN, "create", run_create },
	{ STORAGE_OPEN, "open_truncate", run_open_truncate },
	{ STORAGE_READ, "read", run_read },
	{ STORAGE_WRITE, "write", run_write },
	{ STORAGE_READ, "read_archived", run_read_archived },
	{ STORAGE_WRITE, "write_archived", run_write_archived },
	{ STORAGE_TRUNCATE, "cut_archived", run_cut_archived },
	{ STORAGE_SEEK, "seek", run_seek },
	{ STORAGE_READDIR, "readdir", run_readdir },
	{ STORAGE_MKDIR_AT, "mkdir", run_mkdir },
	{ STORAGE_UNLINK_AT, "unlink", run_unlink },
	{ STORAGE_UNLINK_AT, "unlink_open", run_unlink_open },
	{ STORAGE_UNLINK_AT, "rmdir", run_rmdir },
	{ STORAGE_RENAME_AT, "rename", run_rename },
	{ STORAGE_RENAME_AT, "rename_over", run_rename_over },
	{ STORAGE_RENAME_AT, "exchange", run_exchange },
	{ STORAGE_LINK_AT, "link", run_link },
	{ STORAGE_SYMLINK_AT, "symlink", run_symlink },
	{ STORAGE_CHMOD_AT, "chmod", run_chmod },
	{ STORAGE_CHOWN_AT, "chown", run_chown },
	{ STORAGE_UTIMENS_AT, "utimens", run_utimens },
	{ STORAGE_TRUNCATE, "truncate", run_truncate },
	{ STORAGE_TRUNCATE, "grow", run_grow },
	{ STORAGE_UNNAMED, "unnamed", run_unnamed },
	{ STORAGE_SEAL, "seal", run_seal },
	{ STORAGE_MAP, "map", run_map },
	{ STORAGE_MAP, "map_shared", run_map_shared },
	{ STORAGE_MKNOD_AT, "mknod", run_mknod },
	{ STORAGE_SOCKET_AT, "socket", run_socket },
	{ STORAGE_SET_FLAGS, "set_flags", run_set_flags },
	{ STORAGE_WINDOW, "window", run_window },
	{ STORAGE_RETIRE, "retire", run_retire },
	{ STORAGE_RETIRE, "retire_folder", run_retire_folder },
	{ STORAGE_REOPEN, "reopen", run_reopen },
	{ STORAGE_REOPEN, "reopen_new", run_reopen_new },
	{ STORAGE_ATTACH, "attach", run_attach },
	{ STORAGE_RENOUNCE, "renounce", run_renounce },
	{ STORAGE_RENOUNCE_ALL, "renounce_all", run_renounce },
	{ STORAGE_ADOPT, "adopt", run_adopt },
	{ STORAGE_ATTACH, "attach_sweep", run_attach_sweep },
	{ STORAGE_LOCK, "lock", run_lock },
	{ STORAGE_LOCK, "lock_first", run_lock_first },
	{ STORAGE_LOCK, "lock_waits", run_lock_waits },
	{ STORAGE_LOCK, "unlock_some", run_unlock_some },
	{ STORAGE_LOCK, "unlock_grants", run_unlock_grants },
	{ STORAGE_RETIRE, "retire_owner", run_retire_owner },
	{ STORAGE_CLEAR, "clear", run_clear },
	{ STORAGE_COPY, "copy", run_copy },
	{ STORAGE_OPEN, "nameless", run_nameless },
	{ STORAGE_LINK_AT, "link_nameless", run_link_nameless },
	{ 0, "close_nameless", run_close_nameless },
	{ STORAGE_FIFO, "fifo", run_fifo },
	{ STORAGE_FIFO, "fifo_first", run_fifo_first },
	{ STORAGE_FIFO_LEAVE, "fifo_leave", run_fifo_leave },
	{ STORAGE_RETIRE, "retire_fifo", run_retire_fifo },
	{ 0, "close_fifo", run_close_fifo },
	{ 0, "cancel", run_cancel },
	{ 0, "close_owner", run_close_owner },
	{ 0, "close_waiter", run_close_waiter },
	{ 0, "close", run_close },
	{ 0, "close_folder", run_close_folder },
	{ 0, "close_retired", run_close_retired },
};

/* Methods that only look. */
static const uint64_t lookers[] = {
	STORAGE_STAT_AT, STORAGE_READLINK_AT, STORAGE_SYNC, STORAGE_ACCESS_AT,
	STORAGE_STATFS, STORAGE_PATH, STORAGE_DESCRIBE, STORAGE_LOCK_TEST,
	STORAGE_RENDEZVOUS_AT,
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* --- The tree that all begin with. --- */

static void
must(unsigned error)
{
	if (fake_end(&crash_fake, error) != 0)
		abort();
}

static uint64_t
open_badge(const char *path, unsigned flags)
{
	struct storage_opened opened;
	struct description *d;

	fake_begin(&crash_fake);
	must(storage_open(core(), crash_base(0), PATH(path), flags, 0644, &d,
	    &opened));
	return storage_badge(d);
}

static void
make_fifos(void)
{
	static const char *const names[] = { "fifo", "fifo2" };
	struct storage_fifo_counts counts;
	struct storage_fifo fifo;

	for (unsigned i = 0; i < 2; i++) {
		fake_begin(&crash_fake);
		must(storage_mknod(core(), crash_base(0), PATH(names[i]),
		    KIND_FIFO << MODE_KIND_SHIFT | 0600, 0));
	}
	badge[9] = open_badge("dir", OPEN_WRITE | OPEN_TEMPORARY);
	badge[7] = open_badge("fifo", OPEN_READ);
	badge[8] = open_badge("fifo", OPEN_READ | OPEN_WRITE);
	fake_begin(&crash_fake);
	must(storage_fifo(core(), crash_base(7), false, &fifo, &counts));
}

static void
make_tree(void)
{
	struct description *d;
	uint64_t other;

	fake_create(&crash_fake, ARENA_SIZE, FILES, PAGES);
	for (unsigned i = 0; i < 2; i++) {
		fake_begin(&crash_fake);
		must(fake_attach(&crash_fake, i, &d));
		badge[i] = storage_badge(d);
	}
	fake_begin(&crash_fake);
	must(storage_mkdir(core(), crash_base(0), PATH("dir"), 0755));
	fake_begin(&crash_fake);
	must(storage_mkdir(core(), crash_base(0), PATH("dir/empty"), 0755));
	badge[2] = open_badge("file", OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	other = open_badge("dir/other", OPEN_WRITE | OPEN_CREATE);
	badge[3] = open_badge("dir", OPEN_READ);
	fake_begin(&crash_fake);
	must(write_bytes(crash_base(2), 0, 6000, 1));
	fake_begin(&crash_fake);
	must(write_bytes(storage_find(core(), other), 0, 50, 2));
	fake_begin(&crash_fake);
	must(storage_close(core(), storage_find(core(), other)));
	struct storage_mapping mapping;
	fake_begin(&crash_fake);
	must(storage_unnamed(core(), crash_base(0), 0600, 0, &d));
	sealed_badge = storage_badge(d);
	fake_begin(&crash_fake);
	must(write_bytes(storage_find(core(), sealed_badge), 0, 5000, 3));
	fake_begin(&crash_fake);
	must(storage_map(core(), storage_find(core(), sealed_badge), true,
	    &mapping));
	archived_badge = open_badge("stored",
	    OPEN_READ | OPEN_WRITE | OPEN_CREATE);
	crash_fake.archive = archive;
	fake_begin(&crash_fake);
	must(file_set_archived(core(), archived()->inode, 5, 60));
	struct storage_window window;
	fake_begin(&crash_fake);
	must(storage_window(core(), crash_base(2), &window));
	struct storage_opened opened;
	fake_begin(&crash_fake);
	must(storage_open(core(), crash_base(3), PATH("other"), OPEN_WRITE, 0, &d,
	    &opened));
	badge[4] = storage_badge(d);
	fake_begin(&crash_fake);
	must(storage_retire(core(), d));
	badge[5] = open_badge("locked", OPEN_READ | OPEN_WRITE |
	    OPEN_CREATE);
	badge[6] = open_badge("locked", OPEN_READ | OPEN_WRITE |
	    OPEN_CREATE);
	for (unsigned i = 0; i < 3; i++) {
		fake_begin(&crash_fake);
		must(i < 2 ? lock_with(5, LOCK_WRITE, 100 + 200 * i,
		    199 + 200 * i, 0) :
		    lock_with(6, LOCK_WRITE, 150, 349, 3));
	}
	make_fifos();
}

static bool
world_ok(void)
{
	return storage_ok(core()) && arena_ok(core()->arena) &&
	    fake_used(&crash_fake) == fake_named(&crash_fake);
}

/* --- Crashes. --- */

static struct run {
	const struct operation *operation;
	uint8_t	*alias;		/* the memory of the child */
	struct fake start;	/* the handle as it was */
	uint64_t before, after;
	uint64_t size, watch;	/* of the open file, before */
	uint64_t wrong;
} run;

static void
execute(void *context)
{
	const struct run *r = context;

	fake_begin(&crash_fake);
	must(r->operation->run());
}

/* Whoever still sees the old version may rely on the old size. */
static bool
watch_ok(const struct run *r)
{
	const struct description *d = crash_base(2);

	return d == NULL || storage_size(d) == r->size ||
	    fake_watches(&crash_fake)[0] != r->watch;
}

static struct store_region
region(void)
{
	return (struct store_region){ FAKE_BASE, fake_size(&run.start) };
}

static bool
look(void *context, uint64_t n)
{
	struct run *r = context;
	bool fine;

	if (n == 1 && !store_own(region(), r->alias))
		abort();
	memcpy(FAKE_BASE, r->alias, fake_size(&r->start));
	crash_fake = r->start;
	fine = fake_resume(&crash_fake) && world_ok() && watch_ok(r);
	if (fine && (fake_digest(&crash_fake) == r->before ||
	    r->operation->run == run_write ||
	    r->operation->run == run_clear)) {
		execute(r);
		fine = world_ok();
	}
	if (!fine || fake_digest(&crash_fake) != r->after) {
		printf("# %s, store %lu\n", r->operation->name, n);
		r->wrong++;
	}
	return r->wrong == 0;
}

static void
crash_everywhere(const struct operation *operation)
{
	uint64_t count;

	make_tree();
	size_t size = fake_size(&crash_fake);
	uint8_t *content = malloc(size);
	memcpy(content, FAKE_BASE, size);
	run = (struct run){ .operation = operation, .start = crash_fake };
	run.before = fake_digest(&crash_fake);
	run.size = storage_size(crash_base(2));
	run.watch = fake_watches(&crash_fake)[0];
	execute(&run);
	run.after = fake_digest(&crash_fake);
	crash_fake = run.start;
	run.alias = store_share(region(), content);
	enum step_end end = run.alias == NULL ? STEP_IMPOSSIBLE :
	    store_run(region(), execute, look, &run, &count);
	munmap(run.alias, size);
	free(content);
	if (end == STEP_IMPOSSIBLE)
		KTAP_SKIP("no shared memory here");
	EXPECT(end == STEP_OK);
	EXPECT_EQ(run.wrong, 0);
	printf("# %s: %lu stores\n", operation->name, count);
}

TEST(test_every_method_has_a_crash_case)
{
	for (uint64_t tag = 1; tag < 1ul << 16; tag++) {
		const char *name = idl_request_name(tag);
		bool found = name == NULL || strncmp(name, "storage.", 8) != 0;

		for (unsigned i = 0; i < OPERATIONS; i++)
			found = found || operations[i].method == tag;
		for (unsigned i = 0; i < sizeof(lookers) / sizeof(lookers[0]);
		    i++)
			found = found || lookers[i] == tag;
		if (!found)
			printf("# %s has no crash case\n", name);
		EXPECT(found);
	}
}

TEST(test_crash_anywhere_leaves_before_or_after)
{
	for (unsigned i = 0; i < OPERATIONS; i++)
		crash_everywhere(&operations[i]);
}

/* --- Shortages. --- */

/* After a failure nothing differs; with room again it works. */
static void
check_failure(const struct operation *operation, unsigned error,
    uint64_t before)
{
	EXPECT(error == E_NOSPC || error == 0);
	if (error != 0)
		EXPECT_EQ(fake_digest(&crash_fake), before);
	if (!world_ok() || ktap_state.failed) {
		printf("# %s\n", operation->name);
		EXPECT(!"consistent after the shortage");
	}
}

TEST(test_any_shortage_of_log_undoes_all)
{
	for (unsigned i = 0; i < OPERATIONS; i++) {
		unsigned error = E_NOSPC;

		for (uint64_t log = 0; error != 0; log += 8) {
			make_tree();
			uint64_t before = fake_digest(&crash_fake);
			struct arena_header *header = (void *)FAKE_BASE;
			uint64_t whole = header->log_size;
			fake_begin(&crash_fake);
			/* As if the rest of the log were used. */
			header->log_size = log;
			error = operations[i].run();
			header->log_size = whole;
			fake_end(&crash_fake, error);
			check_failure(&operations[i], error, before);
		}
	}
}

TEST(test_any_shortage_of_page_objects_undoes_all)
{
	for (unsigned i = 0; i < OPERATIONS; i++) {
		for (uint64_t nth = 1; nth < 4; nth++) {
			make_tree();
			uint64_t before = fake_digest(&crash_fake);
			crash_fake.fail_in = nth;
			fake_begin(&crash_fake);
			unsigned error = fake_end(&crash_fake,
			    operations[i].run());
			crash_fake.fail_in = 0;
			check_failure(&operations[i], error, before);
		}
	}
}

/* Files until the arena is full, then everything goes again. */
TEST(test_full_arena_can_be_emptied)
{
	char name[32];
	unsigned made = 0, error = 0;

	make_tree();
	uint64_t used = arena_bytes_used(core()->arena);
	while (error == 0) {
		snprintf(name, sizeof(name), "dir/%u", made);
		fake_begin(&crash_fake);
		error = fake_end(&crash_fake, storage_mkdir(core(), crash_base(0),
		    PATH(name), 0755));
		made += error == 0;
	}
	EXPECT_EQ(error, E_NOSPC);
	EXPECT(made > 100 && world_ok());
	while (made-- > 0) {
		snprintf(name, sizeof(name), "dir/%u", made);
		fake_begin(&crash_fake);
		EXPECT_EQ(fake_end(&crash_fake, storage_unlink(core(), crash_base(0),
		    PATH(name), true)), 0);
	}
	EXPECT(world_ok());
	EXPECT_EQ(arena_bytes_used(core()->arena), used);
}

TEST_MAIN(0)
