/* SPDX-License-Identifier: MIT */
/*
 * What the tree looks like in the arena; for the files of this library only.
 *
 *	root		counters, the top directory, tables of descriptions
 *	inode		one per file; kept while links or references are left
 *	entry		one name in one directory: a node of its tree
 *
 * References of an inode: descriptions that have it open, or have it as the
 * root of their attachment or as the directory they were opened from, and
 * directories below it that were removed but are still referenced (their `..` leads here). The top directory has one more.
 *
 * A directory is a treap ordered by cookie. The cookie of an entry is a hash
 * of its name, or up to COOKIE_PROBES - 1 above when it is taken. So it serves
 * lookup, and as a position of readdir that stays right whatever is created or
 * removed meanwhile. Priorities are a hash of the cookie: the shape depends on
 * the content only.
 */
#pragma once

#include <lib/storage/storage.h>

#define COOKIE_DOT	1u	/* position after `.` */
#define COOKIE_DOTDOT	2u
#define COOKIE_FIRST	16u	/* first of an entry */
#define COOKIE_PROBES	16u

#define MODE_KIND_SHIFT	12
#define MODE_MASK	07777u
#define MODE_SETUID	04000u
#define MODE_SETGID	02000u
#define MODE_STICKY	01000u
#define MODE_GROUP_EXEC	0010u

#define WANT_EXEC	1u
#define WANT_WRITE	2u
#define WANT_READ	4u

struct entry {
	struct entry *left, *right;
	uint64_t cookie;
	struct inode *inode;
	uint16_t length;
	char	 name[];
};

struct inode {
	uint64_t number;
	uint64_t device;
	uint32_t uid, gid;
	uint32_t mode;		/* kind and permissions */
	uint32_t target_length;	/* of a symbolic link */
	uint64_t atime_ns;
	/* What changes together lies together: see SAVE_FIELDS. */
	uint64_t mtime_ns, ctime_ns;
	uint64_t size;
	union {
		struct {	/* KIND_REGULAR */
			uint64_t clean;	/* epoch, see storage.h */
			uint64_t file;	/* page object, 0 = none */
		};
		struct {	/* KIND_DIRECTORY */
			uint64_t count;
			struct entry *names;
		};
		char	*target;	/* KIND_SYMLINK */
		struct fifo *fifo;	/* KIND_FIFO; NULL: nobody has it open */
	};
	uint32_t links;
	uint32_t references;
	/* Of a directory: its only name. Of a file: one of its names or none. */
	struct inode *parent;
	struct entry *entry;
	uint32_t watch;		/* index + 1; 0 = none, see watch.c */
	struct file_locks *locks;	/* NULL: none, see lock.c */
};

struct fifo {
	struct fifo *next, *prev;	/* of root->fifos */
	struct storage_fifo objects;
	struct storage_fifo_counts counts;
};

/* Byte behind the last that is locked below a node; 0 = none. */
struct lock_reach {
	uint64_t any, write;
};

struct lock {
	struct lock *left, *right;
	struct lock_reach reach;	/* of this one and those below */
	uint64_t first, last;
	struct file_locks *file;
	struct description *owner;
	struct lock *owner_next, *owner_prev;	/* of the same owner */
	uint32_t pid;		/* 0: of an open file */
	bool	 write;
	bool	 whole;		/* in the tree of whole locks */
};

/* What is asked for. */
struct lock_range {
	struct description *owner;
	uint64_t first, last;
	uint32_t pid;
	bool	 write;
	bool	 whole;
};

struct lock_wait {
	struct lock_wait *next, *prev;	/* of the file, in order of asking */
	struct lock_wait *owner_next;
	struct file_locks *file;
	struct lock_range range;
	struct storage_call call;
};

struct file_locks {
	struct inode *inode;
	struct lock *records, *whole;
	struct lock_wait *first_wait, *last_wait;
	struct file_locks *next_again;
	bool	 listed;	/* in the list of root->again */
};

#define DESCRIPTIONS_PER_CHUNK	64u
#define CHUNKS_MAX		1024u

struct description {
	uint32_t index;
	uint32_t generation;	/* never 0 */
	uint32_t next_free;	/* index + 1, of a free one */
	bool	 used;
	bool	 retired;	/* inode is base, and counted once */
	bool	 joined;	/* counted in the pipe */
	bool	 attached;	/* by ATTACH; never renounced */
	uint32_t flags;		/* OPEN_* */
	const struct subject *subject;	/* NULL: renounced */
	uint64_t session;
	uint64_t position;
	/* These do not hold what is not used. */
	struct inode *inode;
	struct inode *top;	/* of the attachment */
	struct inode *base;	/* directory it was opened from */
	struct lock *locks;	/* that it owns */
	uint32_t lock_count;
	struct lock_wait *waits;	/* for locks of its own */
};

