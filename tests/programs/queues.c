/* SPDX-License-Identifier: MIT */
/* Signals with values, who may send what, waiting for them, their order. */
#define _GNU_SOURCE
#include "say.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LOG_MAX	16

static struct {
	int number, code, value;
} volatile entries[LOG_MAX];
static volatile sig_atomic_t count;

static void
record(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (count == LOG_MAX)
		return;
	entries[count].number = number;
	entries[count].code = info->si_code;
	entries[count].value = info->si_value.sival_int;
	count++;
}

static void
install(int number, int flags)
{
	struct sigaction act = { .sa_flags = flags | SA_SIGINFO };

	act.sa_sigaction = record;
	/* One at a time, so that the order is that of delivery. */
	sigfillset(&act.sa_mask);
	sigaction(number, &act, NULL);
}

static void
say_entries(const char *what)
{
	printf("%s:", what);
	for (int i = 0; i < count; i++)
		printf(" %d/%d/%d", entries[i].number - (entries[i].number >=
		    SIGRTMIN ? SIGRTMIN - 1000 : 0), entries[i].code,
		    entries[i].value);
	printf("\n");
	count = 0;
}

static long
queue(int pid, int number, int code, int value)
{
	siginfo_t info = { .si_code = code };

	info.si_pid = getpid();
	info.si_value.sival_int = value;
	return syscall(SYS_rt_sigqueueinfo, pid, number, &info);
}

static void
order(void)
{
	sigset_t all, old;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	install(SIGRTMIN, 0);
	install(SIGRTMIN + 3, 0);
	install(SIGUSR1, 0);
	install(SIGUSR2, 0);
	install(SIGSEGV, 0);
	union sigval value = { .sival_int = 1 };
	SAY("sigqueue", sigqueue(getpid(), SIGRTMIN + 3, value));
	value.sival_int = 2;
	SAY("sigqueue", sigqueue(getpid(), SIGRTMIN, value));
	value.sival_int = 3;
	SAY("sigqueue", sigqueue(getpid(), SIGRTMIN, value));
	value.sival_int = 4;
	SAY("sigqueue", sigqueue(getpid(), SIGUSR2, value));
	value.sival_int = 5;
	SAY("dropped", sigqueue(getpid(), SIGUSR2, value));
	SAY("kill", kill(getpid(), SIGUSR1));
	SAY("raise too", raise(SIGUSR1));
	SAY("kill", kill(getpid(), SIGSEGV));
	SAY("kill", kill(getpid(), SIGRTMIN));
	sigprocmask(SIG_SETMASK, &old, NULL);
	say_entries("delivered");
	signal(SIGSEGV, SIG_DFL);
}

static void
senders(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	SAY("as the kernel", queue(pid, SIGUSR1, 0, 0));
	SAY("as the kernel", queue(pid, SIGUSR1, SI_KERNEL, 0));
	SAY("as tkill", queue(pid, SIGUSR1, SI_TKILL, 0));
	SAY("probe", queue(pid, 0, SI_QUEUE, 0));
	SAY("no signal", queue(pid, 65, SI_QUEUE, 0));
	SAY("negative", queue(pid, -1, SI_QUEUE, 0));
	SAY("bad pointer", syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, 8));
	SAY("tgkill", syscall(SYS_tgkill, pid, pid, 0));
	SAY("tgkill", syscall(SYS_tgkill, getpid(), pid, 0));
	SAY("tgkill", syscall(SYS_tgkill, 0, pid, 0));
	SAY("tkill", syscall(SYS_tkill, pid, 0));
	SAY("tkill", syscall(SYS_tkill, -1, 0));
	SAY("tkill", syscall(SYS_tkill, pid, 65));
	SAY("kill", kill(pid, 65));
	SAY("kill", kill(pid, SIGKILL));
	waitpid(pid, NULL, 0);
	SAY("gone", kill(pid, 0));
	SAY("gone", syscall(SYS_tgkill, pid, pid, SIGTERM));
	SAY("gone", queue(pid, SIGUSR1, SI_QUEUE, 0));
	/* To itself all is allowed. */
	install(SIGUSR1, 0);
	SAY("to itself", queue(getpid(), SIGUSR1, SI_KERNEL, 7));
	SAY("to itself", queue(getpid(), SIGUSR1, SI_QUEUE, 8));
	raise(SIGUSR1);
	entries[count - 1].value = 0;
	say_entries("delivered");
}

/* The C library would hide that it was interrupted. */
static long
wait_raw(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
	return syscall(SYS_rt_sigtimedwait, set, info, timeout, 8);
}

