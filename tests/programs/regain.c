/* SPDX-License-Identifier: MIT */
/*
 * A program that gives up root and then goes behind the back of its libOS: it
 * makes native calls with every capability in its table and tries to open what
 * only root may, or to give orders to phoenix. What it held as root must be of
 * no use any more. Only for this system: it knows where the libOS lies.
 *
 * Native calls come from the libOS only, so it borrows one there: SYSCALL with
 * nothing behind it but an epilogue. Every word of the stack that the epilogue
 * pops is the address to come back to.
 */
#define _GNU_SOURCE
#include <idl/libos.h>

#include <abi/syscall.h>
#include <abi/utcb.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of idl/storage.capnp and idl/phoenix.capnp, which C libraries cannot read. */
#define STORAGE_OPEN	0x0001u
#define STORAGE_CHMOD	0x000fu
#define STORAGE_RETIRE	0x001bu
#define STORAGE_REOPEN	0x001cu
#define PHOENIX_COMMAND	0x0404u
#define REPLY_OK	0x8000u
#define OPEN_READ	1u
#define SHORT_PATH	(1ul << 63)

#define SECRET		"/tmp/secret"

struct words {
	uint64_t rdi, rsi, rdx, r10, r8, r9, rbx, r12, r13, r14;
};

static struct words words __attribute__((used));
static uint64_t number __attribute__((used)), gadget __attribute__((used));
static uint64_t stack_kept __attribute__((used));
static uint64_t stack[64] __attribute__((used, aligned(16)));

void landing(void);
void native(void);

