/* SPDX-License-Identifier: MIT */
/*
 * Locks of files: what is locked, and who waits.
 *
 * A lock belongs to a description. Record locks of a process belong to one that
 * the process opened for that and shares with nobody, so they end with it;
 * those of open files, and whole-file locks, to the file's own. Records and
 * whole files do not know of each other: two trees for each file.
 *
 * A tree is that of lock_tree.c. Locks of one owner in one tree never overlap,
 * and those of one kind never touch.
 *
 * Who waits is asked again, in order, whenever something is unlocked. An answer
 * takes room in the list of effects, so a transaction gives a few; files where
 * more may follow are on a list (`again`) for storage_work().
 *
 * A file's locks hold a reference of the inode: they may outlive every
 * description of it but their owners.
 */
#include <lib/storage/state.h>

#define GRANTS_AT_ONCE	32u
#define OWNERS_SEEN	64u	/* in a search for a deadlock */

static unsigned
set(struct storage *storage, struct lock **link, struct lock *lock)
{
	if (SAVE(storage, link) != 0)
		return E_NOSPC;
	*link = lock;
	return 0;
}

static struct lock **
tree_of(struct file_locks *file, const struct lock_range *range)
{
	return range->whole ? &file->whole : &file->records;
}

/* For who is in the way of that range. */
static struct lock_query
query_conflicts(const struct lock_range *range)
{
	return (struct lock_query){
		.first = range->first, .last = range->last,
		.owner = range->owner, .others = true,
		.write_only = !range->write,
	};
}

static struct lock *
conflict(struct file_locks *file, const struct lock_range *range)
{
	const struct lock_query query = query_conflicts(range);

	return file == NULL ? NULL : lock_find(*tree_of(file, range), &query);
}

/* --- Locks come and go. --- */

static unsigned
locks_of(struct storage *storage, struct inode *inode,
    struct file_locks **out_file)
{
	struct file_locks *file = inode->locks;

	*out_file = file;
	if (file != NULL)
		return 0;
	file = arena_alloc(storage->arena, sizeof(*file));
	if (file == NULL || SAVE(storage, &inode->locks) != 0)
		return E_NOSPC;
	file->inode = inode;
	inode->locks = *out_file = file;
	return inode_reference(storage, inode);
}

/* When nothing is locked there and nobody waits. */
static unsigned
forget_file(struct storage *storage, struct file_locks *file)
{
	struct inode *inode = file->inode;

	if (file->records != NULL || file->whole != NULL ||
	    file->first_wait != NULL || file->listed)
		return 0;
	if (SAVE(storage, &inode->locks) != 0 ||
	    arena_free(storage->arena, file) != OK)
		return E_NOSPC;
	inode->locks = NULL;
	return inode_unreference(storage, inode);
}

static unsigned
add(struct storage *storage, struct file_locks *file,
    const struct lock_range *range)
{
	struct description *owner = range->owner;
	struct storage_root *root = storage->root;
	struct lock *lock = arena_alloc(storage->arena, sizeof(*lock));

	if (lock == NULL || SAVE(storage, &root->locks) != 0 ||
	    SAVE_FIELDS(storage, owner, locks, lock_count) != 0 ||
	    (owner->locks != NULL &&
	    SAVE(storage, &owner->locks->owner_prev) != 0))
		return E_NOSPC;
	lock->file = file;
	lock->owner = owner;
	lock->first = range->first;
	lock->last = range->last;
	lock->pid = range->pid;
	lock->write = range->write;
	lock->whole = range->whole;
	lock->owner_next = owner->locks;
	if (owner->locks != NULL)
		owner->locks->owner_prev = lock;
	owner->locks = lock;
	owner->lock_count++;
	root->locks++;
	return lock_tree_insert(storage, tree_of(file, range), lock);
}

