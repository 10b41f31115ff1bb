/* SPDX-License-Identifier: MIT */
/*
 * Files as storage, proc and the libOS know them: device numbers, and the
 * status of a file in full (idl/storage.capnp carries it in seven words).
 */
#pragma once

#include <idl/storage.h>
#include <stdint.h>

/* Devices the libOS serves without a server: major << 8 | minor. */
#define DEVICE_NULL		0x0103u
#define DEVICE_ZERO		0x0105u
#define DEVICE_FULL		0x0107u
#define DEVICE_RANDOM		0x0108u
#define DEVICE_URANDOM		0x0109u
#define DEVICE_CONTROL		0x0af0u	/* commands to phoenix */
#define DEVICE_TRACE		0x0af1u	/* the trace of the console */
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

/* Only device nodes have a device. */
static inline struct storage_stat_at_results
file_status_pack(const struct storage_stat *stat)
{
	return (struct storage_stat_at_results){
		.inode = stat->inode,
		.mode = stat->mode,
		.links = stat->links,
		.uid = stat->uid,
		.gid = stat->gid,
		.size_or_device = stat->device != 0 ? stat->device :
		    stat->size,
		.atime_ns = stat->atime_ns,
		.mtime_ns = stat->mtime_ns,
		.ctime_ns = stat->ctime_ns,
	};
}

static inline struct storage_stat
file_status_unpack(const struct storage_stat_at_results *in)
{
	uint32_t kind = in->mode >> 12;
	uint64_t size = in->size_or_device, device = 0;

	if (kind == KIND_CHARACTER || kind == KIND_BLOCK) {
		device = size;
		size = 0;
	}
	return (struct storage_stat){
		.inode = in->inode,
		.mode = in->mode,
		.links = in->links,
		.uid = in->uid,
		.gid = in->gid,
		.device = device,
		.size = size,
		.blocks = kind != KIND_REGULAR ? 0 : (size + 4095) / 4096 * 8,
		.atime_ns = in->atime_ns,
		.mtime_ns = in->mtime_ns,
		.ctime_ns = in->ctime_ns,
	};
}
