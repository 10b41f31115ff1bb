/* SPDX-License-Identifier: MIT */
/* Manifests together, and their sockets: what is wrong is said by name. */
#include "harness_host.h"
#include "server.h"

#include <lib/ktap/ktap.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COMMAND	"command = [\"/bin/true\"]\n"

static struct harness harness;

/* Reads the folder; what was said is in the file "said". */
static bool
load(bool check)
{
	const char *path[] = { harness.folder };
	struct server_options options = {
		.path = path, .path_count = 1, .check = check,
	};
	struct server *server = calloc(1, sizeof(*server));
	char said[128];
	int file, kept = dup(2);
	bool ok;

	snprintf(said, sizeof(said), "%s/said", harness.folder);
	file = open(said, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(file, 2);
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	supervise_create(&server->policy, 1);
	ok = server_load(server, &options);
	for (unsigned i = 0; i < server->count; i++)
		service_destroy(server->service[i]);
	close(server->epoll);
	free(server);
	dup2(kept, 2);
	close(kept);
	close(file);
	return ok;
}

static bool
says(const char *text)
{
	const char *said = harness_file(&harness, "said");

	if (strstr(said, text) != NULL)
		return true;
	printf("# said '%s'\n", said);
	return false;
}

static void
test_manifests_of_a_folder_belong_together(void)
{
	harness_create(&harness);
	harness_manifest(&harness, "a", COMMAND "needs = [\"b\"]\n");
	harness_manifest(&harness, "b", COMMAND);
	KTAP_CHECK(load(false));
	harness_destroy(&harness);
}

static void
test_need_that_nobody_is_is_named(void)
{
	harness_create(&harness);
	harness_manifest(&harness, "a", COMMAND "needs = [\"c\"]\n");
	KTAP_CHECK(!load(true));
	KTAP_CHECK(says("a: key 'needs': there is no service 'c'"));
	harness_destroy(&harness);
}

static void
test_circle_of_needs_is_refused(void)
{
	harness_create(&harness);
	harness_manifest(&harness, "a", COMMAND "needs = [\"b\"]\n");
	harness_manifest(&harness, "b", COMMAND "needs = [\"c\"]\n");
	harness_manifest(&harness, "c", COMMAND "needs = [\"a\"]\n");
	KTAP_CHECK(!load(true));
	KTAP_CHECK(says("c: key 'needs': 'a' needs it, too"));
	harness_destroy(&harness);
}

static void
test_mistake_names_file_and_key(void)
{
	harness_create(&harness);
	harness_manifest(&harness, "a", COMMAND "restart = \"now\"\n");
	KTAP_CHECK(!load(true));
	KTAP_CHECK(says("/a.toml: key 'restart': 'now'"));
	harness_manifest(&harness, "a", COMMAND "restart\n");
	KTAP_CHECK(!load(true));
	KTAP_CHECK(says("/a.toml:3: "));
	harness_destroy(&harness);
}

static void
test_name_is_taken_once(void)
{
	harness_create(&harness);
	harness_manifest(&harness, "a", COMMAND);
	harness_manifest(&harness, "b", COMMAND);
	char from[128], to[128];
	snprintf(from, sizeof(from), "%s/a.toml", harness.folder);
	snprintf(to, sizeof(to), "%s/c.toml", harness.folder);
	KTAP_CHECK(link(from, to) == 0);
	KTAP_CHECK(!load(true));
	KTAP_CHECK(says("/c.toml: key 'name': is taken"));
	harness_destroy(&harness);
}

static void
test_user_that_is_not_there_is_an_error(void)
{
	harness_create(&harness);
	harness_manifest(&harness, "a", COMMAND
	    "user = \"nobody-of-this-name\"\n");
	KTAP_CHECK(!load(false));
	KTAP_CHECK(says("a: key 'user'"));
	harness_destroy(&harness);
}

/* --- Addresses ------------------------------------------------------------ */

static bool
opens(const char *text, struct listener *out)
{
	const char *why;

	memset(out, 0, sizeof(*out));
	out->watch.fd = -1;
	return listener_open(out, text, &why);
}

static void
test_addresses_of_each_kind_are_opened(void)
{
	static const struct {
		const char *text;
		int	 family, type;
		const char *name;
	} good[] = {
		{ "unix:@bennu-test-stream", AF_UNIX, SOCK_STREAM, "listen" },
		{ "a=unix-packet:@bennu-test-packet", AF_UNIX,
		    SOCK_SEQPACKET, "a" },
		{ "unix-datagram:@bennu-test-datagram", AF_UNIX, SOCK_DGRAM,
		    "listen" },
		{ "tcp:127.0.0.1:0", AF_INET, SOCK_STREAM, "listen" },
		{ "web=tcp:[::1]:0", AF_INET6, SOCK_STREAM, "web" },
		{ "udp:127.0.0.1:0", AF_INET, SOCK_DGRAM, "listen" },
	};

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct listener listener;
		int family = -1, type = -1;
		socklen_t length = sizeof(int);

		KTAP_CHECK(opens(good[i].text, &listener));
		getsockopt(listener.watch.fd, SOL_SOCKET, SO_DOMAIN, &family,
		    &length);
		getsockopt(listener.watch.fd, SOL_SOCKET, SO_TYPE, &type,
		    &length);
		KTAP_EQUAL(family, good[i].family);
		KTAP_EQUAL(type, good[i].type);
		KTAP_CHECK(strcmp(listener.name, good[i].name) == 0);
		listener_close(&listener);
	}
}

