/* SPDX-License-Identifier: MIT */
/*
 * For headers that C++ programs may include: their functions have the names of
 * C. Between LINKAGE_BEGIN and LINKAGE_END stands what is both C and C++.
 */
#pragma once

#ifdef __cplusplus
#define LINKAGE_BEGIN	extern "C" {
#define LINKAGE_END	}
#ifndef _Static_assert
#define _Static_assert	static_assert
#endif
#else
#define LINKAGE_BEGIN
#define LINKAGE_END
#endif
