/* SPDX-License-Identifier: MIT */
/*
 * The first process: the libOS image, the boot command and environment, and
 * the capabilities every later process inherits.
 *
 * The image is in the boot archive. Its text is mapped as it is and shared by
 * all processes; its data is a clone, of which fork makes further ones. The
 * capabilities made on the way are deleted again, or found by the sweep.
 */
#include "shell.h"

#include <lib/base/string.h>
#include <lib/cpio/cpio.h>
#include <lib/place/place.h>

#define ARCHIVE_AT	PLACE_HEAP_BASE
#define ARCHIVE_MAX	0x100000000ul
#define SCRATCH_AT	(PLACE_HEAP_BASE + ARCHIVE_MAX)
#define START_SIZE	0x10000ul

#define IMAGE_NAME	"bennu/image/libos.elf"
#define COMMAND_NAME	"bennu/command"
#define ENVIRONMENT_NAME "bennu/environment"

static union {
	struct process_start start;
	uint8_t bytes[START_SIZE];
} arguments;

static status_t
archive_map(uint64_t *out_size)
{
	struct sys_result r = sys_invoke(SYS_MEMORY_INFO, granted.archive, 0,
	    0, 0, 0, 0);

	if (r.status != OK)
		return r.status;
	*out_size = r.value[0];
	if (*out_size == 0 || *out_size > ARCHIVE_MAX)
		return ERR_RANGE;
	return sys_map(service_info()->vspace, ARCHIVE_AT, granted.archive, 0,
	    (*out_size + PAGE_MASK) & ~PAGE_MASK, MAP_READ);
}

/* Appends NUL terminated strings, the last with or without its NUL. */
static status_t
text_append(const struct cpio_entry *entry, uint32_t *out_count)
{
	struct process_start *start = &arguments.start;
	size_t room = START_SIZE - sizeof(*start) - start->text_length;

	*out_count = 0;
	if (entry->size == 0)
		return OK;
	if (entry->size + 1 > room)
		return ERR_RANGE;
	char *text = start->text + start->text_length;
	size_t length = entry->size;
	memcpy(text, entry->data, length);
	if (text[length - 1] != 0)
		text[length++] = 0;
	for (size_t i = 0; i < length; i++)
		*out_count += text[i] == 0;
	start->text_length += (uint32_t)length;
	return OK;
}

static status_t
arguments_read(uint64_t archive_size, const char **out_reason)
{
	struct process_start *start = &arguments.start;
	struct cpio_entry entry;
	status_t status;

	*start = (struct process_start){ 0 };
	*out_reason = "the archive names no command";
	if (cpio_find((void *)ARCHIVE_AT, archive_size, COMMAND_NAME,
	    &entry) != OK || entry.size == 0)
		return ERR_NOENT;
	*out_reason = "command and environment are too long";
	status = text_append(&entry, &start->argument_count);
	if (status != OK)
		return status;
	if (cpio_find((void *)ARCHIVE_AT, archive_size, ENVIRONMENT_NAME,
	    &entry) != OK)
		return OK;
	return text_append(&entry, &start->environment_count);
}

static status_t
map_fresh(const cap_t handle[HANDLE_COUNT], uint64_t address, uint64_t length,
    const void *content, unsigned flags)
{
	cap_t memory;
	status_t status = sys_object_create(OBJ_MEMORY,
	    handle[HANDLE_CONTAINER], length, 0, &memory);

	if (status != OK)
		return status;
	if (content != NULL)
		status = copy_to_memory(memory, 0, content, length);
	if (status == OK)
		status = sys_map(handle[HANDLE_VSPACE], address, memory, 0,
		    length, flags);
	sys_cap_delete(CAP_NONE, memory);
	return status;
}

/* A copy of a part of a writable segment. */
static status_t
map_clone(const cap_t handle[HANDLE_COUNT],
    const struct place_segment *segment, uint64_t offset, uint64_t length)
{
	uint64_t filled = offset == 0 ? LIBOS_HOT_FILLED : length;
	struct sys_result r = sys_invoke(SYS_MEMORY_CLONE, segment->memory,
	    offset, filled, handle[HANDLE_CONTAINER], 0, 0);

	if (r.status != OK)
		return r.status;
	status_t status = sys_invoke(SYS_MEMORY_RESIZE, r.value[0], length, 0,
	    0, 0, 0).status;
	if (status == OK)
		status = sys_map(handle[HANDLE_VSPACE], segment->address +
		    offset, r.value[0], 0, length, (unsigned)segment->flags);
	sys_cap_delete(CAP_NONE, r.value[0]);
	return status;
}

static status_t
map_segment(const cap_t handle[HANDLE_COUNT],
    const struct place_segment *segment)
{
	if ((segment->flags & MAP_WRITE) == 0)
		return sys_map(handle[HANDLE_VSPACE], segment->address,
		    segment->memory, 0, segment->length,
		    (unsigned)segment->flags | MAP_SHARED);
	status_t status = map_clone(handle, segment, 0, LIBOS_HOT_SIZE);
	if (status == OK)
		status = map_clone(handle, segment, LIBOS_HOT_SIZE,
		    segment->length - LIBOS_HOT_SIZE);
	if (status != OK)
		return status;
	/* What exec makes a fresh data segment from. */
	return sys_cap_copy(segment->memory, handle[HANDLE_TABLE],
	    CAP_INDEX(PROCESS_LIBOS_DATA), RIGHT_READ | RIGHT_COPY, TRUST_USER,
	    0, NULL);
}

