/* SPDX-License-Identifier: MIT */
/*
 * Crashes after every store of every request of the broker's roster. Its shadow
 * is made anew from the arena after each.
 */
#include <lib/roster/roster.h>
#include <lib/test/crash.h>

#define ARENA_SIZE	(256ul << 10)
#define MEMBERS		6u
#define CLIENTS		4u

static _Alignas(4096) uint8_t memory[ARENA_SIZE];
static struct roster roster;
static uint64_t next_memory;
static uint64_t client[CLIENTS], member[MEMBERS];
/* Of each member, as it was made. */
static const unsigned owner_of[MEMBERS] = { 0, 1, 1, 2, 1, 0 };

static status_t
memory_create(void *context, uint64_t size, uint64_t *out_memory)
{
	(void)context, (void)size;
	*out_memory = ++next_memory;
	return OK;
}

static status_t
format_lane(void *context, uint64_t lane, const struct channel_config *config)
{
	(void)context, (void)lane, (void)config;
	return OK;
}

static status_t
drop(void *context, uint64_t handle)
{
	(void)context, (void)handle;
	return OK;
}

static status_t
post(void *context, const struct roster_client *of)
{
	(void)context, (void)of;
	return OK;
}

static void
fail(const char *reason)
{
	printf("# %s\n", reason);
	abort();
}

/* An incarnation. The numbers it draws are those of the first. */
static bool
resume(void)
{
	static const struct arena_environment environment = {
		.fail = fail, .sums = true };
	struct arena *arena;

	if (arena_open(memory, sizeof(memory), 1, &environment, &arena) != OK)
		return false;
	roster = (struct roster){
		.arena = arena, .root = arena_root(arena),
		.environment = {
			.memory_create = memory_create,
			.lane_format = format_lane, .drop = drop, .post = post,
		},
		.nonce = 1ul << 40,
	};
	return true;
}

static void
begin(void)
{
	tx_begin(roster.arena);
	if (roster_begin(&roster) != OK)
		abort();
}

static void
end(int error)
{
	if (error != 0)
		tx_abort(roster.arena);
	else
		tx_commit(roster.arena);
}

static void
must(status_t status)
{
	end((int)status);
	if (status != OK)
		abort();
}

static struct roster_member *
member_at(unsigned i)
{
	return roster_member(&roster, roster_client(&roster,
	    client[owner_of[i]]), member[i]);
}

static struct channels_join
join_for(const char *name, unsigned role)
{
	struct channels_join join = {
		.role = role, .type = CHANNEL_ASYNC, .groups = ~0ul };

	strcpy(join.name, name);
	return join;
}

static void
join(unsigned i, const char *name, unsigned role, bool create, unsigned flags)
{
	struct channels_join wanted = join_for(name, role);
	struct roster_member *made;

	wanted.flags = flags;
	begin();
	struct roster_client *owner = roster_client(&roster,
	    client[owner_of[i]]);
	status_t status = create ?
	    roster_create_channel(&roster, owner, &wanted, &made) :
	    roster_open_channel(&roster, owner, &wanted, &made);
	member[i] = status == OK ? made->number : 0;
	must(status);
}

/*
 * Two channels of three clients; one pair was told of its lane. One kept member
 * waits for the fourth client, of the same place, another one has not entered.
 */
static void
make_world(void)
{
	static const uint8_t key[16] = { 3, 1, 4 };
	struct roster_client *made;
	struct roster_event event;

	memset(memory, 0, sizeof(memory));
	next_memory = 0;
	if (!resume())
		abort();
	tx_begin(roster.arena);
	roster.root = arena_alloc(roster.arena, sizeof(*roster.root));
	if (roster.root == NULL || roster_create(&roster, key) != OK)
		abort();
	must(arena_set_root(roster.arena, roster.root));
	for (unsigned i = 0; i < CLIENTS; i++) {
		begin();
		status_t status = roster_connect(&roster, i + 1, 1, &made);
		client[i] = made->number;
		made->trust = 0xe;
		made->place = i == 3 ? 2 : i + 1;
		must(status);
	}
	join(0, "line", CHANNEL_SENDER, true, 0);
	join(1, "line", CHANNEL_RECEIVER, false, 0);
	join(2, "other", CHANNEL_SENDER, true, 0);
	join(3, "line", CHANNEL_RECEIVER, false, 0);
	join(4, "line", CHANNEL_RECEIVER, false, CHANNELS_KEPT);
	join(5, "other", CHANNEL_RECEIVER, false, CHANNELS_KEPT);
	begin();
	must(roster_enter(&roster, member_at(4)));
	begin();
	must(roster_next_event(&roster, member_at(0), &event));
	if (!resume())
		abort();
}

