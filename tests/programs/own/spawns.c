/* SPDX-License-Identifier: MIT */
/*
 * spawn: what the child finds, and that a failure leaves nothing behind. The
 * program runs itself: with an argument it is the child.
 */
#include "tell.h"

#define HIGH_SIGNAL	40
#define MANY_BYTES	(140ul << 20)	/* more than half of the machine */

static char path[] = "/proc/self/exe";
static const char *self = path;

/* A signal that ssetmask does not know stays blocked. */
static int
high_signals(void)
{
	sigset_t set = 0;

	ssetmask(0);
	kill(getpid(), HIGH_SIGNAL);
	sigpending(&set);
	return set == 1ul << (HIGH_SIGNAL - 1) ? 12 : 13;
}

static int
as_child(char **argv)
{
	char where[64];
	struct stat st;

	if (same_text(argv[1], "arguments")) {
		print("child: ");
		print(argv[2]);
		print(" ");
		print(environ[0] != NULL ? environ[0] : "nothing");
		print("\n");
	}
	if (same_text(argv[1], "mask"))
		return sgetmask() == 1 << (SIGUSR1 - 1) ? 1 : 0;
	if (same_text(argv[1], "ignored"))
		return signal(SIGUSR1, SIG_DFL) == SIG_IGN ? 2 : 3;
	if (same_text(argv[1], "leads"))
		return getpgrp() == getpid() ? 4 : 5;
	if (same_text(argv[1], "nice"))
		return getpriority(PRIO_PROCESS, 0);
	if (same_text(argv[1], "input"))
		return (int)read(0, where, sizeof(where));
	if (same_text(argv[1], "open"))
		return fstat(9, &st) == 0 ? 6 : 7;
	if (same_text(argv[1], "here"))
		return stat("own-spawn-mark", &st) == 0 ? 8 : 9;
	if (same_text(argv[1], "high"))
		return high_signals();
	if (same_text(argv[1], "number"))
		return getppid() > 0 ? 10 : 11;
	return 0;
}

