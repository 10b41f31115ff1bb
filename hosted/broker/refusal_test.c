/* SPDX-License-Identifier: MIT */
/*
 * What the broker refuses: by policy, by limit, for its form, and by being
 * started twice. Nobody else notices.
 */
#include "ends_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Runs body in a child under another user; its exit status. */
static int
as_user(uid_t uid, int (*body)(void))
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(setgid(uid) == 0 && setuid(uid) == 0 ? body() : 100);
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
open_others(void)
{
	struct end own = { .domain = harness_connect(&harness) };
	struct broker_totals totals;
	struct broker_list list;

	if (own.domain == NULL)
		return 1;
	if (end_open(&own, "closed", &receives) != ERR_RIGHT)
		return 2;
	if (end_open(&own, "open-1", &sends) != ERR_RIGHT)
		return 3;
	if (end_open(&own, "open-1", &receives) != OK ||
	    own.member.trust != 0xe || own.member.rights != TOKEN_RECEIVE)
		return 4;
	if (end_create(&own, "open-2", &small, &sends) != ERR_RIGHT)
		return 5;
	if (end_create(&own, "mine", &small, &sends) != OK ||
	    own.member.trust != 0)
		return 6;
	if (channel_hosted_totals(own.domain, &totals) != ERR_RIGHT)
		return 7;
	if (channel_hosted_list(own.domain, 0, &list) != OK ||
	    list.count != 1)
		return 8;
	return 0;
}

static int
exceed_limits(void)
{
	struct end own = { .domain = harness_connect(&harness) };

	if (own.domain == NULL)
		return 1;
	for (unsigned i = 0; i < 3; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%u", i);
		if (end_create(&own, name, &small, &receives) !=
		    (i < 2 ? OK : ERR_LIMIT))
			return 2;
	}
	/* A lane is paid by who comes later. */
	if (end_open(&own, "large", &sends) != ERR_LIMIT)
		return 3;
	if (harness_connect(&harness) == NULL)
		return 4;
	return harness_connect(&harness) == NULL ? 0 : 5;
}

TEST(test_policy_decides_who_may_what)
{
	static const char policy[] =
	    "[shared]\nnames = [\"open-*\"]\nusers = [\"65533\"]\n"
	    "rights = [\"receive\"]\ntrust = 0xe\n"
	    "[mine]\nnames = [\"large\"]\nusers = [\"same\"]\n"
	    "rights = [\"create\", \"receive\"]\n"
	    "[large]\nnames = [\"large\"]\nusers = [\"*\"]\n"
	    "rights = [\"send\"]\n"
	    "[limits-few]\nusers = [\"65532\"]\nchannels = 2\n"
	    "processes = 2\nbytes = 1_000_000\n";
	struct channel_config large = small;
	struct end other;

	if (getuid() != 0)
		KTAP_SKIP("needs to become other users");
	start(policy);
	large.buffer_size = 1 << 20;
	other.domain = left.domain;
	EXPECT_EQ(end_create(&left, "closed", &small, &sends), OK);
	EXPECT_EQ(end_create(&right, "open-1", &small, &sends), OK);
	EXPECT_EQ(end_create(&other, "large", &large, &receives), OK);
	EXPECT_EQ(as_user(65533, open_others), 0);
	EXPECT_EQ(as_user(65532, exceed_limits), 0);
	end_close(&other);
	end_close(&left);
	end_close(&right);
	finish();
}

