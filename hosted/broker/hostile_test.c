/* SPDX-License-Identifier: MIT */
/*
 * Live attackers (attacker_host.c) beside victims. Two victims talk with each
 * other on channels that attackers may not join, and must get every message
 * right; they also share a broadcast that attackers listen to. A third one,
 * the prey, talks with attackers: it may get errors, and must neither crash nor
 * hang. In the end the broker holds nothing.
 *
 * BENNU_HOSTILE_SECONDS sets the time; else 2, or 20 with BENNU_TEST_MORE.
 */
#include "attacker_host.h"
#include "harness_host.h"

#include <lib/test/ktap.h>

#include <sys/mman.h>

#define ATTACKER_USER	65533
#define ATTACKERS	2u
#define SECOND_NS	1000000000ul
#define PATIENCE_MS	15000u
#define LENGTH_MAX	600u

enum victim { VICTIM_ECHO, VICTIM_ASK, VICTIM_PREY, VICTIMS };

struct scene {
	uint64_t beat[VICTIMS];		/* goes on while the victim does */
	uint64_t exchanged, mixed, met;	/* messages */
	uint64_t corrupt;		/* lanes that broke the rules */
	uint64_t wrong, status;
	bool	 stop;
	struct attack attack;
};

static volatile struct scene *scene;
static struct harness harness;
static struct channel_domain *domain;

static const char policy[] =
    "[mixed]\nnames = [\"mixed\"]\nusers = [\"65533\"]\n"
    "rights = [\"receive\"]\n"
    "[prey]\nnames = [\"prey-*\"]\nusers = [\"65533\"]\n"
    "rights = [\"send\", \"receive\"]\n"
    "[limits-attacker]\nusers = [\"65533\"]\nprocesses = 16\n"
    "members = 200\nlanes = 400\nbytes = 67_108_864\nchannels = 50\n";

static uint64_t
now_ns(void)
{
	return domain->port->now_ns(domain);
}

static struct channel *
create(const char *name, struct channel_config config, unsigned role)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	if (channel_create(name, &config, &options, NULL, &channel) != OK)
		_exit(3);
	return channel;
}

/* Until the other victim made it. */
static struct channel *
join(const char *name, unsigned role)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	while (channel_open(name, &options, NULL, &channel) != OK)
		harness_pause_ms(1);
	return channel;
}

struct message {
	uint64_t number;
	uint8_t	 bytes[LENGTH_MAX];
};

static size_t
message_make(uint64_t number, struct message *out)
{
	size_t length = number * 7919 % LENGTH_MAX;

	out->number = number;
	for (size_t i = 0; i < length; i++)
		out->bytes[i] = (uint8_t)(number * 31 + i);
	return sizeof(out->number) + length;
}

static bool
message_ok(const struct message *message, size_t length, uint64_t number)
{
	struct message wanted;

	return length == message_make(number, &wanted) &&
	    memcmp(message, &wanted, length) == 0;
}

static void
wrong(status_t status)
{
	scene->wrong++;
	scene->status = status;
}

/* Sends back what comes, and tells all who listen. */
static void
echo(void)
{
	static const struct channel_config there = {
		.message_max = 1024, .buffer_size = 8192,
	}, back = {
		.message_max = 1024, .zero_copy = true, .buffers = 8,
	}, mixed = {
		.type = CHANNEL_BROADCAST, .overflow = CHANNEL_DROP_NEWEST,
		.message_max = 1024, .zero_copy = true, .buffers = 8,
	};
	struct channel *in = create("safe-there", there, CHANNEL_RECEIVER);
	struct channel *out = create("safe-back", back, CHANNEL_SENDER);
	struct channel *all = create("mixed", mixed, CHANNEL_SENDER);

	for (uint64_t i = 0; !scene->stop; scene->beat[VICTIM_ECHO]++) {
		struct message message;
		size_t length = sizeof(message);
		status_t status = channel_receive_until(in, &message, &length,
		    NULL, now_ns() + SECOND_NS / 10);

		if (status != OK)
			continue;
		i++;
		status = channel_send_until(out, &message, length, NULL,
		    now_ns() + 10 * SECOND_NS);
		if (status != OK)
			wrong(status);
		(void)channel_send_until(all, &message, length, NULL,
		    CHANNEL_NOW);
	}
	channel_close(all);
	channel_close(out);
	channel_close(in);
}

