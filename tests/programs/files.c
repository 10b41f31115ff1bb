/* SPDX-License-Identifier: MIT */
/* Every call on files and names, in a folder of its own, with its errors. */
#define _GNU_SOURCE
#include "say.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <utime.h>

static char buffer[8192];
static struct iovec many[2000];

static void
opening(void)
{
	char longname[300];

	memset(longname, 'n', sizeof(longname));
	longname[299] = 0;
	SAY("open missing", open("missing", O_RDONLY));
	SAY("open empty name", open("", O_RDONLY));
	SAY("open long name", open(longname, O_RDONLY | O_CREAT, 0600));
	SAY("creat", creat("a", 0644));
	SAY("close", close(3));
	SAY("close again", close(3));
	SAY("close huge", close(1 << 30));
	SAY("open excl", open("a", O_CREAT | O_EXCL | O_WRONLY, 0600));
	SAY("open as directory", open("a", O_RDONLY | O_DIRECTORY));
	SAY("open through file", open("a/b", O_RDONLY));
	SAY("open directory for writing", open(".", O_WRONLY));
	SAY("openat bad base", openat(99, "a", O_RDONLY));
	int fd = open("a", O_RDONLY);
	SAY("openat file as base", openat(fd, "x", O_RDONLY));
	SAY("write to read-only", write(fd, "x", 1));
	close(fd);
	fd = open("a", O_WRONLY);
	SAY("read from write-only", read(fd, buffer, 1));
	close(fd);
}

static void
reading_and_writing(void)
{
	int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct iovec out[3] = { { "one", 3 }, { "", 0 }, { "two", 3 } };
	struct iovec in[2] = { { buffer, 2 }, { buffer + 10, 8 } };

	SAY("write", write(fd, "0123456789", 10));
	SAY("lseek", lseek(fd, 3, SEEK_SET));
	SAY("read", read(fd, buffer, 4));
	printf("%.4s\n", buffer);
	SAY("lseek current", lseek(fd, 0, SEEK_CUR));
	SAY("lseek end", lseek(fd, 2, SEEK_END));
	SAY("write after hole", write(fd, "x", 1));
	SAY("lseek negative", lseek(fd, -1, SEEK_SET));
	SAY("lseek whence", lseek(fd, 0, 9));
	SAY("pread", pread(fd, buffer, 100, 8));
	CHECK(memcmp(buffer, "89\0\0x", 5) == 0);
	SAY("pwrite", pwrite(fd, "AB", 2, 1));
	SAY("pread negative", pread(fd, buffer, 1, -1));
	SAY("read at end", read(fd, buffer, 10));
	lseek(fd, 0, SEEK_SET);
	SAY("writev", writev(fd, out, 3));
	SAY("pread all", pread(fd, buffer, 100, 0));
	printf("%.10s\n", buffer);
	lseek(fd, 0, SEEK_SET);
	SAY("readv", readv(fd, in, 2));
	printf("%.2s %.8s\n", buffer, buffer + 10);
	SAY("writev too many", writev(fd, many, 2000));
	SAY("write nothing", write(fd, NULL, 0));
	SAY("ftruncate", ftruncate(fd, 4));
	SAY("lseek end", lseek(fd, 0, SEEK_END));
	SAY("ftruncate negative", ftruncate(fd, -1));
	SAY("ftruncate grow", ftruncate(fd, 100));
	SAY("pread hole", pread(fd, buffer, 200, 4));
	SAY("fsync", fsync(fd));
	SAY("fdatasync", fdatasync(fd));
	close(fd);
	SAY("truncate", truncate("data", 3));
	SAY("truncate missing", truncate("missing", 3));
	SAY("truncate directory", truncate(".", 3));
}

static void
appending(void)
{
	int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);
	int other = open("log", O_RDWR);

	write(fd, "aa", 2);
	write(other, "b", 1);
	write(fd, "cc", 2);
	SAY("size after appends", lseek(other, 0, SEEK_END));
	SAY("F_GETFL append", fcntl(fd, F_GETFL) & O_APPEND);
	SAY("F_SETFL", fcntl(other, F_SETFL, O_APPEND));
	lseek(other, 0, SEEK_SET);
	write(other, "d", 1);
	SAY("size", lseek(other, 0, SEEK_END));
	pread(other, buffer, 6, 0);
	printf("%.6s\n", buffer);
	close(fd);
	close(other);
}

