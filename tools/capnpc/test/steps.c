/* SPDX-License-Identifier: MIT */
/*
 * Runs what cost.c has, one instruction at a time, and prints how many each
 * took: "client HAND GENERATED", then the server's.
 */
#include <idl/sample_server.h>
#include <idl/sample_client.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

struct sample_context {
	uint64_t size;
};

long client_by_hand(cap_t file, uint64_t offset, void *buffer,
    uint64_t length, struct sample_read_results *out);
long client_generated(cap_t file, uint64_t offset, void *buffer,
    uint64_t length, struct sample_read_results *out);
long server_by_hand(struct sample_context *context, struct service_call *call);
long server_generated(struct sample_context *context,
    struct service_call *call);
unsigned transfer(uint64_t offset, uint64_t length, uint64_t *out_done);
int main(void);

/* By hand, then generated; called the same way, so that only they differ. */
static long (*volatile const client[2])(cap_t file, uint64_t offset,
    void *buffer, uint64_t length, struct sample_read_results *out) = {
	client_by_hand, client_generated };
static long (*volatile const server[2])(struct sample_context *context,
    struct service_call *call) = { server_by_hand, server_generated };

long
wire_call(cap_t target, struct message *message, const struct window *window,
    uint64_t how, cap_t *caps)
{
	(void)target;
	(void)window;
	(void)how;
	(void)caps;
	message->word[0] = TAG_REPLY_OK;
	return 0;
}

unsigned
transfer(uint64_t offset, uint64_t length, uint64_t *out_done)
{
	(void)offset;
	*out_done = length;
	return 0;
}

static void
run(bool is_server, unsigned which)
{
	struct sample_context context = { 5 };
	struct service_call call = { .message = { { SAMPLE_READ, 1, 2 } },
	    .windows = 1 };
	struct sample_read_results out;

	__asm__ volatile("int3");
	if (is_server)
		server[which](&context, &call);
	else
		client[which](1, 2, NULL, 3, &out);
	__asm__ volatile("int3");
}

/* Steps from the first int3 to the second. */
static unsigned
count(bool is_server, unsigned which)
{
	siginfo_t info;
	unsigned steps = 0;
	int status;
	pid_t child = fork();

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		run(is_server, which);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
		exit(1);
	do {
		if (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) != 0 ||
		    waitpid(child, &status, 0) != child ||
		    !WIFSTOPPED(status) ||
		    ptrace(PTRACE_GETSIGINFO, child, NULL, &info) != 0)
			exit(1);
		steps++;
	} while (info.si_code != SI_KERNEL);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return steps;
}

int
main(void)
{
	printf("client %u %u\n", count(false, 0), count(false, 1));
	printf("server %u %u\n", count(true, 0), count(true, 1));
	return 0;
}
