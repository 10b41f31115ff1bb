/* SPDX-License-Identifier: MIT */
/*
 * Native system calls.
 *
 * Entry: SYSCALL with RAX = SYSCALL_NR(number), a negative value, so native
 * and foreign numbers never collide. RCX and R11 are clobbered by hardware.
 *
 *	arguments	RDI RSI RDX R10 R8 R9
 *	results		RAX status, then RDI RSI RDX R10 as listed
 *
 * The IPC calls (CALL, REPLY_WAIT, REPLY_READ) carry eight message words: RDX
 * R10 R8 R9 RBX R12 R13 R14, the tag first.
 *
 *	CALL		RDI endpoint or event pair end A, RSI = IPC_* flags and
 *			counts; on return the words of the reply, RDI and RSI =
 *			the first two received capabilities, all four in the UTCB
 *	REPLY_WAIT	RDI reply object to answer or 0, RSI endpoint to wait on or
 *			0, R15 reply object for the next call, words of the reply;
 *			utcb.reply_caps capabilities go with the reply (the
 *			kernel resets the field). On return RDI badge, RSI info
 *			word (IPC_INFO_*), R15 order number of the call, words.
 *			With RSI = 0 the call only replies.
 *	REPLY_READ	RDI reply object; results as for REPLY_WAIT
 *
 * No call takes a pointer to user memory. What does not fit registers lies in
 * the UTCB of the thread, a pinned page that the kernel reads in place, each
 * field once.
 */
#pragma once

#define SYSCALL_NR(n)		(-(long)(n))

