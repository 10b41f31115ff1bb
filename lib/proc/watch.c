/* SPDX-License-Identifier: MIT */
/*
 * Watches: which notifications to signal when an object named by a key changes.
 *
 *	table -- watched (by key) -- watch -- watcher (by badge) -- table
 *
 * Keys are random, so nobody chooses where they go in the map; two with the same
 * first half are told apart by being refused. A watcher with a name is an object
 * itself: who is woken wakes those that watch its name, a few steps deep.
 * A wake changes nothing here but the turn of exclusive watches.
 */
#include <lib/proc/proc.h>

#include <lib/proc/state.h>

#define NESTED_MAX	5u	/* names of names */
#define SIGNALS_MAX	4096u	/* in one wake; more are left out */

#define OF(node, type, member) \
	((type *)((char *)(node) - offsetof(type, member)))

#define FOR_EACH(head, type, member, each) \
	for (type *each = OF((head)->next, type, member); \
	    &each->member != (head); \
	    each = OF(each->member.next, type, member))

static struct proc_watched *
watched_find(const struct proc *proc, const uint64_t key[2])
{
	struct proc_watched *watched = arena_map_get(proc->table->watched,
	    key[0]);

	return watched != NULL && watched->key[1] == key[1] ? watched : NULL;
}

/* -- watchers -- */

struct proc_watcher *
proc_watcher_find(const struct proc *proc, uint64_t badge)
{
	return arena_map_get(proc->table->watchers, badge);
}

int
proc_watcher_create(struct proc *proc, struct process *process,
    uint64_t badge, struct proc_watcher **out_watcher)
{
	struct arena *arena = proc->arena;
	struct proc_table *table = proc->table;

	if (process->watchers >= PROC_WATCHERS_OWN ||
	    arena_map_count(table->watchers) >= PROC_WATCHERS_MAX)
		return E_NFILE;
	struct proc_watcher *watcher = arena_alloc(arena, sizeof(*watcher));
	if (watcher == NULL || process_hold(proc, process) != 0 ||
	    arena_list_init(arena, &watcher->watches) != OK ||
	    arena_list_append(arena, &table->all_watchers,
	    &watcher->all) != OK)
		return E_NOMEM;
	watcher->badge = badge;
	watcher->pid = process->pid;
	process->watchers++;
	*out_watcher = watcher;
	return from_status(arena_map_put(arena, table->watchers, badge,
	    watcher));
}

/* Of whom made it, if that still is in the table. */
static int
count_down(struct proc *proc, const struct proc_watcher *watcher)
{
	struct process *process = proc_find(proc, watcher->pid);

	if (process == NULL || process->watchers == 0)
		return 0;
	if (process_hold(proc, process) != 0)
		return E_NOMEM;
	process->watchers--;
	return 0;
}

static int
watch_free(struct proc *proc, struct proc_watch *watch)
{
	struct arena *arena = proc->arena;
	struct proc_watched *watched = watch->watched;
	struct proc_table *table = proc->table;

	if (tx_add(arena, watch->watcher, sizeof(*watch->watcher)) != OK ||
	    tx_add(arena, table, sizeof(*table)) != OK ||
	    arena_list_remove(arena, &watch->of_watcher) != OK ||
	    arena_list_remove(arena, &watch->of_key) != OK)
		return E_NOMEM;
	watch->watcher->count--;
	table->watches--;
	if (arena_free(arena, watch) != OK)
		return E_NOMEM;
	if (watched->watches.next != &watched->watches)
		return 0;
	if (arena_map_remove(arena, table->watched, watched->key[0]) != OK)
		return E_NOMEM;
	return from_status(arena_free(arena, watched));
}

int
proc_watcher_end(struct proc *proc, struct proc_watcher *watcher)
{
	struct arena *arena = proc->arena;

	while (watcher->watches.next != &watcher->watches) {
		if (watch_free(proc, OF(watcher->watches.next,
		    struct proc_watch, of_watcher)) != 0)
			return E_NOMEM;
	}
	if (count_down(proc, watcher) != 0 ||
	    arena_list_remove(arena, &watcher->all) != OK ||
	    arena_map_remove(arena, proc->table->watchers,
	    watcher->badge) != OK)
		return E_NOMEM;
	return from_status(arena_free(arena, watcher));
}

int
proc_watcher_name(struct proc *proc, struct proc_watcher *watcher,
    const uint64_t name[2])
{
	if (tx_add(proc->arena, watcher, sizeof(*watcher)) != OK)
		return E_NOMEM;
	watcher->name[0] = name[0];
	watcher->name[1] = name[1];
	return 0;
}

/* -- watches -- */

static struct proc_watch *
watch_find(const struct proc_watcher *watcher,
    const struct proc_watched *watched, const struct proc_watch_name *name)
{
	FOR_EACH(&watched->watches, struct proc_watch, of_key, watch) {
		if (watch->watcher == watcher && watch->bits == name->bits &&
		    (watch->exclusive != 0) == name->exclusive)
			return watch;
	}
	return NULL;
}

/* Finds it, or makes it: the caller's watch comes next. */
static int
watched_get(struct proc *proc, const uint64_t key[2],
    struct proc_watched **out_watched)
{
	struct arena *arena = proc->arena;
	struct proc_watched *watched = arena_map_get(proc->table->watched,
	    key[0]);

	*out_watched = watched;
	if (watched != NULL)
		return watched->key[1] == key[1] ? 0 : E_PERM;
	watched = arena_alloc(arena, sizeof(*watched));
	if (watched == NULL ||
	    arena_list_init(arena, &watched->watches) != OK)
		return E_NOMEM;
	watched->key[0] = key[0];
	watched->key[1] = key[1];
	*out_watched = watched;
	return from_status(arena_map_put(arena, proc->table->watched, key[0],
	    watched));
}

