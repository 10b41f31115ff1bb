/* SPDX-License-Identifier: MIT */
#include <lib/place/place.h>

#include <idl/trace.h>
#include <lib/base/string.h>
#include <lib/elf/elf.h>

#define USER_RFLAGS	0x202ul		/* interrupts on */

static uint64_t
pages(uint64_t length)
{
	return (length + PAGE_MASK) & ~PAGE_MASK;
}

static unsigned
map_flags(unsigned elf_flags)
{
	return ((elf_flags & ELF_READ) != 0 ? MAP_READ : 0) |
	    ((elf_flags & ELF_WRITE) != 0 ? MAP_WRITE : 0) |
	    ((elf_flags & ELF_EXEC) != 0 ? MAP_EXEC : 0);
}

/*
 * The kernel maps contiguous memory at once, up to some pages, so a new
 * incarnation that only reads it takes no page faults.
 */
static status_t
segment_create(cap_t container, struct place_segment *segment)
{
	status_t status = ERR_NOMEM;

	if ((segment->flags & MAP_WRITE) == 0)
		status = sys_object_create(OBJ_MEMORY, container,
		    segment->length, MEMORY_CONTIGUOUS, &segment->memory);
	if (status == ERR_NOMEM)
		status = sys_object_create(OBJ_MEMORY, container,
		    segment->length, 0, &segment->memory);
	return status;
}

static status_t
segment_load(const struct place_builder *builder, cap_t container,
    const uint8_t *elf, const struct elf_segment *from,
    struct place_segment *out)
{
	uint64_t inside = from->vaddr & PAGE_MASK;

	out->address = from->vaddr - inside;
	out->length = pages(inside + from->memory_size);
	out->flags = map_flags(from->flags);
	if ((out->flags & MAP_WRITE) != 0 && (out->flags & MAP_EXEC) != 0)
		return ERR_CORRUPT;
	status_t status = segment_create(container, out);
	if (status != OK || from->file_size == 0)
		return status;
	uint64_t filled = pages(inside + from->file_size);
	status = sys_map(builder->vspace, builder->scratch, out->memory, 0,
	    filled, MAP_READ | MAP_WRITE);
	if (status != OK)
		return status;
	memcpy((uint8_t *)builder->scratch + inside, elf + from->offset,
	    from->file_size);
	return sys_unmap(builder->vspace, builder->scratch, filled);
}

status_t
place_image_load(const struct place_builder *builder, cap_t container,
    const void *elf, size_t size, struct place_image *out_image)
{
	struct elf_image image;

	out_image->segment_count = 0;
	if (elf_parse(elf, size, &image) != ELF_OK || image.relocatable)
		return ERR_CORRUPT;
	if (image.segment_count > PLACE_SEGMENTS_MAX)
		return ERR_RANGE;
	out_image->entry = image.entry;
	for (unsigned i = 0; i < image.segment_count; i++) {
		status_t status = segment_load(builder, container, elf,
		    &image.segments[i], &out_image->segment[i]);
		if (status != OK)
			return status;
		out_image->segment_count++;
	}
	return OK;
}

/*
 * All of it is there from the beginning: a restart needs no free memory, and
 * whoever looks at it after a death meets no page that cannot be had, however
 * full the container is.
 */
status_t
place_parts_create(struct place_parts *parts)
{
	status_t status = sys_object_create(OBJ_MEMORY, parts->container,
	    parts->stack_size, MEMORY_CONTIGUOUS, &parts->stack);

	if (status == OK)
		status = sys_object_create(OBJ_MEMORY, parts->container,
		    PAGE_SIZE, MEMORY_CONTIGUOUS, &parts->utcb);
	if (status == OK)
		status = sys_object_create(OBJ_MEMORY, parts->container,
		    PAGE_SIZE, MEMORY_CONTIGUOUS, &parts->info);
	if (status == OK)
		status = sys_object_create(OBJ_MEMORY, parts->container,
		    TRACE_SIZE, MEMORY_CONTIGUOUS, &parts->trace);
	return status;
}

static status_t
map_image(const struct place_image *image, const struct place_parts *parts,
    struct place_incarnation *out)
{
	status_t status = OK;

	for (uint64_t i = 0; i < image->segment_count && status == OK; i++) {
		const struct place_segment *segment = &image->segment[i];
		cap_t memory = segment->memory;
		if ((segment->flags & MAP_WRITE) != 0) {
			struct sys_result r = sys_invoke(SYS_MEMORY_CLONE,
			    memory, 0, segment->length, parts->container, 0, 0);
			if (r.status != OK)
				return r.status;
			out->data[i] = memory = r.value[0];
		}
		status = sys_map(out->vspace, segment->address, memory, 0,
		    segment->length, (unsigned)segment->flags);
	}
	return status;
}

