/* SPDX-License-Identifier: MIT */
/*
 * The supervisor with real processes: order, deaths, time, what is kept. The
 * services are this program, called with --role.
 */
#include "harness_host.h"
#include "role_host.h"

#include <lib/ktap/ktap.h>

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct harness harness;

#define ROLE(words)	"command = [\"$R\", \"--role\", " words "]\n"
#define NOTIFY		"ready = \"notify\"\nlog = \"inherit\"\n"
#define AT_ONCE		"max_restarts = 1000\ndelay_ms = 0\n"

static void
begin(void)
{
	harness_create(&harness);
	setenv("FOLDER", harness.folder, 1);
}

/* Everybody stops when asked to. */
static void
end(void)
{
	KTAP_EQUAL(harness_stop(&harness), 0);
	harness_destroy(&harness);
}

static pid_t
pid_of(const char *service)
{
	return (pid_t)harness_number(&harness, service, "pid");
}

static unsigned
count_descriptors(pid_t pid)
{
	char path[64];
	DIR *folder;
	unsigned count = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	folder = opendir(path);
	while (folder != NULL && readdir(folder) != NULL)
		count++;
	if (folder != NULL)
		closedir(folder);
	return count;
}

static void
test_dead_service_is_back(void)
{
	unsigned before;

	begin();
	harness_manifest(&harness, "a", ROLE("\"beat\"") NOTIFY AT_ONCE);
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	before = count_descriptors(harness.pid);
	KTAP_CHECK(before > 6);
	for (unsigned i = 2; i < 6; i++) {
		kill(pid_of("a"), SIGKILL);
		KTAP_CHECK(harness_await_life(&harness, "a", i));
	}
	KTAP_EQUAL(harness_count(&harness, "a", "deaths"), 4);
	KTAP_EQUAL(harness_count(&harness, "a", "own"), 4);
	KTAP_EQUAL(harness_count(&harness, "a", "restarts"), 4);
	KTAP_EQUAL(count_descriptors(harness.pid), before);
	end();
}

static void
test_needed_are_ready_first_and_stop_last(void)
{
	begin();
	/* Against the order of their names, both times. */
	harness_manifest(&harness, "a", ROLE("\"order\", \"a\", \"1\"") NOTIFY
	    "needs = [\"c\"]\n");
	harness_manifest(&harness, "b", ROLE("\"order\", \"b\", \"50\"")
	    NOTIFY);
	harness_manifest(&harness, "c", ROLE("\"order\", \"c\", \"50\"") NOTIFY
	    "needs = [\"d:x\"]\n");
	harness_manifest(&harness, "d", ROLE("\"order\", \"d\", \"50\"") NOTIFY
	    "needs = [\"b\"]\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	KTAP_CHECK(strcmp(harness_ask(&harness, "a", "text"), "serves") == 0);
	KTAP_EQUAL(harness_stop(&harness), 0);
	KTAP_CHECK(harness_await_file(&harness, "notes",
	    "start b\nready b\nstart d\nready d\nstart c\nready c\n"
	    "start a\nready a\nstop a\nstop c\nstop d\nstop b\n"));
	harness_destroy(&harness);
}

static void
test_groups_start_one_after_the_other(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"order\", \"a\", \"1\"") NOTIFY
	    "group = 2\n");
	harness_manifest(&harness, "b", ROLE("\"order\", \"b\", \"80\"") NOTIFY
	    "group = 1\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	KTAP_CHECK(harness_await_file(&harness, "notes",
	    "start b\nready b\nstart a\nready a\n"));
	end();
}

static void
test_restarts_are_put_off_longer_each_time(void)
{
	uint64_t start = harness_now_ns();

	begin();
	harness_manifest(&harness, "a", ROLE("\"exit\", \"1\"")
	    "max_restarts = 4\ndelay_ms = 100\njitter_permille = 0\n"
	    "give_up = true\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "state", "given-up"));
	/* At once, then after 100, 200 and 400 ms. */
	KTAP_CHECK(harness_now_ns() - start >= 700000000);
	KTAP_EQUAL(harness_count(&harness, "a", "deaths"), 5);
	KTAP_EQUAL(harness_count(&harness, "a", "given_up"), 1);
	harness_pause_ms(300);
	KTAP_EQUAL(harness_count(&harness, "a", "deaths"), 5);
	end();
}

static void
test_given_up_is_not_final_by_default(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"exit\", \"1\"")
	    "max_restarts = 1\ndelay_ms = 0\nretry_ms = 200\n");
	harness_start(&harness, NULL);
	for (unsigned i = 0; i < 600 &&
	    harness_count(&harness, "a", "given_up") < 3; i++)
		harness_pause_ms(10);
	KTAP_CHECK(harness_count(&harness, "a", "given_up") >= 3);
	end();
}

