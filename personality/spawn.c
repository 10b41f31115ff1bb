/* SPDX-License-Identifier: MIT */
/*
 * spawn: a child that begins with a program, not with a copy of its parent.
 *
 * The parent writes all that was asked for into a memory object: paths, file
 * actions, the strings of the program, with pointers as they will be right in
 * the child. proc makes the child from the libOS alone (FORK_SPAWN): none of
 * the parent's program memory is looked at, however much there is. The child
 * maps the object where a program would lie, so that the calls it makes for
 * the actions, and execve, find their arguments in "its" memory.
 *
 * The parent's call is parked until the child runs its program or says what
 * went wrong; then the child is gone without a trace and the error is the
 * parent's. A signal does not end the parent's wait, since a child that may
 * yet fail cannot be told from one that will not.
 */
#include "own.h"

#include "calls.h"
#include "hot.h"
#include "memory.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <idl/proc_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define SPAWN_PLACE	0x7e7800000000ul	/* of the parent, meanwhile */
#define SPAWN_PROGRAM	0x100000ul		/* in the child */
#define SPAWN_ROOM	(ARGS_MAX + 0x100000ul)	/* strings, pointers, paths */
#define NEVER_RETURNED	512L			/* first of RESTART_* */

#define SPAWN_GROUP	0x1u
#define SPAWN_SESSION	0x2u
#define SPAWN_MASK	0x4u
#define SPAWN_DEFAULTS	0x8u
#define SPAWN_NICE	0x10u
#define SPAWN_FLAGS	0x1fu
#define SPAWN_OPEN	0u
#define SPAWN_CLOSE	1u
#define SPAWN_DUP	2u
#define SPAWN_CHDIR	3u
#define SPAWN_KINDS	4u
#define ACTIONS_MAX	256u

/* struct spawn_action and struct spawn of <bennu/abi.h>. */
struct action {
	uint32_t kind;
	int32_t	 fd, from;
	uint32_t flags, mode, reserved;
	uint64_t path;
};
_Static_assert(sizeof(struct action) == 32, "struct spawn_action");

struct how {
	uint32_t flags;
	int32_t	 group;
	uint64_t mask, defaults;
	int32_t	 nice;
	uint32_t count;
	uint64_t actions;
};
_Static_assert(sizeof(struct how) == 40, "struct spawn");

/* How the object begins; addresses are the child's, 0 is NULL. */
struct request {
	struct how how;
	uint64_t path, arguments, environment;
};

HOT static cap_t object;	/* CAP_NONE: no spawn goes on */
HOT static uint64_t used;	/* bytes of it */
HOT static bool kicked;		/* a signal came to the child meanwhile */

/* --- The parent. --- */

static struct request *
request_here(void)
{
	return (struct request *)SPAWN_PLACE;
}

static uint64_t
in_child(uint64_t offset)
{
	return SPAWN_PROGRAM + offset;
}

/* Room for so many bytes; its offset, or 0. */
static uint64_t
take_room(uint64_t size)
{
	uint64_t at = (used + 7) & ~7ul;

	if (at > SPAWN_ROOM || size > SPAWN_ROOM - at)
		return 0;
	used = at + size;
	return at;
}

static long
put_string(uint64_t from, uint64_t limit, uint64_t *out_address)
{
	uint64_t left = SPAWN_ROOM - used;

	if (limit > left)
		limit = left;
	long length = user_string((char *)SPAWN_PLACE + used,
	    (const char *)from, limit);
	if (length < 0)
		return length;
	*out_address = in_child(used);
	used += (uint64_t)length + 1;
	return 0;
}

/* A vector of strings that ends with NULL. */
static long
put_vector(char *const *from, uint64_t *out_address)
{
	uint64_t count = 0, string = 1;

	*out_address = 0;
	if (from == NULL)
		return 0;
	for (; string != 0; count++) {
		if (user_read(&string, &from[count], sizeof(string)) != 0)
			return -E_FAULT;
		if (count * sizeof(string) > ARGS_MAX)
			return -E_2BIG;
	}
	uint64_t at = take_room(count * sizeof(uint64_t));
	if (at == 0)
		return -E_2BIG;
	uint64_t *to = (uint64_t *)(SPAWN_PLACE + at);
	for (uint64_t i = 0; i + 1 < count; i++) {
		if (user_read(&string, &from[i], sizeof(string)) != 0)
			return -E_FAULT;
		long error = put_string(string, ARGS_STRING_MAX, &to[i]);
		if (error != 0)
			return error == -E_NAMETOOLONG ? -E_2BIG : error;
	}
	*out_address = in_child(at);
	return 0;
}

static long
put_action(struct action *action)
{
	if (action->kind >= SPAWN_KINDS || action->reserved != 0)
		return -E_INVAL;
	if (action->kind != SPAWN_OPEN && action->kind != SPAWN_CHDIR)
		return 0;
	return put_string(action->path, STORAGE_PATH_MAX, &action->path);
}

static long
put_how(const void *from)
{
	struct how *how = &request_here()->how;

	if (user_read(how, from, sizeof(*how)) != 0)
		return -E_FAULT;
	if ((how->flags & ~SPAWN_FLAGS) != 0)
		return -E_INVAL;
	if (how->count > ACTIONS_MAX)
		return -E_2BIG;
	uint64_t at = take_room(how->count * sizeof(struct action));
	struct action *actions = (struct action *)(SPAWN_PLACE + at);
	if (user_read(actions, (const void *)how->actions,
	    how->count * sizeof(struct action)) != 0)
		return -E_FAULT;
	how->actions = in_child(at);
	for (uint32_t i = 0; i < how->count; i++) {
		long error = put_action(&actions[i]);
		if (error != 0)
			return error;
	}
	return 0;
}

