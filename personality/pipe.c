/* SPDX-License-Identifier: MIT */
/*
 * Pipes: a shared ring (ring.h) and two notifications, no server.
 *
 * Writers hold end A of an event pair and readers end B; the kernel tells each
 * side when the last holder of the other end is gone, however it went. Those
 * with a name are kept by storage while somebody has them open; it counts
 * readers and writers in the ring, and moves the one notification that both
 * sides have whenever that changes.
 *
 * The common case enters no kernel: lock, copy, publish, unlock, and a look at
 * the flag of a sleeper.
 *
 * A writer learns that all readers are gone in three ways: a descriptor of the
 * read side was closed somewhere (a counter in the ring), the ring is full, or
 * a millisecond has passed since it last asked the kernel. So a reader that
 * was killed is noticed at once by a writer that waits, and within a
 * millisecond by one that runs.
 */
#include "calls.h"
#include "fileops.h"
#include "pipe.h"
#include "ring.h"
#include "sharedlock.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"
#include "watch.h"

#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define PIPE_MAX	256u
#define PIPE_BASE	0x7e0030000000ul
#define PIPE_STRIDE	0x20000ul
#define ASK_AGAIN_TSC	(1ul << 21)

struct pipe {
	uint8_t	 ends;		/* local files that use it */
	bool	 named;
	uint32_t openings;	/* of the other side, when it was opened */
	uint32_t closings_seen;
	uint64_t asked_tsc;	/* last look at the peer */
	cap_t	 data;		/* notification: readers wait */
	cap_t	 space;		/* notification: writers wait */
	cap_t	 memory;	/* of the ring */
};

static struct pipe pipes[PIPE_MAX];

static struct ring *
ring_of(unsigned index)
{
	return (struct ring *)(PIPE_BASE + index * PIPE_STRIDE);
}

static uint32_t
load(const uint32_t *count)
{
	return __atomic_load_n(count, __ATOMIC_SEQ_CST);
}

/* Storage hears of ends that are gone before it answers this. */
static void
settle(void)
{
	service_insist_begin();
	storage_sync(PROCESS_ROOT);
	service_insist_end();
}

/* So that an end that died a while ago is not taken for one that lives. */
static void
settle_sometimes(struct pipe *pipe, uint64_t now)
{
	if (now - pipe->asked_tsc < ASK_AGAIN_TSC)
		return;
	pipe->asked_tsc = now;
	settle();
}

static bool
peer_gone(const struct file *file)
{
	const struct ring *ring = ring_of(file->pipe);
	struct sys_result r;

	if (pipes[file->pipe].named)
		return load(file->can_read ? &ring->named.writers :
		    &ring->named.readers) == 0;
	r = sys_invoke(SYS_EVENTPAIR_QUERY, file->cap, 0, 0, 0, 0, 0);
	return r.status != OK || r.value[0] != 0;
}

static inline void
wake(uint32_t *asleep, cap_t notification)
{
	if (__atomic_load_n(asleep, __ATOMIC_SEQ_CST) == 0)
		return;
	__atomic_store_n(asleep, 0, __ATOMIC_SEQ_CST);
	sys_signal(notification, 1);
}

static uint64_t
announce(uint32_t *asleep, cap_t notification)
{
	uint64_t word, count = 0;

	sys_wait(notification, WAIT_POLL, 0, 0, &word, &count);
	__atomic_store_n(asleep, 1, __ATOMIC_SEQ_CST);
	return count;
}

static long
sleep_until_moved(cap_t notification, uint64_t seen)
{
	status_t status = ERR_INTERRUPTED;

	/* A kick before this point would not end the wait. */
	if (UTCB->kick_pending == 0)
		status = sys_wait(notification, WAIT_COUNT, seen,
		    DEADLINE_NEVER, NULL, NULL);
	return status == OK ? 0 : service_waits(service_error(status));
}

/* Reading */

/* Bytes taken now, 0 if empty, or -E_*. */
static long
take_some(struct ring *ring, void *buffer, uint64_t size, bool keep)
{
	struct ring_span span;
	uint64_t used, done = 0;

	shared_lock(&ring->read_lock);
	uint64_t position = ring_load(&ring->taken);
	if (!ring_used(ring, &used)) {
		shared_unlock(&ring->read_lock);
		return -E_IO;
	}
	ring_span(ring, position, used < size ? used : size, &span);
	for (unsigned i = 0; i < 2 && span.length[i] != 0; i++) {
		size_t left = user_copy_raw((uint8_t *)buffer + done,
		    span.piece[i], span.length[i]);
		done += span.length[i] - left;
		if (left != 0)
			break;
	}
	if (done != 0 && !keep)
		ring_publish(&ring->taken, position + done);
	shared_unlock(&ring->read_lock);
	return done == 0 && used != 0 ? -E_FAULT : (long)done;
}

