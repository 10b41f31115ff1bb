/* SPDX-License-Identifier: MIT */
/*
 * The core against the file system of the host: random operations on both,
 * results, error numbers and trees compared.
 *
 * The host side is an empty folder on a file system in memory, made the root
 * of this process. Each operation goes through one of several descriptions,
 * with the owner that description was opened by. Without the right to do that
 * (chroot, other users) the test is skipped.
 */
#include "fake_host.h"
#include "identity_host.h"

#include <lib/test/ktap.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SLOTS		14u
#define OPERATIONS	250000u
#define DATA_MAX	16384u
#define SIZE_MAX_FILE	40000u

/* The same description on both sides. */
struct pair {
	struct description *own;
	int	 host;
	uint32_t uid;
	bool	 data;		/* a regular file, not only a path */
};

static struct fake fake;
static struct pair slot[SLOTS];
static uint64_t random_state = 0x9e3779b97f4a7c15ul;
static char path_text[2][2048];
static const char *what;	/* operation of the current step */
static bool host_protects_links, host_protects_symlinks;
static unsigned outcomes[256];	/* by error number */

/* The leak checker looks for /proc, which this root does not have. */
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "detect_leaks=0";
}

static uint64_t
below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

static struct storage *
core(void)
{
	return &fake.storage;
}

/* --- Random material. --- */

static void
append_name(char *path)
{
	static const char *const names[] = { "a", "b", "c", "d", "e" };
	uint64_t kind = below(40);

	if (kind == 0)
		strcat(path, ".");
	else if (kind <= 3)
		strcat(path, "..");
	else if (kind == 4 && below(20) == 0)
		memset(path + strlen(path), 'x', 254 + below(3));
	else
		strcat(path, names[below(5)]);
}

static struct storage_path
random_path(unsigned which)
{
	char *path = path_text[which];
	uint64_t parts = 1 + below(3);

	memset(path, 0, sizeof(path_text[which]));
	if (below(8) == 0)
		strcat(path, "/");
	if (below(200) == 0)
		parts = 0;
	for (uint64_t i = 0; i < parts; i++) {
		append_name(path);
		if (i + 1 < parts)
			strcat(path, below(20) == 0 ? "//" : "/");
	}
	if (below(15) == 0)
		strcat(path, "/");
	return (struct storage_path){ path, strlen(path) };
}

static uint32_t
random_id(void)
{
	return below(8) == 0 ? USER - 1 : identities[below(IDENTITIES)].id;
}

static uint32_t
random_mode(void)
{
	static const uint32_t modes[] = { 0777, 0777, 0755, 0755, 0700, 0644,
		0666, 0000, 01777, 02775, 04755, 06711, 02666, 06744, 0500, 0070, 0007 };

	return modes[below(sizeof(modes) / sizeof(modes[0]))];
}

/* --- Frame of an operation. --- */

static unsigned
host_result(long result)
{
	return result < 0 ? (unsigned)errno : 0;
}

static void
report(unsigned own, unsigned host)
{
	printf("# %s '%s' '%s': %u, host %u\n", what, path_text[0],
	    path_text[1], own, host);
}

/* Ends the transaction; true if both did it. */
static bool
same(unsigned own, unsigned host)
{
	fake_end(&fake, own);
	outcomes[own < 256 ? own : 255]++;
	if (own != host)
		report(own, host);
	EXPECT_EQ(own, host);
	return own == 0 && host == 0;
}

static void
same_stat(const struct storage_stat *own, const struct stat *host)
{
	bool equal = own->mode == host->st_mode &&
	    own->links == host->st_nlink && own->uid == host->st_uid &&
	    own->gid == host->st_gid;

	if (S_ISREG(host->st_mode) || S_ISLNK(host->st_mode))
		equal = equal && own->size == (uint64_t)host->st_size;
	if (S_ISCHR(host->st_mode) || S_ISBLK(host->st_mode))
		equal = equal && own->device == host->st_rdev;
	if (!equal)
		printf("# %s '%s': mode %o/%o links %u/%lu uid %u/%u gid %u/%u"
		    " size %lu/%ld\n", what, path_text[0], own->mode,
		    host->st_mode, own->links, host->st_nlink, own->uid,
		    host->st_uid, own->gid, host->st_gid, own->size,
		    host->st_size);
	EXPECT(equal);
}

