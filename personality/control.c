/* SPDX-License-Identifier: MIT */
/*
 * /dev/control: a write is a command to phoenix, reads give its text (ctl.1).
 *
 * The command and its text belong to the process, not to the open file. A
 * write fails with EINVAL for what is no command or names no service, ESRCH
 * for a service that cannot be killed now; its text says why in any case.
 */
#include "file.h"

#include "calls.h"
#include "linux.h"
#include "service.h"
#include "thread.h"
#include "user.h"

#include <abi/utcb.h>
#include <idl/phoenix_client.h>
#include <idl/process.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define PIECE	4096u

static char command[PHOENIX_COMMAND_MAX];
static uint64_t command_length;
static uint8_t piece[PIECE];
static uint64_t piece_used, piece_length, next_cursor;

static long
take_piece(uint64_t cursor, uint64_t *out_result)
{
	const struct phoenix_command_args in = {
		.cursor = cursor, .command = { command, command_length, 0 },
		.text = { piece, sizeof(piece), 0 },
	};
	struct phoenix_command_results got;

	piece_used = piece_length = next_cursor = 0;
	/* It was opened by who might, and that is over. */
	if (INFO->control == CAP_NONE)
		return -E_PERM;
	long error = phoenix_command(INFO->control, &in, &got);
	if (error == -(long)ERR_STALE)
		return -E_STALE;
	if (error != 0)
		return error == -RESTART_ALWAYS ? error : -E_IO;
	if (got.text_length > sizeof(piece))
		return -E_IO;
	piece_length = got.text_length;
	next_cursor = got.next;
	*out_result = got.result;
	return 0;
}

/*
 * One look at the log: what lies in [skip, skip + room) of it goes to the
 * buffer. The log's length, or -E_*.
 */
static long
take_log(char *buffer, uint64_t skip, uint64_t room)
{
	uint64_t result, at = 0;
	long error;

	memcpy(command, "logs", 4);
	command_length = 4;
	error = take_piece(0, &result);
	while (error == 0) {
		uint64_t from = at < skip ? skip - at : 0;
		uint64_t length = piece_length > from ? piece_length - from : 0;
		uint64_t done = at + from - skip;
		if (length > 0 && done < room && user_write(buffer + done,
		    piece + from, length < room - done ? length :
		    room - done) != 0)
			return -E_FAULT;
		at += piece_length;
		if (next_cursor == 0)
			break;
		error = take_piece(next_cursor, &result);
	}
	piece_used = piece_length = next_cursor = 0;
	return error != 0 ? error : (long)at;
}

/* The end of the log, if there is no room for all of it. */
static long
read_log(char *buffer, uint64_t room)
{
	long length = take_log(NULL, 0, 0);

	if (length <= 0)
		return length;
	uint64_t skip = (uint64_t)length > room ? (uint64_t)length - room : 0;
	length = take_log(buffer, skip, room);
	if (length < 0 || (uint64_t)length < skip)
		return length < 0 ? length : 0;
	return (uint64_t)length - skip < room ? length - (long)skip :
	    (long)room;
}

#define SYSLOG_CLOSE		0
#define SYSLOG_OPEN		1
#define SYSLOG_READ_ALL		3
#define SYSLOG_CONSOLE_LEVEL	8
#define SYSLOG_SIZE		10
#define LOG_SIZE		16384

/* The log cannot be cleared, and there is none to wait for. */
long
linux_syslog(int action, char *buffer, int size)
{
	switch (action) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_SIZE:
		return LOG_SIZE;
	case SYSLOG_READ_ALL:
		if (buffer == NULL || size < 0)
			return -E_INVAL;
		return read_log(buffer, (uint64_t)size);
	case SYSLOG_CONSOLE_LEVEL:
		return -E_PERM;
	default:
		return -E_INVAL;
	}
}

static long
error_of(uint64_t result)
{
	switch (result) {
	case OK:
		return 0;
	case ERR_STATE:
	case ERR_GONE:
		return -E_SRCH;
	case ERR_ARG:
	case ERR_NOSYS:
	case ERR_NOENT:
		return -E_INVAL;
	default:
		return -E_IO;
	}
}

long
control_write(const void *from, uint64_t size)
{
	uint64_t result = OK;

	if (size > sizeof(command))
		return -E_INVAL;
	if (user_read(command, from, size) != 0)
		return -E_FAULT;
	command_length = size;
	long error = take_piece(0, &result);
	if (error == 0)
		error = error_of(result);
	return error != 0 ? error : (long)size;
}

long
control_read(void *buffer, uint64_t size)
{
	uint64_t result;

	if (piece_used == piece_length && next_cursor != 0) {
		long error = take_piece(next_cursor, &result);
		if (error != 0)
			return error;
	}
	uint64_t length = piece_length - piece_used;
	if (length > size)
		length = size;
	if (user_write(buffer, piece + piece_used, length) != 0)
		return -E_FAULT;
	piece_used += length;
	return (long)length;
}
