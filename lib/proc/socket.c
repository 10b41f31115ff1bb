/* SPDX-License-Identifier: MIT */
/* Names, and connections that wait to be accepted. */
#include <lib/proc/socket.h>

#include <lib/base/string.h>
#include <lib/proc/state.h>

#define WORK_AT_ONCE	8u	/* connections or entries, four handles each */
#define AUTOMATIC_BITS	20u	/* five hexadecimal digits */

#define WAITING_OF(node) \
	((struct socket_waiting *)((char *)(node) - \
	    offsetof(struct socket_waiting, link)))
#define BOUND_OF(node) \
	((struct socket_bound *)((char *)(node) - \
	    offsetof(struct socket_bound, link)))

static int
hold_table(struct sockets *sockets)
{
	return from_status(tx_add(sockets->arena, sockets->table,
	    sizeof(*sockets->table)));
}

int
sockets_start(struct sockets *sockets, uint64_t seed)
{
	struct socket_table *table = sockets->table;
	struct arena *arena = sockets->arena;

	if (hold_table(sockets) != 0 ||
	    arena_tree_create(arena, seed, &table->by_name) != OK ||
	    arena_map_create(arena, &table->by_badge) != OK ||
	    arena_map_create(arena, &table->by_token) != OK ||
	    arena_list_init(arena, &table->parcels) != OK ||
	    arena_list_init(arena, &table->ending) != OK ||
	    arena_list_init(arena, &table->ending_parcels) != OK)
		return E_NOMEM;
	return 0;
}

int
sockets_resume(struct sockets *sockets)
{
	return from_status(TX_SET(sockets->arena, sockets->table->next_badge,
	    sockets->table->next_badge + 1));
}

/* -- names -- */

/*
 * A node is its key; what it was called when it was bound is only told. Each type
 * has abstract names of its own.
 */
static struct arena_key
key_of(const struct socket_name *name, uint32_t type,
    uint8_t buffer[SOCKETS_NAME_MAX + 1])
{
	uint32_t length = name->kind == SOCKETS_NODE ? SOCKETS_KEY_BYTES :
	    name->length;

	buffer[0] = name->kind == SOCKETS_NODE ? 0 : (uint8_t)type;
	memcpy(buffer + 1, name->bytes, length);
	return arena_key_bytes(buffer, length + 1);
}

static bool
name_valid(const struct socket_name *name)
{
	return name->length <= SOCKETS_NAME_MAX &&
	    (name->kind == SOCKETS_ABSTRACT || (name->kind == SOCKETS_NODE &&
	    name->length >= SOCKETS_KEY_BYTES));
}

static struct socket_bound *
find(const struct sockets *sockets, uint32_t type,
    const struct socket_name *name)
{
	uint8_t buffer[SOCKETS_NAME_MAX + 1];
	struct arena_tree_node *node = arena_tree_find(sockets->table->by_name,
	    key_of(name, type, buffer));

	return node == NULL ? NULL : arena_tree_value(node);
}

static void
automatic_name(uint64_t number, struct socket_name *out)
{
	out->kind = SOCKETS_ABSTRACT;
	out->length = AUTOMATIC_BITS / 4;
	for (unsigned i = 0; i < out->length; i++)
		out->bytes[out->length - 1 - i] =
		    (uint8_t)"0123456789abcdef"[number >> 4 * i & 15];
}

static int
choose_name(struct sockets *sockets, uint32_t type, struct socket_name *out,
    uint64_t *out_number)
{
	struct socket_table *table = sockets->table;

	/* Far fewer are bound than there are numbers. */
	do
		*out_number = table->next_number++ &
		    ((1ul << AUTOMATIC_BITS) - 1);
	while (automatic_name(*out_number, out),
	    find(sockets, type, out) != NULL);
	return 0;
}

static int
insert(struct sockets *sockets, struct socket_bound *bound)
{
	struct arena *arena = sockets->arena;
	uint8_t buffer[SOCKETS_NAME_MAX + 1];

	return from_status(arena_list_init(arena, &bound->waiting) != OK ||
	    arena_map_put(arena, sockets->table->by_badge, bound->badge,
	    bound) != OK || arena_tree_put(arena, sockets->table->by_name,
	    key_of(&bound->name, bound->type, buffer), bound) != OK ? ERR_NOMEM : OK);
}

