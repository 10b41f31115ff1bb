/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a series of requests of a client, through two attachments, and
 * as an archive that is loaded first. The tree stays consistent.
 */
#include "fake_host.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SLOTS 4u

static struct fake fake;
static struct description *slot[SLOTS];

struct input {
	const uint8_t *data;
	size_t	 size;
};

static uint64_t
take(struct input *input)
{
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static struct storage_path
take_path(struct input *input)
{
	size_t length = take(input) % 24;
	struct storage_path path;

	if (length > input->size)
		length = input->size;
	path = (struct storage_path){ (const char *)input->data, length };
	input->data += length;
	input->size -= length;
	return path;
}

static unsigned
write_some(struct description *d, uint64_t offset, uint64_t length)
{
	struct storage_transfer t;
	unsigned error = storage_write_begin(&fake.storage, d, offset, length,
	    &t);

	if (error == 0 && t.length > 0)
		memset(fake_data(&fake, t.file) + t.offset, 1, t.length);
	return error != 0 ? error : storage_write_end(&fake.storage, d, &t,
	    t.length / 2);
}

static unsigned
open_some(struct input *input, struct description *base)
{
	unsigned to = 2 + (unsigned)take(input) % 2;
	struct storage_opened opened;
	unsigned flags = (unsigned)(take(input) << 1 ^ take(input));
	unsigned error;

	if (slot[to] != NULL && slot[to] != base) {
		error = storage_close(&fake.storage, slot[to]);
		slot[to] = NULL;
		return error;
	}
	if (slot[to] == base)
		return 0;
	return storage_open(&fake.storage, base, take_path(input), flags,
	    (uint32_t)take(input) << 3, &slot[to], &opened);
}

static unsigned
on_names(struct input *input, struct description *base, uint64_t kind)
{
	struct storage *s = &fake.storage;
	struct storage_place from = { base, take_path(input) };
	struct storage_place to = { slot[take(input) % 2], take_path(input) };
	uint32_t mode = (uint32_t)(take(input) << 8 | take(input));
	struct storage_stat stat;

	switch (kind) {
	case 0:
		return storage_mkdir(s, base, from.path, mode);
	case 1:
		return storage_mknod(s, base, from.path, mode, 1);
	case 2:
		return storage_symlink(s, base, to.path, from.path);
	case 3:
		return storage_unlink(s, base, from.path, mode & 1);
	case 4:
		return storage_link(s, from, to, mode & 3);
	case 5:
		return storage_rename(s, from, to, mode & 3);
	case 6:
		return storage_chmod(s, base, from.path, mode, mode >> 14);
	case 7:
		return storage_chown(s, base, from.path,
		    (struct storage_owner){ mode & 1, mode >> 1 & 1 }, 0);
	default:
		return storage_stat_at(s, base, from.path, mode & 3, &stat);
	}
}

static unsigned
adopt_some(struct description *base, const struct description *place)
{
	struct description *adopted;
	unsigned error = place == NULL ? E_BADF : storage_adopt(&fake.storage,
	    base, place, &adopted);

	return error != 0 ? error : storage_close(&fake.storage, adopted);
}

static unsigned
on_handle(struct input *input, struct description *base, uint64_t kind)
{
	struct storage *s = &fake.storage;
	uint64_t a = take(input) << take(input) % 64, b = take(input) << 5;
	_Alignas(8) char buffer[256];
	struct storage_window window;
	struct storage_opened opened;
	struct storage_transfer t;
	size_t length;

	switch (kind) {
	case 0:
		return write_some(base, a, b);
	case 1:
		return storage_read_begin(s, base, a, b, &t);
	case 2:
		return storage_truncate(s, base, a);
	case 3:
		return storage_seek(s, base, a, b & 3, &a);
	case 4:
		return storage_readdir(s, base, buffer, a % 256, &length);
	case 5:
		return storage_path_of(s, base, buffer, a % 256, &length);
	case 6:
		return storage_window(s, base, &window);
	case 7:
		return storage_retire(s, base);
	case 8:
		return storage_reopen(s, base, take_path(input), (unsigned)a,
		    0600, &opened);
	case 9:
		return storage_map(s, base, &a, &b);
	case 10:
		return storage_renounce(s, base);
	default:
		return adopt_some(base, slot[a % SLOTS]);
	}
}

static void
load(struct input *input)
{
	bool more = true;
	unsigned error = 0;

	fake.archive = input->data;
	for (unsigned i = 0; i < 100 && more && error == 0; i++) {
		fake_begin(&fake);
		error = fake_end(&fake, storage_load(&fake.storage,
		    input->data, input->size, &more));
	}
}

static void
request(struct input *input)
{
	struct description *base = slot[take(input) % SLOTS];
	uint64_t kind = take(input) % 23;
	struct description *before[SLOTS];
	unsigned error;

	if (base == NULL)
		return;
	memcpy(before, slot, sizeof(before));
	fake_begin(&fake);
	if (kind < 9)
		error = on_names(input, base, kind);
	else if (kind < 21)
		error = on_handle(input, base, kind - 9);
	else
		error = open_some(input, base);
	if (fake_end(&fake, error) != 0)
		memcpy(slot, before, sizeof(before));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	fake_create(&fake, 64ul << 10, 16, 4);
	memset(slot, 0, sizeof(slot));
	for (unsigned i = 0; i < 2; i++) {
		fake_begin(&fake);
		if (fake_end(&fake, fake_attach(&fake, i,
		    &slot[i])) != 0)
			abort();
	}
	if (take(&input) % 4 == 0) {
		load(&input);
	} else {
		while (input.size > 0)
			request(&input);
	}
	if (!storage_ok(&fake.storage) || !arena_ok(fake.storage.arena) ||
	    fake_used(&fake) != fake_named(&fake))
		abort();
	return 0;
}
