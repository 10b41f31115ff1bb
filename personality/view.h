/* SPDX-License-Identifier: MIT */
/* What proc reads of this process for /proc (idl/libos.h). */
#pragma once

#include <idl/libos.h>

struct stack_input;

extern struct libos_view libos_view;

/* Once, in the first process. */
void view_init(void);
/* Argument and environment strings on the stack that begins at sp. */
void view_new_program(const struct stack_input *stack, uint64_t sp);
