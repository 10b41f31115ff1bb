/* SPDX-License-Identifier: MIT */
/* Options of prctl that are about privileges. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool privilege_is_option(int option);
/* Is it effective? 1, 0, or -E_*. */
long privilege_has(unsigned privilege);
long privilege_prctl(int option, const uint64_t argument[4]);
