/* SPDX-License-Identifier: MIT */
/* supervise-ledger: see ledger.h. */
#include "ledger.h"

int
main(void)
{
	return ledger_serve();
}
