/* SPDX-License-Identifier: MIT */
/*
 * Pseudo-terminals: pairs, sizes, modes, hang-up, and a shell on a slave whose
 * output is told here, as script(1) does it.
 */
#define _GNU_SOURCE
#include "say.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

static char buffer[65536];

/* Control characters are told, so that the output is text. */
static void
show(const char *what, const char *from, long count)
{
	printf("%s %ld:", what, count);
	for (long i = 0; i < count; i++) {
		if (from[i] >= 32 && from[i] < 127)
			putchar(from[i]);
		else
			printf("\\%02x", (unsigned char)from[i]);
	}
	putchar('\n');
}

static void
take(const char *what, int fd)
{
	long count = read(fd, buffer, sizeof(buffer));

	if (count < 0)
		SAY(what, count);
	else
		show(what, buffer, count);
}

/* A host's terminal works behind the back: until its echo is there. */
static void
wait_for_echo(int master)
{
	struct pollfd p = { .fd = master, .events = POLLIN };

	poll(&p, 1, 1000);
}

static int
pair(int *out_slave)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY);

	CHECK(master >= 0);
	SAY("open locked", open(ptsname(master), O_RDWR | O_NOCTTY));
	SAY("grantpt", grantpt(master));
	SAY("unlockpt", unlockpt(master));
	*out_slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(*out_slave >= 0);
	return master;
}

static void
names(int master, int slave)
{
	struct stat own, node;

	CHECK(isatty(slave) && isatty(master));
	CHECK(strcmp(ttyname(slave), ptsname(master)) == 0);
	SAY("fstat", fstat(slave, &own));
	SAY("stat", stat(ttyname(slave), &node));
	CHECK(own.st_ino == node.st_ino && own.st_dev == node.st_dev);
	CHECK(own.st_rdev == node.st_rdev && S_ISCHR(own.st_mode));
	SAY("lseek", lseek(slave, 0, SEEK_SET));
	SAY("no session", tcgetsid(slave));
	SAY("no group", tcgetpgrp(slave));
}

static void
lines(int master, int slave)
{
	struct pollfd p = { .fd = slave, .events = POLLIN };
	int count;

	SAY("nothing yet", poll(&p, 1, 0));
	write(master, "ab\177c\n", 5);
	SAY("a line", poll(&p, 1, 1000));
	ioctl(slave, FIONREAD, &count);
	SAY("FIONREAD", count);
	take("line", slave);
	take("echo", master);
	write(master, "end\004", 4);
	take("without newline", slave);
	write(master, "\004", 1);
	take("end of file", slave);
	take("echo", master);
	SAY("write", write(slave, "one\ntwo\n", 8));
	take("output", master);
	fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
	SAY("would wait", read(slave, buffer, 1));
	write(master, "part", 4);
	wait_for_echo(master);
	SAY("no line yet", read(slave, buffer, 1));
	SAY("flush", tcflush(slave, TCIFLUSH));
	fcntl(slave, F_SETFL, O_RDWR);
	take("echo", master);
}

static void
raw(int master, int slave)
{
	struct termios modes, old;

	SAY("tcgetattr", tcgetattr(slave, &old));
	printf("modes %x %x %x %x %d\n", old.c_iflag, old.c_oflag,
	    old.c_cflag, old.c_lflag, old.c_cc[VMIN]);
	modes = old;
	cfmakeraw(&modes);
	SAY("tcsetattr", tcsetattr(slave, TCSADRAIN, &modes));
	write(master, "a\003\r\n\004", 5);
	take("raw", slave);
	write(slave, "x\n", 2);
	take("raw output", master);
	modes.c_cc[VMIN] = 0;
	modes.c_cc[VTIME] = 1;
	SAY("tcsetattr", tcsetattr(slave, TCSANOW, &modes));
	SAY("time is up", read(slave, buffer, 1));
	SAY("tcsetattr", tcsetattr(slave, TCSAFLUSH, &old));
	SAY("tcdrain", tcdrain(slave));
}

static void
sizes(int master, int slave)
{
	struct winsize size = { .ws_row = 7, .ws_col = 31 };

	SAY("TIOCSWINSZ", ioctl(master, TIOCSWINSZ, &size));
	memset(&size, 0, sizeof(size));
	SAY("TIOCGWINSZ", ioctl(slave, TIOCGWINSZ, &size));
	printf("size %d %d\n", size.ws_row, size.ws_col);
}

static void
closing(int master, int slave)
{
	close(slave);
	SAY("no slave", read(master, buffer, 1));
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	CHECK(slave >= 0);
	close(master);
	SAY("no master", read(slave, buffer, 1));
	SAY("write", write(slave, "x", 1));
	close(slave);
}

static _Noreturn void
shell(int slave, const char *command)
{
	setsid();
	SAY("TIOCSCTTY", ioctl(slave, TIOCSCTTY, 0));
	fflush(stdout);
	for (int i = 0; i < 3; i++)
		dup2(slave, i);
	if (slave > 2)
		close(slave);
	execl("/bin/busybox", "sh", "-c", command, NULL);
	_exit(127);
}

/* What a command does on a terminal of its own, with keys typed to it. */
static void
session(const char *command, const char *keys)
{
	int slave, master = pair(&slave), status;
	long filled = 0, step;

	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		close(master);
		shell(slave, command);
	}
	close(slave);
	while ((step = read(master, buffer + filled,
	    sizeof(buffer) - (size_t)filled)) > 0) {
		filled += step;
		if (keys != NULL && memmem(buffer, (size_t)filled, "ready",
		    5) != NULL) {
			write(master, keys, strlen(keys));
			keys = NULL;
		}
	}
	show("session", buffer, filled);
	waitpid(child, &status, 0);
	printf("status %x\n", status);
	close(master);
}

/* Whether ls /dev/pts shows it. */
static bool
listed(const char *path)
{
	DIR *folder = opendir("/dev/pts");
	struct dirent *entry;
	bool found = false;

	while (folder != NULL && (entry = readdir(folder)) != NULL)
		found |= strcmp(entry->d_name, strrchr(path, '/') + 1) == 0;
	closedir(folder);
	return found;
}

static bool
goes(const char *path)
{
	for (int i = 0; i < 2000 && listed(path); i++)
		usleep(1000);
	return !listed(path);
}

static void
nodes(void)
{
	char name[2][64];
	int slave[2], master[2];

	for (int i = 0; i < 2; i++) {
		master[i] = pair(&slave[i]);
		strcpy(name[i], ptsname(master[i]));
	}
	CHECK(listed(name[0]) && listed(name[1]));
	close(master[1]);
	CHECK(goes(name[1]));
	SAY("of a node that went", open(name[1], O_RDWR | O_NOCTTY));
	CHECK(listed(name[0]));
	close(slave[1]);
	close(slave[0]);
	close(master[0]);
	CHECK(goes(name[0]));
}

int
main(void)
{
	int slave, master = pair(&slave);

	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	names(master, slave);
	lines(master, slave);
	raw(master, slave);
	sizes(master, slave);
	closing(master, slave);
	nodes();
	session("tty >/dev/null && echo on a terminal; stty size", NULL);
	session("trap 'echo caught; exit 3' INT; echo ready; read x; read x",
	    "\003");
	session("echo ready; read a; echo got $a; read b || echo end",
	    "one\n\004");
	session("echo ready >/dev/tty; read a </dev/tty; echo got $a", "x\n");
	return 0;
}
