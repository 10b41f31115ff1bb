/* SPDX-License-Identifier: MIT */
/*
 * An epoll instance: items in shared memory (cell.h), so that every process that
 * has it sees the same, and one watcher (watch.h) for all of them.
 *
 * An item names an open file by its place in the tables of the process that
 * added it, and by the identity of the file. A process to which that says
 * nothing cannot look at it and leaves it to others.
 *
 * Bit i of `ready`: look at item i in the next wait. It is set when the item is
 * added or changed, and when the watcher was signalled with the bit of its group
 * and the wakes counted at the file differ from `seen`. It is cleared when the
 * file was armed and found not ready, and before the look if the item is
 * edge-triggered. So a wait looks at what is ready and at a group of 22 for each
 * bit that was signalled, however many items there are.
 *
 * Items whose files are restless or have a time (file_ops) are looked at in each
 * wait.
 *
 * Everything is under `lock`. Of who dies inside, the next takes the lock over:
 * each store leaves items that can be used, and proc has all watchers look at
 * everything then.
 */
#pragma once

#include "cell.h"
#include "file.h"
#include "watch.h"

#define EPOLL_ITEMS	1024u
#define EPOLL_WORDS	(EPOLL_ITEMS / 64)
#define EPOLL_GROUPS	48u
#define EPOLL_BIT_AGAIN	(1ul << 62)	/* beside the groups: look at ready */
#define EPOLL_NESTED	4u

#define EPOLL_ET	(1u << 31)
#define EPOLL_ONESHOT	(1u << 30)
#define EPOLL_WAKEUP	(1u << 29)
#define EPOLL_EXCLUSIVE	(1u << 28)
#define EPOLL_FLAGS	(EPOLL_ET | EPOLL_ONESHOT | EPOLL_WAKEUP | \
			EPOLL_EXCLUSIVE)

struct epoll_item {
	uint64_t identity;	/* of the file */
	uint64_t data;
	uint64_t seen[2];	/* wakes when last armed, in and out; or what an
				   edge of a restless file was told at */
	uint32_t events;
	uint32_t pid;		/* of who added it */
	uint32_t fd;		/* as it was added */
	uint16_t file;		/* index */
	uint8_t	 used;
	uint8_t	 registered;	/* at proc: in 1, out 2 */
};

struct epoll {
	uint64_t lock;
	struct watch readable;	/* of the instance; its key names the watcher */
	uint32_t named;		/* at proc */
	uint32_t waiting;	/* calls that sleep, a hint */
	uint32_t end;		/* items from here on are free */
	uint32_t strays;	/* items that are not at the place of their fd */
	uint32_t cursor;	/* where the next wait begins */
	uint32_t pad;
	uint64_t ready[EPOLL_WORDS];
	uint64_t restless[EPOLL_WORDS];
	struct epoll_item item[EPOLL_ITEMS];
};
_Static_assert(sizeof(struct epoll) <= CELL_LARGE, "epoll");

static inline struct epoll *
epoll_of(const struct file *file)
{
	return cell_at(file->cell);
}

/* epoll.c */
struct watcher *epoll_watcher(const struct file *file);

/* epollwait.c. With the lock held: what the watcher was signalled with. */
void epoll_mark(struct epoll *epoll, uint64_t bits);
/* Some item is ready. Takes nothing away. */
unsigned epoll_poll(struct file *file);
/* NULL: not of this process. */
struct file *epoll_item_file(const struct epoll_item *item);
/* What was waited for may be there. */
void epoll_wake(struct file *file);
