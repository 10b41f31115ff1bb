/* SPDX-License-Identifier: MIT */
/*
 * Privileges: what root may do beyond its files, as single rights. Numbers are
 * those of POSIX capabilities as Linux programs know them; the word capability
 * means something else here.
 */
#pragma once

#include <stdint.h>

#define PRIVILEGE_CHOWN			0u
#define PRIVILEGE_DAC_OVERRIDE		1u
#define PRIVILEGE_DAC_READ_SEARCH	2u
#define PRIVILEGE_FOWNER		3u
#define PRIVILEGE_FSETID		4u
#define PRIVILEGE_KILL			5u
#define PRIVILEGE_SETGID		6u
#define PRIVILEGE_SETUID		7u
#define PRIVILEGE_SETPCAP		8u
#define PRIVILEGE_LINUX_IMMUTABLE	9u
#define PRIVILEGE_SYS_CHROOT		18u
#define PRIVILEGE_SYS_PTRACE		19u
#define PRIVILEGE_SYS_PACCT		20u
#define PRIVILEGE_SYS_ADMIN		21u
#define PRIVILEGE_SYS_NICE		23u
#define PRIVILEGE_SYS_RESOURCE		24u
#define PRIVILEGE_SYS_TIME		25u
#define PRIVILEGE_MKNOD			27u
#define PRIVILEGE_MAC_OVERRIDE		32u
#define PRIVILEGE_LAST			40u

#define PRIVILEGE_BIT(n)	(1ul << (n))
#define PRIVILEGES_ALL		(PRIVILEGE_BIT(PRIVILEGE_LAST + 1) - 1)

/* Those about files: they follow the file system's user id. */
#define PRIVILEGES_FILES \
	(PRIVILEGE_BIT(PRIVILEGE_CHOWN) | \
	PRIVILEGE_BIT(PRIVILEGE_DAC_OVERRIDE) | \
	PRIVILEGE_BIT(PRIVILEGE_DAC_READ_SEARCH) | \
	PRIVILEGE_BIT(PRIVILEGE_FOWNER) | \
	PRIVILEGE_BIT(PRIVILEGE_FSETID) | \
	PRIVILEGE_BIT(PRIVILEGE_LINUX_IMMUTABLE) | \
	PRIVILEGE_BIT(PRIVILEGE_MKNOD) | \
	PRIVILEGE_BIT(PRIVILEGE_MAC_OVERRIDE))
