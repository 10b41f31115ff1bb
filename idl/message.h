/* SPDX-License-Identifier: MIT */
/*
 * Fast messages: eight words, the tag first. Requests of a service lie in its
 * tag block; bit 15 marks replies.
 */
#pragma once

#include <stdint.h>

struct message {
	uint64_t word[8];	/* word[0] is the tag */
};

#define TAG_STORAGE	0x0001	/* 0x0001..0x00ff */
#define TAG_SOCKET	0x0100
#define TAG_DEVICE	0x0200
#define TAG_CONSOLE	0x0210
#define TAG_PROC	0x0300
#define TAG_TERMINAL	0x0380
#define TAG_WATCH	0x03c0
#define TAG_PHOENIX	0x0400

#define TAG_REPLY_OK	0x8000	/* words as the request documents */
#define TAG_REPLY_ERROR	0x8001	/* word 1 = E_* (or ERR_* for phoenix) */
