/* SPDX-License-Identifier: MIT */
#include <lib/ring/queue.h>

#include <lib/ring/atomic.h>

_Static_assert(sizeof(struct queue_cell) == 64, "one line");
_Static_assert(sizeof(struct queue_memory) == 128, "two lines");

size_t
queue_size(uint32_t cells)
{
	return sizeof(struct queue_memory) +
	    (size_t)cells * sizeof(struct queue_cell);
}

void
queue_format(void *memory, uint32_t cells)
{
	struct queue_memory *shared = memory;

	memset(memory, 0, queue_size(cells));
	for (uint32_t i = 0; i < cells; i++)
		ring_store(&shared->cells[i].turn, i, RING_RELAXED);
}

status_t
queue_open(struct queue *queue, void *memory, uint32_t cells)
{
	if (cells < QUEUE_CELLS_MIN || cells > QUEUE_CELLS_MAX ||
	    (cells & (cells - 1)) != 0 || (uintptr_t)memory % 64 != 0)
		return ERR_ARG;
	*queue = (struct queue){ .memory = memory, .mask = cells - 1 };
	return OK;
}

/*
 * Draws the next number from *counter once the turn of its cell is the number
 * plus `ahead`. False: the turn is still that of the lap before.
 */
static bool
draw_number(const struct queue *queue, uint64_t *counter, uint64_t ahead,
    uint64_t *out_number)
{
	uint64_t number = ring_load(counter, RING_RELAXED);

	for (;;) {
		struct queue_cell *cell =
		    &queue->memory->cells[number & queue->mask];
		/* Acquire: the last user of the cell is done with it. */
		uint64_t turn = ring_load(&cell->turn, RING_ACQUIRE);
		int64_t passed = (int64_t)(turn - (number + ahead));
		if (passed < 0)
			return false;
		if (passed > 0)
			number = ring_load(counter, RING_RELAXED);
		else if (ring_swap_if(counter, &number, number + 1,
		    RING_RELAXED))
			break;
	}
	*out_number = number;
	return true;
}

status_t
queue_put(const struct queue *queue, const struct queue_item *item,
    uint64_t *out_number)
{
	uint64_t number;

	if (!draw_number(queue, &queue->memory->put, 0, &number))
		return ERR_FULL;
	struct queue_cell *cell = &queue->memory->cells[number & queue->mask];
	ring_copy_in(&cell->item, item, sizeof(*item));
	ring_store(&cell->turn, number + 1, RING_RELEASE);
	*out_number = number;
	return OK;
}

status_t
queue_get(const struct queue *queue, struct queue_item *out_item)
{
	uint64_t number;

	if (!draw_number(queue, &queue->memory->get, 1, &number))
		return ERR_EMPTY;
	struct queue_cell *cell = &queue->memory->cells[number & queue->mask];
	ring_copy_out(out_item, &cell->item, sizeof(*out_item));
	ring_store(&cell->turn, number + queue->mask + 1, RING_RELEASE);
	return OK;
}

bool
queue_is_taken(const struct queue *queue, uint64_t number)
{
	/* Who takes what this thread puts next knows of this draw too. */
	return ring_load(&queue->memory->get, RING_RELAXED) > number;
}