static unsigned
random_base(void)
{
	return (unsigned)(below(3) == 0 ? below(SLOTS) :
	    below(IDENTITIES));
}

static void
close_slot(unsigned i)
{
	if (slot[i].own == NULL)
		return;
	fake_begin(&fake);
	EXPECT_EQ(fake_end(&fake, storage_close(core(), slot[i].own)), 0);
	close(slot[i].host);
	slot[i].own = NULL;
}

/* --- Operations. --- */

/* Devices and pipes are not the same on both sides: never opened. */
static bool
may_open(const struct pair *base, const char *path)
{
	struct stat s;

	become(0);
	if (fstatat(base->host, path, &s, 0) != 0)
		return true;
	return S_ISREG(s.st_mode) || S_ISDIR(s.st_mode);
}

static int
host_flags(unsigned flags)
{
	static const struct {
		unsigned own;
		int host;
	} map[] = {
		{ OPEN_CREATE, O_CREAT }, { OPEN_EXCLUSIVE, O_EXCL },
		{ OPEN_TRUNCATE, O_TRUNC }, { OPEN_APPEND, O_APPEND },
		{ OPEN_DIRECTORY, O_DIRECTORY }, { OPEN_NOFOLLOW, O_NOFOLLOW },
		{ OPEN_PATH, O_PATH },
	};
	int result = O_NONBLOCK;

	if ((flags & OPEN_WRITE) != 0)
		result |= (flags & OPEN_READ) != 0 ? O_RDWR : O_WRONLY;
	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((flags & map[i].own) != 0)
			result |= map[i].host;
	return result;
}

static unsigned
random_flags(void)
{
	unsigned flags = 1 + (unsigned)below(3);

	if (below(2) == 0)
		flags |= OPEN_CREATE;
	for (unsigned bit = OPEN_EXCLUSIVE; bit <= OPEN_PATH; bit <<= 1)
		if (below(6) == 0)
			flags |= bit;
	return flags;
}

static void
op_open(struct pair *base)
{
	struct storage_path path = random_path(0);
	unsigned flags = random_flags(), to = IDENTITIES + (unsigned)below(SLOTS - IDENTITIES);
	uint32_t mode = random_mode();
	struct storage_opened opened;
	struct description *d;

	if (base == &slot[to] || !may_open(base, path.text))
		return;
	close_slot(to);
	become(base->uid);
	int file = openat(base->host, path.text, host_flags(flags), mode);
	unsigned host = host_result(file);
	fake_begin(&fake);
	unsigned own = storage_open(core(), base->own, path, flags, mode, &d,
	    &opened);
	/* Hosts guard links in sticky folders before they look at them. */
	if (own == E_LOOP && host == E_ACCES)
		host = own;
	if (!same(own, host)) {
		if (ktap_state.failed)
			printf("# flags %x mode %o uid %u\n", flags, mode,
			    base->uid);
		if (file >= 0)
			close(file);
		return;
	}
	slot[to] = (struct pair){ d, file, base->uid,
		opened.kind == KIND_REGULAR && (flags & OPEN_PATH) == 0 };
}

static void
op_make(struct pair *base)
{
	struct storage_path path = random_path(0);
	uint32_t mode = random_mode();

	become(base->uid);
	fake_begin(&fake);
	if (below(3) != 0) {
		what = "mkdir";
		same(storage_mkdir(core(), base->own, path, mode),
		    host_result(mkdirat(base->host, path.text, mode)));
		return;
	}
	static const uint32_t kinds[] = { S_IFREG, S_IFIFO, S_IFCHR, S_IFSOCK,
		S_IFDIR, 0 };
	mode |= kinds[below(6)];
	what = "mknod";
	same(storage_mknod(core(), base->own, path, mode, 0x0907),
	    host_result(mknodat(base->host, path.text, mode,
	    makedev(9, 7))));
}