TEST(test_policy_of_a_bad_text_is_refused_with_its_reason)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "x = \n", "line 1" },
		{ "[a]\nnames = [\"*\"]\nrights = []\n", "users or groups" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"*\"]\nfoo = 1\n", "'foo'" },
		{ "[a]\nusers = [\"*\"]\nrights = []\n", "names" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"*\"]\ntrust = 16\n",
		    "trust" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"*\"]\n"
		    "rights = [\"fly\"]\n", "'fly'" },
		{ "[a]\nnames = [\"*\"]\nusers = [\"no such user\"]\n",
		    "no such user" },
		{ "[limits]\nchannels = -1\n", "channels" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *policy = policy_create();
		const char *why = "";

		EXPECT_EQ(policy_read(policy, cases[i].text,
		    strlen(cases[i].text), &why), ERR_ARG);
		if (strstr(why, cases[i].why) == NULL)
			printf("# '%s' lacks '%s'\n", why, cases[i].why);
		EXPECT(strstr(why, cases[i].why) != NULL);
		policy_destroy(policy);
	}
}

/* A connection that speaks for itself. */
static int
raw_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int file = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, harness.path, sizeof(harness.path));
	if (connect(file, (struct sockaddr *)&address, sizeof(address)) != 0)
		abort();
	return file;
}

TEST(test_malformed_request_ends_its_connection_only)
{
	struct broker_packet packet = { .head.kind = BROKER_HELLO };
	struct broker_totals before, after;
	char answer[2048];
	uint32_t random = 1;

	start(NULL);
	EXPECT_EQ(channel_hosted_totals(left.domain, &before), OK);
	for (unsigned i = 0; i < 300; i++) {
		int file = raw_connect();
		size_t length = broker_request_length(BROKER_HELLO);

		packet.value = BROKER_VERSION;
		EXPECT(send(file, &packet, length, 0) == (ssize_t)length);
		uint8_t bytes[512];
		for (unsigned j = 0; j < sizeof(bytes); j++) {
			random = random * 1664525 + 1013904223;
			bytes[j] = (uint8_t)(random >> 24);
		}
		(void)!send(file, bytes, 1 + random % sizeof(bytes),
		    MSG_NOSIGNAL);
		while (recv(file, answer, sizeof(answer), 0) > 0)
			;
		close(file);
	}
	EXPECT_EQ(channel_hosted_totals(left.domain, &after), OK);
	EXPECT_EQ(after.malformed, before.malformed + 300);
	EXPECT_EQ(after.descriptors, before.descriptors);
	finish();
}

TEST(test_client_that_never_reads_delays_nobody)
{
	struct broker_packet hello = {
		.head.kind = BROKER_HELLO, .value = BROKER_VERSION,
	};
	struct broker_packet list = { .head.kind = BROKER_LIST };
	int deaf;
	unsigned sent = 0;

	start(NULL);
	deaf = raw_connect();
	EXPECT(send(deaf, &hello, broker_request_length(BROKER_HELLO), 0) > 0);
	while (send(deaf, &list, broker_request_length(BROKER_LIST),
	    MSG_DONTWAIT) > 0 || errno != EAGAIN) {
		sent++;
		if (sent % 64 == 0)
			harness_pause_ms(1);
		if (sent > 100000)
			break;
	}
	EXPECT(sent < 100000);
	for (unsigned i = 0; i < 100; i++) {
		EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
		EXPECT_EQ(end_open(&right, "a", &receives), OK);
		end_close(&right);
		end_close(&left);
	}
	close(deaf);
	finish();
}

/* Others join and leave, and it never looks: it costs them, not the broker. */
TEST(test_member_that_never_looks_bounds_who_joins)
{
	struct broker_totals totals;
	status_t status = OK;
	unsigned joined = 0;

	start(NULL);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	for (unsigned i = 0; i < 2000 && status == OK; i++) {
		status = end_open(&right, "a", &receives);
		if (status != OK)
			break;
		joined++;
		end_close(&right);
	}
	/* Only what was told, up to the window, is owed; the rest never was. */
	EXPECT_EQ(joined, 2000);
	EXPECT_EQ(channel_hosted_totals(right.domain, &totals), OK);
	EXPECT(totals.lanes <= BROKER_WINDOW);
	unsigned events = 0;
	while (end_next(&left) == OK) {
		events++;
		if (left.event.kind == CHANNEL_PEER_GONE)
			end_drop(&left);
	}
	EXPECT(events >= 2);
	/* Over the connection of the drops, so behind them. */
	EXPECT_EQ(channel_hosted_totals(left.domain, &totals), OK);
	EXPECT_EQ(totals.lanes, 0);
	end_close(&left);
	finish();
}

