/* SPDX-License-Identifier: MIT */
#include <stdio.h>

int
main(void)
{
	puts("Hello, world");
	return 42;
}
