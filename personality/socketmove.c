/* SPDX-License-Identifier: MIT */
/*
 * Bytes and messages between sockets, and waiting for them.
 *
 * As with pipes, nobody enters the kernel while nobody sleeps, and a sender
 * that runs learns within a millisecond that the other side is gone.
 */
#include "socket.h"

#include "clock.h"
#include "service.h"
#include "sharedlock.h"
#include "signals.h"
#include "watch.h"

#include <idl/process.h>
#include <idl/socket_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define ASK_AGAIN_TSC	(1ul << 21)

/* -- sleeping -- */

static inline void
wake(uint32_t *asleep, cap_t note)
{
	if (__atomic_load_n(asleep, __ATOMIC_SEQ_CST) == 0)
		return;
	__atomic_store_n(asleep, 0, __ATOMIC_SEQ_CST);
	sys_signal(note, 1);
}

/* What was put can be read; what was taken made room. */
static inline void
wake_readers(const struct socket_lane *lane, cap_t note)
{
	wake(&lane->ring->readers_asleep, note);
	watch_wake(&lane->ring->readable);
}

static inline void
wake_writers(const struct socket_lane *lane, cap_t note)
{
	wake(&lane->ring->writers_asleep, note);
	watch_wake(&lane->ring->writable);
}

static uint64_t
announce(uint32_t *asleep, cap_t note)
{
	uint64_t word, count = 0;

	sys_wait(note, WAIT_POLL, 0, 0, &word, &count);
	__atomic_store_n(asleep, 1, __ATOMIC_SEQ_CST);
	return count;
}

uint64_t
socket_deadline(uint64_t timeout_ns)
{
	return timeout_ns == 0 ? DEADLINE_NEVER : time_now_ns() + timeout_ns;
}

/* With a time limit a call is not made again: that would begin anew. */
long
socket_sleep(cap_t note, uint64_t seen, uint64_t deadline)
{
	status_t status = ERR_INTERRUPTED;

	/* A kick before this point would not end the wait. */
	if (UTCB->kick_pending == 0)
		status = sys_wait(note, WAIT_COUNT, seen, deadline, NULL,
		    NULL);
	if (status == ERR_TIMEOUT)
		return -E_AGAIN;
	long error = status == OK ? 0 : service_waits(service_error(status));
	return error == -RESTART_SYS && deadline != DEADLINE_NEVER ? -E_INTR :
	    error;
}

static bool
not_waiting(const struct file *file, unsigned flags)
{
	return (file->flags & L_O_NONBLOCK) != 0 ||
	    (flags & L_MSG_DONTWAIT) != 0;
}

/* -- sending -- */

static bool
is_shut(const struct socket_lane *lane)
{
	return __atomic_load_n(&lane->ring->shut, __ATOMIC_ACQUIRE) != 0;
}

/* Asked of the kernel when the peer closed something, and now and then. */
static bool
receiver_gone(struct socket *s, const struct socket_lane *lane, cap_t watch)
{
	uint32_t closings = __atomic_load_n(&lane->ring->closings,
	    __ATOMIC_ACQUIRE);
	uint64_t now = shared_tsc();

	if (closings == s->closings_seen &&
	    now - s->asked_tsc < ASK_AGAIN_TSC)
		return false;
	s->closings_seen = closings;
	s->asked_tsc = now;
	if (!socket_watch_gone(watch))
		return false;
	s->asked_tsc = 0;	/* stays so: ask again each time */
	return true;
}

/* Where the bytes of one call go. */
struct sending {
	struct file *file;
	struct socket *s;
	struct socket_lane lane;
	struct socket_side *receiver;
	cap_t	 note, watch;
	uint64_t limit, deadline;
	bool	 messages;
};

static long
put(struct sending *to, struct socket_out *out, uint64_t size,
    const struct socket_extra *extra)
{
	uint64_t *lock = &to->lane.ring->write_lock;

	shared_lock(lock);
	long done = to->messages ?
	    socket_put_message(&to->lane, &out->pieces, size, to->limit,
	    extra) :
	    socket_put_stream(&to->lane, &out->pieces, size, to->limit, extra);
	shared_unlock(lock);
	return done;
}

