/* SPDX-License-Identifier: MIT */
#include <lib/proc/socket_host.h>
#include <lib/test/ktap.h>

#define DO(call)	(begin(), end(call))
#define OKAY()		KTAP_CHECK(sockets_ok(&sockets) && arena_ok(sockets.arena))

static struct socket_bound *
listener(const char *name, uint32_t backlog)
{
	struct socket_bound *bound;

	KTAP_EQUAL(DO(bind_now(SOCKET_STREAM, name, &bound)), 0);
	KTAP_EQUAL(DO(listen_now(bound, 40, backlog)), 0);
	return bound;
}

/* Which of all capabilities drawn so far were dropped. */
static unsigned
dropped(unsigned *out_twice)
{
	unsigned count = 0;

	*out_twice = 0;
	for (unsigned i = 1; i <= outside.next_cap; i++) {
		count += outside.dropped[i] != 0;
		*out_twice += outside.dropped[i] > 1;
	}
	return count;
}

static int
bind_name(const struct socket_name *name, struct socket_bound **out)
{
	uint64_t number;
	int error = sockets_bind(&sockets, SOCKET_STREAM, name,
	    &(struct socket_caps){ 0 }, out, &number);

	if (error == 0)
		(*out)->session = new_cap();
	return error;
}

TEST(test_a_name_is_taken_once_for_each_type)
{
	struct socket_bound *first, *second, *found;
	struct socket_name name = name_of(SOCKETS_ABSTRACT, "name");

	boot_sockets();
	KTAP_EQUAL(DO(bind_now(SOCKET_STREAM, "name", &first)), 0);
	KTAP_EQUAL(DO(bind_now(SOCKET_STREAM, "name", &second)), E_ADDRINUSE);
	KTAP_EQUAL(DO(bind_now(SOCKET_DATAGRAM, "name", &second)), 0);
	KTAP_EQUAL(sockets_find(&sockets, SOCKET_DATAGRAM, &name, &found), 0);
	KTAP_CHECK(found == second);
	KTAP_EQUAL(sockets_find(&sockets, SOCKET_STREAM, &name, &found),
	    E_CONNREFUSED);
	KTAP_EQUAL(DO(sockets_closed(&sockets, second)), 0);
	KTAP_EQUAL(sockets_find(&sockets, SOCKET_DATAGRAM, &name, &found),
	    E_CONNREFUSED);
	KTAP_EQUAL(DO(bind_now(SOCKET_DATAGRAM, "name", &second)), 0);
	/* Chosen ones differ. */
	name.kind = SOCKETS_AUTOMATIC;
	name.length = 0;
	KTAP_EQUAL(DO(bind_name(&name, &first)), 0);
	KTAP_EQUAL(DO(bind_name(&name, &second)), 0);
	KTAP_CHECK(memcmp(first->name.bytes, second->name.bytes, 5) != 0);
	OKAY();
}

TEST(test_a_node_is_its_key_whatever_it_is_called_and_of_one_type)
{
	struct socket_bound *bound, *found;
	struct socket_name name = name_of(SOCKETS_NODE,
	    "0123456789abcdef/tmp/a"), other;

	boot_sockets();
	KTAP_EQUAL(DO(bind_name(&name, &bound)), 0);
	KTAP_EQUAL(DO(listen_now(bound, 1, 3)), 0);
	other = name_of(SOCKETS_NODE, "0123456789abcdefanother");
	KTAP_EQUAL(sockets_find(&sockets, SOCKET_STREAM, &other, &found), 0);
	KTAP_CHECK(found == bound);
	KTAP_EQUAL(sockets_find(&sockets, SOCKET_DATAGRAM, &other, &found),
	    E_PROTOTYPE);
	other.length = SOCKETS_KEY_BYTES - 1;
	KTAP_EQUAL(sockets_find(&sockets, SOCKET_STREAM, &other, &found),
	    E_INVAL);
	OKAY();
}

TEST(test_connections_are_accepted_in_order_and_the_next_is_answered_then)
{
	struct socket_bound *bound;
	struct socket_caps caps;
	struct socket_who who;
	bool parked;

	boot_sockets();
	bound = listener("l", 1);
	KTAP_EQUAL(DO(sockets_accept(&sockets, bound, &caps, &who)), E_AGAIN);
	for (uint32_t pid = 1; pid <= 2; pid++) {
		KTAP_EQUAL(DO(connect_now(bound, pid, true, &parked)), 0);
		KTAP_CHECK(!parked);
	}
	KTAP_EQUAL(outside.wakes, 2);
	KTAP_EQUAL(DO(connect_now(bound, 3, false, &parked)), E_AGAIN);
	KTAP_EQUAL(DO(connect_now(bound, 4, true, &parked)), 0);
	KTAP_CHECK(parked);
	KTAP_EQUAL(DO(connect_now(bound, 5, true, &parked)), 0);
	KTAP_EQUAL(bound->answered, 2);
	OKAY();
	KTAP_EQUAL(outside.answers, 0);
	static const uint32_t order[] = { 1, 2, 4, 5 };
	for (unsigned i = 0; i < 4; i++) {
		KTAP_EQUAL(DO(sockets_accept(&sockets, bound, &caps, &who)), 0);
		KTAP_EQUAL(who.pid, order[i]);
		OKAY();
	}
	KTAP_EQUAL(outside.answers, 2);
	KTAP_EQUAL(outside.answer[0].error, 0);
	KTAP_EQUAL(outside.answer[0].pid, 40);
	KTAP_EQUAL(outside.wakes, 4);
	KTAP_EQUAL(DO(sockets_accept(&sockets, bound, &caps, &who)), E_AGAIN);
}

