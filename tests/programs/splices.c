/* SPDX-License-Identifier: MIT */
/*
 * Bytes that go from file to file without the program's memory, holes and
 * zeros in files, files without a name, reads and writes with flags.
 */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define HIPRI_FLAG	1
#define DSYNC_FLAG	2
#define SYNC_FLAG	4
#define APPEND_FLAG	16
#define LARGE (300u << 10)

static char buffer[LARGE];

static int
child(void)
{
	fflush(stdout);
	return fork() == 0;
}

static void
join(void)
{
	int status;

	wait(&status);
	if (status != 0)
		printf("child: status %d\n", status);
}

static int
make(const char *path, const char *text, int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | flags, 0600);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		printf("cannot write %s\n", path);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void
show(const char *what, int fd)
{
	char text[100] = { 0 };
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	for (ssize_t i = 0; i < got; i++)
		if (text[i] == 0)
			text[i] = '0';
	printf("%s: \"%s\" at %ld\n", what, text,
	    (long)lseek(fd, 0, SEEK_CUR));
}

static ssize_t
copy(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags)
{
	return syscall(SYS_copy_file_range, in, in_at, out, out_at, size,
	    flags);
}

static void
copies(void)
{
	int a = make("a", "0123456789", 0), b = make("b", "abc", 0);
	int add = make("add", "", O_APPEND), folder = open(".", O_RDONLY);
	int pipes[2], in = open("a", O_RDONLY), out = open("b", O_WRONLY);
	off_t from = 2, to = 5;

	SAY("at positions", copy(a, NULL, b, NULL, 4, 0));
	show("from", a), show("to", b);
	SAY("at offsets", copy(a, &from, b, &to, 3, 0));
	printf("offsets %ld %ld\n", (long)from, (long)to);
	show("from", a), show("to", b);
	SAY("more than there is", copy(a, NULL, b, NULL, 100, 0));
	SAY("at the end", copy(a, NULL, b, NULL, 100, 0));
	show("to", b);
	from = 0, to = 4;
	SAY("in one file", copy(a, &from, a, &to, 4, 0));
	show("in one file", a);
	from = 0, to = 3;
	SAY("over itself", copy(a, &from, a, &to, 4, 0));
	SAY("nothing", copy(a, &from, b, &to, 0, 0));
	SAY("flags", copy(a, &from, b, &to, 1, 1));
	SAY("from a writer", copy(out, &from, b, &to, 1, 0));
	SAY("to a reader", copy(a, &from, in, &to, 1, 0));
	SAY("to one that appends", copy(a, &from, add, NULL, 1, 0));
	SAY("from a folder", copy(folder, NULL, b, NULL, 1, 0));
	SAY("pipe", pipe(pipes));
	SAY("to a pipe", copy(a, &from, pipes[1], NULL, 1, 0));
	from = -5;
	SAY("negative", copy(a, &from, b, &to, 1, 0));
	SAY("no memory", copy(a, (off_t *)8, b, &to, 1, 0));
	SAY("no file", copy(99, NULL, b, NULL, 1, 0));
	close(a), close(b), close(add), close(folder), close(in), close(out);
	close(pipes[0]), close(pipes[1]);
}

static void
sends(void)
{
	int a = make("a", "0123456789", 0), b = make("b", "", 0), pipes[2];
	int add = make("add", "", O_APPEND);
	off_t from = 3;
	char text[20] = { 0 };

	lseek(a, 2, SEEK_SET);
	SAY("file to file", sendfile(b, a, NULL, 4));
	show("from", a), show("to", b);
	SAY("at an offset", sendfile(b, a, &from, 100));
	printf("offset %ld\n", (long)from);
	show("from", a), show("to", b);
	SAY("at the end", sendfile(b, a, &from, 100));
	SAY("pipe", pipe(pipes));
	from = 0;
	SAY("to a pipe", sendfile(pipes[1], a, &from, 5));
	SAY("read", read(pipes[0], text, sizeof(text)));
	printf("%s\n", text);
	SAY("from a pipe", sendfile(b, pipes[0], NULL, 1));
	SAY("to one that appends", sendfile(add, a, &from, 1));
	SAY("to a reader", sendfile(pipes[0], a, &from, 1));
	from = -1;
	SAY("negative", sendfile(b, a, &from, 1));
	if (child()) {
		memset(buffer, 'x', LARGE);
		close(pipes[0]);
		int large = make("large", "", 0);
		if (write(large, buffer, LARGE) != LARGE)
			_exit(1);
		for (from = 0; from < LARGE;)
			if (sendfile(pipes[1], large, &from, LARGE) <= 0)
				_exit(2);
		_exit(0);
	}
	close(pipes[1]);
	size_t total = 0;
	ssize_t got;
	while ((got = read(pipes[0], buffer, LARGE)) > 0)
		total += (size_t)got;
	join();
	SAY("much came", total);
	unlink("large");
	close(pipes[0]), close(a), close(b), close(add);
}

