/* SPDX-License-Identifier: MIT */
/*
 * Resource limits. proc keeps them and writes them into the info page; those
 * that concern memory, files and descriptors are enforced by who serves the
 * calls, in this libOS.
 */
#include "limit.h"

#include "calls.h"
#include "file.h"
#include "memory.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <idl/proc_client.h>

uint64_t
limit_of(unsigned resource)
{
	return *(const volatile uint64_t *)&INFO->limit[resource][0];
}

bool
limit_allows_memory(uint64_t more)
{
	uint64_t limit = limit_of(LIMIT_SPACE);

	if (limit == LIMIT_NONE)
		return true;
	uint64_t used = vma_total(&memory_vmas);
	return more <= limit && used <= limit - more;
}

bool
limit_allows_data(uint64_t more)
{
	uint64_t limit = limit_of(LIMIT_DATA), used = 0;

	if (limit == LIMIT_NONE)
		return true;
	for (uint32_t i = 0; i < memory_vmas.count; i++) {
		const struct vma *v = &memory_vmas.entry[i];
		if ((v->protection & MAP_WRITE) != 0 &&
		    (v->flags & (VMA_SHARED | VMA_STACK)) == 0)
			used += v->end - v->start;
	}
	return more <= limit && used <= limit - more;
}

static long
file_too_large(void)
{
	signal_raise(L_SIGXFSZ);
	return -E_FBIG;
}

long
limit_write(uint64_t position, uint64_t *size)
{
	uint64_t limit = limit_of(LIMIT_FILE_SIZE);

	if (position >= limit)
		return file_too_large();
	if (*size > limit - position)
		*size = limit - position;
	return 0;
}

long
limit_grow(uint64_t size)
{
	return size > limit_of(LIMIT_FILE_SIZE) ? file_too_large() : 0;
}

long
linux_prlimit64(int pid, unsigned resource, const uint64_t *in, uint64_t *out)
{
	uint64_t new[2] = { 0 };

	if (resource >= LIMIT_COUNT)
		return -E_INVAL;
	if (in != NULL && user_read(new, in, sizeof(new)) != 0)
		return -E_FAULT;
	const struct proc_limit_args wanted = {
		.pid = pid, .resource = resource, .set = in != NULL,
		.soft = new[0], .hard = new[1],
	};
	struct proc_limit_results before;
	long error = proc_limit(PROCESS_PROC, &wanted, &before);

	if (error != 0)
		return error;
	uint64_t old[2] = { before.soft, before.hard };
	return out != NULL && user_write(out, old, sizeof(old)) != 0 ?
	    -E_FAULT : 0;
}

long
linux_getrlimit(unsigned resource, uint64_t *out)
{
	if (out == NULL)
		return resource < LIMIT_COUNT ? -E_FAULT : -E_INVAL;
	return linux_prlimit64(0, resource, NULL, out);
}

long
linux_setrlimit(unsigned resource, const uint64_t *in)
{
	if (in == NULL)
		return -E_FAULT;
	return linux_prlimit64(0, resource, in, NULL);
}
