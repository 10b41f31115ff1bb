/* SPDX-License-Identifier: MIT */
/* A summary as lines for people, or as one line of JSON. */
#pragma once

#include "sample.h"

#include <stdio.h>

/* At most `lines` lines of `columns` characters; 0: no limit. */
void show_table(FILE *out, const struct summary *summary, unsigned lines,
    unsigned columns);
void show_json(FILE *out, const struct summary *summary);
