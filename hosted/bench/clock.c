/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <time.h>
#include <x86intrin.h>

#define CALIBRATION_NS	20000000u

uint64_t
bench_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
bench_cycles(void)
{
	unsigned unused;
	uint64_t count = __rdtscp(&unused);

	_mm_lfence();
	return count;
}

double
bench_cycles_per_ns(void)
{
	static double rate;
	uint64_t start_ns, start, end_ns;

	if (rate != 0)
		return rate;
	start_ns = bench_now_ns();
	start = bench_cycles();
	do
		end_ns = bench_now_ns();
	while (end_ns - start_ns < CALIBRATION_NS);
	rate = (double)(bench_cycles() - start) / (double)(end_ns - start_ns);
	return rate;
}
