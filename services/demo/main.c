/* SPDX-License-Identifier: MIT */
/*
 * Demos of channels, by boot option demo=NAME: "numbers" (producers and
 * consumers in address spaces of their own), "compute" (work for other places),
 * "all". What comes out is written to the log; the system goes on starting when
 * all is done, as with the benchmark.
 */
#include "demo.h"

#include <idl/phoenix_client.h>
#include <lib/base/string.h>

struct demo demo;

void
demo_check(const char *what, status_t status)
{
	if (status != OK)
		service_panic("%s: status %lu", what, status);
}

struct channel_domain *
demo_domain(cap_t vspace, cap_t notification)
{
	const struct channel_guest_options options = {
		.broker = demo.broker, .vspace = vspace,
		.notification = notification, .bits = DEMO_BIT,
		.cpus = demo.cpus, .now_ns = service_now_ns,
	};
	struct channel_domain *domain;

	demo_check("no domain", channel_domain_guest(&options, &domain));
	channel_domain_set_default(domain);
	return domain;
}

static uint32_t
count_cpus(void)
{
	const struct system_info *info =
	    (const void *)((struct utcb *)PLACE_UTCB)->data;

	demo_check("no system", sys_invoke(SYS_SYSTEM_INFO, PLACE_CONTAINER, 0,
	    0, 0, 0, 0).status);
	return (uint32_t)info->cpus;
}

int main(void);

int
main(void)
{
	char name[48];
	bool all;

	demo.vspace = service_info()->vspace;
	demo.cpus = count_cpus();
	demo_check("no broker", wire_status(phoenix_request(PLACE_PHOENIX,
	    "broker:open", &demo.broker)));
	demo_check("no option", service_option("demo", name));
	all = strcmp(name, "all") == 0;
	if (all || strcmp(name, "numbers") == 0)
		demo_numbers();
	if (all || strcmp(name, "compute") == 0)
		demo_compute();
	service_log("end");
	service_ready();
	sys_exit(DEATH_EXIT, 0);
}