static status_t
map_memory(const struct place_image *image, const cap_t handle[HANDLE_COUNT])
{
	status_t status = OK;

	for (uint64_t i = 0; i < image->segment_count && status == OK; i++)
		status = map_segment(handle, &image->segment[i]);
	if (status == OK)
		status = map_fresh(handle, LIBOS_STACK_TOP - LIBOS_STACK_SIZE,
		    LIBOS_STACK_SIZE, NULL, MAP_READ | MAP_WRITE);
	if (status == OK)
		status = map_fresh(handle, LIBOS_START_ARGS, START_SIZE,
		    arguments.bytes, MAP_READ | MAP_NOCLONE);
	if (status == OK)
		status = sys_map(handle[HANDLE_VSPACE], LIBOS_CLOCK_PAGE,
		    granted.clock, 0, PAGE_SIZE, MAP_READ | MAP_SHARED);
	return status;
}

static status_t
fill_slots(const cap_t handle[HANDLE_COUNT], cap_t root_directory)
{
	cap_t table = handle[HANDLE_TABLE];
	status_t status = sys_cap_copy(root_directory, table,
	    CAP_INDEX(PROCESS_ROOT), RIGHT_CALL | RIGHT_COPY, TRUST_USER, 0,
	    NULL);

	if (status == OK)
		status = sys_cap_copy(granted.console, table,
		    CAP_INDEX(PROCESS_CONSOLE), RIGHT_CALL | RIGHT_COPY,
		    TRUST_USER, 0, NULL);
	if (status == OK)
		status = sys_cap_copy(granted.clock, table,
		    CAP_INDEX(PROCESS_CLOCK), RIGHT_READ | RIGHT_COPY,
		    TRUST_USER, 0, NULL);
	if (status == OK)
		status = sys_cap_copy(granted.control, table,
		    CAP_INDEX(PROCESS_CONTROL), RIGHT_CALL | RIGHT_COPY,
		    TRUST_USER, 0, NULL);
	return status;
}

/* The header is the start of the image; exactly one segment is writable. */
static status_t
image_check(const struct place_image *image, struct libos_header *out_header)
{
	const struct place_segment *first = &image->segment[0];
	unsigned writable = 0;

	for (uint64_t i = 0; i < image->segment_count; i++)
		writable += (image->segment[i].flags & MAP_WRITE) != 0;
	if (first->address != LIBOS_BASE || writable != 1)
		return ERR_CORRUPT;
	uint64_t vspace = service_info()->vspace;
	status_t status = sys_map(vspace, SCRATCH_AT, first->memory, 0,
	    PAGE_SIZE, MAP_READ);
	if (status != OK)
		return status;
	memcpy(out_header, (void *)SCRATCH_AT, sizeof(*out_header));
	sys_unmap(vspace, SCRATCH_AT, PAGE_SIZE);
	return out_header->magic == LIBOS_HEADER_MAGIC &&
	    out_header->version == LIBOS_HEADER_VERSION ? OK : ERR_CORRUPT;
}

static status_t
image_load(uint64_t archive_size, struct place_image *out_image,
    struct libos_header *out_header)
{
	struct place_builder builder = {
		.vspace = service_info()->vspace,
		.scratch = SCRATCH_AT,
		.utcb = own_utcb(),
	};
	struct cpio_entry entry;
	status_t status = cpio_find((void *)ARCHIVE_AT, archive_size,
	    IMAGE_NAME, &entry);

	out_image->segment_count = 0;
	if (status == OK)
		status = place_image_load(&builder, PLACE_CONTAINER, entry.data,
		    entry.size, out_image);
	if (status == OK)
		status = image_check(out_image, out_header);
	return status;
}

static void
image_release(const struct place_image *image)
{
	for (uint64_t i = 0; i < image->segment_count; i++)
		sys_cap_delete(CAP_NONE, image->segment[i].memory);
}

static status_t
build(struct root *root, const struct place_image *image,
    cap_t root_directory, struct process *process)
{
	const struct entry_state state = {
		.rip = image->entry,
		.rsp = LIBOS_STACK_TOP - 8,
	};
	cap_t handle[HANDLE_COUNT];
	status_t status = objects_create(process->pid, handle);

	if (status == OK)
		status = map_memory(image, handle);
	if (status == OK)
		status = fill_slots(handle, root_directory);
	if (status == OK)
		status = objects_set_entry(&root->libos, handle, &state);
	if (status == OK)
		status = objects_adopt(process, handle);
	if (status == OK)
		status = info_write(process);
	return status;
}

status_t
first_process(struct root *root, cap_t root_directory, const char **out_reason)
{
	struct place_image image;
	struct process *process;
	uint64_t size;
	uint32_t pid;
	status_t status;

	*out_reason = "no boot archive";
	status = archive_map(&size);
	if (status != OK)
		return status;
	status = arguments_read(size, out_reason);
	if (status != OK)
		return status;
	if (tx_add(service_arena(), root, sizeof(*root)) != OK)
		return ERR_NOMEM;
	*out_reason = "no usable libOS in the archive";
	status = image_load(size, &image, &root->libos);
	if (status == OK) {
		*out_reason = "not enough memory";
		if (proc_pick_pid(&proc, &pid) != 0 ||
		    proc_create(&proc, pid, NULL, &process) != 0)
			return ERR_NOMEM;
		process->start_ns = service_now_ns();
		process->root = PROCESS_ROOT;
		process->control = PROCESS_CONTROL;
		status = build(root, &image, root_directory, process);
	}
	image_release(&image);
	sys_unmap(service_info()->vspace, ARCHIVE_AT,
	    (size + PAGE_MASK) & ~PAGE_MASK);
	root->started = status == OK;
	return status;
}