TEST(test_a_larger_backlog_lets_in_who_waits_and_nobody_overtakes)
{
	struct socket_bound *bound;
	struct socket_caps caps;
	struct socket_who who;
	bool parked;

	boot_sockets();
	bound = listener("l", 0);
	for (uint32_t pid = 1; pid <= 4; pid++)
		DO(connect_now(bound, pid, true, &parked));
	KTAP_EQUAL(DO(listen_now(bound, 40, 2)), 0);
	KTAP_EQUAL(outside.answers, 2);
	KTAP_EQUAL(DO(connect_now(bound, 5, true, &parked)), 0);
	KTAP_CHECK(parked);
	OKAY();
	for (uint32_t pid = 1; pid <= 5; pid++) {
		KTAP_EQUAL(DO(sockets_accept(&sockets, bound, &caps, &who)), 0);
		KTAP_EQUAL(who.pid, pid);
	}
	KTAP_EQUAL(outside.answers, 4);
	OKAY();
}

TEST(test_who_gives_up_is_taken_out_and_nobody_else)
{
	struct socket_bound *bound;
	struct socket_caps caps;
	struct socket_who who;
	bool parked, found;
	unsigned twice;

	boot_sockets();
	bound = listener("l", 0);
	DO(connect_now(bound, 1, true, &parked));
	DO(connect_now(bound, 2, true, &parked));
	struct proc_call second = { 3, outside.next_order };
	DO(connect_now(bound, 3, true, &parked));
	KTAP_EQUAL(DO(sockets_cancel(&sockets, second, &found)), 0);
	KTAP_CHECK(found);
	KTAP_EQUAL(outside.answer[0].error, E_INTR);
	KTAP_EQUAL(dropped(&twice), 4);
	OKAY();
	KTAP_EQUAL(DO(sockets_cancel(&sockets, second, &found)), 0);
	KTAP_CHECK(!found);
	DO(sockets_accept(&sockets, bound, &caps, &who));
	DO(sockets_accept(&sockets, bound, &caps, &who));
	KTAP_EQUAL(who.pid, 3);
	OKAY();
}

TEST(test_an_ending_listener_refuses_all_who_wait_in_steps)
{
	struct socket_bound *bound;
	bool parked, found;
	unsigned twice, refused = 0;

	boot_sockets();
	bound = listener("l", 9);
	for (uint32_t i = 0; i < 30; i++)
		KTAP_EQUAL(DO(connect_now(bound, i, true, &parked)), 0);
	KTAP_EQUAL(DO(sockets_closed(&sockets, bound)), 0);
	KTAP_CHECK(sockets_has_work(&sockets));
	OKAY();
	/* The name is free at once; a caller can still give up. */
	KTAP_EQUAL(DO(bind_now(SOCKET_STREAM, "l", &bound)), 0);
	KTAP_EQUAL(DO(sockets_cancel(&sockets, (struct proc_call){ 3,
	    outside.next_order }, &found)), 0);
	KTAP_CHECK(found);
	work_all();
	OKAY();
	for (unsigned i = 0; i < outside.answers; i++)
		refused += outside.answer[i].error == E_CONNREFUSED;
	KTAP_EQUAL(refused, 19);
	/* Session, note, and four of each connection. */
	KTAP_EQUAL(dropped(&twice), 2 + 30 * 4);
	KTAP_EQUAL(twice, 0);
}

TEST(test_a_parcel_is_had_by_its_whole_token_only)
{
	struct socket_parcel *parcel;

	boot_sockets();
	KTAP_EQUAL(DO(pack_now(new_cap(), &parcel)), 0);
	KTAP_EQUAL(DO(add_now(parcel, 0)), 0);
	KTAP_EQUAL(DO(add_now(parcel, 0)), 0);
	KTAP_CHECK(sockets_parcel(&sockets, (uint64_t[2]){ 1, 77 }) == parcel);
	KTAP_CHECK(sockets_parcel(&sockets, (uint64_t[2]){ 1, 78 }) == NULL);
	KTAP_CHECK(sockets_entry(parcel, 1) != NULL);
	KTAP_CHECK(sockets_entry(parcel, 2) == NULL);
	OKAY();
	KTAP_EQUAL(DO(sockets_drop(&sockets, parcel)), 0);
	KTAP_CHECK(sockets_parcel(&sockets, (uint64_t[2]){ 1, 77 }) == NULL);
	work_all();
	unsigned twice;
	KTAP_EQUAL(dropped(&twice), outside.next_cap);
	KTAP_EQUAL(twice, 0);
	OKAY();
}