static void
op_symlink(struct pair *base)
{
	struct storage_path target = random_path(1), path = random_path(0);

	become(base->uid);
	fake_begin(&fake);
	same(storage_symlink(core(), base->own, target, path),
	    host_result(symlinkat(target.text, base->host, path.text)));
}

static void
op_unlink(struct pair *base)
{
	struct storage_path path = random_path(0);
	bool directory = below(2) == 0;

	what = directory ? "rmdir" : "unlink";
	become(base->uid);
	fake_begin(&fake);
	same(storage_unlink(core(), base->own, path, directory),
	    host_result(unlinkat(base->host, path.text,
	    directory ? AT_REMOVEDIR : 0)));
}

static void
op_link(struct pair *base)
{
	struct storage_place from = { base->own, random_path(0) };
	struct pair *other = &slot[below(IDENTITIES)];
	struct storage_place to = { other->own, random_path(1) };
	bool follow = below(2) == 0;

	if (base->uid != other->uid)
		return;
	become(base->uid);
	fake_begin(&fake);
	same(storage_link(core(), from, to, follow ? 0 : AT_NOFOLLOW),
	    host_result(linkat(base->host, from.path.text, other->host,
	    to.path.text, follow ? AT_SYMLINK_FOLLOW : 0)));
}

static void
op_rename(struct pair *base)
{
	struct storage_place from = { base->own, random_path(0) };
	struct pair *other = &slot[below(IDENTITIES)];
	struct storage_place to = { other->own, random_path(1) };
	unsigned flags = below(3) == 0 ? (unsigned)below(4) : 0;

	if (base->uid != other->uid)
		return;
	become(base->uid);
	fake_begin(&fake);
	same(storage_rename(core(), from, to, flags),
	    host_result(syscall(SYS_renameat2, base->host, from.path.text,
	    other->host, to.path.text, flags)));
}

static void
op_readlink(struct pair *base)
{
	struct storage_path path = random_path(0), target;
	char text[4096];

	/* An empty path means the handle to both, but not to all hosts. */
	if (path.length == 0)
		return;
	become(base->uid);
	long length = readlinkat(base->host, path.text, text, sizeof(text));
	unsigned host = host_result(length);
	fake_begin(&fake);
	if (same(storage_readlink(core(), base->own, path, &target), host))
		EXPECT(target.length == (size_t)length &&
		    memcmp(target.text, text, target.length) == 0);
}

static void
op_stat(struct pair *base)
{
	struct storage_path path = random_path(0);
	bool follow = below(2) == 0;
	struct storage_stat own;
	struct stat host;

	become(base->uid);
	unsigned result = host_result(fstatat(base->host, path.text, &host,
	    follow ? 0 : AT_SYMLINK_NOFOLLOW));
	fake_begin(&fake);
	if (same(storage_stat_at(core(), base->own, path,
	    follow ? 0 : AT_NOFOLLOW, &own), result))
		same_stat(&own, &host);
}

static void
op_owner(struct pair *base)
{
	struct storage_path path = random_path(0);
	struct storage_owner owner = {
		below(2) == 0 ? UINT32_MAX : random_id(),
		below(2) == 0 ? UINT32_MAX : random_id() };
	uint32_t mode = random_mode();

	become(base->uid);
	fake_begin(&fake);
	if (below(3) == 0) {
		what = "chown";
		bool follow = below(2) == 0;
		same(storage_chown(core(), base->own, path, owner,
		    follow ? 0 : AT_NOFOLLOW),
		    host_result(fchownat(base->host, path.text, owner.uid,
		    owner.gid, follow ? 0 : AT_SYMLINK_NOFOLLOW)));
		return;
	}
	what = "chmod";
	same(storage_chmod(core(), base->own, path, mode, 0),
	    host_result(fchmodat(base->host, path.text, mode, 0)));
}

