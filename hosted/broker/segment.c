/* SPDX-License-Identifier: MIT */
/*
 * Memory that processes share. A segment is a memory file whose size can not
 * change, cut into slots of one size; only the two processes of its pair get
 * its descriptor. So many small lanes need few mappings: the next segment for
 * slots of a size is twice as large as the one before.
 *
 * A free slot holds zeroes, so making a lane of it touches little. One of whole
 * pages is punched out when it becomes free, which gives its memory back; a
 * smaller one is cleared.
 */
#include "state.h"

#include <lib/base/hash.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_BYTES	4096u
#define SEGMENT_FIRST	(64u << 10)
#define SEGMENT_LARGE	(16u << 20)
#define SEGMENT_SLOTS	32768u

int
memory_create(const char *name, uint64_t size)
{
	int file = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (file < 0)
		return -1;
	if (fchmod(file, 0600) != 0 || ftruncate(file, (off_t)size) != 0 ||
	    fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) {
		close(file);
		return -1;
	}
	return file;
}

struct pair *
pair_find(struct broker *broker, uint64_t left, uint64_t right)
{
	uint64_t low = left < right ? left : right;
	uint64_t high = left < right ? right : left;
	struct list *bucket = &broker->pairs[
	    hash_mix(low ^ hash_mix(high)) % PAIR_BUCKETS];
	struct pair *pair;

	LIST_EACH(bucket, link, following) {
		pair = LIST_ENTRY(link, struct pair, in_bucket);
		if (pair->low == low && pair->high == high)
			return pair;
	}
	pair = calloc(1, sizeof(*pair));
	if (pair == NULL)
		return NULL;
	pair->low = low;
	pair->high = high;
	list_clear(&pair->segments);
	list_append(bucket, &pair->in_bucket);
	return pair;
}

void
pair_put(struct pair *pair)
{
	if (!list_is_empty(&pair->segments))
		return;
	list_remove(&pair->in_bucket);
	free(pair);
}

/* How many slots the pair has of this size, and whether one has room. */
static struct segment *
find_room(struct pair *pair, uint32_t slot_size, uint64_t *out_size)
{
	*out_size = 0;
	LIST_EACH(&pair->segments, link, following) {
		struct segment *segment = LIST_ENTRY(link, struct segment,
		    in_pair);

		if (segment->slot_size != slot_size)
			continue;
		if (segment->used < segment->slots)
			return segment;
		if (segment->size > *out_size)
			*out_size = segment->size;
	}
	return NULL;
}

/* Twice the largest so far, within reason; at least one slot. */
static uint32_t
slots_for(uint32_t slot_size, uint64_t largest)
{
	uint64_t size = largest == 0 ? SEGMENT_FIRST : 2 * largest;
	uint64_t slots;

	if (size > SEGMENT_LARGE)
		size = SEGMENT_LARGE;
	slots = size / slot_size;
	if (slots == 0)
		slots = 1;
	return slots > SEGMENT_SLOTS ? SEGMENT_SLOTS : (uint32_t)slots;
}