static int
watch_new(struct proc *proc, struct proc_watcher *watcher,
    const struct proc_watch_name *name)
{
	struct arena *arena = proc->arena;
	struct proc_table *table = proc->table;
	struct proc_watched *watched;
	int error = watched_get(proc, name->key, &watched);

	if (error != 0)
		return error;
	struct proc_watch *watch = arena_alloc(arena, sizeof(*watch));
	if (watch == NULL || tx_add(arena, watcher, sizeof(*watcher)) != OK ||
	    tx_add(arena, table, sizeof(*table)) != OK)
		return E_NOMEM;
	watch->watcher = watcher;
	watch->watched = watched;
	watch->bits = name->bits;
	watch->exclusive = name->exclusive;
	watch->count = 1;
	watcher->count++;
	table->watches++;
	if (arena_list_append(arena, &watcher->watches,
	    &watch->of_watcher) != OK)
		return E_NOMEM;
	return from_status(arena_list_append(arena, &watched->watches,
	    &watch->of_key));
}

int
proc_watch_add(struct proc *proc, struct proc_watcher *watcher,
    const struct proc_watch_name *name)
{
	const struct proc_watched *watched = watched_find(proc, name->key);
	struct proc_watch *watch;

	if (name->bits == 0 || name->key[0] == 0)
		return E_INVAL;
	watch = watched == NULL ? NULL : watch_find(watcher, watched, name);
	if (watch != NULL)
		return watch->count == UINT32_MAX ? E_NOSPC :
		    from_status(TX_SET(proc->arena, watch->count,
		    watch->count + 1));
	if (watcher->count >= PROC_WATCHES_OWN ||
	    proc->table->watches >= PROC_WATCHES_MAX)
		return E_NOSPC;
	return watch_new(proc, watcher, name);
}

int
proc_watch_remove(struct proc *proc, struct proc_watcher *watcher,
    const struct proc_watch_name *name)
{
	const struct proc_watched *watched = watched_find(proc, name->key);
	struct proc_watch *watch = watched == NULL ? NULL :
	    watch_find(watcher, watched, name);

	if (watch == NULL)
		return E_NOENT;
	if (watch->count > 1)
		return from_status(TX_SET(proc->arena, watch->count,
		    watch->count - 1));
	return watch_free(proc, watch);
}

/* -- waking -- */

struct waking {
	struct proc *proc;
	unsigned signals;	/* so far */
	bool	 left;
};

static int wake_key(struct waking *waking, const uint64_t key[2],
    unsigned depth);

static int
wake_watch(struct waking *waking, const struct proc_watch *watch,
    unsigned depth)
{
	const struct proc *proc = waking->proc;
	const struct proc_watcher *watcher = watch->watcher;

	waking->signals++;
	proc->signal(proc->context, watcher->notification, watch->bits);
	return watcher->name[0] == 0 || depth == NESTED_MAX ? 0 :
	    wake_key(waking, watcher->name, depth + 1);
}

/* Those that are woken in turn: this one comes last the next time. */
static int
turn(struct proc *proc, struct proc_watch *watch)
{
	struct arena_list *head = &watch->watched->watches;

	if (watch->of_key.next == head)
		return 0;
	if (arena_list_remove(proc->arena, &watch->of_key) != OK)
		return E_NOMEM;
	return from_status(arena_list_append(proc->arena, head,
	    &watch->of_key));
}

static int
wake_key(struct waking *waking, const uint64_t key[2], unsigned depth)
{
	struct proc_watched *watched = watched_find(waking->proc, key);
	struct proc_watch *chosen = NULL;

	if (watched == NULL)
		return 0;
	FOR_EACH(&watched->watches, struct proc_watch, of_key, watch) {
		if (watch->exclusive && chosen != NULL) {
			waking->left = true;
			continue;
		}
		if (waking->signals >= SIGNALS_MAX)
			break;
		if (watch->exclusive)
			chosen = watch;
		if (wake_watch(waking, watch, depth) != 0)
			return E_NOMEM;
	}
	return chosen == NULL ? 0 : turn(waking->proc, chosen);
}

int
proc_wake(struct proc *proc, const uint64_t key[2], bool *out_left)
{
	struct waking waking = { .proc = proc };
	int error = wake_key(&waking, key, 0);

	*out_left = waking.left;
	return error;
}

void
proc_wake_all(const struct proc *proc)
{
	FOR_EACH(&proc->table->all_watchers, struct proc_watcher, all, watcher)
		proc->signal(proc->context, watcher->notification,
		    WATCHER_BIT_LOOK);
}

/* -- the check -- */

static bool
watcher_ok(const struct proc *proc, const struct proc_watcher *watcher)
{
	uint32_t count = 0;

	if (proc_watcher_find(proc, watcher->badge) != watcher)
		return false;
	FOR_EACH(&watcher->watches, struct proc_watch, of_watcher, watch) {
		if (watch->watcher != watcher || watch->bits == 0 ||
		    watch->count == 0 || watched_find(proc,
		    watch->watched->key) != watch->watched ||
		    watch->of_key.next->prev != &watch->of_key)
			return false;
		count++;
	}
	return count == watcher->count;
}

bool
watches_ok(const struct proc *proc)
{
	const struct proc_table *table = proc->table;
	uint32_t watchers = 0, watches = 0;

	FOR_EACH(&table->all_watchers, struct proc_watcher, all, watcher) {
		if (!watcher_ok(proc, watcher))
			return false;
		watchers++;
		watches += watcher->count;
	}
	return watches == table->watches &&
	    watchers == arena_map_count(table->watchers) &&
	    arena_map_count(table->watched) <= watches;
}
