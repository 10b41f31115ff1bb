/* SPDX-License-Identifier: MIT */
#include "runner.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define WARM_UP		16u	/* round trips */

struct order {
	uint64_t kind;		/* enum bench_kind */
	uint64_t count;		/* 0: end */
	uint64_t size;
};

struct report {
	uint64_t fine;
	uint64_t done_ns;
	uint64_t put_off;	/* how often since its start */
};

static void
explain(struct runner *runner, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(runner->why, sizeof(runner->why), format, arguments);
	va_end(arguments);
}

bool
runner_cpus(int out_cpu[2])
{
	cpu_set_t set;
	int found = 0;

	out_cpu[0] = out_cpu[1] = -1;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return false;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			out_cpu[found++] = cpu;
	if (found == 1)
		out_cpu[1] = out_cpu[0];
	return found == 2;
}

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0)
		CPU_SET((size_t)cpu, &set);
	/* Where it is not allowed the figures are worse, not wrong. */
	sched_setaffinity(0, sizeof(set), &set);
}

static cpu_set_t before_pin;

void
runner_pin(const int cpu[2])
{
	sched_getaffinity(0, sizeof(before_pin), &before_pin);
	pin(cpu[BENCH_CLIENT]);
}

void
runner_unpin(void)
{
	sched_setaffinity(0, sizeof(before_pin), &before_pin);
}

static bool
transfer_all(int fd, void *data, size_t size, bool out)
{
	ssize_t done;

	do {
		done = out ? send(fd, data, size, MSG_NOSIGNAL)
		    : recv(fd, data, size, MSG_WAITALL);
	} while (done < 0 && errno == EINTR);
	return done == (ssize_t)size;
}

/* How often the thread had to leave its CPU to somebody else. */
static uint64_t
put_off(void)
{
	struct rusage usage = { .ru_nivcsw = 0 };

	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)usage.ru_nivcsw;
}

static bool
report_to(int control, bool fine)
{
	struct report report = { .fine = fine, .done_ns = bench_now_ns(),
		.put_off = put_off() };

	return transfer_all(control, &report, sizeof(report), true);
}

static bool
execute(const struct bench_peer *peer, void *end, const struct order *order,
    unsigned char *buffer)
{
	struct bench_job job = { .count = order->count,
		.size = order->size, .buffer = buffer };
	struct bench_job warm = job;

	warm.count = WARM_UP;
	if (order->kind == BENCH_ROUND_TRIP)
		return peer->serve(end, &warm) && peer->serve(end, &job);
	return peer->receive(end, &job);
}

/* The life of a server: returns when it is told to, or its client is gone. */
static void
serve(struct runner *runner)
{
	const struct bench_peer *peer = runner->peer;
	int control = runner->server_control;
	unsigned char *buffer = aligned_alloc(4096, BENCH_SIZE_MAX);
	void *end = buffer == NULL ? NULL
	    : peer->open(&runner->rig, BENCH_SERVER);
	struct order order;

	if (end != NULL)
		memset(buffer, 3, BENCH_SIZE_MAX);
	pin(runner->cpu[BENCH_SERVER]);
	if (report_to(control, end != NULL) && end != NULL) {
		while (transfer_all(control, &order, sizeof(order), false) &&
		    order.count != 0 && report_to(control, true))
			if (!report_to(control,
			    execute(peer, end, &order, buffer)))
				break;
		peer->close(end);
	}
	free(buffer);
	shutdown(control, SHUT_RDWR);
}

static void *
serve_thread(void *runner)
{
	serve(runner);
	return NULL;
}

void
runner_prepare(struct runner *runner, const struct bench_peer *peer,
    const char *folder, const int cpu[2])
{
	int control[2], error;

	*runner = (struct runner){ .peer = peer, .control = -1,
		.server_control = -1, .cpu = { cpu[0], cpu[1] },
		.rig = { .folder = folder, .peer = peer->name,
			.fd = { -1, -1, -1, -1 } } };
	runner->rig.shared = mmap(NULL, BENCH_SHARED, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	runner->buffer = aligned_alloc(4096, BENCH_SIZE_MAX);
	if (runner->rig.shared == MAP_FAILED || runner->buffer == NULL ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, control) != 0) {
		explain(runner, "%s", strerror(errno));
		return;
	}
	memset(runner->buffer, 4, BENCH_SIZE_MAX);
	runner->control = control[0];
	runner->server_control = control[1];
	if ((peer->flags & PEER_SPINS) != 0 && cpu[0] == cpu[1])
		explain(runner, "needs two CPUs");
	error = peer->prepare == NULL ? 0 : peer->prepare(&runner->rig);
	if (error != 0)
		explain(runner, "cannot be prepared: %s", strerror(error));
}

