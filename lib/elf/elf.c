/* SPDX-License-Identifier: MIT */
/*
 * The parser reads each header field once, byte by byte, so the image may have
 * any alignment. All sums are checked before they are formed.
 */
#include <lib/elf/elf.h>

#define FILE_HEADER_SIZE	64u
#define PROGRAM_HEADER_SIZE	56u

#define TYPE_EXEC	2u
#define TYPE_DYN	3u
#define MACHINE_X86_64	62u

#define PT_LOAD		1u
#define PT_INTERP	3u
#define PT_NOTE		4u
#define PT_GNU_STACK	0x6474e551u

#define PF_X		1u
#define PF_W		2u
#define PF_R		4u

#define INTERPRETER_MAX	4096u
#define NOTE_HEADER	12u

struct program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, file_size, memory_size, align;
};

static uint64_t
get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = bytes; i-- > 0;)
		value = value << 8 | at[i];
	return value;
}

static void
read_program_header(const uint8_t *at, struct program_header *out)
{
	*out = (struct program_header){
		.type = (uint32_t)get(at, 4),
		.flags = (uint32_t)get(at + 4, 4),
		.offset = get(at + 8, 8),
		.vaddr = get(at + 16, 8),
		.file_size = get(at + 32, 8),
		.memory_size = get(at + 40, 8),
		.align = get(at + 48, 8),
	};
}

static enum elf_error
check_identity(const uint8_t *file, size_t available)
{
	if (available < 4)
		return ELF_TRUNCATED;
	if (file[0] != 0x7f || file[1] != 'E' || file[2] != 'L' ||
	    file[3] != 'F')
		return ELF_NOT_ELF;
	if (available < FILE_HEADER_SIZE)
		return ELF_TRUNCATED;
	if (file[4] != 2 || file[5] != 1 || file[6] != 1)
		return ELF_WRONG_CLASS;
	if (get(file + 18, 2) != MACHINE_X86_64)
		return ELF_WRONG_MACHINE;
	unsigned type = (unsigned)get(file + 16, 2);
	if (type != TYPE_EXEC && type != TYPE_DYN)
		return ELF_WRONG_TYPE;
	if (get(file + 20, 4) != 1 ||
	    get(file + 52, 2) < FILE_HEADER_SIZE ||
	    get(file + 54, 2) != PROGRAM_HEADER_SIZE)
		return ELF_BAD_HEADER;
	return ELF_OK;
}

static int
range_fits(uint64_t start, uint64_t length, uint64_t limit)
{
	return start <= limit && length <= limit - start;
}

static int
is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static unsigned
segment_flags(uint32_t flags)
{
	return ((flags & PF_R) != 0 ? ELF_READ : 0) |
	    ((flags & PF_W) != 0 ? ELF_WRITE : 0) |
	    ((flags & PF_X) != 0 ? ELF_EXEC : 0);
}

static enum elf_error
add_segment(const struct program_header *header, uint64_t file_size,
    struct elf_image *image)
{
	if (header->memory_size == 0)
		return header->file_size == 0 ? ELF_OK : ELF_BAD_SEGMENT;
	if (header->file_size > header->memory_size ||
	    !range_fits(header->offset, header->file_size, file_size) ||
	    !range_fits(header->vaddr, header->memory_size, ELF_ADDRESS_MAX))
		return ELF_BAD_SEGMENT;
	if (header->align > 1 && !is_power_of_two(header->align))
		return ELF_BAD_SEGMENT;
	if ((header->offset ^ header->vaddr) % ELF_PAGE != 0)
		return ELF_BAD_SEGMENT;
	if (image->segment_count == ELF_SEGMENTS_MAX)
		return ELF_TOO_MANY;
	if (image->segment_count > 0 && header->vaddr < image->high)
		return ELF_OVERLAP;
	if (image->segment_count == 0)
		image->low = header->vaddr;
	image->high = header->vaddr + header->memory_size;
	if (header->align > image->align)
		image->align = header->align;
	image->segments[image->segment_count++] = (struct elf_segment){
		.offset = header->offset,
		.file_size = header->file_size,
		.vaddr = header->vaddr,
		.memory_size = header->memory_size,
		.flags = segment_flags(header->flags),
	};
	return ELF_OK;
}

static enum elf_error
set_interpreter(const struct program_header *header, uint64_t file_size,
    struct elf_image *image)
{
	if (image->interpreter != 0 || header->file_size < 2 ||
	    header->file_size > INTERPRETER_MAX || header->offset == 0 ||
	    !range_fits(header->offset, header->file_size, file_size))
		return ELF_BAD_INTERPRETER;
	image->interpreter = header->offset;
	image->interpreter_length = header->file_size;
	return ELF_OK;
}

/* The program finds its own headers in memory, when a segment holds them. */
static void
find_headers(uint64_t offset, uint64_t length, struct elf_image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];
		if (offset >= s->offset &&
		    range_fits(offset - s->offset, length, s->file_size)) {
			image->headers = s->vaddr + (offset - s->offset);
			return;
		}
	}
}

