/* SPDX-License-Identifier: MIT */
/*
 * Kept members of processes that are killed at random moments. Each process has
 * an arena in a memory file, which its successor inherits from their supervisor,
 * this test. What the processes count is in these arenas, so it is what they
 * committed: no message is lost, none counts twice.
 */
#include "harness_host.h"

#include <lib/arena/arena.h>
#include <lib/channel/channel.h>
#include <lib/channel/hosted/hosted.h>
#include <lib/channel/keep.h>
#include <lib/test/ktap.h>

#include <sys/mman.h>

#define ARENA_SIZE	65536ul
#define CALLS		20000u
#define KILLS		200u
#define PATIENCE_NS	60000000000ul
#define LOOK_NS		20000000ul

struct own {			/* in the arena */
	_Alignas(8) uint8_t kept[CHANNEL_KEPT_SIZE];
	uint64_t next;		/* number to send, or to receive */
	uint64_t resumed;	/* incarnations that took the member over */
	uint64_t wrong;
};

struct process {
	void	*memory;	/* shared with all incarnations */
	struct arena *arena;
	struct own *own;
	struct channel_keeper keeper;
	struct channel_domain *domain;
	struct channel *channel;
	unsigned role;
	void	(*body)(struct process *process);
	pid_t	 pid;
	uint64_t kills, incarnations;
};

/* What the supervisor says to all of them. */
static struct {
	bool	 stop;		/* the sender */
	uint64_t total;		/* what the receiver has to get */
} *orders;

static struct harness harness;
static uint64_t random_state = 11;

static uint64_t
random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state % limit;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ul + (uint64_t)now.tv_nsec;
}

static void
fail(const char *reason)
{
	printf("# arena: %s\n", reason);
	abort();
}

static void
must(status_t status, const char *what)
{
	if (status == OK)
		return;
	printf("# %s: status %lu\n", what, (unsigned long)status);
	fflush(stdout);
	abort();
}

static status_t
save(void *context, void *address, size_t length)
{
	const struct process *process = context;

	return tx_add(process->arena, address, length);
}

static void
open_arena(struct process *process)
{
	static const struct arena_environment environment = { .fail = fail };

	must(arena_open(process->memory, ARENA_SIZE, 1, &environment,
	    &process->arena), "arena");
	process->own = arena_root(process->arena);
	if (process->own == NULL) {
		tx_begin(process->arena);
		process->own = arena_alloc(process->arena,
		    sizeof(*process->own));
		must(arena_set_root(process->arena, process->own), "root");
		tx_commit(process->arena);
	}
	process->keeper = (struct channel_keeper){
		.memory = process->own->kept, .save = save,
		.context = process,
	};
}

static void
join(struct process *process)
{
	struct channel_options options = {
		.domain = process->domain, .role = process->role,
		.keeper = &process->keeper,
	};
	struct own *own = process->own;
	status_t status;

	tx_begin(process->arena);
	status = channel_resume("kept", &options, &process->channel);
	if (status == OK)
		must(TX_SET(process->arena, own->resumed, own->resumed + 1),
		    "count");
	/* The first one, or its predecessor was killed before it entered. */
	if (status == ERR_NOENT || status == ERR_GONE)
		status = channel_open("kept", &options, NULL,
		    &process->channel);
	must(status, "join");
	tx_commit(process->arena);
	must(channel_enter(process->channel), "enter");
}

static void
process_main(struct process *process)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	process->domain = harness_connect(&harness);
	if (process->domain == NULL)
		abort();
	open_arena(process);
	join(process);
	process->body(process);
	_exit(0);
}

static void
process_start(struct process *process)
{
	fflush(stdout);
	process->pid = fork();
	process->incarnations++;
	if (process->pid == 0)
		process_main(process);
}

static void
process_prepare(struct process *process, unsigned role,
    void (*body)(struct process *process))
{
	int file = memfd_create("bennu-arena", MFD_CLOEXEC);

	*process = (struct process){ .role = role, .body = body };
	if (file < 0 || ftruncate(file, ARENA_SIZE) != 0)
		abort();
	process->memory = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
	    MAP_SHARED, file, 0);
	if (process->memory == MAP_FAILED)
		abort();
	close(file);
}

/* And starts its successor. */
static void
process_kill(struct process *process)
{
	int status;

	kill(process->pid, SIGKILL);
	waitpid(process->pid, &status, 0);
	/* Anything but the kill is a failure of its own. */
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	process->kills++;
	process_start(process);
}

