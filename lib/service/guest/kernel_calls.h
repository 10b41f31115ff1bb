/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the service loop. The tests put a model of the kernel in
 * place of this header (fake/kernel_calls.h).
 */
#pragma once

#include <idl/place.h>
#include <lib/service/loop.h>
#include <lib/sys/sys.h>
#include <stddef.h>

static inline void
kernel_reply_wait(cap_t reply, cap_t endpoint, cap_t next,
    const struct message *message, struct sys_received *out_received)
{
	sys_reply_wait(reply, endpoint, next, message, out_received);
}

static inline void
kernel_reply_read(cap_t reply, struct sys_received *out_received)
{
	sys_reply_read(reply, out_received);
}

/* The next reply takes these capabilities along. */
static inline void
kernel_put_caps(const cap_t *caps, uint64_t count)
{
	struct utcb *utcb = (struct utcb *)PLACE_UTCB;

	for (uint64_t i = 0; i < count; i++)
		utcb->caps_out[i] = caps[i];
	utcb->reply_caps = count;
}

static inline status_t
kernel_reply_create(uint64_t badge, cap_t *out_cap)
{
	return sys_object_create(OBJ_REPLY, PLACE_CONTAINER, badge,
	    PLACE_NOTIFICATION, out_cap);
}

static inline status_t
kernel_cap_delete(cap_t cap)
{
	return sys_cap_delete(CAP_NONE, cap);
}

static inline status_t
kernel_table_next(uint64_t index, cap_t *out_cap)
{
	struct sys_result r = sys_invoke(SYS_TABLE_NEXT, CAP_NONE, index, 0, 0,
	    0, 0);

	*out_cap = r.value[0];
	return r.status;
}

static inline status_t
kernel_signal(cap_t notification, uint64_t bits)
{
	return sys_signal(notification, bits);
}

static inline status_t
kernel_resize(cap_t memory, uint64_t size)
{
	return sys_invoke(SYS_MEMORY_RESIZE, memory, size, 0, 0, 0, 0).status;
}

static inline status_t
kernel_notification_bind(cap_t thread)
{
	return sys_invoke(SYS_NOTIFY_BIND, PLACE_NOTIFICATION, thread, 0, 0, 0,
	    0).status;
}

static inline status_t
kernel_notification_wait(uint64_t *out_bits)
{
	return sys_wait(PLACE_NOTIFICATION, WAIT_BITS, 0, DEADLINE_NEVER,
	    out_bits, NULL);
}

static inline status_t
kernel_event_next(uint64_t *out_kind, uint64_t *out_badge)
{
	struct sys_result r = sys_invoke(SYS_EVENT_NEXT, PLACE_NOTIFICATION, 0,
	    0, 0, 0, 0);

	*out_kind = r.value[0];
	*out_badge = r.value[1];
	return r.status;
}

static inline status_t
kernel_event_rearm(void)
{
	return sys_invoke(SYS_EVENT_REARM, PLACE_NOTIFICATION, 0, 0, 0, 0,
	    0).status;
}

static inline status_t
kernel_protect(uint64_t start, uint64_t length, unsigned flags)
{
	return sys_protect(service_info()->vspace, start, length, flags);
}

/* Which protection keys this thread may write with. */
static inline void
kernel_write_pkru(uint32_t value)
{
	__asm__ volatile("wrpkru" :: "a"(value), "c"(0), "d"(0) : "memory");
}

static inline status_t
kernel_cap_info(cap_t cap, uint64_t *out_type, uint64_t *out_badge)
{
	struct sys_result r = sys_invoke(SYS_CAP_INFO, CAP_NONE, cap, 0, 0, 0,
	    0);

	*out_type = r.value[0] & 0xff;
	*out_badge = r.value[1];
	return r.status;
}

/* Of an end of an event pair. */
static inline bool
kernel_peer_gone(cap_t cap)
{
	struct sys_result r = sys_invoke(SYS_EVENTPAIR_QUERY, cap, 0, 0, 0, 0,
	    0);

	return r.status != OK || r.value[0] != 0;
}

extern bool runtime_dirty;

/* Something was saved in the arena since the last call. */
static inline bool
runtime_take_dirty(void)
{
	bool dirty = runtime_dirty;

	runtime_dirty = false;
	return dirty;
}

/* The sequence of the last fault looked at, by this incarnation. */
extern uint32_t runtime_fault_seen;

/* On the path of every call: two loads and a branch. */
static inline void
fault_point(unsigned point)
{
	const volatile struct place_info *info =
	    (const volatile struct place_info *)PLACE_INFO;

	if (__builtin_expect(info->fault.sequence != runtime_fault_seen, 0))
		runtime_fault(point);
}
