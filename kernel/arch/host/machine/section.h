/* SPDX-License-Identifier: MIT */
/* There is no boot stage on the host. */
#pragma once

#define BOOT_CODE
#define BOOT_RODATA
#define BOOT_DATA
#define BOOT_BSS
