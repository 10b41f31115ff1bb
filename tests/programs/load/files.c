/* SPDX-License-Identifier: MIT */
/*
 * Files and names: create, write, cut, rename, link, remove, list. The model
 * is an array of what should be there. The content of a file is a function of
 * its seed, so what is read can be told from what another version held.
 */
#define _GNU_SOURCE
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES		12u
#define SIZE_MAX_BYTES	6000u
#define STEPS		16u
#define NAME_BYTES	24

struct file {
	bool	 exists, linked, is_folder;
	uint64_t number;	/* in its name */
	uint64_t seed, size;	/* of the content */
};

static struct file model[FILES];
static uint64_t next_number;
static uint8_t expected[SIZE_MAX_BYTES + 1], found[SIZE_MAX_BYTES + 1];

static void
name_of(const struct file *file, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%c%lu", file->is_folder ? 'd' : 'f',
	    file->number);
}

static void
link_name_of(const struct file *file, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "l%lu", file->number);
}

static void
fill(uint8_t *to, uint64_t seed, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += 8) {
		uint64_t word = load_number_hash(seed + i);

		memcpy(to + i, &word, size - i < 8 ? size - i : 8);
	}
}

/*
 * A call that makes or removes a name: `again` is what it says when it was
 * done before.
 */
static bool
did_once(struct run *run, const char *call, long result, int again)
{
	run->verdict.operations++;
	if (result >= 0)
		return true;
	if (errno == again)
		load_doubled(run, call);
	else
		load_failed(run, call);
	return false;
}

static void
write_content(struct run *run, struct file *file, int descriptor)
{
	file->seed = load_random(run);
	file->size = load_random(run) % SIZE_MAX_BYTES;
	fill(expected, file->seed, file->size);
	load_did(run, "write", load_write(descriptor, expected, file->size));
	load_did(run, "close", close(descriptor));
}

static void
create(struct run *run, struct file *file)
{
	char name[NAME_BYTES];

	*file = (struct file){ .exists = true, .number = ++next_number,
	    .is_folder = load_random(run) % 4 == 0 };
	name_of(file, name);
	if (file->is_folder) {
		did_once(run, "mkdir", mkdir(name, 0700), EEXIST);
		return;
	}
	int descriptor = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	if (did_once(run, "create", descriptor, EEXIST))
		write_content(run, file, descriptor);
	else
		file->exists = false;
}

static void
destroy(struct run *run, struct file *file)
{
	char name[NAME_BYTES];

	name_of(file, name);
	if (file->is_folder)
		did_once(run, "rmdir", rmdir(name), ENOENT);
	else
		did_once(run, "unlink", unlink(name), ENOENT);
	link_name_of(file, name);
	if (file->linked)
		did_once(run, "unlink of a link", unlink(name), ENOENT);
	file->exists = false;
}

static void
rewrite(struct run *run, struct file *file)
{
	char name[NAME_BYTES];

	name_of(file, name);
	int descriptor = open(name, O_WRONLY | O_TRUNC);
	if (load_did(run, "open", descriptor))
		write_content(run, file, descriptor);
}

static void
change_name(struct run *run, struct file *file)
{
	char old[NAME_BYTES], new[NAME_BYTES], link[NAME_BYTES];

	name_of(file, old);
	link_name_of(file, link);
	if (file->linked)
		did_once(run, "unlink of a link", unlink(link), ENOENT);
	file->linked = false;
	file->number = ++next_number;
	name_of(file, new);
	did_once(run, "rename", rename(old, new), ENOENT);
}

static void
make_link(struct run *run, struct file *file)
{
	char name[NAME_BYTES], other[NAME_BYTES];

	if (file->linked)
		return;
	name_of(file, name);
	link_name_of(file, other);
	file->linked = did_once(run, "link", link(name, other), EEXIST);
}

static void
cut(struct run *run, struct file *file)
{
	char name[NAME_BYTES];

	name_of(file, name);
	file->size /= 2;
	load_did(run, "truncate", truncate(name, (off_t)file->size));
}

static void
step(struct run *run)
{
	static void (*const change[])(struct run *, struct file *) = {
		rewrite, change_name, make_link, cut, destroy,
	};
	uint64_t random = load_random(run);
	struct file *file = &model[random % FILES];

	random /= FILES;
	if (!file->exists)
		create(run, file);
	else if (file->is_folder)
		(random % 2 == 0 ? change_name : destroy)(run, file);
	else
		change[random % (sizeof(change) / sizeof(change[0]))](run,
		    file);
}