static long
read_ring(struct file *file, void *buffer, uint64_t size, bool keep)
{
	struct pipe *pipe = &pipes[file->pipe];
	struct ring *ring = ring_of(file->pipe);

	for (;;) {
		long done = take_some(ring, buffer, size, keep);
		if (done != 0) {
			if (done > 0 && !keep) {
				wake(&ring->writers_asleep, pipe->space);
				watch_wake(&ring->writable);
			}
			return done;
		}
		if (pipe->named && (file->flags & L_O_NONBLOCK) != 0)
			settle_sometimes(pipe, shared_tsc());
		bool gone = peer_gone(file);
		uint64_t seen = announce(&ring->readers_asleep, pipe->data);
		uint64_t used;
		if (!ring_used(ring, &used) || used != 0)
			continue;
		if (gone)
			return 0;
		if ((file->flags & L_O_NONBLOCK) != 0)
			return -E_AGAIN;
		/* Gone since the look above: the count may not move again. */
		if (peer_gone(file))
			continue;
		long error = sleep_until_moved(pipe->data, seen);
		if (error != 0)
			return error;
	}
}

static long
pipe_read(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	(void)offset;
	return read_ring(file, buffer, size, false);
}

long
pipe_look(struct file *file, void *buffer, uint64_t size)
{
	return read_ring(file, buffer, size, true);
}

/* Writing */

static long
put_some(struct ring *ring, const uint8_t *from, uint64_t size,
    uint64_t needed)
{
	struct ring_span span;
	uint64_t used, done = 0;

	shared_lock(&ring->write_lock);
	uint64_t position = ring_load(&ring->written);
	if (!ring_used(ring, &used)) {
		shared_unlock(&ring->write_lock);
		return -E_IO;
	}
	uint64_t space = RING_SIZE - used;
	if (space < needed)
		space = 0;
	ring_span(ring, position, space < size ? space : size, &span);
	for (unsigned i = 0; i < 2 && span.length[i] != 0; i++) {
		size_t left = user_copy_raw(span.piece[i], from + done,
		    span.length[i]);
		done += span.length[i] - left;
		if (left != 0)
			break;
	}
	/* A short atomic write is all or nothing. */
	if (done < needed)
		done = 0;
	if (done != 0)
		ring_publish(&ring->written, position + done);
	shared_unlock(&ring->write_lock);
	return done == 0 && space != 0 ? -E_FAULT : (long)done;
}

static bool
readers_gone(struct pipe *pipe, const struct ring *ring,
    const struct file *file)
{
	uint32_t closings = __atomic_load_n(&ring->reader_closings,
	    __ATOMIC_ACQUIRE);
	uint64_t now = shared_tsc();

	if (pipe->named) {
		settle_sometimes(pipe, now);
		return load(&ring->named.readers) == 0;
	}
	if (closings == pipe->closings_seen &&
	    now - pipe->asked_tsc < ASK_AGAIN_TSC)
		return false;
	pipe->closings_seen = closings;
	pipe->asked_tsc = now;
	if (!peer_gone(file))
		return false;
	pipe->asked_tsc = 0;	/* stays so: ask again each time */
	return true;
}

static long
broken(long done)
{
	if (done != 0)
		return done;
	signal_raise(L_SIGPIPE);
	return -E_PIPE;
}

/* The ring is full: 0 to try again, or why not. */
static long
wait_for_space(struct file *file, struct pipe *pipe, struct ring *ring,
    uint64_t needed)
{
	uint64_t used;
	uint64_t seen = announce(&ring->writers_asleep, pipe->space);

	if (!ring_used(ring, &used))
		return -E_IO;
	if (RING_SIZE - used >= needed)
		return 0;
	if (pipe->named ? load(&ring->named.readers) == 0 : peer_gone(file))
		return -E_PIPE;
	if ((file->flags & L_O_NONBLOCK) != 0)
		return -E_AGAIN;
	return sleep_until_moved(pipe->space, seen);
}

