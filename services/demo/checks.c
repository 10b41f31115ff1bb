/* SPDX-License-Identifier: MIT */
/*
 * What the broker gives and refuses, seen from outside: two sessions of one
 * thread, and one that speaks the protocol by hand to look at capabilities.
 */
#include "demo.h"

#include <idl/channels_client.h>
#include <lib/channel/config.h>
#include <lib/base/string.h>

#define LONG		30000u	/* bytes: too long for the ring itself */

static unsigned passed;
static struct channel_domain *first, *second;

static const struct channel_options sends = { .role = CHANNEL_SENDER };
static const struct channel_options receives = { .role = CHANNEL_RECEIVER };

static void
expect(const char *what, bool holds)
{
	if (!holds)
		service_panic("checks: %s", what);
	passed++;
}

static struct channel_options
in(struct channel_domain *domain, const struct channel_options *options)
{
	struct channel_options own = *options;

	own.domain = domain;
	return own;
}

static bool
may_write(const void *address)
{
	return sys_protect(demo.vspace, (uint64_t)address & ~PAGE_MASK,
	    PAGE_SIZE, MAP_READ | MAP_WRITE) == OK;
}

/* One buffer, made and read where it lies; the reader cannot write it. */
static void
check_zero_copy(void)
{
	const struct channel_config config = {
		.type = CHANNEL_BROADCAST, .zero_copy = true,
		.message_max = LONG, .buffer_size = 64u << 10,
	};
	struct channel_options out = in(first, &sends);
	struct channel_options back = in(second, &receives);
	struct channel *sender, *receiver;
	struct channel_view made, shown;

	demo_check("create", channel_create("pool", &config, &out, NULL,
	    &sender));
	demo_check("open", channel_open("pool", &back, NULL, &receiver));
	demo_check("reserve", channel_reserve(sender, LONG, &made,
	    CHANNEL_NOW));
	memset(made.data, 0x5a, LONG);
	demo_check("commit", channel_commit(sender, &made));
	demo_check("peek", channel_peek(receiver, &shown, CHANNEL_FOREVER));
	expect("one message, where it was made", shown.length == LONG &&
	    ((const uint8_t *)shown.data)[LONG - 1] == 0x5a &&
	    shown.data != made.data);
	expect("buffers are only read", !may_write(shown.data));
	expect("generations are only read", !may_write(second->generation));
	demo_check("release", channel_release(receiver, &shown));
	channel_close(receiver);
	channel_close(sender);
}

static void
check_tokens(void)
{
	const struct channel_config config = { .type = CHANNEL_ASYNC };
	struct channel_options out = in(first, &sends);
	struct channel_options back = in(second, &receives);
	struct channel_options other = in(second, &sends);
	struct channel *sender, *receiver, *none;
	struct token token, forged, owner;
	uint64_t word = 7;
	size_t length = sizeof(word);

	demo_check("create", channel_create("tokens", &config, &out, NULL,
	    &sender));
	demo_check("mint", channel_guest_mint(first, "tokens", TOKEN_RECEIVE,
	    0x9, &token));
	demo_check("mint", channel_guest_mint(first, "tokens", TOKEN_ALL, 0xe,
	    &owner));
	forged = token;
	forged.rights = TOKEN_ALL;
	expect("a token is not changed unseen", channel_open("tokens", &other,
	    &forged, &none) == ERR_RIGHT);
	expect("a token says what may be done", channel_open("tokens", &other,
	    &token, &none) == ERR_RIGHT);
	demo_check("open", channel_open("tokens", &back, &token, &receiver));
	demo_check("send", channel_send(sender, &word, sizeof(word), NULL));
	demo_check("receive", channel_receive(receiver, &word, &length, NULL));
	demo_check("revoke", channel_guest_revoke(first, &owner));
	expect("what was revoked receives nothing", channel_receive(receiver,
	    &word, &length, NULL) == ERR_RIGHT);
	expect("nor opens again", channel_open("tokens", &back, &token,
	    &none) == ERR_RIGHT);
	expect("who revoked goes on", channel_send_until(sender, &word,
	    sizeof(word), NULL, CHANNEL_NOW) == ERR_EMPTY);
	channel_close(receiver);
	channel_close(sender);
}

