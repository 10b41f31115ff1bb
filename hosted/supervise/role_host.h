/* SPDX-License-Identifier: MIT */
/*
 * What the test program does when the supervisor starts it as a service. What a
 * service has to tell goes to files of the folder that FOLDER names.
 */
#pragma once

/* The name of a role and its arguments; returns the exit code. */
int role_run(char **word);
