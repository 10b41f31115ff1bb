/* SPDX-License-Identifier: MIT */
/*
 * Kept members: see keep.h for what they promise and lib/ring/ring.h, "Coming
 * back", for why the ends of lanes keep it.
 *
 * A lane that was used since the last settle is marked `moved`: only those are
 * saved, settled and undone. Its record is made when it is first saved; a lane
 * without a record stands at its start, because nothing of it was committed. The
 * record of a lane that was dropped is freed by the next keep, one whose lane
 * ended before the successor heard of it when there is no other left.
 */
#include "kept.h"

static struct kept *
kept_of(const struct channel *channel)
{
	return channel->keeper.memory;
}

static status_t
save(struct channel *channel, void *address, size_t length)
{
	return channel->keeper.save(channel->keeper.context, address, length);
}

bool
channel_may_be_kept(const struct channel *channel)
{
	const struct channel_config *config = &channel->member.config;
	bool sends = (channel->role & CHANNEL_SENDER) != 0;

	if (config->overflow == CHANNEL_DROP_OLDEST ||
	    (config->zero_copy && sends))
		return false;
	switch (config->type) {
	case CHANNEL_ASYNC:
	case CHANNEL_BROADCAST:
	case CHANNEL_MULTICAST:
		return true;
	case CHANNEL_SYNC:
		return !sends;
	default:
		return false;
	}
}

status_t
channel_kept_begin(struct channel *channel)
{
	struct kept *kept = kept_of(channel);
	status_t status = save(channel, kept, sizeof(*kept));

	if (status != OK)
		return status;
	memset(kept, 0, sizeof(*kept));
	kept->member = channel->member.number;
	kept->token = channel->member.token;
	return OK;
}

/* NULL: it was never saved. */
static struct kept_lane *
record_of(const struct channel *channel, uint64_t number, bool sends)
{
	struct kept *kept = kept_of(channel);

	for (uint32_t i = 0; i < CHANNEL_KEPT_LANES; i++)
		if (kept->lane[i].number == number &&
		    kept->lane[i].sends == sends)
			return &kept->lane[i];
	return NULL;
}

void
channel_kept_leave(struct channel *channel, uint64_t number, bool sends)
{
	struct kept_lane *record = !channel->kept ? NULL :
	    record_of(channel, number, sends);

	if (record != NULL)
		channel->lanes_left |= 1u << (record - kept_of(channel)->lane);
}

static bool
has_lane(const struct channel *channel, const struct kept_lane *record)
{
	uint32_t count = record->sends ? channel->out.count :
	    channel->in.count;

	for (uint32_t i = 0; i < count; i++) {
		const struct lane_place *place = record->sends ?
		    &lane_out_at(channel, i)->place :
		    &lane_in_at(channel, i)->place;

		if (place->number == record->number)
			return true;
	}
	return false;
}

/* Those of lanes that ended before this incarnation heard of them. */
static void
leave_unknown(struct channel *channel)
{
	const struct kept *kept = kept_of(channel);

	for (uint32_t i = 0; i < CHANNEL_KEPT_LANES; i++)
		if (!has_lane(channel, &kept->lane[i]))
			channel->lanes_left |= 1u << i;
}

static status_t
free_records(struct channel *channel)
{
	struct kept *kept = kept_of(channel);

	for (uint32_t bits = channel->lanes_left; bits != 0;
	    bits &= bits - 1) {
		struct kept_lane *record = &kept->lane[__builtin_ctz(bits)];
		status_t status = save(channel, record, sizeof(*record));

		if (status != OK)
			return status;
		*record = (struct kept_lane){ 0 };
	}
	return OK;
}

/* There is one for each lane (add_in, add_out), once what is over is free. */
static struct kept_lane *
free_record(struct channel *channel)
{
	struct kept_lane *record = record_of(channel, 0, false);

	if (record != NULL)
		return record;
	leave_unknown(channel);
	return free_records(channel) == OK ? record_of(channel, 0, false) :
	    NULL;
}

static status_t
write_record(struct channel *channel, const struct kept_lane *record)
{
	struct kept_lane *place = record_of(channel, record->number,
	    record->sends != 0);

	if (place == NULL)
		place = free_record(channel);
	if (place == NULL)
		return ERR_LIMIT;
	status_t status = save(channel, place, sizeof(*place));
	if (status == OK)
		*place = *record;
	return status;
}

