/* SPDX-License-Identifier: MIT */
/* Kinds of sockets that do not exist say so. */
#include "say.h"

#include <sys/socket.h>

int
main(void)
{
	SAY("inet", socket(AF_INET, SOCK_STREAM, 0));
	SAY("inet datagrams", socket(AF_INET, SOCK_DGRAM, 0));
	SAY("inet6", socket(AF_INET6, SOCK_STREAM, 0));
	SAY("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	SAY("packet", socket(AF_PACKET, SOCK_RAW, 0));
	return 0;
}
