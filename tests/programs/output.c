/* SPDX-License-Identifier: MIT */
/* 10 MB in lines whose contents follow from their number. */
#include <stdio.h>

#define SIZE	10000000l

int
main(void)
{
	long written = 0;

	for (unsigned i = 0; written < SIZE; i++)
		written += printf("%08u %08x %.*s\n", i, i * 2654435761u,
		    (int)(i % 60), "abcdefghijklmnopqrstuvwxyzabcdefghijklm"
		    "nopqrstuvwxyzabcdefghij");
	return 0;
}
