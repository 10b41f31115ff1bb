/* SPDX-License-Identifier: MIT */
/*
 * Changes of ids and privileges: against a table written from the manual
 * pages, and against the kernel of the host, where each random call is made by
 * a child that began as root.
 */
#include <lib/proc/identity.h>

#include <idl/errno.h>
#include <idl/identity.h>
#include <lib/test/ktap.h>

#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONE	ID_NONE

/* --- The table. --- */

struct rule {
	const char *why;
	uint32_t before[4];	/* real, effective, saved, files */
	bool	 any;		/* has SETUID or SETGID */
	uint32_t how, id[3];
	int	 error;
	uint32_t after[4];
};

static const struct rule rules[] = {
	{ "setuid with the privilege sets all", { 1, 2, 3, 4 }, true,
	    IDS_ONE, { 9, 0, 0 }, 0, { 9, 9, 9, 9 } },
	{ "setuid without it sets the effective one to the real one",
	    { 1, 2, 3, 4 }, false, IDS_ONE, { 1, 0, 0 }, 0, { 1, 1, 3, 1 } },
	{ "or to the saved one", { 1, 2, 3, 4 }, false, IDS_ONE, { 3, 0, 0 },
	    0, { 1, 3, 3, 3 } },
	{ "not to the effective one, if that is another", { 1, 2, 3, 2 },
	    false, IDS_ONE, { 2, 0, 0 }, E_PERM, { 1, 2, 3, 2 } },
	{ "not to that of files", { 1, 2, 3, 4 }, false, IDS_ONE,
	    { 4, 0, 0 }, E_PERM, { 1, 2, 3, 4 } },
	{ "setuid to nobody", { 1, 2, 3, 4 }, true, IDS_ONE,
	    { NONE, 0, 0 }, E_INVAL, { 1, 2, 3, 4 } },
	{ "setreuid exchanges", { 1, 2, 2, 2 }, false, IDS_TWO, { 2, 1, 0 },
	    0, { 2, 1, 1, 1 } },
	{ "real to the saved one is refused", { 1, 2, 3, 2 }, false, IDS_TWO,
	    { 3, NONE, 0 }, E_PERM, { 1, 2, 3, 2 } },
	{ "effective to the saved one is not", { 1, 2, 3, 2 }, false, IDS_TWO,
	    { NONE, 3, 0 }, 0, { 1, 3, 3, 3 } },
	{ "effective to the real one leaves the saved one", { 1, 2, 3, 2 },
	    false, IDS_TWO, { NONE, 1, 0 }, 0, { 1, 1, 3, 1 } },
	{ "any real one makes the effective one saved", { 1, 2, 3, 2 }, false,
	    IDS_TWO, { 1, NONE, 0 }, 0, { 1, 2, 2, 2 } },
	{ "setreuid of nothing only sets that of files", { 1, 2, 3, 4 },
	    false, IDS_TWO, { NONE, NONE, 0 }, 0, { 1, 2, 3, 2 } },
	{ "setresuid permutes", { 1, 2, 3, 2 }, false, IDS_THREE, { 3, 1, 2 },
	    0, { 3, 1, 2, 1 } },
	{ "setresuid takes no id of files", { 1, 2, 3, 4 }, false, IDS_THREE,
	    { NONE, 4, NONE }, E_PERM, { 1, 2, 3, 4 } },
	{ "all or nothing", { 1, 2, 3, 2 }, false, IDS_THREE, { 2, 1, 7 },
	    E_PERM, { 1, 2, 3, 2 } },
	{ "with the privilege, any", { 1, 2, 3, 2 }, true, IDS_THREE,
	    { 7, 8, 9 }, 0, { 7, 8, 9, 8 } },
	{ "setfsuid to one of four", { 1, 2, 3, 4 }, false, IDS_FILES,
	    { 3, 0, 0 }, 0, { 1, 2, 3, 3 } },
	{ "else it changes nothing", { 1, 2, 3, 4 }, false, IDS_FILES,
	    { 5, 0, 0 }, 0, { 1, 2, 3, 4 } },
	{ "setfsuid asks", { 1, 2, 3, 4 }, true, IDS_FILES, { NONE, 0, 0 },
	    0, { 1, 2, 3, 4 } },
};

#define RULES	(sizeof(rules) / sizeof(rules[0]))