static unsigned
drop(struct storage *storage, struct lock *lock)
{
	struct description *owner = lock->owner;
	struct lock *next = lock->owner_next, *prev = lock->owner_prev;
	struct file_locks *file = lock->file;
	struct lock **link = prev != NULL ? &prev->owner_next : &owner->locks;
	unsigned error = lock_tree_remove(storage, lock->whole ? &file->whole :
	    &file->records, lock);

	if (error == 0)
		error = set(storage, link, next);
	if (error == 0 && next != NULL)
		error = set(storage, &next->owner_prev, prev);
	if (error != 0 || SAVE(storage, &storage->root->locks) != 0 ||
	    SAVE(storage, &owner->lock_count) != 0 ||
	    arena_free(storage->arena, lock) != OK)
		return E_NOSPC;
	owner->lock_count--;
	storage->root->locks--;
	return 0;
}

/* A lock that the range cuts: what is left of it on both sides. */
static unsigned
cut(struct storage *storage, struct lock *lock, const struct lock_range *range)
{
	struct file_locks *file = lock->file;
	struct lock_range left = {
		.owner = lock->owner, .pid = lock->pid, .write = lock->write,
		.whole = lock->whole, .first = lock->first,
		.last = range->first - 1,
	};
	struct lock_range right = left;
	bool has_left = lock->first < range->first;
	bool has_right = lock->last > range->last;
	unsigned error;

	right.first = range->last + 1;
	right.last = lock->last;
	error = drop(storage, lock);
	if (error == 0 && has_left)
		error = add(storage, file, &left);
	if (error == 0 && has_right)
		error = add(storage, file, &right);
	return error;
}

/*
 * The owner's locks become what the range says, with those of its kind that
 * touch it in one; type LOCK_UNLOCK: none is left there.
 */
static unsigned
apply(struct storage *storage, struct file_locks *file,
    const struct lock_range *range, bool unlock)
{
	struct lock_range whole = *range;
	struct lock_query query = {
		.first = range->first - (range->first > 0),
		.last = range->last + 1, .owner = range->owner,
	};
	struct lock *lock;
	unsigned error = 0;

	while (error == 0 &&
	    (lock = lock_find(*tree_of(file, range), &query)) != NULL) {
		lock_query_after(&query, lock);
		if (!unlock && lock->write == range->write) {
			if (lock->first < whole.first)
				whole.first = lock->first;
			if (lock->last > whole.last)
				whole.last = lock->last;
			error = drop(storage, lock);
		} else if (lock->first <= range->last &&
		    lock->last >= range->first) {
			error = cut(storage, lock, range);
		}
	}
	return error == 0 && !unlock ? add(storage, file, &whole) : error;
}

/* --- Waiting. --- */

static unsigned
wait_add(struct storage *storage, struct file_locks *file,
    const struct lock_range *range, struct storage_call call)
{
	struct description *owner = range->owner;
	struct lock_wait *wait;
	struct lock_wait **slot;

	if (call.reply >= STORAGE_WAITS_MAX)
		return E_NOLCK;
	slot = &storage->root->waiting[call.reply];
	wait = arena_alloc(storage->arena, sizeof(*wait));
	if (wait == NULL || SAVE(storage, slot) != 0 ||
	    SAVE(storage, &owner->waits) != 0 ||
	    SAVE_FIELDS(storage, file, first_wait, last_wait) != 0 ||
	    (file->last_wait != NULL &&
	    SAVE(storage, &file->last_wait->next) != 0))
		return E_NOSPC;
	wait->file = file;
	wait->range = *range;
	wait->call = call;
	wait->owner_next = owner->waits;
	wait->prev = file->last_wait;
	owner->waits = *slot = wait;
	if (file->last_wait != NULL)
		file->last_wait->next = wait;
	else
		file->first_wait = wait;
	file->last_wait = wait;
	return 0;
}

static unsigned
set_wait(struct storage *storage, struct lock_wait **link,
    struct lock_wait *wait)
{
	if (SAVE(storage, link) != 0)
		return E_NOSPC;
	*link = wait;
	return 0;
}

