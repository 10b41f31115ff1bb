/* SPDX-License-Identifier: MIT */
/* exec: what is refused, scripts, what survives, hostile ELF files. */
#define _GNU_SOURCE
#include "say.h"

#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char folder[32], path[128], self[100];

static void
make(const char *name, const void *bytes, size_t length, int mode)
{
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0700);
	write(fd, bytes, length);
	fchmod(fd, mode);
	close(fd);
}

/* Exit status of a program, or how exec failed. */
static void
run(const char *what, char *const argv[])
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		execve(path, argv, (char *[]){ "E=environment", NULL });
		printf("%s: %s\n", what, error_name(errno));
		fflush(stdout);
		_exit(99);
	}
	wait(&status);
	if (WIFSIGNALED(status))
		printf("%s: signal %d\n", what, WTERMSIG(status));
	else
		printf("%s: exit %d\n", what, WEXITSTATUS(status));
}

static void
refused(void)
{
	char *argv[] = { "x", NULL };

	snprintf(path, sizeof(path), "%s/none", folder);
	run("missing", argv);
	make("plain", "just text\n", 10, 0644);
	run("not executable", argv);
	make("text", "just text\n", 10, 0755);
	run("no format", argv);
	make("empty", "", 0, 0755);
	run("empty", argv);
	snprintf(path, sizeof(path), "%s", folder);
	run("directory", argv);
	make("script", "#!/no/such/interpreter\n", 23, 0755);
	run("no interpreter", argv);
	make("nothing", "#!\n", 3, 0755);
	run("empty interpreter", argv);
}

static void
scripts(void)
{
	char text[150];
	char *argv[] = { "zero", "one", "two words", NULL };

	snprintf(text, sizeof(text), "#!%s show\n", self);
	make("script", text, strlen(text), 0755);
	run("script", argv);
	snprintf(text, sizeof(text), "#! %s  show  more \n", self);
	make("script", text, strlen(text), 0755);
	run("script with blanks", argv);
	snprintf(text, sizeof(text), "#!%s/script\n", folder);
	make("second", text, strlen(text), 0755);
	run("script of script", argv);
	snprintf(text, sizeof(text), "#!%s/self\n", folder);
	make("self", text, strlen(text), 0755);
	run("endless script", argv);
}

static void
large(void)
{
	static char *argv[70], *string;

	string = malloc(200000);
	memset(string, 'y', 199999);
	string[199999] = 0;
	snprintf(path, sizeof(path), "%s", self);
	argv[0] = "x";
	argv[1] = "count";
	argv[2] = string;
	run("string too long", argv);
	string[100000] = 0;
	run("long string", argv);
	for (int i = 2; i < 69; i++)
		argv[i] = string;
	run("too much in all", argv);
}

static void
hostile(const char *what, const void *image, size_t length)
{
	char *argv[] = { "x", NULL };

	make("elf", image, length, 0755);
	run(what, argv);
}

/* Headers of a tiny program, damaged in one place each. */
static void
elves(void)
{
	struct {
		Elf64_Ehdr e;
		Elf64_Phdr p[1];
		unsigned char code[16];
	} good = {
		.e = {
			.e_ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
			.e_type = ET_EXEC, .e_machine = EM_X86_64,
			.e_version = 1, .e_entry = 0x400078, .e_phoff = 64,
			.e_ehsize = 64, .e_phentsize = 56, .e_phnum = 1,
		},
		.p = { { PT_LOAD, 5, 0, 0x400000, 0, 136, 136, 4096 } },
		/* exit(7) */
		.code = { 0xbf, 7, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 5 },
	}, bad;

	hostile("smallest program", &good, sizeof(good));
	hostile("cut in the header", &good, 50);
	hostile("cut in the program headers", &good, 100);
	bad = good;
	bad.e.e_machine = EM_386;
	hostile("wrong machine", &bad, sizeof(bad));
	bad = good;
	bad.e.e_phnum = 0;
	hostile("no headers", &bad, sizeof(bad));
	bad = good;
	bad.e.e_phentsize = 3;
	hostile("odd header size", &bad, sizeof(bad));
	bad = good;
	bad.e.e_type = ET_REL;
	hostile("object file", &bad, sizeof(bad));
}

/* A program that exits with 5, unless its interpreter begins: that with 7. */
struct tiny {
	Elf64_Ehdr e;
	Elf64_Phdr p[2];
	char path[sizeof(path)];
	unsigned char code[16];
};