static void
test_what_is_no_address_is_refused(void)
{
	static const char *const wrong[] = {
		"", "unix:", "unix:x", "unix:relative", "tcp:80",
		"tcp:localhost:80", "tcp:127.0.0.1:", "tcp:127.0.0.1:65536",
		"tcp:127.0.0.1:8o", "tcp:::1:80", "tcp:[::1]", "ftp:/x",
		"=unix:/x",
	};
	struct listener listener;

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		KTAP_CHECK(!opens(wrong[i], &listener));
}

static void
test_only_a_socket_that_nobody_serves_is_replaced(void)
{
	struct listener first, second;
	char text[160], path[128];
	const char *why;

	harness_create(&harness);
	snprintf(path, sizeof(path), "%s/socket", harness.folder);
	snprintf(text, sizeof(text), "unix:%s", path);
	KTAP_REQUIRE(opens(text, &first));
	KTAP_CHECK(!listener_open(&second, text, &why));
	KTAP_CHECK(strstr(why, "in use") != NULL);
	/* As after a crash: the socket is there, nobody listens. */
	first.unlink[0] = '\0';
	listener_close(&first);
	KTAP_CHECK(access(path, F_OK) == 0);
	KTAP_CHECK(opens(text, &second));
	listener_close(&second);
	KTAP_CHECK(access(path, F_OK) != 0);
	harness_append(path, "a file");
	KTAP_CHECK(!listener_open(&second, text, &why));
	KTAP_CHECK(strcmp(harness_file(&harness, "socket"), "a file") == 0);
	harness_destroy(&harness);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_manifests_of_a_folder_belong_together),
		KTAP_TEST(test_need_that_nobody_is_is_named),
		KTAP_TEST(test_circle_of_needs_is_refused),
		KTAP_TEST(test_mistake_names_file_and_key),
		KTAP_TEST(test_name_is_taken_once),
		KTAP_TEST(test_user_that_is_not_there_is_an_error),
		KTAP_TEST(test_addresses_of_each_kind_are_opened),
		KTAP_TEST(test_what_is_no_address_is_refused),
		KTAP_TEST(test_only_a_socket_that_nobody_serves_is_replaced),
	};

	return KTAP_RUN(tests);
}
