/* SPDX-License-Identifier: MIT */
/*
 * Contents: memory objects of the place's container, one per file.
 *
 * Objects are created and grown before the commit: a rollback leaves a handle
 * that the sweep deletes, or pages beyond the size, which the core knows about.
 * Shrinking and deleting are effects. Bytes go between the caller's window and
 * the object without passing through this process.
 */
#include "shell.h"

#include <idl/place.h>

#define READ_AND_PASS	(RIGHT_READ | RIGHT_COPY)
#define WATCHES_AT	(PLACE_HEAP_BASE + (1ul << 40))
#define WATCHES_SIZE	(STORAGE_WATCHES * sizeof(uint64_t))

static struct {
	cap_t	 memory;
	uint64_t offset;
} archive;

/* Own memory: a page object that nobody names would be swept. */
static const uint8_t zeros[PAGE_SIZE];

static uint64_t
environment_now(void *context)
{
	(void)context;
	return service_wall_ns();
}

static status_t
create_kept(unsigned type, uint64_t size, uint64_t *out_cap)
{
	status_t status = sys_object_create(type, PLACE_CONTAINER, size, 0,
	    out_cap);

	if (status != OK)
		return status;
	status = service_cap_keep(*out_cap);
	if (status != OK)
		sys_cap_delete(CAP_NONE, *out_cap);
	return status == ERR_RANGE ? ERR_FULL : status;
}

static status_t
environment_create(void *context, uint64_t size, uint64_t *out_file)
{
	(void)context;
	return create_kept(OBJ_MEMORY, size, out_file);
}

static status_t
environment_resize(void *context, uint64_t file, uint64_t size)
{
	(void)context;
	return sys_invoke(SYS_MEMORY_RESIZE, file, size, 0, 0, 0, 0).status;
}

static status_t
copy(cap_t to, uint64_t offset, cap_t from, uint64_t place, uint64_t length)
{
	for (uint64_t total = 0; total < length;) {
		struct sys_result r = sys_invoke(SYS_MEMORY_COPY, to,
		    offset + total, from, place + total, length - total, 0);

		total += r.value[0];
		if (r.status != OK)
			return r.status;
		if (r.value[0] == 0)
			return ERR_RANGE;
	}
	return OK;
}

static status_t
environment_clear(void *context, uint64_t file, uint64_t offset,
    uint64_t length)
{
	(void)context;
	if (length > sizeof(zeros))
		return ERR_RANGE;
	for (uint64_t done = 0; done < length;) {
		struct sys_result r = sys_invoke(SYS_VSPACE_COPY,
		    service_info()->vspace, (uint64_t)zeros, file,
		    offset + done, length - done, 0);

		if (r.status != OK)
			return r.status;
		if (r.value[0] == 0)
			return ERR_RANGE;
		done += r.value[0];
	}
	return OK;
}

static status_t
environment_load(void *context, uint64_t file, uint64_t offset,
    uint64_t length)
{
	(void)context;
	return copy(file, 0, archive.memory, archive.offset + offset, length);
}

static status_t
environment_shrink(void *context, uint64_t file, uint64_t size)
{
	(void)context;
	return service_effect_resize(file, size);
}

static status_t
environment_destroy(void *context, uint64_t file)
{
	(void)context;
	return service_cap_drop(file);
}

static uint64_t *
watch_word(uint32_t watch)
{
	return (uint64_t *)WATCHES_AT + watch;
}

/* The only writer: a death in between leaves the old value or the new one. */
static void
environment_watch_changed(void *context, uint32_t watch)
{
	uint64_t *word = watch_word(watch);

	(void)context;
	__atomic_store_n(word, *word + 1, __ATOMIC_SEQ_CST);
}

static uint64_t
environment_watch_version(void *context, uint32_t watch)
{
	(void)context;
	return *watch_word(watch);
}

/* What the container's limit leaves, and what the machine has free. */
static void
environment_space(void *context, uint64_t *out_total, uint64_t *out_free)
{
	const void *data = ((struct utcb *)PLACE_UTCB)->data;
	const struct container_info *own = data;
	const struct system_info *machine = data;
	uint64_t used, left;

	(void)context;
	*out_total = *out_free = 0;
	if (sys_invoke(SYS_CONTAINER_INFO, PLACE_CONTAINER, 0, 0, 0, 0,
	    0).status != OK)
		return;
	used = own->frames_used;
	left = own->frames_limit > used ? own->frames_limit - used : 0;
	if (sys_invoke(SYS_SYSTEM_INFO, PLACE_CONTAINER, 0, 0, 0, 0,
	    0).status == OK && left > machine->frames_free)
		left = machine->frames_free;
	*out_total = (used + left) * PAGE_SIZE;
	*out_free = left * PAGE_SIZE;
}

/* What was made before a failure is swept. */
static status_t
environment_fifo_create(void *context, struct storage_fifo *out_fifo)
{
	status_t status = create_kept(OBJ_MEMORY, FIFO_SIZE,
	    &out_fifo->memory);

	/* Its page is there from now on. */
	if (status == OK)
		status = environment_clear(context, out_fifo->memory,
		    FIFO_COUNTS, sizeof(struct storage_fifo_counts));
	return status != OK ? status :
	    create_kept(OBJ_NOTIFICATION, 0, &out_fifo->moved);
}

static status_t
environment_fifo_destroy(void *context, const struct storage_fifo *fifo)
{
	status_t status = service_cap_drop(fifo->memory);

	(void)context;
	return status == OK ? service_cap_drop(fifo->moved) : status;
}

static status_t
environment_fifo_signal(void *context, const struct storage_fifo *fifo)
{
	(void)context;
	return service_effect_signal(fifo->moved, 1);
}

