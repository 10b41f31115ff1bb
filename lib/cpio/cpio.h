/* SPDX-License-Identifier: MIT */
/*
 * Reader of cpio archives in the `newc` format, in memory.
 *
 * An archive is a row of entries: a header of 110 bytes in ASCII hexadecimal,
 * the name with its NUL, data; name and data are padded so that what follows
 * begins at a multiple of 4 from the start of the archive. The entry named
 * TRAILER!!! ends it. Another archive may follow behind any run of zero bytes,
 * ours at the next page boundary; cpio_archive_end() finds it.
 *
 * Nothing is copied: names and data point into the archive, names are NUL
 * terminated. Nothing in the archive is trusted.
 */
#pragma once

#include <abi/status.h>
#include <stddef.h>
#include <stdint.h>

#define CPIO_TYPE_MASK		0170000u
#define CPIO_FIFO		0010000u
#define CPIO_CHARACTER		0020000u
#define CPIO_DIRECTORY		0040000u
#define CPIO_BLOCK		0060000u
#define CPIO_REGULAR		0100000u
#define CPIO_SYMLINK		0120000u
#define CPIO_SOCKET		0140000u

struct cpio {
	const uint8_t *base;
	size_t	 size;
	size_t	 position;	/* of the next header; a cookie to resume at */
	size_t	 end;		/* behind the trailer, 0 before it was read */
};

struct cpio_entry {
	const char *name;	/* NUL terminated, "./" and "/" in front cut */
	size_t	 name_length;
	const uint8_t *data;
	size_t	 size;
	size_t	 data_offset;	/* from the start of the archive */
	uint32_t inode, mode, uid, gid, links;
	uint32_t mtime;		/* seconds since 1970 */
	uint32_t device_major, device_minor;		/* where it lay */
	uint32_t special_major, special_minor;		/* of a device node */
};

void cpio_open(struct cpio *cpio, const void *base, size_t size);

/*
 * The next entry. ERR_EMPTY: the trailer was read, or the archive ends between
 * two entries. ERR_CORRUPT: no `newc` header, or a malformed one. ERR_RANGE:
 * name or data reach behind the end. ERR_ARG: the name is empty or holds NUL.
 * After an error the position stays.
 */
status_t cpio_next(struct cpio *cpio, struct cpio_entry *out_entry);

/*
 * Offset of the archive behind this one: reads on to the trailer, then skips
 * zeros. ERR_EMPTY if only zeros or nothing follow, or there is no trailer;
 * ERR_CORRUPT if the next byte lies at no multiple of 4; errors as above.
 */
status_t cpio_archive_end(struct cpio *cpio, size_t *out_offset);

/* The first entry of that name; ERR_NOENT. */
status_t cpio_find(const void *base, size_t size, const char *name,
    struct cpio_entry *out_entry);
