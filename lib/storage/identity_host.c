/* SPDX-License-Identifier: MIT */
#include "identity_host.h"

#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct identity identities[IDENTITIES] = {
	{ 0, PRIVILEGES_ALL, 0, { 0 } },
	{ USER, 0, 0, { 0 } },
	{ USER + 1, 0, 2, { USER - 1, USER } },
	{ USER + 2, PRIVILEGE_BIT(PRIVILEGE_FOWNER) |
	    PRIVILEGE_BIT(PRIVILEGE_DAC_READ_SEARCH), 1, { USER } },
	{ USER + 3, PRIVILEGE_BIT(PRIVILEGE_CHOWN) |
	    PRIVILEGE_BIT(PRIVILEGE_FSETID) |
	    PRIVILEGE_BIT(PRIVILEGE_MKNOD), 0, { 0 } },
	{ USER + 4, PRIVILEGE_BIT(PRIVILEGE_DAC_OVERRIDE), 0, { 0 } },
};

static void
set_privileges(uint64_t of_files)
{
	uint64_t all = (PRIVILEGES_ALL & ~PRIVILEGES_FILES) |
	    (of_files & PRIVILEGES_FILES);
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		abort();
	data[0].effective = data[0].permitted & (uint32_t)all;
	data[1].effective = data[1].permitted & (uint32_t)(all >> 32);
	if (syscall(SYS_capset, &header, data) != 0)
		abort();
}

void
become(uint32_t id)
{
	const struct identity *who = &identities[id == 0 ? 0 : id - USER + 1];

	if (who->id != id || setgroups(who->group_count, who->groups) != 0)
		abort();
	setfsgid(id);
	setfsuid(id);
	set_privileges(who->privileges);
}