static void
waiting(void)
{
	struct timespec zero = { 0, 0 }, some = { 0, 30000000 };
	struct timespec bad = { 0, 1000000000 };
	sigset_t set, old;
	siginfo_t info;
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old);
	signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(9);
	SAY("sigwaitinfo", wait_raw(&set, &info, NULL));
	printf("SIGCHLD %d %d %d\n", info.si_code, info.si_status,
	    info.si_pid == pid);
	waitpid(pid, &status, 0);
	union sigval value = { .sival_int = 11 };
	sigqueue(getpid(), SIGRTMIN + 1, value);
	value.sival_int = 12;
	sigqueue(getpid(), SIGRTMIN + 1, value);
	raise(SIGUSR1);
	SAY("sigtimedwait", wait_raw(&set, &info, &zero));
	printf("code %d\n", info.si_code);
	for (int i = 0; i < 2; i++) {
		CHECK(wait_raw(&set, &info, &zero) == SIGRTMIN + 1);
		printf("code %d value %d own %d\n", info.si_code,
		    info.si_value.sival_int, info.si_pid == getpid());
	}
	SAY("empty", wait_raw(&set, &info, &some));
	SAY("bad time", wait_raw(&set, &info, &bad));
	/* A handler of another signal ends it. */
	install(SIGUSR2, SA_RESTART);
	if (fork() == 0) {
		usleep(30000);
		kill(getppid(), SIGUSR2);
		_exit(0);
	}
	sigdelset(&set, SIGCHLD);
	SAY("interrupted", wait_raw(&set, &info, NULL));
	wait(NULL);
	count = 0;
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* Blocked while it came, then taken in sigsuspend. */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	SAY("before", count);
	sigemptyset(&set);
	SAY("sigsuspend", sigsuspend(&set));
	SAY("after", count);
	sigprocmask(SIG_SETMASK, &old, NULL);
	count = 0;
}

static volatile int on_stack_flags;

static void
on_stack(int number)
{
	stack_t now;

	(void)number;
	sigaltstack(NULL, &now);
	on_stack_flags = (int)now.ss_flags;
}

static void
stacks(void)
{
	stack_t stack = { .ss_size = 65536 }, old;
	struct sigaction act = { .sa_flags = SA_ONSTACK };

	stack.ss_sp = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	act.sa_handler = on_stack;
	sigaction(SIGUSR1, &act, NULL);
	sigaltstack(&stack, NULL);
	raise(SIGUSR1);
	SAY("flags on the stack", on_stack_flags);
	stack.ss_flags = (int)(1u << 31);	/* SS_AUTODISARM */
	SAY("autodisarm", sigaltstack(&stack, NULL));
	raise(SIGUSR1);
	SAY("flags on the stack", on_stack_flags);
	sigaltstack(NULL, &old);
	SAY("afterwards", old.ss_flags == stack.ss_flags);
	stack.ss_flags = 4;
	SAY("bad flags", sigaltstack(&stack, NULL));
	stack.ss_flags = SS_DISABLE;
	SAY("disable", sigaltstack(&stack, NULL));
	SAY("bad pointer", syscall(SYS_sigaltstack, 8, NULL));
}

static void
children(void)
{
	struct sigaction act = { .sa_flags = SA_NOCLDWAIT };

	act.sa_handler = SIG_DFL;
	sigaction(SIGCHLD, &act, NULL);
	if (fork() == 0)
		_exit(1);
	SAY("NOCLDWAIT", wait(NULL));
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0)
		_exit(1);
	SAY("ignored", wait(NULL));
	signal(SIGCHLD, SIG_DFL);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		raise(SIGTERM);
		_exit(1);
	}
	siginfo_t info;
	SAY("waitid", waitid(P_PID, (id_t)pid, &info, WEXITED));
	printf("code %d status %d uid %d\n", info.si_code, info.si_status,
	    info.si_uid == getuid());
	/* More than the queue takes: the sender is told. */
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 5);
	sigprocmask(SIG_BLOCK, &set, NULL);
	struct rlimit limit;
	getrlimit(RLIMIT_SIGPENDING, &limit);
	limit.rlim_cur = 40;
	setrlimit(RLIMIT_SIGPENDING, &limit);
	int sent = 0;
	union sigval value = { .sival_int = 1 };
	while (sent < 1000 && sigqueue(getpid(), SIGRTMIN + 5, value) == 0)
		sent++;
	SAY("limit reached", sent <= 40);
	SAY("EAGAIN", sigqueue(getpid(), SIGRTMIN + 5, value));
	SAY("others go", kill(getpid(), SIGCONT));
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	order();
	senders();
	waiting();
	stacks();
	children();
	return 0;
}
