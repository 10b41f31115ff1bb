/* SPDX-License-Identifier: MIT */
/*
 * Numbers and structures of the Linux system-call interface on x86-64, as the
 * programs know them. Errors are idl/errno.h plus the few below.
 */
#pragma once

#include <idl/errno.h>
#include <stdint.h>

#define E_NOTSOCK	88
#define E_OPNOTSUPP	95
#define E_NOSTR		60

/*
 * A call that a signal ended returns one of these; signal.c turns it into a
 * restart or E_INTR. Programs never see them.
 */
#define RESTART_SYS		512	/* restart if no handler ran, or SA_RESTART */
#define RESTART_ALWAYS		513
#define RESTART_NO_HANDLER	514
#define RESTART_BLOCK		516	/* as above, through restart_syscall */

/* open */
#define L_O_ACCMODE	3
#define L_O_WRONLY	1
#define L_O_RDWR	2
#define L_O_CREAT	0100
#define L_O_EXCL	0200
#define L_O_NOCTTY	0400
#define L_O_TRUNC	01000
#define L_O_APPEND	02000
#define L_O_NONBLOCK	04000
#define L_O_DSYNC	010000
#define L_O_ASYNC	020000
#define L_O_DIRECT	040000
#define L_O_LARGEFILE	0100000
#define L_O_DIRECTORY	0200000
#define L_O_NOFOLLOW	0400000
#define L_O_NOATIME	01000000
#define L_O_CLOEXEC	02000000
#define L_O_PATH	010000000
#define L_O_TMPFILE	020000000

#define L_AT_FDCWD		(-100)
#define L_AT_SYMLINK_NOFOLLOW	0x100
#define L_AT_REMOVEDIR		0x200
#define L_AT_EACCESS		0x200
#define L_AT_SYMLINK_FOLLOW	0x400
#define L_AT_NO_AUTOMOUNT	0x800
#define L_AT_EMPTY_PATH		0x1000
#define L_AT_STATX_SYNC		0x6000

#define L_F_DUPFD		0
#define L_F_GETFD		1
#define L_F_SETFD		2
#define L_F_GETFL		3
#define L_F_SETFL		4
#define L_F_GETLK		5
#define L_F_SETLK		6
#define L_F_SETLKW		7
#define L_F_SETOWN		8
#define L_F_OFD_GETLK		36
#define L_F_OFD_SETLK		37
#define L_F_OFD_SETLKW		38
#define L_F_GETOWN		9
#define L_F_DUPFD_CLOEXEC	1030
#define L_F_GETPIPE_SZ		1032
#define L_FD_CLOEXEC		1

#define L_S_IFMT	0170000

/* mmap */
#define L_PROT_READ	1
#define L_PROT_WRITE	2
#define L_PROT_EXEC	4
#define L_MAP_SHARED	1
#define L_MAP_PRIVATE	2
#define L_MAP_TYPE	15
#define L_MAP_FIXED	0x10
#define L_MAP_ANONYMOUS	0x20
#define L_MAP_FIXED_NOREPLACE	0x100000

/* signals */
#define L_SIGHUP	1
#define L_SIGINT	2
#define L_SIGQUIT	3
#define L_SIGILL	4
#define L_SIGTRAP	5
#define L_SIGABRT	6
#define L_SIGBUS	7
#define L_SIGFPE	8
#define L_SIGKILL	9
#define L_SIGSEGV	11
#define L_SIGPIPE	13
#define L_SIGALRM	14
#define L_SIGCHLD	17
#define L_SIGCONT	18
#define L_SIGSTOP	19
#define L_SIGTSTP	20
#define L_SIGTTIN	21
#define L_SIGTTOU	22
#define L_SIGURG	23
#define L_SIGXCPU	24
#define L_SIGXFSZ	25
#define L_SIGVTALRM	26
#define L_SIGPROF	27
#define L_SIGWINCH	28
#define L_SIGSYS	31
#define L_SIGRTMIN	32
#define L_NSIG		64

#define L_SA_NOCLDSTOP	1ul
#define L_SA_NOCLDWAIT	2ul
#define L_SA_SIGINFO	4ul
#define L_SA_RESTORER	0x04000000ul
#define L_SA_ONSTACK	0x08000000ul
#define L_SA_RESTART	0x10000000ul
#define L_SA_NODEFER	0x40000000ul
#define L_SA_RESETHAND	0x80000000ul

#define L_SIG_DFL	0ul
#define L_SIG_IGN	1ul

#define L_SS_ONSTACK	1
#define L_SS_DISABLE	2
#define L_SS_AUTODISARM	0x80000000u