static bool
has_room(const struct sending *to, uint64_t size)
{
	const struct socket_ring *ring = to->lane.ring;
	uint64_t used = socket_lane_bytes(&to->lane, to->messages);
	uint64_t marks = ring_load(&ring->marks_written) -
	    ring_load(&ring->marks_taken);

	return used < to->limit && to->limit - used >= size &&
	    marks < SOCKET_MARKS;
}

/* It is full: 0 to try again, or why not. */
static long
wait_for_room(const struct sending *to, unsigned flags, uint64_t size)
{
	uint64_t seen = announce(&to->lane.ring->writers_asleep, to->note);

	if (has_room(to, size))
		return 0;
	if (is_shut(&to->lane) || socket_watch_gone(to->watch))
		return -E_PIPE;
	if (not_waiting(to->file, flags))
		return -E_AGAIN;
	return socket_sleep(to->note, seen, to->deadline);
}

static long
broken(const struct socket_out *out, uint64_t done)
{
	if (done != 0)
		return (long)done;
	if ((out->flags & L_MSG_NOSIGNAL) == 0)
		signal_raise(L_SIGPIPE);
	return -E_PIPE;
}

/* It is on its way: who closes the receiver last tells proc. */
static void
parcel_left(struct socket_side *receiver, struct socket_out *out)
{
	if ((out->extra.flags & MARK_PARCEL) != 0)
		__atomic_fetch_add(&receiver->parcels, 1, __ATOMIC_RELAXED);
	out->extra.flags = 0;
}

static long
send_stream(struct sending *to, struct socket_out *out)
{
	const struct socket_extra *extra = out->extra.flags != 0 ?
	    &out->extra : NULL;
	uint64_t done = 0;

	while (done < out->size) {
		if (is_shut(&to->lane) ||
		    receiver_gone(to->s, &to->lane, to->watch))
			return broken(out, done);
		long step = put(to, out, out->size - done, extra);
		if (step > 0) {
			done += (uint64_t)step;
			if (extra != NULL)
				parcel_left(to->receiver, out);
			extra = NULL;
			wake_readers(&to->lane, to->note);
			continue;
		}
		step = step == RING_FULL ?
		    wait_for_room(to, out->flags, 1) :
		    step == RING_FAULT ? -E_FAULT : -E_IO;
		if (step == -E_PIPE)
			return broken(out, done);
		if (step != 0)
			return done != 0 ? (long)done : step;
	}
	return (long)done;
}

static long
send_message(struct sending *to, struct socket_out *out)
{
	struct socket_pieces pieces = out->pieces;
	uint64_t whole = out->size + out->extra.name_length;

	if (whole > to->limit - 32)
		return -E_MSGSIZE;
	for (;;) {
		if (is_shut(&to->lane))
			return -E_PIPE;
		if (receiver_gone(to->s, &to->lane, to->watch))
			return socket_is_datagram(to->s) ? -E_CONNREFUSED :
			    -E_PIPE;
		out->pieces = pieces;
		long step = put(to, out, out->size, &out->extra);
		if (step >= 0) {
			parcel_left(to->receiver, out);
			wake_readers(&to->lane, to->note);
			return step;
		}
		if (step != RING_FULL)
			return step == RING_FAULT ? -E_FAULT : -E_IO;
		step = wait_for_room(to, out->flags, whole);
		if (step == -E_PIPE && socket_is_datagram(to->s) &&
		    !is_shut(&to->lane))
			return -E_CONNREFUSED;
		if (step != 0)
			return step;
	}
}

/* Only from the one that it is connected to. */
static bool
may_send(const struct socket *s, const struct socket_target *target)
{
	uint64_t only = target->memory->side[0].only;

	return only == 0 || only == socket_number(s->end);
}