int
sockets_bind(struct sockets *sockets, uint32_t type,
    const struct socket_name *name, const struct socket_caps *take_caps,
    struct socket_bound **out_bound, uint64_t *out_number)
{
	struct socket_table *table = sockets->table;
	struct socket_name own = *name;

	*out_number = 0;
	if (arena_map_count(table->by_badge) >= SOCKETS_BOUND_MAX)
		return E_NFILE;
	if (hold_table(sockets) != 0)
		return E_NOMEM;
	if (name->kind == SOCKETS_AUTOMATIC)
		choose_name(sockets, type, &own, out_number);
	if (!name_valid(&own))
		return E_INVAL;
	if (find(sockets, type, &own) != NULL)
		return E_ADDRINUSE;
	struct socket_bound *bound = arena_alloc(sockets->arena,
	    sizeof(*bound));
	if (bound == NULL)
		return E_NOMEM;
	bound->badge = table->next_badge++;
	bound->type = type;
	bound->name = own;
	bound->caps = *take_caps;
	*out_bound = bound;
	return insert(sockets, bound);
}

struct socket_bound *
sockets_bound(const struct sockets *sockets, uint64_t badge)
{
	return arena_map_get(sockets->table->by_badge, badge);
}

static void
drop_caps(struct sockets *sockets, const struct socket_caps *caps)
{
	const uint64_t each[] = { caps->memory, caps->note, caps->end,
		caps->watch };

	for (unsigned i = 0; i < 4; i++) {
		if (each[i] != 0)
			sockets->port->drop(sockets->context, each[i]);
	}
}

int
sockets_closed(struct sockets *sockets, struct socket_bound *bound)
{
	uint8_t buffer[SOCKETS_NAME_MAX + 1];
	struct arena *arena = sockets->arena;

	sockets->port->drop(sockets->context, bound->session);
	drop_caps(sockets, &bound->caps);
	if (arena_map_remove(arena, sockets->table->by_badge, bound->badge) !=
	    OK || arena_tree_remove(arena, sockets->table->by_name,
	    key_of(&bound->name, bound->type, buffer)) != OK)
		return E_NOMEM;
	if (bound->count == 0)
		return from_status(arena_free(arena, bound));
	return from_status(arena_list_append(arena, &sockets->table->ending,
	    &bound->link));
}

/* -- listening -- */

/* There is room for the next that is parked. bound is held. */
static int
answer_next(struct sockets *sockets, struct socket_bound *bound)
{
	for (struct arena_list *node = bound->waiting.next;
	    node != &bound->waiting; node = node->next) {
		struct socket_waiting *one = WAITING_OF(node);

		if (one->call.order == 0)
			continue;
		sockets->port->answer(sockets->context, one->call, 0,
		    &bound->who);
		if (tx_add(sockets->arena, &one->call, sizeof(one->call)) !=
		    OK || hold_table(sockets) != 0)
			return E_NOMEM;
		one->call.order = 0;
		sockets->table->parked--;
		bound->answered++;
		sockets->port->ready(sockets->context, bound);
		return 0;
	}
	return 0;
}

/* As many as one transaction surely can. bound is held. */
static int
answer_while_room(struct sockets *sockets, struct socket_bound *bound)
{
	int error = 0;

	for (unsigned i = 0; i < WORK_AT_ONCE && error == 0 &&
	    bound->answered != bound->count &&
	    bound->answered <= bound->backlog; i++)
		error = answer_next(sockets, bound);
	return error;
}

int
sockets_listen(struct sockets *sockets, struct socket_bound *bound,
    const struct socket_listen *in)
{
	if (bound->type == SOCKET_DATAGRAM)
		return E_NOTSUP;
	if (tx_add(sockets->arena, bound, sizeof(*bound)) != OK)
		return E_NOMEM;
	if (bound->caps.note != 0)
		sockets->port->drop(sockets->context, bound->caps.note);
	bound->caps.note = in->note;
	bound->who = in->who;
	bound->key[0] = in->key[0];
	bound->key[1] = in->key[1];
	bound->backlog = in->backlog < SOCKETS_BACKLOG_MAX ? in->backlog :
	    SOCKETS_BACKLOG_MAX;
	bound->listens = 1;
	return answer_while_room(sockets, bound);
}

