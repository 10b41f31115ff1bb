/* SPDX-License-Identifier: MIT */
/* The shortest life of a dynamic program, for linux-bench. */
int
main(void)
{
	return 0;
}
