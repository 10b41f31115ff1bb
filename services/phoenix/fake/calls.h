/* SPDX-License-Identifier: MIT */
/*
 * In front of each file of a test of phoenix: its system calls go to a model
 * of the kernel (life_test.c).
 */
#pragma once

#include <lib/sys/sys.h>

struct sys_result fake_invoke(long number, uint64_t a, uint64_t b);
status_t fake_create(unsigned type, cap_t *out_cap);
status_t fake_map(cap_t vspace, uint64_t address, uint64_t length);
status_t fake_copy(cap_t source, cap_t table, cap_t *out_cap);
status_t fake_delete(cap_t table, cap_t cap);
status_t fake_signal(cap_t notification, uint64_t bits);

#define sys_invoke(number, a, b, c, d, e, f) \
	((void)(c), (void)(d), (void)(e), (void)(f), fake_invoke(number, a, b))
#define sys_object_create(type, container, a1, a2, out_cap) \
	((void)(container), (void)(a1), (void)(a2), fake_create(type, out_cap))
#define sys_map(vspace, address, memory, offset, length, flags) \
	((void)(memory), (void)(flags), fake_map(vspace, address, length))
#define sys_unmap(vspace, address, length) \
	((void)(vspace), (void)(address), (void)(length), OK)
#define sys_cap_copy(source, table, at, rights, trust, badge, out_cap) \
	fake_copy(source, table, out_cap)
#define sys_cap_delete(table, cap)	fake_delete(table, cap)
#define sys_signal(notification, bits)	fake_signal(notification, bits)
