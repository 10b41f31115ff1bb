/* SPDX-License-Identifier: MIT */
/* Changes of ids and privileges (rules in identity.h). */
#include <lib/proc/identity.h>

#include <idl/errno.h>
#include <idl/identity.h>
#include <stddef.h>

void
identity_first(struct proc_identity *out_who)
{
	*out_who = (struct proc_identity){
		.may = { .effective = PRIVILEGES_ALL,
		    .permitted = PRIVILEGES_ALL },
		.bounding = PRIVILEGES_ALL,
		.dumpable = true,
	};
}

static bool
is_within(uint64_t set, uint64_t other)
{
	return (set & ~other) == 0;
}

static bool
is_secure(const struct proc_identity *who, uint32_t bit)
{
	return (who->secure & bit) != 0;
}

static bool
has_user_zero(const struct proc_identity *who)
{
	return who->uid == 0 || who->euid == 0 || who->suid == 0;
}

/* Privileges follow user 0, unless the process has asked them not to. */
static void
follow_users(const struct proc_identity *old, struct proc_identity *new)
{
	if (is_secure(old, SECURE_NO_SETUID_FIXUP))
		return;
	if (has_user_zero(old) && !has_user_zero(new)) {
		if (!is_secure(old, SECURE_KEEP_PRIVILEGES))
			new->may.permitted = new->may.effective = 0;
		new->ambient = 0;
	}
	if (old->euid == 0 && new->euid != 0)
		new->may.effective = 0;
	if (old->euid != 0 && new->euid == 0)
		new->may.effective = new->may.permitted;
}

static void
follow_file_user(const struct proc_identity *old, struct proc_identity *new)
{
	if (is_secure(old, SECURE_NO_SETUID_FIXUP))
		return;
	if (old->fsuid == 0 && new->fsuid != 0)
		new->may.effective &= ~PRIVILEGES_FILES;
	if (old->fsuid != 0 && new->fsuid == 0)
		new->may.effective |= new->may.permitted & PRIVILEGES_FILES;
}

/*
 * The rules are the same for users and groups: four ids in a row, and whether
 * they may be any.
 */
enum { REAL, EFFECTIVE, SAVED, FILES, KINDS };

