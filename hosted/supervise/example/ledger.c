/* SPDX-License-Identifier: MIT */
/*
 * ledger: the server of the example, a place of bennu-supervise.
 *
 * For each request: look at it (it stays in the socket), change the arena in one
 * transaction, answer, take it off. A crash anywhere in between repeats what
 * comes after the last commit, and the number of the request tells the next
 * incarnation how far it came. docs/design/supervise.md has the proof.
 *
 * With LEDGER_CRASH=N in the environment it dies at about one in N of the places
 * where that could hurt, in several ways.
 */
#include "ledger.h"

#include <hosted/supervise/place.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define LAYOUT_VERSION	1u
#define CONNECTIONS	1024u
#define EVENTS		32
#define IDLE_MS		100

/* In the arena. */
struct account {
	uint64_t number;	/* of the last request */
	uint64_t sum;		/* its answer */
	uint64_t refused;
};

struct books {
	struct arena_map *account;	/* by client */
	uint64_t total;			/* of all sums */
};

struct connection {
	int	 fd;		/* -1: free */
	char	 name[PLACE_NAME_MAX + 1];
};

struct ledger {
	struct bennu_place place;
	struct arena *arena;
	struct books *books;
	int	 epoll;
	struct connection connection[CONNECTIONS];
	uint64_t checked;	/* how far the arena was looked at */
	uint64_t crash_one_in;	/* 0: never */
	uint64_t random;
};

static void
may_crash(struct ledger *ledger)
{
	volatile int *nothing = NULL;

	if (ledger->crash_one_in == 0)
		return;
	ledger->random ^= ledger->random << 13;
	ledger->random ^= ledger->random >> 7;
	ledger->random ^= ledger->random << 17;
	if (ledger->random % ledger->crash_one_in != 0)
		return;
	switch (ledger->random / ledger->crash_one_in % 3) {
	case 0:
		abort();
	case 1:
		*nothing = 1;
		break;
	default:
		(void)raise(SIGKILL);
	}
}

