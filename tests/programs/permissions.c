/* SPDX-License-Identifier: MIT */
/*
 * Who may do what with files, when users change: by path, relative to folders
 * opened before, in a working directory kept from before, and through open
 * files. Each case is a child that begins as root in a folder of its own.
 */
#define _GNU_SOURCE
#include "privileges.h"
#include "say.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define USER	1000
#define GROUP	2000
#define NONE	((unsigned)-1)

static void
become(unsigned user, unsigned group)
{
	if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
	    setresuid(user, user, user) != 0)
		exit(9);
}

static void
make(const char *name, unsigned mode, unsigned user, unsigned group)
{
	int fd = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || write(fd, "text\n", 5) != 5 ||
	    fchown(fd, user, group) != 0 || fchmod(fd, mode) != 0)
		exit(8);
	close(fd);
}

static void
make_folder(const char *name, unsigned mode, unsigned user, unsigned group)
{
	if (mkdir(name, 0700) != 0 || chown(name, user, group) != 0 ||
	    chmod(name, mode) != 0)
		exit(8);
}

static void
show(const char *name)
{
	struct stat s;

	if (stat(name, &s) != 0)
		printf("%s: %s\n", name, error_name(errno));
	else
		printf("%s: %o %u %u\n", name, s.st_mode, s.st_uid, s.st_gid);
}

/* Closes what it opens: "ok", or the error. */
static void
try_open(int folder, const char *name, int flags)
{
	int fd = openat(folder, name, flags, 0666);

	if (strncmp(name, "/proc/", 6) == 0)
		name = strrchr(name, '/');
	printf("open %s %x: %s\n", name, (unsigned)flags,
	    fd < 0 ? error_name(errno) : "ok");
	if (fd >= 0)
		close(fd);
}

static void
modes(void)
{
	char name[16];

	for (unsigned mode = 0; mode < 8; mode++) {
		snprintf(name, sizeof(name), "u%o", mode);
		make(name, mode << 6, USER, 0);
		snprintf(name, sizeof(name), "g%o", mode);
		make(name, mode << 3, 0, GROUP);
		snprintf(name, sizeof(name), "o%o", mode);
		make(name, mode, 0, 0);
	}
	become(USER, GROUP);
	for (unsigned i = 0; i < 24; i++) {
		snprintf(name, sizeof(name), "%c%o", "ugo"[i / 8], i % 8);
		try_open(AT_FDCWD, name, O_RDONLY);
		try_open(AT_FDCWD, name, O_WRONLY);
		SAY(name, access(name, X_OK));
	}
}

static void
owners(void)
{
	make("mine", 06755, USER, GROUP);
	make("other", 06755, 0, 0);
	make_folder("shared", 02777, 0, 77);
	become(USER, GROUP);
	SAY("chmod", chmod("mine", 06711));
	show("mine");
	SAY("chmod other", chmod("other", 0777));
	SAY("chown", chown("mine", 5, NONE));
	SAY("chgrp", chown("mine", NONE, 5));
	SAY("chgrp own", chown("mine", NONE, GROUP));
	show("mine");
	SAY("chown other", chown("other", USER, NONE));
	SAY("utimes", utimensat(AT_FDCWD, "other", NULL, 0));
	SAY_OK("create", open("shared/file", O_CREAT | O_WRONLY, 02775));
	show("shared/file");
	SAY("mkdir", mkdir("shared/folder", 0755));
	show("shared/folder");
	SAY("mknod", mknod("shared/device", S_IFCHR | 0666, 0x103));
}

static void
writing_drops(void)
{
	make("program", 06777, 0, 0);
	make("group", 02767, 0, 0);
	int fd = open("program", O_WRONLY);

	SAY("root writes", write(fd, "x", 1));
	show("program");
	become(USER, GROUP);
	SAY("write", write(open("program", O_WRONLY), "x", 1));
	show("program");
	SAY("write", write(open("group", O_WRONLY), "x", 1));
	show("group");
}

