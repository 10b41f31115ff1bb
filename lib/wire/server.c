/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <lib/sys/sys.h>

unsigned
wire_error(status_t status)
{
	switch (status) {
	case OK:
		return 0;
	case ERR_FAULT:
	case ERR_RIGHT:
		return E_FAULT;
	case ERR_NOMEM:
	case ERR_LIMIT:
		return E_NOSPC;
	case ERR_GONE:
		return E_INTR;
	default:
		return E_INVAL;
	}
}

status_t
wire_take(const struct service_call *call, const struct wire_bytes *from,
    void *to)
{
	if (from->length == 0)
		return OK;
	if (from->bytes != NULL) {
		__builtin_memcpy(to, from->bytes, from->length);
		return OK;
	}
	return sys_window_copy(call->reply, from->window | WINDOW_FROM_CALLER,
	    0, CAP_NONE, (uint64_t)to, from->length, NULL);
}

status_t
wire_give(const struct service_call *call, const struct wire_room *to,
    const void *from, uint64_t length)
{
	if (length == 0)
		return OK;
	return sys_window_copy(call->reply, to->window | WINDOW_TO_CALLER, 0,
	    CAP_NONE, (uint64_t)from, length, NULL);
}

status_t
wire_take_cap(const struct service_call *call, unsigned index, cap_t *out_cap)
{
	struct sys_result r = sys_invoke(SYS_REPLY_TAKE_CAP, call->reply,
	    index, CAP_ANY_SLOT, 0, 0, 0);

	*out_cap = r.status == OK ? r.value[0] : CAP_NONE;
	return r.status;
}

void
wire_drop_cap(cap_t cap)
{
	if (cap != CAP_NONE)
		sys_cap_delete(CAP_NONE, cap);
}