static bool
core_ok(void)
{
	return roster_ok(&roster);
}

static struct arena *
core_arena(void)
{
	return roster.arena;
}

static const struct crash_world world = {
	.protocols = { "channels" },
	.region = { memory, sizeof(memory) },
	.make = make_world, .resume = resume, .ok = core_ok,
	.arena = core_arena, .begin = begin, .end = end,
	.plain = { { &roster, sizeof(roster) },
		{ &next_memory, sizeof(next_memory) } },
};

/* --- Requests. --- */

static int
run_connect(void)
{
	struct roster_client *made;

	return (int)roster_connect(&roster, 9, 1, &made);
}

static int
run_create(void)
{
	struct channels_join wanted = join_for("new", CHANNEL_SENDER);
	struct roster_member *made;

	return (int)roster_create_channel(&roster, roster_client(&roster,
	    client[0]), &wanted, &made);
}

static int
run_open(void)
{
	struct channels_join wanted = join_for("other", CHANNEL_RECEIVER);
	struct roster_member *made;

	return (int)roster_open_channel(&roster, roster_client(&roster,
	    client[0]), &wanted, &made);
}

static int
run_close(void)
{
	return (int)roster_close(&roster, member_at(0));
}

static int
run_event(void)
{
	struct roster_event event;

	return (int)roster_next_event(&roster, member_at(1), &event);
}

static int
run_drop(void)
{
	struct roster_member *receiver = member_at(1);
	struct roster_event event;
	status_t status = roster_next_event(&roster, receiver, &event);

	return status != OK ? (int)status : (int)roster_drop(&roster,
	    roster_side(&roster, receiver, event.side->lane->number));
}

static int
run_revoke(void)
{
	struct token token = member_at(0)->token;

	return (int)roster_revoke(&roster, roster_client(&roster, client[0]),
	    &token);
}

static int
run_depend(void)
{
	return (int)roster_depend(&roster, member_at(1), member_at(2));
}

static int
run_resume(void)
{
	const struct token token = member_at(4)->token;
	struct roster_member *resumed;

	return (int)roster_resume(&roster, roster_client(&roster, client[3]),
	    member[4], &token, &resumed);
}

static int
run_enter(void)
{
	return (int)roster_enter(&roster, member_at(5));
}

static int
run_gone(void)
{
	return (int)roster_gone(&roster, roster_client(&roster, client[1]));
}

static int
run_bury(void)
{
	status_t status = roster_gone(&roster, roster_client(&roster,
	    client[1]));

	if (status == OK)
		roster_bury(&roster, &status);
	return (int)status;
}

static int
run_refused(void)
{
	int error = run_close();

	return error != 0 ? error : (int)ERR_NOMEM;
}

static const struct crash_case cases[] = {
	CRASH_CASE(CHANNELS_CONNECT, run_connect),
	CRASH_CASE(CHANNELS_CREATE, run_create),
	CRASH_CASE(CHANNELS_OPEN, run_open),
	CRASH_CASE(CHANNELS_CLOSE, run_close),
	CRASH_CASE(CHANNELS_EVENT, run_event),
	CRASH_NONE(CHANNELS_POOL, "it only looks"),
	CRASH_CASE(CHANNELS_DROP, run_drop),
	CRASH_NONE(CHANNELS_MINT, "a token is made of what is there"),
	CRASH_NONE(CHANNELS_DERIVE, "a token is made of what is there"),
	CRASH_CASE(CHANNELS_REVOKE, run_revoke),
	CRASH_NONE(CHANNELS_RIGHTS, "it only looks"),
	CRASH_CASE(CHANNELS_DEPEND, run_depend),
	CRASH_NONE(CHANNELS_LIST, "it only looks"),
	CRASH_NONE(CHANNELS_WATCH, "it only looks"),
	CRASH_CASE(CHANNELS_RESUME, run_resume),
	CRASH_CASE(CHANNELS_ENTER, run_enter),
	CRASH_CASE(0, run_gone),
	CRASH_CASE(0, run_bury),
	CRASH_REFUSED(run_refused),
};

#define CASES	(sizeof(cases) / sizeof(cases[0]))

TEST(test_every_method_has_a_crash_case)
{
	crash_check_methods(&world, cases, CASES);
}

TEST(test_crash_anywhere_leaves_before_or_after)
{
	for (unsigned i = 0; i < CASES; i++)
		if (cases[i].run != NULL)
			crash_run_case(&world, &cases[i]);
}

TEST_MAIN(0)