__asm__(
	".text\n"
	"native:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14\n"
	"	push %r15\n"
	"	mov %rsp, stack_kept(%rip)\n"
	"	lea words(%rip), %r15\n"
	"	mov 0(%r15), %rdi; mov 8(%r15), %rsi; mov 16(%r15), %rdx\n"
	"	mov 24(%r15), %r10; mov 32(%r15), %r8; mov 40(%r15), %r9\n"
	"	mov 48(%r15), %rbx; mov 56(%r15), %r12; mov 64(%r15), %r13\n"
	"	mov 72(%r15), %r14\n"
	"	mov number(%rip), %rax\n"
	"	lea stack(%rip), %rsp\n"
	"	jmp *gadget(%rip)\n"
	"landing:\n"
	"	lea words(%rip), %r15\n"
	"	mov %rdi, 0(%r15); mov %rsi, 8(%r15); mov %rdx, 16(%r15)\n"
	"	mov stack_kept(%rip), %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

/* Only pops, moves between registers, and the return. */
static int
is_epilogue(const uint8_t *code)
{
	for (unsigned i = 0; i < 24;) {
		if (code[i] == 0xc3)
			return 1;
		if (code[i] >= 0x58 && code[i] <= 0x5f && code[i] != 0x5c)
			i += 1;
		else if (code[i] == 0x41 && code[i + 1] >= 0x58 &&
		    code[i + 1] <= 0x5f)
			i += 2;
		else if (code[i] == 0x48 && code[i + 1] == 0x83 &&
		    code[i + 2] == 0xc4 && code[i + 3] < 128)
			i += 4;
		else if ((code[i] == 0x4c || code[i] == 0x48) &&
		    code[i + 1] == 0x89 && (code[i + 2] & 0xc7) == 0xc0)
			i += 3;		/* into RAX */
		else
			return 0;
	}
	return 0;
}

static void
find_gadget(void)
{
	const uint8_t *text = (const uint8_t *)LIBOS_BASE;

	for (size_t i = 0; i < 0x10000; i++) {
		if (text[i] == 0x0f && text[i + 1] == 0x05 &&
		    is_epilogue(text + i + 2)) {
			gadget = LIBOS_BASE + i;
			return;
		}
	}
	puts("no way in");
	exit(1);
}

static void
invoke(long what)
{
	for (unsigned i = 0; i < sizeof(stack) / sizeof(stack[0]); i++)
		stack[i] = (uint64_t)landing;
	number = (uint64_t)SYSCALL_NR(what);
	native();
}

/* A request with a short path through a capability. Was it granted? */
static int
request(uint64_t cap, uint64_t tag, uint64_t first, uint64_t second,
    const char *path)
{
	uint64_t text[4] = { 0 };

	memcpy(text, path, strlen(path));
	words = (struct words){ .rdi = cap, .rdx = tag, .r10 = first,
	    .r8 = second, .r9 = text[0], .rbx = text[1], .r12 = text[2],
	    .r13 = text[3], .r14 = strlen(path) | SHORT_PATH };
	invoke(SYS_CALL);
	return words.rdx == REPLY_OK;
}

/* Does phoenix take a harmless order through it? */
static int
order(uint64_t cap)
{
	static const char command[] = "status";
	static char text[4096];
	struct utcb *utcb = (struct utcb *)LIBOS_UTCB;

	utcb->windows[0] = (struct window){ (uint64_t)command,
		(sizeof(command) - 1) << 2 | WINDOW_READ };
	utcb->windows[1] = (struct window){ (uint64_t)text,
		sizeof(text) << 2 | WINDOW_WRITE };
	text[0] = 0;
	words = (struct words){ .rdi = cap, .rsi = 2 << IPC_WINDOWS_SHIFT,
	    .rdx = PHOENIX_COMMAND, .r13 = sizeof(text),
	    .r14 = sizeof(command) - 1 };
	invoke(SYS_CALL);
	return words.rdx == REPLY_OK && text[0] != 0;
}

struct found {
	unsigned opened, changed, reopened, ordered, all;
};

static void
try_cap(uint64_t cap, struct found *found)
{
	found->all++;
	found->opened += request(cap, STORAGE_OPEN, OPEN_READ, 0, SECRET) ||
	    request(cap, STORAGE_OPEN, OPEN_READ, 0, "secret");
	found->changed += request(cap, STORAGE_CHMOD, 0600, 0, SECRET);
	found->ordered += order(cap);
	/* Last: it closes. Not what is looked at, and not the session. */
	if (request(cap, STORAGE_RETIRE, 0, 0, ""))
		found->reopened += request(cap, STORAGE_REOPEN, OPEN_READ, 0,
		    SECRET);
}

static struct found
try_all(void)
{
	static uint64_t caps[4096];
	struct found found = { 0 };
	uint64_t next = 0;
	unsigned count = 0;

	/* First which there are: trying makes more. */
	while (count < 4096) {
		words = (struct words){ .rsi = next };
		invoke(SYS_TABLE_NEXT);
		if (words.rdi == 0 || CAP_INDEX(words.rdi) < next)
			break;
		caps[count++] = words.rdi;
		next = CAP_INDEX(words.rdi) + 1;
	}
	for (unsigned i = 0; i < count; i++) {
		if (caps[i] != PROCESS_PROC && caps[i] != PROCESS_CONSOLE)
			try_cap(caps[i], &found);
	}
	return found;
}

static void
tell(const char *who, const struct found *found)
{
	printf("%s: opened %s, changed %s, reopened %s, orders %s\n", who,
	    found->opened ? "yes" : "no", found->changed ? "yes" : "no",
	    found->reopened ? "yes" : "no", found->ordered ? "yes" : "no");
	if (found->all < 8)
		puts("there were few capabilities");
}

/* In a child, which may lose what it has open. */
static void
attack(const char *who, int user)
{
	int result[2];
	struct found found;

	fflush(stdout);
	if (pipe(result) != 0)
		return;
	if (fork() == 0) {
		/* Spares, which are retired: the libOS keeps some. */
		for (unsigned i = 0; i < 3; i++)
			close(open(SECRET, O_RDONLY));
		if (user != 0 && (setgroups(0, NULL) != 0 ||
		    setgid((gid_t)user) != 0 || setuid((uid_t)user) != 0))
			_exit(1);
		found = try_all();
		write(result[1], &found, sizeof(found));
		_exit(0);
	}
	close(result[1]);
	if (read(result[0], &found, sizeof(found)) == sizeof(found))
		tell(who, &found);
	else
		printf("%s: lost\n", who);
	close(result[0]);
	wait(NULL);
}

int
main(void)
{
	find_gadget();
	int fd = open(SECRET, O_CREAT | O_RDWR, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || chdir("/tmp") != 0)
		return 1;
	/* What an attacker would like to find. */
	open("/", O_RDONLY | O_DIRECTORY);
	open("/tmp", O_RDONLY | O_DIRECTORY);
	open("/", O_PATH);
	open("/tmp", O_PATH | O_DIRECTORY);
	open("/bin/busybox", O_RDONLY);
	attack("root", 0);
	attack("user", 1000);
	/* Another's drop takes nothing from root. */
	attack("root again", 0);
	/* Not the working directory: the others may close what they share. */
	fd = open(SECRET, O_RDONLY);
	puts(fd >= 0 && access(SECRET, R_OK) == 0 ? "still root" :
	    "root lost something");
	return 0;
}
