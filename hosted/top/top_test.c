/* SPDX-License-Identifier: MIT */
#include "show.h"

#include <hosted/demo/meeting.h>
#include <lib/channel/channel.h>
#include <lib/test/ktap.h>

#include <stdlib.h>
#include <string.h>

static struct statistics_page
page_of(uint64_t channel, uint64_t member, unsigned role)
{
	struct statistics_page page = { .magic = STATISTICS_MAGIC,
		.size = sizeof(page), .channel = channel, .member = member,
		.role = role };

	snprintf(page.name, sizeof(page.name), "channel-%lu", channel);
	return page;
}

static struct summary
difference(struct sample *before, struct sample *now)
{
	struct summary summary;

	sample_sort(before);
	sample_sort(now);
	EXPECT(summary_make(before, now, &summary));
	sample_clear(before);
	sample_clear(now);
	return summary;
}

TEST(test_rates_are_differences_by_time)
{
	struct statistics_page sender = page_of(5, 1, CHANNEL_SENDER);
	struct statistics_page receiver = page_of(5, 2, CHANNEL_RECEIVER);
	struct sample before = { .time_ns = 1000000000 };
	struct sample now = { .time_ns = 3000000000 };
	struct summary summary;

	sender.counters.sent = 100;
	EXPECT_EQ(sample_add(&before, &sender), OK);
	EXPECT_EQ(sample_add(&before, &receiver), OK);
	sender.counters.sent = 500;
	sender.counters.bytes_sent = 4000;
	receiver.counters.received = 500;
	receiver.counters.slept = 6;
	receiver.counters.slow = 250;
	receiver.counters.zero_copy = 100;
	receiver.counters.dropped_oldest = 3;
	EXPECT_EQ(sample_add(&now, &receiver), OK);
	EXPECT_EQ(sample_add(&now, &sender), OK);
	summary = difference(&before, &now);
	EXPECT_EQ(summary.count, 1);
	EXPECT_EQ(summary.row[0].senders, 1);
	EXPECT_EQ(summary.row[0].receivers, 1);
	EXPECT(summary.row[0].messages == 200);
	EXPECT(summary.row[0].bytes == 2000);
	EXPECT(summary.row[0].sleeps == 3);
	EXPECT(summary.row[0].slow == 0.25);
	EXPECT(summary.row[0].zero_copy == 0.1);
	EXPECT_EQ(summary.row[0].dropped, 3);
	summary_clear(&summary);
}

TEST(test_busiest_channel_is_first_and_new_members_count_from_zero)
{
	struct sample before = { .time_ns = 1 };
	struct sample now = { .time_ns = 1000000001 };
	struct summary summary;

	for (uint64_t channel = 1; channel <= 3; channel++) {
		struct statistics_page page = page_of(channel, channel,
		    CHANNEL_SENDER);

		page.counters.sent = 1000;
		if (channel != 2)
			EXPECT_EQ(sample_add(&before, &page), OK);
		page.counters.sent += channel;
		EXPECT_EQ(sample_add(&now, &page), OK);
	}
	summary = difference(&before, &now);
	EXPECT_EQ(summary.count, 3);
	EXPECT_EQ(summary.row[0].channel, 2);
	EXPECT(summary.row[0].messages == 1002);
	EXPECT_EQ(summary.row[1].channel, 3);
	EXPECT(summary.row[1].messages == 3);
	summary_clear(&summary);
}

TEST(test_latency_is_the_end_of_its_bucket)
{
	struct statistics_page page = page_of(1, 1, CHANNEL_RECEIVER);
	struct sample before = { 0 }, now = { .time_ns = 1 };
	struct summary summary;

	page.counters.latency[8] = 98;
	page.counters.latency[20] = 2;
	EXPECT_EQ(sample_add(&now, &page), OK);
	summary = difference(&before, &now);
	EXPECT_EQ(summary.row[0].p50_ns, 512);
	EXPECT_EQ(summary.row[0].p99_ns, 2ul << 20);
	summary_clear(&summary);
}

