/* SPDX-License-Identifier: MIT */
/*
 * Protocol of terminals, served by `proc` (docs/design/terminals.md).
 *
 * TERMINAL_OPEN goes through the session of the process (PROCESS_PROC) and
 * gives an event pair: the open description, shared by whoever inherits it.
 * Requests marked D go through it, the others through the session, because
 * they depend on who asks. A terminal is named by its number: 0 is the
 * console, 1 + N the pseudo-terminal /dev/pts/N.
 *
 * Word 7 gives the length of window 0. "who" is pgid << 32 | sid, as the info
 * page tells them. It is believed: a process that lies can read in the
 * background, which it could also do by joining the group.
 *
 * A who of 0 is not checked: for callers that may go on in the background.
 *
 * Errors: E_IO the terminal was hung up (reads then answer 0 bytes on a slave,
 * E_IO on a master whose slaves are all closed), E_AGAIN with TERMINAL_NONBLOCK,
 * E_INTR, E_NXIO no such terminal, TERMINAL_E_BACKGROUND the caller's group is
 * not in the foreground: ask TERMINAL_STOP_GROUP, then try again.
 */
#pragma once

#include <stdint.h>

#define TERMINAL_OPEN		0x0380	/* TERMINAL_CONSOLE.. , pty number, TERMINAL_OPEN_* -> number, slave number of a new master; description */
#define TERMINAL_READ		0x0381	/* D length, TERMINAL_NONBLOCK, who; buffer(out) -> done. Parks */
#define TERMINAL_WRITE		0x0382	/* D length, TERMINAL_NONBLOCK, who; buffer(in) -> done >= 1. Parks */
#define TERMINAL_POLL		0x0383	/* D -> TERMINAL_READY_*, bytes to read, bytes not yet out */
#define TERMINAL_GET_MODES	0x0384	/* D ; struct terminal_modes(out) */
#define TERMINAL_SET_MODES	0x0385	/* D TERMINAL_NOW.., who; struct terminal_modes(in). DRAIN parks */
#define TERMINAL_GET_SIZE	0x0386	/* D -> rows, columns */
#define TERMINAL_SET_SIZE	0x0387	/* D rows, columns: SIGWINCH to the foreground if changed */
#define TERMINAL_FLUSH		0x0388	/* D 0 input, 1 output, 2 both; who */
#define TERMINAL_FLOW		0x0389	/* D TERMINAL_FLOW_*; who */
#define TERMINAL_DRAIN		0x038a	/* D who. Parks until all output is out */
#define TERMINAL_INSERT		0x038b	/* D byte: as if typed (TIOCSTI); E_PERM unless the console's or own master */
#define TERMINAL_GET_INFO	0x038c	/* D -> number, foreground pgid, sid, 1 master | 2 locked | 4 packet */
#define TERMINAL_SET_PTY	0x038d	/* D TERMINAL_PTY_*, value. Masters only */

#define TERMINAL_SET_GROUP	0x0390	/* number, pgid: foreground. E_NOTTY not the caller's terminal, E_PERM pgid not in its session */
#define TERMINAL_ACQUIRE	0x0391	/* number, 1 to steal: becomes the controlling terminal of the calling leader */
#define TERMINAL_RELEASE	0x0392	/* number: gives the controlling terminal up */
#define TERMINAL_STOP_GROUP	0x0393	/* signal (TTIN or TTOU): raised for the caller's group; E_IO if that is orphaned */

/* What TERMINAL_OPEN opens. */
#define TERMINAL_CONSOLE	0u
#define TERMINAL_CONTROLLING	1u	/* /dev/tty; E_NXIO without one */
#define TERMINAL_MASTER		2u	/* /dev/ptmx: a new pair, its slave locked */
#define TERMINAL_SLAVE		3u	/* pty number; E_IO locked or without master */

#define TERMINAL_OPEN_NOCTTY	0x1u	/* never becomes the controlling terminal */
#define TERMINAL_OPEN_READ	0x2u
#define TERMINAL_OPEN_WRITE	0x4u

