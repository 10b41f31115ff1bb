/* SPDX-License-Identifier: MIT */
/*
 * The name of a local socket in the memory of a connection, where proc writes
 * that of who listens: the other side's (personality/socketring.h).
 */
#pragma once

#include <stdint.h>

/* What follows the family in struct sockaddr_un; a path with its NUL. */
#define SOCKET_NAME_MAX		110u

struct socket_shared_name {
	uint16_t length;		/* 0: it has none */
	uint8_t	 bytes[SOCKET_NAME_MAX];
};

/* In the memory, of the side that accepts. */
#define SOCKET_SHARED_NAME_AT	(256u + 64u)