static uint64_t
random_time(struct timespec *out_time)
{
	uint64_t kind = below(3), time = below(1ul << 40);

	out_time->tv_sec = (time_t)(time / 1000000000);
	out_time->tv_nsec = kind == 0 ? UTIME_NOW : kind == 1 ? UTIME_OMIT :
	    (long)(time % 1000000000);
	return kind == 0 ? TIME_NOW : kind == 1 ? TIME_OMIT : time;
}

static void
op_times(struct pair *base)
{
	struct storage_path path = random_path(0);
	struct timespec host[2];
	struct storage_times own;
	struct storage_stat stat;
	struct stat after;

	own.atime_ns = random_time(&host[0]);
	own.mtime_ns = random_time(&host[1]);
	/* Nothing to do: hosts differ in whether they look at the path. */
	if (own.atime_ns == TIME_OMIT && own.mtime_ns == TIME_OMIT)
		return;
	become(base->uid);
	unsigned result = host_result(utimensat(base->host, path.text, host,
	    0));
	if (result == 0)
		result = host_result(fstatat(base->host, path.text, &after,
		    0));
	fake_begin(&fake);
	if (!same(storage_utimens(core(), base->own, path, own, 0), result) ||
	    own.mtime_ns >= TIME_OMIT)
		return;
	EXPECT_EQ(storage_stat_at(core(), base->own, path, 0, &stat), 0);
	EXPECT_EQ(stat.mtime_ns, (uint64_t)after.st_mtim.tv_sec * 1000000000 +
	    (uint64_t)after.st_mtim.tv_nsec);
}

static void
op_access(struct pair *base)
{
	struct storage_path path = random_path(0);
	unsigned want = (unsigned)below(8);

	become(base->uid);
	fake_begin(&fake);
	same(storage_access(core(), base->own, path, want, 0),
	    host_result(syscall(SYS_faccessat2, base->host, path.text, want,
	    AT_EACCESS)));
}

static uint64_t
random_offset(void)
{
	return below(2) == 0 ? STORAGE_AT_POSITION :
	    below(SIZE_MAX_FILE - DATA_MAX);
}

static void
op_write(struct pair *file)
{
	static char data[DATA_MAX];
	uint64_t offset = random_offset(), length = below(DATA_MAX);
	struct storage_transfer t;
	struct storage_stat stat;

	storage_stat(core(), file->own, &stat);
	if (!file->data || stat.size > SIZE_MAX_FILE ||
	    lseek(file->host, 0, SEEK_CUR) > SIZE_MAX_FILE)
		return;
	memset(data, (int)below(255) + 1, length);
	become(file->uid);
	long done = offset == STORAGE_AT_POSITION ?
	    write(file->host, data, length) :
	    pwrite(file->host, data, length, (off_t)offset);
	unsigned host = host_result(done);
	fake_begin(&fake);
	unsigned own = storage_write_begin(core(), file->own, offset, length,
	    &t);
	if (own == 0 && t.length > 0)
		memcpy(fake_data(&fake, t.file) + t.offset, data, t.length);
	/* Now and then a transaction that has written is undone first. */
	if (own == 0 && below(4) == 0) {
		fake_end(&fake, E_INTR);
		fake_begin(&fake);
		own = storage_write_begin(core(), file->own, offset, length,
		    &t);
		if (own == 0 && t.length > 0)
			memcpy(fake_data(&fake, t.file) + t.offset, data,
			    t.length);
	}
	if (own == 0)
		own = storage_write_end(core(), file->own, &t, t.length);
	if (same(own, host))
		EXPECT_EQ(t.length, done);
}