static int
entry_is_executable(const struct elf_image *image)
{
	for (unsigned i = 0; i < image->segment_count; i++) {
		const struct elf_segment *s = &image->segments[i];
		if ((s->flags & ELF_EXEC) != 0 && image->entry >= s->vaddr &&
		    image->entry - s->vaddr < s->memory_size)
			return 1;
	}
	return 0;
}

static enum elf_error
parse_headers(const uint8_t *headers, uint64_t count, uint64_t file_size,
    struct elf_image *image)
{
	for (uint64_t i = 0; i < count; i++) {
		struct program_header header;
		enum elf_error error = ELF_OK;

		read_program_header(headers + i * PROGRAM_HEADER_SIZE, &header);
		if (header.type == PT_LOAD)
			error = add_segment(&header, file_size, image);
		else if (header.type == PT_INTERP)
			error = set_interpreter(&header, file_size, image);
		else if (header.type == PT_GNU_STACK)
			image->stack_exec = (header.flags & PF_X) != 0;
		if (error != ELF_OK)
			return error;
	}
	return ELF_OK;
}

enum elf_error
elf_parse_head(const void *bytes, size_t available, uint64_t file_size,
    struct elf_image *out_image)
{
	const uint8_t *file = bytes;

	*out_image = (struct elf_image){ .align = ELF_PAGE };
	enum elf_error error = check_identity(file, available);
	if (error != ELF_OK)
		return error;
	uint64_t offset = get(file + 32, 8);
	uint64_t count = get(file + 56, 2);
	if (count > ELF_HEADERS_MAX)
		return ELF_TOO_MANY;
	uint64_t length = count * PROGRAM_HEADER_SIZE;
	if (!range_fits(offset, length, available))
		return ELF_TRUNCATED;

	out_image->entry = get(file + 24, 8);
	out_image->header_count = count;
	out_image->relocatable = get(file + 16, 2) == TYPE_DYN;
	error = parse_headers(file + offset, count, file_size, out_image);
	if (error != ELF_OK)
		return error;
	if (out_image->segment_count == 0)
		return ELF_NO_SEGMENT;
	if (!entry_is_executable(out_image))
		return ELF_BAD_ENTRY;
	find_headers(offset, length, out_image);
	return ELF_OK;
}

enum elf_error
elf_parse(const void *image, size_t available, struct elf_image *out_image)
{
	return elf_parse_head(image, available, available, out_image);
}

/* Notes: lengths of name and descriptor, type; both padded to four bytes. */
static bool
find_note(const uint8_t *at, uint64_t left, const char *name, uint32_t type,
    uint32_t *out_word)
{
	uint64_t wanted = 1;

	while (name[wanted - 1] != 0)
		wanted++;
	while (left >= NOTE_HEADER) {
		uint64_t name_size = get(at, 4), size = get(at + 4, 4);
		uint64_t value = NOTE_HEADER + ((name_size + 3) & ~3ul);
		uint64_t whole = value + ((size + 3) & ~3ul), same = 0;

		if (whole > left)
			return false;
		while (same < wanted && name_size == wanted &&
		    at[NOTE_HEADER + same] == (uint8_t)name[same])
			same++;
		if (same == wanted && get(at + 8, 4) == type && size >= 4) {
			*out_word = (uint32_t)get(at + value, 4);
			return true;
		}
		at += whole;
		left -= whole;
	}
	return false;
}

bool
elf_note(const void *bytes, size_t available, const char *name,
    uint32_t type, uint32_t *out_word)
{
	const uint8_t *file = bytes;

	if (available < FILE_HEADER_SIZE)
		return false;
	uint64_t offset = get(file + 32, 8), count = get(file + 56, 2);
	if (!range_fits(offset, count * PROGRAM_HEADER_SIZE, available))
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct program_header header;

		read_program_header(file + offset + i * PROGRAM_HEADER_SIZE,
		    &header);
		if (header.type == PT_NOTE &&
		    range_fits(header.offset, header.file_size, available) &&
		    find_note(file + header.offset, header.file_size, name,
		    type, out_word))
			return true;
	}
	return false;
}

const char *
elf_error_name(enum elf_error error)
{
	static const char names[ELF_ERROR_COUNT][20] = {
		[ELF_OK] = "ok",
		[ELF_TRUNCATED] = "truncated",
		[ELF_NOT_ELF] = "not ELF",
		[ELF_WRONG_CLASS] = "wrong class",
		[ELF_WRONG_MACHINE] = "wrong machine",
		[ELF_WRONG_TYPE] = "wrong type",
		[ELF_BAD_HEADER] = "bad header",
		[ELF_TOO_MANY] = "too many headers",
		[ELF_NO_SEGMENT] = "no segment",
		[ELF_BAD_SEGMENT] = "bad segment",
		[ELF_OVERLAP] = "segments overlap",
		[ELF_BAD_ENTRY] = "bad entry point",
		[ELF_BAD_INTERPRETER] = "bad interpreter",
	};

	return (unsigned)error < ELF_ERROR_COUNT ? names[error] : "unknown";
}
