/* SPDX-License-Identifier: MIT */
/* Requests for locks; those that wait are parked calls. */
#include "shell.h"

static struct storage_call
call_of(struct parked_call id)
{
	return (struct storage_call){ id.reply, id.order };
}

status_t
locks_answer(void *context, struct storage_call call, unsigned error)
{
	struct parked_call id = { call.reply, call.order };

	(void)context;
	if (error != 0)
		return service_answer_error(id, error);
	return storage_lock_answer(id,
	    &(struct storage_lock_results){ .granted = true });
}

unsigned
handle_lock(struct storage_context *context, struct service_call *call,
    const struct storage_lock_args *in, struct storage_lock_results *out)
{
	struct storage_lock lock = {
		.type = in->type, .flags = in->flags,
		.first = in->first, .last = in->last, .pid = in->pid,
	};
	enum storage_locked locked = LOCKED_BUSY;
	bool given = in->owner != CAP_NONE;
	unsigned error = find_given(context, in->owner, &lock.owner);

	if (error == 0 && given == (in->pid == 0))
		error = E_INVAL;
	/* A signal came before the call: it must not wait. */
	if (call->cancelled)
		lock.flags &= ~LOCK_WAIT;
	if (error == 0)
		error = storage_lock(context->storage, context->self, &lock,
		    call_of(call->id), &locked);
	if (error == 0 && locked == LOCKED_BUSY && call->cancelled &&
	    (in->flags & LOCK_WAIT) != 0)
		error = E_INTR;
	if (error == 0 && locked == LOCKED_WAITS)
		return WIRE_PARKED;
	out->granted = locked == LOCKED_DONE;
	return error;
}

unsigned
handle_lock_test(struct storage_context *context, struct service_call *call,
    const struct storage_lock_test_args *in,
    struct storage_lock_test_results *out)
{
	struct storage_lock lock = {
		.type = in->type, .flags = in->flags,
		.first = in->first, .last = in->last,
	};
	unsigned error = find_given(context, in->owner, &lock.owner);

	(void)call;
	if (error == 0)
		error = storage_lock_test(context->self, &lock);
	out->type = lock.type;
	out->pid = lock.pid;
	out->first = lock.first;
	out->last = lock.last;
	return error;
}

void
locks_cancel(struct storage *storage, struct parked_call id)
{
	bool found;

	if (storage_cancel(storage, call_of(id), &found) != 0 ||
	    (!found && service_answer_error(id, E_INTR) != OK))
		service_panic("cannot answer a cancelled call");
}
