/* SPDX-License-Identifier: MIT */
/*
 * Laws of capability tables, against a reference model: a plain array of nodes
 * that knows for every capability its table, rights, trust, badge and parent,
 * and computes what must be left by walking parents.
 */
#include <kernel/arch/host/host.h>
#include <kernel/core/frame.h>
#include <kernel/object/container.h>
#include <kernel/object/endpoint.h>
#include <kernel/object/eventpair.h>
#include <kernel/object/table.h>
#include <lib/test/ktap.h>

#define RAM		(128ul << 20)
#define TABLES		4u
#define OBJECTS		8u
#define NODES		320u
#define STEPS		1000000u
#define SLOTS		256u

struct node {
	bool	 live;
	unsigned table;
	cap_t	 cap;
	unsigned object;
	unsigned type, rights, trust;
	uint64_t badge;
	int	 parent;		/* node or -1 */
};

static uint64_t random_state = 88172645463325252ul;
static struct table *tables[TABLES];
static struct object *objects[OBJECTS];
static struct node nodes[NODES];
static int by_slot[TABLES][SLOTS];	/* node in that slot or -1 */
static unsigned live_nodes;

static uint64_t
random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void
reap_all(void)
{
	while (object_reap_step())
		;
}

static int
free_node(void)
{
	for (unsigned i = 0; i < NODES; i++)
		if (!nodes[i].live)
			return (int)i;
	return -1;
}

static int
random_node(void)
{
	for (unsigned tries = 0; tries < 64 && live_nodes > 0; tries++) {
		unsigned i = (unsigned)(random_next() % NODES);
		if (nodes[i].live)
			return (int)i;
	}
	return -1;
}

static void
model_add(unsigned table, cap_t cap, struct node template)
{
	int i = free_node();

	if (i < 0)
		return;
	nodes[i] = template;
	nodes[i].live = true;
	nodes[i].table = table;
	nodes[i].cap = cap;
	by_slot[table][CAP_INDEX(cap)] = i;
	live_nodes++;
}

static void
model_remove(int i)
{
	for (unsigned c = 0; c < NODES; c++)
		if (nodes[c].live && nodes[c].parent == i)
			nodes[c].parent = nodes[i].parent;
	by_slot[nodes[i].table][CAP_INDEX(nodes[i].cap)] = -1;
	nodes[i].live = false;
	live_nodes--;
}

static bool
descends(int node, int ancestor)
{
	for (int p = nodes[node].parent; p >= 0; p = nodes[p].parent)
		if (p == ancestor)
			return true;
	return false;
}

static void
model_revoke(int ancestor)
{
	static bool doomed[NODES];

	for (unsigned i = 0; i < NODES; i++)
		doomed[i] = nodes[i].live && descends((int)i, ancestor);
	for (unsigned i = 0; i < NODES; i++)
		if (doomed[i])
			model_remove((int)i);
}

static void
check_node(int i)
{
	struct cap cap = { 0 };
	const struct node *n = &nodes[i];

	EXPECT_EQ(table_lookup(tables[n->table], n->cap, &cap), OK);
	EXPECT(cap.object == objects[n->object]);
	EXPECT_EQ(META_TYPE(cap.meta), n->type);
	EXPECT_EQ(META_RIGHTS(cap.meta), n->rights);
	EXPECT_EQ(META_TRUST(cap.meta), n->trust);
	EXPECT_EQ(cap.badge, n->badge);
}

static void
step_root(void)
{
	unsigned table = (unsigned)(random_next() % TABLES);
	unsigned object = (unsigned)(random_next() % OBJECTS);
	cap_t cap;

	if (live_nodes > NODES / 8)
		return;
	if (table_insert_new(tables[table], CAP_ANY_SLOT, objects[object],
	    OBJ_ENDPOINT, &cap) != OK)
		return;
	model_add(table, cap, (struct node){ .object = object,
	    .type = OBJ_ENDPOINT, .rights = RIGHT_ALL, .trust = TRUST_MAX,
	    .parent = -1 });
}

