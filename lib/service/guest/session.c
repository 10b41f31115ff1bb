/* SPDX-License-Identifier: MIT */
#include <lib/service/loop.h>

status_t
service_give_session(struct service_call *call, cap_t container,
    uint64_t badge, cap_t *out_session)
{
	cap_t a, b;
	uint64_t full = service_session_badge(badge);
	status_t status = sys_eventpair_create(container, PLACE_ENDPOINT,
	    full, &a, &b);

	if (status != OK)
		return status;
	status = service_cap_keep(a);
	if (status != OK) {
		sys_cap_delete(CAP_NONE, a);
		sys_cap_delete(CAP_NONE, b);
		return status;
	}
	status = service_cap_keep(b);
	if (status != OK) {
		sys_cap_delete(CAP_NONE, b);
		return status;
	}
	status = sys_invoke(SYS_EVENT_BIND, b, PLACE_NOTIFICATION,
	    LOOP_EVENT_BIT, full, 0, 0).status;
	if (status != OK)
		return status;
	call->reply_cap[0] = a;
	call->reply_caps = 1;
	call->reply_cap_drop = true;
	*out_session = b;
	return OK;
}
