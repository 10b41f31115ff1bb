/* SPDX-License-Identifier: MIT */
#include "backing.h"

#include <idl/libos.h>
#include <lib/sys/sys.h>
#include <stddef.h>

static struct backing backings[BACKING_MAX];
static uint32_t backings_end;	/* none above was ever used */

_Static_assert(offsetof(struct backing, description) ==
    offsetof(struct libos_backing, description) &&
    offsetof(struct backing, inode) == offsetof(struct libos_backing, inode),
    "what proc reads");

void
backing_show(struct libos_view *view)
{
	view->backings = (uint64_t)backings;
	view->backing_count = BACKING_MAX;
	view->backing_size = sizeof(backings[0]);
}

struct backing *
backing_of(unsigned number)
{
	return number == 0 ? NULL : &backings[number - 1];
}

unsigned
backing_find(cap_t description, bool write)
{
	for (unsigned i = 0; i < backings_end; i++) {
		const struct backing *b = &backings[i];
		if (b->object != CAP_NONE && b->description == description &&
		    (b->writable || !write))
			return i + 1;
	}
	return 0;
}

unsigned
backing_add(const struct backing *take_backing)
{
	for (unsigned i = 0; i < BACKING_MAX; i++) {
		if (backings[i].object != CAP_NONE)
			continue;
		if (i >= backings_end)
			backings_end = i + 1;
		backings[i] = *take_backing;
		return i + 1;
	}
	return 0;
}

void
backing_hold(unsigned number, bool held)
{
	if (number != 0)
		backings[number - 1].held = held;
}

/* Several may be of one description: the first takes it over. */
bool
backing_keep(cap_t take_description)
{
	unsigned number = backing_find(take_description, false);

	if (number == 0)
		return false;
	backings[number - 1].owned = true;
	return true;
}

static void
drop(struct backing *b)
{
	cap_t description = b->description;
	unsigned other;

	sys_cap_delete(CAP_NONE, b->object);
	b->object = CAP_NONE;
	if (!b->owned)
		return;
	other = backing_find(description, false);
	if (other != 0)
		backings[other - 1].owned = true;
	else
		sys_cap_delete(CAP_NONE, description);
}

void
backing_sweep(const struct vma_list *list)
{
	for (unsigned i = 0; i < backings_end; i++)
		backings[i].wanted = backings[i].held;
	for (uint32_t i = 0; i < list->count; i++) {
		if (list->entry[i].backing != 0)
			backings[list->entry[i].backing - 1].wanted = true;
	}
	for (unsigned i = 0; i < backings_end; i++) {
		if (backings[i].object != CAP_NONE && !backings[i].wanted)
			drop(&backings[i]);
	}
}

void
backing_drop_all(void)
{
	for (unsigned i = 0; i < backings_end; i++) {
		if (backings[i].object != CAP_NONE)
			drop(&backings[i]);
	}
}

uint64_t
backing_size(const struct backing *backing)
{
	struct sys_result r = sys_invoke(SYS_MEMORY_INFO, backing->object, 0,
	    0, 0, 0, 0);

	return r.status == OK ? r.value[0] : 0;
}
