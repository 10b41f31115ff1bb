/* SPDX-License-Identifier: MIT */
/*
 * Terminals: proc runs them (idl/terminal.capnp), this is the side of the program.
 *
 * A file of kind FILE_TERMINAL holds the open description in cap, the number
 * of the terminal in terminal, and in device the number of the node it was
 * opened as, because /dev/tty stays /dev/tty to fstat and ttyname.
 */
#pragma once

#include "file.h"

#define TERMINAL_PATH_MAX	32u

/* Whether a device node with that number is a terminal. */
bool terminal_is_node(uint64_t device);
/* Fills what concerns the terminal into *file; flags are those of open. */
long terminal_file_open(struct file *file, uint64_t device, unsigned flags);
/* The path of the node; its length. */
size_t terminal_path(const struct file *file, char out[TERMINAL_PATH_MAX]);

/* Who asks, as requests name it; all 0: who may go on in the background. */
struct terminal_who {
	uint32_t session, group;
};

struct terminal_who terminal_who(void);
/*
 * A request was refused because the caller is in the background. Returns 0 if
 * it may be made once more, without saying who asks; else the result of the
 * call: -RESTART_SYS after the group was stopped, or -E_IO.
 */
long terminal_background(int signal);
/*
 * Whether a request that changes the terminal, or writes, is to be made once
 * more, by *who; if not, *error is the result of the call.
 */
bool terminal_once_more(struct terminal_who *who, long *error);
/* A new description of that terminal; what is TERMINALS_CONSOLE ... */
long terminal_open_what(struct file *file, uint32_t what, uint32_t slave,
    unsigned flags);

/* terminal_ioctl.c. argument is whatever the request makes of it. */
long terminal_ioctl(struct file *file, unsigned request, void *argument);
