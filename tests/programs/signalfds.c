/* SPDX-License-Identifier: MIT */
/* signalfd: what it takes, what it tells, waiting, errors. */
#include "say.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static int
fd_of(int first, int second, int flags)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, first);
	sigaddset(&set, second);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, flags);
}

static void
tell(int fd)
{
	struct signalfd_siginfo info = { 0 };
	long size = read(fd, &info, sizeof(info));

	if (size != sizeof(info)) {
		SAY("read", -1);
		return;
	}
	printf("signal %u code %d own %s value %d\n", info.ssi_signo,
	    info.ssi_code, info.ssi_pid == (unsigned)getpid() ? "yes" : "no",
	    info.ssi_int);
}

static void
taken(void)
{
	int fd = fd_of(SIGUSR1, SIGUSR2, SFD_NONBLOCK);
	struct signalfd_siginfo info[3];
	struct pollfd p = { fd, POLLIN | POLLOUT, 0 };

	SAY("poll", poll(&p, 1, 0));
	SAY("read of nothing", read(fd, info, sizeof(info)));
	kill(getpid(), SIGUSR1);
	kill(getpid(), SIGUSR1);
	SAY("poll", poll(&p, 1, 0));
	CHECK(p.revents == POLLIN);
	tell(fd);
	SAY("poll", poll(&p, 1, 0));
	kill(getpid(), SIGUSR2);
	kill(getpid(), SIGUSR1);
	SAY("read of both", read(fd, info, sizeof(info)) /
	    (long)sizeof(info[0]));
	CHECK(info[0].ssi_signo + info[1].ssi_signo == SIGUSR1 + SIGUSR2);
	raise(SIGUSR2);
	tell(fd);
	close(fd);
}

static void
queued(void)
{
	int fd = fd_of(SIGRTMIN + 1, SIGRTMIN + 2, SFD_NONBLOCK);

	sigqueue(getpid(), SIGRTMIN + 2, (union sigval){ .sival_int = 1 });
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 2 });
	sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 3 });
	for (int i = 0; i < 3; i++) {
		struct signalfd_siginfo info;
		if (read(fd, &info, sizeof(info)) == sizeof(info))
			printf("queued %d code %d value %d\n",
			    (int)info.ssi_signo - SIGRTMIN, info.ssi_code,
			    info.ssi_int);
	}
	close(fd);
}

static void
children(void)
{
	int fd = fd_of(SIGCHLD, SIGCHLD, 0);
	struct signalfd_siginfo info;
	pid_t child = fork();

	if (child == 0) {
		usleep(10000);
		_exit(7);
	}
	SAY_OK("read", read(fd, &info, sizeof(info)));
	CHECK(info.ssi_signo == SIGCHLD && info.ssi_code == CLD_EXITED);
	CHECK(info.ssi_pid == (unsigned)child && info.ssi_status == 7);
	waitpid(child, NULL, 0);
	close(fd);
}

/* What is not in the set interrupts, or restarts, a wait for what is. */
static int handled;

static void
note(int number)
{
	(void)number;
	handled++;
}

static void
waits(int flags, const char *name)
{
	struct sigaction act = { .sa_handler = note, .sa_flags = flags };
	int fd = fd_of(SIGUSR1, SIGUSR2, 0);
	pid_t parent = getpid(), child;
	struct signalfd_siginfo info;

	handled = 0;
	sigaction(SIGALRM, &act, NULL);
	child = fork();
	if (child == 0) {
		usleep(20000);
		kill(parent, SIGALRM);
		usleep(20000);
		kill(parent, SIGUSR2);
		_exit(0);
	}
	SAY(name, read(fd, &info, sizeof(info)));
	SAY("handled", handled);
	waitpid(child, NULL, 0);
	if (flags == 0)
		SAY("then", read(fd, &info, sizeof(info)));
	close(fd);
}

static void
polled(void)
{
	int fd = fd_of(SIGUSR1, SIGUSR1, 0);
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 8 };
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { -1, 0, 0 } };
	int epoll = epoll_create1(0);
	pid_t parent = getpid();

	epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	for (int round = 0; round < 2; round++) {
		pid_t child = fork();
		if (child == 0) {
			usleep(10000);
			kill(parent, SIGUSR1);
			_exit(0);
		}
		SAY("wait", round == 0 ? poll(p, 2, 5000) :
		    epoll_wait(epoll, &event, 1, 5000));
		waitpid(child, NULL, 0);
		tell(fd);
	}
	SAY("and none", epoll_wait(epoll, &event, 1, 0));
	close(epoll);
	close(fd);
}

static void
errors(void)
{
	sigset_t set;
	int fd, out[2];
	char small[100];

	if (pipe(out) != 0)
		return;
	sigemptyset(&set);
	sigaddset(&set, SIGKILL);
	sigaddset(&set, SIGUSR1);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	SAY_OK("with SIGKILL", fd);
	CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	SAY("short read", read(fd, small, 100));
	SAY("empty read", read(fd, small, 0));
	SAY("write", write(fd, small, 8));
	SAY("wrong flags", signalfd(-1, &set, 1));
	SAY("of a pipe", signalfd(out[0], &set, 0));
	SAY("of nothing", signalfd(99, &set, 0));
	SAY("wrong size", syscall(SYS_signalfd4, -1, &set, 7, 0));
	SAY("from nowhere", syscall(SYS_signalfd4, -1, (void *)8, 8, 0));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK(signalfd(fd, &set, 0) == fd);
	kill(getpid(), SIGUSR2);
	tell(fd);
	close(fd);
	close(out[0]);
	close(out[1]);
}

int
main(void)
{
	taken();
	queued();
	children();
	waits(0, "interrupted");
	waits(SA_RESTART, "restarted");
	polled();
	errors();
	return 0;
}
