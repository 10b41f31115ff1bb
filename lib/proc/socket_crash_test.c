/* SPDX-License-Identifier: MIT */
/* Crashes after every store of every request about sockets (lib/test/crash.h). */
#define ARENA_SIZE	(128u << 10)
#include <lib/test/crash.h>

#include <ktap.h>
#include <lib/proc/socket_host.h>

/*
 * One that listens, with two answered and one parked; a datagram socket; one
 * that ended with connections; a parcel with two entries, one that ended, and
 * two on the way to each other.
 */
static struct socket_bound *busy, *plain, *made;
static struct socket_parcel *parcel, *other;
static struct proc_call parked_call;
static bool parked;

static void
must(int error)
{
	if (error != 0)
		abort();
}

static void
make_parcels(void)
{
	struct socket_parcel *ended, *first, *second;
	uint64_t a, b;

	begin();
	a = new_cap();
	b = new_cap();
	must(pack_now(new_cap(), &parcel));
	must(add_now(parcel, 0));
	must(add_now(parcel, 0));
	must(pack_now(new_cap(), &other));
	must(pack_now(0, &ended));
	must(add_now(ended, 0));
	must(sockets_drop(&sockets, ended));
	must(pack_now(a, &first));
	must(add_now(first, b));
	must(pack_now(b, &second));
	must(add_now(second, a));
	end(0);
}

static void
make_world(void)
{
	struct socket_bound *ended;

	boot_sockets();
	begin();
	must(bind_now(SOCKET_STREAM, "busy", &busy));
	must(listen_now(busy, 7, 1));
	for (uint32_t i = 0; i < 4; i++)
		must(connect_now(busy, 10 + i, true, &parked));
	parked_call = (struct proc_call){ 3, outside.next_order };
	must(bind_now(SOCKET_DATAGRAM, "datagrams", &plain));
	must(bind_now(SOCKET_SEQUENCED, "ended", &ended));
	must(listen_now(ended, 8, 3));
	for (uint32_t i = 0; i < 6; i++)
		must(connect_now(ended, 20 + i, true, &parked));
	must(sockets_closed(&sockets, ended));
	end(0);
	make_parcels();
}

static bool
resume(void)
{
	return open_sockets();
}

static bool
core_ok(void)
{
	return sockets_ok(&sockets);
}

static struct arena *
core_arena(void)
{
	return sockets.arena;
}

static void
end_case(int error)
{
	end(error);
}

static const struct crash_world world = {
	.protocols = { "sockets", "socket" },
	.region = { memory, sizeof(memory) },
	.make = make_world, .resume = resume, .ok = core_ok,
	.arena = core_arena, .begin = begin, .end = end_case,
	.plain = { { &outside, sizeof(outside) } },
};

/* --- Requests. --- */

static int
run_bind(void)
{
	return bind_now(SOCKET_STREAM, "new", &made);
}

static int
run_bind_automatic(void)
{
	const struct socket_name name = { .kind = SOCKETS_AUTOMATIC };
	uint64_t number;

	return sockets_bind(&sockets, SOCKET_STREAM, &name,
	    &(struct socket_caps){ 0 }, &made, &number);
}

static int
run_listen(void)
{
	return listen_now(busy, 9, 5);
}

static int
run_connect(void)
{
	bool unused;
	int error = bind_now(SOCKET_STREAM, "free", &made);

	if (error == 0)
		error = listen_now(made, 3, 2);
	return error != 0 ? error : connect_now(made, 30, true, &unused);
}

static int
run_connect_parks(void)
{
	return connect_now(busy, 31, true, &parked);
}

static int
run_accept(void)
{
	struct socket_caps caps;
	struct socket_who who;

	return sockets_accept(&sockets, busy, &caps, &who);
}

static int
run_pack(void)
{
	struct socket_parcel *packed;

	return pack_now(new_cap(), &packed);
}

static int
run_add(void)
{
	return add_now(parcel, 12);
}

static int
run_drop(void)
{
	return sockets_drop(&sockets, parcel);
}

static int
run_collect(void)
{
	outside.gone[other->watch] = 1;
	return sockets_collect(&sockets);
}

/* --- What happens by itself. --- */

static int
run_closed(void)
{
	return sockets_closed(&sockets, busy);
}

static int
run_closed_plain(void)
{
	return sockets_closed(&sockets, plain);
}

static int
run_cancel(void)
{
	return sockets_cancel(&sockets, parked_call, &parked);
}

static int
run_work(void)
{
	return sockets_work(&sockets);
}

static int
run_work_on_parcels(void)
{
	int error = sockets_work(&sockets);

	/* Those that ended with their listener come first. */
	return error != 0 ? error : sockets_work(&sockets);
}

static int
run_resume(void)
{
	return sockets_resume(&sockets);
}

static int
run_refused(void)
{
	int error = sockets_closed(&sockets, busy);

	return error != 0 ? error : E_NOMEM;
}

static const struct crash_case cases[] = {
	CRASH_CASE(SOCKETS_BIND, run_bind),
	CRASH_CASE(SOCKETS_BIND, run_bind_automatic),
	CRASH_CASE(SOCKETS_CONNECT, run_connect),
	CRASH_CASE(SOCKETS_CONNECT, run_connect_parks),
	CRASH_NONE(SOCKETS_FIND, "it only looks"),
	CRASH_CASE(SOCKETS_PACK, run_pack),
	CRASH_CASE(SOCKETS_ADD, run_add),
	CRASH_NONE(SOCKETS_LOOK, "it only looks"),
	CRASH_NONE(SOCKETS_TAKE, "it only looks"),
	CRASH_CASE(SOCKETS_DROP, run_drop),
	CRASH_CASE(SOCKETS_COLLECT, run_collect),
	CRASH_CASE(SOCKETS_LISTEN, run_listen),
	CRASH_CASE(SOCKET_ACCEPT, run_accept),
	CRASH_NONE(SOCKET_WAITING, "it only looks"),
	CRASH_CASE(0, run_closed),
	CRASH_CASE(0, run_closed_plain),
	CRASH_CASE(0, run_cancel),
	CRASH_CASE(0, run_work),
	CRASH_CASE(0, run_work_on_parcels),
	CRASH_CASE(0, run_resume),
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