/* What arrives was sent by the victim, later than the one before. */
static void
listen_to(struct channel *mixed, uint64_t *next)
{
	struct message message;
	size_t length = sizeof(message);

	while (channel_receive_until(mixed, &message, &length, NULL,
	    CHANNEL_NOW) == OK) {
		if (message.number < *next ||
		    !message_ok(&message, length, message.number))
			wrong(ERR_CORRUPT);
		*next = message.number + 1;
		scene->mixed++;
		length = sizeof(message);
	}
}

static void
ask(void)
{
	struct channel *out = join("safe-there", CHANNEL_SENDER);
	struct channel *in = join("safe-back", CHANNEL_RECEIVER);
	struct channel *mixed = join("mixed", CHANNEL_RECEIVER);
	uint64_t heard = 0;

	for (uint64_t i = 0; !scene->stop; i++) {
		struct message message;
		size_t length = message_make(i, &message);
		status_t status = channel_send_until(out, &message, length,
		    NULL, now_ns() + 10 * SECOND_NS);

		if (status != OK) {
			wrong(status);
			break;
		}
		memset(&message, 0, sizeof(message));
		length = sizeof(message);
		status = channel_receive_until(in, &message, &length, NULL,
		    now_ns() + 10 * SECOND_NS);
		if (status != OK && scene->stop)
			break;
		if (status != OK || !message_ok(&message, length, i)) {
			wrong(status);
			break;
		}
		listen_to(mixed, &heard);
		scene->exchanged++;
		scene->beat[VICTIM_ASK]++;
	}
	channel_close(mixed);
	channel_close(in);
	channel_close(out);
}

/* Whatever comes out of it: it comes back, and its length is in bounds. */
static void
meet(struct channel *channel, const struct channel_config *config)
{
	struct message message = { 0 };
	size_t length = sizeof(message);
	uint64_t soon = now_ns() + SECOND_NS / 1000;
	struct channel_view view;

	if (config->type == CHANNEL_SYNC) {
		struct channel_exchange exchange = {
			.request = &message, .request_length = 16,
			.answer = &message, .answer_length = sizeof(message),
			.deadline_ns = soon,
		};
		(void)channel_call(channel, &exchange);
	} else {
		scene->met += channel_send_until(channel, &message, 40, NULL,
		    soon) == OK;
	}
	if (channel_peek(channel, &view, CHANNEL_NOW) == OK) {
		/* Reads all of it: memory that is not there would show. */
		for (size_t i = 0; i < view.length; i++)
			message.bytes[0] ^= ((volatile uint8_t *)view.data)[i];
		(void)channel_release(channel, &view);
	}
	if (channel_receive_until(channel, &message, &length, NULL, soon) ==
	    OK) {
		scene->met++;
		if (length > sizeof(message))
			wrong(ERR_RANGE);
		(void)channel_answer(channel, &message, 8);
	}
}

static void
prey(void)
{
	static const struct channel_config configs[] = {
		{ .message_max = 512, .buffer_size = 4096 },
		{ .message_max = 512, .zero_copy = true, .buffers = 8,
		    .pollable = true },
		{ .type = CHANNEL_SYNC, .message_max = 512 },
		{ .type = CHANNEL_BROADCAST, .message_max = 512,
		    .overflow = CHANNEL_DROP_OLDEST },
	};
	struct channel *channel[4];
	char name[16];
	int file;

	for (uint64_t round = 0; !scene->stop; round++) {
		for (unsigned i = 0; i < 4; i++) {
			snprintf(name, sizeof(name), "prey-%u", i);
			channel[i] = create(name, configs[i],
			    CHANNEL_SENDER | CHANNEL_RECEIVER);
		}
		(void)channel_descriptor(channel[1], &file);
		for (unsigned i = 0; i < 800 && !scene->stop; i++) {
			meet(channel[i % 4], &configs[i % 4]);
			scene->beat[VICTIM_PREY]++;
		}
		for (unsigned i = 0; i < 4; i++) {
			struct channel_statistics seen;

			channel_statistics(channel[i], &seen);
			scene->corrupt += seen.corrupt;
			channel_close(channel[i]);
		}
	}
}