static void
descriptors(void)
{
	int fd = open("data", O_RDONLY);
	int copy = dup(fd);

	SAY("dup next", copy - fd);
	lseek(fd, 2, SEEK_SET);
	SAY("dup shares position", lseek(copy, 0, SEEK_CUR));
	SAY("dup2", dup2(fd, 100));
	SAY("dup2 same", dup2(fd, fd) - fd);
	SAY("dup2 bad", dup2(77, 100));
	SAY("dup2 too high", dup2(fd, 1 << 20));
	SAY("dup3 same", dup3(fd, fd, 0));
	SAY("dup3 cloexec", dup3(fd, 101, O_CLOEXEC));
	SAY("F_GETFD", fcntl(101, F_GETFD));
	SAY("F_SETFD", fcntl(101, F_SETFD, 0));
	SAY("F_GETFD", fcntl(101, F_GETFD));
	SAY("F_DUPFD", fcntl(fd, F_DUPFD, 200));
	SAY("F_DUPFD_CLOEXEC", fcntl(fd, F_DUPFD_CLOEXEC, 200));
	SAY("F_DUPFD too high", fcntl(fd, F_DUPFD, 1 << 20));
	SAY("fcntl bad", fcntl(555, F_GETFD));
	SAY("dup bad", dup(-1));
	SAY("isatty", isatty(fd));
	close(fd);
	SAY("copy is open", read(copy, buffer, 1));
	close(copy);
	close(100);
	close(101);
	close(200);
	close(201);
}

static void
say_stat(const char *name, int result, const struct stat *st)
{
	if (result != 0)
		printf("%s: -1 %s\n", name, error_name(errno));
	else
		printf("%s: type %o mode %o links %lu size %ld\n", name,
		    st->st_mode >> 12, st->st_mode & 07777,
		    (unsigned long)st->st_nlink,
		    S_ISDIR(st->st_mode) ? 0 : (long)st->st_size);
}

static void
attributes(void)
{
	struct stat st, again;
	struct statfs fs;
	int fd = open("data", O_RDONLY);

	say_stat("stat", stat("data", &st), &st);
	say_stat("fstat", fstat(fd, &again), &again);
	CHECK(st.st_ino == again.st_ino && st.st_dev == again.st_dev);
	CHECK(st.st_uid == getuid());
	say_stat("stat missing", stat("missing", &st), &st);
	say_stat("fstat bad", fstat(99, &st), &st);
	SAY("chmod", chmod("data", 0640));
	SAY("fchmod", fchmod(fd, 0604));
	say_stat("stat", stat("data", &st), &st);
	SAY("chmod missing", chmod("missing", 0600));
	SAY("access", access("data", R_OK | W_OK));
	SAY("access missing", access("missing", F_OK));
	SAY("access mode", access("data", 77));
	SAY("chown to itself", chown("data", getuid(), getgid()));
	SAY("umask", umask(077));
	SAY("umask", umask(022));
	struct timespec times[2] = { { 1000000, 500 }, { 2000000, 600 } };
	SAY("utimensat", utimensat(AT_FDCWD, "data", times, 0));
	stat("data", &st);
	CHECK(st.st_atim.tv_sec == 1000000 && st.st_mtim.tv_nsec == 600);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	SAY("futimens", futimens(fd, times));
	stat("data", &st);
	CHECK(st.st_atim.tv_sec == 1000000 && st.st_mtim.tv_sec > 2000000);
	times[0].tv_nsec = 2000000000;
	SAY("utimensat bad", utimensat(AT_FDCWD, "data", times, 0));
	SAY("utime", utime("data", &(struct utimbuf){ 5, 6 }));
	stat("data", &st);
	SAY("mtime", st.st_mtime);
	SAY("statfs", statfs(".", &fs));
	CHECK(fs.f_bsize > 0 && fs.f_namelen == 255);
	close(fd);
}

