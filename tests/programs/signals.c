/* SPDX-License-Identifier: MIT */
/* Handlers, masks, interrupted calls, faults, alternate stacks. */
#define _GNU_SOURCE
#include "say.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>

static volatile sig_atomic_t caught, depth, depth_max, raised;
static siginfo_t last;
static sigjmp_buf back;
static volatile char *volatile nowhere = (char *)8;

static void
on_signal(int number)
{
	caught = number;
}

static void
on_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught = number;
	last = *info;
}

static void
nested(int number)
{
	if (++depth > depth_max)
		depth_max = depth;
	if (raised++ < 2)
		raise(number);
	depth--;
}

static void
install(int number, void *handler, int flags)
{
	struct sigaction act = { .sa_flags = flags };

	act.sa_sigaction = handler;
	if (sigaction(number, &act, NULL) != 0)
		printf("sigaction: %s\n", error_name(errno));
}

static void
handlers(void)
{
	struct sigaction act;
	double before = 3.5;

	install(SIGUSR1, on_signal, 0);
	SAY("raise", raise(SIGUSR1));
	SAY("caught", caught);
	CHECK(before * 2 == 7.0);
	install(SIGUSR2, on_info, SA_SIGINFO);
	kill(getpid(), SIGUSR2);
	SAY("caught", caught);
	CHECK(last.si_signo == SIGUSR2 && last.si_pid == getpid());
	SAY("code", last.si_code);
	install(SIGUSR1, nested, SA_NODEFER);
	raise(SIGUSR1);
	SAY("depth with NODEFER", depth_max);
	depth_max = raised = 0;
	install(SIGUSR1, nested, 0);
	raise(SIGUSR1);
	SAY("depth without", depth_max);
	SAY("raised", raised);
	install(SIGUSR1, on_signal, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &act);
	CHECK(act.sa_handler == SIG_DFL);
	SAY("catch SIGKILL", sigaction(SIGKILL, &act, NULL));
	SAY("signal 0", sigaction(0, NULL, &act));
	SAY("signal 65", sigaction(65, NULL, &act));
}

