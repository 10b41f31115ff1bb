/* SPDX-License-Identifier: MIT */
/*
 * Who a process is and what it may do: ids, groups, privileges, with the rules
 * of Linux by which they change. Every function here works on a plain copy and
 * changes it only if it returns 0, so the caller can save and store it as one.
 *
 * Privileges come in five sets, as POSIX capabilities do:
 *
 *	effective	counts now; within permitted
 *	permitted	may be made effective
 *	inheritable	may be permitted by a program that names it, too
 *	bounding	what a program may give at most
 *	ambient		stays over exec; within permitted and inheritable
 */
#pragma once

#include <idl/privilege.h>
#include <stdbool.h>
#include <stdint.h>

#define ID_NONE		UINT32_MAX	/* stays as it is */

/* A list that processes share; changed by none. */
struct proc_groups {
	uint32_t references;
	uint32_t count;
	uint32_t gid[];		/* ascending */
};

struct proc_privileges {
	uint64_t effective, permitted, inheritable;
};

struct proc_identity {
	union {
		struct { uint32_t uid, euid, suid, fsuid; };
		uint32_t users[4];
	};
	union {
		struct { uint32_t gid, egid, sgid, fsgid; };
		uint32_t group_ids[4];
	};
	struct proc_privileges may;	/* PRIVILEGE_BIT */
	uint64_t bounding, ambient;
	struct proc_groups *groups;	/* NULL: none */
	uint32_t secure;		/* SECURE_* */
	bool	 no_new_privileges;	/* exec gives none, for ever */
	bool	 dumpable;		/* others of the user may look into it */
};

/* Securebits; the bit above each locks it. */
#define SECURE_NO_ROOT			0x01u	/* user 0 is nobody special */
#define SECURE_NO_SETUID_FIXUP		0x04u	/* ids change no privileges */
#define SECURE_KEEP_PRIVILEGES		0x10u	/* until exec, without user 0 */
#define SECURE_NO_AMBIENT_RAISE		0x40u
#define SECURE_BITS			0x55u
#define SECURE_LOCKS			0xaau

static inline bool
identity_may(const struct proc_identity *who, unsigned privilege)
{
	return (who->may.effective >> privilege & 1) != 0;
}

/* Root, with everything. */
void identity_first(struct proc_identity *out_who);

/* how: IDS_* of idl/identity.capnp; ids beyond its number are ignored. */
int identity_set_ids(struct proc_identity *who, uint32_t how,
    const uint32_t id[3]);
int identity_set_privileges(struct proc_identity *who,
    const struct proc_privileges *wanted);
/* what: PRIVILEGE_* of idl/identity.capnp. */
int identity_control(struct proc_identity *who, uint32_t what,
    uint64_t argument, uint64_t *out_value);

/* What a program file gives to who runs it. */
struct proc_program {
	bool	 sets_uid, sets_gid;
	uint32_t uid, gid;		/* its owners */
	bool	 has_privileges;	/* these: */
	bool	 effective;
	uint64_t permitted, inheritable;
};
/*
 * The program runs from here on. *out_secure: it must not trust what its
 * environment says. E_PERM: it could not have what it needs.
 */
int identity_exec(struct proc_identity *who,
    const struct proc_program *program, bool *out_secure);
/* Would exec of it make more of who than he is? */
bool identity_gains(const struct proc_identity *who,
    const struct proc_program *program);

/* May `who` send signals to the other? */
bool identity_may_signal(const struct proc_identity *who,
    const struct proc_identity *other);
/* Look into its memory and its files? */
bool identity_may_look(const struct proc_identity *who,
    const struct proc_identity *other);
/* Change its limits? */
bool identity_same(const struct proc_identity *who,
    const struct proc_identity *other);
bool identity_ok(const struct proc_identity *who);