#define SUBJECTS_MAX	1024u	/* different ones */

struct subject {
	struct storage_subject ids;
	uint32_t number;
	uint32_t group_count;
	const uint32_t *groups;	/* ascending; behind it */
};

struct subjects {
	uint32_t count;
	uint32_t sweep_at;	/* look for unused ones then */
	struct subject *at[SUBJECTS_MAX];
};

struct chunk {
	struct description description[DESCRIPTIONS_PER_CHUNK];
};

struct storage_root {
	uint64_t seed;		/* of the names */
	uint64_t next_inode;
	uint64_t inodes;
	struct inode *top;
	struct arena_map *loading;	/* linked files of the archive */
	uint64_t load_position;
	uint64_t load_offset;	/* in the file being loaded */
	bool	 loaded;
	struct {
		uint32_t chunks;
		uint32_t free;		/* index + 1 of a free description */
		uint32_t descriptions;	/* in use */
	} places;
	struct chunk *chunk[CHUNKS_MAX];
	uint64_t watch_memory;	/* the caller's */
	uint32_t watch_ready;	/* watches above were never taken */
	uint32_t watch_free;	/* index + 1 of a free one below */
	uint16_t watch_next[STORAGE_WATCHES];	/* the same, after a free one */
	struct fifo *fifos;	/* that somebody has open */
	uint64_t locks;		/* of all files */
	struct file_locks *again;	/* where waits are to be looked at */
	struct lock_wait *waiting[STORAGE_WAITS_MAX];	/* by reply object */
	struct subjects subjects;
};

static inline unsigned
inode_kind(const struct inode *inode)
{
	return inode->mode >> MODE_KIND_SHIFT;
}

static inline bool
is_directory(const struct inode *inode)
{
	return inode_kind(inode) == KIND_DIRECTORY;
}

/* inode.c */

/* Saves a structure before it is changed: 0 or E_NOSPC. */
unsigned save(struct storage *storage, void *pointer, size_t length);
#define SAVE(storage, pointer) save((storage), (pointer), sizeof(*(pointer)))
/* From one field to another of a structure: words that are not changed cost. */
#define SAVE_FIELDS(storage, pointer, first, last) \
	save((storage), &(pointer)->first, \
	    (size_t)((char *)(&(pointer)->last + 1) - \
	    (char *)&(pointer)->first))

uint64_t now(const struct storage *storage);
unsigned from_status(status_t status);
/* No link and no reference yet. */
unsigned inode_create(struct storage *storage, const struct subject *owner,
    uint32_t mode, struct inode **out_inode);
unsigned inode_reference(struct storage *storage, struct inode *inode);
/* Both free it with its last link and reference. */
unsigned inode_unreference(struct storage *storage, struct inode *inode);
unsigned inode_unlink(struct storage *storage, struct inode *inode);
/* A file that is gone with its next link? */
bool inode_is_last(const struct inode *inode);
/* A file loses this name; inode_unlink follows. */
unsigned inode_forget(struct storage *storage, struct inode *inode,
    const struct entry *entry);
/* Sets mtime and ctime, or ctime; saves these. */
unsigned inode_modified(struct storage *storage, struct inode *inode);
unsigned inode_changed(struct storage *storage, struct inode *inode);

/* subject.c */
extern const struct subject subject_root;

static inline bool
subject_may(const struct subject *who, unsigned privilege)
{
	return (who->ids.privileges >> privilege & 1) != 0;
}

bool subject_in_group(const struct subject *subject, uint32_t gid);
/* The one in the arena that equals it; made if there is none. */
unsigned subject_take(struct storage *storage,
    const struct storage_who *in, const struct subject **out_subject);
/* want: WANT_*. */
bool subject_allows(const struct subject *who, const struct inode *inode,
    unsigned want);
bool subject_owns(const struct subject *who, const struct inode *inode);
/* Its mode without the rights to run as its owner. NULL: nobody knows who. */
uint32_t inode_without_set_id(const struct subject *who,
    const struct inode *inode);
bool subject_may_set_gid(const struct subject *who, uint32_t gid);
bool subject_follows(const struct subject *who, const struct inode *directory,
    const struct inode *link);
bool subject_may_link(const struct subject *who, const struct inode *inode);

/* directory.c */
struct entry *directory_find(const struct storage *storage,
    const struct inode *directory, struct storage_path name);
