/* SPDX-License-Identifier: MIT */
/*
 * The system's own call interface, for programs without a C library.
 *
 * A program that is linked with crt0 carries a note by which the system knows
 * it; its calls go through the table of bennu/calls.def. Number in RAX,
 * arguments in RDI RSI RDX R10 R8 R9, result in RAX: -4095 to -1 are errors.
 * RCX and R11 are lost. The functions here return -1 and set errno instead.
 * docs/design/own-abi.md tells what they mean; each has a page in docs/man/own.
 *
 * Structures are those of Linux on 64-bit x86, all of them in full: stat has
 * nanoseconds, sigaction four words, sigset_t 64 bits.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* BENNU_EXIT, BENNU_FORK ...: the numbers. */
enum {
#define CALL(number, NAME, name, arguments, linux) BENNU_##NAME = number,
#include "calls.def"
#undef CALL
	BENNU_CALLS
};

/* EPERM, ENOENT ... */
enum {
#define ERROR(number, name, text) name = number,
#define ALIAS(name, other) name = other,
#include "errors.def"
#undef ERROR
#undef ALIAS
	BENNU_ERRORS
};

/* The note: name, type, and the version in its first word. */
#define BENNU_NOTE_NAME		"Bennu"
#define BENNU_NOTE_TYPE		1
#define BENNU_ABI_VERSION	1

typedef int64_t ssize_t, off_t, time_t, clock_t, suseconds_t;
typedef int32_t pid_t, id_t;
typedef uint32_t uid_t, gid_t, mode_t;
typedef uint64_t dev_t, ino_t, sigset_t, rlim_t;
typedef void (*sighandler_t)(int);

/* --- Structures. --- */

struct timespec {
	time_t	 tv_sec;
	int64_t	 tv_nsec;
};

struct timeval {
	time_t	 tv_sec;
	suseconds_t tv_usec;
};

struct timezone {
	int32_t	 tz_minuteswest, tz_dsttime;	/* always 0 */
};

struct itimerval {
	struct timeval it_interval, it_value;
};

struct utimbuf {
	time_t	 actime, modtime;
};

struct tms {
	clock_t	 tms_utime, tms_stime, tms_cutime, tms_cstime;
};

struct stat {
	dev_t	 st_dev;
	ino_t	 st_ino;
	uint64_t st_nlink;
	mode_t	 st_mode;
	uid_t	 st_uid;
	gid_t	 st_gid;
	uint32_t reserved0;
	dev_t	 st_rdev;
	off_t	 st_size;
	int64_t	 st_blksize, st_blocks;
	struct timespec st_atim, st_mtim, st_ctim;
	int64_t	 reserved1[3];
};

struct statfs {
	int64_t	 f_type, f_bsize, f_blocks, f_bfree, f_bavail;
	int64_t	 f_files, f_ffree;
	int32_t	 f_fsid[2];
	int64_t	 f_namelen, f_frsize, f_flags, reserved[4];
};

struct ustat {
	int32_t	 f_tfree;	/* blocks */
	uint64_t f_tinode;	/* inodes */
	char	 f_fname[6], f_fpack[6];	/* always empty */
};

struct old_linux_dirent {
	uint64_t d_ino, d_offset;
	uint16_t d_namlen;
	char	 d_name[];	/* with its NUL */
};

struct utsname {
	char	 sysname[65], nodename[65], release[65], version[65];
	char	 machine[65], domainname[65];
};

struct rlimit {
	rlim_t	 rlim_cur, rlim_max;
};

struct rusage {
	struct timeval ru_utime, ru_stime;
	int64_t	 counters[14];	/* maxrss ... nivcsw */
};

typedef struct {
	uint64_t bits[16];
} fd_set;

struct siginfo {
	int32_t	 si_signo, si_errno, si_code, reserved;
	int32_t	 si_pid;
	uid_t	 si_uid;
	uint64_t rest[13];
};

