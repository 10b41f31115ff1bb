/* SPDX-License-Identifier: MIT */
/*
 * Damage to the instructions of a victim, in a private copy of the page: spares
 * and the next incarnation map the pristine one.
 *
 * Where instructions begin, and what can be made of each, tells a table of the
 * archive (tools/text_table.py). Three times in four the place is one of the
 * next ones after the victim's program counter, so that it is likely to be
 * executed; else it is anywhere.
 */
#include "chaos.h"

#include <idl/phoenix_client.h>
#include <lib/base/string.h>
#include <lib/cpio/cpio.h>
#include <lib/service/service.h>

#define ARCHIVE_VIEW	(PLACE_HEAP_BASE + 0x1000000000ul)
#define TEXT_VIEW	(PLACE_HEAP_BASE + 0x300000000ul)
#define NEAR		6u	/* entries of a kind after the counter */
#define ENTRY_KIND_NOP	4u
#define NEAR_BYTES	16u	/* a sample so near has executed it */
#define WAIT_NS		50000ul	/* for a thread that waits for a CPU */
#define WAITS_MAX	20u

/* As tools/text_table.py writes it; nothing is aligned to more than 4. */
struct entry {
	uint32_t address;
	uint8_t	 kind, length, offset, value;
};

struct table {
	const struct entry *entry;
	uint64_t count;
};

static uint64_t archive_size;

static void
open_archive(void)
{
	cap_t archive;

	if (wire_status(phoenix_request(PLACE_PHOENIX, "archive:bennu",
	    &archive)) != OK)
		service_panic("no archive");
	struct sys_result r = sys_invoke(SYS_MEMORY_INFO, archive, 0, 0, 0, 0,
	    0);
	if (r.status != OK || sys_map(service_info()->vspace, ARCHIVE_VIEW,
	    archive, 0, r.value[0], MAP_READ) != OK)
		service_panic("the archive cannot be mapped");
	archive_size = r.value[0];
}

static bool
find_table(const char *name, struct table *out_table)
{
	char path[32] = "bennu/text/";
	struct cpio_entry file;

	if (archive_size == 0)
		open_archive();
	memcpy(path + strlen(path), name, strlen(name) + 1);
	if (cpio_find((const void *)ARCHIVE_VIEW, archive_size, path,
	    &file) != OK)
		return false;
	out_table->entry = (const struct entry *)(const void *)file.data;
	out_table->count = file.size / sizeof(struct entry);
	return out_table->count != 0;
}

/* The first entry at or above the address. */
static uint64_t
first_from(const struct table *table, uint64_t address)
{
	uint64_t low = 0, high = table->count;

	while (low < high) {
		uint64_t middle = (low + high) / 2;
		if (table->entry[middle].address < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
fits(const struct entry *entry, uint64_t kind)
{
	uint64_t wanted = kind == KIND_FLIP_TEXT ? ENTRY_KIND_NOP :
	    kind - KIND_MUTATE_BRANCH + 1;

	/* One page is copied. */
	return entry->kind == wanted && entry->address % PAGE_SIZE +
	    entry->length <= PAGE_SIZE;
}

/* The n-th entry of the kind from `index` on, round the end; NULL: none. */
static const struct entry *
nth_from(const struct table *table, uint64_t index, uint64_t kind, uint64_t n)
{
	const struct entry *found = NULL;

	for (uint64_t i = 0; i < table->count; i++) {
		const struct entry *entry =
		    &table->entry[(index + i) % table->count];
		if (!fits(entry, kind))
			continue;
		found = entry;
		if (n-- == 0)
			break;
	}
	return found;
}

/* Best while it computes; else where it waits. */
static uint64_t
sample(const struct victim *victim)
{
	struct user_frame frame = { .rip = PLACE_IMAGE_BASE };

	for (unsigned i = 0; i < WAITS_MAX; i++) {
		struct sys_result r = sys_invoke(SYS_THREAD_INFO,
		    victim->thread, 0, 0, 0, 0, 0);
		if (r.status == OK && (r.value[1] & 0xff) == STATE_READY)
			break;
		chaos_sleep(WAIT_NS);
	}
	victim_read_frame(victim, &frame);
	return frame.rip;
}

static void
change(uint8_t *code, const struct entry *entry,
    const struct injection *injection)
{
	if (injection->kind == KIND_FLIP_TEXT)
		code[(injection->random >> 32) % entry->length] ^=
		    (uint8_t)(1u << injection->bit);
	else if (entry->kind == ENTRY_KIND_NOP)
		memset(code, entry->value, entry->length);
	else
		code[entry->offset] = entry->value;
}

/* Puts a copy of the page with the change in place of the pristine one. */
static bool
replace_page(const struct injection *injection, const struct entry *entry)
{
	cap_t own = service_info()->vspace, memory;
	cap_t theirs = injection->victim->vspace;
	uint64_t page = entry->address & ~PAGE_MASK;

	if (sys_object_create(OBJ_MEMORY, PLACE_CONTAINER, PAGE_SIZE, 0,
	    &memory) != OK)
		return false;
	status_t status = sys_invoke(SYS_VSPACE_COPY, theirs, page, memory, 0,
	    PAGE_SIZE, 0).status;
	if (status == OK)
		status = sys_map(own, TEXT_VIEW, memory, 0, PAGE_SIZE,
		    MAP_READ | MAP_WRITE);
	if (status == OK) {
		change((uint8_t *)TEXT_VIEW + (entry->address - page), entry,
		    injection);
		status = sys_unmap(own, TEXT_VIEW, PAGE_SIZE);
	}
	if (status == OK)
		status = sys_unmap(theirs, page, PAGE_SIZE);
	if (status == OK)
		status = sys_map(theirs, page, memory, 0, PAGE_SIZE,
		    MAP_READ | MAP_EXEC);
	sys_cap_delete(CAP_NONE, memory);
	return status == OK;
}

void
change_text(struct injection *injection)
{
	uint64_t random = injection->random;
	struct table table;

	if (!find_table(injection->victim->name, &table))
		return;
	bool near = random_next(&random) % 4 != 0;
	uint64_t from = near ? first_from(&table, sample(injection->victim)) :
	    random_next(&random) % table.count;
	const struct entry *entry = nth_from(&table, from, injection->kind,
	    near ? random_next(&random) % NEAR : 0);
	if (entry == NULL)
		return;
	injection->address = entry->address;
	injection->bit = (unsigned)(injection->random >> 61);
	injection->done = replace_page(injection, entry);
}

bool
text_was_executed(const struct injection *injection)
{
	struct user_frame frame;

	return injection->done &&
	    victim_read_frame(injection->victim, &frame) &&
	    frame.rip - injection->address < NEAR_BYTES;
}
