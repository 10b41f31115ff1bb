/* SPDX-License-Identifier: MIT */
/* Any bytes: no access outside them, and what is accepted keeps the promises. */
#include <lib/elf/elf.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_promises(const struct elf_image *image, uint64_t file_size)
{
	uint64_t end = 0;
	int entry_found = 0;

	if (image->segment_count == 0 ||
	    image->segment_count > ELF_SEGMENTS_MAX)
		abort();
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (s->memory_size == 0 || s->file_size > s->memory_size ||
		    s->offset + s->file_size < s->offset ||
		    s->offset + s->file_size > file_size || s->vaddr < end ||
		    s->vaddr + s->memory_size < s->vaddr ||
		    s->vaddr + s->memory_size > ELF_ADDRESS_MAX ||
		    s->vaddr % ELF_PAGE != s->offset % ELF_PAGE)
			abort();
		end = s->vaddr + s->memory_size;
		if ((s->flags & ELF_EXEC) != 0 && image->entry >= s->vaddr &&
		    image->entry < end)
			entry_found = 1;
	}
	if (!entry_found || image->low != image->segments[0].vaddr ||
	    image->high != end)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	uint64_t file_size = size;

	/* Half of the inputs claim that the file goes on. */
	if (size > 0 && (data[size - 1] & 1) != 0)
		file_size = size * 1000;
	enum elf_error error = elf_parse_head(data, size, file_size, &image);
	uint32_t word = 0;
	bool noted = elf_note(data, size, "Bennu", 1, &word);
	if (!noted && word != 0)
		abort();
	if (error == ELF_OK)
		check_promises(&image, file_size);
	if (elf_error_name(error)[0] == 0)
		abort();
	return 0;
}
