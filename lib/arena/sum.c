/* SPDX-License-Identifier: MIT */
/*
 * Sums that tell whether memory changed without a transaction.
 *
 * The sum of a page is that of value times key over all its words, modulo
 * 2^128. Keys are odd numbers below 2^64, another one for each word. So
 *
 *	- any change of one word, any two changed bits, and any two words that
 *	  changed places change the sum: the difference is less than 2^128, and
 *	  0 only if two keys are the same
 *	- a word of 0 has no share: memory that was never used costs little
 *	- a transaction that changes few words adds (new - old) times key of
 *	  those, and a change from outside stays visible whatever is done later
 *	  to the same page, or even the same word
 *
 * All words that transactions may change have a share, free memory as well. The
 * exception are pages that the service declared plain: they are written by each
 * request and of no use after the next one.
 */
#include <lib/arena/state.h>

#define GROUP		8u	/* words looked at together */

static bool
group_is_zero(const uint64_t *value)
{
	return (value[0] | value[1] | value[2] | value[3] | value[4] |
	    value[5] | value[6] | value[7]) == 0;
}

unsigned __int128
sum_of_words(const struct arena_header *header, uint64_t first,
    uint64_t count)
{
	const uint64_t *value = word_at(header, first);
	unsigned __int128 sum = 0;
	uint64_t key = sum_key(first);
	uint64_t i = 0;

	while (i < count) {
		if (count - i >= GROUP && group_is_zero(value + i)) {
			i += GROUP;
			key += GROUP * SUM_KEY_STEP;
			continue;
		}
		sum += (unsigned __int128)value[i] * key;
		key += SUM_KEY_STEP;
		i++;
	}
	return sum;
}

/* Words of the page that have a share. */
static uint64_t
first_word(uint64_t page)
{
	return page == 0 ? HEADER_CHANGES / WORD : page * PAGE_WORDS;
}

/* The first page has one whatever it says, as it says which pages are plain. */
static bool
has_sum(const struct arena_header *header, uint64_t page)
{
	uint64_t offset = page * PAGE_SIZE;

	return offset < header->sums_start || (offset >= header->heap_start &&
	    offset - header->plain_start >= header->plain_length);
}

static unsigned __int128
whole_sum(const struct arena_header *header, uint64_t page)
{
	uint64_t first = first_word(page);

	return sum_of_words(header, first, (page + 1) * PAGE_WORDS - first);
}

void
sum_create(struct arena_header *header)
{
	uint64_t last = header->size / PAGE_SIZE - 1;
	uint64_t page[] = { 0, header->heap_start / PAGE_SIZE, last };

	/* All others are zero, and so are their sums. */
	for (unsigned i = 0; i < sizeof(page) / sizeof(page[0]); i++) {
		*sum_of_page(header, page[i]) = (struct page_sum){ 0, 0 };
		sum_add(sum_of_page(header, page[i]), whole_sum(header, page[i]));
	}
}

bool
sum_ok(const struct arena_header *header, uint64_t page)
{
	const struct page_sum *sum = sum_of_page(header, page);
	unsigned __int128 whole;

	if (!has_sum(header, page))
		return true;
	whole = whole_sum(header, page);
	return (uint64_t)whole == sum->low &&
	    (uint64_t)(whole >> 64) == sum->high;
}
