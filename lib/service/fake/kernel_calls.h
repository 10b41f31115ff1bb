/* SPDX-License-Identifier: MIT */
/*
 * The system calls of the service library, answered by the model in kernel.c;
 * those of protect.c by protect_test.c.
 */
#pragma once

#include <idl/place.h>
#include <lib/sys/sys.h>
#include <stdbool.h>

void kernel_reply_wait(cap_t reply, cap_t endpoint, cap_t next,
    const struct message *message, struct sys_received *out_received);
void kernel_reply_read(cap_t reply, struct sys_received *out_received);
void kernel_put_caps(const cap_t *caps, uint64_t count);
status_t kernel_reply_create(uint64_t badge, cap_t *out_cap);
status_t kernel_cap_delete(cap_t cap);
status_t kernel_table_next(uint64_t index, cap_t *out_cap);
status_t kernel_signal(cap_t notification, uint64_t bits);
status_t kernel_resize(cap_t memory, uint64_t size);
status_t kernel_notification_bind(cap_t thread);
status_t kernel_notification_wait(uint64_t *out_bits);
status_t kernel_event_next(uint64_t *out_kind, uint64_t *out_badge);
status_t kernel_event_rearm(void);
status_t kernel_protect(uint64_t start, uint64_t length, unsigned flags);
void kernel_write_pkru(uint32_t value);
status_t kernel_cap_info(cap_t cap, uint64_t *out_type, uint64_t *out_badge);
bool kernel_peer_gone(cap_t cap);
bool runtime_take_dirty(void);
void fault_point(unsigned point);
