/* SPDX-License-Identifier: MIT */
/*
 * A file is read again and again while another process changes it: whatever
 * was changed before must be seen, at the position where it must be.
 */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SIZE_MAX_HERE	20000u
#define STEPS		600u
#define CUTS		400u
#define HOT_READS	6u	/* enough to make a system remember the file */

static unsigned char model[SIZE_MAX_HERE], seen[SIZE_MAX_HERE];
static unsigned model_size, seed = 1;
static int order[2], done[2];

static unsigned
draw(unsigned limit)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % limit;
}

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
cut(int fd, unsigned size)
{
	if (size > model_size)
		memset(model + model_size, 0, size - model_size);
	model_size = size;
	if (fd >= 0)
		must(ftruncate(fd, size) == 0, "ftruncate");
}

static void
put(int fd, unsigned offset, unsigned length, int byte)
{
	if (offset > model_size)
		memset(model + model_size, 0, offset - model_size);
	memset(model + offset, byte, length);
	if (offset + length > model_size)
		model_size = offset + length;
	if (fd >= 0)
		must(pwrite(fd, model + offset, length, offset) ==
		    (ssize_t)length, "pwrite");
}

/* Both processes draw the same; only one of them has the file in fd. */
static void
change(int fd)
{
	unsigned kind = draw(8), offset = draw(SIZE_MAX_HERE - 600);
	unsigned length = 1 + draw(600);

	if (kind == 0)
		cut(fd, offset);
	else if (kind == 1)
		cut(fd, 0);
	else if (kind < 5)
		put(fd, model_size < 16000 ? model_size : 0, length,
		    (int)draw(256));
	else
		put(fd, offset, length, (int)draw(256));
}

static void
changer(void)
{
	int fd = open("shared", O_WRONLY);
	char go;

	while (read(order[0], &go, 1) == 1) {
		change(fd);
		must(write(done[1], &go, 1) == 1, "pipe");
	}
	_exit(0);
}

static int
same_as_model(int fd)
{
	unsigned offset = draw(SIZE_MAX_HERE), length = 1 + draw(5000);
	unsigned want = offset >= model_size ? 0 : model_size - offset;

	if (want > length)
		want = length;
	memset(seen, 0x55, sizeof(seen));
	return pread(fd, seen, length, offset) == (ssize_t)want &&
	    memcmp(seen, model + offset, want) == 0 && seen[want] == 0x55;
}

static void
changes_are_seen(void)
{
	int fd = open("shared", O_RDONLY | O_CREAT | O_TRUNC, 0600);
	unsigned wrong = 0, mine;
	pid_t child;
	int status;

	must(pipe(order) == 0 && pipe(done) == 0, "pipe");
	child = fork();
	if (child == 0) {
		close(order[1]);
		changer();
	}
	for (unsigned i = 0; i < STEPS; i++) {
		char go = 1;

		must(write(order[1], &go, 1) == 1 &&
		    read(done[0], &go, 1) == 1, "pipe");
		change(-1);
		mine = seed;
		for (unsigned j = 0; j < HOT_READS; j++)
			wrong += !same_as_model(fd);
		seed = mine;
	}
	close(order[1]);
	must(waitpid(child, &status, 0) == child, "wait");
	SAY("wrong reads", wrong);
	SAY("status of the child", status);
	SAY("size", lseek(fd, 0, SEEK_END) - (long)model_size);
	close(fd);
}

