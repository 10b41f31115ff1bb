/* SPDX-License-Identifier: MIT */
/*
 * Sleeping and waking. A member sleeps on the words of its lanes and on the
 * word of the process's page, which the broker advances behind each event.
 *
 * A pollable member has a set of descriptors that is one itself: the bells of
 * its lanes, the connection to the broker, and a counter of its own for events
 * that another thread read. A bell is one end of a socket pair: what the other
 * end can do to it is to fill it or to close it.
 */
#include <lib/channel/hosted/link.h>

#include <linux/futex.h>
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX	(FUTEX_WAITV_MAX - 1)
#define SLICE_NS	1000000ul	/* when not all can be waited for */
#define SECOND_NS	1000000000ul

uint64_t
hosted_now_ns(struct channel_domain *domain)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

bool
wait_has_waitv(void)
{
	return syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0) == 0 ||
	    errno != ENOSYS;
}

static struct timespec
time_of(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / SECOND_NS),
		.tv_nsec = (long)(ns % SECOND_NS),
	};
}

static struct futex_waitv
waiter(const uint32_t *word, uint32_t value)
{
	return (struct futex_waitv){
		.val = value, .uaddr = (uintptr_t)word, .flags = FUTEX_32,
	};
}

/* false: the deadline was reached. */
static bool
wait_all(struct hosted_member *member, uint32_t *const *words, uint32_t count,
    uint64_t deadline_ns)
{
	struct futex_waitv waiters[FUTEX_WAITV_MAX];
	struct timespec end = time_of(deadline_ns);
	/* Little-endian: the lower half of the generation comes first. */
	const uint32_t *page = (const uint32_t *)(const void *)
	    &member->hosted->page->generation;
	long result;

	for (uint32_t i = 0; i < count; i++)
		waiters[i] = waiter(words[i], 1);
	waiters[count] = waiter(page, (uint32_t)member->seen);
	result = syscall(SYS_futex_waitv, waiters, count + 1, 0,
	    deadline_ns == CHANNEL_FOREVER ? NULL : &end, CLOCK_MONOTONIC);
	return result >= 0 || errno != ETIMEDOUT;
}

/* A broker that died wakes nobody: its caller looks after a while. */
void
wait_broker(const struct hosted *hosted, uint64_t generation)
{
	struct timespec slice = time_of(SLICE_NS);

	syscall(SYS_futex, &hosted->page->generation, FUTEX_WAIT,
	    (uint32_t)generation, &slice, NULL, 0);
}

/* Linux before 5.16: one word, and a look at the others now and then. */
static bool
wait_one(uint32_t *word, uint64_t deadline_ns)
{
	struct timespec end = time_of(deadline_ns);
	long result;

	if (word == NULL) {
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL);
		return false;
	}
	result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET, 1, &end, NULL,
	    FUTEX_BITSET_MATCH_ANY);
	return result >= 0 || errno != ETIMEDOUT;
}

status_t
hosted_sleep(struct channel_domain *domain, struct channel_member *member,
    uint32_t *const *words, uint32_t count, uint64_t deadline_ns)
{
	struct hosted *hosted = hosted_of(domain);
	struct hosted_member *own = member->port_data;
	bool sliced = count > WORDS_MAX || !hosted->has_waitv;
	uint64_t now = hosted_now_ns(domain), until = deadline_ns;
	bool woken;

	if (now >= deadline_ns)
		return ERR_TIMEOUT;
	if (__atomic_load_n(&hosted->page->generation, __ATOMIC_ACQUIRE) !=
	    own->seen)
		return OK;
	if (sliced && deadline_ns - now > SLICE_NS)
		until = now + SLICE_NS;
	if (hosted->has_waitv)
		woken = wait_all(own, words,
		    count > WORDS_MAX ? WORDS_MAX : count, until);
	else
		woken = wait_one(count == 0 ? NULL : words[0], until);
	return woken || until < deadline_ns ? OK : ERR_TIMEOUT;
}

void
hosted_wake(struct channel_domain *domain, const struct lane_place *place,
    uint32_t *word)
{
	const struct hosted_lane *lane = place->port_data;

	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	/* Full is as good as rung. */
	if (lane->bell >= 0)
		(void)send(lane->bell, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool
watch(int poll, int file)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = file };

	return epoll_ctl(poll, EPOLL_CTL_ADD, file, &event) == 0;
}

void
wait_add_bell(struct hosted_member *member, int bell)
{
	if (member->poll >= 0 && !watch(member->poll, bell))
		(void)!write(member->knock, &(uint64_t){ 1 },
		    sizeof(uint64_t));
}

/* Closing it is not enough when a child of fork has it, too. */
void
wait_remove_bell(struct hosted_member *member, int bell)
{
	if (member->poll >= 0)
		(void)epoll_ctl(member->poll, EPOLL_CTL_DEL, bell, NULL);
}

static bool
watch_all(struct hosted_member *member)
{
	if (!watch(member->poll, member->knock) ||
	    (!member->hosted->is_cut &&
	    !watch(member->poll, member->hosted->socket)))
		return false;
	for (struct hosted_lane *lane = member->lanes; lane != NULL;
	    lane = lane->next)
		if (lane->bell >= 0 && !watch(member->poll, lane->bell))
			return false;
	return true;
}

static status_t
open_poll(struct hosted_member *member)
{
	member->poll = epoll_create1(EPOLL_CLOEXEC);
	if (member->poll < 0)
		return ERR_FULL;
	/* Readable at first. */
	member->knock = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (member->knock < 0)
		goto fail_poll;
	if (watch_all(member))
		return OK;
	close(member->knock);
fail_poll:
	close(member->poll);
	member->poll = member->knock = -1;
	return ERR_FULL;
}

status_t
hosted_descriptor(struct channel_domain *domain,
    struct channel_member *member, int *out_descriptor)
{
	struct hosted *hosted = hosted_of(domain);
	struct hosted_member *own = member->port_data;
	status_t status = OK;

	pthread_mutex_lock(&hosted->lock);
	if (own->poll < 0)
		status = open_poll(own);
	*out_descriptor = own->poll;
	pthread_mutex_unlock(&hosted->lock);
	return status;
}

/* Takes the bytes out; a bell whose other end is closed rings no more. */
static void
still(struct hosted_member *member, int bell)
{
	char bytes[256];
	ssize_t length;

	do
		length = recv(bell, bytes, sizeof(bytes), MSG_DONTWAIT);
	while (length == (ssize_t)sizeof(bytes));
	if (length == 0)
		wait_remove_bell(member, bell);
}

void
hosted_quiet(struct channel_domain *domain, struct channel_member *member)
{
	struct hosted *hosted = hosted_of(domain);
	struct hosted_member *own = member->port_data;
	uint64_t count;

	if (own->poll < 0)
		return;
	(void)!read(own->knock, &count, sizeof(count));
	pthread_mutex_lock(&hosted->lock);
	/* What it finds for this member knocks again. */
	link_drain(hosted);
	if (hosted->is_cut)
		(void)epoll_ctl(own->poll, EPOLL_CTL_DEL, hosted->socket,
		    NULL);
	for (struct hosted_lane *lane = own->lanes; lane != NULL;
	    lane = lane->next)
		if (lane->bell >= 0)
			still(own, lane->bell);
	pthread_mutex_unlock(&hosted->lock);
}
