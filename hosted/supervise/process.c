/* SPDX-License-Identifier: MIT */
/*
 * Between clone and exec the child has a copy of a process that may have been
 * in the middle of anything: it makes system calls and changes its own copy of
 * what the parent prepared, no more.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_DESCRIPTOR	3
#define NUMBER_ROOM		24
#define EXIT_NO_PROGRAM		127

/* The environment of the child; strings that `text` owns come last. */
struct words {
	char	**word;
	unsigned count;
	char	*names;			/* LISTEN_FDNAMES=... */
	char	*notify;
	char	 fds[NUMBER_ROOM + 16];
	char	 watchdog[NUMBER_ROOM + 16];
	char	 listen_pid[NUMBER_ROOM + 16];
	char	 watchdog_pid[NUMBER_ROOM + 16];
};

bool
identity_find(const char *user, struct identity *out_identity)
{
	struct passwd *entry;

	memset(out_identity, 0, sizeof(*out_identity));
	if (user == NULL)
		return true;
	entry = getpwnam(user);
	if (entry == NULL)
		return false;
	out_identity->change = true;
	out_identity->user = entry->pw_uid;
	out_identity->group = entry->pw_gid;
	out_identity->group_count = IDENTITY_GROUPS_MAX;
	return getgrouplist(user, entry->pw_gid, out_identity->groups,
	    &out_identity->group_count) >= 0;
}

int
process_signal(int pidfd, int number)
{
	return syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0) == 0 ?
	    0 : errno;
}

/* What a supervisor above said to this one is not for its children. */
static bool
is_passed_on(const char *word)
{
	static const char *const own[] = {
		"LISTEN_", "NOTIFY_SOCKET=", "WATCHDOG_",
	};

	for (unsigned i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strncmp(word, own[i], strlen(own[i])) == 0)
			return false;
	return true;
}

static bool
is_replaced(const struct launch *launch, const char *word)
{
	size_t length = strcspn(word, "=") + 1;

	for (unsigned i = 0; i < launch->environment_count; i++)
		if (strncmp(word, launch->environment[i], length) == 0)
			return true;
	return false;
}

static char *
join_names(const struct launch *launch)
{
	size_t length = sizeof("LISTEN_FDNAMES=");
	char *text, *at;

	for (unsigned i = 0; i < launch->descriptor_count; i++)
		length += strlen(launch->descriptor_name[i]) + 1;
	text = malloc(length);
	if (text == NULL)
		return NULL;
	at = stpcpy(text, "LISTEN_FDNAMES=");
	for (unsigned i = 0; i < launch->descriptor_count; i++) {
		if (i > 0)
			*at++ = ':';
		at = stpcpy(at, launch->descriptor_name[i]);
	}
	return text;
}

static void
words_free(struct words *words)
{
	free(words->word);
	free(words->names);
	free(words->notify);
}

static void
words_add_own(struct words *words, const struct launch *launch)
{
	if (launch->descriptor_count > 0) {
		snprintf(words->fds, sizeof(words->fds), "LISTEN_FDS=%u",
		    launch->descriptor_count);
		words->word[words->count++] = words->fds;
		words->word[words->count++] = words->names;
		words->word[words->count++] = words->listen_pid;
	}
	if (words->notify != NULL)
		words->word[words->count++] = words->notify;
	if (launch->watchdog_us != 0) {
		snprintf(words->watchdog, sizeof(words->watchdog),
		    "WATCHDOG_USEC=%llu",
		    (unsigned long long)launch->watchdog_us);
		words->word[words->count++] = words->watchdog;
		words->word[words->count++] = words->watchdog_pid;
	}
	words->word[words->count] = NULL;
}

static bool
words_make(struct words *words, const struct launch *launch)
{
	unsigned inherited = 0;

	memset(words, 0, sizeof(*words));
	while (environ[inherited] != NULL)
		inherited++;
	words->word = calloc(inherited + launch->environment_count + 8,
	    sizeof(*words->word));
	words->names = join_names(launch);
	if (words->word == NULL || words->names == NULL)
		return false;
	if (launch->notify_socket != NULL && asprintf(&words->notify,
	    "NOTIFY_SOCKET=%s", launch->notify_socket) < 0) {
		words->notify = NULL;
		return false;
	}
	for (unsigned i = 0; i < inherited; i++)
		if (is_passed_on(environ[i]) && !is_replaced(launch, environ[i]))
			words->word[words->count++] = environ[i];
	/* execve takes them as char *, and changes none. */
	for (unsigned i = 0; i < launch->environment_count; i++)
		words->word[words->count++] =
		    (char *)(uintptr_t)launch->environment[i];
	words_add_own(words, launch);
	return true;
}