struct sigaction {
	union {
		sighandler_t sa_handler;
		void (*sa_sigaction)(int, struct siginfo *, void *);
	};
	uint64_t sa_flags;
	void	 (*sa_restorer)(void);	/* used with SA_RESTORER only */
	sigset_t sa_mask;
};

_Static_assert(sizeof(struct stat) == 144, "struct stat");
_Static_assert(sizeof(struct statfs) == 120, "struct statfs");
_Static_assert(sizeof(struct ustat) == 32, "struct ustat");
_Static_assert(sizeof(struct utsname) == 390, "struct utsname");
_Static_assert(sizeof(struct rusage) == 144, "struct rusage");
_Static_assert(sizeof(struct siginfo) == 128, "struct siginfo");
_Static_assert(sizeof(struct sigaction) == 32, "struct sigaction");

/* --- spawn. --- */

#define SPAWN_GROUP	0x1u	/* setpgid(0, group) */
#define SPAWN_SESSION	0x2u	/* setsid() */
#define SPAWN_MASK	0x4u	/* blocked signals are mask */
#define SPAWN_DEFAULTS	0x8u	/* those of defaults are not ignored */
#define SPAWN_NICE	0x10u	/* nice(nice) */

#define SPAWN_OPEN	0u	/* path, flags and mode, as fd */
#define SPAWN_CLOSE	1u	/* fd */
#define SPAWN_DUP	2u	/* from becomes fd, open after the start */
#define SPAWN_CHDIR	3u	/* path */

#define SPAWN_ACTIONS_MAX	256u

struct spawn_action {
	uint32_t kind;		/* SPAWN_OPEN ... */
	int32_t	 fd, from;
	int32_t	 flags;
	mode_t	 mode;
	uint32_t reserved;	/* 0 */
	const char *path;
};

struct spawn {
	uint32_t flags;		/* SPAWN_GROUP ... */
	pid_t	 group;
	sigset_t mask, defaults;
	int32_t	 nice;
	uint32_t count;		/* of actions, done in order */
	const struct spawn_action *actions;
};

_Static_assert(sizeof(struct spawn_action) == 32, "struct spawn_action");
_Static_assert(sizeof(struct spawn) == 40, "struct spawn");

/* --- Constants. --- */

#define O_RDONLY	0
#define O_WRONLY	1
#define O_RDWR		2
#define O_CREAT		0100
#define O_EXCL		0200
#define O_NOCTTY	0400
#define O_TRUNC		01000
#define O_APPEND	02000
#define O_NONBLOCK	04000
#define O_DIRECTORY	0200000
#define O_NOFOLLOW	0400000
#define O_CLOEXEC	02000000

#define SEEK_SET	0
#define SEEK_CUR	1
#define SEEK_END	2

#define F_OK		0
#define X_OK		1
#define W_OK		2
#define R_OK		4

#define F_DUPFD		0
#define F_GETFD		1
#define F_SETFD		2
#define F_GETFL		3
#define F_SETFL		4
#define FD_CLOEXEC	1

#define S_IFMT		0170000
#define S_IFIFO		0010000
#define S_IFCHR		0020000
#define S_IFDIR		0040000
#define S_IFREG		0100000
#define S_IFLNK		0120000

#define PROT_READ	1
#define PROT_WRITE	2
#define PROT_EXEC	4
#define MAP_SHARED	1
#define MAP_PRIVATE	2
#define MAP_FIXED	0x10
#define MAP_ANONYMOUS	0x20
#define MAP_FAILED	((void *)-1)

#define SIGHUP		1
#define SIGINT		2
#define SIGQUIT		3
#define SIGILL		4
#define SIGTRAP		5
#define SIGABRT		6
#define SIGBUS		7
#define SIGFPE		8
#define SIGKILL		9
#define SIGUSR1		10
#define SIGSEGV		11
#define SIGUSR2		12
#define SIGPIPE		13
#define SIGALRM		14
#define SIGTERM		15
#define SIGCHLD		17
#define SIGCONT		18
#define SIGSTOP		19
#define SIGTSTP		20
#define SIGTTIN		21
#define SIGTTOU		22

