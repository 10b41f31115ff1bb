/* SPDX-License-Identifier: MIT */
/* Files and directories by the system's own calls, with their errors. */
#include "tell.h"

static struct stat st;

static void
reading_and_writing(void)
{
	char buffer[16] = { 0 };
	int fd = creat("file", 0640);

	TELL("write", write(fd, "hello world", 11));
	TELL("read what is for writing", read(fd, buffer, 4));
	TELL("write from nowhere", write(fd, NULL, 4));
	TELL("close", close(fd));
	TELL("close twice", close(fd));
	TELL("write to what is closed", write(fd, "x", 1));
	TELL("open what is there", open("file", O_CREAT | O_EXCL, 0));
	TELL("open what is not", open("nothing", O_RDONLY, 0));
	TELL("open below a file", open("file/below", O_RDONLY, 0));
	TELL("open with a bad pointer", open(nowhere(), O_RDONLY, 0));
	fd = open("file", O_RDWR, 0);
	TELL("lseek", lseek(fd, 6, SEEK_SET));
	TELL("read", read(fd, buffer, sizeof(buffer)));
	CHECK(same_text(buffer, "world"));
	TELL("read at the end", read(fd, buffer, sizeof(buffer)));
	TELL("lseek from the end", lseek(fd, -1, SEEK_END));
	TELL("lseek before the beginning", lseek(fd, -1, SEEK_SET));
	TELL("lseek by a wrong whence", lseek(fd, 0, 9));
	TELL("ftruncate", ftruncate(fd, 5));
	TELL("ftruncate to less than nothing", ftruncate(fd, -1));
	TELL("fstat", fstat(fd, &st));
	CHECK(st.st_size == 5 && (st.st_mode & S_IFMT) == S_IFREG);
	TELL("truncate", truncate("file", 3));
	TELL("truncate a directory", truncate(".", 3));
	TELL("newfstat", newfstat(fd, &st));
	CHECK(st.st_size == 3);
	TELL("fstat to nowhere", fstat(fd, NULL));
	TELL("fstat of nothing", fstat(99, &st));
	close(fd);
}

static void
names(void)
{
	char target[8] = { 0 };

	TELL("link", link("file", "other"));
	TELL("link over a file", link("file", "other"));
	TELL("stat", stat("other", &st));
	CHECK(st.st_nlink == 2);
	TELL("newstat", newstat("other", &st));
	TELL("rename", rename("other", "third"));
	TELL("rename what is not", rename("other", "third"));
	TELL("symlink", symlink("third", "soft"));
	TELL("symlink over a name", symlink("third", "soft"));
	TELL("readlink", readlink("soft", target, sizeof(target)));
	CHECK(same_text(target, "third"));
	TELL("readlink of a file", readlink("file", target, 8));
	TELL("lstat", lstat("soft", &st));
	CHECK((st.st_mode & S_IFMT) == S_IFLNK);
	TELL("newlstat", newlstat("soft", &st));
	CHECK((st.st_mode & S_IFMT) == S_IFLNK);
	TELL("stat of a link", stat("soft", &st));
	CHECK((st.st_mode & S_IFMT) == S_IFREG);
	TELL("stat of nothing", stat("nothing", &st));
	TELL("lstat of nothing", lstat("nothing", &st));
	TELL("unlink", unlink("soft"));
	TELL("unlink twice", unlink("soft"));
	TELL("unlink a directory", unlink("."));
	unlink("third");
	symlink("loop", "loop");
	TELL("open a circle", open("loop", O_RDONLY, 0));
	unlink("loop");
}

static void
modes(void)
{
	const struct utimbuf then = { 1000, 2000 };

	TELL("umask", umask(027));
	TELL("umask again", umask(022));
	TELL("chmod", chmod("file", 0604));
	TELL("chmod of nothing", chmod("nothing", 0604));
	stat("file", &st);
	CHECK((st.st_mode & 07777) == 0604);
	int fd = open("file", O_RDONLY, 0);
	TELL("fchmod", fchmod(fd, 0600));
	TELL("fchmod of nothing", fchmod(99, 0600));
	TELL("lchown", lchown("file", 0, 0));
	TELL("lchown of nothing", lchown("nothing", 0, 0));
	TELL("fchown", fchown(fd, (uid_t)-1, (gid_t)-1));
	TELL("fchown of nothing", fchown(99, 0, 0));
	close(fd);
	TELL("utime", utime("file", &then));
	stat("file", &st);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000);
	TELL("utime of nothing", utime("nothing", NULL));
	TELL("access", access("file", R_OK | W_OK));
	TELL("access to run", access("file", X_OK));
	TELL("access by a wrong mode", access("file", 64));
	TELL("access to nothing", access("nothing", F_OK));
}