static void
sticky(void)
{
	make_folder("tmp", 01777, 0, 0);
	make_folder("own", 01777, USER, 0);
	make("tmp/root", 0666, 0, 0);
	make("tmp/mine", 0666, USER, 0);
	make("own/root", 0666, 0, 0);
	make_folder("no", 0755, 0, 0);
	make("no/mine", 0666, USER, 0);
	become(USER, GROUP);
	SAY("unlink root", unlink("tmp/root"));
	SAY("rename root", rename("tmp/root", "tmp/x"));
	SAY("over root", rename("tmp/mine", "tmp/root"));
	SAY("unlink mine", unlink("tmp/mine"));
	SAY("unlink in own", unlink("own/root"));
	SAY("unlink in no", unlink("no/mine"));
	SAY("mkdir in no", mkdir("no/x", 0777));
}

/* What was opened by root is no way around the rules for paths. */
static void
folders_kept(void)
{
	char text[8];

	make_folder("closed", 0700, 0, 0);
	make("closed/file", 0666, 0, 0);
	make("secret", 0600, 0, 0);
	make_folder("open", 0777, 0, 0);
	make("open/file", 0600, 0, 0);
	int closed = open("closed", O_RDONLY | O_DIRECTORY);
	int path = open("closed", O_PATH);
	int folder = open("open", O_RDONLY | O_DIRECTORY);
	int secret = open("secret", O_RDWR);

	if (chdir("open") != 0)
		exit(8);
	become(USER, GROUP);
	try_open(closed, "file", O_RDONLY);
	try_open(path, "file", O_RDONLY);
	try_open(folder, "file", O_RDONLY);
	try_open(folder, "new", O_CREAT | O_WRONLY);
	try_open(folder, "../secret", O_RDONLY);
	try_open(AT_FDCWD, "file", O_RDONLY);
	try_open(AT_FDCWD, "here", O_CREAT | O_WRONLY);
	show("here");
	SAY("fchdir", fchdir(closed));
	SAY("fchdir", fchdir(path));
	SAY("fchdir", fchdir(folder));
	SAY("rename", renameat(folder, "new", folder, "newer"));
	SAY("link", linkat(folder, "newer", AT_FDCWD, "newest", 0));
	SAY("symlink", symlinkat("x", folder, "link"));
	SAY("unlink", unlinkat(closed, "file", 0));
	SAY("mkdir", mkdirat(folder, "d", 0777));
	SAY("stat", faccessat(folder, "file", R_OK, 0));
	/* An open file is what it was opened for. */
	SAY("read", read(secret, text, 5));
	SAY("write", write(secret, "more", 4));
	SAY("fchmod", fchmod(secret, 0666));
	SAY("fchown", fchown(secret, USER, NONE));
	SAY("utimes", futimens(secret, NULL));
	SAY("truncate", ftruncate(secret, 3));
	show("../secret");
}

/* Parent and child share what they have open, and are not the same user. */
static void
shared_folder(void)
{
	make_folder("d", 0755, 0, 0);
	int folder = open("d", O_RDONLY | O_DIRECTORY);

	if (chdir("d") != 0)
		exit(8);
	if (fork() == 0) {
		become(USER, GROUP);
		try_open(folder, "child", O_CREAT | O_WRONLY);
		try_open(AT_FDCWD, "child", O_CREAT | O_WRONLY);
		exit(0);
	}
	wait(NULL);
	try_open(folder, "parent", O_CREAT | O_WRONLY);
	try_open(AT_FDCWD, "here", O_CREAT | O_WRONLY);
	SAY("rename", renameat(folder, "parent", AT_FDCWD, "there"));
	show("there");
}

static void
back_and_forth(void)
{
	make("root", 0600, 0, 0);
	for (int i = 0; i < 3; i++) {
		SAY("user", seteuid(USER));
		try_open(AT_FDCWD, "root", O_RDONLY);
		SAY("access as root", access("root", R_OK));
		SAY("access as user", faccessat(AT_FDCWD, "root", R_OK,
		    AT_EACCESS));
		SAY("root", seteuid(0));
		try_open(AT_FDCWD, "root", O_RDONLY);
		setfsuid(USER);
		try_open(AT_FDCWD, "root", O_RDONLY);
		setfsuid(0);
		try_open(AT_FDCWD, "root", O_RDONLY);
	}
}

