/* SPDX-License-Identifier: MIT */
/*
 * Random Linux calls: children call random numbers with random, nearly right or
 * right arguments until they die or hang, the parent starts new ones until
 * COUNT calls were made. Whatever happens to them, the parent goes on, and its
 * own view of the file system stays right.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct shared {
	volatile uint64_t calls;
	uint64_t random;
};

static struct shared *shared;
static char buffer[65536];

static uint64_t
random_next(void)
{
	uint64_t x = shared->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return shared->random = x;
}

static uint64_t
argument(void)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 4095, 4096, 65536, 0x7fffffff, 0x80000000u,
		0xffffffffu, 0x7ffffffff000ul, 0x800000000000ul,
		0xffff800000000000ul, ~0ul, ~0ul - 1, 1ul << 63,
		0x7e0000000000ul, 0x7e0000100000ul,
	};
	static const char *const paths[] = {
		"/", "/bin/busybox", "/tmp", "/tmp/x", "/tmp/x/y", "", ".",
		"..", "/dev/null", "/nowhere/at/all", "/tmp/loop",
	};
	uint64_t r = random_next();

	switch (r % 8) {
	case 0:
		return random_next();
	case 1:
	case 2:
		return edges[(r >> 8) % (sizeof(edges) / sizeof(edges[0]))];
	case 3:
		return (uint64_t)paths[(r >> 8) % (sizeof(paths) /
		    sizeof(paths[0]))];
	case 4:
		return (uint64_t)(buffer + (r >> 8) % sizeof(buffer));
	case 5:
		return (r >> 8) % 16;
	case 6:
		return (r >> 8) % 70000;
	default:
		return (uint64_t)-100;	/* AT_FDCWD */
	}
}

/* Calls that would end the parent or the run, by order and not by accident. */
static int
forbidden(long number)
{
	switch (number) {
	case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_reboot:
	case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
	case SYS_pidfd_send_signal: case SYS_fork: case SYS_vfork:
	case SYS_clone: case SYS_clone3: case SYS_setpgid: case SYS_setsid:
		return 1;
	default:
		return 0;
	}
}

static void
child(void)
{
	/* What a child writes is noise: not into the parent's output. */
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	for (;;) {
		long number = (long)(random_next() % 460);
		if (random_next() % 512 == 0)
			number = (long)random_next();
		if (forbidden(number))
			continue;
		shared->calls++;
		syscall(number, argument(), argument(), argument(), argument(),
		    argument(), argument());
	}
}

static void
nap(long ns)
{
	struct timespec time = { 0, ns };

	nanosleep(&time, NULL);
}

int
main(int argc, char **argv)
{
	uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	shared->random = 0x9e3779b97f4a7c15ull;
	while (shared->calls < count) {
		pid_t pid = fork();
		if (pid == 0)
			child();
		if (pid < 0)
			return 3;
		uint64_t before;
		do {
			before = shared->calls;
			nap(2000000);
		} while (shared->calls != before && shared->calls < count);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	printf("the parent is well, the shell is %s\n",
	    access("/bin/sh", X_OK) == 0 ? "there" : "gone");
	return 0;
}