TEST(test_lies_of_a_member_harm_nobody)
{
	struct statistics_page page = page_of(1, 1, 3);
	struct sample before = { .time_ns = 1 }, now = { .time_ns = 2 };
	struct summary summary;
	char text[4096] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");

	page.counters.sent = 10;
	EXPECT_EQ(sample_add(&before, &page), OK);
	memset(page.name, '\033', sizeof(page.name));
	page.name[0] = '"';
	page.type = ~0ul;
	page.counters.sent = 9;
	page.counters.slow = ~0ul;
	memset(page.counters.latency, 0xff, sizeof(page.counters.latency));
	EXPECT_EQ(sample_add(&now, &page), OK);
	summary = difference(&before, &now);
	EXPECT(summary.row[0].messages == 0);
	EXPECT(summary.row[0].slow == 1);
	EXPECT(strcmp(summary.row[0].type, "?") == 0);
	show_table(file, &summary, 0, 0);
	show_json(file, &summary);
	fclose(file);
	EXPECT(strchr(text, '\033') == NULL);
	EXPECT(strstr(text, "\"name\": \"\\\"???") != NULL);
	summary_clear(&summary);
}

TEST(test_what_is_no_page_is_left_out)
{
	struct statistics_page page = page_of(1, 1, 3);
	struct sample sample = { 0 };

	page.size--;
	EXPECT_EQ(sample_add(&sample, &page), OK);
	page.size++;
	page.magic++;
	EXPECT_EQ(sample_add(&sample, &page), OK);
	EXPECT_EQ(sample.count, 0);
	sample_clear(&sample);
}

TEST(test_table_keeps_to_its_size)
{
	struct sample now = { .time_ns = 1 }, before = { 0 };
	struct summary summary;
	char text[4096] = "";
	FILE *file = fmemopen(text, sizeof(text), "w");
	unsigned lines = 0;

	for (uint64_t channel = 1; channel <= 9; channel++) {
		struct statistics_page page = page_of(channel, 1, 1);

		EXPECT_EQ(sample_add(&now, &page), OK);
	}
	summary = difference(&before, &now);
	show_table(file, &summary, 4, 40);
	fclose(file);
	for (char *line = strtok(text, "\n"); line != NULL;
	    line = strtok(NULL, "\n")) {
		EXPECT(strlen(line) <= 40);
		lines++;
	}
	EXPECT_EQ(lines, 4);
	summary_clear(&summary);
}

TEST(test_channels_of_a_broker_are_seen_until_they_close)
{
	const struct channel_config config = { .type = CHANNEL_BATCH };
	struct channel_options options = { .role = CHANNEL_RECEIVER };
	struct sample before = { 0 }, now = { 0 };
	struct attendance attendance;
	struct channel *sender, *receiver;
	struct meeting meeting;
	struct summary summary;
	uint64_t word = 1;

	EXPECT(meeting_of_processes(&meeting, NULL, 0));
	EXPECT(meeting_enter(&meeting, &attendance));
	options.domain = attendance.domain;
	EXPECT_EQ(channel_create("seen", &config, &options, NULL, &receiver),
	    OK);
	options.role = CHANNEL_SENDER;
	EXPECT_EQ(channel_open("seen", &options, NULL, &sender), OK);
	EXPECT_EQ(sample_take(attendance.domain, &before), OK);
	for (unsigned i = 0; i < 10; i++)
		EXPECT_EQ(channel_send(sender, &word, sizeof(word), NULL), OK);
	EXPECT_EQ(sample_take(attendance.domain, &now), OK);
	EXPECT_EQ(now.count, 2);
	summary = difference(&before, &now);
	EXPECT_EQ(summary.count, 1);
	EXPECT(strcmp(summary.row[0].name, "seen") == 0);
	EXPECT(strcmp(summary.row[0].type, "batch") == 0);
	EXPECT(summary.row[0].messages > 0);
	EXPECT(summary.row[0].bytes == 8 * summary.row[0].messages);
	summary_clear(&summary);
	channel_close(sender);
	channel_close(receiver);
	EXPECT_EQ(sample_take(attendance.domain, &now), OK);
	EXPECT_EQ(now.count, 0);
	sample_clear(&now);
	meeting_leave(&meeting, &attendance);
	meeting_close(&meeting);
}

TEST_MAIN(0)
