/* SPDX-License-Identifier: MIT */
/*
 * The Linux calls, as the dispatch table names them. Each gets the program's
 * registers as they are and returns a result or a negative E_*.
 */
#pragma once

#include "linux.h"

#include <stddef.h>
#include <stdint.h>

/* memory.c */
long linux_brk(uint64_t wanted);
long linux_mmap(uint64_t address, uint64_t length, unsigned protection,
    unsigned flags, int fd, uint64_t offset);
long linux_munmap(uint64_t address, uint64_t length);
long linux_mprotect(uint64_t address, uint64_t length, unsigned protection);
long linux_mremap(uint64_t old, uint64_t old_length, uint64_t length,
    unsigned flags, uint64_t target);
long linux_madvise(uint64_t address, uint64_t length, int advice);
long linux_msync(uint64_t address, uint64_t length, int flags);

/* fd.c */
long linux_close(unsigned fd);
long linux_close_range(unsigned first, unsigned last, unsigned flags);
long linux_dup(unsigned fd);
long linux_dup2(unsigned old, unsigned new);
long linux_dup3(unsigned old, unsigned new, unsigned flags);
long linux_fcntl(unsigned fd, unsigned command, uint64_t argument);
long linux_ioctl(unsigned fd, unsigned request, void *argument);

/* lock.c */
long linux_flock(unsigned fd, unsigned operation);

/* pipe.c */
long linux_pipe(int *fds);
long linux_pipe2(int *fds, unsigned flags);

/* io.c */
long linux_read(unsigned fd, void *buffer, size_t size);
long linux_write(unsigned fd, const void *buffer, size_t size);
long linux_pread64(unsigned fd, void *buffer, size_t size, int64_t offset);
long linux_pwrite64(unsigned fd, const void *buffer, size_t size,
    int64_t offset);
long linux_readv(unsigned fd, const struct linux_iovec *vector, size_t count);
long linux_writev(unsigned fd, const struct linux_iovec *vector, size_t count);
long linux_preadv(unsigned fd, const struct linux_iovec *vector, size_t count,
    int64_t offset);
long linux_pwritev(unsigned fd, const struct linux_iovec *vector, size_t count,
    int64_t offset);
long linux_lseek(unsigned fd, int64_t offset, unsigned whence);
long linux_sendfile(unsigned out, unsigned in, int64_t *offset, size_t count);

/* eventfd.c, timerfd.c, signalfd.c, epoll.c, epollwait.c */
long linux_eventfd(unsigned count);
long linux_eventfd2(unsigned count, unsigned flags);
long linux_timerfd_create(int clock, unsigned flags);
long linux_timerfd_settime(int fd, unsigned flags, const void *from, void *old);
long linux_timerfd_gettime(int fd, void *out);
long linux_signalfd(int fd, const uint64_t *mask, size_t size);
long linux_signalfd4(int fd, const uint64_t *mask, size_t size,
    unsigned flags);
long linux_epoll_create(int size);
long linux_epoll_create1(unsigned flags);
long linux_epoll_ctl(int instance, int operation, int fd, const void *from);
long linux_epoll_wait(int fd, void *events, int room, int timeout_ms);
long linux_epoll_pwait(int fd, void *events, int room, int timeout_ms,
    const uint64_t *mask, size_t size);
long linux_epoll_pwait2(int fd, void *events, int room,
    const struct linux_timespec *timeout, const uint64_t *mask, size_t size);

/* poll.c */
long linux_poll(struct linux_pollfd *fds, unsigned count, int timeout_ms);
long linux_ppoll(struct linux_pollfd *fds, unsigned count,
    const struct linux_timespec *timeout, const uint64_t *mask, size_t size);
long linux_select(int count, uint64_t *in, uint64_t *out, uint64_t *except,
    struct linux_timeval *timeout);
long linux_pselect6(int count, uint64_t *in, uint64_t *out, uint64_t *except,
    struct linux_timespec *timeout, const uint64_t *mask_argument);

/* file.c, path.c, stat.c */
long linux_open(const char *path, unsigned flags, unsigned mode);
long linux_openat(int base, const char *path, unsigned flags, unsigned mode);
long linux_creat(const char *path, unsigned mode);
long linux_stat(const char *path, struct linux_stat *out);
long linux_lstat(const char *path, struct linux_stat *out);
long linux_fstat(unsigned fd, struct linux_stat *out);
long linux_newfstatat(int base, const char *path, struct linux_stat *out,
    unsigned flags);