static status_t
map_parts(const struct place_parts *parts, cap_t vspace)
{
	unsigned arena_flags = MAP_READ | MAP_WRITE;

	if ((parts->cpu_features & CPU_FEATURE_PKU) != 0)
		arena_flags |= PLACE_ARENA_PKEY << MAP_PKEY_SHIFT;
	status_t status = sys_map(vspace, PLACE_STACK_TOP - parts->stack_size,
	    parts->stack, 0, parts->stack_size, MAP_READ | MAP_WRITE);
	if (status == OK)
		status = sys_map(vspace, PLACE_UTCB, parts->utcb, 0, PAGE_SIZE,
		    MAP_READ | MAP_WRITE);
	if (status == OK)
		status = sys_map(vspace, PLACE_INFO, parts->info, 0, PAGE_SIZE,
		    MAP_READ);
	if (status == OK)
		status = sys_map(vspace, PLACE_TRACE, parts->trace, 0,
		    TRACE_SIZE, MAP_READ | MAP_WRITE);
	if (status == OK)
		status = sys_map(vspace, PLACE_CLOCK_PAGE, parts->clock, 0,
		    PAGE_SIZE, MAP_READ);
	if (status == OK && parts->arena != CAP_NONE)
		status = sys_map(vspace, PLACE_ARENA_BASE, parts->arena, 0,
		    parts->arena_size, arena_flags);
	return status;
}

static status_t
setup_thread(const struct place_builder *builder,
    const struct place_parts *parts, uint64_t entry,
    const struct place_incarnation *incarnation)
{
	struct thread_setup *setup = (struct thread_setup *)builder->utcb->data;
	struct user_frame *frame = (struct user_frame *)builder->utcb->data;

	*setup = (struct thread_setup){
		.flags = THREAD_NO_FPU |
		    ((parts->cpu_features & CPU_FEATURE_PKU) != 0 ?
		    THREAD_USES_PKRU : 0),
		.schedule = parts->schedule,
		.request_budget_ns = parts->request_budget_ns,
		.death = parts->death,
	};
	status_t status = sys_invoke(SYS_THREAD_SETUP, incarnation->thread,
	    parts->table, incarnation->vspace, parts->utcb, 0, 0).status;
	if (status != OK)
		return status;
	*frame = (struct user_frame){
		.rip = entry,
		.rsp = PLACE_STACK_TOP,
		.rflags = USER_RFLAGS,
	};
	return sys_invoke(SYS_THREAD_WRITE, incarnation->thread, 0, 0, 0, 0,
	    0).status;
}

status_t
place_spare_create(const struct place_builder *builder,
    const struct place_image *image, const struct place_parts *parts,
    struct place_incarnation *out)
{
	*out = (struct place_incarnation){ 0 };
	status_t status = sys_object_create(OBJ_VSPACE, parts->container, 0, 0,
	    &out->vspace);
	if (status == OK)
		status = map_image(image, parts, out);
	if (status == OK)
		status = map_parts(parts, out->vspace);
	if (status == OK)
		status = sys_object_create(OBJ_THREAD, parts->container, 0, 0,
		    &out->thread);
	if (status == OK)
		status = setup_thread(builder, parts, image->entry, out);
	return status;
}

status_t
place_spare_use(const struct place_parts *parts, struct place_info *info,
    struct place_incarnation *spare)
{
	status_t status = sys_cap_copy(spare->vspace, parts->table,
	    CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX, 0, &spare->vspace_there);

	if (status != OK)
		return status;
	status = sys_cap_copy(spare->thread, parts->table, CAP_ANY_SLOT,
	    RIGHT_ALL, TRUST_MAX, 0, &spare->thread_there);
	if (status != OK) {
		sys_cap_delete(parts->table, spare->vspace_there);
		spare->vspace_there = CAP_NONE;
		return status;
	}
	info->vspace = spare->vspace_there;
	info->thread = spare->thread_there;
	return status;
}

status_t
place_incarnation_create(const struct place_builder *builder,
    const struct place_image *image, const struct place_parts *parts,
    struct place_info *info, struct place_incarnation *out)
{
	status_t status = place_spare_create(builder, image, parts, out);

	return status == OK ? place_spare_use(parts, info, out) : status;
}

static void
delete_if_any(cap_t table, cap_t cap)
{
	if (cap != CAP_NONE)
		sys_cap_delete(table, cap);
}

void
place_incarnation_delete(const struct place_parts *parts,
    const struct place_incarnation *incarnation)
{
	if (incarnation->thread != CAP_NONE)
		sys_invoke(SYS_THREAD_KILL, incarnation->thread, 0, 0, 0, 0, 0);
	delete_if_any(parts->table, incarnation->thread_there);
	delete_if_any(parts->table, incarnation->vspace_there);
	delete_if_any(CAP_NONE, incarnation->thread);
	delete_if_any(CAP_NONE, incarnation->vspace);
	for (unsigned i = 0; i < PLACE_SEGMENTS_MAX; i++)
		delete_if_any(CAP_NONE, incarnation->data[i]);
}
