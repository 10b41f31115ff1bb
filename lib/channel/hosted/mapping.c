/* SPDX-License-Identifier: MIT */
/* What of others is mapped here, each once, counted. */
#include <lib/channel/hosted/link.h>

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mapping **
find(struct mapping_table *table, uint64_t number)
{
	struct mapping **link = &table->bucket[number % LINK_BUCKETS];

	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return link;
}

/* A file that is shorter than its mapping would end the process. */
static struct mapping *
map(uint64_t number, size_t size, int file, bool writable)
{
	struct mapping *mapping = malloc(sizeof(*mapping));
	struct stat info;
	void *base;

	if (mapping == NULL)
		return NULL;
	if (size == 0 || fstat(file, &info) != 0 ||
	    (uint64_t)info.st_size < size)
		goto fail;
	base = mmap(NULL, size, PROT_READ | (writable ? PROT_WRITE : 0),
	    MAP_SHARED, file, 0);
	if (base == MAP_FAILED)
		goto fail;
	*mapping = (struct mapping){
		.number = number, .base = base, .size = size,
	};
	return mapping;
fail:
	free(mapping);
	return NULL;
}

struct mapping *
mapping_take(struct mapping_table *table, uint64_t number, size_t size,
    int file, bool writable)
{
	struct mapping **link = find(table, number);
	struct mapping *mapping = *link;

	if (mapping == NULL) {
		mapping = map(number, size, file, writable);
		*link = mapping;
	} else if (mapping->size != size) {
		mapping = NULL;
	}
	close(file);
	if (mapping != NULL)
		mapping->references++;
	return mapping;
}

void
mapping_put(struct mapping_table *table, struct mapping *mapping)
{
	struct mapping **link;

	if (mapping == NULL || --mapping->references != 0)
		return;
	link = find(table, mapping->number);
	*link = mapping->next;
	munmap(mapping->base, mapping->size);
	free(mapping);
}