static void
make_member(const char *name, struct channel_member *out_member)
{
	const struct channel_config config = { .type = CHANNEL_SYNC };
	const struct channel_options both = {
		.role = CHANNEL_SENDER | CHANNEL_RECEIVER,
	};
	struct channel_config filled;

	demo_check("config", channel_config_fill(&config, &filled));
	demo_check("member", first->port->create(first, name, &filled, &both,
	    NULL, out_member));
}

static void
check_circles(void)
{
	struct channel_member one, two;

	make_member("one", &one);
	make_member("two", &two);
	demo_check("edge", channel_guest_depend(first, &one, &two));
	expect("no circle", channel_guest_depend(first, &two, &one) ==
	    ERR_STATE);
	first->port->close(first, &two);
	first->port->close(first, &one);
}

static uint64_t
rights_of(cap_t cap)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, CAP_NONE, cap, 0, 0, 0,
	    0);

	return r.status == OK ? r.value[0] >> 8 & 0xff : ~0ul;
}

/* The session's end of a lane: the capabilities that come with it. */
static void
check_lane(cap_t session, uint64_t member)
{
	struct channels_event_results told = { 0 };
	cap_t memory = CAP_NONE, bell = CAP_NONE;

	demo_check("event", wire_status(channels_event(session, member, &told,
	    &memory, &bell)));
	expect("a lane comes in", told.kind == CHANNELS_EVENT_LANE_IN);
	expect("a bell can be rung, no more", rights_of(bell) ==
	    (RIGHT_WRITE | RIGHT_COPY) && sys_wait(bell, WAIT_POLL, 0, 0, NULL,
	    NULL) == ERR_RIGHT);
	expect("a lane is not code", (rights_of(memory) & (RIGHT_EXEC |
	    RIGHT_MANAGE)) == 0);
	demo_check("event", wire_status(channels_event(session, member, &told,
	    &memory, &bell)));
	expect("it is told once", told.kind == CHANNELS_EVENT_NONE);
}

static void
check_capabilities(cap_t notification)
{
	const struct channels_connect_args connect = { 1, notification };
	struct channels_join join = { .name = "bare", .groups = ~0ul,
	    .role = CHANNEL_RECEIVER };
	struct channels_joined joined;
	const struct channels_open_args open = { &join,
	    { .bytes = &joined, .length = sizeof(joined) } };
	const struct channel_config config = { .type = CHANNEL_ASYNC };
	struct channel_options out = in(first, &sends);
	cap_t session = CAP_NONE, page, statistics, pool = CAP_NONE;
	struct channel *sender;
	uint64_t length;
	uint32_t slot;

	demo_check("create", channel_create("bare", &config, &out, NULL,
	    &sender));
	demo_check("connect", wire_status(channels_connect(demo.broker,
	    &connect, &slot, &session, &page)));
	demo_check("open", wire_status(channels_open(session, &open, &length,
	    &statistics, &pool)));
	expect("no pool without one", pool == CAP_NONE);
	check_lane(session, joined.member);
	expect("others' members are out of reach", wire_status(channels_close(
	    session, joined.member - 1)) == ERR_NOENT);
	expect("places have no members", wire_status(channels_close(
	    demo.broker, joined.member)) == ERR_NOSYS);
	sys_cap_delete(CAP_NONE, session);
	channel_close(sender);
}

void
demo_checks(void)
{
	struct channel_guest_options options = {
		.broker = demo.broker, .vspace = demo.vspace, .bits = DEMO_BIT,
		.at = CHANNEL_GUEST_AT + CHANNEL_GUEST_SIZE,
		.cpus = demo.cpus, .now_ns = service_now_ns,
	};

	demo_check("no bell", sys_object_create(OBJ_NOTIFICATION,
	    PLACE_CONTAINER, 0, 0, &options.notification));
	first = demo_domain(demo.vspace, PLACE_NOTIFICATION);
	demo_check("second", channel_domain_guest(&options, &second));
	check_zero_copy();
	check_tokens();
	check_circles();
	check_capabilities(options.notification);
	channel_domain_guest_close(second);
	channel_domain_guest_close(first);
	service_log("checks: %u passed", passed);
}