static long
put_all(const char *path, const void *how, char *const *arguments,
    char *const *environment)
{
	struct request *request = request_here();
	long error = 0;

	used = sizeof(*request);
	if (how != NULL)
		error = put_how(how);
	if (error == 0)
		error = put_string((uint64_t)path, STORAGE_PATH_MAX,
		    &request->path);
	if (error == 0)
		error = put_vector(arguments, &request->arguments);
	return error != 0 ? error :
	    put_vector(environment, &request->environment);
}

static status_t
object_make(void)
{
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    SPAWN_ROOM, 0, &object);

	if (status != OK)
		return status;
	status = sys_map(PROCESS_VSPACE, SPAWN_PLACE, object, 0, SPAWN_ROOM,
	    MAP_READ | MAP_WRITE | MAP_NOCLONE);
	if (status != OK) {
		sys_cap_delete(CAP_NONE, object);
		object = CAP_NONE;
	}
	return status;
}

static void
object_drop(void)
{
	sys_unmap(PROCESS_VSPACE, SPAWN_PLACE, SPAWN_ROOM);
	sys_cap_delete(CAP_NONE, object);
	object = CAP_NONE;
}

long
own_spawn(const char *path, const void *how, char *const *arguments,
    char *const *environment)
{
	status_t status = object_make();

	if (status != OK)
		return service_memory_error(status);
	long result = put_all(path, how, arguments, environment);
	if (result == 0)
		result = process_spawn();
	object_drop();
	return result;
}

/* --- The child. --- */

static long
open_as(const struct action *action)
{
	long fd = linux_open((const char *)action->path, action->flags,
	    action->mode);

	if (fd < 0 || fd == action->fd)
		return fd < 0 ? fd : 0;
	long got = linux_dup3((unsigned)fd, (unsigned)action->fd,
	    action->flags & L_O_CLOEXEC);
	linux_close((unsigned)fd);
	return got < 0 ? got : 0;
}

/* The same number twice keeps the file open over the start. */
static long
dup_as(const struct action *action)
{
	long got = action->from == action->fd ?
	    linux_fcntl((unsigned)action->fd, L_F_SETFD, 0) :
	    linux_dup2((unsigned)action->from, (unsigned)action->fd);

	return got < 0 ? got : 0;
}

static long
do_action(const struct action *action)
{
	switch (action->kind) {
	case SPAWN_OPEN:
		return open_as(action);
	case SPAWN_CLOSE:
		return linux_close((unsigned)action->fd);
	case SPAWN_DUP:
		return dup_as(action);
	default:
		return linux_chdir((const char *)action->path);
	}
}

static void
set_signals(const struct how *how)
{
	const struct linux_sigaction plain = { .handler = L_SIG_DFL };
	struct linux_sigaction before;

	for (int i = 1; i <= L_NSIG; i++) {
		if ((how->flags & SPAWN_DEFAULTS) != 0 &&
		    (how->defaults & SIGNAL_BIT(i)) != 0)
			signal_action(i, &plain, &before);
	}
	if ((how->flags & SPAWN_MASK) != 0) {
		signal_set_mask(how->mask);
		signal_keep_blocked();
	}
}

static long
set_attributes(const struct how *how)
{
	long error = 0;

	if ((how->flags & SPAWN_SESSION) != 0)
		error = linux_setsid();
	if (error >= 0 && (how->flags & SPAWN_GROUP) != 0)
		error = linux_setpgid(0, how->group);
	if (error >= 0 && (how->flags & SPAWN_NICE) != 0)
		error = own_nice(how->nice);
	set_signals(how);
	return error < 0 ? error : 0;
}

/* A signal gave a step up: it did nothing, and is made again. */
static bool
goes_on(long error)
{
	if (error > -NEVER_RETURNED)
		return false;
	UTCB->kick_pending = 0;
	kicked = true;
	return true;
}

/* It is for the program. */
void
spawn_done(void)
{
	if (kicked)
		signal_look_again();
	kicked = false;
}

static long
run(const struct request *request)
{
	const struct action *actions =
	    (const struct action *)request->how.actions;
	long error;

	do
		error = set_attributes(&request->how);
	while (goes_on(error));
	for (uint32_t i = 0; i < request->how.count && error == 0; i++) {
		do
			error = do_action(&actions[i]);
		while (goes_on(error));
	}
	while (error == 0 || goes_on(error))
		error = linux_execve((const char *)request->path,
		    (char *const *)request->arguments,
		    (char *const *)request->environment);
	return error;
}

void
spawn_child(void)
{
	long error;

	if (object == CAP_NONE)
		return;
	memory_reset(PROGRAM_HIGH);
	error = service_memory_error(sys_map(PROCESS_VSPACE, SPAWN_PROGRAM,
	    object, 0, SPAWN_ROOM, MAP_READ | MAP_WRITE));
	sys_cap_delete(CAP_NONE, object);
	object = CAP_NONE;
	if (error == 0)
		error = run((const struct request *)SPAWN_PROGRAM);
	service_insist_begin();
	proc_spawn_failed(PROCESS_PROC, (uint32_t)-error);
	service_insist_end();
	process_exit_signal(L_SIGKILL);
}
