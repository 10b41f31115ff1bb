/* SPDX-License-Identifier: MIT */
/*
 * Waiting: a little spinning if that was worth it lately, then sleep.
 *
 * Spinning costs the CPU, sleeping costs two system calls and a switch. The
 * average length of the last waits says which is cheaper: while it is below
 * what a sleep costs (config.spin_ns), a wait spins for up to that long, and so
 * never costs more than twice the better choice; else it sleeps at once, but
 * every sixteenth spins, because the length of a wait that slept contains the
 * sleep and would never fall again. One CPU never spins: the other side could
 * not run meanwhile.
 *
 * Sleeping: raise the flags of all lanes concerned, looking at each again
 * behind it; look at the generation; sleep on all the words. Whoever publishes
 * lowers a flag, then wakes (ring.h); whoever posts an event changes the
 * generation, then wakes. Nobody's wake-up is lost, because each is looked for
 * behind the raising.
 *
 * A hostile peer can make a ring look as if it held something, so that nobody
 * who looks at it falls asleep. Honest rings do that once: when a message came
 * meanwhile. One that does it a hundred times in a row is closed. (Not a lossy
 * one: a quick sender may overtake its receiver that often.)
 */
#include "state.h"

#define PROBE_EVERY	16u
#define LOOKS_PER_CLOCK	16u	/* looks between two looks at the clock */
#define EAGER_LOOKS	64u	/* without a pause, which may take 50 ns */
#define AVERAGE_SHIFT	3u

/* Lanes concerned, by index. */
static uint32_t
lane_count(const struct channel *channel, const struct channel_wait *wait)
{
	if (wait->what == WAIT_EVENT)
		return 0;
	if (wait->only != NULL)
		return 1;
	return wait->what == WAIT_MESSAGE ? channel->in.count :
	    channel->out.count;
}

static struct lane_out *
out_lane(const struct channel *channel, const struct channel_wait *wait,
    uint32_t i)
{
	return wait->only != NULL ? wait->only : lane_out_at(channel, i);
}

static bool
raise_for_message(struct channel *channel, struct lane_in *lane)
{
	/* A closed lane always has something: its end. */
	if (lane->finished || lane->refused ||
	    ring_consumer_prepare_sleep(&lane->messages))
		return true;
	if (++lane->promises > PROMISES_MAX && !channel_is_lossy(channel))
		channel_corrupt_in(channel, lane);
	return false;
}

static bool
raise_for_back(struct channel *channel, struct lane_out *lane)
{
	if (ring_consumer_prepare_sleep(&lane->back))
		return true;
	if (++lane->promises > PROMISES_MAX)
		channel_corrupt_out(channel, lane);
	return false;
}

/* Raises the flag; false: there is something, and it is down again. */
static bool
raise_flag(struct channel *channel, const struct channel_wait *wait,
    uint32_t i)
{
	switch (wait->what) {
	case WAIT_MESSAGE:
		return raise_for_message(channel, lane_in_at(channel, i));
	case WAIT_ROOM:
		return ring_producer_prepare_sleep(
		    &out_lane(channel, wait, i)->messages, wait->length);
	default:
		return raise_for_back(channel, out_lane(channel, wait, i));
	}
}

static void
lower_flag(struct channel *channel, const struct channel_wait *wait,
    uint32_t i)
{
	switch (wait->what) {
	case WAIT_MESSAGE:
		ring_consumer_awake(&lane_in_at(channel, i)->messages);
		break;
	case WAIT_ROOM:
		ring_producer_awake(&out_lane(channel, wait, i)->messages);
		break;
	default:
		ring_consumer_awake(&out_lane(channel, wait, i)->back);
		break;
	}
}

static uint32_t *
flag_word(const struct channel *channel, const struct channel_wait *wait,
    uint32_t i)
{
	switch (wait->what) {
	case WAIT_MESSAGE:
		return ring_consumer_word(
		    lane_in_at(channel, i)->place.memory);
	case WAIT_ROOM:
		return ring_producer_word(
		    out_lane(channel, wait, i)->place.memory);
	default:
		return ring_consumer_word(channel_back_memory(
		    &out_lane(channel, wait, i)->place));
	}
}

static void
lower_flags(struct channel *channel, const struct channel_wait *wait,
    uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		lower_flag(channel, wait, i);
}

static bool
has_changed(const struct channel *channel)
{
	return ring_load(channel->generation, RING_ACQUIRE) !=
	    channel->member.generation_seen;
}

/* All flags up; false: there is something to do, and all are down. */
static bool
raise_flags(struct channel *channel, const struct channel_wait *wait)
{
	uint32_t count = lane_count(channel, wait);

	for (uint32_t i = 0; i < count; i++) {
		if (raise_flag(channel, wait, i))
			continue;
		lower_flags(channel, wait, i);
		return false;
	}
	if (!has_changed(channel))
		return true;
	lower_flags(channel, wait, count);
	return false;
}

