/* SPDX-License-Identifier: MIT */
/*
 * Paths: from text to an inode, or to the directory and last component.
 *
 * What is still to be walked is a stack of texts: the path, and on top of it
 * the target of each symbolic link that is being followed. Targets are read in
 * place. `slash` remembers that a slash follows the last component, in any of
 * the texts: it must then be, or lead to, a directory.
 */
#include <lib/storage/state.h>

#include <lib/base/string.h>

static void
skip_slashes(struct storage_path *text)
{
	while (text->length > 0 && *text->text == '/') {
		text->text++;
		text->length--;
	}
}

/* Cuts the next component off; false: there is none. */
static bool
next_component(struct walk *walk, struct storage_path *out_name)
{
	struct storage_path *top;

	for (;;) {
		top = &walk->rest[walk->depth - 1];
		skip_slashes(top);
		if (top->length > 0)
			break;
		if (walk->depth == 1)
			return false;
		walk->depth--;
	}
	const char *end = memchr(top->text, '/', top->length);
	size_t length = end == NULL ? top->length :
	    (size_t)(end - top->text);
	*out_name = (struct storage_path){ top->text, length };
	top->text += length;
	top->length -= length;
	return true;
}

/* Is there no other component? Notes slashes. */
static bool
is_last(struct walk *walk)
{
	for (unsigned i = 0; i < walk->depth; i++) {
		struct storage_path rest = walk->rest[i];
		size_t length = rest.length;

		skip_slashes(&rest);
		if (rest.length > 0)
			return false;
		if (length > 0)
			walk->slash = true;
	}
	return true;
}

static enum last
classify(struct storage_path name)
{
	if (name.length == 1 && name.text[0] == '.')
		return LAST_DOT;
	if (name.length == 2 && name.text[0] == '.' && name.text[1] == '.')
		return LAST_DOTDOT;
	return LAST_NAME;
}

/* Looks the component up in walk->directory. */
static unsigned
look_up(struct walk *walk)
{
	const struct inode *directory = walk->directory;

	walk->entry = NULL;
	walk->inode = walk->directory;
	if (walk->last == LAST_DOTDOT && directory != walk->top)
		walk->inode = directory->parent;
	if (walk->last != LAST_NAME)
		return 0;
	if (walk->name.length > STORAGE_NAME_MAX) {
		walk->inode = NULL;
		return E_NAMETOOLONG;
	}
	walk->entry = directory_find(walk->storage, directory, walk->name);
	walk->inode = walk->entry == NULL ? NULL : walk->entry->inode;
	return 0;
}

/* Puts the target of walk->inode on the stack. */
static unsigned
push_target(struct walk *walk)
{
	const struct inode *link = walk->inode;

	if (walk->links++ == STORAGE_LINKS_MAX)
		return E_LOOP;
	if (walk->storage->protects_symlinks &&
	    !subject_follows(walk->who, walk->directory, link))
		return E_ACCES;
	walk->rest[walk->depth++] = (struct storage_path){
		link->target, link->target_length };
	if (link->target[0] == '/')
		walk->directory = walk->top;
	return 0;
}

/* Goes on until the last component is looked up. */
static unsigned
walk_on(struct walk *walk)
{
	unsigned error;

	while (next_component(walk, &walk->name)) {
		if (!is_directory(walk->directory))
			return E_NOTDIR;
		if (!subject_allows(walk->who, walk->directory, WANT_EXEC))
			return E_ACCES;
		walk->last = classify(walk->name);
		error = look_up(walk);
		if (is_last(walk)) {
			walk->late = error;
			return 0;
		}
		if (error != 0)
			return error;
		if (walk->inode == NULL)
			return E_NOENT;
		if (inode_kind(walk->inode) != KIND_SYMLINK)
			walk->directory = walk->inode;
		else if ((error = push_target(walk)) != 0)
			return error;
	}
	walk->last = LAST_ROOT;
	walk->late = 0;
	walk->entry = NULL;
	walk->inode = walk->directory;
	return 0;
}

unsigned
walk_start(struct walk *walk, struct storage *storage,
    const struct description *base, struct storage_path path)
{
	if (base->subject == NULL)
		return E_KEYREVOKED;
	walk->storage = storage;
	walk->who = base->subject;
	walk->top = base->top;
	walk->links = 0;
	walk->slash = false;
	if (path.length == 0)
		return E_NOENT;
	if (path.length >= STORAGE_PATH_MAX)
		return E_NAMETOOLONG;
	if (memchr(path.text, '\0', path.length) != NULL)
		return E_INVAL;
	walk->directory = path.text[0] == '/' ? base->top : base->inode;
	walk->rest[0] = path;
	walk->depth = 1;
	return walk_on(walk);
}

unsigned
walk_follow(struct walk *walk)
{
	unsigned error = push_target(walk);

	return error != 0 ? error : walk_on(walk);
}

unsigned
walk_all(struct walk *walk, struct storage *storage,
    const struct description *base, struct storage_path path, bool follow)
{
	unsigned error = walk_start(walk, storage, base, path);

	while (error == 0) {
		if (walk->inode == NULL)
			return walk->late != 0 ? walk->late : E_NOENT;
		if (inode_kind(walk->inode) != KIND_SYMLINK ||
		    (!follow && !walk->slash))
			break;
		error = walk_follow(walk);
	}
	if (error == 0 && walk->slash && !is_directory(walk->inode))
		return E_NOTDIR;
	return error;
}

unsigned
walk_at(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, struct inode **out_inode)
{
	struct walk walk;

	if ((flags & AT_HANDLE) != 0 && path.length == 0) {
		*out_inode = base->inode;
		return base->subject != NULL ? 0 : E_KEYREVOKED;
	}
	unsigned error = walk_all(&walk, storage, base, path,
	    (flags & AT_NOFOLLOW) == 0);
	*out_inode = walk.inode;
	return error;
}
