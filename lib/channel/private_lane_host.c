/* SPDX-License-Identifier: MIT */
/* Bells, buffers and lanes of the private port: see private_host.c. */
#include "private_host.h"

#include <lib/channel/bell.h>

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

void *
private_allocate(struct channel_domain *domain, size_t size)
{
	size_t rounded = (size + 63) & ~(size_t)63;
	void *memory = aligned_alloc(64, rounded);

	if (memory != NULL)
		memset(memory, 0, rounded);
	return memory;
}

struct bell *
private_bell_create(bool pollable)
{
	struct bell *bell = calloc(1, sizeof(*bell));

	if (bell == NULL)
		return NULL;
	bell->references = 1;
	bell->descriptor = -1;
	if (pollable) {
		bell->descriptor = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
		if (bell->descriptor < 0) {
			free(bell);
			return NULL;
		}
	}
	return bell;
}

void
private_bell_release(struct bell *bell)
{
	if (--bell->references != 0)
		return;
	if (bell->descriptor >= 0)
		close(bell->descriptor);
	free(bell);
}

void
private_bell_ring(struct bell *bell)
{
	static const uint64_t one = 1;

	if (bell_must_ring(&bell->word))
		syscall(SYS_futex, &bell->word, FUTEX_WAKE_PRIVATE, 1, NULL,
		    NULL, 0);
	/* It fails when it is readable beyond measure. */
	if (bell->descriptor >= 0 &&
	    write(bell->descriptor, &one, sizeof(one)) < 0)
		return;
}

void
private_post(struct private_domain *domain, struct member *member)
{
	/* In this order: who sees the generation sees that it is meant. */
	__atomic_store_n(&member->pending, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&domain->generation, 1, __ATOMIC_RELEASE);
	private_bell_ring(member->bell);
}

struct buffers *
private_buffers_create(struct private_domain *domain,
    const struct channel_config *config)
{
	struct buffers *buffers = calloc(1, sizeof(*buffers));

	if (buffers == NULL)
		return NULL;
	buffers->references = 1;
	buffers->memory = private_allocate(&domain->base,
	    lane_pool_size(config));
	if (buffers->memory == NULL) {
		free(buffers);
		return NULL;
	}
	return buffers;
}

static void
buffers_release(struct buffers *buffers)
{
	if (buffers == NULL || --buffers->references != 0)
		return;
	free(buffers->memory);
	free(buffers);
}

static void
side_unlink(struct side *side)
{
	struct side **at = &side->member->sides;

	while (*at != side)
		at = &(*at)->next;
	*at = side->next;
	side->member = NULL;
}

void
private_side_drop(struct private_domain *domain, struct side *side)
{
	struct lane *lane = side->lane;
	struct side *other = &lane->side[side == &lane->side[0]];

	side_unlink(side);
	if (other->member != NULL) {
		other->gone = true;
		private_post(domain, other->member);
		return;
	}
	private_bell_release(lane->side[0].other_bell);
	private_bell_release(lane->side[1].other_bell);
	buffers_release(lane->buffers);
	free(lane->memory);
	free(lane);
}

static void
side_link(struct side *side, struct lane *lane, struct member *member,
    struct member *other)
{
	side->lane = lane;
	side->member = member;
	side->other_bell = other->bell;
	side->next = member->sides;
	member->sides = side;
	other->bell->references++;
}

status_t
private_lane_create(struct private_domain *domain, struct member *sender,
    struct member *receiver)
{
	const struct channel_config *config = &sender->channel->config;
	struct lane *lane = calloc(1, sizeof(*lane));

	if (lane == NULL)
		return ERR_NOMEM;
	lane->memory = private_allocate(&domain->base, lane_size(config));
	if (lane->memory == NULL) {
		free(lane);
		return ERR_NOMEM;
	}
	lane_format(lane->memory, config);
	lane->own_number = ++domain->numbers;
	lane->number[0] = sender->number;
	lane->number[1] = receiver->number;
	lane->trust[0] = sender->trust;
	lane->trust[1] = receiver->trust;
	lane->identity[0] = sender->identity;
	lane->identity[1] = receiver->identity;
	lane->groups = config->type == CHANNEL_MULTICAST ?
	    receiver->groups : ~0ul;
	lane->side[0].sends = true;
	lane->buffers = sender->buffers;
	if (lane->buffers != NULL)
		lane->buffers->references++;
	side_link(&lane->side[0], lane, sender, receiver);
	side_link(&lane->side[1], lane, receiver, sender);
	private_post(domain, sender);
	private_post(domain, receiver);
	return OK;
}

void
private_member_leave(struct private_domain *domain, struct member *member)
{
	while (member->sides != NULL)
		private_side_drop(domain, member->sides);
	private_bell_release(member->bell);
	buffers_release(member->buffers);
	free(member->statistics);
	free(member);
}