static long
send_datagram(struct file *file, struct socket_out *out)
{
	struct socket *s = socket_of(file);
	struct socket_memory *own = socket_memory(s);
	struct socket_target target = s->target;
	bool addressed = out->address_length != 0;
	long error = 0;

	if (own->ring[1].shut)
		return -E_PIPE;
	if (addressed)
		error = socket_find_target(s, out->address,
		    out->address_length, &target);
	else if (!s->connected)
		error = -E_NOTCONN;
	if (error != 0)
		return error;
	struct sending to = {
		.file = file, .s = s, .messages = true,
		.lane = socket_lane(target.memory, 0),
		.receiver = &target.memory->side[0],
		.note = target.note, .watch = target.watch,
		.limit = socket_limit(own->side[0].send_limit),
		.deadline = socket_deadline(own->side[0].send_timeout),
	};
	if (to.limit > SOCKET_RING)
		to.limit = SOCKET_RING;
	if (!may_send(s, &target))
		error = -E_PERM;
	if (error == 0)
		error = socket_credentials_out(s, &target.memory->side[0],
		    target.watch, &out->extra);
	out->extra.name = own->side[0].name.bytes;
	out->extra.name_length = own->side[0].name.length;
	if (out->extra.name_length > SOCKET_NAME_MAX)
		out->extra.name_length = 0;
	if (error == 0)
		error = send_message(&to, out);
	if (addressed && target.memory != s->target.memory)
		socket_target_close(&target);
	else if (error == -E_CONNREFUSED && !addressed)
		/* For good: the next call finds no destination. */
		socket_disconnect(file);
	return error;
}

static long
send_connected(struct file *file, struct socket_out *out)
{
	struct socket *s = socket_of(file);
	const struct socket_side *side = socket_side(s);

	if (socket_is_stream(s) && out->address_length != 0)
		return s->connected ? -E_ISCONN : -E_OPNOTSUPP;
	if (!s->connected)
		return -E_NOTCONN;
	struct sending to = {
		.file = file, .s = s, .messages = !socket_is_stream(s),
		.lane = socket_out(s),
		.receiver = &socket_memory(s)->side[1 - s->side], .note = s->note, .watch = s->watch,
		.limit = socket_limit(side->send_limit),
		.deadline = socket_deadline(side->send_timeout),
	};
	if (to.limit > SOCKET_RING)
		to.limit = SOCKET_RING;
	long error = socket_credentials_out(s,
	    &socket_memory(s)->side[1 - s->side], s->watch, &out->extra);
	if (error != 0)
		return error;
	return to.messages ? send_message(&to, out) : send_stream(&to, out);
}

long
socket_send(struct file *file, struct socket_out *out)
{
	struct socket *s = socket_of(file);
	long done;

	if ((out->flags & L_MSG_OOB) != 0)
		done = -E_OPNOTSUPP;
	else if (socket_is_datagram(s))
		done = send_datagram(file, out);
	else
		done = send_connected(file, out);
	if ((out->extra.flags & MARK_PARCEL) != 0)
		socket_parcel_drop(out->extra.token);
	return done;
}

/* -- receiving -- */

/*
 * The peer left without reading all, or the connection was never accepted:
 * told once.
 */
static bool
was_reset(const struct socket *s)
{
	struct socket_lane out = socket_out(s);
	struct socket_side *side = socket_side(s);
	bool accepted = s->side == 1 ||
	    (socket_memory(s)->side[1].flags & SIDE_ACCEPTED) != 0;

	if ((__atomic_load_n(&side->flags, __ATOMIC_RELAXED) &
	    SIDE_RESET_TOLD) != 0)
		return false;
	return !accepted || socket_lane_readable(&out, !socket_is_stream(s));
}

uint32_t
socket_take_error(const struct socket *s)
{
	if (!s->connected || socket_is_datagram(s) ||
	    !socket_watch_gone(s->watch) || !was_reset(s))
		return 0;
	__atomic_fetch_or(&socket_side(s)->flags, SIDE_RESET_TOLD,
	    __ATOMIC_SEQ_CST);
	return E_CONNRESET;
}

static long
take(const struct socket_lane *lane, struct socket_side *side, bool messages,
    struct socket_receipt *receipt, uint64_t size,
    const struct socket_look *look)
{
	shared_lock(&lane->ring->read_lock);
	long done = messages ?
	    socket_take_message(lane, &receipt->pieces, size, look,
	    &receipt->taken) :
	    socket_take_stream(lane, &receipt->pieces, size, look,
	    &receipt->taken);
	shared_unlock(&lane->ring->read_lock);
	if (done >= 0 && !look->peek &&
	    (receipt->taken.flags & MARK_PARCEL) != 0)
		__atomic_fetch_sub(&side->parcels, 1, __ATOMIC_RELAXED);
	return done;
}