static bool
is_one_of(const uint32_t ids[KINDS], unsigned count, uint32_t id)
{
	for (unsigned i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

static int
set_one(uint32_t ids[KINDS], uint32_t id, bool any)
{
	if (id == ID_NONE)
		return E_INVAL;
	if (any)
		ids[REAL] = ids[SAVED] = id;
	else if (id != ids[REAL] && id != ids[SAVED])
		return E_PERM;
	ids[EFFECTIVE] = ids[FILES] = id;
	return 0;
}

static int
set_two(uint32_t ids[KINDS], uint32_t real, uint32_t effective, bool any)
{
	uint32_t before = ids[REAL];

	if ((real != ID_NONE && !any && !is_one_of(ids, SAVED, real)) ||
	    (effective != ID_NONE && !any &&
	    !is_one_of(ids, FILES, effective)))
		return E_PERM;
	if (real != ID_NONE)
		ids[REAL] = real;
	if (effective != ID_NONE)
		ids[EFFECTIVE] = effective;
	if (real != ID_NONE || (effective != ID_NONE && effective != before))
		ids[SAVED] = ids[EFFECTIVE];
	ids[FILES] = ids[EFFECTIVE];
	return 0;
}

/* As it is already: then that of files stays, too. */
static bool
is_same(const uint32_t ids[KINDS], const uint32_t id[3])
{
	return (id[REAL] == ID_NONE || id[REAL] == ids[REAL]) &&
	    (id[EFFECTIVE] == ID_NONE || (id[EFFECTIVE] == ids[EFFECTIVE] &&
	    id[EFFECTIVE] == ids[FILES])) &&
	    (id[SAVED] == ID_NONE || id[SAVED] == ids[SAVED]);
}

static int
set_three(uint32_t ids[KINDS], const uint32_t id[3], bool any)
{
	if (is_same(ids, id))
		return 0;
	for (unsigned i = 0; i < FILES; i++) {
		if (id[i] != ID_NONE && !any && !is_one_of(ids, FILES, id[i]))
			return E_PERM;
	}
	for (unsigned i = 0; i < FILES; i++) {
		if (id[i] != ID_NONE)
			ids[i] = id[i];
	}
	ids[FILES] = ids[EFFECTIVE];
	return 0;
}

/* What is not allowed changes nothing, and says nothing. */
static int
set_files(uint32_t ids[KINDS], uint32_t id, bool any)
{
	if (id != ID_NONE && (any || is_one_of(ids, KINDS, id)))
		ids[FILES] = id;
	return 0;
}

static int
change(uint32_t ids[KINDS], uint32_t how, const uint32_t id[3], bool any)
{
	switch (how) {
	case IDS_ONE:
		return set_one(ids, id[0], any);
	case IDS_TWO:
		return set_two(ids, id[0], id[1], any);
	case IDS_THREE:
		return set_three(ids, id, any);
	case IDS_FILES:
		return set_files(ids, id[0], any);
	default:
		return E_INVAL;
	}
}

/* Nobody looks into a process that was somebody else before. */
static void
hide(const struct proc_identity *old, struct proc_identity *new)
{
	if (old->euid != new->euid || old->egid != new->egid ||
	    old->fsuid != new->fsuid || old->fsgid != new->fsgid ||
	    !is_within(new->may.permitted, old->may.permitted))
		new->dumpable = false;
}

int
identity_set_ids(struct proc_identity *who, uint32_t how,
    const uint32_t id[3])
{
	bool group = (how & IDS_GROUP) != 0;
	struct proc_identity new = *who;
	int error;

	how &= ~IDS_GROUP;
	error = change(group ? new.group_ids : new.users, how, id, identity_may(who,
	    group ? PRIVILEGE_SETGID : PRIVILEGE_SETUID));
	if (error != 0)
		return error;
	if (!group && how == IDS_FILES)
		follow_file_user(who, &new);
	else if (!group)
		follow_users(who, &new);
	hide(who, &new);
	*who = new;
	return 0;
}

int
identity_set_privileges(struct proc_identity *who,
    const struct proc_privileges *wanted)
{
	struct proc_privileges new = {
		.effective = wanted->effective & PRIVILEGES_ALL,
		.permitted = wanted->permitted & PRIVILEGES_ALL,
		.inheritable = wanted->inheritable & PRIVILEGES_ALL,
	};
	uint64_t inherited = who->may.inheritable;

	if (!identity_may(who, PRIVILEGE_SETPCAP) &&
	    !is_within(new.inheritable, inherited | who->may.permitted))
		return E_PERM;
	if (!is_within(new.inheritable, inherited | who->bounding) ||
	    !is_within(new.permitted, who->may.permitted) ||
	    !is_within(new.effective, new.permitted))
		return E_PERM;
	who->may = new;
	who->ambient &= new.permitted & new.inheritable;
	return 0;
}

static int
set_secure(struct proc_identity *who, uint64_t bits)
{
	uint64_t old = who->secure;

	if (!is_within(bits, SECURE_BITS | SECURE_LOCKS) ||
	    (((old & SECURE_LOCKS) >> 1) & (old ^ bits)) != 0 ||
	    !is_within(old & SECURE_LOCKS, bits) ||
	    !identity_may(who, PRIVILEGE_SETPCAP))
		return E_PERM;
	who->secure = (uint32_t)bits;
	return 0;
}

static int
keep(struct proc_identity *who, uint64_t keeps)
{
	if (keeps > 1)
		return E_INVAL;
	if (is_secure(who, SECURE_KEEP_PRIVILEGES << 1))
		return E_PERM;
	who->secure &= ~SECURE_KEEP_PRIVILEGES;
	if (keeps != 0)
		who->secure |= SECURE_KEEP_PRIVILEGES;
	return 0;
}

/* One privilege: a number, not a bit. */
static int
control_one(struct proc_identity *who, uint32_t what, uint64_t number,
    uint64_t *out_value)
{
	uint64_t bit = number <= PRIVILEGE_LAST ? PRIVILEGE_BIT(number) : 0;

	if (what == PRIVILEGE_BOUNDING_DROP &&
	    !identity_may(who, PRIVILEGE_SETPCAP))
		return E_PERM;
	if (bit == 0)
		return E_INVAL;
	switch (what) {
	case PRIVILEGE_BOUNDING_READ:
		*out_value = (who->bounding & bit) != 0;
		return 0;
	case PRIVILEGE_BOUNDING_DROP:
		who->bounding &= ~bit;
		return 0;
	case PRIVILEGE_AMBIENT_READ:
		*out_value = (who->ambient & bit) != 0;
		return 0;
	case PRIVILEGE_AMBIENT_LOWER:
		who->ambient &= ~bit;
		return 0;
	default:
		if (is_secure(who, SECURE_NO_AMBIENT_RAISE) ||
		    !is_within(bit, who->may.permitted &
		    who->may.inheritable))
			return E_PERM;
		who->ambient |= bit;
		return 0;
	}
}

int
identity_control(struct proc_identity *who, uint32_t what, uint64_t argument,
    uint64_t *out_value)
{
	*out_value = 0;
	switch (what) {
	case PRIVILEGE_AMBIENT_CLEAR:
		who->ambient = 0;
		return 0;
	case PRIVILEGE_SECURE_SET:
		return set_secure(who, argument);
	case PRIVILEGE_KEEP:
		return keep(who, argument);
	case PRIVILEGE_NO_NEW:
		who->no_new_privileges = true;
		return 0;
	case PRIVILEGE_DUMPABLE:
		if (argument > 1)
			return E_INVAL;
		who->dumpable = argument != 0;
		return 0;
	case PRIVILEGE_BOUNDING_READ:
	case PRIVILEGE_BOUNDING_DROP:
	case PRIVILEGE_AMBIENT_READ:
	case PRIVILEGE_AMBIENT_LOWER:
	case PRIVILEGE_AMBIENT_RAISE:
		return control_one(who, what, argument, out_value);
	default:
		return E_INVAL;
	}
}

/* What the file gives; E_PERM: it counts on more than it may have. */
static int
take_program(struct proc_identity *new, const struct proc_program *program,
    bool *out_effective)
{
	const struct proc_privileges *old = &new->may;
	uint64_t permitted = 0;

	*out_effective = false;
	if (program->sets_uid)
		new->euid = program->uid;
	if (program->sets_gid)
		new->egid = program->gid;
	if (program->has_privileges) {
		permitted = (program->permitted & new->bounding) |
		    (program->inheritable & old->inheritable);
		if (program->effective &&
		    !is_within(program->permitted, permitted))
			return E_PERM;
		*out_effective = program->effective;
	}
	new->may.permitted = permitted;
	return 0;
}

/* User 0 gets everything, if nothing else was said. */
static void
take_root(struct proc_identity *new, const struct proc_program *program,
    bool *effective)
{
	if (is_secure(new, SECURE_NO_ROOT) || (program->has_privileges &&
	    new->uid != 0 && new->euid == 0))
		return;
	if (new->uid == 0 || new->euid == 0)
		new->may.permitted = new->bounding | new->may.inheritable;
	if (new->euid == 0)
		*effective = true;
}

static const struct proc_program plain;

int
identity_exec(struct proc_identity *who, const struct proc_program *program,
    bool *out_secure)
{
	struct proc_identity new = *who;
	bool effective;

	if (who->no_new_privileges)
		program = &plain;
	if (take_program(&new, program, &effective) != 0)
		return E_PERM;
	take_root(&new, program, &effective);
	bool changed = new.euid != who->uid || new.egid != who->gid;
	if (who->no_new_privileges && (changed ||
	    !is_within(new.may.permitted, who->may.permitted))) {
		new.euid = who->uid;
		new.egid = who->gid;
		new.may.permitted &= who->may.permitted;
	}
	new.suid = new.fsuid = new.euid;
	new.sgid = new.fsgid = new.egid;
	if (program->has_privileges || changed)
		new.ambient = 0;
	new.may.permitted |= new.ambient;
	new.may.effective = effective ? new.may.permitted : new.ambient;
	new.secure &= ~SECURE_KEEP_PRIVILEGES;
	new.dumpable = new.euid == new.uid && new.egid == new.gid;
	hide(who, &new);
	*out_secure = changed || (new.uid != 0 && (effective ||
	    !is_within(new.may.permitted, new.ambient)));
	*who = new;
	return 0;
}

bool
identity_gains(const struct proc_identity *who,
    const struct proc_program *program)
{
	if (who->no_new_privileges)
		return false;
	return (program->sets_uid && program->uid != who->euid) ||
	    (program->sets_gid && program->gid != who->egid) ||
	    (program->has_privileges && program->permitted != 0);
}

bool
identity_may_signal(const struct proc_identity *who,
    const struct proc_identity *other)
{
	return who->euid == other->suid || who->euid == other->uid ||
	    who->uid == other->suid || who->uid == other->uid ||
	    identity_may(who, PRIVILEGE_KILL);
}

bool
identity_may_look(const struct proc_identity *who,
    const struct proc_identity *other)
{
	if (identity_may(who, PRIVILEGE_SYS_PTRACE))
		return true;
	for (unsigned i = 0; i < FILES; i++) {
		if (other->users[i] != who->fsuid ||
		    other->group_ids[i] != who->fsgid)
			return false;
	}
	return other->dumpable &&
	    is_within(other->may.permitted, who->may.permitted);
}

bool
identity_same(const struct proc_identity *who,
    const struct proc_identity *other)
{
	return who->uid == other->uid && who->uid == other->euid &&
	    who->uid == other->suid && who->gid == other->gid &&
	    who->gid == other->egid && who->gid == other->sgid;
}

bool
identity_ok(const struct proc_identity *who)
{
	const struct proc_groups *groups = who->groups;

	if (!is_within(who->may.effective, who->may.permitted) ||
	    !is_within(who->may.permitted | who->may.inheritable |
	    who->bounding, PRIVILEGES_ALL) ||
	    !is_within(who->ambient, who->may.permitted &
	    who->may.inheritable))
		return false;
	if (groups == NULL)
		return true;
	for (uint32_t i = 1; i < groups->count; i++) {
		if (groups->gid[i - 1] > groups->gid[i])
			return false;
	}
	return groups->references > 0 && groups->count > 0;
}