static void
nodes(void)
{
	TELL("mkdir", mkdir("folder", 0755));
	TELL("mkdir twice", mkdir("folder", 0755));
	TELL("mkdir below nothing", mkdir("nothing/folder", 0755));
	TELL("mknod of a directory", mknod("folder/sub", S_IFDIR | 0700, 0));
	TELL("stat", stat("folder/sub", &st));
	CHECK((st.st_mode & (S_IFMT | 0777)) == (S_IFDIR | 0700));
	TELL("mknod of a pipe", mknod("folder/fifo", S_IFIFO | 0600, 0));
	stat("folder/fifo", &st);
	CHECK((st.st_mode & S_IFMT) == S_IFIFO);
	TELL("mknod of a file", mknod("folder/plain", 0600, 0));
	TELL("mknod twice", mknod("folder/plain", 0600, 0));
	TELL("mknod of a link", mknod("folder/link", S_IFLNK | 0600, 0));
	TELL("rmdir of a full one", rmdir("folder"));
	TELL("rmdir of a file", rmdir("folder/plain"));
	TELL("chdir", chdir("folder"));
	TELL("chdir to a file", chdir("plain"));
	TELL("chdir to nothing", chdir("nothing"));
}

/* Two dots and three names, in any order. */
static void
listing(void)
{
	union {
		struct old_linux_dirent entry;
		char room[280];
	} got;
	unsigned found = 0, count = 0;
	int fd = open(".", O_RDONLY | O_DIRECTORY, 0);

	TELL("readdir without room", readdir((unsigned)fd, &got.entry, 19));
	TELL("readdir to nowhere", readdir((unsigned)fd, NULL, 280));
	while (readdir((unsigned)fd, &got.entry, sizeof(got)) == 1) {
		static const char *const known[] = { ".", "..", "sub", "fifo",
			"plain" };

		for (unsigned i = 0; i < COUNT(known); i++) {
			if (same_text(got.entry.d_name, known[i]) &&
			    got.entry.d_namlen == length_of(known[i]))
				found |= 1u << i;
		}
		count++;
	}
	CHECK(count == 5 && found == 31);
	TELL("readdir at the end", readdir((unsigned)fd, &got.entry, 280));
	close(fd);
	fd = open("plain", O_RDONLY, 0);
	TELL("readdir of a file", readdir((unsigned)fd, &got.entry, 280));
	TELL("readdir of nothing", readdir(99, &got.entry, 280));
	close(fd);
	unlink("plain");
	unlink("fifo");
	TELL("rmdir", rmdir("sub"));
	chdir("..");
	TELL("rmdir", rmdir("folder"));
	TELL("rmdir of nothing", rmdir("folder"));
}

static void
systems(void)
{
	struct statfs fs;
	struct ustat us;

	TELL("statfs", statfs(".", &fs));
	CHECK(fs.f_bsize == 4096 && fs.f_namelen == 255 &&
	    fs.f_bfree <= fs.f_blocks);
	TELL("statfs of nothing", statfs("nothing", &fs));
	int fd = open(".", O_RDONLY, 0);
	TELL("fstatfs", fstatfs(fd, &fs));
	TELL("fstatfs of nothing", fstatfs(99, &fs));
	close(fd);
	stat(".", &st);
	TELL("ustat", ustat(st.st_dev, &us));
	TELL("ustat of nothing", ustat(0x7fff1234, &us));
	TELL("ustat to nowhere", ustat(st.st_dev, NULL));
	sync();
	print("sync\n");
}

int
main(void)
{
	umask(022);
	reading_and_writing();
	names();
	modes();
	nodes();
	listing();
	systems();
	TELL("unlink", unlink("file"));
	return 0;
}
