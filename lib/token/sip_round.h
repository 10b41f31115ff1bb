/* SPDX-License-Identifier: MIT */
/* The state and the round of SipHash, which both engines have in common. */
#pragma once

#include <stdint.h>

/* "somepseudorandomlygeneratedbytes": from the definition of SipHash. */
#define SIP_START_0	0x736f6d6570736575ul
#define SIP_START_1	0x646f72616e646f6dul
#define SIP_START_2	0x6c7967656e657261ul
#define SIP_START_3	0x7465646279746573ul
#define SIP_END		0xfful

struct sip_state {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
sip_rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void
sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v1 = sip_rotate(s->v1, 13) ^ s->v0;
	s->v0 = sip_rotate(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = sip_rotate(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = sip_rotate(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = sip_rotate(s->v1, 17) ^ s->v2;
	s->v2 = sip_rotate(s->v2, 32);
}
