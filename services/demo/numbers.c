/* SPDX-License-Identifier: MIT */
/*
 * Producers send numbers, consumers add them up: each in an address space of its
 * own. What all consumers got together is known beforehand: each number from 0
 * on, once. Of one producer they come in order.
 */
#include "demo.h"

#include <lib/base/format.h>
#include <lib/base/string.h>
#include <lib/peer/peer.h>

#define PRODUCERS	3u
#define CONSUMERS	2u
#define MESSAGES	2000u	/* of each producer */
#define MEMBERS		(PRODUCERS + CONSUMERS)
#define LOOK_NS		1000000ul

struct number {
	uint64_t producer, sequence, value;
	uint8_t	 padding[40];
};

struct word {
	uint64_t from;		/* number of the member */
	uint64_t done;		/* 0: it is ready, 1: it is through */
	uint64_t messages, sum, disorder;
};

CHANNEL_TYPED(number, struct number, 0x8d1f3a5c7e9b0246)
CHANNEL_TYPED(word, struct word, 0x31d7a8e44c96f50b)

/* What a peer is to be; it has a copy of its own. */
static struct {
	unsigned number;	/* producers first */
	cap_t	 bell, go;
	char	 name[CHANNEL_NAME_MAX + 1];
} self;

static struct {
	struct peer peer;
	cap_t	 bell, go;
} members[MEMBERS];

static const struct {
	const char *name;
	enum channel_serializer serializer;
} serializers[] = {
	{ "raw", CHANNEL_RAW },
	{ "lite", CHANNEL_LITE },
	{ "full", CHANNEL_FULL },
};

static void
say(struct word_channel *words, uint64_t done, const struct word *result)
{
	struct word word = *result;

	word.from = self.number;
	word.done = done;
	demo_check("cannot report", word_send(words, &word, NULL));
}

static void
produce(struct number_channel *numbers)
{
	sys_wait(self.go, WAIT_BITS, 0, DEADLINE_NEVER, NULL, NULL);
	for (uint64_t i = 0; i < MESSAGES; i++) {
		const struct number number = {
			.producer = self.number, .sequence = i,
			.value = self.number * MESSAGES + i,
		};
		demo_check("send", number_send(numbers, &number, NULL));
	}
}

static void
consume(struct number_channel *numbers, struct word *out_word)
{
	uint64_t expected[PRODUCERS] = { 0 };
	struct number number;
	status_t status;

	while ((status = number_receive_until(numbers, &number, NULL,
	    CHANNEL_FOREVER)) == OK) {
		if (number.producer >= PRODUCERS ||
		    number.sequence < expected[number.producer]) {
			out_word->disorder++;
			continue;
		}
		expected[number.producer] = number.sequence + 1;
		out_word->messages++;
		out_word->sum += number.value;
	}
	if (status != ERR_GONE)
		demo_check("receive", status);
}

static void
member_main(void)
{
	struct channel_domain *domain = demo_domain(
	    members[self.number].peer.vspace, self.bell);
	const struct channel_options sender = { .role = CHANNEL_SENDER };
	const struct channel_options receiver = { .role = CHANNEL_RECEIVER };
	bool sends = self.number < PRODUCERS;
	struct number_channel numbers;
	struct word result = { 0 };
	struct word_channel words;

	demo_check("words", word_open("words", &sender, NULL, &words));
	/* All are there before the first of them is through. */
	demo_check("numbers", number_open(self.name,
	    sends ? &sender : &receiver, NULL, &numbers));
	say(&words, 0, &result);
	if (sends)
		produce(&numbers);
	else
		consume(&numbers, &result);
	number_close(&numbers);
	say(&words, 1, &result);
	word_close(&words);
	channel_domain_guest_close(domain);
	sys_exit(DEATH_EXIT, 0);
}

static void
start_members(const char *name)
{
	memcpy(self.name, name, strlen(name) + 1);
	for (unsigned i = 0; i < MEMBERS; i++) {
		self.number = i;
		demo_check("no bell", sys_object_create(OBJ_NOTIFICATION,
		    PLACE_CONTAINER, 0, 0, &members[i].bell));
		demo_check("no bell", sys_object_create(OBJ_NOTIFICATION,
		    PLACE_CONTAINER, 0, 0, &members[i].go));
		self.bell = members[i].bell;
		self.go = members[i].go;
		members[i].peer.class = CLASS_NORMAL;
		demo_check("no peer", peer_start(&members[i].peer, member_main,
		    NULL));
	}
}

/* Between two runs all senders are gone; the next ones come. */
static void
next_word(struct word_channel *words, struct word *out_word)
{
	status_t status;

	while ((status = word_receive_until(words, out_word, NULL,
	    CHANNEL_FOREVER)) == ERR_GONE)
		sys_wait(PLACE_NOTIFICATION, WAIT_BITS, 0,
		    service_now_ns() + LOOK_NS, NULL, NULL);
	demo_check("collect", status);
}

/* Of all members, one word each. */
static void
collect(struct word_channel *words, uint64_t done, struct word *out_total)
{
	struct word word;

	*out_total = (struct word){ 0 };
	for (unsigned i = 0; i < MEMBERS; i++) {
		next_word(words, &word);
		if (word.done != done)
			service_panic("a member is through too early");
		out_total->messages += word.messages;
		out_total->sum += word.sum;
		out_total->disorder += word.disorder;
	}
}

static void
stop_members(void)
{
	for (unsigned i = 0; i < MEMBERS; i++) {
		peer_stop(&members[i].peer);
		sys_cap_delete(CAP_NONE, members[i].bell);
		sys_cap_delete(CAP_NONE, members[i].go);
	}
}

static void
run(struct word_channel *words, unsigned which)
{
	const struct channel_config config = {
		.type = CHANNEL_ASYNC,
		.serializer = serializers[which].serializer,
	};
	const struct channel_options owner = { .role = 0 };
	struct number_channel numbers;
	char name[CHANNEL_NAME_MAX + 1];
	struct word total;

	format_text(name, sizeof(name), "numbers-%s", serializers[which].name);
	demo_check("create", number_create(name, &config, &owner, NULL,
	    &numbers));
	start_members(name);
	collect(words, 0, &total);
	for (unsigned i = 0; i < PRODUCERS; i++)
		sys_signal(members[i].go, 1);
	collect(words, 1, &total);
	stop_members();
	number_close(&numbers);
	service_log("%s: %u producers, %u consumers: %lu messages, sum %lu, "
	    "%lu out of order", serializers[which].name, PRODUCERS, CONSUMERS,
	    total.messages, total.sum, total.disorder);
}

void
demo_numbers(void)
{
	const struct channel_config config = { .type = CHANNEL_ASYNC };
	const struct channel_options receiver = { .role = CHANNEL_RECEIVER };
	struct channel_domain *domain = demo_domain(demo.vspace,
	    PLACE_NOTIFICATION);
	struct word_channel words;

	demo_check("words", word_create("words", &config, &receiver, NULL,
	    &words));
	for (unsigned i = 0; i < sizeof(serializers) / sizeof(serializers[0]);
	    i++)
		run(&words, i);
	word_close(&words);
	channel_domain_guest_close(domain);
}