static void
start_process(struct runner *runner)
{
	pid_t parent = getpid();

	runner->server = fork();
	if (runner->server < 0) {
		explain(runner, "%s", strerror(errno));
		runner->server = 0;
	}
	if (runner->server != 0) {
		if (runner->server > 0) {
			close(runner->server_control);
			runner->server_control = -1;
		}
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		serve(runner);
	_exit(0);
}

static bool
await(struct runner *runner, struct report *out_report)
{
	if (!transfer_all(runner->control, out_report, sizeof(*out_report),
	    false)) {
		explain(runner, "the server is gone");
		return false;
	}
	return out_report->fine;
}

void
runner_start(struct runner *runner)
{
	struct report report;

	if (runner->why[0] != '\0' ||
	    (runner->peer->flags & (PEER_ROUND_TRIP | PEER_STREAM)) == 0)
		return;
	if ((runner->peer->flags & PEER_THREAD) == 0) {
		start_process(runner);
	} else {
		runner->has_thread = pthread_create(&runner->thread, NULL,
		    serve_thread, runner) == 0;
		if (!runner->has_thread)
			explain(runner, "no thread");
	}
	if (runner->why[0] == '\0' && !await(runner, &report))
		explain(runner, "the server cannot be opened");
}

void
runner_open(struct runner *runner)
{
	if (runner->why[0] != '\0')
		return;
	runner->end = runner->peer->open(&runner->rig, BENCH_CLIENT);
	if (runner->end == NULL)
		explain(runner, "cannot be opened: %s", strerror(errno));
}

static uint64_t
measure_round_trips(struct runner *runner, const struct bench_job *job)
{
	struct bench_job warm = *job;
	struct report report;
	uint64_t start, end;

	warm.count = WARM_UP;
	if (!runner->peer->round_trip(runner->end, &warm))
		return 0;
	start = bench_now_ns();
	if (!runner->peer->round_trip(runner->end, job))
		return 0;
	end = bench_now_ns();
	if (!await(runner, &report))
		return 0;
	runner->disturbances += report.put_off;
	return end - start;
}

/* Until the last message is received: the server's clock is the same. */
static uint64_t
measure_stream(struct runner *runner, const struct bench_job *job)
{
	uint64_t start = bench_now_ns();
	struct report report;

	if (!runner->peer->send(runner->end, job))
		return 0;
	if (!await(runner, &report))
		return 0;
	runner->disturbances += report.put_off;
	return report.done_ns - start;
}

static uint64_t
measure(struct runner *runner, const struct order *order)
{
	struct bench_job job = { .count = order->count, .size = order->size,
		.buffer = runner->buffer };
	struct report report;

	if (!transfer_all(runner->control, (void *)(uintptr_t)order,
	    sizeof(*order), true)) {
		explain(runner, "the server is gone");
		return 0;
	}
	if (!await(runner, &report))
		return 0;
	runner->disturbances = -report.put_off;
	return order->kind == BENCH_ROUND_TRIP
	    ? measure_round_trips(runner, &job) : measure_stream(runner, &job);
}

uint64_t
runner_measure(struct runner *runner, enum bench_kind kind, size_t size,
    uint64_t count)
{
	struct order order = { .kind = kind, .count = count, .size = size };
	uint64_t before = put_off(), time;

	if (runner->why[0] != '\0')
		return 0;
	alarm(RUNNER_PATIENCE_S);
	time = measure(runner, &order);
	alarm(0);
	runner->disturbances += put_off() - before;
	if (time == 0 && runner->why[0] == '\0')
		explain(runner, "a message was lost or changed");
	return time;
}

uint64_t
runner_measure_local(struct runner *runner, const struct bench_local *local,
    uint64_t count)
{
	uint64_t before = put_off();
	uint64_t time = local->run(runner->end, count);

	runner->disturbances = put_off() - before;
	return time;
}

void
runner_close(struct runner *runner)
{
	struct order order = { 0 };

	if (runner->control >= 0) {
		transfer_all(runner->control, &order, sizeof(order), true);
		/* A server in the middle of a message is not waited for. */
		if (runner->server > 0 && runner->why[0] != '\0')
			kill(runner->server, SIGKILL);
	}
	/* Nor a thread, which then keeps what it uses until the end. */
	if (runner->has_thread && runner->why[0] != '\0') {
		pthread_detach(runner->thread);
		return;
	}
	if (runner->has_thread)
		pthread_join(runner->thread, NULL);
	if (runner->end != NULL)
		runner->peer->close(runner->end);
	if (runner->server > 0)
		waitpid(runner->server, NULL, 0);
	if (runner->peer->release != NULL)
		runner->peer->release(&runner->rig);
	for (unsigned i = 0; i < 4; i++)
		if (runner->rig.fd[i] >= 0)
			close(runner->rig.fd[i]);
	if (runner->control >= 0)
		close(runner->control);
	if (runner->server_control >= 0)
		close(runner->server_control);
	free(runner->buffer);
	if (runner->rig.shared != MAP_FAILED)
		munmap(runner->rig.shared, BENCH_SHARED);
}