#define SIG_DFL		((sighandler_t)0)
#define SIG_IGN		((sighandler_t)1)
#define SIG_ERR		((sighandler_t)-1)
#define SA_SIGINFO	0x4u
#define SA_RESTORER	0x04000000u
#define SA_RESTART	0x10000000u
#define SA_NODEFER	0x40000000u
#define SA_RESETHAND	0x80000000u

#define WNOHANG		1
#define WUNTRACED	2
#define WIFEXITED(status)	(((status) & 0x7f) == 0)
#define WEXITSTATUS(status)	(((status) >> 8) & 0xff)
#define WTERMSIG(status)	((status) & 0x7f)

#define PRIO_PROCESS	0
#define PRIO_PGRP	1
#define PRIO_USER	2
#define RLIMIT_DATA	2
#define RLIMIT_CORE	4
#define RLIMIT_NOFILE	7
#define RLIMIT_AS	9
#define RUSAGE_SELF	0
#define RUSAGE_CHILDREN	(-1)
#define ITIMER_REAL	0
#define ITIMER_VIRTUAL	1
#define ITIMER_PROF	2

/* Numbers of socketcall, which are those of Linux. */
#define SOCKET_SOCKET		1
#define SOCKET_BIND		2
#define SOCKET_CONNECT		3
#define SOCKET_LISTEN		4
#define SOCKET_ACCEPT		5
#define SOCKET_GETSOCKNAME	6
#define SOCKET_GETPEERNAME	7
#define SOCKET_SOCKETPAIR	8
#define SOCKET_SEND		9
#define SOCKET_RECV		10
#define SOCKET_SENDTO		11
#define SOCKET_RECVFROM		12
#define SOCKET_SHUTDOWN		13
#define SOCKET_SETSOCKOPT	14
#define SOCKET_GETSOCKOPT	15
#define SOCKET_SENDMSG		16
#define SOCKET_RECVMSG		17
#define SOCKET_ACCEPT4		18
#define SOCKET_RECVMMSG		19
#define SOCKET_SENDMMSG		20

/* --- Calls, by number. --- */

_Noreturn void exit(int status);
pid_t fork(void);
ssize_t read(int fd, void *buf, size_t count);
ssize_t write(int fd, const void *buf, size_t count);
int open(const char *pathname, int flags, mode_t mode);
int close(int fd);
pid_t waitpid(pid_t pid, int *status, int options);
int creat(const char *pathname, mode_t mode);
int link(const char *oldpath, const char *newpath);
int unlink(const char *pathname);
int execve(const char *filename, char *const argv[], char *const envp[]);
int chdir(const char *path);
time_t time(time_t *tloc);
int mknod(const char *pathname, mode_t mode, dev_t dev);
int chmod(const char *pathname, mode_t mode);
int lchown(const char *pathname, uid_t owner, gid_t group);
int stat(const char *pathname, struct stat *statbuf);
off_t lseek(int fd, off_t offset, int whence);
pid_t getpid(void);
int mount(const char *source, const char *target, const char *filesystemtype,
    unsigned long mountflags, const void *data);
