/* SPDX-License-Identifier: MIT */
/* Files, for calls of the own table that no call of Linux here equals. */
#include "own.h"

#include "calls.h"
#include "file.h"
#include "fileops.h"
#include "thread.h"
#include "user.h"

#include <idl/storage_client.h>
#include <lib/base/string.h>

#define DEVICE_OF_FILES	1u	/* st_dev, as stat.c tells it */
#define DEVICE_OF_PROC	3u
#define ENTRIES_ROOM	288u	/* one of the longest name at least */

/* A directory is made like any other node, as mkdir does. */
long
own_mknod(const char *path, unsigned mode, uint64_t device)
{
	if ((mode & L_S_IFMT) == KIND_DIRECTORY << 12)
		return linux_mkdir(path, mode & ~(unsigned)L_S_IFMT);
	return linux_mknod(path, mode, device);
}

struct own_ustat {
	int32_t	 blocks_free;
	uint64_t inodes_free;
	char	 name[6], pack[6];
};
_Static_assert(sizeof(struct own_ustat) == 32, "struct ustat");

long
own_ustat(uint64_t device, void *out)
{
	struct own_ustat answer = { 0 };
	struct storage_statfs s;

	if (device != DEVICE_OF_FILES && device != DEVICE_OF_PROC)
		return -E_INVAL;
	if (device == DEVICE_OF_FILES) {
		long error = storage_statfs(ROOT_DIRECTORY, &s);
		if (error != 0)
			return error;
		answer.blocks_free = s.blocks_free > INT32_MAX ? INT32_MAX :
		    (int32_t)s.blocks_free;
		answer.inodes_free = s.files_free;
	}
	return user_write(out, &answer, sizeof(answer));
}

/* As the program sees it; the name with its NUL follows. */
struct own_entry {
	uint64_t inode, offset;
	uint16_t name_length;
} __attribute__((packed));
_Static_assert(sizeof(struct own_entry) == 18, "old_linux_dirent");

/*
 * One entry: several are fetched, and the position is set behind the first. It
 * is not moved if the entry cannot be given.
 */
long
own_readdir(unsigned fd, void *out, unsigned size)
{
	struct file *file = fd_file(fd);
	union {
		struct storage_entry entry;
		uint8_t bytes[ENTRIES_ROOM];
	} got;
	uint64_t length, before;

	if (file == NULL || file->kind == FILE_PATH)
		return -E_BADF;
	if (file->kind != FILE_STORAGE || file->node != KIND_DIRECTORY)
		return -E_NOTDIR;
	long error = file_position(file, &before);
	if (error == 0)
		error = storage_readdir(file->cap, &got, sizeof(got),
		    &length);
	if (error != 0 || length == 0)
		return error;
	size_t name = strnlen(got.entry.name, sizeof(got) -
	    offsetof(struct storage_entry, name) - 1);
	struct own_entry head = { got.entry.inode, got.entry.next,
	    (uint16_t)name };
	got.bytes[offsetof(struct storage_entry, name) + name] = 0;
	if (sizeof(head) + name + 1 > size)
		error = -E_INVAL;
	else if (user_write(out, &head, sizeof(head)) != 0 ||
	    user_write((uint8_t *)out + sizeof(head), got.entry.name,
	    name + 1) != 0)
		error = -E_FAULT;
	long moved = linux_lseek(fd, error != 0 ? (int64_t)before :
	    (int64_t)got.entry.next, 0);
	return error != 0 ? error : moved < 0 ? moved : 1;
}
