/* SPDX-License-Identifier: MIT */
#include "host.h"

#define ADAPTED		(-1)
#define LOW_SIGNALS	0xfffffffful
#define NAME_AT		19u	/* in an entry of getdents64 */

static const short same[BENNU_CALLS] = {
#define CALL(number, NAME, name, arguments, linux) [number] = linux,
#include <bennu/calls.def>
};

/* Pointers that the translation itself would follow. */
static bool
leads_nowhere(const void *pointer)
{
	return (unsigned long)pointer < 4096;
}

static long
host_nice(int increment)
{
	long value = 20 - HOST(HOST_GETPRIORITY, 0, 0, 0, 0) + increment;
	long error = HOST(HOST_SETPRIORITY, 0, 0, value, 0);

	return error == -EACCES ? -EPERM : error;
}

static long
host_brk(long end)
{
	long now = HOST(HOST_BRK, end, 0, 0, 0);

	return end == 0 || now == end ? now : -ENOMEM;
}

static long
host_sigaction(int number, const struct sigaction *act,
    struct sigaction *before)
{
	struct sigaction with;

	if (act != NULL && leads_nowhere(act))
		return -EFAULT;
	if (act != NULL) {
		with = *act;
		if ((with.sa_flags & SA_RESTORER) == 0)
			with.sa_restorer = host_return;
		with.sa_flags |= SA_RESTORER;
		act = &with;
	}
	long error = HOST(HOST_SIGACTION, number, act, before, 8);
	if (error == 0 && before != NULL &&
	    before->sa_restorer == host_return) {
		before->sa_flags &= ~(uint64_t)SA_RESTORER;
		before->sa_restorer = NULL;
	}
	return error;
}

static long
host_signal(int number, sighandler_t handler)
{
	const struct sigaction act = {
		.sa_handler = handler, .sa_flags = SA_RESTART,
	};
	struct sigaction before;

	if (handler == SIG_ERR)
		return -EINVAL;
	long error = host_sigaction(number, &act, &before);
	return error != 0 ? error : (long)before.sa_handler;
}

static long
host_mask(bool change, uint32_t mask)
{
	uint64_t before, set;

	HOST(HOST_SIGPROCMASK, 0, NULL, &before, 8);
	set = (before & ~LOW_SIGNALS) | mask;
	if (change)
		HOST(HOST_SIGPROCMASK, 2, &set, NULL, 8);
	return (long)(before & LOW_SIGNALS);
}

static long
host_readdir(int fd, struct old_linux_dirent *out, unsigned size)
{
	unsigned char got[288];
	long before = HOST(HOST_LSEEK, fd, 0, SEEK_CUR, 0);
	long length = HOST(HOST_GETDENTS64, fd, got, sizeof(got), 0);
	unsigned name = 0;

	if (length <= 0)
		return length;
	while (got[NAME_AT + name] != 0)
		name++;
	if (leads_nowhere(out))
		HOST(HOST_LSEEK, fd, before, SEEK_SET, 0);
	if (leads_nowhere(out))
		return -EFAULT;
	if (18 + name + 1 > size) {
		HOST(HOST_LSEEK, fd, before, SEEK_SET, 0);
		return -EINVAL;
	}
	out->d_ino = *(uint64_t *)got;
	out->d_offset = *(uint64_t *)(got + 8);
	out->d_namlen = (uint16_t)name;
	for (unsigned i = 0; i <= name; i++)
		out->d_name[i] = (char)got[NAME_AT + i];
	HOST(HOST_LSEEK, fd, out->d_offset, SEEK_SET, 0);
	return 1;
}

static long
host_socketcall(int kind, const long *a)
{
	static const short numbers[] = { 0, 41, 49, 42, 50, 43, 51, 52, 53, 44,
		45, 44, 45, 48, 54, 55, 46, 47, 288, 299, 307 };
	bool plain = kind == SOCKET_SEND || kind == SOCKET_RECV;

	if (kind < 1 || kind >= (int)(sizeof(numbers) / sizeof(numbers[0])))
		return -EINVAL;
	if (leads_nowhere(a))
		return -EFAULT;
	return host(numbers[kind], a[0], a[1], a[2], a[3], plain ? 0 : a[4],
	    plain ? 0 : a[5]);
}

