/* SPDX-License-Identifier: MIT */
/*
 * Protocol of `storage`: files by capability.
 *
 * Every open file description is an event pair; the client holds end A and
 * calls through it, the badge names the description. fork copies the
 * capability, so both share the position; close deletes it. A directory opened
 * this way is the base of relative paths. Paths in windows carry no NUL; an
 * absolute path or an absolute link starts at the root of the attachment.
 *
 * Word 7 gives the length of window 0 and word 6 that of window 1; where it is
 * 0 the server finds out, which takes longer. A request with one path and no
 * other window may carry a short one in words 3 to 6 instead, which is faster:
 * word 7 is then STORAGE_SHORT | length.
 *
 * Call notation: words 1.. ; windows -> reply words 1.. ; capabilities.
 */
#pragma once

#include <stdint.h>

#define STORAGE_OPEN		0x0001	/* flags, mode; path -> kind, device, size, inode; file */
#define STORAGE_READ		0x0003	/* offset, length; buffer(out) -> done, size, version (0 = none) */
#define STORAGE_WRITE		0x0004	/* offset, length; buffer(in) -> done, position after */
#define STORAGE_SEEK		0x0005	/* offset, whence 0 set 1 current 2 end -> position */
#define STORAGE_STAT		0x0006	/* -> status, see storage_stat_words() */
#define STORAGE_STAT_AT		0x0007	/* AT_* flags; path -> status */
#define STORAGE_READDIR		0x0008	/* length; entries(out) -> bytes (0 = end) */
#define STORAGE_MKDIR_AT	0x0009	/* mode; path */
#define STORAGE_UNLINK_AT	0x000a	/* 0 file, 1 directory; path */
#define STORAGE_RENAME_AT	0x000b	/* RENAME_*; old path, new path; [new base] */
#define STORAGE_LINK_AT		0x000c	/* AT_*; old path, new path; [new base] */
#define STORAGE_SYMLINK_AT	0x000d	/* ; target, path */
#define STORAGE_READLINK_AT	0x000e	/* ; path, buffer(out) -> length */
#define STORAGE_CHMOD_AT	0x000f	/* mode, AT_*; path */
#define STORAGE_CHOWN_AT	0x0010	/* uid, gid, AT_*; path */
#define STORAGE_UTIMENS_AT	0x0011	/* atime ns, mtime ns, AT_*; path. TIME_NOW, TIME_OMIT */
#define STORAGE_TRUNCATE	0x0012	/* size */
#define STORAGE_SYNC		0x0013
#define STORAGE_MAP		0x0014	/* -> size; memory object (read, execute) */
#define STORAGE_MKNOD_AT	0x0015	/* mode, device; path */
#define STORAGE_ACCESS_AT	0x0016	/* 4 read 2 write 1 execute, AT_*; path */
#define STORAGE_STATFS		0x0017	/* ; struct storage_statfs(out) */
#define STORAGE_SET_FLAGS	0x0018	/* OPEN_APPEND or 0 */
#define STORAGE_PATH		0x0019	/* ; buffer(out) -> length: path of the open directory or file */
#define STORAGE_WINDOW		0x001a	/* -> size, watch, version; memory object (read), watches (read) */
#define STORAGE_RETIRE		0x001b	/* closes, keeps the handle: now one of the base it was opened from, as with OPEN_PATH */
#define STORAGE_REOPEN		0x001c	/* flags, mode; path -> kind, device, size, inode: as OPEN, into the retired handle itself */
#define STORAGE_DESCRIBE	0x001d	/* badge, object id of a description; buffer(out) -> length of its path. Trust >= SERVICE */
#define STORAGE_ATTACH		0x0020	/* uid, gid -> ; root directory. Trust >= SERVICE */

#define STORAGE_SHORT		(1ul << 63)
#define STORAGE_SHORT_MAX	32u	/* bytes of a path in words */

/* Offset of READ and WRITE: use and move the position of the description. */
#define STORAGE_AT_POSITION	(~0ul)

/* Bytes of one READ or WRITE; of more, these are done. */
#define STORAGE_TRANSFER_MAX	(16ul << 20)

/*
 * Watches: a memory object of 64-bit words. That of a file changes before
 * anything of the file does but its bytes: size, owners, times. While it shows
 * the version that came with a size, the size is right, and a read of the
 * memory object needs no request (docs/design/storage.md). 0: no watch is free,
 * or the next READ has something to note.
 */
