/* SPDX-License-Identifier: MIT */
/*
 * Random calls of the system's own: children call random numbers with random,
 * nearly right or right arguments until they die or hang, the parent starts new
 * ones until so many calls were made. Whatever happens to them, the parent goes
 * on.
 */
#include "tell.h"

#define CALLS	8000u

static volatile struct shared {
	uint64_t calls, random;
} *shared;

static char buffer[65536];

/* A request that is right, to be damaged a little. */
static const struct spawn_action actions[] = {
	{ .kind = SPAWN_OPEN, .fd = 3, .path = "/dev/null" },
	{ .kind = SPAWN_CHDIR, .path = "/tmp" },
};
static char *const arguments[] = { "sh", "-c", "exit 0", NULL };

static uint64_t
random_next(void)
{
	uint64_t x = shared->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return shared->random = x;
}

static struct spawn *
request(void)
{
	static struct spawn how;

	how = (struct spawn){ .flags = SPAWN_NICE | SPAWN_DEFAULTS,
		.count = COUNT(actions), .actions = actions };
	uint8_t *bytes = (uint8_t *)&how;
	for (uint64_t n = random_next() % 3; n > 0; n--)
		bytes[random_next() % sizeof(how)] = (uint8_t)random_next();
	return &how;
}

static uint64_t
argument(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 4095, 4096, 65536, 0x7fffffff, 0x80000000u,
		0xffffffffu, 0x7ffffffff000ul, 0x800000000000ul,
		0xffff800000000000ul, ~0ul, ~0ul - 1, 1ul << 63, 0x100000,
		0x7e0000000000ul, 0x7e0000100000ul, 0x7e7800000000ul,
	};
	static const char *const paths[] = {
		"/", "/bin/true", "/tmp", "/tmp/x", "/tmp/x/y", "", ".",
		"..", "/dev/null", "/nowhere/at/all",
	};
	uint64_t r = random_next();

	switch (r % 8) {
	case 0:
		return random_next();
	case 1:
		return edges[(r >> 8) % COUNT(edges)];
	case 2:
	case 3:
		return (uint64_t)paths[(r >> 8) % COUNT(paths)];
	case 4:
		return (uint64_t)(buffer + (r >> 8) % sizeof(buffer));
	case 5:
		return (r >> 8) % 16;
	case 6:
		return (uint64_t)request();
	default:
		return (uint64_t)arguments;
	}
}

/* Calls that would end the parent or the run, by order and not by accident. */
static bool
forbidden(long number)
{
	return number == BENNU_KILL || number == BENNU_FORK ||
	    number == BENNU_SETPGID || number == BENNU_SETSID;
}

static void
child(void)
{
	/* What a child writes is noise: not into the parent's output. */
	int null = open("/dev/null", O_RDWR, 0);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	for (;;) {
		long number = (long)(random_next() % (BENNU_CALLS + 4));

		if (random_next() % 8 == 0)
			number = BENNU_SPAWN;
		if (forbidden(number))
			continue;
		shared->calls++;
		bennu_call(number, argument(), argument(), argument(),
		    argument(), argument(), argument());
	}
}

static void
nap(void)
{
	struct timeval time = { 0, 2000 };

	select(0, NULL, NULL, NULL, &time);
}

int
main(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	shared->random = 0x9e3779b97f4a7c15ul;
	while (shared->calls < CALLS) {
		uint64_t before;
		pid_t pid = fork();

		if (pid == 0)
			child();
		if (pid < 0)
			return 3;
		do {
			before = shared->calls;
			nap();
		} while (shared->calls != before && shared->calls < CALLS);
		kill(pid, SIGKILL);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	print("the parent is well\n");
	return 0;
}