static void
test_who_left_well_stays_away_on_failure_policy(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"exit\", \"0\"")
	    "restart = \"on-failure\"\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "state", "stopped"));
	KTAP_EQUAL(harness_number(&harness, "a", "incarnation"), 1);
	KTAP_CHECK(harness_command(&harness, "start a"));
	KTAP_CHECK(harness_await(&harness, "a", "incarnation", "2"));
	end();
}

static void
test_program_that_is_not_there_is_a_death(void)
{
	begin();
	harness_manifest(&harness, "a",
	    "command = [\"/nowhere/program\"]\nmax_restarts = 1\n"
	    "delay_ms = 0\ngive_up = true\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "state", "given-up"));
	KTAP_CHECK(harness_command(&harness, "logs a"));
	KTAP_CHECK(strstr(harness.text, "/nowhere/program: No such file") !=
	    NULL);
	end();
}

static void
test_who_misses_the_watchdog_is_killed(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"hang\"") NOTIFY AT_ONCE
	    "watchdog_ms = 400\n");
	harness_manifest(&harness, "b", ROLE("\"beat\"") NOTIFY AT_ONCE
	    "watchdog_ms = 2000\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 2));
	KTAP_CHECK(harness_count(&harness, "a", "hangs") >= 1);
	KTAP_EQUAL(harness_count(&harness, "b", "deaths"), 0);
	end();
}

static void
test_who_is_not_ready_in_time_is_killed(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"order\", \"a\", \"60000\"")
	    NOTIFY "start_timeout_ms = 200\nmax_restarts = 1\ndelay_ms = 0\n"
	    "give_up = true\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "state", "given-up"));
	KTAP_EQUAL(harness_count(&harness, "a", "deaths"), 2);
	end();
}

static void
test_who_ignores_the_signal_is_killed(void)
{
	begin();
	harness_manifest(&harness, "a",
	    "command = [\"/bin/sh\", \"-c\", \"trap '' TERM; while :; do "
	    "sleep 0.1; done\"]\nstop_timeout_ms = 300\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	harness_pause_ms(200);
	KTAP_CHECK(harness_command(&harness, "stop a"));
	KTAP_CHECK(harness_await(&harness, "a", "state", "stopped"));
	KTAP_CHECK(harness_await(&harness, "a", "pid", "0"));
	harness_pause_ms(100);
	KTAP_EQUAL(harness_number(&harness, "a", "incarnation"), 1);
	end();
}

static void
test_spare_takes_over_with_the_arena(void)
{
	char text[64];

	begin();
	harness_manifest(&harness, "a", ROLE("\"arena\"") NOTIFY AT_ONCE
	    "arena = \"64K\"\nspare = true\n");
	harness_start(&harness, NULL);
	for (unsigned i = 1; i < 5; i++) {
		pid_t old;

		KTAP_CHECK(harness_await_life(&harness, "a", i));
		KTAP_CHECK(harness_await(&harness, "a", "spare", "waiting"));
		snprintf(text, sizeof(text), "%u of %u cold 0", i, i);
		KTAP_CHECK(harness_await(&harness, "a", "text", text));
		old = pid_of("a");
		kill(old, SIGKILL);
		KTAP_CHECK(harness_await_life(&harness, "a", i + 1));
		/* It was there before the other died. */
		KTAP_CHECK(pid_of("a") > old);
	}
	end();
}

static void
test_cold_start_empties_the_arena(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"arena\"") NOTIFY
	    "arena = \"64K\"\nmax_restarts = 1\ndelay_ms = 0\ncold = true\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "text", "1 of 1 cold 0"));
	kill(pid_of("a"), SIGKILL);
	KTAP_CHECK(harness_await(&harness, "a", "text", "2 of 2 cold 0"));
	kill(pid_of("a"), SIGKILL);
	KTAP_CHECK(harness_await(&harness, "a", "text", "1 of 3 cold 1"));
	end();
}

static void
test_request_that_kills_twice_is_refused(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"poison\"") NOTIFY
	    "spare = true\ndelay_ms = 0\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "text", "refused"));
	KTAP_EQUAL(harness_count(&harness, "a", "deaths"), 2);
	KTAP_EQUAL(harness_count(&harness, "a", "poisoned"), 1);
	end();
}

static void
test_stored_descriptors_come_back(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"keep\"") NOTIFY AT_ONCE
	    "descriptors = 4\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	KTAP_EQUAL(harness_number(&harness, "a", "stored"), 1);
	kill(pid_of("a"), SIGKILL);
	KTAP_CHECK(harness_await_life(&harness, "a", 2));
	KTAP_CHECK(harness_await_file(&harness, "names", "note"));
	KTAP_CHECK(harness_await_file(&harness, "kept", "from the first"));
	KTAP_EQUAL(harness_number(&harness, "a", "stored"), 0);
	end();
}

