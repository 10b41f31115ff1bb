/* SPDX-License-Identifier: MIT */
/*
 * Nothing here knows that the ledger may die: no request is sent twice, no
 * connection is made anew. An answer may come again, when the ledger died
 * between the answer and taking the request off its socket; its number tells.
 */
#include "ledger.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

bool
ledger_connect(struct ledger_client *client, const char *path, uint64_t number)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*client = (struct ledger_client){
		.socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0),
		.client = number,
	};
	if (client->socket < 0 || strlen(path) >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, strlen(path));
	return connect(client->socket, (struct sockaddr *)&address,
	    sizeof(address)) == 0;
}

bool
ledger_add(struct ledger_client *client, uint64_t amount,
    struct ledger_answer *out_answer)
{
	struct ledger_request request = {
		.client = client->client,
		.number = ++client->number,
		.amount = amount,
	};

	if (send(client->socket, &request, sizeof(request), MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(request))
		return false;
	for (;;) {
		if (recv(client->socket, out_answer, sizeof(*out_answer), 0) !=
		    (ssize_t)sizeof(*out_answer))
			return false;
		if (out_answer->number == request.number)
			return true;
		if (out_answer->number > request.number)
			return false;
		client->repeated++;
	}
}

void
ledger_close(struct ledger_client *client)
{
	if (client->socket >= 0)
		close(client->socket);
	client->socket = -1;
}