static void
step_copy(void)
{
	int from = random_node();
	unsigned to = (unsigned)(random_next() % TABLES);
	unsigned rights = (unsigned)(random_next() & 0xff) |
	    (random_next() % 8 != 0 ? RIGHT_COPY : 0);
	unsigned trust = (unsigned)(random_next() & 0xf);
	uint64_t badge = random_next() % 3;
	uint64_t at = random_next() % 4 == 0 ? random_next() % SLOTS :
	    CAP_ANY_SLOT;
	cap_t cap = 0;

	if (from < 0 || live_nodes >= NODES - 1)
		return;
	struct node n = nodes[from];
	status_t expected = OK;
	if ((n.rights & RIGHT_COPY) == 0 || (badge != 0 && n.badge != 0))
		expected = ERR_RIGHT;
	else if (at != CAP_ANY_SLOT && by_slot[to][at] >= 0)
		expected = ERR_EXIST;
	status_t status = table_copy(tables[n.table], n.cap, tables[to], at,
	    rights, trust, badge, &cap);
	if (status == ERR_FULL && at == CAP_ANY_SLOT)
		return;
	EXPECT_EQ(status, expected);
	if (status != OK)
		return;
	n.rights &= rights;
	n.trust = trust < n.trust ? trust : n.trust;
	n.badge = badge != 0 ? badge : n.badge;
	n.parent = from;
	model_add(to, cap, n);
	check_node(by_slot[to][CAP_INDEX(cap)]);
}

static void
step_delete(void)
{
	int i = random_node();
	struct cap cap = { 0 };

	if (i < 0)
		return;
	while (table_delete(tables[nodes[i].table], nodes[i].cap) == ERR_RETRY)
		;
	EXPECT_EQ(table_lookup(tables[nodes[i].table], nodes[i].cap, &cap),
	    ERR_HANDLE);
	EXPECT_EQ(table_delete(tables[nodes[i].table], nodes[i].cap),
	    ERR_HANDLE);
	model_remove(i);
}

static void
step_revoke(void)
{
	int i = random_node();

	if (i < 0)
		return;
	while (table_revoke(tables[nodes[i].table], nodes[i].cap) == ERR_RETRY)
		;
	model_revoke(i);
	check_node(i);
}

/* Death of a holder: its whole table goes. */
static void
step_clear(void)
{
	unsigned table = (unsigned)(random_next() % TABLES);
	uint64_t index = 0;

	while (table_clear(tables[table], 0, &index) == ERR_RETRY)
		;
	for (unsigned i = 0; i < NODES; i++)
		if (nodes[i].live && nodes[i].table == table)
			model_remove((int)i);
}

static void
check_forgery(void)
{
	unsigned table = (unsigned)(random_next() % TABLES);
	cap_t forged = random_next();
	struct cap cap = { 0 };

	/* Half of the forgeries name real slots with another generation. */
	if (forged & 1)
		forged = CAP_MAKE(random_next() % SLOTS, random_next() % 100);
	bool real = CAP_INDEX(forged) < SLOTS &&
	    by_slot[table][CAP_INDEX(forged)] >= 0 &&
	    nodes[by_slot[table][CAP_INDEX(forged)]].cap == forged;
	EXPECT_EQ(table_lookup(tables[table], forged, &cap) == OK, real);
}

static void
check_all(void)
{
	unsigned filled = 0;

	for (unsigned i = 0; i < NODES; i++)
		if (nodes[i].live)
			check_node((int)i);
	for (unsigned t = 0; t < TABLES; t++) {
		EXPECT(table_ok(tables[t]));
		filled += tables[t]->used;
	}
	EXPECT_EQ(filled, live_nodes);
	EXPECT_EQ(slots_used, live_nodes);
}

