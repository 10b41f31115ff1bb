/* SPDX-License-Identifier: MIT */
/*
 * Locks of files: of records by process and by open file, of whole files.
 * What is locked is shown as a map of bytes, as another process sees it.
 */
#define _GNU_SOURCE
#include "say.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define BYTES 24
#define PATH "file"

static volatile sig_atomic_t alarms;

static int
ask(int fd, int command, int type, off_t start, off_t length)
{
	struct flock lock = { .l_type = (short)type, .l_start = start,
		.l_len = length };

	return fcntl(fd, command, &lock);
}

static int
set(int fd, int type, off_t start, off_t length)
{
	return ask(fd, F_SETLK, type, start, length);
}

/* Runs what follows in a child and waits: if (child()) { ... leave(); } */
static int
child(void)
{
	fflush(stdout);
	return fork() == 0;
}

static void
leave(void)
{
	fflush(stdout);
	_exit(0);
}

static void
join(void)
{
	int status;

	while (wait(&status) < 0 && errno == EINTR)
		;
	if (status != 0)
		printf("child: status %d\n", status);
}

static void
map(const char *what)
{
	if (child()) {
		char text[BYTES + 1] = { 0 };
		int fd = open(PATH, O_RDWR);

		for (int i = 0; i < BYTES; i++) {
			struct flock lock = { .l_type = F_WRLCK,
				.l_start = i, .l_len = 1 };
			text[i] = fcntl(fd, F_GETLK, &lock) != 0 ? '?' :
			    lock.l_type == F_UNLCK ? '.' :
			    lock.l_type == F_RDLCK ? 'r' : 'w';
		}
		printf("%-28s %s\n", what, text);
		leave();
	}
	join();
}

static void
ranges(int fd)
{
	SAY("write 4..11", set(fd, F_WRLCK, 4, 8));
	map("one");
	SAY("read 6..7", set(fd, F_RDLCK, 6, 2));
	map("in the middle");
	SAY("unlock 10..", set(fd, F_UNLCK, 10, 0));
	map("to the end");
	SAY("write 6..9", set(fd, F_WRLCK, 6, 4));
	SAY("write 12..15", set(fd, F_WRLCK, 12, 4));
	SAY("write 10..11", set(fd, F_WRLCK, 10, 2));
	map("joined");
	if (child()) {
		int other = open(PATH, O_RDWR);
		struct flock lock = { .l_type = F_RDLCK, .l_start = 0 };

		SAY("ask", fcntl(other, F_GETLK, &lock));
		printf("met type %d whence %d start %ld length %ld\n",
		    lock.l_type, lock.l_whence, (long)lock.l_start,
		    (long)lock.l_len);
		CHECK(lock.l_pid == getppid());
		SAY("refused", set(other, F_RDLCK, 0, 5));
		SAY("apart", set(other, F_RDLCK, 0, 4));
		leave();
	}
	join();
	map("the child's are gone");
	SAY("unlock 5", set(fd, F_UNLCK, 5, 1));
	SAY("unlock 0..3", set(fd, F_UNLCK, 0, 4));
	map("a hole");
	SAY("read all", set(fd, F_RDLCK, 0, 0));
	map("all to read");
	SAY("unlock all", set(fd, F_UNLCK, 0, 0));
	map("none");
}

static void
counted_from(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_CUR,
		.l_start = -2, .l_len = 4 };

	lseek(fd, 5, SEEK_SET);
	SAY("from the position", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_END,
		.l_start = -1, .l_len = 2 };
	SAY("from the end", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_RDLCK, .l_start = 16, .l_len = -3 };
	SAY("backwards", fcntl(fd, F_SETLK, &lock));
	map("three ways");
	lock.l_len = -17;
	SAY("before the beginning", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_RDLCK, .l_start = -1 };
	SAY("negative", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_END,
		.l_start = INT64_MAX };
	SAY("too far", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_RDLCK, .l_start = 2,
		.l_len = INT64_MAX };
	SAY("too long", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_RDLCK, .l_start = INT64_MAX,
		.l_len = 1 };
	SAY("the last byte", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_RDLCK, .l_whence = 7 };
	SAY("whence", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = 9 };
	SAY("type", fcntl(fd, F_SETLK, &lock));
	lock = (struct flock){ .l_type = F_UNLCK };
	SAY("asking for nothing", fcntl(fd, F_GETLK, &lock));
	SAY("no memory", fcntl(fd, F_SETLK, (void *)8));
	SAY("no file", set(99, F_RDLCK, 0, 1));
	SAY("unlock all", set(fd, F_UNLCK, 0, 0));
}

