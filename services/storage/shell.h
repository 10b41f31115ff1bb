/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the storage service: the core is lib/storage, these
 * hand it requests and carry bytes. Handlers return 0 or E_*; with 0 they have
 * filled the words of the reply from word 1 on.
 */
#pragma once

#include <idl/errno.h>
#include <idl/storage.h>
#include <lib/service/service.h>
#include <lib/storage/storage.h>

/* One request. */
struct request {
	struct storage *storage;
	struct service_call *call;
	struct description *self;	/* that the badge names */
	const uint64_t *word;		/* of the request */
	uint64_t *out;			/* word 1 of the reply */
};

typedef unsigned handler_function(struct request *request);

struct handler {
	handler_function *run;
	unsigned windows;		/* that must come with it */
	bool	 may_be_short;		/* or a path in its words */
};

/* handlers.c; NULL: no such request. */
const struct handler *handler_find(uint64_t tag);
/* Answers with a new description: makes its event pair. */
unsigned give_description(struct request *request,
    struct description *description);

/* files.c: effects and preparations for the core, and data requests. */
void files_environment(struct storage_environment *out_environment);
/* Where storage_load() finds its archive; 0, 0: it is done. */
void files_set_archive(cap_t memory, uint64_t offset);
unsigned handle_read(struct request *request);
unsigned handle_write(struct request *request);
unsigned handle_map(struct request *request);
unsigned handle_window(struct request *request);
/* The memory of watches: made once, mapped by each incarnation. */
status_t files_make_watches(cap_t *out_memory);
status_t files_map_watches(cap_t memory);

/* names.c */
/* The kernel's number of the object, and the badge if not NULL; 0: none. */
uint64_t object_id(cap_t cap, uint64_t *out_badge);
unsigned handle_open(struct request *request);
unsigned handle_reopen(struct request *request);
unsigned handle_mkdir(struct request *request);
unsigned handle_mknod(struct request *request);
unsigned handle_unlink(struct request *request);
unsigned handle_rename(struct request *request);
unsigned handle_link(struct request *request);
unsigned handle_symlink(struct request *request);
unsigned handle_readlink(struct request *request);
unsigned handle_stat_at(struct request *request);
unsigned handle_chmod(struct request *request);
unsigned handle_chown(struct request *request);
unsigned handle_utimens(struct request *request);
unsigned handle_access(struct request *request);

/* window.c */
/* E_* for what a window copy returned. */
unsigned window_error(status_t status);
/* A path of at most STORAGE_PATH_MAX - 1 bytes; window 0 or 1. */
unsigned window_path(const struct request *request, unsigned window,
    struct storage_path *out_path);
/* Length of a window, at most limit. */
unsigned window_length(const struct request *request, unsigned window,
    uint64_t limit, uint64_t *out_length);
/* All or E_*. */
unsigned window_put(const struct request *request, unsigned window,
    const void *data, uint64_t length);
