/* SPDX-License-Identifier: MIT */
#include "cell.h"

#include "fileops.h"
#include "linux.h"
#include "ring.h"
#include "service.h"
#include "thread.h"

#include <idl/process.h>
#include <lib/sys/sys.h>

#define SMALL_BASE	0x7e0038000000ul
#define LARGE_BASE	0x7e003a000000ul
#define LARGE_BIT	0x8000u
#define SPIN_CHECK	16u

static uint64_t small_used[CELL_SMALL_MAX / 64];
static uint64_t large_used[CELL_LARGE_MAX / 64];

/* A bit that was 0 and is 1 now; -1: none is left. */
static int
take_bit(uint64_t *words, unsigned count)
{
	for (unsigned i = 0; i < count / 64; i++) {
		uint64_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
		while (word != ~0ul) {
			unsigned bit = (unsigned)__builtin_ctzl(~word);
			if (__atomic_compare_exchange_n(&words[i], &word,
			    word | 1ul << bit, false, __ATOMIC_ACQ_REL,
			    __ATOMIC_RELAXED))
				return (int)(i * 64 + bit);
		}
	}
	return -1;
}

static void
give_bit(uint64_t *words, unsigned index)
{
	__atomic_fetch_and(&words[index / 64], ~(1ul << index % 64),
	    __ATOMIC_ACQ_REL);
}

void *
cell_at(uint16_t cell)
{
	if ((cell & LARGE_BIT) != 0)
		return (void *)(LARGE_BASE + (cell & ~LARGE_BIT) *
		    (uint64_t)CELL_LARGE);
	return (void *)(SMALL_BASE + cell * (uint64_t)CELL_SMALL);
}

static uint64_t
size_of(uint16_t cell)
{
	return (cell & LARGE_BIT) != 0 ? CELL_LARGE : CELL_SMALL;
}

static void
give_place(uint16_t cell)
{
	if ((cell & LARGE_BIT) != 0)
		give_bit(large_used, cell & ~LARGE_BIT);
	else
		give_bit(small_used, cell);
}

long
cell_new(bool large, struct cell *out)
{
	int place = large ? take_bit(large_used, CELL_LARGE_MAX) :
	    take_bit(small_used, CELL_SMALL_MAX);
	cap_t memory;

	if (place < 0)
		return -E_MFILE;
	uint16_t cell = (uint16_t)((unsigned)place | (large ? LARGE_BIT : 0));
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    size_of(cell), 0, &memory);
	if (status == OK) {
		status = sys_map(PROCESS_VSPACE, (uint64_t)cell_at(cell),
		    memory, 0, size_of(cell), MAP_READ | MAP_WRITE |
		    MAP_SHARED);
		if (status != OK)
			sys_cap_delete(0, memory);
	}
	if (status != OK) {
		give_place(cell);
		return service_error(status);
	}
	*out = (struct cell){ memory, cell };
	return 0;
}

void
cell_free(const struct cell *cell)
{
	sys_unmap(PROCESS_VSPACE, (uint64_t)cell_at(cell->place),
	    size_of(cell->place));
	sys_cap_delete(0, cell->memory);
	give_place(cell->place);
}

static bool
is_dead(uint64_t thread)
{
	struct sys_result r = sys_invoke(SYS_THREAD_ALIVE, thread, 0, 0, 0, 0,
	    0);

	return r.status != OK || r.value[0] == 0;
}

void
cell_lock(uint64_t *word)
{
	uint64_t self = UTCB->thread_id, owner;

	for (unsigned i = 1; !ring_try_lock(word, self, &owner); i++) {
		if (i % SPIN_CHECK == 0 && is_dead(owner) &&
		    ring_take_over(word, self, owner))
			return;
		sys_invoke(SYS_THREAD_YIELD, 0, 0, 0, 0, 0, 0);
	}
}

void
cell_unlock(uint64_t *word)
{
	ring_unlock(word, UTCB->thread_id);
}

long
cell_install(const struct cell *take, enum file_kind kind, uint32_t flags)
{
	struct file *file = fd_may_open() ? file_new() : NULL;

	if (file == NULL) {
		cell_free(take);
		return -E_MFILE;
	}
	*file = (struct file){
		.kind = (uint8_t)kind, .can_read = true, .can_write = true,
		.cap = take->memory, .cell = take->place,
		.flags = L_O_RDWR | (flags & L_O_NONBLOCK),
	};
	return fd_install(file, 0, (flags & L_O_CLOEXEC) != 0);
}

void
cell_file_close(struct file *file)
{
	cell_free(&(struct cell){ file->cap, file->cell });
}

long
cell_file_status(const struct file *file, struct storage_stat *out)
{
	*out = file_local_status(file, 0600);
	return 0;
}