/* Nobody waits for anybody: each byte is one that was written, or a hole. */
static void
cuts_are_survived(void)
{
	static unsigned char text[9000];
	int fd = open("cut", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unsigned wrong = 0;
	int status;
	pid_t child;

	memset(text, 'x', sizeof(text));
	must(write(fd, text, sizeof(text)) == sizeof(text), "write");
	child = fork();
	if (child == 0) {
		for (unsigned i = 0; i < CUTS; i++) {
			must(ftruncate(fd, (i * 577) % 9000) == 0, "cut");
			must(pwrite(fd, text, sizeof(text), 0) ==
			    sizeof(text), "fill");
		}
		_exit(0);
	}
	do {
		for (unsigned i = 0; i < 50; i++) {
			unsigned offset = (i * 331) % 9000;
			ssize_t got = pread(fd, seen, 4000, offset);

			wrong += got < 0;
			for (ssize_t j = 0; j < got; j++)
				wrong += seen[j] != 'x' && seen[j] != 0;
		}
	} while (waitpid(child, &status, WNOHANG) == 0);
	SAY("wrong bytes", wrong);
	SAY("status", status);
	SAY("all is there", pread(fd, seen, sizeof(seen), 0));
	CHECK(memcmp(seen, text, sizeof(text)) == 0);
	close(fd);
}

static char
next_byte(int fd)
{
	char byte = '?';

	return read(fd, &byte, 1) == 1 ? byte : '-';
}

/* A position belongs to all who have the description. */
static void
positions_are_shared(void)
{
	int fd = open("letters", O_RDWR | O_CREAT | O_TRUNC, 0600), status;
	int same = dup(fd), other = open("letters", O_RDONLY);

	SAY("write", write(fd, "abcdefghijklmnopqrstuvwxyz", 26));
	SAY("position", lseek(same, 0, SEEK_CUR));
	SAY("seek", lseek(fd, -20, SEEK_CUR));
	SAY("too far back", lseek(fd, -7, SEEK_CUR));
	SAY("too far", lseek(fd, 0x7fffffffffffffff, SEEK_CUR));
	for (unsigned i = 0; i < HOT_READS; i++)
		printf("%c%c", next_byte(fd), next_byte(other));
	printf("\n");
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		printf("child: %c%c\n", next_byte(same), next_byte(other));
		lseek(fd, 2, SEEK_CUR);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	printf("parent: %c%c\n", next_byte(fd), next_byte(other));
	SAY("written", write(same, "!", 1));
	SAY("position", lseek(fd, 0, SEEK_CUR));
	SAY("pread", pread(other, seen, 26, 0));
	printf("%.26s\n", seen);
	close(fd);
	close(same);
	close(other);
}

static void
appends_move_the_position(void)
{
	int fd = open("log", O_RDWR | O_CREAT | O_APPEND, 0600);
	int other = open("log", O_WRONLY);

	SAY("write", write(fd, "one", 3));
	SAY("other", write(other, "ONE two", 7));
	SAY("write", write(fd, "three", 5));
	SAY("position", lseek(fd, 0, SEEK_CUR));
	SAY("pread", pread(fd, seen, 100, 0));
	printf("%.12s\n", seen);
	SAY("read at the end", read(fd, seen, 5));
	SAY("other grows it", pwrite(other, "four", 4, 12));
	SAY("read", read(fd, seen, 5));
	printf("%.4s\n", seen);
	close(fd);
	close(other);
}

/* The file has no name any more, then no reader any more. */
static void
removed_files_are_read(void)
{
	char name[16];
	int kept[40];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		int fd = open(name, O_RDWR | O_CREAT, 0600), wrong = 0;
		must(write(fd, name, 3) == 3 && unlink(name) == 0, "unlink");
		for (unsigned j = 0; j < HOT_READS; j++)
			wrong += pread(fd, seen, 9, 0) != 3 ||
			    memcmp(seen, name, 3) != 0;
		must(wrong == 0, "read of a removed file");
		kept[i] = fd;
		if (i >= 20)
			close(kept[i - 20]);
	}
	for (unsigned i = 20; i < 40; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		must(pread(kept[i], seen, 9, 0) == 3 &&
		    memcmp(seen, name, 3) == 0, "read again");
		close(kept[i]);
	}
	SAY("all closed", pread(kept[39], seen, 2, 0));
}

static void
bad_buffers_are_refused(void)
{
	int fd = open("letters", O_RDONLY);

	for (unsigned i = 0; i < HOT_READS; i++)
		pread(fd, seen, 4, 0);
	SAY("no memory", syscall(SYS_pread64, fd, 16, 4, 0));
	SAY("kernel memory", syscall(SYS_pread64, fd, -4096l, 4, 0));
	SAY("nothing", syscall(SYS_pread64, fd, 16, 0, 0));
	close(fd);
}

int
main(void)
{
	char folder[] = "/tmp/windows-XXXXXX";

	must(mkdtemp(folder) != NULL && chdir(folder) == 0, "folder");
	setvbuf(stdout, NULL, _IOLBF, 0);
	changes_are_seen();
	cuts_are_survived();
	positions_are_shared();
	appends_move_the_position();
	removed_files_are_read();
	bad_buffers_are_refused();
	must(unlink("shared") == 0 && unlink("cut") == 0 &&
	    unlink("letters") == 0 && unlink("log") == 0 &&
	    chdir("/") == 0 && rmdir(folder) == 0, "cleaning up");
	return 0;
}