static unsigned
wait_remove(struct storage *storage, struct lock_wait *wait)
{
	struct file_locks *file = wait->file;
	struct lock_wait **link = &wait->range.owner->waits;
	unsigned error;

	while (*link != wait)
		link = &(*link)->owner_next;
	error = set_wait(storage, link, wait->owner_next);
	if (error == 0)
		error = set_wait(storage, wait->prev != NULL ?
		    &wait->prev->next : &file->first_wait, wait->next);
	if (error == 0)
		error = set_wait(storage, wait->next != NULL ?
		    &wait->next->prev : &file->last_wait, wait->prev);
	if (error == 0)
		error = set_wait(storage,
		    &storage->root->waiting[wait->call.reply], NULL);
	if (error != 0 || arena_free(storage->arena, wait) != OK)
		return E_NOSPC;
	return 0;
}

static unsigned
answer(struct storage *storage, struct storage_call call, unsigned error)
{
	struct storage_environment *e = &storage->environment;

	return from_status(e->answer(e->context, call, error));
}

/* Not now: storage_work() goes on there. */
static unsigned
list_again(struct storage *storage, struct file_locks *file)
{
	if (file->listed)
		return 0;
	if (SAVE(storage, &storage->root->again) != 0 ||
	    SAVE_FIELDS(storage, file, next_again, listed) != 0)
		return E_NOSPC;
	file->next_again = storage->root->again;
	file->listed = true;
	storage->root->again = file;
	return 0;
}

/* Cutting one in two takes one more, and the new one another. */
static bool
has_room(const struct storage *storage, const struct description *owner)
{
	return storage->root->locks + 2 <= STORAGE_LOCKS_MAX &&
	    owner->lock_count + 2 <= STORAGE_LOCKS_PER_OWNER;
}

/* Whoever unlocks must not fail because the next one has no room. */
static unsigned
grant_one(struct storage *storage, struct lock_wait *wait)
{
	uint64_t savepoint = tx_savepoint(storage->arena);
	unsigned error = has_room(storage, wait->range.owner) ?
	    apply(storage, wait->file, &wait->range, false) : E_NOLCK;

	if (error != 0)
		tx_rollback_to(storage->arena, savepoint);
	error = answer(storage, wait->call, error != 0 ? E_NOLCK : 0);
	return error != 0 ? error : wait_remove(storage, wait);
}

/* Gives what can be given, in order of asking. The file may go. */
static unsigned
grant(struct storage *storage, struct file_locks *file)
{
	struct lock_wait *wait, *next;
	unsigned error = 0;

	for (wait = file->first_wait; error == 0 && wait != NULL;
	    wait = next) {
		next = wait->next;
		if (conflict(file, &wait->range) != NULL)
			continue;
		if (storage->grants == GRANTS_AT_ONCE)
			return list_again(storage, file);
		storage->grants++;
		error = grant_one(storage, wait);
	}
	return error != 0 ? error : forget_file(storage, file);
}

/* Who owns what is in the way, and what is in their way, and so on. */
struct search {
	const struct description *asker;
	unsigned count;
	const struct description *seen[OWNERS_SEEN];
};

static void
search_note(struct search *search, const struct description *owner)
{
	unsigned i = 0;

	while (i < search->count && search->seen[i] != owner)
		i++;
	if (i == search->count && i < OWNERS_SEEN)
		search->seen[search->count++] = owner;
}

/* True if it is the asker who is waited for. */
static bool
search_blockers(struct search *search, struct file_locks *file,
    const struct lock_range *range)
{
	struct lock_query query = query_conflicts(range);
	const struct lock *lock;

	while ((lock = lock_find(*tree_of(file, range), &query)) != NULL) {
		if (lock->owner == search->asker)
			return true;
		search_note(search, lock->owner);
		lock_query_after(&query, lock);
	}
	return false;
}

