/* SPDX-License-Identifier: MIT */
#include "sample.h"

#include <lib/channel/hosted/hosted.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

void
sample_clear(struct sample *sample)
{
	free(sample->member);
	*sample = (struct sample){ 0 };
}

static status_t
sample_grow(struct sample *sample)
{
	size_t room = sample->room == 0 ? 64 : 2 * sample->room;
	struct statistics_page *grown;

	if (room > SAMPLE_MEMBERS_MAX)
		return ERR_LIMIT;
	grown = realloc(sample->member, room * sizeof(*grown));
	if (grown == NULL)
		return ERR_NOMEM;
	sample->member = grown;
	sample->room = room;
	return OK;
}

/* Its writer goes on writing: whole fields, not all of one moment. */
static void
copy_page(const struct statistics_page *page, struct statistics_page *out_page)
{
	const uint64_t *from = (const uint64_t *)page;
	uint64_t *to = (uint64_t *)out_page;

	_Static_assert(sizeof(*page) % sizeof(uint64_t) == 0, "by words");
	for (size_t i = 0; i < sizeof(*page) / sizeof(*to); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	for (size_t i = 0; i < sizeof(out_page->name); i++)
		if (out_page->name[i] != '\0' &&
		    (out_page->name[i] < ' ' || out_page->name[i] > '~'))
			out_page->name[i] = '?';
	out_page->name[sizeof(out_page->name) - 1] = '\0';
}

status_t
sample_add(struct sample *sample, const void *page)
{
	const struct statistics_page *statistics = page;

	if (__atomic_load_n(&statistics->magic, __ATOMIC_ACQUIRE) !=
	    STATISTICS_MAGIC || statistics->size < sizeof(*statistics))
		return OK;
	if (sample->count == sample->room) {
		status_t status = sample_grow(sample);

		if (status != OK)
			return status;
	}
	copy_page(statistics, &sample->member[sample->count++]);
	return OK;
}

static int
compare_members(const void *a, const void *b)
{
	const struct statistics_page *x = a, *y = b;

	if (x->channel != y->channel)
		return x->channel < y->channel ? -1 : 1;
	return (x->member > y->member) - (x->member < y->member);
}

void
sample_sort(struct sample *sample)
{
	if (sample->count > 0)
		qsort(sample->member, sample->count, sizeof(*sample->member),
		    compare_members);
}

static status_t
add_segment(struct sample *sample, int file, uint64_t size)
{
	status_t status = OK;
	unsigned char *base = mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0);

	close(file);
	if (base == MAP_FAILED)
		return ERR_NOMEM;
	for (uint64_t at = 0; status == OK && size - at >= STATISTICS_PAGE;
	    at += STATISTICS_PAGE)
		status = sample_add(sample, base + at);
	munmap(base, size);
	return status;
}

status_t
sample_take(struct channel_domain *domain, struct sample *sample)
{
	struct broker_watched watched = { .next = 0 };
	struct timespec now;
	status_t status;

	sample_clear(sample);
	clock_gettime(CLOCK_MONOTONIC, &now);
	sample->time_ns = (uint64_t)now.tv_sec * 1000000000u +
	    (uint64_t)now.tv_nsec;
	do {
		int file = -1;

		status = channel_hosted_watch(domain, watched.next, &watched,
		    &file);
		if (status == OK && watched.found != 0)
			status = add_segment(sample, file,
			    watched.segment_size);
	} while (status == OK && watched.next != 0);
	sample_sort(sample);
	return status;
}