int
sockets_find(const struct sockets *sockets, uint32_t type,
    const struct socket_name *name, struct socket_bound **out_bound)
{
	if (!name_valid(name))
		return E_INVAL;
	*out_bound = find(sockets, type, name);
	if (*out_bound == NULL)
		return E_CONNREFUSED;
	if ((*out_bound)->type != type)
		return E_PROTOTYPE;
	return type != SOCKET_DATAGRAM && !(*out_bound)->listens ?
	    E_CONNREFUSED : 0;
}

int
sockets_connect(struct sockets *sockets, const struct socket_connect *in,
    bool *out_parked)
{
	struct socket_bound *bound = in->bound;
	struct socket_table *table = sockets->table;
	/* Nobody overtakes who is parked. */
	bool full = bound->answered > bound->backlog ||
	    bound->answered != bound->count;

	*out_parked = full;
	if (full && !in->wait)
		return E_AGAIN;
	if (table->waiting >= SOCKETS_WAITING_MAX)
		return E_NFILE;
	struct socket_waiting *one = arena_alloc(sockets->arena,
	    sizeof(*one));
	if (one == NULL || hold_table(sockets) != 0 ||
	    tx_add(sockets->arena, bound, sizeof(*bound)) != OK ||
	    arena_list_append(sockets->arena, &bound->waiting, &one->link) !=
	    OK)
		return E_NOMEM;
	one->caps = in->caps;
	one->who = in->who;
	if (full) {
		one->call.reply = in->call.reply;
		one->call.order = in->call.order;
	}
	table->waiting++;
	table->parked += full;
	bound->count++;
	bound->answered += !full;
	if (!full)
		sockets->port->ready(sockets->context, bound);
	return 0;
}

/* Out of the list; its capabilities are the caller's. bound is held. */
static int
remove_waiting(struct sockets *sockets, struct socket_bound *bound,
    struct socket_waiting *one)
{
	struct socket_table *table = sockets->table;

	if (hold_table(sockets) != 0)
		return E_NOMEM;
	table->waiting--;
	bound->count--;
	if (one->call.order != 0)
		table->parked--;
	else
		bound->answered--;
	if (arena_list_remove(sockets->arena, &one->link) != OK)
		return E_NOMEM;
	return from_status(arena_free(sockets->arena, one));
}

int
sockets_accept(struct sockets *sockets, struct socket_bound *bound,
    struct socket_caps *out_caps, struct socket_who *out_who)
{
	if (!bound->listens)
		return E_INVAL;
	if (bound->answered == 0)
		return E_AGAIN;
	if (tx_add(sockets->arena, bound, sizeof(*bound)) != OK)
		return E_NOMEM;
	struct socket_waiting *first = WAITING_OF(bound->waiting.next);
	*out_caps = first->caps;
	*out_who = first->who;
	int error = remove_waiting(sockets, bound, first);
	return error != 0 ? error : answer_while_room(sockets, bound);
}

static struct socket_waiting *
find_parked(struct socket_bound *bound, struct proc_call call)
{
	for (struct arena_list *node = bound->waiting.next;
	    node != &bound->waiting; node = node->next) {
		struct socket_waiting *one = WAITING_OF(node);
		if (one->call.order == call.order &&
		    one->call.reply == call.reply)
			return one;
	}
	return NULL;
}

static int
cancel_at(struct sockets *sockets, struct socket_bound *bound,
    struct proc_call call, bool *out_found)
{
	struct socket_waiting *one = find_parked(bound, call);

	if (one == NULL)
		return 0;
	*out_found = true;
	if (tx_add(sockets->arena, bound, sizeof(*bound)) != OK)
		return E_NOMEM;
	sockets->port->answer(sockets->context, call, E_INTR, NULL);
	drop_caps(sockets, &one->caps);
	return remove_waiting(sockets, bound, one);
}