/* What is there is the truth from now on. */
static void
accept(struct file *file, int descriptor)
{
	struct stat info;

	if (fstat(descriptor, &info) < 0)
		file->exists = false;
	else
		file->size = (uint64_t)info.st_size;
}

static void
compare(struct run *run, struct file *file, long size)
{
	if ((uint64_t)size < file->size)
		load_lost(run, "the end of a file");
	else if ((uint64_t)size > file->size)
		load_doubled(run, "a file is longer than written");
	uint64_t common = (uint64_t)size < file->size ? (uint64_t)size :
	    file->size;
	fill(expected, file->seed, common);
	if (load_hash(found, common) != load_hash(expected, common))
		load_silent(run, "content of a file");
}

static void
verify_file(struct run *run, struct file *file)
{
	char name[NAME_BYTES];
	struct stat info;

	name_of(file, name);
	int descriptor = open(name, O_RDONLY);
	if (!load_did(run, "open to verify", descriptor)) {
		file->exists = false;
		return;
	}
	long size = read(descriptor, found, sizeof(found));
	if (load_did(run, "read", size)) {
		compare(run, file, size);
		if ((uint64_t)size != file->size)
			accept(file, descriptor);
	}
	if (load_did(run, "fstat", fstat(descriptor, &info)) &&
	    info.st_nlink != (file->linked ? 2u : 1u))
		(info.st_nlink > 1 ? load_doubled : load_lost)(run,
		    "count of links");
	load_did(run, "close", close(descriptor));
}

static bool
is_expected(const char *name)
{
	char other[NAME_BYTES];

	for (unsigned i = 0; i < FILES; i++) {
		if (!model[i].exists)
			continue;
		name_of(&model[i], other);
		if (strcmp(name, other) == 0)
			return true;
		link_name_of(&model[i], other);
		if (model[i].linked && strcmp(name, other) == 0)
			return true;
	}
	return false;
}

/* Each name of the model once, and no other. */
static void
verify_names(struct run *run)
{
	unsigned wanted = 0, seen = 0;
	struct dirent *entry;
	DIR *folder = opendir(".");

	if (!load_did(run, "opendir", folder != NULL ? 0 : -1))
		return;
	for (unsigned i = 0; i < FILES; i++)
		wanted += model[i].exists + (model[i].exists &&
		    model[i].linked);
	for (errno = 0; (entry = readdir(folder)) != NULL; errno = 0) {
		if (entry->d_name[0] == '.')
			continue;
		if (is_expected(entry->d_name))
			seen++;
		else
			load_doubled(run, "a name too many");
	}
	if (errno != 0)
		load_failed(run, "readdir");
	else if (seen != wanted)
		(seen < wanted ? load_lost : load_doubled)(run,
		    "names in a folder");
	load_did(run, "closedir", closedir(folder));
}

/* Breaks the first file that can show it. */
static void
sabotage(struct run *run)
{
	char name[NAME_BYTES];

	for (unsigned i = 0; i < FILES; i++) {
		struct file *file = &model[i];

		if (!file->exists || file->is_folder || file->size < 2)
			continue;
		name_of(file, name);
		int descriptor = open(name, O_RDWR);
		if (load_sabotages(run, "content"))
			pwrite(descriptor, "", 1, (off_t)file->size / 2);
		else if (load_sabotages(run, "end"))
			ftruncate(descriptor, (off_t)file->size - 1);
		else if (load_sabotages(run, "longer"))
			pwrite(descriptor, "", 1, (off_t)file->size);
		else if (load_sabotages(run, "name"))
			unlink(name);
		else if (load_sabotages(run, "extra"))
			link(name, "x1");
		close(descriptor);
	}
}

static void
files_round(struct run *run)
{
	for (unsigned i = 0; i < STEPS; i++)
		step(run);
	sabotage(run);
	for (unsigned i = 0; i < FILES; i++)
		if (model[i].exists && !model[i].is_folder)
			verify_file(run, &model[i]);
	verify_names(run);
}

static void
files_end(struct run *run)
{
	for (unsigned i = 0; i < FILES; i++)
		if (model[i].exists)
			destroy(run, &model[i]);
	verify_names(run);
	unlink("x1");
}

static const char *const sabotages[] = {
	"content", "end", "longer", "name", "extra", NULL,
};

const struct load load_files = {
	.name = "files", .round = files_round, .end = files_end,
	.sabotages = sabotages,
};
