/* SPDX-License-Identifier: MIT */
/*
 * Programs whose note is of a version that nobody knows do not start, those
 * with another name in it are not of this kind. Not for a Linux, which looks at
 * no such note.
 */
#include "tell.h"

#define NOTE_NAME_AT	12u	/* in the note */
#define NOTE_VERSION_AT	20u

static char image[65536];

static size_t
read_program(const char *path)
{
	int fd = open(path, O_RDONLY, 0);
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, image + length, sizeof(image) - length)) > 0)
		length += (size_t)got;
	close(fd);
	return length;
}

/* Where its note lies: name, type and version as they should be. */
static char *
find_note(size_t length)
{
	static const char note[] = "\6\0\0\0\4\0\0\0\1\0\0\0Bennu\0\0\0\1\0\0";

	for (size_t at = 0; at + sizeof(note) <= length; at += 4) {
		size_t same = 0;

		while (same < sizeof(note) && image[at + same] == note[same])
			same++;
		if (same == sizeof(note))
			return image + at;
	}
	print("no note\n");
	exit(1);
}

static long
start(size_t length)
{
	char *arguments[] = { "odd", NULL };
	int fd = open("odd", O_CREAT | O_TRUNC | O_WRONLY, 0755), status;

	write(fd, image, length);
	close(fd);
	pid_t pid = spawn("./odd", NULL, arguments, environ);
	if (pid < 0)
		return -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

int
main(void)
{
	chdir("/tmp");
	size_t length = read_program("/bin/tests/own-example");
	char *note = find_note(length);

	TELL("as it is", start(length));
	note[NOTE_VERSION_AT] = 2;
	TELL("a later version", start(length));
	note[NOTE_VERSION_AT] = 0;
	TELL("an earlier version", start(length));
	note[NOTE_VERSION_AT] = 1;
	/* Its exit is a read of Linux there: it goes on into what is no code. */
	note[NOTE_NAME_AT] = 'X';
	CHECK(start(length) != 2);
	return 0;
}