static void
rights(void)
{
	int in = open(PATH, O_RDONLY), out = open(PATH, O_WRONLY);
	int path = open(PATH, O_PATH), folder = open(".", O_RDONLY);

	SAY("read, of a reader", set(in, F_RDLCK, 0, 1));
	SAY("write, of a reader", set(in, F_WRLCK, 0, 1));
	SAY("read, of a writer", set(out, F_RDLCK, 0, 1));
	SAY("write, of a writer", set(out, F_WRLCK, 0, 1));
	SAY("of a path", set(path, F_RDLCK, 0, 1));
	SAY("whole, of a reader", flock(in, LOCK_EX | LOCK_NB));
	SAY("whole, of a path", flock(path, LOCK_SH));
	SAY("whole, no kind", flock(in, 0));
	SAY("whole, no file", flock(99, LOCK_SH));
	SAY("a folder", flock(folder, LOCK_EX));
	SAY("a folder's records", set(folder, F_RDLCK, 0, 1));
	close(in), close(out), close(path), close(folder);
}

/* Any descriptor of the file that is closed takes the process's locks along. */
static void
closing(int fd)
{
	int other = open(PATH, O_RDONLY), copy;

	SAY("write 1..3", set(fd, F_WRLCK, 1, 3));
	close(other);
	map("another was closed");
	SAY("write 1..3", set(fd, F_WRLCK, 1, 3));
	copy = dup(fd);
	close(copy);
	map("a copy was closed");
	SAY("write 1..3", set(fd, F_WRLCK, 1, 3));
	copy = dup(fd);
	dup2(1, copy);
	close(copy);
	map("a copy was replaced");
	SAY("write 1..3", set(fd, F_WRLCK, 1, 3));
	close(open("other", O_RDWR | O_CREAT, 0600));
	map("another file was closed");
	if (child()) {
		close(fd);
		leave();
	}
	join();
	map("the child closed");
	if (child()) {
		SAY("is not the child's", set(fd, F_RDLCK, 1, 1));
		SAY("the child's own", set(fd, F_WRLCK, 10, 2));
		SAY("unlock in the child", set(fd, F_UNLCK, 0, 4));
		leave();
	}
	join();
	map("after the child");
	SAY("unlock all", set(fd, F_UNLCK, 0, 0));
}

/* Of an open file, whoever holds it. */
static void
open_files(int fd)
{
	int other = open(PATH, O_RDWR), copy = dup(fd);
	struct flock lock = { .l_type = F_WRLCK, .l_start = 2, .l_len = 4,
		.l_pid = 1 };

	SAY("with a pid", fcntl(fd, F_OFD_SETLK, &lock));
	SAY("open file 2..5", ask(fd, F_OFD_SETLK, F_WRLCK, 2, 4));
	SAY("process 4", set(fd, F_WRLCK, 4, 1));
	SAY("another open file 4", ask(other, F_OFD_SETLK, F_RDLCK, 4, 1));
	SAY("its copy 4", ask(copy, F_OFD_SETLK, F_RDLCK, 4, 1));
	map("of the open file");
	lock = (struct flock){ .l_type = F_WRLCK, .l_start = 0 };
	SAY("ask", fcntl(other, F_OFD_GETLK, &lock));
	printf("met type %d start %ld length %ld pid %d\n", lock.l_type,
	    (long)lock.l_start, (long)lock.l_len, lock.l_pid);
	close(copy);
	close(other);
	map("copy and other closed");
	if (child()) {
		SAY("in the child too", ask(fd, F_OFD_SETLK, F_WRLCK, 8, 2));
		leave();
	}
	join();
	map("with the child's");
	SAY("unlock all", ask(fd, F_OFD_SETLK, F_UNLCK, 0, 0));
	fd = open(PATH, O_RDWR);
	SAY("again", ask(fd, F_OFD_SETLK, F_WRLCK, 0, 1));
	close(fd);
	map("closed");
}

