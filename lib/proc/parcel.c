/* SPDX-License-Identifier: MIT */
/*
 * Parcels: open files and credentials between two processes. Whoever knows the
 * token, which travels with the bytes, may have copies of what is in one.
 *
 * A parcel is dropped by who got it. If the receiving socket is gone first, it
 * is dropped here: each names the pair of the receiver's end. A socket may lie
 * in a parcel itself, even in one that is on the way to it. So a parcel is
 * reachable if a process has the receiver's end, or a reachable parcel has it;
 * the others are dropped. A connection that waits to be accepted counts as held.
 */
#include <lib/proc/socket.h>

#include <lib/base/string.h>
#include <lib/proc/state.h>

#define PARCEL_OF(node) \
	((struct socket_parcel *)((char *)(node) - \
	    offsetof(struct socket_parcel, all)))
#define ENTRY_OF(node) \
	((struct socket_entry *)((char *)(node) - \
	    offsetof(struct socket_entry, link)))

#define FOR_EACH_PARCEL(table, each) \
	for (struct socket_parcel *each = PARCEL_OF((table)->parcels.next); \
	    &each->all != &(table)->parcels; \
	    each = PARCEL_OF(each->all.next))

#define FOR_EACH_ENTRY(parcel, each) \
	for (struct socket_entry *each = ENTRY_OF((parcel)->entries.next); \
	    &each->link != &(parcel)->entries; \
	    each = ENTRY_OF(each->link.next))

int
sockets_pack(struct sockets *sockets, const uint64_t token[2],
    const struct socket_who *who, uint64_t take_watch, uint64_t receiver)
{
	struct socket_table *table = sockets->table;
	struct arena *arena = sockets->arena;

	if (table->parcel_count >= SOCKETS_PARCELS_MAX ||
	    arena_map_get(table->by_token, token[0]) != NULL)
		return E_TOOMANYREFS;
	struct socket_parcel *parcel = arena_alloc(arena, sizeof(*parcel));
	if (parcel == NULL ||
	    tx_add(arena, table, sizeof(*table)) != OK ||
	    arena_list_init(arena, &parcel->entries) != OK ||
	    arena_list_append(arena, &table->parcels, &parcel->all) != OK ||
	    arena_map_put(arena, table->by_token, token[0], parcel) != OK)
		return E_NOMEM;
	table->parcel_count++;
	parcel->token[0] = token[0];
	parcel->token[1] = token[1];
	parcel->who = *who;
	parcel->watch = take_watch;
	parcel->receiver = receiver;
	return 0;
}

struct socket_parcel *
sockets_parcel(const struct sockets *sockets, const uint64_t token[2])
{
	struct socket_parcel *parcel = arena_map_get(sockets->table->by_token,
	    token[0]);

	return parcel != NULL && parcel->token[1] == token[1] ? parcel : NULL;
}

int
sockets_add(struct sockets *sockets, struct socket_parcel *parcel,
    const struct socket_entry *entry)
{
	struct socket_table *table = sockets->table;
	struct arena *arena = sockets->arena;

	if (table->entries >= SOCKETS_ENTRIES_ALL ||
	    parcel->count >= 2 * SOCKETS_ENTRIES_MAX)
		return E_TOOMANYREFS;
	struct socket_entry *copy = arena_alloc(arena, sizeof(*copy));
	if (copy == NULL || tx_add(arena, table, sizeof(*table)) != OK ||
	    tx_add(arena, parcel, sizeof(*parcel)) != OK)
		return E_NOMEM;
	*copy = *entry;
	if (arena_list_append(arena, &parcel->entries, &copy->link) != OK)
		return E_NOMEM;
	parcel->count++;
	table->entries++;
	return 0;
}

struct socket_entry *
sockets_entry(const struct socket_parcel *parcel, uint32_t index)
{
	FOR_EACH_ENTRY(parcel, entry) {
		if (index-- == 0)
			return entry;
	}
	return NULL;
}

int
sockets_drop(struct sockets *sockets, struct socket_parcel *parcel)
{
	struct socket_table *table = sockets->table;
	struct arena *arena = sockets->arena;

	if (tx_add(arena, table, sizeof(*table)) != OK ||
	    arena_map_remove(arena, table->by_token, parcel->token[0]) != OK ||
	    arena_list_remove(arena, &parcel->all) != OK ||
	    arena_list_append(arena, &table->ending_parcels, &parcel->all) !=
	    OK)
		return E_NOMEM;
	table->parcel_count--;
	return 0;
}

/* -- endings -- */

static int
end_entry(struct sockets *sockets, struct socket_parcel *parcel)
{
	struct socket_entry *entry = ENTRY_OF(parcel->entries.next);

	for (unsigned i = 0; i < entry->count; i++)
		sockets->port->drop(sockets->context, entry->cap[i]);
	sockets->table->entries--;
	parcel->count--;
	if (arena_list_remove(sockets->arena, &entry->link) != OK)
		return E_NOMEM;
	return from_status(arena_free(sockets->arena, entry));
}

