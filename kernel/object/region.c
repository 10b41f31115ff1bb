/* SPDX-License-Identifier: MIT */
/*
 * The regions of an address space (see region.h).
 *
 * The array of pointers is a block of frames that doubles when it is full. The
 * address space pays for it, and one frame for every REGIONS_PER_FRAME regions,
 * those in a reserve included.
 */
#include <kernel/object/region.h>
#include <kernel/core/slab.h>
#include <kernel/core/string.h>
#include <kernel/object/container.h>

#define REGIONS_PER_FRAME	(PAGE_SIZE / sizeof(struct region) - 1)
#define REGION_ORDER_MAX	7u	/* 65536 regions */

static struct slab region_slab = SLAB_INITIALIZER("region", struct region);

uint32_t
region_find(const struct vspace *vspace, vaddr_t address)
{
	uint32_t low = 0, high = vspace->region_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (region_end(vspace->regions[middle]) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct region *
region_at(const struct vspace *vspace, vaddr_t address)
{
	uint32_t index = region_find(vspace, address);

	if (index == vspace->region_count ||
	    vspace->regions[index]->start > address)
		return NULL;
	return vspace->regions[index];
}

struct region *
region_for(const struct vspace *vspace, vaddr_t address, unsigned access)
{
	struct region *region = region_at(vspace, address);

	if (region == NULL || (region->flags & access) != access)
		return NULL;
	return region;
}

static uint64_t
region_frames(uint64_t count)
{
	return (count + REGIONS_PER_FRAME - 1) / REGIONS_PER_FRAME;
}

void
region_array_free(struct vspace *vspace)
{
	paddr_t frame;

	if (vspace->regions == NULL)
		return;
	frame = arch_frame_address(vspace->regions);
	for (uint64_t i = 0; i < 1ul << vspace->region_order; i++)
		frame_release(frame + (i << PAGE_SHIFT));
	container_release_frames(vspace->object.container,
	    1ul << vspace->region_order);
	vspace->regions = NULL;
}

/* Doubles the array. */
static status_t
array_grow(struct vspace *vspace)
{
	unsigned order = vspace->regions == NULL ? 0 : vspace->region_order + 1;
	status_t status;
	paddr_t frame;
	struct region **array;

	if (order > REGION_ORDER_MAX)
		return ERR_FULL;
	status = container_charge_frames(vspace->object.container,
	    1ul << order);
	if (status != OK)
		return status;
	frame = frame_alloc_block(order);
	if (frame == FRAME_NONE) {
		container_release_frames(vspace->object.container,
		    1ul << order);
		return ERR_NOMEM;
	}
	array = arch_frame_pointer(frame);
	if (vspace->region_count != 0)
		memcpy(array, vspace->regions,
		    vspace->region_count * sizeof(array[0]));
	region_array_free(vspace);
	vspace->regions = array;
	vspace->region_order = order;
	vspace->region_capacity =
	    (uint32_t)((PAGE_SIZE << order) / sizeof(array[0]));
	return OK;
}

void
region_give_back(struct vspace *vspace, struct region_reserve *spare)
{
	uint64_t paid = region_frames(vspace->region_count + spare->count);

	container_release_frames(vspace->object.container,
	    paid - region_frames(vspace->region_count));
	while (spare->count > 0)
		slab_free(&region_slab, spare->regions[--spare->count]);
}

status_t
region_reserve(struct vspace *vspace, unsigned count, struct region_reserve *out_spare)
{
	struct container *container = vspace->object.container;
	uint64_t have = vspace->region_count;
	status_t status = OK;

	out_spare->count = 0;
	if (have + count > vspace->region_capacity)
		status = array_grow(vspace);
	for (; status == OK && out_spare->count < count; have++) {
		uint64_t frames = region_frames(have + 1) - region_frames(have);
		struct region *region;

		status = container_charge_frames(container, frames);
		if (status != OK)
			break;
		region = slab_alloc(&region_slab);
		if (region == NULL) {
			container_release_frames(container, frames);
			status = ERR_NOMEM;
			break;
		}
		out_spare->regions[out_spare->count++] = region;
	}
	if (status != OK)
		region_give_back(vspace, out_spare);
	return status;
}

static void
region_insert(struct vspace *vspace, uint32_t index, struct region *region)
{
	memmove(&vspace->regions[index + 1], &vspace->regions[index],
	    (vspace->region_count - index) * sizeof(vspace->regions[0]));
	vspace->regions[index] = region;
	vspace->region_count++;
}

void
region_remove(struct vspace *vspace, uint32_t index)
{
	struct region *region = vspace->regions[index];
	uint64_t paid = region_frames(vspace->region_count);

	vspace->region_count--;
	memmove(&vspace->regions[index], &vspace->regions[index + 1],
	    (vspace->region_count - index) * sizeof(vspace->regions[0]));
	container_release_frames(vspace->object.container,
	    paid - region_frames(vspace->region_count));
	object_release(&region->memory->object);
	slab_free(&region_slab, region);
}

void
region_split(struct vspace *vspace, uint32_t index, vaddr_t address,
    struct region_reserve *spare)
{
	struct region *left = vspace->regions[index];
	struct region *right = spare->regions[--spare->count];

	lock_acquire(&left->memory->lock);
	*right = *left;
	right->start = address;
	right->length = region_end(left) - address;
	right->offset += address - left->start;
	left->length = address - left->start;
	object_reference(&left->memory->object);
	list_append(&left->memory->mappings, &right->link);
	lock_release(&left->memory->lock);
	region_insert(vspace, index + 1, right);
}

void
region_merge(struct vspace *vspace, uint32_t index)
{
	struct region *left, *right;

	if (index + 1 >= vspace->region_count)
		return;
	left = vspace->regions[index];
	right = vspace->regions[index + 1];
	if (left->memory != right->memory || region_end(left) != right->start ||
	    left->offset + left->length != right->offset ||
	    left->flags != right->flags || left->limit != right->limit)
		return;
	lock_acquire(&left->memory->lock);
	left->length += right->length;
	list_remove(&right->link);
	lock_release(&left->memory->lock);
	region_remove(vspace, index + 1);
}

status_t
region_add(struct vspace *vspace, const struct region *wanted, uint64_t size)
{
	uint32_t index = region_find(vspace, wanted->start);
	struct memory *memory = wanted->memory;
	struct region_reserve spare;
	status_t status;

	if (index < vspace->region_count &&
	    vspace->regions[index]->start < region_end(wanted))
		return ERR_EXIST;
	if (wanted->offset > size || wanted->length > size - wanted->offset)
		return ERR_RANGE;
	status = region_reserve(vspace, 1, &spare);
	if (status != OK)
		return status;
	lock_acquire(&memory->lock);
	if (!object_try_reference(&memory->object))
		status = ERR_HANDLE;
	if (status == OK) {
		struct region *region = spare.regions[--spare.count];

		*region = *wanted;
		list_append(&memory->mappings, &region->link);
		region_insert(vspace, index, region);
	}
	lock_release(&memory->lock);
	region_give_back(vspace, &spare);
	return status;
}
