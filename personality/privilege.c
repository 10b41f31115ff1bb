/* SPDX-License-Identifier: MIT */
/*
 * Privileges, which Linux calls capabilities: capget, capset, and the options
 * of prctl about them. proc keeps them and knows the rules.
 */
#include "privilege.h"

#include "calls.h"
#include "file.h"
#include "thread.h"
#include "user.h"

#include <idl/identity_client.h>
#include <idl/privilege.h>

#define VERSION_ONE	0x19980330u	/* 32 of them */
#define VERSION_TWO	0x20071026u
#define VERSION		0x20080522u

/* Effective, permitted, inheritable; low words, then high ones. */
struct words {
	uint32_t set[6];
};

/* How many bytes of struct words it has. The version is told if unknown. */
static long
size_of(uint32_t *header, const uint32_t head[2], bool probes)
{
	const uint32_t known = VERSION;

	if (head[0] == VERSION_ONE)
		return 3 * sizeof(uint32_t);
	if (head[0] == VERSION_TWO || head[0] == VERSION)
		return sizeof(struct words);
	if (user_write(header, &known, sizeof(known)) != 0)
		return -E_FAULT;
	return probes ? 0 : -E_INVAL;
}

long
linux_capget(uint32_t *header, uint32_t *data)
{
	struct identity_privileges_results got;
	uint32_t head[2];

	if (user_read(head, header, sizeof(head)) != 0)
		return -E_FAULT;
	long size = size_of(header, head, data == NULL);
	if (size <= 0 || data == NULL)
		return size < 0 ? size : 0;
	if ((int32_t)head[1] < 0)
		return -E_INVAL;
	long error = identity_privileges(PROCESS_PROC, (int32_t)head[1], &got);
	if (error != 0)
		return error;
	const struct words words = { {
		(uint32_t)got.effective, (uint32_t)got.permitted,
		(uint32_t)got.inheritable, (uint32_t)(got.effective >> 32),
		(uint32_t)(got.permitted >> 32),
		(uint32_t)(got.inheritable >> 32),
	} };
	return user_write(data, &words, (uint64_t)size) != 0 ? -E_FAULT : 0;
}

/* Only of oneself. */
long
linux_capset(uint32_t *header, const uint32_t *data)
{
	struct words words = { 0 };
	uint32_t head[2];

	if (user_read(head, header, sizeof(head)) != 0)
		return -E_FAULT;
	long size = size_of(header, head, false);
	if (size < 0)
		return size;
	if (head[1] != 0 && head[1] != INFO->pid)
		return -E_PERM;
	if (user_read(&words, data, (uint64_t)size) != 0)
		return -E_FAULT;
	long error = identity_set_privileges(PROCESS_PROC,
	    words.set[0] | (uint64_t)words.set[3] << 32,
	    words.set[1] | (uint64_t)words.set[4] << 32,
	    words.set[2] | (uint64_t)words.set[5] << 32);
	if (error == 0)
		path_renew();
	return error;
}

#define PR_GET_DUMPABLE		3
#define PR_SET_DUMPABLE		4
#define PR_GET_KEEPCAPS		7
#define PR_SET_KEEPCAPS		8
#define PR_CAPBSET_READ		23
#define PR_CAPBSET_DROP		24
#define PR_GET_SECUREBITS	27
#define PR_SET_SECUREBITS	28
#define PR_SET_NO_NEW_PRIVS	38
#define PR_GET_NO_NEW_PRIVS	39
#define PR_CAP_AMBIENT		47

#define AMBIENT_IS_SET		1
#define AMBIENT_RAISE		2
#define AMBIENT_LOWER		3
#define AMBIENT_CLEAR_ALL	4
#define SECURE_KEEP		0x10u	/* of the securebits */

static long
control(uint32_t what, uint64_t argument)
{
	uint64_t value;
	long error = identity_control(PROCESS_PROC, what, argument, &value);

	return error != 0 ? error : (long)value;
}

static long
ambient(uint64_t what, uint64_t privilege)
{
	switch (what) {
	case AMBIENT_IS_SET:
		return control(PRIVILEGE_AMBIENT_READ, privilege);
	case AMBIENT_RAISE:
		return control(PRIVILEGE_AMBIENT_RAISE, privilege);
	case AMBIENT_LOWER:
		return control(PRIVILEGE_AMBIENT_LOWER, privilege);
	case AMBIENT_CLEAR_ALL:
		return privilege != 0 ? -E_INVAL :
		    control(PRIVILEGE_AMBIENT_CLEAR, 0);
	default:
		return -E_INVAL;
	}
}

/* What proc tells of the process as a whole. */
static long
ask(int option)
{
	struct identity_privileges_results got;
	long error = identity_privileges(PROCESS_PROC, 0, &got);

	if (error != 0)
		return error;
	switch (option) {
	case PR_GET_DUMPABLE:
		return got.dumpable;
	case PR_GET_KEEPCAPS:
		return (got.secure & SECURE_KEEP) != 0;
	case PR_GET_NO_NEW_PRIVS:
		return got.no_new;
	default:
		return got.secure;
	}
}

long
privilege_has(unsigned privilege)
{
	struct identity_privileges_results got;
	long error = identity_privileges(PROCESS_PROC, 0, &got);

	return error != 0 ? error : (long)(got.effective >> privilege & 1);
}

bool
privilege_is_option(int option)
{
	switch (option) {
	case PR_GET_DUMPABLE:
	case PR_SET_DUMPABLE:
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_SET_NO_NEW_PRIVS:
	case PR_GET_NO_NEW_PRIVS:
	case PR_CAP_AMBIENT:
		return true;
	default:
		return false;
	}
}

long
privilege_prctl(int option, const uint64_t argument[4])
{
	uint64_t first = argument[0];
	bool more = (argument[1] | argument[2] | argument[3]) != 0;

	switch (option) {
	case PR_SET_DUMPABLE:
		return control(PRIVILEGE_DUMPABLE, first);
	case PR_SET_KEEPCAPS:
		return control(PRIVILEGE_KEEP, first);
	case PR_CAPBSET_READ:
		return control(PRIVILEGE_BOUNDING_READ, first);
	case PR_CAPBSET_DROP:
		return control(PRIVILEGE_BOUNDING_DROP, first);
	case PR_SET_SECUREBITS:
		return control(PRIVILEGE_SECURE_SET, first);
	case PR_SET_NO_NEW_PRIVS:
		return first != 1 || more ? -E_INVAL :
		    control(PRIVILEGE_NO_NEW, 0);
	case PR_GET_NO_NEW_PRIVS:
		return first != 0 || more ? -E_INVAL : ask(option);
	case PR_CAP_AMBIENT:
		return (argument[2] | argument[3]) != 0 ? -E_INVAL :
		    ambient(first, argument[1]);
	default:
		return ask(option);
	}
}
