/* SPDX-License-Identifier: MIT */
/* Death records. */
#include <kernel/object/death.h>

#include <kernel/object/endpoint.h>
#include <kernel/object/thread.h>

status_t
death_create(struct container *container, struct death **out_death)
{
	status_t status;
	struct object *object = object_alloc(OBJ_DEATH, container, &status);

	if (object == NULL)
		return status;
	*out_death = (struct death *)object;
	event_init(&(*out_death)->event, EVENT_DEATH);
	return OK;
}

void
death_record(struct death *death, struct thread *thread, uint64_t cause,
    uint64_t code)
{
	lock_acquire(&death->lock);
	struct death_info *info = &death->info;
	info->cause = cause;
	info->code = code;
	info->count++;
	info->thread_id = thread->object.id;
	info->request_order = thread->request_order;
	info->request_tag = thread->request_tag;
	info->request_badge = thread->request_badge;
	info->time_ns = arch_clock_now();
	info->frame = thread->frame;
	lock_release(&death->lock);
	event_fire(&death->event);
}

void
death_read(struct death *death, bool resolve, struct death_info *out_info)
{
	/* First: a death after this fires again, whether it is read or not. */
	if (resolve)
		event_resolve(&death->event);
	lock_acquire(&death->lock);
	*out_info = death->info;
	lock_release(&death->lock);
}

bool
death_destroy(struct object *object)
{
	event_detach(&((struct death *)object)->event);
	return true;
}
