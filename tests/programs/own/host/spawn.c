/* SPDX-License-Identifier: MIT */
/*
 * spawn as fork and exec. A pipe that exec closes brings the error of what
 * failed before; then the child is waited for, so that nothing is left of it.
 */
#include "host.h"

static long
do_action(const struct spawn_action *action)
{
	long fd, got;

	switch (action->kind) {
	case SPAWN_OPEN:
		fd = host_call(BENNU_OPEN, (long)action->path, action->flags,
		    action->mode, 0, 0, 0);
		if (fd < 0 || fd == action->fd)
			return fd < 0 ? fd : 0;
		got = host_call(BENNU_DUP2, fd, action->fd, 0, 0, 0, 0);
		host_call(BENNU_CLOSE, fd, 0, 0, 0, 0, 0);
		return got < 0 ? got : 0;
	case SPAWN_CLOSE:
		return host_call(BENNU_CLOSE, action->fd, 0, 0, 0, 0, 0);
	case SPAWN_DUP:
		got = action->from == action->fd ?
		    host_call(BENNU_FCNTL, action->fd, F_SETFD, 0, 0, 0, 0) :
		    host_call(BENNU_DUP2, action->from, action->fd, 0, 0, 0,
		    0);
		return got < 0 ? got : 0;
	default:
		return host_call(BENNU_CHDIR, (long)action->path, 0, 0, 0, 0,
		    0);
	}
}

static long
set_attributes(const struct spawn *how)
{
	long error = 0;

	if ((how->flags & SPAWN_SESSION) != 0)
		error = host_call(BENNU_SETSID, 0, 0, 0, 0, 0, 0);
	if (error >= 0 && (how->flags & SPAWN_GROUP) != 0)
		error = host_call(BENNU_SETPGID, 0, how->group, 0, 0, 0, 0);
	if (error >= 0 && (how->flags & SPAWN_NICE) != 0)
		error = host_call(BENNU_NICE, how->nice, 0, 0, 0, 0, 0);
	for (int i = 1; i <= 64 && (how->flags & SPAWN_DEFAULTS) != 0; i++) {
		if ((how->defaults >> (i - 1) & 1) != 0)
			host_call(BENNU_SIGNAL, i, (long)SIG_DFL, 0, 0, 0, 0);
	}
	if ((how->flags & SPAWN_MASK) != 0)
		HOST(HOST_SIGPROCMASK, 2, &how->mask, NULL, 8);
	return error < 0 ? error : 0;
}

static long
check(const struct spawn *how)
{
	if ((how->flags & ~0x1fu) != 0)
		return -EINVAL;
	if (how->count > SPAWN_ACTIONS_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < how->count; i++) {
		if (how->actions[i].kind > SPAWN_CHDIR ||
		    how->actions[i].reserved != 0)
			return -EINVAL;
	}
	return 0;
}

static long
run(const char *path, const struct spawn *how, char *const *argv,
    char *const *envp)
{
	long error = set_attributes(how);

	for (uint32_t i = 0; i < how->count && error == 0; i++)
		error = do_action(&how->actions[i]);
	return error != 0 ? error : host_call(BENNU_EXECVE, (long)path,
	    (long)argv, (long)envp, 0, 0, 0);
}

long
host_spawn(const char *path, const struct spawn *how, char *const *argv,
    char *const *envp)
{
	static const struct spawn plain;
	int ends[2];
	long error;

	if (how == NULL)
		how = &plain;
	error = check(how);
	if (error != 0)
		return error;
	HOST(HOST_PIPE2, ends, O_CLOEXEC, 0, 0);
	long pid = HOST(HOST_FORK, 0, 0, 0, 0);
	if (pid == 0) {
		error = run(path, how, argv, envp);
		host_call(BENNU_WRITE, ends[1], (long)&error, sizeof(error),
		    0, 0, 0);
		HOST(HOST_EXIT_GROUP, 127, 0, 0, 0);
	}
	HOST(HOST_CLOSE, ends[1], 0, 0, 0);
	error = 0;
	host_call(BENNU_READ, ends[0], (long)&error, sizeof(error), 0, 0, 0);
	HOST(HOST_CLOSE, ends[0], 0, 0, 0);
	if (error != 0 && pid > 0)
		HOST(HOST_WAIT4, pid, NULL, 0, 0);
	return error != 0 ? error : pid;
}
