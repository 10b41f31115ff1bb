/* SPDX-License-Identifier: MIT */
#include <lib/service/fake/events.h>

#include <lib/service/fake/kernel.h>
#include <lib/service/loop.h>

#include <idl/place.h>
#include <stdio.h>
#include <stdlib.h>

static FILE *file;
static bool recording;

/* Opened once by each process, at the first run. */
static FILE *
events_file(void)
{
	static bool opened;
	const char *path = getenv("BENNU_LOOP_EVENTS");

	if (opened || path == NULL)
		return file;
	opened = true;
	file = fopen(path, "w");
	if (file == NULL) {
		perror(path);
		exit(2);
	}
	return file;
}

void
events_begin(void)
{
	recording = events_file() != NULL;
}

void
events_end(void)
{
	if (!recording)
		return;
	recording = false;
	fputs(".\n", file);
	/* A full disk must not look like a short run. */
	if (fflush(file) != 0) {
		perror("BENNU_LOOP_EVENTS");
		exit(2);
	}
}

void
events_add(const char *word, uint64_t a, uint64_t b, uint64_t c)
{
	if (recording)
		fprintf(file, "%s %llu %llu %llu\n", word,
		    (unsigned long long)a, (unsigned long long)b,
		    (unsigned long long)c);
}

void
events_add_slot(const char *word, cap_t cap, uint64_t c)
{
	events_add(word, CAP_INDEX(cap) - PLACE_FREE_SLOT,
	    CAP_GENERATION(cap) - 1, c);
}

void
events_add_bits(const char *word, uint64_t bits)
{
	events_add(word, (bits & FAKE_SERVICE_BIT ? 1u : 0u) |
	    (bits & LOOP_EVENT_BIT ? 2u : 0u), 0, 0);
}
