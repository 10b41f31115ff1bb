/* SPDX-License-Identifier: MIT */
/* The services of life_test.c. */
#include "role_host.h"

#include "harness_host.h"
#include "place.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void
note(const char *word, const char *name)
{
	char path[128], line[64];

	snprintf(path, sizeof(path), "%s/notes", getenv("FOLDER"));
	snprintf(line, sizeof(line), "%s %s\n", word, name);
	harness_append(path, line);
}

static void
write_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", getenv("FOLDER"), name);
	harness_append(path, text);
}

/* Before it says that it is ready: it may be stopped at once. */
static void
expect_term(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigprocmask(SIG_BLOCK, set, NULL);
}

static void
wait_for_term(void)
{
	sigset_t set;
	int number;

	expect_term(&set);
	sigwait(&set, &number);
}

/* Ready after a while; says when it starts, is ready and stops. */
_Noreturn static void
stay(void)
{
	for (;;)
		pause();
}

static int
role_order(const char *name, const char *ms)
{
	sigset_t set;

	expect_term(&set);
	note("start", name);
	harness_pause_ms((unsigned)atoi(ms));
	note("ready", name);
	(void)bennu_place_say("READY=1\nSTATUS=serves");
	wait_for_term();
	harness_pause_ms(20);
	note("stop", name);
	return 0;
}

static int
role_exit(const char *code)
{
	return atoi(code);
}

/* Takes the same memory for a while, then more and more. */
_Noreturn static void
role_leak(void)
{
	(void)bennu_place_say("READY=1");
	for (unsigned i = 0;; i++) {
		size_t size = i < 220 ? 0 : (size_t)(i - 219) << 17;
		void *memory = size == 0 ? MAP_FAILED : mmap(NULL, size,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

		(void)memory;
		harness_pause_ms(100);
	}
}

/* Answers for a while, then neither beats nor dies. */
_Noreturn static void
role_hang(void)
{
	(void)bennu_place_say("READY=1");
	for (int i = 0; i < 4; i++) {
		harness_pause_ms(50);
		(void)bennu_place_say("WATCHDOG=1");
	}
	stay();
}

_Noreturn static void
role_beat(void)
{
	(void)bennu_place_say("READY=1");
	for (;;) {
		(void)bennu_place_say("WATCHDOG=1");
		harness_pause_ms(50);
	}
}

/* What an earlier one has stored comes back; the first stores it. */
static int
role_keep(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char text[64] = "";
	int file;

	if (names == NULL) {
		file = memfd_create("kept", MFD_CLOEXEC);
		(void)!write(file, "from the first", 14);
		(void)bennu_place_keep(file, "note");
		(void)bennu_place_say("READY=1");
		stay();
	}
	(void)!pread(3, text, sizeof(text) - 1, 0);
	write_file("names", names);
	write_file("kept", text);
	(void)bennu_place_forget("note");
	(void)bennu_place_say("READY=1");
	wait_for_term();
	return 0;
}

struct counts {
	uint64_t starts;
};

/* Counts its incarnations in the arena, and says so. */
static int
role_arena(void)
{
	static const struct bennu_place_operations none = { 0 };
	struct bennu_place place;
	struct arena *arena;
	struct counts *counts;
	char text[64];

	if (bennu_place_open(&place, &none) != OK ||
	    bennu_place_arena(&place, 1, &arena) != OK)
		return 1;
	counts = arena_root(arena);
	tx_begin(arena);
	if (counts == NULL) {
		counts = arena_alloc(arena, sizeof(*counts));
		(void)arena_set_root(arena, counts);
	}
	(void)TX_SET(arena, counts->starts, counts->starts + 1);
	tx_commit(arena);
	snprintf(text, sizeof(text), "STATUS=%llu of %llu cold %llu\nREADY=1",
	    (unsigned long long)counts->starts,
	    (unsigned long long)place.incarnation,
	    (unsigned long long)place.cold);
	(void)bennu_place_say(text);
	/* Another start would not be what dies now. */
	stay();
}

/* The same request kills it each time, unless it is told to refuse it. */
static int
role_poison(void)
{
	static const struct bennu_place_operations none = { 0 };
	struct bennu_place place;

	if (bennu_place_open(&place, &none) != OK)
		return 1;
	(void)bennu_place_ready(&place);
	if (bennu_place_begin(&place, 77, 1))
		abort();
	bennu_place_end(&place, true);
	(void)bennu_place_say("STATUS=refused");
	stay();
}

/* Leaves a grandchild that nobody waits for, in a session of its own. */
static int
role_orphan(void)
{
	if (fork() == 0) {
		(void)setsid();
		if (fork() == 0) {
			harness_pause_ms(100);
			_exit(0);
		}
		_exit(0);
	}
	(void)bennu_place_say("READY=1");
	wait_for_term();
	return 0;
}

/* Says that another process is the main one, and lets a child speak for it. */
static int
role_liar(void)
{
	(void)bennu_place_say("MAINPID=1");
	if (fork() == 0) {
		(void)bennu_place_say("READY=1");
		_exit(0);
	}
	wait(NULL);
	write_file("lied", "yes");
	stay();
}

/* Greets who connects to the socket that it was given. */
static int
role_greet(void)
{
	(void)bennu_place_say("READY=1");
	for (;;) {
		int fd = accept(3, NULL, NULL);

		if (fd < 0 || write(fd, "hello", 5) != 5)
			return 1;
		close(fd);
	}
}

/* Stores a descriptor and dies before anybody can have looked. */
static int
role_last_words(void)
{
	int file = memfd_create("last", MFD_CLOEXEC);

	if (getenv("LISTEN_FDS") == NULL) {
		(void)bennu_place_keep(file, "last");
		(void)raise(SIGKILL);
	}
	(void)bennu_place_say("READY=1\nSTATUS=has them");
	stay();
}

int
role_run(char **word)
{
	if (strcmp(word[0], "leak") == 0)
		role_leak();
	if (strcmp(word[0], "greet") == 0)
		return role_greet();
	if (strcmp(word[0], "last-words") == 0)
		return role_last_words();
	if (strcmp(word[0], "order") == 0)
		return role_order(word[1], word[2]);
	if (strcmp(word[0], "exit") == 0)
		return role_exit(word[1]);
	if (strcmp(word[0], "hang") == 0)
		role_hang();
	if (strcmp(word[0], "beat") == 0)
		role_beat();
	if (strcmp(word[0], "keep") == 0)
		return role_keep();
	if (strcmp(word[0], "arena") == 0)
		return role_arena();
	if (strcmp(word[0], "poison") == 0)
		return role_poison();
	if (strcmp(word[0], "orphan") == 0)
		return role_orphan();
	if (strcmp(word[0], "liar") == 0)
		return role_liar();
	return 127;
}
