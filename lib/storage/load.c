/* SPDX-License-Identifier: MIT */
/*
 * The first content: an empty tree with devices, then the files of an archive.
 *
 * Each transaction takes a few entries and notes where it stopped; a crash
 * goes on there. Entries are unpacked as by other systems at boot: later ones
 * replace earlier ones of the same name, directories stay and get the mode,
 * missing parents are made. Files with several links come with one inode
 * number; the last of them carries the data.
 *
 * An entry that cannot be (a path through a file) is left out. An archive that
 * is malformed ends the loading with E_IO.
 */
#include <lib/storage/state.h>

#include <lib/base/string.h>
#include <lib/cpio/cpio.h>

#define ENTRIES_PER_PART	32u
#define SECOND			1000000000ul

const size_t storage_root_size = sizeof(struct storage_root);

static const struct {
	const char *name;
	uint32_t mode;
	uint64_t device;
} devices[] = {
	{ "dev/null",	 0666, DEVICE_NULL },
	{ "dev/zero",	 0666, DEVICE_ZERO },
	{ "dev/control", 0600, DEVICE_CONTROL },
	{ "dev/full",	 0666, DEVICE_FULL },
	{ "dev/random",	 0666, DEVICE_RANDOM },
	{ "dev/urandom", 0666, DEVICE_URANDOM },
	{ "dev/tty",	 0666, DEVICE_TTY },
	{ "dev/console", 0600, DEVICE_CONSOLE },
	{ "dev/ptmx",	 0666, DEVICE_PTMX },
	{ "dev/trace",	 0600, DEVICE_TRACE },
};

/* The one who makes everything: root, at the top. */
static struct description
maker(const struct storage *storage)
{
	return (struct description){
		.inode = storage->root->top, .top = storage->root->top,
		.subject = &subject_root,
	};
}

static struct storage_path
path_of(const char *text)
{
	return (struct storage_path){ text, strlen(text) };
}

static unsigned
create_devices(struct storage *storage)
{
	struct description self = maker(storage);
	unsigned error = storage_mkdir(storage, &self, path_of("dev"), 0755);

	if (error == 0)
		error = storage_mkdir(storage, &self, path_of("dev/pts"),
		    0755);
	for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		if (error == 0)
			error = storage_mknod(storage, &self,
			    path_of(devices[i].name),
			    KIND_CHARACTER << MODE_KIND_SHIFT |
			    devices[i].mode, devices[i].device);
	return error;
}

unsigned
storage_create(struct storage *storage, uint64_t seed)
{
	struct storage_root *root = storage->root;
		unsigned error = SAVE(storage, root);

	if (error != 0)
		return error;
	root->seed = seed;
	error = inode_create(storage, &subject_root,
	    KIND_DIRECTORY << MODE_KIND_SHIFT | 0755, &root->top);
	if (error != 0)
		return error;
	root->top->links = 2;
	root->top->references = 1;
	root->top->parent = root->top;
	if (arena_map_create(storage->arena, &root->loading) != OK)
		return E_NOSPC;
	return create_devices(storage);
}

void
storage_start(struct storage *storage, uint64_t incarnation)
{
	storage->epoch = incarnation << 24;
	storage->attempt = (uint8_t)incarnation;
	storage->growing = false;
}

void
storage_begin(struct storage *storage)
{
	/* What the last transaction grew was not committed. */
	if (storage->growing &&
	    storage->growing_commits == arena_commits(storage->arena))
		storage->epoch++;
	storage->growing = false;
	storage->grants = 0;
}

bool
storage_is_loaded(const struct storage *storage)
{
	return storage->root->loaded;
}

/* --- Entries. --- */

/* Makes the directories in front of the last component. */
static unsigned
make_parents(struct storage *storage, struct storage_path path)
{
	struct description self = maker(storage);
	unsigned error = 0;

	for (size_t i = 1; i < path.length; i++) {
		if (path.text[i] != '/')
			continue;
		error = storage_mkdir(storage, &self,
		    (struct storage_path){ path.text, i }, 0755);
		if (error != 0 && error != E_EXIST)
			return error;
	}
	return 0;
}

static void
set_attributes(struct inode *inode, const struct cpio_entry *entry)
{
	inode->mode = (inode->mode & ~MODE_MASK) | (entry->mode & MODE_MASK);
	inode->uid = entry->uid;
	inode->gid = entry->gid;
	inode->atime_ns = inode->mtime_ns = inode->ctime_ns =
	    entry->mtime * SECOND;
}

static unsigned
load_data(struct storage *storage, struct inode *inode,
    const struct cpio_entry *entry)
{
	struct storage_environment *e = &storage->environment;
	struct description self = maker(storage);
	unsigned error;

	if (entry->size == 0)
		return 0;
	error = file_set_size(storage, self.subject, inode, entry->size);
	if (error == 0)
		error = from_status(e->file_load(e->context, inode->file,
		    entry->data_offset, entry->size));
	return error;
}

