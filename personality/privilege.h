/* SPDX-License-Identifier: MIT */
/* Options of prctl that are about privileges. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

bool privilege_is_option(int option);
long privilege_prctl(int option, const uint64_t argument[4]);