static long
pipe_write(struct file *file, const void *buffer, uint64_t size,
    uint64_t offset)
{
	struct pipe *pipe = &pipes[file->pipe];
	struct ring *ring = ring_of(file->pipe);

	(void)offset;	uint64_t needed = size <= RING_ATOMIC ? size : 1;
	uint64_t done = 0;

	while (done < size) {
		if (readers_gone(pipe, ring, file))
			return broken((long)done);
		long step = put_some(ring, (const uint8_t *)buffer + done,
		    size - done, needed);
		if (step > 0) {
			done += (uint64_t)step;
			wake(&ring->readers_asleep, pipe->data);
			watch_wake(&ring->readable);
			continue;
		}
		if (step == 0)
			step = wait_for_space(file, pipe, ring, needed);
		if (step == -E_PIPE)
			return broken((long)done);
		if (step != 0)
			return done != 0 ? (long)done : step;
	}
	return (long)done;
}

/* State */

static uint64_t
pipe_bytes(const struct file *file)
{
	uint64_t used;

	return ring_used(ring_of(file->pipe), &used) ? used : RING_SIZE;
}

static unsigned
pipe_poll(struct file *file)
{
	const struct pipe *pipe = &pipes[file->pipe];
	const struct ring *ring = ring_of(file->pipe);
	uint64_t used = pipe_bytes(file);
	bool gone = peer_gone(file);
	unsigned bits = 0;

	/* Who opened it before there was a writer has not lost one. */
	if (file->can_read && pipe->named &&
	    load(&ring->named.writer_openings) == pipe->openings)
		gone = false;
	if (file->can_read)
		bits = (used != 0 ? L_POLLIN | L_POLLRDNORM : 0) |
		    (gone ? L_POLLHUP : 0);
	if (file->can_write && RING_SIZE - used >= RING_ATOMIC)
		bits |= L_POLLOUT | L_POLLWRNORM;
	if (file->can_write && !file->can_read && gone)
		bits |= L_POLLERR;
	return bits;
}

static cap_t
pipe_announce(struct file *file, uint64_t *out_seen)
{
	struct pipe *pipe = &pipes[file->pipe];
	struct ring *ring = ring_of(file->pipe);

	if (file->can_read) {
		*out_seen = announce(&ring->readers_asleep, pipe->data);
		return pipe->data;
	}
	*out_seen = announce(&ring->writers_asleep, pipe->space);
	return pipe->space;
}

static struct watch *
pipe_watch(struct file *file, bool out)
{
	struct ring *ring = ring_of(file->pipe);

	/* One end can become ready in one way only. */
	if (file->can_read && file->can_write)
		return out ? &ring->writable : &ring->readable;
	return file->can_read ? &ring->readable : &ring->writable;
}

static void
pipe_leave(struct file *file)
{
	struct ring *ring = ring_of(file->pipe);

	sys_cap_delete(0, file->cap);
	if (pipes[file->pipe].named)
		settle();
	if (file->can_read)
		__atomic_fetch_add(&ring->reader_closings, 1, __ATOMIC_SEQ_CST);
	watch_wake(file->can_read ? &ring->writable : &ring->readable);
	if (file->can_read && file->can_write)
		watch_wake(&ring->readable);
}

static void
pipe_close(struct file *file)
{
	unsigned index = file->pipe;
	struct pipe *pipe = &pipes[index];
	struct ring *ring = ring_of(index);

	pipe_leave(file);
	if (--pipe->ends != 0)
		return;
	sys_unmap(PROCESS_VSPACE, (uint64_t)ring, sizeof(*ring));
	sys_cap_delete(0, pipe->data);
	if (!pipe->named)
		sys_cap_delete(0, pipe->space);
	if (pipe->memory != CAP_NONE)
		sys_cap_delete(0, pipe->memory);
	*pipe = (struct pipe){ 0 };
}

static long
pipe_waiting(struct file *file, uint64_t *out_bytes)
{
	*out_bytes = pipe_bytes(file);
	return 0;
}

/* Both ends, in all processes, are one object. */
static long
pipe_status(const struct file *file, struct storage_stat *out)
{
	*out = file_local_status(file, 0600);
	out->inode = sys_invoke(SYS_CAP_INFO, 0, file->cap, 0, 0, 0,
	    0).value[2];
	return 0;
}

static status_t
map_memory(unsigned index, cap_t memory)
{
	return sys_map(PROCESS_VSPACE, (uint64_t)ring_of(index), memory, 0,
	    sizeof(struct ring), MAP_READ | MAP_WRITE | MAP_SHARED);
}