#define L_SI_USER	0
#define L_SI_KERNEL	0x80
#define L_SI_TIMER	(-2)
#define L_SI_TKILL	(-6)
#define L_CLD_EXITED	1
#define L_CLD_KILLED	2
#define L_CLD_DUMPED	3
#define L_CLD_STOPPED	5
#define L_CLD_CONTINUED	6

/* clone */
#define L_CLONE_VM		0x100ul
#define L_CLONE_VFORK		0x4000ul
#define L_CLONE_THREAD		0x10000ul
#define L_CLONE_SETTLS		0x80000ul
#define L_CLONE_PARENT_SETTID	0x100000ul
#define L_CLONE_CHILD_CLEARTID	0x200000ul
#define L_CLONE_CHILD_SETTID	0x1000000ul

struct linux_stat {
	uint64_t dev, ino, nlink;
	uint32_t mode, uid, gid, pad;
	uint64_t rdev;
	int64_t	 size, blksize, blocks;
	uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
	int64_t	 unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "struct stat");

struct linux_statx_time {
	int64_t	 seconds;
	uint32_t nanoseconds;
	int32_t	 reserved;
};

struct linux_statx {
	uint32_t mask, blksize;
	uint64_t attributes;
	uint32_t nlink, uid, gid;
	uint16_t mode, spare0;
	uint64_t ino, size, blocks, attributes_mask;
	struct linux_statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t spare[14];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");
#define L_STATX_BASIC	0x7ffu

struct linux_statfs {
	int64_t	 type, bsize, blocks, bfree, bavail, files, ffree;
	int32_t	 fsid[2];
	int64_t	 namelen, frsize, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");

struct linux_timespec {
	int64_t seconds, nanoseconds;
};

struct linux_timeval {
	int64_t seconds, microseconds;
};

struct linux_iovec {
	uint64_t base, length;
};

struct linux_pollfd {
	int32_t	 fd;
	int16_t	 events, revents;
};
#define L_POLLIN	0x001
#define L_POLLPRI	0x002
#define L_POLLOUT	0x004
#define L_POLLERR	0x008
#define L_POLLHUP	0x010
#define L_POLLNVAL	0x020
#define L_POLLRDNORM	0x040
#define L_POLLRDBAND	0x080
#define L_POLLWRNORM	0x100
#define L_POLLWRBAND	0x200
#define L_POLLRDHUP	0x2000

struct linux_sigaction {
	uint64_t handler, flags, restorer, mask;
};

struct linux_stack {
	uint64_t sp;
	uint32_t flags, pad;
	uint64_t size;
};

struct linux_siginfo {
	int32_t	 signo, error, code, pad;
	union {
		struct {
			int32_t pid;
			uint32_t uid;
			uint64_t value;
		} sender;
		struct {
			int32_t pid;
			uint32_t uid;
			int32_t status, pad;
			int64_t user_ticks, system_ticks;
		} child;
		uint64_t address;
		uint8_t	 bytes[112];
	};
};
_Static_assert(sizeof(struct linux_siginfo) == 128, "siginfo_t");

struct linux_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, vector, old_mask, cr2;
	uint64_t vector_state;	/* address of the saved vector registers */
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct linux_sigcontext) == 256, "sigcontext");

struct linux_ucontext {
	uint64_t flags, link;
	struct linux_stack stack;
	struct linux_sigcontext registers;
	uint64_t mask;
};

/* What lies at the stack pointer when a handler starts. */
struct linux_sigframe {
	uint64_t restorer;
	struct linux_ucontext context;
	struct linux_siginfo info;
};

#define L_UC_FP_XSTATE		1u
#define L_UC_SIGCONTEXT_SS	2u
#define L_UC_STRICT_RESTORE_SS	4u

/* Software part of the saved vector state, at byte 464. */
struct linux_xstate_software {
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t size, padding[7];
};
#define L_XSTATE_SOFTWARE_AT	464
#define L_XSTATE_MAGIC1		0x46505853u
#define L_XSTATE_MAGIC2		0x46505845u

/* auxiliary vector */
#define L_AT_NULL		0
#define L_AT_PHDR		3
#define L_AT_PHENT		4
#define L_AT_PHNUM		5
#define L_AT_PAGESZ		6
#define L_AT_BASE		7
#define L_AT_FLAGS		8
#define L_AT_ENTRY		9
#define L_AT_UID		11
#define L_AT_EUID		12
#define L_AT_GID		13
#define L_AT_EGID		14
#define L_AT_PLATFORM		15
#define L_AT_HWCAP		16
#define L_AT_CLKTCK		17
#define L_AT_SECURE		23
#define L_AT_RANDOM		25
#define L_AT_HWCAP2		26
#define L_AT_EXECFN		31
#define L_AT_SYSINFO_EHDR	33
#define L_AT_MINSIGSTKSZ	51