static long
host_uname(struct utsname *out)
{
	static const char system[65] = "Bennu", release[65] = "1";
	long error = HOST(HOST_UNAME, out, 0, 0, 0);

	for (unsigned i = 0; error == 0 && i < sizeof(system); i++) {
		out->sysname[i] = system[i];
		out->release[i] = release[i];
	}
	return error;
}

/* What nobody may do is not tried here. */
static long
host_refuse(long number, long a, long b)
{
	switch (number) {
	case BENNU_STIME:
		return a == 0 ? -EFAULT : *(time_t *)a < 0 ? -EINVAL : -EPERM;
	case BENNU_SETTIMEOFDAY:
		if (a != 0 && ((struct timeval *)a)->tv_usec >= 1000000)
			return -EINVAL;
		return a == 0 && b == 0 ? 0 : -EPERM;
	case BENNU_REBOOT:
		return a != (long)0xfee1dead || b != 672274793 ? -EINVAL :
		    -EPERM;
	case BENNU_IOPL:
		return a < 0 || a > 3 ? -EINVAL : a != 0 ? -EPERM : 0;
	case BENNU_VHANGUP:
		return -EPERM;
	default:
		return -ENOSYS;
	}
}

static long
host_adapted(long number, long a, long b, long c, long d)
{
	switch (number) {
	case BENNU_EXIT:
		return HOST(HOST_EXIT_GROUP, a, 0, 0, 0);
	case BENNU_WAITPID:
		return HOST(HOST_WAIT4, a, b, c, 0);
	case BENNU_MKNOD:
		return (b & S_IFMT) == S_IFDIR ?
		    HOST(HOST_MKDIR, a, b & ~S_IFMT, 0, 0) :
		    HOST(HOST_MKNOD, a, b, c, 0);
	case BENNU_UMOUNT:
		return HOST(HOST_UMOUNT2, a, 0, 0, 0);
	case BENNU_NICE:
		return host_nice((int)a);
	case BENNU_BRK:
		return host_brk(a);
	case BENNU_SIGNAL:
		return host_signal((int)a, (sighandler_t)b);
	case BENNU_USTAT:
		return HOST(HOST_USTAT, a, b, 0, 0);
	case BENNU_SIGACTION:
		return host_sigaction((int)a, (void *)b, (void *)c);
	case BENNU_SGETMASK:
		return host_mask(false, 0);
	case BENNU_SSETMASK:
		return host_mask(true, (uint32_t)a);
	case BENNU_SIGSUSPEND:
		return HOST(HOST_SIGSUSPEND, a, 8, 0, 0);
	case BENNU_SIGPENDING:
		return HOST(HOST_SIGPENDING, a, 8, 0, 0);
	case BENNU_READDIR:
		return host_readdir((int)a, (void *)b, (unsigned)c);
	case BENNU_SOCKETCALL:
		return host_socketcall((int)a, (void *)b);
	case BENNU_UNAME:
		return host_uname((void *)a);
	case BENNU_SPAWN:
		return host_spawn((void *)a, (void *)b, (void *)c, (void *)d);
	case BENNU_IOPERM:
		return b <= 0 || a < 0 || a + b > 65536 ? -EINVAL :
		    c != 0 ? -EPERM : 0;
	default:
		return host_refuse(number, a, b);
	}
}

/* Of the same meaning, but for the owner of this machine. */
static bool
is_owners(long number)
{
	return number == BENNU_MOUNT || number == BENNU_ACCT ||
	    number == BENNU_SETHOSTNAME || number == BENNU_SWAPON ||
	    number == BENNU_PTRACE || number == BENNU_USELIB ||
	    number == BENNU_SYSLOG;
}

long
host_call(long number, long a, long b, long c, long d, long e, long f)
{
	if (number < 0 || number >= BENNU_CALLS || is_owners(number))
		return -ENOSYS;
	if (same[number] != ADAPTED)
		return host(same[number], a, b, c, d, e, f);
	return host_adapted(number, a, b, c, d);
}
