/* SPDX-License-Identifier: MIT */
/* memfd_create: files without a name, and their seals. */
#include "memory.h"

#include "calls.h"
#include "file.h"
#include "user.h"

#include <idl/storage_client.h>

#define MFD_CLOEXEC		1u
#define MFD_ALLOW_SEALING	2u
#define NAME_MAX		249u	/* of it nothing is kept */
#define MODE			0777u

long
linux_memfd_create(const char *name, unsigned flags)
{
	char text[NAME_MAX + 1];
	uint64_t inode;
	cap_t cap;
	long length = user_string(text, name, sizeof(text));

	if ((flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING)) != 0 ||
	    length == -E_NAMETOOLONG)
		return -E_INVAL;
	if (length < 0)
		return length;
	if (!fd_may_open())
		return -E_MFILE;
	const struct storage_unnamed_args in = {
		.mode = MODE,
		.seals = (flags & MFD_ALLOW_SEALING) != 0 ? 0 : SEAL_SEAL,
	};
	long error = storage_unnamed(PROCESS_ROOT, in.mode, in.seals, &inode,
	    &cap);
	if (error != 0)
		return error;
	struct file *file = file_new();
	*file = (struct file){
		.kind = FILE_STORAGE, .node = KIND_REGULAR, .can_read = true,
		.can_write = true, .flags = L_O_RDWR, .cap = cap,
		.lineage = file_lineage(), .place = PATH_STORAGE,
	};
	return fd_install(file, 0, (flags & MFD_CLOEXEC) != 0);
}

/* Is it mapped where a store would be seen by others? */
static bool
is_shared(cap_t description)
{
	for (uint32_t i = 0; i < memory_vmas.count; i++) {
		const struct vma *v = &memory_vmas.entry[i];
		const struct backing *backing = backing_of(v->backing);
		if (backing != NULL && (v->flags & VMA_SHARED) != 0 &&
		    backing->description == description)
			return true;
	}
	return false;
}

long
file_seals(const struct file *file)
{
	uint32_t seals;
	long error = file->kind != FILE_STORAGE || file->place == PATH_PROC ?
	    -E_INVAL : storage_seal(file->cap, 0, &seals);

	return error != 0 ? error : (long)seals;
}

long
file_add_seals(const struct file *file, unsigned add)
{
	uint32_t seals;
	long old = file_seals(file);

	if (old < 0)
		return old;
	if (!file->can_write || (old & SEAL_SEAL) != 0)
		return -E_PERM;
	if ((add & SEAL_WRITE) != 0 && is_shared(file->cap))
		return -E_BUSY;
	return add == 0 ? 0 : storage_seal(file->cap, add, &seals);
}