static void
whole_files(int fd)
{
	int other = open(PATH, O_RDWR), copy = dup(fd);

	SAY("shared", flock(fd, LOCK_SH));
	SAY("shared too", flock(other, LOCK_SH | LOCK_NB));
	SAY("not alone", flock(fd, LOCK_EX | LOCK_NB));
	SAY("unlock", flock(other, LOCK_UN));
	SAY("alone", flock(fd, LOCK_EX | LOCK_NB));
	SAY("not with it", flock(other, LOCK_SH | LOCK_NB));
	SAY("records are apart", set(other, F_WRLCK, 0, 0));
	SAY("the copy is the same", flock(copy, LOCK_SH | LOCK_NB));
	SAY("shared again", flock(other, LOCK_SH | LOCK_NB));
	SAY("unlock", flock(other, LOCK_UN));
	SAY("alone", flock(fd, LOCK_EX));
	close(copy);
	SAY("a copy is left", flock(other, LOCK_SH | LOCK_NB));
	if (child()) {
		SAY("the child unlocks", flock(fd, LOCK_UN));
		leave();
	}
	join();
	SAY("free", flock(other, LOCK_EX | LOCK_NB));
	close(other);
	SAY("closed", flock(fd, LOCK_EX | LOCK_NB));
	SAY("unlock", flock(fd, LOCK_UN));
	SAY("twice", flock(fd, LOCK_UN));
}

static void
count_alarm(int number)
{
	(void)number;
	alarms++;
}

static void
handle(int flags)
{
	struct sigaction action = { .sa_handler = count_alarm,
		.sa_flags = flags };

	sigaction(SIGALRM, &action, NULL);
}

/* Holds bytes 0 to 9 until told, in a child. */
static pid_t holder;
static int tell;

static void
hold(int whole)
{
	int up[2], down[2];
	char byte;

	fflush(stdout);
	if (pipe(up) != 0 || pipe(down) != 0)
		_exit(1);
	holder = fork();
	if (holder == 0) {
		int fd = open(PATH, O_RDWR);

		close(down[1]);
		close(up[0]);
		if ((whole ? flock(fd, LOCK_EX) : set(fd, F_WRLCK, 0, 10)) != 0)
			_exit(2);
		if (write(up[1], "x", 1) != 1)
			_exit(3);
		if (read(down[0], &byte, 1) == 1)
			usleep(60000);
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	if (read(up[0], &byte, 1) != 1)
		printf("the holder failed\n");
	close(up[0]);
	tell = down[1];
}

static void
let_go(void)
{
	if (write(tell, "x", 1) != 1)
		printf("no holder\n");
	close(tell);
}

/* Again and again: the first signal may come before the call waits. */
static pid_t alarmer;

static void
alarms_begin(void)
{
	pid_t parent = getpid();

	alarms = 0;
	fflush(stdout);
	alarmer = fork();
	if (alarmer != 0)
		return;
	for (;;) {
		usleep(20000);
		kill(parent, SIGALRM);
	}
}

static void
alarms_end(void)
{
	kill(alarmer, SIGKILL);
	while (waitpid(alarmer, NULL, 0) < 0 && errno == EINTR)
		;
	CHECK(alarms > 0);
}

static void
waiting(int fd)
{
	hold(0);
	SAY("held", set(fd, F_WRLCK, 5, 1));
	let_go();
	SAY("waited for", ask(fd, F_SETLKW, F_WRLCK, 5, 1));
	join();
	SAY("unlock", set(fd, F_UNLCK, 0, 0));

	hold(1);
	SAY("held", flock(fd, LOCK_SH | LOCK_NB));
	let_go();
	SAY("waited for", flock(fd, LOCK_SH));
	join();
	SAY("unlock", flock(fd, LOCK_UN));

	handle(0);
	hold(0);
	alarms_begin();
	SAY("interrupted", ask(fd, F_SETLKW, F_RDLCK, 5, 1));
	SAY("interrupted", ask(fd, F_OFD_SETLKW, F_RDLCK, 5, 1));
	alarms_end();
	handle(SA_RESTART);
	alarms_begin();
	let_go();
	SAY("waited on", ask(fd, F_SETLKW, F_RDLCK, 5, 1));
	alarms_end();
	join();
	SAY("unlock", set(fd, F_UNLCK, 0, 0));
	handle(0);
	hold(1);
	alarms_begin();
	SAY("interrupted", flock(fd, LOCK_EX));
	alarms_end();
	let_go();
	join();

	hold(0);
	kill(holder, SIGKILL);
	SAY("killed", ask(fd, F_SETLKW, F_WRLCK, 0, 0));
	waitpid(holder, NULL, 0);
	close(tell);
	SAY("unlock", set(fd, F_UNLCK, 0, 0));
}

/* A holder that was waited for holds nothing more. */
static void
dead_holders(int fd)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < 60; i++) {
		hold(i % 2);
		kill(holder, SIGKILL);
		waitpid(holder, NULL, 0);
		close(tell);
		wrong += set(fd, F_WRLCK, 0, 0) != 0;
		wrong += flock(fd, LOCK_EX | LOCK_NB) != 0;
		set(fd, F_UNLCK, 0, 0);
		flock(fd, LOCK_UN);
	}
	SAY("locks of the dead", wrong);
}