/* PIPE_MAX: all are used. */
static unsigned
free_pipe(void)
{
	unsigned index = 0;

	while (index < PIPE_MAX && pipes[index].ends != 0)
		index++;
	return index;
}

static long
pipe_pack(struct file *file, struct parcel_file *out)
{
	const struct pipe *pipe = &pipes[file->pipe];

	out->cap[0] = file->cap;
	out->cap[1] = pipe->data;
	out->cap[2] = pipe->space;
	out->cap[3] = pipe->memory;
	out->count = 4;
	return 0;
}

/* A pipe of its own here, even if the process has the other end. */
static long
pipe_unpack(const struct parcel_file *in, struct file *out)
{
	unsigned index = free_pipe();

	if (in->count != 4 || in->can_read == in->can_write)
		return -E_INVAL;
	if (index == PIPE_MAX)
		return -E_NFILE;
	if (map_memory(index, in->cap[3]) != OK)
		return -E_NOMEM;
	pipes[index] = (struct pipe){
		.ends = 1, .data = in->cap[1], .space = in->cap[2],
		.memory = in->cap[3],
	};
	out->cap = in->cap[0];
	out->pipe = (uint16_t)index;
	return 0;
}

const struct file_ops pipe_file_ops = {
	.read = pipe_read, .write = pipe_write, .poll = pipe_poll,
	.announce = pipe_announce, .watch = pipe_watch, .waiting = pipe_waiting,
	.status = pipe_status, .close = pipe_close,
	.pack = pipe_pack, .unpack = pipe_unpack,
	.own_cap = true, .streams = true, .leave = pipe_leave,
};

/* Its status and the like are those of the name. */
const struct file_ops fifo_file_ops = {
	.read = pipe_read, .write = pipe_write, .poll = pipe_poll,
	.announce = pipe_announce, .watch = pipe_watch, .waiting = pipe_waiting,
	.close = pipe_close, .streams = true, .leave = pipe_leave,
};

/* Creation */

static status_t
create_ring(unsigned index)
{
	cap_t *memory = &pipes[index].memory;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    sizeof(struct ring), 0, memory);

	if (status != OK)
		return status;
	status = map_memory(index, *memory);
	if (status != OK)
		sys_cap_delete(0, *memory);
	return status;
}

static status_t
create_ends(struct pipe *pipe, cap_t *out_write, cap_t *out_read)
{
	status_t status = sys_eventpair_create(PROCESS_CONTAINER, 0, 0,
	    out_write, out_read);

	if (status != OK)
		return status;
	status = sys_invoke(SYS_EVENT_BIND, *out_write, pipe->space, 1, 1, 0,
	    0).status;
	if (status == OK)
		status = sys_invoke(SYS_EVENT_BIND, *out_read, pipe->data, 1, 1,
		    0, 0).status;
	if (status != OK) {
		sys_cap_delete(0, *out_write);
		sys_cap_delete(0, *out_read);
	}
	return status;
}

static status_t
create(unsigned index, cap_t *out_write, cap_t *out_read)
{
	struct pipe *pipe = &pipes[index];
	status_t status;

	*pipe = (struct pipe){ .ends = 2 };
	status = sys_object_create(OBJ_NOTIFICATION, PROCESS_CONTAINER, 0, 0,
	    &pipe->data);
	if (status != OK)
		goto fail;
	status = sys_object_create(OBJ_NOTIFICATION, PROCESS_CONTAINER, 0, 0,
	    &pipe->space);
	if (status != OK)
		goto fail_data;
	status = create_ring(index);
	if (status != OK)
		goto fail_space;
	status = create_ends(pipe, out_write, out_read);
	if (status != OK)
		goto fail_ring;
	return OK;
fail_ring:
	sys_unmap(PROCESS_VSPACE, (uint64_t)ring_of(index),
	    sizeof(struct ring));
	sys_cap_delete(0, pipe->memory);
fail_space:
	sys_cap_delete(0, pipe->space);
fail_data:
	sys_cap_delete(0, pipe->data);
fail:
	*pipe = (struct pipe){ 0 };
	return status;
}

static struct file *
new_end(unsigned index, bool read, cap_t cap, uint32_t flags)
{
	struct file *file = file_new();

	if (file != NULL)
		*file = (struct file){
			.kind = FILE_PIPE, .node = KIND_FIFO,
			.can_read = read, .can_write = !read,
			.pipe = (uint16_t)index, .cap = cap,
			.flags = flags | (read ? 0 : L_O_WRONLY),
		};
	return file;
}

