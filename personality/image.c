/* SPDX-License-Identifier: MIT */
/* One file that is to run: opened, checked, mapped. */
#include "exec.h"

#include "file.h"
#include "memory.h"
#include "service.h"
#include "spare.h"
#include "user.h"

#include <idl/storage_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define IMAGE_LOW	0x10000ul
#define IMAGE_HIGH	0x700000000000ul
#define ALIGN_MAX	(1ul << 30)

static uint64_t
page_up(uint64_t value)
{
	return (value + PAGE_MASK) & ~PAGE_MASK;
}

void
image_close(struct image *image)
{
	if (image->object != CAP_NONE)
		sys_cap_delete(0, image->object);
	if (image->file != CAP_NONE)
		spare_close(image->file, image->base, false);
	image->object = image->file = CAP_NONE;
}

long
image_open(struct image *image, cap_t base, const char *path,
    uint64_t length, struct image_head *out_head)
{
	const struct storage_open_args in = {
		.flags = OPEN_READ | OPEN_EXECUTE, .path = { path, length, 0 },
	};
	struct storage_open_results opened;
	struct storage_read_results read;

	*image = (struct image){ .file = CAP_NONE };
	long error;

	do
		error = spare_open(base, &in, &opened, &image->file,
		    &image->base);
	while (error == -E_KEYREVOKED && path_adopt(&base) == 0);
	if (error != 0)
		return error;
	image->size = opened.size;
	if (opened.kind != KIND_REGULAR)
		return -E_ACCES;
	error = storage_read(image->file, 0, out_head->bytes,
	    sizeof(out_head->bytes), &read);
	out_head->length = error == 0 &&
	    read.data_length <= sizeof(out_head->bytes) ? read.data_length : 0;
	return error;
}

long
image_check(struct image *image, const struct image_head *head)
{
	struct elf_image *elf = &image->elf;
	uint64_t size;
	enum elf_error error = elf_parse_head(head->bytes, head->length,
	    image->size > head->length ? image->size : head->length, elf);

	if (error != ELF_OK || elf->high > IMAGE_HIGH ||
	    (!elf->relocatable && elf->low < IMAGE_LOW) ||
	    elf->align > ALIGN_MAX)
		return -E_NOEXEC;
	return storage_map(image->file, &size, &image->object);
}

long
image_interpreter(const struct image *image, const struct image_head *head,
    char *out_path, uint64_t size)
{
	uint64_t at = image->elf.interpreter;
	uint64_t length = image->elf.interpreter_length;
	struct storage_read_results read = { .data_length = length };
	long error = 0;

	if (at == 0)
		return 0;
	if (length > size)
		return -E_NOEXEC;
	if (at < head->length && length <= head->length - at)
		memcpy(out_path, head->bytes + at, length);
	else
		error = storage_read(image->file, at, out_path, length, &read);
	if (error != 0)
		return error;
	if (read.data_length != length)
		return -E_IO;
	/* One string, all of it. */
	if (out_path[length - 1] != 0)
		return -E_NOEXEC;
	length = strlen(out_path);
	return length == 0 ? -E_NOENT : (long)length;
}

uint64_t
image_bias(const struct elf_image *elf, uint64_t at)
{
	return (at & ~(elf->align - 1)) - (elf->low & ~(elf->align - 1));
}

static long
load_segment(const struct image *image, const struct elf_segment *s,
    uint64_t bias, uint64_t *end)
{
	uint64_t start = (s->vaddr + bias) & ~PAGE_MASK;
	uint64_t file_end = s->vaddr + bias + s->file_size;
	uint64_t pages_end = s->file_size != 0 ? page_up(file_end) : start;
	uint64_t offset = s->offset & ~PAGE_MASK;
	unsigned protection = s->flags | MAP_READ;
	long error = 0;

	/* A page that two segments share belongs to the later one. */
	if (start < *end)
		error = memory_unmap(start, *end - start);
	*end = page_up(s->vaddr + bias + s->memory_size);
	if (error == 0 && pages_end > start && (s->flags & ELF_WRITE) != 0) {
		error = memory_map_copy(start, image->object, offset,
		    pages_end - start, protection);
		if (error == 0)
			error = user_zero((void *)file_end,
			    pages_end - file_end);
	} else if (error == 0 && pages_end > start) {
		error = memory_map_object(start, image->object, offset,
		    pages_end - start, protection, VMA_FILE);
	}
	if (error == 0 && *end > pages_end)
		error = memory_map_zero(pages_end, *end - pages_end,
		    protection, 0);
	return error;
}

long
image_load(const struct image *image, uint64_t bias, uint64_t *out_end)
{
	long error = 0;

	*out_end = 0;
	for (unsigned i = 0; i < image->elf.segment_count && error == 0; i++)
		error = load_segment(image, &image->elf.segments[i], bias,
		    out_end);
	return error;
}