TEST(test_second_broker_on_a_socket_does_not_start)
{
	struct server_options options;
	pid_t child;
	int status;

	start(NULL);
	options = (struct server_options){
		.socket = harness.path, .policy = policy_create(), .ready = -1,
	};
	child = fork();
	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			abort();
		exit(server_run(&options));
	}
	policy_destroy(options.policy);
	waitpid(child, &status, 0);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	EXPECT_EQ(end_create(&left, "a", &small, &sends), OK);
	end_close(&left);
	finish();
}

/* The program itself; it lies beside the tests. */
static int
run_program(const char *const *arguments)
{
	const char *argv[8] = { "bennu-broker" };
	char path[256], *slash;
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	pid_t child;
	int status = -1;

	if (length < 0)
		return -1;
	path[length] = '\0';
	for (unsigned i = 0; i < 2; i++) {
		slash = strrchr(path, '/');
		if (slash == NULL)
			return -1;
		*slash = '\0';
	}
	strcat(path, "/bin/bennu-broker");
	for (unsigned i = 0; arguments[i] != NULL && i < 6; i++)
		argv[i + 1] = arguments[i];
	child = fork();
	if (child == 0) {
		if (freopen("/dev/null", "w", stdout) == NULL ||
		    freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(98);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(test_options_that_are_wrong_end_the_program_with_2)
{
	static const struct {
		const char *argument[4];
		int status;
	} cases[] = {
		{ { "--help" }, 0 },
		{ { "--check" }, 0 },
		{ { "--policy", "/dev/null", "--check" }, 0 },
		{ { "--policy", "/nowhere/policy", "--check" }, 2 },
		{ { "--policy", "/etc/passwd", "--check" }, 2 },
		{ { "--mode", "0888" }, 2 },
		{ { "--fly" }, 2 },
		{ { "--foreground", "--socket", "/nowhere/at/all" }, 1 },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *argument[5] = { 0 };

		memcpy(argument, cases[i].argument, sizeof(cases[i].argument));
		EXPECT_EQ(run_program(argument), cases[i].status);
	}
}

/* Of the process that has this word among its arguments; 0: none. */
static pid_t
find_process(const char *word)
{
	char path[300], text[512];
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		FILE *file;
		size_t length;

		snprintf(path, sizeof(path), "/proc/%s/cmdline",
		    entry->d_name);
		file = fopen(path, "r");
		if (file == NULL)
			continue;
		length = fread(text, 1, sizeof(text), file);
		if (memmem(text, length, word, strlen(word)) != NULL)
			found = (pid_t)strtol(entry->d_name, NULL, 10);
		fclose(file);
	}
	if (folder != NULL)
		closedir(folder);
	return found;
}

TEST(test_program_in_the_background_serves_and_ends_by_a_signal)
{
	const char *argument[5] = { "--socket", harness.path };
	struct channel_domain *domain;
	pid_t process;

	harness_folder(&harness);
	EXPECT_EQ(run_program(argument), 0);
	domain = harness_connect(&harness);
	EXPECT(domain != NULL);
	if (domain != NULL)
		channel_domain_hosted_close(domain);
	process = find_process(harness.path);
	EXPECT(process != 0);
	if (process != 0)
		kill(process, SIGTERM);
	for (unsigned i = 0; i < 500 && access(harness.path, F_OK) == 0; i++)
		harness_pause_ms(10);
	if (!KTAP_CHECK(access(harness.path, F_OK) != 0) && process != 0)
		kill(process, SIGKILL);
	EXPECT_EQ(rmdir(harness.folder), 0);
}

TEST_MAIN(signal(SIGPIPE, SIG_IGN))