static void
splices(void)
{
	int a = make("a", "0123456789", 0), b = make("b", "", 0);
	int one[2], two[2];
	loff_t from = 4, to = 2;
	char text[20] = { 0 };

	SAY("pipes", pipe(one) | pipe(two));
	SAY("file to pipe", splice(a, &from, one[1], NULL, 3, 0));
	printf("offset %ld\n", (long)from);
	SAY("at the position", splice(a, NULL, one[1], NULL, 2, 0));
	show("from", a);
	SAY("look", tee(one[0], two[1], 4, 0));
	SAY("read the copy", read(two[0], text, sizeof(text)));
	printf("%s\n", text);
	SAY("pipe to pipe", splice(one[0], NULL, two[1], NULL, 3, 0));
	SAY("pipe to file", splice(two[0], NULL, b, &to, 100, 0));
	show("to", b);
	SAY("pipe to file", splice(one[0], NULL, b, NULL, 100, 0));
	show("to", b);
	SAY("empty", splice(one[0], NULL, b, NULL, 1, SPLICE_F_NONBLOCK));
	SAY("nothing to look at", tee(one[0], two[1], 1, SPLICE_F_NONBLOCK));
	SAY("no pipe", splice(a, NULL, b, NULL, 1, 0));
	SAY("no pipe to look at", tee(a, two[1], 1, 0));
	SAY("the same pipe", splice(one[0], NULL, one[1], NULL, 1, 0));
	SAY("the same pipe", tee(one[0], one[1], 1, 0));
	SAY("offset of a pipe", splice(one[0], &from, b, NULL, 1, 0));
	SAY("flags", splice(a, NULL, one[1], NULL, 1, 1u << 20));
	SAY("wrong end", splice(one[1], NULL, b, NULL, 1, 0));
	SAY("nothing", splice(a, NULL, one[1], NULL, 0, 0));
	struct iovec pieces[] = { { "ab", 2 }, { "cde", 3 } };
	SAY("memory to pipe", vmsplice(one[1], pieces, 2, 0));
	memset(text, 0, sizeof(text));
	SAY("read", read(one[0], text, sizeof(text)));
	printf("%s\n", text);
	SAY("memory to file", vmsplice(a, pieces, 2, 0));
	if (child()) {
		usleep(20000);
		if (write(one[1], "late", 4) != 4)
			_exit(1);
		_exit(0);
	}
	SAY("waits", splice(one[0], NULL, b, NULL, 100, 0));
	join();
	close(one[1]);
	SAY("end", splice(one[0], NULL, b, NULL, 100, 0));
	close(two[0]);
	signal(SIGPIPE, SIG_IGN);
	lseek(a, 0, SEEK_SET);
	SAY("broken", splice(a, NULL, two[1], NULL, 1, 0));
	close(one[0]), close(two[1]), close(a), close(b);
}

static void
holes(void)
{
	int fd = make("holes", "", 0), in = open("holes", O_RDONLY), pipes[2];
	struct stat st;
	unsigned wrong = 0;

	SAY("size", ftruncate(fd, 65536));
	SAY("data", pwrite(fd, buffer, 4096, 16384));
	SAY("first data", lseek(fd, 0, SEEK_DATA));
	SAY("in data", lseek(fd, 17000, SEEK_DATA));
	SAY("first hole", lseek(fd, 0, SEEK_HOLE));
	SAY("hole behind data", lseek(fd, 17000, SEEK_HOLE));
	SAY("no more data", lseek(fd, 20480, SEEK_DATA));
	SAY("beyond the end", lseek(fd, 65536, SEEK_HOLE));
	SAY("no such", lseek(fd, 0, 7));
	memset(buffer, 'd', 20000);
	SAY("fill", pwrite(fd, buffer, 20000, 0));
	SAY("punch", fallocate(fd, FALLOC_FL_PUNCH_HOLE |
	    FALLOC_FL_KEEP_SIZE, 1000, 9000));
	pread(fd, buffer, 20000, 0);
	for (unsigned i = 0; i < 20000; i++)
		wrong += buffer[i] != (i >= 1000 && i < 10000 ? 0 : 'd');
	SAY("wrong", wrong);
	SAY("punch the end", fallocate(fd, FALLOC_FL_PUNCH_HOLE |
	    FALLOC_FL_KEEP_SIZE, 60000, 100000));
	SAY("stat", fstat(fd, &st));
	SAY("size", st.st_size);
	SAY("room", fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
	SAY("size", (fstat(fd, &st), st.st_size));
	SAY("larger", fallocate(fd, 0, 0, 100000));
	SAY("size", (fstat(fd, &st), st.st_size));
	SAY("smaller", fallocate(fd, 0, 0, 10));
	SAY("size", (fstat(fd, &st), st.st_size));
	SAY("negative", fallocate(fd, 0, -1, 10));
	SAY("nothing", fallocate(fd, 0, 0, 0));
	SAY("a hole that grows", fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10));
	SAY("a reader", fallocate(in, 0, 0, 10));
	SAY("pipe", pipe(pipes));
	SAY("a pipe", fallocate(pipes[1], 0, 0, 10));
	SAY("unknown", fallocate(fd, 0x1000, 0, 10));
	SAY("readahead", readahead(fd, 0, 100));
	SAY("readahead of a pipe", readahead(pipes[0], 0, 100));
	SAY("sync", sync_file_range(fd, 0, 10, 7) | syncfs(fd) |
	    fdatasync(fd));
	SAY("sync flags", sync_file_range(fd, 0, 10, 8));
	SAY("sync a pipe", sync_file_range(pipes[0], 0, 10, 0));
	SAY("sync nothing", syncfs(99));
	close(fd), close(in), close(pipes[0]), close(pipes[1]);
}