/* The first page is there since the pipe was made, so it cannot fail. */
static void
environment_fifo_tell(void *context, uint64_t memory,
    const struct storage_fifo_counts *counts)
{
	(void)context;
	if (sys_invoke(SYS_VSPACE_COPY, service_info()->vspace,
	    (uint64_t)counts, memory, FIFO_COUNTS, sizeof(*counts),
	    0).value[0] != sizeof(*counts))
		service_panic("cannot write to a named pipe");
}

void
files_environment(struct storage_environment *out_environment)
{
	*out_environment = (struct storage_environment){
		.now_ns = environment_now,
		.file_create = environment_create,
		.file_resize = environment_resize,
		.file_clear = environment_clear,
		.file_load = environment_load,
		.file_shrink = environment_shrink,
		.file_destroy = environment_destroy,
		.answer = locks_answer,
		.fifo_create = environment_fifo_create,
		.fifo_destroy = environment_fifo_destroy,
		.fifo_signal = environment_fifo_signal,
		.fifo_tell = environment_fifo_tell,
		.space = environment_space,
		.watch_changed = environment_watch_changed,
		.watch_version = environment_watch_version,
	};
}

status_t
files_make_watches(cap_t *out_memory)
{
	status_t status = sys_object_create(OBJ_MEMORY, PLACE_CONTAINER,
	    WATCHES_SIZE, 0, out_memory);

	return status != OK ? status : service_cap_keep(*out_memory);
}

status_t
files_map_watches(cap_t memory)
{
	return sys_map(service_info()->vspace, WATCHES_AT, memory, 0,
	    WATCHES_SIZE, MAP_READ | MAP_WRITE);
}

void
files_set_archive(cap_t memory, uint64_t offset)
{
	archive.memory = memory;
	archive.offset = offset;
}

/* Moves the bytes; *out_done of them, or an error if none. */
static unsigned
transfer(const struct service_call *call, uint64_t selector,
    const struct storage_transfer *t, uint64_t *out_done)
{
	status_t status;

	*out_done = 0;
	if (t->length == 0)
		return 0;
	status = sys_window_copy(call->reply, selector, 0, t->file, t->offset,
	    t->length, out_done);
	return *out_done > 0 ? 0 : wire_error(status);
}

unsigned
handle_read(struct storage_context *context, struct service_call *call,
    const struct storage_read_args *in, struct storage_read_results *out)
{
	struct storage *storage = context->storage;
	struct storage_transfer t;
	uint64_t done;
	unsigned error = storage_read_begin(storage, context->self, in->offset,
	    in->data.length, &t);

	if (error == 0)
		error = transfer(call, in->data.window | WINDOW_TO_CALLER, &t,
		    &done);
	if (error == 0)
		error = storage_read_end(storage, context->self, &t, done);
	if (error != 0)
		return error;
	out->data_length = done;
	out->size = storage_size(context->self);
	out->version = storage_version(storage, context->self);
	return 0;
}

unsigned
handle_write(struct storage_context *context, struct service_call *call,
    const struct storage_write_args *in, struct storage_write_results *out)
{
	struct storage *storage = context->storage;
	struct storage_transfer t;
	uint64_t done;
	unsigned error = storage_write_begin(storage, context->self,
	    in->offset, in->data.length, &t);

	if (error == 0)
		error = transfer(call, in->data.window | WINDOW_FROM_CALLER,
		    &t, &done);
	if (error == 0)
		error = storage_write_end(storage, context->self, &t, done);
	if (error != 0)
		return error;
	out->done = done;
	out->position = t.position;
	return 0;
}

/* One more capability of the reply: a copy of an object's. */
static unsigned
give_copy(struct service_call *call, cap_t cap, unsigned rights)
{
	cap_t copied;

	if (sys_cap_copy(cap, CAP_NONE, CAP_ANY_SLOT, rights, TRUST_MAX, 0,
	    &copied) != OK)
		return E_NOMEM;
	if (service_cap_keep(copied) != OK) {
		sys_cap_delete(CAP_NONE, copied);
		return E_NOMEM;
	}
	wire_give_cap(call, copied);
	return 0;
}

unsigned
handle_fifo(struct storage_context *context, struct service_call *call,
    const struct storage_fifo_args *in, struct storage_fifo_results *out)
{
	struct storage_fifo_counts counts = { 0 };
	struct storage_fifo fifo;
	unsigned error = storage_fifo(context->storage, context->self,
	    in->nowait, &fifo, &counts);

	out->readers = counts.readers;
	out->writers = counts.writers;
	out->reader_openings = counts.reader_openings;
	out->writer_openings = counts.writer_openings;
	if (error == 0)
		error = give_copy(call, fifo.memory,
		    READ_AND_PASS | RIGHT_WRITE);
	return error != 0 ? error : give_copy(call, fifo.moved,
	    READ_AND_PASS | RIGHT_WRITE);
}

unsigned
handle_map(struct storage_context *context, struct service_call *call,
    struct storage_map_results *out)
{
	uint64_t file;
	unsigned error = storage_map(context->storage, context->self,
	    &out->size, &file);

	return error != 0 ? error : give_copy(call, file,
	    RIGHT_READ | RIGHT_EXEC | RIGHT_COPY);
}

unsigned
handle_window(struct storage_context *context, struct service_call *call,
    struct storage_window_results *out)
{
	struct storage_window window;
	unsigned error = storage_window(context->storage, context->self,
	    &window);

	if (error == 0)
		error = give_copy(call, window.file, READ_AND_PASS);
	if (error == 0)
		error = give_copy(call,
		    storage_watch_memory(context->storage), READ_AND_PASS);
	if (error != 0)
		return error;
	out->size = window.size;
	out->watch = window.watch;
	out->version = window.version;
	return 0;
}