static void
test_descriptors_beyond_the_limit_are_refused(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"keep\"") NOTIFY AT_ONCE);
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	KTAP_EQUAL(harness_number(&harness, "a", "stored"), 0);
	KTAP_EQUAL(harness_count(&harness, "a", "stored_refused"), 1);
	end();
}

static void
test_only_the_main_process_is_believed(void)
{
	char path[128];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	begin();
	harness_manifest(&harness, "a", ROLE("\"liar\"") NOTIFY);
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_file(&harness, "lied", "yes"));
	snprintf(path, sizeof(path), "%s/run/notify", harness.folder);
	memcpy(address.sun_path, path, strlen(path));
	KTAP_CHECK(sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&address,
	    sizeof(address)) == 7);
	close(fd);
	KTAP_CHECK(strcmp(harness_ask(&harness, "a", "state"), "starting") ==
	    0);
	KTAP_EQUAL(harness_count(&harness, "a", "messages_refused"), 3);
	end();
}

static void
test_ready_by_a_line_on_a_descriptor(void)
{
	begin();
	harness_manifest(&harness, "a",
	    "command = [\"/bin/sh\", \"-c\", \"sleep 0.3; echo >&5; exec "
	    "sleep 600\"]\nready = \"fd\"\nready_fd = 5\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "state", "starting"));
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	end();
}

static int
connect_to_service(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket",
	    harness.folder);
	KTAP_CHECK(connect(fd, (struct sockaddr *)&address,
	    sizeof(address)) == 0);
	return fd;
}

static void
test_who_connects_in_between_is_served_by_the_next(void)
{
	char text[8] = "";
	int fd;

	begin();
	harness_manifest(&harness, "a", ROLE("\"greet\"") NOTIFY AT_ONCE
	    "listen = [\"unix:$D/socket\"]\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	KTAP_CHECK(harness_command(&harness, "stop a"));
	KTAP_CHECK(harness_await(&harness, "a", "state", "stopped"));
	fd = connect_to_service();
	KTAP_CHECK(harness_command(&harness, "start a"));
	KTAP_CHECK(read(fd, text, sizeof(text)) == 5);
	KTAP_CHECK(strcmp(text, "hello") == 0);
	close(fd);
	end();
}

static void
test_what_was_said_before_death_counts(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"last-words\"") NOTIFY
	    "descriptors = 1\n");
	harness_start(&harness, NULL);
	KTAP_CHECK(harness_await(&harness, "a", "text", "has them"));
	KTAP_EQUAL(harness_number(&harness, "a", "incarnation"), 2);
	end();
}

static void
test_death_by_command_is_nobodys_fault(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"beat\"") NOTIFY
	    "max_restarts = 0\ngive_up = true\n");
	harness_start(&harness, NULL);
	for (unsigned i = 1; i < 4; i++) {
		KTAP_CHECK(harness_await_life(&harness, "a", i));
		KTAP_CHECK(harness_command(&harness, i % 2 == 0 ?
		    "kill a" : "restart a"));
	}
	KTAP_CHECK(harness_await_life(&harness, "a", 4));
	KTAP_EQUAL(harness_count(&harness, "a", "own"), 0);
	KTAP_EQUAL(harness_count(&harness, "a", "commanded"), 3);
	end();
}

static void
test_who_leaks_is_renewed_before_it_fails(void)
{
	if (getenv("BENNU_TEST_MORE") == NULL)
		KTAP_SKIP("takes half a minute: tier full");
	begin();
	harness_manifest(&harness, "a", ROLE("\"leak\"") NOTIFY
	    "predict = true\nwindow_ms = 5000\n");
	harness_manifest(&harness, "b", ROLE("\"beat\"") NOTIFY
	    "predict = true\nwindow_ms = 5000\n");
	harness_start(&harness, NULL);
	harness_pause_ms(20000);
	KTAP_EQUAL(harness_count(&harness, "a", "predicted"), 0);
	KTAP_CHECK(harness_await_life(&harness, "a", 2));
	KTAP_EQUAL(harness_count(&harness, "a", "predicted"), 1);
	KTAP_EQUAL(harness_count(&harness, "a", "own"), 0);
	KTAP_EQUAL(harness_count(&harness, "b", "deaths"), 0);
	end();
}

