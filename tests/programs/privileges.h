/* SPDX-License-Identifier: MIT */
/* Capabilities of Linux, for C libraries that do not know them. */
#pragma once

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAP_CHOWN		0
#define CAP_DAC_OVERRIDE	1
#define CAP_DAC_READ_SEARCH	2
#define CAP_FOWNER		3
#define CAP_FSETID		4
#define CAP_KILL		5
#define CAP_SETGID		6
#define CAP_SETUID		7
#define CAP_MKNOD		27

#define CAPABILITY_VERSION	0x20080522u

/* Low words of the sets; a third of them in each. */
struct privileges {
	uint32_t effective, permitted, inheritable;
};

static inline long
get_privileges(struct privileges *out)
{
	uint32_t header[2] = { CAPABILITY_VERSION, 0 };
	uint32_t data[6];
	long result = syscall(SYS_capget, header, data);

	if (result == 0)
		*out = (struct privileges){ data[0], data[1], data[2] };
	return result;
}

static inline long
set_privileges(uint32_t effective, uint32_t permitted, uint32_t inheritable)
{
	uint32_t header[2] = { CAPABILITY_VERSION, 0 };
	uint32_t data[6] = { effective, permitted, inheritable };

	return syscall(SYS_capset, header, data);
}
