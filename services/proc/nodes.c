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
#include <idl/storage.h>
#include <lib/base/format.h>
#include <lib/base/string.h>
#include <lib/service/loop.h>

#define NODE_MODE	(KIND_CHARACTER << 12 | 0620u)

/* A session at the root directory; not kept. */
cap_t
storage_attach(void)
{
	struct message message = { { STORAGE_ATTACH, 0, 0 } };
	cap_t caps[2] = { CAP_NONE, CAP_NONE };
	status_t status = sys_call(granted.storage, 0, &message, caps);

	if (status != OK || message.word[0] != TAG_REPLY_OK ||
	    caps[0] == CAP_NONE)
		service_panic("no root directory: status %lu error %lu",
		    status, message.word[1]);
	return caps[0];
}

/* E_* or 0. word 1 and 2 are those of the request. */
static uint64_t
ask(uint64_t tag, uint32_t number, uint64_t a, uint64_t b)
{
	struct message message = { { tag, a, b } };
	char path[STORAGE_SHORT_MAX];
	size_t length = format_text(path, sizeof(path), "/dev/pts/%u", number);

	memcpy(&message.word[3], path, length);
	message.word[7] = STORAGE_SHORT | length;
	status_t status = sys_call(terminals->directory, 0, &message, NULL);
	if (status != OK) {
		service_log("%s: status %lu", path, status);
		return E_IO;
	}
	return message.word[0] == TAG_REPLY_OK ? 0 : message.word[1];
}

static uint64_t
make(uint32_t number)
{
	return ask(STORAGE_MKNOD_AT, number, NODE_MODE, DEVICE_PTS(number));
}

int
nodes_make(uint32_t number)
{
	uint64_t error = make(number);

	/* Left by an earlier pair, perhaps with other owners. */
	if (error == E_EXIST) {
		ask(STORAGE_UNLINK_AT, number, 0, 0);
		error = make(number);
	}
	return (int)error;
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
			ask(STORAGE_UNLINK_AT, i, 0, 0);
	if (TX_SET(service_arena(), terminals->nodes_gone, 0) != OK)
		service_panic("undo log full");
}

void
nodes_resume(void)
{
	uint32_t number = 0;

	loop_transaction_begin();
	if (terminals->directory == CAP_NONE) {
		cap_t directory = storage_attach();
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
