/* SPDX-License-Identifier: MIT */
/*
 * Policy: who may create and open which channels, and how much of the broker a
 * user may hold. Format: bennu-broker-policy(5).
 *
 * Rules are asked in the order of the files; the first one whose names and
 * users match decides. Behind all of them is one that nobody writes: who has
 * the uid of the creator may do everything, at trust 0x0.
 *
 * Thread safety: read-only after policy_read.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define POLICY_RULES_MAX	256u
#define POLICY_GROUPS_MAX	64u	/* of a process; others are ignored */

/* What all processes of a user may hold together. */
struct policy_limits {
	uint64_t processes, channels, members, lanes;
	uint64_t bytes;		/* of rings and pools */
};

struct policy_subject {
	uid_t	 uid;
	unsigned group_count;
	gid_t	 group[POLICY_GROUPS_MAX];
};

struct policy_grant {
	unsigned rights;	/* TOKEN_*; TOKEN_OWN: may create */
	unsigned trust;
	bool	 needs_token;	/* for all but the creator's user */
};

struct policy;

struct policy *policy_create(void);	/* NULL: no memory */
void policy_destroy(struct policy *policy);

/*
 * Adds the rules of a file's text. On an error *out_why says what is wrong, in
 * words that name the table and key or the line; it is valid until the next
 * call.
 */
status_t policy_read(struct policy *policy, const char *text, size_t length,
    const char **out_why);

/* `creator` owns the channel; for a creation it is the subject itself. */
void policy_decide(const struct policy *policy,
    const struct policy_subject *subject, const char *name, uid_t creator,
    struct policy_grant *out_grant);
void policy_limits_of(const struct policy *policy,
    const struct policy_subject *subject, struct policy_limits *out_limits);
/* May this one see the channels of others and the totals? */
bool policy_observes(const struct policy *policy,
    const struct policy_subject *subject);
