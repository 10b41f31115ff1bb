/* SPDX-License-Identifier: MIT */
/*
 * Arena: memory that outlives its process, changed only in transactions.
 *
 * An arena is one contiguous region, mapped at the same address in every
 * incarnation, so pointers inside it stay valid. A transaction saves the old
 * content of every range it is about to change (tx_add) in an undo log inside
 * the arena. The commit is one aligned 8-byte store that empties the log; a
 * crash before it is undone by arena_open, a crash after it changes nothing.
 *
 * One thread writes an arena. Outside transactions it is read-only, by the
 * protection callbacks: with protection keys begin/end open and close it as a
 * whole; with page protection expose() opens just the pages of a tx_add, and the
 * tables (arena_tables) are always writable.
 *
 * Running out of log or heap makes the transaction fail: tx_add and
 * arena_alloc return an error, the caller aborts. Misuse (tx_add outside a
 * transaction, a foreign pointer) is a broken invariant: it panics through the
 * fail callback.
 */
#pragma once

#include <abi/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct arena_environment {
	/* Any of the three may be NULL: no protection. */
	void (*open_all)(void *context);
	void (*close_all)(void *context);
	void (*expose)(void *context, void *start, size_t length);
	void *context;
	/*
	 * An arena made with it has sums over its pages, which tell damage from
	 * outside; asked only then.
	 */
	bool sums;
	/* Must not return. */
	void (*fail)(const char *reason);
};

/*
 * Prepares the region: an all-zero one becomes an empty arena (root NULL), an
 * existing one is rolled back if a transaction was open. ERR_CORRUPT when the
 * header makes no sense or a page of the interrupted transaction is damaged,
 * ERR_RANGE when size differs from the first time. arena_open itself runs with
 * the region writable.
 */
status_t arena_open(void *base, size_t size, uint64_t layout_version,
    const struct arena_environment *environment, struct arena **out_arena);
/*
 * Log and tables, whole pages. With page protection the environment keeps them
 * writable: stray writes to them are harmless or found, and each transaction
 * writes them.
 */
void arena_tables(const struct arena *arena, void **out_start,
    size_t *out_length);
uint64_t arena_layout_version(const struct arena *arena);
/* In the transaction that makes the arena's content what the version says. */
status_t arena_set_layout_version(struct arena *arena, uint64_t version);

void tx_begin(struct arena *arena);
/* Saves [pointer, pointer + length) and makes it writable until the end. */
status_t tx_add(struct arena *arena, void *pointer, size_t length);
/*
 * The same for memory that nothing refers to unless this transaction commits:
 * its content may be zeroed, or stay what it was.
 */
status_t tx_unused(struct arena *arena, void *pointer, size_t length);
/*
 * In the transaction that allocated the memory, for the whole pages of it: what
 * is written with tx_unused there is neither saved nor summed. For what each
 * request writes anew. One range per arena.
 */
status_t arena_set_plain(struct arena *arena, void *pointer, size_t length);
void tx_commit(struct arena *arena);
void tx_abort(struct arena *arena);
bool tx_is_open(const struct arena *arena);
/*
 * A transaction inside the transaction: tx_rollback_to undoes what came after
 * the savepoint, which stays valid; later ones do not. Savepoints may nest.
 * After the first one large allocations may need log space of their size.
 */
uint64_t tx_savepoint(struct arena *arena);
void tx_rollback_to(struct arena *arena, uint64_t savepoint);

/* Inside a transaction. Memory is zeroed, 16-byte aligned and already added. */
void *arena_alloc(struct arena *arena, size_t size);
status_t arena_free(struct arena *arena, void *pointer);
/* The service's root structure. */
void *arena_root(const struct arena *arena);
status_t arena_set_root(struct arena *arena, void *root);
size_t arena_bytes_used(const struct arena *arena);
/*
 * Walks header, log and heap, and compares all pages with their sums; true if
 * all is consistent.
 */
bool arena_ok(const struct arena *arena);
/*
 * The same in steps of bounded length between transactions, for the background:
 * starts with *position 0; *out_done: one round is over. ERR_CORRUPT: the arena
 * is damaged.
 */
status_t arena_check_step(struct arena *arena, uint64_t *position,
    bool *out_done);
/* Number of committed transactions. */
uint64_t arena_commits(const struct arena *arena);

/* Shorthand: save a field, then set it. */
#define TX_SET(arena, field, value) \
	(tx_add((arena), &(field), sizeof(field)) == OK ? \
	    ((field) = (value), OK) : ERR_NOMEM)

/* Doubly linked list of arena structures, heads and nodes in the arena. */
struct arena_list {
	struct arena_list *next, *prev;
};
status_t arena_list_init(struct arena *arena, struct arena_list *head);
status_t arena_list_append(struct arena *arena, struct arena_list *head,
    struct arena_list *node);
status_t arena_list_remove(struct arena *arena, struct arena_list *node);
/* Walks it; false also if it has `limit` nodes or more. */
bool arena_list_ok(const struct arena_list *head, uint64_t limit);

/* Hash map from 64-bit keys to pointers; grows inside transactions. */
struct arena_map;
status_t arena_map_create(struct arena *arena, struct arena_map **out_map);
void *arena_map_get(const struct arena_map *map, uint64_t key);
/* ERR_EXIST if the key is there. */
status_t arena_map_put(struct arena *arena, struct arena_map *map, uint64_t key,
    void *value);
status_t arena_map_remove(struct arena *arena, struct arena_map *map,
    uint64_t key);
uint64_t arena_map_count(const struct arena_map *map);
bool arena_map_ok(const struct arena_map *map);