static status_t
write_out(struct channel *channel, const struct lane_out *lane)
{
	struct kept_lane record = {
		.number = lane->place.number, .sends = 1, .sent = lane->sent,
	};

	ring_producer_mark(&lane->messages, &record.messages);
	return write_record(channel, &record);
}

static status_t
write_in(struct channel *channel, const struct lane_in *lane)
{
	struct kept_lane record = { .number = lane->place.number };

	ring_consumer_mark(&lane->messages, &record.messages);
	ring_producer_mark(&lane->back, &record.back);
	return write_record(channel, &record);
}

static status_t
write_asked(struct channel *channel)
{
	const struct channel_asked *asked = &channel->asked;
	struct kept *kept = kept_of(channel);
	uint64_t lane = asked->lane != NULL ? asked->lane->place.number : 0;

	if (kept->asked_lane == lane && (lane == 0 ||
	    kept->asked_request == asked->request))
		return OK;
	status_t status = save(channel, &kept->asked_lane,
	    3 * sizeof(kept->asked_lane));
	if (status != OK)
		return status;
	kept->asked_lane = lane;
	kept->asked_request = asked->request;
	kept->asked_kind = asked->kind;
	return OK;
}

status_t
channel_keep(struct channel *channel)
{
	status_t status = OK;

	if (!channel->kept)
		return ERR_STATE;
	if (channel->lanes_left != 0)
		status = free_records(channel);
	for (uint32_t i = 0; i < channel->out.count && status == OK; i++)
		if (lane_out_at(channel, i)->moved)
			status = write_out(channel, lane_out_at(channel, i));
	for (uint32_t i = 0; i < channel->in.count && status == OK; i++)
		if (lane_in_at(channel, i)->moved)
			status = write_in(channel, lane_in_at(channel, i));
	return status == OK ? write_asked(channel) : status;
}

status_t
channel_enter(struct channel *channel)
{
	const struct channel_port *port = channel->domain->port;
	status_t status;

	if (!channel->kept)
		return ERR_STATE;
	if (port->enter == NULL)
		return OK;
	status = port->enter(channel->domain, &channel->member);
	if (status == OK)
		status = channel_catch_up(channel);
	channel_promise(channel);
	return status;
}

uint64_t
channel_sender_generation(const struct channel *channel)
{
	const struct lane_in *lane = channel->shown.lane;

	return lane == NULL ? 0 : ring_producer_generation(lane->place.memory);
}

static void
settle_out(struct channel *channel, struct lane_out *lane)
{
	if (!lane->moved)
		return;
	lane->moved = false;
	ring_publish(&lane->messages);
	lane_wake_receiver(channel, lane);
}

static void
settle_in(struct channel *channel, struct lane_in *lane)
{
	if (!lane->moved)
		return;
	lane->moved = false;
	ring_give_back(&lane->messages);
	lane_wake_sender(channel, lane);
	if (lane->back.first == NULL)
		return;
	ring_publish(&lane->back);
	if (ring_producer_must_wake(&lane->back))
		channel_wake(channel, &lane->place,
		    ring_consumer_word(channel_back_memory(&lane->place)));
}

void
channel_settle(struct channel *channel)
{
	if (!channel->kept)
		return;
	channel->lanes_left = 0;
	for (uint32_t i = 0; i < channel->out.count; i++)
		settle_out(channel, lane_out_at(channel, i));
	for (uint32_t i = 0; i < channel->in.count; i++)
		settle_in(channel, lane_in_at(channel, i));
	if (channel->ending)
		channel_sweep(channel);
}

static const struct kept_lane at_start;

static const struct kept_lane *
stands(const struct channel *channel, uint64_t number, bool sends)
{
	const struct kept_lane *record = record_of(channel, number, sends);

	return record != NULL ? record : &at_start;
}

status_t
channel_kept_open_out(struct channel *channel, struct lane_out *lane)
{
	const struct kept_lane *record = stands(channel, lane->place.number,
	    true);

	lane->moved = false;
	lane->sent = record->sent;
	return ring_producer_open_at(&lane->messages, lane->place.memory,
	    lane->place.lines, &record->messages,
	    kept_of(channel)->generation);
}