/* Nothing is there: 0 to look again, 1 at the end, or -E_*. */
static long
wait_for_more(struct file *file, const struct socket_lane *lane,
    const struct socket_receipt *receipt, uint64_t deadline)
{
	struct socket *s = socket_of(file);
	bool messages = !socket_is_stream(s);
	bool datagrams = socket_is_datagram(s);
	uint64_t seen = announce(&lane->ring->readers_asleep, s->note);

	if (socket_lane_readable(lane, messages))
		return 0;
	/* Gone later than this: the count moves. */
	if (!datagrams && socket_watch_gone(s->watch)) {
		if (socket_lane_readable(lane, messages))
			return 0;
		uint32_t error = socket_take_error(s);
		return error != 0 ? -(long)error : 1;
	}
	if (is_shut(lane))
		return 1;
	if (not_waiting(file, receipt->flags))
		return -E_AGAIN;
	return socket_sleep(s->note, seen, deadline);
}

static uint64_t
peek_from(const struct socket_side *side, unsigned flags)
{
	uint32_t kept = side->peek;

	return (flags & L_MSG_PEEK) != 0 && kept != 0 ? kept - 1 : 0;
}

static void
peek_moved(struct socket_side *side, unsigned flags, uint64_t bytes)
{
	uint32_t kept = side->peek;

	if (kept == 0)
		return;
	if ((flags & L_MSG_PEEK) != 0)
		kept += (uint32_t)bytes;
	else
		kept -= bytes < kept ? (uint32_t)bytes : kept - 1;
	side->peek = kept;
}

static long
receive_stream(struct file *file, struct socket_receipt *receipt)
{
	struct socket *s = socket_of(file);
	struct socket_side *side = socket_side(s);
	struct socket_lane lane = socket_in(s);
	struct socket_look look = {
		.peek = (receipt->flags & L_MSG_PEEK) != 0,
		.apart = (side->flags & SIDE_PASS_CREDENTIALS) != 0,
		.skip = peek_from(side, receipt->flags),
	};
	bool all = (receipt->flags & L_MSG_WAITALL) != 0 && !look.peek;
	uint64_t deadline = 0, done = 0;

	for (;;) {
		long step = take(&lane, side, false, receipt,
		    receipt->size - done, &look);
		if (step >= 0) {
			done += (uint64_t)step;
			if (!look.peek)
				wake_writers(&lane, s->note);
			if (!all || done == receipt->size ||
			    (receipt->taken.flags & MARK_PARCEL) != 0)
				break;
			continue;
		}
		if (deadline == 0)
			deadline = socket_deadline(side->receive_timeout);
		step = step == RING_EMPTY ?
		    wait_for_more(file, &lane, receipt, deadline) :
		    step == RING_FAULT ? -E_FAULT : -E_IO;
		if (step < 0 && done == 0)
			return step;
		if (step != 0)
			break;
	}
	peek_moved(side, receipt->flags, done);
	return (long)done;
}

static long
receive_message(struct file *file, struct socket_receipt *receipt)
{
	struct socket *s = socket_of(file);
	struct socket_side *side = socket_side(s);
	struct socket_lane lane = socket_in(s);
	struct socket_look look = {
		.peek = (receipt->flags & L_MSG_PEEK) != 0,
		.skip = peek_from(side, receipt->flags),
	};
	struct socket_pieces pieces = receipt->pieces;
	uint64_t deadline = socket_deadline(side->receive_timeout);

	for (;;) {
		receipt->pieces = pieces;
		long step = take(&lane, side, true, receipt, receipt->size,
		    &look);
		if (step >= 0) {
			if (!look.peek)
				wake_writers(&lane, s->note);
			break;
		}
		step = step == RING_EMPTY ?
		    wait_for_more(file, &lane, receipt, deadline) :
		    step == RING_FAULT ? -E_FAULT : -E_IO;
		if (step != 0) {
			receipt->taken.flags = 0;
			return step < 0 ? step : 0;
		}
	}
	const struct socket_taken *taken = &receipt->taken;
	receipt->cut = taken->bytes + look.skip < taken->length;
	peek_moved(side, receipt->flags, taken->bytes);
	return (receipt->flags & L_MSG_TRUNC) != 0 ?
	    (long)(taken->length - look.skip) : (long)taken->bytes;
}