static void
nameless(void)
{
	int fd = open(".", O_TMPFILE | O_RDWR, 0640), other;
	char path[64];
	struct stat st;

	SAY_OK("no name", fd);
	SAY("write", write(fd, "hidden", 6));
	SAY("stat", fstat(fd, &st));
	printf("mode %o links %d size %d\n", st.st_mode, (int)st.st_nlink,
	    (int)st.st_size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SAY("gets one", linkat(AT_FDCWD, path, AT_FDCWD, "named",
	    AT_SYMLINK_FOLLOW));
	SAY("links", (fstat(fd, &st), (int)st.st_nlink));
	other = open("named", O_RDONLY);
	show("named", other);
	SAY("another", linkat(AT_FDCWD, path, AT_FDCWD, "named2",
	    AT_SYMLINK_FOLLOW));
	SAY("unlink", unlink("named") | unlink("named2"));
	SAY("not again", linkat(AT_FDCWD, path, AT_FDCWD, "named",
	    AT_SYMLINK_FOLLOW));
	close(fd), close(other);
	fd = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SAY("never a name", linkat(AT_FDCWD, path, AT_FDCWD, "named",
	    AT_SYMLINK_FOLLOW));
	close(fd);
	fd = open(".", O_TMPFILE | O_WRONLY, 0600);
	SAY("by the handle", linkat(fd, "", AT_FDCWD, "named",
	    AT_EMPTY_PATH));
	SAY("unlink", unlink("named"));
	close(fd);
	SAY("not to read", open(".", O_TMPFILE | O_RDONLY, 0600));
	SAY("no folder", open("a", O_TMPFILE | O_RDWR, 0600));
	SAY("missing", open("none", O_TMPFILE | O_RDWR, 0600));
}

/* preadv2 and pwritev2, which not every library has. */
static long
read_with(int fd, struct iovec *pieces, int count, off_t offset, int flags)
{
	return syscall(SYS_preadv2, fd, pieces, count, offset, 0, flags);
}

static long
write_with(int fd, struct iovec *pieces, int count, off_t offset, int flags)
{
	return syscall(SYS_pwritev2, fd, pieces, count, offset, 0, flags);
}

static void
flagged(void)
{
	int fd = make("a", "0123456789", 0), pipes[2];
	struct iovec in[] = { { buffer, 3 }, { buffer + 3, 3 } };
	struct iovec out[] = { { "x", 1 }, { "yz", 2 } };

	SAY("at an offset", read_with(fd, in, 2, 2, 0));
	printf("%.6s\n", buffer);
	SAY("at the position", read_with(fd, in, 2, -1, HIPRI_FLAG));
	show("position", fd);
	SAY("write", write_with(fd, out, 2, 1, SYNC_FLAG | DSYNC_FLAG));
	show("written", fd);
	SAY("append", write_with(fd, out, 2, 0, APPEND_FLAG));
	show("appended", fd);
	SAY("unknown", read_with(fd, in, 2, 0, 1 << 20));
	SAY("pipe", pipe(pipes));
	SAY("offset of a pipe", write_with(pipes[1], out, 2, 0, 0));
	SAY("a pipe", write_with(pipes[1], out, 2, -1, 0));
	SAY("read it", read_with(pipes[0], in, 2, -1, 0));
	close(fd), close(pipes[0]), close(pipes[1]);
}

int
main(void)
{
	char folder[] = "/tmp/splicesXXXXXX";
	static const char *const names[] = { "a", "b", "add", "holes" };

	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return 1;
	copies();
	sends();
	splices();
	holes();
	nameless();
	flagged();
	for (unsigned i = 0; i < 4; i++)
		SAY("unlink", unlink(names[i]));
	SAY("rmdir", rmdir(folder));
	return 0;
}