/*
 * Would waiting never end? Of processes only, as elsewhere; beyond OWNERS_SEEN
 * of them nobody looks.
 */
static bool
deadlock(struct file_locks *file, const struct lock_range *range)
{
	struct search search = { .asker = range->owner };

	if (range->pid == 0 || range->whole)
		return false;
	search_blockers(&search, file, range);
	for (unsigned i = 0; i < search.count; i++)
		for (const struct lock_wait *wait = search.seen[i]->waits;
		    wait != NULL; wait = wait->owner_next)
			if (!wait->range.whole && search_blockers(&search,
			    wait->file, &wait->range))
				return true;
	return false;
}

/* --- Requests. --- */

static unsigned
check(const struct description *description, const struct storage_lock *in)
{
	unsigned need = in->type == LOCK_READ ? OPEN_READ :
	    in->type == LOCK_WRITE ? OPEN_WRITE : 0;

	if ((description->flags & OPEN_PATH) != 0)
		return E_BADF;
	if (in->type > LOCK_UNLOCK || in->first > in->last ||
	    in->last > INT64_MAX || (in->flags & ~(LOCK_WHOLE | LOCK_WAIT)) != 0)
		return E_INVAL;
	if ((in->flags & LOCK_WHOLE) == 0 &&
	    (description->flags & need) != need)
		return E_BADF;
	return 0;
}

static struct lock_range
range_of(struct description *description, const struct storage_lock *in)
{
	return (struct lock_range){
		.owner = in->owner != NULL ? in->owner : description,
		.first = in->first, .last = in->last, .pid = in->pid,
		.write = in->type == LOCK_WRITE,
		.whole = (in->flags & LOCK_WHOLE) != 0,
	};
}

/* After a change: those who wait, and the file if nothing is left. */
static unsigned
settle(struct storage *storage, struct file_locks *file)
{
	return file->first_wait != NULL ? grant(storage, file) :
	    forget_file(storage, file);
}

/*
 * Somebody is in the way. A whole lock that was to change is given up before it
 * waits: two that want more than to read would wait for each other.
 */
static unsigned
refuse(struct storage *storage, struct file_locks *file,
    const struct lock_range *range, bool wait, struct storage_call call)
{
	unsigned error = 0;

	if (wait && deadlock(file, range))
		return E_DEADLK;
	if (range->whole)
		error = apply(storage, file, range, true);
	if (error == 0 && wait)
		error = wait_add(storage, file, range, call);
	return error != 0 ? error : settle(storage, file);
}

unsigned
storage_lock(struct storage *storage, struct description *description,
    const struct storage_lock *in, struct storage_call call,
    enum storage_locked *out_locked)
{
	struct lock_range range = range_of(description, in);
	bool wait = (in->flags & LOCK_WAIT) != 0;
	struct file_locks *file = description->inode->locks;
	unsigned error = check(description, in);

	*out_locked = LOCKED_DONE;
	if (error != 0 || (file == NULL && in->type == LOCK_UNLOCK))
		return error;
	if (in->type != LOCK_UNLOCK && conflict(file, &range) != NULL) {
		*out_locked = wait ? LOCKED_WAITS : LOCKED_BUSY;
		return refuse(storage, file, &range, wait, call);
	}
	if (!has_room(storage, range.owner))
		return E_NOLCK;
	error = locks_of(storage, description->inode, &file);
	if (error == 0)
		error = apply(storage, file, &range, in->type == LOCK_UNLOCK);
	return error != 0 ? error : settle(storage, file);
}

unsigned
storage_lock_test(const struct description *description,
    struct storage_lock *lock)
{
	struct lock_range range = range_of(
	    (struct description *)(uintptr_t)description, lock);
	const struct lock *found;
	struct storage_lock any = *lock;
	unsigned error;

