/* SPDX-License-Identifier: MIT */
#include "harness_host.h"

#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_MS	30000u
#define SHOWN		1500u	/* bytes of a log */

static void
die(const char *what)
{
	fprintf(stderr, "harness: %s: %s\n", what, strerror(errno));
	exit(3);
}

void
harness_pause_ms(unsigned ms)
{
	struct timespec time = {
		.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000,
	};

	while (nanosleep(&time, &time) != 0 && errno == EINTR)
		continue;
}

uint64_t
harness_now_ns(void)
{
	return clock_ns();
}

void
harness_create(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	strcpy(h->folder, "/tmp/bennu-supervise-XXXXXX");
	if (mkdtemp(h->folder) == NULL || chmod(h->folder, 0755) != 0)
		die("folder");
}

static int
remove_one(const char *path, const struct stat *info, int type,
    struct FTW *where)
{
	return remove(path);
}

void
harness_destroy(struct harness *h)
{
	if (h->pid != 0) {
		kill(h->pid, SIGTERM);
		kill(h->pid, SIGTERM);
		(void)harness_wait(h);
	}
	nftw(h->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
put_expanded(FILE *to, const char *text, const char *folder)
{
	char self[4096];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (length < 0)
		die("own name");
	self[length] = '\0';
	for (; *text != '\0'; text++) {
		if (text[0] == '$' && (text[1] == 'R' || text[1] == 'D'))
			fputs(*++text == 'R' ? self : folder, to);
		else
			fputc(*text, to);
	}
}

void
harness_manifest(struct harness *h, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.toml", h->folder, name);
	file = fopen(path, "we");
	if (file == NULL)
		die(path);
	fprintf(file, "name = \"%s\"\n", name);
	put_expanded(file, text, h->folder);
	fclose(file);
}

/* What it logs is in the file "log" of the folder. */
_Noreturn static void
supervise(struct harness *h, const struct harness_options *options)
{
	const char *path[] = { h->folder };
	char runtime[80], log[80];
	struct server_options server = {
		.runtime = runtime, .path = path, .path_count = 1,
		.main = options == NULL ? NULL : options->main,
	};
	int file;

	snprintf(runtime, sizeof(runtime), "%s/run", h->folder);
	snprintf(log, sizeof(log), "%s/log", h->folder);
	file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (file >= 0)
		dup2(file, 2);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	exit(server_run(&server));
}

static pid_t
make_child(bool namespace)
{
	struct clone_args arguments = {
		.flags = namespace ? CLONE_NEWPID : 0,
		.exit_signal = SIGCHLD,
	};

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

void
harness_start(struct harness *h, const struct harness_options *options)
{
	fflush(NULL);
	h->pid = make_child(options != NULL && options->namespace);
	if (h->pid < 0)
		die("fork");
	if (h->pid == 0)
		supervise(h, options);
	for (unsigned i = 0; i < PATIENCE_MS / 10; i++) {
		if (harness_command(h, "help"))
			return;
		harness_pause_ms(10);
	}
	die("the supervisor does not answer");
}

int
harness_wait(struct harness *h)
{
	int status = 0;

	while (waitpid(h->pid, &status, 0) < 0)
		if (errno != EINTR)
			die("wait");
	h->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int
harness_stop(struct harness *h)
{
	kill(h->pid, SIGTERM);
	return harness_wait(h);
}

bool
harness_command(struct harness *h, const char *line)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t length;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/run/control",
	    h->folder);
	h->text[0] = '\0';
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    dprintf(fd, "%s\n", line) < 0) {
		close(fd);
		return false;
	}
	while ((length = read(fd, h->text + used,
	    sizeof(h->text) - 1 - used)) > 0)
		used += (size_t)length;
	h->text[used] = '\0';
	close(fd);
	return strncmp(h->text, "ok\n", 3) == 0;
}

/* Behind `"key": `, of the line of the service. */
const char *
harness_ask(struct harness *h, const char *service, const char *key)
{
	static char value[256];
	char mark[64];
	const char *at;
	size_t length;

	value[0] = '\0';
	if (!harness_command(h, "json ps"))
		return value;
	snprintf(mark, sizeof(mark), "{\"name\": \"%s\"", service);
	at = strstr(h->text, mark);
	snprintf(mark, sizeof(mark), "\"%s\": ", key);
	at = at == NULL ? NULL : strstr(at, mark);
	if (at == NULL)
		return value;
	at += strlen(mark);
	at += *at == '"';
	length = strcspn(at, "\",}");
	if (length >= sizeof(value))
		length = sizeof(value) - 1;
	memcpy(value, at, length);
	value[length] = '\0';
	return value;
}

uint64_t
harness_number(struct harness *h, const char *service, const char *key)
{
	return strtoul(harness_ask(h, service, key), NULL, 10);
}

uint64_t
harness_count(struct harness *h, const char *service, const char *counter)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "stats %s", service);
	if (!harness_command(h, line))
		return ~0ul;
	snprintf(line, sizeof(line), "\n%s ", counter);
	at = strstr(h->text, line);
	return at == NULL ? ~0ul : strtoul(at + strlen(line), NULL, 10);
}

/* The end of it. */
static void
show_log(struct harness *h)
{
	const char *text = harness_file(h, "log");
	size_t length = strlen(text);

	text += length > SHOWN ? length - SHOWN : 0;
	for (; *text != '\0'; text += strcspn(text, "\n") + 1) {
		printf("# %.*s\n", (int)strcspn(text, "\n"), text);
		if (text[strcspn(text, "\n")] == '\0')
			break;
	}
}

bool
harness_await(struct harness *h, const char *service, const char *key,
    const char *value)
{
	for (unsigned i = 0; i < PATIENCE_MS / 5; i++) {
		if (strcmp(harness_ask(h, service, key), value) == 0)
			return true;
		harness_pause_ms(5);
	}
	printf("# %s: %s is '%s', not '%s'\n", service, key,
	    harness_ask(h, service, key), value);
	show_log(h);
	return false;
}

bool
harness_await_life(struct harness *h, const char *service,
    uint64_t incarnation)
{
	for (unsigned i = 0; i < PATIENCE_MS / 5; i++) {
		if (harness_number(h, service, "incarnation") >= incarnation &&
		    strcmp(harness_ask(h, service, "state"), "ready") == 0)
			return true;
		harness_pause_ms(5);
	}
	show_log(h);
	return false;
}

const char *
harness_file(struct harness *h, const char *name)
{
	static char content[HARNESS_TEXT];
	char path[128];
	FILE *file;
	size_t length = 0;

	snprintf(path, sizeof(path), "%s/%s", h->folder, name);
	file = fopen(path, "re");
	if (file != NULL) {
		length = fread(content, 1, sizeof(content) - 1, file);
		fclose(file);
	}
	content[length] = '\0';
	return content;
}

bool
harness_await_file(struct harness *h, const char *name, const char *content)
{
	for (unsigned i = 0; i < PATIENCE_MS / 5; i++) {
		if (strcmp(harness_file(h, name), content) == 0)
			return true;
		harness_pause_ms(5);
	}
	printf("# %s is '%s', not '%s'\n", name, harness_file(h, name),
	    content);
	return false;
}

void
harness_append(const char *path, const char *line)
{
	int file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);

	if (file < 0 || write(file, line, strlen(line)) < 0)
		die(path);
	close(file);
}