static struct tiny
make_tiny(uint64_t address, unsigned char code, const char *interpreter)
{
	struct tiny tiny = {
		.e = {
			.e_ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
			.e_type = ET_EXEC, .e_machine = EM_X86_64,
			.e_version = 1, .e_phoff = 64, .e_ehsize = 64,
			.e_entry = address + offsetof(struct tiny, code),
			.e_phentsize = 56, .e_phnum = interpreter ? 2 : 1,
		},
		.p = {
			{ PT_LOAD, 5, 0, address, 0, sizeof(tiny),
			    sizeof(tiny), 4096 },
			{ PT_INTERP, 4, offsetof(struct tiny, path), 0, 0,
			    interpreter ? strlen(interpreter) + 1 : 0, 0, 1 },
		},
		.code = { 0xbf, code, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 5 },
	};

	if (interpreter != NULL)
		strcpy(tiny.path, interpreter);
	return tiny;
}

static void
with_interpreter(const char *what, const void *bytes, size_t length, int mode)
{
	char name[sizeof(path)];

	make("linker", bytes, length, mode);
	strcpy(name, path);
	struct tiny program = make_tiny(0x400000, 5, name);
	hostile(what, &program, sizeof(program));
}

static void
interpreters(void)
{
	struct tiny linker = make_tiny(0x600000, 7, NULL), program;
	struct tiny other = make_tiny(0x600000, 7, "/no/such/file");

	with_interpreter("interpreter", &linker, sizeof(linker), 0755);
	/* One that names another does not get it. */
	with_interpreter("of another", &other, sizeof(other), 0755);
	with_interpreter("no execution", &linker, sizeof(linker), 0644);
	with_interpreter("text as interpreter", "just text, long enough for a "
	    "header: ................................", 70, 0755);
	linker.e.e_machine = EM_386;
	with_interpreter("of another machine", &linker, sizeof(linker), 0755);
	program = make_tiny(0x400000, 5, "/no/such/linker");
	hostile("missing interpreter", &program, sizeof(program));
	program.p[1].p_filesz--;
	hostile("unterminated interpreter", &program, sizeof(program));
	program.p[1].p_filesz = 1;
	hostile("short interpreter", &program, sizeof(program));
	program = make_tiny(0x400000, 5, "/tmp");
	hostile("folder as interpreter", &program, sizeof(program));
}

static void
survives(void)
{
	char *argv[] = { "x", "inherit", NULL };
	int kept = open("/dev/null", O_RDONLY);
	int gone = open("/dev/null", O_RDONLY | O_CLOEXEC);

	dup2(kept, 50);
	dup3(gone, 51, O_CLOEXEC);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, _exit);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	snprintf(path, sizeof(path), "%s", self);
	chdir("/tmp");
	run("inherit", argv);
}

static int
inherited(void)
{
	struct sigaction act;
	sigset_t set;
	char cwd[64];

	SAY("kept descriptor", fcntl(50, F_GETFD));
	SAY("closed descriptor", fcntl(51, F_GETFD));
	sigaction(SIGUSR1, NULL, &act);
	CHECK(act.sa_handler == SIG_IGN);
	sigaction(SIGUSR2, NULL, &act);
	CHECK(act.sa_handler == SIG_DFL);
	sigprocmask(SIG_BLOCK, NULL, &set);
	SAY("mask", sigismember(&set, SIGHUP));
	printf("%s in %s\n", getenv("E"), getcwd(cwd, sizeof(cwd)));
	return 8;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strncmp(argv[1], "show", 4) == 0) {
		printf("%d:", argc);
		for (int i = 1; i < argc; i++)
			printf(" [%s]", strrchr(argv[i], '/') != NULL ?
			    strrchr(argv[i], '/') : argv[i]);
		printf("\n");
		return 6;
	}
	if (argc > 1 && strcmp(argv[1], "count") == 0)
		return strlen(argv[2]) / 1000;
	if (argc > 1 && strcmp(argv[1], "inherit") == 0)
		return inherited();
	readlink("/proc/self/exe", self, sizeof(self) - 1);
	snprintf(folder, sizeof(folder), "/tmp/execs-%d", getpid());
	mkdir(folder, 0755);
	refused();
	scripts();
	large();
	elves();
	interpreters();
	survives();
	snprintf(path, sizeof(path), "rm -r %s", folder);
	SAY("rm", system(path));
	return 0;
}
