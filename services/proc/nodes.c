/* SPDX-License-Identifier: MIT */
/*
 * The nodes of pseudo-terminals: /dev/pts/N is there while pair N has a master.
 *
 * A node is made in the transaction that makes the pair. If that does not
 * commit, the number is still the lowest free one: the next pair takes the node
 * over, or the next incarnation removes it. Removal is listed when the last
 * master is gone, and done by a later transaction, as often as asked.
 *
 * proc may wait for storage, which calls none but its drivers.
 */
#include "shell.h"

#include <idl/errno.h>
#include <idl/privilege.h>
#include <idl/storage_client.h>
#include <lib/base/format.h>
#include <lib/base/string.h>
#include <lib/service/loop.h>

#define NODE_MODE	(KIND_CHARACTER << 12 | 0620u)

/* A session at the root directory; not kept. */
cap_t
attach_root(void)
{
	const struct storage_subject root = {
		.privileges = PRIVILEGES_ALL,
		.real_privileges = PRIVILEGES_ALL,
	};
	cap_t directory = CAP_NONE;
	long error = storage_attach(granted.storage, &root, NULL, 0, &directory);

	if (error != 0 || directory == CAP_NONE)
		service_panic("no root directory: error %ld", -error);
	return directory;
}

static size_t
node_path(uint32_t number, char path[WIRE_SHORT_MAX])
{
	return format_text(path, WIRE_SHORT_MAX, "/dev/pts/%u", number);
}

/* E_* for what a request returned. */
static int
checked(uint32_t number, long error)
{
	if (error > -WIRE_FAILED)
		return (int)-error;
	service_log("/dev/pts/%u: status %lu", number, wire_status(error));
	return E_IO;
}

static int
make(uint32_t number)
{
	char path[WIRE_SHORT_MAX];
	size_t length = node_path(number, path);

	return checked(number, storage_mknod_at(terminals->directory,
	    NODE_MODE, DEVICE_PTS(number), path, length));
}

static void
unlink(uint32_t number)
{
	char path[WIRE_SHORT_MAX];
	size_t length = node_path(number, path);

	checked(number, storage_unlink_at(terminals->directory, false, path,
	    length));
}

static int
give_to(uint32_t number, uint32_t uid)
{
	char path[WIRE_SHORT_MAX];
	const struct storage_chown_at_args in = {
		.uid = uid, .gid = UINT32_MAX,
		.path = { path, node_path(number, path), 0 },
	};

	return checked(number, storage_chown_at(terminals->directory, &in));
}

int
nodes_make(uint32_t number, uint32_t uid)
{
	int error = make(number);

	/* Left by an earlier pair, perhaps with other owners. */
	if (error == E_EXIST) {
		unlink(number);
		error = make(number);
	}
	return error != 0 || uid == 0 ? error : give_to(number, uid);
}

void
nodes_gone(uint32_t number)
{
	if (TX_SET(service_arena(), terminals->nodes_gone,
	    terminals->nodes_gone | 1ul << number) != OK ||
	    service_effect_signal(PLACE_NOTIFICATION, BIT_TERMINALS) != OK)
		service_panic("a transaction is too large");
}

static bool
has_master(uint32_t number)
{
	const struct terminal *terminal = terminals->terminal[number + 1];

	return terminal != NULL && terminal->masters > 0;
}

void
nodes_serve(void)
{
	if (terminals->nodes_gone == 0)
		return;
	for (uint32_t i = 0; i < TERMINAL_PTY_MAX; i++)
		if ((terminals->nodes_gone & 1ul << i) != 0 && !has_master(i))
			unlink(i);
	if (TX_SET(service_arena(), terminals->nodes_gone, 0) != OK)
		service_panic("undo log full");
}

void
nodes_resume(void)
{
	uint32_t number = 0;

	loop_transaction_begin();
	if (terminals->directory == CAP_NONE) {
		cap_t directory = attach_root();
		if (service_cap_keep(directory) != OK ||
		    TX_SET(service_arena(), terminals->directory,
		    directory) != OK)
			service_panic("the arena is full");
	}
	/* An open that was undone has made this one. */
	while (number < TERMINAL_PTY_MAX &&
	    terminals->terminal[number + 1] != NULL)
		number++;
	if (number < TERMINAL_PTY_MAX)
		nodes_gone(number);
	loop_transaction_end();
}
