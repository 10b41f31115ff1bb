/* SPDX-License-Identifier: MIT */
/*
 * Subjects: who asks, as the rules about permissions see him.
 *
 * A description has the subject of the one it was opened through, so whoever
 * calls needs not to be looked up. Equal subjects are one. None is counted:
 * opening a file would have to write for it. Instead those that no description
 * has any more are swept when there are twice as many as were left last time.
 */
#include <lib/storage/state.h>

#include <lib/base/string.h>

#define SWEEP_FIRST	32u
#define SWEEP_AT_ONCE	32u	/* fit into one undo log */

const struct subject subject_root = {
	.ids = {
		.privileges = PRIVILEGES_ALL,
		.real_privileges = PRIVILEGES_ALL,
	},
};

bool
subject_in_group(const struct subject *subject, uint32_t gid)
{
	uint32_t low = 0, high = subject->group_count;

	if (gid == subject->ids.gid)
		return true;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (subject->groups[middle] == gid)
			return true;
		if (subject->groups[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static bool
same(const struct subject *a, const struct storage_who *b)
{
	return memcmp(&a->ids, &b->ids, sizeof(a->ids)) == 0 &&
	    a->group_count == b->group_count && (b->group_count == 0 ||
	    memcmp(a->groups, b->groups,
	    b->group_count * sizeof(b->groups[0])) == 0);
}

static bool
is_ascending(const struct storage_who *in)
{
	for (uint32_t i = 1; i < in->group_count; i++) {
		if (in->groups[i - 1] > in->groups[i])
			return false;
	}
	return true;
}

/* Bit n: a description has subject n. */
static void
mark(const struct storage *storage, uint64_t used[SUBJECTS_MAX / 64])
{
	const struct description *d;
	uint32_t index = 0;

	memset(used, 0, SUBJECTS_MAX / 8);
	while ((d = storage_next(storage, &index)) != NULL) {
		if (d->subject != NULL)
			used[d->subject->number / 64] |=
			    1ul << d->subject->number % 64;
	}
}

static unsigned
sweep(struct storage *storage)
{
	struct subjects *subjects = &storage->root->subjects;
	uint64_t used[SUBJECTS_MAX / 64];
	unsigned freed = 0;

	mark(storage, used);
	for (uint32_t i = 0; i < SUBJECTS_MAX && freed < SWEEP_AT_ONCE; i++) {
		if (subjects->at[i] == NULL ||
		    (used[i / 64] >> i % 64 & 1) != 0)
			continue;
		if (SAVE(storage, &subjects->at[i]) != 0 ||
		    arena_free(storage->arena, subjects->at[i]) != OK)
			return E_NOSPC;
		subjects->at[i] = NULL;
		freed++;
	}
	subjects->count -= freed;
	subjects->sweep_at = 2 * subjects->count > SWEEP_FIRST ?
	    2 * subjects->count : SWEEP_FIRST;
	return 0;
}

static struct subject *
find(const struct subjects *subjects, const struct storage_who *in,
    uint32_t *out_free)
{
	*out_free = SUBJECTS_MAX;
	for (uint32_t i = SUBJECTS_MAX; i-- > 0;) {
		if (subjects->at[i] == NULL)
			*out_free = i;
		else if (same(subjects->at[i], in))
			return subjects->at[i];
	}
	return NULL;
}

unsigned
subject_take(struct storage *storage, const struct storage_who *in,
    const struct subject **out_subject)
{
	struct subjects *subjects = &storage->root->subjects;
	size_t length = in->group_count * sizeof(in->groups[0]);
	struct subject *subject;
	uint32_t number;

	if (in->group_count > STORAGE_GROUPS_MAX || !is_ascending(in))
		return E_INVAL;
	*out_subject = subject = find(subjects, in, &number);
	if (subject != NULL)
		return 0;
	if (SAVE(storage, &subjects->count) != 0 ||
	    SAVE(storage, &subjects->sweep_at) != 0)
		return E_NOSPC;
	if (subjects->count >= subjects->sweep_at) {
		if (sweep(storage) != 0)
			return E_NOSPC;
		find(subjects, in, &number);
	}
	if (number == SUBJECTS_MAX)
		return E_NFILE;
	subject = arena_alloc(storage->arena, sizeof(*subject) + length);
	if (subject == NULL || SAVE(storage, &subjects->at[number]) != 0)
		return E_NOSPC;
	subject->ids = in->ids;
	subject->number = number;
	subject->group_count = in->group_count;
	subject->groups = length == 0 ? NULL :
	    memcpy(subject + 1, in->groups, length);
	subjects->at[number] = subject;
	subjects->count++;
	*out_subject = subject;
	return 0;
}

static bool
allows(const struct subject *who, const struct inode *inode, unsigned want)
{
	uint32_t mode = inode->mode;

	if (who->ids.uid == inode->uid)
		mode >>= 6;
	else if (subject_in_group(who, inode->gid))
		mode >>= 3;
	return (mode & want) == want;
}

/* What a privilege allows beyond the bits of the mode. */
static bool
overrides(const struct subject *who, const struct inode *inode, unsigned want)
{
	bool runs = (want & WANT_EXEC) == 0 || is_directory(inode) ||
	    (inode->mode & 0111) != 0;

	if (runs && subject_may(who, PRIVILEGE_DAC_OVERRIDE))
		return true;
	return subject_may(who, PRIVILEGE_DAC_READ_SEARCH) &&
	    (is_directory(inode) ? (want & WANT_WRITE) == 0 :
	    want == WANT_READ);
}

bool
subject_allows(const struct subject *who, const struct inode *inode,
    unsigned want)
{
	return overrides(who, inode, want) || allows(who, inode, want);
}

bool
subject_owns(const struct subject *who, const struct inode *inode)
{
	return who->ids.uid == inode->uid || subject_may(who, PRIVILEGE_FOWNER);
}

bool
subject_may_set_gid(const struct subject *who, uint32_t gid)
{
	return subject_in_group(who, gid) ||
	    subject_may(who, PRIVILEGE_FSETID);
}

uint32_t
inode_without_set_id(const struct subject *who, const struct inode *inode)
{
	uint32_t mode = inode->mode & ~MODE_SETUID;

	/* Without the right to execute it once meant something else. */
	if ((mode & MODE_GROUP_EXEC) == 0 && who != NULL &&
	    subject_may_set_gid(who, inode->gid))
		return mode;
	return mode & ~MODE_SETGID;
}

/*
 * A link in a folder like /tmp is followed only for its owner, or if it is the
 * folder's owner's: a program may be led no further than it looked.
 */
bool
subject_follows(const struct subject *who, const struct inode *directory,
    const struct inode *link)
{
	const uint32_t open = MODE_STICKY | 0002;

	return (directory->mode & open) != open || link->uid == who->ids.uid ||
	    link->uid == directory->uid;
}

/*
 * A second name for a file of somebody else keeps it there when the owner
 * thinks it is gone: only for what could be copied as well, and does not run
 * as its owner.
 */
bool
subject_may_link(const struct subject *who, const struct inode *inode)
{
	const uint32_t group = MODE_SETGID | MODE_GROUP_EXEC;

	if (subject_owns(who, inode))
		return true;
	return inode_kind(inode) == KIND_REGULAR &&
	    (inode->mode & MODE_SETUID) == 0 &&
	    (inode->mode & group) != group &&
	    subject_allows(who, inode, WANT_READ | WANT_WRITE);
}

unsigned
storage_attach(struct storage *storage, const struct storage_who *in,
    struct description **out_description)
{
	struct description base = { .top = storage->root->top };
	unsigned error = subject_take(storage, in, &base.subject);

	if (error == 0)
		error = description_create(storage, &base, base.top,
		    OPEN_READ | OPEN_DIRECTORY, out_description);
	/* It was saved whole. */
	if (error == 0)
		(*out_description)->attached = true;
	return error;
}

unsigned
storage_renounce(struct storage *storage, struct description *description)
{
	if (description->attached)
		return E_PERM;
	if (description->subject == NULL)
		return 0;
	if (SAVE(storage, &description->subject) != 0)
		return E_NOSPC;
	description->subject = NULL;
	return 0;
}

bool
storage_is_renounced(const struct description *description)
{
	return description->subject == NULL;
}

unsigned
storage_adopt(struct storage *storage, struct description *base,
    const struct description *place, struct description **out_description)
{
	if (base->subject == NULL)
		return E_KEYREVOKED;
	return description_create(storage, base, place->inode, OPEN_PATH,
	    out_description);
}