static pid_t
start(void (*body)(void))
{
	pid_t child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	domain = harness_connect(&harness);
	if (domain == NULL)
		_exit(2);
	body();
	channel_domain_hosted_close(domain);
	exit(0);
}

static pid_t
start_attacker(uint32_t seed)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getuid() == 0 &&
	    (setgid(ATTACKER_USER) != 0 || setuid(ATTACKER_USER) != 0))
		_exit(2);
	/* That too: nobody waits for it. */
	alarm(5);
	attacker_live(harness.path, seed, &scene->attack);
}

static unsigned
seconds(void)
{
	const char *text = getenv("BENNU_HOSTILE_SECONDS");

	if (text != NULL)
		return (unsigned)strtoul(text, NULL, 10);
	return getenv("BENNU_TEST_MORE") != NULL ? 20 : 2;
}

/* false: a victim did nothing for too long, or is dead. */
static bool
victims_live(const pid_t *victim, uint64_t *seen, unsigned *still_ms)
{
	for (unsigned i = 0; i < VICTIMS; i++) {
		still_ms[i] = scene->beat[i] == seen[i] ? still_ms[i] + 10 : 0;
		seen[i] = scene->beat[i];
		if (still_ms[i] < PATIENCE_MS &&
		    waitpid(victim[i], NULL, WNOHANG) == 0)
			continue;
		printf("# victim %u: %s\n", i, still_ms[i] < PATIENCE_MS ?
		    "dead" : "hangs");
		return false;
	}
	return true;
}

static void
keep_attacking(pid_t *attacker, uint32_t *seed)
{
	for (unsigned i = 0; i < ATTACKERS; i++)
		if (attacker[i] == 0 ||
		    waitpid(attacker[i], NULL, WNOHANG) != 0)
			attacker[i] = start_attacker((*seed)++);
}

static bool
end_victim(pid_t child)
{
	int status = -1;

	for (unsigned i = 0; i < PATIENCE_MS / 10; i++) {
		if (waitpid(child, &status, WNOHANG) != 0)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		harness_pause_ms(10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return false;
}

TEST(test_attackers_harm_nobody_but_themselves)
{
	struct broker_totals before, after;
	pid_t victim[VICTIMS], attacker[ATTACKERS] = { 0 };
	uint64_t seen[VICTIMS] = { 0 };
	unsigned still_ms[VICTIMS] = { 0 };
	uint32_t seed = 1;
	bool live = true;

	harness_start(&harness, policy);
	EXPECT(harness_is_empty(&harness, &before));
	victim[VICTIM_ECHO] = start(echo);
	victim[VICTIM_ASK] = start(ask);
	victim[VICTIM_PREY] = start(prey);
	for (unsigned i = 0; i < seconds() * 100 && live; i++) {
		keep_attacking(attacker, &seed);
		harness_pause_ms(10);
		live = victims_live(victim, seen, still_ms);
	}
	EXPECT(live);
	scene->stop = true;
	for (unsigned i = 0; i < ATTACKERS; i++) {
		kill(attacker[i], SIGKILL);
		waitpid(attacker[i], NULL, 0);
	}
	for (unsigned i = 0; i < VICTIMS; i++)
		EXPECT(end_victim(victim[i]));
	EXPECT_EQ(scene->wrong, 0);
	EXPECT_EQ(scene->status, 0);
	EXPECT_EQ(scene->attack.breaches, 0);
	EXPECT(harness_is_empty(&harness, &after));
	EXPECT_EQ(after.descriptors, before.descriptors);
	EXPECT_EQ(harness_end(&harness), 0);
	printf("# %lu exchanged, %lu mixed, %lu met, %lu corrupt; %lu lives, "
	    "%lu writes, %lu packets, %lu files\n", scene->exchanged,
	    scene->mixed, scene->met, scene->corrupt, scene->attack.lives, scene->attack.scribbled,
	    scene->attack.packets, scene->attack.files);
	EXPECT(scene->exchanged > 100 && scene->met > 10);
	EXPECT(scene->corrupt > 0);
	EXPECT(scene->attack.lives > 4 && scene->attack.scribbled > 10000);
}

static void
setup(void)
{
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		abort();
}

TEST_MAIN((setup(), 0))