long
socket_receive(struct file *file, struct socket_receipt *receipt)
{
	struct socket *s = socket_of(file);

	if ((receipt->flags & L_MSG_OOB) != 0)
		return socket_is_stream(s) ? -E_INVAL : -E_OPNOTSUPP;
	receipt->taken.flags = 0;
	if (socket_is_datagram(s))
		return receive_message(file, receipt);
	if (!s->connected)
		return socket_is_stream(s) ? -E_INVAL : -E_NOTCONN;
	return socket_is_stream(s) ? receive_stream(file, receipt) :
	    receive_message(file, receipt);
}

/* -- readiness -- */

#define READABLE	(L_POLLIN | L_POLLRDNORM)
#define WRITABLE	(L_POLLOUT | L_POLLWRNORM | L_POLLWRBAND)

static unsigned
poll_listener(const struct socket *s)
{
	uint32_t count;

	return socket_waiting(s->session, &count) == 0 && count != 0 ?
	    READABLE : 0;
}

static unsigned
poll_datagrams(const struct socket *s)
{
	struct socket_lane in = socket_in(s);
	bool closed = is_shut(&in), full = false;
	unsigned ready = closed ? L_POLLRDHUP | READABLE : 0;

	if (closed && socket_memory(s)->ring[1].shut)
		ready |= L_POLLHUP;
	if (socket_lane_readable(&in, true))
		ready |= READABLE;
	if (s->connected) {
		struct socket_lane out = socket_lane(s->target.memory, 0);
		full = !socket_lane_writable(&out, true,
		    socket_limit(socket_side(s)->send_limit));
	}
	return full ? ready : ready | WRITABLE;
}

static unsigned
poll_connection(const struct socket *s)
{
	struct socket_lane in = socket_in(s), out = socket_out(s);
	bool messages = !socket_is_stream(s);
	bool gone = socket_watch_gone(s->watch);
	unsigned ready = 0;

	if (gone && was_reset(s))
		ready |= L_POLLERR;
	if (gone || (is_shut(&in) && is_shut(&out)))
		ready |= L_POLLHUP;
	if (gone || is_shut(&in))
		ready |= L_POLLRDHUP | READABLE;
	if (socket_lane_readable(&in, messages))
		ready |= READABLE;
	if (socket_lane_writable(&out, messages,
	    socket_limit(socket_side(s)->send_limit)))
		ready |= WRITABLE;
	return ready;
}

unsigned
socket_poll(struct file *file)
{
	const struct socket *s = socket_of(file);

	if (socket_is_datagram(s))
		return poll_datagrams(s);
	if (s->listens)
		return poll_listener(s);
	return s->connected ? poll_connection(s) : L_POLLHUP | WRITABLE;
}

/* Both flags: who polls waits for either. */
cap_t
socket_announce(struct file *file, uint64_t *out_seen)
{
	struct socket *s = socket_of(file);
	struct socket_lane in = socket_in(s), out = socket_out(s);

	*out_seen = announce(&in.ring->readers_asleep, s->note);
	__atomic_store_n(&out.ring->writers_asleep, 1, __ATOMIC_SEQ_CST);
	return s->note;
}

/*
 * That of a connection or of a socket's own messages lies in its memory; one that
 * listens is woken by proc, which was told the same key.
 */
struct watch *
socket_watch(struct file *file, bool out)
{
	struct socket *s = socket_of(file);
	struct socket_memory *memory = socket_memory(s);

	if (!out)
		return s->listens ? NULL : &memory->ring[s->side].readable;
	if (socket_is_datagram(s) && s->connected)
		return &s->target.memory->ring[0].writable;
	return &memory->ring[1 - s->side].writable;
}

long
socket_watch_far(struct file *file, uint64_t out_key[2])
{
	struct socket *s = socket_of(file);

	watch_key(&socket_memory(s)->ring[s->side].readable, out_key);
	return 0;
}

long
socket_bytes(struct file *file, uint64_t *out_bytes)
{
	const struct socket *s = socket_of(file);
	struct socket_lane in = socket_in(s);

	if (s->listens)
		return -E_INVAL;
	*out_bytes = socket_is_datagram(s) ? socket_lane_first(&in) :
	    socket_lane_bytes(&in, !socket_is_stream(s));
	return 0;
}