static void
op_read(struct pair *file)
{
	static char data[DATA_MAX];
	uint64_t offset = random_offset(), length = below(DATA_MAX);
	struct storage_transfer t;

	if (!file->data)
		return;
	become(file->uid);
	long done = offset == STORAGE_AT_POSITION ?
	    read(file->host, data, length) :
	    pread(file->host, data, length, (off_t)offset);
	unsigned host = host_result(done);
	fake_begin(&fake);
	unsigned own = storage_read_begin(core(), file->own, offset, length,
	    &t);
	if (own == 0)
		own = storage_read_end(core(), file->own, &t, t.length);
	if (!same(own, host))
		return;
	EXPECT_EQ(t.length, done);
	if (t.length > 0)
		EXPECT(memcmp(fake_data(&fake, t.file) + t.offset, data,
		    t.length) == 0);
}

static void
op_size(struct pair *file)
{
	uint64_t size = below(SIZE_MAX_FILE), position = 0;
	int64_t offset = (int64_t)below(20000) - 10000;
	unsigned whence = (unsigned)below(3);

	if (!file->data)
		return;
	become(file->uid);
	fake_begin(&fake);
	if (below(2) == 0) {
		what = "truncate";
		same(storage_truncate(core(), file->own, size),
		    host_result(ftruncate(file->host, (off_t)size)));
		return;
	}
	what = "seek";
	long host = lseek(file->host, offset, (int)whence);
	if (same(storage_seek(core(), file->own, (uint64_t)offset, whence,
	    &position), host_result(host)))
		EXPECT_EQ(position, host);
}

/* --- Trees. --- */

static unsigned
count_host(int directory)
{
	DIR *stream = fdopendir(directory);
	unsigned count = 0;

	while (readdir(stream) != NULL)
		count++;
	closedir(stream);
	return count;
}

/* Every name here is there, with the same attributes, and as many. */
static void
compare_tree(const struct inode *directory, int host)
{
	unsigned count = 2;

	for (const struct entry *e = directory_next(directory, 0); e != NULL;
	    e = directory_next(directory, e->cookie)) {
		char name[256] = { 0 };
		struct storage_stat own = { .mode = e->inode->mode,
			.links = e->inode->links, .uid = e->inode->uid,
			.gid = e->inode->gid, .size = e->inode->size,
			.device = e->inode->device };
		struct stat stat;

		memcpy(name, e->name, e->length);
		count++;
		if (!KTAP_CHECK(fstatat(host, name, &stat,
		    AT_SYMLINK_NOFOLLOW) == 0))
			continue;
		same_stat(&own, &stat);
		if (is_directory(e->inode))
			compare_tree(e->inode, openat(host, name,
			    O_RDONLY | O_DIRECTORY));
	}
	EXPECT_EQ(count_host(host), count);
}

static void
compare_all(void)
{
	what = "tree";
	become(0);
	compare_tree(core()->root->top, open("/", O_RDONLY | O_DIRECTORY));
	EXPECT(storage_ok(core()));
	EXPECT(arena_ok(core()->arena));
	EXPECT_EQ(fake_used(&fake), fake_named(&fake));
}

static void
op_resume(struct pair *base)
{
	uint64_t before = fake_digest(&fake);

	(void)base;
	EXPECT(fake_resume(&fake));
	EXPECT_EQ(fake_digest(&fake), before);
}

static const struct {
	const char *name;
	void (*run)(struct pair *base);
	unsigned weight;
} operations[] = {
	{ "open", op_open, 12 },
	{ "make", op_make, 10 },
	{ "symlink", op_symlink, 4 },
	{ "unlink", op_unlink, 7 },
	{ "link", op_link, 4 },
	{ "rename", op_rename, 8 },
	{ "readlink", op_readlink, 3 },
	{ "stat", op_stat, 8 },
	{ "owner", op_owner, 6 },
	{ "times", op_times, 2 },
	{ "access", op_access, 4 },
	{ "write", op_write, 12 },
	{ "read", op_read, 10 },
	{ "size", op_size, 6 },
};

