/* SPDX-License-Identifier: MIT */
/*
 * storage: files in memory, by capability.
 *
 * The state machine is lib/storage. This shell gives it memory objects and the
 * clock, moves bytes between windows and files, and makes each open
 * description an event pair: the client holds end A, the badge names the
 * description, and when the last copy of A is gone an event closes it.
 *
 * The first start fills the tree from the second archive of the boot module,
 * in transactions of a few files. A restart in between goes on where it was.
 */
#include "shell.h"

#include <idl/place.h>
#include <lib/cpio/cpio.h>
#include <lib/service/loop.h>

#define LAYOUT		5u
#define TABLE_SLOTS	(1u << 18)
#define REPLY_OBJECTS	STORAGE_WAITS_MAX
#define BIT_WORK	(1ul << 32)
#define ARCHIVE_VIEW	PLACE_HEAP_BASE

static struct storage storage;

static void
prepare(void *root)
{
	storage.arena = service_arena();
	storage.root = root;
	files_environment(&storage.environment);
	storage_start(&storage, service_info()->incarnation);
	storage.protects_symlinks = storage.protects_links = true;
}

static uint64_t
random_seed(void)
{
	uint64_t seed = 0;

	for (unsigned i = 0; i < sizeof(seed); i++)
		seed = seed << 8 | service_info()->seed[16 + i];
	return seed;
}

static status_t
start(void *root)
{
	cap_t watches;

	prepare(root);
	if (storage_create(&storage, random_seed()) != 0 ||
	    files_make_watches(&watches) != OK ||
	    storage_set_watch_memory(&storage, watches) != 0)
		return ERR_NOMEM;
	return OK;
}

/* Where the second archive lies in the mapped boot module. */
static bool
find_root(uint64_t size, uint64_t *out_offset)
{
	struct cpio cpio;
	status_t status;

	cpio_open(&cpio, (const void *)ARCHIVE_VIEW, size);
	status = cpio_archive_end(&cpio, out_offset);
	if (status != OK)
		service_log("no root archive: status %lu", status);
	return status == OK;
}

/* Parts until all is loaded. */
static void
load_parts(cap_t memory, uint64_t offset, uint64_t size)
{
	bool more = true;

	files_set_archive(memory, offset);
	while (more) {
		loop_transaction_begin();
		storage_begin(&storage);
		unsigned error = storage_load(&storage,
		    (const char *)ARCHIVE_VIEW + offset, size - offset, &more);
		if (error == 0) {
			loop_transaction_end();
			service_crash_point("loaded");
			continue;
		}
		loop_transaction_abort();
		/* Doing without part of the tree would go unnoticed. */
		service_panic("cannot load the root archive: error %u", error);
	}
	files_set_archive(CAP_NONE, 0);
}

static void
load_root(void)
{
	cap_t vspace = service_info()->vspace, memory;
	struct sys_result r;
	uint64_t offset;
	status_t status = service_request("archive:root", &memory);

	if (status != OK)
		service_panic("no boot module: status %lu", status);
	r = sys_invoke(SYS_MEMORY_INFO, memory, 0, 0, 0, 0, 0);
	if (r.status != OK || sys_map(vspace, ARCHIVE_VIEW, memory, 0,
	    r.value[0], MAP_READ) != OK)
		service_panic("cannot map the boot module");
	if (find_root(r.value[0], &offset))
		load_parts(memory, offset, r.value[0]);
	sys_unmap(vspace, ARCHIVE_VIEW, r.value[0]);
}

static void
resume(void *root, bool first)
{
	(void)first;
	prepare(root);
	if (files_map_watches(storage_watch_memory(&storage)) != OK)
		service_panic("cannot map the watches");
	if (!storage_is_loaded(&storage))
		load_root();
	storage_resume(&storage);
	/* The signal may have been taken by the one before. */
	if (storage_has_work(&storage))
		sys_signal(PLACE_NOTIFICATION, BIT_WORK);
}

static void
ask_for_work(void)
{
	if (storage_has_work(&storage) &&
	    service_effect_signal(PLACE_NOTIFICATION, BIT_WORK) != OK)
		service_panic("effect list full");
}

/* Closes a description whose last holder is gone. */
static void
event(void *root, uint64_t kind, uint64_t badge)
{
	struct description *description;
	uint64_t session;

	(void)root;
	storage_begin(&storage);
	description = storage_find(&storage, badge);
	if (kind != EVENT_PEER_GONE || description == NULL)
		return;
	session = storage_session(description);
	if (storage_close(&storage, description) != 0 ||
	    service_cap_drop(session) != OK)
		service_panic("cannot close: the log is full");
	ask_for_work();
}

static service_outcome
handle(void *root, struct service_call *call)
{
	struct storage_context context = { .storage = &storage };
	service_outcome outcome;

	(void)root;
	storage_begin(&storage);
	outcome = serve(&context, call);
	if (outcome != SERVICE_ERROR)
		ask_for_work();
	return outcome;
}

static void
notified(void *root, uint64_t bits)
{
	(void)root, (void)bits;
	storage_begin(&storage);
	if (storage_work(&storage) != 0)
		service_panic("cannot go on: the log is full");
	ask_for_work();
}

static void
cancel(void *root, struct parked_call id)
{
	(void)root;
	storage_begin(&storage);
	locks_cancel(&storage, id);
}

static struct service service = {
	.name = "storage",
	.layout_version = LAYOUT,
	.reply_objects = REPLY_OBJECTS,
	.table_slots = TABLE_SLOTS,
	.start = start,
	.resume = resume,
	.handle = handle,
	.notified = notified,
	.event = event,
	.cancel = cancel,
};

int main(void);

int
main(void)
{
	service.root_size = storage_root_size;
	service_run(&service);
}