/* First entry with a cookie above the given one. */
struct entry *directory_next(const struct inode *directory, uint64_t cookie);
unsigned directory_insert(struct storage *storage, struct inode *directory,
    struct storage_path name, struct inode *inode, struct entry **out_entry);
unsigned directory_remove(struct storage *storage, struct inode *directory,
    struct entry *entry);
uint64_t directory_cookie(const struct storage *storage,
    struct storage_path name);
uint64_t entry_priority(const struct entry *entry);

/* path.c */
enum last { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

struct walk {
	struct storage *storage;
	const struct subject *who;
	struct inode *top;	/* where absolute paths begin */
	unsigned links;		/* symbolic links followed */
	unsigned depth;		/* of rest */
	struct storage_path rest[STORAGE_LINKS_MAX + 2];

	struct inode *directory;	/* that holds the last component */
	struct storage_path name;	/* the last component */
	enum last last;
	bool	 slash;		/* something must be a directory */
	struct entry *entry;	/* of the last component, if there */
	struct inode *inode;	/* that it names, or NULL */
	unsigned late;		/* error of looking it up: to be told last */
};

/* Up to the last component, which is looked up but may be missing. */
unsigned walk_start(struct walk *walk, struct storage *storage,
    const struct description *base, struct storage_path path);
/* The last component is a symbolic link: goes on with its target. */
unsigned walk_follow(struct walk *walk);
/* All the way; the object exists. */
unsigned walk_all(struct walk *walk, struct storage *storage,
    const struct description *base, struct storage_path path, bool follow);
/* AT_* flags: walk_all, or the handle itself. */
unsigned walk_at(struct storage *storage, struct description *base,
    struct storage_path path, unsigned flags, struct inode **out_inode);

/* link.c */
/* May entries be made in, or this one be removed from, the directory? */
unsigned may_create(const struct walk *walk);
/* The victim is what the walk found. */
unsigned may_delete(const struct walk *walk, bool want_directory);
/* For a name that must not exist; directory: a slash may follow it. */
unsigned walk_new(struct walk *walk, struct storage *storage,
    const struct description *base, struct storage_path path,
    bool directory);
/* Gives the inode its name, and one link. */
unsigned link_new(struct walk *walk, struct inode *inode);

/* description.c */
unsigned description_create(struct storage *storage,
    const struct description *base, struct inode *inode, unsigned flags,
    struct description **out_description);
/* A retired description becomes one of the inode. */
unsigned description_rebind(struct storage *storage,
    struct description *description, struct inode *inode, unsigned flags);

/* watch.c */
/* Gives the inode a watch if one is free. Saves. */
unsigned watch_take(struct storage *storage, struct inode *inode);
unsigned watch_release(struct storage *storage, struct inode *inode);
/* Before the inode changes: who watches asks again. */
void watch_touch(const struct storage *storage, const struct inode *inode);

/* fifo.c */
/* Counted no more. */
unsigned fifo_leave(struct storage *storage, struct description *description);
bool fifos_ok(const struct storage *storage);

/* lock_tree.c */
struct lock_query {
	uint64_t first, last;
	uint64_t from;		/* locks before this place are not wanted: */
	uint32_t from_owner;	/* of the first byte, of its owner */
	const struct description *owner;
	bool	 others;	/* of others than the owner, else of the owner */
	bool	 write_only;	/* others that write */
};

bool lock_before(const struct lock *one, const struct lock *other);
struct lock_reach lock_reach_of(const struct lock *lock);
unsigned lock_tree_insert(struct storage *storage, struct lock **link,
    struct lock *lock);
unsigned lock_tree_remove(struct storage *storage, struct lock **link,
    struct lock *lock);
/* The first that the query wants, in order; NULL: none. */
struct lock *lock_find(struct lock *tree, const struct lock_query *query);
/* From now on those behind this one. */
void lock_query_after(struct lock_query *query, const struct lock *lock);

/* lock.c */
/* An owner goes: its locks and waits do. */
unsigned locks_release(struct storage *storage, struct description *owner);
/* Its locks, and all of the files they are in; counts its own. */
bool locks_ok(const struct storage *storage, const struct description *owner,
    uint64_t *count);

/* file.c */
/* Would a read of data now note its time? */
bool file_wants_atime(const struct inode *inode, uint64_t time);
/* Everything beyond the size is zero after that. `clean` is saved. */
unsigned file_clean(struct storage *storage, struct inode *inode);
/* Sets the size, with page object, for someone who may. Saves. */
unsigned file_set_size(struct storage *storage, const struct subject *who,
    struct inode *inode, uint64_t size);
