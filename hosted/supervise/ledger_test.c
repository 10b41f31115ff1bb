/* SPDX-License-Identifier: MIT */
/*
 * The example under fire: clients count on each answer exactly once, while the
 * ledger is killed by order, from outside and by itself.
 */
#include "harness_host.h"

#include "example/ledger.h"
#include "protocol.h"

#include <lib/ktap/ktap.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS		8u
#define REQUESTS	1250u	/* of each; fewer in the tier quick */
#define REQUESTS_QUICK	250u

#define COMMON	"command = [\"$R\", \"--ledger\"]\n" \
	"listen = [\"unix-packet:$D/ledger\"]\naccept = true\n" \
	"spare = true\nready = \"notify\"\ndelay_ms = 0\n"
#define LEDGER	COMMON "arena = \"1M\"\nmax_restarts = 100000\n"
#define COLD	COMMON "arena = \"64K\"\nmax_restarts = 0\ncold = true\n"
#define CRASHES	"environment = [\"LEDGER_CRASH=700\", " \
	"\"ASAN_OPTIONS=handle_segv=0:handle_abort=0\"]\n"

static struct harness harness;
static unsigned requests = REQUESTS_QUICK;

struct outcome {
	bool	 ok;
	uint64_t refused, repeated;
};

static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The sum that the ledger says is that of what it did not refuse. */
static struct outcome
use_ledger(const char *path, uint64_t number)
{
	/* A request that was lost is never answered. */
	static const struct timeval patience = { .tv_sec = 20 };
	struct ledger_client client;
	struct ledger_answer answer;
	struct outcome outcome = { 0 };
	uint64_t sum = 0, random = number * 0x9e3779b97f4a7c15ul;

	if (!ledger_connect(&client, path, number) ||
	    setsockopt(client.socket, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof(patience)) != 0)
		return outcome;
	for (unsigned i = 0; i < requests; i++) {
		uint64_t amount = random_next(&random) % 1000;

		if (!ledger_add(&client, amount, &answer))
			return outcome;
		sum += answer.refused != 0 ? 0 : amount;
		outcome.refused += answer.refused;
		if (answer.sum != sum) {
			printf("# client %lu request %u: %lu, not %lu\n",
			    number, i, answer.sum, sum);
			return outcome;
		}
		if (i % 8 == 0)
			harness_pause_ms(random_next(&random) % 4 != 0);
	}
	outcome.repeated = client.repeated;
	outcome.ok = true;
	ledger_close(&client);
	return outcome;
}