static void
deadlocks(int fd)
{
	int ready[2];
	char byte;

	if (pipe(ready) != 0)
		return;
	SAY("0 is mine", set(fd, F_WRLCK, 0, 1));
	if (child()) {
		if (set(fd, F_WRLCK, 1, 1) != 0)
			_exit(1);
		if (write(ready[1], "x", 1) != 1)
			_exit(2);
		/* Either of the two is told; who got both goes on. */
		ask(fd, F_SETLKW, F_WRLCK, 0, 1);
		leave();
	}
	if (read(ready[0], &byte, 1) != 1)
		printf("no child\n");
	usleep(30000);
	SAY("1 for ever", ask(fd, F_SETLKW, F_WRLCK, 1, 1));
	SAY("unlock", set(fd, F_UNLCK, 0, 0));
	join();
	SAY("1 now", ask(fd, F_SETLKW, F_WRLCK, 1, 1));
	SAY("unlock", set(fd, F_UNLCK, 0, 0));
	close(ready[0]), close(ready[1]);
}

static void
kept_by_exec(const char *self, int fd)
{
	SAY("write 2..3", set(fd, F_WRLCK, 2, 2));
	if (child()) {
		set(fd, F_WRLCK, 8, 2);
		execl("/proc/self/exe", self, "map", (char *)NULL);
		_exit(1);
	}
	join();
	SAY("unlock", set(fd, F_UNLCK, 0, 0));
}

/* Many add to one number; only the lock keeps them apart. */
static void
counting(int kind)
{
	char text[32] = { 0 };
	int fd = open("number", O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (write(fd, "0", 1) != 1)
		return;
	for (unsigned i = 0; i < 6; i++) {
		if (!child())
			continue;
		fd = open("number", O_RDWR);
		for (unsigned n = 0; n < 40; n++) {
			kind == 0 ? ask(fd, F_SETLKW, F_WRLCK, 0, 0) :
			    kind == 1 ? ask(fd, F_OFD_SETLKW, F_WRLCK, 0, 0) :
			    flock(fd, LOCK_EX);
			memset(text, 0, sizeof(text));
			pread(fd, text, sizeof(text) - 1, 0);
			sprintf(text, "%d", atoi(text) + 1);
			pwrite(fd, text, strlen(text), 0);
			kind == 0 ? ask(fd, F_SETLK, F_UNLCK, 0, 0) :
			    kind == 1 ? ask(fd, F_OFD_SETLK, F_UNLCK, 0, 0) :
			    flock(fd, LOCK_UN);
		}
		leave();
	}
	for (unsigned i = 0; i < 6; i++)
		join();
	memset(text, 0, sizeof(text));
	pread(fd, text, sizeof(text) - 1, 0);
	printf("counted %s\n", text);
	close(fd);
}

int
main(int count, char **arguments)
{
	char folder[] = "/tmp/locksXXXXXX";
	int fd;

	if (count > 1 && strcmp(arguments[1], "map") == 0) {
		map("after exec");
		return 0;
	}
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		return 1;
	fd = open(PATH, O_RDWR | O_CREAT, 0600);
	if (ftruncate(fd, 20) != 0)
		return 1;
	ranges(fd);
	counted_from(fd);
	rights();
	closing(fd);
	open_files(fd);
	whole_files(fd);
	waiting(fd);
	dead_holders(fd);
	deadlocks(fd);
	kept_by_exec(arguments[0], fd);
	for (int kind = 0; kind < 3; kind++)
		counting(kind);
	if (unlink(PATH) != 0 || unlink("other") != 0 ||
	    unlink("number") != 0 || rmdir(folder) != 0)
		printf("left behind\n");
	return 0;
}
