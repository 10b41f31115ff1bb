/* SPDX-License-Identifier: MIT */
/* Pipes with a name: pipe.c, for who opens files. */
#pragma once

#include "file.h"

/*
 * A description of a named pipe: becomes FILE_FIFO. Waits for the other side
 * unless flags say O_NONBLOCK; on failure the file is still to be dropped.
 */
long pipe_open_named(struct file *file);