#define STORAGE_WATCHES		4096u

/* Flags of OPEN. */
#define OPEN_READ		0x001u
#define OPEN_WRITE		0x002u
#define OPEN_CREATE		0x004u
#define OPEN_EXCLUSIVE		0x008u
#define OPEN_TRUNCATE		0x010u
#define OPEN_APPEND		0x020u
#define OPEN_DIRECTORY		0x040u	/* fail unless a directory */
#define OPEN_NOFOLLOW		0x080u
#define OPEN_PATH		0x100u	/* no reading or writing */
#define OPEN_EXECUTE		0x200u	/* fail unless the user may execute it */

#define AT_NOFOLLOW		0x1u	/* act on the link itself */
#define AT_HANDLE		0x2u	/* path may be empty: the handle itself */

#define RENAME_NOREPLACE	0x1u
#define RENAME_EXCHANGE		0x2u

#define TIME_NOW		(~0ul)
#define TIME_OMIT		(~0ul - 1)

#define STORAGE_PATH_MAX	4096u
#define STORAGE_NAME_MAX	255u
#define STORAGE_LINKS_MAX	40u	/* symbolic links in one resolution */

/* Kinds, as in the file type bits of a mode: kind << 12. */
#define KIND_FIFO		1u
#define KIND_CHARACTER		2u
#define KIND_DIRECTORY		4u
#define KIND_BLOCK		6u
#define KIND_REGULAR		8u
#define KIND_SYMLINK		10u
#define KIND_SOCKET		12u

/* Devices the libOS serves without a server: major << 8 | minor. */
#define DEVICE_NULL		0x0103u
#define DEVICE_ZERO		0x0105u
#define DEVICE_FULL		0x0107u
#define DEVICE_RANDOM		0x0108u
#define DEVICE_URANDOM		0x0109u
#define DEVICE_CONTROL		0x0af0u	/* commands to phoenix */
#define DEVICE_TTY		0x0500u
#define DEVICE_CONSOLE		0x0501u
#define DEVICE_PTMX		0x0502u
#define DEVICE_PTS(n)		(0x8800u | (n))	/* n < 256 */

struct storage_stat {
	uint64_t inode;
	uint32_t mode;		/* kind << 12 | permission bits */
	uint32_t links;
	uint32_t uid, gid;
	uint64_t device;	/* of a device node */
	uint64_t size;
	uint64_t blocks;	/* of 512 bytes */
	uint64_t atime_ns, mtime_ns, ctime_ns;	/* since 1970 */
};

/* The same in words 1 to 7 of a reply: only device nodes have a device. */
static inline void
storage_stat_words(const struct storage_stat *stat, uint64_t out[7])
{
	out[0] = stat->inode;
	out[1] = stat->mode | (uint64_t)stat->links << 32;
	out[2] = stat->uid | (uint64_t)stat->gid << 32;
	out[3] = stat->device != 0 ? stat->device : stat->size;
	out[4] = stat->atime_ns;
	out[5] = stat->mtime_ns;
	out[6] = stat->ctime_ns;
}

static inline void
storage_stat_from_words(const uint64_t in[7], struct storage_stat *out)
{
	uint32_t mode = (uint32_t)in[1], kind = mode >> 12;
	int node = kind == KIND_CHARACTER || kind == KIND_BLOCK;

	out->inode = in[0];
	out->mode = mode;
	out->links = (uint32_t)(in[1] >> 32);
	out->uid = (uint32_t)in[2];
	out->gid = (uint32_t)(in[2] >> 32);
	out->device = node ? in[3] : 0;
	out->size = node ? 0 : in[3];
	out->blocks = kind != KIND_REGULAR ? 0 : (in[3] + 4095) / 4096 * 8;
	out->atime_ns = in[4];
	out->mtime_ns = in[5];
	out->ctime_ns = in[6];
}

struct storage_statfs {
	uint64_t blocks, blocks_free;	/* of 4096 bytes */
	uint64_t files, files_free;
};

/* READDIR packs these, each 8-byte aligned; layout of getdents64. */
struct storage_entry {
	uint64_t inode;
	uint64_t next;		/* position after this entry */
	uint16_t length;	/* of this record */
	uint8_t	 kind;		/* KIND_* */
	char	 name[];	/* NUL terminated */
};