static bool
process_end(struct process *process)
{
	uint64_t limit = now_ns() + PATIENCE_NS;
	int status;

	while (waitpid(process->pid, &status, WNOHANG) == 0) {
		if (now_ns() > limit) {
			kill(process->pid, SIGKILL);
			waitpid(process->pid, &status, 0);
			return false;
		}
		harness_pause_ms(1);
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
commit(struct process *process, uint64_t next, uint64_t wrong)
{
	struct own *own = process->own;

	tx_begin(process->arena);
	must(TX_SET(process->arena, own->next, next), "save");
	must(TX_SET(process->arena, own->wrong, own->wrong + wrong), "save");
	must(channel_keep(process->channel), "keep");
	tx_commit(process->arena);
	channel_settle(process->channel);
}

/* Up to three in a transaction. Nobody is there to fill a lane at first. */
static void
send_all(struct process *process)
{
	while (!__atomic_load_n(&orders->stop, __ATOMIC_ACQUIRE)) {
		uint64_t next = process->own->next, first = next;

		for (; next - first < first % 3 + 1; next++)
			must(channel_send_until(process->channel, &next,
			    sizeof(next), NULL, now_ns() + PATIENCE_NS),
			    "send");
		commit(process, next, 0);
	}
}

static void
receive_all(struct process *process)
{
	while (process->own->next < __atomic_load_n(&orders->total,
	    __ATOMIC_ACQUIRE)) {
		uint64_t number = 0, next = process->own->next;
		size_t length = sizeof(number);
		status_t status = channel_receive_until(process->channel,
		    &number, &length, NULL, now_ns() + LOOK_NS);

		if (status == ERR_TIMEOUT)
			continue;
		must(status, "receive");
		commit(process, next + 1, number != next);
	}
}

/* The answer says how many were answered before. */
static void
answer_all(struct process *process)
{
	while (process->own->next < CALLS) {
		uint64_t number = 0, next = process->own->next;
		size_t length = sizeof(number);

		must(channel_receive_until(process->channel, &number, &length,
		    NULL, now_ns() + PATIENCE_NS), "receive");
		must(channel_answer(process->channel, &next, sizeof(next)),
		    "answer");
		commit(process, next + 1, number != next);
	}
}

static struct channel *
create(struct channel_domain *domain, const struct channel_config *config,
    unsigned role)
{
	struct channel_options options = { .domain = domain, .role = role };
	struct channel *channel;

	must(channel_create("kept", config, &options, NULL, &channel),
	    "create");
	return channel;
}

static void
supervise(struct process *first, struct process *second)
{
	for (uint64_t kills = 0; kills < KILLS; kills++) {
		struct timespec pause = {
			.tv_nsec = (long)random_below(4000000),
		};

		nanosleep(&pause, NULL);
		process_kill(kills % 2 == 0 ? first : second);
	}
}

static void
start_both(struct process *sender, struct process *receiver)
{
	orders->stop = false;
	orders->total = UINT64_MAX;
	process_prepare(sender, CHANNEL_SENDER, send_all);
	process_prepare(receiver, CHANNEL_RECEIVER, receive_all);
	process_start(receiver);
	process_start(sender);
}

/* Both come to an end; how many messages there were. */
static uint64_t
end_both(struct process *sender, struct process *receiver)
{
	__atomic_store_n(&orders->stop, true, __ATOMIC_RELEASE);
	EXPECT(process_end(sender));
	open_arena(sender);
	__atomic_store_n(&orders->total, sender->own->next, __ATOMIC_RELEASE);
	EXPECT(process_end(receiver));
	return sender->own->next;
}

static void
check_process(struct process *process, uint64_t count)
{
	open_arena(process);
	EXPECT_EQ(process->own->next, count);
	EXPECT_EQ(process->own->wrong, 0);
	EXPECT(process->own->resumed > 0);
	EXPECT(process->own->resumed < process->incarnations);
	printf("# killed %llu times, %llu times resumed\n",
	    (unsigned long long)process->kills,
	    (unsigned long long)process->own->resumed);
	munmap(process->memory, ARENA_SIZE);
}

static const struct channel_config messages = {
	.type = CHANNEL_ASYNC, .message_max = 48, .buffer_size = 1024,
};
static const struct channel_config calls = {
	.type = CHANNEL_SYNC, .message_max = 48, .buffer_size = 1024,
};

TEST(test_both_ends_are_killed_and_no_message_is_lost_or_doubled)
{
	struct process sender, receiver;

	harness_start(&harness, NULL);
	struct channel_domain *domain = harness_connect(&harness);
	struct channel *channel = create(domain, &messages, 0);
	start_both(&sender, &receiver);
	supervise(&sender, &receiver);
	uint64_t total = end_both(&sender, &receiver);
	printf("# %llu messages\n", (unsigned long long)total);
	EXPECT(total > KILLS);
	check_process(&sender, total);
	check_process(&receiver, total);
	channel_close(channel);
	channel_domain_hosted_close(domain);
	/* What is kept waits for a minute, but not for the broker's end. */
	EXPECT_EQ(harness_end(&harness), 0);
}

TEST(test_each_call_is_answered_once_though_its_server_is_killed)
{
	struct process server;
	uint64_t kill_ns, wrong = 0;

	harness_start(&harness, NULL);
	struct channel_domain *domain = harness_connect(&harness);
	struct channel *channel = create(domain, &calls, CHANNEL_SENDER);
	process_prepare(&server, CHANNEL_RECEIVER, answer_all);
	process_start(&server);
	kill_ns = now_ns() + 5000000;
	for (uint64_t i = 0; i < CALLS && wrong == 0; i++) {
		uint64_t answer = 0;
		struct channel_exchange exchange = {
			.request = &i, .request_length = sizeof(i),
			.answer = &answer, .answer_length = sizeof(answer),
			.deadline_ns = now_ns() + PATIENCE_NS,
		};

		/* At any moment of the server: it runs meanwhile. */
		if (server.kills < KILLS && now_ns() > kill_ns) {
			process_kill(&server);
			kill_ns = now_ns() + random_below(3000000);
		}
		wrong += channel_call(channel, &exchange) != OK ||
		    answer != i;
	}
	EXPECT_EQ(wrong, 0);
	EXPECT(process_end(&server));
	check_process(&server, CALLS);
	channel_close(channel);
	channel_domain_hosted_close(domain);
	EXPECT_EQ(harness_end(&harness), 0);
}

/* Lanes need no broker; to come back does. */
TEST(test_lanes_of_kept_members_go_on_without_the_broker)
{
	struct process sender, receiver;

	harness_start(&harness, NULL);
	struct channel_domain *domain = harness_connect(&harness);
	struct channel *channel = create(domain, &messages, 0);
	start_both(&sender, &receiver);
	harness_pause_ms(50);
	kill(harness.broker, SIGKILL);
	waitpid(harness.broker, NULL, 0);
	harness_pause_ms(50);
	uint64_t total = end_both(&sender, &receiver);
	open_arena(&receiver);
	EXPECT(total > 0);
	EXPECT_EQ(receiver.own->next, total);
	EXPECT_EQ(receiver.own->wrong, 0);
	channel_close(channel);
	channel_domain_hosted_close(domain);
	unlink(harness.path);
	rmdir(harness.folder);
	munmap(sender.memory, ARENA_SIZE);
	munmap(receiver.memory, ARENA_SIZE);
}

static void
receive_nothing(struct process *process)
{
	(void)process;
}

TEST(test_what_a_dead_broker_knew_is_gone_and_said)
{
	struct process receiver;
	struct channel_options options;
	struct channel *channel;

	harness_start(&harness, NULL);
	struct channel_domain *domain = harness_connect(&harness);
	struct channel *creator = create(domain, &messages, 0);
	process_prepare(&receiver, CHANNEL_RECEIVER, receive_nothing);
	process_start(&receiver);
	EXPECT(process_end(&receiver));
	kill(harness.broker, SIGKILL);
	waitpid(harness.broker, NULL, 0);
	channel_close(creator);
	channel_domain_hosted_close(domain);
	open_arena(&receiver);
	harness_serve(&harness, NULL);
	receiver.domain = harness_connect(&harness);
	options = (struct channel_options){
		.domain = receiver.domain, .role = CHANNEL_RECEIVER,
		.keeper = &receiver.keeper,
	};
	tx_begin(receiver.arena);
	EXPECT_EQ(channel_resume("kept", &options, &channel), ERR_GONE);
	EXPECT_EQ(channel_resume("kept", &options, &channel), ERR_NOENT);
	tx_commit(receiver.arena);
	channel_domain_hosted_close(receiver.domain);
	munmap(receiver.memory, ARENA_SIZE);
	EXPECT_EQ(harness_end(&harness), 0);
}

static void
setup(void)
{
	orders = mmap(NULL, sizeof(*orders), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (orders == MAP_FAILED)
		abort();
}

TEST_MAIN((setup(), 0))