static void
names(void)
{
	struct stat st;

	SAY("mkdir", mkdir("dir", 0755));
	SAY("mkdir again", mkdir("dir", 0755));
	SAY("mkdir in missing", mkdir("no/dir", 0755));
	say_stat("stat dir", stat("dir", &st), &st);
	SAY("link", link("data", "dir/hard"));
	say_stat("links", stat("data", &st), &st);
	SAY("link again", link("data", "dir/hard"));
	SAY("link directory", link("dir", "other"));
	SAY("symlink", symlink("../data", "dir/soft"));
	SAY("readlink", readlink("dir/soft", buffer, sizeof(buffer)));
	printf("%.7s\n", buffer);
	SAY("readlink short", readlink("dir/soft", buffer, 3));
	SAY("readlink file", readlink("data", buffer, 10));
	say_stat("stat link", stat("dir/soft", &st), &st);
	say_stat("lstat link", lstat("dir/soft", &st), &st);
	symlink("loop", "loop");
	SAY("open loop", open("loop", O_RDONLY));
	SAY("open nofollow", open("dir/soft", O_RDONLY | O_NOFOLLOW));
	symlink("nowhere", "dangling");
	SAY("open dangling", open("dangling", O_RDONLY));
	SAY("rmdir not empty", rmdir("dir"));
	SAY("rmdir file", rmdir("data"));
	SAY("unlink missing", unlink("missing"));
	SAY("rename", rename("dir/hard", "dir/moved"));
	SAY("rename missing", rename("dir/hard", "x"));
	SAY("rename into itself", rename("dir", "dir/sub"));
	SAY("rename file over directory", rename("data", "dir"));
	SAY("rename directory over file", rename("dir", "data"));
	SAY("rename noreplace", syscall(SYS_renameat2, AT_FDCWD, "a",
	    AT_FDCWD, "data", 1));
	SAY("unlinkat flags", unlinkat(AT_FDCWD, "a", 0x10000));
	SAY("unlink open file", unlink("dir/moved"));
	SAY("unlink", unlink("dir/soft"));
	SAY("unlink", unlink("loop"));
	SAY("unlink", unlink("dangling"));
	SAY("rmdir", rmdir("dir"));
	SAY("rmdir again", rmdir("dir"));
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
directories(void)
{
	char *found[200];
	unsigned count = 0;
	struct dirent *entry;
	char name[32];

	mkdir("many", 0755);
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "many/file-%03d", i);
		close(creat(name, 0600));
	}
	DIR *dir = opendir("many");
	while ((entry = readdir(dir)) != NULL && count < 200)
		found[count++] = strdup(entry->d_name);
	qsort(found, count, sizeof(*found), by_text);
	printf("%u entries, %s %s %s\n", count, found[0], found[1],
	    found[count - 1]);
	rewinddir(dir);
	CHECK(readdir(dir) != NULL);
	SAY("unlinkat", unlinkat(dirfd(dir), "file-000", 0));
	closedir(dir);
	for (int i = 1; i < 150; i++) {
		snprintf(name, sizeof(name), "many/file-%03d", i);
		unlink(name);
	}
	SAY("chdir", chdir("many"));
	CHECK(strcmp(strrchr(getcwd(buffer, sizeof(buffer)), '/'),
	    "/many") == 0);
	SAY("getcwd short", (long)getcwd(buffer, 2) == 0 ? -1 : 0);
	SAY("chdir file", chdir("../data"));
	SAY("chdir missing", chdir("missing"));
	int up = open("..", O_RDONLY | O_DIRECTORY);
	SAY("fchdir", fchdir(up));
	SAY("fchdir bad", fchdir(99));
	close(up);
	SAY("rmdir", rmdir("many"));
}

int
main(void)
{
	char folder[64];

	snprintf(folder, sizeof(folder), "/tmp/files-test-%d", getpid());
	SAY("mkdir", mkdir(folder, 0755));
	SAY("chdir", chdir(folder));
	umask(022);
	opening();
	reading_and_writing();
	appending();
	descriptors();
	attributes();
	names();
	directories();
	unlink("a");
	unlink("data");
	unlink("log");
	SAY("chdir", chdir("/"));
	SAY("rmdir", rmdir(folder));
	return 0;
}