#define SYS_NULL		1
#define SYS_CALL		2
#define SYS_REPLY_WAIT		3
#define SYS_REPLY_READ		4	/* reply -> words, badge, info, order */
#define SYS_REPLY_TAKE_CAP	5	/* reply, index, at -> cap */
#define SYS_WINDOW_COPY		6	/* reply, window | WINDOW_*, offset, memory or 0, address or offset, length -> done (64 KiB at most) */
#define SYS_NOTIFY_SIGNAL	7	/* notification, bits */
#define SYS_NOTIFY_WAIT		8	/* notification, WAIT_*, seen, deadline ns -> word, count */
#define SYS_NOTIFY_BIND		9	/* notification, thread or 0 */
#define SYS_EVENT_NEXT		10	/* notification -> EVENT_*, badge */
#define SYS_EVENT_REARM		11	/* notification: list taken events again */
#define SYS_EVENT_BIND		12	/* event pair end or death record, notification, bits, badge */
#define SYS_EVENTPAIR_QUERY	13	/* either end -> 1 if the peer is gone */
#define SYS_OBJECT_CREATE	14	/* OBJ_*, container, a1, a2, at -> cap, second cap */
#define SYS_CAP_COPY		15	/* source, table or 0, at, rights | trust << 16, badge -> cap */
#define SYS_CAP_DELETE		16	/* table or 0, cap */
#define SYS_CAP_REVOKE		17	/* cap: delete all that derive from it */
#define SYS_CAP_INFO		18	/* table or 0, cap -> type | rights << 8 | trust << 16, badge, object id */
#define SYS_TABLE_NEXT		19	/* table or 0, first index -> cap; ERR_EMPTY at the end */
#define SYS_TABLE_CLONE		20	/* source, destination, first index */
#define SYS_TABLE_CLEAR		21	/* table, first index */
#define SYS_MEMORY_CLONE	22	/* memory, offset, length, container -> cap: copy on write */
#define SYS_MEMORY_INFO		23	/* memory, page -> size, resident pages, flags, first one from that page on */
#define SYS_MEMORY_RESIZE	24	/* memory, new size; drops pages above it */
#define SYS_MEMORY_COPY		25	/* destination, offset, source, offset, length -> done */
#define SYS_VSPACE_MAP		26	/* vspace, address, memory, offset, length, MAP_* */
#define SYS_VSPACE_UNMAP	27	/* vspace, address, length */
#define SYS_VSPACE_PROTECT	28	/* vspace, address, length, MAP_* */
#define SYS_VSPACE_CLONE	29	/* source, destination, container, 0: as fork needs it */
#define SYS_VSPACE_COPY		30	/* vspace, address, memory, offset, length, 1 = into vspace -> done */
#define SYS_VSPACE_QUERY	31	/* vspace, address -> start, length, MAP_* of the region at or above */
#define SYS_THREAD_SETUP	32	/* thread, table, vspace, utcb memory; struct thread_setup in UTCB data */
#define SYS_THREAD_WRITE	33	/* thread: registers from UTCB data */
#define SYS_THREAD_READ		34	/* thread: registers into UTCB data */
#define SYS_THREAD_START	35	/* thread */
#define SYS_THREAD_KILL		36	/* thread; a death record is filled if bound */
#define SYS_THREAD_KICK		37	/* thread */
#define SYS_THREAD_RESUME	38	/* load own registers from UTCB frame */
#define SYS_THREAD_EXIT		39	/* DEATH_* cause, code: ends the calling thread */
#define SYS_THREAD_YIELD	40
#define SYS_THREAD_ALIVE	41	/* thread id -> 1 if it can still run */
#define SYS_THREAD_SCHEDULE	42	/* thread, class | weight << 8, affinity mask */
#define SYS_DEATH_READ		43	/* death record, 1 = event stays: struct death_info into UTCB data */
#define SYS_IRQ_ACK		44	/* irq: unmask */
#define SYS_TIMER_SET		45	/* timer, absolute ns or DEADLINE_NEVER */
#define SYS_IOPORT_IN		46	/* port, offset, width 1/2/4 -> value */
#define SYS_IOPORT_OUT		47	/* port, offset, width, value */
#define SYS_IOPORT_OUT_BYTES	48	/* port, offset, count <= 64; bytes in UTCB data */
#define SYS_CLOCK_READ		49	/* -> ns since boot, TSC */
#define SYS_LOG_WRITE		50	/* length; text in UTCB data */
#define SYS_LOG_READ		51	/* system, position -> next position, length; text in UTCB data */
#define SYS_CONTAINER_INFO	52	/* container: struct container_info into UTCB data */
#define SYS_CONTAINER_LIMIT	53	/* container, frames, objects, parent container */
#define SYS_SYSTEM_INFO		54	/* system or container: struct system_info into UTCB data */
#define SYS_SYSTEM_CONTROL	55	/* system, SYSTEM_*, value */
#define SYS_RANDOM		56	/* system: 32 bytes of seed material into UTCB data */
#define SYS_ENDPOINT_CLOSE	57	/* endpoint, 0: all callers, now and later, get ERR_GONE; 1: no more */
#define SYS_THREAD_INFO		58	/* thread or 0 -> run time ns, STATE_* | class << 8 | CPU << 16, affinity mask */
#define SYS_CPU_INFO		59	/* system or container, CPU number: struct cpu_info into UTCB data */
#define SYSCALL_COUNT		60

/* CALL RSI: how much of the UTCB transfer area counts. */
#define IPC_CAPS_MASK		0x7ul		/* 0..4 capabilities to pass */
#define IPC_WINDOWS_SHIFT	3
#define IPC_WINDOWS_MASK	0x18ul		/* 0..2 windows (CALL only) */

/* Info word of a received call. */
#define IPC_INFO_CAPS(i)	((i) & 7)
#define IPC_INFO_WINDOWS(i)	(((i) >> 3) & 3)
#define IPC_INFO_TRUST(i)	(((i) >> 8) & 0xf)
#define IPC_INFO_CANCELLED	0x1000ul	/* the caller asked to stop, or died */
#define IPC_INFO_NOTIFIED	0x2000ul	/* no call: badge holds notification bits */

/* WINDOW_COPY second argument: window number and direction. */
#define WINDOW_FROM_CALLER	0x0ul
#define WINDOW_TO_CALLER	0x10ul

#define SYSTEM_EXIT		1	/* leave the emulator or power off; value = code */
#define SYSTEM_INJECT_NOMEM	2	/* debug: fail the n-th allocation from now */
