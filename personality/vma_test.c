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
insert(uint64_t start, uint64_t end, unsigned protection)
{
	vma_insert(&list, &(struct vma){ .start = start, .end = end,
	    .protection = (uint8_t)protection });
}

static void
test_insert_merges_equal_neighbours(void)
{
	vma_clear(&list);
	insert(PAGE, 2 * PAGE, 3);
	insert(3 * PAGE, 4 * PAGE, 3);
	insert(2 * PAGE, 3 * PAGE, 3);
	KTAP_EQUAL(list.count, 1);
	insert(4 * PAGE, 5 * PAGE, 1);
	KTAP_EQUAL(list.count, 2);
	KTAP_CHECK(vma_ok(&list));
}

static void
test_remove_splits_and_leaves_the_rest(void)
{
	vma_clear(&list);
	insert(PAGE, 10 * PAGE, 3);
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
	insert(8 * PAGE, 12 * PAGE, 1);
	KTAP_EQUAL(vma_find_free(&list, PAGE, PAGE, 10 * PAGE), 7 * PAGE);
	insert(4 * PAGE, 7 * PAGE, 1);
	KTAP_EQUAL(vma_find_free(&list, PAGE, PAGE, 10 * PAGE), 7 * PAGE);
	KTAP_EQUAL(vma_find_free(&list, 2 * PAGE, PAGE, 10 * PAGE), 2 * PAGE);
	KTAP_EQUAL(vma_find_free(&list, 4 * PAGE, PAGE, 10 * PAGE), 0);
}

static void
test_parts_of_a_backing_merge_only_in_order(void)
{
	struct vma low = { PAGE, 3 * PAGE, 7 * PAGE, 5, 1, 0 };
	struct vma next = { 3 * PAGE, 4 * PAGE, 9 * PAGE, 5, 1, 0 };
	struct vma apart = { 4 * PAGE, 5 * PAGE, 9 * PAGE, 5, 1, 0 };
	struct vma other = { 5 * PAGE, 6 * PAGE, 10 * PAGE, 6, 1, 0 };

	vma_clear(&list);
	vma_insert(&list, &next);
	vma_insert(&list, &low);
	KTAP_EQUAL(list.count, 1);
	vma_insert(&list, &apart);
	vma_insert(&list, &other);
	KTAP_EQUAL(list.count, 3);
	/* Split and joined again it is what it was. */
	vma_protect(&list, 2 * PAGE, 3 * PAGE, 3);
	KTAP_EQUAL(list.count, 5);
	KTAP_EQUAL(vma_find(&list, 2 * PAGE)->offset, 8 * PAGE);
	KTAP_EQUAL(vma_find(&list, 3 * PAGE)->offset, 9 * PAGE);
	vma_protect(&list, 2 * PAGE, 3 * PAGE, 1);
	KTAP_EQUAL(list.count, 3);
	vma_mark(&list, PAGE, 2 * PAGE, 0, VMA_NOFORK);
	KTAP_EQUAL(list.count, 4);
	vma_mark(&list, PAGE, 2 * PAGE, VMA_NOFORK, 0);
	KTAP_EQUAL(list.count, 3);
	vma_remove(&list, 2 * PAGE, 3 * PAGE);
	KTAP_EQUAL(vma_find(&list, PAGE)->offset, 7 * PAGE);
	KTAP_EQUAL(vma_find(&list, 3 * PAGE)->offset, 9 * PAGE);
	KTAP_CHECK(vma_ok(&list));
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
			insert(low, high, protection);
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
		KTAP_TEST(test_parts_of_a_backing_merge_only_in_order),
		KTAP_TEST(test_random_changes_match_the_model),
	};
	return KTAP_RUN(tests);
}