static pid_t
start_client(uint64_t number, int to)
{
	char path[128];
	struct outcome outcome;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/ledger", harness.folder);
	fflush(NULL);
	pid = fork();
	if (pid != 0)
		return pid;
	outcome = use_ledger(path, number);
	fflush(NULL);
	_exit(write(to, &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 :
	    1);
}

/* Until all clients are done. By order, or with the signal of a stranger. */
static void
kill_all_the_time(bool strangers)
{
	uint64_t random = 88172645463325252ul;
	unsigned done = 0, kills = 0;

	while (done < CLIENTS) {
		pid_t pid = (pid_t)harness_number(&harness, "ledger", "pid");

		if (strcmp(harness_ask(&harness, "ledger", "state"),
		    "ready") == 0) {
			harness_pause_ms((unsigned)(random_next(&random) % 5));
			if (strangers && kills % 2 == 0 && pid > 0)
				kill(pid, SIGKILL);
			else
				(void)harness_command(&harness, "kill ledger");
			kills++;
		}
		while (waitpid(-1, NULL, WNOHANG) > 0)
			done++;
	}
}

static void
run_clients(bool strangers)
{
	struct outcome outcome, total = { .ok = true };
	unsigned count = 0;
	int ends[2];

	KTAP_REQUIRE(pipe(ends) == 0);
	for (unsigned i = 0; i < CLIENTS; i++)
		KTAP_CHECK(start_client(i + 1, ends[1]) > 0);
	kill_all_the_time(strangers);
	close(ends[1]);
	while (read(ends[0], &outcome, sizeof(outcome)) == sizeof(outcome)) {
		total.ok = total.ok && outcome.ok;
		total.refused += outcome.refused;
		total.repeated += outcome.repeated;
		count++;
	}
	close(ends[0]);
	printf("# %lu deaths, %lu answers came twice, %lu refused\n", harness_count(
	    &harness, "ledger", "deaths"), total.repeated, total.refused);
	KTAP_EQUAL(count, CLIENTS);
	KTAP_CHECK(total.ok);
	/* By order, and by itself; a stranger's kill looks the same. */
	KTAP_CHECK(harness_count(&harness, "ledger", "commanded") >
	    requests / 125);
	KTAP_CHECK(harness_count(&harness, "ledger", "own") > requests / 125);
	/* Nothing is refused but what the policy found to be poison. */
	KTAP_CHECK(total.refused <=
	    harness_count(&harness, "ledger", "poisoned"));
}

static void
begin(const struct harness_options *options, const char *manifest)
{
	harness_create(&harness);
	harness_manifest(&harness, "ledger", manifest);
	harness_start(&harness, options);
	KTAP_CHECK(harness_await_life(&harness, "ledger", 1));
}

static void
test_each_client_sees_each_answer_once(void)
{
	begin(NULL, LEDGER CRASHES);
	run_clients(true);
	/* Who has left has left nothing. */
	KTAP_CHECK(harness_await(&harness, "ledger", "stored", "0"));
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

static void
test_the_same_as_process_1_of_a_namespace(void)
{
	static const struct harness_options options = { .namespace = true };

	if (geteuid() != 0)
		KTAP_SKIP("only root makes namespaces");
	begin(&options, LEDGER CRASHES);
	run_clients(false);
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

static void
test_packet_that_is_no_request_ends_its_connection_only(void)
{
	struct ledger_client good, bad;
	struct ledger_answer answer;
	char path[128];

	begin(NULL, LEDGER);
	snprintf(path, sizeof(path), "%s/ledger", harness.folder);
	KTAP_CHECK(ledger_connect(&good, path, 1));
	KTAP_CHECK(ledger_connect(&bad, path, 2));
	KTAP_CHECK(write(bad.socket, "x", 1) == 1);
	KTAP_CHECK(!ledger_add(&bad, 1, &answer));
	KTAP_CHECK(ledger_add(&good, 5, &answer));
	KTAP_EQUAL(answer.sum, 5);
	ledger_close(&good);
	ledger_close(&bad);
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

static bool
answers_within(const struct ledger_client *client, int ms)
{
	struct pollfd look = { .fd = client->socket, .events = POLLIN };

	return poll(&look, 1, ms) == 1;
}

/* Nobody is killed twice, so no later start mends what was forgotten. */
static void
test_spare_has_all_connections(void)
{
	struct ledger_request request = { .client = 2, .number = 2 };
	struct ledger_client before, after;
	struct ledger_answer answer;
	char path[128];

	begin(NULL, LEDGER);
	snprintf(path, sizeof(path), "%s/ledger", harness.folder);
	KTAP_CHECK(ledger_connect(&before, path, 1));
	KTAP_CHECK(ledger_add(&before, 3, &answer));
	KTAP_CHECK(harness_await(&harness, "ledger", "spare", "waiting"));
	KTAP_CHECK(ledger_connect(&after, path, 2));
	KTAP_CHECK(ledger_add(&after, 4, &answer));
	KTAP_CHECK(harness_command(&harness, "kill ledger"));
	KTAP_CHECK(send(after.socket, &request, sizeof(request), 0) ==
	    sizeof(request));
	KTAP_CHECK(answers_within(&after, 20000));
	request = (struct ledger_request){ .client = 1, .number = 2 };
	KTAP_CHECK(send(before.socket, &request, sizeof(request), 0) ==
	    sizeof(request));
	KTAP_CHECK(answers_within(&before, 20000));
	KTAP_EQUAL(harness_number(&harness, "ledger", "incarnation"), 2);
	ledger_close(&before);
	ledger_close(&after);
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

static void
test_draining_place_gets_no_new_connections(void)
{
	struct ledger_request request = { .client = 2, .number = 1 };
	struct ledger_client old, new;
	struct ledger_answer answer;
	char path[128];

	begin(NULL, LEDGER);
	snprintf(path, sizeof(path), "%s/ledger", harness.folder);
	KTAP_CHECK(ledger_connect(&old, path, 1));
	KTAP_CHECK(ledger_add(&old, 1, &answer));
	KTAP_CHECK(harness_command(&harness, "drain ledger"));
	KTAP_CHECK(harness_await(&harness, "ledger", "state", "draining"));
	KTAP_CHECK(ledger_connect(&new, path, 2));
	KTAP_CHECK(send(new.socket, &request, sizeof(request), 0) ==
	    sizeof(request));
	KTAP_CHECK(ledger_add(&old, 1, &answer));
	KTAP_CHECK(!answers_within(&new, 200));
	KTAP_CHECK(harness_command(&harness, "drain ledger off"));
	KTAP_CHECK(answers_within(&new, 10000));
	ledger_close(&old);
	ledger_close(&new);
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

/* The supervisor has it open; -1: it has none. */
static int
open_arena(pid_t supervisor)
{
	char path[64], name[64];

	for (int fd = 3; fd < 64; fd++) {
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/%d/fd/%d",
		    (int)supervisor, fd);
		length = readlink(path, name, sizeof(name) - 1);
		name[length < 0 ? 0 : length] = '\0';
		if (strstr(name, PLACE_FD_ARENA) != NULL)
			return open(path, O_RDWR | O_CLOEXEC);
	}
	return -1;
}

/* One bit of the last word of that value; false: there is none. */
static bool
flip_bit(int arena, uint64_t value)
{
	uint64_t word;

	for (off_t at = 65536 - 8; at >= 0; at -= 8) {
		if (pread(arena, &word, 8, at) == 8 && word == value) {
			word ^= 1;
			return pwrite(arena, &word, 8, at) == 8;
		}
	}
	return false;
}

static void
test_damage_is_a_loss_that_is_told(void)
{
	struct ledger_client client;
	struct ledger_answer answer;
	char path[128];
	int arena;

	begin(NULL, COLD);
	snprintf(path, sizeof(path), "%s/ledger", harness.folder);
	KTAP_CHECK(ledger_connect(&client, path, 1));
	KTAP_CHECK(ledger_add(&client, 0x123456789, &answer));
	arena = open_arena(harness.pid);
	KTAP_REQUIRE(arena >= 0);
	KTAP_CHECK(flip_bit(arena, 0x123456789));
	close(arena);
	/*
	 * Found by itself, for nobody asks for anything. The first one had
	 * answered, so its death uses up no budget; that of the second does.
	 */
	KTAP_CHECK(harness_await_life(&harness, "ledger", 3));
	KTAP_EQUAL(harness_count(&harness, "ledger", "cold_starts"), 1);
	/* The account is gone, and the client is told: no answer is wrong. */
	KTAP_CHECK(!ledger_add(&client, 1, &answer));
	ledger_close(&client);
	KTAP_CHECK(ledger_connect(&client, path, 1));
	KTAP_CHECK(ledger_add(&client, 5, &answer));
	KTAP_EQUAL(answer.sum, 5);
	ledger_close(&client);
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

int
main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_each_client_sees_each_answer_once),
		KTAP_TEST(test_the_same_as_process_1_of_a_namespace),
		KTAP_TEST(
		    test_packet_that_is_no_request_ends_its_connection_only),
		KTAP_TEST(test_spare_has_all_connections),
		KTAP_TEST(test_draining_place_gets_no_new_connections),
		KTAP_TEST(test_damage_is_a_loss_that_is_told),
	};

	if (argc > 1 && strcmp(argv[1], "--ledger") == 0)
		return ledger_serve();
	if (getenv("BENNU_TEST_MORE") != NULL)
		requests = REQUESTS;
	return KTAP_RUN(tests);
}
