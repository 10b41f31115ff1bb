/* SPDX-License-Identifier: MIT */
/*
 * Data that every fork, exit and wait touches. It lies together in the first
 * pages of the data segment, which proc maps as memory of their own: so few
 * pages are copied at once by fork, and neither side takes a fault for them.
 */
#pragma once

#define HOT __attribute__((section(".data.hot")))