static void
masks(void)
{
	sigset_t set, old, pending;

	install(SIGUSR1, on_signal, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	SAY("block", sigprocmask(SIG_BLOCK, &set, &old));
	caught = 0;
	raise(SIGUSR1);
	SAY("while blocked", caught);
	sigpending(&pending);
	SAY("pending", sigismember(&pending, SIGUSR1));
	SAY("unblock", sigprocmask(SIG_SETMASK, &old, NULL));
	SAY("after", caught);
	SAY("bad how", sigprocmask(17, &set, NULL));
	caught = 0;
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	sigset_t none;
	sigemptyset(&none);
	SAY("sigsuspend", sigsuspend(&none));
	SAY("caught", caught);
	raise(SIGUSR1);
	struct timespec zero = { 0, 0 }, some = { 0, 20000000 };
	siginfo_t info;
	SAY("sigtimedwait", sigtimedwait(&set, &info, &zero));
	SAY("sigtimedwait", sigtimedwait(&set, &info, &some));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* A child sends; the parent is in a call that waits. */
static void
interrupted(void)
{
	struct timespec time = { 5, 0 }, left = { 0, 0 };
	int p[2], status;
	char c;

	install(SIGUSR1, on_signal, 0);
	pid_t parent = getpid();
	pipe(p);
	if (fork() == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	SAY("nanosleep", nanosleep(&time, &left));
	CHECK(left.tv_sec == 4);
	while (wait(&status) < 0)
		;
	if (fork() == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		usleep(50000);
		_exit(0);
	}
	SAY("read", read(p[0], &c, 1));
	wait(&status);
	install(SIGUSR1, on_signal, SA_RESTART);
	if (fork() == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		usleep(50000);
		write(p[1], "x", 1);
		_exit(0);
	}
	SAY("read restarted", read(p[0], &c, 1));
	SAY("wait", wait(&status) > 0);
	caught = 0;
	if (fork() == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	/* No call at all: the signal arrives in the middle of a loop. */
	while (!caught)
		;
	SAY("loop left by", caught);
	SAY("wait", wait(&status) > 0);
	if (fork() == 0) {
		usleep(50000);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	SAY("pause", pause());
	SAY("wait", wait(&status) > 0);
	close(p[0]);
	close(p[1]);
}

static void
on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	last = *info;
	siglongjmp(back, number);
}

static void
faults(void)
{
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
	    -1, 0);
	volatile int zero = 0;
	int number;

	install(SIGSEGV, on_fault, SA_SIGINFO);
	install(SIGFPE, on_fault, SA_SIGINFO);
	install(SIGILL, on_fault, SA_SIGINFO);
	install(SIGTRAP, on_fault, SA_SIGINFO);
	if ((number = sigsetjmp(back, 1)) == 0)
		*nowhere = 1;
	printf("null: %d code %d address %p\n", number, last.si_code,
	    last.si_addr);
	if ((number = sigsetjmp(back, 1)) == 0)
		page[5] = 1;
	printf("read-only: %d code %d %d\n", number, last.si_code,
	    last.si_addr == page + 5);
	if ((number = sigsetjmp(back, 1)) == 0)
		*(volatile char *)0x8000000000000000ul = 1;
	printf("not canonical: %d code %d\n", number, last.si_code);
	if ((number = sigsetjmp(back, 1)) == 0)
		__asm__ volatile("cltd\n\tidivl %1" : "+a"(number) : "m"(zero) :
		    "edx");
	printf("divide: %d code %d\n", number, last.si_code);
	if ((number = sigsetjmp(back, 1)) == 0)
		__asm__ volatile("ud2");
	printf("invalid: %d code %d\n", number, last.si_code);
	if ((number = sigsetjmp(back, 1)) == 0)
		__asm__ volatile("int3");
	printf("breakpoint: %d\n", number);
	if ((number = sigsetjmp(back, 1)) == 0)
		((void (*)(void))page)();
	printf("no execute: %d code %d\n", number, last.si_code);
	munmap(page, 4096);
	signal(SIGSEGV, SIG_DFL);
	if (fork() == 0) {
		signal(SIGSEGV, SIG_IGN);
		*nowhere = 1;
		_exit(0);
	}
	wait(&number);
	printf("ignored fault: %d\n", WIFSIGNALED(number) ?
	    WTERMSIG(number) : 0);
}

static char *alternate;

static void
on_alternate(int number, siginfo_t *info, void *context)
{
	char here;
	ucontext_t *uc = context;

	(void)number;
	(void)info;
	CHECK(&here > alternate && &here < alternate + 65536);
	CHECK(uc->uc_stack.ss_sp == alternate);
	SAY("disable while used", sigaltstack(&(stack_t){
	    .ss_flags = SS_DISABLE }, NULL));
}

static int
overflow(int n)
{
	volatile char room[4096];

	room[0] = (char)n;
	if (n < 0)
		return 0;
	return overflow(n + 1) + room[0];
}

static void
on_overflow(int number)
{
	siglongjmp(back, number);
}

static void
stacks(void)
{
	stack_t stack = { .ss_size = 65536 };

	alternate = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack.ss_sp = alternate;
	SAY("sigaltstack", sigaltstack(&stack, NULL));
	install(SIGUSR1, on_alternate, SA_SIGINFO | SA_ONSTACK);
	raise(SIGUSR1);
	install(SIGSEGV, on_overflow, SA_ONSTACK);
	if (sigsetjmp(back, 1) == 0)
		overflow(0);
	printf("stack overflow survived\n");
	signal(SIGSEGV, SIG_DFL);
	stack.ss_size = 100;
	SAY("too small", sigaltstack(&stack, NULL));
}

static volatile int changed;

static void
change_registers(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)number;
	(void)info;
	uc->uc_mcontext.gregs[REG_RBX] = 77;
	changed = 1;
}

/* Vector registers and flags survive a handler; changes by it take effect. */
static void
registers(void)
{
	unsigned long rbx = 1, low;
	int pid = getpid();
	double vector[2] = { 1.5, 2.5 }, after[2];

	install(SIGUSR1, change_registers, SA_SIGINFO);
	__asm__ volatile("movupd %3, %%xmm7\n\t"
	    "movl %4, %%edi\n\tmovl %5, %%esi\n\tmovl $200, %%eax\n\t"
	    "stc\n\tsyscall\n\tmovq %%rbx, %0\n\tmovupd %%xmm7, %1\n\t"
	    "movq %%rax, %2"
	    : "=m"(rbx), "=m"(after), "=m"(low)
	    : "m"(vector), "r"(pid), "i"(SIGUSR1)
	    : "rax", "rbx", "rcx", "rdi", "rsi", "r11", "xmm7", "memory");
	SAY("result", low);
	SAY("rbx", rbx);
	CHECK(after[0] == 1.5 && after[1] == 2.5 && changed);
}

int
main(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	handlers();
	masks();
	interrupted();
	faults();
	stacks();
	registers();
	return 0;
}