static void
check_rule(const struct rule *rule, bool group)
{
	struct proc_identity who = { .uid = 100, .euid = 100, .suid = 100,
		.fsuid = 100, .gid = 100, .egid = 100, .sgid = 100,
		.fsgid = 100 };
	uint32_t *ids = group ? who.group_ids : who.users;
	uint32_t *others = group ? who.users : who.group_ids;
	unsigned right = group ? PRIVILEGE_SETGID : PRIVILEGE_SETUID;

	memcpy(ids, rule->before, sizeof(rule->before));
	/* Only that one helps. */
	who.may.effective = rule->any ? PRIVILEGE_BIT(right) :
	    PRIVILEGES_ALL & ~PRIVILEGE_BIT(right);
	who.may.permitted = who.may.effective;
	int error = identity_set_ids(&who, rule->how |
	    (group ? IDS_GROUP : 0), rule->id);
	if (error != rule->error ||
	    memcmp(ids, rule->after, sizeof(rule->after)) != 0) {
		printf("# %s: %d, %u %u %u %u\n", rule->why, error, ids[0],
		    ids[1], ids[2], ids[3]);
		EXPECT(!"the rule holds");
	}
	for (unsigned i = 0; i < 4; i++)
		EXPECT_EQ(others[i], 100);
}

TEST(test_ids_change_as_the_table_says)
{
	for (unsigned i = 0; i < RULES; i++) {
		check_rule(&rules[i], false);
		check_rule(&rules[i], true);
	}
}

/* --- Programs. --- */

static struct proc_identity
user(uint32_t id)
{
	return (struct proc_identity){ .uid = id, .euid = id, .suid = id,
		.fsuid = id, .gid = id, .egid = id, .sgid = id, .fsgid = id,
		.bounding = PRIVILEGES_ALL, .dumpable = true };
}

TEST(test_a_set_id_program_has_the_rights_of_its_owner)
{
	struct proc_program program = { .sets_uid = true, .uid = 0 };
	struct proc_identity who = user(5);
	bool secure;

	EXPECT(identity_gains(&who, &program));
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT(who.uid == 5 && who.euid == 0 && who.suid == 0 &&
	    who.fsuid == 0 && secure && !who.dumpable);
	EXPECT_EQ(who.may.effective, PRIVILEGES_ALL);
	who = user(5);
	program = (struct proc_program){ .sets_gid = true, .gid = 7 };
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT(who.euid == 5 && who.egid == 7 && who.sgid == 7 &&
	    who.fsgid == 7 && who.gid == 5 && secure);
	EXPECT_EQ(who.may.permitted, 0);
}

TEST(test_without_new_privileges_a_program_gives_none)
{
	const struct proc_program program = { .sets_uid = true, .uid = 0,
		.sets_gid = true, .gid = 0, .has_privileges = true,
		.effective = true, .permitted = PRIVILEGES_ALL };
	struct proc_identity who = user(5);
	bool secure;

	who.no_new_privileges = true;
	EXPECT(!identity_gains(&who, &program));
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT(who.euid == 5 && who.egid == 5 && who.may.permitted == 0 &&
	    !secure);
}

TEST(test_privileges_of_a_file_are_those_of_the_formula)
{
	const uint64_t a = PRIVILEGE_BIT(1), b = PRIVILEGE_BIT(2);
	const uint64_t c = PRIVILEGE_BIT(3), d = PRIVILEGE_BIT(4);
	struct proc_program program = { .has_privileges = true,
		.permitted = a | b, .inheritable = c | d };
	struct proc_identity who = user(5);
	bool secure;

	/* b is out of bounds, d is not inherited, e ambient goes. */
	who.bounding = a;
	who.may.inheritable = c;
	who.may.permitted = who.ambient = 0;
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT_EQ(who.may.permitted, a | c);
	EXPECT_EQ(who.may.effective, 0);
	EXPECT(secure);
	/* What relies on all it names must get it. */
	who = user(5);
	who.bounding = a;
	program.effective = true;
	EXPECT_EQ(identity_exec(&who, &program, &secure), E_PERM);
	EXPECT_EQ(who.may.permitted, 0);
	who.bounding = a | b;
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT_EQ(who.may.effective, a | b);
}

TEST(test_ambient_privileges_stay_over_plain_programs_only)
{
	const uint64_t net = PRIVILEGE_BIT(10);
	struct proc_program program = { 0 };
	struct proc_identity who = user(5);
	bool secure;

	who.may.permitted = who.may.inheritable = who.ambient = net;
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT_EQ(who.may.effective, net);
	EXPECT(!secure);
	program.has_privileges = true;
	EXPECT_EQ(identity_exec(&who, &program, &secure), 0);
	EXPECT_EQ(who.may.permitted, 0);
	EXPECT_EQ(who.ambient, 0);
}

TEST(test_kept_privileges_do_not_survive_a_program)
{
	const uint32_t id[3] = { 5, 5, 5 };
	struct proc_identity who;
	uint64_t value;
	bool secure;

	identity_first(&who);
	EXPECT_EQ(identity_control(&who, PRIVILEGE_KEEP, 1, &value), 0);
	EXPECT_EQ(identity_set_ids(&who, IDS_THREE, id), 0);
	EXPECT_EQ(who.may.permitted, PRIVILEGES_ALL);
	EXPECT_EQ(who.may.effective, 0);
	EXPECT_EQ(identity_exec(&who, &(struct proc_program){ 0 }, &secure),
	    0);
	EXPECT_EQ(who.may.permitted, 0);
	EXPECT_EQ(who.secure, 0);
}