static int
ends_with(pid_t pid)
{
	int status = -1;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static pid_t
child(const char *what, const struct spawn *how)
{
	char *argv[] = { "own-spawns", (char *)what, "and more", NULL };
	char *envp[] = { "NAME=value", NULL };

	return spawn(self, how, argv, envp);
}

static int
child_with(const char *what, const struct spawn_action *actions,
    unsigned count)
{
	const struct spawn how = { .count = count, .actions = actions };

	return ends_with(child(what, &how));
}

static void
attributes(void)
{
	struct spawn how = { .flags = SPAWN_MASK, .mask = 1 << (SIGUSR1 - 1) };

	TELL("no attributes", ends_with(child("arguments", NULL)));
	TELL("mask", ends_with(child("mask", &how)));
	how.mask = 1ul << (HIGH_SIGNAL - 1);
	TELL("high signals", ends_with(child("high", &how)));
	TELL("no mask", ends_with(child("mask", NULL)));
	signal(SIGUSR1, SIG_IGN);
	TELL("ignored", ends_with(child("ignored", NULL)));
	how = (struct spawn){ .flags = SPAWN_DEFAULTS, .defaults = ~0ul };
	TELL("ignored no more", ends_with(child("ignored", &how)));
	signal(SIGUSR1, SIG_DFL);
	how = (struct spawn){ .flags = SPAWN_GROUP };
	TELL("a group of its own", ends_with(child("leads", &how)));
	how = (struct spawn){ .flags = SPAWN_SESSION };
	TELL("a session of its own", ends_with(child("leads", &how)));
	TELL("the parent's group", ends_with(child("leads", NULL)));
	how = (struct spawn){ .flags = SPAWN_NICE, .nice = 5 };
	TELL("nice", ends_with(child("nice", &how)));
}

static void
actions(void)
{
	const struct spawn_action from_file[] = {
		{ .kind = SPAWN_OPEN, .fd = 0, .path = "own-spawn-mark" },
	}, from_other[] = {
		{ .kind = SPAWN_OPEN, .fd = 7, .path = "own-spawn-mark" },
		{ .kind = SPAWN_DUP, .from = 7, .fd = 0 },
		{ .kind = SPAWN_CLOSE, .fd = 7 },
	}, keep[] = {
		{ .kind = SPAWN_DUP, .from = 9, .fd = 9 },
	}, elsewhere[] = {
		{ .kind = SPAWN_CHDIR, .path = "/bin" },
	};
	int fd = creat("own-spawn-mark", 0644);

	write(fd, "12345", 5);
	dup2(fd, 9);
	fcntl(9, F_SETFD, FD_CLOEXEC);
	TELL("input from a file", child_with("input", from_file, 1));
	TELL("input by three steps", child_with("input", from_other, 3));
	TELL("closed at the start", child_with("open", NULL, 0));
	TELL("kept open", child_with("open", keep, 1));
	TELL("the same folder", child_with("here", NULL, 0));
	TELL("another folder", child_with("here", elsewhere, 1));
	close(9);
	close(fd);
}

static void
pipes(void)
{
	char buffer[8];
	int ends[2];
	const struct spawn_action from_pipe[] = {
		{ .kind = SPAWN_DUP, .from = 12, .fd = 0 },
	};

	pipe(ends);
	dup2(ends[0], 12);
	write(ends[1], "abc", 3);
	TELL("input from a pipe", child_with("input", from_pipe, 1));
	write(ends[1], "d", 1);
	TELL("the pipe is still here", read(12, buffer, sizeof(buffer)));
	close(12);
	close(ends[0]);
	close(ends[1]);
}

static void
fails(const char *name, const struct spawn_action *action)
{
	const struct spawn how = { .count = 1, .actions = action };

	TELL(name, child("arguments", &how));
}

static void
errors(void)
{
	struct spawn how = { .flags = 0x100 };
	char *argv[] = { "x", NULL };

	TELL("no such program", spawn("/nothing", NULL, argv, environ));
	TELL("no program", spawn("/etc/passwd", NULL, argv, environ));
	TELL("a folder", spawn("/", NULL, argv, environ));
	TELL("a path from nowhere", spawn(nowhere(), NULL, argv, environ));
	TELL("arguments from nowhere", spawn(self, NULL, nowhere(), environ));
	TELL("wrong flags", child("arguments", &how));
	how = (struct spawn){ .count = 257 };
	TELL("too many actions", child("arguments", &how));
	fails("a wrong action", &(struct spawn_action){ .kind = 9 });
	fails("nothing to open", &(struct spawn_action){ .kind = SPAWN_OPEN,
	    .path = "/nothing/there" });
	fails("nothing to close", &(struct spawn_action){
	    .kind = SPAWN_CLOSE, .fd = 99 });
	fails("nothing to copy", &(struct spawn_action){ .kind = SPAWN_DUP,
	    .from = 99, .fd = 3 });
	fails("no such folder", &(struct spawn_action){ .kind = SPAWN_CHDIR,
	    .path = "/nothing" });
	how = (struct spawn){ .flags = SPAWN_GROUP, .group = 1 << 30 };
	TELL("no such group", child("arguments", &how));
	TELL("no child is left", waitpid(-1, NULL, 0));
}

/* There would be no memory for a copy of this process. */
static void
a_large_parent(void)
{
	char *much = mmap(NULL, MANY_BYTES, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t at = 0; at < MANY_BYTES; at += 4096)
		much[at] = 1;
	TELL("a large parent", ends_with(child("number", NULL)));
	munmap(much, MANY_BYTES);
}

/* Of Linux too, which has other calls. */
static void
others(void)
{
	char *argv[] = { "sh", "-c", "exit 77", NULL };

	TELL("a program of Linux", ends_with(spawn("/bin/sh", NULL, argv,
	    environ)));
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		return as_child(argv);
	signal(SIGCHLD, SIG_DFL);
	attributes();
	actions();
	pipes();
	errors();
	others();
	a_large_parent();
	TELL("many", ends_with(child("number", NULL)));
	for (int i = 0; i < 20; i++) {
		if (ends_with(child("number", NULL)) != 10)
			print("one of many went wrong\n");
	}
	unlink("own-spawn-mark");
	return 0;
}
