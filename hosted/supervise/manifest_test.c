/* SPDX-License-Identifier: MIT */
/* Manifests: what is read, and that each mistake is named. */
#include "manifest.h"

#include <lib/ktap/ktap.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define LEAST	"name = \"a\"\ncommand = [\"/bin/true\"]\n"

static struct manifest manifest;
static struct manifest_error error;

static bool
parse(const char *text)
{
	return manifest_parse(text, strlen(text), &manifest, &error);
}

static void
test_least_manifest_has_the_defaults_of_the_page(void)
{
	KTAP_REQUIRE(parse(LEAST));
	KTAP_CHECK(strcmp(manifest.name, "a") == 0);
	KTAP_CHECK(strcmp(manifest.command[0], "/bin/true") == 0);
	KTAP_CHECK(manifest.command[1] == NULL);
	KTAP_EQUAL(manifest.policy.restart, SUPERVISE_RESTART_ALWAYS);
	KTAP_EQUAL(manifest.policy.max_restarts, 3);
	KTAP_EQUAL(manifest.policy.window_ns, 60000000000ul);
	KTAP_EQUAL(manifest.policy.delay_ns, 1000000000ul);
	KTAP_EQUAL(manifest.policy.jitter_permille, 100);
	KTAP_EQUAL(manifest.policy.beat_ns, 0);
	KTAP_EQUAL(manifest.retry_ns, 60000000000ul);
	KTAP_EQUAL(manifest.ready, READY_START);
	KTAP_EQUAL(manifest.log, LOG_PREFIX);
	KTAP_EQUAL(manifest.stop_signal, SIGTERM);
	KTAP_EQUAL(manifest.descriptors, 0);
	KTAP_CHECK(!manifest_is_place(&manifest));
}

static void
test_all_keys_are_read(void)
{
	KTAP_REQUIRE(parse(LEAST "group = 7\nneeds = [\"b\", \"c:open\"]\n"
	    "restart = \"on-failure\"\nmax_restarts = 9\nwindow_ms = 10\n"
	    "delay_ms = 20\njitter_permille = 30\ncold = true\n"
	    "predict = true\ngive_up = true\nspare = true\n"
	    "urgent = true\narena = \"2M\"\n"
	    "listen = [\"unix:/run/x\"]\naccept = true\ndescriptors = 12\n"
	    "environment = [\"A=1\"]\ndirectory = \"/tmp\"\nuser = \"nobody\"\n"
	    "ready = \"notify\"\nwatchdog_ms = 500\nstart_timeout_ms = 40\n"
	    "stop_timeout_ms = 50\nstop_signal = \"INT\"\nlog = \"/var/l\"\n"));
	KTAP_EQUAL(manifest.group, 7);
	KTAP_EQUAL(manifest.needs_count, 2);
	KTAP_CHECK(strcmp(manifest.needs[1], "c") == 0);
	KTAP_EQUAL(manifest.policy.restart, SUPERVISE_RESTART_ON_FAILURE);
	KTAP_EQUAL(manifest.policy.max_restarts, 9);
	KTAP_EQUAL(manifest.policy.window_ns, 10000000);
	KTAP_EQUAL(manifest.policy.delay_ns, 20000000);
	KTAP_EQUAL(manifest.policy.jitter_permille, 30);
	KTAP_EQUAL(manifest.policy.cold, 1);
	KTAP_EQUAL(manifest.policy.predict, 1);
	KTAP_EQUAL(manifest.policy.beat_ns, 250000000);
	KTAP_EQUAL(manifest.retry_ns, SUPERVISE_NEVER);
	KTAP_EQUAL(manifest.arena_size, 2 << 20);
	KTAP_EQUAL(manifest.descriptors, 12);
	KTAP_CHECK(manifest.spare && manifest.accept && manifest.urgent);
	KTAP_CHECK(strcmp(manifest.environment[0], "A=1") == 0);
	KTAP_CHECK(strcmp(manifest.user, "nobody") == 0);
	KTAP_EQUAL(manifest.start_timeout_ns, 40000000);
	KTAP_EQUAL(manifest.stop_timeout_ns, 50000000);
	KTAP_EQUAL(manifest.stop_signal, SIGINT);
	KTAP_EQUAL(manifest.log, LOG_FILE);
	KTAP_CHECK(manifest_is_place(&manifest));
}