TEST(test_who_may_signal_whom)
{
	struct proc_identity a = user(5), b = user(6);

	EXPECT(!identity_may_signal(&a, &b));
	/* The effective user of the other does not count, the saved one does. */
	b.euid = 5;
	EXPECT(!identity_may_signal(&a, &b));
	b.suid = 5;
	EXPECT(identity_may_signal(&a, &b));
	b = user(6);
	a.may.effective = PRIVILEGE_BIT(PRIVILEGE_KILL);
	EXPECT(identity_may_signal(&a, &b));
}

/* --- The host. --- */

#define CHILDREN	400u
#define CALLS		60u

static uint64_t random_state = 0x9e3779b97f4a7c15ul;

static uint64_t
below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

static uint32_t
random_id(void)
{
	static const uint32_t ids[] = { 0, 0, 1000, 1001, 1002, NONE, NONE };

	return ids[below(sizeof(ids) / sizeof(ids[0]))];
}

static uint64_t
random_set(void)
{
	static const unsigned bits[] = { PRIVILEGE_SETUID, PRIVILEGE_SETGID,
		PRIVILEGE_SETPCAP, PRIVILEGE_CHOWN, PRIVILEGE_KILL };
	uint64_t set = 0;

	if (below(3) == 0)
		return PRIVILEGES_ALL;
	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		set |= below(2) << bits[i];
	return set;
}

static int
host_result(long result)
{
	return result < 0 ? errno : 0;
}

static int
host_ids(uint32_t how, const uint32_t id[3])
{
	bool group = (how & IDS_GROUP) != 0;

	switch (how & ~IDS_GROUP) {
	case IDS_ONE:
		return host_result(syscall(group ? SYS_setgid : SYS_setuid,
		    id[0]));
	case IDS_TWO:
		return host_result(syscall(group ? SYS_setregid :
		    SYS_setreuid, id[0], id[1]));
	case IDS_THREE:
		return host_result(syscall(group ? SYS_setresgid :
		    SYS_setresuid, id[0], id[1], id[2]));
	default:
		syscall(group ? SYS_setfsgid : SYS_setfsuid, id[0]);
		return 0;
	}
}

static struct __user_cap_header_struct own = {
	.version = _LINUX_CAPABILITY_VERSION_3,
};

static int
host_privileges(const struct proc_privileges *in)
{
	struct __user_cap_data_struct data[2];

	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(in->effective >> 32 * i);
		data[i].permitted = (uint32_t)(in->permitted >> 32 * i);
		data[i].inheritable = (uint32_t)(in->inheritable >> 32 * i);
	}
	return host_result(syscall(SYS_capset, &own, data));
}

static long
host_ambient(unsigned what, uint64_t argument)
{
	return prctl(PR_CAP_AMBIENT, what, argument, 0, 0);
}

static int
host_control(uint32_t what, uint64_t argument, uint64_t *out_value)
{
	long result;

	switch (what) {
	case PRIVILEGE_BOUNDING_READ:
		result = prctl(PR_CAPBSET_READ, argument);
		break;
	case PRIVILEGE_BOUNDING_DROP:
		result = prctl(PR_CAPBSET_DROP, argument);
		break;
	case PRIVILEGE_AMBIENT_READ:
		result = host_ambient(PR_CAP_AMBIENT_IS_SET, argument);
		break;
	case PRIVILEGE_AMBIENT_RAISE:
		result = host_ambient(PR_CAP_AMBIENT_RAISE, argument);
		break;
	case PRIVILEGE_AMBIENT_LOWER:
		result = host_ambient(PR_CAP_AMBIENT_LOWER, argument);
		break;
	case PRIVILEGE_AMBIENT_CLEAR:
		result = host_ambient(PR_CAP_AMBIENT_CLEAR_ALL, 0);
		break;
	case PRIVILEGE_SECURE_SET:
		result = prctl(PR_SET_SECUREBITS, argument);
		break;
	case PRIVILEGE_KEEP:
		result = prctl(PR_SET_KEEPCAPS, argument);
		break;
	case PRIVILEGE_DUMPABLE:
		result = prctl(PR_SET_DUMPABLE, argument);
		break;
	default:
		return 0;
	}
	*out_value = result < 0 ? 0 : (uint64_t)result;
	return host_result(result);
}