static void
step(void)
{
	unsigned base = random_base(), at = 0;
	uint64_t pick = below(96);

	if (slot[base].own == NULL)
		return;
	while (pick >= operations[at].weight)
		pick -= operations[at++].weight;
	/* Data go through files, more often than through paths. */
	if (operations[at].run == op_write || operations[at].run == op_read ||
	    operations[at].run == op_size) {
		base = IDENTITIES + (unsigned)below(SLOTS - IDENTITIES);
		if (slot[base].own == NULL)
			return;
	}
	what = operations[at].name;
	operations[at].run(&slot[base]);
}

static bool
read_number(const char *path)
{
	FILE *file = fopen(path, "r");
	int value = 0;

	if (file == NULL)
		return false;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value != 0;
}

/*
 * A root of its own, in memory: a mount that only this process sees, so that
 * nothing is left behind. False if this is not allowed.
 */
static bool
enter_root(void)
{
	host_protects_links =
	    read_number("/proc/sys/fs/protected_hardlinks");
	host_protects_symlinks =
	    read_number("/proc/sys/fs/protected_symlinks");
	return geteuid() == 0 && setgroups(0, NULL) == 0 &&
	    unshare(CLONE_NEWNS) == 0 &&
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("none", "/dev/shm", "tmpfs", 0, NULL) == 0 &&
	    chdir("/dev/shm") == 0 && chroot(".") == 0;
}

static void
prepare(void)
{
	fake_create(&fake, 8ul << 20, 2048, 16);
	core()->protects_links = host_protects_links;
	core()->protects_symlinks = host_protects_symlinks;
	for (unsigned i = 0; i < IDENTITIES; i++) {
		const struct identity *is = &identities[i];
		const struct storage_who who = {
			.ids = { .uid = is->id, .gid = is->id,
			    .privileges = is->privileges },
			.group_count = is->group_count,
			.groups = is->groups,
		};

		slot[i].uid = is->id;
		slot[i].host = open("/", O_RDONLY | O_DIRECTORY);
		fake_begin(&fake);
		EXPECT_EQ(fake_end(&fake, storage_attach(core(), &who,
		    &slot[i].own)), 0);
	}
	/* The same start: no devices, everybody may write. */
	static const char *const names[] = { "null", "zero", "full", "random",
		"urandom", "tty", "console", "control", "ptmx", "trace",
		"pts" };
	const unsigned count = sizeof(names) / sizeof(names[0]);
	for (unsigned i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "dev/%s", names[i]);
		fake_begin(&fake);
		fake_end(&fake, storage_unlink(core(), slot[0].own,
		    (struct storage_path){ name, strlen(name) },
		    i == count - 1));
	}
	fake_begin(&fake);
	fake_end(&fake, storage_unlink(core(), slot[0].own,
	    (struct storage_path){ "dev", 3 }, true));
	fake_begin(&fake);
	fake_end(&fake, storage_chmod(core(), slot[0].own,
	    (struct storage_path){ "/", 1 }, 0777, 0));
	chmod("/", 0777);
}

TEST(test_results_and_trees_are_those_of_the_host)
{
	if (!enter_root())
		KTAP_SKIP("needs root and a mount of its own");
	if (getenv("SEED") != NULL)
		random_state = strtoul(getenv("SEED"), NULL, 0) * 2 + 1;
	umask(0);
	prepare();
	for (unsigned i = 0; i < OPERATIONS && !ktap_state.failed; i++) {
		step();
		if (i % 512 == 0)
			compare_all();
		if (i % 4096 == 4095)
			op_resume(NULL);
	}
	compare_all();
	for (unsigned i = 0; i < SLOTS; i++)
		close_slot(i);
	compare_all();
	EXPECT_EQ(core()->root->places.descriptions, 0);
	/* Whether the random operations reach what they should. */
	for (unsigned i = 0; i < 256; i++)
		if (outcomes[i] != 0)
			printf("# result %u: %u times\n", i, outcomes[i]);
	printf("# %lu inodes at the end\n", core()->root->inodes);
}

TEST_MAIN(0)