static uint64_t
round_to_pages(uint64_t size)
{
	return (size + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

static status_t
segment_fill(struct segment *segment, struct client *payer)
{
	status_t status = account_charge(&payer->account->used.bytes,
	    payer->limits.bytes, segment->size);

	if (status != OK)
		return status;
	segment->file = memory_create("bennu-segment", segment->size);
	if (segment->file < 0 || fcntl(segment->file, F_ADD_SEALS,
	    F_SEAL_SEAL) != 0)
		goto fail_charge;
	if (!table_add(&payer->broker->segments, segment, &segment->number))
		goto fail_file;
	segment->account = payer->account;
	segment->account->references++;
	return OK;
fail_file:
	close(segment->file);
fail_charge:
	payer->account->used.bytes -= segment->size;
	return ERR_FULL;
}

static status_t
segment_make(struct pair *pair, uint32_t slot_size, uint64_t largest,
    struct client *payer, struct segment **out_segment)
{
	uint32_t slots = slots_for(slot_size, largest);
	size_t words = (slots + 63u) / 64;
	struct segment *segment = calloc(1, sizeof(*segment) +
	    words * sizeof(uint64_t));
	status_t status;

	if (segment == NULL)
		return ERR_NOMEM;
	segment->broker = payer->broker;
	segment->pair = pair;
	segment->slot_size = slot_size;
	segment->slots = slots;
	segment->size = round_to_pages((uint64_t)slots * slot_size);
	status = segment_fill(segment, payer);
	if (status != OK) {
		free(segment);
		return status;
	}
	list_append(&pair->segments, &segment->in_pair);
	*out_segment = segment;
	return OK;
}

static void
segment_free(struct segment *segment)
{
	struct pair *pair = segment->pair;

	table_remove(&segment->broker->segments, segment->number);
	list_remove(&segment->in_pair);
	segment->account->used.bytes -= segment->size;
	account_put(segment->account);
	close(segment->file);
	free(segment);
	pair_put(pair);
}

/* `hint`: all words before it are full. */
static uint32_t
slot_take(struct segment *segment)
{
	uint32_t word = segment->hint;

	while (segment->map[word] == UINT64_MAX)
		word++;
	uint32_t bit = (uint32_t)__builtin_ctzll(~segment->map[word]);
	segment->map[word] |= 1ul << bit;
	segment->hint = word;
	segment->used++;
	return word * 64 + bit;
}

status_t
segment_carve(struct pair *pair, uint32_t slot_size, struct client *payer,
    struct segment **out_segment, uint32_t *out_slot)
{
	uint64_t largest;
	struct segment *segment;
	status_t status;

	if (slot_size > PAGE_BYTES)
		slot_size = (uint32_t)round_to_pages(slot_size);
	segment = find_room(pair, slot_size, &largest);
	if (segment == NULL) {
		status = segment_make(pair, slot_size, largest, payer,
		    &segment);
		if (status != OK)
			return status;
	}
	*out_slot = slot_take(segment);
	*out_segment = segment;
	return OK;
}

/* A slot may lie across pages; it is cleared in its file, never mapped. */
static void
slot_clear(struct segment *segment, uint32_t slot)
{
	static const uint8_t zeroes[PAGE_BYTES];
	off_t offset = (off_t)((uint64_t)slot * segment->slot_size);

	if (segment->slot_size % PAGE_BYTES == 0) {
		if (fallocate(segment->file,
		    FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
		    segment->slot_size) == 0)
			return;
	} else if (pwrite(segment->file, zeroes, segment->slot_size,
	    offset) == (ssize_t)segment->slot_size) {
		return;
	}
	log_line("a slot could not be cleared; it is not used again");
	segment->map[slot / 64] |= 1ul << slot % 64;
	segment->used++;
}

void *
slot_map(const struct segment *segment, uint32_t slot, struct slot_view *view)
{
	uint64_t offset = (uint64_t)slot * segment->slot_size;
	uint64_t start = offset & ~(uint64_t)(PAGE_BYTES - 1);

	view->size = offset + segment->slot_size - start;
	view->base = mmap(NULL, view->size, PROT_READ | PROT_WRITE,
	    MAP_SHARED, segment->file, (off_t)start);
	if (view->base == MAP_FAILED)
		return NULL;
	return (uint8_t *)view->base + (offset - start);
}

void
slot_unmap(const struct slot_view *view)
{
	munmap(view->base, view->size);
}

void
segment_release(struct segment *segment, uint32_t slot)
{
	if (--segment->used == 0) {
		segment_free(segment);
		return;
	}
	segment->map[slot / 64] &= ~(1ul << slot % 64);
	if (slot / 64 < segment->hint)
		segment->hint = slot / 64;
	slot_clear(segment, slot);
}