static void
host_sets(struct proc_identity *out)
{
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &own, data) != 0)
		abort();
	out->may = (struct proc_privileges){
		data[0].effective | (uint64_t)data[1].effective << 32,
		data[0].permitted | (uint64_t)data[1].permitted << 32,
		data[0].inheritable | (uint64_t)data[1].inheritable << 32,
	};
	out->bounding = out->ambient = 0;
	for (unsigned i = 0; i <= PRIVILEGE_LAST; i++) {
		if (prctl(PR_CAPBSET_READ, i) == 1)
			out->bounding |= PRIVILEGE_BIT(i);
		if (host_ambient(PR_CAP_AMBIENT_IS_SET, i) == 1)
			out->ambient |= PRIVILEGE_BIT(i);
	}
	out->secure = (uint32_t)prctl(PR_GET_SECUREBITS);
	out->dumpable = prctl(PR_GET_DUMPABLE) == 1;
}

static void
host_identity(struct proc_identity *out)
{
	memset(out, 0, sizeof(*out));
	if (syscall(SYS_getresuid, &out->uid, &out->euid, &out->suid) != 0 ||
	    syscall(SYS_getresgid, &out->gid, &out->egid, &out->sgid) != 0)
		abort();
	out->fsuid = (uint32_t)syscall(SYS_setfsuid, NONE);
	out->fsgid = (uint32_t)syscall(SYS_setfsgid, NONE);
	host_sets(out);
}

static uint64_t
random_argument(uint32_t what)
{
	static const unsigned numbers[] = { PRIVILEGE_SETUID,
		PRIVILEGE_SETPCAP, PRIVILEGE_CHOWN, PRIVILEGE_KILL,
		PRIVILEGE_LAST, PRIVILEGE_LAST + 1, 63, 64 };

	if (what == PRIVILEGE_SECURE_SET)
		return below(256) & (below(4) != 0 ? 0x55 : 0xff);
	if (what == PRIVILEGE_KEEP || what == PRIVILEGE_DUMPABLE)
		return below(2);
	return numbers[below(sizeof(numbers) / sizeof(numbers[0]))];
}

/* One random call of both; -1 and a line if they differ. */
static int
step(struct proc_identity *who)
{
	struct proc_privileges sets = { random_set(), random_set(),
		random_set() };
	uint32_t id[3] = { random_id(), random_id(), random_id() };
	uint32_t how = (uint32_t)below(4) | (below(3) == 0 ? IDS_GROUP : 0);
	uint32_t what = (uint32_t)below(PRIVILEGE_DUMPABLE + 1);
	uint64_t argument = random_argument(what), value = 0, value_host = 0;
	struct proc_identity after;
	uint64_t kind = below(10);
	int error, host;

	if (what == PRIVILEGE_NO_NEW)
		return 0;
	if (kind < 6) {
		error = identity_set_ids(who, how, id);
		host = host_ids(how, id);
	} else if (kind < 8) {
		sets.effective &= below(2) == 0 ? sets.permitted : ~0ul;
		error = identity_set_privileges(who, &sets);
		host = host_privileges(&sets);
	} else {
		error = identity_control(who, what, argument, &value);
		host = host_control(what, argument, &value_host);
	}
	host_identity(&after);
	if (error == host && value == value_host && identity_ok(who) &&
	    memcmp(who, &after, sizeof(after)) == 0)
		return 0;
	printf("# kind %lu how %x (%d %d %d) what %u %lu: %d, host %d; "
	    "uid %u/%u euid %u/%u suid %u/%u fsuid %u/%u effective %lx/%lx "
	    "permitted %lx/%lx dumpable %d/%d secure %x/%x\n", kind, how,
	    (int)id[0], (int)id[1], (int)id[2], what, argument, error, host,
	    who->uid, after.uid, who->euid, after.euid, who->suid, after.suid,
	    who->fsuid, after.fsuid, who->may.effective, after.may.effective,
	    who->may.permitted, after.may.permitted, who->dumpable,
	    after.dumpable, who->secure, after.secure);
	fflush(stdout);
	return -1;
}

static void
live(uint64_t seed)
{
	struct proc_identity who;
	unsigned done = 0;

	random_state = seed * 0x9e3779b97f4a7c15ul + 1;
	memset(&who, 0, sizeof(who));
	host_identity(&who);
	while (done < CALLS && step(&who) == 0)
		done++;
	_exit(done == CALLS ? 0 : 1);
}

TEST(test_random_changes_end_as_on_the_host)
{
	struct proc_identity now;
	int status;

	host_identity(&now);
	if (now.euid != 0 || !identity_may(&now, PRIVILEGE_SETUID) ||
	    !identity_may(&now, PRIVILEGE_SETGID) ||
	    !identity_may(&now, PRIVILEGE_SETPCAP))
		KTAP_SKIP("needs root");
	for (unsigned i = 0; i < CHILDREN && !ktap_state.failed; i++) {
		pid_t child = fork();

		if (child == 0)
			live(i);
		EXPECT(waitpid(child, &status, 0) == child && status == 0);
	}
}

TEST_MAIN(0)
