/* SPDX-License-Identifier: MIT */
/*
 * The system's own calls, made from those of Linux: an independent reading of
 * docs/design/own-abi.md, by which the tests themselves are tested. Nothing
 * here changes the machine it runs on: what only its owner may do is refused.
 */
#pragma once

#include <bennu/abi.h>
#include <stdbool.h>

/* Numbers of Linux. */
#define HOST_CLOSE		3
#define HOST_LSEEK		8
#define HOST_BRK		12
#define HOST_SIGACTION		13
#define HOST_SIGPROCMASK	14
#define HOST_PIPE2		293
#define HOST_FORK		57
#define HOST_WAIT4		61
#define HOST_UNAME		63
#define HOST_MKDIR		83
#define HOST_SIGPENDING		127
#define HOST_SIGSUSPEND		130
#define HOST_MKNOD		133
#define HOST_USTAT		136
#define HOST_GETPRIORITY	140
#define HOST_SETPRIORITY	141
#define HOST_UMOUNT2		166
#define HOST_GETDENTS64		217
#define HOST_EXIT_GROUP		231

static inline long
host(long number, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall" : "=a"(result)
	    : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return result;
}

#define HOST(number, a, b, c, d) \
	host(number, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

long host_call(long number, long a, long b, long c, long d, long e, long f);
long host_spawn(const char *path, const struct spawn *how, char *const *argv,
    char *const *envp);
void host_return(void);
