/* SPDX-License-Identifier: MIT */
/* The list against a plain array of pages, over many random changes. */
#include "vma.h"

#include <lib/ktap/ktap.h>

#include <stdlib.h>
#include <string.h>

#define PAGE	4096ul
#define PAGES	256u
#define STEPS	20000u

static struct vma_list list;

static void
test_insert_merges_equal_neighbours(void)
{
	vma_clear(&list);
	vma_insert(&list, PAGE, 2 * PAGE, 3, 0);
	vma_insert(&list, 3 * PAGE, 4 * PAGE, 3, 0);
	vma_insert(&list, 2 * PAGE, 3 * PAGE, 3, 0);
	KTAP_EQUAL(list.count, 1);
	vma_insert(&list, 4 * PAGE, 5 * PAGE, 1, 0);
	KTAP_EQUAL(list.count, 2);
	KTAP_CHECK(vma_ok(&list));
}

static void
test_remove_splits_and_leaves_the_rest(void)
{
	vma_clear(&list);
	vma_insert(&list, PAGE, 10 * PAGE, 3, 0);
	vma_remove(&list, 3 * PAGE, 5 * PAGE);
	KTAP_EQUAL(list.count, 2);
	KTAP_CHECK(vma_find(&list, 3 * PAGE) == NULL);
	KTAP_CHECK(vma_find(&list, 5 * PAGE) != NULL);
	KTAP_CHECK(!vma_is_mapped(&list, PAGE, 10 * PAGE));
	KTAP_CHECK(vma_is_mapped(&list, 5 * PAGE, 10 * PAGE));
	KTAP_CHECK(vma_is_free(&list, 3 * PAGE, 5 * PAGE));
}

static void
test_free_space_is_found_from_the_top(void)
{
	vma_clear(&list);
	KTAP_EQUAL(vma_find_free(&list, PAGE, PAGE, 10 * PAGE), 9 * PAGE);
	vma_insert(&list, 8 * PAGE, 12 * PAGE, 1, 0);
	KTAP_EQUAL(vma_find_free(&list, PAGE, PAGE, 10 * PAGE), 7 * PAGE);
	vma_insert(&list, 4 * PAGE, 7 * PAGE, 1, 0);
	KTAP_EQUAL(vma_find_free(&list, PAGE, PAGE, 10 * PAGE), 7 * PAGE);
	KTAP_EQUAL(vma_find_free(&list, 2 * PAGE, PAGE, 10 * PAGE), 2 * PAGE);
	KTAP_EQUAL(vma_find_free(&list, 4 * PAGE, PAGE, 10 * PAGE), 0);
}

static uint8_t model[PAGES];	/* 0: free, else protection + 1 */

static bool
same_as_model(void)
{
	for (unsigned i = 0; i < PAGES; i++) {
		const struct vma *v = vma_find(&list, i * PAGE);
		if ((v != NULL) != (model[i] != 0) ||
		    (v != NULL && v->protection != model[i] - 1))
			return false;
	}
	return vma_ok(&list);
}

static unsigned
model_find_free(unsigned length)
{
	for (unsigned start = PAGES - length; start > 0; start--) {
		unsigned i = 0;
		while (i < length && model[start + i] == 0)
			i++;
		if (i == length)
			return start;
	}
	return 0;
}

static void
random_step(void)
{
	unsigned start = 1 + (unsigned)rand() % (PAGES - 1);
	unsigned length = 1 + (unsigned)rand() % 16;
	unsigned protection = (unsigned)rand() % 4;

	if (start + length > PAGES)
		length = PAGES - start;
	uint64_t low = start * PAGE, high = low + length * PAGE;
	switch (rand() % 4) {
	case 0:
		vma_remove(&list, low, high);
		memset(model + start, 0, length);
		break;
	case 1:
		vma_protect(&list, low, high, protection);
		for (unsigned i = start; i < start + length; i++)
			model[i] = model[i] != 0 ? (uint8_t)(protection + 1) :
			    0;
		break;
	case 2:
		if (vma_is_free(&list, low, high)) {
			vma_insert(&list, low, high, protection, 0);
			memset(model + start, (int)protection + 1, length);
		}
		break;
	default:
		KTAP_EQUAL(vma_find_free(&list, length * PAGE, PAGE,
		    PAGES * PAGE), model_find_free(length) * PAGE);
	}
}

static void
test_random_changes_match_the_model(void)
{
	vma_clear(&list);
	memset(model, 0, sizeof(model));
	srand(1);
	for (unsigned i = 0; i < STEPS; i++) {
		random_step();
		KTAP_REQUIRE(same_as_model());
	}
}

int
main(void)
{
	static const struct ktap_test tests[] = {
		KTAP_TEST(test_insert_merges_equal_neighbours),
		KTAP_TEST(test_remove_splits_and_leaves_the_rest),
		KTAP_TEST(test_free_space_is_found_from_the_top),
		KTAP_TEST(test_random_changes_match_the_model),
	};
	return KTAP_RUN(tests);
}
