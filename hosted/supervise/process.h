/* SPDX-License-Identifier: MIT */
/*
 * One child: made with a pidfd, in a session of its own, with exactly the
 * descriptors that it is to have.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IDENTITY_GROUPS_MAX	64
#define PROCESS_DESCRIPTORS_MAX	1040u

/* Looked up once: nothing asks a directory service between fork and exec. */
struct identity {
	bool	 change;
	uid_t	 user;
	gid_t	 group;
	gid_t	 groups[IDENTITY_GROUPS_MAX];
	int	 group_count;
};

/* NULL: stays who it is. False: there is no such user. */
bool identity_find(const char *user, struct identity *out_identity);

/* Borrowed until process_launch returns. */
struct launch {
	char	*const *command;
	const char *const *environment;	/* added, NAME=VALUE */
	unsigned environment_count;
	const char *directory;		/* NULL: / */
	const struct identity *identity;
	const int *descriptor;		/* become 3, 4, ... */
	const char *const *descriptor_name;
	unsigned descriptor_count;
	int	 ready;			/* -1, or becomes ready_as */
	int	 ready_as;
	int	 output;		/* becomes 1 and 2; -1: inherited */
	const char *notify_socket;
	uint64_t watchdog_us;		/* 0: none */
};

/* 0, or an error number. A failure of exec is an exit with code 127. */
int process_launch(const struct launch *launch, pid_t *out_pid,
    int *out_pidfd);
int process_signal(int pidfd, int number);