	/* Asking needs no right to the bytes. */
	any.flags |= LOCK_WHOLE;
	error = check(description, &any);
	if (error != 0)
		return error;
	found = lock->type == LOCK_UNLOCK ? NULL :
	    conflict(description->inode->locks, &range);
	lock->type = found == NULL ? LOCK_UNLOCK :
	    found->write ? LOCK_WRITE : LOCK_READ;
	if (found == NULL)
		return 0;
	lock->first = found->first;
	lock->last = found->last;
	lock->pid = found->pid;
	return 0;
}

unsigned
storage_cancel(struct storage *storage, struct storage_call call,
    bool *out_found)
{
	struct lock_wait *wait = call.reply < STORAGE_WAITS_MAX ?
	    storage->root->waiting[call.reply] : NULL;
	struct file_locks *file;
	unsigned error;

	*out_found = wait != NULL && wait->call.order == call.order;
	if (!*out_found)
		return 0;
	file = wait->file;
	error = answer(storage, call, E_INTR);
	if (error == 0)
		error = wait_remove(storage, wait);
	return error != 0 ? error : forget_file(storage, file);
}

unsigned
locks_release(struct storage *storage, struct description *owner)
{
	unsigned error = 0;

	while (error == 0 && owner->waits != NULL) {
		struct lock_wait *wait = owner->waits;
		struct file_locks *file = wait->file;

		error = answer(storage, wait->call, E_BADF);
		if (error == 0)
			error = wait_remove(storage, wait);
		if (error == 0)
			error = forget_file(storage, file);
	}
	while (error == 0 && owner->locks != NULL) {
		struct file_locks *file = owner->locks->file;

		error = drop(storage, owner->locks);
		if (error == 0)
			error = settle(storage, file);
	}
	return error;
}

bool
storage_has_work(const struct storage *storage)
{
	return storage->root->again != NULL;
}

unsigned
storage_work(struct storage *storage)
{
	struct file_locks *file = storage->root->again;

	if (file == NULL)
		return 0;
	if (SAVE(storage, &storage->root->again) != 0 ||
	    SAVE_FIELDS(storage, file, next_again, listed) != 0)
		return E_NOSPC;
	storage->root->again = file->next_again;
	file->next_again = NULL;
	file->listed = false;
	return grant(storage, file);
}

/* --- The check. --- */

static bool
tree_ok(const struct file_locks *file, const struct lock *lock, bool whole,
    uint64_t *count)
{
	struct lock_reach reach;

	if (lock == NULL)
		return true;
	reach = lock_reach_of(lock);
	++*count;
	return lock->file == file && lock->whole == whole &&
	    lock->first <= lock->last &&
	    reach.any == lock->reach.any && reach.write == lock->reach.write &&
	    (lock->left == NULL || lock_before(lock->left, lock)) &&
	    (lock->right == NULL || lock_before(lock, lock->right)) &&
	    tree_ok(file, lock->left, whole, count) &&
	    tree_ok(file, lock->right, whole, count);
}

/* Does nobody wait who need not? */
static bool
waits_ok(const struct storage *storage, struct file_locks *file)
{
	const struct lock_wait *prev = NULL, *wait = file->first_wait;

	for (; wait != NULL; prev = wait, wait = wait->next)
		if (wait->prev != prev || wait->file != file ||
		    storage->root->waiting[wait->call.reply] != wait ||
		    (!file->listed && conflict(file, &wait->range) == NULL))
			return false;
	return file->last_wait == prev;
}

bool
locks_ok(const struct storage *storage, const struct description *owner,
    uint64_t *count)
{
	uint64_t own = 0;

	for (const struct lock *lock = owner->locks; lock != NULL;
	    lock = lock->owner_next) {
		uint64_t here = 0;

		if (lock->owner != owner || lock->file->inode->locks !=
		    lock->file || ++own > owner->lock_count ||
		    !tree_ok(lock->file, lock->file->records, false, &here) ||
		    !tree_ok(lock->file, lock->file->whole, true, &here) ||
		    !waits_ok(storage, lock->file))
			return false;
	}
	*count += own;
	return own == owner->lock_count;
}
