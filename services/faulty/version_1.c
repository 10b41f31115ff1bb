/* SPDX-License-Identifier: MIT */
/* faulty: works. */
#include "version.h"

const struct faulty_version faulty_version = { .layout = 1 };