TEST(test_parcels_are_limited)
{
	struct socket_parcel *parcel;
	unsigned count = 0;
	int error;

	boot_sockets();
	while ((error = DO(pack_now(0, &parcel))) == 0)
		count++;
	KTAP_EQUAL(error, E_TOOMANYREFS);
	KTAP_EQUAL(count, SOCKETS_PARCELS_MAX);
	OKAY();
}

/* -- collecting -- */

TEST(test_a_parcel_to_a_dead_receiver_is_dropped)
{
	struct socket_parcel *to_dead, *to_living;
	uint64_t dead = new_cap(), living = new_cap();

	boot_sockets();
	dead = new_cap();
	living = new_cap();
	DO(pack_now(dead, &to_dead));
	DO(add_now(to_dead, 0));
	DO(pack_now(living, &to_living));
	outside.gone[dead] = 1;
	KTAP_EQUAL(DO(sockets_collect(&sockets)), 0);
	KTAP_EQUAL(sockets.table->parcel_count, 1);
	work_all();
	OKAY();
	KTAP_CHECK(outside.dropped[dead] == 1 && outside.dropped[living] == 0);
}

/*
 * 1 holds 2, 2 holds 3, 3 holds 1; 4 holds 5. What a process has keeps all that
 * hangs on it.
 */
TEST(test_only_parcels_that_nobody_can_get_are_collected)
{
	struct socket_parcel *parcel[6];
	uint64_t ends[6];

	for (unsigned held = 0; held < 6; held++) {
		boot_sockets();
		for (unsigned i = 1; i < 6; i++) {
			ends[i] = new_cap();
			KTAP_EQUAL(DO(pack_now(ends[i], &parcel[i])), 0);
		}
		static const unsigned holds[6] = { 0, 2, 3, 1, 5, 0 };
		for (unsigned i = 1; i < 5; i++)
			DO(add_now(parcel[i], ends[holds[i]]));
		if (held != 0)
			outside.held[ends[held]] = 1;
		KTAP_EQUAL(DO(sockets_collect(&sockets)), 0);
		OKAY();
		/* Nothing has 4, so who has it lives: its watch says so. */
		unsigned kept = 2 + (held >= 1 && held <= 3 ? 3 : 0);
		KTAP_EQUAL(sockets.table->parcel_count, kept);
		work_all();
		OKAY();
	}
}

/* -- anything at all -- */

#define SLOTS	12u

static uint64_t state;

static uint64_t
draw(uint64_t limit)
{
	state = state * 6364136223846793005ul + 1442695040888963407ul;
	return (state >> 33) % limit;
}

/* Capabilities that were given out by accept are nobody's here. */
static unsigned given;

static void
step(struct socket_bound *slot[SLOTS])
{
	unsigned i = (unsigned)draw(SLOTS);
	char name[2] = { (char)('a' + i), 0 };
	struct socket_caps caps;
	struct socket_who who;
	bool unused;

	switch (draw(6)) {
	case 0:
		if (slot[i] == NULL)
			DO(bind_now(SOCKET_STREAM, name, &slot[i]));
		break;
	case 1:
		if (slot[i] != NULL)
			DO(listen_now(slot[i], 1, (uint32_t)draw(4)));
		break;
	case 2:
		if (slot[i] != NULL && slot[i]->listens)
			DO(connect_now(slot[i], 2, draw(2) == 0, &unused));
		break;
	case 3:
		if (slot[i] != NULL && DO(sockets_accept(&sockets, slot[i],
		    &caps, &who)) == 0)
			given += 4;
		break;
	case 4:
		DO(sockets_cancel(&sockets, (struct proc_call){ 3,
		    outside.next_order - draw(8) }, &unused));
		break;
	default:
		if (slot[i] != NULL && draw(3) == 0 &&
		    DO(sockets_closed(&sockets, slot[i])) == 0)
			slot[i] = NULL;
		begin();
		end(sockets_has_work(&sockets) ? sockets_work(&sockets) : 0);
	}
	outside.answers = 0;
}

TEST(test_no_capability_is_dropped_twice_or_forgotten)
{
	struct socket_bound *slot[SLOTS] = { NULL };
	unsigned twice, taken = 0;

	boot_sockets();
	given = 0;
	/* What a refused request drew is undone with it: see end(). */
	for (state = 1; outside.next_cap < CAPS_MAX - 64; taken++) {
		step(slot);
		if (taken % 16 == 0)
			OKAY();
	}
	for (unsigned i = 0; i < SLOTS; i++) {
		if (slot[i] != NULL)
			DO(sockets_closed(&sockets, slot[i]));
	}
	while (sockets_has_work(&sockets)) {
		outside.answers = 0;
		begin();
		end(sockets_work(&sockets));
	}
	OKAY();
	KTAP_EQUAL(dropped(&twice) + given, outside.next_cap);
	KTAP_EQUAL(twice, 0);
	KTAP_CHECK(given > 100);
}

TEST_MAIN(0)
