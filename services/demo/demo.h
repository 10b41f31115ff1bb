/* SPDX-License-Identifier: MIT */
/* Between the files of the demo. */
#pragma once

#include <idl/place.h>
#include <lib/channel/guest/guest.h>
#include <lib/channel/typed.h>
#include <lib/service/service.h>
#include <lib/sys/sys.h>

#define DEMO_BIT	1ul	/* of notifications, for the domain */

struct demo {
	cap_t	 broker, vspace;
	uint32_t cpus;
};

extern struct demo demo;

/* A domain of the calling thread; does not return without one. */
struct channel_domain *demo_domain(cap_t vspace, cap_t notification);
void demo_check(const char *what, status_t status);

/* producer.c: producers times consumers, once for each serializer. */
void demo_numbers(void);
/* compute.c: work for the places worker1 to worker3, which may be killed. */
void demo_compute(void);
