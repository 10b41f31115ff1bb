/* SPDX-License-Identifier: MIT */
/* The client of the control socket. */
#pragma once

/* Sends the words as one command; returns the exit code. */
int ctl_run(const char *runtime, int count, char **words);
