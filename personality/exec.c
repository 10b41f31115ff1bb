/* SPDX-License-Identifier: MIT */
/*
 * execve: copies the arguments out of the program, opens what is to run, and
 * only then lets the old program go. The strings lie in a mapping above the
 * libOS that exists only meanwhile.
 */
#include "exec.h"

#include "calls.h"
#include "file.h"
#include "process.h"
#include "service.h"
#include "signals.h"
#include "thread.h"
#include "user.h"

#include <idl/console_client.h>
#include <lib/base/string.h>
#include <lib/sys/sys.h>

#define PROC_FOLDER	"/proc"
#define ARGS_PLACE	0x7e7000000000ul

static struct program program;

static status_t
args_map(struct args *args)
{
	cap_t object;
	status_t status = sys_object_create(OBJ_MEMORY, PROCESS_CONTAINER,
	    ARGS_ROOM + ARGS_MAX, 0, &object);

	if (status != OK)
		return status;
	status = sys_map(PROCESS_VSPACE, ARGS_PLACE, object, 0,
	    ARGS_ROOM + ARGS_MAX, MAP_READ | MAP_WRITE | MAP_NOCLONE);
	sys_cap_delete(0, object);
	args_begin(args, (char *)ARGS_PLACE);
	return status;
}

static void
args_unmap(void)
{
	sys_unmap(PROCESS_VSPACE, ARGS_PLACE, ARGS_ROOM + ARGS_MAX);
}

/* One array of strings of the program. */
static long
copy_strings(struct args *args, char *const *from, bool environment)
{
	for (size_t i = 0; from != NULL; i++) {
		const char *string;
		uint64_t room = ARGS_ROOM + ARGS_MAX - args->tail;

		if (user_read(&string, &from[i], sizeof(string)) != 0)
			return -E_FAULT;
		if (string == NULL)
			break;
		if (room > ARGS_STRING_MAX)
			room = ARGS_STRING_MAX;
		long length = user_string(args->text + args->tail, string,
		    room);
		if (length == -E_NAMETOOLONG)
			return -E_2BIG;
		if (length < 0)
			return length;
		args->tail += (uint64_t)length + 1;
		if (environment)
			args->environment_count++;
		else
			args->argument_count++;
	}
	return 0;
}

/* What lies in /proc is no program, but links may lead to one. */
static long
open_program(struct path *path, struct args *args)
{
	static char name[STORAGE_PATH_MAX];
	long error = 0;

	if (path->base != PROCESS_PROC)
		return program_open(&program, path->base, path->text,
		    path->length, args);
	if (path->length > sizeof(name) - sizeof(PROC_FOLDER))
		return -E_NAMETOOLONG;
	memcpy(name, PROC_FOLDER, sizeof(PROC_FOLDER) - 1);
	memcpy(name + sizeof(PROC_FOLDER) - 1, path->text, path->length + 1);
	while (error == 0 && path->base == PROCESS_PROC)
		error = path_leave_proc(path);
	if (error == 0)
		error = program_open(&program, path->base, path->text,
		    path->length, args);
	/* It is called what it was called by. */
	if (error == 0)
		memcpy(program.path, name, sizeof(name));
	return error;
}

static long
execute(struct path *path, char *const *arguments, char *const *environment)
{
	struct args args;
	status_t status = args_map(&args);

	if (status != OK)
		return service_memory_error(status);
	long error = copy_strings(&args, arguments, false);
	/* A program without a name gets an empty one, as on Linux. */
	if (error == 0 && args.argument_count == 0)
		args_add(&args, "", 0, false);
	if (error == 0)
		error = copy_strings(&args, environment, true);
	if (error == 0)
		error = open_program(path, &args);
	if (error == 0)
		program_start(&program, &args);
	args_unmap();
	return error;
}

long
linux_execve(const char *text, char *const *arguments,
    char *const *environment)
{
	struct path path;
	long error = path_get(L_AT_FDCWD, text, false, path_a, &path);

	return error != 0 ? error : execute(&path, arguments, environment);
}

long
linux_execveat(int base, const char *text, char *const *arguments,
    char *const *environment, unsigned flags)
{
	struct path path;

	/* An open file as such has no name to start from yet. */
	if ((flags & ~(unsigned)L_AT_SYMLINK_NOFOLLOW) != 0)
		return -E_INVAL;
	long error = path_get(base, text, false, path_a, &path);
	return error != 0 ? error : execute(&path, arguments, environment);
}

/* The first program of all */

static _Noreturn void
first_failed(const char *name, long error)
{
	static char line[512] = "bennu: cannot run ";
	size_t at = strlen(line), length = strlen(name);
	const char *why = error == -E_NOENT ? ": not found\n" :
	    error == -E_ACCES ? ": permission denied\n" :
	    error == -E_NOEXEC ? ": no program of this machine\n" :
	    error == -E_LIBBAD ? ": its interpreter is no program\n" :
	    ": input or memory error\n";

	if (length > 400)
		length = 400;
	memcpy(line + at, name, length);
	memcpy(line + at + length, why, strlen(why) + 1);
	uint64_t done;
	service_insist_begin();
	console_write(PROCESS_CONSOLE, CONSOLE_STREAM_ERR, line, strlen(line),
	    &done);
	service_insist_end();
	process_exit_code(error == -E_NOENT ? 127 : 126);
}

/* Without a slash, the usual directories are tried. */
static long
open_by_name(const char *name, struct args *args)
{
	static const char folders[][16] = { "/bin/", "/usr/bin/", "/sbin/",
	    "/usr/sbin/" };
	size_t length = strlen(name);
	long error = -E_NOENT;

	if (length == 0 || length > STORAGE_PATH_MAX - 32)
		return -E_NOENT;
	for (size_t i = 0; i < length; i++) {
		if (name[i] == '/')
			return program_open(&program, ROOT_DIRECTORY, name,
			    length, args);
	}
	for (unsigned i = 0; i < 4 && error == -E_NOENT; i++) {
		size_t prefix = strlen(folders[i]);
		memcpy(path_a, folders[i], prefix);
		memcpy(path_a + prefix, name, length);
		error = program_open(&program, ROOT_DIRECTORY, path_a,
		    prefix + length, args);
	}
	return error;
}

static void
first_arguments(struct args *args)
{
	const struct process_start *start =
	    (const struct process_start *)LIBOS_START_ARGS;
	uint32_t total = start->argument_count + start->environment_count;
	const char *text = start->text;

	if (args_map(args) != OK)
		first_failed("the first program", -E_NOMEM);
	for (uint32_t i = 0; i < total; i++) {
		size_t length = strlen(text);
		if (!args_add(args, text, length, i >= start->argument_count))
			first_failed(start->text, -E_NOMEM);
		text += length + 1;
	}
	if (start->argument_count == 0)
		first_failed("nothing", -E_NOENT);
}

/* A signal that comes meanwhile, as of a new window size, begins it anew. */
void
exec_first(void)
{
	const struct process_start *start =
	    (const struct process_start *)LIBOS_START_ARGS;
	struct args args;

	first_arguments(&args);
	long error = open_by_name(start->text, &args);
	while (error == -RESTART_ALWAYS) {
		UTCB->kick_pending = 0;
		args_unmap();
		first_arguments(&args);
		error = open_by_name(start->text, &args);
	}
	if (error != 0)
		first_failed(start->text, error);
	signal_look_again();
	program_start(&program, &args);
}