static void
more_groups(void)
{
	gid_t list[3] = { 300, 100, 200 };

	make("f100", 0040, 0, 100);
	make("f200", 0020, 0, 200);
	make("f400", 0060, 0, 400);
	setgroups(3, list);
	setresgid(GROUP, GROUP, GROUP);
	make("mine", 0666, USER, GROUP);
	setresuid(USER, USER, USER);
	try_open(AT_FDCWD, "f100", O_RDONLY);
	try_open(AT_FDCWD, "f100", O_WRONLY);
	try_open(AT_FDCWD, "f200", O_WRONLY);
	try_open(AT_FDCWD, "f400", O_RDONLY);
	SAY("chgrp", chown("mine", NONE, 300));
	SAY("chgrp", chown("mine", NONE, 400));
	show("mine");
}

static void
single(const char *name, unsigned privilege)
{
	fflush(stdout);
	if (fork() == 0) {
		become(0, 0);
		if (set_privileges(1u << privilege, 1u << privilege, 0) != 0)
			exit(7);
		printf("with %s\n", name);
		try_open(AT_FDCWD, "closed/file", O_RDONLY);
		try_open(AT_FDCWD, "closed/file", O_WRONLY);
		SAY("chmod", chmod("theirs", 0640));
		SAY("chown", chown("theirs", 1, 2));
		SAY("access", access("theirs", W_OK));
		SAY("chown back", chown("theirs", 5, 5));
		SAY("mknod", mknod(name, S_IFCHR | 0600, 0x103));
		exit(0);
	}
	wait(NULL);
}

static void
single_privileges(void)
{
	make_folder("closed", 0700, 5, 5);
	make("closed/file", 0600, 5, 5);
	make("theirs", 0600, 5, 5);
	single("CHOWN", CAP_CHOWN);
	single("DAC_OVERRIDE", CAP_DAC_OVERRIDE);
	single("DAC_READ_SEARCH", CAP_DAC_READ_SEARCH);
	single("FOWNER", CAP_FOWNER);
	single("MKNOD", CAP_MKNOD);
	single("KILL", CAP_KILL);
}

static void
of_proc(void)
{
	pid_t parent = getpid();
	char path[64], text[64];

	if (fork() == 0) {
		become(USER, GROUP);
		snprintf(path, sizeof(path), "/proc/%d/environ", parent);
		try_open(AT_FDCWD, path, O_RDONLY);
		snprintf(path, sizeof(path), "/proc/%d/fd", parent);
		try_open(AT_FDCWD, path, O_RDONLY);
		snprintf(path, sizeof(path), "/proc/%d/cwd", parent);
		SAY("cwd", readlink(path, text, sizeof(text)) > 0);
		snprintf(path, sizeof(path), "/proc/%d/status", parent);
		try_open(AT_FDCWD, path, O_RDONLY);
		exit(0);
	}
	wait(NULL);
}

static void
run(const char *name, void (*body)(void))
{
	int status = 0;

	printf("-- %s\n", name);
	fflush(stdout);
	if (fork() == 0) {
		make_folder(name, 0755, 0, 0);
		if (chdir(name) != 0)
			exit(8);
		body();
		exit(0);
	}
	wait(&status);
	if (status != 0)
		printf("status %x\n", (unsigned)status);
}

#define RUN(body)	run(#body, body)

int
main(void)
{
	char top[] = "/tmp/permissionsXXXXXX";

	umask(0);
	if (mkdtemp(top) == NULL || chmod(top, 0755) != 0 || chdir(top) != 0)
		return 1;
	RUN(modes);
	RUN(owners);
	RUN(writing_drops);
	RUN(sticky);
	RUN(folders_kept);
	RUN(shared_folder);
	RUN(back_and_forth);
	RUN(more_groups);
	RUN(single_privileges);
	RUN(of_proc);
	return 0;
}