static status_t
sleep_once(struct channel *channel, const struct channel_wait *wait)
{
	const struct channel_port *port = channel->domain->port;
	uint32_t count = lane_count(channel, wait), words = 0;

	if (!raise_flags(channel, wait))
		return OK;
	for (uint32_t i = 0; i < count; i++) {
		if (wait->what == WAIT_MESSAGE &&
		    lane_in_at(channel, i)->finished)
			continue;
		channel->words[words++] = flag_word(channel, wait, i);
	}
	count_add(&channel->counters->slept, 1);
	status_t status = port->sleep(channel->domain, &channel->member,
	    channel->words, words, wait->deadline_ns);
	lower_flags(channel, wait, count);
	return status;
}

/* Only what goes to sleep looks for a loss, too. */
static bool
lossy_is_ready(struct lane_in *lane)
{
	bool nothing = ring_consumer_prepare_sleep(&lane->messages);

	if (nothing)
		ring_consumer_awake(&lane->messages);
	return !nothing;
}

static bool
lane_is_ready(struct channel *channel, const struct channel_wait *wait,
    uint32_t i)
{
	struct ring_message message;
	void *room;

	switch (wait->what) {
	case WAIT_MESSAGE:
		if (lane_in_at(channel, i)->finished)
			return false;
		if (channel_is_lossy(channel))
			return lossy_is_ready(lane_in_at(channel, i));
		return ring_peek(&lane_in_at(channel, i)->messages,
		    &message) != ERR_EMPTY;
	case WAIT_ROOM:
		return ring_reserve(&out_lane(channel, wait, i)->messages,
		    wait->length, &room) != ERR_FULL;
	default:
		return ring_peek(&out_lane(channel, wait, i)->back,
		    &message) != ERR_EMPTY;
	}
}

static bool
is_ready(struct channel *channel, const struct channel_wait *wait)
{
	uint32_t count = lane_count(channel, wait);

	for (uint32_t i = 0; i < count; i++)
		if (lane_is_ready(channel, wait, i))
			return true;
	return has_changed(channel);
}

/* How long this wait may spin, in ns. */
static uint64_t
spin_budget(struct channel *channel)
{
	uint64_t most = channel->member.config.spin_ns;

	if (channel->domain->cpus < 2)
		return 0;
	if (channel->wait_average <= most)
		return most;
	return channel->waits % PROBE_EVERY == 0 ? most : 0;
}

static bool
spin_until(struct channel *channel, const struct channel_wait *wait,
    uint64_t end_ns)
{
	const struct channel_port *port = channel->domain->port;
	uint32_t looks = 0;

	if (wait->deadline_ns < end_ns)
		end_ns = wait->deadline_ns;
	do {
		for (uint32_t i = 0; i < LOOKS_PER_CLOCK; i++) {
			if (is_ready(channel, wait))
				return true;
			if (++looks > EAGER_LOOKS)
				__builtin_ia32_pause();
		}
	} while (port->now_ns(channel->domain) < end_ns);
	return false;
}

static void
learn(struct channel *channel, uint64_t waited_ns)
{
	uint64_t most = channel->member.config.spin_ns << AVERAGE_SHIFT;
	uint64_t average = channel->wait_average;

	if (waited_ns > most)
		waited_ns = most;
	channel->wait_average = average - (average >> AVERAGE_SHIFT) +
	    (waited_ns >> AVERAGE_SHIFT);
	channel->waits++;
}

/*
 * Nobody waits here. With a descriptor the flags stay up, so that the next
 * message makes it readable.
 */
static status_t
wait_not(struct channel *channel, const struct channel_wait *wait)
{
	const struct channel_port *port = channel->domain->port;

	if (wait->what != WAIT_MESSAGE || !channel->member.config.pollable)
		return ERR_TIMEOUT;
	port->quiet(channel->domain, &channel->member);
	return raise_flags(channel, wait) ? ERR_TIMEOUT : OK;
}

status_t
channel_wait(struct channel *channel, const struct channel_wait *wait)
{
	const struct channel_port *port = channel->domain->port;

	if (wait->deadline_ns == CHANNEL_NOW)
		return wait_not(channel, wait);
	uint64_t start = port->now_ns(channel->domain);
	if (start >= wait->deadline_ns)
		return ERR_TIMEOUT;
	uint64_t budget = spin_budget(channel);
	status_t status = OK;
	if (budget == 0 || !spin_until(channel, wait, start + budget))
		status = sleep_once(channel, wait);
	learn(channel, port->now_ns(channel->domain) - start);
	return status;
}
