/* SPDX-License-Identifier: MIT */
#include "fileops.h"

/* Neither read nor written nor waited for. */
static const struct file_ops none_file_ops;

const struct file_ops *const file_ops_of[FILE_KINDS] = {
	[FILE_FREE] = &none_file_ops,
	[FILE_STORAGE] = &storage_file_ops,
	[FILE_CONSOLE] = &console_file_ops,
	[FILE_DEVICE] = &device_file_ops,
	[FILE_PIPE] = &pipe_file_ops,
	[FILE_FIFO] = &fifo_file_ops,
	[FILE_PATH] = &none_file_ops,
	[FILE_TERMINAL] = &terminal_file_ops,
	[FILE_EVENT] = &event_file_ops,
	[FILE_TIMER] = &timer_file_ops,
	[FILE_SIGNAL] = &signal_file_ops,
	[FILE_EPOLL] = &epoll_file_ops,
};
