/* SPDX-License-Identifier: MIT */
#include "notify.h"

#include <lib/ktap/ktap.h>

#include <string.h>

static struct notify notify;

static bool
parse(const char *text)
{
	return notify_parse(text, strlen(text), &notify);
}

static void
test_several_lines_count(void)
{
	KTAP_REQUIRE(parse("READY=1\nSTATUS=up\nWATCHDOG=1\n"));
	KTAP_CHECK(notify.ready && notify.watchdog && notify.has_status);
	KTAP_CHECK(strcmp(notify.status, "up") == 0);
	KTAP_CHECK(!notify.stopping && !notify.store && !notify.main_pid);
}

static void
test_last_line_needs_no_end(void)
{
	KTAP_CHECK(parse("RELOADING=1\nSTOPPING=1"));
	KTAP_CHECK(notify.reloading && notify.stopping);
}

static void
test_other_values_are_not_yes(void)
{
	KTAP_REQUIRE(parse("READY=0\nFDSTORE=11\nSTOPPING="));
	KTAP_CHECK(!notify.ready && !notify.store && !notify.stopping);
	KTAP_EQUAL(notify.unknown, 3);
}

static void
test_descriptors_have_a_name(void)
{
	KTAP_REQUIRE(parse("FDSTORE=1\n"));
	KTAP_CHECK(strcmp(notify.name, "stored") == 0);
	KTAP_REQUIRE(parse("FDNAME=c.1\nFDSTOREREMOVE=1"));
	KTAP_CHECK(notify.store_remove && strcmp(notify.name, "c.1") == 0);
}

static void
test_names_that_would_break_a_list_are_refused(void)
{
	KTAP_CHECK(!parse("FDSTORE=1\nFDNAME=a:b"));
	KTAP_CHECK(!parse("FDSTORE=1\nFDNAME="));
	KTAP_CHECK(!parse("FDSTORE=1\nFDNAME=a b"));
	KTAP_CHECK(!parse("FDNAME=12345678901234567890123456789012"));
	KTAP_CHECK(parse("FDNAME=1234567890123456789012345678901"));
}

static void
test_what_is_no_message_is_refused(void)
{
	char text[NOTIFY_BYTES_MAX + 1];

	KTAP_CHECK(!parse(""));
	KTAP_CHECK(!parse("READY"));
	KTAP_CHECK(!parse("READY=1\nnonsense"));
	KTAP_CHECK(!notify_parse("READY=1\0", 8, &notify));
	memset(text, 'a', sizeof(text));
	memcpy(text, "STATUS=", 7);
	KTAP_CHECK(notify_parse(text, sizeof(text) - 1, &notify));
	KTAP_EQUAL(strlen(notify.status), NOTIFY_STATUS_MAX);
	KTAP_CHECK(!notify_parse(text, sizeof(text), &notify));
}

static void
test_status_cannot_control_a_terminal(void)
{
	KTAP_REQUIRE(parse("STATUS=a\033[2Jb"));
	KTAP_CHECK(strcmp(notify.status, "a?[2Jb") == 0);
}

static void
test_more_time_is_bounded(void)
{
	KTAP_REQUIRE(parse("EXTEND_TIMEOUT_USEC=1500"));
	KTAP_EQUAL(notify.extend_ns, 1500000);
	KTAP_REQUIRE(parse("EXTEND_TIMEOUT_USEC=99999999999999999999999"));
	KTAP_EQUAL(notify.extend_ns, 3600000000000ul);
	KTAP_REQUIRE(parse("EXTEND_TIMEOUT_USEC=-1"));
	KTAP_EQUAL(notify.extend_ns, 0);
}

static void
test_another_main_process_is_noticed(void)
{
	KTAP_REQUIRE(parse("MAINPID=1\nREADY=1"));
	KTAP_CHECK(notify.main_pid && notify.ready);
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_several_lines_count),
		KTAP_TEST(test_last_line_needs_no_end),
		KTAP_TEST(test_other_values_are_not_yes),
		KTAP_TEST(test_descriptors_have_a_name),
		KTAP_TEST(test_names_that_would_break_a_list_are_refused),
		KTAP_TEST(test_what_is_no_message_is_refused),
		KTAP_TEST(test_status_cannot_control_a_terminal),
		KTAP_TEST(test_more_time_is_bounded),
		KTAP_TEST(test_another_main_process_is_noticed),
	};

	return KTAP_RUN(tests);
}
