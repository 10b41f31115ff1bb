/* SPDX-License-Identifier: MIT */
/*
 * Reader of cpio archives (see cpio.h). All positions are offsets from the
 * start, checked against the size before use; a field of eight digits cannot
 * overflow a size_t of 64 bits.
 */
#include <lib/cpio/cpio.h>

#include <lib/base/checked.h>
#include <lib/base/string.h>
#include <stdbool.h>

#define MAGIC		"070701"
#define MAGIC_CRC	"070702"	/* same, the last field is a sum */
#define MAGIC_LENGTH	6u
#define FIELDS		13u
#define FIELD_LENGTH	8u
#define HEADER_LENGTH	(MAGIC_LENGTH + FIELDS * FIELD_LENGTH)
#define ALIGNMENT	4u
#define TRAILER		"TRAILER!!!"

_Static_assert(sizeof(size_t) == 8, "sums of offsets cannot overflow");

/* Fields in the order of the header. */
enum field {
	INODE, MODE, UID, GID, LINKS, MTIME, FILE_SIZE, DEVICE_MAJOR,
	DEVICE_MINOR, SPECIAL_MAJOR, SPECIAL_MINOR, NAME_SIZE, CHECK
};

static size_t
aligned(size_t offset)
{
	return (offset + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static bool
parse_field(const uint8_t *digits, uint32_t *out_value)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < FIELD_LENGTH; i++) {
		uint8_t digit = digits[i];

		if (digit >= '0' && digit <= '9')
			digit = (uint8_t)(digit - '0');
		else if (digit >= 'A' && digit <= 'F')
			digit = (uint8_t)(digit - 'A' + 10);
		else if (digit >= 'a' && digit <= 'f')
			digit = (uint8_t)(digit - 'a' + 10);
		else
			return false;
		value = value << 4 | digit;
	}
	*out_value = value;
	return true;
}

static status_t
parse_header(const struct cpio *cpio, uint32_t field[FIELDS])
{
	const uint8_t *header = cpio->base + cpio->position;

	if (!checked_within(cpio->position, HEADER_LENGTH, cpio->size))
		return ERR_RANGE;
	if (memcmp(header, MAGIC, MAGIC_LENGTH) != 0 &&
	    memcmp(header, MAGIC_CRC, MAGIC_LENGTH) != 0)
		return ERR_CORRUPT;
	for (unsigned i = 0; i < FIELDS; i++)
		if (!parse_field(header + MAGIC_LENGTH + i * FIELD_LENGTH,
		    &field[i]))
			return ERR_CORRUPT;
	return OK;
}

static void
cut_name(struct cpio_entry *entry)
{
	for (;;) {
		size_t cut = entry->name[0] == '/' ? 1 :
		    entry->name[0] == '.' && entry->name[1] == '/' ? 2 : 0;

		if (cut == 0 || entry->name_length == cut)
			return;
		entry->name += cut;
		entry->name_length -= cut;
	}
}

/* Name and data of the header at the position; *out_next is behind them. */
static status_t
parse_body(const struct cpio *cpio, const uint32_t field[FIELDS],
    struct cpio_entry *entry, size_t *out_next)
{
	size_t name = cpio->position + HEADER_LENGTH;
	size_t data;

	if (field[NAME_SIZE] == 0)
		return ERR_ARG;
	if (!checked_within(name, field[NAME_SIZE], cpio->size))
		return ERR_RANGE;
	data = aligned(name + field[NAME_SIZE]);
	/* The padding in front of no data may be missing. */
	if (field[FILE_SIZE] == 0 && data > cpio->size)
		data = cpio->size;
	if (!checked_within(data, field[FILE_SIZE], cpio->size))
		return ERR_RANGE;
	entry->name = (const char *)cpio->base + name;
	entry->name_length = field[NAME_SIZE] - 1;
	if (entry->name_length == 0 ||
	    strnlen(entry->name, field[NAME_SIZE]) != entry->name_length)
		return ERR_ARG;
	entry->data = cpio->base + data;
	entry->data_offset = data;
	entry->size = field[FILE_SIZE];
	*out_next = aligned(data + field[FILE_SIZE]);
	if (*out_next > cpio->size)
		*out_next = cpio->size;
	return OK;
}

void
cpio_open(struct cpio *cpio, const void *base, size_t size)
{
	*cpio = (struct cpio){ .base = base, .size = size };
}

status_t
cpio_next(struct cpio *cpio, struct cpio_entry *out_entry)
{
	struct cpio_entry entry = { 0 };
	uint32_t field[FIELDS];
	size_t next;

	if (cpio->end != 0 || cpio->position == cpio->size)
		return ERR_EMPTY;
	status_t status = parse_header(cpio, field);
	if (status == OK)
		status = parse_body(cpio, field, &entry, &next);
	if (status != OK)
		return status;
	if (strcmp(entry.name, TRAILER) == 0) {
		cpio->position = next;
		cpio->end = next;
		return ERR_EMPTY;
	}
	cut_name(&entry);
	entry.inode = field[INODE];
	entry.mode = field[MODE];
	entry.uid = field[UID];
	entry.gid = field[GID];
	entry.links = field[LINKS];
	entry.mtime = field[MTIME];
	entry.device_major = field[DEVICE_MAJOR];
	entry.device_minor = field[DEVICE_MINOR];
	entry.special_major = field[SPECIAL_MAJOR];
	entry.special_minor = field[SPECIAL_MINOR];
	cpio->position = next;
	*out_entry = entry;
	return OK;
}

status_t
cpio_archive_end(struct cpio *cpio, size_t *out_offset)
{
	struct cpio_entry entry;
	status_t status;

	do
		status = cpio_next(cpio, &entry);
	while (status == OK);
	if (status != ERR_EMPTY)
		return status;
	for (size_t at = cpio->end; cpio->end != 0 && at < cpio->size; at++) {
		if (cpio->base[at] == 0)
			continue;
		*out_offset = at;
		return at % ALIGNMENT == 0 ? OK : ERR_CORRUPT;
	}
	return ERR_EMPTY;
}

status_t
cpio_find(const void *base, size_t size, const char *name,
    struct cpio_entry *out_entry)
{
	struct cpio_entry entry;
	struct cpio cpio;
	status_t status;

	cpio_open(&cpio, base, size);
	for (;;) {
		status = cpio_next(&cpio, &entry);
		if (status == ERR_EMPTY)
			return ERR_NOENT;
		if (status != OK)
			return status;
		if (strcmp(entry.name, name) == 0) {
			*out_entry = entry;
			return OK;
		}
	}
}