long linux_statx(int base, const char *path, unsigned flags, unsigned mask,
    struct linux_statx *out);
long linux_statfs(const char *path, struct linux_statfs *out);
long linux_fstatfs(unsigned fd, struct linux_statfs *out);
long linux_access(const char *path, unsigned mode);
long linux_faccessat(int base, const char *path, unsigned mode);
long linux_faccessat2(int base, const char *path, unsigned mode,
    unsigned flags);
long linux_getdents64(unsigned fd, void *buffer, unsigned size);
long linux_mkdir(const char *path, unsigned mode);
long linux_mkdirat(int base, const char *path, unsigned mode);
long linux_rmdir(const char *path);
long linux_unlink(const char *path);
long linux_unlinkat(int base, const char *path, unsigned flags);
long linux_rename(const char *old, const char *new);
long linux_renameat(int old_base, const char *old, int new_base,
    const char *new);
long linux_renameat2(int old_base, const char *old, int new_base,
    const char *new, unsigned flags);
long linux_link(const char *old, const char *new);
long linux_linkat(int old_base, const char *old, int new_base,
    const char *new, unsigned flags);
long linux_symlink(const char *target, const char *path);
long linux_symlinkat(const char *target, int base, const char *path);
long linux_readlink(const char *path, char *buffer, size_t size);
long linux_readlinkat(int base, const char *path, char *buffer, size_t size);
long linux_chmod(const char *path, unsigned mode);
long linux_fchmod(unsigned fd, unsigned mode);
long linux_fchmodat(int base, const char *path, unsigned mode);
long linux_chown(const char *path, unsigned uid, unsigned gid);
long linux_lchown(const char *path, unsigned uid, unsigned gid);
long linux_fchown(unsigned fd, unsigned uid, unsigned gid);
long linux_fchownat(int base, const char *path, unsigned uid, unsigned gid,
    unsigned flags);
long linux_utimensat(int base, const char *path,
    const struct linux_timespec *times, unsigned flags);
long linux_utime(const char *path, const int64_t *times);
long linux_utimes(const char *path, const struct linux_timeval *times);
long linux_futimesat(int base, const char *path,
    const struct linux_timeval *times);
long linux_truncate(const char *path, int64_t size);
long linux_ftruncate(unsigned fd, int64_t size);
long linux_umask(unsigned mask);
long linux_chdir(const char *path);
long linux_fchdir(unsigned fd);
long linux_getcwd(char *buffer, size_t size);
long linux_sync(void);
long linux_fsync(unsigned fd);
long linux_mknod(const char *path, unsigned mode, uint64_t device);
long linux_mknodat(int base, const char *path, unsigned mode, uint64_t device);
long linux_fallocate(unsigned fd, unsigned mode, int64_t offset,
    int64_t length);
long linux_fadvise64(unsigned fd, int64_t offset, size_t length, int advice);

/* process.c, exec.c */
long linux_fork(void);
long linux_vfork(void);
long linux_clone(uint64_t flags, uint64_t stack, int *parent_id, int *child_id,
    uint64_t tls);
long linux_execve(const char *path, char *const *arguments,
    char *const *environment);
long linux_execveat(int base, const char *path, char *const *arguments,
    char *const *environment, unsigned flags);
_Noreturn long linux_exit(int code);
long linux_wait4(int selector, int *status, unsigned options, void *usage);
long linux_waitid(int type, int id, struct linux_siginfo *info,
    unsigned options, void *usage);
long linux_getpid(void);
long linux_getppid(void);
long linux_getuid(void);
long linux_geteuid(void);
long linux_getgid(void);
long linux_getegid(void);
long linux_getpgrp(void);
long linux_getpgid(int pid);
long linux_getsid(int pid);
long linux_setpgid(int pid, int group);
long linux_setsid(void);

/* control.c */
long linux_syslog(int action, char *buffer, int size);

