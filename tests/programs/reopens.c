/* SPDX-License-Identifier: MIT */
/*
 * Files are opened and closed in turn: whatever a system keeps of a closed
 * file, the next one must not have it, nor anybody else.
 */
#define _GNU_SOURCE
#include "say.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ROUNDS 50u

static char text[64];

static void
must(int fine, const char *what)
{
	if (fine)
		return;
	printf("failed: %s\n", what);
	fflush(stdout);
	_exit(1);
}

static void
make(const char *path, const char *content)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	must(fd >= 0 && write(fd, content, strlen(content)) ==
	    (ssize_t)strlen(content), path);
	close(fd);
}

/* Content of what is open, from its position; closes it. */
static const char *
content(int fd)
{
	ssize_t got;

	if (fd < 0)
		return error_name(errno);
	got = read(fd, text, sizeof(text) - 1);
	text[got > 0 ? got : 0] = 0;
	close(fd);
	return text;
}

static void
show(const char *what, int fd)
{
	printf("%s: %s\n", what, content(fd));
}

static void
names_and_bases(void)
{
	int a = open("a", O_RDONLY | O_DIRECTORY), b;

	show("below a", openat(a, "f", O_RDONLY));
	close(a);
	b = open("b", O_RDONLY | O_DIRECTORY);
	show("below b", openat(b, "f", O_RDONLY));
	show("missing below b", openat(b, "none", O_RDONLY));
	close(b);
	must(chdir("a") == 0, "chdir");
	show("in a", open("f", O_RDONLY));
	must(chdir("../b") == 0, "chdir");
	show("in b", open("f", O_RDONLY));
	a = open("../a", O_RDONLY);
	must(fchdir(a) == 0, "fchdir");
	close(a);
	show("another", open("../b/f", O_RDONLY));
	show("in a again", open("f", O_RDONLY));
	must(chdir("..") == 0, "chdir");
	for (unsigned length = 30; length < 36; length++) {
		char path[64] = "./";

		memset(path + 2, '/', length - 5);
		memcpy(path + length - 3, "a/f", 4);
		show("long path", open(path, O_RDONLY));
	}
}

/* Flags and positions of the one before are gone. */
static void
fresh_state(void)
{
	int fd = open("a/f", O_WRONLY | O_APPEND);

	SAY("append", write(fd, "+", 1));
	close(fd);
	fd = open("b/f", O_RDWR);
	SAY("position", lseek(fd, 0, SEEK_CUR));
	SAY("overwrite", write(fd, "B", 1));
	close(fd);
	fd = open("a/f", O_RDONLY);
	SAY("no writing", write(fd, "x", 1));
	close(fd);
	show("a", open("a/f", O_RDONLY));
	show("b", open("b/f", O_RDONLY));
	fd = open("a/f", O_PATH);
	SAY("no reading", read(fd, text, 1));
	close(fd);
	show("a", open("a/f", O_RDONLY));
	show("is no directory", open("a/f", O_RDONLY | O_DIRECTORY));
	show("is one", open("a", O_WRONLY));
}

static void
listings_begin_anew(void)
{
	unsigned entries = 0;

	for (unsigned i = 0; i < 4; i++) {
		DIR *folder = opendir(i % 2 == 0 ? "a" : "b");
		while (readdir(folder) != NULL)
			entries++;
		closedir(folder);
	}
	SAY("entries", entries);
}

static void
copies_stay_open(void)
{
	int fd = open("a/f", O_RDONLY), copy = dup(fd);

	close(fd);
	fd = open("b/f", O_RDONLY);
	show("the copy", copy);
	show("the other", fd);
}

/* A child and its parent open different files, with what both had before. */
static void
nothing_is_shared(void)
{
	unsigned wrong = 0;
	int status;

	for (unsigned i = 0; i < ROUNDS; i++) {
		int kept = open("a/f", O_RDONLY);
		close(open("b/f", O_RDONLY));
		pid_t child = fork();
		if (child == 0) {
			int fd = open("b/f", O_RDONLY);
			usleep(100);
			wrong += strcmp(content(fd), "Bb") != 0;
			wrong += strcmp(content(kept), "aa+") != 0;
			_exit(wrong != 0);
		}
		close(kept);
		wrong += strcmp(content(open("c", O_RDONLY)), "cc") != 0;
		must(waitpid(child, &status, 0) == child, "wait");
		wrong += status != 0;
	}
	SAY("wrong", wrong);
}

static void
removed_directories(void)
{
	must(mkdir("gone", 0700) == 0 && chdir("gone") == 0, "gone");
	close(open("x", O_WRONLY | O_CREAT, 0600));
	SAY("unlink", unlink("x"));
	SAY("rmdir", rmdir("../gone"));
	show("nothing here", open("x", O_RDONLY));
	show("nor made here", open("x", O_WRONLY | O_CREAT, 0600));
	must(chdir("/") == 0, "chdir");
}

static void
many_at_once(const char *folder)
{
	char path[64];
	int fd[12];

	must(chdir(folder) == 0, "chdir");
	for (unsigned i = 0; i < ROUNDS; i++) {
		for (unsigned j = 0; j < 12; j++) {
			snprintf(path, sizeof(path), "%s/n%u", folder, j);
			fd[j] = open(j % 2 == 0 ? path : path +
			    strlen(folder) + 1, O_RDWR | O_CREAT, 0600);
			must(write(fd[j], path, 2 + j) == 2 + (int)j, "write");
		}
		for (unsigned j = 0; j < 12; j++)
			close(fd[j]);
		for (unsigned j = 0; j < 12; j++) {
			struct stat status;

			snprintf(path, sizeof(path), "n%u", j);
			must(stat(path, &status) == 0 &&
			    status.st_size == 2 + (int)j, "size");
			must(unlink(path) == 0, "unlink");
		}
	}
	SAY("all were right", ROUNDS);
}

int
main(void)
{
	char folder[] = "/tmp/reopens-XXXXXX";

	must(mkdtemp(folder) != NULL && chdir(folder) == 0, "folder");
	setvbuf(stdout, NULL, _IOLBF, 0);
	must(mkdir("a", 0700) == 0 && mkdir("b", 0700) == 0, "mkdir");
	make("a/f", "aa");
	make("b/f", "bb");
	make("c", "cc");
	names_and_bases();
	fresh_state();
	listings_begin_anew();
	copies_stay_open();
	nothing_is_shared();
	removed_directories();
	many_at_once(folder);
	must(unlink("a/f") == 0 && unlink("b/f") == 0 && unlink("c") == 0 &&
	    rmdir("a") == 0 && rmdir("b") == 0 && chdir("/") == 0 &&
	    rmdir(folder) == 0, "cleaning up");
	return 0;
}
