/* SPDX-License-Identifier: MIT */
/* The requests of idl/timer.capnp: lib/proc does it all. */
#include "shell.h"

#include <idl/timers_server.h>

#define TIME_MAX_NS	(1ul << 62)	/* no clock will see it */

struct timers_context {
	struct process *process;	/* that calls */
};

static uint64_t
at_most(uint64_t ns)
{
	return ns < TIME_MAX_NS ? ns : TIME_MAX_NS;
}

static unsigned
handle_create(struct timers_context *context, struct service_call *call,
    const struct timers_create_args *in, struct timers_create_results *out)
{
	const struct proc_timer_want want = {
		.signal = in->signal, .thread = in->thread,
		.value = in->value, .own_value = in->own_value,
	};

	return (unsigned)proc_timer_create(&proc, context->process, &want,
	    &out->id);
}

static unsigned
handle_set(struct timers_context *context, struct service_call *call,
    const struct timers_set_args *in, struct timers_set_results *out)
{
	const struct proc_timer_left new = {
		.left_ns = at_most(in->due),
		.interval_ns = at_most(in->interval),
	};
	struct proc_timer_left before;
	int error = proc_timer_set(&proc, context->process, in->id, &new,
	    &before);

	if (error == 0)
		*out = (struct timers_set_results){ before.left_ns,
		    before.interval_ns };
	/* One that is due already does not wait for the loop. */
	return error != 0 ? (unsigned)error :
	    (unsigned)proc_timers_due(&proc, 1);
}

static unsigned
handle_get(struct timers_context *context, struct service_call *call,
    const struct timers_get_args *in, struct timers_get_results *out)
{
	struct proc_timer_left left;
	int error = proc_timer_get(&proc, context->process, in->id, &left);

	if (error == 0)
		*out = (struct timers_get_results){ left.left_ns,
		    left.interval_ns, left.overrun };
	return (unsigned)error;
}

static unsigned
handle_delete(struct timers_context *context, struct service_call *call,
    const struct timers_delete_args *in)
{
	return (unsigned)proc_timer_delete(&proc, context->process, in->id);
}

static const struct timers_operations operations = {
	.create = handle_create, .set = handle_set, .get = handle_get,
	.delete = handle_delete,
};

service_outcome
timers_session(struct service_call *call, struct process *process)
{
	struct timers_context context = { process };

	return timers_dispatch(&operations, &context, call);
}
