/* SPDX-License-Identifier: MIT */
#include "window.h"
#include "hot.h"

#include "service.h"
#include "user.h"

#include <abi/utcb.h>
#include <idl/storage_client.h>
#include <lib/sys/sys.h>

#define WINDOWS		16u
#define WINDOWS_PLACE	0x7e1000000000ul	/* above the libOS */
#define WINDOW_ROOM	(1ul << 32)		/* for each */
#define WATCHES_PLACE	0x7e0f00000000ul
#define WATCHES_SIZE	(STORAGE_WATCHES * sizeof(uint64_t))

/* A request costs as much as copying this; larger reads touch new pages. */
#define READ_MAX	8192u
#define READS_BEFORE	3u	/* small reads until a window pays */

static struct view {
	struct file *file;	/* NULL: free */
	const volatile uint64_t *watch;
	uint64_t version;	/* 0: none */
	uint64_t size;		/* of the file, at that version */
	uint64_t length;	/* mapped */
	uint64_t used;		/* tick of the last reading */
} views[WINDOWS] HOT;

HOT static uint64_t tick;
static bool watches_mapped;

static uint64_t
place_of(const struct view *w)
{
	return WINDOWS_PLACE + (uint64_t)(w - views) * WINDOW_ROOM;
}

long
window_read(struct file *file, void *buffer, uint64_t size, uint64_t offset)
{
	if (file->window == 0 || size > READ_MAX)
		return -1;
	struct view *w = &views[file->window - 1u];
	if (*w->watch != w->version)
		return -1;
	if (offset >= w->size)
		return 0;
	if (size > w->size - offset)
		size = w->size - offset;
	if (offset + size > w->length)
		return -1;
	w->used = ++tick;
	uint64_t left = user_copy_raw(buffer,
	    (const void *)(place_of(w) + offset), size);
	return left == size ? -1 : (long)(size - left);
}

void
window_drop(struct file *file)
{
	if (file->window == 0)
		return;
	struct view *w = &views[file->window - 1u];
	sys_unmap(PROCESS_VSPACE, place_of(w), w->length);
	w->file = NULL;
	file->window = 0;
}

static struct view *
choose(void)
{
	struct view *oldest = &views[0];

	for (unsigned i = 0; i < WINDOWS; i++) {
		if (views[i].file == NULL)
			return &views[i];
		if (views[i].used < oldest->used)
			oldest = &views[i];
	}
	window_drop(oldest->file);
	return oldest;
}

static bool
map_watches(cap_t memory)
{
	if (!watches_mapped && sys_map(PROCESS_VSPACE, WATCHES_PLACE, memory,
	    0, WATCHES_SIZE, MAP_READ | MAP_SHARED) == OK)
		watches_mapped = true;
	return watches_mapped;
}

/* Takes what storage gave; without a window storage is asked as before. */
static void
map_window(struct file *file, const struct storage_window_results *in,
    cap_t memory, cap_t watches)
{
	uint64_t size = in->size;
	uint64_t length = (size + PAGE_MASK) & ~PAGE_MASK;
	struct view *w;

	if (size == 0 || length > WINDOW_ROOM ||
	    in->watch >= STORAGE_WATCHES || !map_watches(watches))
		return;
	w = choose();
	if (sys_map(PROCESS_VSPACE, place_of(w), memory, 0, length,
	    MAP_READ | MAP_NOCLONE) != OK)
		return;
	*w = (struct view){
		.file = file,
		.watch = (const volatile uint64_t *)WATCHES_PLACE +
		    in->watch,
		.version = in->version,
		.size = size,
		.length = length,
		.used = ++tick,
	};
	file->window = (uint8_t)(w - views + 1);
}

static void
open_window(struct file *file)
{
	struct storage_window_results window;
	cap_t memory, watches;

	if (storage_window(file->cap, &window, &memory, &watches) != 0)
		return;
	map_window(file, &window, memory, watches);
	sys_cap_delete(CAP_NONE, memory);
	sys_cap_delete(CAP_NONE, watches);
}

void
window_note(struct file *file, const struct storage_read_results *reply,
    uint64_t size)
{
	if (file->window != 0) {
		struct view *w = &views[file->window - 1u];
		w->size = reply->size;
		w->version = reply->version;
		/* It has grown: the next small reads open a larger one. */
		if (w->size > w->length)
			window_drop(file);
	}
	if (file->window != 0 || size > READ_MAX)
		return;
	if (file->small_reads < READS_BEFORE) {
		file->small_reads++;
		return;
	}
	file->small_reads = 0;
	open_window(file);
}

void
window_after_fork(void)
{
	for (unsigned i = 0; i < WINDOWS; i++) {
		if (views[i].file == NULL)
			continue;
		views[i].file->window = 0;
		views[i].file = NULL;
	}
}
