/* SPDX-License-Identifier: MIT */
/*
 * The example: a ledger whose clients never notice that it crashes.
 *
 * A client opens an account by its name, a number, and adds amounts. Each
 * request has the number of the one before plus 1; the answer repeats it and has
 * the sum of all amounts so far. Packets of a SOCK_SEQPACKET socket.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ledger_request {
	uint64_t client;	/* not 0 */
	uint64_t number;	/* from 1 */
	uint64_t amount;
};

struct ledger_answer {
	uint64_t number;
	uint64_t sum;		/* after it */
	uint64_t refused;	/* 1: this request was not executed */
};

/* The server; returns only to say that it cannot serve. */
int ledger_serve(void);

struct ledger_client {
	int	 socket;
	uint64_t client;
	uint64_t number;	/* of the last request */
	uint64_t repeated;	/* answers that had come before */
};

bool ledger_connect(struct ledger_client *client, const char *path,
    uint64_t number);
/* One request, one answer; false: an error that the client sees. */
bool ledger_add(struct ledger_client *client, uint64_t amount,
    struct ledger_answer *out_answer);
void ledger_close(struct ledger_client *client);