static void
take(void *context, const char *name, int fd)
{
	struct ledger *ledger = context;
	struct connection *free = ledger->connection;
	struct epoll_event event = { .events = EPOLLIN };

	while (free < ledger->connection + CONNECTIONS && free->fd >= 0)
		free++;
	event.data.ptr = free;
	if (free == ledger->connection + CONNECTIONS || epoll_ctl(
	    ledger->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
		close(fd);
		(void)bennu_place_forget(name);
		return;
	}
	free->fd = fd;
	snprintf(free->name, sizeof(free->name), "%s", name);
}

static void
forget(void *context, const char *name)
{
	struct ledger *ledger = context;

	for (unsigned i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &ledger->connection[i];

		if (connection->fd >= 0 &&
		    strcmp(connection->name, name) == 0) {
			close(connection->fd);
			connection->fd = -1;
		}
	}
}

static struct account *
find_account(struct ledger *ledger, uint64_t client)
{
	struct account *account = arena_map_get(ledger->books->account,
	    client);

	if (account != NULL)
		return account;
	account = arena_alloc(ledger->arena, sizeof(*account));
	if (account == NULL || arena_map_put(ledger->arena,
	    ledger->books->account, client, account) != OK)
		return NULL;
	return account;
}

/* In one transaction with the answer. NULL: no room, or not the next one. */
static struct account *
execute(struct ledger *ledger, const struct ledger_request *request,
    bool refuse)
{
	struct account *account;

	tx_begin(ledger->arena);
	account = find_account(ledger, request->client);
	if (account == NULL)
		goto fail;
	if (account->number == request->number) {
		tx_abort(ledger->arena);
		return account;		/* done, but not taken off */
	}
	if (account->number + 1 != request->number)
		goto fail;
	if (tx_add(ledger->arena, account, sizeof(*account)) != OK ||
	    tx_add(ledger->arena, &ledger->books->total,
	    sizeof(ledger->books->total)) != OK)
		goto fail;
	account->number = request->number;
	account->refused = refuse;
	may_crash(ledger);
	if (!refuse) {
		account->sum += request->amount;
		ledger->books->total += request->amount;
	}
	may_crash(ledger);
	tx_commit(ledger->arena);
	return account;
fail:
	tx_abort(ledger->arena);
	return NULL;
}

/* The supervisor gives up its copy as well, so the client sees the end. */
static void
hang_up(struct connection *connection)
{
	close(connection->fd);
	connection->fd = -1;
	(void)bennu_place_forget(connection->name);
}

static void
serve(struct ledger *ledger, struct connection *connection)
{
	struct ledger_request request;
	struct ledger_answer answer;
	const struct account *account;
	bool refuse;
	ssize_t sent, length = recv(connection->fd, &request, sizeof(request),
	    MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length != (ssize_t)sizeof(request) || request.client == 0) {
		hang_up(connection);
		return;
	}
	refuse = !bennu_place_begin(&ledger->place,
	    request.client << 32 | (request.number & UINT32_MAX), 1);
	may_crash(ledger);
	account = execute(ledger, &request, refuse);
	may_crash(ledger);
	if (account == NULL) {
		hang_up(connection);
		bennu_place_end(&ledger->place, true);
		return;
	}
	answer = (struct ledger_answer){
		.number = account->number, .sum = account->sum,
		.refused = account->refused,
	};
	sent = send(connection->fd, &answer, sizeof(answer),
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	may_crash(ledger);
	/* A client that does not read its answers does not get more served. */
	if (sent == (ssize_t)sizeof(answer))
		(void)recv(connection->fd, &request, sizeof(request),
		    MSG_DONTWAIT);
	else if (errno != EAGAIN)
		hang_up(connection);
	may_crash(ledger);
	bennu_place_end(&ledger->place, refuse);
}

static bool
open_books(struct ledger *ledger)
{
	ledger->books = arena_root(ledger->arena);
	if (ledger->books != NULL)
		return true;
	tx_begin(ledger->arena);
	ledger->books = arena_alloc(ledger->arena, sizeof(*ledger->books));
	if (ledger->books == NULL ||
	    arena_map_create(ledger->arena, &ledger->books->account) != OK ||
	    arena_set_root(ledger->arena, ledger->books) != OK) {
		tx_abort(ledger->arena);
		return false;
	}
	tx_commit(ledger->arena);
	return true;
}

static bool
start(struct ledger *ledger)
{
	struct bennu_place_operations operations = {
		.take = take, .forget = forget, .context = ledger,
	};
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	const char *crash = getenv("LEDGER_CRASH");

	for (unsigned i = 0; i < CONNECTIONS; i++)
		ledger->connection[i].fd = -1;
	ledger->epoll = epoll_create1(EPOLL_CLOEXEC);
	ledger->crash_one_in = crash == NULL ? 0 : strtoul(crash, NULL, 10);
	if (getrandom(&ledger->random, sizeof(ledger->random), 0) < 0)
		return false;
	ledger->random |= 1;
	if (ledger->epoll < 0 ||
	    bennu_place_open(&ledger->place, &operations) != OK)
		return false;
	return bennu_place_arena(&ledger->place, LAYOUT_VERSION,
	    &ledger->arena) == OK && open_books(ledger) &&
	    epoll_ctl(ledger->epoll, EPOLL_CTL_ADD, ledger->place.messages,
	    &event) == 0 && bennu_place_ready(&ledger->place) == OK;
}

/*
 * What a restart did not look at is looked at while nobody asks for anything.
 * Damage is a loss: only a cold start, if the manifest allows it, goes on.
 */
static void
check_a_little(struct ledger *ledger)
{
	bool done;

	if (arena_check_step(ledger->arena, &ledger->checked, &done) != OK) {
		fputs("ledger: the arena is damaged\n", stderr);
		abort();
	}
	if (done)
		ledger->checked = 0;
}

int
ledger_serve(void)
{
	static struct ledger ledger;

	if (!start(&ledger)) {
		fputs("ledger: to be started by bennu-supervise\n", stderr);
		return 1;
	}
	for (;;) {
		struct epoll_event event[EVENTS];
		int count = epoll_wait(ledger.epoll, event, EVENTS, IDLE_MS);

		if (count == 0)
			check_a_little(&ledger);
		for (int i = 0; i < count; i++) {
			struct connection *connection = event[i].data.ptr;

			if (connection != NULL && connection->fd >= 0)
				serve(&ledger, connection);
			else if (connection == NULL &&
			    bennu_place_read(&ledger.place) != OK)
				return 1;
		}
	}
}