/* In the child: no stdio. */
static void
put_number(char *to, const char *name, unsigned long number)
{
	char digits[NUMBER_ROOM];
	unsigned count = 0;

	to = stpcpy(to, name);
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	while (count > 0)
		*to++ = digits[--count];
	*to = '\0';
}

_Noreturn static void
child_fail(const char *what)
{
	const char *why = strerrordesc_np(errno);

	(void)!write(2, what, strlen(what));
	(void)!write(2, ": ", 2);
	if (why != NULL)
		(void)!write(2, why, strlen(why));
	(void)!write(2, "\n", 1);
	_exit(EXIT_NO_PROGRAM);
}

/*
 * All descriptors are close-on-exec. First each gets a number beyond those
 * that are wanted, so that no step overwrites one that is still needed.
 */
static void
child_place_descriptors(const struct launch *launch)
{
	int count = (int)launch->descriptor_count;
	int beyond = FIRST_DESCRIPTOR + count;
	static int moved[PROCESS_DESCRIPTORS_MAX + 1];

	if (launch->ready >= 0 && launch->ready_as >= beyond)
		beyond = launch->ready_as + 1;
	for (int i = 0; i < count; i++) {
		moved[i] = fcntl(launch->descriptor[i], F_DUPFD_CLOEXEC,
		    beyond);
		if (moved[i] < 0)
			child_fail("descriptors");
	}
	moved[count] = launch->ready < 0 ? -1 :
	    fcntl(launch->ready, F_DUPFD_CLOEXEC, beyond);
	for (int i = 0; i < count; i++)
		if (dup2(moved[i], FIRST_DESCRIPTOR + i) < 0)
			child_fail("descriptors");
	if (launch->ready >= 0 && dup2(moved[count], launch->ready_as) < 0)
		child_fail("descriptors");
}

static void
child_place_streams(const struct launch *launch)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (launch->output >= 0 &&
	    (dup2(launch->output, 1) < 0 || dup2(launch->output, 2) < 0))
		_exit(EXIT_NO_PROGRAM);
	if (null >= 0)
		(void)dup2(null, 0);
}

static void
child_become(const struct identity *identity)
{
	if (!identity->change)
		return;
	if (setgroups((size_t)identity->group_count, identity->groups) != 0 ||
	    setgid(identity->group) != 0 || setuid(identity->user) != 0)
		child_fail("user");
	if (identity->user != 0 && setuid(0) == 0)
		_exit(EXIT_NO_PROGRAM);
}

_Noreturn static void
child_run(const struct launch *launch, struct words *words)
{
	sigset_t none;

	(void)setsid();
	child_place_streams(launch);
	child_place_descriptors(launch);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(launch->directory == NULL ? "/" : launch->directory) != 0)
		child_fail(launch->directory);
	child_become(launch->identity);
	put_number(words->listen_pid, "LISTEN_PID=", (unsigned long)getpid());
	put_number(words->watchdog_pid, "WATCHDOG_PID=",
	    (unsigned long)getpid());
	execve(launch->command[0], launch->command, words->word);
	child_fail(launch->command[0]);
}

int
process_launch(const struct launch *launch, pid_t *out_pid, int *out_pidfd)
{
	struct words words;
	int pidfd = -1, error = ENOMEM;
	struct clone_args arguments = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
	};
	long pid;

	if (launch->descriptor_count > PROCESS_DESCRIPTORS_MAX)
		return EMFILE;
	if (words_make(&words, launch)) {
		pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
		if (pid == 0)
			child_run(launch, &words);
		error = pid < 0 ? errno : 0;
		*out_pid = (pid_t)pid;
		*out_pidfd = pidfd;
	}
	words_free(&words);
	return error;
}
