/* SPDX-License-Identifier: MIT */
/* supervise-ledger: see ledger.h. */
#include "ledger.h"

#include <stdio.h>

static const char usage[] =
    "usage: supervise-ledger\n"
    "A ledger that survives its crashes; bennu-supervise runs it, with\n"
    "/usr/share/doc/bennu-supervise/examples/ledger.toml. LEDGER_CRASH=N in\n"
    "its environment: it crashes at one in N places.\n";

int
main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		fputs(usage, stdout);
		return 0;
	}
	return ledger_serve();
}
