/* SPDX-License-Identifier: MIT */
/*
 * Where the members of a demo meet: a domain of this process for threads, or a
 * broker for processes; one that runs already, or one of the demo's own, which
 * grants this user any trust.
 */
#pragma once

#include <lib/channel/port.h>
#include <lib/token/token.h>

#include <stdbool.h>
#include <sys/types.h>

struct meeting {
	bool	 processes;
	char	 socket[108];		/* of the broker */
	char	 folder[64];		/* of the demo's own, or "" */
	pid_t	 broker;		/* the demo's own, or 0 */

	/* Threads. */
	struct channel_domain *domain;
	struct token_authority *authority;
	void	*memory;
	struct token token;
};

/* trust: of all members. False: errno or the message on stderr says why. */
bool meeting_of_threads(struct meeting *meeting, unsigned trust);
/* socket: NULL starts a broker. Call it before any thread is made. */
bool meeting_of_processes(struct meeting *meeting, const char *socket,
    unsigned trust);
void meeting_close(struct meeting *meeting);

/* What a member needs; each process has a domain of its own. */
struct attendance {
	struct channel_domain *domain;
	const struct token *token;	/* NULL: whom the kernel says it is */
};
bool meeting_enter(struct meeting *meeting, struct attendance *out_attendance);
void meeting_leave(struct meeting *meeting, struct attendance *attendance);