int
parcels_work(struct sockets *sockets, unsigned most)
{
	struct socket_table *table = sockets->table;
	struct arena *arena = sockets->arena;

	if (table->ending_parcels.next == &table->ending_parcels)
		return 0;
	struct socket_parcel *parcel = PARCEL_OF(table->ending_parcels.next);
	int error = from_status(tx_add(arena, table, sizeof(*table)) != OK ||
	    tx_add(arena, parcel, sizeof(*parcel)) != OK ? ERR_NOMEM : OK);
	for (; most > 0 && parcel->count > 0 && error == 0; most--)
		error = end_entry(sockets, parcel);
	if (error != 0 || parcel->count > 0)
		return error;
	if (parcel->watch != 0)
		sockets->port->drop(sockets->context, parcel->watch);
	if (arena_list_remove(arena, &parcel->all) != OK)
		return E_NOMEM;
	return from_status(arena_free(arena, parcel));
}

/* -- collecting -- */

static bool
contains(const struct socket_parcel *parcel, uint64_t end)
{
	FOR_EACH_ENTRY(parcel, entry) {
		for (unsigned i = 0; i < entry->count; i++) {
			if (entry->end[i] == end)
				return true;
		}
	}
	return false;
}

/* Its receiver lies in a parcel, perhaps nowhere else. */
static bool
in_doubt(const struct socket_table *table, const struct socket_parcel *parcel)
{
	if (parcel->receiver == 0)
		return false;
	FOR_EACH_PARCEL(table, other) {
		if (contains(other, parcel->receiver))
			return true;
	}
	return false;
}

static bool
held_by_a_reached_one(const struct socket_table *table,
    const struct socket_parcel *parcel)
{
	FOR_EACH_PARCEL(table, other) {
		if (other->reached && contains(other, parcel->receiver))
			return true;
	}
	return false;
}

static int
set_reached(struct sockets *sockets, struct socket_parcel *parcel,
    uint32_t reached)
{
	return from_status(TX_SET(sockets->arena, parcel->reached, reached));
}

/* What processes hold, and what these hold, until nothing is new. */
static int
reach(struct sockets *sockets, uint32_t *out_unreached)
{
	const struct socket_table *table = sockets->table;
	bool more = true;
	int error = 0;

	*out_unreached = 0;
	FOR_EACH_PARCEL(table, parcel) {
		bool held = !in_doubt(table, parcel) || sockets->port->held(
		    sockets->context, parcel->receiver);
		if (error == 0)
			error = set_reached(sockets, parcel, held);
		*out_unreached += !held;
	}
	while (more && error == 0 && *out_unreached > 0) {
		more = false;
		FOR_EACH_PARCEL(table, parcel) {
			if (parcel->reached ||
			    !held_by_a_reached_one(table, parcel))
				continue;
			if (error == 0)
				error = set_reached(sockets, parcel, 1);
			more = true;
			--*out_unreached;
		}
	}
	return error;
}

int
sockets_collect(struct sockets *sockets)
{
	struct socket_table *table = sockets->table;
	struct arena_list *node, *next;
	uint32_t unreached;
	int error = 0;

	for (node = table->parcels.next; node != &table->parcels &&
	    error == 0; node = next) {
		struct socket_parcel *parcel = PARCEL_OF(node);
		next = node->next;
		if (parcel->watch != 0 && sockets->port->gone(
		    sockets->context, parcel->watch))
			error = sockets_drop(sockets, parcel);
	}
	if (error == 0)
		error = reach(sockets, &unreached);
	if (error != 0 || unreached == 0)
		return error;
	for (node = table->parcels.next; node != &table->parcels &&
	    error == 0; node = next) {
		next = node->next;
		if (!PARCEL_OF(node)->reached)
			error = sockets_drop(sockets, PARCEL_OF(node));
	}
	return error;
}

bool
parcels_ok(const struct sockets *sockets)
{
	const struct socket_table *table = sockets->table;
	uint32_t parcels = 0, entries = 0;

	if (!arena_list_ok(&table->parcels, SOCKETS_PARCELS_MAX + 1) ||
	    !arena_map_ok(table->by_token))
		return false;
	FOR_EACH_PARCEL(table, parcel) {
		uint32_t count = 0;
		FOR_EACH_ENTRY(parcel, entry)
			count++;
		if (count != parcel->count ||
		    sockets_parcel(sockets, parcel->token) != parcel)
			return false;
		entries += count;
		parcels++;
	}
	for (const struct arena_list *node = table->ending_parcels.next;
	    node != &table->ending_parcels; node = node->next)
		entries += PARCEL_OF(node)->count;
	return parcels == table->parcel_count && entries == table->entries &&
	    parcels == arena_map_count(table->by_token);
}