#define TERMINAL_NONBLOCK	0x1u

#define TERMINAL_READY_IN	0x1u	/* a read would not wait */
#define TERMINAL_READY_OUT	0x2u
#define TERMINAL_READY_HANGUP	0x4u

#define TERMINAL_NOW		0u	/* of SET_MODES */
#define TERMINAL_AFTER_DRAIN	1u
#define TERMINAL_AFTER_FLUSH	2u	/* drained, then input flushed */

#define TERMINAL_FLOW_OUT_OFF	0u	/* values of TCXONC */
#define TERMINAL_FLOW_OUT_ON	1u
#define TERMINAL_FLOW_IN_OFF	2u
#define TERMINAL_FLOW_IN_ON	3u

#define TERMINAL_PTY_LOCK	0u
#define TERMINAL_PTY_PACKET	1u

#define TERMINAL_E_BACKGROUND	4000u

#define TERMINAL_PTY_MAX	64u	/* pseudo-terminals at once */
#define TERMINAL_LINE_MAX	4096u	/* a line in canonical mode, newline included */

/* As programs on x86-64 know it (struct termios of the system call). */
#define TERMINAL_CHARACTERS	19u

struct terminal_modes {
	uint32_t input, output, control, local;	/* MODE_* */
	uint8_t	 discipline;			/* 0 */
	uint8_t	 character[TERMINAL_CHARACTERS];	/* by CHARACTER_* */
};

_Static_assert(sizeof(struct terminal_modes) == 36, "layout of termios");

#define CHARACTER_DISABLED	0u	/* in most places: no such character */

enum {
	CHARACTER_INTERRUPT, CHARACTER_QUIT, CHARACTER_ERASE, CHARACTER_KILL,
	CHARACTER_END, CHARACTER_TIME, CHARACTER_MINIMUM, CHARACTER_SWITCH,
	CHARACTER_START, CHARACTER_STOP, CHARACTER_SUSPEND, CHARACTER_LINE,
	CHARACTER_REPRINT, CHARACTER_DISCARD, CHARACTER_WORD_ERASE,
	CHARACTER_LITERAL, CHARACTER_LINE_2,
};

/* input */
#define MODE_IGNBRK	0x0001u
#define MODE_BRKINT	0x0002u
#define MODE_IGNPAR	0x0004u
#define MODE_PARMRK	0x0008u
#define MODE_INPCK	0x0010u
#define MODE_ISTRIP	0x0020u
#define MODE_INLCR	0x0040u
#define MODE_IGNCR	0x0080u
#define MODE_ICRNL	0x0100u
#define MODE_IUCLC	0x0200u
#define MODE_IXON	0x0400u
#define MODE_IXANY	0x0800u
#define MODE_IXOFF	0x1000u
#define MODE_IMAXBEL	0x2000u
#define MODE_IUTF8	0x4000u
/* output */
#define MODE_OPOST	0x0001u
#define MODE_OLCUC	0x0002u
#define MODE_ONLCR	0x0004u
#define MODE_OCRNL	0x0008u
#define MODE_ONOCR	0x0010u
#define MODE_ONLRET	0x0020u
#define MODE_XTABS	0x1800u
/* control: kept and told, without effect on the line */
#define MODE_B38400	0x000fu
#define MODE_CS8	0x0030u
#define MODE_CREAD	0x0080u
/* local */
#define MODE_ISIG	0x0001u
#define MODE_ICANON	0x0002u
#define MODE_ECHO	0x0008u
#define MODE_ECHOE	0x0010u
#define MODE_ECHOK	0x0020u
#define MODE_ECHONL	0x0040u
#define MODE_NOFLSH	0x0080u
#define MODE_TOSTOP	0x0100u
#define MODE_ECHOCTL	0x0200u
#define MODE_ECHOPRT	0x0400u
#define MODE_ECHOKE	0x0800u
#define MODE_FLUSHO	0x1000u
#define MODE_PENDIN	0x4000u
#define MODE_IEXTEN	0x8000u