/* system.c */
long linux_personality(unsigned wanted);
long linux_sethostname(const char *name, int length);
long linux_setdomainname(const char *name, int length);
long linux_uname(void *out);
long linux_sysinfo(void *out);
long linux_getrandom(void *buffer, size_t size, unsigned flags);
long linux_prctl(int option, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
long linux_arch_prctl(int code, uint64_t address);
long linux_set_tid_address(int *address);
long linux_set_robust_list(void *head, size_t size);
long linux_getrlimit(unsigned resource, uint64_t *out);
long linux_setrlimit(unsigned resource, const uint64_t *in);
long linux_prlimit64(int pid, unsigned resource, const uint64_t *in,
    uint64_t *out);
long linux_getrusage(int who, void *out);
long linux_times(int64_t *out);
long linux_sched_yield(void);
long linux_getcpu(unsigned *cpu, unsigned *node);
long linux_futex(uint32_t *word, int operation, uint32_t value,
    const struct linux_timespec *timeout);

/* privilege.c */
long linux_capget(uint32_t *header, uint32_t *data);
long linux_capset(uint32_t *header, const uint32_t *data);

/* identity.c */
long linux_setuid(uint32_t id);
long linux_setgid(uint32_t id);
long linux_setreuid(uint32_t real, uint32_t effective);
long linux_setregid(uint32_t real, uint32_t effective);
long linux_setresuid(uint32_t real, uint32_t effective, uint32_t saved);
long linux_setresgid(uint32_t real, uint32_t effective, uint32_t saved);
long linux_setfsuid(uint32_t id);
long linux_setfsgid(uint32_t id);
long linux_getresuid(uint32_t *real, uint32_t *effective, uint32_t *saved);
long linux_getresgid(uint32_t *real, uint32_t *effective, uint32_t *saved);
long linux_getgroups(int size, uint32_t *list);
long linux_setgroups(unsigned count, const uint32_t *list);
long linux_getpriority(int kind, int id);
long linux_setpriority(int kind, int id, int nice);
long linux_sched_getaffinity(int pid, unsigned size, uint8_t *mask);
long linux_sched_setaffinity(int pid, unsigned size, const uint8_t *mask);
long linux_ioprio_get(int kind, int id);
long linux_ioprio_set(int kind, int id, int value);
long linux_unshare(uint64_t flags);

/* alarm.c */
long linux_alarm(unsigned seconds);
long linux_setitimer(int which, const void *new, void *old);
long linux_getitimer(int which, void *out);

/* time.c */
long linux_clock_gettime(int clock, struct linux_timespec *out);
long linux_clock_getres(int clock, struct linux_timespec *out);
long linux_gettimeofday(struct linux_timeval *out, void *zone);
long linux_time(int64_t *out);
long linux_nanosleep(const struct linux_timespec *wanted,
    struct linux_timespec *left);
long linux_clock_nanosleep(int clock, int flags,
    const struct linux_timespec *wanted, struct linux_timespec *left);
long linux_restart_syscall(void);

/* signal.c, sigcall.c */
long linux_rt_sigaction(int number, const struct linux_sigaction *new,
    struct linux_sigaction *old, size_t size);
long linux_rt_sigprocmask(int how, const uint64_t *new, uint64_t *old,
    size_t size);
long linux_rt_sigpending(uint64_t *out, size_t size);
long linux_rt_sigsuspend(const uint64_t *mask, size_t size);
long linux_rt_sigtimedwait(const uint64_t *set, struct linux_siginfo *info,
    const struct linux_timespec *timeout, size_t size);
long linux_sched_setscheduler(int pid, int policy, const int *parameter);
long linux_sched_getscheduler(int pid);
long linux_sched_setparam(int pid, const int *parameter);
long linux_sched_getparam(int pid, int *out_parameter);
long linux_sched_get_priority_max(int policy);
long linux_sched_get_priority_min(int policy);
long linux_sched_rr_get_interval(int pid, struct linux_timespec *out);
long linux_rt_sigqueueinfo(int pid, int number,
    const struct linux_siginfo *info);
long linux_rt_tgsigqueueinfo(int pid, int thread, int number,
    const struct linux_siginfo *info);
long linux_rt_sigreturn(void);
long linux_sigaltstack(const struct linux_stack *new, struct linux_stack *old);
long linux_kill(int pid, int number);
long linux_tkill(int thread, int number);
long linux_tgkill(int pid, int thread, int number);
long linux_pause(void);