static void
test_commands_name_what_is_wrong(void)
{
	begin();
	harness_manifest(&harness, "a", ROLE("\"beat\"") NOTIFY);
	harness_start(&harness, NULL);
	KTAP_CHECK(!harness_command(&harness, "dance"));
	KTAP_CHECK(strstr(harness.text, "'dance'") != NULL);
	KTAP_CHECK(!harness_command(&harness, "kill b"));
	KTAP_CHECK(strstr(harness.text, "'b'") != NULL);
	KTAP_CHECK(!harness_command(&harness, "kill"));
	KTAP_CHECK(!harness_command(&harness, "drain a"));
	KTAP_CHECK(!harness_command(&harness, "policy a delay_ms x"));
	KTAP_CHECK(harness_command(&harness, "policy a delay_ms 7"));
	KTAP_CHECK(strstr(harness.text, "\ndelay_ms 7\n") != NULL);
	end();
}

/* --- Process 1 -------------------------------------------------------------------- */

static void
test_process_1_reaps_orphans_and_stops_in_order(void)
{
	static const struct harness_options options = { .namespace = true };

	begin();
	harness_manifest(&harness, "a", ROLE("\"orphan\"") NOTIFY
	    "needs = [\"b\"]\n");
	harness_manifest(&harness, "b", ROLE("\"order\", \"b\", \"1\"")
	    NOTIFY);
	if (geteuid() != 0) {
		harness_destroy(&harness);
		KTAP_SKIP("only root makes namespaces");
	}
	harness_start(&harness, &options);
	KTAP_CHECK(harness_await_life(&harness, "a", 1));
	/* Numbers of processes are those of the namespace. */
	KTAP_CHECK(pid_of("a") < 10);
	harness_pause_ms(400);
	/* No child of process 1 is left but the two. */
	char path[64], children[256] = "";
	FILE *file;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children",
	    (int)harness.pid, (int)harness.pid);
	file = fopen(path, "re");
	KTAP_REQUIRE(file != NULL);
	(void)!fgets(children, sizeof(children), file);
	fclose(file);
	unsigned count = 0;
	for (const char *at = children; *at != '\0'; at++)
		count += *at == ' ';
	KTAP_EQUAL(count, 2);
	KTAP_EQUAL(harness_stop(&harness), 0);
	KTAP_CHECK(harness_await_file(&harness, "notes",
	    "start b\nready b\nstop b\n"));
	harness_destroy(&harness);
}

static void
test_end_of_the_main_service_is_the_end(void)
{
	static const struct harness_options options = {
		.namespace = true, .main = "a",
	};

	begin();
	harness_manifest(&harness, "a",
	    "command = [\"/bin/sh\", \"-c\", \"sleep 0.5; exit 42\"]\n"
	    "restart = \"never\"\nneeds = [\"b\"]\n");
	harness_manifest(&harness, "b", ROLE("\"order\", \"b\", \"1\"")
	    NOTIFY);
	if (geteuid() != 0) {
		harness_destroy(&harness);
		KTAP_SKIP("only root makes namespaces");
	}
	harness_start(&harness, &options);
	KTAP_EQUAL(harness_wait(&harness), 42);
	KTAP_CHECK(harness_await_file(&harness, "notes",
	    "start b\nready b\nstop b\n"));
	harness_destroy(&harness);
}

int
main(int argc, char **argv)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_dead_service_is_back),
		KTAP_TEST(test_needed_are_ready_first_and_stop_last),
		KTAP_TEST(test_groups_start_one_after_the_other),
		KTAP_TEST(test_restarts_are_put_off_longer_each_time),
		KTAP_TEST(test_given_up_is_not_final_by_default),
		KTAP_TEST(test_who_left_well_stays_away_on_failure_policy),
		KTAP_TEST(test_program_that_is_not_there_is_a_death),
		KTAP_TEST(test_who_misses_the_watchdog_is_killed),
		KTAP_TEST(test_who_is_not_ready_in_time_is_killed),
		KTAP_TEST(test_who_ignores_the_signal_is_killed),
		KTAP_TEST(test_spare_takes_over_with_the_arena),
		KTAP_TEST(test_cold_start_empties_the_arena),
		KTAP_TEST(test_request_that_kills_twice_is_refused),
		KTAP_TEST(test_stored_descriptors_come_back),
		KTAP_TEST(test_descriptors_beyond_the_limit_are_refused),
		KTAP_TEST(test_only_the_main_process_is_believed),
		KTAP_TEST(test_ready_by_a_line_on_a_descriptor),
		KTAP_TEST(test_who_connects_in_between_is_served_by_the_next),
		KTAP_TEST(test_what_was_said_before_death_counts),
		KTAP_TEST(test_death_by_command_is_nobodys_fault),
		KTAP_TEST(test_who_leaks_is_renewed_before_it_fails),
		KTAP_TEST(test_commands_name_what_is_wrong),
		KTAP_TEST(test_process_1_reaps_orphans_and_stops_in_order),
		KTAP_TEST(test_end_of_the_main_service_is_the_end),
	};

	if (argc > 2 && strcmp(argv[1], "--role") == 0)
		return role_run(argv + 2);
	return KTAP_RUN(tests);
}