int umount(const char *target);
int setuid(uid_t uid);
uid_t getuid(void);
int stime(const time_t *t);
long ptrace(int request, pid_t pid, void *addr, void *data);
unsigned int alarm(unsigned int seconds);
int fstat(int fd, struct stat *statbuf);
int pause(void);
int utime(const char *filename, const struct utimbuf *times);
int access(const char *pathname, int mode);
int nice(int inc);
void sync(void);
int kill(pid_t pid, int sig);
int rename(const char *oldpath, const char *newpath);
int mkdir(const char *pathname, mode_t mode);
int rmdir(const char *pathname);
int dup(int oldfd);
int pipe(int pipefd[2]);
clock_t times(struct tms *buf);
int brk(void *addr);
int setgid(gid_t gid);
gid_t getgid(void);
sighandler_t signal(int signum, sighandler_t handler);
uid_t geteuid(void);
gid_t getegid(void);
int acct(const char *filename);
int ioctl(int fd, unsigned long request, ...);
int fcntl(int fd, int cmd, ...);
int setpgid(pid_t pid, pid_t pgid);
mode_t umask(mode_t mask);
int chroot(const char *path);
int ustat(dev_t dev, struct ustat *ubuf);
int dup2(int oldfd, int newfd);
pid_t getppid(void);
pid_t getpgrp(void);
pid_t setsid(void);
int sigaction(int signum, const struct sigaction *act,
    struct sigaction *oldact);
int sgetmask(void);
int ssetmask(int newmask);
int setreuid(uid_t ruid, uid_t euid);
int setregid(gid_t rgid, gid_t egid);
int sigsuspend(const sigset_t *mask);
int sigpending(sigset_t *set);
int sethostname(const char *name, size_t len);
int setrlimit(int resource, const struct rlimit *rlim);
int getrlimit(int resource, struct rlimit *rlim);
int getrusage(int who, struct rusage *usage);
int gettimeofday(struct timeval *tv, struct timezone *tz);
int settimeofday(const struct timeval *tv, const struct timezone *tz);
int getgroups(int size, gid_t list[]);
int setgroups(size_t size, const gid_t *list);
int select(int nfds, fd_set *readfds, fd_set *writefds, fd_set *exceptfds,
    struct timeval *timeout);
int symlink(const char *target, const char *linkpath);
int lstat(const char *pathname, struct stat *statbuf);
ssize_t readlink(const char *pathname, char *buf, size_t bufsiz);
int uselib(const char *library);
int swapon(const char *path, int swapflags);
int reboot(int magic, int magic2, int cmd, void *arg);
int readdir(unsigned int fd, struct old_linux_dirent *dirp,
    unsigned int count);
void *mmap(void *addr, size_t length, int prot, int flags, int fd,
    off_t offset);
int munmap(void *addr, size_t length);
int truncate(const char *path, off_t length);
int ftruncate(int fd, off_t length);
int fchmod(int fd, mode_t mode);
int fchown(int fd, uid_t owner, gid_t group);
int getpriority(int which, id_t who);
int setpriority(int which, id_t who, int prio);
int statfs(const char *path, struct statfs *buf);
int fstatfs(int fd, struct statfs *buf);
int ioperm(unsigned long from, unsigned long num, int turn_on);
int socketcall(int call, unsigned long *args);
int syslog(int type, char *bufp, int len);
int setitimer(int which, const struct itimerval *new_value,
    struct itimerval *old_value);
int getitimer(int which, struct itimerval *curr_value);
int newstat(const char *pathname, struct stat *statbuf);
int newlstat(const char *pathname, struct stat *statbuf);
int newfstat(int fd, struct stat *statbuf);
int uname(struct utsname *buf);
int iopl(int level);
int vhangup(void);
/* how NULL: nothing but the program. No fork in it; errors come here. */
pid_t spawn(const char *path, const struct spawn *how, char *const argv[],
    char *const envp[]);
/* At the end of a handler, by the code that the system returns it to. */
_Noreturn void sigreturn(void);

/* --- The library. --- */

extern int errno;
extern char **environ;

/* Any call: its result as the system returns it, errors negative. */
long bennu_call(long number, ...);
/* -1 and errno for an error, else the result. */
long bennu_result(long result);
const char *error_name(int error);	/* "EPERM", NULL: none has it */
const char *error_text(int error);	/* of Appendix B, or NULL */
/* Moves the end of the data; where it was, or (void *)-1. */
void *sbrk(intptr_t increment);