status_t
channel_kept_open_in(struct channel *channel, struct lane_in *lane)
{
	const struct kept_lane *record = stands(channel, lane->place.number,
	    false);
	uint64_t generation = kept_of(channel)->generation;
	status_t status = ring_consumer_open_at(&lane->messages,
	    lane->place.memory, lane->place.lines, &record->messages,
	    generation);

	lane->moved = lane->finished = false;
	if (status != OK)
		return status;
	return ring_producer_open_at(&lane->back,
	    channel_back_memory(&lane->place), lane->place.return_lines,
	    &record->back, generation);
}

/*
 * The dead may have lowered a flag and not come to the wake: so it is asked, for
 * its barrier, and the sleeper is woken anyway (ring.h).
 */
void
channel_kept_wake_out(struct channel *channel, struct lane_out *lane)
{
	(void)ring_producer_must_wake(&lane->messages);
	channel_wake(channel, &lane->place,
	    ring_consumer_word(lane->place.memory));
}

void
channel_kept_wake_in(struct channel *channel, struct lane_in *lane)
{
	(void)ring_consumer_must_wake(&lane->messages);
	channel_wake(channel, &lane->place,
	    ring_producer_word(lane->place.memory));
	(void)ring_producer_must_wake(&lane->back);
	channel_wake(channel, &lane->place,
	    ring_consumer_word(channel_back_memory(&lane->place)));
}

/* The request that was committed without its answer. */
static void
restore_asked(struct channel *channel)
{
	const struct kept *kept = kept_of(channel);

	channel->asked = (struct channel_asked){ 0 };
	for (uint32_t i = 0; i < channel->in.count; i++) {
		struct lane_in *lane = lane_in_at(channel, i);

		if (kept->asked_lane == 0 ||
		    lane->place.number != kept->asked_lane)
			continue;
		channel->asked = (struct channel_asked){
			.lane = lane, .request = kept->asked_request,
			.kind = (uint32_t)kept->asked_kind,
		};
		channel_hold(channel);
	}
}

void
channel_undo(struct channel *channel)
{
	if (!channel->kept)
		return;
	if (channel->made.where != MADE_NOT)
		channel_cancel(channel, NULL);
	channel->shown.lane = NULL;
	channel->asked.lane = NULL;
	channel_let_go(channel);
	/* Marks that were good to be saved are good to be opened at. */
	for (uint32_t i = 0; i < channel->out.count; i++)
		if (lane_out_at(channel, i)->moved)
			(void)channel_kept_open_out(channel,
			    lane_out_at(channel, i));
	for (uint32_t i = 0; i < channel->in.count; i++)
		if (lane_in_at(channel, i)->moved)
			(void)channel_kept_open_in(channel,
			    lane_in_at(channel, i));
	restore_asked(channel);
	channel_sweep(channel);
}

void
channel_kept_end(struct channel *channel)
{
	struct kept *kept = kept_of(channel);

	channel_undo(channel);
	if (save(channel, &kept->member, sizeof(kept->member)) == OK)
		kept->member = 0;
}

/* What is no keeper's memory is not overwritten by what follows. */
static bool
makes_sense(const struct kept *kept)
{
	for (uint32_t i = 0; i < CHANNEL_KEPT_LANES; i++)
		if (kept->lane[i].sends > 1)
			return false;
	return true;
}

status_t
channel_kept_resume(struct channel *channel,
    const struct channel_options *options)
{
	const struct channel_port *port = channel->domain->port;
	struct kept *kept = kept_of(channel);
	status_t status;

	if (kept->member == 0)
		return ERR_NOENT;
	if (port->resume == NULL)
		return ERR_NOSYS;
	if (!makes_sense(kept))
		return ERR_CORRUPT;
	status = save(channel, &kept->member, 2 * sizeof(kept->member));
	if (status != OK)
		return status;
	kept->generation++;
	status = port->resume(channel->domain, kept->member, &kept->token,
	    options, &channel->member);
	if (status != ERR_NOENT)
		return status;
	kept->member = 0;
	return ERR_GONE;
}

void
channel_kept_resumed(struct channel *channel)
{
	restore_asked(channel);
}