static void
make_world(void)
{
	for (unsigned t = 0; t < TABLES; t++) {
		EXPECT_EQ(table_create(&root_container, SLOTS, &tables[t]), OK);
		for (unsigned s = 0; s < SLOTS; s++)
			by_slot[t][s] = -1;
	}
	for (unsigned o = 0; o < OBJECTS; o++) {
		struct endpoint *endpoint = NULL;
		EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
		objects[o] = &endpoint->object;
	}
}

TEST(test_tables_agree_with_the_model_for_a_million_steps)
{
	make_world();
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned dice = (unsigned)(random_next() % 1000);
		if (dice < 150)
			step_root();
		else if (dice < 780)
			step_copy();
		else if (dice < 985)
			step_delete();
		else if (dice < 999)
			step_revoke();
		else if (random_next() % 8 == 0)
			step_clear();
		check_forgery();
		if (step % 50000 == 0)
			check_all();
	}
	check_all();
}

TEST(test_dead_tables_leave_no_slot_and_no_object)
{
	for (unsigned t = 0; t < TABLES; t++)
		object_release(&tables[t]->object);
	reap_all();
	EXPECT_EQ(slots_used, 0);
	for (unsigned o = 0; o < OBJECTS; o++) {
		EXPECT_EQ(objects[o]->references, 1);
		object_release(objects[o]);
	}
	reap_all();
	EXPECT_EQ(object_live(OBJ_ENDPOINT), 0);
	EXPECT_EQ(object_live(OBJ_TABLE), 0);
	EXPECT_EQ(root_container.frames_used, 0);
	EXPECT_EQ(root_container.objects_used, 0);
}

TEST(test_revoke_of_many_descendants_is_preemptible_and_complete)
{
	const unsigned count = 100000;
	struct table *table = NULL;
	struct endpoint *endpoint = NULL;
	cap_t root, previous, cap = 0;
	unsigned pieces = 0;

	EXPECT_EQ(table_create(&root_container, count + 64, &table), OK);
	EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
	EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT, &endpoint->object,
	    OBJ_ENDPOINT, &root), OK);
	/* Half a chain, half a fan: the two extreme shapes. */
	previous = root;
	for (unsigned i = 0; i < count; i++) {
		EXPECT_EQ(table_copy(table, i % 2 ? root : previous, table,
		    CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX, 0, &cap), OK);
		if (i % 2 == 0)
			previous = cap;
	}
	EXPECT_EQ(table->used, count + 1);
	while (table_revoke(table, root) == ERR_RETRY)
		pieces++;
	EXPECT_EQ(table->used, 1);
	EXPECT(pieces >= count / 64);
	struct cap found = { 0 };
	EXPECT_EQ(table_lookup(table, previous, &found), ERR_HANDLE);
	EXPECT_EQ(table_lookup(table, root, &found), OK);
	object_release(&endpoint->object);
	object_release(&table->object);
	reap_all();
	EXPECT_EQ(object_live(OBJ_ENDPOINT), 0);
}

TEST(test_deleted_slots_are_used_again_until_the_table_is_full)
{
	struct table *table = NULL;
	struct endpoint *endpoint = NULL;
	cap_t caps[SLOTS], one_more;

	EXPECT_EQ(table_create(&root_container, SLOTS, &table), OK);
	EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < SLOTS; i++)
			EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT,
			    &endpoint->object, OBJ_ENDPOINT, &caps[i]), OK);
		EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT,
		    &endpoint->object, OBJ_ENDPOINT, &one_more), ERR_FULL);
		for (unsigned i = 0; i < SLOTS; i++)
			EXPECT_EQ(table_delete(table, caps[i]), OK);
		EXPECT_EQ(table->used, 0);
	}
	object_release(&endpoint->object);
	object_release(&table->object);
	reap_all();
	EXPECT_EQ(object_live(OBJ_TABLE), 0);
}

