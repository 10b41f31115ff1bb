/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the storage service: the core is lib/storage, these
 * hand it requests and carry bytes.
 */
#pragma once

#include <idl/errno.h>
#include <idl/storage_server.h>
#include <lib/service/service.h>
#include <lib/storage/storage.h>

struct storage_context {
	struct storage *storage;
	struct description *self;	/* that the badge names; NULL: a service */
};

/* handlers.c: a request through a description, or through the endpoint. */
service_outcome serve(struct storage_context *context,
    struct service_call *call);
/* Answers with a new description: makes its event pair. */
unsigned give_description(struct storage_context *context,
    struct service_call *call, struct description *description);

/* locks.c */
unsigned handle_lock(struct storage_context *context,
    struct service_call *call, const struct storage_lock_args *in,
    struct storage_lock_results *out);
unsigned handle_lock_test(struct storage_context *context,
    struct service_call *call, const struct storage_lock_test_args *in,
    struct storage_lock_test_results *out);
/* For the core. */
status_t locks_answer(void *context, struct storage_call call,
    unsigned error);
/* A parked call is given up, in a transaction. */
void locks_cancel(struct storage *storage, struct parked_call id);

/* files.c: effects and preparations for the core, and data requests. */
void files_environment(struct storage_environment *out_environment);
/* Where storage_load() finds its archive; 0, 0: it is done. */
void files_set_archive(cap_t memory, uint64_t offset);
/* The memory of watches: made once, mapped by each incarnation. */
status_t files_make_watches(cap_t *out_memory);
status_t files_map_watches(cap_t memory);
unsigned handle_read(struct storage_context *context,
    struct service_call *call, const struct storage_read_args *in,
    struct storage_read_results *out);
unsigned handle_write(struct storage_context *context,
    struct service_call *call, const struct storage_write_args *in,
    struct storage_write_results *out);
unsigned handle_map(struct storage_context *context,
    struct service_call *call, struct storage_map_results *out);
unsigned handle_window(struct storage_context *context,
    struct service_call *call, struct storage_window_results *out);

unsigned handle_fifo(struct storage_context *context,
    struct service_call *call, const struct storage_fifo_args *in,
    struct storage_fifo_results *out);

/* names.c */
/*
 * The description of a capability that came with the call, or that of the call.
 * It must be the event pair of the description it claims to be, not just any
 * with that badge: object numbers are the kernel's. Taken for this call only.
 */
unsigned find_given(const struct storage_context *context, cap_t take_cap,
    struct description **out_description);
/* The kernel's number of the object, and the badge if not NULL; 0: none. */
uint64_t object_id(cap_t cap, uint64_t *out_badge);
unsigned handle_open(struct storage_context *context,
    struct service_call *call, const struct storage_open_args *in,
    struct storage_open_results *out);
unsigned handle_reopen(struct storage_context *context,
    struct service_call *call, const struct storage_reopen_args *in,
    struct storage_reopen_results *out);
unsigned handle_mkdir(struct storage_context *context,
    struct service_call *call, const struct storage_mkdir_at_args *in);
unsigned handle_mknod(struct storage_context *context,
    struct service_call *call, const struct storage_mknod_at_args *in);
unsigned handle_unlink(struct storage_context *context,
    struct service_call *call, const struct storage_unlink_at_args *in);
unsigned handle_rename(struct storage_context *context,
    struct service_call *call, const struct storage_rename_at_args *in);
unsigned handle_link(struct storage_context *context,
    struct service_call *call, const struct storage_link_at_args *in);
unsigned handle_symlink(struct storage_context *context,
    struct service_call *call, const struct storage_symlink_at_args *in);
unsigned handle_readlink(struct storage_context *context,
    struct service_call *call, const struct storage_readlink_at_args *in,
    struct storage_readlink_at_results *out);
unsigned handle_stat(struct storage_context *context,
    struct service_call *call, const struct storage_stat_at_args *in,
    struct storage_stat_at_results *out);
unsigned handle_chmod(struct storage_context *context,
    struct service_call *call, const struct storage_chmod_at_args *in);
unsigned handle_chown(struct storage_context *context,
    struct service_call *call, const struct storage_chown_at_args *in);
unsigned handle_utimens(struct storage_context *context,
    struct service_call *call, const struct storage_utimens_at_args *in);
unsigned handle_access(struct storage_context *context,
    struct service_call *call, const struct storage_access_at_args *in);