static uint64_t
link_key(const struct cpio_entry *entry)
{
	return (uint64_t)entry->device_major << 52 ^
	    (uint64_t)entry->device_minor << 32 ^ entry->inode;
}

static unsigned
load_regular(struct storage *storage, struct walk *walk,
    const struct cpio_entry *entry)
{
	struct arena_map *map = storage->root->loading;
	struct description self = maker(storage);
	struct inode *inode = NULL;
	unsigned error = 0;

	if (entry->links > 1)
		inode = arena_map_get(map, link_key(entry));
	if (inode == NULL) {
		error = inode_create(storage, self.subject,
		    KIND_REGULAR << MODE_KIND_SHIFT, &inode);
		/* Held by the map until all is loaded. */
		if (error == 0 && entry->links > 1) {
			inode->references++;
			if (arena_map_put(storage->arena, map,
			    link_key(entry), inode) != OK)
				error = E_NOSPC;
		}
	}
	if (error == 0)
		error = link_new(walk, inode);
	if (error == 0)
		error = load_data(storage, inode, entry);
	return error;
}

static unsigned
load_other(struct storage *storage, const struct cpio_entry *entry,
    struct storage_path path)
{
	struct description self = maker(storage);
	struct storage_path target = { (const char *)entry->data,
		entry->size };

	switch (entry->mode & CPIO_TYPE_MASK) {
	case CPIO_DIRECTORY:
		return storage_mkdir(storage, &self, path, 0);
	case CPIO_SYMLINK:
		return storage_symlink(storage, &self, target, path);
	default:
		return storage_mknod(storage, &self, path, entry->mode,
		    (uint64_t)entry->special_major << 8 |
		    entry->special_minor);
	}
}

/* Something has the name already: it goes, unless both are directories. */
static unsigned
make_room(struct storage *storage, const struct inode *there,
    struct storage_path path, bool directory)
{
	struct description self = maker(storage);

	if (there == NULL || (is_directory(there) && directory))
		return 0;
	return storage_unlink(storage, &self, path, is_directory(there));
}

static unsigned
load_entry(struct storage *storage, const struct cpio_entry *entry)
{
	struct storage_path path = { entry->name, entry->name_length };
	bool directory = (entry->mode & CPIO_TYPE_MASK) == CPIO_DIRECTORY;
	struct description self = maker(storage);
	struct walk walk;
	unsigned error = make_parents(storage, path);

	if (error == 0)
		error = walk_start(&walk, storage, &self, path);
	if (error == 0)
		error = walk.late;
	if (error == 0)
		error = make_room(storage, walk.inode, path, directory);
	if (error == 0)
		error = walk_start(&walk, storage, &self, path);
	if (error != 0)
		return error;
	if ((entry->mode & CPIO_TYPE_MASK) == CPIO_REGULAR)
		error = load_regular(storage, &walk, entry);
	else if (walk.inode == NULL)
		error = load_other(storage, entry, path);
	if (error == 0)
		error = walk_start(&walk, storage, &self, path);
	if (error == 0)
		error = SAVE(storage, walk.inode);
	if (error == 0)
		set_attributes(walk.inode, entry);
	return error;
}

/* The inodes of the map are let go, then it is not needed any more. */
static unsigned
finish(struct storage *storage, struct cpio *cpio)
{
	struct arena_map *map = storage->root->loading;
	struct cpio_entry entry;
	unsigned error = 0;

	cpio->position = cpio->end = 0;
	while (error == 0 && arena_map_count(map) > 0 &&
	    cpio_next(cpio, &entry) == OK) {
		struct inode *inode = arena_map_get(map, link_key(&entry));

		if (entry.links < 2 || inode == NULL)
			continue;
		if (arena_map_remove(storage->arena, map, link_key(&entry)) !=
		    OK)
			return E_NOSPC;
		error = inode_unreference(storage, inode);
	}
	storage->root->loaded = true;
	return error;
}

unsigned
storage_load(struct storage *storage, const void *archive, size_t size,
    bool *out_more)
{
	struct storage_root *root = storage->root;
	struct cpio_entry entry;
	struct cpio cpio;
	unsigned error = 0;

	*out_more = true;
	if (SAVE(storage, &root->load_position) != 0 ||
	    SAVE(storage, &root->loaded) != 0)
		return E_NOSPC;
	cpio_open(&cpio, archive, size);
	cpio.position = root->load_position;
	for (unsigned i = 0; i < ENTRIES_PER_PART && error == 0; i++) {
		status_t status = cpio_next(&cpio, &entry);

		if (status == ERR_EMPTY) {
			*out_more = false;
			return finish(storage, &cpio);
		}
		if (status != OK)
			return E_IO;
		error = load_entry(storage, &entry);
		if (error != E_NOSPC && error != E_IO && error != E_FBIG)
			error = 0;
		root->load_position = cpio.position;
	}
	return error;
}