static long
install_ends(unsigned index, cap_t write_cap, cap_t read_cap, uint32_t flags,
    int out[2])
{
	bool close_on_exec = (flags & L_O_CLOEXEC) != 0;
	uint32_t kept = flags & (L_O_NONBLOCK | L_O_DIRECT);
	struct file *read = new_end(index, true, read_cap, kept);
	struct file *write = new_end(index, false, write_cap, kept);
	long first = fd_install(read, 0, close_on_exec);

	if (first < 0) {
		file_drop(write);
		return first;
	}
	long second = fd_install(write, 0, close_on_exec);
	if (second < 0) {
		fd_close((unsigned)first);
		return second;
	}
	out[0] = (int)first;
	out[1] = (int)second;
	return 0;
}

/* Two files must be free; file_new does not reserve the one it names. */
static bool
two_files_free(void)
{
	struct file *first = file_new();

	if (first == NULL)
		return false;
	first->kind = FILE_PATH;
	bool both = file_new() != NULL;
	first->kind = FILE_FREE;
	return both;
}

long
linux_pipe2(int *fds, unsigned flags)
{
	cap_t write_cap, read_cap;
	unsigned index = free_pipe();
	int out[2];

	if ((flags & ~(unsigned)(L_O_CLOEXEC | L_O_NONBLOCK | L_O_DIRECT)) != 0)
		return -E_INVAL;
	if (index == PIPE_MAX || !two_files_free())
		return -E_NFILE;
	status_t status = create(index, &write_cap, &read_cap);
	if (status != OK)
		return service_error(status);
	long error = install_ends(index, write_cap, read_cap, flags, out);
	if (error != 0)
		return error;
	if (user_write(fds, out, sizeof(out)) != 0) {
		fd_close((unsigned)out[0]);
		fd_close((unsigned)out[1]);
		return -E_FAULT;
	}
	return 0;
}

long
linux_pipe(int *fds)
{
	return linux_pipe2(fds, 0);
}

/* Named pipes */

/*
 * Interrupted: gone, if the other side did not come in that moment; it would
 * rely on this one.
 */
static bool
has_left(const struct file *file)
{
	bool left = true;

	service_insist_begin();
	long error = storage_fifo_leave(file->cap,
	    pipes[file->pipe].openings, &left);
	service_insist_end();
	return error != 0 || left;
}

/* Until there is, or has been since, a reader or writer. */
static long
wait_for_other(const struct file *file, const uint32_t *count,
    const uint32_t *openings)
{
	const struct pipe *pipe = &pipes[file->pipe];
	cap_t notification = pipe->data;

	for (;;) {
		uint64_t word, seen = 0;

		sys_wait(notification, WAIT_POLL, 0, 0, &word, &seen);
		if (load(count) != 0 || load(openings) != pipe->openings)
			return 0;
		long error = sleep_until_moved(notification, seen);
		if (error != 0)
			return has_left(file) ? error : 0;
	}
}

long
pipe_open_named(struct file *file)
{
	bool nowait = (file->flags & L_O_NONBLOCK) != 0;
	unsigned index = free_pipe();
	struct storage_fifo_results got;
	cap_t memory, moved;
	long error = index == PIPE_MAX ? -E_NFILE : storage_fifo(file->cap,
	    nowait, &got, &memory, &moved);

	if (error != 0)
		return error;
	status_t status = map_memory(index, memory);

	sys_cap_delete(0, memory);
	if (status != OK) {
		sys_cap_delete(0, moved);
		return service_error(status);
	}
	pipes[index] = (struct pipe){ .ends = 1, .named = true,
		.data = moved, .space = moved,
		.openings = file->can_read ? got.writer_openings :
		    got.reader_openings,
	};
	file->kind = FILE_FIFO;
	file->pipe = (uint16_t)index;
	struct ring *ring = ring_of(index);
	const struct storage_fifo_counts *counts = &ring->named;
	watch_wake(&ring->readable);
	watch_wake(&ring->writable);
	if (nowait || (file->can_read ? got.writers : got.readers) != 0)
		return 0;
	return file->can_read ?
	    wait_for_other(file, &counts->writers, &counts->writer_openings) :
	    wait_for_other(file, &counts->readers, &counts->reader_openings);
}