TEST(test_clone_keeps_handles_and_survives_its_original)
{
	struct table *parent = NULL, *child = NULL;
	struct endpoint *endpoint = NULL;
	cap_t root, session;
	struct cap found = { 0 };
	uint64_t index = 8;

	EXPECT_EQ(table_create(&root_container, 64, &parent), OK);
	EXPECT_EQ(table_create(&root_container, 64, &child), OK);
	EXPECT_EQ(endpoint_create(&root_container, &endpoint), OK);
	EXPECT_EQ(table_insert_new(parent, 0, &endpoint->object, OBJ_ENDPOINT,
	    &root), OK);
	EXPECT_EQ(table_copy(parent, root, parent, 9, RIGHT_CALL | RIGHT_COPY,
	    3, 77, &session), OK);
	while (table_clone(parent, child, &index) == ERR_RETRY)
		;
	EXPECT_EQ(table_lookup(child, session, &found), OK);
	EXPECT_EQ(found.badge, 77);
	EXPECT_EQ(table_lookup(child, root, &found), ERR_HANDLE);
	EXPECT_EQ(table_delete(parent, session), OK);
	EXPECT_EQ(table_lookup(child, session, &found), OK);
	/* Both derive from the root: revoking that takes the clone as well. */
	while (table_revoke(parent, root) == ERR_RETRY)
		;
	EXPECT_EQ(table_lookup(child, session, &found), ERR_HANDLE);
	object_release(&endpoint->object);
	object_release(&parent->object);
	object_release(&child->object);
	reap_all();
	EXPECT_EQ(object_live(OBJ_TABLE), 0);
}

TEST(test_last_holder_of_an_end_tells_the_other_exactly_once)
{
	struct table *table = NULL;
	struct notification *n = NULL;
	struct eventpair *pair = NULL;
	uint64_t kind = 0, badge = 0;
	cap_t a, copy, b;

	EXPECT_EQ(table_create(&root_container, 64, &table), OK);
	EXPECT_EQ(notification_create(&root_container, &n), OK);
	EXPECT_EQ(eventpair_create(&root_container, NULL, 5, &pair), OK);
	EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT, &pair->object,
	    OBJ_EVENTPAIR_A, &a), OK);
	EXPECT_EQ(table_insert_new(table, CAP_ANY_SLOT, &pair->object,
	    OBJ_EVENTPAIR_B, &b), OK);
	EXPECT_EQ(event_bind(&pair->event[1], n, 4, 99), OK);
	EXPECT_EQ(table_copy(table, a, table, CAP_ANY_SLOT, RIGHT_ALL, TRUST_MAX,
	    0, &copy), OK);
	EXPECT_EQ(table_delete(table, a), OK);
	EXPECT_EQ(n->word, 0);
	EXPECT_EQ(table_delete(table, copy), OK);
	EXPECT_EQ(n->word, 4);
	EXPECT_EQ(notification_next_event(n, &kind, &badge), OK);
	EXPECT_EQ(kind, EVENT_PEER_GONE);
	EXPECT_EQ(badge, 99);
	EXPECT_EQ(notification_next_event(n, &kind, &badge), ERR_EMPTY);
	/* Taken by an incarnation that died: the next one sees it again. */
	notification_rearm(n);
	EXPECT_EQ(notification_next_event(n, &kind, &badge), OK);
	EXPECT_EQ(table_delete(table, b), OK);
	notification_rearm(n);
	EXPECT_EQ(notification_next_event(n, &kind, &badge), ERR_EMPTY);
	object_release(&pair->object);
	object_release(&n->object);
	object_release(&table->object);
	reap_all();
	EXPECT_EQ(object_live(OBJ_EVENTPAIR_A), 0);
	EXPECT_EQ(object_live(OBJ_NOTIFICATION), 0);
	EXPECT_EQ(root_container.objects_used, 0);
}

TEST_MAIN(host_boot(RAM, 1))