static void
test_keys_of_places_in_the_machine_are_accepted(void)
{
	KTAP_CHECK(parse(LEAST "provides = [\"open\"]\nclass = \"high\"\n"
	    "slots = 4096\nframes = 0\nobjects = 0\nweight = 100\n"
	    "stack = \"32K\"\nimage = \"a.elf\"\nrequest_budget_us = 5\n"));
}

static void
test_each_mistake_names_its_key(void)
{
	static const struct {
		const char *text, *key;
	} wrong[] = {
		{ "command = [\"/bin/true\"]\n", "'name'" },
		{ "name = \"a/b\"\ncommand = [\"/bin/true\"]\n", "'name'" },
		{ "name = \"..\"\ncommand = [\"/bin/true\"]\n", "'name'" },
		{ "name = \"a\"\n", "'command'" },
		{ "name = \"a\"\ncommand = [\"true\"]\n", "'command'" },
		{ LEAST "restrat = \"never\"\n", "'restrat'" },
		{ LEAST "restart = \"sometimes\"\n", "'restart'" },
		{ LEAST "max_restarts = -1\n", "'max_restarts'" },
		{ LEAST "window_ms = 0\n", "'window_ms'" },
		{ LEAST "window_ms = \"1\"\n", "'window_ms'" },
		{ LEAST "jitter_permille = 1001\n", "'jitter_permille'" },
		{ LEAST "cold = 1\n", "'cold'" },
		{ LEAST "arena = \"16\"\n", "'arena'" },
		{ LEAST "arena = \"1K\"\n", "'arena'" },
		{ LEAST "arena = \"9999999999999999999G\"\n", "'arena'" },
		{ LEAST "accept = true\nready = \"notify\"\n", "'accept'" },
		{ LEAST "spare = true\n", "'spare'" },
		{ LEAST "descriptors = 5000\n", "'descriptors'" },
		{ LEAST "environment = [\"=x\"]\n", "'environment'" },
		{ LEAST "directory = \"tmp\"\n", "'directory'" },
		{ LEAST "log = \"somewhere\"\n", "'log'" },
		{ LEAST "needs = [\"a b\"]\n", "'needs'" },
		{ LEAST "ready = \"fd\"\nready_fd = 2\n", "'ready_fd'" },
		{ LEAST "ready = \"fd\"\ndescriptors = 4\nready_fd = 6\n",
		    "'ready_fd'" },
		{ LEAST "stop_signal = \"9\"\n", "'stop_signal'" },
		{ LEAST "user = \"\"\n", "'user'" },
		{ LEAST "[table]\nname = \"b\"\n", "'name'" },
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool ok = parse(wrong[i].text);

		if (ok || strstr(error.text, wrong[i].key) == NULL)
			printf("# %s: '%s'\n", wrong[i].text, error.text);
		KTAP_CHECK(!ok);
		KTAP_CHECK(strstr(error.text, wrong[i].key) != NULL);
		KTAP_EQUAL(error.line, 0);
	}
}

static void
test_text_that_is_no_toml_has_a_line(void)
{
	KTAP_CHECK(!parse(LEAST "group == 3\n"));
	KTAP_EQUAL(error.line, 3);
}

static void
test_missing_file_is_an_error(void)
{
	KTAP_CHECK(!manifest_read("/nowhere/a.toml", &manifest, &error));
	KTAP_CHECK(strstr(error.text, "No such file") != NULL);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_least_manifest_has_the_defaults_of_the_page),
		KTAP_TEST(test_all_keys_are_read),
		KTAP_TEST(test_keys_of_places_in_the_machine_are_accepted),
		KTAP_TEST(test_each_mistake_names_its_key),
		KTAP_TEST(test_text_that_is_no_toml_has_a_line),
		KTAP_TEST(test_missing_file_is_an_error),
	};

	return KTAP_RUN(tests);
}