/* Parked connects are rare: who has none costs one look. */
int
sockets_cancel(struct sockets *sockets, struct proc_call call,
    bool *out_found)
{
	struct arena_tree *names = sockets->table->by_name;
	struct arena_list *ending = &sockets->table->ending;
	int error = 0;

	*out_found = false;
	if (sockets->table->parked == 0)
		return 0;
	for (struct arena_tree_node *n = arena_tree_first(names);
	    n != NULL && !*out_found && error == 0;
	    n = arena_tree_after(names, arena_tree_key(n)))
		error = cancel_at(sockets, arena_tree_value(n), call,
		    out_found);
	for (struct arena_list *node = ending->next;
	    node != ending && !*out_found && error == 0; node = node->next)
		error = cancel_at(sockets, BOUND_OF(node), call, out_found);
	return error;
}

/* -- endings -- */

static int
end_waiting(struct sockets *sockets, struct socket_bound *bound)
{
	struct socket_waiting *first = WAITING_OF(bound->waiting.next);

	if (first->call.order != 0)
		sockets->port->answer(sockets->context, first->call,
		    E_CONNREFUSED, NULL);
	drop_caps(sockets, &first->caps);
	return remove_waiting(sockets, bound, first);
}

static int
end_bound(struct sockets *sockets, struct socket_bound *bound)
{
	int error = from_status(tx_add(sockets->arena, bound, sizeof(*bound)));

	for (unsigned i = 0; i < WORK_AT_ONCE && bound->count > 0 &&
	    error == 0; i++)
		error = end_waiting(sockets, bound);
	if (error != 0 || bound->count > 0)
		return error;
	if (arena_list_remove(sockets->arena, &bound->link) != OK)
		return E_NOMEM;
	return from_status(arena_free(sockets->arena, bound));
}

bool
sockets_has_work(const struct sockets *sockets)
{
	const struct socket_table *table = sockets->table;

	return table->ending.next != &table->ending ||
	    table->ending_parcels.next != &table->ending_parcels;
}

int
sockets_work(struct sockets *sockets)
{
	struct socket_table *table = sockets->table;

	if (table->ending.next != &table->ending)
		return end_bound(sockets, BOUND_OF(table->ending.next));
	return parcels_work(sockets, WORK_AT_ONCE);
}

/* -- all is well -- */

static bool
bound_ok(const struct sockets *sockets, const struct socket_bound *bound,
    uint32_t *waiting, uint32_t *parked)
{
	uint32_t count = 0, answered = 0;
	bool behind = false;

	if (!arena_list_ok(&bound->waiting, SOCKETS_WAITING_MAX + 1))
		return false;
	for (struct arena_list *node = bound->waiting.next;
	    node != &bound->waiting; node = node->next) {
		const struct socket_waiting *one = WAITING_OF(node);
		count++;
		answered += one->call.order == 0;
		/* Who is parked stands behind those who were answered. */
		if (one->call.order == 0 && behind)
			return false;
		behind = one->call.order != 0;
	}
	*waiting += count;
	*parked += count - answered;
	return count == bound->count && answered == bound->answered;
}

bool
sockets_ok(const struct sockets *sockets)
{
	const struct socket_table *table = sockets->table;
	uint32_t waiting = 0, parked = 0;
	uint64_t names = 0;

	if (!arena_tree_ok(table->by_name) || !arena_map_ok(table->by_badge) ||
	    !arena_list_ok(&table->ending, SOCKETS_BOUND_MAX * 2))
		return false;
	for (struct arena_tree_node *n = arena_tree_first(table->by_name);
	    n != NULL; n = arena_tree_after(table->by_name,
	    arena_tree_key(n))) {
		const struct socket_bound *bound = arena_tree_value(n);
		names++;
		if (sockets_bound(sockets, bound->badge) != bound ||
		    !bound_ok(sockets, bound, &waiting, &parked))
			return false;
	}
	for (const struct arena_list *node = table->ending.next;
	    node != &table->ending; node = node->next) {
		if (!bound_ok(sockets, BOUND_OF(node), &waiting, &parked))
			return false;
	}
	return names == arena_map_count(table->by_badge) &&
	    waiting == table->waiting && parked == table->parked &&
	    parcels_ok(sockets);
}
